"""The plan of a study: its problem solved once, and once more without spatial roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hinterland.study.planning import asked

if TYPE_CHECKING:
    from hinterland.plan.result import Plan
    from hinterland.plan.solve import SolverOptions
    from hinterland.study.schema import Study
    from hinterland.study.workspace import Workspace


def solver_options(study: Study) -> SolverOptions:
    """The options of the solver, as the study gives them."""
    from hinterland.plan.solve import SolverOptions

    return SolverOptions(**asked(study).solver.model_dump())


def planned(work: Workspace) -> Plan:
    """The plan of the study's problem.

    Raises:
        StudyError: what is wrong with the case.
        SolverError: the solver did not do what it was asked for.
    """
    from hinterland.plan.entry import plan

    return plan(work.problem, options=solver_options(work.study))


def planned_without_roles(work: Workspace) -> Plan | None:
    """The plan of the same problem without spatial roles; ``None`` where there are none, or the study does not ask for it."""
    from hinterland.plan.entry import plan

    problem = work.problem
    if not asked(work.study).without_roles or problem.settings.roles is False or not len(problem.index["role"]):
        return None
    return plan(problem.with_settings(roles=False), options=solver_options(work.study))
