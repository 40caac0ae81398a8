"""Security of supply, use of resources against limits, and jobs."""

from __future__ import annotations

import polars as pl

from hinterland.plan.advice.view import View
from hinterland.plan.constraints.security import tested
from hinterland.plan.tables import shaped


def security(view: View) -> pl.DataFrame:
    r"""Table ``plan_security``: what hosts make of each critical industry against national use, and the worst loss of one region.

    ``fails`` is what the other regions could not make at emergency rates: :math:`\\max_\\rho (D_{it} - \\sum_{r \\ne \\rho} u_i K_{rit})^+`.
    """
    p = view.problem
    lost, backed = (list(map(str, x)) for x in tested(p))
    required = view.of("security_share").rename({"value": "required"})
    critical = required.filter(pl.col("required") > 0)["industry"].unique().to_list()
    industries = sorted({*critical, *(backed if lost else [])})
    if not industries:
        return shaped("plan_security", pl.DataFrame())
    made = view.at_hosts.filter(pl.col("industry").is_in(industries)).group_by("industry", "year").agg(made=pl.col("output").sum())
    rows = made.join(view.of("use").rename({"value": "use"}), on=["industry", "year"], how="left")
    rows = rows.join(required, on=["industry", "year"], how="left")
    rows = rows.with_columns(share=pl.when(pl.col("use") > 0).then(pl.col("made") / pl.col("use")))
    rows = rows.with_columns(pl.when(pl.col("industry").is_in(critical)).then("required").alias("required"))
    rows = rows.with_columns(short=(pl.col("required") - pl.col("share")).clip(lower_bound=0.0))
    rows = rows.join(_worst(view, lost, backed), on=["industry", "year"], how="left").join(view.years, on="year", how="left")
    return shaped("plan_security", rows.sort("industry", "year"))


def _worst(view: View, lost: list[str], backed: list[str]) -> pl.DataFrame:
    """``industry``, ``year``, ``lost``, ``fails``, ``fails_share``, ``tolerated`` of the loss that is worst."""
    schema = {"industry": pl.String(), "year": pl.Int64(), "lost": pl.String()} | dict.fromkeys(
        ("fails", "fails_share", "tolerated"), pl.Float64()
    )
    if not lost or not backed:
        return pl.DataFrame(schema=schema)
    surge = view.of_cells("surge").rename({"value": "surge"})
    cells = view.cells.filter(pl.col("industry").is_in(backed)).join(surge, on=["region", "industry"], how="left")
    cells = cells.with_columns(could=pl.col("surge") * pl.col("capacity"))
    everyone = cells.group_by("industry", "year").agg(could=pl.col("could").sum())
    theirs = pl.DataFrame({"lost": lost}).join(cells.select("industry", "year").unique(), how="cross")
    theirs = theirs.join(
        cells.select("industry", "year", lost="region", gone="could"), on=["lost", "industry", "year"], how="left"
    ).with_columns(pl.col("gone").fill_null(0.0))
    need = view.of("emergency_use").rename({"value": "need"})
    rows = theirs.join(everyone, on=["industry", "year"]).join(need, on=["industry", "year"], how="left")
    rows = rows.with_columns(fails=(pl.col("need") - (pl.col("could") - pl.col("gone"))).clip(lower_bound=0.0))
    rows = rows.sort("fails", "lost", descending=[True, False]).group_by("industry", "year", maintain_order=True).first()
    rows = rows.join(view.of("tolerance").rename({"value": "tolerated"}), on=["industry", "year"], how="left")
    return rows.with_columns(fails_share=pl.when(pl.col("need") > 0).then(pl.col("fails") / pl.col("need"))).select(*schema)


def limits(view: View) -> pl.DataFrame:
    """Table ``plan_limits``: what each region with a limit uses of each resource against it; and all regions together where the nation has one (no region).

    A resource that may be kept for later can be used beyond the limit of one year.
    """
    used = view.plan.resources
    if not used.height:
        return shaped("plan_limits", pl.DataFrame())
    keys = ["region", "resource", "year"]
    own = used.join(view.of("limit").rename({"value": "limit"}), on=keys, how="left")
    nation = used.group_by("resource", "unit", "year").agg(used=pl.col("used").sum()).with_columns(region=pl.lit(None, dtype=pl.String))
    nation = nation.join(view.of("national_limit").rename({"value": "limit"}), on=["resource", "year"], how="left")
    rows = pl.concat([own.select(*keys, "used", "limit", "unit"), nation.select(*keys, "used", "limit", "unit")])
    rows = rows.with_columns(limit=pl.when(pl.col("limit").is_finite()).then("limit"))
    rows = rows.with_columns(share=pl.when(pl.col("limit") > 0).then(pl.col("used") / pl.col("limit")))
    named = rows.filter(pl.col("limit").is_not_null() | pl.col("region").is_in(view.hosts))
    return shaped("plan_limits", named.join(view.years, on="year").sort("resource", "region", "year", nulls_last=True))


def jobs(view: View) -> pl.DataFrame:
    """Table ``plan_jobs``: people employed by region and phase, and the jobs of capacity that leaves, moves in or is built, at full use."""
    if not view.jobs.height:
        return shaped("plan_jobs", pl.DataFrame())
    keys = ["region", "industry", "year"]
    cells = view.cells.join(view.jobs, on=keys).join(
        view.of_cells("utilisation").rename({"value": "full"}), on=["region", "industry"], how="left"
    )
    cells = cells.with_columns(employed=pl.col("output") * pl.col("jobs"), posts=pl.col("jobs") * pl.col("full"))
    first, last = (pl.col("year") == getattr(pl.col("year"), end)().over("phase") for end in ("min", "max"))
    rows = cells.group_by("region", "phase").agg(
        employed_first=pl.col("employed").filter(first).sum(),
        employed_last=pl.col("employed").filter(last).sum(),
        displaced=(pl.col("departures") * pl.col("posts")).sum(),
        brought=(pl.col("arrivals") * pl.col("posts")).sum(),
        created=(pl.col("greenfield") * pl.col("posts")).sum(),
    )
    rows = rows.with_columns(change=pl.col("employed_last") - pl.col("employed_first"))
    moved = view.plan.people
    if moved.height:
        people = moved.join(view.years, on="year").group_by("region", "phase").agg(pl.col("migrants", "trained").sum())
        rows = rows.join(people, on=["region", "phase"], how="left")
    role = dict.fromkeys(view.hosts, "host") | dict.fromkeys(view.regions_that("source"), "source")
    role |= dict.fromkeys(set(view.hosts) & set(view.regions_that("source")), "both")
    rows = rows.with_columns(role=pl.col("region").replace_strict(role, default="other", return_dtype=pl.String))
    order = view.spans.with_row_index("_phase")
    return shaped("plan_jobs", rows.join(order, on="phase", how="left").sort("region", "_phase"))
