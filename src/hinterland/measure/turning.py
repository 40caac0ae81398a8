"""Turning points of a yearly series: peaks and troughs that alternate (Bry & Boschan 1971; yearly form of Harding & Pagan 2002)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["turning_points"]

Floats = NDArray[np.float64]


def turning_points(series: Floats) -> list[int]:
    """Positions of the first and last period and of every peak and trough between, [T] to a list in order.

    A peak is higher than both neighbours, a trough lower; level stretches turn at their first period. With one value a year the filters of the monthly
    procedure have nothing to do.
    """
    moves = np.sign(np.diff(series))
    points, direction = [0], 0.0
    for t, move in enumerate(moves):
        if move != 0 and direction not in (0.0, move):
            points.append(_last_change(moves, t))
        direction = move or direction
    return [*points, len(series) - 1]


def _last_change(moves: Floats, t: int) -> int:
    """Where the stretch that ends before move ``t`` reached its level."""
    while moves[t - 1] == 0:
        t -= 1
    return t
