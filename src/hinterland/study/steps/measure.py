"""Measures: their values, what they are, what was found, and where their regions are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import polars as pl

from hinterland.data.industry_names import named_industries
from hinterland.measure.register import INDICATORS
from hinterland.measure.result import Measure
from hinterland.study.measuring import boundaries, inputs_of
from hinterland.study.places import places
from hinterland.study.preparing import LeftOut
from hinterland.study.schema_measure import MeasureTable
from hinterland.study.schema_transfer import TransferTable
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def measure(work: Workspace, step: Step) -> Output:
    """One measure."""
    name = step.group
    table, found = work.study.measure[name], work.measured(name)
    values = _values(name, found)
    parts = [
        ("measures", values),
        ("measure_models", pl.DataFrame([_model(work, name, found)], infer_schema_length=None)),
        ("notes", notes_table(step.id, found.notes)),
    ]
    parts += [("measure_excluded", excluded(name, table, out)) for out in work.left_out(name)]
    if found.findings:
        parts.append(("measure_findings", pl.DataFrame([{"measure": name, **asdict(f)} for f in found.findings])))
    parts += _named(name, values, [f["region"] for t, f in parts if t == "measure_excluded"])
    drawn = boundaries(work, name) if "region" in values.columns else None
    if drawn is not None:
        parts.append(("measure_outlines", drawn.with_columns(measure=pl.lit(name))))
    return output(parts)


def _named(name: str, values: pl.DataFrame, further: list[pl.Series]) -> list[tuple[str, pl.DataFrame]]:
    """What the packaged tables know of the labels: names and places of regions, names of industries."""
    regions = pl.concat(
        [pl.Series([], dtype=pl.String), *(values[k].cast(pl.String) for k in ("region", "other") if k in values.columns), *further]
    )
    industries = pl.concat(
        [pl.Series([], dtype=pl.String), *(values[k].cast(pl.String) for k in ("industry", "other_industry") if k in values.columns)]
    )
    named = (
        ("measure_places", places, regions.cast(pl.String).drop_nulls().unique().sort()),
        ("measure_labels", named_industries, industries.drop_nulls().unique().sort()),
    )
    return [(table, find(labels).with_columns(measure=pl.lit(name))) for table, find, labels in named if len(labels)]


def excluded(name: str, table: MeasureTable | TransferTable, out: LeftOut) -> pl.DataFrame:
    """How many rows of each region and period a rule left out, and why."""
    reason, rows = out.table.reason, out.rows
    keys = {k: table.columns.get(k) for k in ("region", "time")}
    there = rows.select(
        *((pl.col(c) if c is not None and c in rows.columns else pl.lit(None)).alias(k) for k, c in keys.items()),
    ).with_columns(pl.col("region").cast(pl.String), pl.col("time").cast(pl.Int64, strict=False))
    return (
        there.group_by("region", "time")
        .agg(n=pl.len())
        .sort("region", "time", nulls_last=True)
        .with_columns(measure=pl.lit(name), owner=pl.lit(out.owner), rule=pl.lit(out.rule), source=pl.lit(out.table.source or ""))
        .with_columns(why_en=pl.lit(reason.en), why_zh=pl.lit(reason.zh), before=pl.lit(out.before))
    )


def _values(name: str, found: Measure) -> pl.DataFrame:
    """The values with their keys under the names of the catalogue."""
    roles = found.meta["roles"]
    keys = {roles.get(k, k): k for k in INDICATORS[found.id].keys}
    frame = found.frame.rename({old: new for old, new in keys.items() if old in found.frame.columns})
    return frame.with_columns(measure=pl.lit(name), indicator=pl.lit(found.id))


def _model(work: Workspace, name: str, found: Measure) -> dict[str, Any]:
    table = work.study.measure[name]
    indicator, meta, frame = INDICATORS[found.id], found.meta, found.frame
    time = meta["roles"].get("time", "time")
    years = frame[time].drop_nulls() if time in frame.columns else pl.Series(dtype=pl.Int64)
    own = {k: v for k, v in meta.items() if k not in {"parameters", "roles"}}
    return {
        "measure": name,
        "indicator": found.id,
        "family": indicator.family,
        "input": "; ".join(inputs_of(work.study, table)),
        "variant": meta["variant"],
        "unit": indicator.unit_of(table.component),
        "formula": meta["formula"],
        "source": meta["source"],
        "component": table.component or "",
        "components": json.dumps(list(dict.fromkeys(frame["component"])) if "component" in frame.columns else []),
        "keys": json.dumps(list(indicator.keys)),
        "column": table.column,
        "region_column": table.region,
        "selected": json.dumps(dict(table.select), ensure_ascii=False),
        "roles": json.dumps(meta["roles"], ensure_ascii=False),
        "parameters": json.dumps(meta["parameters"], ensure_ascii=False, default=str),
        "meta": json.dumps(own, ensure_ascii=False, default=str),
        "input_hash": meta["input_hash"],
        "label_en": None if table.label is None else table.label.en,
        "label_zh": None if table.label is None else table.label.zh,
        "n_rows": meta["n_rows"],
        "n_results": frame.height,
        "n_values": meta["n_values"],
        "first": years.min() if len(years) else None,
        "last": years.max() if len(years) else None,
        "shown_first": None if table.years is None else table.years[0],
        "shown_last": None if table.years is None else table.years[1],
        "low": indicator.range[0],
        "high": indicator.range[1],
        "coverage": frame["coverage"].mean() if frame.height else None,
    }
