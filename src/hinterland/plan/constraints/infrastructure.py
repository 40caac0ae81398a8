"""C5: capacity at a place needs infrastructure, which takes years to build."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import column, lag, rows_where, total
from hinterland.plan.building import Building, typical
from hinterland.plan.constraints.family import Family

UNIT = "service"


def _regions(b: Building) -> np.ndarray:
    """[region] hosts."""
    return np.asarray(b.problem["host"].values.astype(bool))


def add_infrastructure(b: Building) -> None:
    """Investment and service in hosts, by kind."""
    p = b.problem
    region, kind = rows_where(_regions(b), p.index["region"]), p.index["kind"]
    limit = p["investment_limit"].sel(region=region).transpose("region", "kind", "year")
    lead = p["kind_lead"].values.astype(int)
    late = np.arange(len(b.year))[None, :] + lead[:, None] >= len(b.year)
    high = np.where(np.isfinite(limit.values), limit.values, np.inf)
    high = np.where(late[None] | ~p.decided[None, None], 0.0, high)
    b.variable(
        "investment",
        region,
        kind,
        b.year,
        upper=column(high, region, kind, b.year),
        unit="100m-yuan",
        meaning="investment in infrastructure",
    )
    b.variable("service", region, kind, b.year, unit=UNIT, meaning="infrastructure in service")


def service(b: Building) -> None:
    r"""Service is last year's less wear, plus what investment of a lead time before brings.

    Rows: host × kind × year
    Unit: service
    Formula: V_{hkt} = (1-\delta_k) V_{hk,t-1} + \kappa_k v_{hk,t-\ell_k}
    Gives way: no
    """
    if not len(b.problem.index["kind"]):
        return
    add_infrastructure(b)
    p, kinds = b.problem, b.problem.index["kind"]
    kept = 1 - p["kind_depreciation"]
    rest = b["service"] - kept * lag(b["service"], 1, b.year)
    lead = p["kind_lead"].values.astype(int)
    for years in np.unique(lead):
        some = rows_where(lead == years, kinds)
        brought = p["service"].sel(kind=some) * lag(b["investment"].sel(kind=some), int(years), b.year)
        rest = rest - brought.reindex(kind=kinds).fillna(0)
    region = rows_where(_regions(b), p.index["region"])
    stock = (kept * p["stock"].sel(region=region)).transpose("region", "kind").values
    first = np.zeros((len(region), len(kinds), len(b.year)))
    first[:, :, 0] = stock
    b.require("service", rest, "=", column(first, region, kinds, b.year), family="C5", unit=UNIT)


def infrastructure(b: Building) -> None:
    r"""Capacity at a host takes no more infrastructure than is in service.

    Rows: host × kind × decided year
    Unit: service
    Formula: \sum_i req_{ik} K_{hit} \le V_{hkt}
    Gives way: over where service is short
    """
    p = b.problem
    if "service" not in b:
        return
    needs = p.of_cells("requirement")
    host = _regions(b)
    region = rows_where(host, p.index["region"])
    at = np.where(host[p.links["cell.region"]], (np.cumsum(host) - 1)[p.links["cell.region"]], -1)
    for kind in p.index["kind"]:
        need = needs.sel(kind=kind, drop=True)
        taken = total(need * b["capacity"].sel(year=b.open), "cell", at, region)
        rest = taken - b["service"].sel(kind=kind, year=b.open, drop=True)
        b.require(f"infrastructure:{kind}", rest, "<=", 0, family="C5", unit=UNIT, typical=typical(need.values))


FAMILY = Family("C5", "infrastructure", (service, infrastructure))
