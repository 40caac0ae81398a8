"""Measures of a study: from its raw tables to values, and from values to columns of the panel."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.errors import Finding, InputError, StudyError, did_you_mean, fail_if_any
from hinterland.measure.entry import measure
from hinterland.measure.register import INDICATORS
from hinterland.measure.result import Measure
from hinterland.study.outlines import drawn
from hinterland.study.preparing import LeftOut, is_file, is_source, named_table, placed, prepared, sources_of
from hinterland.study.schema import Study
from hinterland.study.schema_measure import MeasureTable
from hinterland.study.schema_source import SourceTable

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace


def measured(work: Workspace, name: str) -> tuple[Measure, tuple[LeftOut, ...]]:
    """The values of one measure, and the rows that were left out on purpose.

    Raises:
        StudyError: every problem, each with the measure's place in the study.
    """
    table = work.study.measure[name]
    try:
        source = prepared(work, ("measure", name), table)
        found = measure(
            table.indicator,
            source.frame,
            state=table.state,
            suppressed=table.suppressed,
            complete=table.complete,
            on_negative=table.on_negative,
            min_coverage=float(table.min_coverage),
            **dict(table.columns),
            **_parameters(work, table),
        )
        return replace(found, findings=(*source.findings, *found.findings)), source.left_out
    except InputError as error:
        raise StudyError([placed(work, ("measure", name), f) for f in error.findings], f"measure {name}") from error


def _parameters(work: Workspace, table: MeasureTable) -> dict[str, Any]:
    """Parameters as the indicator takes them: names of tables as tables."""
    known = INDICATORS[table.indicator].parameters
    return {k: named_table(work, str(v)).frame if known[k].table and is_source(v) else v for k, v in table.parameters.items()}


def selected_values(work: Workspace, name: str) -> pl.DataFrame:
    """The values of the component and of the keys that the study selects.

    Raises:
        StudyError: none has them.
    """
    table, found = work.study.measure[name], work.measured(name)
    frame, names = found.frame, key_columns(work, name)
    findings: list[Finding] = []
    if table.component is not None:
        frame = frame.filter(pl.col("component") == table.component)
        if frame.is_empty():
            findings.append(_nothing(work, name, "component", table.component, found.frame["component"]))
    for key, value in table.select.items():
        known = found.frame[names[key]].cast(pl.String)
        if str(value) not in set(known):
            findings.append(_nothing(work, name, key, str(value), known))
        frame = frame.filter(pl.col(names[key]).cast(pl.String) == str(value))
    fail_if_any(findings, f"measure {name}", StudyError)
    return frame


def key_columns(work: Workspace, name: str) -> dict[str, str]:
    """Result key → column of a measure's values."""
    found = work.measured(name)
    return {k: found.meta["roles"].get(k, k) for k in INDICATORS[found.id].keys}


def _nothing(work: Workspace, name: str, key: str, value: str, known: pl.Series) -> Finding:
    where = work.loaded.where("measure", name, "component" if key == "component" else "select")
    return Finding(
        "nothing-selected",
        f"no value of measure {name!r} has the {key} {value!r}",
        where,
        did_you_mean(value, known.drop_nulls().unique().sort()),
    )


def measure_sources(study: Study) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every file that prepared tables and measures name, with its key."""
    for name, raw in study.table.items():
        yield from ((("table", name, *key), source) for key, source in sources_of(raw) if is_file(source))
    measures = study.measure
    for name, table in measures.items():
        yield from ((("measure", name, *key), source) for key, source in sources_of(table) if is_file(source))
        for key, value in table.parameters.items():
            known = INDICATORS[table.indicator].parameters.get(key)
            if known is not None and known.table and is_source(value) and is_file(str(value)):
                yield ("measure", name, "parameters", key), str(value)
        if table.boundaries is not None:
            yield ("measure", name, "boundaries"), table.boundaries


def findings_of(work: Workspace, done: Container[str] = ()) -> list[Finding]:
    """What is wrong with the measures, and what they have to say: each is computed, and kept for the run, unless its step is ``done``."""
    found: list[Finding] = []
    failed: set[str] = set()
    for name, table in work.study.measure.items():
        if f"measure/{name}" in done:
            continue
        if failed.intersection(measures_used(table)):
            failed.add(name)
            continue
        try:
            result = work.measured(name)
            found += [placed(work, ("measure", name), f) for f in result.findings]
            boundaries(work, name)
            selected_values(work, name)
        except InputError as error:
            failed.add(name)
            found += error.findings
    return list(dict.fromkeys(found))


def boundaries(work: Workspace, name: str) -> pl.DataFrame | None:
    """The boundaries of a measure's regions, where the study names a file of them (see :func:`~hinterland.study.outlines.drawn`)."""
    table, found = work.study.measure[name], work.measured(name)
    column = found.meta["roles"].get("region", "region")
    return drawn(work, ("measure", name), table, found.frame[column].drop_nulls().unique()) if column in found.frame.columns else None


def measures_used(table: MeasureTable) -> tuple[str, ...]:
    """Names of the measures that a measure builds on."""
    return tuple(dict.fromkeys(s.removeprefix("measure:") for s in sources_named(table) if s.startswith("measure:")))


def inputs_of(study: Study, table: SourceTable) -> tuple[str, ...]:
    """The files and inputs of the world that a table is made of, the leading one first; packaged tables and lists of exclusions are no part."""
    named = [table.source, *(j.source for j in table.join)]
    found: list[str] = []
    for source in named:
        kind, _, rest = source.partition(":")
        further = {"table": study.table, "measure": study.measure}.get(kind, {}).get(rest)
        found += [source] if further is None and kind != "packaged" else inputs_of(study, further) if further is not None else []
    return tuple(dict.fromkeys(found))


def sources_named(table: MeasureTable) -> list[str]:
    """Every source that a measure names, in its parameters too."""
    return [*(s for _, s in sources_of(table)), *(v for v in table.parameters.values() if isinstance(v, str))]


def tables_used(study: Study, named: Iterable[str]) -> tuple[str, ...]:
    """Names of the prepared tables among the sources ``named``, those that they build on before them."""
    direct = [s.removeprefix("table:") for s in named if s.startswith("table:")]
    further = [t for d in direct if d in study.table for t in tables_used(study, (s for _, s in sources_of(study.table[d])))]
    return tuple(dict.fromkeys([*further, *direct]))
