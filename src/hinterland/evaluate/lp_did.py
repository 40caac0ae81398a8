"""Local projections difference-in-differences (Dube, Girardi, Jordà & Taylor 2023, NBER working paper 31184).

For each horizon h, the change of the outcome from before entry to h periods after is regressed on entry into treatment, with effects of
the period, on units that enter then and on clean controls only: y_{i,t+h} - y_{i,t-1} = β_h ΔD_it + δ_t^h + x_i'γ^h + e_it^h.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.callaway_santanna import sum_by_cluster, unit_clusters
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.event_study import step_notes, term_name, without_always_treated
from hinterland.evaluate.lp_did_regression import Cell, Fitted, fit_horizon
from hinterland.evaluate.lp_did_sample import Floats, Grids, Mask, Rules, entry_periods, long_difference, make_grids, sample
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import Effects, Terms, least_df
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Ssc, resolve_ssc
from hinterland.labels import Note, text

CovariatePeriod = Literal["base", "entry"]


@one_thread()
def fit(
    design: Design,
    *,
    pre_window: int | None = None,
    post_window: int | None = None,
    reweight: bool = False,
    never_treated: bool = False,
    pmd: int | str | None = None,
    ylags: int = 0,
    dylags: int = 0,
    covariate_period: CovariatePeriod = "base",
    nocomp: bool = False,
    nonabsorbing: int | None = None,
    notyet: bool = False,
    firsttreat: bool = False,
    pooled: bool = False,
    ssc: str | Ssc | Mapping[str, Any] = "fixest",
) -> Effects:
    """Effects at horizons before and after entry into treatment.

    Args:
        design: what is estimated on what. Under lasting treatment, units treated from the first period on are left out.
        pre_window: earliest horizon is minus this;  post_window: latest horizon; ``None``: all that the panel has.
        reweight: every entry counts alike, instead of with the variance of entry in its period.
        never_treated: controls are never treated in the window, instead of not yet by the horizon.
        pmd: compare with the mean of so many periods before entry, or of all (``max``), instead of the period before.
        ylags, dylags: lags of the outcome, and of its change, as covariates.
        covariate_period: covariates of the period before entry (``base``), or of that of entry (``entry``).
        nocomp: the same entries and controls at every horizon: clean, and observed, up to ``post_window``.
        nonabsorbing: treatment may be switched off: entries and controls have no other change in so many periods before, nor after
            up to the horizon.  notyet: controls are not yet treated;  firsttreat: only first entries.
        pooled: one effect averaged over the periods up to ``post_window``, and one over those back to ``pre_window``.
        ssc: small-sample rule, horizon by horizon, see :class:`~hinterland.evaluate.vcov.Ssc`.

    Returns:
        Effects with aggregation ``event-time`` (``coefficient`` when pooled). Horizon -1 is the reference unless ``pmd`` is given. The
        degrees of freedom of a term are its clusters less one.

    Raises:
        EstimationError: options out of range; treatment that is not 0 or 1, or switched off without ``nonabsorbing``; no horizon that
            can be estimated; clusters that cut through units.
    """
    choice = _Choice(pre_window, post_window, reweight, pmd, nocomp, pooled, resolve_ssc(ssc))
    rules = Rules(never_treated, notyet, firsttreat, nonabsorbing)
    fail_if_any(
        [*_bad_options(choice, rules, (ylags, dylags), covariate_period, design.n_periods), *_reversals(design, rules)],
        "options",
        EstimationError,
    )
    design = design if nonabsorbing is not None else without_always_treated(design)
    cluster = Factor(design.clusters[0].name, unit_clusters(design), design.clusters[0].size, design.clusters[0].labels)
    grids = make_grids(design, pmd, (ylags, dylags), covariate_period)
    spans = _spans(grids, choice)
    common = _common(grids, rules, choice) if nocomp else None
    fits = [fit_horizon([*_cells(grids, rules, span, common)], design.n_units, reweight=reweight) for span in spans]
    spans, fits = _trimmed(spans, fits)
    _fail_if_nothing(design, fits)
    names = (
        *design.covariate_names,
        *(f"L{k}.{design.outcome}" for k in range(1, ylags + 1)),
        *(f"L{k}.Δ{design.outcome}" for k in range(1, dylags + 1)),
    )
    notes = (*design.notes, *_notes(design, spans, fits, names, ylags + dylags), *_left_out(grids, rules))
    return _effects(design, cluster, choice, _Result(spans, fits, notes), _facts(design, choice, rules, names, covariate_period))


@dataclass(frozen=True, slots=True)
class _Choice:
    """The options that say what is estimated."""

    pre: int | None
    post: int | None
    reweight: bool
    pmd: int | str | None
    nocomp: bool
    pooled: bool
    ssc: Ssc


@dataclass(frozen=True, slots=True)
class _Result:
    """Horizons, what was estimated at each, and what there is to say."""

    spans: Sequence[range]
    fits: Sequence[Fitted]
    notes: tuple[Note, ...]


def _bad_options(choice: _Choice, rules: Rules, lags: tuple[int, int], covariate_period: str, periods: int) -> Iterator[Finding]:
    where = "option {} of lp-did"
    numbers: dict[str, tuple[object, int]] = {
        "pre_window": (choice.pre, 1),
        "post_window": (choice.post, 0),
        "ylags": (lags[0], 0),
        "dylags": (lags[1], 0),
    }
    numbers["nonabsorbing"] = (rules.window, 1)
    if not (isinstance(choice.pmd, str) and choice.pmd == "max"):
        numbers["pmd"] = (choice.pmd, 1)
    for name, (value, least) in numbers.items():
        missing = value is None and name not in {"ylags", "dylags"}
        if not missing and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least):
            remedy = f"give a whole number of periods, {least} or more" + (", or 'max'" if name == "pmd" else "")
            yield Finding("not-whole", f"{name} is {value!r}", where.format(name), remedy)
        elif name in {"pmd", "ylags", "dylags"} and isinstance(value, int | np.integer) and value >= periods:
            what = f"{name} is {value}, and the panel has {periods} periods"
            yield Finding("out-of-range", what, where.format(name), "give fewer periods than the panel has")
    flags: dict[str, object] = {
        "reweight": choice.reweight,
        "never_treated": rules.never_treated,
        "nocomp": choice.nocomp,
        "notyet": rules.not_yet,
        "firsttreat": rules.first_entry,
        "pooled": choice.pooled,
    }
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            yield Finding("unknown-value", f"{name} is {flag!r}", where.format(name), "give true or false")
    if covariate_period not in {"base", "entry"}:
        yield Finding(
            "unknown-value", f"covariate_period is {covariate_period!r}", where.format("covariate_period"), "choose 'base' or 'entry'"
        )
    if rules.window is None and (rules.not_yet or rules.first_entry):
        name = "notyet" if rules.not_yet else "firsttreat"
        yield Finding("not-defined", f"{name} has a meaning with nonabsorbing only", where.format(name), "give nonabsorbing, or remove it")


def _reversals(design: Design, rules: Rules) -> Iterator[Finding]:
    if rules.window is not None or design.absorbing or design.treatment_level is None:
        return
    units = np.unique(design.unit[design.treatment_level != design.treated])
    what = f"treatment {design.policy.path!r} is not 0 until adoption and 1 from then on in {len(units)} unit(s)"
    remedy = "give nonabsorbing: the periods after which an earlier change no longer matters; or choose dcdh"
    yield Finding("treatment-reversal", what, listed(design.unit_labels[units].tolist(), 8), remedy)


def _spans(grids: Grids, choice: _Choice) -> list[range]:
    """The horizons of each regression: one each, or two spans of them when pooled."""
    most = grids.n_periods - 1
    pre, post = (most if given is None else min(given, most) for given in (choice.pre, choice.post))
    last = -1 if choice.pmd is not None else -2
    if choice.pooled:
        return [*([range(-pre, last + 1)] if -pre <= last else []), range(post + 1)]
    return [range(h, h + 1) for h in (*range(-pre, last + 1), *range(min(post, most - 1) + 1))]


def _common(grids: Grids, rules: Rules, choice: _Choice) -> Mask:
    """[T, N] units that are clean, and observed, at every horizon after each period."""
    latest = grids.n_periods - 1
    reached = grids.enters.any(axis=1)
    post = choice.post if choice.post is not None else max(0, latest - int(np.flatnonzero(reached)[-1]) if reached.any() else 0)
    out = np.zeros(grids.y.shape, dtype=np.bool_)
    for period in range(1, grids.n_periods - post):
        treated, control = sample(grids, rules, period, post)
        observed = np.isfinite(grids.y[period : period + post + 1]).all(axis=0) & np.isfinite(grids.base[period])
        out[period] = (treated | control) & observed
    return out


def _cells(grids: Grids, rules: Rules, span: range, common: Mask | None) -> Iterator[Cell]:
    """The sample of each period of entry."""
    reach = span[-1] if span[-1] >= 0 else span[0]
    for period in entry_periods(grids, span):
        treated, control = sample(grids, rules, period, reach)
        difference = long_difference(grids, period, span)
        use = (treated | control) & np.isfinite(difference)
        if len(grids.x):
            use &= np.isfinite(grids.x[:, period]).all(axis=0)
        if common is not None:
            use &= common[period]
        unit = np.flatnonzero(use)
        if len(unit):
            weight = np.ones(len(unit)) if grids.weight is None else grids.weight[period, unit]
            yield Cell(unit, difference[unit], treated[unit].astype(np.float64), grids.x[:, period][:, unit], weight)


def _trimmed(spans: list[range], fits: list[Fitted]) -> tuple[list[range], list[Fitted]]:
    """Without the first and last horizons, which nobody reaches."""
    known = [i for i, f in enumerate(fits) if np.isfinite(f.estimate)]
    keep = slice(known[0], known[-1] + 1) if known else slice(0, 0)
    return spans[keep], fits[keep]


def _fail_if_nothing(design: Design, fits: Sequence[Fitted]) -> None:
    if fits and max(f.entries for f in fits) > 0:
        return
    what = "no effect can be estimated: no unit that enters treatment is seen together with a clean control"
    remedy = "start the panel earlier, shorten the windows, leave out never_treated or nocomp, or use fewer covariates and lags"
    raise EstimationError(Finding("no-cell", what, f"method lp-did, outcome {design.outcome!r}", remedy), "cells")


def _notes(design: Design, spans: Sequence[range], fits: Sequence[Fitted], names: Sequence[str], lags: int) -> Iterator[Note]:
    missing = [s[0] for s, f in zip(spans, fits, strict=True) if not np.isfinite(f.estimate)]
    if missing:
        yield Note("lp-did-missing", {"horizons": listed(missing, 12)})
    if spanned := [s[0] for s, f in zip(spans, fits, strict=True) if f.spanned]:
        yield Note("lp-did-spanned", {"horizons": listed(spanned, 12)})
    if count := sum(f.lost > 0 and f.entries > 0 for f in fits):
        yield Note("lp-did-periods", {"count": count})
    kept = np.asarray(np.logical_and.reduce([f.kept for f in fits if f.entries > 0]))
    if lost := [name for name, keep in zip(names, kept, strict=True) if not keep]:
        yield Note("lp-did-collinear", {"columns": listed(lost, 12)})
    if lags:
        yield Note("lp-did-lags", {"count": lags})
    yield from step_notes(design)
    if not design.balanced:
        yield Note("lp-did-gaps")


def _left_out(grids: Grids, rules: Rules) -> Iterator[Note]:
    """Entries too close to another change."""
    if rules.window is None:
        return
    clean = sum(int(sample(grids, rules, t, 0)[0].sum()) for t in range(1, grids.n_periods))
    if count := int(grids.enters[1:].sum()) - clean:
        yield Note("lp-did-reentry", {"count": count, "window": rules.window})


def _effects(design: Design, cluster: Factor, choice: _Choice, result: _Result, facts: Mapping[str, Any]) -> Effects:
    """The terms in order of horizon, the reference among them."""
    fits = list(result.fits)
    sums = sum_by_cluster(np.column_stack([f.influence for f in fits]), cluster.codes, cluster.size).T
    sizes = np.array([np.count_nonzero(np.bincount(cluster.codes[f.used])) for f in fits])
    columns = [s * np.sqrt(_factor(f, int(g), choice.ssc)) for s, f, g in zip(sums, fits, sizes, strict=True)]
    starts = np.array([s[0] for s in result.spans])
    estimate, entries, df = (np.array(v, dtype=np.float64) for v in ([f.estimate for f in fits], [f.entries for f in fits], sizes - 1))
    names = [_pooled_name(s) if choice.pooled else term_name(s[0]) for s in result.spans]
    reference = np.array([f.spanned for f in fits])
    if not choice.pooled and choice.pmd is None:
        place = int((starts < -1).sum())
        starts, estimate, reference = np.insert(starts, place, -1), np.insert(estimate, place, 0.0), np.insert(reference, place, True)
        entries, df = np.insert(entries, place, entries.max()), np.insert(df, place, df.max())
        columns.insert(place, np.zeros(cluster.size))
        names.insert(place, term_name(-1))
    influence = np.column_stack(columns)
    counts = np.asarray(entries, dtype=np.int64)
    event = None if choice.pooled else starts
    return Effects(
        method="lp-did",
        outcome=design.outcome,
        aggregation="coefficient" if choice.pooled else "event-time",
        terms=Terms.make(tuple(names), event_time=event, reference=reference, n_treated=counts),
        estimate=estimate,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=cluster_labels(design),
        df=least_df(df),
        term_df=df,
        notes=result.notes,
        meta={**facts, "term_rows": [f.n for f in fits], **_overall(choice, starts, estimate, reference)},
    )


def _pooled_name(span: range) -> str:
    return f"event-time {span[0]} to {span[-1]}"


def _overall(choice: _Choice, starts: Floats, estimate: Floats, reference: Mask) -> dict[str, Any]:
    """What the average over horizons is: their plain mean."""
    if choice.pooled:
        return {}
    events = [int(e) for e, b, r in zip(starts, estimate, reference, strict=True) if e >= 0 and np.isfinite(b) and not r]
    ones = [1.0] * len(events)
    return {
        "overall_estimand": "effect of entering treatment, averaged over horizons from 0",
        "overall_event_times": events,
        "overall_numerator": ones,
        "overall_denominator": ones,
    }


def _factor(fitted: Fitted, clusters: int, ssc: Ssc) -> float:
    """Small-sample factor of one regression: (n - 1) / (n - K) · G / (G - 1), as ``ssc`` says."""
    counted = fitted.parameters - (fitted.periods if ssc.k_fixef == "none" else 0)
    inflate = (fitted.n - 1) / (fitted.n - counted) if ssc.k_adj and fitted.n > counted else 1.0
    return inflate * (clusters / (clusters - 1) if ssc.g_adj and clusters > 1 else 1.0)


def _facts(design: Design, choice: _Choice, rules: Rules, names: Sequence[str], covariate_period: str) -> dict[str, Any]:
    estimand = "lp-did-pooled" if choice.pooled else "lp-did-reweighted" if choice.reweight else "lp-did"
    return {
        "estimand": text(f"estimand.{estimand}"),
        "estimand_code": estimand,
        "comparison": "never-treated" if rules.never_treated else "not-yet-treated",
        "anticipation": 0,
        **({"reference": -1, "reference_event_time": -1} if choice.pmd is None and not choice.pooled else {}),
        "reweight": choice.reweight,
        "pmd": choice.pmd,
        "nocomp": choice.nocomp,
        "nonabsorbing": rules.window,
        "covariate_period": covariate_period,
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": int((design.cohort != NEVER).sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": design.clusters[0].size,
        "cluster": design.clusters[0].name,
        "vcov": "cluster",
        "ssc": str(choice.ssc),
        "covariates": " + ".join(names),
        "fixed_effects": design.time_name,
        "weights": design.weight_name or "",
    }
