"""Several programmes solved one after another with the same options, each recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from hinterland.errors import SolverError
from hinterland.plan.program import Program
from hinterland.plan.solve import Solution, SolverOptions, solve

SCHEMA = {
    **dict.fromkeys(("programme", "scenario", "status", "method"), pl.String()),
    **dict.fromkeys(("seconds", "objective", "bound", "primal_residual"), pl.Float64()),
}


@dataclass(eq=False)
class Logbook:
    """Options, and a row for each programme that was solved with them."""

    options: SolverOptions | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def solve(self, program: Program, name: str, scenario: str | None = None, *, may_fail: bool = False) -> Solution:
        """Solve a programme and record it.

        Args:
            program: to be solved.
            name: what it is for.
            scenario: whose it is.
            may_fail: whether an infeasible one is an answer.

        Raises:
            SolverError: the programme is infeasible or unbounded, or the solver reached no end.
        """
        answer = solve(program, self.options)
        self.rows.append(
            {
                "programme": name,
                "scenario": scenario,
                "status": answer.status,
                "method": answer.solver,
                "seconds": sum(a.seconds for a in answer.attempts),
                "objective": answer.objective,
                "bound": answer.bound,
                "primal_residual": answer.residuals.primal,
            }
        )
        if answer.status == "unbounded" or (answer.status == "infeasible" and not may_fail):
            where = f" of scenario {scenario!r}" if scenario else ""
            raise SolverError(f"the programme {name!r}{where} is {answer.status}: hard rows contradict each other")
        return answer

    @property
    def frame(self) -> pl.DataFrame:
        """One row per programme: programme, scenario, status, method, seconds, objective, bound, primal_residual."""
        return pl.DataFrame(self.rows, schema=SCHEMA)
