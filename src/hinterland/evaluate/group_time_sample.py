"""The part of a design that group-time effects are estimated on, and what is left out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.drdid import Floats
from hinterland.evaluate.group_time import LEFT_OUT, Sample
from hinterland.labels import Note

Ints = NDArray[np.int64]
Rows = NDArray[np.bool_] | slice

_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the design that is used: ``cohort`` [N] (``LEFT_OUT`` where a unit is not), the first ``n_periods``, ``rows`` [n]
    (``slice(None)`` when all are), the cohorts to estimate, and notes on what was left out.
    """

    cohort: Ints
    n_periods: int
    rows: Rows
    treated: Ints
    notes: tuple[Note, ...]


def make_scope(design: Design, balance: bool) -> Scope:
    """Leave out what cannot be used, with notes: units treated from the start, periods in which nobody is left to compare with, and
    (``balance``) units with a gap.

    Raises ``EstimationError`` where nobody is left to compare, or to compare with.
    """
    cohort, periods, notes = design.cohort.copy(), design.periods, []
    early = cohort <= periods[0] + design.anticipation
    if early.any():
        notes.append(
            Note("cs-always-treated", {"count": int(early.sum()), "units": listed(design.unit_labels[early], 8), "period": int(periods[0])})
        )
        cohort[early] = LEFT_OUT
    treated = np.unique(cohort[(cohort != LEFT_OUT) & (cohort != NEVER)])
    _fail_if_nobody_to_compare(design, cohort, treated)
    n_periods = len(periods)
    if not (cohort == NEVER).any():
        latest = treated[-1]
        n_periods = int(np.searchsorted(periods, latest - design.anticipation))
        treated = treated[:-1]
        count = int((cohort == latest).sum())
        notes.append(Note("cs-no-never-treated", {"cohort": int(latest), "count": count, "periods": len(periods) - n_periods}))
    keep = design.period < n_periods
    seen = np.bincount(design.unit[keep], minlength=design.n_units)
    if (seen == 0).any():
        cohort[seen == 0] = LEFT_OUT
        treated = np.intersect1d(treated, cohort)
        _fail_if_nobody_to_compare(design, cohort, treated)
    if balance:
        gaps = (seen < n_periods) & (cohort != LEFT_OUT)
        if gaps.any():
            notes.append(Note("cs-units-with-gaps", {"count": int(gaps.sum()), "units": listed(design.unit_labels[gaps], 8)}))
        cohort[gaps] = LEFT_OUT
        treated = np.intersect1d(treated, cohort)
        keep &= ~gaps[design.unit]
        _fail_if_nobody_to_compare(design, cohort, treated)
    rows = slice(None) if keep.all() else keep
    return Scope(cohort, n_periods, rows, treated, tuple(notes))


def _fail_if_nobody_to_compare(design: Design, cohort: Ints, treated: Ints) -> None:
    sizes = ", ".join(f"{g}: {int((cohort == g).sum())}" for g in treated)
    where = f"{design.n_units} units, {design.periods[0]}–{design.periods[-1]}; cohorts {sizes or 'none'}"
    never = bool((cohort == NEVER).any())
    findings = []
    if len(treated) == 0:
        remedy = (
            "start the panel earlier, or set a smaller anticipation: a cohort needs a period more than anticipation before its adoption"
        )
        findings.append(Finding("no-period-before", "no cohort is observed before it is treated", where, remedy))
    elif not never and design.comparison == "never-treated":
        remedy = "set comparison='not-yet-treated', which compares with units treated later"
        findings.append(
            Finding("no-never-treated", "every unit is treated in the end: there is no never-treated unit to compare with", where, remedy)
        )
    elif not never and len(np.unique(cohort[cohort != LEFT_OUT])) < 2:
        remedy = "add units that are treated later or never"
        findings.append(
            Finding("no-comparison", "every unit is first treated in the same period: there is nobody to compare with", where, remedy)
        )
    fail_if_any(findings, "comparison group", EstimationError)


@dataclass(frozen=True, slots=True)
class Covariates:
    """Constant and standardised covariates ``x`` [n, k] (or [N, k], see :class:`Sample`), the names kept, and notes."""

    x: Floats
    names: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def make_covariates(design: Design, scope: Scope, panel: bool) -> Covariates:
    """Standardise the covariates and leave out collinear ones.

    Effects do not depend on the covariates' location and scale; conditioning does. Raises ``EstimationError`` for infinite values.
    """
    raw, unit, n = design.covariates[scope.rows], design.unit[scope.rows], design.n_units
    if panel and len(raw) == n * scope.n_periods and not any(_varies(column.reshape(n, scope.n_periods)) for column in raw.T):
        raw, unit = raw[:: scope.n_periods], np.arange(n, dtype=np.int32)
    if raw.shape[1] == 0:
        return Covariates(np.ones((len(raw), 1)), ())
    _fail_if_infinite(raw, design.covariate_names)
    used = scope.cohort[unit] != LEFT_OUT
    inside = raw if used.all() else raw[used]
    centre, scale = inside.mean(axis=0), inside.std(axis=0)
    constant = scale <= 1e-12 * np.abs(centre)
    x = np.ones((len(raw), raw.shape[1] + 1))
    np.subtract(raw, centre, out=x[:, 1:])
    x[:, 1:] /= np.where(constant, 1, scale)
    part = x[:, 1:] if used.all() else x[used, 1:]
    independent = _independent(part.T @ part / len(part), constant)
    kept = tuple(np.array(design.covariate_names)[independent].tolist())
    lost = [name for name in design.covariate_names if name not in kept]
    if not lost:
        return Covariates(x, kept)
    return Covariates(x[:, np.concatenate([[True], independent])], kept, (Note("cs-collinear", {"columns": listed(lost, 12)}),))


def _varies(column: Floats) -> bool:
    """Whether a variable [N, T] changes over time in any unit."""
    return not bool((column == column[:, :1]).all())


def _fail_if_infinite(raw: Floats, names: tuple[str, ...]) -> None:
    bad = [name for j, name in enumerate(names) if not np.isfinite(raw[:, j]).all()]
    if bad:
        remedy = "correct the values; a log of 0 gives -inf"
        raise EstimationError(
            Finding("infinite-covariate", f"covariates {listed(bad)} hold infinite values", "covariates", remedy), "covariates"
        )


def _independent(correlation: Floats, constant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[k] columns that are no combination of those before them, by sweeping their correlation matrix."""
    left = correlation.copy()
    keep = ~constant
    for j in range(len(left)):
        if not keep[j] or left[j, j] < _COLLINEAR:
            keep[j] = False
            continue
        left -= np.outer(left[:, j], left[j]) / left[j, j]
    return keep


def make_sample(design: Design, scope: Scope, x: Floats) -> Sample:
    """The rows of ``scope``, with covariates ``x`` from :func:`make_covariates`."""
    return Sample(
        cohort=scope.cohort,
        treated=scope.treated,
        periods=design.periods[: scope.n_periods],
        unit=design.unit[scope.rows],
        period=design.period[scope.rows],
        y=design.y[scope.rows],
        x=x,
        w=None if design.weight is None else design.weight[scope.rows],
        never_only=design.comparison == "never-treated",
        anticipation=design.anticipation,
    )
