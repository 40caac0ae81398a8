"""Where industry came from and where it went: net gains and losses, sums and shares of flows, and who stands high on the gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from hinterland.transfer.bilateral import Records, intensity_data
from hinterland.transfer.inputs import Cells, for_years
from hinterland.transfer.rows import applied, conformed, measured_rows, ranked

__all__ = ["sources_frame"]

_WHEN = ["span", "time_from", "time"]
_FLOW = ["concept", "basis", "imputed", "component", *_WHEN]


def sources_frame(cells: Cells, scale: pl.DataFrame, flows: pl.DataFrame, records: Records | None) -> pl.DataFrame:
    """Rows of ``transfer_sources``; ``flows`` are those of ``transfer_flows``."""
    parts = [*_balances(scale, cells), *_flow_sums(flows), *_shares(flows, cells)]
    if records is not None and records.own.height:
        parts.append(_intensity(records))
    if {"output", "labour"} <= set(cells.data.columns):
        parts.append(_gradient(cells))
    return conformed("transfer_sources", parts)


def _balances(scale: pl.DataFrame, cells: Cells) -> Iterator[pl.DataFrame]:
    """``net-balance``: gains, losses and net absolute transfer of each region over its industries, of all and by group."""
    cell = scale.filter((pl.col("measure") == "absolute-transfer") & (pl.col("level") == "cell"))
    value = pl.col("value")
    parts = {"net-gain": value.clip(lower_bound=0).sum(), "net-loss": (-value).clip(lower_bound=0).sum(), "net-balance": value.sum()}
    for keys in (["region"], ["region", "group"])[: 2 if cells.groups else 1]:
        rows = cell.drop_nulls(keys).group_by([*keys, *_WHEN], maintain_order=True)
        for component, number in parts.items():
            known = value.is_not_null()
            found = rows.agg(value=pl.when(known.any()).then(number), n_used=known.sum().cast(pl.Int64), coverage=known.mean())
            found = found.with_columns(
                ranked(pl.col("value"), *[k for k in keys if k != "region"], *_WHEN),
                concept=pl.lit("redistribution"),
                measure=pl.lit("net-balance"),
                component=pl.lit(component),
                role=_role(component),
                reason=pl.when(pl.col("value").is_null()).then(pl.lit("missing-input")).otherwise(pl.lit("")),
            )
            yield found


def _role(component: str) -> pl.Expr:
    if component != "net-balance":
        return pl.lit("host" if component == "net-gain" else "source")
    return pl.when(pl.col("value") > 0).then(pl.lit("host")).when(pl.col("value") < 0).then(pl.lit("source")).otherwise(pl.lit(""))


def _flow_sums(flows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """``flow-sum``: what leaves each region (role source) and reaches it (host); the component is the measure of the flows that are summed."""
    for role, column in (("source", "region"), ("host", "other")):
        rows = _totals(flows, [column]).rename({column: "region"}) if flows.height else flows.head(0)
        if rows.height:
            yield _summed(rows.with_columns(ranked(pl.col("value"), "measure", *_FLOW)), "flow-sum", role)


def _summed(rows: pl.DataFrame, measure: str, role: str) -> pl.DataFrame:
    return rows.with_columns(component=pl.col("measure"), role=pl.lit(role)).with_columns(measure=pl.lit(measure))


def _totals(flows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Sums over industries; where a basis also has rows without industry for a span, those are its sums already."""
    keep = ["measure", *_FLOW, *keys]
    whole = pl.col("industry").is_null().any().over(["measure", *_FLOW], mapping_strategy="group_to_rows")
    used = flows.filter(_counts_as_flow()).filter(pl.col("industry").is_null() | ~whole)
    return used.group_by(keep, maintain_order=True).agg(
        pl.col("value").sum(), n_used=pl.col("n_used").sum(), coverage=pl.col("coverage").mean(), reason=pl.lit("").first()
    )


def _counts_as_flow() -> pl.Expr:
    """One number per pair: of multi-regional tables the structure part, which is the one like transfer."""
    return (pl.col("measure") != "mrio-net-transfer") | (pl.col("component") == "mrio-structure")


def _shares(flows: pl.DataFrame, cells: Cells) -> Iterator[pl.DataFrame]:
    """``source-share``: part of each source asked about in all that reaches each host, by the measure of the flows."""
    if not flows.height:
        return
    rows = _totals(flows.filter(pl.col("other").is_in(list(cells.hosts))), ["region", "other"])
    over = ["measure", *_FLOW, "other"]
    total = pl.col("value").sum().over(over)
    rows = rows.with_columns(pl.when(total > 0).then(pl.col("value") / total).alias("value")).filter(pl.col("value").is_not_null())
    rows = rows.with_columns(ranked(pl.col("value"), *over)).filter(pl.col("region").is_in(list(cells.sources)))
    yield _summed(rows, "source-share", "source")


def _intensity(records: Records) -> pl.DataFrame:
    found = measured_rows("undertaking-intensity", applied("undertaking-intensity", intensity_data(records)))
    return found.rename({"other": "region"}).with_columns(concept=pl.lit("flow"), basis=pl.lit("observed"), role=pl.lit("host"))


def _gradient(cells: Cells) -> pl.DataFrame:
    """Gradient coefficients of the last year: potential, not movement; above 1 a potential source, below 1 a potential host."""
    found = measured_rows("gradient-coefficient", applied("gradient-coefficient", for_years(cells.data, cells.years[-1])))
    above = pl.when(pl.col("value") > 1).then(pl.lit("source")).when(pl.col("value") < 1).then(pl.lit("host")).otherwise(pl.lit(""))
    labelled = pl.col("component").is_in(["gradient", "improved-gradient"])
    rows = found.with_columns(concept=pl.lit("potential"), role=pl.when(labelled).then(above).otherwise(pl.lit("")))
    return cells.grouped(rows).with_columns(ranked(pl.col("value"), "component", "industry"))
