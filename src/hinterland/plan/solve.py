"""Solve a programme with HiGHS, and record which of its solvers answered.

HiGHS falls back by itself where a solver is not there or gives up: a wheel without HiPO answers by simplex and says so in its log only. Here the log is read;
an answer from another solver than the one asked for is an error. A ladder of solvers is climbed in the open: each attempt is recorded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, SolverError
from hinterland.plan.mixed import candidates, held
from hinterland.plan.program import Program, Residuals, residuals

Method = Literal["auto", "simplex", "ipx", "hipo"]
Status = Literal["optimal", "feasible", "infeasible", "unbounded", "unknown"]

Places = NDArray[np.int8]

SMALL = 30_000
"""Nonzeros up to which the simplex method answers as quickly as an interior point."""
DOUBTED = ("hipo",)
"""Solvers that have called programmes infeasible which others solved: the ladder asks the next one before it believes them."""
LARGE_MIXED = 200_000
"""Nonzeros from which whole variables are chosen from the relaxation instead of by branch and bound."""
DENSE = 5.0
"""Entries that an entry shares its column with, on average, from which a factor of the normal equations fills up.

Technical coefficients tie the rows of a region and a year together, and trade those of a year: HiPO factors them, IPX does not. Measured on provinces with
12 industries and 6 years (16 entries): IPX 3.3 s, HiPO 39 s; smaller ones with every family (8 entries): IPX 0.9 s, HiPO 4.6 s.
"""
SPARSE = 1_000_000
"""Nonzeros up to which a programme that is not dense is given to the simplex method first, for :data:`TRIAL` seconds.

Measured on cities without coefficients (3 entries): 151 thousand nonzeros 0.7 s where HiPO takes 4.6, 298 thousand 1.9 and 18, 886 thousand 18 and 61; the last with twice
as many moves 112 and 110.
"""
TRIAL = 120.0
"""Seconds after which the next solver of the ladder is asked, where the simplex method is the first of a large programme."""
_LADDERS: dict[str, tuple[str, ...]] = {
    "small": ("simplex", "ipx"),
    "sparse": ("simplex", "hipo", "ipx"),
    "large": ("hipo", "ipx", "simplex"),
    "dense": ("ipx", "hipo", "simplex"),
}


@dataclass(frozen=True, slots=True)
class SolverOptions:
    """How to solve.

    Attributes:
        method: ``auto`` climbs a ladder: simplex then IPX for small programmes; simplex for a trial, then HiPO and IPX for larger ones whose columns have few entries;
            HiPO, IPX, simplex for very large ones; IPX first where columns are dense. Any other name asks for one solver only.
        crossover: whether an interior point is brought to a vertex; published results are.
        time_limit: seconds for each attempt.
        gap: relative gap at which a mixed-integer programme is done.
        threads: threads of the solver; 0 lets it choose.
        tolerance: of feasibility and optimality.
    """

    method: Method = "auto"
    crossover: bool = True
    time_limit: float = 3600.0
    gap: float = 1e-3
    threads: int = 0
    tolerance: float = 1e-7


@dataclass(frozen=True, slots=True)
class Attempt:
    """One solver tried: what it was asked to be, what it answered, how long it took."""

    method: str
    status: Status
    seconds: float
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What a solver answered.

    Attributes:
        status: of the last attempt.
        x: [n] primal values; all not a number where there are none.
        y: [m] duals, the change of the optimum per unit of the row's side; ``None`` for whole variables.
        objective: value of the objective.
        bound: best bound; the objective where a linear programme is optimal, not a number where it is not.
        gap: relative distance of objective and bound; not a number where there is no bound.
        residuals: how well the answer satisfies the conditions of optimality, checked without the solver.
        attempts: every solver tried, the last one answered.
        version: of HiGHS.
        crossover: whether the answer is a vertex.
        basis: [n] and [m] where the vertex puts columns and rows, as HiGHS numbers it; ``None`` where the answer is no vertex.
    """

    status: Status
    x: NDArray[np.float64]
    y: NDArray[np.float64] | None
    objective: float
    bound: float
    gap: float
    residuals: Residuals
    attempts: tuple[Attempt, ...]
    version: str
    crossover: bool
    log: tuple[str, ...] = field(default=(), repr=False)
    basis: tuple[Places, Places] | None = field(default=None, repr=False)

    @property
    def solver(self) -> str:
        """Which solver answered: of those with the answer's status, the last."""
        return next((a.method for a in reversed(self.attempts) if a.status == self.status), self.attempts[-1].method)


def solve(program: Program, options: SolverOptions | None = None) -> Solution:
    """Solve a programme.

    Raises:
        SolverError: HiGHS took another solver than it was asked for, or none of the ladder reached an end.
        InputError: options that HiGHS refuses.
    """
    chosen = options or SolverOptions()
    if program.is_mixed and program.matrix.nnz > LARGE_MIXED:
        return _relaxed_and_held(program, chosen)
    first, *others = _ladder(program, chosen)
    trial = first == "simplex" and len(others) > 1
    answer = _attempt(program, first, replace(chosen, time_limit=min(chosen.time_limit, TRIAL)) if trial else chosen)
    done = [*answer.attempts]
    for method in others:
        if answer.status == "optimal" or (answer.status in ("infeasible", "unbounded") and answer.solver not in DOUBTED):
            break
        other = _attempt(program, method, chosen)
        done += other.attempts
        answer = _better(answer, other)
    answer = replace(answer, attempts=tuple(done))
    if answer.status == "unknown":
        tried = ", ".join(f"{a.method} ({a.seconds:.0f} s)" for a in done)
        raise SolverError(f"no solver reached an end: {tried}; raise time_limit, or make the problem smaller")
    return answer


def _relaxed_and_held(program: Program, options: SolverOptions) -> Solution:
    """Relax, hold whole variables at values that the logic allows, solve again (:mod:`hinterland.plan.mixed`); stop once the gap is small enough."""
    relaxed = solve(program.relaxed(), replace(options, crossover=False))
    if relaxed.status != "optimal":
        return relaxed
    done, best = [replace(a, method=f"{a.method}, relaxed") for a in relaxed.attempts], None
    for values in candidates(program, relaxed.x, lambda small: _whole(small, options)):
        tried = solve(held(program, values), options)
        done += [replace(a, method=f"{a.method}, held") for a in tried.attempts]
        if tried.status == "optimal" and (best is None or tried.objective < best.objective):
            best = tried
        if best is not None and _gap(best.objective, relaxed.objective) <= options.gap:
            break
    if best is None:
        raise SolverError("no choice of whole variables that the logic allows leaves a plan; the relaxation has one")
    gap = _gap(best.objective, relaxed.objective)
    status: Status = "optimal" if gap <= options.gap else "feasible"
    check = residuals(program, best.x, None)
    return replace(best, status=status, bound=relaxed.objective, gap=gap, residuals=check, attempts=tuple(done))


def _whole(small: Program, options: SolverOptions) -> NDArray[np.float64] | None:
    """The solution of a programme of whole variables only."""
    found = _attempt(small, "mip", replace(options, gap=0.0))
    return found.x if found.status == "optimal" else None


def _better(one: Solution, other: Solution) -> Solution:
    """The answer that says more: a feasible one is kept where the next solver found nothing, or nothing less costly."""
    if one.status == "feasible" and (other.status == "unknown" or (other.status == "feasible" and one.objective < other.objective)):
        return one
    return other


def _ladder(program: Program, options: SolverOptions) -> tuple[str, ...]:
    if program.is_mixed:
        return ("mip",)
    if options.method != "auto":
        return (options.method,)
    if program.matrix.nnz <= SMALL:
        return _LADDERS["small"]
    if shared(program) >= DENSE:
        return _LADDERS["dense"]
    return _LADDERS["sparse" if program.matrix.nnz <= SPARSE else "large"]


def shared(program: Program) -> float:
    """Entries in the column of an entry of the matrix, on average."""
    in_column = np.bincount(program.matrix.indices, minlength=program.shape[1]).astype(float)
    return float((in_column**2).sum() / max(in_column.sum(), 1.0))


def _attempt(program: Program, method: str, options: SolverOptions) -> Solution:
    started = time.perf_counter()
    solver, lines = opened(program)
    for name, value in _options(method, options).items():
        set_option(solver, name, value)
    solver.run()
    return answered(solver, program, method, lines, seconds=time.perf_counter() - started, vertex=options.crossover)


def opened(program: Program) -> tuple[Any, list[str]]:
    """HiGHS with the programme in it, and the list into which it writes its log."""
    import highspy

    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    lines: list[str] = []
    set_option(solver, "log_to_console", False)
    solver.cbLogging += lambda event: lines.append(event.message)
    if solver.passModel(_lp(program)) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refused the programme: a coefficient, a bound or a cost is not a number")
    return solver, lines


def answered(solver: Any, program: Program, method: str, lines: list[str], *, seconds: float, vertex: bool) -> Solution:
    """What HiGHS has answered about ``program``, checked.

    Args:
        solver: HiGHS after a run.
        program: what was solved, as it stands now.
        method: the solver that was asked for.
        lines: the log of the run.
        seconds: that it took.
        vertex: whether an interior point was to be brought to a vertex.

    Raises:
        SolverError: another solver answered than the one that was asked for.
    """
    status = _status(solver)
    info = solver.getInfo()
    _fail_if_fallen_back(method, lines, info)
    found = solver.getSolution()
    x = np.array(found.col_value, dtype=float) if found.value_valid else np.full(program.shape[1], np.nan)
    y = np.array(found.row_dual, dtype=float) if found.dual_valid and not program.is_mixed else None
    whole = program.is_mixed
    objective = float(program.cost @ x) + program.constant if found.value_valid else np.nan
    bound = float(info.mip_dual_bound) if whole else objective if status == "optimal" else np.nan
    gap = _gap(objective, bound) if whole else 0.0 if status == "optimal" else np.nan
    check = residuals(program, x, y) if found.value_valid else Residuals(np.nan, np.nan, np.nan, np.nan)
    attempt = Attempt(method, status, seconds, _iterations(info))
    at_vertex = whole or method == "simplex" or vertex
    basis = _basis(solver) if at_vertex and not whole and status == "optimal" else None
    return Solution(status, x, y, objective, bound, gap, check, (attempt,), solver.version(), at_vertex, tuple(lines), basis)


def _basis(solver: Any) -> tuple[Places, Places] | None:
    """Where the last vertex puts columns and rows."""
    found = solver.getBasis()
    if not found.valid:
        return None
    columns, rows = (np.fromiter(map(int, places), dtype=np.int8) for places in (found.col_status, found.row_status))
    return columns, rows


def _options(method: str, options: SolverOptions) -> dict[str, object]:
    values: dict[str, object] = {
        "time_limit": options.time_limit,
        "threads": options.threads,
        "primal_feasibility_tolerance": options.tolerance,
        "dual_feasibility_tolerance": options.tolerance,
    }
    if method == "mip":
        return values | {"mip_rel_gap": options.gap}
    return values | {"solver": method, "run_crossover": "on" if options.crossover else "off"}


def set_option(solver: object, name: str, value: object) -> None:
    """Set an option; one that HiGHS refuses is an error, since it would go on without it.

    HiGHS keeps the threads of its last run, and refuses to run with another number of them until they are given up.
    """
    import highspy

    if name == "threads" and value:
        highspy.Highs.resetGlobalScheduler(True)
    if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:  # type: ignore[attr-defined]
        what = f"HiGHS refuses {name} = {value!r}"
        raise InputError(
            Finding("solver-option", what, "solver options", "install highspy-extras for hipo, or choose another method"), "the solver"
        )


def _lp(program: Program) -> Any:
    import highspy

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = program.shape[1], program.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.offset_ = program.constant
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = program.shape[1], program.shape[0]
    lp.a_matrix_.start_ = program.matrix.indptr
    lp.a_matrix_.index_ = program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    if program.is_mixed:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(w)] for w in program.integral]
    return lp


def _status(solver: object) -> Status:
    import highspy

    kind = highspy.HighsModelStatus
    found = solver.getModelStatus()  # type: ignore[attr-defined]
    if found == kind.kOptimal:
        return "optimal"
    if found == kind.kInfeasible:
        return "infeasible"
    if found in (kind.kUnbounded, kind.kUnboundedOrInfeasible):
        return "unbounded"
    info = solver.getInfo()  # type: ignore[attr-defined]
    return "feasible" if info.primal_solution_status == 2 else "unknown"


_WORDS = ("falling back", "fallback", "switching to", "not available", "using ipx instead", "using simplex instead")


def _fail_if_fallen_back(method: str, lines: list[str], info: object) -> None:
    """The solver that was asked for must be the one that answered."""
    said = [line.strip() for line in lines if any(w in line.lower() for w in _WORDS)]
    interior, simplex, crossed = (int(getattr(info, f"{k}_iteration_count")) for k in ("ipm", "simplex", "crossover"))
    quiet = method in ("hipo", "ipx") and interior == 0 and crossed <= 0 and simplex > 0
    if said or quiet:
        what = said[0] if said else f"{simplex} simplex iterations and none of an interior point"
        raise SolverError(f"HiGHS was asked for {method} and answered with another solver: {what}")


def _iterations(info: object) -> int:
    return max(int(getattr(info, k)) for k in ("ipm_iteration_count", "simplex_iteration_count", "mip_node_count"))


def _gap(objective: float, bound: float) -> float:
    return float(abs(objective - bound) / max(abs(objective), 1e-9)) if np.isfinite(objective) and np.isfinite(bound) else np.nan
