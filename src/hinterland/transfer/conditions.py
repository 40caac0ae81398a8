"""What holds hosts back: their conditions scored by dimension, and the composite with its parts, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.measure.second import table
from hinterland.transfer.constraints import Constraints, Indicator, constraints
from hinterland.transfer.rows import as_values, conformed, ranked

__all__ = ["constraints_frame", "read_conditions"]


def read_conditions(source: Any, dimensions: Mapping[str, str | Sequence[str]] | None, time: str | None) -> Constraints:
    """Score a table of ``region``, perhaps the column of ``time``, and indicators.

    ``dimensions``: dimension → columns; a minus before a column says that less of it is better.

    Raises:
        InputError: no dimensions, or what :func:`hinterland.transfer.constraints.constraints` finds.
    """
    if not dimensions:
        what = "conditions were given without saying what they measure"
        remedy = 'give columns by dimension: {"talent": ["graduates"], "environment": ["-emissions"]}'
        raise InputError(Finding("no-indicator", what, "argument dimensions", remedy), "transfer")
    frame = table(source, "conditions")
    named = [
        Indicator(c.removeprefix("-"), dimension, cost=c.startswith("-"))
        for dimension, columns in dimensions.items()
        for c in ([columns] if isinstance(columns, str) else columns)
    ]
    timed = time if time is not None and time in frame.columns else None
    return constraints(frame, named, time=timed)


def constraints_frame(found: Constraints | None, time: str | None) -> pl.DataFrame:
    """Rows of ``transfer_constraints``: ``constraint-score`` by dimension and in ``total`` (0 worst, 1 best), and ``constraint-part`` by indicator."""
    if found is None:
        return conformed("transfer_constraints", [])
    when = pl.col(time).cast(pl.Int64) if time is not None and time in found.scores.columns else pl.lit(None, pl.Int64)
    dimensions = [c for c in found.scores.columns if c not in ("region", time, "binding", "severity")]
    keys = ["region", *([time] if time is not None and time in found.scores.columns else [])]
    scores = found.scores.unpivot(on=dimensions, index=[*keys, "binding", "severity"], variable_name="component", value_name="value")
    total = (pl.col("component") == "total") & pl.col("value").is_not_null()
    scores = scores.with_columns(pl.when(total).then(pl.lit("constraint-binding")).otherwise(pl.lit("")).alias("rule"))
    told = as_values(scores.select("binding", "severity"), ["binding", "severity"])
    scores = scores.with_columns(told).with_columns(pl.when(total).then("values").otherwise(pl.lit("{}")).alias("values"))
    parts = found.parts.select(*keys, component="indicator", value="normalised", weight="weight", rule=pl.lit("constraint-dimension"))
    parts = parts.with_columns(as_values(found.parts.select("dimension", "raw"), ["dimension", "raw"]))
    made = [_keyed(scores.drop("binding", "severity"), when, "constraint-score"), _keyed(parts, when, "constraint-part")]
    used = pl.lit(found.weights.height, pl.Int64), pl.lit(1, pl.Int64)
    spare = [time] if len(keys) > 1 and time is not None and time != "time" else []
    return conformed("transfer_constraints", [f.with_columns(n_used=n).drop(spare) for f, n in zip(made, used, strict=True)])


def _keyed(frame: pl.DataFrame, when: pl.Expr, measure: str) -> pl.DataFrame:
    missing = pl.when(pl.col("value").is_null()).then(pl.lit("missing-input")).otherwise(pl.lit(""))
    said = frame.with_columns(reason=missing, time=when, region=pl.col("region").cast(pl.String), measure=pl.lit(measure))
    return said.with_columns(ranked(pl.col("value"), "component", "time"))
