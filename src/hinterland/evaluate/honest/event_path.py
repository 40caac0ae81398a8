"""An event study as differences from one reference period: what sensitivity analysis and power calculations start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.pretrends import MIN_TREATED, adjusted_before, fitted_before
from hinterland.evaluate.result import BLANK, Effects
from hinterland.labels import Note

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SUBJECT = "sensitivity"


@dataclass(frozen=True, slots=True)
class EventPath:
    """Estimates by event time around a reference whose deviation from parallel trends is zero.

    ``estimates`` [pre + post] and ``vcov``; ``influence`` [C, pre + post] by cluster; ``times`` [pre + post], consecutive but for the reference; ``reference``: its event time,
    the last period before treatment (less anticipation); ``notes``: what was converted or left out.
    """

    method: str
    outcome: str
    estimates: Floats
    vcov: Floats
    influence: Floats
    times: Ints
    reference: int
    notes: tuple[Note, ...]

    @property
    def pre(self) -> int:
        """Number of periods before the reference."""
        return int((self.times < self.reference).sum())

    @property
    def post(self) -> int:
        """Number of periods after the reference, those of anticipation included."""
        return len(self.times) - self.pre


@dataclass(frozen=True, slots=True)
class _Grid:
    """Event times, increasing, with estimates, covariance and influence; ``zero`` [p]: normalised to zero; ``behind`` [p] treated units (-1: unknown)."""

    times: Ints
    estimates: Floats
    vcov: Floats
    influence: Floats
    zero: NDArray[np.bool_]
    behind: Ints

    def take(self, keep: NDArray[np.bool_]) -> _Grid:
        inside = np.ix_(keep, keep)
        return _Grid(
            self.times[keep], self.estimates[keep], self.vcov[inside], self.influence[:, keep], self.zero[keep], self.behind[keep]
        )  # fmt: skip

    def mapped(self, matrix: Floats, zero: NDArray[np.bool_]) -> _Grid:
        """Under a linear map of the estimates, exactly; rows ``zero`` become zero."""
        matrix = np.where(zero[:, None], 0.0, matrix)
        vcov, influence = matrix @ self.vcov @ matrix.T, self.influence @ matrix.T
        return replace(self, estimates=matrix @ self.estimates, vcov=vcov, influence=influence, zero=zero)


def event_path(effects: Effects, min_e: int | None = None, max_e: int | None = None) -> EventPath:
    """The event path of ``effects``, from event time ``min_e`` to ``max_e`` where these are given.

    Group-time effects are aggregated by event time. One-period changes before treatment (Callaway–Sant'Anna with a varying base) are
    cumulated to distances from the last untreated period, exactly: by cell for group-time effects; for effects by event time only
    where the same treated units are behind every one of them. Another reference is moved to the last untreated period.

    Raises:
        EstimationError: not by event time, fitted before treatment, no single reference, gaps, or nothing before or after it.
    """
    where = f"{effects.method} on {effects.outcome!r}"
    _fail_if_fitted(effects, where)
    anticipation = int(effects.meta.get("anticipation", 0) or 0)
    last = -1 - anticipation
    notes: list[Note] = []
    varying = effects.meta.get("base_period") == "varying"
    if effects.aggregation == "group-time":
        if varying:
            effects, varying = _cumulate_cells(effects, anticipation), False
            notes.append(Note("path-cumulated", {"reference": last}))
        effects = effects.aggregate("event-time")
    if effects.aggregation != "event-time":
        what = f"{effects.aggregation} effects have no path over event times"
        refuse("no-event-time", what, where, "estimate an event study, or aggregate the group-time effects to 'event-time'")
    if any(n.code == "second-reference" for n in effects.notes):
        what = "two event times are normalised to zero, which sets any linear trend to zero"
        refuse("two-references", what, where, "add units that are never treated, or use an estimator that needs one reference only")
    grid = _grid_of(effects)
    if varying:
        grid = _cumulate(grid, last, where)
        notes.append(Note("path-cumulated", {"reference": last}))
    grid, moved = _with_reference(grid, last, where)
    notes += moved
    inside = (grid.times >= (grid.times[0] if min_e is None else min_e)) & (grid.times <= (grid.times[-1] if max_e is None else max_e))
    if not inside[grid.times == last].any():
        refuse("empty-window", f"the window {min_e} to {max_e} does not hold the reference {last}", where, "widen it")
    grid, trimmed = _consecutive(grid.take(inside), where)
    notes += [*trimmed, *_cautions(effects, grid, last)]
    live = ~grid.zero
    path = EventPath(
        effects.method,
        effects.outcome,
        grid.estimates[live],
        grid.vcov[np.ix_(live, live)],
        grid.influence[:, live],
        grid.times[live],
        last,
        tuple(notes),
    )
    _fail_if_too_short(path, where)
    return path


def _fail_if_fitted(effects: Effects, where: str) -> None:
    """Refuse estimates before treatment that are fitted, or adjusted each in its own way: they are no distances from one reference."""
    remedy = "use an event study with a reference, or callaway-santanna"
    if fitted_before(effects):
        refuse(
            "no-reference",
            "the estimates before treatment were fitted to be small, so they are no differences from a period",
            where,
            remedy,
        )
    if adjusted_before(effects):
        what = "each estimate is adjusted for outcomes before treatment with a coefficient of its own (beta), so they are not differences from the same period"
        refuse("no-reference", what, where, f"estimate with beta=1, or {remedy}")


def refuse(code: str, what: str, where: str, remedy: str) -> NoReturn:
    """Raise the finding as an ``EstimationError``."""
    raise EstimationError(Finding(code, what, where, remedy), SUBJECT)


def _grid_of(effects: Effects) -> _Grid:
    order = np.argsort(effects.terms.event_time)
    order = order[effects.terms.event_time[order] != BLANK]
    terms = effects.terms
    return _Grid(
        terms.event_time[order],
        effects.estimate[order],
        effects.vcov[np.ix_(order, order)],
        effects.influence[:, order],
        terms.reference[order],
        terms.n_treated[order],
    )


def _cumulate_cells(effects: Effects, anticipation: int) -> Effects:
    """Group-time effects with a varying base as distances from each cohort's last untreated period, where every change between is known.

    The first period of the panel, which has no change of its own, joins each cohort's cells.
    """
    terms = effects.terms
    periods = np.union1d(terms.time, [int(effects.meta.get("first_period", terms.time.min()))])
    rows, sources, zero, moments = [], [], [], []
    for cohort in np.unique(terms.cohort):
        cells = np.flatnonzero(terms.cohort == cohort)
        cells = cells[np.argsort(terms.time[cells])]
        ahead = cells[terms.time[cells] < cohort]
        start = periods[periods < terms.time[ahead[0]]][-1:] if len(ahead) else periods[:0]
        times = np.append(start, terms.time[ahead])
        base = int(np.flatnonzero(times < cohort - anticipation).max(initial=-1))
        for i, moment in enumerate(times):
            row = np.zeros(len(terms.cohort))
            # Change j is from period j - 1 to j; without a start, the first change's period is the origin.
            changes = np.append(np.full(len(start), -1), ahead)
            row[changes[i + 1 : base + 1]], row[changes[base + 1 : i + 1]] = -1.0, 1.0
            rows.append(row)
            sources.append(int(ahead[max(i - len(start), 0)]))
            zero.append(i == base)
            moments.append(int(moment))
        for cell in cells[len(ahead) :]:
            rows.append(np.eye(1, len(terms.cohort), cell)[0])
            sources.append(int(cell))
            zero.append(bool(terms.reference[cell]))
            moments.append(int(terms.time[cell]))
    return _mapped_cells(effects, np.array(rows), np.array(sources), np.array(zero), np.array(moments))


def _mapped_cells(effects: Effects, matrix: Floats, sources: Ints, zero: NDArray[np.bool_], times: Ints) -> Effects:
    """The cells under a linear map, with their covariance, and that with the shares where it is kept."""
    known = np.isfinite(effects.estimate)
    broken = (matrix[:, ~known] != 0).any(axis=1)
    exact = np.where(broken[:, None], 0.0, matrix)
    influence = effects.influence @ exact.T
    terms, shares = replace(effects.terms.take(sources), time=times, reference=zero), effects.shares
    if shares is not None and shares.joint is not None:
        p, size = matrix.shape[1], len(shares.joint)
        whole = np.zeros((len(matrix) + size - p, size))
        whole[: len(matrix), :p], whole[len(matrix) :, p:] = exact, np.eye(size - p)
        shares = replace(shares, joint=whole @ shares.joint @ whole.T)
    return replace(
        effects,
        terms=terms,
        estimate=np.where(broken, np.nan, matrix @ np.where(known, effects.estimate, 0.0)),
        vcov=exact @ np.where(np.isfinite(effects.vcov), effects.vcov, 0.0) @ exact.T,
        influence=influence,
        shares=shares,
        band=None,
        meta={**effects.meta, "base_period": "universal"},
    )


def _cumulate(grid: _Grid, last: int, where: str) -> _Grid:
    """One-period changes by event time as distances from ``last``."""
    before = grid.times < 0
    behind = grid.behind[before & (grid.times <= last)]
    if len(np.unique(behind)) > 1 or (np.diff(grid.times[before]) != 1).any():
        refuse(
            "varying-base",
            "the estimates before treatment are one-period changes of different sets of treated units, not distances from one reference",
            where,
            "pass the group-time effects, whose cells are cumulated exactly, or estimate with base_period='universal'",
        )
    p, at = len(grid.times), int(np.searchsorted(grid.times, last))
    matrix = np.eye(p)
    for i in np.flatnonzero(before):
        matrix[i, i] = 0.0
        matrix[i, i + 1 : at + 1] = -1.0
        matrix[i, at + 1 : i + 1] = 1.0
    # The earliest change has a period before it, whose distance is known too.
    first = np.zeros((1, p))
    first[0, : at + 1] = -1.0
    stacked = np.vstack([first, matrix])
    widened = _Grid(
        np.append(grid.times[0] - 1, grid.times),
        stacked @ grid.estimates,
        stacked @ grid.vcov @ stacked.T,
        grid.influence @ stacked.T,
        np.append(False, grid.zero),
        np.append(grid.behind[0], grid.behind),
    )
    return replace(widened, zero=widened.zero | (widened.times == last))


def _with_reference(grid: _Grid, last: int, where: str) -> tuple[_Grid, list[Note]]:
    """With the period ``last`` as the reference."""
    here = grid.times == last
    references = grid.times[grid.zero]
    if len(references) == 1 and references[0] == last:
        return grid, []
    if len(references) == 1 and here.any():
        matrix = np.eye(len(grid.times)) - here.astype(np.float64)
        note = Note("path-reference-moved", {"given": int(references[0]), "reference": last})
        return grid.mapped(matrix, here), [note]
    if not len(references) and not here.any() and (grid.times < last).any() and (grid.times > last).any():
        at = int(np.searchsorted(grid.times, last))
        wide = _Grid(
            np.insert(grid.times, at, last),
            np.insert(grid.estimates, at, 0.0),
            np.insert(np.insert(grid.vcov, at, 0.0, axis=0), at, 0.0, axis=1),
            np.insert(grid.influence, at, 0.0, axis=1),
            np.insert(grid.zero, at, True),
            np.insert(grid.behind, at, -1),
        )
        return wide, [Note("path-reference-implied", {"reference": last})]
    if len(references) > 1:
        refuse("two-references", f"{len(references)} event times are normalised to zero", where, "use an estimator with one reference")
    remedy = "use an event study with a reference, or callaway-santanna with base_period='universal' (Roth 2024)"
    if not (grid.times <= last).any():
        refuse("no-leads", "there is no estimate before treatment", where, remedy)
    zero = f"{references[0]}" if len(references) else "no event time"
    seen = "estimated" if here.any() else "missing"
    what = (
        f"{zero} is normalised to zero, and {last} is {seen}: estimates before and after treatment are not differences from the same period"
    )
    refuse("no-reference", what, where, remedy)


def _consecutive(grid: _Grid, where: str) -> tuple[_Grid, list[Note]]:
    """The event times around ``last`` that have an estimate with a variance; an error where one between has none."""
    usable = grid.zero | (np.isfinite(grid.estimates) & np.isfinite(np.diag(grid.vcov)) & (np.diag(grid.vcov) > 0))
    first, final = int(usable.argmax()), int(len(usable) - 1 - usable[::-1].argmax())
    inside = grid.take(np.arange(len(usable)) >= first).take(np.arange(len(usable) - first) <= final - first)
    holes = inside.times[~usable[first : final + 1]].tolist()
    gaps = sorted(set(range(int(inside.times[0]), int(inside.times[-1]) + 1)) - set(inside.times.tolist()))
    if holes or gaps:
        refuse(
            "event-time-gap",
            f"event time(s) {', '.join(map(str, [*gaps, *holes]))} have no estimate, so changes between periods are not known",
            where,
            "restrict the window with min_e and max_e, or widen the sample",
        )
    dropped = np.delete(grid.times, np.arange(first, final + 1)).tolist()
    return inside, [Note("path-ends-dropped", {"times": ", ".join(map(str, dropped))})] if dropped else []


def _cautions(effects: Effects, grid: _Grid, last: int) -> list[Note]:
    notes = []
    if any(n.code.startswith("event-time-binned") for n in effects.notes):
        notes.append(Note("path-binned"))
    thin = (grid.times < last) & (grid.behind >= 0) & (grid.behind < MIN_TREATED)
    if thin.any():
        times = ", ".join(str(e) for e in grid.times[thin].tolist())
        notes.append(Note("path-thin", {"count": int(thin.sum()), "least": MIN_TREATED, "times": times}))
    if np.linalg.matrix_rank(grid.vcov[np.ix_(~grid.zero, ~grid.zero)]) < int((~grid.zero).sum()):
        notes.append(Note("path-singular", {"terms": int((~grid.zero).sum()), "clusters": len(effects.clusters)}))
    return notes


def _fail_if_too_short(path: EventPath, where: str) -> None:
    if not path.pre:
        remedy = "start the panel at least two periods before the first adoption, or keep more leads"
        refuse("no-leads", f"there is no estimate before the reference {path.reference}", where, remedy)
    if not (path.times >= 0).any():
        refuse("nothing-to-average", "there is no estimate after adoption", where, "keep event times from 0 on")
