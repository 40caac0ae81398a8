"""What the data have against the rows of ``[robustness]``, before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hinterland.errors import Finding, InputError, listed
from hinterland.study.battery import BatteryRow, name_of
from hinterland.study.plan import robustness_rows
from hinterland.study.step import row_methods

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace

MISNAMED = ("unknown-column", "malformed-formula", "not-numeric", "malformed-fixed-effect")
"""Codes of findings that a name in the study file causes, whatever the sample."""


def battery_findings(work: Workspace) -> Iterator[Finding]:
    """Programmes, lags, and every row's panel and designs.

    A name that does not exist is an error. So is a row that leaves nobody; what a row's sample does not allow an estimator is a warning, since a
    note takes the place of the estimate. Rows that match first are checked by their own rules.
    """
    broken, said = set(), list(_programmes(work))
    for name, found in said:
        broken.add(name)
        yield from found
    yield from _lags(work)
    for row in robustness_rows(work.study):
        if row.variant.match is None and row.variant.without not in broken and row.variant.beside not in broken:
            yield from _row(work, row)


def _programmes(work: Workspace) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """What is wrong with each concurrent programme."""
    table = work.study.robustness
    for i, entry in enumerate(table.concurrent):
        name, where = name_of(entry), work.loaded.where("robustness", "concurrent", i)
        try:
            programme = work.programme(name)
        except InputError as error:
            yield name, tuple(replace(f, where=where if f.where == "arguments" else f.where) for f in error.findings)
            continue
        if "control" in table.concurrent_how and programme.undated:
            units = listed(list(programme.undated), 6)
            what = f"{len(programme.undated)} unit(s) of {name!r} are dated by a cumulative list only, so that an indicator of being in it is not known: {units}"
            yield (
                name,
                (Finding("dates-unknown", what, where, 'leave them out: concurrent_how = ["drop"], or give a file with their years'),),
            )


def _lags(work: Workspace) -> Iterator[Finding]:
    periods = work.panel.n_periods
    for i, lag in enumerate(work.study.robustness.lag_controls):
        if lag >= periods:
            where, remedy = work.loaded.where("robustness", "lag_controls", i), f"lag by {max(periods - 1, 1)} or less"
            yield Finding("controls-never-seen", f"controls lagged {lag} periods are never seen in a panel of {periods}", where, remedy)


def _row(work: Workspace, row: BatteryRow) -> Iterator[Finding]:
    if row.variant.lag_controls and row.variant.lag_controls >= work.panel.n_periods:
        return
    where = f"robustness row {row.variant.key!r}"
    try:
        work.variant_panel(row.variant)
    except InputError as error:
        yield from (replace(f, where=f"{f.where}, {where}" if f.where else where) for f in error.findings)
        return
    for outcome in work.study.outcome[: 1 if row.leading else None]:
        for method in row_methods(work.study, outcome, row.variant, row.methods):
            try:
                work.design(outcome.name, method, row.variant)
            except InputError as error:
                yield from _of_design(error.findings, where)


def _of_design(findings: Iterable[Finding], where: str) -> Iterator[Finding]:
    for f in findings:
        severity = f.severity if f.code in MISNAMED else "warning"
        yield replace(f, where=f"{f.where}, {where}", severity=severity)
