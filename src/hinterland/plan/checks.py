"""Tables that are legal one by one and contradict each other, or leave out what a rule needs and would be passed over without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.provenance import wrong_provenance
from hinterland.plan.schema import columns_of, tables
from hinterland.plan.settings import Settings
from hinterland.plan.typed import Typed

Read = Mapping[str, Typed]


def contradictions(read: Read, settings: Settings) -> list[Finding]:
    """What is wrong between the tables of a case; labels are checked elsewhere, and a table whose labels are wrong may be here too."""
    checks = (
        _empty,
        _flags,
        _arcs,
        _arcs_under_agreements,
        _agreements,
        _gates,
        _roles,
        _pairs,
        _support,
        _sizes,
        _resources,
        _people,
        _years,
        _emergencies,
        wrong_provenance,
    )
    return [f for check in checks for f in check(read)] + list(_chosen(read, settings))


_TYPES: Mapping[str, Any] = {"number": pl.Float64, "whole": pl.Float64, "flag": pl.Boolean, "text": pl.String}


def _rows(read: Read, table: str) -> pl.DataFrame:
    """The rows of a table; none where it is not there. Columns that the schema has and the table lacks are empty."""
    spec = tables()[table]
    types = {k: pl.Int64 if k in ("year", "segment") else pl.String for k in (*spec.keys, *spec.optional_keys)}
    types |= {p.column: _TYPES[p.kind] for p in columns_of(table).values() if p.column not in types}
    frame = read[table].frame if table in read else pl.DataFrame(schema=types)
    return frame.with_columns(pl.lit(None, dtype=t).alias(n) for n, t in types.items() if n not in frame.columns)


def _given(read: Read, table: str, column: str) -> bool:
    return table in read and column in read[table].frame.columns


def flagged(read: Read, flag: str) -> list[str]:
    """Regions that carry a flag."""
    frame = _rows(read, "regions")
    return frame.filter(pl.col(flag).cast(pl.Boolean).fill_null(False))["region"].to_list() if frame.height else []


def _empty(read: Read) -> Iterator[Finding]:
    for name, spec in tables().items():
        if spec.required and name in read and not read[name].frame.height:
            yield Finding("empty-table", f"table {name!r} has no rows: {spec.meaning}", name, "add its rows")


def _flags(read: Read) -> Iterator[Finding]:
    """Moves need regions that send and regions that receive; routes need two regions."""
    for flag, verb in (("source", "leave"), ("host", "enter")):
        if not flagged(read, flag):
            what = f"no region carries the flag {flag!r}, and nothing can move"
            yield Finding("no-moves", what, f"regions, column {flag!r}", f"flag the regions that industry may {verb}", "warning")
    routes = _rows(read, "routes")
    home = routes.filter(pl.col("origin") == pl.col("destination"))
    if home.height:
        shown = listed([f"{r}, {i}" for r, i in home.select("origin", "industry").rows()])
        yield Finding("route-at-home", f"{home.height} routes lead from a region to itself: {shown}", "routes", "remove them")


def _arcs(read: Read) -> Iterator[Finding]:
    """Given arcs lead from sources to hosts, in industries that may move."""
    arcs = _rows(read, "arcs")
    if not arcs.height:
        return
    for end, flag in (("source", "source"), ("host", "host")):
        lost = [r for r in arcs[end].unique(maintain_order=True).to_list() if r not in flagged(read, flag)]
        if lost:
            what = f"arcs name {listed(lost)} as {end}, which does not carry the flag {flag!r}"
            yield Finding("arc-without-flag", what, f"arcs, column {end!r}", f"set {flag} in regions, or remove the arcs")
    if _given(read, "industries", "relocatable"):
        fixed = read["industries"].frame.filter(~pl.col("relocatable"))["industry"].to_list()
        lost = arcs.filter(pl.col("industry").is_in(fixed))["industry"].unique(maintain_order=True).to_list()
        if lost:
            what = f"arcs move {listed(lost)}, which is not relocatable"
            yield Finding("arc-of-fixed-industry", what, "arcs", "set relocatable, or remove the arcs", "warning")


def _arcs_under_agreements(read: Read) -> Iterator[Finding]:
    """Given arcs fit the agreement that they name, and every agreement has some."""
    arcs = _rows(read, "arcs")
    if not arcs.height:
        return
    agreed = _rows(read, "enclaves").select("enclave", "source", "host")
    pacts = _rows(read, "enclave_industries").select("enclave", "industry")
    named = arcs.filter(pl.col("enclave").is_not_null()).select("source", "host", "industry", "enclave")
    keys = [(table, on) for table, on in ((agreed, ["enclave", "source", "host"]), (pacts, ["enclave", "industry"])) if table.height]
    beside = pl.concat([named.clear(), *(named.join(table, on=on, how="anti") for table, on in keys)]).unique(maintain_order=True)
    if beside.height:
        shown = listed([", ".join(map(str, r)) for r in beside.rows()])
        what = f"arcs name agreements that do not cover them: {shown}"
        yield Finding("arc-beside-agreement", what, "arcs, column 'enclave'", "correct either")
    bare = [e for e in agreed["enclave"].to_list() if e not in named["enclave"].to_list()]
    if bare:
        what = f"{listed(bare)} have no arcs, and nothing can move under them"
        yield Finding("agreement-without-arcs", what, "arcs", "add arcs that name them", "warning")


def _agreements(read: Read) -> Iterator[Finding]:
    """Agreements tie a source to a host."""
    frame = _rows(read, "enclaves")
    for end in ("source", "host"):
        lost = [e for e, r in frame.select("enclave", end).rows() if r is not None and r not in flagged(read, end)] if frame.height else []
        if lost:
            what = f"the {end} of {listed(lost)} does not carry the flag {end!r}"
            yield Finding("agreement-without-flag", what, f"enclaves, column {end!r}", f"set {end} in regions, or name another region")


_NEEDS = {"investment-share": "group", "start": "group", "capacity-share": "group", "clean": "resource"}


def _gates(read: Read) -> Iterator[Finding]:
    """Each gate says its phase, and what it speaks of."""
    for row in _rows(read, "gates").iter_rows(named=True):
        where = f"gates, {row['gate']}"
        if not row["kind"] or not row["phase"]:
            lacks = "kind" if not row["kind"] else "phase"
            yield Finding("gate-incomplete", f"the gate has no {lacks}", where, f"give its {lacks}")
        elif row["kind"] in _NEEDS and not row[_NEEDS[row["kind"]]]:
            what = f"a gate of kind {row['kind']} needs a {_NEEDS[row['kind']]}"
            yield Finding("gate-incomplete", what, where, f"give its {_NEEDS[row['kind']]}")


def _roles(read: Read) -> Iterator[Finding]:
    """Each role has one group, one share and one year, and a host that can fill it."""
    frame = _rows(read, "roles")
    for (role,), part in frame.partition_by("role", as_dict=True, maintain_order=True).items() if frame.height else ():
        where = f"roles, {role}"
        if part["group"].drop_nulls().n_unique() == 0:
            yield Finding("role-without-group", "the role names no group of industries", where, "give its group")
        for column in ("group", "share", "year"):
            values = part[column].drop_nulls().unique(maintain_order=True).to_list()
            if len(values) > 1:
                yield Finding(
                    "role-contradicts-itself", f"rows of the role differ in {column}: {listed(values)}", where, "give the same in each row"
                )
        if not set(part["region"].to_list()) & set(flagged(read, "host")):
            yield Finding(
                "role-without-host", "none of the role's regions is a host, and it asks for nothing", where, "name hosts", "warning"
            )


def _pairs(read: Read) -> Iterator[Finding]:
    frame = _rows(read, "similarity")
    same = frame.filter(pl.col("region") == pl.col("other"))["region"].to_list() if frame.height else []
    if same:
        yield Finding("pair-of-one", f"{listed(same)} shall differ from itself", "similarity", "name two regions")


def _support(read: Read) -> Iterator[Finding]:
    """Steps of response have a width and fall, and instruments have steps."""
    frame = _rows(read, "uptake")
    if frame.height:
        bare = frame.filter(pl.col("width").is_null())
        if bare.height:
            shown = listed([f"{i}, {s}" for i, s in bare.select("instrument", "segment").rows()])
            yield Finding(
                "step-without-width", f"steps of response have no width: {shown}", "uptake, column 'width'", "give each its width"
            )
    idle = [i for i in _rows(read, "instruments")["instrument"].to_list() if i not in frame["instrument"].to_list()]
    if idle:
        yield Finding(
            "instrument-without-response",
            f"{listed(idle)} bring nothing: the table uptake has no steps of them",
            "uptake",
            "add their steps",
            "warning",
        )
    if frame.height and not (_given(read, "cells", "absorption") or "absorption" in _rows(read, "paths")["parameter"].to_list()):
        what = "support can bring nothing: no cell says what it takes in without it"
        yield Finding("support-without-absorption", what, "cells, column 'absorption'", "say what hosts' cells take in", "warning")


def _sizes(read: Read) -> Iterator[Finding]:
    """Steps of agglomeration save more with each; all but the last end somewhere."""
    frame = _rows(read, "agglomeration")
    for key, part in frame.partition_by("region", "industry", as_dict=True, maintain_order=True).items() if frame.height else ():
        steps, where = part.sort("segment"), f"agglomeration, {', '.join(str(k) for k in key if k is not None)}"
        saving = steps["saving"].cast(pl.Float64).fill_null(0.0)
        if (saving.diff().fill_null(0.0) < 0).any():
            what = f"savings are {listed(saving.to_list())}: they do not rise from step to step"
            yield Finding("saving-falls", what, where, "order the steps by size; where size makes production dearer use congestion")
        if steps.head(steps.height - 1)["width"].null_count():
            yield Finding("step-without-width", "a step before the last has no width", where, "give each its width")


def _resources(read: Read) -> Iterator[Finding]:
    """Intensities multiply output or capacity; a limit needs intensities."""
    for row in _rows(read, "resources").iter_rows(named=True):
        if row["base"] and row["base"] not in ("output", "capacity"):
            remedy = did_you_mean(row["base"], ("output", "capacity"))
            yield Finding(
                "unknown-base", f"the intensity of {row['resource']} multiplies {row['base']!r}", "resources, column 'base'", remedy
            )
    taken = [
        *_rows(read, "intensities")["resource"].to_list(),
        *_rows(read, "paths").filter(pl.col("parameter") == "intensity")["resource"].to_list(),
    ]
    idle = [r for r in _rows(read, "limits")["resource"].unique(maintain_order=True).to_list() if r not in taken]
    if idle:
        yield Finding(
            "limit-without-intensity", f"{listed(idle)} are limited and nothing takes of them", "limits", "add intensities", "warning"
        )


def _people(read: Read) -> Iterator[Finding]:
    """Trainees come from another skill; floors of jobs need staffing; equity needs residents."""
    frame = _rows(read, "skills")
    own = frame.filter(pl.col("from") == pl.col("skill"))["skill"].to_list() if frame.height else []
    if own:
        yield Finding(
            "skill-from-itself", f"trainees of {listed(own)} have the skill before", "skills, column 'from'", "name another skill, or none"
        )
    if "jobs" in read and not _rows(read, "staffing").height:
        yield Finding(
            "jobs-without-staffing", "there are floors of jobs, and output employs no one", "staffing", "add what output employs", "warning"
        )


def _years(read: Read) -> Iterator[Finding]:
    """What was observed belongs to observed years; phases have rules."""
    years = _rows(read, "years")
    seen = years.filter(pl.col("observed").cast(pl.Boolean).fill_null(False))["year"].to_list() if years.height else []
    for table in ("observed", "moves"):
        late = sorted({y for y in _rows(read, table)["year"].to_list() if y is not None} - set(seen))
        if late:
            what = f"{table} speaks of {listed(late)}, which are to be decided: those rows are not used"
            yield Finding("observed-in-decided-year", what, table, "flag the years as observed, or remove the rows", "warning")
    phases = [p for p in years["phase"].unique(maintain_order=True).to_list() if p] if _given(read, "years", "phase") else []
    bare = [p for p in phases if p not in _rows(read, "phases")["phase"].to_list()]
    if bare:
        yield Finding(
            "phase-without-rules", f"phases {listed(bare)} have no row: defaults hold in them", "phases", "add their rows", "warning"
        )
    for column in ("equity", "range"):
        asked = _given(read, "phases", column) and read["phases"].frame[column].is_not_null().any()
        if asked and not (_given(read, "regions", "population") or "population" in _rows(read, "paths")["parameter"].to_list()):
            what = f"phases ask for {column}, and no region says its residents"
            yield Finding("equity-without-residents", what, "regions, column 'population'", "give the residents of regions")


def _emergencies(read: Read) -> Iterator[Finding]:
    """An industry that must survive says what may fail, or how much is used in an emergency."""
    frame, paths = _rows(read, "backup"), _rows(read, "paths")["parameter"].to_list()
    bare = frame.filter(pl.col("tolerance").is_null() & pl.col("demand").is_null())["industry"].unique(maintain_order=True).to_list()
    if bare and "tolerance" not in paths and "backup_demand" not in paths:
        what = f"{listed(bare)} must survive, and neither a tolerance nor a demand says what"
        yield Finding("backup-incomplete", what, "backup", "give tolerance, 0 where nothing may fail")


def _chosen(read: Read, settings: Settings) -> Iterator[Finding]:
    """Roles and the resource of emissions that the settings name exist."""
    if not isinstance(settings.roles, bool):
        have = _rows(read, "roles")["role"].to_list()
        lost = [r for r in settings.roles if r not in have]
        if lost:
            yield Finding("unknown-label", f"settings name the role {listed(lost)}", "[case] roles", did_you_mean(lost[0], have))
    resources = _rows(read, "resources")["resource"].to_list()
    if "emissions" in settings.model_fields_set and settings.emissions not in resources:
        what = f"settings count emissions of {settings.emissions!r}, which is no resource"
        yield Finding("unknown-label", what, "[case] emissions", did_you_mean(settings.emissions, resources))
