"""Scenarios: what may turn out otherwise, how likely it is, and the programme that each makes; all of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.plan.changes import Change, as_changes, findings_of, multiplied
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem

__all__ = ["Scenario"]

TIMELESS = np.iinfo(np.int64).max
"""The year of columns and rows that belong to no single year: later than all."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What may come.

    Attributes:
        name: of the scenario.
        probability: of it; those of a set sum to 1.
        changes: parameters and factors, everywhere, or as :class:`hinterland.plan.changes.Change` in some years, regions and industries.
        withdrawal: year from which no support is paid any more; ``None`` where policy stays.
    """

    name: str
    probability: float
    changes: Mapping[str, float] | tuple[Change, ...] = field(default=())
    withdrawal: int | None = None

    @property
    def each(self) -> tuple[Change, ...]:
        """The changes one by one."""
        return as_changes(self.changes)

    def differs(self, other: Scenario, years: Sequence[int]) -> int:
        """The first year in which two scenarios are not the same; beyond the last where they always are."""
        first = [years[-1] + 1]
        for mine, theirs in ((self, other), (other, self)):
            kept = {(c.scope, c.factor) for c in theirs.each}
            first += [years[0] if c.first is None else c.first for c in mine.each if c.factor != 1 and (c.scope, c.factor) not in kept]
        if self.withdrawal != other.withdrawal:
            first.append(min(w for w in (self.withdrawal, other.withdrawal) if w is not None))
        return min(first)


def fail_if_bad_scenarios(problem: Problem, scenarios: Sequence[Scenario]) -> None:
    """Every problem of a set of scenarios at once.

    Raises:
        InputError: none, names twice, probabilities that are not positive or do not sum to 1, changes that make no sense, years that are not there.
    """
    where = "argument scenarios"
    if not scenarios:
        raise InputError(Finding("bad-scenario", "there is no scenario", where, "give one or more"), "the scenarios")
    out = [*_probabilities(scenarios, where), *_names(scenarios, where)]
    for s in scenarios:
        out += [f for c in s.each for f in findings_of(problem, c, f"scenario {s.name!r}")]
        if s.withdrawal is not None:
            out += _withdrawal(problem, s)
    fail_if_any(out, "the scenarios", InputError)


def _names(scenarios: Sequence[Scenario], where: str) -> list[Finding]:
    names = [s.name for s in scenarios]
    twice = sorted({n for n in names if names.count(n) > 1})
    return [Finding("bad-scenario", f"{listed(twice)} is there twice", where, "name each scenario once")] if twice else []


def _probabilities(scenarios: Sequence[Scenario], where: str) -> list[Finding]:
    bad = [s for s in scenarios if not (np.isfinite(s.probability) and s.probability > 0)]
    out = [
        Finding("bad-scenario", f"the probability of {s.name!r} is {s.probability:g}", where, "give a positive number, or remove it")
        for s in bad
    ]
    total = float(sum(s.probability for s in scenarios))
    if not bad and abs(total - 1) > 1e-9:
        out.append(Finding("probabilities-not-one", f"the probabilities sum to {total:.10g}", where, "let them sum to 1"))
    return out


def _withdrawal(problem: Problem, s: Scenario) -> list[Finding]:
    where = f"scenario {s.name!r}"
    decided = [y for y, free in zip(problem.years, problem.decided, strict=True) if free]
    if s.withdrawal not in decided:
        remedy = f"name a year from {decided[0]} to {decided[-1]}"
        return [Finding("bad-argument", f"policy is withdrawn in {s.withdrawal}, where nothing is decided", where, remedy)]
    if not len(problem.index["instrument"]) or not len(problem.index["segment"]):
        return [Finding("nothing-to-withdraw", "the case has no support", where, "add the tables instruments and uptake")]
    return []


def models(problem: Problem, scenarios: Sequence[Scenario], model: Model | None = None) -> tuple[Model, ...]:
    """A model for each scenario, by the same builder; scenarios with the same changes are built once.

    Prices of falling short are the same in all of them: they are set by typical sizes, which shall not move with a scenario.

    Args:
        problem: the case.
        scenarios: what may come.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: a change adds or removes a block of the model, so that scenarios have different shapes.
    """
    built: dict[object, Model] = {} if model is None else {(): model}
    out = []
    for s in scenarios:
        key = tuple(sorted(((c.scope, c.factor) for c in s.each if c.factor != 1), key=repr))
        if key not in built:
            built[key] = build(multiplied(problem, s.each), like=next(iter(built.values()), None))
        out.append(built[key] if s.withdrawal is None else withdrawn(built[key], s.withdrawal))
    _fail_if_shapes_differ(out, scenarios)
    penalty = (out[0] if model is None else model).program.penalty
    return tuple(replace(m, program=replace(m.program, penalty=penalty)) for m in out)


def _fail_if_shapes_differ(made: Sequence[Model], scenarios: Sequence[Scenario]) -> None:
    first = made[0].program
    findings = []
    for model, s in zip(made[1:], scenarios[1:], strict=True):
        for kind in ("columns", "rows"):
            mine, theirs = (dict(getattr(p, kind)) for p in (first, model.program))
            odd = sorted({n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n)})
            if odd:
                what = f"the {kind} {listed(odd)} are not as in scenario {scenarios[0].name!r}"
                remedy = "let no change make a parameter 0 that was not, nor take a limit away"
                findings.append(Finding("scenario-shape", what, f"scenario {s.name!r}", remedy))
    fail_if_any(findings, "the scenarios", InputError)


def withdrawn(model: Model, year: int) -> Model:
    """The model in which no support is paid from ``year`` on."""
    program = model.program
    start, end, _ = program.columns["support"]
    late = np.zeros(program.shape[1], dtype=bool)
    late[start:end] = column_years(model)[start:end] >= year
    program = replace(program, lower=np.where(late, 0.0, program.lower), upper=np.where(late, 0.0, program.upper))
    return replace(model, program=program)


def column_years(model: Model) -> NDArray[np.int64]:
    """[n] the year of each column; :data:`TIMELESS` for columns of no single year."""
    return _years(model, model.program.columns, model.program.shape[1], "")


def row_years(model: Model) -> NDArray[np.int64]:
    """[m] the year of each row; :data:`TIMELESS` for rows of no single year."""
    return _years(model, model.program.rows, model.program.shape[0], "row:")


def _years(model: Model, blocks: Mapping[str, tuple[int, int, tuple[int, ...]]], n: int, prefix: str) -> NDArray[np.int64]:
    out = np.full(n, TIMELESS, dtype=np.int64)
    for name, (start, end, shape) in blocks.items():
        labels = model.labels.get(f"{prefix}{name}", ())
        axis = next((a for a, index in enumerate(labels) if index.name == "year"), None)
        if axis is not None:
            by = np.asarray(labels[axis], dtype=np.int64).reshape([-1 if a == axis else 1 for a in range(len(shape))])
            out[start:end] = np.broadcast_to(by, shape).ravel()
    return out
