"""Green productivity: inefficiency and the Malmquist–Luenberger indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure import green_productivity as green
from hinterland.measure.data import Cube, Data
from hinterland.measure.efficiency import Model
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, dense

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Names = Sequence[str]

_CELL = ("time", "region", "item")
_ROLES = (
    Role("region", "key", "region, city or plant"),
    Role("item", "key", "name of the input, output or pollutant"),
    Role("value", "number", "its quantity, in its own unit", sign="non-negative"),
    Role("time", "time", "year"),
)
_MODEL = {
    "inputs": Parameter((), help="names of the inputs: capital, labour, energy"),
    "outputs": Parameter((), help="names of the good outputs"),
    "undesirable": Parameter((), help="names of the undesirable outputs"),
    "distance": Parameter(
        "sbm", ("sbm", "ddf"), "sbm: slacks-based (Fukuyama & Weber 2009); ddf: directional distance (Chung et al. 1997)"
    ),
    "returns": Parameter("crs", ("crs", "vrs"), "constant or variable returns to scale"),
    "disposability": Parameter("weak", ("weak", "strong"), "of undesirable outputs, for ddf; sbm is the same under both"),
    "direction": Parameter("own", ("own", "own-outputs", "mean"), "the observation's inputs and outputs, its outputs only, or the means"),
    "weights": Parameter("halves", ("halves", "thirds", "equal"), "of slacks, for sbm: ½ inputs and ½ outputs; ⅓ each; every variable"),
}


@dataclass(frozen=True, slots=True)
class _Read:
    """A table as the models read it.

    Attributes:
        arrays: inputs, good outputs and undesirable outputs, [T, R, ·].
        coverage: [T, R] share of the region's items that are known.
        gaps: reason → [T, R].
    """

    cube: Cube
    arrays: tuple[Floats, Floats, Floats]
    model: Model
    coverage: Floats
    gaps: Mapping[str, Bools]
    findings: tuple[Finding, ...]


def green_inefficiency(
    data: Data, *, frontier: str = "all-years", inputs: Names = (), outputs: Names = (), undesirable: Names = (), **model: Any
) -> Measured:
    """Distance of each time and region to the frontier of all years, or of its own."""
    read = _read(data, (inputs, outputs, undesirable), model)
    measure = green.global_inefficiency if frontier == "all-years" else green.yearly_inefficiency
    found = measure(*read.arrays, read.model)
    reasons = {**read.gaps, **found.reasons}
    value = dense(read.cube, found.value, n_used=found.spanning, coverage=read.coverage, reasons=reasons, dims=_CELL[:2])
    return Measured([value], read.findings)


def green_productivity(
    data: Data, *, index: str = "global", inputs: Names = (), outputs: Names = (), undesirable: Names = (), **model: Any
) -> Measured:
    """Index, efficiency change, change of the frontier, and level."""
    read = _read(data, (inputs, outputs, undesirable), model)
    blocks = _global(read) if index == "global" else _adjacent(read)
    return Measured(blocks, (*read.findings, *_uneven(read.cube)))


def _global(read: _Read) -> list[Block]:
    found = green.global_malmquist_luenberger(*read.arrays, read.model)
    now = {**read.gaps, **found.globally.reasons}
    both = _or_earlier(now, {**read.gaps, **found.within.reasons})
    used = found.globally.spanning
    return [
        _block(read, found.index, "productivity-index", used, _or_earlier(now)),
        _block(read, found.efficiency_change, "efficiency-change", found.within.spanning, both),
        _block(read, found.best_practice_change, "frontier-change", used, both),
        _block(read, found.level, "productivity-level", used, now),
    ]


def _adjacent(read: _Read) -> list[Block]:
    found = green.malmquist_luenberger(*read.arrays, read.model)
    now = {**read.gaps, **found.within.reasons}
    both = {**_or_earlier(now), "infeasible": found.infeasible}
    broken = np.isnan(found.level) & ~np.any(list(both.values()), axis=0)
    chain = {**now, "infeasible": found.infeasible, "broken-chain": broken | np.isnan(found.level)}
    used = found.within.spanning
    return [
        _block(read, found.index, "productivity-index", used, both),
        _block(read, found.efficiency_change, "efficiency-change", used, _or_earlier(now)),
        _block(read, found.technical_change, "frontier-change", used, both),
        _block(read, found.level, "productivity-level", used, chain),
    ]


def _block(read: _Read, value: Floats, component: str, used: NDArray[np.int64], reasons: Mapping[str, Bools]) -> Block:
    return dense(read.cube, value, n_used=used, coverage=read.coverage, reasons=reasons, component=component, dims=_CELL[:2])


def _or_earlier(*reasons: Mapping[str, Bools]) -> dict[str, Bools]:
    """Reasons of a number that needs a year and the one before: they hold where they do in either."""
    shape = next(iter(reasons[0].values())).shape
    first = np.zeros(shape, dtype=np.bool_)
    first[:1] = True
    out: dict[str, Bools] = {"no-earlier-year": first}
    for code, mask in (pair for given in reasons for pair in given.items()):
        before = np.zeros(shape, dtype=np.bool_)
        before[1:] = mask[:-1]
        out[code] = out.get(code, np.zeros(shape, dtype=np.bool_)) | mask | before
    return out


def _read(data: Data, named: tuple[Names, Names, Names], model: Mapping[str, Any]) -> _Read:
    cube = data.cube(*_CELL)
    chosen = _items(cube, named)
    try:
        kind = Model(**model)
    except ValueError as error:
        remedy = "choose another direction or distance"
        raise InputError(Finding("bad-model", str(error), "parameters distance and direction", remedy), "parameters") from error
    used = [i for group in chosen for i in group]
    seen, hidden = cube.observed[..., used], cube.suppressed[..., used]
    arrays = (cube.values[..., chosen[0]], cube.values[..., chosen[1]], cube.values[..., chosen[2]])
    gaps = {"suppressed-input": np.asarray(hidden.any(axis=2)), "missing-input": np.asarray(~seen.all(axis=2))}
    findings = [*_unused(data, cube, used), *_few(seen)]
    return _Read(cube, arrays, kind, seen.mean(axis=2), gaps, tuple(findings))


def _items(cube: Cube, named: tuple[Names, Names, Names]) -> list[list[int]]:
    """Positions of the inputs, good and undesirable outputs among the items."""
    labels = [str(x) for x in cube.labels[2]]
    groups = [[str(n) for n in ((g,) if isinstance(g, str) else g)] for g in named]
    findings = []
    for argument, group in zip(("inputs", "outputs", "undesirable"), groups, strict=True):
        where = f"parameter {argument}"
        if not group and argument != "undesirable":
            findings.append(Finding("missing-items", f"no {argument} are named", where, f"name them; the items are {listed(labels, 40)}"))
        findings += [Finding("unknown-item", f"there is no item {n!r}", where, did_you_mean(n, labels)) for n in group if n not in labels]
    every = [n for group in groups for n in group]
    twice = sorted({n for n in every if every.count(n) > 1})
    if twice:
        what = f"items are named more than once: {listed(twice)}"
        findings.append(Finding("item-twice", what, "parameters inputs, outputs, undesirable", "give each item one part"))
    fail_if_any(findings, "parameters", InputError)
    return [[labels.index(n) for n in group] for group in groups]


def _unused(data: Data, cube: Cube, used: Sequence[int]) -> list[Finding]:
    rest = [str(x) for i, x in enumerate(cube.labels[2]) if i not in used]
    if not rest:
        return []
    what, where = f"items that are neither input nor output were left out: {listed(rest)}", f"column {data.columns['item']!r}"
    return [Finding("unused-item", what, where, "nothing, if that is meant", "warning")]


def _few(seen: Bools) -> list[Finding]:
    """Fewer observations in a year than three per variable make nearly everybody efficient (Banker et al. 1989)."""
    least, variables = int(seen.all(axis=2).sum(axis=1).min()), seen.shape[2]
    if least >= 3 * variables:
        return []
    what = f"a year has {least} complete observations for {variables} inputs and outputs; most will lie on its frontier"
    return [Finding("few-observations", what, "the table", "use fewer variables, or the frontier of all years", "warning")]


def _uneven(cube: Cube) -> list[Finding]:
    times = cube.labels[0].to_numpy()
    if len(times) < 3 or len(set(np.diff(times).tolist())) == 1:
        return []
    what = f"years are not evenly spaced: {listed(times.tolist(), 12)}; each index compares a year with the one before it in the table"
    return [Finding("uneven-years", what, "the column of time", "compare levels, or add the missing years", "warning")]


def _indicator(name: str, low: float | None, formula: str, source: str, extra: Mapping[str, Parameter], **more: Any) -> Indicator:
    return Indicator(
        id=name,
        family="productivity",
        unit="index",
        range=(low, None),
        formula=formula,
        source=source,
        roles=_ROLES,
        keys=_CELL[:2],
        compute=f"{__name__}:{name.replace('-', '_')}",
        parameters={**extra, **_MODEL},
        unique=_CELL,
        **more,
    )


ENTRIES = (
    _indicator(
        "green-inefficiency",
        0.0,
        r"D = \max \tfrac12 \left[ \tfrac1N \sum \tfrac{s^x}{g^x} + \tfrac1{M+J} \left( \sum \tfrac{s^y}{g^y} + \sum \tfrac{s^b}{g^b} \right) \right]",
        "Fukuyama & Weber (2009); Chung, Färe & Grosskopf (1997)",
        {"frontier": Parameter("all-years", ("all-years", "year"), "observations that span the frontier: of all years, or of each year")},
    ),
    _indicator(
        "green-productivity",
        0.0,
        r"GML_t = \frac{1 + D^G_{t-1}}{1 + D^G_t} = EC_t \cdot BPC_t,\ EC_t = \frac{1 + D_{t-1}}{1 + D_t}",
        "Oh (2010); Fukuyama & Weber (2009); Chung, Färe & Grosskopf (1997)",
        {"index": Parameter("global", ("global", "adjacent"), "global: one frontier for all years; adjacent: the frontiers of both years")},
        components=("productivity-index", "efficiency-change", "frontier-change", "productivity-level"),
    ),
)
