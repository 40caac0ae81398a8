"""``moderation``: how the effect changes with a characteristic fixed before treatment, by a regression and by versions that choose their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import Design, fail_if_switching, make_design
from hinterland.evaluate.estimate import find_method
from hinterland.evaluate.moderation_linear import Scaling, unit_starts
from hinterland.evaluate.moderation_result import Moderation
from hinterland.evaluate.moderation_work import Request, moderate
from hinterland.evaluate.moderator import Fixed, Fixing, fix_moderator
from hinterland.evaluate.threads import one_thread

__all__ = ["Moderation", "moderation"]

FAMILIES = ("gaussian", "poisson")


@one_thread()
def moderation(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    moderator: str,
    *,
    fixed: Fixed = None,
    level: str | None = None,
    centre: str | float = "treated",
    bins: int | Sequence[float] = 3,
    group: str | None = None,
    family: str = "gaussian",
    method: str | None = None,
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    cluster: str | None = None,
    anticipation: int = 0,
    fe: Sequence[str] = (),
    draws: int = 9999,
    seed: int = 0,
    points: int = 50,
    options: Mapping[str, Any] | None = None,
) -> Moderation:
    """Estimate how the effect of ``policy`` on ``outcome`` changes with ``moderator``.

    Three versions, whose estimands differ where effects differ for other reasons than the moderator: ``linear``, the interaction in a regression with two-way
    fixed effects in which the moderator moves the outcome in every period (:mod:`hinterland.evaluate.moderation_linear`); ``imputation``, the
    least-squares slope of the effects of all treated unit-periods, and ``strata``, the slope through average effects within bins of the moderator
    (:mod:`hinterland.evaluate.moderation_strata`). The binning estimator of Hainmueller, Mummolo & Xu (2019) checks the linear form and the support.

    Args:
        panel, outcome, policy, covariates, comparison, anticipation, fe: as in :func:`hinterland.estimate`.
        moderator: its column.
        fixed: how it is fixed before treatment: ``None`` (it does not change within units), ``pre``, ``own-pre`` or a period; see
            :func:`hinterland.evaluate.moderator.fix_moderator`.
        level: column by whose groups the moderator varies (``"province"``): inference clusters on it, unless ``cluster`` says otherwise.
        centre: where the effect's level is told: ``treated`` (mean over treated units), ``units`` (over all), or a value.
        bins: how many bins of equal size, or the cut points between them.
        group: a 0/1 column, or ``column=value``: does the slope differ in this group of units?
        family: ``gaussian``, or ``poisson`` for counts (``linear`` by ppml, ``strata`` by ppml, no ``imputation``).
        method: estimator of the strata; callaway-santanna, or ppml for counts, by default;  options: of that estimator.
        cluster: column to cluster on.
        draws: of the wild bootstrap; the test of linearity and random labels take at most 999;  seed: of both.
        points: values of the moderator at which the line is told.

    Raises:
        EstimationError: a column that cannot be a moderator, bad options, or a slope that the data do not identify.
    """
    findings = _bad_options(centre, bins, family, draws, points)
    fail_if_any(findings, "options", EstimationError)
    chosen = find_method(method or ("ppml" if family == "poisson" else "callaway-santanna")).id
    fixing = fix_moderator(panel, outcome, policy, moderator, fixed=fixed, level=level, anticipation=anticipation)
    panel, marked = _marked(fixing.on(panel), group)
    design = make_design(
        panel,
        outcome,
        policy,
        covariates=covariates,
        fe=fe,
        comparison=comparison,
        anticipation=anticipation,
        cluster=cluster or level,
        columns=tuple(c for c in (fixing.name, level, marked) if c is not None),
    )
    fail_if_switching(design, "moderation")
    cut = bins if isinstance(bins, int) else tuple(bins)
    scaling = _scaling(design, fixing, centre)
    return moderate(Request(design, fixing, scaling, family, cut, marked, chosen, options or {}, draws, seed, points))


def _bad_options(centre: Any, bins: Any, family: str, draws: Any, points: Any) -> list[Finding]:
    findings = []
    if family not in FAMILIES:
        findings.append(Finding("unknown-value", f"family is {family!r}", "argument family", did_you_mean(str(family), FAMILIES)))
    if centre not in ("treated", "units") and not _finite(centre):
        remedy = "give 'treated', 'units', or a value of the moderator"
        findings.append(Finding("unknown-value", f"centre is {centre!r}", "argument centre", remedy))
    whole = isinstance(bins, int) and not isinstance(bins, bool) and bins >= 2
    cuts = isinstance(bins, Sequence) and not isinstance(bins, str) and len(bins) > 0 and all(map(_finite, bins))
    if not (whole or cuts):
        findings.append(
            Finding("bad-bins", f"bins is {bins!r}", "argument bins", "give a whole number of 2 or more, or a list of cut points")
        )
    for name, value, least in (("draws", draws, 99), ("points", points, 2)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            remedy = f"give a whole number of {least} or more"
            findings.append(Finding("few-draws" if name == "draws" else "bad-points", f"{name} is {value!r}", f"argument {name}", remedy))
    return findings


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _marked(panel: Panel, group: str | None) -> tuple[Panel, str | None]:
    """The panel with a 0/1 column for the group, and its name.

    Raises:
        EstimationError: no such column or value, or units without one.
    """
    if group is None:
        return panel, None
    name, _, wanted = group.partition("=")
    panel.require([name], "the group of the moderation")
    column = panel.frame[name]
    levels = sorted(column.drop_nulls().cast(pl.String).unique().to_list())
    wanted = wanted or next((v for v in ("true", "1", "1.0") if v in levels and len(levels) <= 2), "")
    if wanted not in levels:
        remedy = did_you_mean(f"{name}={wanted}", [f"{name}={v}" for v in levels])
        raise EstimationError(Finding("unknown-group", f"{group!r} names no group of units", "argument group", remedy), "moderation")
    if column.null_count():
        what = f"column {name!r} is missing in {column.null_count()} row(s)"
        raise EstimationError(
            Finding("not-constant-in-unit", what, "argument group", f"give each unit one value of {name!r}"), "moderation"
        )
    marked = f"group:{group}"
    return panel.with_columns(**{marked: (pl.col(name).cast(pl.String) == wanted).cast(pl.Float64)}), marked


def _scaling(design: Design, fixing: Fixing, centre: str | float) -> Scaling:
    value = np.asarray(design.columns[fixing.name][unit_starts(design)])
    chosen = value[design.cohort != NEVER] if centre == "treated" else value
    at = float(chosen.mean()) if isinstance(centre, str) else float(centre)
    return Scaling(fixing.name, at, float(value.std(ddof=1)))
