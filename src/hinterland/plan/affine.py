"""Programmes that follow a few factors exactly: built a few times, then written down for any factors by sums.

Most numbers of a programme are sums of products of parameters, so that they are affine in the factor of one parameter, and where two of them meet in one
number bilinear in both. A programme is probed at one factor at a time, and at two where that is needed; whether the form holds is then checked at further
points against programmes that are built. Where it does not hold, nothing is written down, and each programme has to be built.

Prices of falling short stay those of the problem: they are set by typical sizes, which shall not move with a draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import combinations
from threading import Lock

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.plan.changes import Change, multiplied
from hinterland.plan.model import Model, build
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats, Program

TOLERANCE = 1e-9
"""Relative difference of a written number from a built one that is rounding."""
_VECTORS = ("cost", "lower", "upper", "row_lower", "row_upper")


@dataclass(frozen=True, slots=True, eq=False)
class AffineProgram:
    """A programme as a function of K factors.

    ``v(f) = v(1) + Σ_k (f_k − 1) a_k + Σ_{k<l} (f_k − 1)(f_l − 1) b_kl``, where ``v`` holds every number of the programme.

    Attributes:
        base: the programme where every factor is 1, on the pattern of all that were probed.
        numbers: [L] ``v(1)``.
        single: [K, L].
        pairs: positions of the two factors of each product.
        products: [P, L].
    """

    base: Program
    numbers: Floats
    single: sp.csr_array
    pairs: NDArray[np.int64]
    products: sp.csr_array

    def at(self, factors: Floats) -> Program:
        """The programme for these factors [K]."""
        away = np.asarray(factors, dtype=float) - 1.0
        v = self.numbers + self.single.T @ away
        if len(self.pairs):
            v = v + self.products.T @ (away[self.pairs[:, 0]] * away[self.pairs[:, 1]])
        return _written(self.base, v)


def affine_program(
    problem: Problem, scopes: Sequence[Change], points: Floats, model: Model, *, most: int, executor: Executor | None = None
) -> AffineProgram | None:
    """The programme as a function of the factors of these changes; ``None`` where it is none, or would take more than ``most`` builds.

    Args:
        problem: the case.
        scopes: [K] changes whose factors vary; their own factors are not used.
        points: [n, K] the factors that will be asked for: the form is checked at the least and the largest of each, and at one point between.
        model: of the problem, where every factor is 1.
        most: builds that are worth it.
        executor: over which builds are spread.
    """
    k = len(scopes)
    if not k:
        return _fitted([model.program], np.zeros(0), np.zeros((0, 2), dtype=np.int64), [], [])
    low, high = points.min(axis=0), points.max(axis=0)
    if k + 3 > most:
        return None
    step = np.where(high > 1.0, np.maximum(high, 1.05), np.minimum(low, 0.95))
    middle = low + (high - low) * np.modf(0.31 + 0.618034 * np.arange(k))[0]
    built = Built(problem, tuple(scopes), model)
    points = np.array([*(_moved(step, (i,)) for i in range(k)), low, high, middle])
    programs = built.each(points, executor)
    if programs is None:
        return None
    probes, checks = [model.program, *programs[:k]], list(zip(points[k:], programs[k:], strict=True))
    found = _fitted(probes, step - 1.0, np.zeros((0, 2), dtype=np.int64), [], checks)
    pairs = np.array(list(combinations(range(k), 2)), dtype=np.int64).reshape(-1, 2)
    if found is not None or not len(pairs) or len(pairs) + k + 3 > most:
        return found
    joint = built.each(np.array([_moved(step, pair) for pair in pairs]), executor)
    return None if joint is None else _fitted(probes, step - 1.0, pairs, joint, checks)


def _moved(step: Floats, which: Sequence[int] | NDArray[np.int64]) -> Floats:
    """[K] factors that are 1 but for some."""
    out = np.ones(len(step))
    out[list(which)] = step[list(which)]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Builds programmes of a problem for factors."""

    problem: Problem
    scopes: tuple[Change, ...]
    model: Model

    def __call__(self, factors: Floats) -> Program:
        """The programme for these factors [K]."""
        return program_at(self.problem, self.scopes, factors, self.model)

    def each(self, points: Floats, executor: Executor | None) -> list[Program] | None:
        """The programme for each row of factors; ``None`` where one has another shape."""
        made = list(map(self, points) if executor is None else [f.result() for f in [executor.submit(self, p) for p in points]])
        first = self.model.program
        return made if all(p.columns == first.columns and p.rows == first.rows for p in made) else None


_ONE_AT_A_TIME = Lock()
"""The builder's semantics are an option of the whole process."""


def program_at(problem: Problem, scopes: Sequence[Change], factors: Floats, model: Model) -> Program:
    """The programme for these factors, built, with the objective of the problem and the prices of falling short of ``model``."""
    changes = [replace(c, factor=float(f)) for c, f in zip(scopes, factors, strict=True) if f != 1.0]
    with _ONE_AT_A_TIME:
        made = build(multiplied(problem, changes), like=model).program
    if made.penalty.shape == model.program.penalty.shape:
        made = replace(made, penalty=model.program.penalty)
    return made.aimed_at(problem.settings.objective)


def _fitted(
    programs: Sequence[Program],
    step: Floats,
    pairs: NDArray[np.int64],
    joint: Sequence[Program],
    checks: Sequence[tuple[Floats, Program]],
) -> AffineProgram | None:
    """The form, if it holds at the checks."""
    every = [*programs, *joint, *(c for _, c in checks)]
    base = _on_pattern(every)
    first = _numbers(base, programs[0])
    singles = [_difference(_numbers(base, p), first) for p in programs[1:]]
    products = [_difference(_numbers(base, j), first) for j in joint]
    if any(d is None for d in (*singles, *products)):
        return None
    slopes = np.array([d / s for d, s in zip(singles, step, strict=True) if d is not None]).reshape(len(step), len(first))
    rest = [
        (d - slopes[a] * step[a] - slopes[b] * step[b]) / (step[a] * step[b])
        for d, (a, b) in zip(products, pairs, strict=True)
        if d is not None
    ]
    form = AffineProgram(
        base=base,
        numbers=first,
        single=sp.csr_array(slopes),
        pairs=pairs,
        products=sp.csr_array(np.array(rest).reshape(len(pairs), len(first))),
    )
    return form if all(_agree(_numbers(base, form.at(f)), _numbers(base, c)) for f, c in checks) else None


def _agree(mine: Floats, theirs: Floats) -> bool:
    difference = _difference(mine, theirs)
    return difference is not None and bool(
        (np.abs(difference) <= TOLERANCE * (1 + np.abs(np.where(np.isfinite(theirs), theirs, 0.0)))).all()
    )


def _difference(mine: Floats, theirs: Floats) -> Floats | None:
    """[L] the difference; 0 where both are the same infinity, ``None`` where one only is."""
    endless = ~np.isfinite(mine) | ~np.isfinite(theirs)
    if (mine[endless] != theirs[endless]).any():
        return None
    return np.asarray(np.where(endless, 0.0, np.where(endless, 0.0, mine) - np.where(endless, 0.0, theirs)))


def _on_pattern(programs: Sequence[Program]) -> Program:
    """The first programme with explicit zeros wherever any of them has a coefficient."""
    first = programs[0]
    keys = np.unique(np.concatenate([_keys(p.matrix) for p in programs]))
    n = first.shape[1]
    data = np.zeros(len(keys))
    data[np.searchsorted(keys, _keys(first.matrix))] = first.matrix.data
    matrix = sp.csr_array((data, (keys % n).astype(np.int32), np.searchsorted(keys // n, np.arange(first.shape[0] + 1))), shape=first.shape)
    return replace(first, matrix=matrix)


def _keys(matrix: sp.csr_array) -> NDArray[np.int64]:
    """[nnz] one number per position of a coefficient, rising by row."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return np.asarray(row * matrix.shape[1] + matrix.indices)


def _numbers(base: Program, program: Program) -> Floats:
    """[L] every number of a programme on the pattern of ``base``: coefficients, then costs, sides and objectives."""
    keys = _keys(base.matrix)
    data = np.zeros(len(keys))
    data[np.searchsorted(keys, _keys(program.matrix))] = program.matrix.data
    return np.concatenate([data, *(getattr(program, v) for v in _VECTORS), *(program.objectives[o] for o in base.objectives)])


def _written(base: Program, v: Floats) -> Program:
    """The programme of these numbers."""
    m, n = base.shape
    nnz = base.matrix.nnz
    ends = np.cumsum([nnz, n, n, n, m, m, *([n] * len(base.objectives))])
    data, cost, lower, upper, row_lower, row_upper, *aims = np.split(v, ends[:-1])
    return replace(
        base,
        cost=cost,
        matrix=sp.csr_array((data, base.matrix.indices, base.matrix.indptr), shape=(m, n)),
        lower=lower,
        upper=np.maximum(lower, upper),
        row_lower=row_lower,
        row_upper=row_upper,
        objectives=dict(zip(base.objectives, aims, strict=True)),
    )
