"""Fixed effects: projecting columns off any number of them, exactly.

The largest factor (with the slopes that vary over its levels) is eliminated group by group. What is left is a system
in the M levels of the other factors, the Schur complement

    A = Z'W Z − C'C,    C = Q'W Z,

with Z [n, M] the other factors' columns, W the weights and Q [n, q] a W-orthonormal basis of the eliminated factor. For
up to ``DIRECT`` levels A is factorised once (pivoted Cholesky, so that redundant levels are found and counted); beyond,
the system is solved by conjugate gradients. A balanced, unweighted panel with unit and period effects needs neither:
x_it − x̄_i − x̄_t + x̄.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Codes, Factor, Floats

DIRECT = 1500
DENSE = 128
TOLERANCE = 1e-11
PRECISION = 1e-12
REFINEMENTS = 4
ITERATIONS = 5000
BLOCK = 4096
"""Units worked through at a time, so that what is added up stays in the processor's cache."""


class Absorber(Protocol):
    """A projection off fixed effects, ready to be applied to columns."""

    def column(self, x: Floats) -> Floats:
        """The column [n] less its projection on the fixed effects."""
        ...

    def rank(self) -> int | None:
        """Dimension of the space spanned by the fixed effects; ``None`` when it was not computed."""
        ...


def absorber(factors: Sequence[Factor], weights: Floats | None = None, *, grid: tuple[int, int] | None = None) -> Absorber:
    """Prepare the projection off ``factors``.

    Args:
        factors: the fixed effects and slopes (at least one of them an intercept).
        weights: [n] positive weights, or ``None``.
        grid: (N, T) when the rows are a balanced panel in unit-major order and the first two factors are unit and period.
    """
    if grid is not None and weights is None and len(factors) == 2 and all(f.slope is None for f in factors):
        return Balanced(*grid)
    return _eliminate(factors, weights)


def residualise(
    columns: Floats, factors: Sequence[Factor], weights: Floats | None = None, *, grid: tuple[int, int] | None = None
) -> Floats:
    """The columns [n, k] (or one column [n]) less their projection on the fixed effects, in the metric of ``weights``.

    Raises:
        EstimationError: the iterations did not converge (only beyond ``DIRECT`` levels).
    """
    return project_off(absorber(factors, weights, grid=grid), columns)


def project_off(prepared: Absorber, columns: Floats, out: Floats | None = None) -> Floats:
    """Apply a prepared projection to columns [n, k] or to one column [n].

    Columns come back in Fortran order; ``out`` may be ``columns`` itself, to spare memory.
    """
    if columns.ndim == 1:
        return prepared.column(columns)
    into = np.empty(columns.shape, order="F") if out is None else out
    for j in range(columns.shape[1]):
        if isinstance(prepared, Balanced) and into.flags.f_contiguous:
            prepared.column(columns[:, j], into[:, j])
        else:
            into[:, j] = prepared.column(columns[:, j])
    return into


@dataclass(frozen=True, slots=True)
class Balanced:
    """Unit and period effects of a balanced panel of ``units`` × ``periods``, unweighted."""

    units: int
    periods: int

    def column(self, x: Floats, into: Floats | None = None) -> Floats:
        """x_it − x̄_i − x̄_t + x̄; written ``into`` a contiguous [n], which may be ``x``, where one is given."""
        grid = x.reshape(self.units, self.periods)
        place = None if into is None else into.reshape(self.units, self.periods)
        out: Floats = np.subtract(grid, (np.einsum("it->i", grid) / self.periods)[:, None], out=place)
        out -= np.einsum("it->t", out) / self.units
        return out.reshape(-1)

    def rank(self) -> int:
        """N + T − 1."""
        return self.units + self.periods - 1


def tally(codes: NDArray[np.int32] | NDArray[np.int64], x: Floats, size: int) -> Floats:
    """[size] sums of x [n] by code [n]."""
    return np.bincount(codes, weights=x, minlength=size).astype(np.float64, copy=False)


def group_sums(group: NDArray[np.int64], size: int, grid: Floats) -> Floats:
    """[size, T] sums of ``grid`` [N, T] over the units of each group [N]: a product with their indicators, by blocks of units."""
    out, every = np.zeros((size, grid.shape[1])), np.arange(size)[:, None]
    for start in range(0, len(grid), BLOCK):
        some = slice(start, start + BLOCK)
        out += (group[some] == every).astype(np.float64) @ grid[some]
    return out


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows grouped by ``codes`` [n]; ``starts`` [size] when the rows of each group lie together, in order."""

    codes: Codes
    size: int
    starts: NDArray[np.int64] | None

    @classmethod
    def of(cls, factor: Factor) -> Groups:
        """The groups of a factor."""
        codes = factor.codes
        if (codes[1:] >= codes[:-1]).all():
            return cls(codes, factor.size, np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1)))
        return cls(codes, factor.size, None)

    def sum(self, x: Floats) -> Floats:
        """[size] sums of x [n] within groups."""
        if self.starts is not None:
            return np.asarray(np.add.reduceat(x, self.starts))
        return tally(self.codes, x, self.size)


@dataclass(frozen=True, slots=True)
class Block:
    """The eliminated factor: group means, and slopes within groups.

    ``basis`` holds, per slope, a column [n] that is W-orthogonal to the others within each group and of W-norm one (zero
    in groups where the slope variable does not vary).
    """

    groups: Groups
    weights: Floats | None
    total: Floats
    basis: tuple[Floats, ...]

    @classmethod
    def of(cls, factor: Factor, slopes: Sequence[Floats], weights: Floats | None) -> Block:
        """The block of one intercept factor and the slopes that vary over its levels."""
        groups = Groups.of(factor)
        ones = np.ones(len(factor.codes)) if weights is None else weights
        block = cls(groups, weights, groups.sum(ones), ())
        for slope in slopes:
            raw = block.column(slope)
            scale = groups.sum(ones * slope * slope)
            rest = block.column(raw)
            norm = groups.sum(ones * rest * rest)
            alive = norm > 1e-20 * scale
            unit = np.where(alive, 1 / np.sqrt(np.where(alive, norm, 1.0)), 0.0)
            block = cls(groups, weights, block.total, (*block.basis, rest * unit[groups.codes]))
        return block

    def column(self, x: Floats) -> Floats:
        """X less its projection on the block."""
        weighted = x if self.weights is None else x * self.weights
        out = x - (self.groups.sum(weighted) / self.total)[self.groups.codes]
        for basis in self.basis:
            weighted = out * basis if self.weights is None else out * basis * self.weights
            out -= basis * self.groups.sum(weighted)[self.groups.codes]
        return out

    def rank(self) -> int:
        """Levels, and slopes that are alive."""
        alive = sum(int(np.count_nonzero(self.groups.sum(b * b) > 0)) for b in self.basis)
        return self.groups.size + alive


@dataclass(frozen=True, slots=True)
class Eliminated:
    """The block, and a solver for the system in the other factors' levels.

    ``others``: the other factors; ``starts``: [len(others) + 1] where each one's levels begin; ``norms``: [M] W-norms of the
    columns of Z; ``solve``: b [M] → d with A d = b.
    """

    block: Block
    others: tuple[Factor, ...]
    starts: tuple[int, ...]
    norms: Floats
    solve: Callable[[Floats], Floats]
    others_rank: int | None

    def column(self, x: Floats) -> Floats:
        """X less its projection on the block and on the other factors, refined until the residual is orthogonal to both."""
        out = self.block.column(x)
        scale = float(np.sqrt(np.dot(out, out if self.block.weights is None else out * self.block.weights)))
        moments = self._moments(out)
        for _ in range(REFINEMENTS):
            out = self.block.column(out - self._fitted(self.solve(moments)))
            moments = self._moments(out)
            if (np.abs(moments) <= PRECISION * scale * self.norms).all():
                break
        return out

    def _moments(self, x: Floats) -> Floats:
        weighted = x if self.block.weights is None else x * self.block.weights
        parts = [tally(f.codes, weighted if f.slope is None else weighted * f.slope, f.size) for f in self.others]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _fitted(self, d: Floats) -> Floats:
        out: Floats | None = None
        for factor, start in zip(self.others, self.starts, strict=False):
            part = d[start : start + factor.size][factor.codes]
            if factor.slope is not None:
                part *= factor.slope
            out = part if out is None else out + part
        return out if out is not None else np.zeros(0)

    def rank(self) -> int | None:
        """Rank of the block and of the system in the other levels."""
        return None if self.others_rank is None else self.block.rank() + self.others_rank


def split_block(factors: Sequence[Factor], weights: Floats | None) -> tuple[Block, tuple[Factor, ...]]:
    """The block to eliminate (the largest factor with the slopes over its levels), and the other factors."""
    intercepts = [f for f in factors if f.slope is None]
    largest = max(intercepts, key=lambda f: f.size)
    own = [f for f in factors if f.slope is not None and f.size == largest.size and np.array_equal(f.codes, largest.codes)]
    block = Block.of(largest, [f.slope for f in own if f.slope is not None], weights)
    return block, tuple(f for f in factors if f is not largest and not any(f is o for o in own))


def _eliminate(factors: Sequence[Factor], weights: Floats | None) -> Block | Eliminated:
    block, others = split_block(factors, weights)
    if not others:
        return block
    starts = tuple(int(s) for s in np.cumsum([0, *(f.size for f in others)]))
    levels = starts[-1]
    if len(others) == 1 and levels <= DENSE and not block.basis:
        system, norms = _dense_system(block, others[0])
        solve, rank = direct_solver(system, norms)
        return Eliminated(block, others, starts, norms, solve, rank)
    crossed, own_moments = sparse_system(block, others, starts)
    norms = _positive(np.sqrt(own_moments.diagonal()))
    if levels <= DIRECT:
        solve, rank = direct_solver(own_moments.toarray() - (crossed.T @ crossed).toarray(), norms)
        return Eliminated(block, others, starts, norms, solve, rank)
    return Eliminated(block, others, starts, norms, _conjugate_gradients(crossed, own_moments), None)


def _dense_system(block: Block, other: Factor) -> tuple[Floats, Floats]:
    """A [M, M] for one other factor of few levels, and the norms [M] of its columns."""
    ones = np.ones(len(other.codes)) if block.weights is None else block.weights
    cell = block.groups.codes.astype(np.int64) * other.size + other.codes
    table = tally(cell, ones if other.slope is None else ones * other.slope, block.groups.size * other.size)
    table = table.reshape(block.groups.size, other.size)
    own = tally(other.codes, ones if other.slope is None else ones * other.slope**2, other.size)
    return np.asarray(np.diag(own) - (table / block.total[:, None]).T @ table), _positive(np.sqrt(own))


def level_columns(others: Sequence[Factor], starts: Sequence[int]) -> Any:
    """Z [n, M], sparse: the columns of the factors' levels."""
    from scipy import sparse

    n = len(others[0].codes)
    rows = np.tile(np.arange(n), len(others))
    columns = np.concatenate([f.codes.astype(np.int64) + s for f, s in zip(others, starts, strict=False)])
    values = np.concatenate([np.ones(n) if f.slope is None else f.slope for f in others])
    return sparse.csr_array((values, (rows, columns)), shape=(n, starts[-1]))


def sparse_system(block: Block, others: Sequence[Factor], starts: Sequence[int]) -> tuple[Any, Any]:
    """C [q, M] and Z'WZ [M, M], sparse."""
    from scipy import sparse

    n = len(block.groups.codes)
    weights = np.ones(n) if block.weights is None else block.weights
    z = level_columns(others, starts)
    weighted = sparse.diags_array(weights) @ z
    codes = block.groups.codes
    scale = 1 / np.sqrt(block.total)
    bases = [scale[codes], *block.basis]
    q = block.groups.size
    crossed = [sparse.csr_array((b, (codes, np.arange(n))), shape=(q, n)) @ weighted for b in bases]
    return sparse.vstack(crossed).tocsr(), (z.T @ weighted).tocsr()


def _positive(norms: Floats) -> Floats:
    """The norms, with one where a slope variable is zero throughout its level."""
    return np.where(norms > 0, norms, 1.0)


def direct_solver(system: Floats, scale: Floats) -> tuple[Callable[[Floats], Floats], int]:
    """A solver by pivoted Cholesky, and the rank. Redundant levels get the coefficient zero.

    ``scale`` [M] holds the norms of the columns before elimination: a pivot below 1e-10 of its square is no information.
    """
    from scipy.linalg import lapack

    factor, pivots, rank, _ = lapack.dpstrf(system / scale[:, None] / scale, tol=1e-10, lower=0)
    if rank == 0:
        return np.zeros_like, 0
    order = pivots[:rank] - 1
    upper = np.asfortranarray(factor[:rank, :rank])

    def solve(b: Floats) -> Floats:
        half, _ = lapack.dtrtrs(upper, b[order] / scale[order], trans=1)
        whole, _ = lapack.dtrtrs(upper, half)
        out = np.zeros(len(b))
        out[order] = whole / scale[order]
        return out

    return solve, int(rank)


def _conjugate_gradients(crossed: Any, own_moments: Any) -> Callable[[Floats], Floats]:
    """A solver by conjugate gradients with a diagonal preconditioner; A is singular but the system is consistent."""
    diagonal = own_moments.diagonal()
    inverse = np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1.0), 0.0)

    def solve(b: Floats) -> Floats:
        x = np.zeros(len(b))
        residual = b.copy()
        target = TOLERANCE * float(np.sqrt(np.dot(b, inverse * b)))
        direction = inverse * residual
        rho = float(np.dot(residual, direction))
        for _ in range(ITERATIONS):
            if np.sqrt(max(rho, 0.0)) <= target:
                return x
            image = own_moments @ direction - crossed.T @ (crossed @ direction)
            step = rho / float(np.dot(direction, image))
            x += step * direction
            residual -= step * image
            preconditioned = inverse * residual
            rho, previous = float(np.dot(residual, preconditioned)), rho
            direction = preconditioned + (rho / previous) * direction
        raise EstimationError(
            Finding(
                "not-converged",
                f"the fixed effects did not converge in {ITERATIONS} iterations",
                f"{len(b)} levels beyond the largest factor",
                "check for fixed effects that identify almost every row",
            ),
            "fixed effects",
        )

    return solve


def singletons(factors: Sequence[Factor]) -> NDArray[np.bool_]:
    """[n] rows alone in a level of some (intercept) factor, found one after another until none is left."""
    n = len(factors[0].codes)
    alone = np.zeros(n, dtype=np.bool_)
    while True:
        before = int(alone.sum())
        for factor in factors:
            if factor.slope is None:
                counts = np.bincount(factor.codes[~alone], minlength=factor.size)
                alone |= ~alone & (counts[factor.codes] == 1)
        if int(alone.sum()) == before:
            return alone
