"""The core of a planning case in other modelling layers, from the same arrays: linopy with dense labelled arrays, as PyPSA writes models, and Pyomo.

The core is release, capacity, output, balance, markets, carbon and intake (C1 to C4, C7, C8, C10) of a case in which every region has every industry and no
year is observed: what ``provinces(Size(full=False))`` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Arrays of the core: r regions, i industries, t years; ``s`` and ``h`` are positions of sources and hosts, ``m`` of industries that move."""

    s: NDArray[np.int64]
    h: NDArray[np.int64]
    m: NDArray[np.int64]
    lead: NDArray[np.int64]
    wear: Floats
    first: Floats
    release: Floats
    until: Floats
    release_all: Floats
    a: Floats
    demand: Floats
    low: Floats
    high: Floats
    there: NDArray[np.bool_]
    import_low: Floats
    import_high: Floats
    export_high: Floats
    export_demand: Floats
    intensity: Floats
    limit: Floats
    national: Floats
    intake: Floats
    costs: dict[str, Floats]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.demand.shape  # type: ignore[return-value]


def data(problem: Any) -> Data:
    """The arrays, from a problem that was read."""
    from hinterland.plan.arcs import charge_of_moves

    p = problem
    r, k, t = (len(p.index[d]) for d in ("region", "industry", "year"))

    def cells(name: str) -> Floats:
        dims = ("cell", "year") if "year" in p[name].dims else ("cell",)
        return p[name].transpose(*dims).values.reshape(r, k, *p[name].transpose(*dims).shape[1:])

    w, host = p.weights.values, p["host"].values.astype(bool)
    scale, margin = p["trade_scale"].values, p.phase_of("trade_flexibility").values
    source, hosts = np.flatnonzero(p["source"].values), np.flatnonzero(host)
    moving = np.flatnonzero(p["relocatable"].values)
    flow, transport, there = np.zeros((k, r, r)), np.zeros((k, r, r)), np.zeros((k, r, r), dtype=bool)
    o, d = p.links["route.origin"], p.links["route.destination"]
    new = np.zeros((k, r, r))
    new[o % k, o // k, d // k] = p["new_trade"].values
    flow[o % k, o // k, d // k], transport[o % k, o // k, d // k], there[o % k, o // k, d // k] = (
        p["trade"].values,
        p["transport"].values,
        True,
    )
    usual = flow[..., None] * scale[None, None]
    arc = np.zeros((len(source), len(hosts), len(moving)))
    a, b = p.links["arc.source"], p.links["arc.host"]
    arc[np.searchsorted(source, a // k), np.searchsorted(hosts, b // k), np.searchsorted(moving, a % k)] = p["arc_cost"].values
    unit = charge_of_moves(p).reshape(r, k, t)
    coefficients = np.zeros((r, k, k))
    coefficients[p.links["input.user"] // k, p.links["input.supply"] % k, p.links["input.user"] % k] = p["coefficient"].values
    sale, sold = p.links["sale.cell"], np.zeros((r, k))
    sold[sale // k, sale % k] = p["exports"].values
    export_cost = np.zeros((r, k))
    export_cost[sale // k, sale % k] = p["export_cost"].values
    grown = (1 + p["market_growth"].transpose("market", "industry", "year").values[0]) ** np.arange(t)
    phases = [p.phase_years(f)[-1] for f in p.phases]
    intensity = p["intensity_now"].sel(resource="carbon", drop=True).transpose("cell", "year").values.reshape(r, k, t)
    found = intensity[intensity > 0]
    price = p["price"].sel(resource="carbon").values
    costs = {
        "z": w * cells("operating_cost"), "b": unit * cells("capex"), "x": unit[hosts][:, moving][None] * arc[..., None],
        "q": w * transport[..., None], "imp": w * cells("import_cost"), "exp": w * export_cost[..., None], "u": w * price,
        "slack": np.array(p.settings.penalty), "carbon": np.array(p.settings.penalty / np.median(found)),
    }  # fmt: skip
    imports = cells("imports") if cells("imports").ndim == 3 else cells("imports")[..., None]
    return Data(
        source, hosts, moving, np.where(host[:, None], p["lead"].values.astype(np.int64), 0), p["depreciation"].values, cells("capacity"),
        (cells("release_share_cell") * cells("capacity")[..., None])[source][:, moving],
        np.array([[float(y <= e) for y in p.years] for e in phases]),
        np.stack([p["release_total"].values[n] * cells("capacity")[source][:, moving] for n in range(len(phases))], axis=-1),
        coefficients, cells("final_demand"), usual * np.maximum(1 - margin, 0), usual * (1 + margin) + new[..., None], there,
        imports * scale[:, None] * np.maximum(1 - margin, 0.0), imports * scale[:, None] * (1 + margin), sold[..., None] * grown * (1 + margin), sold.sum(axis=0)[:, None] * grown,
        intensity, p["limit"].sel(resource="carbon").transpose("region", "year").values, p["national_limit"].sel(resource="carbon").values,
        (p["business_environment"].values[:, None] * cells("absorption"))[hosts] if cells("absorption").ndim == 2
        else (p["business_environment"].transpose("region", "year").values[:, None] * cells("absorption"))[hosts],
        costs,
    )  # fmt: skip


def in_time(d: Data, lead: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[..., year] whether a decision comes into service by the last year."""
    return np.arange(d.shape[2]) + lead[..., None] < d.shape[2]


def linopy_model(d: Data) -> Any:
    """Dense labelled arrays, one expression per rule, as in PyPSA."""
    import linopy

    r, k, t = d.shape
    region, industry, year = pd.RangeIndex(r, name="region"), pd.RangeIndex(k, name="industry"), pd.RangeIndex(t, name="year")
    source, host = pd.Index(d.s, name="region"), pd.Index(d.h, name="region")
    moving, phase = pd.Index(d.m, name="industry"), pd.RangeIndex(len(d.until), name="phase")
    every = [region, industry, year]
    m = linopy.Model()

    def array(values: Floats, *index: pd.Index) -> xr.DataArray:
        return xr.DataArray(values, coords=list(index))

    arcs = [source.rename("source"), host.rename("host"), moving, year]
    free = in_time(d, d.lead[d.h][:, d.m])
    x = m.add_variables(0, array(np.where(free, np.inf, 0.0)[None].repeat(len(d.s), 0), *arcs), coords=arcs, name="x")
    dep = m.add_variables(0, array(d.release, source, moving, year), name="dep", coords=[source, moving, year])
    arr = m.add_variables(0, name="arr", coords=[host, moving, year])
    b = m.add_variables(0, array(np.where(in_time(d, d.lead), np.inf, 0.0), *every), name="b", coords=every)
    cap, z = m.add_variables(0, name="K", coords=every), m.add_variables(0, name="z", coords=every)
    trade = [industry, region.rename("origin"), region.rename("destination"), year]
    q = m.add_variables(
        array(d.low, *trade), array(d.high, *trade), name="q", coords=trade, mask=array(np.repeat(d.there[..., None], t, -1), *trade)
    )
    imp = m.add_variables(
        array(d.import_low, *every), array(d.import_high, *every), name="imp", coords=every, mask=array(d.import_high > 0, *every)
    )
    exp = m.add_variables(0, array(d.export_high, *every), name="exp", coords=every, mask=array(d.export_high > 0, *every))
    short, over = (m.add_variables(0, name=n, coords=every) for n in ("short", "over"))
    sold = d.export_demand[:, 0] > 0
    unserved = m.add_variables(0, name="unserved", coords=[industry[sold], year])
    use = m.add_variables(0, name="use", coords=[region, year])
    above, above_all = m.add_variables(0, name="above", coords=[region, year]), m.add_variables(0, name="above_all", coords=[year])
    m.add_constraints(dep - x.sum("host").rename(source="region") == 0, name="departures")
    m.add_constraints(arr - x.sum("source").rename(host="region") == 0, name="arrivals")
    m.add_constraints((dep * array(d.until, phase, year)).sum("year") <= array(d.release_all, source, moving, phase), name="release")
    _capacity(m, d, {"cap": cap, "dep": dep, "arr": arr, "b": b})
    m.add_constraints(z - cap <= 0, name="output")
    used = (array(d.a, region, industry, industry.rename("using")) * z.rename(industry="using")).sum("using")
    come, go = q.sum("origin").rename(destination="region"), q.sum("destination").rename(origin="region")
    m.add_constraints(
        z + come - go + (1 * imp).fillna(0) - used - (1 * exp).fillna(0) + short - over == array(d.demand, *every), name="balance"
    )
    m.add_constraints(
        exp.sum("region").sel(industry=industry[sold]) + unserved >= array(d.export_demand[sold], industry[sold], year), name="markets"
    )
    m.add_constraints(use - (array(d.intensity, *every) * z).sum("industry") == 0, name="use")
    m.add_constraints(use - above <= array(d.limit, region, year), name="carbon")
    m.add_constraints(use.sum("region") - above_all <= array(d.national, year), name="nation")
    still = industry.difference(moving)
    m.add_constraints(arr + b.sel(region=host, industry=moving) <= array(d.intake[:, d.m], host, moving, year), name="intake")
    if len(still):
        m.add_constraints(
            b.sel(region=host, industry=still) <= array(d.intake[:, still], host, still.rename("industry"), year), name="intake_still"
        )
    c = d.costs
    terms = [(array(c["z"], *every), z), (array(c["b"], *every), b), (array(c["x"], *arcs), x), (array(c["imp"], *every), imp)]
    terms += [(array(np.broadcast_to(c["q"], d.low.shape), *trade), q), (array(np.broadcast_to(c["exp"], d.shape), *every), exp)]
    terms += [
        (array(c["u"], year), use),
        *((float(c["slack"]), v) for v in (short, over, unserved)),
        *((float(c["carbon"]), v) for v in (above, above_all)),
    ]
    m.add_objective(sum((cost * v).sum() for cost, v in terms))
    return m


def lagged(v: Any, steps: int) -> Any:
    """What a variable was some years before; 0 in the first years."""
    if not steps:
        return 1 * v
    year = v.indexes["year"]
    earlier = (1 * v).isel(year=slice(0, len(year) - steps)).assign_coords(year=year[steps:])
    return earlier.reindex(year=year).fillna(0)


def _capacity(m: Any, d: Data, v: dict[str, Any]) -> None:
    """Rows of capacity, for each lead time and whether industries move."""
    r, k, _ = d.shape
    others, moves = np.setdiff1d(np.arange(r), d.h), np.isin(np.arange(k), d.m)
    for moved in (False, True):
        for lead in np.unique(d.lead[d.h]):
            goods = np.flatnonzero((d.lead[d.h[0]] == lead) & (moves == moved))
            if len(goods):
                _rows(m, d, d.h, goods, {**v, "moved": -1 * v["arr"] if moved else None, "lead": int(lead)})
        goods = np.flatnonzero(moves == moved)
        if len(goods):
            _rows(m, d, others, goods, {**v, "moved": 1 * v["dep"] if moved else None, "lead": 0})


def _rows(m: Any, d: Data, places: Any, goods: Any, v: dict[str, Any]) -> None:
    at, index = (
        {"region": places, "industry": goods},
        [pd.Index(places, name="region"), pd.Index(goods, name="industry"), v["cap"].indexes["year"]],
    )
    own, kept = v["cap"].sel(at), xr.DataArray(1 - d.wear[goods], coords=[index[1]])
    left = own - kept * lagged(own, 1) - lagged(v["b"].sel(at), v["lead"])
    if v["moved"] is not None:
        left = left + lagged(v["moved"].sel(at), v["lead"])
    first = np.zeros((len(places), len(goods), d.shape[2]))
    first[:, :, 0] = ((1 - d.wear) * d.first)[np.ix_(places, goods)]
    m.add_constraints(left == xr.DataArray(first, coords=index), name=f"capacity:{places[0]}:{goods[0]}")


def pyomo_model(d: Data) -> Any:
    """Indexed components and rules, as Pyomo's book has them."""
    import pyomo.environ as po

    r, k, t = d.shape
    m = po.ConcreteModel()
    place, good, year = range(r), range(k), range(t)
    s, h, moving = d.s.tolist(), d.h.tolist(), d.m.tolist()
    at = {"s": {v: n for n, v in enumerate(s)}, "h": {v: n for n, v in enumerate(h)}, "m": {v: n for n, v in enumerate(moving)}}
    free, built = in_time(d, d.lead), in_time(d, d.lead)
    routes = [tuple(map(int, n)) for n in np.argwhere(d.there)]
    into: dict[tuple[int, int], list[int]] = {}
    out: dict[tuple[int, int], list[int]] = {}
    for i, o, e in routes:
        into.setdefault((e, i), []).append(o)
        out.setdefault((o, i), []).append(e)
    bought = [tuple(map(int, n)) for n in np.argwhere(d.import_high > 0)]
    sold = [tuple(map(int, n)) for n in np.argwhere(d.export_high > 0)]
    buys, sells = set(bought), set(sold)
    none = (0.0, 0.0)
    m.x = po.Var(s, h, moving, year, bounds=lambda _, _a, c, i, n: (0.0, None) if free[c, i, n] else none)
    m.dep = po.Var(s, moving, year, bounds=lambda _, a, i, n: (0.0, d.release[at["s"][a], at["m"][i], n]))
    m.arr = po.Var(h, moving, year, bounds=(0.0, None))
    m.b = po.Var(place, good, year, bounds=lambda _, a, i, n: (0.0, None) if built[a, i, n] else none)
    m.cap, m.z = po.Var(place, good, year, bounds=(0.0, None)), po.Var(place, good, year, bounds=(0.0, None))
    m.q = po.Var(routes, year, bounds=lambda _, i, o, e, n: (d.low[i, o, e, n], d.high[i, o, e, n]))
    m.imp = po.Var(bought, bounds=lambda _, a, i, n: (d.import_low[a, i, n], d.import_high[a, i, n]))
    m.exp = po.Var(sold, bounds=lambda _, a, i, n: (0.0, d.export_high[a, i, n]))
    m.short, m.over = po.Var(place, good, year, bounds=(0.0, None)), po.Var(place, good, year, bounds=(0.0, None))
    asked = np.flatnonzero(d.export_demand[:, 0] > 0).tolist()
    m.unserved = po.Var(asked, year, bounds=(0.0, None))
    m.use, m.above, m.above_all = (
        po.Var(place, year, bounds=(0.0, None)),
        po.Var(place, year, bounds=(0.0, None)),
        po.Var(year, bounds=(0.0, None)),
    )
    m.departures = po.Constraint(s, moving, year, rule=lambda m, a, i, n: m.dep[a, i, n] == sum(m.x[a, c, i, n] for c in h))
    m.arrivals = po.Constraint(h, moving, year, rule=lambda m, c, i, n: m.arr[c, i, n] == sum(m.x[a, c, i, n] for a in s))
    m.release = po.Constraint(
        s, moving, range(len(d.until)),
        rule=lambda m, a, i, f: sum(m.dep[a, i, n] for n in year if d.until[f, n]) <= d.release_all[at["s"][a], at["m"][i], f],
    )  # fmt: skip

    def capacity(m: Any, a: int, i: int, n: int) -> Any:
        lead = int(d.lead[a, i])
        before = d.first[a, i] if n == 0 else m.cap[a, i, n - 1]
        right = (1 - d.wear[i]) * before + (m.b[a, i, n - lead] if n >= lead else 0.0)
        if i in at["m"] and a in at["s"]:
            right = right - m.dep[a, i, n]
        if i in at["m"] and a in at["h"] and n >= lead:
            right = right + m.arr[a, i, n - lead]
        return m.cap[a, i, n] == right

    m.capacity = po.Constraint(place, good, year, rule=capacity)
    m.output = po.Constraint(place, good, year, rule=lambda m, a, i, n: m.z[a, i, n] <= m.cap[a, i, n])

    def balance(m: Any, a: int, i: int, n: int) -> Any:
        have = m.z[a, i, n] + sum(m.q[i, o, a, n] for o in into.get((a, i), ())) + m.short[a, i, n]
        gone = sum(m.q[i, a, e, n] for e in out.get((a, i), ())) + m.over[a, i, n]
        used = sum(float(d.a[a, i, j]) * m.z[a, j, n] for j in good if d.a[a, i, j])
        have += m.imp[a, i, n] if (a, i, n) in buys else 0.0
        gone += m.exp[a, i, n] if (a, i, n) in sells else 0.0
        return have - gone - used == float(d.demand[a, i, n])

    m.balance = po.Constraint(place, good, year, rule=balance)
    m.markets = po.Constraint(
        asked, year,
        rule=lambda m, i, n: sum(m.exp[a, i, n] for a in place if (a, i, n) in sells) + m.unserved[i, n] >= float(d.export_demand[i, n]),
    )  # fmt: skip
    m.using = po.Constraint(place, year, rule=lambda m, a, n: m.use[a, n] == sum(float(d.intensity[a, i, n]) * m.z[a, i, n] for i in good))
    m.carbon = po.Constraint(place, year, rule=lambda m, a, n: m.use[a, n] - m.above[a, n] <= float(d.limit[a, n]))
    m.nation = po.Constraint(year, rule=lambda m, n: sum(m.use[a, n] for a in place) - m.above_all[n] <= float(d.national[n]))
    m.intake = po.Constraint(
        h, good, year,
        rule=lambda m, a, i, n: (m.arr[a, i, n] if i in at["m"] else 0.0) + m.b[a, i, n] <= float(d.intake[at["h"][a], i, n]),
    )  # fmt: skip
    c = d.costs
    cost = sum(float(c["z"][n]) * m.z[n] for n in m.z) + sum(float(c["b"][n]) * m.b[n] for n in m.b)
    cost += sum(float(c["x"][at["s"][a], at["h"][e], at["m"][i], n]) * m.x[a, e, i, n] for a, e, i, n in m.x)
    cost += sum(float(c["q"][i, o, e, n]) * m.q[i, o, e, n] for i, o, e, n in m.q) + sum(float(c["imp"][n]) * m.imp[n] for n in m.imp)
    cost += sum(float(c["exp"][n]) * m.exp[n] for n in m.exp) + sum(float(c["u"][n]) * m.use[a, n] for a, n in m.use)
    cost += float(c["slack"]) * sum(v[n] for v in (m.short, m.over, m.unserved) for n in v)
    m.cost = po.Objective(expr=cost + float(c["carbon"]) * sum(v[n] for v in (m.above, m.above_all) for n in v))
    return m
