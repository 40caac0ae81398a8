"""Long differences of switchers less those of units that start from the same treatment and have not changed yet.

de Chaisemartin & D'Haultfœuille (2024): with F the period of a unit's first change and S its direction,

    DID_ℓ = 1/N_ℓ Σ_g S_g [Y_{g,F-1+ℓ} - Y_{g,F-1} - mean of the same difference over units not changed by F-1+ℓ]

and, as placebo, the same with Y_{g,F-1-ℓ} in place of Y_{g,F-1+ℓ}. The influence of a unit is its own difference, less the mean of its
cohort, times √(n/(n - 1)) for the n units behind that mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hinterland.evaluate.dcdh_paths import Block, Floats, Ints, Mask, Paths, Switch


@dataclass(frozen=True, slots=True)
class Window:
    """Which differences are taken: ``horizon`` ℓ ≥ 1, of the effect or of the placebo, and from whom.

    Attributes:
        keep: [N] switchers that count; ``None``: all.
        direction: +1 or -1 for switchers of one direction only, 0 for both.
        never_only: compare with units that never change only.
        by_path: average switchers over those with the same treatments up to the horizon (see :func:`_cells`).
    """

    horizon: int
    placebo: bool = False
    keep: Mask | None = None
    direction: int = 0
    never_only: bool = False
    by_path: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """Sums over switchers at one horizon.

    Attributes:
        total: Σ w S (own difference - controls');  by_status: the same by treatment of the first period.
        weight: Σ w = N_ℓ;  change: Σ w S (D - D_1) at the horizon;  cumulated: the same, summed from the first change to the horizon.
        influence: [N] influence function of ``total``.
        switchers: [N] who counts;  cells: [T, N] rows that the differences end in.
    """

    total: float
    by_status: dict[int, float]
    weight: float
    change: float
    cumulated: float
    influence: Floats
    switchers: Mask
    cells: Mask


@dataclass(frozen=True, slots=True)
class _Piece:
    """Differences of the units at positions ``low`` to ``high``: ``difference`` [m] (0 where not observed), ``weight`` [m]."""

    low: int
    high: int
    difference: Floats
    weight: Floats
    seen: Mask
    size: float
    total: float

    @property
    def where(self) -> slice:
        return slice(self.low, self.high)


def contrast(paths: Paths, y: Floats, window: Window) -> Contrast:
    """The sums of ``window`` for the outcome ``y`` [T, N]."""
    n = y.shape[1]
    influence, switchers, cells = np.zeros(n), np.zeros(n, dtype=np.bool_), np.zeros(y.shape, dtype=np.bool_)
    sums = np.zeros(4)
    by_status: dict[int, float] = {}
    for block, group in _comparisons(paths, window):
        end = group[0].first - 1 + window.horizon
        controls = _piece(paths, y, group[0].first, window, _controls(paths, block, end, window))
        if controls.size == 0:
            continue
        for switch in group:
            treated = _piece(paths, y, switch.first, window, (switch.low, switch.high), keep=window.keep)
            if treated.size == 0:
                continue
            part = switch.sign * (treated.total - treated.size * controls.total / controls.size)
            by_status[block.status] = by_status.get(block.status, 0.0) + part
            sums += (part, treated.size, *_doses(paths, switch, end, treated))
            _add_influence(paths, influence, switch, treated, controls, end=end if window.by_path else None)
            switchers[treated.where] |= treated.seen
            cells[end, treated.where] |= treated.seen
            cells[end, controls.where] |= controls.seen
    total, weight, change, cumulated = sums.tolist()
    return Contrast(total, by_status, weight, change, cumulated, influence, switchers, cells)


def _comparisons(paths: Paths, window: Window) -> Iterator[tuple[Block, list[Switch]]]:
    """Switchers of one block and one period (one or two directions) for which both periods of the difference exist."""
    for block in paths.blocks:
        groups: dict[int, list[Switch]] = {}
        for switch in block.switches:
            if window.direction in (0, switch.sign):
                groups.setdefault(switch.first, []).append(switch)
        for first, group in groups.items():
            late, early = first - 1 + window.horizon, first - 1 - (window.horizon if window.placebo else 0)
            if early >= 0 and late < paths.n_periods:
                yield block, group


def _controls(paths: Paths, block: Block, end: int, window: Window) -> tuple[int, int]:
    return int(block.after[paths.n_periods - 1 if window.never_only else end]), block.high


def _piece(paths: Paths, y: Floats, first: int, window: Window, span: tuple[int, int], *, keep: Mask | None = None) -> _Piece:
    """Differences between the window's period and the one before ``first``, of the units in ``span``."""
    where = slice(*span)
    base, end = first - 1, first - 1 + window.horizon
    other = base - window.horizon if window.placebo else end
    difference = y[other, where] - y[base, where]
    weight = np.ones(len(difference)) if paths.weight is None else paths.weight[end, where].copy()
    seen = np.ones(len(difference), dtype=np.bool_)
    if not paths.complete:
        seen = np.isfinite(difference)
        if window.placebo:
            seen &= np.isfinite(y[end, where])
    if keep is not None:
        seen &= keep[where]
    if not seen.all():
        difference, weight = np.where(seen, difference, 0.0), np.where(seen, weight, 0.0)
    return _Piece(*span, difference, weight, seen, float(weight.sum()), float(weight @ difference))


def _doses(paths: Paths, switch: Switch, end: int, treated: _Piece) -> tuple[float, float]:
    """Σ w S (D - D_1) in period ``end``, and summed over the periods from the first change to it."""
    above = paths.level[switch.first : end + 1, treated.where] - paths.start[treated.where]
    return float(switch.sign * (above[-1] @ treated.weight)), float(switch.sign * (above @ treated.weight).sum())


def _add_influence(paths: Paths, out: Floats, switch: Switch, treated: _Piece, controls: _Piece, *, end: int | None) -> None:
    """Add the influence of one group of switchers and its controls, demeaned by cohort, to ``out`` [N].

    A cohort of one (or controls of one) borrows the mean of switchers and controls together.
    """
    clusters = paths.cluster
    members = (_count(clusters, treated) + _count(clusters, controls)) if clusters is None else _count(clusters, treated, controls)
    together = (treated.total + controls.total) / (treated.size + controls.size)
    union = (together, np.sqrt(members / (members - 1))) if members > 1 else (0.0, 1.0)
    mean, inflate = _cells(paths, switch, treated, end, union)
    out[treated.where] += switch.sign * treated.weight * inflate * (treated.difference - mean)
    count = _count(clusters, controls)
    centre, factor = (controls.total / controls.size, np.sqrt(count / (count - 1))) if count > 1 else union
    share = switch.sign * treated.size / controls.size * factor
    out[controls.where] -= share * controls.weight * (controls.difference - centre)


def _count(clusters: Ints | None, *pieces: _Piece) -> int:
    """Units, or clusters, in the pieces."""
    if clusters is None:
        return sum(int(np.count_nonzero(p.seen)) for p in pieces)
    return len(np.unique(np.concatenate([clusters[p.where][p.seen] for p in pieces])))


def _cells(paths: Paths, switch: Switch, treated: _Piece, end: int | None, union: tuple[float, float]) -> tuple[Floats, Floats]:
    """[m] mean of each switcher's cohort and the factor √(n/(n - 1)).

    A cohort has the same block, period and direction of change and the same treatment then. With ``end``, first those with the same
    treatment in every period up to it, then in the first, then all that change in that period: the finest with two members.
    """
    own = paths.cohort[treated.where] - paths.cohort[treated.low]
    candidates = [own]
    if end is not None:
        path = paths.level[switch.first : end + 1, treated.where]
        finest = np.unique(path, axis=1, return_inverse=True)[1].reshape(-1)
        candidates = [finest, own, np.zeros_like(own)]
    mean, inflate = np.full(len(own), union[0]), np.full(len(own), union[1])
    todo = np.ones(len(own), dtype=np.bool_)
    for codes in candidates:
        size = int(codes.max()) + 1
        members = _members(paths.cluster, treated, codes, size)
        enough = (members > 1)[codes] & todo
        if not enough.any():
            continue
        sums = np.bincount(codes, treated.weight * treated.difference, size)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / np.bincount(codes, treated.weight, size)
            factors = np.sqrt(members / (members - 1))
        mean[enough], inflate[enough] = means[codes[enough]], factors[codes[enough]]
        todo &= ~enough
    return mean, inflate


def _members(clusters: Ints | None, treated: _Piece, codes: Ints, size: int) -> Floats:
    """[size] units, or clusters, observed in each cell."""
    if clusters is None:
        return np.bincount(codes, treated.seen, size).astype(np.float64)
    own = clusters[treated.where][treated.seen]
    span = int(own.max(initial=0)) + 1
    pairs = np.unique(codes[treated.seen] * span + own)
    return np.bincount(pairs // span, minlength=size).astype(np.float64)
