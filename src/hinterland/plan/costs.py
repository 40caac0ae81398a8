"""What a plan costs, by what it pays for: each a linear expression of discounted money.

Capital is paid as it is used: a unit decided in a year costs interest and wear on what is left of it in each year of service within the plan (user cost of
capital, Jorgenson 1963), so that late decisions are not put off for want of years to come.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hinterland.plan.algebra import column, gathered, rows_where
from hinterland.plan.building import Building
from hinterland.plan.variables import lead_of_cells


def capital_charge(weights: NDArray[np.float64], wear: NDArray[np.float64], lead: NDArray[np.int64], rate: float) -> NDArray[np.float64]:
    """[n, year] discounted user cost of a unit of capital decided in each year.

    ``(rate + wear) (1 + rate)^(lead − 1) Σ_{k ≥ 0} w_{t+lead+k} (1 − wear)^k`` over the years of the plan. The factor is the interest of the years between the
    decision and the end of the first year of service: in an endless plan the charges are worth ``w_t``, what the unit cost when it was decided, whatever its
    lead.

    Args:
        weights: [year] discount factors.
        wear: [n] depreciation per year.
        lead: [n] years to service.
        rate: discount rate.
    """
    n = len(weights)
    tail = np.zeros((len(wear), n + 1))
    for t in range(n - 1, -1, -1):
        tail[:, t] = weights[t] + (1 - wear) * tail[:, t + 1]
    at = np.minimum(np.arange(n)[None, :] + lead[:, None], n)
    unit = (rate + wear) * (1 + rate) ** (lead.astype(float) - 1)
    return np.asarray(unit[:, None] * np.take_along_axis(tail, at, axis=1))


def production(b: Building) -> None:
    """Labour, resources that have a price, what else output costs; transport and imports."""
    p, w = b.problem, b.weights
    if len(p.index["skill"]):
        wage = gathered(p["wage"], "region", p.links["cell.region"], b.cell)
        b.charge("labour", (w * (wage * p["staffing"]).sum("skill")) * b["output"])
    if bool((p["operating_cost"].values > 0).any()):
        b.charge("operating", (w * p["operating_cost"]) * b["output"])
    for resource in p.index["resource"]:
        price = p["price"].sel(resource=resource, drop=True)
        if bool((price.values > 0).any()):
            b.charge("resources", (w * price) * b[f"use:{resource}"].sum("region"))
    if "trade" in b:
        b.charge("transport", (w * p["transport"]) * b["trade"])
    if "exports" in b:
        b.charge("transport", (w * p["export_cost"]) * b["exports"])
    if "imports" in b:
        b.charge("imports", (w * p["import_cost"].sel(cell=b["imports"].indexes["cell"])) * b["imports"])


def capital(b: Building) -> None:
    """New capacity and moves, as they are used."""
    p = b.problem
    wear, lead = p.of_cells("depreciation").values, lead_of_cells(b)
    unit = capital_charge(b.weights.values, wear, lead, p.settings.discount)
    b.charge("capital", column(unit * p["capex"].transpose("cell", "year").values, b.cell, b.year) * b["greenfield"])
    host = p.links["arc.host"]
    if len(host):
        moved = unit[host] * p["arc_cost"].values[:, None]
        b.charge("relocation", column(moved, p.index["arc"], b.year) * b["move"])


def places(b: Building) -> None:
    """Infrastructure as it is used, and the cost of setting agreements up."""
    p = b.problem
    if "investment" in b:
        wear, lead = p["kind_depreciation"].values, p["kind_lead"].values.astype(np.int64)
        unit = capital_charge(b.weights.values, wear, lead, p.settings.discount)
        b.charge("infrastructure", column(unit, p.index["kind"], b.year) * b["investment"])
    if "started" in b:
        b.charge("agreements", (p["fixed_cost"] * b.weights.sel(year=b.open)) * b["started"])


def people(b: Building) -> None:
    """Migration, training, and those displaced when capacity leaves."""
    p = b.problem
    if "migrants" in b:
        b.charge("migration", (b.weights * p["migration_cost"]) * b["migrants"])
        b.charge("training", (b.weights * p["training_cost"]) * b["trained"])
    if p.settings.transition > 0 and len(p.index["skill"]) and b.leaving.any():
        cell = rows_where(b.leaving, b.cell)
        jobs = p["staffing"].sum("skill").sel(cell=cell)
        b.charge("transition", (p.settings.transition * b.weights * jobs) * b["departures"])


def public_money(b: Building) -> None:
    """What raising public money costs the economy: support is a transfer, its welfare cost is not."""
    from hinterland.plan.constraints.fiscal import spending

    spent = spending(b)
    if spent is not None and b.problem.settings.public_funds > 0:
        b.charge("public-funds", (b.problem.settings.public_funds * b.weights) * spent)


COSTS: tuple[Callable[[Building], None], ...] = (production, capital, places, people, public_money)
"""What adds the costs of the core; families have added theirs."""
