"""Aggregate effects: averages of group-time effects, and averages of those.

Every aggregation is a weighted mean whose weights may be estimated cohort shares. Its influence function is that of the cells,
weighted, plus that of the weights (Callaway & Sant'Anna 2021, section 4 and its corollary 2). Where the covariance is not the product of
influence functions (several groupings, spatial correlation), the same linear map is applied to the covariance itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.result import BLANK, Aggregation, CohortShares, Effects, Floats, Terms, least_df
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import nearest_positive
from hinterland.evaluate.vcov_several import combined
from hinterland.labels import Note

Mask = NDArray[np.bool_]

_ESTIMANDS = {
    "overall": "ATT averaged over treated units and periods",
    "event-time": "ATT by periods since adoption",
    "cohort": "ATT by cohort, averaged over its treated periods",
    "calendar": "ATT by calendar period, averaged over treated cohorts",
}


@one_thread()
def aggregate(
    effects: Effects, kind: Aggregation, *, balance_e: int | None = None, min_e: int | None = None, max_e: int | None = None
) -> Effects:
    """Average ``effects`` into ``kind``.

    From ``group-time``: ``overall`` weighs all treated cells by cohort share (``simple`` in the field's software);
    ``event-time`` weighs the cohorts seen at each event time by their share; ``cohort`` is the plain mean over a cohort's
    treated periods; ``calendar`` weighs the cohorts treated in a period by their share.

    To ``overall`` from ``event-time``: the plain mean over event times from 0 on, or the estimator's own average (``dcdh``); from ``cohort``: weighted by cohort
    share; from ``calendar``: the plain mean over periods.

    Args:
        effects: group-time effects, or effects by event time, cohort or calendar period.
        kind: ``overall``, ``event-time``, ``cohort`` or ``calendar``.
        balance_e: event time up to which every cohort that counts must be seen, so that the mix of cohorts is the same at each
            event time from 0 to it (``event-time`` only).
        min_e: leave out earlier event times (``event-time`` only).
        max_e: leave out later event times.

    Cells without an estimate are left out, with a note.

    Raises:
        EstimationError: unknown kind, an average these effects do not have, or nothing left to average.
    """
    _fail_if_bad(effects, kind, balance_e, min_e, max_e)
    if effects.aggregation == "group-time":
        cells = _Cells.of(effects, -np.inf if min_e is None else min_e, np.inf if max_e is None else max_e)
        if kind == "overall":
            return _overall(effects, cells)
        if kind == "cohort":
            return _by_cohort(effects, cells)
        return _by_calendar(effects, cells) if kind == "calendar" else _by_event_time(effects, cells, balance_e)
    if kind == effects.aggregation:
        return _within(effects, min_e, max_e)
    return _mean_of(effects, min_e, max_e)


def _fail_if_bad(effects: Effects, kind: str, balance_e: int | None, min_e: int | None, max_e: int | None) -> None:
    findings, have, where = [], effects.aggregation, f"{effects.method}, {effects.outcome}"
    known = [a for a in get_args(Aggregation) if a not in ("coefficient", "group-time")]
    if kind not in known:
        findings.append(
            Finding("unknown-aggregation", f"aggregation {kind!r} is not known", "argument kind", did_you_mean(str(kind), known))
        )
    elif have != "group-time" and kind not in ("overall", have):
        remedy = f"aggregate the group-time effects to {kind!r}" if have != "coefficient" else "choose callaway-santanna or event-study"
        findings.append(Finding("no-such-average", f"effects by {have} cannot be averaged to {kind!r}", where, remedy))
    elif have == "group-time" and effects.shares is None:
        findings.append(Finding("no-shares", "the effects carry no cohort shares", where, "estimate with callaway-santanna"))
    elif have == "coefficient" and len(effects.estimate) > 1:
        findings.append(
            Finding(
                "no-such-average", f"{len(effects.estimate)} coefficients have no overall mean", where, "choose an event-study estimator"
            )
        )
    if balance_e is not None and not (kind == "event-time" and have == "group-time"):
        findings.append(
            Finding(
                "balance-e",
                "balance_e balances cohorts over event times",
                f"aggregation {have} to {kind}",
                "use it with group-time effects and kind='event-time'",
            )
        )
    if min_e is not None and kind not in ("event-time", "overall"):
        findings.append(Finding("min-e", f"min_e has no meaning for {kind!r}", "argument min_e", "leave it out"))
    if balance_e is not None and balance_e < 0:
        findings.append(Finding("balance-e", f"balance_e is {balance_e}", "argument balance_e", "give an event time of 0 or more"))
    if min_e is not None and max_e is not None and min_e > max_e:
        findings.append(Finding("empty-window", f"min_e {min_e} is after max_e {max_e}", "arguments min_e and max_e", "swap them"))
    fail_if_any(findings, "aggregation", EstimationError)


def _fail_empty(effects: Effects, what: str) -> NoReturn:
    remedy = "widen the event window, or see the notes of the group-time effects for the cells that could not be estimated"
    raise EstimationError(Finding("nothing-to-average", what, f"{effects.method}, {effects.outcome}", remedy), "aggregation")


@dataclass(frozen=True, slots=True)
class _Cells:
    """The group-time cells that count: ``cohort``, ``time``, ``event`` [p], ``use`` [p] (has an estimate, inside the window),
    ``post`` [p] (treated), ``share`` [p] of its cohort (in its period, where shares have one), found at ``place`` [p].
    """

    cohort: NDArray[np.int64]
    time: NDArray[np.int64]
    event: NDArray[np.int64]
    use: Mask
    post: Mask
    place: NDArray[np.int64]
    share: Floats
    shares: CohortShares

    @classmethod
    def of(cls, effects: Effects, low: float, high: float) -> _Cells:
        shares = effects.shares
        if shares is None:
            _fail_empty(effects, "the effects carry no cohort shares")
        terms = effects.terms
        event = terms.time - terms.cohort
        use = np.isfinite(effects.estimate)
        place = shares.place(terms.cohort, terms.time)
        inside = use & (event >= low) & (event <= high)
        return cls(terms.cohort, terms.time, event, inside, event >= 0, place, shares.share[place], shares)


def _average(effects: Effects, cells: _Cells, groups: Sequence[Mask], terms: Terms, kind: Aggregation) -> Effects:
    """One mean per group of cells: by cohort share, with the influence of estimated shares; within a cohort, plain (by share where those vary)."""
    weighted = kind != "cohort" or cells.shares.time is not None
    estimate_of = np.where(np.isfinite(effects.estimate), effects.estimate, 0.0)
    pick = np.array(groups, dtype=np.float64)
    raw = pick * cells.share if weighted else pick
    total = raw.sum(axis=1, keepdims=True)
    weights = raw / total
    estimate = weights @ estimate_of
    slope = None
    if weighted:
        # d mean / d share of a cohort: the excess of its cells over the mean, over the sum of shares.
        excess = pick * (estimate_of - estimate[:, None]) / total
        slope = excess @ (cells.place[:, None] == np.arange(len(cells.shares.share)))
    return _make(effects, kind, terms, estimate, _Map(weights, slope))


@dataclass(frozen=True, slots=True)
class _Map:
    """Averages as a linear map: ``weights`` [q, p] of the estimates, ``slope`` [q, K] of the estimated shares (``None``: no part)."""

    weights: Floats
    slope: Floats | None

    def influence(self, effects: Effects) -> Floats:
        """[C, q] influence function of the averages."""
        own: Floats = effects.influence @ self.weights.T
        if self.slope is None or effects.shares is None:
            return own
        return own + effects.shares.influence @ self.slope.T

    def joint(self, effects: Effects) -> Floats | None:
        """[q + K, q + K] covariance of the averages and the shares, where it is kept."""
        return None if effects.shares is None or effects.shares.joint is None else self._mapped(effects, effects.shares.joint)

    def _mapped(self, effects: Effects, joint: Floats) -> Floats:
        p, size = len(effects.estimate), len(joint)
        whole = np.zeros((len(self.weights) + size - p, size))
        whole[: len(self.weights), :p] = self.weights
        whole[len(self.weights) :, p:] = np.eye(size - p)
        if self.slope is not None:
            whole[: len(self.weights), p:] = self.slope
        return np.asarray(whole @ joint @ whole.T)

    def vcov(self, effects: Effects, influence: Floats, joint: Floats | None) -> Floats:
        """[q, q]: the product of the ``influence`` [C, q] of the averages; where the covariance is no such product, itself mapped.

        The map is of the covariance as it was computed, so that an average has the variance that it would have by itself; where that is not
        positive for some average, of the covariance less its negative eigenvalues.
        """
        q = len(self.weights)
        if joint is not None and effects.shares is not None and effects.shares.joint is not None:
            if (np.diag(joint)[:q] < 0).any():
                joint = self._mapped(effects, nearest_positive(effects.shares.joint)[0])
            return nearest_positive(joint[:q, :q])[0]
        if (parts := self.parts(effects)) is not None:
            return combined(parts)
        if effects.from_influence:
            return np.asarray(influence.T @ influence)
        return self._plain(effects, effects.vcov)

    def parts(self, effects: Effects) -> Floats | None:
        """[2^q − 1, q, q] covariances of the averages by sets of groupings, where the estimates have them."""
        return None if effects.parts is None else self._plain(effects, effects.parts)

    def _plain(self, effects: Effects, vcov: Floats) -> Floats:
        """``vcov`` [..., p, p] mapped, and the variance of the shares."""
        out: Floats = self.weights @ np.where(np.isfinite(vcov), vcov, 0.0) @ self.weights.T
        if self.slope is None or effects.shares is None:
            return out
        shares = effects.shares.influence
        mixed = self.weights @ (effects.influence.T @ shares) @ self.slope.T
        return np.asarray(out + mixed + mixed.T + self.slope @ (shares.T @ shares) @ self.slope.T)

    def df(self, effects: Effects) -> float:
        """The least degrees of freedom of the estimates that are averaged: Satterthwaite's are not defined by them alone."""
        if effects.term_df is None:
            return effects.df
        return least_df(effects.term_df[(self.weights != 0).any(axis=0)])


def _make(effects: Effects, kind: Aggregation, terms: Terms, estimate: Floats, linear: _Map) -> Effects:
    missing = int((~np.isfinite(effects.estimate)).sum())
    notes = effects.notes
    if missing and effects.aggregation == "group-time":
        notes = (*notes, Note("cs-cells-left-out", {"count": missing, "total": len(effects.estimate)}))
    by_event = str(effects.meta.get("overall_estimand", "ATT averaged over event times from 0"))
    estimand = by_event if effects.aggregation == "event-time" else _ESTIMANDS[kind]
    meta = {**effects.meta, "estimand": estimand, "aggregated_from": effects.aggregation}
    influence, joint = linear.influence(effects), linear.joint(effects)
    shares = effects.shares if kind == "cohort" else None
    return replace(
        effects,
        aggregation=kind,
        terms=terms,
        estimate=estimate,
        vcov=linear.vcov(effects, influence, joint),
        influence=influence,
        parts=linear.parts(effects),
        shares=shares if shares is None or joint is None else replace(shares, joint=joint),
        band=None,
        notes=notes,
        meta=meta,
        df=linear.df(effects),
        term_df=None,
    )


def _treated_units(effects: Effects, groups: Sequence[Mask], *, per_cohort: bool = False) -> NDArray[np.int64]:
    """Treated units behind each group of cells (``per_cohort``: each cohort counted once, at its largest)."""
    count, cohort = effects.terms.n_treated, effects.terms.cohort
    if not per_cohort:
        return np.array([int(count[g].sum()) for g in groups], dtype=np.int64)
    return np.array([sum(int(count[g & (cohort == c)].max()) for c in np.unique(cohort[g])) for g in groups], dtype=np.int64)


def _overall(effects: Effects, cells: _Cells) -> Effects:
    group = cells.use & cells.post
    if not group.any():
        _fail_empty(effects, "no treated cell has an estimate in the window")
    terms = Terms.make(("overall",), n_treated=_treated_units(effects, [group], per_cohort=True))
    return _average(effects, cells, [group], terms, "overall")


def _by_event_time(effects: Effects, cells: _Cells, balance_e: int | None) -> Effects:
    use = cells.use
    if balance_e is not None:
        have = np.isfinite(effects.estimate)
        first, last = (int(f(cells.time[have])) for f in (np.min, np.max))
        use = use & (last - cells.cohort >= balance_e) & (cells.event <= balance_e) & (cells.event >= balance_e - last + first)
    events = np.unique(cells.event[use])
    if len(events) == 0:
        _fail_empty(effects, "no event time is left in the window")
    groups = [use & (cells.event == e) for e in events]
    terms = Terms.make(
        tuple(f"event_time={e}" for e in events),
        event_time=events,
        reference=np.array([bool(effects.terms.reference[g].all()) for g in groups]),
        n_treated=_treated_units(effects, groups),
    )
    return _average(effects, cells, groups, terms, "event-time")


def _by_cohort(effects: Effects, cells: _Cells) -> Effects:
    post = cells.use & cells.post
    cohorts = np.unique(cells.cohort[post])
    if len(cohorts) == 0:
        _fail_empty(effects, "no treated cell has an estimate in the window")
    groups = [post & (cells.cohort == g) for g in cohorts]
    terms = Terms.make(tuple(f"cohort={g}" for g in cohorts), cohort=cohorts, n_treated=_treated_units(effects, groups, per_cohort=True))
    return _average(effects, cells, groups, terms, "cohort")


def _by_calendar(effects: Effects, cells: _Cells) -> Effects:
    post = cells.use & cells.post
    periods = np.unique(cells.time[post])
    if len(periods) == 0:
        _fail_empty(effects, "no treated cell has an estimate in the window")
    groups = [post & (cells.time == t) for t in periods]
    terms = Terms.make(tuple(f"time={t}" for t in periods), time=periods, n_treated=_treated_units(effects, groups))
    return _average(effects, cells, groups, terms, "calendar")


def _within(effects: Effects, min_e: int | None, max_e: int | None) -> Effects:
    """The same aggregation, restricted to a window of event times."""
    if min_e is None and max_e is None:
        return effects
    event = effects.terms.event_time
    keep = (event != BLANK) & (event >= (BLANK if min_e is None else min_e)) & (event <= (event.max() if max_e is None else max_e))
    if not keep.any():
        _fail_empty(effects, "no event time is left in the window")
    return effects.take(keep)


def _weights(effects: Effects, keep: Mask) -> Floats:
    """[p] equal weights, unless ``meta`` holds those of the estimator: Σ numerator · estimate / Σ denominator over event times."""
    meta = effects.meta
    if effects.aggregation != "event-time" or "overall_event_times" not in meta:
        return np.asarray(keep / keep.sum())
    given = {e: (n, d) for e, n, d in zip(*(meta[f"overall_{k}"] for k in ("event_times", "numerator", "denominator")), strict=True)}
    parts = np.array([given.get(int(e), (0.0, 0.0)) if use else (0.0, 0.0) for e, use in zip(effects.terms.event_time, keep, strict=True)])
    total = float(parts[:, 1].sum())
    if total == 0:
        _fail_empty(effects, "treatment has not changed on average over these event times, so there is no effect per unit of it")
    return np.asarray(parts[:, 0] / total)


def _mean_of(effects: Effects, min_e: int | None, max_e: int | None) -> Effects:
    """One overall mean of effects that are averages themselves, or regression coefficients by event time."""
    keep = np.isfinite(effects.estimate) & ~effects.terms.reference
    if effects.aggregation == "event-time":
        event = effects.terms.event_time
        keep &= (event >= max(0, min_e or 0)) & (event <= (event.max() if max_e is None else max_e))
    if not keep.any():
        _fail_empty(effects, "no estimate after adoption is left to average")
    values = np.where(keep, effects.estimate, 0.0)
    weights = _weights(effects, keep)
    slope = None
    if effects.aggregation == "cohort" and effects.shares is not None:
        place = effects.shares.place(effects.terms.cohort)
        weights = keep * effects.shares.share[place]
        total = weights.sum()
        weights = weights / total
        slope = np.zeros(len(effects.shares.share))
        slope[place] = keep * (values - weights @ values) / total
    count = effects.terms.n_treated
    n_treated = int(count[keep].sum() if effects.aggregation == "cohort" else count[keep].max())
    linear = _Map(weights[None, :], None if slope is None else slope[None, :])
    return _make(effects, "overall", Terms.make(("overall",), n_treated=np.array([n_treated])), np.array([weights @ values]), linear)
