"""Estimands and pre-treatment contrasts under random timing, as weights on the means of cohorts by period.

Every estimand of Roth & Sant'Anna (2023, Journal of Political Economy Microeconomics 1(4)) is a linear combination Σ A_θ,g Ȳ_g of the
cohorts' mean paths Ȳ_g [T], and every contrast that is zero in expectation before treatment is Σ A_0,g Ȳ_g. The weights depend on
the sizes of the cohorts only, which random timing takes as fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.result import BLANK, Aggregation, Terms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Estimand = Literal["event-time", "overall", "cohort", "calendar", "group-time", "cohort-average", "calendar-average"]
Controls = Literal["not-yet-treated", "last-treated"]

AGGREGATION: dict[str, Aggregation] = {
    "event-time": "event-time",
    "overall": "overall",
    "cohort": "cohort",
    "calendar": "calendar",
    "group-time": "group-time",
    "cohort-average": "overall",
    "calendar-average": "overall",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Who is treated when: ``cohort`` [G] first treated periods, increasing, ``NEVER`` last; ``size`` [G] units; ``periods`` [T]."""

    cohort: Ints
    size: Ints
    periods: Ints


@dataclass(frozen=True, slots=True)
class Cells:
    """The q comparisons of one cohort in one period with cohorts treated later.

    ``group`` [q] index of the cohort;  ``time``, ``base`` [q] indices of the period and of the last one before adoption (-1: none);
    ``contrast`` [q, G]: 1 on the cohort, minus the shares of the cohorts compared with.
    """

    group: Ints
    time: Ints
    base: Ints
    contrast: Floats


def make_cells(timing: Timing, controls: Controls) -> Cells:
    """Every cohort in every period in which a later cohort is still untreated.

    A cohort g in period t is compared with the cohorts treated after max(g, t), weighted by size, or with the last of all.
    """
    last = timing.cohort[-1]
    rows: list[tuple[int, int, int]] = []
    contrasts: list[Floats] = []
    for k, g in enumerate(timing.cohort[:-1]):
        base = int(np.searchsorted(timing.periods, g)) - 1
        for t, period in enumerate(timing.periods):
            latest = max(int(g), int(period))
            if latest >= last or g > timing.periods[-1]:
                continue
            later = timing.cohort == last if controls == "last-treated" else timing.cohort > latest
            share = np.where(later, timing.size, 0).astype(np.float64)
            contrast = -share / share.sum()
            contrast[k] += 1.0
            rows.append((k, t, base))
            contrasts.append(contrast)
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Cells(table[:, 0], table[:, 1], table[:, 2], np.array(contrasts).reshape(-1, len(timing.cohort)))


@dataclass(frozen=True, slots=True)
class Weighting:
    """K estimands: ``terms``; ``cells`` [K, q] the weight of each cell; ``theta`` [K, G, T] and ``before`` [K, R, G, T] the weights A_θ and A_0
    on cohort means (R contrasts before treatment for each estimand).
    """

    terms: Terms
    cells: Floats
    theta: Floats
    before: Floats


def make_weighting(timing: Timing, cells: Cells, estimand: Estimand, contrasts: Literal["did", "all"]) -> Weighting:
    """The weights of every term of ``estimand``.

    ``did``: one contrast, that of the same cells in the period before adoption (with β = 1, difference-in-differences). ``all``:
    each cohort less the last one, in every period before the cohort is treated.
    """
    terms, weight = _cell_weights(timing, cells, estimand)
    theta = _on_means(timing, cells, weight, cells.time)
    if contrasts == "did":
        return Weighting(terms, weight, theta, _on_means(timing, cells, weight, cells.base)[:, None])
    every = _all_contrasts(timing)
    return Weighting(terms, weight, theta, np.broadcast_to(every, (len(weight), *every.shape)))


def _on_means(timing: Timing, cells: Cells, weight: Floats, place: Ints) -> Floats:
    """[K, G, T] weights on cohort means when each cell's contrast is taken in period ``place`` [q] (-1: nowhere)."""
    out = np.zeros((len(weight), len(timing.cohort), len(timing.periods)))
    for j, t in enumerate(place):
        if t >= 0:
            out[:, :, t] += weight[:, j, None] * cells.contrast[j]
    return out


def _all_contrasts(timing: Timing) -> Floats:
    rows = []
    for k, g in enumerate(timing.cohort[:-1]):
        for t in np.flatnonzero(timing.periods < g):
            row = np.zeros((len(timing.cohort), len(timing.periods)))
            row[k, t], row[-1, t] = 1.0, -1.0
            rows.append(row)
    return np.array(rows).reshape(-1, len(timing.cohort), len(timing.periods))


def _cell_weights(timing: Timing, cells: Cells, estimand: Estimand) -> tuple[Terms, Floats]:
    cohort, time, size = timing.cohort[cells.group], timing.periods[cells.time], timing.size[cells.group].astype(np.float64)
    post = time >= cohort
    if estimand == "group-time":
        names = tuple(f"cohort={g},time={t}" for g, t in zip(cohort, time, strict=True))
        terms = Terms.make(names, cohort=cohort, time=time, event_time=time - cohort, n_treated=timing.size[cells.group])
        return terms, np.eye(len(cohort))
    if estimand == "event-time":
        events, place = np.unique(time - cohort, return_inverse=True)
        raw = (place == np.arange(len(events))[:, None]) * size
        names = tuple(f"event_time={e}" for e in events)
        return Terms.make(names, event_time=events, n_treated=raw.sum(axis=1).astype(np.int64)), raw / raw.sum(axis=1, keepdims=True)
    if estimand == "overall":
        raw = (post * size)[None, :]
        return Terms.make(("overall",), n_treated=_treated(timing)), raw / raw.sum()
    by_cohort = estimand in ("cohort", "cohort-average")
    labels = np.unique((cohort if by_cohort else time)[post])
    member = ((cohort if by_cohort else time) == labels[:, None]) & post
    raw = member * (1.0 if by_cohort else size)
    weight = raw / raw.sum(axis=1, keepdims=True)
    if estimand in ("cohort", "calendar"):
        return _named(estimand, labels, np.where(member, size, 0.0)), weight
    share = (member * size).max(axis=1) if by_cohort else np.ones(len(labels))
    return Terms.make(("overall",), n_treated=_treated(timing)), (share / share.sum() @ weight)[None, :]


def _named(estimand: str, labels: Ints, size: Floats) -> Terms:
    if estimand == "cohort":
        count = size.max(axis=1).astype(np.int64)
        return Terms.make(tuple(f"cohort={g}" for g in labels), cohort=labels, n_treated=count)
    return Terms.make(tuple(f"time={t}" for t in labels), time=labels, n_treated=size.sum(axis=1).astype(np.int64))


def _treated(timing: Timing) -> Ints:
    """[1] units of the cohorts whose effects are identified: all treated ones, less the last cohort where nobody is never treated."""
    inside = (timing.cohort[:-1] <= timing.periods[-1]) & (timing.cohort[:-1] != NEVER)
    return np.array([int(timing.size[:-1][inside].sum())])


__all__ = ["AGGREGATION", "BLANK", "Cells", "Controls", "Estimand", "Timing", "Weighting", "make_cells", "make_weighting"]
