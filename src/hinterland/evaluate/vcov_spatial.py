"""Sums of products of scores over pairs of neighbours (Conley 1999), without any [N × N] matrix.

Neighbours come from a KD-tree on the unit sphere, a block of units at a time; each block is a sparse matrix of kernel weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.globe import arc_km, chord, on_sphere
from hinterland.evaluate.coding import Floats

Kernel = Literal["uniform", "bartlett"]

PAIRS = 2_000_000
"""Pairs of neighbours in memory at a time."""
SLACK = 1e-9
"""Relative excess over the cut-off at which a pair still counts: distances are rounded."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Units within ``cutoff_km`` of each other, weighted by ``kernel``: 1 (``uniform``) or 1 − d/cut-off (``bartlett``).

    Attributes:
        points: [N, 3] units on the unit sphere;  counts: [N] units within the cut-off, itself included.
    """

    points: Floats
    cutoff_km: float
    kernel: Kernel
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, coordinates: Floats, cutoff_km: float, kernel: Kernel) -> Neighbourhood:
        """Count the neighbours of units at ``coordinates`` [N, 2], longitude and latitude in degrees."""
        from scipy.spatial import cKDTree

        points = on_sphere(coordinates)
        reach = chord(cutoff_km * (1 + SLACK))
        counts = cKDTree(points).query_ball_point(points, reach, return_length=True)
        return cls(points, cutoff_km, kernel, np.asarray(counts, dtype=np.int64))

    @property
    def mean_neighbours(self) -> float:
        """Mean number of other units within the cut-off."""
        return float(self.counts.mean() - 1)

    def products(self, left: Floats, right: Floats | None = None) -> Floats:
        """[a, b] Σ_ij K(d_ij) left_i right_j' for ``left`` [N, a] and ``right`` [N, b] (``left`` itself by default)."""
        other = left if right is None else right
        out = np.zeros((left.shape[1], other.shape[1]))
        for rows, weights in self._blocks():
            out += left[rows].T @ (weights @ other)
        return out

    def within_periods(self, scores: Floats) -> Floats:
        """[k, k] Σ_t Σ_ij K(d_ij) s_it s_jt' for ``scores`` [N, T, k]."""
        size, periods, k = scores.shape
        flat = scores.reshape(size, periods * k)
        out = np.zeros((k, k))
        for rows, weights in self._blocks():
            around = (weights @ flat).reshape(-1, k)
            out += scores[rows].reshape(-1, k).T @ around
        return out

    def _blocks(self) -> Iterator[tuple[slice, Any]]:
        """Consecutive units and their sparse weights [b, N]."""
        from scipy.sparse import csr_array
        from scipy.spatial import cKDTree

        tree = cKDTree(self.points)
        reach = chord(self.cutoff_km * (1 + SLACK))
        total = np.cumsum(self.counts)
        start = 0
        while start < len(total):
            before = total[start - 1] if start else 0
            stop = max(int(np.searchsorted(total, before + PAIRS, side="right")), start + 1)
            found = cKDTree(self.points[start:stop]).sparse_distance_matrix(tree, reach, output_type="ndarray")
            weights = np.ones(len(found))
            if self.kernel == "bartlett":
                weights = np.maximum(1 - arc_km(found["v"]) / self.cutoff_km, 0.0)
            yield slice(start, stop), csr_array((weights, (found["i"], found["j"])), shape=(stop - start, len(total)))
            start = stop
