"""A handmade record of a plan: two hosts, two sources, three industries in two groups, six years of which one is observed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.plan.tables import PLAN_TABLES, shaped
from hinterland.report.record import Record, read_record

YEARS = range(2025, 2031)
PHASES = {2025: "one", 2026: "two", 2027: "two", 2028: "three", 2029: "three", 2030: "three"}
SPANS = {"one": (2025, 2025, True), "two": (2026, 2027, False), "three": (2028, 2030, False)}
HOSTS = {"510000": ("Sichuan", "四川"), "520000": ("Guizhou", "贵州")}
SOURCES = {"440000": ("Guangdong", "广东"), "330000": ("Zhejiang", "浙江")}
GROUPS = {"labour-intensive": ["cloth"], "emerging": ["chips", "cells"]}
INDUSTRIES = {"cloth": ("Clothing", "服装"), "chips": ("Electronics", "电子"), "cells": ("Batteries", "电池")}
FLOWS = [
    ("440000", "510000", "cloth", 2026, 30.0),
    ("330000", "510000", "chips", 2028, 20.0),
    ("440000", "520000", "cloth", 2027, 12.0),
    ("440000", "510000", "cloth", 2025, 4.0),
]


def _span(phase: str) -> dict[str, Any]:
    first, last, observed = SPANS[phase]
    return {"phase": phase, "first_year": first, "last_year": last, "observed": observed}


def _capacity() -> list[dict[str, Any]]:
    rows = []
    for host in HOSTS:
        for n, industry in enumerate(INDUSTRIES):
            for year in YEARS:
                moved = sum(v for _, h, i, y, v in FLOWS if (h, i, y) == (host, industry, year))
                built = 5.0 if industry == "cells" and year >= 2028 else 0.0
                held = {"capacity": 50.0 + 10 * n + 3.0 * (year - 2025), "output": 45.0 + 9 * n, "departures": 0.0, "unexplained": 0.0}
                rows.append({"region": host, "industry": industry, "year": year, "arrivals": moved, "greenfield": built, **held})
    return rows


def _pathway() -> list[dict[str, Any]]:
    rows = []
    for host in HOSTS:
        for phase, (first, last, _) in SPANS.items():
            cells = [r for r in _capacity() if r["region"] == host and first <= r["year"] <= last]
            for level, keys in (("all", [None]), ("group", list(GROUPS)), ("industry", list(INDUSTRIES))):
                for key in keys:
                    of = list(INDUSTRIES) if key is None else GROUPS.get(str(key), [str(key)])
                    mine = [r for r in cells if r["industry"] in of]
                    moved = sum(r["arrivals"] for r in mine)
                    end = sum(r["capacity"] for r in mine if r["year"] == last)
                    start = end - 3.0 * len(of) * (last - first + 1)
                    sent = [{"region": "440000", "value": moved}] if moved else []
                    named = {"group": key if level == "group" else None, "industry": key if level == "industry" else None}
                    numbers = {
                        "moved": moved,
                        "greenfield": sum(r["greenfield"] for r in mine),
                        "capacity_start": start,
                        "capacity_end": end,
                    }
                    shares = {"change": end - start, "share_of_host": 0.5, "share_of_hosts": 0.5, "source": "440000" if moved else None}
                    sources = {"source_share": 1.0 if moved else None, "sources": json.dumps(sent)}
                    rows.append({"level": level, "host": host, **_span(phase), **named, **numbers, **shares, **sources})
    return rows


def _first() -> list[dict[str, Any]]:
    def row(host: str, kind: str, industry: str, year: int, rank: int | None, source: str | None, value: float) -> dict[str, Any]:
        numbers = {"first_value": value, "value": value, "rank": rank, "observed": rank is None}
        return {"host": host, "kind": kind, "industry": industry, "first_year": year, "phase": PHASES[year], "source": source, **numbers}

    return [
        row("510000", "move", "cloth", 2026, 1, "440000", 30.0),
        row("510000", "move", "chips", 2028, 2, "330000", 20.0),
        row("510000", "move", "cloth", 2025, None, "440000", 4.0),
        row("510000", "new", "cells", 2028, 1, None, 15.0),
        row("520000", "new", "cells", 2028, 1, None, 15.0),
    ]


def _support() -> list[dict[str, Any]]:
    def row(host: str, phase: str, side: str, kind: str, instrument: str | None, amount: float, capacity: float | None) -> dict[str, Any]:
        basis = "response" if kind == "support" else "new-capacity" if side == "need" else ""
        numbers = {"amount": amount, "public": amount, "capacity": capacity, "per_unit": amount / capacity if capacity else None}
        return {
            "host": host,
            **_span(phase),
            "side": side,
            "kind": kind,
            "instrument": instrument,
            **numbers,
            "basis": basis,
            "people": None,
        }

    return [
        row("510000", "two", "need", "support", "tax-rebate", 6.0, 9.0),
        row("510000", "two", "need", "infrastructure", "transport", 10.0, 30.0),
        row("510000", "three", "need", "training", "graduate", 1.0, 35.0),
        row("510000", "two", "source", "budget", None, 40.0, None),
        row("520000", "two", "need", "support", "land-discount", 2.0, 2.5),
        row("520000", "three", "need", "agreements", "guangdong-guizhou", 5.0, 15.0),
    ]


def _restrictions() -> list[dict[str, Any]]:
    def row(
        rank: int, constraint: str, phase: str, price: float, scarce: float | None, *, missed: bool = False, **where: str
    ) -> dict[str, Any]:
        cost = None if scarce is None or missed else price * scarce
        rest = {
            "price_most": price,
            "price_unit": "100m-yuan",
            "unit": "100m-yuan",
            "rows": 2,
            "family": "C0",
            "scarce_is": "side",
            "bound": "limit",
        }
        numbers = {"price": price, "scarce": scarce, "cost": cost, "cost_discounted": cost, "falls_short": missed}
        return {"rank": rank, "constraint": constraint, **_span(phase), **where, **rest, **numbers}

    return [
        row(1, "labour:graduate", "two", 3.0, 20.0, region="510000", skill="graduate"),
        row(2, "limit:carbon", "three", 0.2, 100.0, region="520000"),
        row(3, "infrastructure:transport", "two", 0.1, 90.0, region="510000"),
        row(4, "gate:later", "two", 0.7, None, region="510000", industry="chips"),
        row(5, "security_share", "three", 20.0, 5.0, missed=True, industry="chips"),
    ]


def _hosts() -> dict[str, list[dict[str, Any]]]:
    ends = [(2024, None), (2025, "one"), (2027, "two"), (2030, "three")]
    structure = [
        {"measure": m, "host": h, "other": None, "year": y, "phase": p, "value": 0.3}
        for m in ("hhi", "krugman")
        for h in HOSTS
        for y, p in ends
    ]
    pair = {"measure": "finger-kreinin", "host": "510000", "other": "520000"}
    structure += [{**pair, "year": y, "phase": p, "value": 0.8 - 0.02 * n} for n, (y, p) in enumerate(ends)]
    gaps: list[dict[str, Any]] = []
    for year in YEARS:
        when = {"year": year, "phase": PHASES[year], "observed": year == 2025}
        for host in HOSTS:
            gaps.append({"measure": "per-head", "region": host, "value": 4.0, "unit": "10k-yuan/person", **when})
            gaps.append({"measure": "of-mean", "region": host, "value": 0.8, "unit": "share", **when})
        gaps += [{"measure": m, "region": None, "value": 0.02, "unit": "index", **when} for m in ("range", "theil", "gini")]
    ends_of = [{"year": y, "phase": PHASES[y], "observed": y == 2025} for y in (2025, 2027, 2030)]
    security = [
        {"industry": "chips", "made": 40.0, "use": 200.0, "share": 0.2, "required": 0.22, "short": 0.02, "lost": "440000", "fails": 90.0, "fails_share": 0.45,
         "tolerated": 0.5, **when}
        for when in ends_of
    ]  # fmt: skip
    limits = [
        {"region": h, "resource": "carbon", "used": 90.0, "limit": 100.0, "share": 0.9, "unit": "10k-tonne", **when}
        for h in (*HOSTS, None)
        for when in ends_of
    ]
    jobs = [
        {"region": r, "role": role, **_span(p), "employed_first": 100.0, "employed_last": 101.0, "change": 1.0, "displaced": 2.0 if role == "source" else 0.0,
         "brought": 2.0 if role == "host" else 0.0, "created": 1.0, "migrants": 0.0, "trained": 0.5}
        for r, role in (*((h, "host") for h in HOSTS), *((s, "source") for s in SOURCES)) for p in SPANS
    ]  # fmt: skip
    return {"plan_specialisation": structure, "plan_equity": gaps, "plan_security": security, "plan_limits": limits, "plan_jobs": jobs}


def _compared() -> list[dict[str, Any]]:
    def row(
        name: str, test: str, verdict: str, numbers: tuple[float | None, float | None], without: tuple[float, str] | None, **more: Any
    ) -> dict[str, Any]:
        told = {"value_without": without[0], "threshold_without": numbers[1], "verdict_without": without[1]} if without else {}
        words = {"statement_en": f"Statement of {name}.", "statement_zh": f"关于{name}的建议。", "section": "4.2"}
        years = {"first_year": 2026, "last_year": 2030, "regions": "", "group": None}
        return {"id": name, "test": test, "verdict": verdict, "value": numbers[0], "threshold": numbers[1], "imposed_by": "", "reason": "", **words, **years,
                "unit": None if numbers[0] is None else "share", **told, **more}  # fmt: skip

    return [
        row("a", "region-share-rises", "agrees", (0.6, 0.5), (0.6, "agrees")),
        row("b", "gap-falls", "disagrees", (0.03, 0.02), (0.03, "disagrees")),
        row("c", "region-share-rises", "imposed", (0.55, 0.5), (0.45, "disagrees"), imposed_by="role:base"),
        row("d", "quotient-above", "imposed", (1.2, 1.0), (1.1, "agrees"), imposed_by="role:base"),
        row("e", "not-in-model", "cannot", (None, None), None, verdict_without="cannot", reason="not-in-model"),
    ]


def _several() -> dict[str, list[dict[str, Any]]]:
    aims = {
        "cost": ("100m-yuan", [100.0, 104.0, 118.0]),
        "emissions": ("10k-tonne", [80.0, 60.0, 50.0]),
        "equity": ("10k-yuan/person", [1.0, 1.1, 1.3]),
    }
    pareto = [
        {"point": n + 1, "objective": o, "value": v, "unit": u, "share": n / 2, "distinct": n != 1}
        for o, (u, vs) in aims.items()
        for n, v in enumerate(vs)
    ]
    pareto += [
        {"point": n + 1, "objective": "resilience", "value": 7.0, "unit": "100m-yuan", "share": None, "distinct": n != 1} for n in range(3)
    ]
    payoff = [{"objective": o, "other": a, "value": vs[n], "unit": u} for o, (u, vs) in aims.items() for n, a in enumerate(aims)]
    ranges = [
        ("510000", "emerging", 40.0, 60.0, "must-have"),
        ("520000", "emerging", 0.0, 0.0, "must-avoid"),
        ("520000", "labour-intensive", 0.0, 30.0, "free"),
    ]
    alternatives = [
        {"slack": s, "host": h, "group": g, "year": 2030, "optimum": (low + high) / 2, "low": low + (0.05 - s) * 60 * (high > low), "high": high, "verdict": v}
        for s in (0.01, 0.05) for h, g, low, high, v in ranges
    ]  # fmt: skip
    sensitivity = [
        {
            "parameter": "response",
            "of": None,
            "basis": "illustrative",
            "low": 0.5,
            "high": 1.5,
            "first_low": 99.0,
            "first_high": 101.0,
            "exact_low": 98.0,
            "exact_high": 103.0,
        },
        {
            "parameter": "wage",
            "of": "graduate",
            "basis": "estimated",
            "low": 0.9,
            "high": 1.1,
            "first_low": 97.0,
            "first_high": 104.0,
            "exact_low": None,
            "exact_high": None,
        },
    ]
    return {
        "plan_pareto": pareto,
        "plan_payoff": payoff,
        "plan_alternatives": alternatives,
        "plan_sensitivity": [{**r, "unit": "100m-yuan"} for r in sensitivity],
        "plan_scenarios": [{"measure": "evpi", "value": 5.0, "low": 4.9, "high": 5.1, "unit": "100m-yuan", "share": 0.05}],
        "plan_continuity": [{"measure": "continuity-value", "value": 3.0, "low": 3.0, "high": 3.0, "unit": "100m-yuan", "share": 0.03}],
        "plan_calibration": [
            {
                "parameter": "response",
                "host": "510000",
                "before": 1.0,
                "after": 1.2,
                "estimate": 0.2,
                "std_error": 0.05,
                "basis": "calibrated",
            }
        ],
        "plan_draws": [
            {"region": "510000", "group": "emerging", "year": 2030, "mean": 50.0, "low": 41.0, "high": 58.0, "share_of_draws": 1.0}
        ],
    }


def _facts(*, illustrative: bool) -> dict[str, list[dict[str, Any]]]:
    labels = [
        {"dimension": d, "id": i, "name_en": en, "name_zh": zh}
        for d, names in (("region", HOSTS | SOURCES), ("industry", INDUSTRIES), ("skill", {"graduate": ("graduates", "大学毕业")}), ("role", {"base": ("Base of electronics", "电子基地")}))
        for i, (en, zh) in names.items()
    ]  # fmt: skip
    places = [
        {"region": r, "role": role, "name_en": en, "name_zh": zh, "lon": lon, "lat": 28.0}
        for role, names in (("host", HOSTS), ("source", SOURCES)) for lon, (r, (en, zh)) in enumerate(names.items(), 104)
    ]  # fmt: skip
    blank = {"of": None, "note": None, "note_zh": None}
    provenance: list[dict[str, Any]] = [
        {"parameter": "capacity", "basis": "observed", "source": "yearbook", "low": 1.0, "high": 1.0} | blank,
        {"parameter": "intensity", "basis": "derived", "source": "inventories", "low": 0.9, "high": 1.1} | blank | {"of": "carbon"},
    ]
    if illustrative:
        provenance.append(
            {"parameter": "intensity", "basis": "illustrative", "source": "", "low": 0.5, "high": 2.0} | blank | {"of": "land"}
        )
        provenance.append(
            {
                "parameter": "response",
                "of": None,
                "basis": "illustrative",
                "source": "",
                "low": 0.5,
                "high": 1.5,
                "note": "No study.",
                "note_zh": "无研究。",
            }
        )
    solver = {"status": "optimal", "aim": "cost", "solver": "HiGHS 1", "answered": "mip", "gap": "0.0001", "primal_residual": "1e-13", "dual_residual": "nan",
              "attempts": json.dumps([{"method": "mip", "status": "optimal", "iterations": 12}]), "rows": "900", "columns": "1300"}  # fmt: skip
    settings = {"prices": '"constant 2017"', "objective": '"cost"', "roles": "true", "off": "[]", "discount": "0.04"}
    return {
        "plan_labels": labels,
        "plan_places": places,
        "plan_groups": [{"group": g, "industry": i} for g, members in GROUPS.items() for i in members],
        "plan_years": [{"year": y, "phase": PHASES[y], "observed": y == 2025} for y in YEARS],
        "plan_provenance": provenance,
        "plan_solver": [{"key": k, "value": v} for k, v in solver.items()],
        "plan_settings": [{"key": k, "value": v} for k, v in settings.items()],
    }


def frames(*, illustrative: bool = True) -> dict[str, pl.DataFrame]:
    """Every table of the record, with the columns of :data:`PLAN_TABLES`."""
    short = {"constraint": "security_share", "family": "C16", "industry": "chips", "unit": "100m-yuan", "side": "short"}
    rows: dict[str, list[dict[str, Any]]] = {
        "plan_objectives": [
            {"objective": "cost", "value": 100.0, "unit": "100m-yuan", "better": "less"},
            {"objective": "emissions", "value": 80.0, "unit": "10k-tonne", "better": "less"},
            {"objective": "equity", "value": 1.0, "unit": "10k-yuan/person", "better": "more"},
            {"objective": "shortfall", "value": 40.0, "unit": "100m-yuan", "better": "less"},
        ],
        "plan_costs": [{"part": "labour", "value": 70.0}, {"part": "transport", "value": 30.0}],
        "plan_flows": [{"source": s, "host": h, "industry": i, "enclave": None, "year": y, "value": v} for s, h, i, y, v in FLOWS],
        "plan_capacity": _capacity(),
        "plan_shortfalls": [{**short, "year": y, "value": 2.0} for y in (2029, 2030)],
        "plan_pathway": _pathway(),
        "plan_first_moves": _first(),
        "plan_support_needed": _support(),
        "plan_restrictions": _restrictions(),
        "plan_compared": _compared(),
        **_hosts(),
        **_several(),
        **_facts(illustrative=illustrative),
    }
    return {name: shaped(name, pl.DataFrame(r, infer_schema_length=None)) for name, r in rows.items()}


def write(folder: Path, *, without: tuple[str, ...] = (), illustrative: bool = True) -> Record:
    """The record in ``folder``, but for the tables ``without``."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name, frame in frames(illustrative=illustrative).items():
        assert list(frame.columns) == list(PLAN_TABLES[name])
        if name not in without:
            frame.write_parquet(folder / "tables" / f"{name}.parquet")
    run = {
        "hinterland": "0.1.0",
        "status": "complete",
        "study": {"study": {"title": {"en": "A pathway", "zh": "一条路径"}}},
        "steps": [],
        "inputs": [],
    }
    (folder / "run.json").write_text(json.dumps(run | {"versions": {}, "facts": {}, "seed": 1}, ensure_ascii=False), encoding="utf-8")
    return read_record(folder)
