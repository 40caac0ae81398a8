"""Transfer of activity between regions in multi-regional input-output tables.

Output of each region and sector induced by each region's final demand, its change between two tables, and what of the change comes from structure.
After Liu, Liu & Liu (2011); decomposition after Dietzenbacher & Los (1998). The measures are driven by demand: they hold growth, prices and deeper
trade, not plants that moved. Both tables must be at the same prices. Rows and columns are ordered region by region, R regions of S sectors, n = RS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio
from hinterland.measure.leontief import Factor, allocation, coefficients, factorised, fail_if_not_table, output

__all__ = [
    "Table",
    "Transfer",
    "by_region",
    "induced_output",
    "induced_value_added",
    "net_transfer",
    "table",
    "transfer",
    "upstreamness",
    "value_added_coefficients",
    "value_added_export_share",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """A multi-regional table ready to be solved.

    Attributes:
        coefficients: A, [n, n].
        final: F, final demand by destination region, [n, R].
        factor: LU of I - A.
        regions: R.
    """

    coefficients: Floats
    final: Floats
    factor: Factor
    regions: int


def table(deliveries: Floats, final: Floats, *, x: Floats | None = None) -> Table:
    """A table from deliveries Z [n, n] and final demand F [n, R]; ``x`` [n] is Z1 + F1 unless given (with exports abroad, it must be).

    Raises:
        ValueError: the table is not square, or rows are no multiple of the regions; other reasons of ``coefficients`` and ``factorised``.
    """
    fail_if_not_table(deliveries, final)
    return table_of(coefficients(deliveries, output(deliveries, final) if x is None else x), final)


def table_of(matrix: Floats, final: Floats) -> Table:
    """A table from the coefficients A [n, n] themselves and final demand F [n, R]."""
    fail_if_not_table(matrix, final)
    if final.ndim != 2 or len(final) % final.shape[1]:
        raise ValueError(
            f"final demand has {len(final)} rows, not a multiple of its {final.shape[1] if final.ndim == 2 else 1} destination regions"
        )
    return Table(matrix, final, factorised(matrix), final.shape[1])


def induced_output(t: Table) -> Floats:
    """T = LF, [n, R]: output of each region and sector induced by each region's final demand; rows sum to output."""
    return t.factor.solve(t.final)


def value_added_coefficients(t: Table, leakage: Floats | None = None) -> Floats:
    """Value added per unit of output, v = 1 - column sums of A - leakage, [n]: ``leakage`` is imported inputs and taxes per unit of output."""
    base: Floats = 1 - t.coefficients.sum(axis=0)
    return base if leakage is None else base - leakage


def induced_value_added(t: Table, coefficients: Floats | None = None) -> Floats:
    """T^VA = v̂LF, [n, R]: without leakage, columns sum to final demand."""
    v = value_added_coefficients(t) if coefficients is None else coefficients
    return np.asarray(v[:, None] * induced_output(t), dtype=np.float64)


def by_region(induced: Floats) -> Floats:
    """Sum over the sectors of each region of origin: [n, R] to [R, R]."""
    regions = induced.shape[1]
    return np.asarray(induced.reshape(regions, -1, regions).sum(axis=1), dtype=np.float64)


def value_added_export_share(induced: Floats) -> Floats:
    """Share of each region's value added that other regions' final demand induces, [R]; NaN where there is none. ``induced``: T^VA, [n, R]."""
    flow = by_region(induced)
    return np.asarray(1 - ratio(flow.diagonal(), flow.sum(axis=1)), dtype=np.float64)


def net_transfer(change: Floats) -> Floats:
    """N^{rs}_i = ΔT^{(r,i),s} - ΔT^{(s,i),r}, [R, S, R]: positive when sector i moved into r from s; antisymmetric in r and s.

    ``change``: ΔT or a component of it, [n, R].
    """
    regions = change.shape[1]
    cube = change.reshape(regions, -1, regions)
    return np.asarray(cube - cube.transpose(2, 1, 0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Change of induced output between two tables, each [n, R].

    Attributes:
        start, end: T₀, T₁.
        change: ΔT = T₁ - T₀.
        structure: ½ΔL(F₀ + F₁): from technology and trade structure, the part that is like transfer.
        demand: ½(L₀ + L₁)ΔF: from final demand; structure + demand = change, exactly.
    """

    start: Floats
    end: Floats
    change: Floats
    structure: Floats
    demand: Floats


def transfer(start: Table, end: Table, *, start_weights: Floats | None = None, end_weights: Floats | None = None) -> Transfer:
    """Decompose the change of induced output (or of value added, with coefficients v [n] of both tables as weights).

    The average of the two polar decompositions; each inverse is only applied to the two final demands, never formed. With weights the change of v
    is part of structure.

    Raises:
        ValueError: the tables differ in shape, or only one has weights.
    """
    if start.final.shape != end.final.shape:
        raise ValueError(f"the tables have {start.final.shape} and {end.final.shape} rows and destinations: they must be the same")
    if (start_weights is None) != (end_weights is None):
        raise ValueError("give value-added coefficients of both tables, or of neither")
    w0 = 1.0 if start_weights is None else start_weights[:, None]
    w1 = 1.0 if end_weights is None else end_weights[:, None]
    both = np.hstack([start.final, end.final])
    r = start.regions
    old, new = w0 * start.factor.solve(both), w1 * end.factor.solve(both)
    (l0f0, l0f1), (l1f0, l1f1) = (old[:, :r], old[:, r:]), (new[:, :r], new[:, r:])
    structure = ((l1f0 - l0f0) + (l1f1 - l0f1)) / 2
    demand = ((l0f1 - l0f0) + (l1f1 - l1f0)) / 2
    return Transfer(l0f0, l1f1, l1f1 - l0f0, structure, demand)


def upstreamness(deliveries: Floats, x: Floats, *, net_exports: Floats | None = None) -> Floats:
    """U = (I - Δ)⁻¹1, [n], δ_ij = Z_ij/x_i: average distance from final use, at least 1 (Antràs & Chor 2013; Antràs et al. 2012).

    ``net_exports`` of each sector, [n], are taken off x in the denominators: exports and imports are taken to be used as domestic output is.
    """
    base = x if net_exports is None else x - net_exports
    return factorised(allocation(deliveries, base)).solve(np.ones(len(x)))
