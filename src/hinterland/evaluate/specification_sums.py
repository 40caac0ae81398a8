"""Quadratic forms of many specifications in many draws: what permutations and bootstrap samples of a curve have in common.

In every draw the influence of a cluster on the coefficient of a specification is linear in f sums of products within the cluster, whose weights
depend on draw and specification: ψ = F w. Its variance Σ_c v_c ψ_c² is w'(F' diag(v) F) w, so that a draw costs one [f, f] matrix and one quadratic
form per specification, whatever the number of clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def owner_of(inner: Factor, outer: Factor) -> NDArray[np.int64] | None:
    """[levels of ``inner``] the level of ``outer`` that each lies in; ``None`` where some level lies in several."""
    owner = np.zeros(inner.size, dtype=np.int64)
    owner[inner.codes] = outer.codes
    return owner if (owner[inner.codes] == outer.codes).all() else None


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows sorted by group: ``order`` [n] (``None`` where they lie so already), ``starts`` [A], ``width`` the rows of every group where all have the same."""

    order: NDArray[np.int64] | None
    starts: NDArray[np.int64]
    width: int | None

    @classmethod
    def of(cls, group: Factor) -> Grouped:
        """The rows of a factor's levels."""
        counts = np.bincount(group.codes, minlength=group.size)
        starts = np.append(0, np.cumsum(counts)[:-1])
        sorted_ = bool((group.codes[1:] >= group.codes[:-1]).all())
        order = None if sorted_ else np.argsort(group.codes, kind="stable")
        return cls(order, starts, int(counts[0]) if (counts == counts[0]).all() else None)

    def rows(self, values: Floats) -> Floats:
        """``values`` [..., n] with the rows of a group beside each other."""
        return values if self.order is None else np.ascontiguousarray(values[..., self.order])

    def sums(self, left: Floats, right: Floats) -> Floats:
        """[R, A] sums by group of ``left`` [R, n] times ``right`` ([R, n] or [n]), both from :meth:`rows`."""
        if self.width is None:
            return np.asarray(np.add.reduceat(left * right, self.starts, axis=1))
        shape = (len(self.starts), self.width)
        form = "rat,rat->ra" if right.ndim == 2 else "rat,at->ra"
        return np.asarray(np.einsum(form, left.reshape(-1, *shape), right.reshape(*right.shape[:-1], *shape)))


def membership(owner: NDArray[np.int64], size: int) -> Floats:
    """[A, size] indicators of the owner [A] of each group."""
    out = np.zeros((len(owner), size))
    out[np.arange(len(owner)), owner] = 1.0
    return out
