"""What the saturated regressions share: who is compared with whom, cells of cohort and period, shares, and sums by cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import BLOCK, group_sums, tally
from hinterland.evaluate.result import BLANK, CohortShares, Terms
from hinterland.evaluate.vcov import Ssc, count_parameters, group_factor, inflation, is_nested
from hinterland.labels import Note

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Words = dict[str, str | int | float]
Product = tuple[Floats, Floats]
"""Matrices [C, k] and [k, q] to be multiplied."""

FEW_UNITS = 5
"""Cohorts with fewer units are named in a note."""
EXACT = 1e-26
"""Squared residuals below this share of the squared outcomes are rounding."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows by cohort and period; K cohorts, T periods.

    Attributes:
        design: the rows used.
        control: ``never-treated``, or ``last-treated`` when nobody is never treated.
        cohorts: [K] first treated periods;  group: [N] position of each unit's cohort, K for the units compared with.
        cell: [n] ``group · T + period`` of each row.
        rows, weight: [K + 1, T] number of rows and sum of weights in each cell.
    """

    design: Design
    control: str
    cohorts: Ints
    group: Ints
    cell: Ints
    rows: Ints
    weight: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """(K + 1, T)."""
        return len(self.cohorts) + 1, self.design.n_periods

    @property
    def event(self) -> Ints:
        """[K, T] period less first treated period."""
        return np.asarray(self.design.periods[None, :] - self.cohorts[:, None])


def comparable(design: Design, *, drop_late: bool = True) -> tuple[Design, str]:
    """The rows that can be compared, and with whom.

    Units without a period more than ``anticipation`` before their adoption are left out, with a note that names them. When nobody is
    never treated, the last cohort is the control and the periods from its adoption on (less ``anticipation``) are left out
    (``drop_late=False``: they are kept).

    Raises:
        EstimationError: no cohort has a period before it, or everybody adopts at once.
    """
    _fail_if_clustered_by_period(design)
    early = design.cohort <= design.periods[0] + design.anticipation
    if early.any():
        values: Words = {
            "count": int(early.sum()),
            "units": listed(design.unit_labels[early].tolist(), 8),
            "period": int(design.periods[0]),
        }
        _fail_unless_some(design, ~early & (design.cohort != NEVER), "no-period-before")
        design = design.take(~early[design.unit], Note("saturated-no-period-before", values))
    if (design.cohort == NEVER).any() or not drop_late:
        return design, "never-treated"
    latest = int(design.cohort.max())
    _fail_unless_some(design, design.cohort != latest, "no-comparison")
    keep = design.periods[design.period] < latest - design.anticipation
    count = int((design.cohort == latest).sum())
    found: Words = {"cohort": latest, "count": count, "rows": int((~keep).sum())}
    design = design.take(keep, Note("saturated-last-treated", found))
    _fail_unless_some(design, design.cohort != NEVER, "no-comparison")
    return design, "last-treated"


def _fail_if_clustered_by_period(design: Design) -> None:
    """Residuals of a saturated regression sum to zero in every period: summed over whole periods they show no variance."""
    if len(design.clusters) > 1 or not is_nested(Factor(design.time_name, design.period, design.n_periods), design.clusters[0]):
        return
    name = design.clusters[0].name
    what = f"clusters of {name!r} hold whole periods, in which the residuals of this regression sum to zero"
    raise EstimationError(Finding("cluster-of-periods", what, f"cluster {name!r}", "cluster on the unit or on groups of units"), "clusters")


def _fail_unless_some(design: Design, units: Mask, code: str) -> None:
    if units.any():
        return
    sizes = ", ".join(f"{g}: {int((design.cohort == g).sum())}" for g in design.cohorts)
    where = f"{design.n_units} units, {design.periods[0]}–{design.periods[-1]}; cohorts {sizes}"
    what, remedy = {
        "no-period-before": (
            "no cohort is observed before it is treated",
            "start the panel earlier, or set a smaller anticipation",
        ),
        "no-comparison": (
            "every unit is first treated in the same period: there is nobody to compare with",
            "add units that are treated later or never",
        ),
    }[code]
    raise EstimationError(Finding(code, what, where, remedy), "comparison group")


def make_layout(design: Design, control: str) -> Layout:
    """Number the cells of the rows of :func:`comparable`."""
    cohorts = design.cohorts
    group = np.searchsorted(cohorts, design.cohort)
    periods = design.n_periods
    shape = (len(cohorts) + 1, periods)
    if design.balanced:
        cell = (group[:, None] * periods + np.arange(periods)).reshape(-1)
        rows = np.repeat(np.bincount(group, minlength=shape[0])[:, None], periods, axis=1)
    else:
        cell = group[design.unit] * periods + design.period
        rows = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    weight = rows.astype(np.float64) if design.weight is None else tally(cell, design.weight, rows.size).reshape(shape)
    return Layout(design, control, cohorts, group, cell, rows, weight)


def unit_weight(design: Design) -> tuple[Floats, bool]:
    """[N] weight of each unit (mean over its rows), and whether no unit's weight changes over time."""
    if design.weight is None:
        return np.ones(design.n_units), True
    seen = np.bincount(design.unit, minlength=design.n_units)
    weight = tally(design.unit, design.weight, design.n_units) / np.maximum(seen, 1)
    first = np.zeros(design.n_units)
    first[design.unit[::-1]] = design.weight[::-1]
    constant = bool((design.weight == first[design.unit]).all())
    return (first, True) if constant else (weight, False)


def base_periods(layout: Layout, anticipation: int) -> Ints:
    """[K] position of the last observed period more than ``anticipation`` before each cohort's adoption, -1 where there is none."""
    before = (layout.event[:, :] < -anticipation) & (layout.rows[:-1] > 0)
    last = before.shape[1] - 1 - np.argmax(before[:, ::-1], axis=1)
    return np.where(before.any(axis=1), last, -1)


def cell_sums(layout: Layout, x: Floats) -> Floats:
    """[K + 1, T] sums of x [n] by cell."""
    if layout.design.balanced:
        return group_sums(layout.group, len(layout.cohorts) + 1, x.reshape(-1, layout.design.n_periods))
    return tally(layout.cell, x, layout.rows.size).reshape(layout.shape)


def cluster_tables(layout: Layout, u: Floats, cluster: Factor, tables: Floats, less: Product | None = None) -> Floats:
    """[C, q] sums over each cluster's rows of u · tables[cohort, period], for u [n] and tables [K + 1, T, q]; ``less`` a product.

    One product of a [clusters, periods] matrix per cohort: no matrix of rows by q is made.
    """
    design, periods = layout.design, layout.design.n_periods
    by_unit = design.balanced and cluster.size == design.n_units and bool((cluster.codes == design.unit).all())
    out = (np.empty if by_unit else np.zeros)((cluster.size, tables.shape[2]))
    for g in range(tables.shape[0]):
        if by_unit:
            members = np.flatnonzero(layout.group == g)
            values = u.reshape(-1, periods)
            for start in range(0, len(members), BLOCK):
                some = members[start : start + BLOCK]
                made = values[some] @ tables[g]
                out[some] = made if less is None else made - less[0][some] @ less[1]
            continue
        rows = np.flatnonzero(layout.group[design.unit] == g)
        present, local = np.unique(cluster.codes[rows], return_inverse=True)
        sums = tally(local * periods + design.period[rows], u[rows], len(present) * periods)
        out[present] += sums.reshape(len(present), periods) @ tables[g]
    if less is not None and not by_unit:
        subtract_product(out, *less)
    return out


def subtract_product(out: Floats, left: Floats, right: Floats) -> None:
    """``out`` [C, q] less left [C, k] @ right [k, q], in place."""
    for start in range(0, len(out), BLOCK):
        out[start : start + BLOCK] -= left[start : start + BLOCK] @ right


def shares_of(layout: Layout, *, variance: bool = True) -> CohortShares:
    """Share of each cohort among the units used, by weight; by cohort and period where rows or weights differ between periods.

    ``variance``: shares are estimates, with an influence function; else they are taken as given.
    """
    design, cluster = layout.design, layout.design.clusters[0]
    weight, constant = unit_weight(design)
    weight = weight / weight.sum()
    n_cohorts = len(layout.cohorts)
    share = tally(layout.group, weight, n_cohorts + 1)[:-1]
    whole = bool((layout.rows[:-1] == layout.rows[:-1].max(axis=1, keepdims=True)).all()) and constant and design.balanced
    times = np.full(n_cohorts, BLANK)
    cohort = layout.cohorts
    if not whole:
        scale = weight.sum() / float(unit_weight(design)[0].sum())
        cohort = np.concatenate([cohort, np.repeat(layout.cohorts, design.n_periods)])
        times = np.concatenate([times, np.tile(design.periods, n_cohorts)])
        share = np.concatenate([share, layout.weight[:-1].reshape(-1) * scale])
    influence = np.zeros((cluster.size, len(share)))
    if variance:
        influence = _share_influence(layout, weight, share, whole)
    return CohortShares(cohort, share, influence, time=None if whole else times)


def _share_influence(layout: Layout, weight: Floats, share: Floats, whole: bool) -> Floats:
    """[C, K (+ K·T)]: each unit's own membership less the share, times its weight; units count in the cluster of their first row."""
    design, cluster = layout.design, layout.design.clusters[0]
    n_cohorts = len(layout.cohorts)
    owner = np.zeros(design.n_units, dtype=np.int64)
    owner[design.unit[::-1]] = cluster.codes[::-1]
    own = tally(owner * (n_cohorts + 1) + layout.group, weight, cluster.size * (n_cohorts + 1)).reshape(cluster.size, -1)
    total = own.sum(axis=1)
    parts = [own[:, :-1]]
    if not whole:
        row_weight = np.ones(design.n_obs) if design.weight is None else design.weight
        cells = n_cohorts * design.n_periods
        inside = layout.cell < cells
        scale = 1 / float(unit_weight(design)[0].sum())
        place = cluster.codes[inside].astype(np.int64) * cells + layout.cell[inside]
        parts.append(tally(place, row_weight[inside] * scale, cluster.size * cells).reshape(cluster.size, cells))
    out: Floats = np.concatenate(parts, axis=1) - total[:, None] * share
    return out


@dataclass(frozen=True, slots=True)
class Counted:
    """What :func:`~hinterland.evaluate.vcov.count_parameters` reads of a regression's moments."""

    factors: tuple[Factor, ...]
    rank: int | None


def small_sample(n: int, k: int, counted: Counted, cluster: Factor, ssc: Ssc) -> tuple[float, int]:
    """The factor c of a one-way clustered covariance, and the number of parameters K.

    Raises:
        EstimationError: K is not below n.
    """
    parameters = count_parameters(k, counted, (cluster,), ssc)  # type: ignore[arg-type]  # reads the factors and the rank only
    return inflation(n, parameters, ssc) * group_factor(cluster.size, ssc), parameters


def without_rounding(u: Floats, y: Floats) -> Floats:
    """Weighted residuals ``u`` [n], zero where all they hold is rounding: a regression that fits every row has no standard errors."""
    return np.zeros_like(u) if float(u @ u) <= EXACT * float(y @ y) else u


def treated_mix(layout: Layout, k: Ints, t: Ints) -> Floats:
    """[p] weights of the mean over the treated rows of the cells ``k``, ``t`` (over all of them, where none is treated)."""
    mass = layout.weight[k, t] * (layout.event[k, t] >= 0)
    mass = mass if mass.any() else layout.weight[k, t]
    return np.asarray(mass / mass.sum())


def concentration(squares: Floats, cluster: Factor) -> float:
    """Effective number of clusters G / (1 + Γ), Γ the squared coefficient of variation of the clusters' sums of w d² ``squares`` [n]
    (Carter, Schnepel & Steigerwald 2017; :func:`hinterland.evaluate.inference.effective_clusters`).
    """
    share = np.bincount(cluster.codes, weights=squares, minlength=cluster.size)
    mean = float(share.mean())
    return cluster.size / (1 + float(np.mean((share - mean) ** 2)) / mean**2) if mean > 0 else float("nan")


def cell_terms(layout: Layout, shown: Mask, reference: Mask) -> Terms:
    """Terms for the cells ``shown`` [K, T], by cohort then period; ``reference`` [K, T] are zero by construction."""
    k, t = np.nonzero(shown)
    cohort, time = layout.cohorts[k], layout.design.periods[t]
    units = np.bincount(layout.group, minlength=len(layout.cohorts) + 1)[k]
    count = np.minimum(layout.rows[k, t], units)
    names = tuple(f"cohort={g},time={s}" for g, s in zip(cohort, time, strict=True))
    return Terms.make(names, cohort=cohort, time=time, event_time=time - cohort, reference=reference[k, t], n_treated=count)


def spread(values: Floats, where: Ints, size: int, fill: float = 0.0) -> Floats:
    """Put ``values`` [..., q] at the positions ``where`` [q] of a last axis of length ``size``."""
    out = np.full((*values.shape[:-1], size), fill)
    out[..., where] = values
    return out


def spread_square(values: Floats, where: Ints, size: int) -> Floats:
    """Put ``values`` [..., q, q] at the positions ``where`` [q] of two last axes of length ``size``, zeros elsewhere."""
    return spread(np.swapaxes(spread(np.swapaxes(values, -1, -2), where, size), -1, -2), where, size)


def size_notes(layout: Layout) -> list[Note]:
    """Cohorts of a few units: their standard errors say little."""
    sizes = np.bincount(layout.group, minlength=len(layout.cohorts) + 1)
    small = [f"{g} ({n})" for g, n in zip(layout.cohorts, sizes[:-1], strict=True) if n < FEW_UNITS]
    notes = [Note("saturated-small-cohorts", {"cohorts": listed(small, 12), "few": FEW_UNITS})] if small else []
    if sizes[-1] < FEW_UNITS:
        notes.append(Note("saturated-few-control", {"count": int(sizes[-1])}))
    return notes


def lost_cells_note(effects_terms: Terms, estimate: Floats) -> list[Note]:
    """The cells without an estimate, named."""
    lost = [f"({g}, {t})" for g, t, ok in zip(effects_terms.cohort, effects_terms.time, np.isfinite(estimate), strict=True) if not ok]
    return [Note("saturated-not-identified", {"count": len(lost), "cells": listed(lost, 12)})] if lost else []
