"""[robustness.curve] as types: which choices are crossed, and how the curve as a whole is tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from hinterland.study.fields import ComparisonRule, MethodId, Names, Partial, RegionDrop, Table, Timing, Uncertain


def _as_sets(value: Any) -> Any:
    return tuple((v,) if isinstance(v, str) else v for v in value) if isinstance(value, tuple | list) else value


_SETS: dict[str, Any] = {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}}
NameSets = Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_as_sets), WithJsonSchema(_SETS)]
"""Several options, each a name or a list of names."""


class CurveTable(Table):
    """Every combination of choices for the first outcome, beside the baseline's own: the specification curve.

    A key that is left out takes its options from what the rows of [robustness] change (samples and periods: rows that change nothing else); an
    empty list leaves the choice at the baseline's.
    """

    outcomes: Names = Field(default=(), description="Further columns that measure the first outcome in another way.")
    methods: tuple[MethodId, ...] | None = Field(
        default=None, description="Estimators beside the headline: twfe and those that the robustness models name, by default."
    )
    controls: Names | None = Field(
        default=None,
        description="Columns each of which may be in or out (k of them make 2^k models): those of [evaluate] and of the robustness models, by default.",
    )
    fe: NameSets | None = Field(
        default=None, description='Other fixed effects beyond unit and period, each a name or a list: ["province^year"].'
    )
    cluster: NameSets | None = Field(default=None, description="Other columns to cluster on, each a name or a list.")
    timing: tuple[Timing, ...] | None = Field(default=None, description="Other timing rules (registers only).")
    partial: tuple[Partial, ...] | None = Field(default=None, description="Other rules for partial coverage (registers only).")
    uncertain: tuple[Uncertain, ...] | None = Field(default=None, description="Other rules for uncertain membership (registers only).")
    comparison: tuple[ComparisonRule, ...] | None = Field(default=None, description="Other comparison groups.")
    anticipation: tuple[int, ...] = Field(default=(), description="Other numbers of periods before adoption in which units may react.")
    drop: tuple[RegionDrop, ...] | None = Field(default=None, description="Sets of cities to leave out, each a sample of its own.")
    where: Mapping[str, str] | None = Field(
        default=None, description='Other samples by name, each an expression that its rows satisfy: { "after 2010" = "year > 2010" }.'
    )
    years: tuple[tuple[int, int], ...] | None = Field(default=None, description="Other first and last periods.")
    winsorise: tuple[float, ...] = Field(
        default=(), description="Shares of the outcome's rows that are pulled in to the quantile at either end: [0.01]."
    )
    draws: int = Field(default=1000, ge=99, description="Draws of each joint test.")
    joint: tuple[Literal["permutation", "bootstrap", "multiplier"], ...] = Field(
        default=("permutation",),
        description="Nulls that the curve as a whole is tested against: permutation (no effect on anybody, adoption dealt out anew), bootstrap (every coefficient zero, clusters drawn), multiplier (the same by influence functions, for every estimator); [] for none.",
    )
    limit: int = Field(default=2000, ge=1, description="Most specifications: more are an error that says how many there are.")
