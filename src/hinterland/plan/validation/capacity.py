"""C1, C2, C3 and C21: what may leave, what is there, what can be made of it, and how fast it may change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.plan.validation.amounts import Amounts, Floats, earlier, grouped
from hinterland.plan.validation.sheet import Sheet

CELL = ("cell", "year")
MONEY = "100m-yuan"


def check(a: Amounts, s: Sheet) -> None:
    """Every rule of capacity."""
    if a.problem.has("C1"):
        release(a, s)
    moves(a, s)
    accounts(a, s)
    observed(a, s)
    limits(a, s)
    if a.problem.has("C21"):
        ramps(a, s)
        continuity(a, s)


def lead(a: Amounts) -> NDArray[np.int64]:
    """[cell] years from decision to service: the industry's at hosts, none elsewhere."""
    p = a.problem
    host = p["host"].values.astype(bool)[p.links["cell.region"]]
    return np.where(host, p["lead"].values[p.links["cell.industry"]], 0).astype(np.int64)


def wear(a: Amounts) -> Floats:
    """[cell] part of capacity lost each year."""
    return np.asarray(a.problem["depreciation"].values[a.problem.links["cell.industry"]])


def left(a: Amounts) -> Floats:
    """[cell, year] what moves carry away."""
    return grouped(a["move"], a.problem.links["arc.source"], len(a.problem.index["cell"]))


def release(a: Amounts, s: Sheet) -> None:
    """Departures of a year are at most a share of first capacity, and so are departures in all by the end of a phase; what was observed to leave has left."""
    p, gone, first = a.problem, left(a), a.problem["capacity"].values[:, None]
    phase = p.links["year.phase"]
    own = p["release_cell"].transpose("cell", "year").values
    share = np.where(np.isfinite(own), own, p["release_share"].values[phase][None, :])
    s.most("C1", "release_in_year", gone, np.where(a.decided[None, :], share * first, np.inf), CELL, unit=MONEY)
    past = np.where(a.decided[None, :], 0.0, gone).sum(axis=1)
    for f, name in enumerate(p.phases):
        until = np.flatnonzero(phase == f)
        if a.decided[until].any():
            most = np.maximum(p["release_total"].values[f] * first[:, 0], past)
            axis = {"phase": np.repeat(name, len(gone))}
            where = {"region": _names(a, "region"), "industry": _names(a, "industry"), **axis}
            s.most("C1", "release_in_all", gone[:, : until[-1] + 1].sum(axis=1), most, (where,), unit=MONEY)


def _names(a: Amounts, dim: str) -> NDArray[np.str_]:
    return np.asarray(a.problem.index[dim].to_numpy().astype(str)[a.problem.links[f"cell.{dim}"]])


def moves(a: Amounts, s: Sheet) -> None:
    """Departures and arrivals are the sums of moves; moves and new plants that are decided come into service within the plan."""
    p = a.problem
    s.equal("C2", "departures", a["departures"], left(a), CELL, unit=MONEY)
    s.equal("C2", "arrivals", a["arrivals"], grouped(a["move"], p.links["arc.host"], len(p.index["cell"])), CELL, unit=MONEY)
    after = np.arange(len(p.years))[None, :] + lead(a)[:, None] >= len(p.years)
    late = after & a.decided[None, :]
    s.most("C2", "move_in_time", a["move"], np.where(late[p.links["arc.host"]], 0.0, np.inf), ("arc", "year"), unit=MONEY)
    s.most("C2", "greenfield_in_time", a["greenfield"], np.where(late, 0.0, np.inf), CELL, unit=MONEY)
    limit = np.where(a.decided[None, :], p["greenfield_limit"].transpose("cell", "year").values, np.inf)
    s.most("C2", "greenfield_limit", a["greenfield"], limit, CELL, unit=MONEY)
    for name in ("capacity", "greenfield", "departures", "arrivals"):
        s.least("C2", f"{name}_sign", a[name], 0.0, CELL, unit=MONEY)
    s.least("C2", "move_sign", a["move"], 0.0, ("arc", "year"), unit=MONEY)


def accounts(a: Amounts, s: Sheet) -> None:
    """Capacity is last year's less wear, plus what came into service, less what left, plus what an observed year leaves unexplained."""
    p = a.problem
    before = np.column_stack([p["capacity"].values, a["capacity"][:, :-1]])
    came = grouped(a["move"], p.links["arc.host"], len(p.index["cell"])) + a["greenfield"]
    held = (1 - wear(a))[:, None] * before + earlier(came, lead(a)) - left(a) + a["unexplained"]
    s.equal("C2", "capacity", a["capacity"], held, CELL, unit=MONEY)


def observed(a: Amounts, s: Sheet) -> None:
    """In observed years moves, new plants and capacity are what was observed; nothing else is unexplained."""
    p, past = a.problem, ~a.decided[None, :]
    seen = p["observed_capacity"].transpose("cell", "year").values
    s.equal("C2", "observed_capacity", a["capacity"], np.where(past, seen, np.nan), CELL, unit=MONEY)
    s.equal("C2", "unexplained", a["unexplained"], np.where(past & np.isfinite(seen), np.nan, 0.0), CELL, unit=MONEY)
    moved = np.where(past, p["observed_move"].transpose("arc", "year").values, np.nan)
    s.equal("C2", "observed_move", a["move"], moved, ("arc", "year"), unit=MONEY)
    built = np.where(past, p["observed_greenfield"].transpose("cell", "year").values, np.nan)
    s.equal("C2", "observed_greenfield", a["greenfield"], built, CELL, unit=MONEY)


def limits(a: Amounts, s: Sheet) -> None:
    """Output is at most the usable part of capacity, and capacity at most its limit."""
    p = a.problem
    use = p["utilisation"].values[p.links["cell.industry"]][:, None]
    s.most("C3", "output", a["output"], use * a["capacity"], CELL, unit=MONEY)
    s.least("C3", "output_sign", a["output"], 0.0, CELL, unit=MONEY)
    limit = np.where(a.decided[None, :], p["capacity_limit"].transpose("cell", "year").values, np.inf)
    s.most("C3", "capacity_limit", a["capacity"], limit, CELL, unit=MONEY)


def ramps(a: Amounts, s: Sheet) -> None:
    """Capacity grows by at most a share and what may be taken in, and falls by at most a share beyond wear."""
    p = a.problem
    before = np.column_stack([p["capacity"].values, a["capacity"][:, :-1]])
    ramp = np.where(a.decided, p["ramp"].values[p.links["year.phase"]], np.inf)[None, :]
    start = np.nan_to_num(p["absorption"].transpose("cell", "year").values)
    s.most("C21", "ramp_up", a["capacity"] - before, ramp * np.maximum(before, 1e-300) + start, CELL, unit=MONEY)
    s.most("C21", "ramp_down", before - a["capacity"], (ramp + wear(a)[:, None]) * np.maximum(before, 1e-300), CELL, unit=MONEY)


def continuity(a: Amounts, s: Sheet) -> None:
    """What the plan says that changes of support cost is no less than their price."""
    p = a.problem
    parts = dict(zip(s.plan.costs["part"], s.plan.costs["value"], strict=True))
    years = np.flatnonzero(a.decided)
    if p.settings.continuity == 0 or len(years) < 2 or "continuity" not in parts:
        return
    paid = a["support"].sum(axis=2)[:, :, years]
    weight = (1 + p.settings.discount) ** -years[1:].astype(float)
    price = p.settings.continuity * float((np.abs(np.diff(paid, axis=2)) * weight).sum())
    s.least("C21", "price_of_change", np.array([parts["continuity"]]), price, (), unit=MONEY)
