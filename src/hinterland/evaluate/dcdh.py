"""Effects of a treatment that may switch on and off, or change its level (de Chaisemartin & D'Haultfœuille 2024).

Units whose treatment changes are compared, over the same periods, with units that started from the same treatment and have not
changed yet. *Difference-in-Differences Estimators of Intertemporal Treatment Effects*, Review of Economics and Statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal

import numpy as np

from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.callaway_santanna import sum_by_cluster, unit_clusters
from hinterland.evaluate.dcdh_contrasts import Contrast, Window, contrast
from hinterland.evaluate.dcdh_covariates import Slopes, regress, residual, with_slopes
from hinterland.evaluate.dcdh_paths import Floats, Ints, Mask, Paths, make_paths
from hinterland.evaluate.design import Design
from hinterland.evaluate.event_study import step_notes, term_name
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note, text

Switchers = Literal["both", "in", "out"]
_DIRECTION = {"both": 0, "in": 1, "out": -1}


@one_thread()
def fit(
    design: Design,
    *,
    effects: int | None = None,
    placebos: int | None = None,
    switchers: Switchers = "both",
    normalized: bool = False,
    same_switchers: bool = False,
    same_switchers_placebos: bool = False,
    only_never_switchers: bool = False,
    trends_nonparam: str | Sequence[str] | None = None,
    trends_lin: bool = False,
    keep_bidirectional: bool = False,
    less_conservative_se: bool = False,
) -> Effects:
    """Effects ℓ periods after the first change of treatment, and placebos as many before it.

    Args:
        design: what is estimated on what. Treatment is ``treatment_level`` where the policy has a path, else 1 (or the share
            covered) from adoption on.
        effects: horizons ℓ = 1 … ``effects``; ``None``: all that can be estimated.  placebos: the same for placebos.
        switchers: units whose treatment first rises (``in``), falls (``out``), or ``both``.
        normalized: divide by the change of treatment cumulated over the ℓ periods: an effect per unit of treatment received.
        same_switchers: only units for which every effect up to ``effects`` can be estimated.
        same_switchers_placebos: and every placebo, for the placebos.
        only_never_switchers: compare with units that never change, not with those that have not changed yet.
        trends_nonparam: column(s), constant within unit: compare only units with the same values.
        trends_lin: let each unit have a linear trend of its own.
        keep_bidirectional: keep the periods from which on treatment has been both above and below its first value.
        less_conservative_se: average switchers over those with the same treatments so far, where there are two, when demeaning.

    Returns:
        Effects with aggregation ``event-time``: ℓ = 1 is event time 0, placebo ℓ is event time -1 - ℓ, and -1 is the reference.
        ``aggregate("overall")`` is the average total effect per unit of treatment: Σ_ℓ N_ℓ DID_ℓ over Σ_ℓ N_ℓ times the mean change
        of treatment at ℓ. Standard errors use the normal distribution. A horizon that cannot be estimated stays, without a value.

    Raises:
        EstimationError: options out of range; sets that change within a unit; nobody to compare with; no effect that can be estimated.
    """
    choice = _Choice(
        _DIRECTION.get(switchers, 0),
        normalized,
        same_switchers,
        same_switchers_placebos,
        only_never_switchers,
        trends_lin,
        less_conservative_se,
    )
    fail_if_any([*_bad_options(effects, placebos, switchers, choice, keep_bidirectional)], "options", EstimationError)
    columns = (trends_nonparam,) if isinstance(trends_nonparam, str) else tuple(trends_nonparam or ())
    paths = make_paths(design, _sets(design, columns), keep_bidirectional=keep_bidirectional)
    task = _task(paths, choice)
    found = _estimate(task, effects, placebos)
    _fail_if_nothing(design, found, effects)
    notes = (*design.notes, *_notes(design, task, found, effects, placebos))
    return _effects(design, task, found, notes, columns)


@dataclass(frozen=True, slots=True)
class _Choice:
    """The options that say what is averaged."""

    direction: int
    normalized: bool
    same_switchers: bool
    same_placebos: bool
    never_only: bool
    linear: bool
    by_path: bool

    def window(self, horizon: int, *, placebo: bool = False, keep: Mask | None = None) -> Window:
        return Window(horizon, placebo, keep, self.direction, self.never_only, self.by_path and not placebo)


def _bad_options(effects: object, placebos: object, switchers: str, choice: _Choice, bidirectional: object) -> Iterator[Finding]:
    for name, value, least in (("effects", effects, 1), ("placebos", placebos, 0)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least):
            remedy = f"give a whole number of periods, {least} or more, or leave it out for all that can be estimated"
            yield Finding("not-whole", f"{name} is {value!r}", f"option {name} of dcdh", remedy)
    if switchers not in _DIRECTION:
        yield Finding("unknown-value", f"switchers is {switchers!r}", "option switchers of dcdh", "choose one of 'both', 'in', 'out'")
    flags = {
        "normalized": choice.normalized,
        "same_switchers": choice.same_switchers,
        "same_switchers_placebos": choice.same_placebos,
        "only_never_switchers": choice.never_only,
        "trends_lin": choice.linear,
        "keep_bidirectional": bidirectional,
        "less_conservative_se": choice.by_path,
    }
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            yield Finding("unknown-value", f"{name} is {flag!r}", f"option {name} of dcdh", "give true or false")


def _sets(design: Design, columns: Sequence[str]) -> Ints | None:
    """[N] code of the combination of ``columns`` in each unit."""
    if not columns:
        return None
    out = np.zeros(design.n_units, dtype=np.int64)
    findings = []
    for name in columns:
        labels, codes = np.unique(design.columns[name], return_inverse=True)
        own = np.zeros(design.n_units, dtype=np.int64)
        own[design.unit] = codes
        moved = np.unique(design.unit[own[design.unit] != codes])
        if len(moved):
            what = f"column {name!r} changes within {len(moved)} unit(s)"
            remedy = "name a column that is constant within each unit"
            findings.append(Finding("varying-group", what, listed(design.unit_labels[moved], 8), remedy))
        out = np.unique(out * len(labels) + own, return_inverse=True)[1]
    fail_if_any(findings, "options", EstimationError)
    return out


@dataclass(frozen=True, slots=True)
class _Task:
    """Paths with the outcome [T, N] that is differenced (net of covariates), the covariates' slopes, and what is averaged."""

    paths: Paths
    choice: _Choice
    y: Floats
    x: Floats
    slopes: Mapping[int, Slopes] = field(default_factory=dict)

    def at(self, window: Window) -> Contrast:
        """The contrast of one window, with the influence of the slopes."""
        plain = contrast(self.paths, self.y, window)
        return with_slopes(self.paths, self.x, self.slopes, window, plain) if len(self.x) else plain


def _task(paths: Paths, choice: _Choice) -> _Task:
    y, x = paths.y, paths.x
    if choice.linear:
        y, x = _differenced(y), np.stack([_differenced(one) for one in x]) if len(x) else x
        paths = replace(paths, complete=False)
    if not len(x):
        return _Task(paths, choice, y, x)
    slopes = regress(paths, y, x)
    return _Task(paths, choice, residual(paths, y, x, slopes), x, slopes)


def _differenced(values: Floats) -> Floats:
    """[T, N] change since the period before; NaN in the first."""
    out = np.full_like(values, np.nan)
    out[1:] = values[1:] - values[:-1]
    return out


@dataclass(frozen=True, slots=True)
class _Found:
    """Contrasts of the effects and of the placebos, horizon 1 first."""

    effects: tuple[Contrast, ...]
    placebos: tuple[Contrast, ...]


def _estimate(task: _Task, effects: int | None, placebos: int | None) -> _Found:
    most = task.paths.n_periods - 1
    wanted = [min(most, most if asked is None else asked) for asked in (effects, placebos)]
    if task.choice.linear:
        return _Found(
            *(_trimmed([_cumulated(task, h, placebo) for h in range(1, n + 1)]) for placebo, n in ((False, wanted[0]), (True, wanted[1])))
        )
    first = _trimmed([task.at(task.choice.window(h)) for h in range(1, wanted[0] + 1)])
    keep = None
    if task.choice.same_switchers and first:
        keep = reduce(np.logical_and, (c.switchers for c in first))
        first = tuple(task.at(task.choice.window(h, keep=keep)) for h in range(1, len(first) + 1))
    last = _trimmed([task.at(task.choice.window(h, placebo=True, keep=keep)) for h in range(1, wanted[1] + 1)])
    if task.choice.same_placebos and last:
        keep = reduce(np.logical_and, (c.switchers for c in last))
        last = tuple(task.at(task.choice.window(h, placebo=True, keep=keep)) for h in range(1, len(last) + 1))
    return _Found(first, last)


def _cumulated(task: _Task, horizon: int, placebo: bool) -> Contrast:
    """With linear trends: first-differenced effects summed up to ``horizon``, for the switchers that have them all.

    Weights may change over time: each effect is a mean of its own, by direction, before it is summed.
    """
    kinds = (False, True) if placebo else (False,)
    every = [contrast(task.paths, task.y, task.choice.window(h, placebo=p)).switchers for p in kinds for h in range(1, horizon + 1)]
    keep = reduce(np.logical_and, every)
    parts = [task.at(task.choice.window(h, placebo=placebo, keep=keep)) for h in range(1, horizon + 1)]
    if task.paths.weight is None:
        return replace(parts[-1], total=sum(p.total for p in parts), influence=np.sum([p.influence for p in parts], axis=0))
    total, influence = 0.0, np.zeros_like(parts[-1].influence)
    for direction in (1, -1) if task.choice.direction == 0 else (task.choice.direction,):
        windows = [replace(task.choice.window(h, placebo=placebo, keep=keep), direction=direction) for h in range(1, horizon + 1)]
        own = [task.at(window) for window in windows]
        for part in own:
            ratio = own[-1].weight / part.weight if part.weight > 0 else 0.0
            total, influence = total + ratio * part.total, influence + ratio * part.influence
    return replace(parts[-1], total=total, influence=influence)


def _trimmed(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """Without the last horizons, which nobody reaches."""
    known = [i for i, c in enumerate(contrasts) if c.weight > 0]
    return tuple(contrasts[: known[-1] + 1]) if known else ()


def _fail_if_nothing(design: Design, found: _Found, asked: int | None) -> None:
    if any(c.weight > 0 for c in found.effects):
        return
    what = "no effect can be estimated: no unit that changes is seen before and after, at the same time as one that has not changed yet"
    remedy = "start the panel earlier, ask for fewer effects with same_switchers, or allow switchers of both directions"
    where = f"method dcdh, outcome {design.outcome!r}" + ("" if asked is None else f", effects={asked}")
    raise EstimationError(Finding("no-cell", what, where, remedy), "cells")


def _notes(design: Design, task: _Task, found: _Found, effects: int | None, placebos: int | None) -> Iterator[Note]:
    paths = task.paths
    if paths.crossed.any():
        units = design.unit_labels[paths.order[paths.crossed]]
        yield Note("dcdh-crossed", {"count": len(units), "units": listed(sorted(units.tolist()), 8)})
    if paths.lost.any():
        units = design.unit_labels[paths.order[paths.lost]]
        changing = int((paths.first[paths.lost] < paths.n_periods).sum())
        yield Note("dcdh-lost", {"count": len(units), "changing": changing, "units": listed(sorted(units.tolist()), 8)})
    for kind, asked, have in (("effects", effects, found.effects), ("placebos", placebos, found.placebos)):
        if asked is not None and len(have) < asked:
            yield Note(f"dcdh-fewer-{kind}", {"asked": asked, "count": len(have)})
        if gaps := [h + 1 for h, c in enumerate(have) if c.weight == 0]:
            yield Note(f"dcdh-missing-{kind}", {"horizons": listed(gaps, 12)})
    if short := [status for status, s in task.slopes.items() if s.rank < len(task.x)]:
        starts = sorted({float(paths.start[b.low]) for b in paths.blocks if b.status in short})
        yield Note("dcdh-collinear", {"covariates": ", ".join(design.covariate_names), "starts": listed([f"{s:g}" for s in starts], 8)})
    yield from step_notes(design)
    if not design.balanced:
        yield Note("dcdh-gaps", {"units": design.n_units})


def _effects(design: Design, task: _Task, found: _Found, notes: tuple[Note, ...], columns: Sequence[str]) -> Effects:
    """The terms in order of event time: placebos, the reference, effects."""
    listed_ = [*reversed(found.placebos), None, *found.effects]
    events = np.arange(-1 - len(found.placebos), len(found.effects))
    columns_of = [_scaled(c, task.choice.normalized) for c in listed_]
    inverse = np.argsort(task.paths.order)
    by_unit = np.column_stack([np.zeros(design.n_units) if c is None else c[1] for c in columns_of])[inverse]
    influence = sum_by_cluster(by_unit, unit_clusters(design), design.clusters[0].size)
    vcov = influence.T @ influence
    estimate = np.array([0.0 if c is None else c[0] for c in columns_of])
    terms = Terms.make(
        tuple(term_name(int(e)) for e in events),
        event_time=events,
        reference=events == -1,
        n_treated=np.array(
            [int(task.paths.order.size and (found.effects[0].switchers.sum())) if c is None else int(c.switchers.sum()) for c in listed_]
        ),
    )
    return Effects(
        method="dcdh",
        outcome=design.outcome,
        aggregation="event-time",
        terms=terms,
        estimate=estimate,
        vcov=vcov,
        influence=influence,
        clusters=cluster_labels(design),
        notes=notes,
        meta={**_meta(design, task, found, columns), **joint_tests(estimate, vcov, events)},
    )


def _scaled(one: Contrast | None, normalized: bool) -> tuple[float, Floats] | None:
    """Estimate and influence [N] of one horizon."""
    if one is None:
        return None
    by = one.weight * (one.cumulated / one.weight if normalized else 1.0) if one.weight > 0 else 0.0
    return (one.total / by, one.influence / by) if by else (np.nan, np.zeros_like(one.influence))


def joint_tests(estimate: Floats, vcov: Floats, event_time: Ints) -> dict[str, float | None]:
    """P-values of the Wald tests that all effects are zero, that they are equal, and that all placebos are zero (chi2)."""
    effects, leads = event_time >= 0, event_time < -1
    count = int(effects.sum())
    contrasts = np.eye(count - 1, count, 1) - np.eye(count - 1, count) if count > 1 else np.zeros((0, count))
    own = vcov[np.ix_(effects, effects)]
    return {
        "p_effects_zero": _wald(estimate[effects], own),
        "p_effects_equal": _wald(contrasts @ estimate[effects], contrasts @ own @ contrasts.T),
        "p_placebos_zero": _wald(estimate[leads], vcov[np.ix_(leads, leads)]),
    }


def _wald(estimate: Floats, vcov: Floats) -> float | None:
    """P-value of b'V⁻¹b; ``None`` where an estimate is missing or the covariance is singular."""
    from scipy import special

    k = len(estimate)
    if k == 0 or not np.isfinite(estimate).all() or np.linalg.matrix_rank(vcov) < k:
        return None
    return float(special.chdtrc(k, estimate @ np.linalg.solve(vcov, estimate)))


def _meta(design: Design, task: _Task, found: _Found, columns: Sequence[str]) -> dict[str, Any]:
    choice, paths = task.choice, task.paths
    weights = [c.cumulated if choice.normalized else c.weight for c in found.effects]
    estimand = "dcdh-normalized" if choice.normalized else "dcdh"
    switched = np.logical_or.reduce([c.switchers for c in found.effects])
    return {
        "estimand": text(f"estimand.{estimand}"),
        "estimand_code": estimand,
        "comparison": "never-treated" if choice.never_only else "not-yet-treated",
        "anticipation": 0,
        "reference": -1,
        "reference_event_time": -1,
        "switchers": {0: "both", 1: "in", -1: "out"}[choice.direction],
        "normalized": choice.normalized,
        "trends_lin": choice.linear,
        "trends_nonparam": list(columns),
        "term_rows": [int(c.cells.sum()) for c in (*reversed(found.placebos), *found.effects)],
        "overall_estimand": text("estimand.dcdh-total"),
        "overall_event_times": list(range(len(found.effects))),
        "overall_numerator": weights,
        "overall_denominator": [c.change for c in found.effects],
        "overall_rows": int(np.logical_or.reduce([c.cells for c in found.effects]).sum()),
        "overall_switchers": int(sum(c.switchers.sum() for c in found.effects)),
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": int(switched.sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": design.clusters[0].size,
        "cluster": design.clusters[0].name,
        "vcov": "cluster",
        "covariates": " + ".join(design.covariate_names),
        "fixed_effects": "",
        "weights": design.weight_name or "",
        "treatment": design.policy.path or design.policy.source,
        "levels": len(np.unique(paths.start)),
    }
