"""Entropy balancing: the weights of comparison rows that meet moments of the treated exactly and stray least from their base weights.

    minimise Σ wⱼ log(wⱼ/qⱼ)  over  w ≥ 0, Σ wⱼ = 1, Σ wⱼ c(xⱼ) = m

(Hainmueller 2012, Political Analysis 20(1), eq. 4 to 6). The weights are wⱼ ∝ qⱼ exp(λ'(c(xⱼ) - m)), where λ minimises the convex dual
log Σ qⱼ exp(λ'(c(xⱼ) - m)): Newton's method with a line search. Moments that no weights can meet are told by a linear programme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.regression import independent_columns

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE = 1e-10
"""Largest gap between a moment and its target that counts as met, in standard deviations among the treated."""
MOMENTS = ("mean", "variance", "skewness")
"""The moments of one covariate, in the order in which they are asked for."""

_STEPS = 200
_HALVINGS = 60
_ARMIJO = 1e-4
_REACH = 1e-7
"""Gap of the linear programme, in standard deviations, from which a moment cannot be met."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """Moments to be met: ``gap`` [n0, m] function of each comparison row less its mean among the treated, in standard deviations; the
    ``column`` [m] and ``moment`` [m] (0: mean, 1: variance, 2: skewness) that each is of.
    """

    gap: Floats
    column: NDArray[np.int64]
    moment: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Balanced:
    """``weight`` [n0], summing to one; ``converged``: every constraint is met; ``largest`` gap left, in standard deviations."""

    weight: Floats
    converged: bool
    largest: float


@dataclass(frozen=True, slots=True)
class Unmet:
    """A moment that cannot be met together with the others: ``short`` is how far the nearest weights stay from it, in standard deviations
    of the treated, with its sign (negative: the comparison rows stay below).
    """

    column: int
    moment: int
    short: float


def constraints(treated: Floats, comparison: Floats, weight: Floats, moments: int) -> Constraints:
    """The first ``moments`` moments of each covariate.

    Args:
        treated: [n1, k];  comparison: [n0, k];  weight: [n1] of the treated.
        moments: 1, 2 or 3.

    Powers are of differences from the treated mean, in units of the treated standard deviation (of the comparison rows' where the treated
    do not vary), so that meeting them is the same as meeting variance and skewness.
    """
    share = weight / weight.sum()
    centre = share @ treated
    spread = np.sqrt(share @ (treated - centre) ** 2)
    spread = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(centre)), spread, comparison.std(axis=0))
    spread = np.where(spread > 0, spread, 1.0)
    z1, z0 = (treated - centre) / spread, (comparison - centre) / spread
    parts = [z0**p - share @ z1**p for p in range(1, moments + 1)]
    k = treated.shape[1]
    return Constraints(np.concatenate(parts, axis=1), np.tile(np.arange(k), moments), np.repeat(np.arange(moments), k))


def balance(wanted: Constraints, base: Floats, tolerance: float = TOLERANCE) -> Balanced:
    """The weights of the comparison rows; not ``converged`` where the moments cannot be met, or only with weights of zero.

    Args:
        wanted: m moments of n0 comparison rows.
        base: [n0] base weights qⱼ.
        tolerance: gap that counts as met.
    """
    gap = wanted.gap
    kept = gap[:, _independent(gap)]
    share = base / base.sum()
    dual = np.zeros(kept.shape[1])
    weight, value = share, 0.0
    for _ in range(_STEPS):
        gradient = weight @ kept
        if not np.abs(gradient).max(initial=0.0) > tolerance * 1e-2:
            break
        hessian = (kept * weight[:, None]).T @ kept - np.outer(gradient, gradient)
        step = _newton_step(hessian, gradient)
        found = _search(kept, share, (dual, value), step, float(gradient @ step))
        if found is None:
            break
        dual, weight, value = found
    largest = float(np.abs(weight @ gap).max(initial=0.0))
    return Balanced(weight, largest <= tolerance, largest)


def _independent(gap: Floats) -> Mask:
    """[m] constraints that are not combinations of those before them and of the weights' adding up to one."""
    centred = gap - gap.mean(axis=0)
    return independent_columns(centred.T @ centred, (gap * gap).sum(axis=0), (centred * centred).sum(axis=0))


def _newton_step(hessian: Floats, gradient: Floats) -> Floats:
    """-H⁻¹g, with a ridge as small as makes the step one of descent."""
    ridge, scale = 0.0, float(np.trace(hessian)) / max(len(gradient), 1)
    for _ in range(12):
        try:
            step = -np.linalg.solve(hessian + ridge * np.eye(len(gradient)), gradient)
        except np.linalg.LinAlgError:
            step = np.full_like(gradient, np.nan)
        if np.isfinite(step).all() and gradient @ step < 0:
            return np.asarray(step)
        ridge = max(10 * ridge, 1e-12 * scale, 1e-300)
    return -gradient


def _search(gap: Floats, share: Floats, start: tuple[Floats, float], step: Floats, slope: float) -> tuple[Floats, Floats, float] | None:
    """From ``start``, a point and the dual there, the first of the steps 1, ½, ¼, … that lowers the dual enough: the new point, weights and
    dual; ``None`` where none does (rounding).
    """
    (dual, value), size = start, 1.0
    for _ in range(_HALVINGS):
        at = dual + size * step
        index = gap @ at
        top = index.max()
        raw = share * np.exp(index - top)
        total = raw.sum()
        new = float(np.log(total) + top)
        if new <= value + _ARMIJO * size * slope or (abs(slope) < 1e-14 and new <= value + 1e-15):
            return at, raw / total, new
        size /= 2
    return None


def unmet(wanted: Constraints) -> tuple[Unmet, ...]:
    """The moments that no weights of the comparison rows meet, and by how much: the weights that come nearest in the sum of gaps.

    Empty where all can be met at once; then it takes weights of zero if :func:`balance` did not find any.
    """
    from scipy.optimize import linprog

    n, m = wanted.gap.shape
    cost = np.concatenate([np.zeros(n), np.ones(2 * m)])
    sums = np.concatenate([np.ones(n), np.zeros(2 * m)])
    left = np.concatenate([np.concatenate([wanted.gap.T, np.eye(m), -np.eye(m)], axis=1), sums[None, :]])
    found = linprog(cost, A_eq=left, b_eq=np.append(np.zeros(m), 1.0), method="highs")
    short = found.x[:n] @ wanted.gap
    return tuple(Unmet(int(wanted.column[j]), int(wanted.moment[j]), float(short[j])) for j in np.flatnonzero(np.abs(short) > _REACH))
