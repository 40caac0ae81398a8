"""The indicators of cells of cohort and period, net of unit, period and further fixed effects, in the cheapest form a design allows.

With D the indicators [n, p] and M the projection off the fixed effects (in the metric of the weights W), least squares needs S = D'WMD
[p, p] and sums by cluster, never D itself:

* a balanced panel with weights that are constant within units: MD is a function of cohort and period, in closed form;
* else the units are eliminated and S is a Schur complement of sums by unit and level (see :mod:`hinterland.evaluate.hdfe`);
* with very many levels of further effects, columns are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import DIRECT, Absorber, Block, direct_solver, level_columns, sparse_system, split_block, tally
from hinterland.evaluate.regression import absorbed, gram_of, projection
from hinterland.evaluate.saturated import Ints, Layout, Product, cluster_tables, unit_weight
from hinterland.evaluate.vcov import cluster_sums, is_nested


class CellSystem(Protocol):
    """The indicators of p cells, net of fixed effects."""

    @property
    def gram(self) -> Floats:
        """[p, p] S."""
        ...

    def column(self, x: Floats) -> Floats:
        """[n] x net of the fixed effects."""
        ...

    def subtract(self, x: Floats, values: Floats) -> Floats:
        """[n] x (net of fixed effects) less the indicators, net of them too, times ``values`` [p]; may overwrite x."""
        ...

    def influence(self, u: Floats, cluster: Factor, right: Floats, less: Product) -> Floats | None:
        """[C, q] sums by cluster of the indicators (net) times u, times ``right`` [p, q], ``less`` a product; u is orthogonal to the
        eliminated factor. ``None`` where clusters cut through it.
        """
        ...

    def rank(self) -> int | None:
        """Dimension of the space of the fixed effects."""
        ...


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """Closed form: (MD)_it for cell (h, s) is (1[g_i = h] − W_h/W)(1[t = s] − 1/T)."""

    layout: Layout
    weight: Floats
    group_weight: Floats
    k: Ints
    t: Ints
    gram: Floats

    @classmethod
    def of(cls, layout: Layout, weight: Floats, k: Ints, t: Ints) -> ClosedForm:
        """``weight`` [N] of the units; ``k``, ``t`` [p] cohort and period of the cells."""
        periods = layout.design.n_periods
        total = tally(layout.group, weight, layout.shape[0])
        same = (k[:, None] == k) * total[k] - np.outer(total[k], total[k]) / total.sum()
        gram = same * ((t[:, None] == t) - 1.0 / periods)
        return cls(layout, weight, total, k, t, gram)

    def column(self, x: Floats) -> Floats:
        """X net of the fixed effects."""
        grid = x.reshape(self.layout.design.n_units, -1)
        out: Floats = grid - (np.einsum("it->i", grid) / grid.shape[1])[:, None]
        out -= (self.weight @ out) / self.weight.sum()
        return out.reshape(-1)

    def subtract(self, x: Floats, values: Floats) -> Floats:
        """X less the indicators times ``values``, both net of the fixed effects."""
        grid = np.zeros(self.layout.shape)
        grid[self.k, self.t] = values
        grid -= grid.mean(axis=1, keepdims=True)
        grid -= (self.group_weight @ grid) / self.group_weight.sum()
        out = x.reshape(len(self.weight), -1)
        out -= grid.take(self.layout.group, axis=0)
        return out.reshape(-1)

    def influence(self, u: Floats, cluster: Factor, right: Floats, less: Product) -> Floats | None:
        """Sums by cluster: see :class:`CellSystem`."""
        design = self.layout.design
        if not is_nested(Factor(design.unit_name, design.unit, design.n_units), cluster):
            return None
        tables = np.zeros((*self.layout.shape, right.shape[1]))
        tables[self.k, self.t] = right
        tables -= np.einsum("g,gtq->tq", self.group_weight / self.group_weight.sum(), tables)
        return cluster_tables(self.layout, u, cluster, tables, less)

    def rank(self) -> int | None:
        """Dimension of the space of the fixed effects."""
        return self.layout.design.n_units + self.layout.design.n_periods - 1


@dataclass(frozen=True, slots=True)
class Schur:
    """The largest factor eliminated; ``gamma`` [M, p] are the coefficients of the cells' indicators on the M other levels."""

    layout: Layout
    prepared: Absorber
    block: Block
    others: tuple[Factor, ...]
    starts: tuple[int, ...]
    number: Ints
    gram: Floats
    gamma: Floats

    @classmethod
    def of(cls, layout: Layout, number: Ints, size: int) -> Schur | None:
        """``number`` [(K + 1)·T] position of each cell among the ``size`` estimated, -1 for others. ``None`` with too many levels."""
        design = layout.design
        block, others = split_block(absorbed(design), design.weight)
        levels = sum(f.size for f in others)
        if levels > DIRECT or not others:
            return None
        cells = Factor("cells", np.where(number < 0, size, number)[layout.cell].astype(np.int32), size + 1)
        starts = tuple(int(s) for s in np.cumsum([0, *(f.size for f in others), size + 1]))
        crossed, own = sparse_system(block, (*others, cells), starts)
        system = (own - crossed.T @ crossed).toarray()[: levels + size, : levels + size]
        norms = np.sqrt(own.diagonal()[:levels])
        solve, _ = direct_solver(system[:levels, :levels], np.where(norms > 0, norms, 1.0))
        mixed = system[:levels, levels:]
        gamma = np.column_stack([solve(np.ascontiguousarray(mixed[:, j])) for j in range(size)])
        gram = system[levels:, levels:] - mixed.T @ gamma
        return cls(layout, projection(design, design.weight), block, others, starts[:-1], number, (gram + gram.T) / 2, gamma)

    def column(self, x: Floats) -> Floats:
        """X net of the fixed effects."""
        return self.prepared.column(x)

    def subtract(self, x: Floats, values: Floats) -> Floats:
        """X less the indicators times ``values``, both net of the fixed effects."""
        grid = np.append(values, 0.0)[self.number]
        return x - self.prepared.column(grid[self.layout.cell])

    def influence(self, u: Floats, cluster: Factor, right: Floats, less: Product) -> Floats | None:
        """Sums by cluster: see :class:`CellSystem`."""
        from scipy import sparse

        if not is_nested(Factor("block", self.block.groups.codes, self.block.groups.size), cluster):
            return None
        left = self.gamma @ right
        tables = np.vstack([right, np.zeros(right.shape[1])])[self.number].reshape(*self.layout.shape, -1)
        apart = []
        for factor, start in zip(self.others, self.starts, strict=False):
            if factor.slope is None and np.array_equal(factor.codes, self.layout.design.period):
                tables = tables - left[start : start + factor.size]
            else:
                apart.append((factor, left[start : start + factor.size]))
        out = cluster_tables(self.layout, u, cluster, tables, less)
        for factor, part in apart:
            z = level_columns((factor,), (0, factor.size))
            sums = sparse.csr_array((u, (cluster.codes, np.arange(len(u)))), shape=(cluster.size, len(u))) @ z
            out -= sums @ part
        return out

    def rank(self) -> int | None:
        """Dimension of the space of the fixed effects."""
        return self.prepared.rank()


@dataclass(frozen=True, slots=True)
class Columns:
    """The indicators as columns ``x`` [n, p], net of the fixed effects: where nothing less will do."""

    prepared: Absorber
    x: Floats
    gram: Floats

    @classmethod
    def of(cls, layout: Layout, number: Ints, size: int) -> Columns:
        """As in :meth:`Schur.of`."""
        prepared = projection(layout.design, layout.design.weight)
        position = number[layout.cell]
        x = np.empty((len(position), size), order="F")
        for j in range(size):
            x[:, j] = prepared.column((position == j).astype(np.float64))
        return cls(prepared, x, gram_of(x, layout.design.weight))

    def column(self, x: Floats) -> Floats:
        """X net of the fixed effects."""
        return self.prepared.column(x)

    def subtract(self, x: Floats, values: Floats) -> Floats:
        """X less the indicators times ``values``, both net of the fixed effects."""
        return x - self.x @ values

    def influence(self, u: Floats, cluster: Factor, right: Floats, less: Product) -> Floats | None:
        """Sums by cluster: see :class:`CellSystem`."""
        return np.asarray(cluster_sums(self.x, u, cluster) @ right - less[0] @ less[1])

    def rank(self) -> int | None:
        """Dimension of the space of the fixed effects."""
        return self.prepared.rank()


def cell_system(layout: Layout, k: Ints, t: Ints) -> CellSystem:
    """The cheapest form that the design allows; ``k``, ``t`` [p] cohort and period of the cells."""
    design = layout.design
    if design.balanced and not design.fixed_effects:
        weight, constant = unit_weight(design)
        if constant:
            return ClosedForm.of(layout, weight, k, t)
    number = np.full(layout.rows.size, -1)
    number[k * design.n_periods + t] = np.arange(len(k))
    return Schur.of(layout, number, len(k)) or Columns.of(layout, number, len(k))
