"""Flows of firms and investment between regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure import flows as formulas
from hinterland.measure import relatedness
from hinterland.measure.complexity import complexity, presence
from hinterland.measure.data import Data, positions
from hinterland.measure.entries.axes import axes, codes, union
from hinterland.measure.entries.presences import ORIENT, orientation
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, block, dense
from hinterland.measure.second import table

Floats = NDArray[np.float64]


def undertaking_intensity(data: Data) -> Measured:
    """One value per time, industry and host."""
    regions, industries, times = union(data, "region", "other"), data.labels("industry"), data.labels("time")
    flows = np.zeros((len(times), len(industries), len(regions), len(regions)))
    rows = np.zeros(flows.shape, dtype=np.int64)
    at = (data.codes("time"), data.codes("industry"), codes(data, "region", regions), codes(data, "other", regions))
    np.add.at(flows, at, np.nan_to_num(data.number()))
    np.add.at(rows, at, 1)
    used = np.zeros_like(rows)
    np.add.at(used, at, np.isfinite(data.number()))
    there, known = rows.sum(axis=2), used.sum(axis=2)
    coverage = np.divide(known, there, out=np.zeros(known.shape), where=there > 0)
    hosts = data.labels("other")
    keep = positions(hosts, regions)
    where = axes(time=times, industry=industries, other=hosts)
    values = formulas.undertaking_intensity(flows)[..., keep]
    reasons = {"missing-input": (there > 0)[..., keep] & (known == 0)[..., keep], "nothing-settles": ~np.isfinite(values)}
    return Measured([dense(where, values, n_used=known[..., keep], coverage=coverage[..., keep], reasons=reasons)])


def link_kind(data: Data, *, requirements: Any = None, taus: Any = (0.001, 0.01, 0.05)) -> Measured:
    """Four components per time, host and threshold."""
    thresholds = _thresholds(taus)
    industries = union(data, "industry", "other_industry")
    need = _requirements(requirements, industries)
    child, parent = codes(data, "industry", industries), codes(data, "other_industry", industries)
    weight = data.number() if data.has("value") else np.ones(data.frame.height)
    seen = np.isfinite(weight)
    regions, times = data.labels("region"), data.labels("time")
    place = data.codes("time") * len(regions) + data.codes("region")
    shape = (len(times), len(regions), len(thresholds))
    values = np.full((*shape, len(formulas.LINKS)), np.nan)
    used = np.zeros(shape[:2], dtype=np.int64)
    for cell in np.unique(place):
        rows = np.flatnonzero((place == cell) & seen)
        t, r = divmod(int(cell), len(regions))
        values[t, r] = formulas.link_shares(child[rows], parent[rows], weight[rows], need, thresholds)
        used[t, r] = len(rows)
    total = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape[:2])
    coverage = np.divide(used, total, out=np.zeros(used.shape), where=total > 0)
    where = axes(time=times, region=regions, point=pl.Series("point", thresholds, dtype=pl.Float64))
    reasons = {"no-links": ~np.isfinite(values[..., 0])}
    blocks = [
        dense(where, values[..., k], n_used=used[..., None], coverage=coverage[..., None], reasons=reasons, component=f"link-{name}")
        for k, name in enumerate(formulas.LINKS)
    ]
    return Measured(blocks)


def _thresholds(taus: Any) -> list[float]:
    values = [taus] if isinstance(taus, int | float) else list(taus) if isinstance(taus, list | tuple) else []
    if not values or any(isinstance(v, bool) or not isinstance(v, int | float) or not 0 < v <= 1 for v in values):
        raise InputError(
            Finding("out-of-range", f"taus is {taus!r}", "parameter taus", "give one or more requirements between 0 and 1"), "link-kind"
        )
    return [float(v) for v in values]


def _requirements(source: Any, industries: pl.Series) -> Floats:
    where = "parameter requirements"
    if source is None:
        remedy = "give a table with columns industry (input), other_industry (user) and value"
        raise InputError(Finding("missing-requirements", "direct requirements were not given", where, remedy), where)
    found = table(source, "requirements", ["industry", "other_industry", "value"], unique=["industry", "other_industry"])
    found = found.with_columns(pl.col("industry", "other_industry").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False))
    absent = [i for i in industries if i not in set(found["industry"]) | set(found["other_industry"])]
    bad = found.filter(pl.col("value").is_null() | ~pl.col("value").is_finite())
    findings = []
    if absent:
        findings.append(
            Finding("requirements-lack-industry", f"there are no requirements of {listed(absent)}", where, "add them, or map the codes")
        )
    if bad.height:
        findings.append(Finding("requirements-gap", f"{bad.height} requirement(s) have no number", where, "fill them in"))
    fail_if_any(findings, where, InputError)
    inside = found.filter(pl.col("industry").is_in(industries.implode()) & pl.col("other_industry").is_in(industries.implode()))
    out = np.zeros((len(industries), len(industries)))
    out[positions(inside["industry"], industries), positions(inside["other_industry"], industries)] = inside["value"].to_numpy()
    return out


@dataclass(frozen=True, slots=True)
class _Setting:
    """What a flow is judged against: tier of regions [R], complexity gap and relatedness [R, I]."""

    tier: Floats
    gap: Floats
    relatedness: Floats


def pattern(
    data: Data,
    *,
    levels: Any = None,
    activity: Any = None,
    orient: Any = None,
    tiers: int = 4,
    over: Literal["options", "all"] = "all",
    tier_threshold: float = 0.0,
    complexity_threshold: float = 0.0,
    relatedness_threshold: float = 0.0,
) -> Measured:
    """Four components per flow."""
    regions, industries = union(data, "region", "other"), data.labels("industry")
    setting = _Setting(_tiers(levels, regions, tiers), *_scores(activity, regions, industries, over, orient))
    found = formulas.pattern(
        codes(data, "region", regions),
        codes(data, "other", regions),
        data.codes("industry"),
        tier=setting.tier,
        gap=setting.gap,
        relatedness=setting.relatedness,
        tier_threshold=tier_threshold,
        complexity_threshold=complexity_threshold,
        relatedness_threshold=relatedness_threshold,
    )
    keys = {k: data.frame[k] for k in ("time", "region", "other", "industry") if data.has(k)}
    parts = {
        "tier-gap": (found.tier_gap, {"no-level": ~np.isfinite(found.tier_gap)}),
        "complexity-gap": (found.complexity_gap, {"no-complexity": ~np.isfinite(found.complexity_gap)}),
        "relatedness-in-host": (found.relatedness, {"no-relatedness": ~np.isfinite(found.relatedness)}),
        "transfer-pattern": (found.label + 1.0, {"score-missing": found.label < 0}),
    }
    blocks = [block(keys, values, n_used=1, reasons=reasons, component=name) for name, (values, reasons) in parts.items()]
    return Measured(blocks, notes=(Note("pattern-own-rule"),))


def _tiers(source: Any, regions: pl.Series, count: int) -> Floats:
    where = "parameter levels"
    if source is None:
        remedy = "give a table with columns region and value, such as the logarithm of GDP per head"
        raise InputError(Finding("missing-levels", "no levels of development were given", where, remedy), where)
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise InputError(Finding("out-of-range", f"tiers is {count!r}", "parameter tiers", "give a whole number of 2 or more"), "tiers")
    found = table(source, "levels", ["region", "value"]).with_columns(
        pl.col("region").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False)
    )
    twice = found.filter(found["region"].is_duplicated())["region"].unique(maintain_order=True)
    if len(twice):
        raise InputError(
            Finding("levels-repeated", f"regions have several levels: {listed(twice)}", where, "give each region one row"), where
        )
    tier = formulas.tiers(found["value"].fill_null(np.nan).to_numpy(), count)
    known = dict(zip(found["region"].to_list(), tier.tolist(), strict=True))
    return np.array([known.get(r, np.nan) for r in regions])


def _scores(source: Any, regions: pl.Series, industries: pl.Series, over: Literal["options", "all"], orient: Any) -> tuple[Floats, Floats]:
    """Complexity gap and relatedness of the flows' regions and industries, from a table of activity."""
    where = "parameter activity"
    if source is None:
        remedy = "give a table with columns region, industry and value, such as employment"
        raise InputError(Finding("missing-activity", "no activity was given", where, remedy), where)
    found = table(source, "activity", ["region", "industry", "value"], unique=["region", "industry"])
    found = found.with_columns(pl.col("region", "industry").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False))
    rows, columns = found["region"].unique().sort(), found["industry"].unique().sort()
    values = np.zeros((len(rows), len(columns)))
    values[positions(found["region"], rows), positions(found["industry"], columns)] = found["value"].fill_null(np.nan).to_numpy()
    if (values < 0).any():
        raise InputError(Finding("negative-value", "activity has negative values", where, "give 0 or more"), where)
    p = presence(values)
    reference = orientation(orient, rows)[p.regions]
    try:
        pci = complexity(p.matrix, reference=reference if orient is not None else None).pci
    except ValueError as error:
        raise InputError(Finding("activity-too-thin", str(error), where, "give more regions and industries"), where) from error
    omega = relatedness.density(p.matrix, relatedness.proximity(p.matrix))
    scores = formulas.complexity_gap(p.matrix, pci), relatedness.relative_density(omega, p.matrix, over=over)
    place = [_found(regions, rows.gather(p.regions)), _found(industries, columns.gather(p.industries))]
    return tuple(_looked_up(s, *place) for s in scores)  # type: ignore[return-value]


def _found(labels: pl.Series, among: pl.Series) -> NDArray[np.int64]:
    """Position of each label, -1 where it is not among them."""
    index = {label: i for i, label in enumerate(among.to_list())}
    return np.array([index.get(label, -1) for label in labels], dtype=np.int64)


def _looked_up(values: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
    out = values[np.ix_(rows, columns)]
    out[rows < 0], out[:, columns < 0] = np.nan, np.nan
    return out


_FLOW = (
    Role("region", "key", "region that the owner is in"),
    Role("other", "key", "region that receives; the owner's own for local establishments"),
    Role("value", "number", "capital times equity share, or a count of establishments", sign="non-negative"),
    Role("industry", "key", "industry", required=False),
    Role("time", "time", "year", required=False),
)
_LINK = (
    Role("industry", "key", "industry of the establishment that is owned"),
    Role("other_industry", "key", "industry of its owner"),
    Role("value", "number", "weight; every row counts once without it", required=False, sign="non-negative"),
    Role("region", "key", "region that receives", required=False),
    Role("time", "time", "year", required=False),
)
_PATTERN = (
    Role("region", "key", "region that the industry comes from"),
    Role("other", "key", "region that receives it"),
    Role("industry", "key", "industry, on the classification of activity"),
    Role("time", "time", "year", required=False),
)


def _entry(
    name: str, *, unit: str, bounds: tuple[float | None, float | None], formula: str, source: str, more: Mapping[str, Any]
) -> Indicator:
    return Indicator(id=name, family="transfer", unit=unit, range=bounds, formula=formula, source=source, **more)


_HERE = "hinterland.measure.entries.flows:"

ENTRIES = (
    _entry(
        "undertaking-intensity",
        unit="share",
        bounds=(0.0, 1.0),
        formula=r"\sum_{s \ne h} F_{sh} / \sum_s F_{sh}",
        source="share of new establishments whose owner is elsewhere; this library's own",
        more={
            "roles": _FLOW,
            "keys": ("time", "industry", "other"),
            "compute": f"{_HERE}undertaking_intensity",
            "unique": ("time", "industry", "region", "other"),
        },
    ),
    _entry(
        "link-kind",
        unit="share",
        bounds=(0.0, 1.0),
        formula=r"horizontal: i = k;\; upstream: a_{ik} \ge \tau;\; downstream: a_{ki} \ge \tau",
        source="Alfaro & Charlton (2009)",
        more={
            "roles": _LINK,
            "keys": ("time", "region", "point"),
            "compute": f"{_HERE}link_kind",
            "parameters": {
                "requirements": Parameter(
                    None, help="direct requirements: a table with columns industry (input), other_industry (user) and value", table=True
                ),
                "taus": Parameter((0.001, 0.01, 0.05), help="requirement from which a link is vertical; one result for each"),
            },
            "components": tuple(f"link-{name}" for name in formulas.LINKS),
        },
    ),
    _entry(
        "transfer-pattern",
        unit="index",
        bounds=(None, None),
        formula=r"\Gamma = tier_s - tier_h,\; \Pi = PCI_i - \overline{PCI}_h,\; z_{hi} = (\omega_{hi} - \bar\omega_h)/\sigma_h",
        source="this library's own; Pinheiro, Hartmann, Boschma & Hidalgo (2022) for z",
        more={
            "roles": _PATTERN,
            "keys": ("time", "region", "other", "industry"),
            "compute": f"{_HERE}pattern",
            "parameters": {
                "levels": Parameter(None, help="level of development: a table with columns region and value", table=True),
                "activity": Parameter(None, help="what regions do: a table with columns region, industry and value", table=True),
                **ORIENT,
                "tiers": Parameter(4, help="number of tiers, by quantiles of the level"),
                "over": Parameter("all", ("options", "all"), "industries whose density counts for z: those the host lacks, or all"),
                "tier_threshold": Parameter(0.0, help="tier gap above which a flow goes down"),
                "complexity_threshold": Parameter(0.0, help="complexity gap above which an industry is above its host"),
                "relatedness_threshold": Parameter(0.0, help="z from which an industry is related to its host"),
            },
            "components": ("tier-gap", "complexity-gap", "relatedness-in-host", "transfer-pattern"),
            "unique": ("time", "region", "other", "industry"),
        },
    ),
)
