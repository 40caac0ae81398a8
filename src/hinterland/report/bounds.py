"""Table ``sensitivity`` as the report reads it: intervals by how far trends may deviate from parallel, and what they say of a conclusion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from hinterland.report.digits import compact, number, percent, signed
from hinterland.report.record import Fit, Record, Scale
from hinterland.report.sentences import Ref, Sentence, Value, say

RELATIVE, SLOPE, RELATIVE_SLOPE = "relative-magnitude", "smoothness", "smoothness-relative"
KINDS = (RELATIVE, SLOPE, RELATIVE_SLOPE)
ESTIMANDS = ("average", "first")
"""What intervals are about: first the one that is nearest to the headline."""
_TENFOLD = math.log(10)
"""Log points from which a change is not told in per cent, too."""
AS_SEEN = 1.0
"""M̄ at which changes after adoption may be as large as the largest one before it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The intervals of one estimator, kind of deviation and estimand.

    ``rows`` are sorted by ``value``; ``breakdown`` is NaN where zero is included at no deviation already, infinite where it is excluded
    at every one tried; ``original`` is the interval under parallel trends.
    """

    effects_id: str
    outcome: str
    method: str
    kind: str
    estimand: str
    interval: str
    rows: pl.DataFrame
    breakdown: float
    original: tuple[float, float]

    @property
    def deviating(self) -> pl.DataFrame:
        """The rows that allow some deviation: without that of no deviation at all, which :attr:`original` is. A change of slope of 0 allows
        linear differences in trends, and stays.
        """
        if self.kind == RELATIVE:
            return self.rows.filter(pl.col("value") > 0)
        low, high = self.original
        exact = ((pl.col("conf_low") - low).abs() < 1e-12) & ((pl.col("conf_high") - high).abs() < 1e-12)
        return self.rows.filter((pl.col("value") > 0) | ~exact.fill_null(False))

    def at(self, value: float) -> dict[str, Any] | None:
        """The row at this deviation; ``None`` where it was not computed."""
        found = self.rows.filter((pl.col("value") - value).abs() < 1e-9)
        return found.row(0, named=True) if found.height else None


def bounds(record: Record, outcome: str, method: str | None = None) -> tuple[Bounds, ...]:
    """Every group of table ``sensitivity`` on ``outcome``: by estimator in the record's order, relative magnitudes and averages first."""
    if not record.has("sensitivity"):
        return ()
    frame = record.tables["sensitivity"].filter(pl.col("outcome") == outcome)
    if method is not None:
        frame = frame.filter(pl.col("method") == method)
    keys = ("effects_id", "outcome", "method", "kind", "estimand", "interval")
    found = [_bounds(tuple(map(str, key)), part) for key, part in frame.group_by(*keys, maintain_order=True)]
    order = list(dict.fromkeys(b.method for b in found))
    return tuple(sorted(found, key=lambda b: (order.index(b.method), _place(KINDS, b.kind), _place(ESTIMANDS, b.estimand))))


def _place(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _bounds(key: tuple[str, ...], part: pl.DataFrame) -> Bounds:
    first = part.row(0, named=True)
    beyond = bool(first.get("breakdown_beyond"))
    breakdown = math.inf if beyond else math.nan if first["breakdown"] is None else float(first["breakdown"])
    low, high = (math.nan if first[c] is None else float(first[c]) for c in ("original_low", "original_high"))
    effects_id, outcome, method, kind, about, interval = key
    return Bounds(effects_id, outcome, method, kind, about, interval, part.sort("value"), breakdown, (low, high))


def leading(record: Record, fit: Fit | None) -> Bounds | None:
    """The bounds that speak for ``fit``: relative magnitudes of its own event study, else of the first estimator that has them."""
    if fit is None or fit.sample != "all":
        return None
    found = [b for b in bounds(record, fit.outcome) if b.kind == RELATIVE]
    own = [b for b in found if b.method == fit.method]
    return next(iter([*own, *found]), None)


def estimand(group: Bounds) -> Sentence:
    """What the intervals are about, as a phrase inside a sentence."""
    return say(f"deviation.{group.estimand if group.estimand in ('first', 'average') else 'other'}")


def conclusion(group: Bounds) -> Sentence:
    """Up to which deviation zero is excluded, and what that means."""
    if math.isnan(group.breakdown):
        return say("sensitivity.never" if group.kind == RELATIVE else "sensitivity.never_slope")
    if math.isinf(group.breakdown):
        return say("sensitivity.beyond")
    if group.kind != RELATIVE:
        return say("sensitivity.breakdown_slope", breakdown=said(group, group.breakdown))
    above = group.breakdown >= AS_SEEN
    return say(f"sensitivity.breakdown_{'above' if above else 'below'}", kind="M̄", breakdown=number(group.breakdown, 2))


def said(group: Bounds, value: float) -> str:
    """A size of deviation as text: two decimals for multiples, three digits for slopes, which are in units of the outcome."""
    return compact(value, 3) if group.kind == SLOPE else number(value, 2)


def brief(group: Bounds, key: str = "sensitivity") -> Sentence:
    """The same in one sentence that stands beside the estimate; ``key`` is the table that has the intervals."""
    if math.isnan(group.breakdown):
        return say("sensitivity.brief_never", estimand=estimand(group), table=Ref("table", key))
    if math.isinf(group.breakdown):
        return say("sensitivity.brief_beyond", table=Ref("table", key))
    kind = "brief_above" if group.breakdown >= AS_SEEN else "brief_below"
    return say(f"sensitivity.{kind}", breakdown=number(group.breakdown, 2), table=Ref("table", key))


def bounded(group: Bounds, scale: Scale) -> tuple[Sentence, ...]:
    """What the interval says when deviations as large as those before adoption are allowed; nothing where it was not computed."""
    row = group.at(AS_SEEN) if group.kind == RELATIVE else None
    if row is None:
        return ()
    values: dict[str, Value] = {"bound": number(AS_SEEN, 0), "estimand": estimand(group)}
    low, high = row["conf_low"], row["conf_high"]
    if row.get("empty") or (low is None and high is None):
        return () if row.get("empty") else (say("bounded.open", **values),)
    if low is None or high is None:
        clear = (low is not None and low > 0) or (high is not None and high < 0)
        end: Value = _end(high if low is None else low, scale)
        return (say(f"bounded.{'half_clear' if clear else 'half_zero'}", end=end, **values),)
    ends: dict[str, Value] = {"low": _end(low, scale), "high": _end(high, scale)}
    return (say("bounded.zero" if low <= 0 <= high else "bounded.clear", **ends, **values),)


def _end(value: float, scale: Scale) -> Value:
    return signed(value) if scale == "level" or abs(value) > _TENFOLD else say("bounded.end", value=signed(value), percent=percent(value))
