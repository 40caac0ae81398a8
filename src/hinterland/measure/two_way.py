"""Row and column effects of many tables at once, projected out exactly.

Rows are eliminated, and what is left is a system in the columns of each table, which is solved on the space that it identifies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NULL = 1e-11
"""Eigenvalues of the normalised system (in [0, 1]) below this belong to effects that are not identified."""


@dataclass(frozen=True, slots=True)
class TwoWay:
    """The projection off the row and column effects of G tables, in the metric of ``weight`` [G, P, Q] (zero where there is no observation).

    ``rank`` [G] is the number of effects that each table identifies.
    """

    weight: Floats
    row: Floats
    inverse: Floats
    rank: NDArray[np.int64]

    @classmethod
    def of(cls, weight: Floats) -> TwoWay:
        """Prepare the projection: the pseudo-inverse of each layer's Schur complement, on the scale of its diagonal."""
        row, column = weight.sum(axis=2), weight.sum(axis=1)
        over = np.divide(weight, row[:, :, None], out=np.zeros_like(weight), where=row[:, :, None] > 0)
        scale = np.divide(1.0, np.sqrt(column), out=np.zeros_like(column), where=column > 0)
        system = -np.einsum("gpq,gpr->gqr", weight, over) * scale[:, :, None] * scale[:, None, :]
        system[:, np.arange(column.shape[1]), np.arange(column.shape[1])] += (column > 0).astype(np.float64)
        values, vectors = np.linalg.eigh(system)
        kept = values > NULL
        inverted = np.divide(1.0, values, out=np.zeros_like(values), where=kept)
        inverse = (vectors * inverted[:, None, :]) @ vectors.transpose(0, 2, 1) * scale[:, :, None] * scale[:, None, :]
        return cls(weight, row, inverse, (row > 0).sum(axis=1) + kept.sum(axis=1))

    def effects(self, x: Floats) -> tuple[Floats, Floats]:
        """[G, P] row and [G, Q] column effects of x [G, P, Q]; their levels are fixed only in sum."""
        left = self._over((self.weight * x).sum(axis=2))
        right = (self.weight * (x - left[:, :, None])).sum(axis=1)
        column = np.einsum("gqr,gr->gq", self.inverse, right)
        left = left - self._over((self.weight * column[:, None, :]).sum(axis=2))
        return left, column

    def off(self, x: Floats) -> Floats:
        """The array x [G, P, Q] less its projection; meaningless, but finite, where the weight is zero."""
        left, column = self.effects(x)
        return np.asarray(x - left[:, :, None] - column[:, None, :])

    def leverage(self) -> Floats:
        """[G, P, Q] diagonal of the projection: the share of each observation that the effects fit by themselves."""
        over = self._over(np.moveaxis(self.weight, 2, 0)).transpose(1, 2, 0)
        seen = over @ self.inverse
        own = np.einsum("gqq->gq", self.inverse)[:, None, :] - 2 * seen + (seen * over).sum(axis=2)[:, :, None]
        return np.asarray(self.weight * (self._over(np.ones_like(self.row))[:, :, None] + own))

    def _over(self, total: Floats) -> Floats:
        return np.divide(total, self.row, out=np.zeros_like(total), where=self.row > 0)
