"""C5 to C8, C18 and C19: infrastructure, people, resources, jobs, and value added per head."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.validation.amounts import Amounts, Floats, earlier
from hinterland.plan.validation.sheet import Sheet

REGION = ("region", "year")
PEOPLE = "10k-person"


def check(a: Amounts, s: Sheet) -> None:
    """Every rule of places."""
    if a.problem.has("C5"):
        infrastructure(a, s)
    if a.problem.has("C6"):
        people(a, s)
    resources(a, s)
    if a.problem.has("C18"):
        jobs(a, s)
    if a.problem.has("C19"):
        equity(a, s)


def flagged(a: Amounts, name: str) -> NDArray[np.bool_]:
    """[region] whether a region carries a flag."""
    return np.asarray(a.problem[name].values.astype(bool))


def infrastructure(a: Amounts, s: Sheet) -> None:
    """Service is last year's less wear plus what investment brought a lead time later; capacity at hosts needs no more than that."""
    p = a.problem
    host, years = flagged(a, "host")[:, None], len(p.years)
    for k, kind in enumerate(p.index["kind"]):
        spent, service = a["investment"][:, k], a["service"][:, k]
        steps = np.full(len(spent), int(p["kind_lead"].values[k]))
        before = np.column_stack([p["stock"].transpose("region", "kind").values[:, k], service[:, :-1]])
        there = (1 - p["kind_depreciation"].values[k]) * before + p["service"].values[k] * earlier(spent, steps)
        axis = {"region": p.index["region"].to_numpy().astype(str), "kind": np.repeat(str(kind), len(spent))}
        s.equal("C5", "service", service, np.where(host, there, np.nan), (axis, "year"), unit="service")
        limit = p["investment_limit"].transpose("region", "kind", "year").values[:, k]
        free = a.decided & (np.arange(years) + steps[0] < years)
        most = np.where(free[None, :] & host, np.where(np.isfinite(limit), limit, np.inf), 0.0)
        s.most("C5", "investment", spent, most, (axis, "year"), unit="100m-yuan")
        s.least("C5", "investment_sign", spent, 0.0, (axis, "year"), unit="100m-yuan")
        need = p["requirement"].transpose("kind", "industry").values[k][p.links["cell.industry"]]
        taken = a.region(need[:, None] * a["capacity"])
        s.most("C5", f"infrastructure:{kind}", taken, np.where(host & a.decided[None, :], service, np.inf), REGION, unit="service")


def staffing(a: Amounts) -> Floats:
    """[cell, skill, year] people per unit of output, fewer as productivity grows."""
    p, age = a.problem, np.arange(len(a.problem.years))[None, None, :]
    growth = p["productivity_growth"].values[:, None, None]
    return np.asarray(p["staff"].transpose("cell", "skill", "year").values * (1 - growth) ** age)


def people(a: Amounts, s: Sheet) -> None:
    """People are those there, those who came and those trained, less trainees; output employs no more."""
    p = a.problem
    if not len(p.index["skill"]):
        return
    supply = p["labour"].transpose("region", "skill", "year").values
    counted = np.isfinite(supply).all(axis=(1, 2))[:, None]
    employed = np.stack([a.region(staffing(a)[:, n] * a["output"]) for n in range(supply.shape[1])], axis=1)
    had = _skill_before(a)
    names = p.index["region"].to_numpy().astype(str)
    for n, skill in enumerate(p.index["skill"]):
        came, trained = a["migrants"][:, n], a["trained"][:, n]
        taught = earlier(trained, np.full(len(names), int(p["training_lag"].values[n])))
        away = sum((a["trained"][:, m] for m, before in enumerate(had) if before == str(skill)), start=np.zeros_like(came))
        there = supply[:, n] + np.cumsum(came + taught - away, axis=1)
        s.equal("C6", f"people:{skill}", a["people"][:, n], np.where(counted, there, np.nan), REGION, unit=PEOPLE)
        for name, amount in (("migration", came), ("training", trained)):
            most = np.where(counted & a.decided[None, :], p[f"{name}_share"].values[n] * supply[:, n], 0.0)
            s.most("C6", f"{name}:{skill}", amount, most, REGION, unit=PEOPLE)
            s.least("C6", f"{name}_sign:{skill}", amount, 0.0, REGION, unit=PEOPLE)
        s.least("C6", f"people_sign:{skill}", a["people"][:, n], 0.0, REGION, unit=PEOPLE)
        s.most(
            "C6", f"labour:{skill}", employed[:, n], np.where(counted & a.decided[None, :], a["people"][:, n], np.inf), REGION, unit=PEOPLE
        )


def _skill_before(a: Amounts) -> list[str]:
    """The skill that trainees of each skill have before; empty for none."""
    table = a.problem.text["skill"]
    named = dict(zip(table["skill"], table["from"], strict=True)) if "from" in table.columns else {}
    return [named.get(str(k)) or "" for k in a.problem.index["skill"]]


def resources(a: Amounts, s: Sheet) -> None:
    """Use follows from output or capacity; regions and the nation use no more than there is, and than was kept."""
    p, age = a.problem, np.arange(len(a.problem.years))[None, :]
    table = p.text["resource"]
    for n, resource in enumerate(p.index["resource"]):
        row = table.filter(pl.col("resource") == resource).to_dicts()[0]
        unit, base = row.get("unit") or str(resource), row.get("base") or "output"
        now = p["intensity"].transpose("resource", "cell", "year").values[n]
        better = p["improvement"].transpose("resource", "cell").values[n][:, None]
        used, banked = a["used"][:, n], a["banked"][:, n]
        s.equal("C7", f"use:{resource}", used, a.region(now * (1 - better) ** age * a[base]), REGION, unit=unit)
        family = "C8" if resource == p.settings.emissions else "C7"
        if not p.has(family):
            continue
        limit = np.where(a.decided[None, :], p["limit"].transpose("resource", "region", "year").values[n], np.nan)
        kept = np.column_stack([np.zeros(len(banked)), banked[:, :-1]]) if p["banking"].values[n] else 0.0
        s.most(family, f"limit:{resource}", used + (banked if p["banking"].values[n] else 0.0), limit + kept, REGION, unit=unit)
        s.least(family, f"bank:{resource}", banked, 0.0, REGION, unit=unit)
        nation = np.where(a.decided, p["national_limit"].transpose("resource", "year").values[n], np.inf)
        s.most(family, f"national:{resource}", used.sum(axis=0), nation, ("year",), unit=unit)


def jobs(a: Amounts, s: Sheet) -> None:
    """Sources keep their share of first employment, and regions with a floor keep it."""
    p = a.problem
    if not len(p.index["skill"]):
        return
    per_unit = staffing(a).sum(axis=1)
    employed = a.region(per_unit * a["output"])
    first = p["utilisation"].values[p.links["cell.industry"]] * p["capacity"].values
    kept = (1 - p["job_loss"].values[p.links["year.phase"]])[None, :] * a.region(per_unit * first[:, None])
    where = flagged(a, "source")[:, None] & a.decided[None, :]
    s.least("C18", "jobs_at_sources", employed, np.where(where, kept, -np.inf), REGION, unit=PEOPLE)
    floor = p["job_floor"].transpose("region", "year").values
    s.least("C18", "floors_of_jobs", employed, np.where(a.decided[None, :], floor, np.nan), REGION, unit=PEOPLE)


def equity(a: Amounts, s: Sheet) -> None:
    """Hosts' value added per head is at least a share of the mean, and hosts lie within a gap."""
    p, unit = a.problem, "10k-yuan/person"
    heads = p["population"].transpose("region", "year").values
    known = (np.isfinite(heads) & (heads > 0)).all(axis=1)
    host = (known & flagged(a, "host"))[:, None]
    if not host.any():
        return
    made = a.region(value_added(a) * a["output"])
    mean = made[known].sum(axis=0) / heads[known].sum(axis=0)
    each = made / np.where(known[:, None], heads, 1.0)
    phase = p.links["year.phase"]
    share = np.where(a.decided, p["equity"].values[phase], np.nan)
    s.least("C19", "equity", each, np.where(host, share * mean, np.nan), REGION, unit=unit)
    gap = np.where(a.decided, p["range"].values[phase], np.nan)
    spread = np.where(host, each, -np.inf).max(axis=0) - np.where(host, each, np.inf).min(axis=0)
    s.most("C19", "range", spread, gap, ("year",), unit=unit)


def value_added(a: Amounts) -> Floats:
    """[cell, year] value added in a unit of output: as given, or what inputs leave."""
    p = a.problem
    given = p["value_added"].transpose("cell", "year").values
    taken = np.bincount(p.links["input.user"], weights=p["coefficient"].values, minlength=len(given))
    return np.where(np.isfinite(given), given, 1 - taken[a.cell_pool, None])
