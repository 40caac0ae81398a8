"""Build a problem into a model: variables, families of constraints, costs, objectives."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, RunError, did_you_mean
from hinterland.plan.algebra import Expression
from hinterland.plan.building import Building, Column, Row
from hinterland.plan.constraints import FAMILIES
from hinterland.plan.costs import add_costs
from hinterland.plan.objectives import add_objectives
from hinterland.plan.problem import Problem
from hinterland.plan.program import Program
from hinterland.plan.variables import add_core

_LAST = ("C9",)
"""Families that count what others have added."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A problem as a model.

    Attributes:
        problem: the data.
        program: the arrays.
        columns, rows: what each block of variables and rows means.
        labels: labels of each block's dimensions.
        costs: [n] coefficients of each part of the cost.
        linopy: the model as linopy has it, for its text; ``None`` where it was not kept.
    """

    problem: Problem
    program: Program
    columns: dict[str, Column]
    rows: dict[str, Row]
    labels: dict[str, tuple[pd.Index[Any], ...]]
    costs: dict[str, NDArray[np.float64]]
    linopy: linopy.Model | None = None

    def __repr__(self) -> str:
        m, n = self.program.shape
        return f"Model({self.problem.settings.name}: {n} columns, {m} rows, {self.program.matrix.nnz} nonzeros, {int(self.program.integral.sum())} binaries)"


def build(problem: Problem, *, keep: bool = False) -> Model:
    """The model of a problem.

    Args:
        problem: the data.
        keep: keep linopy's model, to write it as text.

    Raises:
        InputError: families that cannot be left out, or an objective that the tables do not allow.
    """
    fail_if_off_unknown(problem)
    with strict():
        b = Building(problem, linopy.Model(sparse=True))
        add_core(b)
        for family in sorted(FAMILIES, key=lambda f: f.id in _LAST):
            if family.kept or problem.has(family.id):
                for rows in family.rows:
                    rows(b)
        add_costs(b)
        add_objectives(b)
        fail_if_objective_unknown(b, problem.settings.objective)
        return _arrays(b, keep)


_BUILDING = threading.RLock()


@contextmanager
def strict() -> Iterator[None]:
    """Linopy's strict semantics, for as long as a model is built; options and warnings are the process's, so that threads build one after another."""
    with _BUILDING, linopy.options as options, warnings.catch_warnings():
        options.set_value(semantics="v1")
        warnings.filterwarnings("ignore", message="Sparse .CSR. backing densified", category=Warning)
        yield


def fail_if_off_unknown(problem: Problem) -> None:
    """Families that are switched off must exist, and must not be accounting."""
    ids = {f.id: f for f in FAMILIES}
    findings = [
        Finding("unknown-family", f"there is no family {o!r}", "[case] off", did_you_mean(o, ids))
        for o in problem.settings.off
        if o not in ids
    ]
    findings += [
        Finding(
            "family-kept", f"{o} ({ids[o].name}) is accounting: without it the model has no meaning", "[case] off", "remove it from off"
        )
        for o in problem.settings.off
        if o in ids and ids[o].kept and o != "C7"
    ]
    if findings:
        raise InputError(findings, "the case")


def fail_if_objective_unknown(b: Building, name: str) -> None:
    """The objective must be one that the tables allow."""
    if name in b.objectives:
        return
    needs = {
        "emissions": f"a resource {b.problem.settings.emissions!r} with intensities",
        "resilience": "the table backup and regions with backup_tested",
        "equity": "hosts with population",
        "self-sufficiency": "the table security",
    }
    what = f"the objective {name!r} needs {needs.get(name, 'other tables')}"
    raise InputError(
        Finding("objective-not-possible", what, "argument objective", "add it, or aim at " + ", ".join(b.objectives)), "the case"
    )


def _arrays(b: Building, keep: bool) -> Model:
    """The model as arrays; coefficients that are 0 are left out."""
    m = b.model
    penalty = sum(b.penalties[1:], start=b.penalties[0]) if b.penalties else 0 * b["capacity"].sum()
    m.add_objective(b.objectives[b.problem.settings.objective] + penalty)
    matrices = m.matrices
    n, kept = len(matrices.vlabels), np.asarray(matrices.clabels)
    fail_if_masked(np.asarray(matrices.vlabels))
    matrix = _all_rows(sp.csr_array(matrices.A), kept, _rows_of(m))
    sense, right = np.full(matrix.shape[0], ""), np.zeros(matrix.shape[0])
    sense[kept], right[kept] = np.asarray(matrices.sense), np.asarray(matrices.b, dtype=float)
    program = Program(
        cost=np.asarray(matrices.c, dtype=float),
        matrix=matrix,
        row_lower=np.where((sense == "<") | (sense == ""), -np.inf, right),
        row_upper=np.where((sense == ">") | (sense == ""), np.inf, right),
        lower=np.asarray(matrices.lb, dtype=float),
        upper=np.asarray(matrices.ub, dtype=float),
        integral=np.asarray(matrices.vtypes) != "C",
        constant=0.0,
        columns=_blocks(m.variables),
        rows=_blocks(m.constraints),
        objectives={name: coefficients(e, n) for name, e in b.objectives.items()},
        penalty=coefficients(penalty, n),
    )
    labels = {name: tuple(v.indexes[d] for d in b.columns[name].dims) for name, v in b.variables.items()}
    labels |= {f"row:{name}": tuple(m.constraints[name].indexes[d] for d in row.dims) for name, row in b.rows.items()}
    costs = {name: coefficients(e, n) for name, e in b.costs.items()}
    return Model(b.problem, program, b.columns, b.rows, labels, costs, m if keep else None)


def fail_if_masked(labels: NDArray[np.int64]) -> None:
    """Variables are numbered without holes, because no block is masked."""
    if not np.array_equal(labels, np.arange(len(labels))):
        raise RunError("a block of variables of the model is masked")


def _rows_of(m: linopy.Model) -> int:
    """Number of rows, with those that linopy leaves out because nothing is in them."""
    return max((int(m.constraints[name].range[1]) for name in m.constraints), default=0)


def _all_rows(matrix: sp.csr_array, kept: NDArray[np.int64], rows: int) -> sp.csr_array:
    """The matrix with an empty row wherever linopy left one out, so that a block lies where its labels say."""
    matrix.eliminate_zeros()
    counts = np.zeros(rows, dtype=np.int64)
    counts[kept] = np.diff(matrix.indptr)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_array((matrix.data, matrix.indices, pointers), shape=(rows, matrix.shape[1]))


def _blocks(container: Any) -> dict[str, tuple[int, int, tuple[int, ...]]]:
    """First and last (excluded) label of each block, and its shape."""
    out = {}
    for name in container:
        start, end = container[name].range
        out[name] = (int(start), int(end), tuple(int(s) for s in container[name].shape))
    return out


def coefficients(expression: Expression, n: int) -> NDArray[np.float64]:
    """[n] coefficients of a linear expression, summed by variable."""
    data = (1 * expression).data
    at, values = data.vars.values.ravel(), data.coeffs.values.ravel()
    keep = at >= 0
    return np.bincount(at[keep], weights=np.nan_to_num(values[keep]), minlength=n).astype(float)
