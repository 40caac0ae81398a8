"""The model while it is built: variables by name, rows with what they mean, cost by what it pays for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr
from numpy.typing import NDArray

from hinterland.plan.algebra import Expression, column, linear, rows_where
from hinterland.plan.problem import Problem

Sign = Literal["<=", ">=", "="]


@dataclass(frozen=True, slots=True)
class Row:
    """A named block of rows: its family, unit, sense, and the slack that lets it give way."""

    name: str
    family: str
    unit: str
    sign: Sign
    dims: tuple[str, ...]
    short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A named block of variables: its unit and what it means."""

    name: str
    unit: str
    dims: tuple[str, ...]
    meaning: str
    binary: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A block of rows as arrays.

    Attributes:
        matrix: [m, columns so far].
        lower, upper: [m] sides; infinite where a row has none, and both where nothing is in it.
        labels: of its dimensions.
    """

    matrix: sp.csr_array
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    labels: tuple[pd.Index[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """A linear expression as arrays: positions of variables, and their coefficients; and the expression itself where a model is kept."""

    at: NDArray[np.int64]
    values: NDArray[np.float64]
    expression: Expression | None = None

    @classmethod
    def of(cls, expression: Expression, keep: bool) -> Terms:
        """The terms of an expression, summed over its labels."""
        data = linear(expression).sum().data
        at, values = data.vars.values.ravel(), data.coeffs.values.ravel()
        known = at >= 0
        return cls(at[known], np.nan_to_num(values[known]), expression if keep else None)

    def vector(self, n: int) -> NDArray[np.float64]:
        """[n] coefficients, summed by variable."""
        return np.bincount(self.at, weights=self.values, minlength=n).astype(float)


@dataclass(eq=False)
class Building:
    """What families of constraints write to.

    Attributes:
        problem: the data.
        model: the linopy model, sparse, in its strict semantics.
        keep: whether the linopy model keeps the rows.
        variables: by name.
        columns, rows: what each block means.
        blocks: rows as arrays.
        costs: discounted cost by what it pays for, 100m yuan.
        prices: of each block of slacks.
        objectives: what else can be aimed at, each to be made small.
    """

    problem: Problem
    model: linopy.Model
    keep: bool = False
    variables: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    costs: list[tuple[str, Terms]] = field(default_factory=list)
    prices: dict[str, float] = field(default_factory=dict)
    objectives: dict[str, Terms] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.variables[name]

    def __contains__(self, name: str) -> bool:
        return name in self.variables

    # ------------------------------------------------------------------------------------------------------------- dimensions

    @cached_property
    def year(self) -> pd.Index[Any]:
        """Every year."""
        return self.problem.index["year"]

    @cached_property
    def open(self) -> pd.Index[Any]:
        """Years whose decisions are free."""
        return rows_where(self.problem.decided, self.year)

    @cached_property
    def cell(self) -> pd.Index[Any]:
        """Every cell."""
        return self.problem.index["cell"]

    @cached_property
    def pooled(self) -> bool:
        """Whether some region's goods are counted in the balance of another."""
        return len(self.shelf) < len(self.cell)

    @cached_property
    def shelf(self) -> pd.Index[Any]:
        """Cells that have a balance: those of the centres of pools, every cell where there are none."""
        return rows_where(self.problem.links["cell.pool"] == np.arange(len(self.cell)), self.cell)

    @cached_property
    def on_shelf(self) -> NDArray[np.int64]:
        """[cell] position of each cell's balance among those."""
        place = np.cumsum(self.problem.links["cell.pool"] == np.arange(len(self.cell))) - 1
        return np.asarray(place[self.problem.links["cell.pool"]])

    @cached_property
    def leaving(self) -> NDArray[np.bool_]:
        """[cell] cells that an arc leaves."""
        return np.bincount(self.problem.links["arc.source"], minlength=len(self.cell)) > 0

    @cached_property
    def arriving(self) -> NDArray[np.bool_]:
        """[cell] cells that an arc enters."""
        return np.bincount(self.problem.links["arc.host"], minlength=len(self.cell)) > 0

    @cached_property
    def hosting(self) -> NDArray[np.bool_]:
        """[cell] relocatable cells of hosts: where support can be given."""
        return self.problem.cells_where(region="host", industry="relocatable")

    @cached_property
    def weights(self) -> xr.DataArray:
        """[year] discount factors."""
        return self.problem.weights

    # ------------------------------------------------------------------------------------------------------------------ blocks

    def variable(
        self,
        name: str,
        *index: pd.Index[Any],
        unit: str,
        meaning: str,
        lower: Any = 0.0,
        upper: Any = np.inf,
        binary: bool = False,
    ) -> Any:
        """Add a block of variables, one for each combination of labels."""
        self.columns[name] = Column(name, unit, tuple(str(i.name) for i in index), meaning, binary)
        self.variables[name] = self._columns(self.columns[name], index, lower, upper)
        return self.variables[name]

    def _columns(self, block: Column, index: Sequence[pd.Index[Any]], lower: Any, upper: Any) -> Any:
        """The variables of a block."""
        bounds: dict[str, Any] = {} if block.binary else {"lower": lower, "upper": upper}
        return self.model.add_variables(coords=list(index), name=block.name, binary=block.binary, **bounds)

    def require(self, name: str, left: Expression, sign: Sign, right: Any, *, family: str, unit: str, typical: float | None = None) -> None:
        """Add a block of rows ``left sign right``.

        Args:
            name: of the block.
            left: a linear expression.
            sign: its sense.
            right: an array or a number.
            family: identifier of the family, such as ``C7``.
            unit: of the row.
            typical: what a unit of output takes of the row's unit. Where it is given the row may be missed, at the price of ``penalty`` per unit of
                output that would have to be given up.
        """
        if not hasattr(left, "vars"):
            return
        short: tuple[str, ...] = ()
        if typical is not None:
            left, short = self._elastic(name, left, sign, unit, typical)
        self.rows[name] = Row(name, family, unit, sign, tuple(str(d) for d in left.coord_dims), short)
        self.blocks[name] = self._rows(name, left, sign, right)

    def _rows(self, name: str, left: Expression, sign: Sign, right: Any) -> Block:
        """Rows as arrays; rows that linopy leaves out because nothing is in them are empty and free."""
        rows = self.model.add_constraints(left, sign, right, name=name)
        matrix, places, sides, senses = rows.to_matrix_with_rhs(self.model.variables.label_index)
        start, end = rows.range
        active = np.asarray(places) - start
        sense, side = np.full(end - start, ""), np.zeros(end - start)
        sense[active], side[active] = senses, sides
        counts = np.zeros(end - start, dtype=np.int64)
        matrix = sp.csr_array(matrix)
        matrix.eliminate_zeros()
        counts[active] = np.diff(matrix.indptr)
        pointers = np.concatenate([[0], np.cumsum(counts)])
        whole = sp.csr_array((matrix.data, matrix.indices, pointers), shape=(end - start, matrix.shape[1]))
        labels = tuple(rows.indexes[d] for d in self.rows[name].dims)
        if not self.keep:
            self.model.remove_constraints(name)
        free = sense == ""
        return Block(whole, np.where((sense == "<") | free, -np.inf, side), np.where((sense == ">") | free, np.inf, side), labels)

    def _elastic(self, name: str, left: Expression, sign: Sign, unit: str, typical: float) -> tuple[Expression, tuple[str, ...]]:
        index = [left.indexes[d].rename(d) for d in left.coord_dims]
        names: list[str] = []
        for side, helps in (("short", ">="), ("over", "<=")):
            if sign in (helps, "="):
                slack = self.variable(f"{side}:{name}", *index, unit=unit, meaning=f"how far {name} is missed")
                left = left + slack if side == "short" else left - slack
                self.prices[f"{side}:{name}"] = self.problem.settings.penalty / typical
                names.append(f"{side}:{name}")
        return left, tuple(names)

    def charge(self, name: str, expression: Expression) -> None:
        """Add a discounted cost."""
        if hasattr(expression, "vars") or hasattr(expression, "labels"):
            self.costs.append((name, Terms.of(expression, self.keep)))

    def aim(self, name: str, expression: Expression) -> None:
        """Add an objective, to be made small."""
        self.objectives[name] = Terms.of(expression, self.keep)

    def by_year(self, values: Any) -> xr.DataArray:
        """Numbers by year as a labelled array."""
        return column(values, self.year)


def typical(values: Any, otherwise: float = 1.0) -> float:
    """Median of what is positive: what a unit of output takes."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found) & (found > 0)]
    return float(np.median(found)) if found.size else otherwise
