"""Check a study with its data, its policy and every design, before anything is estimated or written."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.errors import Finding, InputError, did_you_mean, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fail_if_not_accepted
from hinterland.evaluate.methods import METHODS
from hinterland.study.check_battery import battery_findings
from hinterland.study.check_displacement import displacement_findings
from hinterland.study.check_matching import matching_findings
from hinterland.study.check_mechanism import mechanism_findings
from hinterland.study.check_moderation import moderation_findings
from hinterland.study.curve import curve_findings
from hinterland.study.estimators import covariance_not_taken, covariances_of
from hinterland.study.groups import group_findings
from hinterland.study.load import LoadedStudy
from hinterland.study.measuring import findings_of
from hinterland.study.provenance import input_files
from hinterland.study.schema import OutcomeTable
from hinterland.study.step import headline_for, methods_for
from hinterland.study.transferring import boundaries
from hinterland.study.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        findings: every problem, errors first; empty when all is in order.
        designs: one line per outcome and estimator that can be fitted.
    """

    findings: tuple[Finding, ...]
    designs: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the study can be run (warnings do not prevent it)."""
        return not any(f.severity == "error" for f in self.findings)


TRIED = 200_000
"""Rows up to which an estimator is tried on its data: what it has against them is then known before anything is written."""


def check(loaded: LoadedStudy) -> Checked:
    """All findings about a study that was read: its files, panel, policy, groups and designs, and what estimators have against them."""
    try:
        input_files(loaded)
    except InputError as error:
        return Checked(error.findings, ())
    return check_work(Workspace(loaded))


def check_work(work: Workspace, tried: Container[tuple[str, str]] | None = None, done: Container[str] = ()) -> Checked:
    """The same, on a workspace that keeps what was loaded and fitted.

    Args:
        work: of the study.
        tried: outcomes and estimators to be tried; all by default.
        done: steps that an earlier run of the same study and data has finished: its measures and its transfer analysis are not made again.
    """
    findings: list[Finding] = findings_of(work, done)
    if work.study.transfer is not None and "transfer" not in done and not any(f.severity == "error" for f in findings):
        _gather(findings, lambda: findings.extend(work.transferred.findings))
        _gather(findings, lambda: boundaries(work))
    if work.study.plan is not None and "plan" not in done and not any(f.severity == "error" for f in findings):
        _gather(findings, lambda: findings.extend(work.problem.findings))
    if not work.study.evaluates:
        return Checked(tuple(sorted(_once(findings), key=lambda f: f.severity)), ())
    if not any(f.severity == "error" for f in findings):
        _gather(findings, lambda: work.panel)
    if not any(f.severity == "error" for f in findings):
        findings += work.panel.findings
        _gather(findings, work.cohorts)
    designs: list[str] = []
    if not any(f.severity == "error" for f in findings):
        findings += _unmatched_codes(work)
        findings += _labels_of_nothing(work)
        findings += _covariances(work)
        designs = _designs(work, findings)
        _trials(work, tried, findings)
        _groups(work, findings)
        findings += battery_findings(work)
        findings += moderation_findings(work)
        findings += displacement_findings(work)
        findings += mechanism_findings(work)
        findings += group_findings(work, _headline_designs(work))
        findings += matching_findings(work)
        findings += curve_findings(work)
    unique = _once(findings)
    return Checked(tuple(sorted(unique, key=lambda f: f.severity)), tuple(designs))


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once; a warning that an error says too is left out."""
    unique = tuple(dict.fromkeys(findings))
    fatal = {(f.code, f.what) for f in unique if f.severity == "error"}
    return tuple(f for f in unique if f.severity == "error" or (f.code, f.what) not in fatal)


def _unmatched_codes(work: Workspace) -> Iterator[Finding]:
    """A register speaks of six-digit codes: a panel that shares none of them has names, or codes of another form."""
    from hinterland.data.geography import match_cities

    register, panel = work.register, work.panel
    units = panel.frame[panel.unit].unique().sort().cast(pl.String)
    if register is None or units.is_in(register.members["adcode"].implode()).any():
        return
    codes = match_cities(units)["adcode"].drop_nulls()
    if units.is_in(codes.implode()).any():
        return
    cut = match_cities(units.str.extract(r"^(\d{6})").drop_nulls())["adcode"].drop_nulls()
    if len(codes):
        remedy = f"write a column of six-digit codes and name it as unit: hinterland.data.geography.match_cities finds them for {len(codes)} of the {len(units)} units"
    elif len(cut):
        remedy = "keep the first six digits of the codes only"
    else:
        remedy = "name the column that holds six-digit codes of prefectures as unit"
    yield Finding(
        "units-not-codes",
        f"no unit of the panel is in the register {register.id!r}: units are like {listed(units.head(3).to_list())}, the register's are GB/T 2260 codes like '340100'",
        f"{work.loaded.where('panel', 'unit')}, column {panel.unit!r}",
        remedy,
    )


def _labels_of_nothing(work: Workspace) -> Iterator[Finding]:
    columns = work.panel.frame.columns
    for name in work.loaded.study.panel.labels:
        if name not in columns:
            where = work.loaded.where("panel", "labels", name)
            yield Finding(
                "unknown-column", f"panel.labels names {name!r}, which is no column of the panel", where, did_you_mean(name, columns)
            )


def _gather(findings: list[Finding], action: Callable[[], Any]) -> Any:
    try:
        return action()
    except InputError as error:
        findings.extend(error.findings)
        return None


def _designs(work: Workspace, findings: list[Finding]) -> list[str]:
    lines: list[str] = []
    refused: list[tuple[OutcomeTable, str, Finding]] = []
    for outcome in work.study.outcome:
        for method in methods_for(work.study, outcome):
            design = _gather(findings, lambda name=outcome.name, m=method: work.design(name, m))  # type: ignore[misc]  # defaults bind the loop's values
            if design is None:
                continue
            refused += [(outcome, method, f) for f in _not_accepted(method, design)]
            findings.extend(_family(outcome.name, outcome.family, design))
            findings.extend(_nobody_left(method, design))
            findings.extend(_single_units(method, design, keep=work.study.policy.single_unit_cohorts == "keep"))
            findings.extend(_early(design))
            findings.extend(_no_comparison(design))
            lines.append(f"{outcome.name} / {method}: {_shown(design)}")
    findings += _refusals(work, refused)
    return lines


def _not_accepted(method: str, design: Design) -> tuple[Finding, ...]:
    try:
        fail_if_not_accepted(METHODS[method], design)
    except InputError as error:
        return error.findings
    return ()


def _refusals(work: Workspace, refused: Iterable[tuple[OutcomeTable, str, Finding]]) -> Iterator[Finding]:
    """Estimators that are not defined on an outcome: a warning where they are on another and do not lead, since a note takes their place."""
    every = list(refused)
    for outcome, method, finding in every:
        outcomes = {o.name for o in work.study.outcome if method in methods_for(work.study, o)}
        everywhere = outcomes == {o.name for o, m, _ in every if m == method}
        fatal = everywhere or method == headline_for(work.study, outcome)
        yield finding if fatal else replace(finding, where=f"{finding.where}, outcome {outcome.name!r}", severity="warning")


def _covariances(work: Workspace) -> Iterator[Finding]:
    """Estimators without the covariance that all should have: an error where the headline is one of them."""
    study = work.study
    for method in dict.fromkeys(m for o in study.outcome for m in methods_for(study, o)):
        asked = covariance_not_taken(study, method)
        if asked is None:
            continue
        leads = any(method == headline_for(study, o) for o in study.outcome)
        known = covariances_of(study, method)
        has = f"it has {listed(known, 10)}" if known else "its variance follows from the estimator"
        yield Finding(
            "covariance-not-taken",
            f"{method} does not have vcov = {asked!r}: {has}",
            work.loaded.where("evaluate", "vcov"),
            "give vcov to single estimators under [evaluate.options.…], or name another headline" if leads else "it keeps its own",
            "error" if leads else "warning",
        )


def _trials(work: Workspace, tried: Container[tuple[str, str]] | None, findings: list[Finding]) -> None:
    """What estimators have against the data, found by fitting them; the run uses the same fits.

    An estimator beside the headline that some outcome allows is a warning for the others, where a note takes its place.
    """
    known = {(f.code, f.what) for f in findings}
    if any(f.severity == "error" for f in findings):
        return
    for method in dict.fromkeys(m for o in work.study.outcome for m in methods_for(work.study, o)):
        outcomes = [o for o in work.study.outcome if method in methods_for(work.study, o)]
        against = {
            o.name: work.tried(o.name, method)
            for o in outcomes
            if (tried is None or (o.name, method) in tried) and work.design(o.name, method).n_obs <= TRIED
        }
        everywhere = len(against) == len(outcomes) and all(against.values())
        for outcome in outcomes:
            fatal = everywhere or method == headline_for(work.study, outcome)
            for f in against.get(outcome.name, ()):
                if (f.code, f.what) not in known:
                    where = f"{_line(work, method, f)}, outcome {outcome.name!r}: {f.where}"
                    findings.append(replace(f, where=where, severity="error" if fatal else "warning"))


def _line(work: Workspace, method: str, finding: Finding) -> str:
    """Where the study asks for what the finding is about: an option of the estimator, or the estimator."""
    evaluate, known = work.study.evaluate, METHODS[method].options
    said = f"{finding.what} {finding.where}"
    for name, value in evaluate.options.get(method, {}).items():
        if f"option {name}" in said or f"options {name}" in said or (name in known and known[name].column and repr(value) in said):
            return work.loaded.where("evaluate", "options", method, name)
    if method in evaluate.methods:
        return work.loaded.where("evaluate", "methods", evaluate.methods.index(method))
    return work.loaded.where("evaluate")


def _shown(design: Design) -> str:
    return repr(design).removeprefix(f"Design({design.outcome}: ").removesuffix(")")


def _family(name: str, family: str, design: Design) -> Iterator[Finding]:
    if family == "poisson" and np.any(design.y < 0):
        count = int((design.y < 0).sum())
        yield Finding(
            "negative-count",
            f"outcome {name!r} is negative in {count} row(s), and is declared a count",
            f"outcome {name!r}, family poisson",
            "correct the values, or declare it gaussian",
        )


def _nobody_left(method: str, design: Design) -> Iterator[Finding]:
    """An estimator that compares with the never treated, and none of them."""
    if "not-yet-treated" in METHODS[method].accepts and design.comparison == "never-treated" and not np.any(design.cohort == NEVER):
        yield Finding(
            "no-never-treated",
            f"every one of {design.n_units} units is treated in the end: there is no never-treated unit to compare with",
            f"outcome {design.outcome!r}, method {method}",
            'set evaluate.comparison = "not-yet-treated", which compares with units treated later',
        )


def _single_units(method: str, design: Design, *, keep: bool) -> Iterator[Finding]:
    """Cohorts of one unit: how it would have varied cannot be estimated. Refused where effects are estimated cohort by cohort."""
    by_cohort = "not-yet-treated" in METHODS[method].accepts
    for cohort in design.cohorts:
        units = np.flatnonzero(design.cohort == cohort)
        if len(units) == 1:
            yield Finding(
                "single-unit-cohort",
                f"only one unit ({design.unit_labels[units[0]]}) is first treated in {cohort}: the standard errors of its effects cannot be estimated",
                f"outcome {design.outcome!r}",
                "read its effects with the placebo's exact p-value"
                if keep or not by_cohort
                else 'leave the unit out ([panel.filter] drop_units), choose another timing rule, or set policy.single_unit_cohorts = "keep" and read the placebo\'s exact p-value',
                "warning" if keep or not by_cohort else "error",
            )


def _early(design: Design) -> Iterator[Finding]:
    """Treated units without a period before: legal, worth saying."""
    early = design.always_treated
    if early.any():
        yield Finding(
            "always-treated",
            f"{int(early.sum())} unit(s) are treated from the first period ({design.periods[0]}) on: no period before is seen",
            f"outcome {design.outcome!r}",
            "estimators that need one leave them out; start the panel earlier to use them",
            "warning",
        )


def _no_comparison(design: Design) -> Iterator[Finding]:
    """Treatment that never differs between units in a period, or never changes within a unit, is in the fixed effects already."""
    on = design.treated
    total = np.bincount(design.period, minlength=design.n_periods)
    treated = np.bincount(design.period, on, design.n_periods)
    if not np.any((design.cohort > design.periods[0]) & (design.cohort <= design.periods[-1])):
        what = "no unit is seen both before and after it is first treated"
    elif not np.any((treated > 0) & (treated < total)):
        what = "in every period all units are treated, or none is"
    else:
        return
    yield Finding(
        "treatment-collinear",
        f"{what}: the treatment cannot be told from unit and period effects",
        f"outcome {design.outcome!r}: {int(on.sum())} treated of {design.n_obs} rows, {design.periods[0]}–{design.periods[-1]}",
        "add units that are treated later or never, and periods before and after",
    )


def _groups(work: Workspace, findings: list[Finding]) -> None:
    left_out = (name for name in work.study.diagnostics.leave_out if name not in ("cohort", "cluster", "unit", "zone"))
    for name in (*work.study.heterogeneity.groups, *work.study.robustness.drop, *left_out):
        _gather(findings, lambda n=name: work.group_of(n))  # type: ignore[misc]


def _headline_designs(work: Workspace) -> dict[str, Design]:
    """The headline's design of each outcome that has one; what is wrong with the others is said where they are made."""
    found = {o.name: _gather([], lambda o=o: work.design(o.name, headline_for(work.study, o))) for o in work.study.outcome}  # type: ignore[misc]
    return {name: design for name, design in found.items() if design is not None}


def fail_if_not_ready(work: Workspace, tried: Container[tuple[str, str]] | None = None, done: Container[str] = ()) -> None:
    """Raise every error of :func:`check_work` together, as a :class:`~hinterland.StudyError`."""
    from hinterland.errors import StudyError, fail_if_any

    fail_if_any(check_work(work, tried, done).findings, work.loaded.name, StudyError)
