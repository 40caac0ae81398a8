"""Treatment paths: when each unit's treatment first changes, which way, and who has the same treatment to start from.

Units are put in an order in which everything that is compared lies side by side: by the treatment of the first period, by the
period of the first change, by its direction, and by the treatment it leads to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.callaway_santanna import unit_clusters
from hinterland.evaluate.design import Design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Switch:
    """Units of one block whose treatment first changes in period ``first`` and in direction ``sign``: positions ``low`` to ``high``."""

    first: int
    sign: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Block:
    """Units with the same treatment in the first period (and the same set, under non-parametric trends).

    Attributes:
        low, high: their positions.
        status: code of the treatment in the first period.
        after: [T + 1] position from which on units have not changed by period t;  ``after[T - 1]`` is where those begin that never do.
        switches: in order of position.
    """

    low: int
    high: int
    status: int
    after: Ints
    switches: tuple[Switch, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """The panel as matrices over N ordered units and T periods.

    Attributes:
        order: [N] unit of the design at each position.
        y: [T, N] outcome;  x: [k, T, N] covariates;  NaN where not observed.
        weight: [T, N] sampling weights (0 where not observed), or ``None``: all one.
        complete: every unit is observed in every period.
        level: [T, N] treatment; from the first change on carried forward where it is not observed.
        start: [N] treatment in the first period;  first: [N] index of the first period with another, T if there is none.
        sign: [N] +1 where treatment first rises, -1 where it falls, 0 where it does not change.
        cohort: [N] code of block, first change, direction and the treatment it leads to.
        cluster: [N] cluster, or ``None`` where each unit is its own.
        blocks: units that can be compared with one another; blocks in which all change together, or nobody does, are left out.
        lost: [N] units of the design in such blocks;  crossed: [N] units that are dropped from the period on in which their treatment
            has been both above and below where it started.
    """

    order: Ints
    y: Floats
    x: Floats
    weight: Floats | None
    complete: bool
    level: Floats
    start: Floats
    first: Ints
    sign: Ints
    cohort: Ints
    cluster: Ints | None
    blocks: tuple[Block, ...]
    lost: Mask
    crossed: Mask

    @property
    def n_periods(self) -> int:
        """Number of periods T."""
        return len(self.y)


def make_paths(design: Design, sets: Ints | None = None, *, keep_bidirectional: bool = False) -> Paths:
    """Order the units of ``design`` by treatment path.

    Args:
        design: what is estimated on what.
        sets: [N] code of the set of units within which trends are compared; ``None``: one set.
        keep_bidirectional: keep the periods from which on a unit's treatment has been both above and below its first one.

    Raises:
        EstimationError: clusters that cut through units; nobody to compare with in any block.
    """
    y = _grid(design, design.y)
    level, start, first = _first_change(design)
    crossed = np.zeros(design.n_units, dtype=np.bool_)
    if design.treatment_level is not None and not keep_bidirectional:
        above, below = (np.logical_or.accumulate(side, axis=0) for side in (level > start, level < start))
        out = above & below
        crossed = np.asarray((out & np.isfinite(y)).any(axis=0))
        if crossed.any():
            y = np.where(out, np.nan, y)
    after_change = np.arange(design.n_periods)[:, None] >= first
    mean = np.where(after_change, level, 0.0).sum(axis=0) / np.maximum(after_change.sum(axis=0), 1)
    led_to = np.where(first < design.n_periods, level[np.minimum(first, design.n_periods - 1), np.arange(len(first))], start)
    sign = np.where(first < design.n_periods, np.sign((mean if keep_bidirectional else led_to) - start), 0).astype(np.int64)
    status = np.unique(start, return_inverse=True)[1]
    block = status if sets is None else np.unique(status * (int(sets.max()) + 1) + sets, return_inverse=True)[1]
    order = np.lexsort((led_to, sign, first, block))
    complete = design.balanced and not crossed.any()
    ordered = _Ordered(block[order], status[order], first[order], sign[order], led_to[order])
    blocks, lost = _blocks(ordered, design.n_periods)
    _fail_if_no_block(design, blocks, ordered)
    weight = None if design.weight is None else np.nan_to_num(_grid(design, design.weight))[:, order]
    x = np.empty((design.covariates.shape[1], *y.shape))
    for j in range(len(x)):
        x[j] = _grid(design, design.covariates[:, j])[:, order]
    return Paths(
        order=order,
        y=np.take(y, order, axis=1),
        x=x,
        weight=weight,
        complete=complete,
        level=np.take(level, order, axis=1),
        start=start[order],
        first=ordered.first,
        sign=ordered.sign,
        cohort=ordered.cohorts(),
        cluster=None if design.clusters[0].size == design.n_units else np.asarray(unit_clusters(design)[order], dtype=np.int64),
        blocks=blocks,
        lost=lost,
        crossed=crossed[order],
    )


def _grid(design: Design, values: Floats) -> Floats:
    """[T, N] values, NaN where a unit is not observed."""
    if design.balanced:
        return np.ascontiguousarray(values.reshape(design.n_units, design.n_periods).T)
    out = np.full((design.n_periods, design.n_units), np.nan)
    out[design.period, design.unit] = values
    return out


def _first_change(design: Design) -> tuple[Floats, Floats, Ints]:
    """Treatment [T, N], that of the first period [N], and the index of the first period with another [N].

    The policy's date holds where it lies between the last period in which a unit is seen with its first treatment and the first with
    another: the row of the change itself may be missing. Afterwards treatment that is not observed is what it became with the change.
    """
    periods, n = design.n_periods, design.n_units
    dated = np.searchsorted(design.periods, design.cohort)
    row = np.arange(periods)[:, None]
    if design.treatment_level is None:
        dose = design.dose if design.policy.partial == "dose" else np.ones(n)
        level = (row >= dated) * dose
        start = level[0].copy()
        return level, start, np.where((dated == 0) | (start == dose), periods, dated)
    level = _grid(design, design.treatment_level) if design.treatment_path is None else design.treatment_path.T
    seen = np.isfinite(level)
    opening = seen.argmax(axis=0)
    start = level[opening, np.arange(n)]
    differs = seen & (level != start)
    first = np.where(differs.any(axis=0), differs.argmax(axis=0), periods)
    before = np.where(seen & (row < first), row, -1).max(axis=0)
    first = np.where((first < periods) & (dated > before) & (dated <= first), dated, first)
    shown = np.where(differs.any(axis=0), level[differs.argmax(axis=0), np.arange(n)], start)
    return np.where(seen, level, np.where(row < first, start, shown)), start, first


@dataclass(frozen=True, slots=True)
class _Ordered:
    """Codes of the units in their order, [N] each."""

    block: Ints
    status: Ints
    first: Ints
    sign: Ints
    led_to: Floats

    def cohorts(self) -> Ints:
        """[N] code of block, first change, direction and the treatment it leads to."""
        new = np.zeros(len(self.block), dtype=np.bool_)
        for key in (self.block, self.first, self.sign, self.led_to):
            new[1:] |= key[1:] != key[:-1]
        return np.cumsum(new)


def _blocks(units: _Ordered, n_periods: int) -> tuple[tuple[Block, ...], Mask]:
    """The blocks in which somebody changes while others have not yet, and the units [N] of the others."""
    edges = np.flatnonzero(np.diff(units.block, prepend=-1, append=-1))
    lost = np.zeros(len(units.block), dtype=np.bool_)
    out = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        first = units.first[low:high]
        if first[0] == first[-1]:
            lost[low:high] = True
            continue
        after = low + np.searchsorted(first, np.arange(n_periods + 1), side="right")
        out.append(Block(low, high, int(units.status[low]), after, _switches(units, low, high, n_periods)))
    return tuple(out), lost


def _switches(units: _Ordered, low: int, high: int, n_periods: int) -> tuple[Switch, ...]:
    first, sign = units.first[low:high], units.sign[low:high]
    change = np.flatnonzero((np.diff(first, prepend=-1) != 0) | (np.diff(sign, prepend=9) != 0)) + low
    ends = np.append(change[1:], high)
    return tuple(
        Switch(int(units.first[a]), int(units.sign[a]), a, b)
        for a, b in zip(change.tolist(), ends.tolist(), strict=True)
        if units.first[a] < n_periods and units.sign[a] != 0
    )


def _fail_if_no_block(design: Design, blocks: tuple[Block, ...], units: _Ordered) -> None:
    if any(block.switches for block in blocks):
        return
    changing = int((units.first < design.n_periods).sum())
    what = "no unit whose treatment changes can be compared: nobody else starts from the same treatment and changes later or never"
    starts = len(np.unique(units.status))
    raise EstimationError(
        Finding(
            "no-comparison",
            what,
            f"{changing} of {design.n_units} units change; {starts} different treatment(s) in the first period",
            "group a continuous treatment into few levels, use fewer sets in trends_nonparam, or start the panel earlier",
        ),
        "design",
    )
