"""What comparison rows are worth to treated ones, by how near their scores are: nearest neighbours, radius, kernel.

Every function takes arrays. A treated row's weight is shared among the comparison rows it is matched with, so that the weights of the
comparison rows sum to those of the treated rows that are matched: the weighted comparison mean is the estimate of what the matched treated
would have had (Leuven & Sianesi 2003; Smith & Todd 2005, eq. 9 to 11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_BLOCK = 4_000_000
"""Entries of a table of distances up to which treated rows are matched at once."""
_DIGITS = 12
"""Decimal places of a distance that count: identical covariates give scores that differ by rounding."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Scores [n1] and [n0] of treated and comparison rows, on the scale that nearness is measured on, and their weights."""

    treated: Floats
    comparison: Floats
    treated_weight: Floats
    comparison_weight: Floats


@dataclass(frozen=True, slots=True)
class Matches:
    """``comparison`` [n0] what each comparison row is worth; ``matched`` [n1] the treated rows that are matched with any."""

    comparison: Floats
    matched: Mask


def nearest(sides: Sides, k: int, caliper: float, *, all_ties: bool) -> Matches:
    """The ``k`` nearest comparison rows no farther than ``caliper``, each of which may be used again.

    With ``all_ties`` rows as near as the kth are taken too; else the first of them in order.
    """
    k = min(k, len(sides.comparison))
    worth, matched = np.zeros(len(sides.comparison)), np.zeros(len(sides.treated), dtype=np.bool_)
    for rows, exact in _distances(sides):
        distance = np.round(exact, _DIGITS)
        if all_ties:
            near = distance <= np.partition(distance, k - 1, axis=1)[:, k - 1 : k]
        else:
            near = np.zeros(distance.shape, dtype=np.bool_)
            np.put_along_axis(near, np.argsort(distance, axis=1, kind="stable")[:, :k], True, axis=1)
        near &= distance <= caliper
        count = near.sum(axis=1)
        matched[rows] = count > 0
        worth += (sides.treated_weight[rows] / np.maximum(count, 1)) @ near
    return Matches(worth, matched)


def nearest_once(sides: Sides, k: int, caliper: float, order: Ints) -> Matches:
    """The same with each comparison row used once: treated rows choose in ``order`` [n1], one row in each of ``k`` rounds."""
    free = np.ones(len(sides.comparison), dtype=np.bool_)
    partner = np.full((k, len(sides.treated)), -1)
    for turn in range(k):
        for i in order:
            distance = np.where(free, np.round(np.abs(sides.comparison - sides.treated[i]), _DIGITS), np.inf)
            j = int(np.argmin(distance))
            if distance[j] <= caliper and free[j]:
                partner[turn, i], free[j] = j, False
    count = (partner >= 0).sum(axis=0)
    worth = np.zeros(len(sides.comparison))
    turns, rows = np.nonzero(partner >= 0)
    worth[partner[turns, rows]] = sides.treated_weight[rows] / count[rows]
    return Matches(worth, count > 0)


KERNELS: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "epanechnikov": lambda u: np.maximum(1 - u**2, 0.0),
        "gaussian": lambda u: np.exp(-0.5 * u**2),
        "biweight": lambda u: np.maximum(1 - u**2, 0.0) ** 2,
        "tricube": lambda u: np.maximum(1 - u**3, 0.0) ** 3,
        "uniform": lambda u: (u <= 1).astype(np.float64),
    }
)
"""Weight of a comparison row at distance u ≥ 0, in bandwidths, up to a factor."""


def kernel(sides: Sides, shape: str, bandwidth: float) -> Matches:
    """Every comparison row, with the weight that the kernel gives to its distance; ``uniform`` is matching within a radius."""
    weigh = KERNELS[shape]
    worth, matched = np.zeros(len(sides.comparison)), np.zeros(len(sides.treated), dtype=np.bool_)
    for rows, distance in _distances(sides):
        mass = weigh(distance / bandwidth) * sides.comparison_weight
        total = mass.sum(axis=1)
        matched[rows] = total > 0
        worth += (sides.treated_weight[rows] / np.where(total > 0, total, 1.0)) @ mass
    return Matches(worth, matched)


def _distances(sides: Sides) -> Iterator[tuple[slice, Floats]]:
    """Distances of some treated rows to all comparison rows, block after block."""
    size = max(1, _BLOCK // max(len(sides.comparison), 1))
    for start in range(0, len(sides.treated), size):
        rows = slice(start, start + size)
        yield rows, np.abs(sides.treated[rows, None] - sides.comparison[None, :])
