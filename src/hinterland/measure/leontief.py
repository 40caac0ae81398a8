"""Input-output algebra: coefficients, and solutions of (I - A)x = f without the inverse.

Leontief (1936); Ghosh (1958); Miller & Blair (2009). Z [n, n] holds deliveries from row to column, f [n] or F [n, m] final demand, x [n] output.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = ["Factor", "allocation", "coefficients", "factorised", "fail_if_not_table", "output"]

Floats = NDArray[np.float64]


def output(deliveries: Floats, final: Floats) -> Floats:
    """Gross output Z1 + F1, [n]."""
    return np.asarray(deliveries.sum(axis=1) + final.reshape(len(final), -1).sum(axis=1), dtype=np.float64)


def coefficients(deliveries: Floats, x: Floats) -> Floats:
    """A = Z x̂⁻¹, [n, n]: input of the row per unit of the column's output; columns without output are zero.

    Raises:
        ValueError: a sector without output that uses inputs.
    """
    _fail_if_silent((deliveries != 0).sum(axis=0) > 0, x, "use inputs")
    return np.nan_to_num(ratio(deliveries, x[None, :]))


def allocation(deliveries: Floats, x: Floats) -> Floats:
    """B = x̂⁻¹Z, [n, n]: share of the row's output that goes to the column (Ghosh 1958); rows without output are zero.

    Raises:
        ValueError: a sector without output that delivers.
    """
    _fail_if_silent((deliveries != 0).sum(axis=1) > 0, x, "deliver")
    return np.nan_to_num(ratio(deliveries, x[:, None]))


def _fail_if_silent(active: NDArray[np.bool_], x: Floats, does: str) -> None:
    bad = np.flatnonzero(active & ~(x > 0))
    if len(bad):
        raise ValueError(f"sectors {bad[:5].tolist()} have no output, but {does} ({len(bad)} in all)")


def fail_if_not_table(deliveries: Floats, final: Floats) -> None:
    """Refuse a table that is not square, whose final demand has other rows, or that holds values that are not finite.

    Raises:
        ValueError: what is wrong.
    """
    if deliveries.ndim != 2 or deliveries.shape[0] != deliveries.shape[1]:
        raise ValueError(f"deliveries are a square table, not one of shape {deliveries.shape}")
    if len(final) != len(deliveries):
        raise ValueError(f"final demand has {len(final)} rows and deliveries have {len(deliveries)}")
    if not (np.isfinite(deliveries).all() and np.isfinite(final).all()):
        raise ValueError("deliveries and final demand hold values that are not finite: an input-output table has no gaps")


@dataclass(frozen=True, slots=True)
class Factor:
    """LU factors of I - A, made once and solved for as many right-hand sides as are needed."""

    lu: Floats
    pivots: NDArray[np.int32]

    def solve(self, right: Floats) -> Floats:
        """(I - A)⁻¹ right, [n] or [n, m]: output that final demand ``right`` needs."""
        return np.asarray(sl.lu_solve((self.lu, self.pivots), right, check_finite=False), dtype=np.float64)

    def solve_transposed(self, right: Floats) -> Floats:
        """(I - A')⁻¹ right: row sums of the inverse weighted by ``right``."""
        return np.asarray(sl.lu_solve((self.lu, self.pivots), right, trans=1, check_finite=False), dtype=np.float64)


def factorised(matrix: Floats) -> Factor:
    """Factorise I - A for a nonnegative coefficient matrix A [n, n].

    Raises:
        ValueError: I - A is singular, or no output vector yields a surplus of every product (Hawkins & Simon 1949).
    """
    lu, pivots, singular = sl.lapack.dgetrf(np.eye(len(matrix)) - matrix, overwrite_a=True)
    factor = Factor(lu, pivots)
    if singular or not _productive(factor, len(matrix)):
        raise ValueError("I - A is singular or not productive: some sectors use up as much as they make")
    return factor


def _productive(factor: Factor, n: int) -> bool:
    needed = factor.solve(np.ones(n))
    return bool(np.isfinite(needed).all() and (needed > 0).all())
