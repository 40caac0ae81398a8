"""Plans whose moves are too many to be in one model: column generation, with a certificate.

A model with a few moves is solved; every move that it lacks is priced by its duals in one pass over arrays; those that would pay most enter; and so on until
none would pay (Ford and Fulkerson 1958; Gilmore and Gomory 1961). Where industries do not use each other's goods, a round is taken apart by industry
(:mod:`hinterland.plan.decompose`), and its time grows with their number and not faster. Where they do, it is one programme, solved by an interior point without
crossover where the solver has one: its duals lie in the middle of the optimal face, and are not thrown from corner to corner as a vertex's are (Gondzio,
González-Brevis and Munari 2013).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, SolverError
from hinterland.labels import Note
from hinterland.plan.arcs import Mask, with_arcs
from hinterland.plan.certify import Certificate, Prices, distance, lower_bound, priced_by
from hinterland.plan.decompose import Decomposition
from hinterland.plan.entry import plan_of
from hinterland.plan.model import Model, build
from hinterland.plan.moves import with_moves
from hinterland.plan.parts import Apart, share_of_ties, taken_apart
from hinterland.plan.problem import Problem
from hinterland.plan.result import Plan
from hinterland.plan.screen import best_of_ends, screened
from hinterland.plan.solve import Solution, SolverOptions, solve
from hinterland.plan.subproblem import Limits

__all__ = ["Certificate", "Generated", "Generation", "solve_by_columns"]


FEW = 1 / 6
"""Share of rows that tie industries up to which rounds are taken apart.

Resources, labour and budgets of places tie one row in ten or fewer; goods that industries use of each other tie a quarter, and with prices for all of those the
parts know little of the whole.
"""


@dataclass(frozen=True, slots=True)
class Generation:
    """How columns are generated.

    Attributes:
        hosts: how many hosts each source's industry has in the first model.
        per_cell: how many moves from one cell may enter in a round, and how many to one cell.
        batch: how many moves may enter in a round that is not taken apart.
        tolerance: below which size a negative reduced cost counts as none, 100m yuan per 100m yuan of yearly output.
        gap: relative distance of the bound at which the rounds end as well.
        rounds: how often the model is solved at most.
        apart: whether rounds are taken apart by industry; by default where the rows that tie industries are few (:data:`FEW`).
    """

    hosts: int = 3
    per_cell: int = 4
    batch: int = 100_000
    tolerance: float = 1e-6
    gap: float = 1e-7
    rounds: int = 30
    apart: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """A plan with the moves that pay, and how far it can be from the plan with all of them.

    Attributes:
        plan: over the moves that entered; its problem has only those.
        certificate: of the last round.
        history: one row for each time the model was solved: arcs, columns, rows, objective, bound, gap, minimum, entered, seconds_solve, seconds_parts,
            seconds_all. ``entered`` counts moves, or variables where rounds are taken apart; ``seconds_parts`` is what the parts took, side by side.
        inside: [arc] which arcs of the whole problem entered.
    """

    plan: Plan
    certificate: Certificate
    history: pl.DataFrame
    inside: Mask

    def __repr__(self) -> str:
        return f"Generated({self.plan!r}, {self.certificate!r})"


def solve_by_columns(
    problem: Problem, objective: str | None = None, *, generation: Generation | None = None, options: SolverOptions | None = None
) -> Generated:
    """The plan that makes an objective best, when not all moves fit into one model.

    Args:
        problem: with every admissible arc; without the table ``arcs`` all are.
        objective: as for :func:`hinterland.plan`.
        generation: how columns are generated.
        options: of the solver; with ``crossover`` the last model is brought to a vertex, where its answer is none.

    Raises:
        InputError: the case has agreements or other whole variables, whose model has no duals to price moves with.
        SolverError: a model without an optimum.
    """
    how, chosen = generation or Generation(), options or SolverOptions()
    problem = problem.with_settings(objective=objective or problem.settings.objective)
    _fail_if_agreements(problem)
    inside = screened(problem, how.hosts).kept
    made = _model(problem, inside)
    apart = taken_apart(made)
    few = share_of_ties(apart, made.program) <= FEW if how.apart is None else how.apart
    if few and len(apart.parts) > 1:
        return _by_parts(problem, made, apart, inside, how=how, options=chosen)
    return _in_one(problem, made, inside, how, chosen)


def _by_parts(problem: Problem, made: Model, apart: Apart, inside: Mask, *, how: Generation, options: SolverOptions) -> Generated:
    """Rounds taken apart by industry."""
    limits = Limits(how.per_cell, how.tolerance, how.gap, how.rounds, options)
    found = Decomposition(problem, made, apart, inside, limits).solved()
    certificate = _certificate(
        found.rounds[-1] | {"minimum": found.prices.minimum},
        found.prices,
        len(inside),
        found.bound.residual,
        rounds=len(found.rounds),
        tolerance=how.tolerance,
        settled=found.settled,
    )
    return _generated(plan_of(found.made, found.answer), certificate, found.rounds, found.inside)


def _in_one(problem: Problem, made: Model, inside: Mask, how: Generation, chosen: SolverOptions) -> Generated:
    """Rounds in which the model is one programme."""
    rounds: list[dict[str, float]] = []
    bound = -np.inf
    while True:
        started = time.perf_counter()
        made = with_moves(made, problem, inside) if rounds else made
        answer = _optimum(made, replace(chosen, crossover=False))
        prices, low, residual = _priced(problem, made, answer, inside)
        bound = max(bound, low)
        gap = distance(answer.objective, bound)
        done = prices.minimum >= -how.tolerance or gap <= how.gap or len(rounds) + 1 >= how.rounds
        entering = np.zeros(0, dtype=np.int64) if done else chosen_arcs(problem, prices, inside, how)
        rounds.append(_round(made, answer, prices, bound=bound, gap=gap, entered=len(entering), started=started))
        if not len(entering):
            break
        inside[entering] = True
    certificate = _certificate(rounds[-1], prices, len(inside), residual, rounds=len(rounds), tolerance=how.tolerance)
    if chosen.crossover and not answer.crossover:
        answer = _optimum(made, chosen)
    return _generated(plan_of(made, answer), certificate, rounds, inside)


def _generated(plan: Plan, certificate: Certificate, rounds: list[dict[str, float]], inside: Mask) -> Generated:
    proven = {name: getattr(certificate, name) for name in ("arcs", "arc_years", "excluded", "minimum", "tolerance", "rounds", "complete")}
    told = replace(
        plan, notes=(*plan.notes, _note(certificate)), solver={**plan.solver, **proven, "bound": certificate.bound, "gap": certificate.gap}
    )
    return Generated(replace(told, gap=certificate.gap), certificate, pl.DataFrame(rounds), inside)


def chosen_arcs(problem: Problem, prices: Prices, inside: Mask, how: Generation) -> np.ndarray:
    """Positions of the arcs that enter: the largest gains of each source's and each host's cell, no more than the batch; none that is in already."""
    gain = np.where(inside, 0.0, prices.gain)
    at = np.flatnonzero(gain > 0)
    source, host = (problem.links[f"arc.{end}"][at] for end in ("source", "host"))
    at = at[best_of_ends(source, host, -gain[at], how.per_cell)]
    return np.sort(at[np.argsort(-gain[at], kind="stable")[: how.batch]])


def _fail_if_agreements(problem: Problem) -> None:
    if (problem.links["arc.enclave"] >= 0).any():
        what = "moves under agreements are tied by more than what leaves and arrives"
        raise InputError(Finding("columns-agreements", what, "enclaves", "leave the agreements out, or plan with all moves"), "the plan")


def _model(problem: Problem, inside: Mask) -> Model:
    made = build(with_arcs(problem, inside))
    if made.program.is_mixed:
        what = f"{int(made.program.integral.sum())} variables must be whole, so that no duals price what is left out"
        raise InputError(Finding("columns-whole", what, "[case] off", "leave out the families with whole variables"), "the plan")
    return made


def _optimum(made: Model, options: SolverOptions) -> Solution:
    answer = solve(made.program, options)
    if answer.status != "optimal" or answer.y is None:
        raise SolverError(f"a model of {made.program.shape[1]} columns is {answer.status}: moves can be priced at an optimum only")
    return answer


def _priced(problem: Problem, made: Model, answer: Solution, inside: Mask) -> tuple[Prices, float, float]:
    y = answer.y
    if y is None:
        raise SolverError("the model has no duals")
    prices = priced_by(made.program, y, problem, inside)
    bound, residual = lower_bound(made.program, y, answer.objective, problem, prices)
    return prices, bound, residual


def _round(made: Model, answer: Solution, prices: Prices, *, bound: float, gap: float, entered: int, started: float) -> dict[str, float]:
    m, n = made.program.shape
    return {
        "arcs": len(made.problem.index["arc"]),
        "columns": n,
        "rows": m,
        "objective": answer.objective,
        "bound": bound,
        "gap": gap,
        "minimum": prices.minimum,
        "entered": entered,
        "seconds_solve": sum(a.seconds for a in answer.attempts),
        "seconds_parts": 0.0,
        "seconds_all": time.perf_counter() - started,
    }


def _certificate(
    last: dict[str, float], prices: Prices, arcs: int, residual: float, *, rounds: int, tolerance: float, settled: bool = True
) -> Certificate:
    return Certificate(
        arcs=arcs,
        arc_years=prices.priced,
        excluded=arcs - int(last["arcs"]),
        minimum=prices.minimum,
        tolerance=tolerance,
        objective=last["objective"],
        bound=last["bound"],
        gap=last["gap"],
        dual_residual=residual,
        rounds=rounds,
        complete=settled and prices.minimum >= -tolerance,
    )


def _note(c: Certificate) -> Note:
    told = {"excluded": c.excluded, "arcs": c.arcs, "minimum": c.minimum, "bound": c.bound, "gap": c.gap, "rounds": c.rounds}
    return Note(_outcome(c), told)


def _outcome(c: Certificate) -> str:
    """The note that says how the rounds ended."""
    if c.complete:
        return "plan-certified"
    if not np.isfinite(c.bound):
        return "plan-columns-unbounded"
    return "plan-columns-stopped" if c.minimum < -c.tolerance else "plan-parts-stopped"
