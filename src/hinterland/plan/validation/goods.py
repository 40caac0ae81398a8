"""C4, C16 and C17: goods balance, the hinterland makes its share, and what is left suffices if a region is lost."""

from __future__ import annotations

import numpy as np

from hinterland.plan.validation.amounts import Amounts, Floats, grouped
from hinterland.plan.validation.sheet import Sheet

MONEY = "100m-yuan"
CELL = ("cell", "year")


def check(a: Amounts, s: Sheet) -> None:
    """Every rule of goods."""
    balance(a, s)
    trade(a, s)
    abroad(a, s)
    if a.problem.has("C16"):
        security(a, s)
    if a.problem.has("C17"):
        backup(a, s)


def final_demand(a: Amounts) -> Floats:
    """[cell, year] final demand, grown from the first year."""
    p, age = a.problem, np.arange(len(a.problem.years))[None, :]
    return np.asarray(p["demand"].transpose("cell", "year").values * (1 + p["demand_growth"].values[:, None]) ** age)


def _grown(demand: Floats) -> Floats:
    """[n, year] against the first year; 1 where there was none."""
    first = demand[:, :1]
    return np.asarray(np.where(first > 0, demand / np.where(first > 0, first, 1.0), 1.0))


def balance(a: Amounts, s: Sheet) -> None:
    """Output, what comes and imports are intermediate use, final demand, what goes and exports; of all regions of a pool at its centre."""
    p, n, pool = a.problem, len(a.problem.index["cell"]), a.cell_pool
    made = grouped(a["output"], pool, n)
    got = made + grouped(a["trade"], p.links["route.destination"], n) + grouped(a["imports"], pool, n)
    used = p["coefficient"].values[:, None] * made[p.links["input.user"]]
    gone = grouped(used, p.links["input.supply"], n) + grouped(a["trade"], p.links["route.origin"], n)
    gone += grouped(a["exports"], pool[p.links["sale.cell"]], n)
    s.equal("C4", "balance", got, gone + grouped(final_demand(a), pool, n), CELL, unit=MONEY)


def _growth(a: Amounts) -> Floats:
    """[region, year] final demand of the region's pool against the first year."""
    pool = a.region_pool
    return _grown(grouped(a.region(final_demand(a)), pool, len(pool)))[pool]


def trade(a: Amounts, s: Sheet) -> None:
    """Trade keeps to its pattern, grown with demand at its destination, within the margin of the phase and what may be new."""
    p = a.problem
    growth = _growth(a)[p.links["cell.region"][p.links["route.destination"]]]
    usual = p["trade"].values[:, None] * growth
    margin = p["trade_flexibility"].values[p.links["year.phase"]][None, :]
    new = p["new_trade"].values[:, None]
    axes = ("route", "year")
    s.least("C4", "trade_least", a["trade"], np.maximum(usual * (1 - margin), 0.0), axes, unit=MONEY)
    s.most("C4", "trade_most", a["trade"], usual * (1 + margin) + np.where(np.isfinite(new), new, np.inf), axes, unit=MONEY)


def abroad(a: Amounts, s: Sheet) -> None:
    """Imports keep to their limit; markets get what they ask for; exports keep to their pattern."""
    p = a.problem
    years = len(p.years)
    margin = p["trade_flexibility"].values[p.links["year.phase"]][None, :]
    growth = _growth(a)[p.links["cell.region"]]
    given = p["import_limit"].transpose("cell", "year").values
    usual = p["imports"].transpose("cell", "year").values * growth
    most = np.where(np.isfinite(given), given, usual * (1 + margin))
    s.most("C4", "imports", a["imports"], most, CELL, unit=MONEY)
    s.least("C4", "imports_least", a["imports"], np.minimum(usual * np.maximum(1 - margin, 0.0), most), CELL, unit=MONEY)
    s.least("C4", "exports_sign", a["exports"], 0.0, ("sale", "year"), unit=MONEY)
    market, industry = p.links["sale.market"], p.links["cell.industry"][p.links["sale.cell"]]
    up = (1 + p["market_growth"].transpose("market", "industry", "year").values[market, industry]) ** np.arange(years)[None, :]
    sold = p["exports"].values[:, None]
    s.most("C4", "export_pattern", a["exports"], sold * up * (1 + margin), ("sale", "year"), unit=MONEY)
    for m, i in sorted(set(zip(market.tolist(), industry.tolist(), strict=True))):
        of = (market == m) & (industry == i)
        good = {"good": np.array([f"{p.index['market'][m]}/{p.index['industry'][i]}"])}
        asked = sold[of].sum(axis=0) * up[of][0]
        s.least("C4", "markets", a["exports"][of].sum(axis=0)[None, :], asked[None, :], (good, "year"), unit=MONEY)


def national_use(a: Amounts, given: str) -> Floats:
    """[industry, year] national use: as given, or what the base year could make, grown with final demand."""
    p = a.problem
    made = a.industry(p["capacity"].values * p["utilisation"].values[p.links["cell.industry"]])
    stated = p[given].transpose("industry", "year").values
    return np.where(np.isfinite(stated), stated, made[:, None] * _grown(a.industry(final_demand(a))))


def security(a: Amounts, s: Sheet) -> None:
    """Hosts make at least a share of national use."""
    p = a.problem
    host = p["host"].values.astype(bool)[p.links["cell.region"]][:, None]
    share = p["security_share"].transpose("industry", "year").values
    least = np.where((share > 0) & a.decided[None, :], share * national_use(a, "security_demand"), -np.inf)
    s.least("C16", "security_share", a.industry(np.where(host, a["output"], 0.0)), least, ("industry", "year"), unit=MONEY)


def backup(a: Amounts, s: Sheet) -> None:
    """Without any one tested region the others can make all but the tolerated part of national use."""
    p = a.problem
    tolerated = p["tolerance"].transpose("industry", "year").values
    stated = p["backup_demand"].transpose("industry", "year").values
    use = national_use(a, "backup_demand")
    asked = np.isfinite(tolerated) | np.isfinite(stated)
    fails = np.nan_to_num(tolerated) * use
    could = p["surge"].values[p.links["cell.industry"]][:, None] * a["capacity"]
    names = p.index["industry"].to_numpy().astype(str)
    for r in np.flatnonzero(p["backup_tested"].values.astype(bool)):
        left = a.industry(np.where((p.links["cell.region"] == r)[:, None], 0.0, could))
        need = np.where(asked & a.decided[None, :], use, np.nan)
        lost = np.maximum(need - left, 0.0)
        axis = {"lost": np.repeat(str(p.index["region"][r]), len(names)), "industry": names}
        s.most("C17", "backup", lost, fails, (axis, "year"), unit=MONEY)
