"""C13 to C15, C20 and C22: steps of size, crowding, difference of hosts, gates of phases and spatial roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.validation.amounts import Amounts, Floats, grouped
from hinterland.plan.validation.places import flagged
from hinterland.plan.validation.sheet import Sheet

MONEY = "100m-yuan"
STEP = ("step", "year")


def check(a: Amounts, s: Sheet) -> None:
    """Every rule of structure."""
    for family, rule in (("C13", steps), ("C14", crowding), ("C15", specialisation), ("C15", similarity), ("C20", gates), ("C22", roles)):
        if a.problem.has(family):
            rule(a, s)


def steps(a: Amounts, s: Sheet) -> None:
    """At the ends of phases capacity fills its steps of size in order, each only once the one before is full."""
    p, cell = a.problem, a.problem.links["step.cell"]
    if not len(cell):
        return
    phase = p.links["year.phase"]
    ends = a.decided & np.r_[phase[1:] != phase[:-1], True]
    stepped = np.isin(np.arange(len(p.index["cell"])), cell)[:, None] & ends[None, :]
    filled = grouped(a["filled"], cell, len(p.index["cell"]))
    s.equal("C13", "steps_of_size", filled, np.where(stepped, a["capacity"], np.nan), ("cell", "year"), unit=MONEY)
    inner = np.r_[cell[1:] == cell[:-1], False]
    wide = np.where(inner, p["agglomeration_width"].values, np.inf)[:, None]
    s.most("C13", "step_open", a["filled"], np.where(a["reached"] > 0.5, wide, 0.0), STEP, unit=MONEY)
    after = np.r_[a["reached"][1:], np.zeros((1, len(p.years)))]
    full = np.where(inner[:, None] & (after > 0.5), wide, -np.inf)
    s.least("C13", "step_full", a["filled"], full, STEP, unit=MONEY)
    s.equal("C13", "reached_or_not", a["reached"], np.clip(np.round(a["reached"]), 0.0, 1.0), STEP, unit="1")
    s.least("C13", "filled_sign", a["filled"], 0.0, STEP, unit=MONEY)


def crowding(a: Amounts, s: Sheet) -> None:
    """What the plan says that crowding costs is no less than its price."""
    p = a.problem
    parts = dict(zip(s.plan.costs["part"], s.plan.costs["value"], strict=True))
    if not len(p.index["bend"]):
        return
    beyond = np.maximum(a["capacity"][p.links["bend.cell"]] - p["congestion_from"].values[:, None], 0.0)
    weight = np.where(a.decided, (1 + p.settings.discount) ** -np.arange(len(p.years)).astype(float), 0.0)
    price = float((p["congestion_cost"].values[:, None] * beyond * weight).sum())
    s.least("C14", "price_of_crowding", np.array([parts.get("congestion", 0.0)]), price, (), unit=MONEY)


def specialisation(a: Amounts, s: Sheet) -> None:
    """A host holds at most a multiple of the hosts' mean, beyond what it has."""
    p, host = a.problem, flagged(a, "host")
    industry = p.links["cell.industry"]
    there = host[p.links["cell.region"]][:, None]
    mean = a.industry(np.where(there, a["capacity"], 0.0)) / max(int(host.sum()), 1)
    most = p["cap"].values[industry][:, None] * mean[industry] + p["capacity"].values[:, None]
    s.most("C15", "specialisation", a["capacity"], np.where(there & a.decided[None, :], most, np.nan), ("cell", "year"), unit=MONEY)


def similarity(a: Amounts, s: Sheet) -> None:
    """The structures of two hosts differ by at least a sum: with the signs of the first year, or absolutely."""
    p = a.problem
    cells = {(r, i): n for n, (r, i) in enumerate(zip(p.links["cell.region"], p.links["cell.industry"], strict=True))}
    total = a.region(p["capacity"].values)
    size = np.where(total > 0, total, 1.0)[p.links["cell.region"]]
    share, first = a["capacity"] / size[:, None], p["capacity"].values / size
    for n, (r, o) in enumerate(zip(p.links["pair.region"], p.links["pair.other"], strict=True)):
        both = [(cells[r, i], cells[o, i]) for i in range(len(p.index["industry"])) if (r, i) in cells and (o, i) in cells]
        one, two = (np.array([pair[k] for pair in both], dtype=np.int64) for k in (0, 1))
        gap = share[one] - share[two]
        sign = np.where(first[one] >= first[two], 1.0, -1.0)[:, None]
        apart = (np.abs(gap) if p.settings.similarity == "exact" else sign * gap).sum(axis=0)
        axis = {"region": np.array([str(p.index["region"][r])]), "other": np.array([str(p.index["region"][o])])}
        least = np.where(a.decided, p["least_difference"].values[n], -np.inf)
        s.least("C15", "similarity", apart[None, :], least[None, :], (axis, "year"), unit="share")


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: its name, the years of its phase, what it speaks of, its number, and its resource."""

    name: str
    inside: NDArray[np.bool_]
    names: tuple[str, ...]
    value: float
    resource: str

    @property
    def rule(self) -> str:
        """The name of its constraint."""
        return f"gate:{self.name}"

    @property
    def first(self) -> int:
        """Position of the first year of its phase."""
        return int(np.flatnonzero(self.inside)[0])


def gates(a: Amounts, s: Sheet) -> None:
    """Every gate whose phase has decided years, by its kind."""
    p, table = a.problem, a.problem.text["gate"]
    kinds = {"investment-share": _investment, "start": _start, "capacity-share": _capacity, "clean": _clean}
    for row in table.iter_rows(named=True):
        inside = p.links["year.phase"] == p.phases.index(row["phase"])
        if (inside & a.decided).any():
            names = tuple(n for n in str(row.get("group") or "").split(";") if n)
            value = float(p["gate_value"].values[list(p.index["gate"]).index(row["gate"])])
            kinds[row["kind"]](a, s, Gate(row["gate"], inside, names, value, str(row.get("resource"))))


def _hosts(a: Amounts) -> NDArray[np.bool_]:
    return np.asarray(flagged(a, "host")[a.problem.links["cell.region"]])


def _group(a: Amounts, names: Sequence[str]) -> NDArray[np.bool_]:
    """[cell] host cells of the industries of the groups."""
    p = a.problem
    table = p.text["group"]
    members = {*names, *(table.filter(pl.col("group").is_in(names))["industry"].to_list() if table.height else [])}
    return np.asarray(_hosts(a) & np.isin(p.index["industry"].to_numpy().astype(str)[p.links["cell.industry"]], list(members)))


def _new(a: Amounts) -> Floats:
    """[cell, year] capacity decided to come or to be built."""
    return grouped(a["move"], a.problem.links["arc.host"], len(a["greenfield"])) + a["greenfield"]


def _investment(a: Amounts, s: Sheet, g: Gate) -> None:
    """In the phase the named kinds of infrastructure get at least a share of investment."""
    if not a.problem.has("C5"):
        return
    spent = a["investment"][:, :, g.inside & a.decided].sum(axis=(0, 2))
    named = spent[np.isin(a.problem.index["kind"].to_numpy().astype(str), g.names)].sum()
    s.least("C20", g.rule, named, g.value * spent.sum(), (), unit=MONEY)


def _start(a: Amounts, s: Sheet, g: Gate) -> None:
    """Before the phase nothing of the group is decided at hosts."""
    early = (np.arange(len(g.inside)) < g.first) & a.decided
    most = np.where(_group(a, g.names)[:, None] & early[None, :], 0.0, np.inf)
    s.most("C20", g.rule, _new(a), most, ("cell", "year"), unit=MONEY)


def _capacity(a: Amounts, s: Sheet, g: Gate) -> None:
    """At the end of the phase the group holds at least a share of hosts' relocatable capacity."""
    p, at, cells = a.problem, a["capacity"][:, np.flatnonzero(g.inside)[-1]], _group(a, g.names)
    movable = _hosts(a) & p["relocatable"].values.astype(bool)[p.links["cell.industry"]]
    if cells.any():
        s.least("C20", g.rule, at[cells].sum(), g.value * at[movable].sum(), (), unit=MONEY)


def _clean(a: Amounts, s: Sheet, g: Gate) -> None:
    """From the phase on nothing is decided at hosts that takes more of the resource than the limit."""
    p, years = a.problem, np.arange(len(g.inside))
    n = list(p.index["resource"]).index(g.resource)
    now = p["intensity"].transpose("resource", "cell", "year").values[n]
    now = now * (1 - p["improvement"].transpose("resource", "cell").values[n][:, None]) ** years[None, :]
    cells = _group(a, g.names) if g.names else _hosts(a)
    dirty = cells[:, None] & ((years >= g.first) & a.decided)[None, :] & (now > g.value)
    s.most("C20", g.rule, _new(a), np.where(dirty, 0.0, np.inf), ("cell", "year"), unit=MONEY)


def roles(a: Amounts, s: Sheet) -> None:
    """The role's regions hold at least a share of hosts' capacity in its group, from its year on."""
    p, table = a.problem, a.problem.text["role"]
    chosen = p.settings.roles
    for o, role in enumerate(map(str, p.index["role"])):
        if chosen is False or (chosen is not True and role not in chosen):
            continue
        cells = _group(a, [table.filter(pl.col("role") == role)["group"].drop_nulls()[0]])
        regions = p.links["member.region"][p.links["member.role"] == o]
        theirs = cells & np.isin(p.links["cell.region"], regions)
        since = p["role_year"].values[o]
        late = a.decided & (np.asarray(p.years) >= (since if np.isfinite(since) else p.years[0]))
        if theirs.any():
            least = np.where(late, p["role_share"].values[o] * a["capacity"][cells].sum(axis=0), -np.inf)
            s.least("C22", f"role:{role}", a["capacity"][theirs].sum(axis=0), least, ("year",), unit=MONEY)
