"""A variant of the baseline: what a robustness row or a subgroup changes, everything else as in [evaluate] and [policy]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from hinterland.evaluate.matching_rule import MatchRule

Role = Literal["baseline", "headline", "alternative", "robustness", "subgroup", "displacement"]


@dataclass(frozen=True, slots=True)
class Variant:
    """Changes to the baseline; ``None`` and empty mean unchanged.

    Attributes:
        key: row key, ``""`` for the baseline itself; part of the effects' ids.
        role: what the fit is in the report.
        sample: ``all``, or the subgroup.
        timing, partial, uncertain: other policy rules.
        comparison, cluster, fe, covariates: other settings of [evaluate]; ``covariates = ""`` means none.
        vcov, cutoff_km, lag, kernel: another covariance.
        years: other first and last period.
        drop: region set to leave out.
        keep: (set or column, group) to keep.
        match: how units are matched first.
        where: expression the rows must satisfy;  present: columns the rows must have a value of.
        winsorise, trim: lower and upper quantile beyond which outcomes and controls are set to it, or left out.
        without: programme whose units are left out;  beside: programme whose indicator is a further covariate.
        lag_controls: periods by which covariates are lagged.
        effects: fixed effects beside those of the baseline.
        outcome: column in the place of the outcome.
    """

    key: str = ""
    role: Role = "alternative"
    sample: str = "all"
    timing: str | None = None
    partial: str | None = None
    uncertain: str | None = None
    comparison: str | None = None
    cluster: tuple[str, ...] | None = None
    fe: tuple[str, ...] | None = None
    covariates: str | tuple[str, ...] | None = None
    vcov: str | None = None
    cutoff_km: float | None = None
    lag: int | None = None
    kernel: str | None = None
    years: tuple[int, int] | None = None
    drop: str | None = None
    keep: tuple[str, str] | None = None
    where: str | None = None
    present: tuple[str, ...] = ()
    winsorise: tuple[float, float] | None = None
    trim: tuple[float, float] | None = None
    without: str | None = None
    beside: str | None = None
    lag_controls: int | None = None
    effects: tuple[str, ...] = ()
    outcome: str | None = None
    match: MatchRule | None = None

    @property
    def change(self) -> Variant:
        """The variant without its names: variants that change the same are equal, and share designs and fits."""
        return replace(self, key="", role="alternative", sample="all")

    def as_json(self) -> dict[str, Any]:
        """What is changed, for hashing and for the record."""
        from dataclasses import asdict

        changed = {k: v for k, v in asdict(self).items() if v not in (None, (), "") and k not in {"role"}}
        return changed if self.match is None else {**changed, "match": self.match.as_json()}


BASELINE = Variant()
