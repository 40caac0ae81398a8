"""A table as yearly series, and the options that both indicators of breaks take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.labels import Note
from hinterland.measure.breaks import Model, regressors, shortest
from hinterland.measure.common_breaks import overlay
from hinterland.measure.data import Bools, Data, Floats, Ints
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.indicator import Parameter, Role
from hinterland.measure.result import Block, block

KEYS = ("region", "industry", "item")
PLACES = range(1, 6)
DATES = ("break-date-distance", "break-date-p")
ENOUGH = 15
"""Years below which breaks are not looked for unless asked."""


@dataclass(frozen=True, slots=True)
class Series:
    """Yearly series of a table.

    Attributes:
        keys: labels of each of the N series by role.
        first: the first year.
        values: [N, T] on every year from the first to the last; NaN where not observed.
        start, end: [N] stretch from the first observed year to behind the last.
        gap: [N] whether a year within is missing, or all are.
        suppressed: [N] whether a value is withheld.
    """

    keys: dict[str, pl.Series]
    first: int
    values: Floats
    start: Ints
    end: Ints
    gap: Bools
    suppressed: Bools

    @property
    def used(self) -> Ints:
        """Number of observed years of each series, [N]."""
        return np.asarray(np.isfinite(self.values).sum(axis=1), dtype=np.int64)


def series_of(data: Data) -> Series:
    """Every combination of the labels in the table as a series."""
    names = [k for k in KEYS if data.has(k)]
    frame = data.frame.with_columns(__one=pl.lit("")).select(*(names or ["__one"]), "time", "value", "state:value")
    by = names or ["__one"]
    labels = frame.select(by).unique().sort(by).with_row_index("series")
    rows = frame.join(labels, on=by, how="left", maintain_order="left")
    times = rows["time"].to_numpy()
    first = int(times.min())
    values = np.full((labels.height, int(times.max()) - first + 1), np.nan)
    at = rows["series"].to_numpy()
    values[at, times - first] = rows["value"].fill_null(np.nan).to_numpy()
    suppressed = np.zeros(labels.height, dtype=np.bool_)
    suppressed[at[(rows["state:value"] == 2).to_numpy()]] = True
    seen = np.isfinite(values)
    start, end = seen.argmax(axis=1), seen.shape[1] - seen[:, ::-1].argmax(axis=1)
    gap = seen.sum(axis=1) != end - start
    return Series({k: labels[k] for k in names}, first, values, start, end, gap | ~seen.any(axis=1), suppressed)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Series of one length: their rows in the result, values y [n, T] from year ``first``, what may shift x [T, q], and the shortest regime ``h``."""

    rows: Ints
    y: Floats
    x: Floats
    first: int
    h: int

    @property
    def periods(self) -> int:
        """Number of years."""
        return int(self.y.shape[1])


class Columns:
    """Values and their reasons by component, [N] each, filled stretch by stretch."""

    def __init__(self, names: Sequence[str], n: int) -> None:
        self._n = n
        self._values = {k: np.full(n, np.nan) for k in names}
        self._reasons: dict[str, dict[str, Bools]] = {k: {} for k in names}

    def put(self, name: str, rows: Ints, values: ArrayLike, reasons: Mapping[str, ArrayLike] | None = None) -> None:
        """Values [n] of ``rows``, with code → mask of why some are missing."""
        self._values[name][rows] = values
        for code, mask in (reasons or {}).items():
            self._reasons[name].setdefault(code, np.zeros(self._n, dtype=np.bool_))[rows] = mask

    def values(self, name: str) -> Floats:
        """Values of one component so far, [N]."""
        return self._values[name]

    def blocks(self, keys: Mapping[str, pl.Series], n_used: Ints, coverage: Floats, reasons: Mapping[str, Bools]) -> list[Block]:
        """A block of every component; ``reasons`` that hold for all of them come first."""
        return [
            block(keys, v, n_used=n_used, coverage=coverage, reasons={**reasons, **self._reasons[k]}, component=k)
            for k, v in self._values.items()
        ]


@dataclass(frozen=True, slots=True)
class Options:
    """Checked options.

    Attributes:
        model: what shifts.
        trimming, regime: the shortest regime, as a part of the series or in years.
        max_breaks: most breaks.
        min_years: fewest years of a series.
        dates: years to compare with.
    """

    model: Model
    trimming: float
    regime: int | None
    max_breaks: int
    min_years: int
    dates: Ints

    def h(self, periods: int) -> int:
        """Shortest regime of a series of so many years."""
        q = 2 if self.model == "trend" else 1
        return shortest(periods, self.trimming, q) if self.regime is None else max(self.regime, q + 1)

    def short(self, periods: int) -> bool:
        """Whether a series of so many years is too short."""
        return periods < max(self.min_years, 2 * self.h(periods))

    def stretch(self, rows: Ints, y: Floats, first: int) -> Stretch:
        """Series of one length with what the model says of them."""
        return Stretch(rows, y, regressors(y.shape[1], self.model), first, self.h(y.shape[1]))


def options(given: Mapping[str, Any], criterion: str) -> Options:
    """Options of both indicators, from their values by name. Raises :class:`~hinterland.InputError` with every one that is wrong."""
    findings = out_of_range("trimming", given["trimming"], 0.05, 0.45) + out_of_range("max_breaks", given["max_breaks"], 1, 5, whole=True)
    findings += out_of_range("min_years", given["min_years"], 6, 10_000, whole=True)
    regime, dates = given["regime"], given["dates"]
    if regime is not None and (isinstance(regime, bool) or not isinstance(regime, int) or regime < 3):
        remedy = "give 3 years or more: a regime of two is fitted almost exactly"
        findings.append(Finding("short-regime", f"the shortest regime is {regime!r}", "parameter regime", remedy))
    if given["model"] == "trend" and criterion == "sequential":
        what = "the critical values are for regressors without trend, and the model has one"
        findings.append(Finding("no-critical-values", what, "parameter criterion", 'choose criterion "lwz" or "bic"'))
    years = list(dates) if isinstance(dates, Sequence) and not isinstance(dates, str) else [dates]
    if any(isinstance(d, bool) or not isinstance(d, int) for d in years):
        findings.append(Finding("bad-dates", f"dates are {dates!r}", "parameter dates", "give years as whole numbers"))
    fail_if_any(findings, "arguments", InputError)
    kept = {k: given[k] for k in ("model", "trimming", "regime", "max_breaks", "min_years")}
    return Options(**kept, dates=np.array(years, dtype=np.int64))


def put_dates(out: Columns, stretch: Stretch, last: Ints, dates: Ints) -> None:
    """Distance of breaks ``last`` [n, M] from ``dates`` (years), with the share of random breaks that are as near; nothing where no date is given."""
    if not len(dates):
        return
    found = np.full((len(last), 2), np.nan)
    known: dict[bytes, tuple[float, float]] = {}
    for i in np.flatnonzero((last >= 0).any(axis=1)):
        key = last[i].tobytes()
        if key not in known:
            near = overlay(last[i][last[i] >= 0], dates - stretch.first, periods=stretch.periods, h=stretch.h)
            known[key] = near.mean, near.p_value
        found[i] = known[key]
    for column, name in enumerate(DATES):
        out.put(name, stretch.rows, found[:, column], {"no-break": (last < 0).all(axis=1)})


def put_line(out: Columns, stretch: Stretch, better: Bools, trend: bool) -> None:
    """1 where a straight line without breaks describes a series better than the regimes found, 0 where it does not."""
    hidden = np.full(len(better), trend)
    out.put("line-fits-better", stretch.rows, np.where(hidden, np.nan, better), {"trend-in-model": hidden})


def stair_findings(data: Data, out: Columns) -> tuple[Finding, ...]:
    """A warning about breaks that are steps of a trend."""
    steps = int(np.nansum(out.values("line-fits-better")))
    if not steps:
        return ()
    what = f"in {steps} result(s) with breaks a straight line fits better: the breaks cut a trend into stairs"
    return (Finding("stairs", what, f"column {data.columns['value']!r}", 'pass model="trend", or take differences', "warning"),)


def short_findings(data: Data, short: Bools, least: int) -> tuple[Finding, ...]:
    """A warning about series that are too short."""
    if not short.any():
        return ()
    what = f"{int(short.sum())} of {len(short)} series have fewer than {least} years, or no room for two regimes"
    remedy = "give longer series; or lower min_years, and read the breaks as a description"
    return (Finding("short-series", what, f"column {data.columns['time']!r}", remedy, "warning"),)


def short_notes(tested: Bools, years: Ints) -> tuple[Note, ...]:
    """A note where series below fifteen years were looked at."""
    short = tested & (years < ENOUGH)
    return (Note("breaks-short", {"count": int(short.sum()), "years": int(years[short].min())}),) if short.any() else ()


_VALUE = Role("value", "number", "the series: a share, an index, a logarithm")
ROLES = (*(Role(k, "key", f"{k} of the series, if there are several", required=False) for k in KEYS), Role("time", "time", "year"), _VALUE)
PARAMETERS: dict[str, Parameter] = {
    "model": Parameter("mean", ("mean", "trend"), "what shifts: the level; or level and slope of a linear trend"),
    "trimming": Parameter(0.15, help="shortest regime as a part of the series, at least 3 years"),
    "regime": Parameter(None, help="shortest regime in years, in place of trimming; 3 or more"),
    "max_breaks": Parameter(5, help="most breaks looked for, 1 to 5"),
    "min_years": Parameter(ENOUGH, help="series with fewer years have no value; below 15 a note says so"),
    "dates": Parameter((), help="years in which something began, such as policies, to compare the breaks with"),
}
