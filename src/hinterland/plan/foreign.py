"""Labels that point from one table to another must exist there."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.pools import wrong_pools
from hinterland.plan.typed import Typed

POINTS_TO = {
    "region": ("regions", "region"),
    "other": ("regions", "region"),
    "origin": ("regions", "region"),
    "destination": ("regions", "region"),
    "source": ("regions", "region"),
    "host": ("regions", "region"),
    "industry": ("industries", "industry"),
    "using": ("industries", "industry"),
    "year": ("years", "year"),
    "resource": ("resources", "resource"),
    "skill": ("skills", "skill"),
    "from": ("skills", "skill"),
    "kind": ("infrastructure", "kind"),
    "instrument": ("instruments", "instrument"),
    "enclave": ("enclaves", "enclave"),
    "market": ("exports", "market"),
}
"""Columns that hold the key of another table."""
_OWN = {"regions": ("region", "source", "host"), "congestion": ("from",), "gates": ("kind",), "provenance": ("source",)}
"""Columns of the same name that point nowhere."""


def fail_if_label_unknown(read: Mapping[str, Typed]) -> list[Finding]:
    """Every label of a key must be in the table that introduces it; so must phases and groups that rules name."""
    findings = [f for name, table in read.items() for column in table.frame.columns for f in _column(read, name, column)]
    phases = read["years"].frame["phase"].drop_nulls().to_list() if "phase" in read["years"].frame.columns else ["all"]
    for name, column in (("phases", "phase"), ("gates", "phase")):
        findings += _labels(read, name, column, phases, "years")
    industries = read["industries"].frame["industry"].to_list()
    groups = [*(read["groups"].frame["group"].to_list() if "groups" in read else []), *industries]
    findings += _labels(read, "roles", "group", groups, "groups")
    if "gates" in read and "kind" in read["gates"].frame.columns:
        findings += _gate_groups(read, groups)
    return findings + _enclaves(read) + wrong_pools(read)


def _column(read: Mapping[str, Typed], name: str, column: str) -> list[Finding]:
    if column not in POINTS_TO or column in _OWN.get(name, ()):
        return []
    table, key = POINTS_TO[column]
    if name == table and column == key:
        return []
    have = read[table].frame[key].to_list() if table in read else []
    return _labels(read, name, column, have, table)


def _labels(read: Mapping[str, Typed], name: str, column: str, have: list[object], table: str) -> list[Finding]:
    if name not in read or column not in read[name].frame.columns:
        return []
    values = read[name].frame[column].drop_nulls().unique(maintain_order=True)
    lost = [v for v in values.to_list() if v not in set(have)]
    if not lost:
        return []
    where = f"{name}, column {column!r}"
    return [
        Finding("unknown-label", f"{column} {listed(lost)} is not in table {table!r}", where, did_you_mean(str(lost[0]), map(str, have)))
    ]


KINDS_OF_GATES = ("investment-share", "start", "capacity-share", "clean")


def _gate_groups(read: Mapping[str, Typed], groups: list[object]) -> list[Finding]:
    frame = read["gates"].frame
    kinds = read["infrastructure"].frame["kind"].to_list() if "infrastructure" in read else []
    findings = []
    for row in frame.iter_rows(named=True):
        where = f"gates, {row['gate']}"
        if row["kind"] not in KINDS_OF_GATES:
            findings.append(
                Finding("unknown-gate", f"a gate has no kind {row['kind']!r}", where, did_you_mean(str(row["kind"]), KINDS_OF_GATES))
            )
            continue
        known = kinds if row["kind"] == "investment-share" else groups
        names = [n for n in str(row.get("group") or "").split(";") if n]
        lost = [n for n in names if n not in known]
        if lost:
            findings.append(Finding("unknown-label", f"the gate speaks of {listed(lost)}", where, did_you_mean(lost[0], map(str, known))))
    return findings


def _enclaves(read: Mapping[str, Typed]) -> list[Finding]:
    """An agreement needs industries, and ties two different regions."""
    if "enclaves" not in read:
        return []
    frame = read["enclaves"].frame
    findings = [
        Finding("missing-column", f"table 'enclaves' lacks {c!r}", "enclaves", f"name the region that is the {c}")
        for c in ("source", "host")
        if c not in frame.columns
    ]
    if findings:
        return findings
    bare = set(frame["enclave"].to_list()) - set(
        read["enclave_industries"].frame["enclave"].to_list() if "enclave_industries" in read else []
    )
    if bare:
        findings.append(
            Finding(
                "enclave-without-industries",
                f"{listed(sorted(bare))} have no industries",
                "enclave_industries",
                "add a row for each industry",
            )
        )
    same = frame.filter(pl.col("source") == pl.col("host"))["enclave"].to_list()
    if same:
        findings.append(Finding("enclave-at-home", f"{listed(same)} lead from a region to itself", "enclaves", "name two regions"))
    return findings
