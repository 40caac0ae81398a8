"""Stacked difference-in-differences (Cengiz, Dube, Lindner & Zipperer 2019; Wing, Freedman & Hollingsworth 2024, NBER WP 32054).

Every cohort is compared with clean controls in a window around its own adoption; the sub-experiments are averaged with the weights of the
trimmed aggregate ATT, so that the mix of cohorts is the same at each event time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.callaway_santanna import sum_by_cluster, unit_clusters
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import Inference, cluster_labels, describe
from hinterland.evaluate.result import CohortShares, Effects, Terms
from hinterland.evaluate.saturated import comparable
from hinterland.evaluate.stacked_experiments import Experiment, Stack, Tensor, Window, balance, covariate_slopes, make_stack, nothing_left
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Covariance, Ssc
from hinterland.labels import Note

Weighting = Literal["corrective", "none"]
StackEffects = Literal["by-stack", "pooled"]

_CHOICES: dict[str, tuple[str, ...]] = {"weighting": ("corrective", "none"), "effects": ("by-stack", "pooled")}


@one_thread()
def fit(
    design: Design,
    *,
    kappa_pre: int = 3,
    kappa_post: int = 3,
    weighting: Weighting = "corrective",
    effects: StackEffects = "by-stack",
    share_variance: bool = False,
    ssc: str | Ssc | Mapping[str, Any] = "fixest",
) -> Effects:
    """Effects of every cohort that can be followed from ``kappa_pre`` periods before adoption to ``kappa_post`` after.

    Args:
        design: clean controls follow its comparison rule: never treated, or not treated until after the window.
        kappa_pre: periods before adoption, 1 or more; with ``anticipation`` the window starts that much earlier.
        kappa_post: periods after the one of adoption.
        weighting: ``corrective``: cohorts weigh by their treated units (the trimmed aggregate ATT). ``none``: least squares on the
            plain stack, which weighs cohorts by n₁n₀/(n₁ + n₀) of treated and control units (Cengiz et al.).
        effects: ``by-stack``: unit and period effects of each sub-experiment. ``pooled``: one treatment effect and one set of
            event-time effects for the whole stack (Wing et al., eq. 3): the same estimates under corrective weights, other standard
            errors; by event time only.
        share_variance: standard errors of averages include the estimation of the cohorts' shares (``by-stack``, ``corrective``).
        ssc: small-sample rule of the regression on the stack.

    Returns:
        Effects with aggregation ``group-time`` (``event-time`` if ``pooled``), references included (zero, without standard error).
        Standard errors are clustered; a unit is in one cluster however many sub-experiments it serves in.

    Raises:
        EstimationError: unknown options; no cohort can be followed; clusters that cut through units.
    """
    inference = Inference.of(ssc=ssc)
    window = _window(design, kappa_pre, kappa_post, {"weighting": weighting, "effects": effects})
    _fail_unless_bool(share_variance)
    design, _ = comparable(design, drop_late=False)
    codes, cluster = unit_clusters(design), design.clusters[0]
    tensor = Tensor.of(design)
    stack = make_stack(design, tensor, window)
    corrective = weighting == "corrective"
    parts = _pooled(stack, tensor, balance(stack, corrective)) if effects == "pooled" else _by_stack(design, stack, tensor, corrective)
    influence = sum_by_cluster(parts.influence, codes, cluster.size)
    n_clusters = len(np.unique(codes[np.concatenate([e.units for e in stack])]))
    c, parameters = _small_sample(stack.n_rows, n_clusters, parts, inference.ssc)
    influence *= np.sqrt(c)
    whole = Covariance(influence.T @ influence, influence, float(n_clusters - 1), parameters, (n_clusters,))
    shares = None if effects == "pooled" else _shares(stack, codes, (len(influence), corrective, share_variance))
    meta = {
        "weighting": weighting,
        "effects": effects,
        "kappa_pre": int(kappa_pre),
        "kappa_post": int(kappa_post),
        "share_variance": share_variance,
    }
    return _effects(design, stack, parts, _Inferred(whole, inference, shares, meta))


def _window(design: Design, before: int, after: int, given: Mapping[str, str]) -> Window:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name}", did_you_mean(str(value), _CHOICES[name]))
        for name, value in given.items()
        if value not in _CHOICES[name]
    ]
    for name, periods, least in (("kappa_pre", before, 1), ("kappa_post", after, 0)):
        if isinstance(periods, bool) or not isinstance(periods, int | np.integer) or periods < least:
            findings.append(Finding("bad-window", f"{name} is {periods!r}", f"option {name}", f"give a whole number, {least} or more"))
    if given["effects"] == "pooled" and design.covariates.shape[1]:
        findings.append(
            Finding("not-defined", "stacked takes no covariates with pooled effects", "option effects", "set effects='by-stack'")
        )
    fail_if_any(findings, "options", EstimationError)
    if before + design.anticipation + after > design.periods[-1] - design.periods[0]:
        raise nothing_left(design, -before - design.anticipation, after)
    return Window(np.arange(-before - design.anticipation, after + 1), before - 1)


def _fail_unless_bool(value: object) -> None:
    if not isinstance(value, bool):
        raise EstimationError(
            Finding("unknown-value", f"share_variance is {value!r}", "option share_variance", "give true or false"), "options"
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Estimates [p] (references at zero), their influence by unit [N, p], terms, and the number of regressors and absorbed effects that
    the small-sample rule counts when unit effects are nested in clusters.
    """

    estimate: Floats
    influence: Floats
    terms: Terms
    regressors: int
    absorbed: int
    unit_effects: int
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


def _by_stack(design: Design, stack: Stack, tensor: Tensor, corrective: bool) -> _Parts:
    slopes = covariate_slopes(stack, tensor, balance(stack, corrective))
    length, count = len(stack.window.events), len(stack.experiments)
    estimate, influence = np.zeros(count * length), np.zeros((len(tensor.y), count * length))
    tilt = np.zeros((count * length, len(slopes.kept)))
    for a, e in enumerate(stack):
        at = slice(a * length, (a + 1) * length)
        values = e.pick(tensor.y)
        for j, column in enumerate(slopes.kept):
            x = e.pick(tensor.x[column])
            tilt[at, j] = _contrast(e, x, stack.window.base)
            values = values - x * slopes.beta[j]
        estimate[at] = _contrast(e, values, stack.window.base)
        influence[e.units, at] = _moves(e, e.around(values), stack.window.base)
    if len(slopes.kept):
        influence -= slopes.influence @ tilt.T
    names = np.array(design.covariate_names, dtype=object)
    lost = np.delete(names, slopes.kept)
    return _Parts(
        estimate,
        influence,
        _cell_terms(stack),
        regressors=count * (length - 1) + len(slopes.kept),
        absorbed=count * length,
        unit_effects=sum(len(e.units) for e in stack),
        notes=(Note("collinear-dropped", {"names": listed(lost.tolist())}),) if len(lost) else (),
        meta={"covariate_names": names[slopes.kept].tolist(), "covariate_estimates": slopes.beta.tolist()} if len(names) else {},
    )


def _contrast(experiment: Experiment, values: Floats, base: int) -> Floats:
    """[L] change of the treated units' mean since the reference less that of the controls."""
    treated, control = experiment.means(values)
    gap = treated - control
    return np.asarray(gap - gap[base])


def _moves(experiment: Experiment, around: Floats, base: int) -> Floats:
    """[M, L] influence of each unit on the contrasts, for values ``around`` their means."""
    one, zero = experiment.mass
    out = (around - around[:, [base]]) * experiment.weight[:, None]
    out[: experiment.n_treated] /= one
    out[experiment.n_treated :] /= -zero
    return np.asarray(out)


def _cell_terms(stack: Stack) -> Terms:
    events = stack.window.events
    cohort = np.repeat([e.cohort for e in stack], len(events))
    event = np.tile(events, len(stack.experiments))
    return Terms.make(
        tuple(f"cohort={g},time={g + e}" for g, e in zip(cohort, event, strict=True)),
        cohort=cohort,
        time=cohort + event,
        event_time=event,
        reference=event == events[stack.window.base],
        n_treated=np.repeat([e.n_treated for e in stack], len(events)),
    )


def _pooled(stack: Stack, tensor: Tensor, control_weight: Floats) -> _Parts:
    """Weighted least squares on treatment, event times and their products: differences of weighted means over the whole stack."""
    base, events = stack.window.base, stack.window.events
    mass = np.array([e.mass for e in stack]) * np.column_stack([np.ones(len(control_weight)), control_weight])
    total = mass.sum(axis=0)
    means = np.array([e.means(e.pick(tensor.y)) for e in stack])
    treated, control = (np.asarray(mass[:, i] @ means[:, i] / total[i]) for i in (0, 1))
    gap = treated - control
    influence = np.zeros((len(tensor.y), len(events)))
    for e, q in zip(stack, control_weight, strict=True):
        values, n = e.pick(tensor.y), e.n_treated
        values[:n] = (values[:n] - treated) * (e.weight[:n, None] / total[0])
        values[n:] = (values[n:] - control) * (e.weight[n:, None] * -q / total[1])
        influence[e.units] += values - values[:, [base]]
    count = sum(e.n_treated for e in stack)
    terms = Terms.make(
        tuple(f"event_time={t}" for t in events),
        event_time=events,
        reference=events == events[base],
        n_treated=np.full(len(events), count),
    )
    return _Parts(gap - gap[base], influence, terms, regressors=2 * len(events), absorbed=0, unit_effects=0)


def _small_sample(rows: int, clusters: int, parts: _Parts, ssc: Ssc) -> tuple[float, int]:
    """The factor c and the number of parameters K of the regression on the stack; unit-by-stack effects are nested in clusters."""
    parameters = parts.regressors + {"none": 0, "nonnested": parts.absorbed, "full": parts.absorbed}[ssc.k_fixef]
    if ssc.k_fixef == "full" and parts.unit_effects:
        parameters += parts.unit_effects - 1
    if ssc.k_adj and rows <= parameters:
        what = f"{parameters} parameters are estimated from {rows} rows of the stack"
        raise EstimationError(Finding("no-degrees-of-freedom", what, "sample", "set a smaller window, or ssc='none'"), "sample")
    factor = (rows - 1) / (rows - parameters) if ssc.k_adj else 1.0
    return factor * (clusters / (clusters - 1) if ssc.g_adj and clusters > 1 else 1.0), parameters


def _shares(stack: Stack, codes: Any, how: tuple[int, bool, bool]) -> CohortShares:
    """Weights of the cohorts among those in the stack. ``how``: number of clusters, whether weights are corrective, whether estimated."""
    clusters, corrective, variance = how
    mass = np.array([e.mass for e in stack])
    weight = mass[:, 0] if corrective else mass.prod(axis=1) / mass.sum(axis=1)
    share = weight / weight.sum()
    cohort = np.array([e.cohort for e in stack], dtype=np.int64)
    influence = np.zeros((clusters, len(share)))
    if variance and corrective:
        for a, e in enumerate(stack):
            own = np.bincount(codes[e.units[: e.n_treated]], e.weight[: e.n_treated], clusters) / weight.sum()
            influence -= own[:, None] * share
            influence[:, a] += own
    return CohortShares(cohort, share, influence)


@dataclass(frozen=True, slots=True)
class _Inferred:
    """The covariance, the rule it was made by, the shares, and the options for ``meta``."""

    covariance: Covariance
    inference: Inference
    shares: CohortShares | None
    meta: Mapping[str, Any]


def _effects(design: Design, stack: Stack, parts: _Parts, inferred: _Inferred) -> Effects:
    units = np.unique(np.concatenate([e.units for e in stack]))
    used = np.zeros((design.n_units, design.n_periods), dtype=np.bool_)
    for e in stack:
        used[e.units[:, None], e.columns] = True
    whole, pooled = inferred.covariance, parts.terms.cohort[0] < 0
    facts = {
        "n_obs": int(used.sum()),
        "n_stacked": stack.n_rows,
        "n_units": len(units),
        "n_treated": sum(e.n_treated for e in stack),
        "n_never": int((design.cohort[units] == NEVER).sum()),
        "cohorts": [e.cohort for e in stack],
        "fixed_effects": "treatment, event time" if pooled else f"stack^{design.unit_name}, stack^{design.time_name}",
    }
    base = int(stack.window.events[stack.window.base])
    return Effects(
        method="stacked",
        outcome=design.outcome,
        aggregation="event-time" if pooled else "group-time",
        terms=parts.terms,
        estimate=parts.estimate,
        vcov=whole.vcov,
        influence=whole.influence,
        clusters=cluster_labels(design),
        df=whole.df,
        shares=inferred.shares,
        notes=(*design.notes, *stack.notes, *_small(stack), *parts.notes),
        meta=describe(
            design,
            inferred.inference,
            whole,
            whole.df,
            "stacked",
            comparison=design.comparison,
            reference_event_time=base,
            **{**facts, **inferred.meta, **parts.meta},
        ),
    )


def _small(stack: Stack) -> list[Note]:
    small = [f"{e.cohort} ({e.n_treated})" for e in stack if e.n_treated < 5]
    return [Note("saturated-small-cohorts", {"cohorts": listed(small, 12), "few": 5})] if small else []
