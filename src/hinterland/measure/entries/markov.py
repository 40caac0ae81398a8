"""Markov chains of classes, alone and given the neighbours: what each indicator reads, and how its rows are made.

In the keys of results ``group`` is the class at the start, ``other_group`` the class after, and ``item`` the class of the neighbours at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, listed
from hinterland.measure.data import Data, Floats
from hinterland.measure.entries.panel import plain, yearly_grid
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.markov import Cut, classify, mobility, probabilities, sparse_rows, steady_state, transition_codes, transition_counts
from hinterland.measure.neighbour_choice import PARAMETERS, Choice, neighbours_of
from hinterland.measure.result import Block, Measured, block, product_of
from hinterland.measure.spatial_markov import Permuted, classified, homogeneity, permuted
from hinterland.measure.weights import row_standardised

_ROLES = (
    Role("region", "key", "region"),
    Role("value", "number", "a quantity per head", sign="non-negative"),
    Role("time", "time", "year"),
    Role("weight", "number", "weights of the year's mean, such as population", required=False, sign="non-negative"),
)
_PARAMETERS = {
    "classes": Parameter(4, help="how many quantile classes; or cutoffs, such as (0.75, 1, 1.25)", kind="any"),
    "quantiles": Parameter("pooled", ("pooled", "annual"), "of all years together, or of each year"),
    "relative": Parameter(True, (True, False), "divide by the year's mean first"),
    "step": Parameter(1, help="years of a transition"),
    "least": Parameter(5, help="rows with fewer transitions than this are flagged"),
}
_MOBILITY = {
    "shorrocks": "shorrocks-mobility",
    "determinant": "determinant-mobility",
    "eigenvalue": "eigenvalue-mobility",
    "bartholomew": "bartholomew-mobility",
}
_HERE = "hinterland.measure.entries.markov"
Classes = int | Sequence[float]


def cut_of(classes: Any, quantiles: str, shared: bool = False) -> Cut:
    """What the parameters say of classes.

    Raises:
        InputError: neither a number of classes from 2 to 100 nor increasing cutoffs.
    """
    if isinstance(classes, int) and not isinstance(classes, bool) and 2 <= classes <= 100:
        return Cut(classes, quantiles == "pooled", shared=shared)
    if isinstance(classes, list | tuple) and classes and all(isinstance(c, int | float) for c in classes):
        fixed = tuple(float(c) for c in classes)
        if all(np.isfinite(fixed)) and all(a < b for a, b in pairwise(fixed)):
            return Cut(len(fixed) + 1, fixed=fixed, shared=shared)
    remedy = "give a whole number from 2 to 100, or cutoffs that increase"
    raise InputError(Finding("out-of-range", f"classes is {classes!r}", "parameter classes", remedy), "arguments")


def chain(data: Data, *, classes: Classes = 4, quantiles: str = "pooled", relative: bool = True, step: int = 1, least: int = 5) -> Measured:
    """Transitions, where they lead in the long run, and how far regions move."""
    cut = cut_of(classes, quantiles)
    y = yearly_grid(data, step, relative).value
    cutoffs = cut.cutoffs(y)
    own = classify(y, cutoffs)
    counts = transition_counts(transition_codes(own, cut.classes, step), cut.classes)[0]
    p, n, coverage = probabilities(counts), int(counts.sum()), float(((own[:-step] >= 0) & (own[step:] >= 0)).mean())
    names = class_names(cut.classes)
    start = counts.sum(axis=1) / n if n else np.full(cut.classes, np.nan)
    blocks = _matrix(("group", "other_group"), [names, names], counts, p, coverage)
    alone = {"group": names}
    blocks.append(
        block(alone, start, n_used=n, coverage=coverage, reasons={"no-transitions": np.isnan(start)}, component="initial-class-share")
    )
    steady = steady_state(p)
    blocks.append(
        block(alone, steady, n_used=n, coverage=coverage, reasons={"no-steady-state": np.isnan(steady)}, component="steady-state")
    )
    blocks += _mobility(p, start, n, coverage)
    findings = (*_tied(cutoffs), *_sparse(counts[None], least, [""], names))
    return Measured(blocks, findings, meta={"cutoffs": plain(cutoffs)})


def _mobility(p: Floats, start: Floats, n: int, coverage: float) -> list[Block]:
    found = mobility(p, start)
    return [
        block({}, getattr(found, k), n_used=n, coverage=coverage, reasons={"no-transitions": [np.isnan(getattr(found, k))]}, component=name)
        for k, name in _MOBILITY.items()
    ]


def spatial_chain(
    data: Data,
    *,
    classes: Classes = 4,
    quantiles: str = "pooled",
    relative: bool = True,
    step: int = 1,
    least: int = 5,
    neighbour_classes: str = "quantiles",
    draws: int = 99,
    seed: int = 0,
    scheme: Any = "exchange",
    neighbours: Any = None,
    nearest: int | None = None,
    within_km: float | None = None,
    coordinates: Any = None,
    islands: str = "attach",
) -> Measured:
    """Transitions by the class of the neighbours, and tests that these do not matter."""
    cut = cut_of(classes, quantiles, neighbour_classes == "own")
    fail_if_not_count(draws, "draws")
    grid = yearly_grid(data, step, relative)
    neighbour, said = neighbours_of(grid.regions, Choice(neighbours, nearest, within_km, coordinates, islands))
    weights = row_standardised(neighbour)
    found = classified(grid.value, weights, cut)
    counts = found.counts(step)
    coverage = float(((found.own[:-step] >= 0) & (found.own[step:] >= 0) & (found.around[:-step] >= 0)).mean())
    drawn = permuted(grid.value, weights, found, draws=draws, seed=seed, scheme=scheme, step=step) if draws else None
    names = class_names(cut.classes)
    tied = (*_tied(found.cutoffs), *_tied(found.lag_cutoffs, " of the neighbours"))
    return Measured(
        [*_conditional(counts, names, coverage), *_tests(counts, drawn, coverage)],
        (*said, *tied, *_sparse(counts, least, names.to_list(), names)),
        meta={"cutoffs": plain(found.cutoffs), "lag_cutoffs": plain(found.lag_cutoffs)},
    )


def _conditional(counts: Floats, names: pl.Series, coverage: float) -> list[Block]:
    """Transitions and steady state by the neighbours' class."""
    p = probabilities(counts)
    steady = np.stack([steady_state(q) for q in p])
    keys = product_of(("item", "group"), [names, names])
    used = np.repeat(counts.sum(axis=(1, 2)), len(names))
    reasons = {"no-steady-state": np.isnan(steady).ravel()}
    long_run = block(keys, steady.ravel(), n_used=used, coverage=coverage, reasons=reasons, component="steady-state")
    return [*_matrix(("item", "group", "other_group"), [names, names, names], counts, p, coverage), long_run]


def _tests(counts: Floats, drawn: Permuted | None, coverage: float) -> list[Block]:
    """Whether the neighbours' class matters."""
    test, n = homogeneity(counts), int(counts.sum())
    values = {
        "likelihood-ratio": test.likelihood_ratio,
        "pearson": test.pearson,
        "degrees-of-freedom": float(test.degrees),
        "likelihood-ratio-p": test.p_likelihood_ratio,
        "pearson-p": test.p_pearson,
        "likelihood-ratio-permutation-p": drawn.p_likelihood_ratio if drawn else float("nan"),
        "pearson-permutation-p": drawn.p_pearson if drawn else float("nan"),
    }
    return [
        block(
            {},
            v,
            n_used=n,
            coverage=coverage,
            reasons={"no-transitions": [n == 0 or (np.isnan(v) and "permutation" not in k)], "no-draws": [np.isnan(v)]},
            component=k,
        )
        for k, v in values.items()
    ]


def class_names(k: int) -> pl.Series:
    """Classes from the lowest, ``1`` to k."""
    return pl.Series([f"{i:0{len(str(k))}d}" for i in range(1, k + 1)])


def fail_if_not_count(value: Any, name: str) -> None:
    """A parameter that counts something is a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(
            Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", "give a whole number, 0 or more"), "arguments"
        )


def _matrix(dims: tuple[str, ...], labels: list[pl.Series], counts: Floats, p: Floats, coverage: float) -> list[Block]:
    keys = product_of(dims, labels)
    row, every = np.broadcast_to(counts.sum(-1, keepdims=True), counts.shape).ravel(), counts.sum()
    none, nothing = {"no-transitions": np.isnan(p).ravel()}, {"no-transitions": np.full(counts.size, every == 0)}
    return [
        block(keys, p.ravel(), n_used=row, coverage=coverage, reasons=none, component="transition-probability"),
        block(keys, counts.ravel(), n_used=every, coverage=coverage, reasons=nothing, component="transition-count"),
    ]


def _tied(cutoffs: Floats, whose: str = "") -> tuple[Finding, ...]:
    """Cutoffs that coincide leave a class that nobody can be in."""
    if not (np.diff(np.atleast_2d(cutoffs), axis=-1) == 0).any():
        return ()
    what = f"cutoffs of classes{whose} coincide, because many values are the same: a class between them stays empty"
    return (Finding("tied-cutoffs", what, "parameter classes", "take fewer classes, or give cutoffs", "warning"),)


def _sparse(counts: Floats, least: int, strata: list[str], names: pl.Series) -> tuple[Finding, ...]:
    """Rows [S, k] of few transitions, none at all among them."""
    at = np.argwhere(sparse_rows(counts, least))
    if not len(at):
        return ()
    said = [
        f"class {names[int(i)]}{f' among neighbours of class {strata[int(s)]}' if strata[int(s)] else ''} ({counts[s, i].sum():.0f})"
        for s, i in at
    ]
    what = f"{len(at)} row(s) rest on fewer than {least} transitions: {listed(said)}"
    return (
        Finding("sparse-rows", what, "the transition counts", "take fewer classes or more years, and do not read these rows", "warning"),
    )


_DRAWS = {
    "neighbour_classes": Parameter("quantiles", ("quantiles", "own"), "quantiles of the neighbours' means, or the cutoffs of own values"),
    "draws": Parameter(99, help="permutations of trajectories over regions; 0 for none"),
    "seed": Parameter(0, help="of the permutations", low=0),
    "scheme": Parameter(
        "exchange",
        ("exchange", "lag-only"),
        "what a permutation moves: trajectories, cutoffs set anew; or the neighbours' values only, as giddy",
    ),
}
ENTRIES = (
    Indicator(
        id="markov-chain",
        family="convergence",
        unit="index",
        range=(0.0, None),
        formula=r"p_{ij} = \frac{n_{ij}}{\sum_j n_{ij}},\quad \pi = \pi P",
        source="Quah (1993); mobility: Formby, Smith and Zheng (2004)",
        roles=_ROLES,
        keys=("group", "other_group"),
        compute=f"{_HERE}:chain",
        parameters=_PARAMETERS,
        components=("transition-probability", "transition-count", "initial-class-share", "steady-state", *_MOBILITY.values()),
        units={"transition-count": "count", **dict.fromkeys(("transition-probability", "initial-class-share", "steady-state"), "share")},
        unique=("time", "region"),
    ),
    Indicator(
        id="spatial-markov-chain",
        family="convergence",
        unit="index",
        range=(0.0, None),
        formula=r"p_{ij\mid l} = \frac{n_{lij}}{\sum_j n_{lij}},\quad LR = 2\sum_{lij} n_{lij}\ln\frac{p_{ij\mid l}}{p_{ij}}",
        source="Rey (2001); Bickenbach and Bode (2003)",
        roles=_ROLES,
        keys=("item", "group", "other_group"),
        compute=f"{_HERE}:spatial_chain",
        parameters={**_PARAMETERS, **_DRAWS, **PARAMETERS},
        components=(
            *("transition-probability", "transition-count", "steady-state", "likelihood-ratio", "pearson", "degrees-of-freedom"),
            *("likelihood-ratio-p", "pearson-p", "likelihood-ratio-permutation-p", "pearson-permutation-p"),
        ),
        units={"transition-count": "count", **dict.fromkeys(("transition-probability", "steady-state"), "share")},
        unique=("time", "region"),
    ),
)
