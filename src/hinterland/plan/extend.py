"""Programmes with further columns and rows, and with columns held at values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.program import Floats, Program
from hinterland.plan.solve import Solution, SolverOptions, solve


def with_columns(program: Program, cost: Floats, lower: Floats, upper: Floats, name: str) -> Program:
    """The programme with a further block of continuous columns that are in no row yet."""
    m, n = program.shape
    k = len(cost)
    zero = np.zeros(k)
    return replace(
        program,
        cost=np.concatenate([program.cost, cost]),
        matrix=sp.csr_array((program.matrix.data, program.matrix.indices, program.matrix.indptr), shape=(m, n + k)),
        lower=np.concatenate([program.lower, lower]),
        upper=np.concatenate([program.upper, upper]),
        integral=np.concatenate([program.integral, np.zeros(k, dtype=bool)]),
        columns={**program.columns, name: (n, n + k, (k,))},
        objectives={a: np.concatenate([c, zero]) for a, c in program.objectives.items()},
        penalty=np.concatenate([program.penalty, zero]),
    )


def held(program: Program, where: NDArray[np.bool_], x: Floats) -> Program:
    """The programme with the columns of ``where`` held at ``x``, whole numbers at whole numbers and all within their bounds."""
    values = np.clip(np.where(program.integral, np.round(x), x), program.lower, program.upper)
    return replace(program, lower=np.where(where, values, program.lower), upper=np.where(where, values, program.upper))


def priced(program: Program, answer: Solution, options: SolverOptions | None) -> Floats | None:
    """[m] duals of a solution; of a mixed programme those with its whole variables held where they are, since prices have no other meaning there."""
    if not program.is_mixed or answer.y is not None:
        return answer.y
    return solve(held(program, program.integral, answer.x).relaxed(), options).y
