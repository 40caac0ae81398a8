"""What the values of a study file may be: choices, lists of names, formulae, texts in both languages, options of estimators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from hinterland.errors import did_you_mean
from hinterland.evaluate.methods import METHODS

Timing = Literal["approval_year", "first_full_year", "cutoff_month"]
Partial = Literal["exclude", "treat", "dose"]
Uncertain = Literal["exclude", "treat"]
ComparisonRule = Literal["never-treated", "not-yet-treated"]
RegionSetName = Literal["province", "macro-region", "sichuan-chongqing", "provincial-capitals", "municipalities"]
RegionDrop = Literal["municipalities", "provincial-capitals", "sub-provincial-cities", "sichuan-chongqing", "partially-covered"]
Format = Literal["html", "docx", "pdf", "tex"]
Vcov = Literal["cluster", "CR2", "CR3", "hetero", "HC2", "HC3", "iid", "conley", "driscoll-kraay", "newey-west"]
SpatialKernel = Literal["uniform", "bartlett"]
SensitivityKind = Literal["relative-magnitude", "smoothness", "smoothness-relative"]
Procedure = Literal[
    "auto", "wild-cluster-bootstrap", "CR2", "CR3", "conley-taber", "ferman-pinto", "ibragimov-muller", "sign-changes", "randomisation"
]
FamilyAdjust = Literal["romano-wolf", "benjamini-hochberg"]
SlopeSource = Literal["untreated", "saturated"]
Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar | tuple[Scalar, ...], ...] | Mapping[str, Scalar] | None
"""What an option of an estimator may be: a scalar, a list (of lists), or a table."""


def _as_names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_words(value: Any) -> Any:
    if not isinstance(value, str | Mapping | BaseModel):
        raise PydanticCustomError("words_type", 'Input should be a text in quotes, or one per language: { en = "…", zh = "…" }')
    if isinstance(value, str) and not value.strip():
        raise PydanticCustomError("words_empty", "Input should say something")
    return {"en": value, "zh": value} if isinstance(value, str) else value


def _formula(value: Any) -> Any:
    if value is None or isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(v, str) for v in value)):
        return value
    raise PydanticCustomError("formula_type", "Input should be a formula such as '~ ln_gdp + share2', or a list of column names")


def _known_method(value: str) -> str:
    if value not in METHODS:
        raise PydanticCustomError("unknown_method", "{hint}", {"hint": did_you_mean(value, METHODS)})
    return value


Procedures = Annotated[
    tuple[Procedure, ...],
    BeforeValidator(_as_names),
    WithJsonSchema({"anyOf": [{"enum": list(get_args(Procedure))}, {"type": "array", "items": {"enum": list(get_args(Procedure))}}]}),
]
MethodId = Annotated[str, AfterValidator(_known_method), WithJsonSchema({"enum": sorted(METHODS)})]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Formula = Annotated[
    str | tuple[str, ...] | None,
    BeforeValidator(_formula),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Table(BaseModel):
    """Base of every table of the study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Localised(Table):
    """A text in both languages."""

    en: str
    zh: str


Words = Annotated[
    Localised,
    BeforeValidator(_as_words),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
                    "required": ["en", "zh"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
