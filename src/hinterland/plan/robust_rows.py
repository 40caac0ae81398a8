"""Rows that hold though a budget of their coefficients are at their worst: what is uncertain, and the linear form.

A coefficient ``a_ij`` lies anywhere within ``a_ij ± d_ij``. By duality (Bertsimas & Sim 2004, theorem 1) a row is protected against any ``Γ`` of them by::

    Σ_j a_ij x_j + Γ z_i + Σ_j p_ij ≤ b_i,   z_i + p_ij ≥ d_ij y_j,   −y_j ≤ x_j ≤ y_j,   p, z ≥ 0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.plan.extend import with_columns
from hinterland.plan.program import Floats, Program


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Coefficients that may be off.

    Attributes:
        rows: block of rows, such as ``labour:plain``, ``limit:carbon``, ``budget`` or ``intake``; ``labour`` means every block that begins so.
        columns: block of columns whose coefficients in them are uncertain, such as ``output`` or ``support``. Where a row holds a sum that other rows
            define, such as the use of carbon, the coefficients are those of what is summed.
        share: how far a coefficient may be off, as a part of its size.
    """

    rows: str
    columns: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Protection:
    """Uncertain coefficients of a programme's rows, by row.

    Attributes:
        rows: [r] rows of the programme.
        deviation: [r, n] half-width of each coefficient's interval; 0 where it is certain.
        sign: [r] 1 for rows with an upper side, −1 for those with a lower one.
        names: [r] block of each row.
    """

    rows: NDArray[np.int64]
    deviation: sp.csr_array
    sign: Floats
    names: tuple[str, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """[r] number of uncertain coefficients."""
        return np.asarray(np.diff(self.deviation.indptr), dtype=np.int64)


def protection(program: Program, uncertain: Sequence[Uncertain]) -> Protection:
    """Which rows are protected, and how far each of their coefficients may be off.

    Raises:
        InputError: as in :func:`hinterland.plan.robust.robust`.
    """
    m, n = program.shape
    deviation = sp.csr_array((m, n))
    names = np.full(m, "", dtype=object)
    findings: list[Finding] = []
    full = _spelled_out(program)
    for u in uncertain:
        blocks = [b for b in program.rows if b == u.rows or b.startswith(f"{u.rows}:")]
        found = _findings(program, u, blocks)
        findings += found
        if found:
            continue
        mask = np.zeros(n)
        start, end, _ = program.columns[u.columns]
        mask[start:end] = 1.0
        for block in blocks:
            first, last, _ = program.rows[block]
            inside = np.zeros(m)
            inside[first:last] = 1.0
            part = sp.diags_array(inside) @ abs(full) @ sp.diags_array(u.share * mask)
            if not part.nnz or not abs(part).sum():
                what = f"rows {block!r} have no coefficient of {u.columns!r}"
                findings.append(
                    Finding("nothing-uncertain", what, "argument uncertain", f"they have those of {listed(_held(program, full, block))}")
                )
            deviation = deviation + sp.csr_array(part)
            names[first:last] = block
    fail_if_any(findings, "the robust plan", InputError)
    deviation.eliminate_zeros()
    rows = np.flatnonzero(np.diff(deviation.indptr) > 0)
    sign = np.where(np.isfinite(program.row_upper[rows]), 1.0, -1.0)
    return Protection(rows, sp.csr_array(deviation[rows]), sign, tuple(str(b) for b in names[rows]))


def _findings(program: Program, u: Uncertain, blocks: Sequence[str]) -> list[Finding]:
    where = f"argument uncertain, {u.rows!r} and {u.columns!r}"
    out = []
    if not blocks:
        out.append(Finding("unknown-rows", f"the model has no rows {u.rows!r}", where, did_you_mean(u.rows, program.rows)))
    if u.columns not in program.columns:
        out.append(Finding("unknown-columns", f"the model has no columns {u.columns!r}", where, did_you_mean(u.columns, program.columns)))
    if not (np.isfinite(u.share) and u.share >= 0):
        out.append(Finding("bad-argument", f"the share is {u.share:g}", where, "give 0 or more, such as 0.1"))
    for block in blocks:
        first, last, _ = program.rows[block]
        if (np.isfinite(program.row_lower[first:last]) & np.isfinite(program.row_upper[first:last])).any():
            what = f"rows {block!r} are equations, which no plan satisfies for several coefficients"
            out.append(Finding("rows-are-equations", what, where, "choose rows with one side"))
    return out


def _held(program: Program, full: sp.csr_array, block: str) -> list[str]:
    """Blocks of columns that a block of rows holds."""
    first, last, _ = program.rows[block]
    at = np.unique(full[first:last].indices)
    return [name for name, (start, end, _) in program.columns.items() if ((at >= start) & (at < end)).any() and ":" not in name]


def _spelled_out(program: Program) -> sp.csr_array:
    """[m, n] coefficients with every sum that rows of its own name define written out: a use of resources as the outputs that make it."""
    m, n = program.shape
    extra = sp.csr_array((m, n))
    for name, (start, end, _) in program.columns.items():
        if name not in program.rows:
            continue
        first, last, _ = program.rows[name]
        own = program.matrix[first:last, start:end]
        equal = (program.row_lower[first:last] == program.row_upper[first:last]).all()
        if not equal or last - first != end - start or abs(own - sp.eye_array(end - start)).sum() > 0:
            continue
        others = sp.csr_array(program.matrix[first:last])
        keep = sp.diags_array(np.where((np.arange(n) >= start) & (np.arange(n) < end), 0.0, 1.0))
        extra = extra - program.matrix[:, start:end] @ (others @ keep)
    return sp.csr_array(program.matrix + extra)


def protected(program: Program, guard: Protection, gamma: float) -> Program:
    """The programme whose rows hold though ``gamma`` of each row's coefficients are at their worst.

    Further columns: ``z`` [r], ``p`` [k], and ``y`` for columns that may be negative; k is the number of uncertain coefficients.
    """
    r, k = len(guard.rows), guard.deviation.nnz
    if not k:
        return program
    n = program.shape[1]
    wide = with_columns(program, np.zeros(r + k), np.zeros(r + k), np.full(r + k, np.inf), "protection")
    row, column, size = np.repeat(np.arange(r), guard.counts), guard.deviation.indices, guard.deviation.data
    wide, size_at = _absolute(wide, column.astype(np.int64))
    total = wide.shape[1]
    budget = np.minimum(gamma, guard.counts)
    added = sp.coo_array(
        (np.concatenate([guard.sign * budget, guard.sign[row]]), (guard.rows[np.r_[np.arange(r), row]], n + np.arange(r + k))),
        shape=(wide.shape[0], total),
    )
    wide = replace(wide, matrix=sp.csr_array(wide.matrix + sp.csr_array(added)))
    at = np.arange(k)
    data = np.concatenate([np.ones(k), np.ones(k), -size])
    rows = sp.csr_array((data, (np.tile(at, 3), np.concatenate([n + row, n + r + at, size_at]))), shape=(k, total))
    return wide.with_rows(rows, np.zeros(k), np.full(k, np.inf), "protection")


def _absolute(program: Program, column: NDArray[np.int64]) -> tuple[Program, NDArray[np.int64]]:
    """For each of these columns one that is its size: itself where it is never negative, else a further one."""
    free = np.unique(column[program.lower[column] < 0])
    if not len(free):
        return program, column
    n, f = program.shape[1], len(free)
    wide = with_columns(program, np.zeros(f), np.zeros(f), np.full(f, np.inf), "size")
    at = np.arange(f)
    pair = [
        sp.csr_array((np.r_[np.ones(f), side * np.ones(f)], (np.r_[at, at], np.r_[n + at, free])), shape=(f, n + f)) for side in (1.0, -1.0)
    ]
    wide = wide.with_rows(sp.vstack(pair, "csr"), np.zeros(2 * f), np.full(2 * f, np.inf), "size")
    place = np.searchsorted(free, column)
    known = (place < f) & (free[np.minimum(place, f - 1)] == column)
    return wide, np.where(known, n + place, column)
