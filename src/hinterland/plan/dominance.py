"""Which points of a set are dominated, which are the same, and how much of the box between ideal and nadir they dominate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.plan.program import Floats

SAME = 1e-6
"""Points nearer than this part of each range are one."""


def dominated(values: Floats, tolerance: float = SAME) -> NDArray[np.bool_]:
    """[n] whether another point is as good in everything and better in something.

    Args:
        values: [n, p], less is better, each objective over its range.
        tolerance: differences up to this are none.
    """
    no_worse = (values[:, None] <= values[None] + tolerance).all(axis=2)
    better = (values[:, None] < values[None] - tolerance).any(axis=2)
    return np.asarray((no_worse & better).any(axis=0))


def first_of_same(values: Floats, tolerance: float = SAME) -> NDArray[np.int64]:
    """[n] for each point the first one that it is the same as; itself where there is none."""
    near = (np.abs(values[:, None] - values[None]) <= tolerance).all(axis=2)
    return np.asarray(near.argmax(axis=1).astype(np.int64))


def hypervolume(values: Floats) -> float:
    """Part of the unit box that is dominated by points in it (Zitzler and Thiele 1999), for two or three objectives.

    Args:
        values: [n, p], less is better, 0 the ideal and 1 the nadir of each; what lies beyond the nadir counts from it.
    """
    inside = np.minimum(values, 1.0)
    if inside.shape[1] == 1:
        return float(1.0 - inside.min(initial=1.0))
    order = np.argsort(inside[:, -1], kind="stable")
    inside = inside[order]
    ends = np.append(inside[1:, -1], 1.0)
    return float(sum((end - row[-1]) * hypervolume(inside[: n + 1, :-1]) for n, (row, end) in enumerate(zip(inside, ends, strict=True))))
