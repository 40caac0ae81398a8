"""The plan of a study: its problem calibrated by evidence and solved, and what is asked about it beyond."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hinterland.errors import InputError, StudyError
from hinterland.study.planning import asked
from hinterland.study.preparing import placed

if TYPE_CHECKING:
    from hinterland.plan.calibration import Calibration
    from hinterland.plan.evidence import Evidence
    from hinterland.plan.problem import Problem
    from hinterland.plan.result import Plan
    from hinterland.plan.rules import Rules
    from hinterland.plan.scenarios import Scenario
    from hinterland.plan.solve import SolverOptions
    from hinterland.study.schema import Study
    from hinterland.study.schema_pathway import EvidenceTable
    from hinterland.study.workspace import Workspace


def solver_options(study: Study) -> SolverOptions:
    """The options of the solver, as the study gives them."""
    from hinterland.plan.solve import SolverOptions

    return SolverOptions(**asked(study).solver.model_dump())


def calibrated(work: Workspace) -> Calibration | None:
    """The problem as the evidence changes it; ``None`` where the study gives none.

    Raises:
        StudyError: evidence, rules or case that do not fit each other.
    """
    table = asked(work.study).evidence
    if table is None:
        return None
    from hinterland.plan.calibration import calibration

    try:
        return calibration(work.problem, evidence_of(work, table), rules_of(table))
    except InputError as error:
        raise StudyError([placed(work, ("plan", "evidence"), f) for f in error.findings], "plan") from error


def evidence_of(work: Workspace, table: EvidenceTable) -> Evidence:
    """The estimates: of the record that this run is writing, or of another."""
    from hinterland.plan.evidence_record import read_evidence

    tables = work.tables_so_far() if table.record == "this" else Path(work.path(table.record))
    return read_evidence(tables, table.outcome, moderator=table.moderator, mediators=table.mediators, unit=table.unit, level=table.level)


def rules_of(table: EvidenceTable) -> Rules:
    """The rules, as the study gives them."""
    from hinterland.plan.rules import Rules, Transmission

    return Rules(tuple(Transmission(outcome=table.outcome, **rule.model_dump()) for rule in table.rule), table.weak)


def planned(work: Workspace) -> Plan:
    """The plan of the study's problem, calibrated where there is evidence.

    Raises:
        StudyError: what is wrong with the case.
        SolverError: the solver did not do what it was asked for.
    """
    found = work.calibration
    made = _solved(work, problem_to_solve(work))
    return made if found is None else replace(made, notes=(*made.notes, *found.notes))


def _solved(work: Workspace, problem: Problem) -> Plan:
    """The plan of a problem: in one model, or by column generation where the study asks for it."""
    from hinterland.plan.columns import Generation, solve_by_columns
    from hinterland.plan.entry import plan

    columns, options = asked(work.study).columns, solver_options(work.study)
    if columns is None:
        return plan(problem, options=options)
    try:
        return solve_by_columns(problem, generation=Generation(**columns.model_dump()), options=options).plan
    except InputError as error:
        raise StudyError([placed(work, ("plan", "columns"), f) for f in error.findings], "plan") from error


def problem_to_solve(work: Workspace) -> Problem:
    """The problem, calibrated where there is evidence."""
    return work.problem if work.calibration is None else work.calibration.problem


def planned_without_roles(work: Workspace) -> Plan | None:
    """The plan of the same problem without spatial roles; ``None`` where there are none, or the study does not ask for it."""
    problem = problem_to_solve(work)
    if not asked(work.study).without_roles or problem.settings.roles is False or not len(problem.index["role"]):
        return None
    return _solved(work, problem.with_settings(roles=False))


def scenarios_of(study: Study) -> tuple[Scenario, ...]:
    """The scenarios, as the study gives them."""
    from hinterland.plan.scenarios import Scenario

    return tuple(Scenario(s.name, s.probability, s.factors, s.withdrawal) for s in asked(study).scenario)
