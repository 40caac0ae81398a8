"""Markov chains of classes: where regions stand, and where they move.

Quah, D. (1993), Empirical cross-section dynamics in economic growth, *European Economic Review* 37, 426-434. Mobility indices: Formby, Smith & Zheng (2004), *Journal of
Econometrics* 120, 181-205.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.inequality import Bools, Floats

Codes = NDArray[np.int8]
MISSING_CLASS = -1
"""Class of a cell that was not observed."""


@dataclass(frozen=True, slots=True)
class Mobility:
    """How far a chain of k classes is from standing still.

    Attributes:
        shorrocks: ``(k - tr P)/(k - 1)``: 0 nobody moves; 1 all rows alike (Prais 1955; Shorrocks 1978).
        determinant: ``1 - |det P|``.
        eigenvalue: ``1 - |second largest eigenvalue|``: how fast the start is forgotten (Sommers & Conlisk 1979).
        bartholomew: mean number of class borders crossed, ``sum_ij pi_i P_ij |i-j| / (k-1)`` (Bartholomew 1973).
    """

    shorrocks: float
    determinant: float
    eigenvalue: float
    bartholomew: float


@dataclass(frozen=True, slots=True)
class Cut:
    """How values become classes.

    Attributes:
        classes: k.
        pooled: quantiles of all years together; otherwise of each year.
        fixed: [k - 1] cutoffs that are given, instead of quantiles.
        shared: neighbours' means have the cutoffs of own values; otherwise quantiles of their own.
    """

    classes: int
    pooled: bool = True
    fixed: tuple[float, ...] | None = None
    shared: bool = False

    def cutoffs(self, y: Floats) -> Floats:
        """[k - 1] cutoffs for values ``y`` [T, R], or [T, k - 1] where each year has its own."""
        if self.fixed is not None:
            return np.array(self.fixed)
        return quantile_cutoffs(y.ravel(order="K") if self.pooled else y, self.classes)


def quantile_cutoffs(y: Floats, classes: int) -> Floats:
    """[..., classes - 1] inner quantiles over the last axis, by linear interpolation, of what is observed; NaN where nothing is.

    One sort, missing values last: NumPy sorts faster than it partitions for several quantiles.
    """
    ordered = np.sort(y, axis=-1)
    last = (~np.isnan(ordered)).sum(axis=-1, keepdims=True) - 1
    at = last * (np.arange(1, classes) / classes)
    low = np.maximum(np.floor(at), 0).astype(np.int64)
    a, b = np.take_along_axis(ordered, low, -1), np.take_along_axis(ordered, np.clip(low + 1, 0, np.maximum(last, 0)), -1)
    return np.asarray(a + (b - a) * (at - low))


def classify(y: Floats, cutoffs: Floats) -> Codes:
    """Class of each value: the number of cutoffs below it (a value on a cutoff is in the class under it); -1 where NaN.

    Args:
        y: [..., R] values.
        cutoffs: [k - 1] for all, or [..., k - 1] for each leading index.
    """
    cutoffs = np.broadcast_to(cutoffs, (*y.shape[:-1], cutoffs.shape[-1]))
    codes = np.zeros(y.shape, dtype=np.int8)
    for c in range(cutoffs.shape[-1]):
        codes += y > cutoffs[..., c, None]
    codes[np.isnan(y)] = MISSING_CLASS
    return codes


def transition_codes(own: Codes, classes: int, step: int = 1) -> NDArray[np.int16]:
    """[T - step, R] number of each transition, ``from * k + to``; k squared where either class is missing.

    Args:
        own: [T, R] classes.
        classes: k;  step: periods of a transition.
    """
    start, end = own[:-step].astype(np.int16), own[step:].astype(np.int16)
    return np.where((start >= 0) & (end >= 0), start * classes + end, classes**2).astype(np.int16)


def transition_counts(codes: NDArray[np.int16], classes: int, given: Codes | None = None, strata: int = 1) -> Floats:
    """[strata, k, k] how often class i was followed by class j, in each stratum; transitions that are missing do not count.

    Args:
        codes: of :func:`transition_codes`, of any shape.
        classes: k.
        given: stratum of each transition, such as the class of the neighbours in the first period, -1 where missing; one stratum by default.
        strata: how many.
    """
    kinds = classes**2 + 1
    stratum = np.zeros(codes.shape, dtype=np.int32) if given is None else given.astype(np.int32)
    # Missing strata come first and missing transitions last, to be cut off.
    found = np.bincount(((stratum + 1) * kinds + codes).ravel(order="K"), minlength=(strata + 1) * kinds)
    return found.reshape(strata + 1, kinds)[1:, :-1].reshape(strata, classes, classes).astype(np.float64)


def probabilities(counts: Floats) -> Floats:
    """[..., k, k] rows of ``counts`` over their totals; NaN in a row that nobody left."""
    total = counts.sum(-1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0))


def steady_state(p: Floats) -> Floats:
    """[k] the long-run distribution of a transition matrix, or NaN where there is none, or several: more than one class of states that is never left.

    A row without transitions (NaN) stays out when no other class leads to it; otherwise what follows it is not known, and the answer is NaN.
    """
    held = ~np.isnan(p).any(axis=1)
    nothing = np.full(len(p), np.nan)
    if not held.any() or (p[np.ix_(held, ~held)] > 0).any():
        return nothing
    inner = p[np.ix_(held, held)]
    recurrent = recurrent_states(inner)
    if recurrent is None:
        return nothing
    k = len(inner)
    system = np.vstack([inner.T - np.eye(k), np.ones(k)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(k), 1.0), rcond=None)[0]
    out = np.zeros(len(p))
    out[held] = np.where(recurrent, np.maximum(solution, 0.0), 0.0)
    return np.asarray(out / out.sum())


def recurrent_states(p: Floats) -> Bools | None:
    """[k] states of the one class that is never left; ``None`` when there are several."""
    reach = (np.eye(len(p)) + p) > 0
    for _ in range(int(np.ceil(np.log2(max(len(p), 2))))):
        reach = (reach.astype(float) @ reach.astype(float)) > 0
    closed = np.all(~reach | reach.T, axis=1)
    first = reach[int(np.argmax(closed))]
    return np.asarray(first) if bool(np.all(~closed | first)) else None


def sparse_rows(counts: Floats, least: int = 5) -> Bools:
    """[..., k] rows with fewer than ``least`` transitions: their probabilities rest on next to nothing."""
    return np.asarray(counts.sum(-1) < least)


def mobility(p: Floats, initial: Floats) -> Mobility:
    """Mobility of a transition matrix; NaN when a row is empty or there is one class only.

    Args:
        p: [k, k] probabilities.
        initial: [k] distribution over classes at the start (used by Bartholomew's index), adding up to one.
    """
    k = len(p)
    if k < 2 or np.isnan(p).any():
        return Mobility(*[float("nan")] * 4)
    modulus = np.sort(np.abs(np.linalg.eigvals(p)))
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    return Mobility(
        shorrocks=float((k - np.trace(p)) / (k - 1)),
        determinant=float(1 - abs(np.linalg.det(p))),
        eigenvalue=float(1 - modulus[-2]),
        bartholomew=float(initial @ (p * distance).sum(axis=1) / (k - 1)),
    )
