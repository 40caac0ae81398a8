"""How hosts take industries in: the economy before the arrivals from what was given, and the scores of each flow as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.globe import great_circle
from hinterland.data.io_table import IOTable
from hinterland.measure.data import Data
from hinterland.measure.division import ratio
from hinterland.transfer.bilateral import Records
from hinterland.transfer.chains import Chains
from hinterland.transfer.economy import Economy
from hinterland.transfer.inputs import Cells, by_region, for_years
from hinterland.transfer.reception import KINDS, label_changes, reception
from hinterland.transfer.rows import applied, as_values, conformed, measured_rows

__all__ = ["economy_of", "link_rows", "market_potential", "reception_frame"]

Floats = NDArray[np.float64]

_WHEN = ["concept", "basis", "imputed", "span", "time_from", "time"]
_PAIR = ["region", "other", "industry"]


def economy_of(cells: Cells, levels: Any, *, chains: Chains | None, wages: Any, at: Floats | None, zones: Any) -> Economy:
    """Regions and industries in the first year: what was not given leaves the scores that need it without a value."""
    cube = for_years(cells.data, cells.years[0]).cube("time", "region", "industry")
    regions, industries = tuple(cube.labels[1]), tuple(cube.labels[2])
    linked = _links(chains.tables[0], regions, industries) if chains is not None else {}
    return Economy(
        regions,
        industries,
        cube.values[0],
        np.full(len(regions), np.nan) if levels is None else by_region(levels, "levels", regions),
        wage=None if wages is None else by_region(wages, "wages", regions),
        market_potential=None if at is None else market_potential(at, np.nansum(cube.values[0], axis=1)),
        zone=None if zones is None else np.nan_to_num(by_region(zones, "zones", regions)),
        **linked,
    )


def _links(t: IOTable, regions: tuple[str, ...], industries: tuple[str, ...]) -> Mapping[str, Floats]:
    """Requirements [I, I], and shares of purchases and of sales within the region [R, I]; nothing unless the table has every region and industry."""
    names, sectors = t.region_labels.tolist(), t.sector_labels.tolist()
    if not (set(regions) <= set(names) and set(industries) <= set(sectors)):
        return {}
    r, s = np.array([names.index(x) for x in regions]), np.array([sectors.index(x) for x in industries])
    size = (t.n_regions, t.n_sectors)
    z = t.Z.reshape(*size, *size)
    flow, x = z.sum(axis=(0, 2)), t.x.reshape(size)
    inside = np.einsum("rjri->ri", z)
    bought = z.sum(axis=(0, 1)) + t.imported_inputs.sum(axis=0).reshape(size)
    sold = np.einsum("rirj->ri", z) + np.einsum("rir->ri", t.final_demand.reshape(*size, -1))
    parts = {"local_linkage": ratio(inside, bought), "local_demand": ratio(sold, x)}
    requirements = np.nan_to_num(ratio(flow, x.sum(axis=0)[None, :]))[np.ix_(s, s)]
    return {"requirements": np.maximum(requirements, 0.0), **{k: np.clip(v, 0, 1)[np.ix_(r, s)] for k, v in parts.items()}}


def market_potential(at: Floats, size: Floats) -> Floats:
    """Harris (1954): Σ_k X_k/d_rk, [R]; a region lies from itself at half the distance to its nearest neighbour."""
    distance = great_circle(at, at)
    np.fill_diagonal(distance, np.inf)
    np.fill_diagonal(distance, distance.min(axis=1) / 2)
    return np.asarray(ratio(size[None, :], distance).sum(axis=1), dtype=np.float64)


def reception_frame(
    cells: Cells, flows: pl.DataFrame, economy: Economy, *, same_unit: bool, links: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Rows of ``transfer_reception``: flows of the whole span from the sources into the hosts, observed and imputed each by themselves.

    The share of arrivals in the host's industry needs flows in the unit of the main table: imputed ones are, observed ones where ``same_unit``.
    """
    used = flows.filter(
        pl.col("span").fill_null("whole") == "whole",
        pl.col("industry").is_in(list(economy.industries)),
        pl.col("region").is_in(list(cells.sources)),
        pl.col("other").is_in(list(cells.hosts)),
        pl.col("basis").is_in(["observed", "imputed"]),
        pl.col("value").is_not_null(),
    )
    parts = [] if links is None else [links]
    for basis in ("observed", "imputed"):
        rows = used.filter(basis=basis)
        if rows.height:
            parts += _received(rows, economy if basis == "imputed" or same_unit else _without_size(economy))
    return conformed("transfer_reception", [cells.grouped(p) for p in parts])


def _without_size(economy: Economy) -> Economy:
    return replace(economy, local_linkage=None)


def _received(rows: pl.DataFrame, economy: Economy) -> list[pl.DataFrame]:
    found = reception(rows.select(source="region", host="other", industry="industry", value="value"), economy)
    kinds = found.flows.select(*KINDS, label=pl.col("kind").fill_null(""), tied="tied")
    base = rows.select(*_WHEN, *_PAIR, weight="value").hstack(kinds).with_row_index("flow")
    scores = base.unpivot(
        on=list(KINDS), index=["flow", *_WHEN, *_PAIR, "weight", "label", "tied"], variable_name="component", value_name="value"
    )
    reason = pl.when(pl.col("value").is_null()).then(pl.lit("input-not-given")).otherwise(pl.lit("")).alias("reason")
    scores = scores.sort("flow", maintain_order=True).with_columns(
        reason,
        rule=pl.when(pl.col("tied").is_not_null()).then(pl.lit("reception-tied")).otherwise(pl.lit("")),
        measure=pl.lit("reception-score"),
    )
    scores = scores.with_columns(
        as_values(scores, ["tied"]) if scores["tied"].null_count() < scores.height else pl.lit("{}").alias("values")
    )
    parts = found.parts.with_columns(pl.col("flow").cast(pl.UInt32)).join(
        base.select("flow", *_WHEN, *_PAIR, "weight"), on="flow", how="left"
    )
    parts = parts.with_columns(pl.format("{}/{}", "kind", "part").alias("component"), reason, measure=pl.lit("reception-part"))
    shares = found.shares.filter(pl.col("share").is_not_null()).select(
        other="host", component=pl.col("kind").fill_null("unknown"), weight="value", value="share", label=pl.col("kind").fill_null("")
    )
    said = {name: pl.lit(rows[name][0], rows.schema[name]) for name in _WHEN}
    shares = shares.with_columns(**said, measure=pl.lit("reception-share"), industry=pl.lit(None, pl.String))
    changes = label_changes(found).rename({"kind": "component", "share": "value"})
    changes = changes.with_columns(as_values(changes, ["direction"])).with_columns(
        **said, measure=pl.lit("reception-label-change"), rule=pl.lit("threshold-moved"), industry=pl.lit(None, pl.String)
    )
    out = [scores.drop("flow", "tied"), parts.drop("flow", "kind", "part"), shares, changes.drop("direction")]
    return [f.with_columns(n_used=pl.lit(1, pl.Int64)) for f in out]


def link_rows(records: Records, economy: Economy) -> pl.DataFrame | None:
    """``link-kind`` of each host: shares of horizontal and vertical links by threshold; nothing without owners' industries or requirements."""
    if "parent_industry" not in records.table.columns or "industry" not in records.columns or economy.requirements is None:
        return None
    child = pl.col(records.columns["industry"]).cast(pl.String)
    known = list(economy.industries)
    rows = records.table.select(
        industry=child,
        other_industry=pl.col("parent_industry").cast(pl.String),
        region=pl.col("host").cast(pl.String),
        value=pl.col("value").cast(pl.Float64),
    ).filter(pl.col("industry").is_in(known), pl.col("other_industry").is_in(known), pl.col("value") > 0)
    if not rows.height:
        return None
    data = Data(rows.with_columns(pl.lit(0, pl.UInt8).alias("state:value")), {k: k for k in rows.columns})
    made = measured_rows("link-kind", applied("link-kind", data, requirements=_requirement_table(economy)))
    named = made.rename({"region": "other"}).with_columns(concept=pl.lit("flow"), basis=pl.lit("observed"), rule=pl.lit("link-threshold"))
    return named.with_columns(as_values(made.select(tau="point"), ["tau"]), industry=pl.lit(None, pl.String)).drop("point")


def _requirement_table(economy: Economy) -> pl.DataFrame:
    a = np.zeros((0, 0)) if economy.requirements is None else economy.requirements
    i, j = (x.ravel() for x in np.indices(a.shape))
    names = pl.Series(economy.industries, dtype=pl.String)
    return pl.DataFrame({"industry": names.gather(i), "other_industry": names.gather(j), "value": a.ravel()})
