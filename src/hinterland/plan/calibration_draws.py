"""Plans for draws of the estimates: intervals of a plan that come from how well a programme's effect is known."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from typing import Literal

import numpy as np

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.plan.calibration import fail_if_unfit
from hinterland.plan.draws import Draws, resolved
from hinterland.plan.evidence import Evidence, evidence_draws
from hinterland.plan.levers import levers_of
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.rules import Rules
from hinterland.plan.solve import SolverOptions
from hinterland.plan.usable import usable

__all__ = ["calibrated_draws"]


def calibrated_draws(
    problem: Problem,
    evidence: Evidence,
    rules: Rules,
    n: int,
    *,
    seed: int,
    elasticities: Literal["fixed", "range"],
    level: float = 0.95,
    executor: Executor | None = None,
    options: SolverOptions | None = None,
    model: Model | None = None,
) -> Draws:
    """Calibrate and plan for ``n`` draws of the estimates.

    Args:
        problem: the case, not calibrated.
        evidence: estimates, drawn from the normal distribution with their covariance.
        rules: as in :func:`hinterland.plan.calibration.calibration`.
        n: draws.
        seed: of the draws.
        elasticities: ``fixed`` where intervals shall come from the estimates alone, or drawn uniformly from their ``range`` too.
        level, executor, options: as in :func:`hinterland.plan.draws.draws`.
        model: of the problem that is not calibrated, where it is built already.

    Raises:
        InputError: as in calibration, or a choice that does not exist.
    """
    if elasticities not in ("fixed", "range"):
        what = f"elasticities is {elasticities!r}"
        raise InputError(Finding("bad-argument", what, "argument elasticities", "choose fixed or range"), "the draws")
    fail_if_unfit(problem, evidence, rules)
    used = usable(evidence, rules)
    levers, notes = levers_of(problem, evidence, rules)
    theta = used.moved(evidence, evidence_draws(evidence, n, seed=seed))
    kappa = _elasticities(rules, n, seed, elasticities)
    factors = np.column_stack([np.exp(lever.logarithm(rules.transmissions, evidence, theta, kappa)) for lever in levers])
    found = resolved(problem, [lever.change for lever in levers], factors, level=level, executor=executor, options=options, model=model)
    said = Note("evidence-draws-fixed" if elasticities == "fixed" else "evidence-draws-range", {"n": n})
    return replace(found, notes=(*found.notes, said, *evidence.notes, *used.notes, *notes))


def _elasticities(rules: Rules, n: int, seed: int, how: str) -> Floats:
    """[n, R] elasticities of each draw."""
    if how == "fixed":
        return np.tile([t.elasticity for t in rules.transmissions], (n, 1))
    low, high = (np.array([getattr(t, end) for t in rules.transmissions]) for end in ("low", "high"))
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    return np.asarray(rng.uniform(low, high, (n, len(low))))
