"""The groups of a study: packaged region sets, columns, and those that [heterogeneity] makes itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.data.geography import region_sets
from hinterland.data.grouping import REST, column_groups, cut_groups, group_order, listed_groups, region_groups, table_groups
from hinterland.errors import Finding, InputError, StudyError, did_you_mean, listed
from hinterland.study.schema import Study
from hinterland.study.unbuilt import Problem

if TYPE_CHECKING:
    from hinterland.evaluate.design import Design
    from hinterland.study.workspace import Workspace


def groups_named(work: Workspace, name: str) -> pl.DataFrame:
    """``unit`` and ``group`` of the grouping ``name``.

    Raises:
        StudyError: no such grouping, units that are not in the panel, groups without units, a column that changes within units.
    """
    table, panel, loaded = work.study.heterogeneity, work.panel, work.loaded
    try:
        if name in table.set:
            return listed_groups(panel, table.set[name], loaded.where("heterogeneity", "set", name))
        if name in table.cut:
            cut = table.cut[name]
            return cut_groups(panel, cut.column, cut.cut, cut.when, _first_adoption(work))
        if name in table.file:
            from hinterland.data.readers import read_table

            file = table.file[name]
            read = read_table(work.path(file.source), encoding=file.encoding, sheet=file.sheet)
            where = loaded.where("heterogeneity", "file", name)
            return table_groups(panel, read, unit=file.unit, group=file.group, name=name, where=where)
        if name in region_sets():
            return region_groups(panel, name)
        return column_groups(panel, name)
    except StudyError:
        raise
    except InputError as error:
        raise StudyError([_with_own(f, name, table.named) for f in error.findings], "study") from error


def _with_own(finding: Finding, name: str, named: Mapping[str, Any]) -> Finding:
    """An unknown grouping is offered the study's own names too."""
    if finding.code != "unknown-group" or not named:
        return finding
    remedy = f"{finding.remedy} Of [heterogeneity]: {did_you_mean(name, named)}"
    return replace(finding, remedy=remedy)


def _first_adoption(work: Workspace) -> int | None:
    """The earliest adoption inside the panel's periods, of its units."""
    panel, table = work.panel, work.cohorts().table
    start = panel.frame[panel.time].min()
    units = panel.frame[panel.unit].cast(pl.String).unique().implode()
    dated = table.filter(~pl.col("excluded") & pl.col("unit").is_in(units) & (pl.col("cohort") > start))
    first = dated["cohort"].min()
    return None if first is None else int(first)  # type: ignore[arg-type]  # a year


def sample_of(work: Workspace, name: str, group: str) -> str:
    """What the record calls a group: its own name in a packaged region set, else ``set=group``."""
    if group == name:
        return group
    own = group == REST or name in work.study.heterogeneity.named or name in work.panel.frame.columns
    return f"{name}={group}" if own else group


def definition(study: Study, name: str) -> dict[str, Any]:
    """The part of the study that makes the grouping, for the hash of steps that use it."""
    named = study.heterogeneity.named
    return {"grouping": named[name]} if name in named else {}


def group_problems(study: Study) -> Iterator[Problem]:
    """Rules between the keys of [heterogeneity]."""
    table = study.heterogeneity
    for i, name in enumerate(table.groups):
        if name in table.groups[:i]:
            yield ("heterogeneity", "groups", i), "repeated-value", f"heterogeneity.groups names {name!r} twice", "name each once"
    for i, route in enumerate(table.tests):
        if route in table.tests[:i]:
            yield ("heterogeneity", "tests", i), "repeated-value", f"heterogeneity.tests names {route!r} twice", "name each once"
    used = {*table.groups, *study.diagnostics.leave_out, *(str(t.among).partition("=")[0] for t in study.displacement.values())}
    for kind in ("set", "cut", "file"):
        for name in getattr(table, kind):
            path = ("heterogeneity", kind, name)
            others = [k for k in ("set", "cut", "file") if k != kind and name in getattr(table, k)]
            if name in region_sets() or others:
                taken = "a packaged region set" if name in region_sets() else f"[heterogeneity.{others[0]}.{name}]"
                yield path, "group-name-taken", f"the name {name!r} is also {taken}", "give the groups another name"
            elif name not in used:
                remedy = f"add it to heterogeneity.groups ({did_you_mean(name, table.groups)}), or remove it"
                yield path, "unused-group", f"the groups {name!r} are made and not used", remedy
    for name, groups in table.set.items():
        for group, units in groups.items():
            if not units:
                yield ("heterogeneity", "set", name, group), "empty-group", f"the group {group!r} lists no unit", "list its units"
        if not groups:
            yield ("heterogeneity", "set", name), "empty-group", f"{name!r} has no group", "name a group and list its units"


def group_findings(work: Workspace, designs: Mapping[str, Design]) -> Iterator[Finding]:
    """Groups that have no effect to estimate: nobody treated, or nobody to compare with. ``designs``: the headline's, by outcome."""
    for name in work.study.heterogeneity.groups:
        try:
            groups = work.groups_compared(name)
        except InputError:
            continue  # said when the groups were made
        where = f"{work.loaded.where('heterogeneity', 'groups')}, groups {name!r}"
        found: dict[Finding, list[str]] = {}
        for outcome, design in designs.items():
            for finding in _of_design(name, groups, design, where):
                found.setdefault(finding, []).append(outcome)
        for finding, outcomes in found.items():
            all_alike = len(outcomes) == len(designs)
            yield finding if all_alike else replace(finding, where=f"{where}, outcomes {listed(outcomes)}")


def _of_design(name: str, groups: pl.DataFrame, design: Design, where: str) -> Iterator[Finding]:
    cohort = pl.DataFrame({"unit": [str(u) for u in design.unit_labels.tolist()], "cohort": design.cohort})
    placed = groups.with_columns(pl.col("group").cast(pl.String)).join(cohort, on="unit", how="left")
    without: dict[str, list[str]] = {"empty": [], "treated": [], "comparison": []}
    names = group_order(groups)
    for group in names:
        inside = placed.filter((pl.col("group") == group) & pl.col("cohort").is_not_null())["cohort"].to_numpy()
        treated = inside[inside != NEVER]
        if not len(inside):
            without["empty"].append(group)
        elif not len(treated):
            without["treated"].append(group)
        elif len(treated) == len(inside) and len(set(treated.tolist())) == 1:
            without["comparison"].append(group)
    if without["empty"]:
        what = f"{listed(without['empty'], 8)} has no unit in the sample"
        yield Finding("empty-group", what, where, "it is left out; check missing values", "warning")
    if without["treated"]:
        what = f"nobody is treated in {listed(without['treated'], 8)}"
        yield Finding("group-without-treated", what, where, "none: such groups are left out", "warning")
    if without["comparison"]:
        what = f"everybody is treated at the same time in {listed(without['comparison'], 8)}"
        yield Finding("group-without-comparison", what, where, "none: such groups are left out", "warning")
    left = len(names) - sum(map(len, without.values()))
    if left < 2:
        what = f"{left} group(s) of {name!r} hold treated and comparison units: no difference can be tested"
        yield Finding("nothing-to-compare", what, where, "name other groups", "warning")
