"""What a front may be asked for: checked before anything is solved, every problem at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hinterland.errors import EstimationError, Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.labels import Note
from hinterland.plan.entry import plan, plan_of
from hinterland.plan.hold import Known, slight
from hinterland.plan.mixed import held
from hinterland.plan.model import Model, build
from hinterland.plan.objectives import AIMS
from hinterland.plan.payoff import Payoff
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan
from hinterland.plan.solve import SolverOptions, solve

MOST = 100
"""Positions of a grid beyond which a front is refused."""


def model_of(case: Problem | Plan) -> Model:
    """The model of a plan, or of a problem."""
    return case.model if isinstance(case, Plan) else build(case)


def whole_held(case: Problem | Plan, options: SolverOptions | None) -> tuple[Plan, tuple[Note, ...]]:
    """The plan with its whole decisions fixed where they are, so that what is asked of it is linear; a problem is planned first. And the note that says so.

    Raises:
        InputError, SolverError: as :func:`hinterland.plan`.
    """
    found = case if isinstance(case, Plan) else plan(case, options=options)
    program = found.model.program
    if not program.is_mixed:
        return found, ()
    fixed = held(program, np.round(found.solution.x[program.integral]))
    return plan_of(replace(found.model, program=fixed, trace=None), solve(fixed, options)), (Note("plan-whole-held", {}),)


def known_of(case: Problem | Plan, aim: str) -> Known | None:
    """What a plan tells about its programme; ``None`` of a problem, of which nothing is known.

    A plan that falls short of nothing and is best in ``aim`` is best among all that fall short of nothing as well.
    """
    if not isinstance(case, Plan):
        return None
    found, penalty = case.solution, float(case.model.program.penalty @ case.solution.x)
    if abs(penalty) <= slight(found.objective):
        penalty = 0.0
    proven = case.objective == aim and found.status == "optimal" and (found.basis is not None or case.model.program.is_mixed)
    return Known(penalty, found if proven else None)


def counts_of(objectives: Sequence[str], points: int | Sequence[int]) -> tuple[int, ...]:
    """Number of levels of each limited objective.

    Raises:
        InputError: objectives or numbers that cannot be.
    """
    limited = max(len(objectives) - 1, 0)
    counts = (int(points),) * limited if isinstance(points, int) else tuple(int(p) for p in points)
    findings = _number(objectives) + _repeated(objectives)
    if len(counts) != limited:
        what = f"points has {len(counts)} numbers for {limited} limited objectives"
        findings.append(
            Finding("points-per-objective", what, "argument points", "give one for each objective after the first, or one number")
        )
    if any(c < 2 for c in counts):
        findings.append(Finding("too-few-points", f"points is {listed(counts)}", "argument points", "give at least 2: both ends"))
    elif math.prod(counts) > MOST and limited <= 2:
        what = f"{' × '.join(map(str, counts))} = {math.prod(counts)} positions, more than {MOST}"
        findings.append(Finding("too-many-points", what, "argument points", "ask for fewer, or make one objective a floor"))
    fail_if_any(findings, "the front", InputError)
    return counts


def _number(objectives: Sequence[str]) -> list[Finding]:
    if 2 <= len(objectives) <= 3:
        return []
    what = f"{len(objectives)} objectives: a front is drawn for two or three"
    remedy = "name at least two" if len(objectives) < 2 else "keep two or three, and give the others as floors"
    return [Finding("number-of-objectives", what, "argument objectives", remedy)]


def _repeated(objectives: Sequence[str]) -> list[Finding]:
    again = sorted({o for o in objectives if list(objectives).count(o) > 1})
    return [Finding("repeated-objective", f"{listed(again)} is there twice", "argument objectives", "name each once")] if again else []


def fail_if_not_possible(made: Model, objectives: Sequence[str], floors: Mapping[str, float]) -> None:
    """Objectives and floors must be what the case's tables allow, and a floor no active objective.

    Raises:
        InputError: what is not.
    """
    have = made.program.objectives
    findings = []
    for where, names in (("argument objectives", objectives), ("argument floors", floors)):
        for name in names:
            if name not in AIMS:
                findings.append(Finding("unknown-objective", f"there is no objective {name!r}", where, did_you_mean(name, AIMS)))
            elif name not in have:
                what = f"the case's tables do not allow the objective {name!r}"
                findings.append(Finding("objective-not-possible", what, where, "use " + ", ".join(have)))
    both = [n for n in floors if n in objectives]
    if both:
        what = f"{listed(both)} is an objective of the front and has a floor"
        findings.append(Finding("floor-of-objective", what, "argument floors", "leave it in one of them"))
    fail_if_any(findings, "the front", InputError)


def fail_if_flat(payoff: Payoff, penalty: float) -> None:
    """Objectives must conflict.

    Raises:
        EstimationError: some are at their best whatever else is made best.
    """
    if not payoff.flat:
        return
    what = f"objectives do not conflict: {listed(payoff.flat)} is at its best whatever else is made best"
    others = [n for n in payoff.names if n not in payoff.flat]
    remedy = f"leave it out: {listed(others)} are a front without it" if len(others) > 1 else "one plan is best in all: hl.plan gives it"
    if penalty > 0:
        remedy += f"; or allow a margin of shortfall: the least penalty, {penalty:.4g}, is kept and leaves little to choose"
    raise EstimationError(Finding("no-conflict", what, "argument objectives", remedy), "the front")
