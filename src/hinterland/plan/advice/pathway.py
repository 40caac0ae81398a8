"""The phased pathway of each host: what moves in and from whom, what is built, what capacity becomes; and what moves first."""

from __future__ import annotations

import json

import polars as pl

from hinterland.plan.advice.view import View, leveled
from hinterland.plan.specks import region_sizes, specks
from hinterland.plan.tables import shaped

_KEYS = ("level", "host", "phase", "group", "industry")
_SOURCES = 3


def pathway(view: View) -> pl.DataFrame:
    """Table ``plan_pathway``: one row per host, phase and industry; and per group of industries, and for all.

    A move or a new plant is counted in the year in which it is decided; it comes into service after the industry's lead time.
    """
    cells = leveled(view.at_hosts, view.groups)
    last = pl.col("year") == pl.col("year").max().over("phase")
    first = pl.col("year") == pl.col("year").min().over("phase")
    rows = cells.group_by(_KEYS).agg(
        moved=pl.col("arrivals").sum(),
        greenfield=pl.col("greenfield").sum(),
        capacity_start=pl.col("before").filter(first).sum(),
        capacity_end=pl.col("capacity").filter(last).sum(),
    )
    rows = rows.with_columns(change=pl.col("capacity_end") - pl.col("capacity_start"))
    whole = rows.filter(level="all").select("host", "phase", whole="capacity_end")
    rows = rows.join(whole, on=["host", "phase"], how="left").with_columns(
        share_of_host=_part("capacity_end", pl.col("whole")),
        share_of_hosts=_part("capacity_end", pl.col("capacity_end").sum().over("level", "phase", "group", "industry")),
    )
    rows = rows.join(_sources(view), on=_KEYS, how="left", nulls_equal=True).with_columns(pl.col("sources").fill_null("[]"))
    ranked = pl.DataFrame({"level": ["all", "group", "industry"], "_level": [0, 1, 2]})
    order = view.spans.with_row_index("_phase")
    named = view.groups.select("group").unique(maintain_order=True).with_row_index("_group")
    rows = rows.join(order, on="phase", how="left").join(ranked, on="level").join(named, on="group", how="left")
    rows = rows.sort("host", "_phase", "_level", "_group", "industry")
    return shaped("plan_pathway", rows)


def _part(name: str, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(pl.col(name) / whole)


def _sources(view: View) -> pl.DataFrame:
    """The largest sources of what moved, by the keys of the pathway."""
    schema = {**dict.fromkeys(_KEYS, pl.String), "source": pl.String, "source_share": pl.Float64, "sources": pl.String}
    if not view.plan.flows.height:
        return pl.DataFrame(schema=schema)
    flows = leveled(view.plan.flows.join(view.years, on="year"), view.groups)
    sums = flows.group_by(*_KEYS, "source").agg(value=pl.col("value").sum()).sort("value", "source", descending=[True, False])
    rows = []
    for keys, part in sums.group_by(_KEYS, maintain_order=True):
        total = float(part["value"].sum())
        listed = [{"region": s, "value": round(v, 6)} for s, v in part.head(_SOURCES).select("source", "value").iter_rows()]
        shown = {"source": part["source"][0], "source_share": part["value"][0] / total, "sources": json.dumps(listed, ensure_ascii=False)}
        rows.append(dict(zip(_KEYS, keys, strict=True)) | shown)
    return pl.DataFrame(rows, schema=schema)


def first_moves(view: View) -> pl.DataFrame:
    """Table ``plan_first_moves``: the first year of each host and industry, ranked by that year and then by what is decided in it.

    Moves (``move``) and new plants (``new``) are ranked apart. What was observed is past and has no rank. An amount that is too small to be told
    (:mod:`hinterland.plan.specks`) makes no year the first, and is not in the sums.
    """
    known = region_sizes(view.plan.capacity).rename({"region": "host"})
    parts = [part.join(known, on="host", how="left") for part in (_moves(view), _new(view))]
    found = pl.concat([part.filter(~specks("value", "size")) for part in parts])
    keys = ("host", "kind", "industry", "observed")
    first = pl.col("year") == pl.col("year").min()
    rows = found.group_by(keys).agg(
        first_year=pl.col("year").min(),
        phase=pl.col("phase").filter(first).first(),
        first_value=pl.col("value").filter(first).sum(),
        value=pl.col("value").sum(),
    )
    sizes = found.drop_nulls("source").group_by(*keys, "source", "year").agg(size=pl.col("value").sum())
    sizes = sizes.filter(pl.col("year") == pl.col("year").min().over(keys)).sort("size", "source", descending=[True, False])
    rows = rows.join(sizes.group_by(keys, maintain_order=True).agg(source=pl.col("source").first()), on=keys, how="left")
    rows = rows.sort("host", "kind", "observed", "first_year", "first_value", "industry", descending=[False] * 4 + [True, False])
    place = pl.int_range(1, pl.len() + 1).over("host", "kind", "observed")
    return shaped("plan_first_moves", rows.with_columns(rank=pl.when(~pl.col("observed")).then(place)))


def _moves(view: View) -> pl.DataFrame:
    flows = view.plan.flows if view.plan.flows.height else pl.DataFrame(schema=_EMPTY)
    return flows.join(view.years, on="year").select("host", "industry", "source", "year", "phase", "observed", "value", kind=pl.lit("move"))


_EMPTY: dict[str, pl.DataType] = {
    **dict.fromkeys(("source", "host", "industry", "enclave"), pl.String()),
    "year": pl.Int64(),
    "value": pl.Float64(),
}


def _new(view: View) -> pl.DataFrame:
    built = view.at_hosts.filter(pl.col("greenfield") > 0)
    return built.select(
        "host",
        "industry",
        pl.lit(None, dtype=pl.String).alias("source"),
        "year",
        "phase",
        "observed",
        value="greenfield",
        kind=pl.lit("new"),
    )
