"""Large mixed-integer programmes: relax, choose whole values that the logic allows, hold them, solve again; with the gap that this leaves.

Branch and bound solves a linear programme by simplex at every node, which a programme of a few hundred thousand columns does not allow. Here an interior point
solves the relaxation, whose optimum bounds the plan's; whole variables are brought to the nearest values that satisfy the rows in which only they stand; with
these held, the rest is linear. The distance of the two optima is the gap, and it is reported like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.program import Floats, Program

THRESHOLDS = (0.5, 1e-3, 1.0)
"""Parts of a whole variable, in the relaxation, from which it is tried as on: as rounding has it, wherever it is used at all, and nowhere but where full."""


def rounded(program: Program, relaxed: Floats, threshold: float, solve: Callable[[Program], Floats | None]) -> Floats | None:
    """Whole values near those of the relaxation that satisfy every row of whole variables alone; ``None`` where there are none.

    Args:
        program: the programme.
        relaxed: [n] solution of its relaxation.
        threshold: part from which a variable is wanted on.
        solve: answers a small programme, or ``None``.
    """
    whole = np.flatnonzero(program.integral)
    matrix = sp.csc_array(program.matrix)[:, whole].tocsr()
    own = (np.diff(matrix.indptr) == np.diff(program.matrix.indptr)) & (np.diff(matrix.indptr) > 0)
    wanted = relaxed[whole] >= threshold
    small = replace(
        program,
        cost=np.where(wanted, -1.0, 1.0),
        matrix=sp.csr_array(matrix[np.flatnonzero(own)]),
        row_lower=program.row_lower[own],
        row_upper=program.row_upper[own],
        lower=program.lower[whole],
        upper=program.upper[whole],
        integral=np.ones(len(whole), dtype=bool),
        constant=0.0,
        columns={},
        rows={},
        objectives={},
        penalty=np.zeros(len(whole)),
    )
    found = solve(small)
    return None if found is None else np.round(found)


def held(program: Program, values: Floats) -> Program:
    """The programme with its whole variables held at ``values``."""
    whole = np.flatnonzero(program.integral)
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[whole], upper[whole] = values, values
    return replace(program.relaxed(), lower=lower, upper=upper)


def candidates(program: Program, relaxed: Floats, solve: Callable[[Program], Floats | None]) -> list[NDArray[np.float64]]:
    """Different whole values worth trying, in the order of the thresholds."""
    out: list[NDArray[np.float64]] = []
    for threshold in THRESHOLDS:
        found = rounded(program, relaxed, threshold, solve)
        if found is not None and not any(np.array_equal(found, other) for other in out):
            out.append(found)
    return out
