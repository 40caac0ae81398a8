"""A programme taken apart: once the rows that tie industries are set aside, what is left falls into parts that share no variable.

A resource of a place, a budget, a national limit hold for all industries together; capacity, output, goods and moves are an industry's own where industries do
not use each other's goods. Which is which is not listed anywhere but read off the matrix: a row with variables of cells of several industries ties, and what
stays connected without such rows is a part (a block-angular programme; Dantzig and Wolfe 1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from hinterland.plan.model import Model
from hinterland.plan.program import Program

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What belongs to one industry, or to several that cannot be parted: positions of columns other than moves, and of rows."""

    columns: Positions
    rows: Positions


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """A programme taken apart.

    Attributes:
        parts: in the order of their first industry.
        ties: rows of no part.
        own: columns of no part, moves left out.
    """

    parts: tuple[Part, ...]
    ties: Positions
    own: Positions

    def __repr__(self) -> str:
        return f"Apart({len(self.parts)} parts, {len(self.ties)} rows tie them)"


def taken_apart(made: Model) -> Apart:
    """The parts of a model without whole variables; one part where nothing can be parted."""
    program = made.program
    industry = industries_of_columns(made)
    ties = _tying(program.matrix, industry)
    of_column, of_row, names = _components(program.matrix, industry, ties)
    of_row[ties] = -1
    start, end, _ = program.columns["move"]
    of_column[start:end] = -1
    kept = names[np.isin(names, of_row)]
    by_column, by_row = _grouped(of_column, kept), _grouped(of_row, kept)
    moves = (np.arange(len(of_column)) >= start) & (np.arange(len(of_column)) < end)
    return Apart(
        tuple(Part(c, r) for c, r in zip(by_column, by_row, strict=True)),
        np.flatnonzero(~np.isin(of_row, kept)),
        np.flatnonzero(~np.isin(of_column, kept) & ~moves),
    )


def industries_of_columns(made: Model) -> Positions:
    """[n] industry of each variable of a cell; −1 for every other variable."""
    p, out = made.problem, np.full(made.program.shape[1], -1, dtype=np.int64)
    for name, (start, end, shape) in made.program.columns.items():
        dims = made.columns[name].dims
        if "cell" in dims:
            axis = dims.index("cell")
            cells = p.index["cell"].get_indexer(made.labels[name][axis])
            along = [1] * len(shape)
            along[axis] = -1
            out[start:end] = np.broadcast_to(p.links["cell.industry"][cells].reshape(along), shape).ravel()
    return out


def share_of_ties(apart: Apart, program: Program) -> float:
    """How many of the rows tie parts."""
    return len(apart.ties) / max(program.shape[0], 1)


def _tying(matrix: sp.csr_array, industry: Positions) -> NDArray[np.bool_]:
    """[m] rows with variables of cells of several industries."""
    out = np.zeros(matrix.shape[0], dtype=bool)
    filled = np.flatnonzero(np.diff(matrix.indptr) > 0)
    if not len(filled):
        return out
    entries, starts = industry[matrix.indices], matrix.indptr[filled]
    most = np.maximum.reduceat(entries, starts)
    least = np.minimum.reduceat(np.where(entries < 0, np.iinfo(np.int64).max, entries), starts)
    out[filled] = (most >= 0) & (least != most)
    return out


def _components(matrix: sp.csr_array, industry: Positions, ties: NDArray[np.bool_]) -> tuple[Positions, Positions, Positions]:
    """[n] and [m] component of each column and row once the rows that tie are gone, and the components that an industry is in."""
    m, n = matrix.shape
    entries = matrix.tocoo()
    free = ~ties[entries.row]
    cells = np.flatnonzero(industry >= 0)
    present = np.unique(industry[cells])
    one = np.concatenate([entries.row[free] + n, cells])
    other = np.concatenate([entries.col[free], n + m + industry[cells]])
    size = n + m + (int(present[-1]) + 1 if len(present) else 0)
    graph = sp.coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    labels = labels.astype(np.int64)
    _, first = np.unique(labels[n + m + present], return_index=True)
    return labels[:n], labels[n : n + m], labels[n + m + present][np.sort(first)]


def _grouped(labels: Positions, wanted: Positions) -> list[Positions]:
    """Positions of each of the labels that are wanted."""
    order = np.argsort(labels, kind="stable")
    low, high = (np.searchsorted(labels[order], wanted, side=side) for side in ("left", "right"))
    return [order[a:b] for a, b in zip(low, high, strict=True)]
