"""The table [robustness.match] of a study file: how units are matched before the comparison."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hinterland.evaluate.matching_rule import (
    DistanceIn,
    KernelShape,
    MatchBy,
    MatchMethod,
    MatchRule,
    Order,
    Scale,
    Support,
    Ties,
    When,
    used_by,
)
from hinterland.study.fields import Formula, Table


class MatchTable(Table):
    """How units are matched, for every method in robustness.matching; each takes the keys that it has a use for."""

    covariates: Formula = Field(default=None, description="What is matched on; the covariates of [evaluate] by default.")
    by: tuple[MatchBy, ...] = Field(
        default=("unit",),
        min_length=1,
        description="What is matched, one row each: unit (once, on covariates from before the first adoption), cohort (each on covariates from before its own), year (rows within each period), pooled (rows of all periods).",
    )
    when: When = Field(default="mean-before", description="Which periods before adoption the covariates are of (unit and cohort).")
    k: int = Field(default=1, ge=1, description="Neighbours of each treated unit (nearest).")
    replacement: bool = Field(default=True, description="A comparison unit may be the neighbour of several treated ones (nearest).")
    caliper: float | None = Field(default=None, gt=0, description="Farthest neighbour (nearest).")
    ties: Ties | None = Field(
        default=None, description="With replacement: take all that are as near as the last neighbour (the default), or the first."
    )
    order: Order | None = Field(
        default=None, description="Without replacement: who chooses first, by the score; the largest by default, or the order of the data."
    )
    radius: float = Field(default=0.2, gt=0, description="Farthest comparison unit (radius).")
    kernel: KernelShape = Field(default="epanechnikov", description="Weight by distance (kernel).")
    bandwidth: float = Field(default=0.2, gt=0, description="Distance that counts as one in it (kernel).")
    scale: Scale = Field(default="logit", description="What distances are measured on: the propensity score, or its log odds.")
    distance_in: DistanceIn = Field(
        default="sd", description="Caliper, radius and bandwidth are in standard deviations within groups, or in raw units of the scale."
    )
    support: Support = Field(
        default="treated", description="Who is left out beyond the common range of scores: treated units, both, or none."
    )
    moments: Literal[1, 2, 3] = Field(
        default=1, description="Moments that are balanced: 1 means, 2 and variances, 3 and skewness (entropy-balancing)."
    )
    weighted: bool = Field(
        default=True,
        description="Comparison units count by what they are worth; false: every matched unit counts once, as in much applied work.",
    )

    def rule(self, covariates: str | tuple[str, ...], method: MatchMethod, by: MatchBy) -> MatchRule:
        """The rule of one row: what its method has a use for, the rest left at the default."""
        given = {name: getattr(self, name) for name in used_by(method, by) if getattr(self, name) is not None}
        return MatchRule(covariates, method, by, **given)
