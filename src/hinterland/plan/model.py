"""Build a problem into a model: variables, families of constraints, costs, objectives."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import linopy
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, RunError, did_you_mean
from hinterland.plan.building import Building, Column, Row
from hinterland.plan.constraints import FAMILIES
from hinterland.plan.constraints.family import Rows
from hinterland.plan.costs import COSTS
from hinterland.plan.objectives import OBJECTIVES
from hinterland.plan.problem import Problem
from hinterland.plan.program import Program
from hinterland.plan.rebuild import Step, Trace, priced, rebuilt, run, spans, stacked
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
        trace: what each step of building read and made; ``None`` where the arrays were changed afterwards.
        linopy: the model as linopy has it, for its text; ``None`` where it was not kept.
    """

    problem: Problem
    program: Program
    columns: dict[str, Column]
    rows: dict[str, Row]
    labels: dict[str, tuple[pd.Index[Any], ...]]
    costs: dict[str, NDArray[np.float64]]
    trace: Trace | None = None
    linopy: linopy.Model | None = None

    def __repr__(self) -> str:
        m, n = self.program.shape
        return f"Model({self.problem.settings.name}: {n} columns, {m} rows, {self.program.matrix.nnz} nonzeros, {int(self.program.integral.sum())} binaries)"


def build(problem: Problem, *, keep: bool = False, like: Model | None = None) -> Model:
    """The model of a problem.

    Args:
        problem: the data.
        keep: keep linopy's model, to write it as text.
        like: a model of a problem with the same sets: what reads no number that differs is taken over from it (:mod:`hinterland.plan.rebuild`).

    Raises:
        InputError: families that cannot be left out, or an objective that the tables do not allow.
    """
    if like is not None and not keep:
        again = rebuilt(like, problem)
        if again is not None:
            return again
    fail_if_off_unknown(problem)
    with strict():
        b = Building(problem, linopy.Model(sparse=True), keep)
        done = [run(b, name, step) for name, step in steps(problem)]
        fail_if_objective_unknown(problem, ("cost", *b.objectives))
        return _arrays(b, done)


def steps(problem: Problem) -> list[tuple[str, Rows]]:
    """What builds the model, in order, by name: variables, families of constraints, costs, objectives."""
    families = [f for f in sorted(FAMILIES, key=lambda f: f.id in _LAST) if f.kept or problem.has(f.id)]
    return [
        ("core", add_core),
        *((f"{f.id} {rows.__name__}", rows) for f in families for rows in f.rows),
        *((f"cost {charge.__name__}", charge) for charge in COSTS),
        *((f"objective {aim.__name__}", aim) for aim in OBJECTIVES),
    ]


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


def fail_if_objective_unknown(problem: Problem, known: Sequence[str]) -> None:
    """The objective must be one that the tables allow."""
    name = problem.settings.objective
    if name in known:
        return
    needs = {
        "emissions": f"a resource {problem.settings.emissions!r} with intensities",
        "resilience": "the table backup and regions with backup_tested",
        "equity": "hosts with population",
        "self-sufficiency": "the table security",
    }
    what = f"the objective {name!r} needs {needs.get(name, 'other tables')}"
    raise InputError(Finding("objective-not-possible", what, "argument objective", "add it, or aim at " + ", ".join(known)), "the case")


def _arrays(b: Building, done: list[Step]) -> Model:
    """The model as arrays; coefficients that are 0 are left out."""
    fail_if_masked(np.asarray(b.model.variables.label_index.vlabels))
    columns = spans({name: tuple(v.shape) for name, v in b.variables.items()})
    n = sum(int(v.size) for v in b.variables.values())
    costs, objectives, penalty = priced(done, columns, n)
    lower, upper = (np.concatenate([_flat(v, side) for v in b.variables.values()]) for side in ("lower", "upper"))
    integral = np.concatenate([np.full(c.size, b.columns[name].binary) for name, c in b.variables.items()])
    blocks = {name: b.blocks[name] for name in b.rows}
    program = Program(
        cost=objectives[b.problem.settings.objective] + penalty,
        **stacked(blocks, n),
        lower=np.where(integral, 0.0, lower),
        upper=np.where(integral, 1.0, upper),
        integral=integral,
        constant=0.0,
        columns=columns,
        rows=spans({name: tuple(len(i) for i in block.labels) for name, block in blocks.items()}),
        objectives=objectives,
        penalty=penalty,
    )
    labels = {name: tuple(v.indexes[d] for d in b.columns[name].dims) for name, v in b.variables.items()}
    labels |= {f"row:{name}": block.labels for name, block in blocks.items()}
    if b.keep:
        _aim(b)
    trace = Trace(b.problem, program, b.model, b.variables, tuple(done), blocks)
    return Model(b.problem, program, b.columns, b.rows, labels, costs, trace, b.model if b.keep else None)


def _aim(b: Building) -> None:
    """Give linopy's model its objective."""
    name = b.problem.settings.objective
    parts = [terms.expression for _, terms in b.costs] if name == "cost" else [b.objectives[name].expression]
    slack = [price * b[block] for block, price in b.prices.items()]
    first, *others = [(1 * e).sum() for e in (*(e for e in parts if e is not None), *slack)]
    b.model.add_objective(sum(others, start=first))


def _flat(variable: Any, side: str) -> NDArray[np.float64]:
    return np.asarray(getattr(variable, side).values, dtype=float).ravel()


def fail_if_masked(labels: NDArray[np.int64]) -> None:
    """Variables are numbered without holes, because no block is masked."""
    if not np.array_equal(labels, np.arange(len(labels))):
        raise RunError("a block of variables of the model is masked")
