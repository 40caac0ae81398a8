"""From checked tables to a problem: sets in sorted order, parameters as arrays, links between dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pandas as pd
import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.plan import expand
from hinterland.plan.checks import contradictions
from hinterland.plan.checks_of_numbers import implausible
from hinterland.plan.defaults import with_defaults
from hinterland.plan.foreign import fail_if_label_unknown
from hinterland.plan.links import linked
from hinterland.plan.merge import fail_if_merge_impossible, merged
from hinterland.plan.problem import Problem
from hinterland.plan.provenance import documented
from hinterland.plan.schema import ParameterSpec, columns_of, parameters
from hinterland.plan.settings import Settings
from hinterland.plan.typed import Typed

_SETS = {
    "region": "regions",
    "industry": "industries",
    "resource": "resources",
    "skill": "skills",
    "kind": "infrastructure",
    "instrument": "instruments",
    "enclave": "enclaves",
    "gate": "gates",
}
_RELATIONS = ("arcs", "inputs", "routes", "exports", "agglomeration", "congestion", "similarity", "roles", "moves")
"""Tables whose rows are a dimension of their own."""
_NATIONAL = ("limits", "budgets")
"""Tables in which a row without region speaks of the nation."""


def inconsistent(read: Mapping[str, Typed], settings: Settings) -> list[Finding]:
    """What is wrong between tables: years with holes, labels that no table introduces, rules that contradict each other or lack what they need."""
    return [*_years(read), *fail_if_label_unknown(read), *contradictions(read, settings)]


def assembled(read: Mapping[str, Typed], settings: Settings, findings: tuple[Finding, ...] = ()) -> Problem:
    """The problem of tables between which nothing is wrong (:func:`inconsistent`).

    Raises:
        InputError: rows of cells that do not exist, numbers that contradict each other.
    """
    index = _index(read)
    cells = _cells(read)
    index["cell"] = pd.Index([f"{r}/{i}" for r, i in cells.select("region", "industry").rows()], name="cell")
    relations = linked(read, index, cells)
    index |= relations.index
    data, found = _parameters(read, index, cells)
    data |= relations.data
    fail_if_any([*relations.findings, *found], "the case", InputError)
    problem = _merged(read, Problem(settings, index, data, relations.links, _texts(read), documented(read), findings))
    problem = with_defaults(problem)
    doubts = implausible(problem)
    fail_if_any(doubts, "the case", InputError)
    return replace(problem, findings=(*findings, *doubts))


def _merged(read: Mapping[str, Typed], problem: Problem) -> Problem:
    """The problem with the regions merged that the table of regions says.

    Raises:
        InputError: regions about which something is decided.
    """
    frame = read["regions"].frame
    if "merge" not in frame.columns or frame["merge"].null_count() == frame.height:
        return problem
    rows = frame.filter(pl.col("merge").is_not_null() & (pl.col("merge") != ""))
    into = dict(zip(rows["region"], rows["merge"], strict=True))
    fail_if_any(fail_if_merge_impossible(problem, into), "the case", InputError)
    said = {f"name_{lang}": pl.col(f"merge_{lang}").drop_nulls().first() for lang in ("en", "zh") if f"merge_{lang}" in rows.columns}
    names = rows.group_by("merge", maintain_order=True).agg(**said).rename({"merge": "region"})
    return merged(problem, into, names)


def _index(read: Mapping[str, Typed]) -> dict[str, pd.Index[Any]]:
    """Labels of each dimension that a table introduces, sorted; years and phases in the order of time."""
    index = {dim: pd.Index(sorted(_column(read, table, dim)), name=dim, dtype=object) for dim, table in _SETS.items()}
    years = read["years"].frame.sort("year")
    index["year"] = pd.Index(years["year"].to_list(), name="year")
    named = years["phase"].to_list() if "phase" in years.columns else ["all"] * years.height
    index["phase"] = pd.Index(list(dict.fromkeys(named)), name="phase", dtype=object)
    index["market"] = pd.Index(sorted(set(_column(read, "exports", "market"))), name="market", dtype=object)
    index["segment"] = pd.Index(sorted(set(_column(read, "uptake", "segment"))), name="segment")
    index["role"] = pd.Index(sorted(set(_column(read, "roles", "role"))), name="role", dtype=object)
    return index


def _column(read: Mapping[str, Typed], table: str, column: str) -> list[Any]:
    return [] if table not in read else read[table].frame[column].drop_nulls().to_list()


def _cells(read: Mapping[str, Typed]) -> pl.DataFrame:
    keys = read["cells"].frame.select("region", "industry").sort("region", "industry")
    return keys.with_row_index("_cell")


def _years(read: Mapping[str, Typed]) -> list[Finding]:
    """Years follow one another, each in one phase, and observed ones come first."""
    frame = read["years"].frame.sort("year")
    years = frame["year"].drop_nulls().to_list()
    findings = []
    holes = [y for y in range(years[0], years[-1] + 1) if y not in years] if years else []
    if holes:
        findings.append(
            Finding("years-with-holes", f"years {listed(holes)} are missing", "years", "give every year from the first to the last")
        )
    phases = frame["phase"].to_list() if "phase" in frame.columns else []
    if None in phases:
        where = listed([y for y, p in zip(frame["year"], phases, strict=True) if p is None])
        findings.append(
            Finding("year-without-phase", f"years {where} are in no phase", "years, column 'phase'", "give each year its phase")
        )
    starts = [p for p, q in zip(phases, [None, *phases], strict=False) if p != q]
    again = [p for p in dict.fromkeys(starts) if starts.count(p) > 1]
    if again:
        findings.append(
            Finding("phase-twice", f"phase {listed(again)} stops and starts again", "years, column 'phase'", "make it one span")
        )
    seen = frame["observed"].to_list() if "observed" in frame.columns else []
    if any(b and not a for a, b in pairwise(seen)):
        findings.append(Finding("observed-after-decided", "an observed year follows a decided one", "years", "observed years come first"))
    if seen and all(seen):
        findings.append(Finding("nothing-to-decide", "every year is observed", "years, column 'observed'", "add years to plan"))
    return findings


def _parameters(read: Mapping[str, Typed], index: Mapping[str, pd.Index[Any]], cells: pl.DataFrame) -> tuple[dict[str, Any], list[Finding]]:
    """Every parameter that is a number or a flag and no column of a relation."""
    data: dict[str, Any] = {}
    findings: list[Finding] = []
    for spec in parameters().values():
        if spec.kind == "text" or spec.table in _RELATIONS:
            continue
        array = expand.filled(spec, index)
        table = read.get(spec.table)
        if table is not None and spec.column in table.frame.columns:
            rows = table.frame.select(*table.keys, value=spec.column).filter(pl.col("value").is_not_null() & _scope(spec, table))
            if spec.kind != "flag":
                rows = expand.over_years(rows, table.keys, index["year"].to_list())
            array, more = expand.placed(array, rows, table.keys, cells, f"{spec.table}, column {spec.column!r}")
            findings += more
        data[spec.name] = array
    return data, findings + _paths(read, data, index, cells)


def _scope(spec: ParameterSpec, table: Typed) -> pl.Expr:
    """In tables where a row without region speaks of the nation: the rows that speak of what the parameter does."""
    if spec.table not in _NATIONAL or "region" not in table.keys:
        return pl.lit("region" not in spec.dims) if spec.table in _NATIONAL else pl.lit(True)
    return pl.col("region").is_not_null() if "region" in spec.dims else pl.col("region").is_null()


def _paths(read: Mapping[str, Typed], data: dict[str, Any], index: Mapping[str, pd.Index[Any]], cells: pl.DataFrame) -> list[Finding]:
    """Write the table of paths over the parameters that it names."""
    if "paths" not in read:
        return []
    table = read["paths"]
    keys = [k for k in table.keys if k != "parameter"]
    findings: list[Finding] = []
    for (name,), part in table.frame.partition_by("parameter", as_dict=True, maintain_order=True).items():
        where = f"paths, parameter {name!r}"
        if name not in data:
            findings.append(
                Finding("unknown-parameter", f"there is no parameter {name!r} that paths could give", where, did_you_mean(str(name), data))
            )
            continue
        rows = part.select(*keys, "value")
        extra = [k for k in keys if k not in (*parameters()[str(name)].dims,) and rows[k].null_count() < rows.height]
        if extra:
            findings.append(Finding("key-too-many", f"{name} does not vary by {listed(extra)}", where, "leave the column empty"))
            continue
        used = [k for k in keys if rows[k].null_count() < rows.height]
        rows = expand.over_years(rows.select(*used, "value"), used, index["year"].to_list())
        data[str(name)], more = expand.placed(data[str(name)], rows, used, cells, where)
        findings += more
    return findings


def _texts(read: Mapping[str, Typed]) -> dict[str, pl.DataFrame]:
    """Tables of words: by the singular name of what they speak of."""
    names = {"groups": "group", "regions": "region", "industries": "industry", "phases": "phase", "roles": "role", "gates": "gate"}
    names |= {"resources": "resource", "skills": "skill", "instruments": "instrument", "enclaves": "enclave", "years": "year"}
    out = {}
    for table, name in names.items():
        if table in read:
            text = [
                p.column
                for p in columns_of(table).values()
                if p.kind == "text" and p.column in read[table].frame.columns and not p.column.startswith("merge")
            ]
            keys = read[table].spec.keys
            out[name] = read[table].frame.select(*keys, *(c for c in text if c not in keys))
        else:
            out[name] = pl.DataFrame(schema={name: pl.String, **({"industry": pl.String} if name == "group" else {})})
    if "enclave_industries" in read:
        out["enclave_industry"] = read["enclave_industries"].frame.select("enclave", "industry")
    return out
