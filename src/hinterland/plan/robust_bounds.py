"""How often a row that is protected by a budget of uncertainty is violated: the bound of Bertsimas and Sim, and a simulation."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.program import Floats, Program


def violation_bound(n: int, gamma: float) -> float:
    """Probability that a row is violated, at most, where its coefficients are independent and symmetric within their intervals.

    ``B(n, Γ) = 2^{-n} {(1 − μ) Σ_{l=⌊ν⌋}^{n} C(n, l) + μ Σ_{l=⌊ν⌋+1}^{n} C(n, l)}`` with ``ν = (Γ + n)/2`` and ``μ = ν − ⌊ν⌋`` (Bertsimas & Sim 2004, theorem 3).
    A row that is protected against all of its coefficients is never violated.

    Args:
        n: uncertain coefficients of the row.
        gamma: budget, from 0 to ``n``.
    """
    if n == 0 or gamma >= n:
        return 0.0
    nu = (gamma + n) / 2
    low = math.floor(nu)
    mu = nu - low
    tail = sum(math.comb(n, k) for k in range(low + 1, n + 1))
    return float(((1 - mu) * (tail + math.comb(n, low)) + mu * tail) / 2**n)


def simulated(
    program: Program, rows: NDArray[np.int64], deviation: sp.csr_array, x: Floats, *, draws: int, seed: int, tolerance: float = 1e-6
) -> Floats:
    """[r] part of draws in which each row is violated by a plan.

    Args:
        program: with rows ``a x ≤ b`` or ``≥ b``.
        rows: [r] rows of the programme.
        deviation: [r, n] half-widths of the coefficients' intervals; draws are uniform in them and independent.
        x: [n] the plan; what it falls short of in its rows is part of it.
        draws: number of draws.
        seed: of the draws.
        tolerance: relative violation that is rounding.
    """
    rng = np.random.default_rng(seed)
    activity = program.matrix[rows] @ x
    size = deviation @ np.abs(x)
    effect = sp.csr_array(deviation @ sp.diags_array(x))
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        parts = effect.data[effect.indptr[i] : effect.indptr[i + 1]]
        moved = activity[i] + rng.uniform(-1.0, 1.0, (draws, len(parts))) @ parts
        slack = tolerance * (1 + abs(activity[i]) + size[i])
        over, under = moved > program.row_upper[rows[i]] + slack, moved < program.row_lower[rows[i]] - slack
        out[i] = float(np.mean(over | under))
    return out
