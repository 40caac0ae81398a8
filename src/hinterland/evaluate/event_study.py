"""Two-way fixed effects with leads and lags: y_it = α_i + λ_t + Σ_e τ_e 1[t − g_i = e] + x_it'β + ε_it.

Schmidheiny & Siegloch (2023), Journal of Applied Econometrics 38(5): the ends may be binned, one event time is the reference,
never-treated units have no leads or lags. With effects that differ between cohorts a lead can pick up the effects of other
event times (Sun & Abraham 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.cell_regression import CellRegressors, are_cells_enough, cell_least_squares
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import BLOCK
from hinterland.evaluate.regression import (
    Fit,
    Inference,
    InferenceOptions,
    cluster_labels,
    describe,
    dosed,
    fit_quality,
    least_squares,
    without_singletons,
)
from hinterland.evaluate.result import Effects, Floats, Terms, least_df
from hinterland.evaluate.saturated import spread, spread_square
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Covariance
from hinterland.labels import Note


@one_thread()
def fit(
    design: Design,
    *,
    leads: int | None = None,
    lags: int | None = None,
    reference: int = -1,
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Estimate τ_e for every event time e that is observed.

    Args:
        design: N units, T periods, n rows. Units treated from the first period on are left out.
        leads: earliest event time, such as -5; earlier ones are binned into it. ``None``: all.
        lags: latest event time; later ones are binned into it. ``None``: all.
        reference: event time whose effect is normalised to zero.
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`.

    Returns:
        Effects of aggregation ``event-time``: one term per event time, increasing, the reference included (zero, without
        standard error). ``n_treated`` counts the treated units observed at that event time. Covariates' coefficients are in ``meta``.

    Raises:
        EstimationError: the window is not one, the reference is not observed, or event times are not identified.
    """
    inference = Inference.of(**options)
    design = without_singletons(without_always_treated(design), inference.ssc)
    window, fitted = _fitted(design, (leads, lags, reference), inference)
    placed = place_terms(design, window, fitted)
    return Effects(
        method="event-study",
        outcome=design.outcome,
        aggregation="event-time",
        terms=placed.terms,
        estimate=placed.estimate,
        vcov=placed.vcov,
        influence=placed.influence,
        clusters=cluster_labels(design),
        df=fitted.covariance.df if placed.term_df is None else least_df(placed.term_df),
        term_df=placed.term_df,
        parts=placed.parts,
        notes=(*design.notes, *window.notes, *placed.notes, *without_repeats(fitted.notes, placed)),
        meta=describe(
            design,
            inference,
            fitted.covariance,
            fitted.covariance.df,
            "event-study",
            reference=reference,
            reference_event_time=reference,
            dose=dosed(design),
            **covariate_values(fitted, len(design.covariate_names)),
            **fit_quality(fitted),
        ),
    )


def _fitted(design: Design, bounds: tuple[int | None, int | None, int], inference: Inference) -> tuple[EventTimes, Fit]:
    """The regression, on tables of cohort and period where they are enough. ``bounds``: leads, lags, reference."""
    if not are_cells_enough(design, inference):
        window = event_window(design, *bounds)
        return window, least_squares(design, *event_columns(design, window), inference)
    leads, lags, reference = bounds
    fail_if_any(_window_findings(leads, lags, reference), "options", EstimationError)
    cells = CellRegressors.of(design, 0)
    treated = np.flatnonzero(cells.cohorts != NEVER)
    event_time = design.periods - cells.cohorts[treated, None]
    binned = np.clip(event_time, leads, lags) if leads is not None or lags is not None else event_time
    times, position = np.unique(binned, return_inverse=True)
    _fail_unless_observed(times, reference)
    position = position.reshape(binned.shape)
    behind = ((position[:, :, None] == np.arange(len(times))).any(axis=1) * cells.size[treated, None]).sum(axis=0)
    notes = _binning(np.repeat(event_time, cells.size[treated].astype(np.int64), axis=0), leads, lags)
    window_ = EventTimes(times, behind.astype(np.int64), reference, tuple(notes))
    order, column = _column_order(window_)
    values = np.zeros((*cells.values.shape[:2], len(order)))
    values[treated] = column[position][:, :, None] == np.arange(len(order))
    names = (*(term_name(e) for e in times[order]), *design.covariate_names)
    return window_, cell_least_squares(design, replace(cells, values=values), names, inference)


def term_name(event_time: int) -> str:
    """The name of an event time's term."""
    return f"event-time {event_time}"


def without_always_treated(design: Design) -> Design:
    """The design without units that are treated from the first period on, with a note that names them."""
    early = design.always_treated
    if not early.any():
        return design
    note = Note("always-treated-dropped", {"count": int(early.sum()), "units": listed(design.unit_labels[early].tolist(), 8)})
    kept = design.take(~early[design.unit], note)
    if kept.n_treated == 0:
        raise EstimationError(
            Finding(
                "all-always-treated",
                "every treated unit is treated from the first period on",
                f"first period {design.periods[0]}",
                "start the panel before the first adoption",
            ),
            "design",
        )
    return kept


def step_notes(design: Design) -> tuple[Note, ...]:
    """A note where periods do not follow one another, for methods whose event times count periods of the panel, not time."""
    periods = design.periods
    apart = np.flatnonzero(np.diff(periods) != 1)
    if len(apart) == 0:
        return ()
    steps = listed([f"{periods[i]} to {periods[i + 1]}" for i in apart], 8)
    return (Note("event-time-steps", {"count": len(apart), "steps": steps}),)


@dataclass(frozen=True, slots=True)
class EventTimes:
    """Event times after binning.

    Attributes:
        times: [p] event times observed, increasing, the reference included.
        n_treated: [p] treated units observed.
        reference: the event time set to zero.
        notes: what is binned.
    """

    times: NDArray[np.int64]
    n_treated: NDArray[np.int64]
    reference: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class EventWindow(EventTimes):
    """Event times after binning, and where they are.

    Attributes:
        rows: rows of treated units;  position: for each of ``rows``, the index into ``times``.
    """

    rows: NDArray[np.int64]
    position: NDArray[np.int64]


def event_window(design: Design, leads: int | None, lags: int | None, reference: int) -> EventWindow:
    """The event times of the design, with the ends binned."""
    fail_if_any(_window_findings(leads, lags, reference), "options", EstimationError)
    rows = np.flatnonzero(design.cohort[design.unit] != NEVER)
    event_time = design.event_time[rows]
    binned = np.clip(event_time, leads, lags) if leads is not None or lags is not None else event_time
    times, position = _ranked(binned)
    _fail_unless_observed(times, reference)
    seen = np.zeros((design.n_units, len(times)), dtype=np.bool_)
    seen[design.unit[rows], position] = True
    return EventWindow(times, seen.sum(axis=0), reference, tuple(_binning(event_time, leads, lags)), rows, position)


def _ranked(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct values [p], increasing, and the position [m] of each of ``values`` [m] among them."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if high - low > 100_000:
        times, place = np.unique(values, return_inverse=True)
        return times, place
    present = np.bincount(values - low, minlength=1) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[values - low]


def _fail_unless_observed(times: NDArray[np.int64], reference: int) -> None:
    if reference in times:
        return
    raise EstimationError(
        Finding(
            "reference-not-observed",
            f"no treated unit is observed at event time {reference}",
            f"event times {listed(times.tolist(), 12)}",
            "choose another reference, or widen the panel's years",
        ),
        "options",
    )


def _window_findings(leads: int | None, lags: int | None, reference: int) -> list[Finding]:
    findings = []
    for name, value in (("leads", leads), ("lags", lags), ("reference", reference)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
            findings.append(
                Finding("not-whole", f"{name} is {value!r}", f"option {name}", "give a whole number of periods relative to adoption")
            )
    if findings:
        return findings
    if leads is not None and leads > reference:
        findings.append(
            Finding(
                "bad-window",
                f"leads is {leads}, after the reference {reference}",
                "option leads",
                f"give the earliest event time, {reference} or less",
            )
        )
    if lags is not None and lags < max(reference, 0):
        findings.append(
            Finding("bad-window", f"lags is {lags}", "option lags", "give the latest event time, 0 or more and not before the reference")
        )
    return findings


def _binning(event_time: NDArray[np.int64], leads: int | None, lags: int | None) -> list[Note]:
    low = 0 if leads is None else int((event_time < leads).sum())
    high = 0 if lags is None else int((event_time > lags).sum())
    if low and high:
        return [Note("event-time-binned", {"leads": int(leads or 0), "lags": int(lags or 0), "low": low, "high": high})]
    if low:
        return [Note("event-time-binned-low", {"leads": int(leads or 0), "low": low})]
    return [Note("event-time-binned-high", {"lags": int(lags or 0), "high": high})] if high else []


def event_columns(design: Design, window: EventWindow) -> tuple[Floats, tuple[str, ...]]:
    """Indicators of the p − 1 event times but the reference (times the share covered under ``dose``), then the covariates; their names.

    The earliest lead comes last: it is the one to go when leads and lags are identified up to a trend only.
    """
    order, column = _column_order(window)
    out = np.zeros((design.n_obs, len(order) + len(design.covariate_names)), order="F")
    out[:, len(order) :] = design.covariates
    where = column[window.position]
    inside = where >= 0
    rows = window.rows[inside]
    out[rows, where[inside]] = design.dose[design.unit[rows]] if design.policy.partial == "dose" else 1.0
    return out, (*(term_name(e) for e in window.times[order]), *design.covariate_names)


def _column_order(window: EventTimes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[p − 1] event times in the order of their columns; [p] the column of each event time, -1 for the reference."""
    others = np.flatnonzero(window.times != window.reference)
    order = np.concatenate((others[1:], others[:1]))
    column = np.full(len(window.times), -1)
    column[order] = np.arange(len(order))
    return order, column


class Estimated(Protocol):
    """What a fit of event-time columns, linear or Poisson, offers."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns kept."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """The collinear columns."""
        ...

    @property
    def estimate(self) -> Floats:
        """[p] coefficients of the columns kept."""
        ...

    @property
    def covariance(self) -> Covariance:
        """Their covariance."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """Event-time estimates on the full grid of event times, references included."""

    terms: Terms
    estimate: Floats
    vcov: Floats
    influence: Floats
    notes: tuple[Note, ...]
    term_df: Floats | None = None
    parts: Floats | None = None


def place_terms(design: Design, window: EventTimes, fitted: Estimated) -> Placed:
    """Put the kept event-time coefficients on the grid of event times; the rest are references.

    Raises:
        EstimationError: event times other than the earliest lead are not identified.
    """
    position = {name: i for i, name in enumerate(fitted.names)}
    source = np.array([position.get(term_name(e), -1) for e in window.times])
    lost = [int(e) for e in window.times if term_name(e) in fitted.dropped]
    notes = _lost_notes(design, window, lost)
    inside = source >= 0
    take = source[inside]
    found, where, size = fitted.covariance, np.flatnonzero(inside), len(inside)

    def square(values: Floats) -> Floats:
        return spread_square(values[..., take[:, None], take], where, size)

    terms = Terms.make(
        tuple(term_name(e) for e in window.times),
        event_time=window.times,
        reference=~inside,
        n_treated=window.n_treated,
    )
    return Placed(
        terms,
        spread(fitted.estimate[take], where, size),
        square(found.vcov),
        _placed_columns(found.influence, source),
        notes,
        None if found.term_df is None else spread(found.term_df[take], where, size, np.nan),
        None if found.parts is None else square(found.parts),
    )


def _placed_columns(columns: Floats, source: NDArray[np.int64]) -> Floats:
    """[C, p] the columns ``source`` [p] of ``columns``, zeros for -1; by blocks of rows that stay in the cache."""
    out = np.empty((len(columns), len(source)))
    for start in range(0, len(out), BLOCK):
        some = slice(start, start + BLOCK)
        np.take(columns[some], np.maximum(source, 0), axis=1, out=out[some], mode="clip")
    out[:, source < 0] = 0.0
    return out


def _lost_notes(design: Design, window: EventTimes, lost: list[int]) -> tuple[Note, ...]:
    if not lost:
        return ()
    everyone = bool((design.cohort != NEVER).all())
    if everyone and lost == [int(window.times[0])] and len(window.times) > 2:
        return (Note("second-reference", {"lead": lost[0]}),)
    raise EstimationError(
        Finding(
            "event-times-not-identified",
            f"event times {listed(lost, 12)} are not identified beside the fixed effects",
            f"{design.n_treated} treated of {design.n_units} units, cohorts {listed(design.cohorts.tolist(), 8)}",
            "bin the ends (leads=, lags=), add units that are never treated, or leave out fixed effects that move with the policy",
        ),
        "design",
    )


def without_repeats(notes: tuple[Note, ...], placed: Placed) -> tuple[Note, ...]:
    """The notes, less the collinearity note when it only repeats the second reference."""
    repeated = {term_name(int(n.values["lead"])) for n in placed.notes if n.code == "second-reference"}
    return tuple(n for n in notes if n.code != "collinear-dropped" or n.values["names"] not in repeated)


def covariate_values(fitted: Estimated, count: int) -> dict[str, list[Any]]:
    """Names, coefficients and standard errors of the covariates, which come after the event times."""
    first = sum(name.startswith("event-time ") for name in fitted.names)
    if not count:
        return {}
    errors = np.sqrt(np.diag(fitted.covariance.vcov))
    return {
        "covariate_names": list(fitted.names[first:]),
        "covariate_estimates": fitted.estimate[first:].tolist(),
        "covariate_std_errors": errors[first:].tolist(),
    }
