"""C9 to C12: public money, what support brings, agreements, and the tax that they share."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.validation.amounts import Amounts, Floats, earlier, grouped
from hinterland.plan.validation.capacity import lead, wear
from hinterland.plan.validation.places import flagged
from hinterland.plan.validation.sheet import Sheet

MONEY = "100m-yuan"
REGION = ("region", "year")
ENCLAVE = ("enclave", "year")


def check(a: Amounts, s: Sheet) -> None:
    """Every rule of money and agreements."""
    if a.problem.has("C9"):
        compensation(a, s)
        budgets(a, s)
    if a.problem.has("C10"):
        intake(a, s)
    if a.problem.has("C11") and len(a.problem.index["enclave"]):
        agreements(a, s)
        terms(a, s)
        choices(a, s)
        if a.problem.has("C12"):
            sharing(a, s)


def compensation(a: Amounts, s: Sheet) -> None:
    """What is received is what is levied, and no region is levied more than it may be."""
    p = a.problem
    levy = p["levy"].transpose("region", "year").values
    s.equal("C9", "compensation", a["compensation"].sum(axis=0), a["levy"].sum(axis=0), ("year",), unit=MONEY)
    s.most("C9", "levy", a["levy"], np.where(a.decided[None, :], levy, 0.0), REGION, unit=MONEY)
    s.most("C9", "compensation_of_others", a["compensation"], np.where(flagged(a, "host")[:, None], np.inf, 0.0), REGION, unit=MONEY)
    for name in ("levy", "compensation"):
        s.least("C9", f"{name}_sign", a[name], 0.0, REGION, unit=MONEY)


def budgets(a: Amounts, s: Sheet) -> None:
    """Hosts spend no more than their budget, their part of tax and compensation; all hosts no more than the nation gives."""
    p, n, host = a.problem, len(a.problem.index["region"]), flagged(a, "host")[:, None]
    spent = a.region(a["support"].sum(axis=(1, 2)))
    spent += (p["public"].values[None, :, None] * a["investment"]).sum(axis=1)
    spent += (p["training_cost"].values[None, :, None] * a["trained"]).sum(axis=1)
    spent += grouped(p["fixed_cost"].values[:, None] * a["started"] + a["shared"], p.links["enclave.host"], n)
    tax = p["tax_rate"].values[p.links["cell.industry"]] * p["own_revenue"].transpose("region", "year").values[p.links["cell.region"]].T
    own = a.region(tax.T * a["output"])
    given = np.where(host & a.decided[None, :], p["budget"].transpose("region", "year").values, np.nan)
    s.most("C9", "budget", spent, given + own + a["compensation"], REGION, unit=MONEY)
    nation = np.where(a.decided, p["national_budget"].values, np.inf)
    s.most("C9", "national_budget", np.where(host, spent, 0.0).sum(axis=0), nation, ("year",), unit=MONEY)


def intake(a: Amounts, s: Sheet) -> None:
    """New capacity at hosts is at most what they let in and what support brings; support ends at its steps and caps."""
    p = a.problem
    region = p.links["cell.region"]
    takes = p["absorption"].transpose("cell", "year").values
    host = flagged(a, "host")[region][:, None]
    size = np.where(host & a.decided[None, :] & np.isfinite(takes), takes, 0.0)
    response = p["response"].transpose("region", "instrument", "segment").values
    wide = np.where((response > 0).any(axis=0), np.nan_to_num(p["width"].transpose("instrument", "segment").values), 0.0)
    axes = ("cell", "instrument", "segment", "year")
    s.most("C10", "support_step", a["support"], wide[None, :, :, None] * size[:, None, None, :], axes, unit=MONEY)
    s.least("C10", "support_sign", a["support"], 0.0, axes, unit=MONEY)
    cap = p["subsidy_cap"].values[None, :, None] * size[:, None, :]
    s.most("C10", "support_cap", a["support"].sum(axis=2), cap, ("cell", "instrument", "year"), unit=MONEY)
    brought = np.einsum("cis,cisy->cy", response[region], a["support"])
    ease = p["business_environment"].transpose("region", "year").values[region]
    new = grouped(a["move"], p.links["arc.host"], len(region)) + a["greenfield"]
    there = host & a.decided[None, :] & np.isfinite(takes)
    s.most("C10", "intake", new, np.where(there, ease * takes + brought, np.inf), ("cell", "year"), unit=MONEY)


def agreements(a: Amounts, s: Sheet) -> None:
    """Moves under an agreement need it to be active, and stay within what its source may release; one that becomes active has started."""
    p, active, started = a.problem, a["active"], a["started"]
    own = p["release_cell"].transpose("cell", "year").values
    share = np.where(np.isfinite(own), own, p["release_share"].values[p.links["year.phase"]][None, :])
    released = (share * p["capacity"].values[:, None])[p.links["arc.source"]]
    most = np.fmin(grouped(released, p.links["arc.enclave"], len(active)), p["enclave_flow"].values[:, None])
    moved = grouped(a["move"], p.links["arc.enclave"], len(active))
    s.most("C11", "agreements", moved, np.where(a.decided[None, :], most * active, np.inf), ENCLAVE, unit=MONEY)
    for name in ("active", "started"):
        s.equal("C11", f"{name}_or_not", a[name], np.clip(np.round(a[name]), 0.0, 1.0), ENCLAVE, unit="1")
        s.most("C11", f"{name}_in_past", a[name], np.where(a.decided[None, :], np.inf, 0.0), ENCLAVE, unit="1")
    rise = np.diff(active, axis=1, prepend=0.0)
    s.most("C11", "starts", rise, started, ENCLAVE, unit="1")


def terms(a: Amounts, s: Sheet) -> None:
    """An agreement that starts lasts its least term, or to the end of the plan."""
    p, active = a.problem, a["active"]
    last = active.shape[1]
    for e, years in enumerate(p["min_term"].values.astype(int)):
        axis = {"enclave": np.array([str(p.index["enclave"][e])])}
        kept = np.array([active[e, t : t + years].sum() for t in range(last)])
        least = np.minimum(years, last - np.arange(last)) * a["started"][e]
        s.least("C11", f"terms:{years}", kept[None, :], least[None, :], (axis, "year"), unit="year")


def choices(a: Amounts, s: Sheet) -> None:
    """A host looks after no more agreements than it can, and of a menu at most one is active."""
    p, table = a.problem, a.problem.text["enclave"]
    each = grouped(a["active"], p.links["enclave.host"], len(p.index["region"]))
    s.most("C11", "agreements_of_host", each, p["enclave_limit"].values[:, None], REGION, unit="count")
    if "menu" not in table.columns:
        return
    for menu in sorted(set(table["menu"].drop_nulls()) - {""}):
        names = table.filter(pl.col("menu") == menu)["enclave"].to_list()
        of: NDArray[np.bool_] = np.isin(p.index["enclave"].to_numpy().astype(str), names)
        axis = {"menu": np.array([menu])}
        s.most("C11", "menus", a["active"][of].sum(axis=0)[None, :], 1.0, (axis, "year"), unit="count")


def sharing(a: Amounts, s: Sheet) -> None:
    """What goes back to the source is its share of the tax on what came under the agreement."""
    p = a.problem
    enclave, cell = p.links["pact.enclave"], p.links["pact.cell"]
    at = np.full((len(p.index["enclave"]), len(p.index["cell"])), -1)
    at[enclave, cell] = np.arange(len(cell))
    under = p.links["arc.enclave"] >= 0
    pact = np.where(under, at[p.links["arc.enclave"], p.links["arc.host"]], -1)
    came = earlier(grouped(a["move"], pact, len(cell)), lead(a)[cell])
    held = _kept(came, 1 - wear(a)[cell])
    industry = p.links["cell.industry"][cell]
    rate = p["share"].values[enclave] * p["tax_rate"].values[industry] * p["utilisation"].values[industry]
    s.equal("C12", "revenue", a["shared"], grouped(rate[:, None] * held, enclave, len(a["shared"])), ENCLAVE, unit=MONEY)


def _kept(came: Floats, stays: Floats) -> Floats:
    """[n, year] the stock of what came, less wear."""
    out = came.copy()
    for t in range(1, came.shape[1]):
        out[:, t] += stays * out[:, t - 1]
    return out
