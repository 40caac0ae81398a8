"""The rows that may be matched: units on covariates from before adoption, or rows of the panel on covariates of their own period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.order import run_starts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import unit_codes
from hinterland.evaluate.covariates import covariate_columns, covariate_matrix
from hinterland.evaluate.matching_rule import BEFORE, MatchRule
from hinterland.evaluate.sample import real

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """n rows that may be matched, in groups within which they are.

    Attributes:
        unit: [n] index into ``unit_labels``;  unit_labels: [N] units of the panel, as text.
        period: [n] the row's period (``year``, ``pooled``), else the cohort that it is a candidate for (``cohort``), else 0.
        group: [n] code of the group within which rows are matched;  groups: their names.
        treated: [n] whether the unit is treated in the window.
        x: [n, k] covariates;  names: their k names.
        weight: [n] base weights.
        left_out: units that are not candidates, by reason: ``missing`` covariates, ``always-treated``.
        changing: covariates that change after adoption within treated units, where rows of their own period are matched.
    """

    unit: Ints
    unit_labels: NDArray[np.str_]
    period: Ints
    group: Ints
    groups: tuple[str, ...]
    treated: Mask
    x: Floats
    names: tuple[str, ...]
    weight: Floats
    left_out: Mapping[str, tuple[str, ...]]
    changing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    """Complete rows of eligible units: ``frame`` [m], ``unit`` [m] codes, ``period`` [m], ``x`` [m, k], ``weight`` [m]; ``cohort`` [N]."""

    frame: pl.DataFrame
    unit: Ints
    period: Ints
    x: Floats
    names: tuple[str, ...]
    weight: Floats
    cohort: Ints
    labels: NDArray[np.str_]
    first: int
    always: Mask


def candidates(panel: Panel, policy: Cohorts, rule: MatchRule, anticipation: int) -> Candidates:
    """The rows that may be matched under ``rule``.

    Units that the policy's rule excludes are left out. Comparison rows are those of units that are not treated in the window.

    Raises:
        PanelError: unknown columns.
        EstimationError: nobody treated, or never treated, or observed before adoption.
    """
    table = _table(panel, policy, rule, anticipation)
    _fail_if_one_sided(table)
    if rule.by in BEFORE:
        return _before_adoption(table, rule, anticipation)
    return _of_their_period(table, rule)


def _table(panel: Panel, policy: Cohorts, rule: MatchRule, anticipation: int) -> _Table:
    columns = covariate_columns(rule.covariates, panel.frame.columns)
    panel.require(columns, "matched on")
    needed = list(dict.fromkeys([panel.unit, panel.time, *columns, *([panel.weight] if panel.weight else [])]))
    frame = panel.frame.select(needed)
    starts = run_starts(frame[panel.unit])
    labels = frame[panel.unit][starts].cast(pl.String).to_numpy().astype(np.str_)
    unit, time = unit_codes(starts, frame.height).astype(np.int64), frame[panel.time].to_numpy().astype(np.int64)
    cohort, _, keep = policy.assign(frame[panel.unit][starts])
    last, first = int(time.max()), int(time.min())
    cohort = np.where(cohort > last + anticipation, NEVER, cohort)
    always = keep & (cohort <= first)
    whole = ~np.logical_or.reduce([np.zeros(frame.height, dtype=np.bool_), *(_gaps(frame[c]) for c in needed[2:])])
    rows = (keep & ~always)[unit] & whole
    kept = frame.filter(pl.Series(rows))
    x, names = covariate_matrix(rule.covariates, kept)
    weight = real(kept, panel.weight) if panel.weight else np.ones(kept.height)
    return _Table(kept, unit[rows], time[rows], x, names, weight, np.where(keep, cohort, -1), labels, first, always)


def _gaps(series: pl.Series) -> Mask:
    """[n] where the column has no finite value."""
    if series.dtype.is_float():
        return np.asarray(~np.isfinite(series.fill_null(np.nan).to_numpy()))
    return np.asarray(series.is_null().to_numpy())


def _fail_if_one_sided(table: _Table) -> None:
    eligible = (table.cohort >= 0) & ~table.always
    treated, never = eligible & (table.cohort != NEVER), eligible & (table.cohort == NEVER)
    if treated.any() and never.any():
        return
    raise EstimationError(
        Finding(
            "one-sided-match",
            "no unit is first treated inside the window" if never.any() else "no unit is never treated: there is nobody to match with",
            f"{int(treated.sum())} treated and {int(never.sum())} never treated units, after the policy's exclusions",
            "widen the years, or end the panel before the last cohort adopts, so that it serves as comparison",
        ),
        "matching",
    )


def _before_adoption(table: _Table, rule: MatchRule, anticipation: int) -> Candidates:
    """Units, once against the first adoption of all, or cohort by cohort against their own."""
    eligible = (table.cohort >= 0) & ~table.always
    ever = eligible & (table.cohort != NEVER)
    cohorts = np.unique(table.cohort[ever])
    groups = [(0, int(cohorts[0]), ever)] if rule.by == "unit" else [(int(g), int(g), ever & (table.cohort == g)) for g in cohorts]
    parts: list[tuple[Ints, int, Floats, Floats]] = []
    absent = np.zeros(len(table.cohort), dtype=np.bool_)
    for name, start, treated in groups:
        wanted = treated | (eligible & (table.cohort == NEVER))
        units, x, weight = _averages(table, wanted, start - anticipation, rule)
        absent |= wanted & ~np.isin(np.arange(len(wanted)), units)
        parts.append((units, name, x, weight))
    unit = np.concatenate([p[0] for p in parts])
    treated = table.cohort[unit] != NEVER
    if not treated.any() or treated.all():
        raise _nobody_before(table, rule, int(cohorts[0]) - anticipation)
    return Candidates(
        unit,
        table.labels,
        np.repeat([p[1] for p in parts], [len(p[0]) for p in parts]),
        np.repeat(np.arange(len(parts)), [len(p[0]) for p in parts]),
        tuple(str(p[1]) for p in parts),
        treated,
        np.concatenate([p[2] for p in parts]),
        table.names,
        np.concatenate([p[3] for p in parts]),
        _left_out(table, absent),
    )


def _averages(table: _Table, wanted: Mask, before: int, rule: MatchRule) -> tuple[Ints, Floats, Floats]:
    """The ``wanted`` [N] units that have a complete row in the periods before ``before`` asked for, with their mean covariates and weight."""
    rows = wanted[table.unit] & (table.period < before)
    if rule.when != "mean-before" and rows.any():
        rows &= table.period == (table.period[rows].max() if rule.when == "last-before" else table.first)
    unit, n = table.unit[rows], len(wanted)
    count = np.bincount(unit, minlength=n)
    units = np.flatnonzero(count)

    def mean(values: Floats) -> Floats:
        return np.bincount(unit, weights=values[rows], minlength=n)[units] / count[units]

    x = np.column_stack([mean(column) for column in table.x.T]) if len(table.names) else np.empty((len(units), 0))
    return units, x, mean(table.weight)


def _nobody_before(table: _Table, rule: MatchRule, before: int) -> EstimationError:
    what = f"nobody is observed with all covariates {'in ' + str(table.first) if rule.when == 'first-period' else 'before ' + str(before)}"
    return EstimationError(
        Finding("nothing-before", what, f"covariates {listed(table.names, 8)}", "start the panel earlier, or match on other columns"),
        "matching",
    )


def _of_their_period(table: _Table, rule: MatchRule) -> Candidates:
    """Every row, within its period or among all."""
    periods, code = np.unique(table.period, return_inverse=True)
    pooled = rule.by == "pooled"
    treated = table.cohort[table.unit] != NEVER
    eligible = (table.cohort >= 0) & ~table.always
    after = treated & (table.period >= table.cohort[table.unit])
    changing = tuple(n for n, values in zip(table.names, table.x.T, strict=True) if _changes(values, table.unit, after))
    return Candidates(
        table.unit,
        table.labels,
        table.period,
        np.zeros(len(code), dtype=np.int64) if pooled else code.astype(np.int64),
        ("all periods",) if pooled else tuple(map(str, periods)),
        treated,
        table.x,
        table.names,
        table.weight,
        _left_out(table, eligible & ~np.isin(np.arange(len(eligible)), table.unit)),
        changing,
    )


def _changes(values: Floats, unit: Ints, after: Mask) -> bool:
    """Whether a covariate moves within a treated unit once it is treated, or by then."""
    return bool(np.any((unit[1:] == unit[:-1]) & (values[1:] != values[:-1]) & after[1:]))


def _left_out(table: _Table, absent: Mask) -> dict[str, tuple[str, ...]]:
    found = {"missing": absent, "always-treated": table.always}
    return {name: tuple(table.labels[units].tolist()) for name, units in found.items() if units.any()}


def strata_of(rule: MatchRule, found: Candidates) -> list[tuple[Ints, Ints]]:
    """Rows [m] that share one propensity score, with the stratum [m] whose intercept each has.

    Cohorts share one score with an intercept each, since most are too small for one of their own; periods each have their own.
    """
    if rule.by == "cohort":
        return [(np.arange(len(found.unit)), found.group)]
    return [(rows, np.zeros(len(rows), dtype=np.int64)) for rows in groups_of(found)]


def groups_of(found: Candidates) -> list[Ints]:
    """Rows of each group."""
    return [np.flatnonzero(found.group == g) for g in range(len(found.groups))]


def one_sided(found: Candidates, rows: Sequence[Ints]) -> list[str]:
    """Groups that have no treated or no comparison row."""
    return [found.groups[g] for g, r in enumerate(rows) if not found.treated[r].any() or found.treated[r].all()]
