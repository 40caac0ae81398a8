"""Is the slope in the moderator another one in a group? A permutation of the group's label, where the group has few treated clusters.

The cluster-robust variance of a group's slope is made of the group's treated clusters: with two of them it says nothing, and the wild bootstrap fails as it
does. Under the null that the slope is the same everywhere, and that no cluster was bound to be in the group, the label could lie on any other clusters with
treated units, as many as it does: the statistic under all those labels is its reference (Fisher 1935). The statistic is the coefficient of D (M − c) G over
its standard error under independent errors, so that labels on clusters whose moderators hardly differ do not dominate. For counts it is that of one step of
weighted least squares from the fit in which the slope is the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import project_off
from hinterland.evaluate.moderation_linear import Fitted, Scaling, by_period, unit_starts
from hinterland.evaluate.permutation import Index, Scheme, every_assignment, make_scheme, permutations
from hinterland.evaluate.regression import projection, treatment
from hinterland.evaluate.threads import one_thread

CHUNK = 32
"""Labels worked on at a time."""
COLLINEAR = 1e-9
LARGEST = 4095
"""Labels up to which all are used instead of random ones."""


@dataclass(frozen=True, slots=True)
class LabelTest:
    """``p_value`` of the difference; ``draws`` labels used, the actual one included; ``enumerated``: all there are; ``blocks``: that move as one, of which
    ``inside`` with a treated unit are in the group, out of ``treated``; ``undefined``: labels without an estimate, not counted.
    """

    p_value: float
    draws: int
    enumerated: bool
    blocks: int
    inside: int
    treated: int
    undefined: int


@one_thread()
def permute_label(fitted: Fitted, scaling: Scaling, *, draws: int = 999, seed: int = 0) -> LabelTest | None:
    """The test for the group in ``scaling.group``, from the fit without it. ``None`` where no other label exists, or the actual one has no estimate."""
    design = fitted.design
    start = unit_starts(design)
    label = design.columns[str(scaling.group)][start].astype(np.intp)
    block = _blocks(design, label)
    ever = np.zeros(int(block.max()) + 1, dtype=np.intp)
    np.maximum.at(ever, block, (design.cohort != NEVER).astype(np.intp))
    try:
        scheme = make_scheme(label, block, ever[block])
    except EstimationError:
        return None
    every = scheme.distinct <= max(draws, LARGEST)
    statistic = _statistics(fitted, scaling, _labels(scheme, draws, seed, every=every))
    if not np.isfinite(statistic[0]):
        return None
    known = np.abs(statistic[np.isfinite(statistic)])
    p_value = float((known >= known[0] * (1 - 1e-9)).mean())
    moved = scheme.strata == 1
    inside = int(scheme.adoption[moved].sum())
    return LabelTest(p_value, len(known), every, len(scheme.adoption), inside, int(moved.sum()), len(statistic) - len(known))


def _labels(scheme: Scheme, draws: int, seed: int, *, every: bool) -> Index:
    """[R, N] labels by unit, the actual one first."""
    return every_assignment(scheme) if every else np.concatenate(list(permutations(scheme, draws, seed, draws)))


def _blocks(design: Design, label: Index) -> Index:
    """[N] what moves as one: clusters, where each lies on one side of the group, else units."""
    codes = np.zeros(design.n_units, dtype=np.intp)
    codes[design.unit] = design.clusters[0].codes
    first = np.zeros(design.clusters[0].size, dtype=np.intp)
    first[codes] = label
    whole = bool((first[codes] == label).all()) and bool((codes[design.unit] == design.clusters[0].codes).all())
    return codes if whole else np.arange(design.n_units, dtype=np.intp)


def _statistics(fitted: Fitted, scaling: Scaling, labels: Index) -> Floats:
    """[R] coefficients of D z G over their standard errors under independent errors, in chunks of labels; NaN where there is none."""
    design, w, outcome = fitted.design, fitted.design.weight, fitted.design.y
    if fitted.mean is not None:
        outcome = (design.y - fitted.mean) / fitted.mean
        w = fitted.mean if w is None else w * fitted.mean
    prepared = projection(design, w)
    z, d = scaling.rows(design), treatment(design)
    root = np.ones(design.n_obs) if w is None else np.sqrt(w)
    shared = [*by_period(design, {"moderator": z})[0], *design.covariates.T, d, d * z]
    basis = _orthonormal(project_off(prepared, np.asfortranarray(np.column_stack(shared))) * root[:, None])
    y = prepared.column(outcome) * root
    y = y - basis @ (basis.T @ y)
    later = [design.period == t for t in range(1, design.n_periods)]
    spare = design.n_obs - design.n_units - design.n_periods - basis.shape[1] - len(later) - 1
    out = []
    for start in range(0, len(labels), CHUNK):
        g = labels[start : start + CHUNK][:, design.unit].T.astype(np.float64)
        parts = np.stack([d[:, None] * g, (d * z)[:, None] * g, *(g * t[:, None] for t in later)], axis=2)
        flat = np.asfortranarray(parts.reshape(design.n_obs, -1))
        flat = project_off(prepared, flat, out=flat) * root[:, None]
        flat = (flat - basis @ (basis.T @ flat)).reshape(parts.shape)
        out.append(_solve(flat, y, spare))
    return np.concatenate(out)


def _orthonormal(columns: Floats) -> Floats:
    """[n, r] an orthonormal basis of the columns' span."""
    size = np.sqrt((columns**2).sum(axis=0))
    scaled = columns[:, size > 0] / size[size > 0]
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    return np.asarray(left[:, values > COLLINEAR * values.max()]) if scaled.shape[1] else np.zeros((len(columns), 0))


def _solve(parts: Floats, y: Floats, spare: int) -> Floats:
    """[R] t statistics of the second of K columns, ``parts`` [n, R, K] net of everything shared."""
    out = np.full(parts.shape[1], np.nan)
    for r in range(parts.shape[1]):
        x = parts[:, r]
        others = _orthonormal(np.delete(x, 1, axis=1))
        own = x[:, 1] - others @ (others.T @ x[:, 1])
        square = float(own @ own)
        if square <= COLLINEAR * float(x[:, 1] @ x[:, 1]) or square == 0:
            continue
        coefficient = float(own @ y) / square
        rest = y - others @ (others.T @ y) - coefficient * own
        out[r] = coefficient / np.sqrt(float(rest @ rest) / spare / square)
    return out
