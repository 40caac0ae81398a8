"""Cases with one thing wrong each, by the code of the finding that names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from cases import every

Case = dict[str, Any]
Break = Callable[[Case], Case]


def put(table: str, **columns: Any) -> Break:
    """A table with columns set: a list by row, or one value for all."""

    def change(case: Case) -> Case:
        frame = case[table]
        new = {k: pl.Series(k, v, strict=False) if isinstance(v, list) else pl.lit(v).alias(k) for k, v in columns.items()}
        return {**case, table: frame.with_columns(**new)}

    return change


def cell(table: str, column: str, row: int, value: Any) -> Break:
    """A table with one value set."""

    def change(case: Case) -> Case:
        values = case[table][column].to_list()
        values[row] = value
        return {**case, table: case[table].with_columns(pl.Series(column, values, strict=False))}

    return change


def more(table: str, **row: Any) -> Break:
    """A table with one more row."""

    def change(case: Case) -> Case:
        frame = case[table]
        return {**case, table: pl.concat([frame, pl.DataFrame([row])], how="diagonal_relaxed")}

    return change


def drop(table: str, *columns: str) -> Break:
    """A table without columns, or a case without a table."""

    def change(case: Case) -> Case:
        if columns:
            return {**case, table: case[table].drop(columns)}
        return {name: frame for name, frame in case.items() if name != table}

    return change


def table(name: str, **columns: Any) -> Break:
    """A case with a table of these columns, over the one that it has."""
    return lambda case: {**case, name: pl.DataFrame(columns, strict=False)}


def both(*changes: Break) -> Break:
    def change(case: Case) -> Case:
        for one in changes:
            case = one(case)
        return case

    return change


ERRORS: list[tuple[str, str, Break]] = [
    # one table
    ("unknown-column", "column 'capacty'", put("cells", capacty=1.0)),
    ("missing-column", "lacks its key 'industry'", drop("cells", "industry")),
    ("blank-key", "region is empty in row 2", cell("demand", "region", 1, None)),
    ("not-whole", "year is '2025.5'", cell("years", "year", 0, 2025.5)),
    ("not-whole", "lead is 1.5", put("industries", lead=1.5)),
    ("not-a-flag", "relocatable is 'perhaps'", put("industries", relocatable=["yes", "perhaps", "no"])),
    ("not-a-number", "capacity is 'much'", put("cells", capacity=["much", *["1"] * 8])),
    ("not-finite", "capacity has inf", cell("cells", "capacity", 0, float("inf"))),
    ("out-of-range", "depreciation is 1.5", put("industries", depreciation=1.5)),
    ("out-of-range", "capacity is -1.0", cell("cells", "capacity", 0, -1.0)),
    ("duplicate-row", "several rows for 'hill'", lambda c: {**c, "budgets": pl.concat([c["budgets"], c["budgets"].head(1)])}),
    ("empty-table", "table 'cells' has no rows", lambda c: {**c, "cells": c["cells"].clear()}),
    # tables of the case
    ("missing-table", "table 'phases' is missing", drop("phases")),
    ("unknown-table", "no table 'enclave'", table("enclave", enclave=["x"])),
    # years
    ("years-with-holes", "years 2028 are missing", lambda c: {**c, "years": c["years"].filter(pl.col("year") != 2028)}),
    ("year-without-phase", "years 2026 are in no phase", cell("years", "phase", 1, None)),
    ("phase-twice", "phase 'two', 'three' stops and starts again", cell("years", "phase", 2, "three")),
    ("observed-after-decided", "follows a decided one", cell("years", "observed", 2, True)),
    ("nothing-to-decide", "every year is observed", put("years", observed=True)),
    # labels
    ("unknown-label", "region 'hil' is not in table 'regions'", cell("demand", "region", 0, "hil")),
    ("unknown-label", "phase 'four' is not in table 'years'", cell("phases", "phase", 2, "four")),
    ("unknown-label", "from 'none' is not in table 'skills'", cell("skills", "from", 1, "none")),
    ("unknown-label", "group 'nothing' is not in table 'groups'", cell("roles", "group", 0, "nothing")),
    ("unknown-label", "the gate speaks of 'rail'", cell("gates", "group", 0, "rail")),
    ("unknown-label", "resource 'water' is not in table 'resources'", cell("limits", "resource", 0, "water")),
    ("unknown-label", "year 2040 is not in table 'years'", more("jobs", region="hill", year=2040, floor=1.0)),
    ("unknown-gate", "a gate has no kind 'open'", cell("gates", "kind", 1, "open")),
    ("unknown-parameter", "no parameter 'wages'", put("paths", parameter="wages")),
    ("key-too-many", "capex does not vary by 'skill'", put("paths", parameter="capex")),
    # cells and arcs
    (
        "unknown-cell",
        "no cell for 'plain, power'",
        lambda c: {**c, "cells": c["cells"].filter(~((pl.col("region") == "plain") & (pl.col("industry") == "power")))},
    ),
    ("unknown-cell", "rows of routes lead to no cell", lambda c: {**c, "cells": c["cells"].head(8)}),
    (
        "arc-at-home",
        "lead from a region to itself",
        both(put("regions", source=[True, True, False]), table("arcs", source=["hill"], host=["hill"], industry=["cloth"])),
    ),
    ("arc-without-flag", "'hill' as source", table("arcs", source=["hill"], host=["plain"], industry=["cloth"])),
    ("arc-without-flag", "'east' as host", table("arcs", source=["hill"], host=["east"], industry=["cloth"])),
    (
        "arc-beside-agreement",
        "east, plain, cloth, east-hill",
        table("arcs", source=["east"], host=["plain"], industry=["cloth"], enclave=["east-hill"]),
    ),
    (
        "arc-beside-agreement",
        "east, hill, cloth, east-hill",
        table("arcs", source=["east"], host=["hill"], industry=["cloth"], enclave=["east-hill"]),
    ),
    ("route-at-home", "'hill, power'", more("routes", industry="power", origin="hill", destination="hill", flow=1.0, cost=0.1)),
    # agreements
    ("missing-column", "table 'enclaves' lacks 'host'", drop("enclaves", "host")),
    (
        "enclave-without-industries",
        "'east-hill' have no industries",
        lambda c: {**c, "enclave_industries": c["enclave_industries"].tail(2)},
    ),
    ("enclave-at-home", "'east-hill' lead from a region to itself", cell("enclaves", "host", 0, "east")),
    ("agreement-without-flag", "the host of 'east-hill'", both(cell("enclaves", "host", 0, "east"), cell("enclaves", "source", 0, "hill"))),
    # rules
    ("gate-incomplete", "the gate has no kind", cell("gates", "kind", 1, None)),
    ("gate-incomplete", "the gate has no phase", cell("gates", "phase", 1, None)),
    ("gate-incomplete", "kind clean needs a resource", cell("gates", "resource", 3, None)),
    ("gate-incomplete", "kind investment-share needs a group", cell("gates", "group", 0, None)),
    ("role-without-group", "names no group", cell("roles", "group", 0, None)),
    ("role-contradicts-itself", "differ in share: 0.6, 0.5", more("roles", role="chips-hill", region="plain", group="emerging", share=0.5)),
    ("pair-of-one", "'hill' shall differ from itself", cell("similarity", "other", 0, "hill")),
    ("step-without-width", "'land, 2'", cell("uptake", "width", 1, None)),
    ("response-rises", "the response to land is 3.0, 4.0", cell("uptake", "response", 1, 4.0)),
    ("step-without-width", "a step before the last", cell("agglomeration", "width", 0, None)),
    ("saving-falls", "savings are 0.05, 0.02", cell("agglomeration", "saving", 0, 0.05)),
    ("unknown-base", "multiplies 'outptu'", cell("resources", "base", 0, "outptu")),
    ("limit-rises", "carbon in the nation rises from", cell("limits", "value", 6, 1300.0)),
    ("skill-from-itself", "trainees of 'trained'", cell("skills", "from", 1, "trained")),
    ("labour-with-holes", "hill has people of some skills and years only", lambda c: {**c, "labour": c["labour"].tail(5)}),
    ("equity-without-residents", "phases ask for equity", drop("regions", "population")),
    ("backup-incomplete", "'chips' must survive", drop("backup", "tolerance")),
    (
        "observed-moves-too-large",
        "sends away 500 in 2025",
        both(cell("moves", "flow", 0, 500.0), lambda c: {**c, "observed": c["observed"].filter(pl.col("region") != "east")}),
    ),
]
"""Code of the finding, a part of what it says, and how the case with every table is broken."""

WARNINGS: list[tuple[str, str, Break]] = [
    ("no-moves", "no region carries the flag 'source'", both(put("regions", source=False), *(drop(t) for t in ("enclaves", "enclave_industries", "moves")))),
    ("arc-of-fixed-industry", "arcs move 'power'", both(table("arcs", source=["east"] * 2, host=["hill"] * 2, industry=["cloth", "power"]))),
    ("agreement-without-arcs", "'east-hill', 'east-plain'", table("arcs", source=["east"], host=["hill"], industry=["cloth"])),
    ("gate-without-cells", "no host has a cell of 'green'", both(*(lambda c, t=t: {**c, t: c[t].filter(~((pl.col("region") != "east") & (pl.col("industry") == "power")))} for t in ("cells", "demand", "observed")), lambda c: {**c, "routes": c["routes"].filter(pl.col("industry") != "power"), "inputs": c["inputs"].filter(pl.col("industry") != "power")})),
    ("role-without-host", "none of the role's regions is a host", cell("roles", "region", 0, "east")),
    ("instrument-without-response", "'tax' bring nothing", lambda c: {**c, "uptake": c["uptake"].head(2)}),
    ("support-without-absorption", "no cell says what it takes in", drop("cells", "absorption")),
    ("limit-without-intensity", "'land' are limited", lambda c: {**c, "intensities": c["intensities"].head(3)}),
    ("jobs-without-staffing", "output employs no one", drop("staffing")),
    ("observed-in-decided-year", "observed speaks of 2026", more("observed", region="east", industry="chips", year=2026, capacity=1.0)),
    ("observed-in-decided-year", "moves speaks of 2027", more("moves", source="east", host="hill", industry="cloth", year=2027, flow=1.0)),
    ("phase-without-rules", "phases 'three' have no row", lambda c: {**c, "phases": c["phases"].head(2)}),
    ("inputs-above-output", "hill/cloth 1.1", cell("inputs", "coefficient", 3, 1.0)),
    ("demand-without-supply", "'plain/chips'", both(cell("cells", "capacity", 6, 0.0), lambda c: {**c, "routes": c["routes"].filter(~((pl.col("destination") == "plain") & (pl.col("industry") == "chips")))})),
    ("equity-without-residents", "residents of 'hill'", cell("regions", "population", 1, None)),
    ("backup-untested", "no region's loss is tested", put("regions", backup_tested=False)),
    ("backup-untested", "no industry says what may fail", drop("backup")),
    ("unknown-parameter", "provenance documents 'respons'", cell("provenance", "parameter", 0, "respons")),
]  # fmt: skip


def broken(change: Break) -> Case:
    return change(every())
