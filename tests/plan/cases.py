"""Small cases with which planning is tested: the smallest that moves, and one with every table."""

from __future__ import annotations

import polars as pl

Case = dict[str, pl.DataFrame]


def tiny() -> Case:
    """Two regions, two industries, three years: production is dearer on the coast, and goods must travel."""
    industries, years = ["chips", "cloth"], [2026, 2027, 2028]
    cells = {"region": ["coast"] * 2 + ["inland"] * 2, "industry": industries * 2}
    return {
        "regions": pl.DataFrame(
            {"region": ["coast", "inland"], "source": [True, False], "host": [False, True], "population": [100.0, 200.0]}
        ),
        "industries": pl.DataFrame({"industry": industries, "depreciation": [0.0, 0.0], "relocation_cost": [0.1, 0.1]}),
        "years": pl.DataFrame({"year": years, "phase": ["second"] * 3}),
        "phases": pl.DataFrame({"phase": ["second"], "release_share": [0.2]}),
        "cells": pl.DataFrame({**cells, "capacity": [100.0, 100, 10, 10], "capex": [1.0] * 4, "operating_cost": [0.9, 0.9, 0.5, 0.5]}),
        "demand": pl.DataFrame({**cells, "demand": [80.0, 80, 20, 20]}),
        "routes": pl.DataFrame(
            {
                "industry": industries * 2,
                "origin": ["coast"] * 2 + ["inland"] * 2,
                "destination": ["inland"] * 2 + ["coast"] * 2,
                "flow": [10.0, 10, 0, 0],
                "cost": [0.05] * 4,
            }
        ),
    }


REGIONS = ("east", "hill", "plain")
INDUSTRIES = ("chips", "cloth", "power")
YEARS = tuple(range(2025, 2032))


def every() -> Case:
    """Three regions, three industries, seven years, one of them observed: every table has rows, every family binds, and nothing falls short."""
    cells = {"region": [r for r in REGIONS for _ in INDUSTRIES], "industry": list(INDUSTRIES) * 3}
    regions = {
        "region": list(REGIONS),
        "source": [True, False, False],
        "host": [False, True, True],
        "population": [900.0, 500.0, 600.0],
        "lon": [121.0, 104.0, 108.0],
        "lat": [31.0, 30.0, 23.0],
        "business_environment": [1.0, 0.8, 0.9],
        "enclave_limit": [None, 1.0, 1.0],
        "own_revenue": [0.0, 0.1, 0.1],
        "backup_tested": [True, True, False],
    }
    capacity = [300.0, 400, 80, 60, 50, 90, 40, 70, 60]
    return {
        "regions": pl.DataFrame(regions),
        "industries": pl.DataFrame(
            {
                "industry": list(INDUSTRIES),
                "relocatable": [True, True, False],
                "depreciation": [0.08, 0.06, 0.04],
                "lead": [1, 1, 2],
                "utilisation": [0.95, 0.95, 0.9],
                "surge": [1.2, 1.1, 1.0],
                "tax_rate": [0.08, 0.05, 0.1],
                "relocation_cost": [0.4, 0.3, 0.5],
                "relocation_per_1000km": [0.1, 0.1, 0.1],
            }
        ),
        "groups": pl.DataFrame({"group": ["light", "emerging", "green"], "industry": ["cloth", "chips", "power"]}),
        "years": pl.DataFrame({"year": list(YEARS), "phase": ["one"] + ["two"] * 3 + ["three"] * 3, "observed": [True] + [False] * 6}),
        "phases": pl.DataFrame(
            {
                "phase": ["one", "two", "three"],
                "release_share": [0.1, 0.1, 0.1],
                "release_total": [0.1, 0.04, 0.08],
                "trade_flexibility": [0.1, 0.3, 0.6],
                "job_loss": [0.1, 0.3, 0.5],
                "equity": [None, 0.4, 0.5],
                "ramp": [None, 0.03, 0.03],
                "range": [None, 0.1, 0.1],
            }
        ),
        "cells": pl.DataFrame(
            {
                **cells,
                "capacity": capacity,
                "capex": [1.2, 0.8, 2.0] * 3,
                "operating_cost": [0.30, 0.32, 0.2, 0.24, 0.2, 0.12, 0.22, 0.24, 0.15],
                "absorption": [None, None, None, 7.0, 8, 20, 5, 8, 20],
                "productivity_growth": [0.02] * 9,
            }
        ),
        "inputs": pl.DataFrame(
            {
                "industry": ["chips", "power", "power", "cloth"],
                "using": ["chips", "chips", "cloth", "cloth"],
                "coefficient": [0.2, 0.1, 0.1, 0.2],
            }
        ),
        "demand": pl.DataFrame({**cells, "demand": [140.0, 180, 12, 60, 50, 30, 40, 60, 25], "growth": [0.02] * 9}),
        "routes": pl.DataFrame(
            [
                {"industry": i, "origin": o, "destination": d, "flow": f, "cost": 0.04 if i != "power" else 0.1}
                for i, flows in {"chips": (30, 20), "cloth": (25, 20), "power": (5, 5)}.items()
                for o, d, f in (
                    ("east", "hill", flows[0]),
                    ("east", "plain", flows[1]),
                    ("hill", "east", 4),
                    ("plain", "east", 4),
                    ("hill", "plain", 1),
                )
            ]
        ).cast({"flow": pl.Float64}),
        "imports": pl.DataFrame({"region": ["east"], "industry": ["chips"], "flow": [5.0], "cost": [1.0]}),
        "exports": pl.DataFrame(
            {
                "region": ["east", "plain"],
                "industry": ["cloth", "cloth"],
                "market": ["sea", "sea"],
                "flow": [20.0, 4.0],
                "cost": [0.01, 0.02],
            }
        ),
        "markets": pl.DataFrame({"market": ["sea"], "growth": [0.01]}),
        "resources": pl.DataFrame(
            {
                "resource": ["carbon", "land"],
                "base": ["output", "capacity"],
                "unit": ["10k-tonne", "km2"],
                "price": [0.005, 0.0],
                "banking": [True, False],
                "falling": [True, False],
            }
        ),
        "intensities": pl.DataFrame(
            {
                "resource": ["carbon"] * 3 + ["land"] * 3,
                "industry": list(INDUSTRIES) * 2,
                "value": [0.5, 0.8, 6.0, 0.02, 0.03, 0.05],
                "improvement": [0.03, 0.02, 0.03, 0.0, 0.0, 0.0],
            }
        ),
        "limits": pl.DataFrame(
            {
                "resource": ["carbon", "carbon", "carbon", "land", "land", "carbon", "carbon"],
                "region": ["hill", "plain", "east", "hill", "plain", None, None],
                "year": [None, None, None, None, None, 2025, 2031],
                "value": [560.0, 400, 560, 7.6, 7.0, 1280.0, 1215.0],
            }
        ),
        "skills": pl.DataFrame(
            {
                "skill": ["plain", "trained"],
                "from": [None, "plain"],
                "migration_share": [0.02, 0.01],
                "migration_cost": [1.0, 2.0],
                "training_share": [0.0, 0.03],
                "training_lag": [1, 1],
                "training_cost": [1.0, 1.0],
            }
        ),
        "labour": pl.DataFrame(
            {
                "region": ["hill", "hill", "plain", "plain", "east", "east"],
                "skill": ["plain", "trained"] * 3,
                "supply": [1.25, 0.3, 1.45, 0.36, 10.0, 4.0],
                "wage": [6.0, 9, 6, 9, 9, 14],
            }
        ),
        "staffing": pl.DataFrame(
            {
                "industry": [i for i in INDUSTRIES for _ in range(2)],
                "skill": ["plain", "trained"] * 3,
                "value": [50e-4, 30e-4, 120e-4, 10e-4, 20e-4, 15e-4],
            }
        ),
        "infrastructure": pl.DataFrame(
            {
                "kind": ["park", "transport"],
                "lead": [1, 2],
                "depreciation": [0.02, 0.03],
                "service": [2.0, 1.5],
                "public": [0.5, 1.0],
                "limit": [40.0, 40.0],
            }
        ),
        "stocks": pl.DataFrame(
            {"region": ["hill", "hill", "plain", "plain"], "kind": ["park", "transport"] * 2, "value": [130.0, 60.0, 120.0, 55.0]}
        ),
        "requirements": pl.DataFrame(
            {
                "kind": ["park", "park", "transport", "transport"],
                "industry": ["chips", "cloth", "chips", "cloth"],
                "value": [1.0, 1.0, 0.4, 0.5],
            }
        ),
        "instruments": pl.DataFrame({"instrument": ["land", "tax"], "cap": [0.4, 0.5]}),
        "uptake": pl.DataFrame(
            {
                "instrument": ["land", "land", "tax", "tax"],
                "segment": [1, 2, 1, 2],
                "response": [3.0, 1.5, 2.5, 1.2],
                "width": [0.2, 0.4, 0.2, 0.4],
            }
        ),
        "budgets": pl.DataFrame({"region": ["hill", "plain", None], "value": [4.0, 4.0, 6.0]}),
        "compensation": pl.DataFrame({"region": ["east"], "levy": [2.0]}),
        "enclaves": pl.DataFrame(
            {
                "enclave": ["east-hill", "east-plain", "east-plain-more"],
                "source": ["east"] * 3,
                "host": ["hill", "plain", "plain"],
                "share": [0.2, 0.1, 0.3],
                "cost": [0.05, 0.05, 0.1],
                "term": [3, 3, 3],
                "flow": [6.0, 4.0, 8.0],
                "cost_factor": [0.3, 0.3, 0.3],
                "menu": [None, "plain", "plain"],
            }
        ),
        "enclave_industries": pl.DataFrame(
            {"enclave": ["east-hill", "east-plain", "east-plain-more"], "industry": ["chips", "cloth", "cloth"]}
        ),
        "agglomeration": pl.DataFrame(
            {"region": ["hill"] * 2, "industry": ["chips"] * 2, "segment": [1, 2], "width": [65.0, 150.0], "saving": [0.0, 0.02]}
        ),
        "congestion": pl.DataFrame({"industry": ["cloth"], "segment": [1], "from": [70.0], "cost": [0.01]}),
        "specialisation": pl.DataFrame({"industry": ["cloth"], "cap": [0.15]}),
        "similarity": pl.DataFrame({"region": ["hill"], "other": ["plain"], "least": [0.16]}),
        "security": pl.DataFrame({"industry": ["chips", "chips"], "year": [2026, 2031], "share": [0.2, 0.257]}),
        "backup": pl.DataFrame({"industry": ["chips"] * 3, "year": [2026, 2027, 2031], "tolerance": [0.72, 0.706, 0.69]}),
        "jobs": pl.DataFrame({"region": ["hill", "plain"], "floor": [1.2, 1.2]}),
        "gates": pl.DataFrame(
            {
                "gate": ["roads-first", "later", "emerging-by-end", "clean-only"],
                "phase": ["two", "three", "three", "three"],
                "kind": ["investment-share", "start", "capacity-share", "clean"],
                "group": ["transport", "green", "emerging", None],
                "value": [0.3, None, 0.4, 5.0],
                "resource": [None, None, None, "carbon"],
            }
        ),
        "roles": pl.DataFrame({"role": ["chips-hill"], "region": ["hill"], "group": ["emerging"], "share": [0.6], "year": [2028]}),
        "observed": pl.DataFrame({**cells, "year": [2025] * 9, "capacity": [c * 1.01 for c in capacity]}),
        "moves": pl.DataFrame({"source": ["east"], "host": ["hill"], "industry": ["cloth"], "year": [2025], "flow": [2.0]}),
        "paths": pl.DataFrame(
            {
                "parameter": ["wage", "wage"],
                "region": ["east", "east"],
                "year": [2025, 2031],
                "skill": ["plain", "plain"],
                "value": [9.0, 11.0],
            }
        ),
        "provenance": pl.DataFrame(
            {
                "parameter": ["response", "capacity"],
                "basis": ["illustrative", "observed"],
                "source": ["", "yearbook"],
                "low": [0.5, 1.0],
                "high": [1.5, 1.0],
            }
        ),
    }
