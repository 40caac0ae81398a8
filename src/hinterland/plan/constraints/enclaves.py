"""C11 and C12: agreements between a source and a host, and the tax that goes back."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import column, lag, rows_where, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.variables import lead_of_cells

UNIT = "100m-yuan"


def most_flow(b: Building) -> np.ndarray:
    """[enclave, year] the tightest valid bound of what may move: what the source may release in a year, or the agreement's own limit."""
    p = b.problem
    release = (p["release_share_cell"] * p["capacity"]).transpose("cell", "year").values
    arcs = p.links["arc.enclave"] >= 0
    n = len(p.index["enclave"])
    out = np.zeros((n, len(b.year)))
    np.add.at(out, p.links["arc.enclave"][arcs], release[p.links["arc.source"][arcs]])
    own = p["enclave_flow"].values[:, None]
    return np.where(np.isfinite(own), np.minimum(own, out), out)


def agreements(b: Building) -> None:
    r"""Capacity moves under an agreement only while it is active.

    Rows: enclave × decided year
    Unit: 100m-yuan
    Formula: \sum_{i \in I_e} x_{shit} \le M_{et} y_{et}, \quad M_{et} = \min(\bar x_e, \sum_{i \in I_e} \theta_{sit} K^0_{si})
    Gives way: no
    """
    p = b.problem
    enclave = p.index["enclave"]
    if not len(enclave):
        return
    b.variable("active", enclave, b.open, binary=True, unit="1", meaning="the agreement is active")
    b.variable("started", enclave, b.open, binary=True, unit="1", meaning="the agreement starts in the year")
    moved = total(b["move"].sel(year=b.open), "arc", p.links["arc.enclave"], enclave)
    bound = column(most_flow(b)[:, np.isin(b.year, b.open)], enclave, b.open)
    b.require("agreements", moved - bound * b["active"], "<=", 0, family="C11", unit=UNIT)


def starts(b: Building) -> None:
    r"""An agreement that is active and was not has started.

    Rows: enclave × decided year
    Unit: 1
    Formula: y_{et} - y_{e,t-1} \le st_{et}
    Gives way: no
    """
    if "active" in b:
        b.require("starts", b["active"] - lag(b["active"], 1, b.open) - b["started"], "<=", 0, family="C11", unit="1")


def terms(b: Building) -> None:
    r"""An agreement that starts lasts its least term, or to the end of the plan.

    Rows: enclave × decided year
    Unit: year
    Formula: \sum_{t'=t}^{\min(t+T_e-1, \bar t)} y_{et'} \ge \min(T_e, \bar t - t + 1) st_{et}
    Gives way: no
    """
    if "active" not in b:
        return
    p, n = b.problem, len(b.open)
    for years in np.unique(p["min_term"].values):
        some = rows_where(p["min_term"].values == years, p.index["enclave"])
        span = np.array([[float(t <= u < t + years) for t in range(n)] for u in range(n)])
        later = b.open.rename("start")
        kept = b["active"].sel(enclave=some) @ column(span, b.open, later)
        least = column(np.minimum(years, n - np.arange(n)), b.open)
        rest = kept.rename(start="year") - least * b["started"].sel(enclave=some)
        b.require(f"terms:{int(years)}", rest, ">=", 0, family="C11", unit="year")


def agreements_of_host(b: Building) -> None:
    r"""A host has no more agreements at a time than it can look after.

    Rows: host with a limit × decided year
    Unit: count
    Formula: \sum_{e \in E_h} y_{et} \le N_h
    Gives way: no
    """
    p = b.problem
    where = np.isfinite(p["enclave_limit"].values)
    if "active" not in b or not where.any():
        return
    region = rows_where(where, p.index["region"])
    active = total(b["active"], "enclave", p.links["enclave.host"], p.index["region"]).sel(region=region)
    b.require("agreements_of_host", active, "<=", p["enclave_limit"].sel(region=region), family="C11", unit="count")


def menus(b: Building) -> None:
    r"""Of agreements on one menu, which differ in what they share, one at most is active.

    Rows: menu × decided year
    Unit: count
    Formula: \sum_{e \in menu} y_{et} \le 1
    Gives way: no
    """
    table = b.problem.text["enclave"]
    if "active" not in b or "menu" not in table.columns:
        return
    named = dict(zip(table["enclave"], table["menu"], strict=True))
    of = [named[e] for e in b.problem.index["enclave"]]
    menu = sorted({m for m in of if m})
    if not menu:
        return
    import pandas as pd

    index = pd.Index(menu, name="menu", dtype=object)
    at = np.array([-1 if not m else menu.index(m) for m in of], dtype=np.int64)
    b.require("menus", total(b["active"], "enclave", at, index), "<=", 1, family="C11", unit="count")


def capacity_of_enclaves(b: Building) -> None:
    r"""Capacity of an agreement is last year's less wear, plus what came under it a lead time before.

    Rows: industry of an agreement × year
    Unit: 100m-yuan
    Formula: K^e_{it} = (1-\delta_i) K^e_{i,t-1} + x_{shi,t-\ell_i}
    Gives way: no
    """
    p = b.problem
    if "active" not in b:
        return
    pact = p.index["pact"]
    b.variable("enclave_capacity", pact, b.year, unit=UNIT, meaning="capacity that came under the agreement")
    cells = p.links["pact.cell"]
    at = _pact_of_arcs(b)
    kept = 1 - column(p.of_cells("depreciation").values[cells], pact)
    lead = lead_of_cells(b)[cells]
    rest = b["enclave_capacity"] - kept * lag(b["enclave_capacity"], 1, b.year)
    came = total(b["move"], "arc", at, pact)
    for years in np.unique(lead):
        some = rows_where(lead == years, pact)
        rest = rest - lag(came.sel(pact=some), int(years), b.year).reindex(pact=pact).fillna(0)
    b.require("capacity_of_enclaves", rest, "=", 0, family="C12", unit=UNIT)


def _pact_of_arcs(b: Building) -> np.ndarray:
    """[arc] the pact of each arc, −1 for arcs without agreement."""
    p = b.problem
    pacts = {(e, c): n for n, (e, c) in enumerate(zip(p.links["pact.enclave"], p.links["pact.cell"], strict=True))}
    pairs = zip(p.links["arc.enclave"], p.links["arc.host"], strict=True)
    return np.array([pacts.get(pair, -1) for pair in pairs], dtype=np.int64)


def revenue(b: Building) -> None:
    r"""Of the tax that an agreement's capacity pays at full use, a share goes back to the source.

    Rows: enclave × year
    Unit: 100m-yuan
    Formula: r_{et} = \rho_e \sum_i \tau_i u_i K^e_{it}
    Gives way: no
    The capacity is a variable of its own, so that the share is no product of two variables; a choice of shares is a menu of agreements.
    """
    p = b.problem
    if "active" not in b:
        return
    b.variable("shared", p.index["enclave"], b.year, unit=UNIT, meaning="tax that goes back to the source")
    cells, enclave = p.links["pact.cell"], p.links["pact.enclave"]
    rate = p.of_cells("tax_rate").values[cells] * p.of_cells("utilisation").values[cells] * p["share"].values[enclave]
    paid = total(column(rate, p.index["pact"]) * b["enclave_capacity"], "pact", enclave, p.index["enclave"])
    b.require("revenue", b["shared"] - paid, "=", 0, family="C12", unit=UNIT)


FAMILY = Family("C11", "enclaves", (agreements, starts, terms, agreements_of_host, menus))
SHARING = Family("C12", "revenue-sharing", (capacity_of_enclaves, revenue))
