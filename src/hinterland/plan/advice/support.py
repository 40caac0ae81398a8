"""The support that each phase needs, what it brings, and the money that is there for it."""

from __future__ import annotations

import polars as pl

from hinterland.plan.advice.view import View
from hinterland.plan.tables import shaped

_ROW = ("host", "phase", "side", "kind", "instrument")


def support_needed(view: View) -> pl.DataFrame:
    """Table ``plan_support_needed``: needs of each host and phase by instrument, and the sources of public money.

    Support is counted per unit of new capacity that it brings by its response; everything else per unit of all new capacity of the host in the phase.
    """
    parts = [_instruments(view), _infrastructure(view), _training(view), *_agreements(view), *_money(view)]
    rows = pl.concat([p for p in parts if p.height] or [parts[0]], how="diagonal")
    new = view.at_hosts.group_by("host", "phase").agg(new=(pl.col("arrivals") + pl.col("greenfield")).sum())
    rows = rows.join(new, on=["host", "phase"], how="left")
    capacity = pl.when(pl.col("basis") == "new-capacity").then(pl.col("new")).otherwise(pl.col("capacity"))
    rows = rows.with_columns(capacity=capacity)
    rows = rows.with_columns(per_unit=pl.when(pl.col("capacity") > 0).then(pl.col("amount") / pl.col("capacity")))
    order = view.spans.with_row_index("_phase")
    rows = rows.join(order, on="phase", how="left").sort("host", "_phase", "side", "kind", "instrument", nulls_last=True)
    return shaped("plan_support_needed", rows)


def _summed(rows: pl.DataFrame, view: View, **fixed: str) -> pl.DataFrame:
    """Rows with ``host``, ``year``, ``instrument``, ``amount`` (and perhaps ``public``, ``capacity``, ``people``) by phase; phases without any left out."""
    numbers = [c for c in ("amount", "public", "capacity", "people") if c in rows.columns]
    rows = rows.join(view.years.select("year", "phase"), on="year")
    made = rows.group_by("host", "phase", "instrument").agg(pl.col(numbers).sum()).filter(pl.any_horizontal(pl.col(numbers).abs() > _LEAST))
    made = made.with_columns(pl.lit(v).alias(k) for k, v in fixed.items())
    absent = {"public": "amount", "capacity": None, "people": None}
    return made.with_columns(
        (pl.lit(None, dtype=pl.Float64) if source is None else pl.col(source)).alias(name)
        for name, source in absent.items()
        if name not in made.columns
    ).select(*_ROW, "amount", "public", "capacity", "people", "basis")


_LEAST = 1e-6
"""Money below this is rounding, 100 million yuan."""


def _instruments(view: View) -> pl.DataFrame:
    paid = view.plan.support
    if not paid.height:
        return pl.DataFrame(schema=_SCHEMA)
    response = view.of("response").rename({"value": "response"}).with_columns(pl.col("segment").cast(pl.Int64))
    keys = ["instrument", "segment", "region"]
    rows = paid.with_columns(pl.col("segment").cast(pl.Int64)).join(response, on=keys, how="left")
    rows = rows.select("year", "instrument", host="region", amount="value", capacity=pl.col("value") * pl.col("response"))
    return _summed(rows, view, side="need", kind="support", basis="response")


_SCHEMA = {
    **dict.fromkeys(_ROW, pl.String),
    **dict.fromkeys(("amount", "public", "capacity", "people"), pl.Float64),
    "basis": pl.String,
}


def _infrastructure(view: View) -> pl.DataFrame:
    spent = view.plan.infrastructure
    if not spent.height:
        return pl.DataFrame(schema=_SCHEMA)
    part = view.of("public").rename({"value": "part"})
    rows = spent.join(part, on="kind", how="left").select(
        "year", host="region", instrument="kind", amount="investment", public=pl.col("investment") * pl.col("part")
    )
    return _summed(rows, view, side="need", kind="infrastructure", basis="new-capacity")


def _training(view: View) -> pl.DataFrame:
    people = view.plan.people
    if not people.height:
        return pl.DataFrame(schema=_SCHEMA)
    cost = view.of("training_cost").rename({"value": "cost"})
    rows = people.filter(pl.col("region").is_in(view.hosts)).join(cost, on="skill", how="left")
    rows = rows.select("year", host="region", instrument="skill", amount=pl.col("trained") * pl.col("cost"), people="trained")
    return _summed(rows, view, side="need", kind="training", basis="new-capacity")


def _agreements(view: View) -> list[pl.DataFrame]:
    """Cost of setting agreements up, and tax that goes back to the source."""
    p, table = view.problem, view.plan.enclaves
    if not table.height:
        return []
    names = [str(e) for e in p.index["enclave"]]
    hosts = p.index["region"].to_numpy()[p.links["enclave.host"]]
    of = pl.DataFrame({"enclave": names, "host": [str(h) for h in hosts], "cost": p["fixed_cost"].values})
    rows = table.join(of, on="enclave", how="left")
    founded = rows.select("year", "host", instrument="enclave", amount=pl.col("started").round() * pl.col("cost"))
    shared = rows.select("year", "host", instrument="enclave", amount="shared")
    return [
        _summed(founded, view, side="need", kind="agreements", basis="new-capacity"),
        _summed(shared, view, side="need", kind="revenue-sharing", basis="new-capacity"),
    ]


def _money(view: View) -> list[pl.DataFrame]:
    """Budgets, tax that may be spent and compensation, in decided years."""
    nothing = pl.lit(None, dtype=pl.String)
    open_years = view.years.filter(~pl.col("observed"))["year"]
    budget = view.of("budget").rename({"region": "host", "value": "amount"}).with_columns(instrument=nothing)
    parts = [(budget.filter(pl.col("amount").is_finite()), "budget")]
    rate = view.of_cells("tax_rate").rename({"value": "rate"})
    own = view.of_cells("own_revenue").rename({"value": "own"})
    made = view.cells.filter(pl.col("region").is_in(view.hosts)).join(rate, on=["region", "industry"])
    made = made.join(own, on=["region", "industry", "year"])
    tax = made.select("year", host="region", instrument=nothing, amount=pl.col("output") * pl.col("rate") * pl.col("own"))
    parts.append((tax, "own-revenue"))
    if view.plan.money.height:
        got = view.plan.money.select("year", host="region", instrument=nothing, amount="compensation")
        parts.append((got, "compensation"))
    inside = [(f.filter(pl.col("host").is_in(view.hosts) & pl.col("year").is_in(open_years.implode())), kind) for f, kind in parts]
    return [_summed(f, view, side="source", kind=kind, basis="") for f, kind in inside if f.height]
