"""Tests of and under random timing (Roth & Sant'Anna 2023): balance before treatment, and permutations of timing.

A permutation gives every unit the adoption date of another. What is estimated weighs cohort means with weights that depend on the
cohorts' sizes only, so each draw needs no more than sums, over its members, of each unit's weighted outcomes and their products: one
matrix product per cohort for all draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.design import Design
from hinterland.evaluate.efficient import fail_if_bad_options
from hinterland.evaluate.efficient_moments import cohort_moments, covariance, first_periods, pseudo_inverse
from hinterland.evaluate.efficient_sample import METHOD, Sample, make_sample
from hinterland.evaluate.efficient_weights import Controls, Estimand, Weighting, make_cells, make_weighting
from hinterland.evaluate.estimate import fail_if_not_accepted, find_method
from hinterland.evaluate.permutation import make_scheme, permutations
from hinterland.evaluate.result import BLANK
from hinterland.evaluate.threads import one_thread

Floats = NDArray[np.float64]

_BLOCK = 4_000_000
"""Unit-draws at a time."""


@dataclass(frozen=True, slots=True)
class BalanceTest:
    """Whether cohorts differed before treatment more than random timing explains.

    ``frame``: one row per term: ``term, difference, std_error, statistic, p_value`` (normal), ``p_permutation``. The joint tests: ``wald``
    with ``df`` degrees of freedom and its ``p_value`` (chi-squared), and ``p_permutation`` of the largest t statistic; ``draws`` permutations
    (0: none, and the permutation p-values are missing).
    """

    frame: pl.DataFrame
    wald: float
    df: int
    p_value: float
    p_permutation: float
    draws: int

    def __repr__(self) -> str:
        dealt = f"by {self.draws} permutations p = {self.p_permutation:.4g}" if self.draws else "no permutations"
        return f"BalanceTest(chi2({self.df}) = {self.wald:.5g}, p = {self.p_value:.4g}; {dealt}; {len(self.frame)} terms)"


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Exact under random timing when no unit is affected by the policy, and valid in large samples when none is on average.

    ``frame``: one row per term: ``term, estimate, statistic, p_value, p_neyman`` (statistics studentised with the adjusted or with
    Neyman's standard error), ``draws``.
    """

    frame: pl.DataFrame
    draws: int

    def __repr__(self) -> str:
        first = self.frame.row(0, named=True)
        return f"PermutationTest({first['term']}: estimate {first['estimate']:.5g}, p = {first['p_value']:.4g}, {self.draws} draws)"


@one_thread()
def balance_test(
    design: Design, *, estimand: Estimand = "event-time", controls: Controls = "not-yet-treated", draws: int = 0, seed: int = 0
) -> BalanceTest:
    """Test that the contrasts before treatment that the estimator adjusts for are zero.

    For each term of ``estimand`` (event times from 0), the comparison of the same cohorts in the period before adoption, and a Wald
    test of all. R's ``staggered::balance_checks`` computes the same.

    Raises:
        EstimationError: unknown options; no term has a period before adoption; what :func:`make_sample` raises.
    """
    sample, weighting = _prepare(design, estimand, controls, draws)
    before = weighting.before[:, 0]
    used = np.abs(before).max(axis=(1, 2)) > 0
    used &= (weighting.terms.event_time == BLANK) | (weighting.terms.event_time >= 0)
    if not used.any():
        where = f"first period {design.periods[0]}"
        raise EstimationError(
            Finding("no-period-before", "no cohort is observed before it is treated", where, "start the panel earlier"), "balance"
        )
    before = before[used]
    moments = cohort_moments(sample.y, sample.group, len(sample.timing.size))
    difference = np.einsum("kgt,gt->k", before, moments.mean)
    vcov = covariance(sample.timing, moments, before, before)
    error = np.sqrt(np.diag(vcov))
    statistic = difference / error
    rank = int(np.linalg.matrix_rank(vcov / np.outer(error, error), tol=1e-8, hermitian=True))
    wald = float(difference @ pseudo_inverse(vcov) @ difference)
    drawn = _draw(sample, Weighting(weighting.terms, weighting.cells, before, before[:, None]), 0.0, draws, seed) if draws else None
    frame = pl.DataFrame(
        {
            "term": [n for n, u in zip(weighting.terms.name, used, strict=True) if u],
            "difference": difference,
            "std_error": error,
            "statistic": statistic,
            "p_value": _normal(statistic),
            "p_permutation": np.full(len(statistic), np.nan) if drawn is None else _exact(drawn.neyman),
        }
    )
    joint = np.nan if drawn is None else float(_exact(np.abs(drawn.neyman).max(axis=1, keepdims=True))[0])
    return BalanceTest(frame, wald, rank, _chi2(wald, rank), joint, draws)


@one_thread()
def permutation_test(
    design: Design,
    *,
    estimand: Estimand = "overall",
    beta: float | None = None,
    controls: Controls = "not-yet-treated",
    draws: int = 999,
    seed: int = 0,
) -> PermutationTest:
    """Permute adoption dates over units, and compare the studentised estimate with its draws (two-sided).

    The p-value is (1 + draws at least as extreme) / (1 + draws), which is exact; R's ``staggered`` leaves out the ones.

    Raises:
        EstimationError: unknown options, fewer than 99 draws, what :func:`make_sample` raises.
    """
    fail_if_bad_options({}, beta, "did")
    sample, weighting = _prepare(design, estimand, controls, draws)
    if draws < 99:
        raise EstimationError(
            Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 999"), "draws"
        )
    drawn = _draw(sample, weighting, beta, draws, seed)
    live = np.isfinite(drawn.neyman[0])
    frame = pl.DataFrame(
        {
            "term": [n for n, u in zip(weighting.terms.name, live, strict=True) if u],
            "estimate": drawn.estimate[0, live],
            "statistic": drawn.adjusted[0, live],
            "p_value": _exact(drawn.adjusted[:, live]),
            "p_neyman": _exact(drawn.neyman[:, live]),
        }
    )
    return PermutationTest(frame, draws)


def _prepare(design: Design, estimand: Estimand, controls: Controls, draws: object) -> tuple[Sample, Weighting]:
    fail_if_bad_options({"estimand": estimand, "controls": controls}, None, "did")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise EstimationError(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number, such as 999"), "options")
    fail_if_not_accepted(find_method(METHOD), design)
    sample = make_sample(design, drop_always_treated=False)
    return sample, make_weighting(sample.timing, make_cells(sample.timing, controls), estimand, "did")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """[1 + B, K] estimates and t statistics (NaN without variance), the actual assignment first."""

    estimate: Floats
    adjusted: Floats
    neyman: Floats


def _draw(sample: Sample, weighting: Weighting, beta: float | None, draws: int, seed: int) -> _Drawn:
    """Estimates and statistics of the actual assignment and of ``draws`` permutations."""
    timing = sample.timing
    y = sample.y - sample.y.mean(axis=0)
    first = first_periods(timing, weighting.theta)
    features = [_Features.make(y, weighting.theta[:, g], weighting.before[:, 0, g], int(first.max())) for g in range(len(timing.size))]
    parts: list[_Drawn] = []
    chunk = max(1, _BLOCK // len(y))
    for labels in permutations(make_scheme(sample.group), draws, seed, chunk):
        summed = [f.sums((labels == g).astype(np.float64), int(timing.size[g])) for g, f in enumerate(features)]
        parts.append(_statistics(summed, timing.size, np.searchsorted(timing.periods, timing.cohort), first, beta))
    return _Drawn(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("estimate", "adjusted", "neyman")))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of one cohort, by draw: means of the K weighted outcomes after and before, their covariances [B, K], and covariances [B, w, w] of the
    first w periods and [B, w, K] of these with the weighted outcomes after treatment.
    """

    theta: Floats
    before: Floats
    theta_theta: Floats
    theta_before: Floats
    before_before: Floats
    early: Floats
    cross: Floats


@dataclass(frozen=True, slots=True)
class _Features:
    """[N, ·] a unit's weighted outcomes, early outcomes and products, side by side in ``table``; K terms, w early periods."""

    table: Floats
    terms: int
    width: int

    @classmethod
    def make(cls, y: Floats, theta: Floats, before: Floats, width: int) -> _Features:
        p, q, early = y @ theta.T, y @ before.T, y[:, :width]
        rows, columns = np.triu_indices(width)
        mixed = (early[:, :, None] * p[:, None, :]).reshape(len(y), -1)
        return cls(np.hstack([p, q, early, p * p, p * q, q * q, early[:, rows] * early[:, columns], mixed]), theta.shape[0], width)

    def sums(self, member: Floats, size: int) -> _Sums:
        """Moments over the members [B, N] of the cohort, ``size`` in each draw."""
        k, w = self.terms, self.width
        mean = member @ self.table / size
        parts = np.split(mean, np.cumsum([k, k, w, k, k, k, w * (w + 1) // 2]), axis=1)
        p, q, early, pp, pq, qq, pairs, mixed = parts
        scale = size / (size - 1)
        square = np.empty((len(mean), w, w))
        rows, columns = np.triu_indices(w)
        square[:, rows, columns] = pairs
        square[:, columns, rows] = pairs
        square -= early[:, :, None] * early[:, None, :]
        cross = mixed.reshape(len(mean), w, k) - early[:, :, None] * p[:, None, :]
        return _Sums(p, q, (pp - p * p) * scale, (pq - p * q) * scale, (qq - q * q) * scale, square * scale, cross * scale)


def _statistics(
    sums: list[_Sums], size: NDArray[np.int64], before_adoption: NDArray[np.int64], first: NDArray[np.int64], beta: float | None
) -> _Drawn:
    variance, mixed, contrast = (
        sum(getattr(s, name) / n for s, n in zip(sums, size, strict=True)) for name in ("theta_theta", "theta_before", "before_before")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(contrast > 0, mixed / contrast, 0.0) if beta is None else np.full_like(variance, beta)
        estimate = sum(s.theta for s in sums) - slope * sum(s.before for s in sums)
        neyman = variance - 2 * slope * mixed + slope**2 * contrast
        dead = neyman <= 1e-12 * np.maximum(variance, contrast)
        adjusted = neyman - _batch_adjustment(sums, size, before_adoption, first)
        t_neyman = np.where(dead, np.nan, estimate / np.sqrt(np.where(dead, np.nan, neyman)))
        t_adjusted = np.where(dead | (adjusted <= 0), np.nan, estimate / np.sqrt(np.where(adjusted > 0, adjusted, np.nan)))
    return _Drawn(estimate, t_adjusted, t_neyman)


def _batch_adjustment(sums: list[_Sums], size: NDArray[np.int64], before_adoption: NDArray[np.int64], first: NDArray[np.int64]) -> Floats:
    """[B, K] the adjustment of the variance (:func:`~hinterland.evaluate.efficient_moments.fit_moments`), of each draw."""
    out = np.zeros_like(sums[0].theta)
    for width in np.unique(first[first > 0]):
        use = first == width
        later = [s for s, before in zip(sums, before_adoption, strict=True) if before >= width]
        slopes = sum(np.linalg.pinv(s.early[:, :width, :width], rcond=1.5e-8, hermitian=True) @ s.cross[:, :width, use] for s in later)
        spread = sum(s.early[:, :width, :width] for s in later) / len(later)
        out[:, use] = np.einsum("bwk,bwv,bvk->bk", slopes, spread, slopes, optimize=True) / size.sum()
    return out


def _exact(statistics: Floats) -> Floats:
    """[K] two-sided p-values of the first row among all; draws without a statistic count as extreme."""
    size = np.abs(statistics)
    extreme = ~(size[1:] < size[0] * (1 - 1e-10))
    return np.asarray((1 + extreme.sum(axis=0)) / len(size))


def _normal(statistic: Floats) -> Floats:
    from scipy import special

    return np.asarray(2 * special.ndtr(-np.abs(statistic)))


def _chi2(statistic: float, df: int) -> float:
    from scipy import special

    return float(special.chdtrc(df, statistic))
