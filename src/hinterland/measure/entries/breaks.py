"""Structural breaks of each series: what the indicator reads, and how its rows are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from hinterland.measure.break_tests import Level, date_interval, sup_f_p_value
from hinterland.measure.breaks import Breaks, Criterion, breaks
from hinterland.measure.data import Data, Floats, Ints
from hinterland.measure.entries.break_series import (
    DATES,
    KEYS,
    PARAMETERS,
    PLACES,
    ROLES,
    Columns,
    Options,
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

_FOR_INTERVAL = 30
"""Years below which a break has no interval."""
_COMPONENTS = (
    "break-count",
    *(f"break-{k}" for k in PLACES),
    *(f"break-{k}-{end}" for k in PLACES for end in ("low", "high")),
    "count-bic",
    "count-lwz",
    "count-sequential",
    "sup-f",
    "sup-f-p",
    "explained-by-breaks",
    "line-fits-better",
    *DATES,
)


def structural_breaks(data: Data, *, criterion: Criterion = "lwz", level: Level = 0.05, **more: Any) -> Measured:
    """Breaks of each series by itself."""
    chosen, series = options(more, criterion), series_of(data)
    length = series.end - series.start
    short = np.array([chosen.short(n) for n in length.tolist()])
    usable = ~series.gap & ~short
    out = Columns(_COMPONENTS if len(chosen.dates) else _COMPONENTS[: -len(DATES)], len(length))
    for start, end in sorted(set(zip(series.start[usable].tolist(), series.end[usable].tolist(), strict=True))):
        rows = np.flatnonzero(usable & (series.start == start) & (series.end == end))
        _fill(out, chosen.stretch(rows, series.values[rows, start:end], series.first + start), criterion, level, chosen)
    reasons = {"suppressed-input": series.gap & series.suppressed, "missing-input": series.gap, "short-series": short}
    return Measured(
        out.blocks(series.keys, series.used, series.used / np.maximum(length, 1), reasons),
        (*short_findings(data, ~series.gap & short, chosen.min_years), *stair_findings(data, out)),
        short_notes(usable, length),
        meta={"shortest_regime": sorted({chosen.h(n) for n in length[usable].tolist()}), "break_is": "last period of the old regime"},
    )


def _fill(out: Columns, stretch: Stretch, criterion: Criterion, level: Level, chosen: Options) -> None:
    rows, trend = stretch.rows, chosen.model == "trend"
    found = breaks(stretch.y, stretch.x, h=stretch.h, max_breaks=chosen.max_breaks, level=level, trending=trend)
    ssr, count, last = found.partitions.ssr, found.count(criterion), found.dates(criterion)
    last = np.pad(last, ((0, 0), (0, len(PLACES) - last.shape[1])), constant_values=-1)
    out.put("break-count", rows, np.where(count < 0, np.nan, count), {"no-critical-values": count < 0})
    for k in PLACES:
        at = last[:, k - 1]
        out.put(f"break-{k}", rows, np.where(at >= 0, stretch.first + at, np.nan), {"no-break": at < 0})
        _put_interval(out, stretch, last, k)
    for name, by in (("bic", found.by_bic), ("lwz", found.by_lwz), ("sequential", found.by_sequence)):
        out.put(f"count-{name}", rows, np.where(by < 0, np.nan, by), {"no-critical-values": by < 0})
    _put_test(out, stretch, found, trend)
    flat = ssr[:, 0] == 0
    left = ssr[np.arange(len(rows)), np.maximum(count, 0)] / np.where(flat, 1.0, ssr[:, 0])
    out.put("explained-by-breaks", rows, np.where(flat, np.nan, 1 - left), {"no-variation": flat})
    put_line(out, stretch, found.line_better(criterion), trend)
    put_dates(out, stretch, last, chosen.dates)


def _put_interval(out: Columns, stretch: Stretch, last: Ints, k: int) -> None:
    short, present = stretch.periods < _FOR_INTERVAL, last[:, k - 1] >= 0
    ends = np.full((len(last), 2), np.nan)
    for i in np.flatnonzero(present & (not short)):
        edges = [0, *(last[i][last[i] >= 0] + 1).tolist(), stretch.periods]
        found = date_interval(stretch.y[i], stretch.x, (edges[k - 1], edges[k], edges[k + 1]))
        if found is not None:
            ends[i] = stretch.first + np.array(found)
    reasons = {"no-break": ~present, "short-for-interval": np.full(len(last), short), "exact-fit": np.isnan(ends[:, 0])}
    for column, end in enumerate(("low", "high")):
        out.put(f"break-{k}-{end}", stretch.rows, ends[:, column], reasons)


def _put_test(out: Columns, stretch: Stretch, found: Breaks, trend: bool) -> None:
    statistic: Floats = found.sup_f[:, 0]
    flat, exact = found.partitions.ssr[:, 0] == 0, np.isinf(statistic)
    out.put("sup-f", stretch.rows, np.where(exact | flat, np.nan, statistic), {"no-variation": flat, "exact-fit": exact})
    p_value = sup_f_p_value(statistic, stretch.x.shape[1], stretch.h / stretch.periods)
    hidden = np.full(len(statistic), trend)
    out.put("sup-f-p", stretch.rows, np.where(flat | hidden, np.nan, p_value), {"no-critical-values": hidden, "no-variation": flat})


ENTRIES = (
    Indicator(
        id="structural-breaks",
        family="phases",
        unit="as-input",
        range=(None, None),
        formula=r"(\hat T_1,\dots,\hat T_m)=\arg\min\sum_{j=1}^{m+1}\sum_{t=T_{j-1}+1}^{T_j}(y_t-x_t'\beta_j)^2,\quad\mathrm{LWZ}=\ln\frac{SSR}{T-p}+0.299\,p\,\frac{(\ln T)^{2.1}}{T}",
        source="Bai and Perron (1998, 2003); Liu, Wu and Zidek (1997)",
        roles=ROLES,
        keys=KEYS,
        compute="hinterland.measure.entries.breaks:structural_breaks",
        parameters={
            **PARAMETERS,
            "criterion": Parameter(
                "lwz", ("lwz", "bic", "sequential"), "how many breaks: a criterion, or tests of one more until one does not reject"
            ),
            "level": Parameter(0.05, (0.1, 0.05, 0.01), "of the tests"),
        },
        components=_COMPONENTS,
        unique=("time", *KEYS),
    ),
)
