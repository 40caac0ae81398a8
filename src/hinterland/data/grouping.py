"""Groups of units as data: a region set, a column, a list of units, or a numeric column cut before the policy.

Each function gives a frame ``unit`` (the panel's own codes, as text) and ``group`` (text, or an enumeration where groups have an order): a unit that
is not in it is in no group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from hinterland.data.geography import groups_of, match_cities, region_sets
from hinterland.data.panel import Panel
from hinterland.errors import Finding, PanelError, did_you_mean, fail_if_any, listed

REST = "outside"
"""The group of all units that are in none, where a grouping has one group only: ``sichuan-chongqing`` against the rest."""
QUANTILES: Mapping[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    "median": ((0.5,), ("low", "high")),
    "terciles": ((1 / 3, 2 / 3), ("low", "middle", "high")),
    "quartiles": ((0.25, 0.5, 0.75), ("q1", "q2", "q3", "q4")),
}
"""Named cuts: the quantiles, and the names of the groups from the lowest values up."""

Cut = str | Sequence[float]


def panel_units(panel: Panel) -> pl.Series:
    """The units of the panel as text, each once, in order."""
    return panel.frame[panel.unit].unique(maintain_order=True).cast(pl.String).alias("unit")


def with_rest(panel: Panel, groups: pl.DataFrame) -> pl.DataFrame:
    """The same, with the other units as the group :data:`REST` where there is one group only."""
    if groups["group"].n_unique() != 1:
        return groups
    rest = panel_units(panel).to_frame().join(groups, on="unit", how="anti", maintain_order="left")
    return pl.concat([groups.select("unit", "group"), rest.select("unit", group=pl.lit(REST))])


def group_order(groups: pl.DataFrame) -> tuple[str, ...]:
    """The names of the groups: in their own order, else sorted, the rest last."""
    kind = groups.schema["group"]
    present = set(groups["group"].cast(pl.String))
    names = kind.categories.to_list() if isinstance(kind, pl.Enum) else sorted(present, key=lambda g: (g == REST, g))
    return tuple(str(n) for n in names if n in present)


def region_groups(panel: Panel, name: str) -> pl.DataFrame:
    """The groups of a packaged region set. Raises ``PanelError`` where no unit of the panel is in it."""
    units = panel_units(panel)
    placed = groups_of(units, name)
    if placed.is_empty():
        known = match_cities(units)["adcode"].drop_nulls().len()
        what = f"no unit of the panel is in the region set {name!r} ({known} of {len(units)} units are known by code or name)"
        remedy = "use GB/T 2260 codes or full names as units, or leave the region set out"
        raise PanelError(Finding("no-unit-in-region", what, f"unit column {panel.unit!r}", remedy), "groups")
    return placed


def column_groups(panel: Panel, name: str) -> pl.DataFrame:
    """The groups of a column that is constant within units. Raises ``PanelError`` for an unknown column, or one that changes."""
    if name not in panel.frame.columns:
        what = f"{name!r} is neither a region set nor a column of the panel"
        remedy = did_you_mean(name, [*region_sets(), *panel.frame.columns])
        raise PanelError(Finding("unknown-group", what, f"groups {name!r}", remedy), "groups")
    pairs = (
        panel.frame.select(pl.col(panel.unit).cast(pl.String).alias("unit"), pl.col(name).cast(pl.String).alias("group"))
        .drop_nulls()
        .unique(maintain_order=True)
    )
    twice = pairs.filter(pairs["unit"].is_duplicated())
    if twice.height:
        what = f"column {name!r} changes within {twice['unit'].n_unique()} unit(s), such as {twice['unit'][0]!r}"
        remedy = "name a column that is constant within a unit, or cut its values of one period before the policy"
        raise PanelError(Finding("varying-group", what, f"column {name!r}", remedy), "groups")
    return pairs


def listed_groups(panel: Panel, groups: Mapping[str, Sequence[str]], where: str = "argument by") -> pl.DataFrame:
    """Groups whose units are listed, by the panel's codes or by any code or name of a prefecture-level city.

    Raises:
        PanelError: a unit in two groups, one that is no unit of the panel, or a group without any; all of them at once.
    """
    units = panel_units(panel)
    lookup = {str(u): str(u) for u in units} | _by_city(units)
    rows: list[tuple[str, str]] = []
    findings: list[Finding] = []
    for group, members in groups.items():
        cities = dict(zip(map(str, members), match_cities(pl.Series([str(m) for m in members], dtype=pl.String))["adcode"], strict=True))
        found = {str(m): lookup.get(str(m)) or lookup.get(str(cities[str(m)])) for m in members}
        rows += [(unit, group) for unit in dict.fromkeys(u for u in found.values() if u is not None)]
        findings += _unmatched(group, found, list(lookup), where)
    frame = pl.DataFrame(rows, schema={"unit": pl.String, "group": pl.String}, orient="row")
    twice = frame.filter(frame["unit"].is_duplicated())["unit"].unique(maintain_order=True).to_list()
    if twice:
        what = f"{len(twice)} unit(s) are in two groups"
        findings.append(Finding("unit-in-two-groups", what, f"{where}: {listed(twice, 8)}", "name each unit in one group"))
    fail_if_any(findings, "groups", PanelError)
    return frame


def _by_city(units: pl.Series) -> dict[str, str]:
    """The panel's unit behind each city code, where units are names or codes of another form."""
    return {str(code): str(unit) for unit, code in match_cities(units).select("name", "adcode").drop_nulls().iter_rows()}


def _unmatched(group: str, found: Mapping[str, str | None], known: Sequence[str], where: str) -> list[Finding]:
    place = f"{where}, group {group!r}"
    if not any(found.values()):
        what = f"no unit of the panel is in the group {group!r}" + (f" (listed: {listed(found, 5)})" if found else "")
        return [Finding("empty-group", what, place, "list units of the panel, or leave the group out")]
    lost = [m for m, unit in found.items() if unit is None]
    if not lost:
        return []
    what = f"{len(lost)} of {len(found)} listed unit(s) are not in the panel: {listed(lost, 8)}"
    return [
        Finding(
            "unknown-unit",
            what,
            place,
            f"correct or remove them ({did_you_mean(lost[0], known) if len(lost) == 1 else 'units are written as in the panel'})",
        )
    ]


def table_groups(panel: Panel, table: pl.DataFrame, *, unit: str, group: str | None, name: str, where: str) -> pl.DataFrame:
    """The groups of a table of units; all of its units in one group ``name`` where it has no column ``group``.

    Units of the table that the panel does not have are left out: a national list is longer than most panels.

    Raises:
        PanelError: a column that is not there, a unit in two groups, or no unit of the panel in the table.
    """
    have = table.columns
    missing = [c for c in (unit, group) if c is not None and c not in have]
    fail_if_any(
        [Finding("unknown-column", f"there is no column {c!r}", where, did_you_mean(c, have)) for c in missing], "groups", PanelError
    )
    members: dict[str, list[str]] = {}
    keys = table[unit].cast(pl.String)
    labels = pl.repeat(name, len(keys), eager=True) if group is None else table[group].cast(pl.String)
    lookup = {str(u): str(u) for u in panel_units(panel)} | _by_city(panel_units(panel))
    codes = match_cities(keys)["adcode"]
    for key, code, label in zip(keys, codes, labels, strict=True):
        if label is not None and (lookup.get(str(key)) or lookup.get(str(code))):
            members.setdefault(str(label), []).append(str(key))
    if not members:
        what = f"none of the {table.height} units of the file is in the panel"
        raise PanelError(Finding("empty-group", what, where, "write units as in the panel, or by six-digit code or name"), "groups")
    return listed_groups(panel, members, where)


def cut_groups(panel: Panel, column: str, cut: Cut = "median", when: int | None = None, first: int | None = None) -> pl.DataFrame:
    """Units by their value of a numeric ``column`` in one period; the groups are ordered from the highest values down.

    Args:
        panel: the panel.
        column: numeric; it may change over time, since one period counts.
        cut: ``median``, ``terciles`` or ``quartiles`` over units, or increasing thresholds. A value at a threshold is in the group below it.
        when: the period; by default the last before ``first``, else the first of the panel.
        first: earliest adoption: groups must be fixed before it.

    Raises:
        PanelError: no such numeric column or period, a period in which somebody is treated, thresholds that do not increase, or a group
            without units.
    """
    findings = _cut_findings(panel, column, cut)
    fail_if_any(findings, "groups", PanelError)
    period = when if when is not None else default_period(panel, first)
    _fail_if_bad_period(panel, column, period, first)
    frame = panel.frame.filter(pl.col(panel.time) == period)
    units, values = frame[panel.unit].cast(pl.String), frame[column].cast(pl.Float64)
    known = values.is_not_null() & values.is_finite().fill_null(value=False)
    units, numbers = units.filter(known), values.filter(known).to_numpy()
    if not len(numbers):
        what = f"no unit has a value of {column!r} in {period}"
        raise PanelError(Finding("empty-group", what, f"column {column!r}", "name another period or column"), "groups")
    points = np.quantile(numbers, QUANTILES[cut][0]) if isinstance(cut, str) else np.asarray(cut, dtype=np.float64)
    names = QUANTILES[cut][1] if isinstance(cut, str) else _between(points.tolist())
    code = np.searchsorted(points, numbers, side="left")
    empty = [name for k, name in enumerate(names) if not (code == k).any()]
    if empty:
        what = f"cut at {listed([f'{p:g}' for p in points.tolist()])}, {column!r} leaves {listed(empty)} without a unit in {period}"
        remedy = "choose other thresholds, or fewer groups: many units have the same value"
        raise PanelError(Finding("empty-group", what, f"column {column!r}", remedy), "groups")
    ordered = pl.Enum(names[::-1])
    return pl.DataFrame({"unit": units, "group": pl.Series([names[k] for k in code.tolist()], dtype=ordered)})


def default_period(panel: Panel, first: int | None) -> int:
    """The last period before ``first``; the first of the panel where there is none."""
    periods = sorted(panel.frame[panel.time].unique().to_list())
    before = [t for t in periods if first is not None and t < first]
    return int(before[-1] if before else periods[0])


def _cut_findings(panel: Panel, column: str, cut: Cut) -> list[Finding]:
    frame, found = panel.frame, []
    if column not in frame.columns:
        found.append(Finding("unknown-column", f"there is no column {column!r} to cut", "groups", did_you_mean(column, frame.columns)))
    elif not frame.schema[column].is_numeric():
        what = f"column {column!r} holds {frame.schema[column]}, not numbers"
        found.append(Finding("not-numeric", what, "groups", "name a numeric column, or name this one as it is: its values are the groups"))
    if isinstance(cut, str) and cut not in QUANTILES:
        found.append(Finding("unknown-value", f"cut is {cut!r}", "groups", did_you_mean(cut, QUANTILES)))
    if not isinstance(cut, str) and (not len(cut) or any(a >= b for a, b in pairwise(cut)) or not np.isfinite(list(cut)).all()):
        found.append(Finding("bad-cut", f"cut is {list(cut)!r}", "groups", "give increasing thresholds, such as [8.5, 9.5]"))
    return found


def _fail_if_bad_period(panel: Panel, column: str, period: int, first: int | None) -> None:
    periods = sorted(panel.frame[panel.time].unique().to_list())
    found = []
    if period not in periods:
        found.append(
            Finding("unknown-period", f"the panel has no period {period}", f"column {column!r}", f"name one of {listed(periods, 20)}")
        )
    elif first is not None and period >= first:
        what = f"{column!r} is cut by its values of {period}, when units are treated already (since {first})"
        found.append(
            Finding(
                "cut-after-adoption", what, f"column {column!r}", f"name a period before {first}: the policy may have moved later values"
            )
        )
    fail_if_any(found, "groups", PanelError)


def _between(points: Sequence[float]) -> tuple[str, ...]:
    """Names of the groups between thresholds."""
    text = [f"{p:g}" for p in points]
    return (f"≤{text[0]}", *(f"{a}–{b}" for a, b in pairwise(text)), f">{text[-1]}")
