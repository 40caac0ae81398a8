"""Placebo tests: adoption reshuffled across units (space) or moved to earlier periods (time)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import make_design
from hinterland.evaluate.methods import METHODS
from hinterland.labels import Note

Kind = Literal["space", "time"]
BATCHED = ("twfe", "callaway-santanna", "imputation", "ppml")
"""Estimators with a batched placebo."""
FITS = 199
"""Most draws where each is a fit of its own: the smallest exact p-value is then 0.005."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The distribution of an estimate under placebo assignments.

    Attributes:
        method: estimator id;  outcome: name of the outcome;  kind: ``space`` or ``time``.
        estimate, std_error, p_value: of the actual assignment.
        draws: ``draw, estimate, statistic``: draw 0 is the actual assignment, the others are permutations of it (space; of a time
            placebo draw 0 only).
        shifts: ``shift, estimate, std_error, p_value, n_obs, n_treated``: one row per number of periods by which adoption was
            moved forward (time; no row for space).
        p_exact: (1 + number of draws with an estimate at least as far from zero) / (1 + draws); NaN for time.
        p_exact_statistic: the same for the t statistic: the recommended one, since it is robust to permuted and actual
            assignments having different variances; NaN for time.
        notes: what a reader must know.
        meta: seed, draws asked for, strata, level, cluster, comparison.
    """

    method: str
    outcome: str
    kind: Kind
    estimate: float
    std_error: float
    p_value: float
    draws: pl.DataFrame
    shifts: pl.DataFrame
    p_exact: float
    p_exact_statistic: float
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        if self.kind == "space":
            return f"Placebo({self.method}, {self.outcome}, space: {self.estimate:.6g}, exact p = {self.p_exact:.4g} ({self.n_draws} draws; t: {self.p_exact_statistic:.4g}))"
        parts = ", ".join(f"-{r['shift']}: {r['estimate']:.4g} (p {r['p_value']:.3g})" for r in self.shifts.iter_rows(named=True))
        return f"Placebo({self.method}, {self.outcome}, time: {parts})"

    @property
    def n_draws(self) -> int:
        """Permutations, the actual assignment not counted."""
        return self.draws.height - 1

    @property
    def sd_draws(self) -> float:
        """Standard deviation of the permuted estimates (NaN below two draws)."""
        drawn = self.draws["estimate"][1:].drop_nulls()
        return float(drawn.std()) if len(drawn) > 1 else float("nan")  # type: ignore[arg-type]

    def tidy(self) -> pl.DataFrame:
        """``outcome, method, kind, shift, estimate, std_error, p_value, p_exact, draws, sd_draws, p_exact_statistic``: one row for
        space (the actual estimate), one per shift for time (the placebo estimates).
        """
        head = {"outcome": self.outcome, "method": self.method, "kind": self.kind}
        if self.kind == "space":
            rows = [
                {
                    **head,
                    "shift": None,
                    "estimate": self.estimate,
                    "std_error": self.std_error,
                    "p_value": self.p_value,
                    "p_exact": self.p_exact,
                    "draws": self.n_draws,
                    "sd_draws": self.sd_draws,
                    "p_exact_statistic": self.p_exact_statistic,
                }
            ]
        else:
            kept = ("shift", "estimate", "std_error", "p_value")
            rows = [{**head, **{k: r[k] for k in kept}} for r in self.shifts.iter_rows(named=True)]
        return pl.DataFrame(rows, schema=_TIDY)


_TIDY = {
    "outcome": pl.String,
    "method": pl.String,
    "kind": pl.String,
    "shift": pl.Int64,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "p_value": pl.Float64,
    "p_exact": pl.Float64,
    "draws": pl.Int64,
    "sd_draws": pl.Float64,
    "p_exact_statistic": pl.Float64,
}


def placebo(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    method: str = "twfe",
    *,
    draws: int = 1000,
    seed: int = 1,
    kind: str = "space",
    shifts: Sequence[int] = (2, 3),
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    anticipation: int = 0,
    cluster: str | Sequence[str] | None = None,
    fe: Sequence[str] = (),
    strata: str | None = None,
    level: str | None = None,
    fits: int = FITS,
    **options: Any,
) -> Placebo:
    """Estimate the effect of assignments that never happened.

    ``kind="space"`` reshuffles adoption dates across units ``draws`` times and re-estimates, all draws at once: under the sharp
    null of no effect on anybody, and if dates could have been dealt to any unit, the actual estimate is one more draw
    (Fisher 1935; studentised as in Chung & Romano 2013). ``kind="time"`` moves every adoption forward by each of ``shifts``
    periods and uses only observations from before the true adoption.

    Args:
        panel, outcome, policy, covariates, comparison, anticipation, cluster, fe: as in :func:`hinterland.estimate`.
        method: any estimator with one number, a coefficient or an overall effect. All draws are one batch for ``twfe``, and on balanced panels
            without covariates, weights and further fixed effects for ``callaway-santanna``, ``imputation`` and ``ppml``; otherwise each draw is a fit of its own.
        draws: permutations;  seed: of the permutations.
        kind: ``space`` or ``time``.
        shifts: periods by which adoption is moved forward (time).
        strata: column, constant within units, within whose levels adoption is reshuffled (``"province"``).
        level: column whose groups adopt as one (``"province"``): adoption is reshuffled across groups; units by default.
        fits: most draws where each is a fit of its own; a note says how many were taken, and why.
        options: of the estimator (then each draw is a fit of its own).

    Raises:
        EstimationError: unknown kind, method or option, bad numbers, or a design on which the estimator is not defined.
    """
    from hinterland.evaluate.estimate import columns_of

    _fail_if_bad_request(method, kind, {"draws": draws, "fits": fits}, shifts)
    columns = columns_of(METHODS[method], options)
    shared: dict[str, Any] = {"covariates": covariates, "fe": fe, "comparison": comparison, "anticipation": anticipation}
    design = make_design(panel, outcome, policy, cluster=cluster, columns=columns, **shared)
    if kind == "time":
        from hinterland.evaluate.placebo_time import placebo_time

        return placebo_time(design, method, shifts=shifts, options=options)
    from hinterland.evaluate.permutation import unit_groups
    from hinterland.evaluate.placebo_space import placebo_space

    return placebo_space(
        design,
        method,
        draws=draws,
        seed=seed,
        strata=None if strata is None else unit_groups(panel, design, strata, "strata of the placebo"),
        block=None if level is None else unit_groups(panel, design, level, "level of the placebo"),
        names={"strata": strata, "level": level},
        fits=fits,
        options=options,
    )


def no_batch(method: str) -> list[Finding]:
    """The finding that ``method`` has no batched placebo, where it has none."""
    if method in BATCHED:
        return []
    return [Finding("no-batch", f"{method!r} has no batched placebo", "argument method", "none is needed: each draw is a fit of its own")]


def _fail_if_bad_request(method: str, kind: str, counts: Mapping[str, int], shifts: Sequence[int]) -> None:
    findings = []
    if kind not in get_args(Kind):
        findings.append(Finding("unknown-kind", f"placebo kind {kind!r} is not known", "argument kind", did_you_mean(kind, get_args(Kind))))
    if method not in METHODS:
        findings.append(Finding("unknown-method", f"method {method!r} is not known", "argument method", did_you_mean(method, METHODS)))
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            findings.append(
                Finding("bad-draws", f"{name} is {count!r}", f"argument {name}", "give a whole number, 1 or more (1000 is usual)")
            )
    bad = [s for s in shifts if not isinstance(s, int) or s < 1]
    if kind == "time" and (bad or not len(shifts)):
        findings.append(Finding("bad-shift", f"shifts is {tuple(shifts)!r}", "argument shifts", "give whole numbers of periods, 1 or more"))
    fail_if_any(findings, "placebo", EstimationError)


def no_draws(estimate: float, std_error: float) -> pl.DataFrame:
    """The draws of a placebo that drew nothing: the actual assignment alone."""
    return draws_frame(np.array([estimate]), np.array([estimate / std_error]))


def draws_frame(estimate: np.ndarray[Any, np.dtype[np.float64]], statistic: np.ndarray[Any, np.dtype[np.float64]]) -> pl.DataFrame:
    """``draw, estimate, statistic``; null where a draw has no estimate."""
    return pl.DataFrame(
        {
            "draw": np.arange(len(estimate), dtype=np.int64),
            "estimate": pl.Series(estimate, nan_to_null=True),
            "statistic": pl.Series(statistic, nan_to_null=True),
        }
    )


SHIFTS_SCHEMA = {
    "shift": pl.Int64,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
    "p_value": pl.Float64,
    "n_obs": pl.Int64,
    "n_treated": pl.Int64,
}
