"""Administrative changes: units that changed code, merged or were divided, and panels made comparable across them.

The changes are facts with dates. Codes and dates follow the China prefecture crosswalk of FIERsity (v4.0, CC BY 4.0);
``transfer`` rows are county transfers between prefectures that both persist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import polars as pl

from hinterland.data.geography import catalogue_table
from hinterland.data.panel import Panel
from hinterland.errors import Finding, PanelError, did_you_mean, fail_if_any, listed

Split = Literal["group", "drop"]
_RULES = ("sum", "mean", "min", "max", "first")


@cache
def administrative_changes() -> pl.DataFrame:
    """Prefecture-level changes of 2000–2022, in order of date.

    Columns: ``change_id``, ``kind`` (upgrade: new code, same territory; rename: same code; split: abolished, divided
    among ``successor_codes``; merge: abolished, whole territory to one successor; establish: founded; transfer: a
    county moved between two units that both stay), ``approved`` (date as recorded), ``year`` (Int64, first year whose
    year-end statistics follow the new division), ``former_code``, ``former_zh``, ``successor_codes`` (list),
    ``successor_zh``, ``document``, ``source``, ``note``.
    """
    table = catalogue_table("administrative_changes")
    return table.with_columns(pl.col("year").cast(pl.Int64), pl.col("successor_codes").str.split(";"))


@dataclass(frozen=True, slots=True)
class _Group:
    """Units that must be seen as one: ``head`` gives the code, ``year`` the change."""

    head: str
    members: tuple[str, ...]
    former: str
    year: int


def merge_administrative(panel: Panel, how: Mapping[str, str] | None = None, *, split: str = "group") -> Panel:
    """The panel with today's codes, and one row per comparable territory and period.

    Units with a new code and the same territory are recoded. A unit that was abolished into one successor (Laiwu into
    Jinan, 2019) is merged with it in every period. A unit that was divided among several (Chaohu, 2011) is, with
    ``split="group"``, merged with all of them into one unit in every period, under the code of the first successor;
    with ``split="drop"``, left out, and its successors stay as they are, with a break. Everything done is said in
    ``findings`` of the panel returned, as are changes that the panel cannot undo.

    Args:
        panel: a panel whose units are GB/T 2260 codes (six digits, text or integer).
        how: rule for each column that must be combined: ``sum``, ``mean``, ``mean:<weight column>``, ``min``, ``max``
            or ``first`` (the value of the unit that gives the code). Columns that are the same in all members, text and
            coordinates need none. Logarithms and ratios cannot be summed: merge first, derive after.
        split: ``group`` or ``drop``.

    A combined value is null where a member's value, or its row, is missing: a sum of some members is not the sum.

    Raises:
        PanelError: units that are not codes; unknown rules; columns without a rule; both the old and the new code
            of one unit in the same period.
    """
    rules = dict(how or {})
    fail_if_any([*_bad_rules(panel, rules, split), *_not_codes(panel)], "merging administrative changes", PanelError)
    kind = panel.frame.schema[panel.unit]
    frame = panel.frame.with_columns(pl.col(panel.unit).cast(pl.String))
    frame, said = _recode(frame, panel)
    groups, dropped, more = _groups(frame, panel, split)
    said += more
    frame = frame.filter(~pl.col(panel.unit).is_in(dropped))
    frame, more = _combine(frame, panel, groups, rules)
    said += [*more, *_breaks(frame, panel)]
    frame = frame.with_columns(pl.col(panel.unit).cast(kind)).sort(panel.unit, panel.time)
    return replace(panel, frame=frame, findings=(*panel.findings, *said))


@dataclass(frozen=True, slots=True)
class Comparable:
    """Which units of a panel must be seen as one.

    Attributes:
        codes: every unit of the panel → the code that it goes by; units that are left out are not in it.
        merged: codes that stand for several units;  divided: those of them to which a divided unit belongs.
        incomplete: unit and period where a member of such a unit has no row.
        findings: what is done, and what cannot be.
    """

    codes: Mapping[str, str]
    merged: frozenset[str]
    divided: frozenset[str]
    incomplete: pl.DataFrame
    findings: tuple[Finding, ...]


def comparable_units(panel: Panel, split: str = "group") -> Comparable:
    """What :func:`merge_administrative` would do with the units of a panel, for tables with several rows per unit and period.

    Raises:
        PanelError: units that are not codes; an unknown ``split``; both the old and the new code of one unit in the same period.
    """
    fail_if_any([*_bad_rules(panel, {}, split), *_not_codes(panel)], "merging administrative changes", PanelError)
    old = panel.frame.with_columns(pl.col(panel.unit).cast(pl.String))
    frame, said = _recode(old, panel)
    groups, dropped, more = _groups(frame, panel, split)
    heads = {m: g.head for g in groups for m in g.members}
    renamed = frame.with_columns(_member=pl.col(panel.unit), _old=old[panel.unit]).with_columns(pl.col(panel.unit).replace(heads))
    codes = {a: b for a, b in renamed.select("_old", panel.unit).unique().iter_rows() if b not in dropped}
    seen = renamed.filter(pl.col("_member").is_in(list(heads)))
    complete = _complete_cells(seen, panel, groups) if groups else seen.select(panel.unit, panel.time, _complete=True)
    divisions = administrative_changes().filter(pl.col("kind") == "split")["former_code"].to_list()
    breaks = _breaks(renamed.filter(pl.col(panel.unit).is_in(list(codes.values()))), panel)
    return Comparable(
        codes,
        frozenset(heads.values()),
        frozenset(g.head for g in groups if g.former in divisions),
        complete.filter(~pl.col("_complete")).select(panel.unit, panel.time).sort(panel.unit, panel.time),
        (*said, *more, *breaks),
    )


def _bad_rules(panel: Panel, rules: Mapping[str, str], split: str) -> list[Finding]:
    findings = []
    if split not in get_args(Split):
        findings.append(
            Finding("unknown-split", f"split {split!r} is not known", "argument split", did_you_mean(str(split), get_args(Split)))
        )
    for column, rule in rules.items():
        name, _, weight = rule.partition(":")
        if column not in panel.frame.columns or column in (panel.unit, panel.time):
            findings.append(
                Finding("unknown-column", f"a rule is given for {column!r}", "argument how", did_you_mean(column, panel.frame.columns))
            )
        elif name != "first" and not panel.frame.schema[column].is_numeric():
            findings.append(
                Finding(
                    "not-numeric",
                    f"column {column!r} holds {panel.frame.schema[column]}, for which there is no {name}",
                    "argument how",
                    "use 'first'",
                )
            )
        if name not in _RULES or (weight and name != "mean"):
            findings.append(
                Finding(
                    "unknown-rule",
                    f"rule {rule!r} of column {column!r} is not known",
                    "argument how",
                    did_you_mean(rule, (*_RULES, "mean:<column>")),
                )
            )
        elif weight and (weight not in panel.frame.columns or not panel.frame.schema[weight].is_numeric()):
            findings.append(
                Finding(
                    "unknown-column",
                    f"weight {weight!r} of column {column!r} is not a numeric column",
                    "argument how",
                    did_you_mean(weight, panel.frame.columns),
                )
            )
    return findings


def _not_codes(panel: Panel) -> list[Finding]:
    units = panel.frame[panel.unit].cast(pl.String).unique(maintain_order=True)
    bad = units.filter(~units.str.contains(r"^\d{6}$"))
    if bad.is_empty():
        return []
    remedy = "turn names into codes first: hinterland.data.geography.match_cities finds them"
    return [Finding("units-not-codes", f"{len(bad)} unit(s) are not six-digit codes", listed(bad.to_list()), remedy)]


def _recode(frame: pl.DataFrame, panel: Panel) -> tuple[pl.DataFrame, list[Finding]]:
    """Old codes of units whose territory did not change become their present codes."""
    upgrades = administrative_changes().filter(pl.col("kind") == "upgrade")
    codes = dict(zip(upgrades["former_code"], upgrades["successor_codes"].list.first(), strict=True))
    here = frame.filter(pl.col(panel.unit).is_in(list(codes)))[panel.unit].unique(maintain_order=True).to_list()
    if not here:
        return frame, []
    recoded = frame.with_columns(pl.col(panel.unit).replace(codes))
    twice = recoded.filter(pl.struct(panel.unit, panel.time).is_duplicated()).select(panel.unit, panel.time).unique(maintain_order=True)
    if twice.height:
        cells = listed((f"{u} in {t}" for u, t in twice.iter_rows()), 6)
        raise PanelError(
            Finding(
                "old-and-new-code",
                f"the old and the new code of a unit are both present in {twice.height} unit-period(s)",
                cells,
                "keep one of the two rows",
            ),
            "merging administrative changes",
        )
    moved = ", ".join(f"{c} → {codes[c]}" for c in here)
    return recoded, [
        _said("recoded", f"{len(here)} unit(s) with an old code now have their present one", moved, "nothing: the territory is the same")
    ]


def _groups(frame: pl.DataFrame, panel: Panel, split: str) -> tuple[list[_Group], list[str], list[Finding]]:
    """Which units are seen as one, which are left out."""
    units = set(frame[panel.unit].unique())
    changes = administrative_changes().filter(pl.col("kind").is_in(["merge", "split"]) & pl.col("former_code").is_in(list(units)))
    groups, dropped, said = [], [], []
    for change in changes.iter_rows(named=True):
        former, successors = change["former_code"], change["successor_codes"]
        label = f"{change['former_zh']} ({former}), abolished {change['approved']}"
        if change["kind"] == "split" and split == "drop":
            dropped.append(former)
            remedy = f"its successors gained territory in {change['year']}: expect a break there"
            said.append(_said("unit-dropped", f"{label}, is left out", ", ".join(successors), remedy))
            continue
        present = [c for c in successors if c in units]
        group = _Group(present[0] if present else successors[0], (former, *present), former, change["year"])
        groups.append(group)
        what = f"{label}, is one unit with {', '.join(present) or 'nobody'} in every period"
        said.append(_said("units-merged", what, f"unit {group.head}", "read this unit as the whole territory"))
        absent = [c for c in successors if c not in units]
        said += _group_caveats(frame, panel, group, label, absent)
    return groups, dropped, said


def _group_caveats(frame: pl.DataFrame, panel: Panel, group: _Group, label: str, absent: list[str]) -> list[Finding]:
    """Successors that are not in the panel, and rows of the former unit after it was abolished."""
    said = []
    if absent:
        what = f"{label}: successor {listed(absent)} is not in the panel"
        said.append(_said("successor-absent", what, f"unit {group.head}", "part of its territory is missing: consider split='drop'"))
    late = frame.filter((pl.col(panel.unit) == group.former) & (pl.col(panel.time) >= group.year))[panel.time].to_numpy()
    if len(late):
        what = f"{label}, still has {len(late)} row(s), which are merged too"
        remedy = f"make sure that its successors do not count it too; otherwise drop its rows from {group.year} on"
        said.append(_said("observed-after-abolition", what, f"{panel.time} {late.min()}–{late.max()}", remedy))
    return said


def _combine(frame: pl.DataFrame, panel: Panel, groups: list[_Group], rules: Mapping[str, str]) -> tuple[pl.DataFrame, list[Finding]]:
    heads = {m: g.head for g in groups for m in g.members}
    if not heads:
        return frame, []
    member = pl.col(panel.unit).is_in(list(heads))
    order = pl.col("_member") != pl.col(panel.unit)
    part = (
        frame.filter(member)
        .with_columns(pl.col(panel.unit).alias("_member"), pl.col(panel.unit).replace(heads))
        .sort(panel.unit, panel.time, order)
    )
    complete = _complete_cells(part, panel, groups)
    part = part.join(complete, on=[panel.unit, panel.time], how="left", maintain_order="left")
    values = [c for c in frame.columns if c not in (panel.unit, panel.time)]
    _fail_if_no_rule(part, panel, values, rules)
    merged = part.group_by(panel.unit, panel.time, maintain_order=True).agg(
        *(_combined(c, rules.get(c)).alias(c) for c in values), pl.col("_complete").first()
    )
    ruled = [c for c in values if c in rules and rules[c] != "first"]
    merged = merged.with_columns(pl.when("_complete").then(c).alias(c) for c in ruled)
    short = merged.filter(~pl.col("_complete")) if ruled else merged.clear()
    said = []
    if short.height:
        cells = listed((f"{u} in {t}" for u, t in short.select(panel.unit, panel.time).iter_rows()), 6)
        said.append(
            _said(
                "incomplete-merge",
                f"{short.height} merged row(s) lack a member and are empty in {listed(ruled)}",
                cells,
                "add the missing rows, or leave these periods out",
            )
        )
    rest = frame.filter(~member)
    return pl.concat([rest, merged.select(frame.columns)], how="vertical_relaxed"), said


def _complete_cells(part: pl.DataFrame, panel: Panel, groups: list[_Group]) -> pl.DataFrame:
    """Whether every member seen at some time in the same era (before or since the change) is seen in this period too.

    Where a unit took part in several changes, the eras are those of all of them.
    """
    years = pl.DataFrame({panel.unit: [g.head for g in groups], "_year": [g.year for g in groups]}).group_by(panel.unit).agg("_year")
    eras = (
        part.join(years, on=panel.unit, how="left", maintain_order="left")
        .explode("_year")
        .group_by(panel.unit, panel.time, "_member", maintain_order=True)
        .agg(_era=(pl.col("_year") <= pl.col(panel.time)).sum())
    )
    expected = eras.group_by(panel.unit, "_era").agg(_expected=pl.col("_member").n_unique())
    seen = eras.group_by(panel.unit, panel.time, "_era").agg(_seen=pl.col("_member").n_unique())
    return seen.join(expected, on=[panel.unit, "_era"]).select(panel.unit, panel.time, _complete=pl.col("_seen") == pl.col("_expected"))


def _fail_if_no_rule(part: pl.DataFrame, panel: Panel, values: list[str], rules: Mapping[str, str]) -> None:
    free = [
        c for c in values if c not in rules and c not in (panel.coordinates or ()) and (part.schema[c].is_numeric() or c == panel.weight)
    ]
    differing = part.group_by(panel.unit, panel.time).agg(pl.col(c).n_unique() > 1 for c in free).select(pl.col(free).any())
    bad = [c for c in free if differing[c].item()] if part.height else []
    heads = listed(part[panel.unit].unique(maintain_order=True).to_list())
    fail_if_any(
        [
            Finding(
                "no-merge-rule",
                f"column {c!r} differs between units that become one ({heads})",
                "argument how",
                f"say how: how={{{c!r}: 'sum'}} for a quantity, 'mean' or 'mean:<weight>' for a rate",
            )
            for c in bad
        ],
        "merging administrative changes",
        PanelError,
    )


def _combined(column: str, rule: str | None) -> pl.Expr:
    """One value of several members, the head first; null when a member's is null."""
    value = pl.col(column)
    name, _, weight = (rule or "first").partition(":")
    if name == "first":
        return value.first()
    if weight:
        share = pl.col(weight)
        return pl.when(~value.is_null().any() & ~share.is_null().any()).then((value * share).sum() / share.sum())
    return pl.when(~value.is_null().any()).then(getattr(value, name)())


def _breaks(frame: pl.DataFrame, panel: Panel) -> list[Finding]:
    """Changes inside the panel's span that it cannot undo."""
    if frame.is_empty():
        return []
    years = frame[panel.time].to_numpy()
    units = set(frame[panel.unit].unique())
    before = set(panel.frame[panel.unit].cast(pl.String).unique())
    inside = administrative_changes().filter((pl.col("year") > int(years.min())) & (pl.col("year") <= int(years.max())))
    said = []
    for change in inside.filter(pl.col("kind").is_in(["transfer", "establish"])).iter_rows(named=True):
        here = [c for c in change["successor_codes"] if c in units]
        if here:
            said.append(
                _said(
                    "boundary-break",
                    f"{change['note']} ({change['year']})",
                    f"unit {', '.join(here)}",
                    "the panel cannot undo it; leave the units out to see whether it matters",
                )
            )
    gone = inside.filter(pl.col("kind").is_in(["split", "merge"]) & ~pl.col("former_code").is_in(list(units)))
    for change in gone.iter_rows(named=True):
        here = [c for c in change["successor_codes"] if c in units]
        if here and change["former_code"] not in before:
            what = f"{change['former_zh']} ({change['former_code']}), abolished {change['approved']}, is not in the panel"
            said.append(
                _said(
                    "boundary-break",
                    what,
                    f"unit {', '.join(here)}",
                    f"its successors gain its territory in {change['year']}: add its rows, or check for a break",
                )
            )
    return said


def _said(code: str, what: str, where: str, remedy: str) -> Finding:
    return Finding(code, what, where, remedy, severity="warning")
