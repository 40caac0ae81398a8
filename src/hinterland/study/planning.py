"""The planning problem of a study: its tables read, prepared and made, put together and checked as one case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.errors import Finding, InputError, StudyError, did_you_mean, fail_if_any, listed
from hinterland.plan.schema import parameters, tables
from hinterland.plan.settings import FAMILIES
from hinterland.study.case_tables import Part, combined, folder_parts
from hinterland.study.plan_economy import economy_parts
from hinterland.study.preparing import is_file, named_table, placed
from hinterland.study.schema_plan import PlanSource, PlanTable
from hinterland.study.unbuilt import Problem as Broken

if TYPE_CHECKING:
    from hinterland.plan.problem import Problem
    from hinterland.study.load import LoadedStudy
    from hinterland.study.schema import Study
    from hinterland.study.workspace import Workspace

Key = tuple[str | int, ...]


def problem_of(work: Workspace) -> Problem:
    """The planning problem; its findings say what preparing and balancing changed.

    Raises:
        StudyError: every problem, each with its place in the study.
    """
    from hinterland.plan.case import read_problem

    table = asked(work.study)
    try:
        parts, written, said = _parts(work, table)
        frames, findings = combined(parts)
        fail_if_any(findings, "plan", InputError)
        if table.economy is not None:
            made, more = economy_parts(work, table.economy, frames)
            frames, findings = combined([*parts, *made])
            fail_if_any(findings, "plan", InputError)
            said = [*said, *more]
        problem = read_problem(
            frames, settings={**written.get("case", {}), **table.settings}, units={**written.get("units", {}), **table.units}
        )
    except InputError as error:
        raise StudyError([placed(work, ("plan",), f) for f in error.findings], "plan") from error
    return replace(problem, findings=tuple(dict.fromkeys((*said, *problem.findings))))


def asked(study: Study) -> PlanTable:
    """The table ``[plan]``, of a study that has it."""
    if study.plan is None:
        raise StudyError(Finding("nothing-to-do", "the study plans nothing", "study", "add a table [plan]"), "study")
    return study.plan


PACKAGED = "packaged:demonstration"
"""The case that comes with the package: three invented regions, in which every table has rows."""


def case_folder(loaded: LoadedStudy, case: str) -> Path:
    """The folder of a case: the packaged one, or one in the data folder or beside the study."""
    return Path(str(files("hinterland.plan").joinpath("example"))) if case == PACKAGED else loaded.path(case)


def _parts(work: Workspace, table: PlanTable) -> tuple[list[Part], dict[str, Any], list[Finding]]:
    """Tables of the folder and of the study, what ``case.toml`` says, and warnings of preparing."""
    parts: list[Part] = []
    written: dict[str, Any] = {}
    findings: list[Finding] = []
    if table.case is not None:
        folder = case_folder(work.loaded, table.case)
        if not folder.is_dir():
            where = work.loaded.where("plan", "case")
            raise InputError(Finding("missing-folder", f"there is no folder {table.case!r}", where, "check the path"), "plan")
        parts, written, findings = folder_parts(folder)
    for name, sources in table.tables.items():
        for i, source in enumerate(sources):
            prepared = named_table(work, source.source)
            findings += prepared.findings
            where = work.loaded.where("plan", "tables", name, i) if len(sources) > 1 else work.loaded.where("plan", "tables", name)
            parts.append(Part(name, _selected(prepared.frame, source, where), where))
    fail_if_any(findings, "plan", InputError)
    return parts, written, findings


def _selected(frame: pl.DataFrame, source: PlanSource, where: str) -> pl.DataFrame:
    """The columns that are asked for, with those that have one value, and numbers scaled."""
    lost = [c for c in source.columns if c not in frame.columns]
    if lost:
        finding = Finding("unknown-column", f"{source.source} has no column {listed(lost)}", where, did_you_mean(lost[0], frame.columns))
        raise InputError(finding, "plan")
    if source.columns:
        frame = frame.select(pl.col(old).alias(new) for old, new in source.columns.items())
    texts = [c for c in source.scale if c not in frame.columns or not frame.schema[c].is_numeric()]
    if texts:
        raise InputError(Finding("not-a-number", f"{listed(texts)} cannot be scaled", where, "name columns of numbers"), "plan")
    scaled = [pl.col(c) * factor for c, factor in source.scale.items()]
    return frame.with_columns(*scaled, **{c: pl.lit(v) for c, v in source.set.items()})


def plan_sources(loaded: LoadedStudy) -> Iterator[tuple[Key, str]]:
    """Every file that the plan is made from, with its key: those of the case's folder, and those that the study names."""
    table = loaded.study.plan
    if table is None:
        return
    folder = None if table.case in (None, PACKAGED) else loaded.path(str(table.case))
    if folder is not None and folder.is_dir():
        names = sorted(p.name for p in folder.iterdir() if p.stem in tables() or p.name == "case.toml")
        yield from ((("plan", "case"), f"{table.case}/{name}") for name in names)
    yield from ((key, source) for key, source in sources_named(table) if is_file(source))


def sources_named(table: PlanTable) -> Iterator[tuple[Key, str]]:
    """Every source that the plan names, with its key."""
    for name, sources in table.tables.items():
        yield from ((("plan", "tables", name), s.source) for s in sources)
    if table.economy is not None:
        for key in ("source", *ECONOMY_TABLES):
            value = getattr(table.economy, key)
            if value is not None:
                yield ("plan", "economy", key), value


ECONOMY_TABLES = ("groups", "growth", "freight", "gateways")
"""Keys of ``[plan.economy]`` that name a further table."""


def plan_problems(study: Study) -> Iterator[Broken]:
    """Tables, parameters and families that a case does not have; sources that the study does not have; nothing to plan from."""
    table = study.plan
    if table is None:
        return
    if table.case is None and not table.tables and table.economy is None:
        yield ("plan",), "nothing-to-plan", "[plan] names no table of a case", 'add case = "folder", [plan.tables] or [plan.economy]'
    if table.case is not None and table.case.startswith("packaged:") and table.case != PACKAGED:
        yield ("plan", "case"), "unknown-case", f"there is no packaged case {table.case!r}", f"write {PACKAGED!r}, or name a folder"
    for name in table.tables:
        if name not in tables():
            yield ("plan", "tables", name), "unknown-table", f"a case has no table {name!r}", did_you_mean(name, tables())
    for name in table.units:
        if name not in parameters():
            yield ("plan", "units", name), "unknown-parameter", f"there is no parameter {name!r}", did_you_mean(name, parameters())
    for name in table.off or ():
        if name not in FAMILIES:
            yield ("plan", "off"), "unknown-family", f"there is no family of constraints {name!r}", did_you_mean(name, FAMILIES)
    yield from _economy_problems(table)
    yield from _beyond_columns(table)
    for key, source in sources_named(table):
        yield from _source_problems(study, key, source)


def _beyond_columns(table: PlanTable) -> Iterator[Broken]:
    """What is asked beyond the plan needs one model with all its moves."""
    if table.columns is None:
        return
    draws = table.evidence is not None and table.evidence.draws > 0
    beyond = [k for k in ("pareto", "alternatives", "sensitivity") if getattr(table, k) is not None]
    for key in [*beyond, *(["scenario"] if table.scenario else []), *(["evidence"] if draws else [])]:
        what = f"[plan.{key}] needs a model with all moves, and [plan.columns] plans with some of them"
        yield ("plan", key), "needs-all-moves", what, "leave out one of the two; ask it of a smaller case"


def _economy_problems(table: PlanTable) -> Iterator[Broken]:
    """Keys of the economy that need each other, or that it cannot use."""
    economy, path = table.economy, ("plan", "economy")
    if economy is None:
        return
    if economy.reference is not None and not economy.estimate:
        what = "a reference completes margins, and flows are not estimated"
        yield (*path, "reference"), "needs-estimate", what, "set estimate = true"
    for key in ("deflators", "prices"):
        if getattr(economy, key) is not None:
            yield (
                (*path, key),
                "unused-key",
                f"an economy is at the prices of its table: {key} has no meaning",
                "bring it to the plan's prices by growth",
            )
    if economy.gateways is not None and economy.freight is None:
        yield (*path, "gateways"), "needs-freight", "gateways without freight rates cost nothing", "name a table freight"
    shares = economy.markets.values()
    if shares and (abs(sum(shares) - 1) > 1e-9 or min(shares) < 0):
        yield (*path, "markets"), "bad-value", f"shares of markets add up to {sum(shares):g}", "give shares of 0 or more that add up to 1"


def _source_problems(study: Study, key: Key, source: str) -> Iterator[Broken]:
    kind, _, rest = source.partition(":")
    known: dict[str, Mapping[str, object]] = {"table": study.table, "measure": study.measure}
    if kind in known and rest not in known[kind]:
        yield key, f"unknown-{kind}", f"the plan builds on {rest!r}, which the study does not have", did_you_mean(rest, known[kind])
    if kind == "world" and not study.is_world:
        yield key, "world-only", "the plan asks for an input of a simulated world, and the panel is none", "name a file"
