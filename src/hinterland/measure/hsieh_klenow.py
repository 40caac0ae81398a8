"""Misallocation between firms within industries, after Hsieh & Klenow (2009, Quarterly Journal of Economics 124(4)).

Firm rows ``[N]``; a cell is an industry in a year, an integer code. Everything is computed for all cells at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hinterland.measure.division import ratio

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Firms:
    """Revenue and physical productivity of firms, each up to a constant of its industry.

    Attributes:
        log_tfpr: ``[N]``, ln TFPR = ln(PY) − α ln K − (1−α) ln(wL).
        log_a: ``[N]``, ln A = σ/(σ−1) ln(PY) − α ln K − (1−α) ln(wL).
        relative_tfpr: ``[N]``, ln(TFPR / TFPR̄) of the firm's cell.
        relative_a: ``[N]``, ln(A M^{1/(σ−1)} / Ā): as large as in a cell of one firm, so that cells compare.
    """

    log_tfpr: Array
    log_a: Array
    relative_tfpr: Array
    relative_a: Array


@dataclass(frozen=True, slots=True)
class Cells:
    """Allocation by cell, each ``[C]``.

    Attributes:
        efficiency: ``Y/Y_eff``, in (0, 1]; NaN for cells with fewer than ``min_firms`` firms.
        gain: ``Y_eff/Y − 1``.
        tfpr_sd: standard deviation (population) of ln TFPR.
        n_used: firms after trimming.
        n_given: firms with positive value added, capital and wage bill.
        value_added: sum over the firms used.
    """

    efficiency: Array
    gain: Array
    tfpr_sd: Array
    n_used: Counts
    n_given: Counts
    value_added: Array


def productivity(
    value_added: ArrayLike, capital: ArrayLike, wages: ArrayLike, cell: Codes, alpha: ArrayLike, *, sigma: float = 3.0
) -> Firms:
    """TFPR and A of every firm, and both relative to the firm's cell (Hsieh & Klenow 2009, eq. 15 and 19).

    ``TFPR̄ = σ/(σ−1) (MRPK̄/α)^α (MRPL̄/(1−α))^{1−α}`` with ``1/MRPK̄ = Σ share_f/MRPK_f`` is ``ΣPY / ((ΣK)^α (ΣwL)^{1−α})``.

    Args:
        value_added, capital, wages: ``[N]``, all positive; any units.
        cell: ``[N]`` codes from 0.
        alpha: capital share, broadcast to ``[N]``; one value per cell.
        sigma: elasticity of substitution between varieties.
    """
    y, k, w = (np.asarray(v, dtype=np.float64) for v in (value_added, capital, wages))
    a = np.broadcast_to(np.asarray(alpha, dtype=np.float64), y.shape)
    log_y, inputs = np.log(y), a * np.log(k) + (1 - a) * np.log(w)
    tfpr, log_a = log_y - inputs, sigma / (sigma - 1) * log_y - inputs
    total_y, total_k, total_w = (np.log(np.bincount(cell, v)[cell]) for v in (y, k, w))
    mean_tfpr = total_y - a * total_k - (1 - a) * total_w
    firms = np.log(np.bincount(cell)[cell])
    power_mean = _log_sum_exp((sigma - 1) * log_a, cell)[cell] - firms
    return Firms(tfpr, log_a, tfpr - mean_tfpr, log_a - power_mean / (sigma - 1))


def _log_sum_exp(values: Array, cell: Codes) -> Array:
    """``ln Σ exp`` by cell without overflow; −inf for an empty cell."""
    cells = int(cell.max(initial=-1)) + 1
    top = np.full(cells, -np.inf)
    np.maximum.at(top, cell, values)
    total = np.bincount(cell, np.exp(values - top[cell]), minlength=cells)
    return np.log(total, out=np.full(cells, -np.inf), where=total > 0) + np.where(np.isfinite(top), top, 0.0)


def inside_tails(values: ArrayLike, pool: Codes, share: float) -> NDArray[np.bool_]:
    """Whether a value is outside the lowest and the highest ``⌊share · n⌋`` values of its pool; ties with the last value kept are kept.

    Args:
        values: ``[N]``.
        pool: ``[N]`` codes from 0.
        share: of each tail.
    """
    v = np.asarray(values, dtype=np.float64)
    order = np.lexsort((v, pool))
    size = np.bincount(pool)
    first = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.intp)
    cut = np.floor(share * size + 1e-9).astype(np.intp)
    keeps = size > 2 * cut
    low = v[order[np.where(keeps, first + cut, 0)]]
    high = v[order[np.where(keeps, first + size - 1 - cut, 0)]]
    inside: NDArray[np.bool_] = keeps[pool] & (v >= low[pool]) & (v <= high[pool])
    return inside


def allocation(
    value_added: ArrayLike,
    capital: ArrayLike,
    wages: ArrayLike,
    cell: Codes,
    alpha: ArrayLike,
    *,
    sigma: float = 3.0,
    trim: float = 0.01,
    pool: Codes | None = None,
    min_firms: int = 2,
) -> Cells:
    """Output over efficient output by cell, after trimming the tails of relative TFPR and relative A jointly.

    ``Y/Y_eff = [Σ_f (A_f/Ā · TFPR̄/TFPR_f)^{σ−1}]^{1/(σ−1)}`` with ``Ā = (Σ A^{σ−1})^{1/(σ−1)}`` (Hsieh & Klenow 2009, eq. 20). Means are computed anew
    from the firms that remain.

    Args:
        value_added, capital, wages, cell, alpha, sigma: see :func:`productivity`; rows that are not positive in all three are left out.
        trim: share of each tail; a firm in a tail of either measure is left out.
        pool: ``[N]`` codes within which tails are taken: years, as in the paper, or cells; cells by default.
        min_firms: cells with fewer remaining firms are NaN.
    """
    y, k, w = (np.asarray(v, dtype=np.float64) for v in (value_added, capital, wages))
    a = np.broadcast_to(np.asarray(alpha, dtype=np.float64), y.shape)
    count = int(cell.max(initial=-1)) + 1
    kept = np.flatnonzero(np.all([np.isfinite(v) & (v > 0) for v in (y, k, w)], axis=0) & (a > 0) & (a < 1))
    given = np.bincount(cell[kept], minlength=count)
    if trim > 0 and len(kept):
        first = productivity(y[kept], k[kept], w[kept], cell[kept], a[kept], sigma=sigma)
        tails = cell[kept] if pool is None else pool[kept]
        kept = kept[inside_tails(first.relative_tfpr, tails, trim) & inside_tails(first.relative_a, tails, trim)]
    return _cells((y[kept], k[kept], w[kept]), cell[kept], a[kept], sigma=sigma, given=given, min_firms=min_firms)


def _cells(rows: tuple[Array, Array, Array], cell: Codes, alpha: Array, *, sigma: float, given: Counts, min_firms: int) -> Cells:
    count = len(given)
    used = np.bincount(cell, minlength=count)
    total = np.bincount(cell, rows[0], minlength=count).astype(np.float64)
    if not len(cell):
        empty = np.full(count, np.nan)
        return Cells(empty, empty, empty, used, given, total)
    firms = productivity(*rows, cell, alpha, sigma=sigma)
    log_mean_a = _log_sum_exp((sigma - 1) * firms.log_a, cell)
    terms = (sigma - 1) * (firms.log_a - firms.relative_tfpr) - log_mean_a[cell]
    log_efficiency = np.full(count, np.nan)
    log_efficiency[: int(cell.max()) + 1] = _log_sum_exp(terms, cell) / (sigma - 1)
    enough = used >= max(min_firms, 1)
    efficiency = np.exp(np.where(enough, log_efficiency, np.nan))
    n = np.where(enough, used, np.nan)
    mean = np.bincount(cell, firms.log_tfpr, minlength=count) / n
    deviation = (firms.log_tfpr - mean[cell]) ** 2
    spread = np.sqrt(np.bincount(cell, deviation, minlength=count) / n)
    return Cells(efficiency, 1 / efficiency - 1, spread, used, given, total)


def aggregate(efficiency: ArrayLike, weight: ArrayLike, set_of: Codes) -> tuple[Array, Array]:
    """``Π_i (Y/Y_eff)_i^{θ_i}`` over industries, ``θ`` the weights over their sum among the cells that are defined (Hsieh & Klenow 2009, eq. 20).

    Args:
        efficiency: ``[C]``.
        weight: ``[C]``, value added or an outside ``θ``.
        set_of: ``[C]`` codes from 0 of the total a cell belongs to (its year).

    Returns:
        The aggregate, NaN where no cell is defined, and the share of the weight that the defined cells hold, each ``[S]``.
    """
    value, theta = np.asarray(efficiency, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    seen = np.isfinite(value) & (value > 0) & (theta > 0)
    count = int(set_of.max(initial=-1)) + 1
    held = np.bincount(set_of[seen], theta[seen], minlength=count)
    all_of_it = np.bincount(set_of, np.where(theta > 0, theta, 0.0), minlength=count)
    logs = np.bincount(set_of[seen], theta[seen] * np.log(value[seen]), minlength=count)
    mean = ratio(logs, held)
    return np.exp(mean), ratio(held, all_of_it)
