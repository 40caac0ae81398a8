"""Breaks that several series share: what the indicator reads, and how its rows are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, fail_if_any
from hinterland.measure.breaks import breaks, regressors
from hinterland.measure.common_breaks import agreement
from hinterland.measure.common_breaks import common_breaks as pooled
from hinterland.measure.data import Bools, Data, Floats
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.entries.break_series import (
    DATES,
    KEYS,
    PARAMETERS,
    PLACES,
    ROLES,
    Columns,
    Options,
    Series,
    Stretch,
    options,
    put_dates,
    put_line,
    series_of,
    short_findings,
    short_notes,
    stair_findings,
)
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.result import Measured

Criterion = Literal["bic", "lwz"]
_COMPONENTS = (
    "break-count",
    *(f"break-{k}" for k in PLACES),
    *(f"{what}-{k}" for k in PLACES for what in ("agreement", "agreement-by-chance")),
    "count-bic",
    "count-lwz",
    "explained-by-breaks",
    "line-fits-better",
    *DATES,
)


def common_breaks(
    data: Data,
    *,
    within: Literal["region", "industry", "item"] | None = None,
    criterion: Criterion = "bic",
    scale: Literal["standard", "none"] = "standard",
    tolerance: int = 1,
    **more: Any,
) -> Measured:
    """Breaks that all series share, or all series of one region, industry or item."""
    fail_if_any(out_of_range("tolerance", tolerance, 0, 100, whole=True), "arguments")
    chosen, series = options(more, criterion), series_of(data)
    groups = [_group(series, mine, chosen) for mine in _members(series, within)]
    n = len(groups)
    out = Columns(_COMPONENTS if len(chosen.dates) else _COMPONENTS[: -len(DATES)], n)
    years, used = np.array([g.y.shape[1] for g in groups]), np.array([len(g.y) for g in groups])
    short, few = np.array([chosen.short(t) for t in years.tolist()]), used < 2
    for i in np.flatnonzero(~short & ~few):
        stretch = chosen.stretch(np.array([i]), groups[i].y, groups[i].first)
        _fill(out, stretch, (criterion, scale, tolerance), chosen)
    coverage = used / np.array([g.asked for g in groups])
    return Measured(
        out.blocks(_labels(series, within), used, coverage, {"too-few": few, "short-series": short}),
        (*_left_out(data, groups), *short_findings(data, short, chosen.min_years), *stair_findings(data, out)),
        short_notes(~short & ~few, years),
        meta={"break_is": "last period of the old regime", "tolerance": tolerance},
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Series y [n, T] from year ``first`` that are complete and vary, of so many that were ``asked`` for."""

    y: Floats
    first: int
    asked: int


def _group(series: Series, mine: Bools, chosen: Options) -> _Group:
    values = series.values[mine]
    seen = np.flatnonzero(np.isfinite(values).any(axis=0))
    start, end = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
    part = values[:, start:end]
    whole = part[np.isfinite(part).all(axis=1)]
    basis = np.linalg.qr(regressors(end - start, chosen.model))[0] if end - start > 2 else np.eye(end - start)
    rest = ((whole - whole @ basis @ basis.T) ** 2).sum(axis=1)
    return _Group(whole[rest > 1e-24 * (whole**2).sum(axis=1)], series.first + start, len(values))


def _members(series: Series, within: str | None) -> list[Bools]:
    if within not in series.keys:
        return [np.ones(len(series.start), dtype=np.bool_)]
    labels = series.keys[within]
    return [(labels == name).to_numpy() for name in labels.unique().sort()]


def _labels(series: Series, within: str | None) -> dict[str, pl.Series]:
    return {within: series.keys[within].unique().sort()} if within is not None and within in series.keys else {}


def _fill(out: Columns, stretch: Stretch, how: tuple[Criterion, Literal["standard", "none"], int], chosen: Options) -> None:
    criterion, scale, tolerance = how
    y, x, h, row = stretch.y, stretch.x, stretch.h, stretch.rows
    found = pooled(y, x, h=h, max_breaks=chosen.max_breaks, scale=scale)
    m, last = found.count(criterion), found.dates(criterion)
    own = breaks(y, x, h=h, max_breaks=chosen.max_breaks, trending=chosen.model == "trend").dates(criterion)
    near = agreement(own, last, periods=stretch.periods, h=h, tolerance=tolerance)
    explained = 1 - found.ssr[m] / found.ssr[0]
    for name, value in (("break-count", m), ("count-bic", found.by_bic), ("count-lwz", found.by_lwz), ("explained-by-breaks", explained)):
        out.put(name, row, float(value))
    for k in PLACES:
        values = (stretch.first + last[k - 1], near.share[k - 1], near.expected[k - 1]) if k <= m else (np.nan,) * 3
        for name, value in zip((f"break-{k}", f"agreement-{k}", f"agreement-by-chance-{k}"), values, strict=True):
            out.put(name, row, float(value), {"no-break": k > m})
    put_line(out, stretch, np.array([found.line_better(criterion)]), chosen.model == "trend")
    padded = np.pad(last, (0, len(PLACES) - m), constant_values=-1)
    put_dates(out, stretch, padded[None], chosen.dates)


def _left_out(data: Data, groups: list[_Group]) -> tuple[Finding, ...]:
    left = sum(g.asked - len(g.y) for g in groups)
    if not left:
        return ()
    what = f"{left} series lack years that others have, or do not vary; they are left out"
    remedy = "complete them, or take the years that all have"
    return (Finding("incomplete-series", what, f"column {data.columns['value']!r}", remedy, "warning"),)


ENTRIES = (
    Indicator(
        id="common-breaks",
        family="phases",
        unit="as-input",
        range=(None, None),
        formula=r"(\hat T_1,\dots,\hat T_m)=\arg\min\sum_{i=1}^{N}\frac{1}{\hat\sigma_i^2}\sum_{j=1}^{m+1}\sum_{t=T_{j-1}+1}^{T_j}(y_{it}-x_t'\beta_{ij})^2",
        source="Bai (2010)",
        roles=ROLES,
        keys=KEYS,
        compute="hinterland.measure.entries.common_breaks:common_breaks",
        parameters={
            **PARAMETERS,
            "within": Parameter(
                None, (None, "region", "industry", "item"), "one set of dates for all series, or one for each region, industry or item"
            ),
            "criterion": Parameter("bic", ("bic", "lwz"), "how many breaks, of the pool and of each series by itself"),
            "scale": Parameter("standard", ("standard", "none"), "series over their residual standard deviation, or as they are"),
            "tolerance": Parameter(1, help="years by which an own break may miss a common one and still agree"),
        },
        components=_COMPONENTS,
        unique=("time", *KEYS),
    ),
)
