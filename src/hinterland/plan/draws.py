"""The plan made again for many draws of what is not known: how far its numbers spread, and which moves are made whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.plan import draw_frames, frames
from hinterland.plan.affine import AffineProgram, affine_program, program_at
from hinterland.plan.changes import Change
from hinterland.plan.distributions import Distribution, Sampling, fail_if_bad_distributions, quantiles
from hinterland.plan.draw_frames import Answer
from hinterland.plan.model import Model, build
from hinterland.plan.objectives import AIMS
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program, tightened
from hinterland.plan.solve import SolverOptions, solve

__all__ = ["Draws", "draws"]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Plans of many draws.

    Attributes:
        objectives: objective, unit, mean, sd, low, median, high: over the draws that have an answer.
        capacity: region, industry, year, mean, sd, low, median, high; share_of_draws in which capacity has been decided to move there by that year.
        groups: region, group, year, mean, low, high, share_of_draws: the same by host and group of industries (industries, where the case has no groups) at the
            ends of phases.
        moves: source, host, industry, enclave, share (of draws in which the move is made), mean, low, median, high: of what moves in all decided years.
        values: draw, objective, value: what the first table sums up.
        factors: draw, factor, value: what each draw multiplied by.
        solver: draw, status, method, seconds, objective, bound.
        level: part of the draws that lies between low and high.
        written: whether programmes were written down from a few that were built (``affine``) or each was built (``each``).
        notes: what a reader must know.
    """

    objectives: pl.DataFrame
    capacity: pl.DataFrame
    groups: pl.DataFrame
    moves: pl.DataFrame
    values: pl.DataFrame
    factors: pl.DataFrame
    solver: pl.DataFrame
    level: float
    written: Literal["affine", "each"]
    notes: tuple[Note, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        names = ("objectives", "capacity", "moves", "values", "factors", "solver")
        return {"plan_draws": self.groups, **{f"plan_draws_{n}": getattr(self, n) for n in names}}

    def robust_moves(self, share: float) -> pl.DataFrame:
        """Moves that are made in this share of draws or more."""
        return self.moves.filter(pl.col("share") >= share)

    def __repr__(self) -> str:
        return f"Draws({self.solver.height} draws of {self.factors['factor'].n_unique()} factors, {self.moves.filter(pl.col('share') == 1).height} moves in all)"


def draws(
    problem: Problem,
    distributions: Sequence[Distribution],
    n: int,
    *,
    seed: int,
    sampling: Sampling = "latin-hypercube",
    level: float = 0.95,
    executor: Executor | None = None,
    options: SolverOptions | None = None,
    model: Model | None = None,
) -> Draws:
    """Make the plan again for ``n`` joint draws.

    Args:
        problem: the case; its objective is what is made small.
        distributions: of the factors of parameters, independent of each other.
        n: draws; a power of two for ``sobol``.
        seed: of the draws.
        sampling: ``latin-hypercube`` or ``sobol`` (scrambled).
        level: part of the draws between low and high.
        executor: any executor of ``concurrent.futures``, over which draws are spread.
        options: of the solver.
        model: the problem's own model, where it is built already.

    Raises:
        InputError: distributions or numbers that make no sense.
        SolverError: the solver reached no end in a draw.
    """
    fail_if_bad_distributions(problem, distributions)
    u = quantiles(n, len(distributions), seed, sampling)
    factors = np.column_stack([d.factor(u[:, k]) for k, d in enumerate(distributions)])
    scopes = [d.change for d in distributions]
    return resolved(problem, scopes, factors, level=level, executor=executor, options=options, model=model)


def resolved(
    problem: Problem,
    scopes: Sequence[Change],
    factors: Floats,
    *,
    level: float,
    executor: Executor | None,
    options: SolverOptions | None,
    model: Model | None,
) -> Draws:
    """The plan for each row of factors.

    Args:
        problem: the case.
        scopes: [K] what is multiplied; their own factors are not used.
        factors: [n, K].
        level, executor, options, model: as in :func:`draws`.
    """
    if not 0 < level < 1:
        raise InputError(Finding("bad-argument", f"level is {level:g}", "argument level", "give 0 < level < 1, such as 0.95"), "the draws")
    made = build(problem) if model is None else model
    made = replace(made, problem=problem, program=made.program.aimed_at(problem.settings.objective))
    live = (factors != 1.0).any(axis=0)
    moved = tuple(c for c, moves in zip(scopes, live, strict=True) if moves)
    form = affine_program(problem, moved, factors[:, live], made, most=len(factors), executor=executor)
    task = Task(form, problem, moved, made, options, _kept(made))
    answers = _spread(task, factors[:, live], executor)
    good = np.array([a.status in ("optimal", "feasible") for a in answers])
    if not good.any():
        raise InputError(
            Finding(
                "no-answers", "no draw has a plan", "argument distributions", "narrow the ranges: hard constraints contradict each other"
            ),
            "the draws",
        )
    return _gathered(made, scopes, factors, answers, good, level=level, written="each" if form is None else "affine")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """All that a worker needs to solve draws."""

    form: AffineProgram | None
    problem: Problem
    scopes: tuple[Change, ...]
    model: Model
    options: SolverOptions | None
    kept: NDArray[np.int64]

    def __call__(self, factors: Floats) -> list[Answer]:
        """Solve the draws of ``factors`` [n, K]."""
        return [self._answer(self._program(f)) for f in factors]

    def _program(self, factors: Floats) -> Program:
        return self.form.at(factors) if self.form is not None else program_at(self.problem, self.scopes, factors, self.model)

    def _answer(self, program: Program) -> Answer:
        found = solve(program, self.options)
        x = tightened(program, found.x)
        aims = np.array([AIMS[a].sign * float(c @ x) for a, c in program.objectives.items()] + [float(program.penalty @ x)])
        seconds = sum(a.seconds for a in found.attempts)
        return Answer(found.status, found.solver, seconds, found.objective, found.bound, aims, x[self.kept])


def _kept(model: Model) -> NDArray[np.int64]:
    """Columns that are kept of each draw: capacity, then moves."""
    return np.concatenate([np.arange(*model.program.columns[name][:2]) for name in ("capacity", "move")]).astype(np.int64)


def _spread(task: Task, factors: Floats, executor: Executor | None) -> list[Answer]:
    """Every draw, in order; over the executor in parts."""
    if executor is None:
        return task(factors)
    parts = np.array_split(factors, min(len(factors), 16))
    futures = [executor.submit(task, part) for part in parts]
    return [a for f in futures for a in f.result()]


def _gathered(
    made: Model,
    scopes: Sequence[Change],
    factors: Floats,
    answers: Sequence[Answer],
    good: NDArray[np.bool_],
    *,
    level: float,
    written: Literal["affine", "each"],
) -> Draws:
    program = made.program
    start, end, _ = program.columns["capacity"]
    x = np.array([a.x for a in answers])[good]
    held = frames.block(made, "capacity", np.zeros(program.shape[1])).drop("value")
    moves = x[:, end - start :].reshape(len(x), *program.columns["move"][2]) * made.problem.decided
    came = draw_frames.came(made, moves)
    reached = pl.Series((came > 0).mean(axis=0).ravel())
    capacity = held.with_columns(**draw_frames.summary(x[:, : end - start], level), share_of_draws=reached)
    groups = draw_frames.groups_of(made, x[:, : end - start].reshape(came.shape), came, level)
    moved = moves.sum(axis=2)
    values = draw_frames.values_of(made, answers, good)
    notes = [Note("plan-draws", {"n": len(answers), "factors": len(scopes)})]
    if not good.all():
        notes.append(Note("plan-draws-without-answer", {"count": int((~good).sum()), "n": len(answers)}))
    return Draws(
        objectives=draw_frames.objectives_of(values, level),
        capacity=capacity,
        groups=groups,
        moves=draw_frames.moves_of(made, moved, level),
        values=values,
        factors=draw_frames.factors_of(scopes, factors),
        solver=pl.DataFrame(
            [
                {"draw": i, "status": a.status, "method": a.method, "seconds": a.seconds, "objective": a.objective, "bound": a.bound}
                for i, a in enumerate(answers)
            ]
        ),
        level=level,
        written=written,
        notes=tuple(notes),
    )
