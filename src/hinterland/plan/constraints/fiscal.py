"""C9: public money, and the compensation that regions pay each other."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import Expression, at_most, column, rows_where, spread, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "100m-yuan"


def compensation(b: Building) -> None:
    r"""What hosts receive as ecological compensation is what other regions are levied.

    Rows: year
    Unit: 100m-yuan
    Formula: \sum_h comp_{ht} = \sum_s levy_{st}
    Gives way: no
    """
    p = b.problem
    levy = p["levy"].transpose("region", "year")
    payers, hosts = np.asarray((levy.values > 0).any(axis=1)), np.asarray(p["host"].values.astype(bool))
    if not payers.any() or not hosts.any():
        return
    paying, receiving = rows_where(payers, p.index["region"]), rows_where(hosts, p.index["region"])
    most = levy.sel(region=paying).where(column(p.decided, b.year), 0.0)
    b.variable("levy", paying, b.year, upper=most, unit=UNIT, meaning="ecological compensation that the region pays")
    b.variable("compensation", receiving, b.year, unit=UNIT, meaning="ecological compensation that the region receives")
    b.require("compensation", b["compensation"].sum("region") - b["levy"].sum("region"), "=", 0, family="C9", unit=UNIT)


def spending(b: Building) -> Expression:
    """[region, year] public money for support, infrastructure, training, agreements and shared revenue; 0 where there is none."""
    p, region = b.problem, b.problem.index["region"]
    parts = []
    if "support" in b:
        index = b["support"].indexes["cell"]
        at = p.links["cell.region"][b.cell.get_indexer(index)]
        parts.append(total(b["support"].sum(["instrument", "segment"]), "cell", at, region))
    if "investment" in b:
        parts.append(spread((p["public"] * b["investment"]).sum("kind"), region=region))
    if "trained" in b:
        parts.append(spread((p["training_cost"] * b["trained"]).sum("skill"), region=region))
    if "started" in b:
        founded = total(p["fixed_cost"] * b["started"], "enclave", p.links["enclave.host"], region)
        parts.append(spread(founded, year=b.year))
    if "shared" in b:
        parts.append(total(b["shared"], "enclave", p.links["enclave.host"], region))
    return sum(parts[1:], start=parts[0]) if parts else None


def budgets(b: Building) -> None:
    r"""A host spends no more than its budget, the part of tax that it may spend, and the compensation it receives.

    Rows: host with a budget × decided year; years without one are free
    Unit: 100m-yuan
    Formula: \sum_{iu} g_{hiut} + \sum_k \pi_k v_{hkt} + \sum_l c_l trn_{hlt} + \sum_e (f_e st_{et} + r_{et}) \le B_{ht} + \omega_h \sum_i \tau_i z_{hit} + comp_{ht}
    Gives way: over where money is short
    """
    p, spent = b.problem, spending(b)
    given = np.isfinite(p["budget"].transpose("region", "year").sel(year=b.open).values).any(axis=1)
    where = np.asarray(given & p["host"].values.astype(bool))
    if spent is None or not where.any():
        return
    region = rows_where(where, p.index["region"])
    rest = spent.sel(region=region, year=b.open)
    rate = p.of_cells("tax_rate") * p.of_cells("own_revenue")
    if bool((rate.values > 0).any()):
        rest = rest - total(rate * b["output"], "cell", p.links["cell.region"], p.index["region"]).sel(region=region, year=b.open)
    if "compensation" in b:
        rest = rest - spread(b["compensation"], region=p.index["region"]).sel(region=region, year=b.open)
    most = p["budget"].sel(region=region, year=b.open).transpose("region", "year")
    b.require("budget", rest, "<=", at_most(most), family="C9", unit=UNIT, typical=1.0)


def national_budget(b: Building) -> None:
    r"""All hosts together spend no more than the national envelope.

    Rows: decided year; years without an envelope are free
    Unit: 100m-yuan
    Formula: \sum_h S_{ht} \le B^{nat}_t
    Gives way: over where money is short
    """
    p, spent = b.problem, spending(b)
    most = p["national_budget"].sel(year=b.open)
    if spent is None or not np.isfinite(most.values).any():
        return
    hosts = rows_where(p["host"].values.astype(bool), p.index["region"])
    spent = spent.sel(region=hosts, year=b.open).sum("region")
    b.require("national_budget", spent, "<=", at_most(most), family="C9", unit=UNIT, typical=1.0)


FAMILY = Family("C9", "fiscal", (compensation, budgets, national_budget))
