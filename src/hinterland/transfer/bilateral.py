"""From which region to which: rows of ``transfer_flows`` from records, from multi-regional tables and, imputed, from losses and gains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.data import Data
from hinterland.measure.second import table
from hinterland.transfer.gravity import Gravity, gravity
from hinterland.transfer.inputs import Cells, for_years
from hinterland.transfer.rows import applied, measured_rows

__all__ = ["Records", "fitted_flows", "fitted_rows", "gravity_rows", "imputed_rows", "intensity_data", "read_records", "record_rows"]

KEYS = ("source", "host")


@dataclass(frozen=True, slots=True)
class Records:
    """Observed flows: ``source``, ``host``, ``value``, and ``industry`` and ``time`` (null where the table has none); all rows, zeros among them.

    ``own``: what regions establish at home, which is no transfer but the other part of the undertaking intensity;  ``table``: as it came, with
    further columns that gravity may use;  ``columns``: role → column of it, of industry and time where it has them.
    """

    between: pl.DataFrame
    own: pl.DataFrame
    table: pl.DataFrame
    columns: Mapping[str, str]
    findings: tuple[Finding, ...] = ()

    @property
    def all(self) -> pl.DataFrame:
        """Every row."""
        return pl.concat([self.between, self.own])


def read_records(source: Any, columns: Mapping[str, str | None], cells: Cells) -> Records:
    """Read a table of flows with columns ``source``, ``host``, ``value``, and those of industry and time under the main table's names, if it has them.

    Raises:
        InputError: columns missing, values that are negative or no numbers, regions none of which the main table has.
    """
    where = "argument flows"
    frame = table(source, "flows")
    more = {c: role for role in ("industry", "time") if (c := columns[role]) is not None and c in frame.columns}
    found = table(frame, "flows", [*KEYS, *more.values(), "value"], {role: c for c, role in more.items()})
    found = found.with_columns(pl.col([c for c in ("source", "host", "industry") if c in found.columns]).cast(pl.String))
    found = found.with_columns(pl.col("value").cast(pl.Float64, strict=False).fill_nan(None))
    for name, dtype in (("industry", pl.String), ("time", pl.Int64)):
        found = found.with_columns((pl.col(name) if name in found.columns else pl.lit(None)).cast(dtype).alias(name))
    regions = set(cells.data.labels("region"))
    strange = [r for r in pl.concat([found["source"], found["host"].alias("source")]).unique().sort() if r not in regions]
    findings = []
    if (found["value"] < 0).any():
        count = int((found["value"] < 0).sum())
        findings.append(
            Finding("negative-value", f"{count} flow(s) are negative", where, "give 0 or more; a return is a flow the other way")
        )
    if len(strange) == pl.concat([found["source"], found["host"].alias("source")]).n_unique():
        what = f"no region of the flows is in the table: {listed(strange)}"
        findings.append(Finding("flow-regions", what, where, "use the labels of the table"))
    elif strange:
        what = f"flows have regions that the table lacks: {listed(strange)}"
        findings.append(Finding("flow-regions", what, where, "nothing, if they lie outside the study; otherwise use its labels", "warning"))
    fail_if_any(findings, "flows", InputError)
    home = pl.col("source") == pl.col("host")
    kept = found.select("source", "host", "industry", "time", "value")
    return Records(kept.filter(~home), kept.filter(home), frame, {role: c for c, role in more.items()}, tuple(findings))


def record_rows(records: Records, cells: Cells) -> pl.DataFrame:
    """Sums of observed flows by source, host and industry over each span, and by source and host year by year; flows that are zero are left out.

    A flow of year t belongs to the change from t - 1 to t, so that a span from a to b holds the years after a up to b. Flows without a year
    are one sum, of no span.
    """
    flows = records.between
    if flows["time"].null_count() == flows.height:
        return _marked(_sums(flows, ["source", "host", "industry"]), "", None, None)
    parts = []
    for span, first, last in cells.spans:
        inside = flows.filter((pl.col("time") > first) & (pl.col("time") <= last))
        parts.append(_marked(_sums(inside, ["source", "host", "industry"]), span, first, last))
    yearly = _sums(flows, ["source", "host", "time"]).with_columns(time_from=pl.col("time") - 1, industry=pl.lit(None, pl.String))
    parts.append(_marked(yearly, "year", None, None))
    return pl.concat(parts, how="diagonal_relaxed")


def _sums(flows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    grouped = flows.group_by(keys).agg(
        pl.col("value").sum(), n_used=pl.col("value").count().cast(pl.Int64), coverage=pl.col("value").count() / pl.len()
    )
    unknown = pl.col("n_used") == 0
    return (
        grouped.filter((pl.col("value") > 0) | unknown)
        .with_columns(value=pl.when(~unknown).then("value"), reason=pl.when(unknown).then(pl.lit("missing-input")).otherwise(pl.lit("")))
        .sort(keys)
    )


def _marked(frame: pl.DataFrame, span: str, first: int | None, last: int | None) -> pl.DataFrame:
    if "time" not in frame.columns:
        frame = frame.with_columns(time_from=pl.lit(first, pl.Int64), time=pl.lit(last, pl.Int64))
    said = {"concept": "flow", "basis": "observed", "measure": "observed-flow"}
    named = {k: pl.lit(v) for k, v in said.items()}
    return frame.rename({"source": "region", "host": "other"}).with_columns(**named, span=pl.lit(span or None, pl.String))


def imputed_rows(cells: Cells) -> Iterator[pl.DataFrame]:
    """Losses matched to gains in proportion, over each span: marked as imputed in every row."""
    for span, first, last in cells.spans:
        found = applied("proportional-match", for_years(cells.data, first, last))
        said = {"concept": "flow", "basis": "imputed", "imputed": True, "span": span}
        yield measured_rows("proportional-match", found, **said)


def fitted_flows(records: Records, options: Mapping[str, Any]) -> Gravity:
    """The gravity equation of the records between regions, with effects of sources and hosts, and of industries where there are any, each by year.

    Raises:
        InputError: as :func:`hinterland.transfer.gravity.gravity`.
    """
    when = "^time" if "time" in records.columns else ""
    effects = tuple(f"{role}{when}" for role in ("source", "host", *(["industry"] if "industry" in records.columns else [])))
    table_ = records.table.filter(pl.col("source").cast(pl.String) != pl.col("host").cast(pl.String))
    return gravity(table_, **{"effects": effects, **records.columns, **options})


def fitted_rows(found: Gravity, cells: Cells) -> pl.DataFrame:
    """``gravity-flow``: what the fitted equation expects between each pair in the whole span, of the rows that it used."""
    rows = found.fitted.rename(dict(zip(found.fitted.columns, found.roles, strict=False)))
    first, last = cells.years[0], cells.years[-1]
    if "time" in rows.columns:
        rows = rows.filter((pl.col("time") > first) & (pl.col("time") <= last))
    sums = rows.group_by(region=pl.col("source").cast(pl.String), other=pl.col("host").cast(pl.String)).agg(
        value=pl.col("mean").sum(), n_used=pl.len().cast(pl.Int64)
    )
    said = {"concept": "flow", "basis": "modelled", "measure": "gravity-flow", "span": "whole"}
    when = {"time_from": pl.lit(first), "time": pl.lit(last)} if "time" in rows.columns else {}
    return sums.sort("region", "other").with_columns(**{k: pl.lit(v) for k, v in said.items()}, **when, industry=pl.lit(None, pl.String))


def gravity_rows(found: Gravity) -> pl.DataFrame:
    """Coefficients as drivers: ``gravity`` with a component per term, in log points; terms that the effects absorb have no value."""
    tidy = found.tidy()
    reason = pl.when(pl.col("estimate").is_null()).then(pl.lit("not-identified")).otherwise(pl.lit(""))
    return tidy.select(
        component="term", value="estimate", std_error="std_error", conf_low="conf_low", conf_high="conf_high", reason=reason
    ).with_columns(
        measure=pl.lit("gravity"),
        concept=pl.lit("flow"),
        level=pl.lit("all"),
        n_used=pl.lit(found.facts["n_obs"], pl.Int64),
        coverage=pl.lit(found.facts["n_obs"] / found.facts["n_given"]),
    )


def intensity_data(records: Records) -> Data:
    """The flows as :func:`hinterland.measure` reads them for the undertaking intensity: sums by time, industry, source and host."""
    keys = [k for k in ("time", "industry") if records.all[k].null_count() < records.all.height]
    flows = records.all.drop_nulls(keys).group_by([*keys, "source", "host"]).agg(pl.col("value").sum(), known=pl.col("value").count())
    flows = flows.sort([*keys, "source", "host"]).rename({"source": "region", "host": "other"})
    state = np.where(flows["known"].to_numpy() > 0, 0, 1).astype(np.uint8)
    value = pl.when(pl.col("known") > 0).then("value")
    frame = flows.with_columns(value=value).drop("known").with_columns(pl.Series("state:value", state))
    return Data(frame, {k: k for k in (*keys, "region", "other", "value")})
