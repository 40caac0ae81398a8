"""Spatial difference-in-differences: direct effects on treated units, spillovers on their neighbours, and the total.

Butts (2021), arXiv 2105.03737: units near treated ones are no clean comparison; rings of distance tell how far effects reach.
Delgado & Florax (2015), Economics Letters 137: treatment of a unit and of its neighbours, D and W·D. Untreated outcomes are predicted
from rows that are neither treated nor exposed (two stages, Gardner 2021), or the rows are pooled in one regression, or in one likelihood
with the neighbours' outcome beside (spatial Durbin model).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import tally
from hinterland.evaluate.regression import Inference, InferenceOptions, treatment
from hinterland.evaluate.result import Effects
from hinterland.evaluate.spillover_channels import Channels, channels_of
from hinterland.evaluate.spillover_durbin import Average, Durbin, durbin_effects
from hinterland.evaluate.spillover_durbin_likelihood import Likelihood
from hinterland.evaluate.spillover_effects import direct_effects, event_effects, pooled_effects, two_stage_effects
from hinterland.evaluate.spillover_exposure import (
    Exposure,
    Neighbourhood,
    neighbour_exposure,
    neighbour_weights,
    ring_edges,
    ring_exposure,
)
from hinterland.evaluate.spillover_named import Asked, beside_channels, channel_exposures, channels_asked
from hinterland.evaluate.spillover_options import misplaced, option_findings, unused
from hinterland.evaluate.spillover_two_stage import fail_if_no_clean_rows, told_apart
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
OnTreated = Literal["no", "apart", "same"]


@one_thread()
def fit(
    design: Design,
    *,
    exposure: Literal["rings", "neighbours"] = "rings",
    rings: Sequence[float] | Sequence[tuple[float, float]] = (50.0, 100.0),
    neighbours: Any = None,
    nearest: int = 4,
    within_km: float | None = None,
    decay: float = 0.0,
    channels: Mapping[str, Mapping[str, Any]] | None = None,
    on_treated: OnTreated | None = None,
    estimator: Literal["two-stage", "twfe", "sdm"] = "two-stage",
    effect: Literal["channels", "event-study", "direct"] = "channels",
    leads: int = 3,
    lag_covariates: bool | None = None,
    likelihood: Likelihood = "transformation",
    average: Average = "units",
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Direct effects of treatment, and effects of other units' treatment.

    Args:
        design: its units are the sources of spillovers, too: units that the policy's rule leaves out reach nobody. Anticipation shifts
            the dates before which rows are clean.
        exposure: ``rings`` around treated units, or the weighted share of ``neighbours`` that are treated.
        rings: breakpoints in kilometres, or pairs; beyond the last one, units are clean controls.
        neighbours: data frame with columns unit, neighbour and, if wanted, weight; otherwise the ``nearest`` units ``within_km``
            kilometres (``nearest=0``: all within ``within_km``), weighted by distance to the power of -``decay``.
        channels: instead of these, several exposures under names of one's own, each with its rings or neighbours and the units ``among`` which
            it may have an effect (:class:`~hinterland.evaluate.spillover_named.Asked`): those near treated units, and those activity is taken from.
        on_treated: whether treated units receive spillovers, too: ``no`` (they are part of the direct effect), ``apart`` (with effects
            of their own) or ``same``. ``None``: ``no``, under ``sdm`` ``same``, the only one it has.
        estimator: ``two-stage`` (any timing); ``twfe``, one regression of all rows; ``sdm``, the spatial Durbin model with neighbours, whose
            outcomes pass effects on (:mod:`hinterland.evaluate.spillover_durbin`).
        effect: ``channels``: direct, each exposure, their mean (spillover) and total per treated unit-period; ``event-study``: by
            periods since adoption and exposure; ``direct``: ATT(g, t) against clean rows, to be aggregated as usual.
        leads: of ``event-study``: periods before adoption and before exposure whose effect is told, from clean rows only.
        lag_covariates: of ``twfe`` and ``sdm`` with neighbours: the neighbours' mean of each covariate, too. ``None``: under ``sdm`` only.
        likelihood: of ``sdm``: ``transformation``, of data freed from unit and period effects (Lee & Yu 2010), or ``direct``, of all rows.
        average: of ``sdm``: effects of treating any one of the ``units`` (LeSage & Pace 2009), or those that were ``treated``.
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`; ``two-stage`` has ``cluster`` and ``conley``,
            ``sdm`` has ``cluster`` and ``iid`` (that of the likelihood, without a small-sample factor).

    Returns:
        Effects of aggregation ``coefficient`` or (``direct``) ``group-time``.

    Raises:
        EstimationError: bad options; no coordinates; nobody exposed; nobody left unexposed; clean rows that do not connect; what
            :func:`~hinterland.evaluate.spillover_durbin.durbin_effects` raises.
    """
    receive: OnTreated = on_treated if on_treated is not None else "same" if estimator == "sdm" else "no"
    kind = exposure if channels is None else "neighbours"
    given = {"exposure": kind, "estimator": estimator, "effect": effect, "on_treated": receive}
    durbin = {"likelihood": likelihood, "average": average}
    rule = Neighbourhood(neighbours, nearest, within_km, decay)
    inference, every = Inference.of(**options), {**given, **durbin}
    findings = [*option_findings(every, rule, leads), *misplaced(given, design, inference), *unused(every, design, lag_covariates)]
    single = {"exposure": exposure, "rings": rings, "neighbours": neighbours, "nearest": nearest, "within_km": within_km, "decay": decay}
    findings += beside_channels(single, _SINGLE, estimator, lag_covariates) if channels is not None else []
    fail_if_any(findings, "options", EstimationError)
    named = None if channels is None else channels_asked(channels)
    edges = ring_edges(rings) if kind == "rings" else None
    actual, early, out = (*_exposures(design, edges, rule), None) if named is None else channel_exposures(design, named)
    _fail_if_nobody_exposed(design, actual)
    facts = {**given, "rings_km": None if edges is None else edges.tolist(), "neighbours": _said(rule) if edges is None else ""}
    if named is not None:
        facts |= {"exposure": "channels", "neighbours": "; ".join(f"{name}: {_linked(asked)}" for name, asked in named.items())}
    sample = _left_in(_sample(design, actual, early, receive), out)
    if estimator == "sdm" and sample.weights is not None:
        lags = design.covariates.shape[1] > 0 if lag_covariates is None else lag_covariates
        return durbin_effects(sample, sample.weights, inference, Durbin(likelihood, average, lags), facts)
    if estimator == "twfe":
        return pooled_effects(sample, inference, facts, bool(lag_covariates))
    sample = _identified(sample)
    if effect == "direct":
        return direct_effects(sample, inference, facts)
    return two_stage_effects(sample, inference, facts) if effect == "channels" else event_effects(sample, inference, leads, facts)


_SINGLE = {"exposure": "rings", "rings": (50.0, 100.0), "neighbours": None, "nearest": 4, "within_km": None, "decay": 0.0}
"""What the options of a single exposure are when nothing is said."""


def _linked(asked: Asked) -> str:
    """How the units of a channel are linked to treated ones, for the record."""
    if asked.rings is not None:
        return "rings " + ", ".join(f"{low:g}-{high:g} km" for low, high in ring_edges(asked.rings))
    among = "" if asked.among is None else f", among {len(tuple(asked.among))} units"
    return _said(asked.rule) + (" (hosts)" if asked.to_hosts else "") + among


def _left_in(sample: Channels, out: Mask | None) -> Channels:
    """Without untreated rows that a channel reaches and is closed to."""
    if out is None:
        return sample
    drop = (sample.level == 0) & out[sample.design.unit, sample.design.period]
    if not drop.any():
        return sample
    note = Note("channel-left-out", {"count": int(drop.sum()), "units": len(np.unique(sample.design.unit[drop]))})
    return sample.take(~drop, [note])


def _said(rule: Neighbourhood) -> str:
    if rule.table is not None:
        return "table"
    reach = "" if rule.within_km is None else f" within {rule.within_km:g} km"
    return (f"nearest {rule.nearest}" if rule.nearest else "all") + reach + (f", decay {rule.decay:g}" if rule.decay else "")


def _exposures(design: Design, edges: Floats | None, rule: Neighbourhood) -> tuple[Exposure, Mask]:
    """What reaches each unit, and [N, T] whether anything does when treatment is taken to start ``anticipation`` periods earlier."""
    lead = design.anticipation
    if edges is not None:
        actual = ring_exposure(design, edges)
        return actual, ring_exposure(design, edges, lead).any if lead else actual.any
    weights, notes = neighbour_weights(design, rule)
    share = design.dose if design.policy.partial == "dose" else np.ones(design.n_units)
    started = (design.periods >= design.cohort[:, None]) * share[:, None]
    actual = neighbour_exposure(weights, started, notes)
    first = np.where(design.cohort == NEVER, NEVER, design.cohort - lead)
    return actual, neighbour_exposure(weights, (design.periods >= first[:, None]).astype(np.float64)).any if lead else actual.any


def _fail_if_nobody_exposed(design: Design, actual: Exposure) -> None:
    free = ~design.treated & actual.any[design.unit, design.period]
    if free.any():
        return
    what = "no untreated unit is exposed to the treatment of others"
    where = f"{design.n_treated} treated of {design.n_units} units"
    remedy = "take wider rings or more neighbours; without exposed units, choose callaway-santanna or imputation"
    raise EstimationError(Finding("nobody-exposed", what, where, remedy), "design")


def _sample(design: Design, actual: Exposure, early: Mask, on_treated: str) -> Channels:
    """Rows, what reaches them, and which are clean: neither treated nor exposed, not even ``anticipation`` periods ahead."""
    at = (design.unit, design.period)
    first = np.where(design.cohort == NEVER, NEVER, design.cohort - design.anticipation)
    clean = (design.periods[design.period] < first[design.unit]) & ~early[at]
    level = treatment(design)
    design = replace(design, notes=(*design.notes, *actual.notes))
    return channels_of(design, level, actual, clean, on_treated)


def _identified(sample: Channels) -> Channels:
    """Without rows of units or periods that have no clean row, and rows in the anticipation window; each counted in a note."""
    design, clean = sample.design, sample.clean
    fail_if_no_clean_rows(design, clean)
    unit_ok = tally(design.unit, clean.astype(np.float64), design.n_units) > 0
    period_ok = tally(design.period, clean.astype(np.float64), design.n_periods) > 0
    reached = (sample.level != 0) | (sample.amount != 0).any(axis=1)
    ahead = ~clean & ~reached
    keep = unit_ok[design.unit] & period_ok[design.period] & ~ahead
    if keep.all():
        return _told_apart(sample)
    notes = []
    if not unit_ok.all():
        lost = design.unit_labels[~unit_ok]
        notes.append(Note("spillover-unit-not-clean", {"count": len(lost), "units": listed(lost.tolist(), 8)}))
    if not period_ok.all():
        gone = design.periods[~period_ok]
        notes.append(Note("spillover-period-not-clean", {"count": len(gone), "periods": listed(gone.tolist(), 12)}))
    if ahead.any():
        notes.append(Note("spillover-anticipation", {"count": int(ahead.sum()), "periods": design.anticipation}))
    if not (keep & (sample.level != 0)).any():
        what = "no treated unit is observed before it, or a unit near it, is treated"
        remedy = "start the panel earlier, or take narrower rings"
        raise EstimationError(Finding("all-always-treated", what, "first stage of spillover", remedy), "design")
    return _told_apart(sample.take(keep, notes))


def _told_apart(sample: Channels) -> Channels:
    """Without covariates that the first stage cannot tell apart, with a note."""
    design = sample.design
    if design.covariates.shape[1] == 0:
        return sample
    kept = told_apart(design, sample.clean)
    if kept.all():
        return sample
    names = np.array(design.covariate_names)
    note = Note("collinear-dropped", {"names": ", ".join(names[~kept].tolist())})
    covariates = np.asfortranarray(design.covariates[:, kept])
    left = replace(design, covariates=covariates, covariate_names=tuple(names[kept].tolist()), notes=(*design.notes, note))
    return replace(sample, design=left)
