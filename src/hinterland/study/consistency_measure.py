"""What must hold between the keys of [measure], and what a study needs at least."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from hinterland.errors import did_you_mean
from hinterland.measure.indicator import Indicator
from hinterland.measure.read import named_columns
from hinterland.measure.register import INDICATORS
from hinterland.study.measuring import measures_used, sources_named
from hinterland.study.packaged import listing
from hinterland.study.preparing import sources_of
from hinterland.study.schema import Study
from hinterland.study.schema_measure import MeasureTable
from hinterland.study.schema_source import SourceTable
from hinterland.study.unbuilt import Problem


def least_problems(study: Study) -> Iterator[Problem]:
    """A study evaluates outcomes (which needs a panel and a policy), measures, or both."""
    given, other = study.model_fields_set, bool(study.measure) or study.transfer is not None or study.plan is not None
    if not study.outcome and not other:
        yield ("outcome",), "missing-key", "outcome is missing", "add a table [[outcome]] with its name, or tables [measure.…]"
    needed = ("panel", "policy") if study.outcome or not other else ()
    for table in needed:
        if table not in given:
            yield (table,), "missing-key", f"{table} is missing", f"add the table [{table}]"
    if not study.outcome and other:
        for table in ("policy", "evaluate", "diagnostics", "robustness", "heterogeneity", "moderation", "displacement", "mechanism"):
            if table in given:
                yield (table,), "no-outcome", f"[{table}] has no meaning without an outcome", "add a table [[outcome]], or remove it"


def measure_problems(study: Study) -> Iterator[Problem]:
    """Every rule that the measures break."""
    before: list[str] = []
    for name, table in study.measure.items():
        indicator, path = INDICATORS[table.indicator], ("measure", name)
        _, _, findings = named_columns(indicator, {**table.columns, **table.parameters})
        yield from ((path, f.code, f.what, f.remedy) for f in findings if f.code != "missing-role")
        yield from (((*path, "columns"), f.code, f.what, f.remedy.replace("pass ", "add ")) for f in findings if f.code == "missing-role")
        yield from _sources(study, name, table, before)
        yield from _column(study, name, table, indicator)
        before.append(name)


def table_problems(study: Study) -> Iterator[Problem]:
    """Every rule that the prepared tables break, and those that measures and the transfer analysis break as tables."""
    above: list[str] = []
    for name, table in study.table.items():
        path = ("table", name)
        for key, source in sources_of(table):
            yield from _packaged((*path, *key), source)
            if source.startswith("measure:"):
                what = f"table {name!r} asks for a measure, and tables are made before measures"
                yield (*path, *key), "unknown-table", what, "join the values in the measure that needs them"
        yield from _named_tables(study, path, [s for _, s in sources_of(table)], above)
        yield from _preparation(path, table)
        above.append(name)
    for name, measured in study.measure.items():
        path = ("measure", name)
        yield from _named_tables(study, path, sources_named(measured), list(study.table))
        yield from _preparation(path, measured)
        for key, source in sources_of(measured):
            yield from _packaged((*path, *key), source)
    if study.transfer is not None:
        yield from _preparation(("transfer",), study.transfer)
        for key, source in sources_of(study.transfer):
            yield from _packaged(("transfer", *key), source)
        if study.transfer.source == "panel" and not study.has_panel:
            what = "transfer reads the panel, and the study has none"
            yield ("transfer", "source"), "missing-key", what, "add the table [panel]"


def _packaged(path: tuple[str | int, ...], source: str) -> Iterator[Problem]:
    kind, _, name = source.partition(":")
    names = [] if kind != "packaged" else listing().filter(pl.col("kind") != "world")["name"].to_list()
    if names and name not in names:
        yield path, "unknown-data", f"there is no packaged table {name!r}", did_you_mean(name, names)


def _named_tables(study: Study, path: tuple[str, str], named: list[str], above: list[str]) -> Iterator[Problem]:
    for used in (s.removeprefix("table:") for s in named if s.startswith("table:")):
        if used not in above:
            later = used in study.table
            what = f"{path[0]} {path[1]!r} reads the table {used!r}, which {'comes after it' if later else 'the study does not have'}"
            yield (*path, "source"), "unknown-table", what, "write it above" if later else did_you_mean(used, study.table)


def _preparation(path: tuple[str, ...], table: SourceTable) -> Iterator[Problem]:
    if (table.unit is None) != (table.time is None):
        lacking = "time" if table.time is None else "unit"
        yield (*path, lacking), "missing-key", f"{'.'.join(path)}.{lacking} is missing", "give unit and time together, or neither"
    for i, rule in enumerate(table.exclude):
        where: tuple[str | int, ...] = (*path, "exclude", i)
        if rule.source is None and rule.where is None:
            yield where, "missing-key", "the rule names no rows", "add source and on, or where"
        if (rule.source is None) != (not rule.on):
            yield where, "missing-key", "source and on belong together", "give both: the table that lists the rows, and where rows meet"


def _sources(study: Study, name: str, table: MeasureTable, before: list[str]) -> Iterator[Problem]:
    path = ("measure", name, "source")
    for used in measures_used(table):
        if used not in before:
            later = used in study.measure
            what = f"measure {name!r} builds on {used!r}, which {'comes after it' if later else 'the study does not have'}"
            yield path, "unknown-measure", what, "write it above" if later else did_you_mean(used, study.measure)
    if any(s.startswith("world:") for s in sources_named(table)) and not study.is_world:
        what = f"measure {name!r} asks for an input of a simulated world, and the panel is none"
        yield path, "world-only", what, 'set [panel] source = "world:demonstration-zones", or name a file'
    if table.source == "panel" and not study.has_panel:
        yield path, "missing-key", f"measure {name!r} reads the panel, and the study has none", "add the table [panel]"


def _column(study: Study, name: str, table: MeasureTable, indicator: Indicator) -> Iterator[Problem]:
    path = ("measure", name)
    if table.component is not None and table.component not in indicator.components:
        what = f"{indicator.id} has no component {table.component!r}"
        yield (*path, "component"), "unknown-value", what, did_you_mean(table.component, indicator.components)
    for key in table.select:
        if key not in indicator.keys:
            yield (*path, "select"), "unknown-value", f"{indicator.id} has no key {key!r}", did_you_mean(key, indicator.keys)
    if table.column is None:
        if table.region is not None:
            yield (*path, "region"), "column-only", f"measure.{name}.region has a meaning with column only", "name the column, or remove it"
        return
    if not study.has_panel:
        yield (*path, "column"), "missing-key", f"measure {name!r} makes a column, and the study has no panel", "add the table [panel]"
    if "region" not in indicator.keys or "region" not in table.columns:
        what = f"the values of {indicator.id} are not by region, and make no column of the panel"
        yield (*path, "column"), "no-regions", what, "remove column"
    if indicator.components and table.component is None:
        what = f"{indicator.id} has several numbers: {', '.join(indicator.components)}"
        yield (*path, "component"), "missing-key", what, "name the one that becomes the column"
