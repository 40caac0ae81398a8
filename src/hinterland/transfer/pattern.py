"""In which mode: gradient, leapfrog, reverse-gradient or lateral, from three scores of each flow; the label comes last."""

from __future__ import annotations

from typing import Any

import polars as pl

from hinterland.measure.data import Data
from hinterland.measure.flows import PATTERNS
from hinterland.transfer.inputs import Cells, for_years
from hinterland.transfer.rows import applied, conformed, measured_rows

__all__ = ["levels_from_gradient", "pattern_frame"]

_FLOW = ["basis", "imputed", "span", "time_from", "time"]
_PAIR = ["region", "other", "industry"]


def pattern_frame(cells: Cells, flows: pl.DataFrame, levels: Any) -> pl.DataFrame:
    """Rows of ``transfer_pattern``: flows over the whole span from the sources into the hosts, against what the hosts did in the first year; none without levels."""
    of_cells = set(cells.data.labels("industry"))
    used = flows.filter(
        pl.col("industry").is_in(list(of_cells))
        & pl.col("region").is_in(list(cells.sources))
        & pl.col("other").is_in(list(cells.hosts))
        & (pl.col("span").fill_null("whole") == "whole")
    ).filter(pl.col("value").is_not_null())
    if levels is None or not used.height:
        return conformed("transfer_pattern", [])
    found = measured_rows(
        "transfer-pattern", applied("transfer-pattern", _pairs(used), levels=levels, activity=_activity(cells), orient=levels)
    )
    codes = found.filter(pl.col("component") == "transfer-pattern")
    label = dict(enumerate(PATTERNS, 1))
    named = codes.with_columns(label=pl.col("value").cast(pl.Int64).replace_strict(label, default="", return_dtype=pl.String).fill_null(""))
    scores = found.filter(pl.col("component") != "transfer-pattern").join(
        named.select(*_PAIR, "label"), on=_PAIR, how="left", maintain_order="left"
    )
    weights = used.select(*_FLOW, *_PAIR, "concept", "measure", weight="value")
    rows = weights.drop("measure").join(scores, on=_PAIR, how="left", maintain_order="left")
    shares = _shares(weights.join(named.select(*_PAIR, "label"), on=_PAIR, how="left", maintain_order="left"))
    return conformed("transfer_pattern", [cells.grouped(rows), *(s for s in shares)])


def _pairs(used: pl.DataFrame) -> Data:
    """Every source, host and industry once, whatever the flow rests on."""
    frame = used.select(_PAIR).unique().sort(_PAIR)
    return Data(frame, {k: k for k in _PAIR})


def _activity(cells: Cells) -> pl.DataFrame:
    """What regions did in the first year."""
    return for_years(cells.data, cells.years[0]).frame.select("region", "industry", "value")


def _shares(weights: pl.DataFrame) -> list[pl.DataFrame]:
    """``pattern-share``: part of each label in the flows that have one, into each host and into all of them."""
    out = []
    for keys in (["other"], []):
        groups = ["concept", *_FLOW, *keys]
        known = weights.filter(pl.col("label") != "")
        total = pl.col("weight").sum()
        by = known.group_by([*groups, "label"], maintain_order=True).agg(total, n_used=pl.len().cast(pl.Int64))
        rows = by.with_columns(value=pl.col("weight") / pl.col("weight").sum().over(groups)).filter(pl.col("value").is_finite())
        seen = weights.group_by(groups).agg(coverage=(pl.col("weight") * (pl.col("label") != "")).sum() / total)
        rows = rows.join(seen, on=groups, how="left", maintain_order="left", nulls_equal=True)
        out.append(rows.with_columns(measure=pl.lit("pattern-share"), component=pl.col("label")).sort([*groups, "component"]))
    return out


def levels_from_gradient(cells: Cells) -> pl.DataFrame:
    """Level of each region where none is given: mean logarithm of its gradient coefficients in the first year, over its industries."""
    found = applied("gradient-coefficient", for_years(cells.data, cells.years[0]))
    logs = measured_rows("gradient-coefficient", found).filter(pl.col("component") == "log-gradient")
    return logs.group_by("region", maintain_order=True).agg(pl.col("value").mean())
