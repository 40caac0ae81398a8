"""A moderator: one value for each unit, fixed before treatment, and every way in which a column cannot be one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Floats
from hinterland.labels import Note

Ints = NDArray[np.int64]
Fixed = str | int | None
RULES = ("pre", "own-pre")
ALIKE = 1e-12
"""Relative difference up to which two values of a moderator are one."""


@dataclass(frozen=True, slots=True)
class Fixing:
    """What a panel says of one column as a moderator.

    Attributes:
        column: its name;  fixed: the rule (``pre``, ``own-pre``, a period) or ``None``;  level: the column by whose groups it varies.
        units: [N] labels;  value: [N] the moderator, NaN where a unit has none;  cohort: [N] first treated periods.
        notes: how it was fixed;  warnings: findings that do not forbid it.
    """

    column: str
    fixed: Fixed
    level: str | None
    units: pl.Series
    value: Floats
    cohort: Ints
    notes: tuple[Note, ...]
    warnings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """Name of the column that holds the fixed value."""
        return fixed_name(self.column)

    def on(self, panel: Panel) -> Panel:
        """The panel with the fixed value of each unit in the column :attr:`name`; null where a unit has none."""
        table = pl.DataFrame({panel.unit: self.units, self.name: pl.Series(self.value, nan_to_null=True)})
        return replace(panel, frame=panel.frame.join(table, on=panel.unit, how="left", maintain_order="left"))


def fixed_name(column: str) -> str:
    """Name of the column that holds the value of ``column`` fixed before treatment."""
    return f"moderator:{column}"


@dataclass(frozen=True, slots=True)
class _Read:
    """A column by row: ``unit`` [n] index into ``units``; ``value`` [n] NaN where missing; ``cohort``, ``kept`` [N] by the policy's rule."""

    panel: Panel
    units: pl.Series
    unit: Ints
    time: Ints
    value: Floats
    cohort: Ints
    kept: NDArray[np.bool_]


def fix_moderator(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    column: str,
    *,
    fixed: Fixed = None,
    level: str | None = None,
    anticipation: int = 0,
) -> Fixing:
    """One value of ``column`` for each unit.

    Args:
        panel, outcome, policy: what will be estimated on what.
        column: the moderator, numeric.
        fixed: ``None``: the column does not change within units; ``pre``: mean over the periods before the first adoption of any unit; ``own-pre``: over
            those before the unit's own (before the first of any, for units never treated); a period: the value in it. Periods within ``anticipation``
            of an adoption do not count as before it.
        level: column by whose groups the moderator varies, such as ``province``: within one of them and a period all units share its value.
        anticipation: periods before adoption in which units may already react.

    Raises:
        EstimationError: every reason why the column cannot be a moderator, all at once.
    """
    fail_if_any([*_names(panel, outcome, policy, column, level), *_rule(panel, fixed)], "moderator", EstimationError)
    read = _read(panel, column, policy)
    fail_if_any([*_moving(read, column, fixed), *_within(read, column, level)], "moderator", EstimationError)
    rows, notes = _rows(read, column, fixed, anticipation)
    count = np.bincount(read.unit[rows], minlength=len(read.units))
    total = np.bincount(read.unit[rows], weights=read.value[rows], minlength=len(read.units))
    value = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    fail_if_any(list(_constant(read, column, value)), "moderator", EstimationError)
    return Fixing(column, fixed, level, read.units, value, read.cohort, notes, tuple(_missing(read, column, value, fixed)))


def _names(panel: Panel, outcome: str, policy: Cohorts, column: str, level: str | None) -> Iterator[Finding]:
    have = panel.frame.columns
    for name, what in ((column, "the moderator"), (level, "the level of the moderator")):
        if name is not None and name not in have:
            where = f"panel with columns {', '.join(have[:12])}{', …' if len(have) > 12 else ''}"
            yield Finding("unknown-column", f"there is no column {name!r} ({what})", where, did_you_mean(name, have))
    if column not in have:
        return
    remedy = "name a characteristic that the policy cannot have changed"
    if column == outcome:
        yield Finding("moderator-is-outcome", f"the moderator {column!r} is the outcome", "argument moderator", remedy)
    if column in (panel.treatment, policy.path, policy.source, panel.unit, panel.time):
        what = f"the moderator {column!r} is the treatment, or a role of the panel"
        yield Finding("moderator-is-treatment", what, "argument moderator", remedy)
    elif not (panel.frame.schema[column].is_numeric() or panel.frame.schema[column] == pl.Boolean):
        what = f"column {column!r} holds {panel.frame.schema[column]}, not numbers"
        yield Finding("not-numeric", what, "argument moderator", "convert it, or estimate by subgroups of it")


def _rule(panel: Panel, fixed: Any) -> Iterator[Finding]:
    if fixed is None or fixed in RULES:
        return
    if isinstance(fixed, bool) or not isinstance(fixed, int | np.integer):
        remedy = "give 'pre', 'own-pre' or a period; leave it out for a column that does not change within units"
        yield Finding("unknown-value", f"fixed is {fixed!r}", "argument fixed", remedy)
        return
    periods = panel.frame[panel.time].unique().sort().to_list()
    if fixed not in periods:
        what, where = f"the panel has no period {fixed}", f"it covers {periods[0]}–{periods[-1]}" if periods else "the panel is empty"
        yield Finding("moderator-no-period", what, f"argument fixed; {where}", "name a period of the panel before the first adoption")


def _read(panel: Panel, column: str, policy: Cohorts) -> _Read:
    units = panel.frame[panel.unit].unique(maintain_order=True)
    place = pl.DataFrame({panel.unit: units, "place": np.arange(len(units), dtype=np.int64)})
    unit = panel.frame.select(panel.unit).join(place, on=panel.unit, how="left", maintain_order="left")["place"].to_numpy()
    value = panel.frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    cohort, _, kept = policy.assign(units)
    time = panel.frame[panel.time].to_numpy().astype(np.int64)
    return _Read(panel, units, unit.astype(np.int64), time, value, cohort, kept)


def _spread(code: Ints, value: Floats) -> NDArray[np.bool_]:
    """[G] whether the values of a group differ."""
    size = int(code.max()) + 1 if len(code) else 0
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, code, value)
    np.maximum.at(high, code, value)
    return np.asarray(high - low > ALIKE * np.maximum(np.abs(high), np.abs(low)))


def _moving(read: _Read, column: str, fixed: Fixed) -> Iterator[Finding]:
    """A moderator that changes within units, and no rule that fixes it."""
    seen = np.isfinite(read.value)
    moving = _spread(read.unit[seen], read.value[seen]) if seen.any() else np.zeros(0, dtype=np.bool_)
    if fixed is None and moving.any():
        names = listed(read.units.gather(np.flatnonzero(moving)).to_list(), 8)
        what = f"the moderator {column!r} changes over time in {int(moving.sum())} of {len(read.units)} units, so that the policy may have changed it"
        remedy = "fix it before treatment: fixed='pre' (mean before the first adoption), 'own-pre', or a period before it"
        yield Finding("moderator-varies", what, names, remedy)


def _within(read: _Read, column: str, level: str | None) -> Iterator[Finding]:
    """A moderator that differs between units of one group in the same period; a group that is missing, or that units leave."""
    if level is None:
        return
    group = read.panel.frame[level]
    code = group.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    for bad, what in (
        (_spread(read.unit, code.astype(np.float64)), "changes within"),
        (np.bincount(read.unit, code == 0) > 0, "is missing for"),
    ):
        if bad.any():
            names = listed(read.units.gather(np.flatnonzero(bad)).to_list(), 8)
            remedy = f"give each unit one value of {level!r}"
            yield Finding("not-constant-in-unit", f"column {level!r} {what} {int(bad.sum())} unit(s)", names, remedy)
    seen = np.isfinite(read.value) & (code > 0)
    cell, back = np.unique(np.stack([code[seen], read.time[seen]]), axis=1, return_inverse=True)
    mixed = _spread(back.reshape(-1).astype(np.int64), read.value[seen]) if seen.any() else np.zeros(0, dtype=np.bool_)
    if mixed.any():
        groups = np.unique(cell[0][mixed])
        labels = [str(group.filter(pl.Series(code == g))[0]) for g in groups[:8]]
        what = f"the moderator {column!r} differs between units of the same {level!r} in {len(groups)} group(s)"
        remedy = "name the level at which it is measured, or leave level out"
        yield Finding("moderator-within-level", what, listed(labels, 8), remedy)


def _rows(read: _Read, column: str, fixed: Fixed, anticipation: int) -> tuple[NDArray[np.bool_], tuple[Note, ...]]:
    """[n] rows whose values make the moderator, and how that is said.

    Raises:
        EstimationError: no such row, or one of them in a treated period.
    """
    seen = np.isfinite(read.value)
    if fixed is None:
        return seen, (Note("moderator-constant-in-unit", {"moderator": column}),)
    first_period = int(read.time.min())
    adopted = read.cohort[read.kept & (read.cohort != NEVER) & (read.cohort > first_period)]
    first = int(adopted.min()) if len(adopted) else int(read.time.max()) + 1
    early = read.kept & (read.cohort <= first_period)
    own = np.where((read.cohort == NEVER) | early, first, read.cohort)[read.unit]
    before = read.time < (own if fixed == "own-pre" else first) - anticipation
    rows = seen & (before if fixed in RULES else read.time == fixed)
    _fail_if_late(read, column, fixed, anticipation)
    if not rows.any():
        what = f"the moderator {column!r} has no value in a period before {first - anticipation}"
        remedy = "start the panel earlier, or name a column that does not change within units"
        raise EstimationError(Finding("moderator-no-period", what, f"fixed={fixed!r}", remedy), "moderator")
    code = {"pre": "moderator-pre", "own-pre": "moderator-own-pre"}.get(str(fixed), "moderator-year")
    span = read.time[rows]
    notes = [Note(code, {"moderator": column, "first": int(span.min()), "last": int(span.max())})]
    if early.any():
        who = listed(read.units.gather(np.flatnonzero(early)).to_list(), 8)
        notes.append(Note("moderator-always-treated", {"moderator": column, "count": int(early.sum()), "units": who}))
    return rows, tuple(notes)


def _fail_if_late(read: _Read, column: str, fixed: Fixed, anticipation: int) -> None:
    """Raise where the moderator is taken in a period in which some unit is treated already, or may react."""
    if fixed is None or isinstance(fixed, str):
        return
    reached = read.kept & (read.cohort != NEVER) & (read.cohort - anticipation <= fixed)
    if reached.any():
        names = listed(read.units.gather(np.flatnonzero(reached)).to_list(), 8)
        what = f"the moderator {column!r} is taken in {fixed}, when {int(reached.sum())} unit(s) are treated already"
        first = int(read.cohort[reached].min()) - anticipation
        remedy = f"name a period before {first}, or fixed='pre' or 'own-pre'"
        raise EstimationError(Finding("moderator-after-treatment", what, names, remedy), "moderator")


def _constant(read: _Read, column: str, value: Floats) -> Iterator[Finding]:
    """A moderator that does not differ between units, or between treated ones."""
    used = read.kept & np.isfinite(value)
    treated = used & (read.cohort != NEVER) & (read.cohort <= read.time.max())
    for chosen, who in ((used, "units"), (treated, "treated units")):
        if not chosen.any():
            what = f"none of the {who} has a value of the moderator {column!r}"
            yield Finding(
                "moderator-missing", what, f"{int(read.kept.sum())} units", "fill the column in, or choose another rule for fixed"
            )
            return
        if not _spread(np.zeros(int(chosen.sum()), dtype=np.int64), value[chosen])[0]:
            what = f"the moderator {column!r} is {value[chosen][0]:g} in all {int(chosen.sum())} {who}"
            yield Finding("moderator-constant", what, "argument moderator", "name a column that differs between treated units")
            return


def _missing(read: _Read, column: str, value: Floats, fixed: Fixed) -> Iterator[Finding]:
    lost = read.kept & ~np.isfinite(value)
    if lost.any():
        names = listed(read.units.gather(np.flatnonzero(lost)).to_list(), 8)
        what = f"{int(lost.sum())} of {int(read.kept.sum())} unit(s) have no value of the moderator {column!r}"
        remedy = "fill it in" + ("" if fixed is None else ", or choose another rule for fixed") + "; they are left out of the moderation"
        yield Finding("moderator-missing", what, names, remedy, "warning")
