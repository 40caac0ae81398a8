"""Variance of synthetic difference-in-differences: jackknife, placebo and bootstrap (Arkhangelsky et al. 2021, algorithms 2–4).

All three make replicates of the effects by cohort and period. The jackknife has a closed form: weights stay fixed, those of the
remaining controls are scaled to sum to one, so a replicate is a downdate of sums. Placebo and bootstrap estimate the weights
anew, of all draws at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.sdid_covariates import Projection
from hinterland.evaluate.sdid_effects import Layout, effects_of
from hinterland.evaluate.sdid_sample import METHOD, Sample
from hinterland.evaluate.sdid_weights import Problem, Synthetic

Floats = NDArray[np.float64]
Variance = Literal["jackknife", "placebo", "bootstrap", "none"]

_BLOCK = 2_000_000
"""Unit-draws at a time."""
_ROWS = 2048
"""Clusters at a time."""
_WHOLE = 1 - 1e-9
"""Share of the unit weights in one cluster that leaves no synthetic control without it."""


@dataclass(frozen=True, slots=True)
class Replicates:
    """``cells`` [R, G T] effects, ``counts`` [R, G] treated units and ``units`` [R] units of each replicate."""

    cells: Floats
    counts: Floats
    units: Floats


@dataclass(frozen=True, slots=True)
class Spread:
    """``influence`` [R, K] whose product is the covariance;  ``shares`` [R, G] the same of the cohorts' shares of units;  ``missing``:
    replicates without some term.
    """

    influence: Floats
    shares: Floats
    missing: int


def reasons_against(sample: Sample, weights: Sequence[Synthetic]) -> dict[str, str]:
    """Why the variances that cannot be computed here cannot, by name."""
    treated = np.array([len(np.unique(sample.cluster[b.units])) for b in sample.blocks])
    out: dict[str, str] = {}
    lonely = [b.cohort for b, n in zip(sample.blocks, treated, strict=True) if n < 2]
    heavy = [b.cohort for b, w in zip(sample.blocks, weights, strict=True) if _share_of_largest(sample, w) > _WHOLE]
    if lonely:
        out["jackknife"] = f"cohorts {listed(lonely, 8)} have one treated unit or cluster"
    elif heavy:
        out["jackknife"] = f"the synthetic controls of cohorts {listed(heavy, 8)} are one unit or cluster"
    count = sum(len(b.units) for b in sample.blocks)
    if sample.clustered:
        out["placebo"] = "clusters hold several units"
    elif len(sample.controls) <= count:
        out["placebo"] = f"there are no more controls ({len(sample.controls)}) than treated units ({count})"
    every = len(np.unique(np.concatenate([sample.cluster[b.units] for b in sample.blocks])))
    if every < 2 or len(np.unique(sample.cluster[sample.controls])) < 2:
        out["bootstrap"] = "there is one treated or one control unit or cluster only"
    return out


def _share_of_largest(sample: Sample, weights: Synthetic) -> float:
    return float(sample.by_cluster(weights.omega, sample.controls).max())


def fail_if_impossible(variance: str, reasons: dict[str, str]) -> None:
    """Raise ``EstimationError`` where the variance asked for cannot be computed, offering one that can."""
    if variance not in reasons:
        return
    others = [v for v in ("jackknife", "placebo", "bootstrap") if v not in reasons]
    remedy = f"set variance={others[0]!r}" if others else "set variance='none', or add units"
    what = f"the {variance} variance cannot be computed: {reasons[variance]}"
    raise EstimationError(Finding("variance-impossible", what, f"option variance of {METHOD}", remedy), "variance")


def jackknife(sample: Sample, weights: Sequence[Synthetic], projection: Projection | None) -> Replicates:
    """Effects without each cluster: fixed weights, those of the controls left scaled to sum to one; coefficients of covariates anew."""
    raw = sample.y if projection is None else sample.y + projection.x @ projection.beta
    cells = _without_each(sample, weights, raw)
    if projection is not None:
        for j in range(len(projection.beta)):
            cells -= projection.without[:, j, None] * _without_each(sample, weights, projection.x[:, :, j])
    counts = np.column_stack([len(b.units) - sample.count_by_cluster(b.units) for b in sample.blocks])
    return Replicates(cells, counts, counts.sum(axis=1) + len(sample.controls) - sample.count_by_cluster(sample.controls))


def _without_each(sample: Sample, weights: Sequence[Synthetic], y: Floats) -> Floats:
    width = len(sample.periods)
    controls = y[sample.controls]
    centre = controls.mean(axis=0)
    apart = controls - centre
    out = np.empty((sample.n_clusters, len(sample.blocks) * width))
    for g, (block, w) in enumerate(zip(sample.blocks, weights, strict=True)):
        treated, parts = y[block.units] - centre, w.omega[:, None] * apart
        totals = treated.sum(axis=0), parts.sum(axis=0)
        own, synthetic = sample.by_cluster(treated, block.units), sample.by_cluster(parts, sample.controls)
        left = len(block.units) - sample.count_by_cluster(block.units)[:, None]
        share = 1.0 - sample.by_cluster(w.omega, sample.controls)[:, None]
        for some in _row_blocks(len(out)):
            gap = (totals[0] - own[some]) / left[some] - (totals[1] - synthetic[some]) / share[some]
            out[some, g * width : (g + 1) * width] = effects_of(gap, w.lam)
    return out


def _row_blocks(rows: int) -> Iterator[slice]:
    """Rows by blocks that stay in the processor's cache."""
    return (slice(start, start + _ROWS) for start in range(0, rows, _ROWS))


def placebo(sample: Sample, problems: Sequence[Problem], draws: int, seed: int) -> Replicates:
    """Effects on controls that are given the treated units' adoption dates, against the controls left.

    With one treated unit there are as many placebos as controls: where ``draws`` reach that number, each is taken once.
    """
    sizes = [len(b.units) for b in sample.blocks]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    controls = sample.y[sample.controls]
    rows = []
    for order in _orders(len(controls), int(edges[-1]), draws, seed):
        count = len(order)
        copies = np.ones((count, len(controls)))
        np.put_along_axis(copies, order, 0.0, axis=1)
        parts = []
        for g, problem in enumerate(problems):
            path = controls[order[:, edges[g] : edges[g + 1]]].mean(axis=1)
            parts.append(_drawn_effects(problem, controls, copies, path))
        rows.append(np.hstack(parts))
    cells = np.vstack(rows)
    counts = np.broadcast_to(np.array(sizes, dtype=np.float64), (len(cells), len(sizes)))
    return Replicates(cells, counts, np.full(len(cells), float(len(controls))))


def _orders(controls: int, treated: int, draws: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Chunks [B, treated] of controls that stand in for the treated units."""
    if treated == 1 and draws >= controls:
        yield np.arange(controls)[:, None]
        return
    rng = np.random.default_rng(seed)
    for count in _chunks(draws, controls):
        yield np.argsort(rng.random((count, controls)), axis=1)[:, :treated]


def bootstrap(sample: Sample, problems: Sequence[Problem], draws: int, seed: int) -> Replicates:
    """Effects on clusters drawn with replacement; draws without a control or without a treated unit are drawn again."""
    controls = sample.y[sample.controls]
    rng = np.random.default_rng(seed)
    rows, sizes, units = [], [], []
    for count in _chunks(draws, len(sample.cluster)):
        copies = _draw_clusters(sample, count, rng)
        of_controls = copies[:, sample.controls]
        parts, treated = [], []
        for block, problem in zip(sample.blocks, problems, strict=True):
            weight = copies[:, block.units]
            size = weight.sum(axis=1)
            path = weight @ sample.y[block.units] / np.maximum(size, 1.0)[:, None]
            present = size > 0
            effects = np.full((count, len(sample.periods)), np.nan)
            effects[present] = _drawn_effects(problem, controls, of_controls[present], path[present])
            parts.append(effects)
            treated.append(size)
        rows.append(np.hstack(parts))
        sizes.append(np.column_stack(treated))
        units.append(copies.sum(axis=1))
    return Replicates(np.vstack(rows), np.vstack(sizes), np.concatenate(units))


def _chunks(draws: int, units: int) -> Iterator[int]:
    size = max(1, _BLOCK // units)
    for start in range(0, draws, size):
        yield min(size, draws - start)


def _draw_clusters(sample: Sample, count: int, rng: np.random.Generator) -> Floats:
    """[count, N] copies of each unit."""
    treated = np.zeros(len(sample.cluster), dtype=np.bool_)
    treated[np.concatenate([b.units for b in sample.blocks])] = True
    kept: list[Floats] = []
    have = 0
    while have < count:
        drawn = rng.multinomial(sample.n_clusters, np.full(sample.n_clusters, 1 / sample.n_clusters), size=count - have)
        copies = drawn[:, sample.cluster].astype(np.float64)
        good = (copies[:, treated].sum(axis=1) > 0) & (copies[:, sample.controls].sum(axis=1) > 0)
        kept.append(copies[good])
        have += int(good.sum())
    return np.vstack(kept)


def _drawn_effects(problem: Problem, controls: Floats, copies: Floats, path: Floats) -> Floats:
    """[B, T] effects of treated paths [B, T] against ``copies`` [B, n] of the controls, weights estimated anew."""
    if len(path) == 0:
        return np.empty((0, controls.shape[1]))
    omega = problem.omega(path, copies)
    return effects_of(path - (omega * copies) @ controls, problem.lam(copies))


def spread(layout: Layout, replicates: Replicates, variance: str) -> Spread:
    """Deviations of the replicates from their mean, scaled so that their product is the covariance.

    The jackknife's are scaled by √((C - 1) / C) and turned round, so that they are the clusters' influence; those of draws by
    1 / √B, each being a row of its own.
    """
    terms = layout.collapse(replicates.cells, replicates.counts)
    shares = replicates.counts / replicates.units[:, None]
    return Spread(_deviations(terms, variance), _deviations(shares, variance), int(np.isnan(terms).any(axis=1).sum()))


def _deviations(values: Floats, variance: str) -> Floats:
    blocks = list(_row_blocks(len(values)))
    count, total = np.zeros(values.shape[1], dtype=np.int64), np.zeros(values.shape[1])
    for some in blocks:
        known = np.isfinite(values[some])
        count += known.sum(axis=0)
        total += np.where(known, values[some], 0.0).sum(axis=0)
    mean, least = total / np.maximum(count, 1), np.maximum(count, 1)
    scale = -np.sqrt((count - 1) / least) if variance == "jackknife" else 1 / np.sqrt(least)
    out = np.empty_like(values)
    for some in blocks:
        out[some] = scale * np.where(np.isfinite(values[some]), values[some] - mean, 0.0)
    return out
