"""One case per family of constraints, cut to what the family needs: small enough that each row can be read against its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

Case = dict[str, pl.DataFrame]
YEARS = [2025, 2026, 2027, 2028]


@dataclass(frozen=True)
class Golden:
    """What is built and which rows and costs of it are kept."""

    case: Callable[[], Case]
    rows: tuple[str, ...]
    costs: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


def base(**more: pl.DataFrame) -> Case:
    """One industry, made on the coast and inland, four years of three phases, the first observed; a tenth of capacity wears out, moves take a year."""
    cells = {"region": ["coast", "inland"], "industry": ["chips"] * 2}
    phases = ["one", "two", "two", "three"]
    return {
        "regions": pl.DataFrame({"region": ["coast", "inland"], "source": [True, False], "host": [False, True]}),
        "industries": pl.DataFrame({"industry": ["chips"], "depreciation": [0.1], "lead": [1], "utilisation": [0.9]}),
        "years": pl.DataFrame({"year": YEARS, "phase": phases, "observed": [True, False, False, False]}),
        "phases": pl.DataFrame(
            {
                "phase": ["one", "two", "three"],
                "release_share": [0.1, 0.2, 0.3],
                "release_total": [0.1, 0.4, 0.5],
                "trade_flexibility": [0.0, 0.2, 0.5],
            }
        ),
        "cells": pl.DataFrame({**cells, "capacity": [100.0, 10.0]}),
        "demand": pl.DataFrame({**cells, "demand": [60.0, 20.0], "growth": [0.0, 0.1]}),
        **more,
    }


def wider(**more: pl.DataFrame) -> Case:
    """Two industries, a second host, and three decided years of one phase."""
    regions, industries = ["coast", "inland", "upland"], ["chips", "cloth"]
    cells = {"region": [r for r in regions for _ in industries], "industry": industries * 3}
    return {
        "regions": pl.DataFrame({"region": regions, "source": [True, False, False], "host": [False, True, True]}),
        "industries": pl.DataFrame({"industry": industries, "depreciation": [0.0, 0.0], "lead": [0, 0]}),
        "years": pl.DataFrame({"year": [2026, 2027], "phase": ["one", "two"]}),
        "phases": pl.DataFrame({"phase": ["one", "two"]}),
        "cells": pl.DataFrame({**cells, "capacity": [100.0, 100, 10, 30, 30, 20]}),
        "demand": pl.DataFrame({**cells, "demand": [60.0, 60, 10, 10, 10, 10]}),
        **more,
    }


def capacity() -> Case:
    """Observed capacity where it is known, and an observed move; the host takes two years here."""
    case = base(
        observed=pl.DataFrame({"region": ["coast"], "industry": ["chips"], "year": [2025], "capacity": [95.0], "greenfield": [3.0]}),
        moves=pl.DataFrame({"source": ["coast"], "host": ["inland"], "industry": ["chips"], "year": [2025], "flow": [2.0]}),
    )
    return {**case, "industries": case["industries"].with_columns(lead=pl.lit(2))}


def output() -> Case:
    """A limit of capacity from the third year on."""
    case = base()
    limit = pl.DataFrame({"parameter": ["capacity_limit"] * 2, "region": ["inland"] * 2, "year": [2027, 2028], "value": [30.0, 40.0]})
    return {**case, "paths": limit}


def balance() -> Case:
    """Chips use chips and power; power travels one way; imports to the coast, exports from both."""
    cells = {"region": ["coast", "coast", "inland", "inland"], "industry": ["chips", "power"] * 2}
    case = base()
    return {
        **case,
        "industries": pl.DataFrame({"industry": ["chips", "power"]}),
        "years": case["years"].filter(pl.col("year") < 2028),
        "phases": case["phases"].filter(pl.col("phase") != "three"),
        "cells": pl.DataFrame({**cells, "capacity": [100.0, 50, 10, 30]}),
        "demand": pl.DataFrame({**cells, "demand": [60.0, 5, 20, 5], "growth": [0.0, 0.0, 0.1, 0.0]}),
        "inputs": pl.DataFrame(
            {
                "industry": ["chips", "power", "power"],
                "using": ["chips"] * 3,
                "region": [None, None, "inland"],
                "coefficient": [0.2, 0.1, 0.3],
            }
        ),
        "routes": pl.DataFrame(
            {"industry": ["power"], "origin": ["coast"], "destination": ["inland"], "flow": [4.0], "new": [1.0], "cost": [0.1]}
        ),
        "imports": pl.DataFrame({"region": ["coast"], "industry": ["chips"], "flow": [5.0], "cost": [1.5]}),
        "exports": pl.DataFrame(
            {"region": ["coast", "inland"], "industry": ["chips"] * 2, "market": ["sea"] * 2, "flow": [8.0, 2.0], "cost": [0.01, 0.02]}
        ),
        "markets": pl.DataFrame({"market": ["sea"], "growth": [0.5]}),
    }


def infrastructure() -> Case:
    """Parks that take a year and roads that take two."""
    return base(
        infrastructure=pl.DataFrame(
            {"kind": ["park", "road"], "lead": [1, 2], "depreciation": [0.0, 0.5], "service": [2.0, 4.0], "limit": [7.0, None]}
        ),
        stocks=pl.DataFrame({"region": ["inland"] * 2, "kind": ["park", "road"], "value": [30.0, 20.0]}),
        requirements=pl.DataFrame({"kind": ["park", "road"], "industry": ["chips"] * 2, "value": [1.0, 0.25]}),
    )


def labour() -> Case:
    """Trainees leave the plain and join the trained a year later; the supply of the plain grows."""
    case = base()
    return {
        **case,
        "cells": case["cells"].with_columns(productivity_growth=pl.lit(0.5)),
        "skills": pl.DataFrame(
            {
                "skill": ["plain", "trained"],
                "from": [None, "plain"],
                "migration_share": [0.1, 0.0],
                "migration_cost": [1.0, 0.0],
                "training_share": [0.0, 0.5],
                "training_lag": [1, 1],
                "training_cost": [0.0, 3.0],
            }
        ),
        "labour": pl.DataFrame(
            {
                "region": ["inland"] * 3,
                "skill": ["plain", "plain", "trained"],
                "year": [2025, 2028, None],
                "supply": [10.0, 16.0, 2.0],
                "wage": [6.0, 6.0, 9.0],
            }
        ),
        "staffing": pl.DataFrame({"industry": ["chips"] * 2, "skill": ["plain", "trained"], "value": [0.8, 0.16]}),
    }


def resources() -> Case:
    """Land that capacity takes, and energy that output takes, less each year, and that can be kept."""
    return base(
        resources=pl.DataFrame(
            {
                "resource": ["energy", "land"],
                "base": ["output", "capacity"],
                "unit": ["tce", "km2"],
                "banking": [True, False],
                "price": [0.1, 0.0],
            }
        ),
        intensities=pl.DataFrame(
            {"resource": ["energy", "land"], "industry": ["chips"] * 2, "value": [8.0, 0.5], "improvement": [0.5, 0.0]}
        ),
        limits=pl.DataFrame(
            {"resource": ["energy", "land", "land"], "region": ["inland"] * 3, "year": [None, 2027, 2028], "value": [50.0, 6.0, 7.0]}
        ),
    )


def carbon() -> Case:
    """A limit of the coast, and a national one from the third year on."""
    return base(
        resources=pl.DataFrame({"resource": ["carbon"], "unit": ["tonne"]}),
        intensities=pl.DataFrame(
            {"resource": ["carbon"] * 2, "industry": ["chips"] * 2, "region": ["coast", "inland"], "value": [1.0, 2.0]}
        ),
        limits=pl.DataFrame(
            {"resource": ["carbon"] * 3, "region": ["coast", None, None], "year": [None, 2027, 2028], "value": [70.0, 90.0, 80.0]}
        ),
    )


def enclaves() -> Case:
    """Two agreements of one menu for the same move, with terms of two years."""
    case = base(
        enclaves=pl.DataFrame(
            {
                "enclave": ["much", "some"],
                "source": ["coast"] * 2,
                "host": ["inland"] * 2,
                "share": [0.5, 0.2],
                "cost": [1.0, 2.0],
                "term": [2, 2],
                "flow": [4.0, None],
                "menu": ["only"] * 2,
                "cost_factor": [0.5, 1.0],
            }
        ),
        enclave_industries=pl.DataFrame({"enclave": ["much", "some"], "industry": ["chips"] * 2}),
    )
    regions = case["regions"].with_columns(enclave_limit=pl.Series([None, 1.0]))
    return {**case, "regions": regions, "industries": case["industries"].with_columns(tax_rate=pl.lit(0.1), relocation_cost=pl.lit(0.4))}


def support() -> Case:
    """Two instruments with falling response; the host lets in half of what it could take."""
    case = base()
    regions = case["regions"].with_columns(business_environment=pl.Series([1.0, 0.5]))
    return {
        **case,
        "regions": regions,
        "cells": case["cells"].with_columns(absorption=pl.Series([None, 10.0])),
        "instruments": pl.DataFrame({"instrument": ["land", "tax"], "cap": [0.5, None]}),
        "uptake": pl.DataFrame(
            {"instrument": ["land", "land", "tax"], "segment": [1, 2, 1], "response": [3.0, 1.0, 2.0], "width": [0.2, 0.4, 0.3]}
        ),
    }


def fiscal() -> Case:
    """Support, public infrastructure, training and an agreement, paid from a budget, a part of tax and compensation."""
    one = {**support(), **{k: v for k, v in infrastructure().items() if k in ("infrastructure", "stocks", "requirements")}}
    one |= {k: v for k, v in labour().items() if k in ("skills", "labour", "staffing")}
    agreed = enclaves()
    one |= {"enclaves": agreed["enclaves"].head(1), "enclave_industries": agreed["enclave_industries"].head(1)}
    return {
        **one,
        "regions": one["regions"].with_columns(own_revenue=pl.Series([0.0, 0.2])),
        "industries": agreed["industries"],
        "infrastructure": one["infrastructure"].with_columns(public=pl.Series([0.5, 1.0])),
        "budgets": pl.DataFrame({"region": ["inland", None, None], "year": [None, 2027, 2028], "value": [5.0, 6.0, 7.0]}),
        "compensation": pl.DataFrame({"region": ["coast"], "levy": [2.0]}),
    }


def agglomeration() -> Case:
    """Two steps of size inland."""
    return base(agglomeration=pl.DataFrame({"industry": ["chips"] * 2, "segment": [1, 2], "width": [15.0, 20.0], "saving": [0.0, 0.1]}))


def congestion() -> Case:
    """Two bends inland."""
    return base(congestion=pl.DataFrame({"industry": ["chips"] * 2, "segment": [1, 2], "from": [15.0, 25.0], "cost": [0.1, 0.2]}))


def sameness() -> Case:
    """Cloth may not gather, and the two hosts shall differ."""
    return wider(
        specialisation=pl.DataFrame({"industry": ["cloth"], "cap": [1.2]}),
        similarity=pl.DataFrame({"region": ["inland"], "other": ["upland"], "least": [0.4]}),
    )


def security() -> Case:
    """The hinterland's share of chips grows; use is given for one case and follows demand in the other."""
    return wider(
        security=pl.DataFrame(
            {"industry": ["chips", "chips", "cloth"], "year": [2026, 2027, None], "share": [0.2, 0.3, 0.4], "demand": [None, None, 150.0]}
        )
    )


def backup() -> Case:
    """Chips must survive the loss of the coast, and of the upland, from the second year on; emergencies allow a fifth more."""
    case = wider(backup=pl.DataFrame({"industry": ["chips"], "year": [2027], "tolerance": [0.4]}))
    return {
        **case,
        "regions": case["regions"].with_columns(backup_tested=pl.Series([True, False, True])),
        "industries": case["industries"].with_columns(surge=pl.lit(1.2), utilisation=pl.lit(0.9)),
    }


def jobs() -> Case:
    """A source that keeps most of its jobs, and a host with a floor."""
    case = labour()
    phases = case["phases"].with_columns(job_loss=pl.Series([0.1, 0.2, 0.4]))
    return {**case, "phases": phases, "jobs": pl.DataFrame({"region": ["inland"] * 2, "year": [2026, 2028], "floor": [1.0, 3.0]})}


def equity() -> Case:
    """Two hosts and a source with residents."""
    case = wider(inputs=pl.DataFrame({"industry": ["chips"], "using": ["cloth"], "coefficient": [0.25]}))
    return {
        **case,
        "regions": case["regions"].with_columns(population=pl.Series([100.0, 50.0, 50.0])),
        "phases": case["phases"].with_columns(equity=pl.Series([0.4, 0.8]), range=pl.Series([None, 0.5])),
    }


def gates() -> Case:
    """A gate of each kind; upland cloth is dirty for one more year."""
    case = wider(
        infrastructure=pl.DataFrame({"kind": ["park", "road"], "lead": [0, 0]}),
        resources=pl.DataFrame({"resource": ["carbon"]}),
        intensities=pl.DataFrame(
            {
                "resource": ["carbon"] * 2,
                "industry": ["cloth"] * 2,
                "region": ["inland", "upland"],
                "value": [3.0, 3.0],
                "improvement": [0.0, 0.5],
            }
        ),
        gates=pl.DataFrame(
            {
                "gate": ["build", "clean", "late", "share"],
                "kind": ["investment-share", "clean", "start", "capacity-share"],
                "phase": ["one", "one", "two", "two"],
                "group": ["road", None, "chips", "chips"],
                "value": [0.3, 2.0, None, 0.4],
                "resource": [None, "carbon", None, None],
            }
        ),
    )
    return {
        **case,
        "arcs": pl.DataFrame({"source": ["coast"] * 3, "host": ["inland", "upland", "upland"], "industry": ["cloth", "cloth", "chips"]}),
    }


def continuity() -> Case:
    """Ramps in the last two phases, and support whose change has a price."""
    case = support()
    return {**case, "phases": case["phases"].with_columns(ramp=pl.Series([None, 0.1, 0.2]))}


def roles() -> Case:
    """Inland is to hold most of the hosts' chips from the second year on."""
    return wider(
        groups=pl.DataFrame({"group": ["new"], "industry": ["chips"]}),
        roles=pl.DataFrame({"role": ["chips-inland"], "region": ["inland"], "group": ["new"], "share": [0.6], "year": [2027]}),
    )


GOLDEN: dict[str, Golden] = {
    "C1": Golden(capacity, ("C1",)),
    "C2": Golden(capacity, ("C2",), ("capital", "relocation")),
    "C3": Golden(output, ("C3",)),
    "C4": Golden(balance, ("C4",), ("transport", "imports")),
    "C5": Golden(infrastructure, ("C5",), ("infrastructure",)),
    "C6": Golden(labour, ("C6",), ("migration", "training")),
    "C7": Golden(resources, ("C7",), ("resources",)),
    "C8": Golden(carbon, ("use:carbon", "C8")),
    "C9": Golden(fiscal, ("C9",), ("public-funds",)),
    "C10": Golden(support, ("C10",)),
    "C11": Golden(enclaves, ("C11",), ("agreements", "relocation")),
    "C12": Golden(enclaves, ("C12",)),
    "C13": Golden(agglomeration, ("C13",), ("agglomeration",)),
    "C14": Golden(congestion, ("C14",), ("congestion",)),
    "C15": Golden(sameness, ("C15",)),
    "C15-exact": Golden(sameness, ("similarity", "difference_above", "difference_below"), (), {"similarity": "exact"}),
    "C16": Golden(security, ("C16",)),
    "C17": Golden(backup, ("C17",)),
    "C18": Golden(jobs, ("C18",)),
    "C19": Golden(equity, ("C19",)),
    "C20": Golden(gates, ("C20",)),
    "C21": Golden(continuity, ("C21",), ("continuity",), {"continuity": 0.5}),
    "C22": Golden(roles, ("C22",)),
}
"""Every family by its identifier, which names its file."""
