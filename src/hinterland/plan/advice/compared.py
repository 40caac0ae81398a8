"""A published pathway against the plan: each recommendation as data, a claim that can be measured, and what the plan's numbers say.

Source of the recommendations: X. Li, Research on Industrial Transfer Pathways in Southwest China from the Perspective of National Strategic Hinterland
(sections 4.1 to 5.3), in the wording of ``catalogue/recommendations.csv``. Its phases 2023–2025, 2025–2030 and 2030–2035 share their ends; here a year is in
one phase: to 2025, 2026 to 2030, from 2031.

A plan that was told something cannot confirm it. A claim that holds is *imposed* where a spatial role (C22) or a gate of a phase (C20) of the same group is
on, or where another constraint that asks for the same binds. A second plan without roles says what the model would have done by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from hinterland.data.geography import provinces
from hinterland.errors import Finding, InputError
from hinterland.plan.advice.claims import CLAIMS, Ask, Found
from hinterland.plan.advice.view import View
from hinterland.plan.tables import shaped

_ORDER = ("new-share-earlier", "investment-earlier")
"""Claims about what comes first: where their span is past, the first decided phase stands for it."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommendation of a published pathway.

    Attributes:
        id, section: its name, and where it stands in the source.
        regions: codes of provinces (GB/T 2260), none where it is about all hosts.
        groups: names under which a case may have the group of industries; the first that it has counts. None for all industries.
        first_year, last_year: its span.
        test: which claim stands for it (:data:`hinterland.plan.advice.claims.CLAIMS`), or ``not-in-model``.
        threshold: of the claim, where it needs one.
        imposed_by: blocks of rows that would impose it; ``role`` and ``gate`` count where they are of the same group.
        statement_en, statement_zh: in words.
    """

    id: str
    section: str
    regions: tuple[str, ...]
    groups: tuple[str, ...]
    first_year: int
    last_year: int
    test: str
    threshold: float | None
    imposed_by: tuple[str, ...]
    statement_en: str
    statement_zh: str


@cache
def recommendations() -> tuple[Recommendation, ...]:
    """The packaged recommendations."""
    text = files("hinterland.plan").joinpath("catalogue", "recommendations.csv").read_text(encoding="utf-8")
    return tuple(_read(row) for row in csv.DictReader(text.splitlines()))


def _read(row: dict[str, str]) -> Recommendation:
    several = {k: tuple(x for x in row[k].split(";") if x) for k in ("regions", "groups", "imposed_by")}
    return Recommendation(
        id=row["id"],
        section=row["section"],
        regions=several["regions"],
        groups=several["groups"],
        first_year=int(row["first_year"]),
        last_year=int(row["last_year"]),
        test=row["test"],
        threshold=float(row["threshold"]) if row["threshold"] else None,
        imposed_by=several["imposed_by"],
        statement_en=row["statement_en"],
        statement_zh=row["statement_zh"],
    )


def compared(view: View, without_roles: View | None, asked_of: Sequence[Recommendation] | None = None) -> pl.DataFrame:
    """Table ``plan_compared``: every recommendation with the plan's number and a verdict.

    Raises:
        InputError: roles hold in ``without_roles`` too.
    """
    if without_roles is not None and asked_roles(without_roles):
        what = f"the plan without roles holds {', '.join(asked_roles(without_roles))}"
        finding = Finding("roles-not-off", what, "argument without_roles", "make it with roles = false")
        raise InputError(finding, "the advice")
    known = named_regions(view)
    rows = [_row(view, without_roles, r, known) for r in (recommendations() if asked_of is None else asked_of)]
    return shaped("plan_compared", pl.DataFrame(rows, infer_schema_length=None))


def asked_roles(view: View) -> list[str]:
    """Roles that hold in the plan."""
    p = view.problem
    if not p.has("C22"):
        return []
    names = [str(r) for r in p.index["role"]]
    chosen = p.settings.roles
    return names if chosen is True else [] if chosen is False else [r for r in names if r in chosen]


def named_regions(view: View) -> dict[str, str]:
    """Code of each province → the plan's region that bears its code or one of its names."""
    ways = ("province_code", "name_zh", "short_zh", "name_en")
    known = {str(row[way]).lower(): str(row["province_code"]) for row in provinces().iter_rows(named=True) for way in ways}
    table = view.problem.text["region"]
    out: dict[str, str] = {}
    for row in table.iter_rows(named=True):
        for name in (row["region"], row.get("name_zh"), row.get("name_en")):
            code = known.get(str(name).lower())
            if code is not None:
                out.setdefault(code, str(row["region"]))
    return out


def _row(view: View, without: View | None, r: Recommendation, known: dict[str, str]) -> dict[str, Any]:
    ask, reason = _ask(view, r, known)
    found = Found(reason=reason) if ask is None else CLAIMS[r.test](view, ask)
    imposed = [] if ask is None else imposing(view, r, ask)
    row = {
        "id": r.id,
        "section": r.section,
        "statement_en": r.statement_en,
        "statement_zh": r.statement_zh,
        "regions": ";".join(ask.regions if ask else ()),
        "group": _group(view, r),
        "first_year": ask.first if ask else r.first_year,
        "last_year": ask.last if ask else r.last_year,
        "test": r.test,
        **_numbers(found, ""),
        "unit": found.unit if found.holds is not None else None,
        "imposed_by": ";".join(imposed),
        "verdict": verdict(found, imposed=bool(imposed)),
        "reason": found.reason or reason,
    }
    if without is None:
        return row | {"value_without": None, "threshold_without": None, "verdict_without": None}
    again, _ = _ask(without, r, known)
    second = Found(reason=reason) if again is None else CLAIMS[r.test](without, again)
    told = bool(again is not None and imposing(without, r, again))
    return row | _numbers(second, "_without") | {"verdict_without": verdict(second, imposed=told)}


def _numbers(found: Found, suffix: str) -> dict[str, float | None]:
    known = found.holds is not None
    return {f"value{suffix}": found.value if known else None, f"threshold{suffix}": found.threshold if known else None}


def verdict(found: Found, *, imposed: bool) -> str:
    """What a claim's number says: a claim that holds because the plan was told so is imposed, one that fails all the same disagrees."""
    if found.holds is None:
        return "cannot"
    if not found.holds:
        return "disagrees"
    return "imposed" if imposed else "agrees"


def _group(view: View, r: Recommendation) -> str | None:
    """The first of the recommendation's groups that the case has."""
    return next((g for g in r.groups if view.problem.members(g).any()), None)


def _ask(view: View, r: Recommendation, known: dict[str, str]) -> tuple[Ask | None, str]:
    """What the claim is about in this plan, or why it cannot be asked; for claims about order in a past span, the first decided phase, with the reason."""
    if r.test not in CLAIMS:
        return None, "not-in-model"
    regions = tuple(known[c] for c in r.regions if known.get(c) in view.hosts)
    if len(regions) < len(r.regions):
        return None, "region-not-a-host"
    group = _group(view, r)
    if r.groups and group is None:
        return None, "group-not-in-case"
    years = [y for y in view.problem.years if r.first_year <= y <= r.last_year]
    decided = [y for y, free in zip(view.problem.years, view.problem.decided, strict=True) if free]
    open_years, reason = [y for y in years if y in decided], ""
    if not open_years and r.test in _ORDER and r.first_year <= decided[0]:
        phase = view.years.filter(year=decided[0])["phase"][0]
        open_years, reason = [y for y in view.problem.phase_years(phase) if y in decided], "next-phase"
    if not open_years:
        return None, "past" if years else "not-in-years"
    members = view.problem.index["industry"][view.problem.members(group)] if group else []
    return Ask(regions, tuple(map(str, members)), open_years[0], open_years[-1], r.threshold), reason


def imposing(view: View, r: Recommendation, ask: Ask) -> list[str]:
    """Constraints that ask for what the recommendation claims: roles and gates of its group that are on, and others that bind or are missed."""
    out = []
    if "role" in r.imposed_by:
        out += [f"role:{role}" for role in asked_roles(view) if _role_like(view, role, ask)]
    if "gate" in r.imposed_by and view.problem.has("C20"):
        out += [f"gate:{gate}" for gate in _gates_like(view, r, ask)]
    others = [b for b in r.imposed_by if b not in ("role", "gate")]
    active = {str(c) for f in (view.plan.duals.filter(pl.col("price") > 0), view.plan.shortfalls) for c in f["constraint"]}
    return out + sorted(c for c in active if c.partition(":")[0] in others)


def _role_like(view: View, role: str, ask: Ask) -> bool:
    """Whether a role is of an industry that the claim is about, in a region that it is about."""
    p = view.problem
    rows = p.text["role"].filter(role=role)
    group = rows["group"].drop_nulls()[0]
    members = {str(i) for i in p.index["industry"][p.members(group)]}
    return bool(members & set(ask.industries)) and bool(set(rows["region"]) & set(ask.regions))


def _gates_like(view: View, r: Recommendation, ask: Ask) -> list[str]:
    """Gates of the claim's industries; for a claim about what comes first also those that hold others back until later."""
    table = view.problem.text["gate"]
    if "kind" not in table.columns:
        return []
    out = []
    for row in table.sort("gate").iter_rows(named=True):
        groups = [g for g in str(row.get("group") or "").split(";") if g and row["kind"] != "investment-share"]
        members = {str(i) for g in groups for i in view.problem.index["industry"][view.problem.members(g)]}
        holds_back = r.test == "new-share-earlier" and row["kind"] == "start"
        if holds_back or members & set(ask.industries):
            out.append(str(row["gate"]))
    return out
