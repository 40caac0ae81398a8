"""Composite indices: coupling coordination, entropy weights and scores, carrying capacity, business environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure import composite
from hinterland.measure.data import Cube, Data
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block, dense

Floats = NDArray[np.float64]
Weights = Mapping[str, float] | None

_REGION = Role("region", "key", "region or city")
_TIME = Role("time", "time", "year", required=False)
_ITEM = Role("item", "key", "name of the indicator")
_VALUE = Role("value", "number", "the indicator's value, in its own unit")
_CELL = ("time", "region", "item")
_NEGATIVE = Parameter((), help="names of the indicators of which less is better")
_POOL = Parameter("panel", ("panel", "cross-section"), "what minima, maxima, proportions and ideals run over: all years, or each by itself")
_SHIFT = Parameter(0.0, help="added to normalised values before the logarithm; not needed, and it changes the weights")
_WEIGHTS = Parameter(None, help="weight of each item by name, summing to one; equal by default")


def _by_item(given: Weights, items: pl.Series, argument: str = "weights") -> Floats | None:
    """[K] weights in the order of ``items``."""
    if given is None:
        return None
    where, labels = f"parameter {argument}", [str(x) for x in items]
    if not isinstance(given, Mapping) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in given.values()):
        raise InputError(Finding("item-weights", f"{argument} is {given!r}", where, "give a weight for each item by name"))
    weights = {str(k): float(v) for k, v in given.items()}
    findings = _unknown_items(weights, labels, argument)
    lacking = [x for x in labels if x not in weights]
    if lacking:
        findings.append(Finding("item-weights", f"no weight is given for {listed(lacking)}", where, "give one for every item"))
    if not findings and (min(weights.values()) < 0 or abs(sum(weights.values()) - 1.0) > 1e-6):
        what = f"weights are {listed(weights.values())}"
        findings.append(Finding("item-weights", what, where, "give numbers, 0 or more, that sum to one"))
    fail_if_any(findings, where, InputError)
    return np.array([weights[x] for x in labels])


def _unknown_items(named: Sequence[str] | Mapping[str, float], labels: Sequence[str], argument: str) -> list[Finding]:
    where = f"parameter {argument}"
    return [Finding("unknown-item", f"there is no item {n!r}", where, did_you_mean(n, labels)) for n in map(str, named) if n not in labels]


def _gaps(cube: Cube) -> dict[str, Any]:
    """A region-year needs all of its items."""
    return {"suppressed-input": cube.suppressed.any(axis=2), "missing-input": ~cube.observed.all(axis=2)}


def coupling_coordination(data: Data, *, variant: composite.Variant = "original", weights: Weights = None) -> Measured:
    """Coupling, development and coordination of each time and region."""
    cube = data.cube(*_CELL)
    values = data.number()
    findings, where = [], f"column {data.columns['item']!r}"
    outside = np.flatnonzero((values < 0) | (values > 1))
    if len(outside):
        what = f"{len(outside)} level(s) lie outside [0, 1]: {listed(values[outside])}"
        remedy = "normalise each subsystem first, by entropy-score or a linear score in [0, 1]"
        findings.append(Finding("level-outside", what, data.where(outside, "value"), remedy))
    count = cube.values.shape[2]
    if count < 2:
        findings.append(Finding("one-subsystem", f"there is one subsystem: {cube.labels[2][0]!r}", where, "give two or more"))
    fail_if_any(findings, "coupling-coordination", InputError)
    found = composite.coupling_coordination(cube.values, _by_item(weights, cube.labels[2]), variant)
    used = cube.observed.sum(axis=2)
    parts = {"coupling": found.coupling, "development": found.development, "coordination": found.coordination}
    shared: dict[str, Any] = {"n_used": used, "coverage": used / count, "reasons": _gaps(cube), "dims": _CELL[:2]}
    return Measured([dense(cube, value, component=name, **shared) for name, value in parts.items()])


def _rows(cube: Cube, pool: str) -> tuple[Floats, NDArray[np.int64]]:
    """Observations [T·R, K] and the number of the group that each is normalised in."""
    times, regions, items = cube.values.shape
    groups = np.repeat(np.arange(times), regions) if pool == "cross-section" else np.zeros(times * regions, dtype=np.int64)
    return cube.values.reshape(-1, items), groups


def _normalised(cube: Cube, negative: Sequence[str], pool: str) -> tuple[Floats, NDArray[np.int64]]:
    named = (negative,) if isinstance(negative, str) else tuple(negative)
    labels = [str(x) for x in cube.labels[2]]
    fail_if_any(_unknown_items(named, labels, "negative"), "parameter negative", InputError)
    less = np.isin(labels, [str(n) for n in named])
    rows, groups = _rows(cube, pool)
    return composite.normalise(rows, less, groups), groups


def _weighted(
    cube: Cube, negative: Sequence[str], pool: str, shift: float
) -> tuple[Floats, NDArray[np.int64], list[composite.EntropyWeights], tuple[Finding, ...]]:
    """Normalised observations, their groups, each group's entropy weights, and what has to be said about them."""
    if isinstance(shift, bool) or not isinstance(shift, int | float) or not 0 <= shift < np.inf:
        raise InputError(Finding("out-of-range", f"shift is {shift!r}", "parameter shift", "give a number, 0 or more"))
    z, groups = _normalised(cube, negative, pool)
    found = [composite.entropy_weights(z[groups == g], float(shift)) for g in range(int(groups.max()) + 1)]
    constant = np.any([w.constant for w in found if w.used > 1] or [np.zeros(z.shape[1], dtype=np.bool_)], axis=0)
    names = cube.labels[2].filter(pl.Series(constant))
    return z, groups, found, _constant(names)


def _constant(names: pl.Series) -> tuple[Finding, ...]:
    if not len(names):
        return ()
    what = f"indicators do not vary, so that their weight is 0: {listed(names)}"
    return (Finding("constant-indicator", what, "parameter weights", "leave them out, or weigh them by hand", "warning"),)


def entropy_weight(data: Data, *, negative: Sequence[str] = (), pool: str = "panel", shift: float = 0.0) -> Measured:
    """Weight and entropy of each item."""
    cube = data.cube(*_CELL)
    _, groups, found, findings = _weighted(cube, negative, pool, shift)
    items, times = cube.labels[2], cube.labels[0]
    blocks: list[Block] = []
    for number, weights in enumerate(found):
        keys: dict[str, Any] = {"item": items}
        if pool == "cross-section":
            keys["time"] = pl.Series([times[number]] * len(items), dtype=times.dtype)
        shared: dict[str, Any] = {"n_used": weights.used, "coverage": weights.used / max(int((groups == number).sum()), 1)}
        none = {"too-few": np.full(len(items), weights.used < 2), "all-constant": np.isnan(weights.weight)}
        blocks += [
            block(keys, weights.weight, component="entropy-weight", reasons=none, **shared),
            block(keys, weights.entropy, component="information-entropy", reasons={"too-few": none["too-few"]}, **shared),
        ]
    return Measured(blocks, findings)


def entropy_score(
    data: Data, *, negative: Sequence[str] = (), pool: str = "panel", shift: float = 0.0, weights: str = "entropy"
) -> Measured:
    """Linear score and TOPSIS closeness of each time and region."""
    cube = data.cube(*_CELL)
    z, groups, found, findings = _weighted(cube, negative, pool, shift)
    linear, close = np.full(len(z), np.nan), np.full(len(z), np.nan)
    for number, entropy in enumerate(found):
        rows = groups == number
        weight = np.full(z.shape[1], 1.0 / z.shape[1]) if weights == "equal" else entropy.weight
        linear[rows], close[rows] = composite.linear_score(z[rows], weight), composite.topsis(z[rows], weight)
    shared = _score_frame(cube, found, groups, equal=weights == "equal")
    shape = cube.values.shape[:2]
    parts = {"linear": linear, "topsis": close}
    return Measured([dense(cube, v.reshape(shape), component=name, dims=_CELL[:2], **shared) for name, v in parts.items()], findings)


def _score_frame(cube: Cube, found: Sequence[composite.EntropyWeights], groups: NDArray[np.int64], *, equal: bool) -> dict[str, Any]:
    """How many observations entered each score, and why one is missing."""
    shape = cube.values.shape[:2]
    flat = np.array([np.isnan(w.weight).all() for w in found])[groups].reshape(shape)
    few = np.array([w.used < 2 for w in found])[groups].reshape(shape)
    used = np.array([w.used for w in found])[groups].reshape(shape)
    coverage = cube.observed.mean(axis=2)
    return {"n_used": used, "coverage": coverage, "reasons": {**_gaps(cube), "too-few": few, "all-constant": flat & (not equal)}}


def carrying_capacity(data: Data, *, weights: Weights = None) -> Measured:
    """Mean pressure, short board and each factor's pressure, by time and region."""
    demand, capacity = data.cube(*_CELL, value="demand"), data.cube(*_CELL, value="capacity")
    found = composite.carrying_capacity(demand.values, capacity.values, _by_item(weights, demand.labels[2]))
    seen = demand.observed & capacity.observed
    none = seen & (capacity.values == 0)
    gap = {"suppressed-input": demand.suppressed | capacity.suppressed, "missing-input": ~seen}
    gaps = {code: mask.any(axis=2) for code, mask in gap.items()}
    used, count = seen.sum(axis=2), seen.shape[2]
    shared: dict[str, Any] = {"n_used": used, "coverage": used / count}
    idle = (none & (demand.values == 0)).any(axis=2)
    mean = dense(
        demand,
        found.mean,
        component="mean-pressure",
        dims=_CELL[:2],
        reasons={**gaps, "zero-capacity": none.any(axis=2)},
        **shared,
    )
    reasons = {**gaps, "zero-capacity": idle, "no-demand": found.binding < 0}
    least = dense(demand, found.short_board, component="short-board", dims=_CELL[:2], reasons=reasons, **shared)
    names = demand.labels[2].gather(np.maximum(found.binding, 0).ravel())
    bound = names.set(pl.Series(~np.isfinite(least.value)), None)
    least = Block({**least.keys, "item": bound}, least.value, least.n_used, least.coverage, least.reason, least.component)
    each = dense(
        demand, found.pressure, n_used=seen.astype(np.int64), coverage=seen, reasons={**gap, "zero-capacity": none}, component="pressure"
    )
    return Measured([mean, least, each])


def business_environment(
    data: Data, *, negative: Sequence[str] = (), pool: str = "panel", shift: float = 0.0, weights: str = "entropy"
) -> Measured:
    """Total and dimensions of each time and region."""
    cube = data.cube(*_CELL)
    dimension, names = _dimensions(data, cube)
    z, groups, found, findings = _weighted(cube, negative, pool, shift)
    total, parts = np.full(len(z), np.nan), np.full((len(z), len(names)), np.nan)
    for number, entropy in enumerate(found):
        rows = groups == number
        weight = composite.equal_weights(dimension) if weights == "equal" else entropy.weight
        scored = composite.grouped_score(z[rows], weight, dimension)
        total[rows], parts[rows] = scored.total, scored.parts
    shared = _score_frame(cube, found, groups, equal=weights == "equal")
    shape = cube.values.shape[:2]
    blocks = [dense(cube, total.reshape(shape), component="all-dimensions", dims=_CELL[:2], **shared)]
    for g, name in enumerate(names):
        value = parts[:, g].reshape(shape)
        stated = {**shared, "reasons": {**shared["reasons"], "constant-dimension": np.isnan(value)}}
        made = dense(cube, value, component="dimension", dims=_CELL[:2], **stated)
        keys = {**made.keys, "group": pl.Series([name] * len(made.value), dtype=names.dtype)}
        blocks.append(Block(keys, made.value, made.n_used, made.coverage, made.reason, made.component))
    return Measured(blocks, findings)


def _dimensions(data: Data, cube: Cube) -> tuple[NDArray[np.int64], pl.Series]:
    """[K] number of each item's dimension, and the dimensions' names."""
    pairs = data.frame.select("item", "group").unique().sort("item", "group")
    twice = pairs["item"].filter(pairs["item"].is_duplicated()).unique(maintain_order=True)
    if len(twice):
        what, where = f"items belong to several dimensions: {listed(twice)}", f"column {data.columns['group']!r}"
        raise InputError(Finding("item-in-two-groups", what, where, "give each item one dimension"))
    names = data.labels("group")
    order = {str(n): i for i, n in enumerate(names)}
    of = dict(pairs.iter_rows())
    return np.array([order[of[x]] for x in cube.labels[2]], dtype=np.int64), names


_POOLED = {"negative": _NEGATIVE, "pool": _POOL, "shift": _SHIFT}
_EITHER = {**_POOLED, "weights": Parameter("entropy", ("entropy", "equal"), "weights of the indicators")}
_ENTROPY = r"e_k = -\frac{1}{\ln N} \sum p_{ik} \ln p_{ik}"


def _indicator(name: str, formula: str, source: str, top: float | None, keys: tuple[str, ...], **more: Any) -> Indicator:
    more.setdefault("roles", (_REGION, _ITEM, _VALUE, _TIME))
    return Indicator(
        id=name,
        family="composite",
        unit="index",
        range=(0.0, top),
        formula=formula,
        source=source,
        keys=keys,
        compute=f"{__name__}:{name.replace('-', '_')}",
        unique=_CELL,
        **more,
    )


ENTRIES = (
    _indicator(
        "coupling-coordination",
        r"D = \sqrt{C\,T},\ C = \frac{n (\prod U_k)^{1/n}}{\sum U_k},\ T = \sum \alpha_k U_k",
        "Liao (1999); Wang et al. (2021)",
        1.0,
        _CELL[:2],
        roles=(_REGION, Role("item", "key", "name of the subsystem"), Role("value", "number", "the subsystem's level, 0 to 1"), _TIME),
        components=("coupling", "development", "coordination"),
        parameters={"variant": Parameter("original", ("original", "wang2021"), "definition of C"), "weights": _WEIGHTS},
    ),
    _indicator(
        "entropy-weight",
        rf"w_k = \frac{{1 - e_k}}{{\sum (1 - e_k)}},\ {_ENTROPY}",
        "Shannon (1948); Zou, Yun & Sun (2006)",
        1.0,
        ("time", "item"),
        components=("entropy-weight", "information-entropy"),
        parameters=_POOLED,
    ),
    _indicator(
        "entropy-score",
        r"S_i = \sum_k w_k z_{ik},\ c_i = \frac{d_i^-}{d_i^+ + d_i^-}",
        "Hwang & Yoon (1981); Zou, Yun & Sun (2006)",
        1.0,
        _CELL[:2],
        components=("linear", "topsis"),
        parameters=_EITHER,
    ),
    _indicator(
        "carrying-capacity",
        r"P = \sum_k w_k \frac{D_k}{C_k},\ \min_k \frac{C_k}{D_k}",
        "Liebig's law of the minimum",
        None,
        _CELL,
        roles=(
            _REGION,
            Role("item", "key", "factor: land, water, energy, labour, environmental headroom"),
            Role("demand", "number", "what is asked of the factor", sign="non-negative"),
            Role("capacity", "number", "what the factor can bear, in the same unit", sign="non-negative"),
            _TIME,
        ),
        components=("mean-pressure", "short-board", "pressure"),
        parameters={"weights": _WEIGHTS},
    ),
    _indicator(
        "business-environment",
        r"B = \sum_g \omega_g B_g,\ B_g = \sum_{k \in g} \frac{w_k}{\omega_g} z_k,\ \omega_g = \sum_{k \in g} w_k",
        "Zou, Yun & Sun (2006)",
        1.0,
        ("time", "region", "group"),
        roles=(
            _REGION,
            Role("group", "key", "dimension: government, market, finance, human capital, infrastructure, law"),
            _ITEM,
            _VALUE,
            _TIME,
        ),
        components=("all-dimensions", "dimension"),
        parameters=_EITHER,
    ),
)
