"""Market integration read from trade: the border effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, InputError, listed
from hinterland.measure.border_effect import BorderEffect, border_effect, tariff_equivalent
from hinterland.measure.data import Data, positions
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block

Floats = NDArray[np.float64]

_BORDER = (
    "border-effect",
    "border-std-error",
    "border-std-error-robust",
    "border-std-error-pair",
    "border-tariff-equivalent",
    "border-distance-elasticity",
    "border-distance-std-error",
)


def border_effects(data: Data, *, by: Literal["time", "item", "all"] = "time", sigma: float = 8.0) -> Measured:
    """β with its errors, the tariff equivalent and θ, for each period, each period and item, or all together."""
    if not 1 < sigma < np.inf:
        raise InputError(Finding("out-of-range", f"sigma is {sigma!r}", "parameter sigma", "give a number above 1"), "parameters")
    flows, distance, findings = _flows(data)
    times, items = data.labels("time"), data.labels("item")
    groups: list[tuple[Any, Any, Floats]] = [(None, None, flows.reshape(-1, *flows.shape[2:]))]
    if by != "all":
        groups = [(t, None, flows[i]) for i, t in enumerate(times)]
    if by == "item":
        groups = [(t, k, flows[i, j : j + 1]) for i, t in enumerate(times) for j, k in enumerate(items)]
    fits = [_fit(layer, distance) for _, _, layer in groups]
    names = [", ".join(str(x) for x in (t, k) if x is not None) or "the table" for t, k, _ in groups]
    findings += tuple(_said(names, fits))
    keys = {"time": pl.Series([g[0] for g in groups], dtype=pl.Int64), "item": pl.Series([g[1] for g in groups], dtype=pl.String)}
    return Measured(_border_blocks(keys, fits, [g[2] for g in groups], sigma), findings, meta={"sigma": sigma})


def _fit(layers: Floats, distance: Floats) -> BorderEffect | EstimationError:
    try:
        return border_effect(layers, distance)
    except EstimationError as error:
        return error


def _flows(data: Data) -> tuple[Floats, Floats, tuple[Finding, ...]]:
    """[T, K, P, P] flows over the regions that send or receive, and [P, P] their distances."""
    regions = pl.concat([data.labels("region"), data.labels("other")]).unique().sort()
    p, q = positions(data.frame["region"], regions), positions(data.frame["other"], regions)
    shape = (len(data.labels("time")), len(data.labels("item")), len(regions), len(regions))
    flows = np.full(shape, np.nan)
    flows[data.codes("time"), data.codes("item"), p, q] = data.number()
    given = data.number("distance")
    distance = np.full(shape[2:], np.nan)
    distance[p, q] = given
    if data.complete:
        distance = np.where(np.isfinite(distance), distance, distance.T)
        flows = np.where(np.isnan(flows) & np.isfinite(distance), 0.0, flows)
    moved = np.flatnonzero(np.isfinite(given) & ~np.isclose(given, distance[p, q], rtol=1e-9))
    if len(moved):
        what = f"{len(moved)} row(s) have another distance than other rows of the same two regions"
        finding = Finding("distance-changes", what, data.where(moved, "distance"), "give each pair one distance")
        raise InputError(finding, "distances")
    return flows, distance, _lacking(data, regions, flows, distance)


def _lacking(data: Data, regions: pl.Series, flows: Floats, distance: Floats) -> tuple[Finding, ...]:
    """Regions without sales to themselves, or without a distance to themselves."""
    own = np.einsum("tkpp->ptk", flows)
    absent = regions.filter(pl.Series(~np.isfinite(own).any(axis=(1, 2)) | ~np.isfinite(np.diag(distance))))
    if not len(absent):
        return ()
    what = f"{len(absent)} region(s) have no flow, or no distance, to themselves: {listed(absent)}"
    remedy = "add output less exports with an internal distance, such as 0.67·sqrt(area/π)"
    return (Finding("no-own-flow", what, f"column {data.columns['value']!r}", remedy, "warning"),)


def _said(names: Sequence[str], fits: Sequence[BorderEffect | EstimationError]) -> list[Finding]:
    """What the fits left out, and the periods that they failed on."""
    findings = [
        replace(f.findings[0], what=f"{name}: {f.findings[0].what}", severity="warning")
        for name, f in zip(names, fits, strict=True)
        if isinstance(f, EstimationError)
    ]
    done = [f for f in fits if isinstance(f, BorderEffect)]
    silent = sum(int(f.zero_margin.sum()) for f in done)
    if silent:
        what = f"{silent} flow(s) of exporters that sell nothing, or importers that buy nothing, say nothing and are left out"
        findings.append(Finding("zero-margin", what, "flows", "nothing", "warning"))
    separated = sum(int(f.separated.sum()) for f in done)
    if separated:
        what = f"{separated} zero(s) that distance, border and effects predict perfectly say nothing and are left out"
        findings.append(Finding("separated-flows", what, "flows", "nothing", "warning"))
    return findings


def _border_blocks(
    keys: Mapping[str, pl.Series], fits: Sequence[BorderEffect | EstimationError], layers: Sequence[Floats], sigma: float
) -> list[Block]:
    table = np.full((len(_BORDER), len(fits)), np.nan)
    for j, f in enumerate(fits):
        if isinstance(f, BorderEffect):
            tariff = tariff_equivalent(f.estimate[:1], sigma)[0]
            table[:, j] = (f.estimate[0], f.leverage[0], f.robust[0], f.clustered[0], tariff, f.estimate[1], f.leverage[1])
    used = np.array([f.n_used if isinstance(f, BorderEffect) else 0 for f in fits])
    coverage = np.array([np.isfinite(x).mean() for x in layers])
    codes = np.array([f.findings[0].code if isinstance(f, EstimationError) else "" for f in fits])
    reasons = {code: codes == code for code in dict.fromkeys(codes) if code} | {"too-few-flows": ~np.isfinite(table)}
    return [
        block(keys, v, n_used=used, coverage=coverage, component=c, reasons={**reasons, "too-few-flows": ~np.isfinite(v)})
        for c, v in zip(_BORDER, table, strict=True)
    ]


ENTRIES = (
    Indicator(
        id="border-effect",
        family="segmentation",
        unit="log",
        range=(None, None),
        formula=r"E[T_{pqk}] = \exp(\mu_{pk} + \nu_{qk} + \theta \ln d_{pq} + \beta\,1\{p=q\})",
        source="McCallum (1995); Poncet (2003, 2005); Anderson & van Wincoop (2003); Santos Silva & Tenreyro (2006)",
        roles=(
            Role("region", "key", "region that sells"),
            Role("other", "key", "region that buys"),
            Role("value", "number", "flow, sales of a region to itself among them", sign="non-negative"),
            Role("distance", "number", "kilometres between the two; of a region to itself, its internal distance", sign="positive"),
            Role("item", "key", "good, or industry of origin", required=False),
            Role("time", "time", "year", required=False),
        ),
        keys=("time", "item"),
        compute="hinterland.measure.entries.border_effect:border_effects",
        parameters={
            "by": Parameter("time", ("time", "item", "all"), "one effect a period; a period and good; or one in all"),
            "sigma": Parameter(8.0, help="elasticity of substitution, above 1; Anderson & van Wincoop (2004) find 5 to 10"),
        },
        components=_BORDER,
        units={"border-tariff-equivalent": "share", "border-distance-elasticity": "index", "border-distance-std-error": "index"},
        unique=("time", "region", "other", "item"),
    ),
)
