"""What a change at one unit does to all others through a spatial lag: G = W(I − ρW)⁻¹, a block of columns at a time.

(I − ρW)⁻¹ = I + ρG and dG/dρ = G², so that diagonals and column sums of G and G² give every average effect and its derivative
(LeSage & Pace 2009, section 2.7). Columns come from solves with sparse factors: exact, and never [N × N].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.hdfe import tally
from hinterland.evaluate.spillover_durbin_likelihood import Pencil

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

_CELLS = 100_000
"""Numbers in a block of columns: they stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """Parts of G at one ρ.

    Attributes:
        own: [N] G_ii;  own_twice: [N] (G²)_ii.
        sent: [N] column sums Σ_j G_ji, what unit i sends to all;  sent_twice: [N] those of G².
        square: Σ_ij G_ij².
        received: [N, T] G e for residuals e;  returned: [N, T] G'e.
        within: [C] Σ G_ij e_i'e_j over pairs in the same cluster.
    """

    own: Floats
    own_twice: Floats
    sent: Floats
    sent_twice: Floats
    square: float
    received: Floats
    returned: Floats
    within: Floats


def multiplier(pencil: Pencil, rho: float, residuals: Floats, cluster: Codes, clusters: int) -> Multiplier:
    """G of ``pencil`` at ``rho``, with ``residuals`` [N, T] and the ``cluster`` [N] of each unit, of ``clusters``."""
    weights, factors = pencil.weights, pencil.factor(rho)
    n = weights.shape[0]
    width = max(1, _CELLS // n)
    own, own_twice, sent, sent_twice, within = (np.empty(n) for _ in range(5))
    square = 0.0
    for start in range(0, n, width):
        here = np.arange(start, min(start + width, n))
        place = (here, np.arange(len(here)))
        unit = np.zeros((n, len(here)), order="F")
        unit[place] = 1.0
        once = weights @ factors.solve(unit)
        twice = weights @ factors.solve(once)
        own[here], own_twice[here] = once[place], twice[place]
        sent[here], sent_twice[here] = once.sum(axis=0), twice.sum(axis=0)
        square += float(np.vdot(once, once))
        once[cluster[:, None] != cluster[here]] = 0.0
        within[here] = ((once.T @ residuals) * residuals[here]).sum(axis=1)
    received = weights @ factors.solve(np.asfortranarray(residuals))
    returned = factors.solve(np.asfortranarray(weights.T @ residuals), "T")
    return Multiplier(own, own_twice, sent, sent_twice, square, received, returned, tally(cluster, within, clusters))
