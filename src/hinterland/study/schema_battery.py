"""The rows of ``[robustness]`` that change one choice each, as types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from hinterland.study.fields import MethodId, Names, Table, Words

How = Literal["drop", "control"]


def _as_limits(value: Any) -> Any:
    """One share is that of each tail."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value), round(1.0 - float(value), 12))
    return tuple(float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in value) if isinstance(value, tuple) else value


Limits = Annotated[
    tuple[float, float],
    BeforeValidator(_as_limits),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}]}),
]


class ConcurrentTable(Table):
    """A programme of the same years that is not packaged: who entered when, from a file or from a column of the panel."""

    name: str = Field(pattern=r"^[\w\-]+$", description="Short name, used in row names.")
    label: Words | None = Field(default=None, description="What the programme is called in the report.")
    source: str | None = Field(default=None, description="File that lists its units.")
    unit: str | None = Field(default=None, description="Column of that file with codes or names of units.")
    first: str | None = Field(default=None, description="Column of that file with the first year of each unit.")
    column: str | None = Field(
        default=None, description="Column of the panel instead: the first year of each unit (0 or missing: never), or 1 when it is in it."
    )
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file (utf-8, gb18030); found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")


class BatteryTable(Table):
    """Rows that change one choice each, everything else as in the baseline."""

    winsorise: tuple[Limits, ...] = Field(
        default=(),
        description="Outcome and controls winsorised, one row each: the share of each tail (0.01), or the two quantiles ([0.01, 0.99]); pooled over the panel, quantiles as in Stata's winsor2.",
    )
    trim: tuple[Limits, ...] = Field(default=(), description="The same with values beyond the quantiles left out.")
    concurrent: tuple[str | ConcurrentTable, ...] = Field(
        default=(),
        description="Other programmes of the same years: packaged registers (low-carbon-pilots, broadband-china, innovative-cities, ip-demonstration-cities), columns of the panel, or tables that name a file.",
    )
    concurrent_how: tuple[How, ...] = Field(
        default=("drop",),
        min_length=1,
        description="What is done about each, one row each. drop: leave out the units that entered by the last period; control: add an indicator of being in it (for estimators that condition on the period before adoption: of ever being in it).",
    )
    lag_controls: tuple[int, ...] = Field(default=(), description="Controls measured this many periods earlier, one row each.")
    fe: tuple[Names, ...] = Field(
        default=(),
        description='Further fixed effects, one row each: "province^year", "macro-region^year" (region sets need no column of the panel); for estimators that take them.',
    )
    outcomes: Names = Field(default=(), description="Other columns in the place of the first outcome, one row each.")
    cluster: tuple[Names, ...] = Field(default=(), description="Other clusters, one row each: a column, or a list of columns.")
    methods: tuple[MethodId, ...] = Field(default=(), description="Other estimators in the place of the headline, one row each.")
