"""Quadratic forms of many specifications in many draws: what permutations and bootstrap samples of a curve have in common.

In every draw the influence of a cluster on the coefficient of a specification is linear in f sums of products within the cluster, whose weights
depend on draw and specification: ψ = F w. Its variance Σ_c v_c ψ_c² is w'(F' diag(v) F) w, so that a draw costs one [f, f] matrix and one quadratic
form per specification, whatever the number of clusters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hinterland.evaluate.coding import Factor, Floats

MEMORY = 4_000_000
"""Numbers per temporary array: how many draws are worked on at a time follows from it."""


def quadratic(weights: Floats, matrix: Floats) -> Floats:
    """[R, P] w'M w for weights [R, P, f] and matrices [R, f, f]."""
    return np.asarray(np.einsum("rpf,rpf->rp", weights @ matrix, weights))


def chunks(draws: int, numbers: int) -> Iterator[slice]:
    """Slices of the draws, so that arrays of ``numbers`` per draw stay within ``MEMORY``."""
    step = max(1, MEMORY // max(numbers, 1))
    for start in range(0, draws, step):
        yield slice(start, min(start + step, draws))


def owner_of(inner: Factor, outer: Factor) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """[levels of ``inner``] the level of ``outer`` that each lies in; ``None`` where some level lies in several."""
    owner = np.zeros(inner.size, dtype=np.int64)
    owner[inner.codes] = outer.codes
    return owner if (owner[inner.codes] == outer.codes).all() else None


def summed(values: Floats, owner: np.ndarray[tuple[int], np.dtype[np.int64]], size: int) -> Floats:
    """[size, …] sums of ``values`` [A, …] by owner [A]."""
    if size == len(values) and (owner == np.arange(size)).all():
        return values
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.append(True, owner[order][1:] != owner[order][:-1]))
    out = np.zeros((size, *values.shape[1:]))
    out[owner[order][starts]] = np.add.reduceat(values[order], starts, axis=0)
    return out
