"""Several programmes made one: columns that are decided together are one column, rows that say the same are one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.plan.program import Floats, Program

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """The extensive form of a stochastic programme.

    Attributes:
        program: expected cost, all rows of all scenarios.
        probabilities: [S].
        column_at: [S, n] column of the whole that each column of a scenario is.
        row_at: [S, m] row of the whole that each row of a scenario is.
        costs: S rows of [N]: each scenario's own cost in the columns of the whole.
    """

    program: Program
    probabilities: Floats
    column_at: Whole
    row_at: Whole
    costs: sp.csr_array

    def of(self, x: Floats) -> Floats:
        """[S, n] what a solution of the whole says of each scenario."""
        return np.asarray(x[self.column_at])

    def prices(self, y: Floats) -> Floats:
        """[S, m] duals of each scenario's rows, given that it comes: those of the whole over the probability of the scenarios that share the row."""
        mass = np.zeros(len(y))
        np.add.at(mass, self.row_at, np.broadcast_to(self.probabilities[:, None], self.row_at.shape))
        return np.asarray((y / np.where(mass > 0, mass, 1.0))[self.row_at])


def compose(programs: Sequence[Program], probabilities: Sequence[float], together: Whole) -> Composed:
    """The extensive form (Birge & Louveaux 2011, section 2.4 and 3.5): expected cost over scenarios that share columns.

    Args:
        programs: one per scenario, of one shape [m, n].
        probabilities: [S].
        together: [S, n] scenarios with the same number in a column decide it together.

    Raises:
        InputError: bounds of a shared column leave it no value.
    """
    p = np.asarray(probabilities, dtype=float)
    m, n = programs[0].shape
    _, at = np.unique(together * n + np.arange(n)[None, :], return_inverse=True)
    column_at = at.reshape(together.shape).astype(np.int64)
    size = int(column_at.max()) + 1
    lower, upper, integral = _bounds(programs, column_at, size)
    matrix, row_lower, row_upper, row_at = _rows(programs, together, column_at, size)
    costs = sp.vstack(
        [_at_columns(sp.csr_array(g.cost[None, :]), where, size) for g, where in zip(programs, column_at, strict=True)], "csr"
    )

    def expected(vectors: Sequence[Floats]) -> Floats:
        out = np.zeros(size)
        for weight, vector, where in zip(p, vectors, column_at, strict=True):
            out[where] += weight * vector
        return out

    whole = Program(
        cost=expected([g.cost for g in programs]),
        matrix=matrix,
        row_lower=row_lower,
        row_upper=row_upper,
        lower=lower,
        upper=upper,
        integral=integral,
        constant=float(p @ [g.constant for g in programs]),
        columns={"all": (0, size, (size,))},
        rows={"all": (0, matrix.shape[0], (matrix.shape[0],))},
        objectives={},
        penalty=expected([g.penalty for g in programs]),
    )
    return Composed(whole, p, column_at, row_at.reshape(len(p), m), costs)


def _bounds(programs: Sequence[Program], column_at: Whole, size: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Bounds of the whole, the tightest of the scenarios that share a column, and which columns are whole."""
    lower, upper, integral = np.full(size, -np.inf), np.full(size, np.inf), np.zeros(size, dtype=bool)
    for program, where in zip(programs, column_at, strict=True):
        lower[where] = np.maximum(lower[where], program.lower)
        upper[where] = np.minimum(upper[where], program.upper)
        integral[where] |= program.integral
    _fail_if_closed(programs[0], lower, upper, column_at)
    return lower, upper, integral


def _rows(programs: Sequence[Program], together: Whole, column_at: Whole, size: int) -> tuple[sp.csr_array, Floats, Floats, Whole]:
    """The rows of all scenarios, without those that an earlier scenario already says of the same columns."""
    m = programs[0].shape[0]
    row_at = np.full((len(programs), m), -1, dtype=np.int64)
    parts: list[sp.csr_array] = []
    lows: list[Floats] = []
    highs: list[Floats] = []
    done = 0
    for s, program in enumerate(programs):
        for earlier in range(s):
            same = (row_at[s] < 0) & _repeated(program, programs[earlier], together[s] != together[earlier])
            row_at[s, same] = row_at[earlier, same]
        new = np.flatnonzero(row_at[s] < 0)
        row_at[s, new] = done + np.arange(len(new))
        done += len(new)
        parts.append(_at_columns(program.matrix[new], column_at[s], size))
        lows.append(program.row_lower[new])
        highs.append(program.row_upper[new])
    return sp.vstack(parts, "csr"), np.concatenate(lows), np.concatenate(highs), row_at


def _repeated(mine: Program, theirs: Program, apart: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[m] rows with the same numbers, none of them in a column that is decided apart."""
    same = (mine.row_lower == theirs.row_lower) & (mine.row_upper == theirs.row_upper)
    if mine.matrix is not theirs.matrix:
        difference = sp.csr_array(mine.matrix - theirs.matrix)
        difference.eliminate_zeros()
        same &= np.diff(difference.indptr) == 0
    touches = sp.csr_array((np.ones_like(mine.matrix.data), mine.matrix.indices, mine.matrix.indptr), shape=mine.matrix.shape)
    return np.asarray(same & (touches @ apart.astype(float) == 0))


def _at_columns(matrix: sp.csr_array, where: Whole, size: int) -> sp.csr_array:
    """The matrix with its columns at other places of a wider one."""
    out = sp.csr_array((matrix.data, where[matrix.indices].astype(np.int32), matrix.indptr), shape=(matrix.shape[0], size))
    out.sort_indices()
    return out


def _fail_if_closed(first: Program, lower: Floats, upper: Floats, column_at: Whole) -> None:
    closed = np.flatnonzero((lower > upper + 1e-9)[column_at[0]])
    if len(closed):
        names = sorted({name for name, (start, end, _) in first.columns.items() if ((closed >= start) & (closed < end)).any()})
        what = f"scenarios leave {len(closed)} shared decisions no value: {', '.join(names)}"
        raise InputError(
            Finding("shared-decision-closed", what, "argument scenarios", "let the changes not contradict each other"), "the scenarios"
        )


def mean_program(programs: Sequence[Program], probabilities: Sequence[float]) -> Program:
    """The programme whose numbers are all at their means: the expected-value problem (Birge & Louveaux 2011, section 4.2)."""
    p = np.asarray(probabilities, dtype=float)

    def mean(vectors: Sequence[Floats]) -> Floats:
        return np.asarray(sum(w * v for w, v in zip(p, vectors, strict=True)))

    matrix = sp.csr_array(sum((w * g.matrix for w, g in zip(p[1:], programs[1:], strict=True)), start=p[0] * programs[0].matrix))
    return replace(
        programs[0],
        cost=mean([g.cost for g in programs]),
        matrix=matrix,
        row_lower=mean([g.row_lower for g in programs]),
        row_upper=mean([g.row_upper for g in programs]),
        lower=mean([g.lower for g in programs]),
        upper=mean([g.upper for g in programs]),
        objectives={k: mean([g.objectives[k] for g in programs]) for k in programs[0].objectives},
        penalty=mean([g.penalty for g in programs]),
    )
