"""Industrial structure: upgrading, rationalisation, similarity and change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure import structure
from hinterland.measure.data import Cube, Data
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block, dense

Floats = NDArray[np.float64]
Order = Sequence[str] | None

_REGION = Role("region", "key", "region or city")
_TIME = Role("time", "time", "year", required=False)
_INDUSTRY = Role("industry", "key", "industry, on one classification")
_SECTOR = Role("industry", "key", "sector: primary, secondary, tertiary")
_VALUE = Role("value", "number", "output, value added or employment, in one unit", sign="non-negative")
_OUTPUT = Role("output", "number", "value added", sign="non-negative")
_LABOUR = Role("labour", "number", "employment", sign="non-negative")
_CELL = ("time", "region", "industry")
_ORDER = Parameter(
    None, help="labels of the sectors from the lowest to the highest; by default 1, 2, 3 or their usual names", kind="labels"
)

SECTORS = (
    ("1", "2", "3"),
    ("primary", "secondary", "tertiary"),
    ("第一产业", "第二产业", "第三产业"),
    ("一产", "二产", "三产"),
)
"""Labels whose order is known."""
COARSE = 10
"""With fewer industries than this, similarity says little."""
PAIR: Mapping[str, structure.Pair] = {
    "cosine": structure.cosine_similarity,
    "krugman-similarity": structure.krugman_similarity,
    "moore-angle": structure.moore_angle,
}
"""Component → index of two structures."""


def tertiary_secondary_ratio(data: Data, *, order: Order = None) -> Measured:
    """One value per time and region."""
    cube, sectors = _sectors(data, order, exactly=3)
    return _upgrading(cube, structure.tertiary_secondary_ratio(sectors), {"zero-secondary": sectors[..., 1] == 0})


def level_coefficient(data: Data, *, order: Order = None) -> Measured:
    """One value per time and region."""
    cube, sectors = _sectors(data, order)
    return _upgrading(cube, structure.level_coefficient(sectors), {})


def vector_angle(data: Data, *, order: Order = None) -> Measured:
    """One value per time and region."""
    cube, sectors = _sectors(data, order)
    return _upgrading(cube, structure.vector_angle(sectors), {})


def _sectors(data: Data, order: Order, exactly: int | None = None) -> tuple[Cube, Floats]:
    """The cells, and the values [T, R, n] with the sectors in order."""
    cube = data.cube(*_CELL)
    labels = [str(x) for x in cube.labels[2]]
    chosen = _known_order(labels) if order is None else [str(x) for x in order]
    where = "parameter order" if order is not None else f"column {data.columns['industry']!r}"
    findings = []
    if chosen is None or sorted(chosen) != sorted(labels):
        what = (
            f"the order of the sectors {listed(labels)} is not known" if chosen is None else f"order is {listed(chosen)}; the sectors are"
        )
        what = what if chosen is None else f"{what} {listed(labels)}"
        remedy = "give order as the labels from the lowest sector to the highest, each once; leave out rows of totals"
        findings.append(Finding("sector-order", what, where, remedy))
    if exactly is not None and len(labels) != exactly:
        findings.append(Finding("sector-count", f"there are {len(labels)} sectors: {listed(labels)}", where, f"give {exactly} sectors"))
    fail_if_any(findings, data.columns["industry"], InputError)
    return cube, cube.values[..., [labels.index(x) for x in chosen or labels]]


def _known_order(labels: Sequence[str]) -> list[str] | None:
    plain = {x.casefold(): x for x in labels}
    return next(([plain[x] for x in known] for known in SECTORS if set(known) == set(plain)), None)


def _upgrading(cube: Cube, value: Floats, more: Mapping[str, Any]) -> Measured:
    """A value needs all sectors."""
    used = cube.observed.sum(axis=2)
    reasons = {
        "suppressed-input": cube.suppressed.any(axis=2),
        "missing-input": used < cube.values.shape[2],
        "zero-region-total": np.nansum(cube.values, axis=2) == 0,
        **more,
    }
    return Measured([dense(cube, value, n_used=used, coverage=used / cube.values.shape[2], reasons=reasons, dims=_CELL[:2])])


def rationalisation(data: Data, *, direction: structure.Rationalisation = "theil") -> Measured:
    """One value per time and region."""
    return _balance(data, lambda y, labour: structure.rationalisation(y, labour, direction), inverse=direction == "inverse")


def structural_deviation(data: Data) -> Measured:
    """One value per time and region."""
    return _balance(data, structure.structural_deviation)


def _balance(data: Data, index: structure.Pair, *, inverse: bool = False) -> Measured:
    """An index of shares of output against shares of labour, over the industries observed in both."""
    cube, labour = data.cube(*_CELL, value="output"), data.cube(*_CELL, value="labour")
    both = cube.observed & labour.observed
    y, n = (np.where(both, c.values, 0.0) for c in (cube, labour))
    used, value = both.sum(axis=2), index(cube.values, labour.values)
    reasons = {
        "suppressed-input": (used == 0) & (cube.suppressed | labour.suppressed).any(axis=2),
        "missing-input": used == 0,
        "zero-region-total": (y.sum(axis=2) == 0) | (n.sum(axis=2) == 0),
        "zero-labour": ((y > 0) & (n == 0)).any(axis=2),
        "perfect-balance": np.isnan(value) if inverse else False,
    }
    return Measured([dense(cube, value, n_used=used, coverage=used / both.shape[2], reasons=reasons, dims=_CELL[:2])])


def structural_similarity(data: Data) -> Measured:
    """Each pair of regions once a year."""
    cube = data.cube(*_CELL)
    seen = cube.observed
    common = structure.pairwise(seen, lambda a, b: (a & b).sum(axis=-1))
    blocks = []
    for name, index in PAIR.items():
        value = structure.pairwise(cube.values, index)
        reasons = {"missing-input": common == 0, "no-common-industry": np.isnan(value)}
        blocks.append(_pairs(cube, value, common, common / seen.shape[2], reasons=reasons, component=name))
    return Measured(blocks, _coarse(data, cube))


def _pairs(
    cube: Cube, value: Floats, used: Floats, coverage: Floats, *, reasons: Mapping[str, NDArray[np.bool_]], component: str = ""
) -> Block:
    """Rows for each pair of regions, the first label being the smaller, of arrays [T, R, R]."""
    times, regions = cube.labels[0], cube.labels[1]
    first, second = np.triu_indices(len(regions), 1)
    at, year = (slice(None), first, second), np.repeat(np.arange(len(times)), len(first))
    keys = {
        "time": times.gather(year),
        "region": regions.gather(np.tile(first, len(times))),
        "other": regions.gather(np.tile(second, len(times))),
    }
    return block(
        keys,
        value[at].ravel(),
        n_used=used[at].ravel(),
        coverage=coverage[at].ravel(),
        reasons={code: mask[at].ravel() for code, mask in reasons.items()},
        component=component,
    )


def structural_change(data: Data, *, lag: int = 1) -> Measured:
    """One value per time, region and component."""
    if not isinstance(lag, int) or isinstance(lag, bool) or lag < 1:
        raise InputError(Finding("out-of-range", f"lag is {lag!r}", "parameter lag", "give a whole number of years, 1 or more"))
    cube = data.cube(*_CELL)
    times = cube.labels[0].fill_null(0).to_numpy()
    both = structure.change(np.where(cube.observed, 1.0, 0.0), times, lambda a, b: (a * b).sum(axis=-1), lag)
    reasons = {"no-earlier-year": np.isnan(both), "missing-input": both == 0}
    used = np.nan_to_num(both)
    blocks = []
    for name, index in PAIR.items():
        value = structure.change(cube.values, times, index, lag)
        stated = {**reasons, "no-common-industry": np.isnan(value)}
        coverage = used / cube.values.shape[2]
        blocks.append(dense(cube, value, n_used=used, coverage=coverage, reasons=stated, component=name, dims=_CELL[:2]))
    return Measured(blocks, _coarse(data, cube))


def key_industry_overlap(data: Data, *, sets: str = "top", top: int = 10, least: float = 1.0) -> Measured:
    """Each pair of regions once a year."""
    _fail_if_choice_wrong(top, least)
    cube = data.cube(*_CELL)
    key = cube.values > 0 if sets == "planned" else structure.key_industries(cube.values, top, least)
    union = structure.pairwise(key, lambda a, b: (a | b).sum(axis=-1))
    known = structure.pairwise(cube.observed, lambda a, b: (a & b).sum(axis=-1))
    value = structure.pairwise(key, structure.jaccard)
    listed_only = sets == "planned"
    coverage = np.ones(union.shape) if listed_only else known / cube.values.shape[2]
    reasons = {"missing-input": (known == 0) & (not listed_only), "no-key-industry": np.isnan(value)}
    return Measured([_pairs(cube, value, union, coverage, reasons=reasons)])


def _fail_if_choice_wrong(top: object, least: object) -> None:
    findings = []
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        findings.append(Finding("out-of-range", f"top is {top!r}", "parameter top", "give a whole number, 1 or more"))
    if isinstance(least, bool) or not isinstance(least, int | float) or not least >= 0:
        findings.append(Finding("out-of-range", f"least is {least!r}", "parameter least", "give a number, 0 or more"))
    fail_if_any(findings, "parameters", InputError)


def _coarse(data: Data, cube: Cube) -> tuple[Finding, ...]:
    count = cube.values.shape[2]
    if count >= COARSE:
        return ()
    what = f"similarity is measured over {count} industries; over so few, nearly every pair looks alike"
    remedy = "use industries of two digits or more"
    return (Finding("coarse-industries", what, f"column {data.columns['industry']!r}", remedy, "warning"),)


def _indicator(
    name: str, formula: str, source: str, bounds: tuple[float | None, float | None], compute: Callable[..., Measured], **more: Any
) -> Indicator:
    return Indicator(
        id=name,
        family="structure",
        unit="index",
        range=bounds,
        formula=formula,
        source=source,
        compute=f"{__name__}:{compute.__name__}",
        unique=_CELL,
        **more,
    )


_THREE: dict[str, Any] = {"roles": (_REGION, _SECTOR, _VALUE, _TIME), "keys": _CELL[:2], "parameters": {"order": _ORDER}}
_BALANCE: dict[str, Any] = {"roles": (_REGION, _INDUSTRY, _OUTPUT, _LABOUR, _TIME), "keys": _CELL[:2]}
_CELLS = (_REGION, _INDUSTRY, _VALUE, _TIME)
_GAN = "Gan, Zheng & Yu (2011)"

ENTRIES = (
    _indicator("tertiary-secondary-ratio", r"W = Y_3 / Y_2", _GAN, (0.0, None), tertiary_secondary_ratio, **_THREE),
    _indicator("structural-level", r"W = \sum_{n} n\, s_n", "Xu & Jiang (2015)", (1.0, None), level_coefficient, **_THREE),
    _indicator(
        "structural-angle",
        r"W = \sum_{k=1}^{3} \sum_{j=1}^{k} \theta_j,\ \theta_j = \arccos(s_j / \lVert s \rVert)",
        "Fu (2010)",
        (0.0, None),
        vector_angle,
        **_THREE,
    ),
    _indicator(
        "structural-rationalisation",
        r"TL = \sum_i \frac{Y_i}{Y} \ln\frac{Y_i / L_i}{Y / L}",
        _GAN,
        (None, None),
        rationalisation,
        **_BALANCE,
        parameters={
            "direction": Parameter(
                "theil", ("theil", "negative", "inverse"), "theil: 0 is best; negative: −TL, more is better; inverse: 1/TL"
            )
        },
    ),
    _indicator(
        "structural-deviation",
        r"E = \sum_i \left| \frac{Y_i / L_i}{Y / L} - 1 \right|",
        _GAN,
        (0.0, None),
        structural_deviation,
        **_BALANCE,
    ),
    _indicator(
        "structural-similarity",
        r"S_{ab} = \frac{\sum_i s_{ai} s_{bi}}{\sqrt{\sum_i s_{ai}^2 \sum_i s_{bi}^2}},\ 1 - \tfrac12 \sum_i |s_{ai} - s_{bi}|,\ \arccos S_{ab}",
        "UNIDO (1979); Krugman (1991); Moore (1978)",
        (0.0, float(np.pi / 2)),
        structural_similarity,
        roles=_CELLS,
        keys=("time", "region", "other"),
        components=tuple(PAIR),
    ),
    _indicator(
        "structural-change",
        r"\alpha_t = \arccos \frac{\sum_i s_{i,t} s_{i,t-l}}{\sqrt{\sum_i s_{i,t}^2 \sum_i s_{i,t-l}^2}}",
        "Moore (1978)",
        (0.0, float(np.pi / 2)),
        structural_change,
        roles=(_REGION, _INDUSTRY, _VALUE, Role("time", "time", "year")),
        keys=_CELL[:2],
        components=tuple(PAIR),
        parameters={"lag": Parameter(1, help="how many years lie between the two structures")},
    ),
    _indicator(
        "key-industry-overlap",
        r"J_{ab} = \frac{|K_a \cap K_b|}{|K_a \cup K_b|}",
        "Jaccard (1901)",
        (0.0, 1.0),
        key_industry_overlap,
        roles=_CELLS,
        keys=("time", "region", "other"),
        parameters={
            "sets": Parameter("top", ("top", "planned"), "top: highest location quotients; planned: industries with a value above 0"),
            "top": Parameter(10, help="how many industries a region has at most"),
            "least": Parameter(1.0, help="location quotient that an industry must exceed"),
        },
    ),
)
