"""From rows' effects to group-time effects: cell means, influence functions, weights for averaging, and the words about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import absorbed, cluster_labels
from hinterland.evaluate.result import BLANK, CohortShares, Effects, Floats, Terms
from hinterland.evaluate.untreated import Cells, Prediction
from hinterland.labels import Note, text

ALIKE = 1e-12


def cell_weights(design: Design, cells: Cells) -> tuple[Floats, Floats]:
    """Weight of each cell [p], and of each of its rows within it [m] (they sum to one)."""
    raw = np.ones(len(cells.rows)) if design.weight is None else design.weight[cells.rows]
    total = cells.sum(raw)
    return total, raw / total[cells.code]


def own_influence(design: Design, cells: Cells, values: Floats) -> Floats:
    """[C, p] sums of ``values`` [m] of the cells' rows by cluster and cell."""
    cluster = design.clusters[0]
    flat = cluster.codes[cells.rows].astype(np.int64)
    flat *= cells.size
    flat += cells.code
    sums = np.bincount(flat, weights=values, minlength=cluster.size * cells.size)
    return np.asarray(sums, dtype=np.float64).reshape(cluster.size, cells.size)


def observed_shares(design: Design, cells: Cells, total: Floats, *, estimated: bool) -> CohortShares:
    """What cells weigh in averages: the (weighted) observations behind them.

    One share per cohort where that comes to the same in each of its periods, else one per cell besides. ``estimated``: with the
    influence function of shares that are sample means; without, they are taken as given.
    """
    cohorts = design.cohorts
    unit = _unit_weight(design)
    member = [(design.cohort == g) * unit for g in cohorts]
    whole = np.array([m.sum() for m in member])
    share = whole / unit.sum()
    time = None
    if not _steady(design, cells, total, whole):
        w = np.ones(design.n_obs) if design.weight is None else design.weight
        share = np.concatenate((share, total / w.sum()))
        time = np.concatenate((np.full(len(cohorts), BLANK), cells.time))
        cohorts = np.concatenate((cohorts, cells.cohort))
    c = design.clusters[0].size
    if not estimated:
        return CohortShares(cohorts, share, np.broadcast_to(0.0, (c, len(share))), time=time)
    by_cluster = _unit_sums(design, np.column_stack([*member, unit])) / unit.sum()
    influence = by_cluster[:, :-1] - by_cluster[:, -1:] * share[: len(member)]
    if time is not None:
        rows = own_influence(design, cells, w[cells.rows]) / w.sum()
        everyone = np.bincount(design.clusters[0].codes, weights=w, minlength=c)[:, None] / w.sum()
        influence = np.hstack([influence, rows - everyone * (total / w.sum())])
    return CohortShares(cohorts, share, influence, time=time)


def _steady(design: Design, cells: Cells, total: Floats, whole: Floats) -> bool:
    """Whether each cell weighs what all of its cohort does: ``total`` [p] of the cells, ``whole`` [K] of the cohorts."""
    if not design.balanced or (design.weight is not None and not _constant(design, design.weight)):
        return False
    return bool(np.allclose(total, whole[np.searchsorted(design.cohorts, cells.cohort)], rtol=ALIKE, atol=0))


def _constant(design: Design, values: Floats) -> bool:
    same = design.unit[1:] == design.unit[:-1]
    return bool((values[1:] == values[:-1])[same].all())


def _unit_weight(design: Design) -> Floats:
    """[N] mean weight of each unit's rows; one without weights."""
    if design.weight is None:
        return np.ones(design.n_units)
    return np.asarray(np.bincount(design.unit, weights=design.weight) / np.bincount(design.unit))


def _unit_sums(design: Design, values: Floats) -> Floats:
    """[C, q] sums over clusters of ``values`` [N, q]; a unit in several clusters counts in the first."""
    owner = np.zeros(design.n_units, dtype=np.int64)
    owner[design.unit[::-1]] = design.clusters[0].codes[::-1]
    out = np.empty((design.clusters[0].size, values.shape[1]))
    for j in range(values.shape[1]):
        out[:, j] = np.bincount(owner, weights=values[:, j], minlength=len(out))
    return out


def group_time(method: str, design: Design, cells: Cells, estimate: Floats, influence: Floats, **rest: Any) -> Effects:
    """The effects of the cells; ``rest``: shares, notes, meta."""
    names = tuple(f"cohort={g},time={t}" for g, t in zip(cells.cohort, cells.time, strict=True))
    terms = Terms.make(
        names,
        cohort=cells.cohort,
        time=cells.time,
        event_time=cells.time - cells.cohort,
        n_treated=np.bincount(cells.code, minlength=cells.size),
    )
    return Effects(
        method=method,
        outcome=design.outcome,
        aggregation="group-time",
        terms=terms,
        estimate=estimate,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=cluster_labels(design),
        **rest,
    )


def single_notes(cells: Cells) -> tuple[Note, ...]:
    """A note on cohorts of one unit: their own variation cannot be estimated."""
    count = np.bincount(cells.code, minlength=cells.size)
    alone = [int(g) for g in np.unique(cells.cohort) if count[cells.cohort == g].max() == 1]
    if not alone:
        return ()
    return (Note("imputation-single-unit-cohorts", {"count": len(alone), "cohorts": ", ".join(map(str, alone[:12]))}),)


def facts(design: Design, stage: Prediction, estimand: str, **values: Any) -> dict[str, Any]:
    """The ``meta`` of the effects: JSON scalars and lists."""
    never: NDArray[np.bool_] = design.cohort == NEVER
    return {
        "estimand": text(f"estimand.{estimand}"),
        "estimand_code": estimand,
        "comparison": "not-yet-treated",
        "anticipation": design.anticipation,
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": design.n_treated,
        "n_never": int(never.sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": design.clusters[0].size,
        "cluster": design.clusters[0].name,
        "vcov": "cluster",
        "df": None,
        "covariates": " + ".join(design.covariate_names),
        "covariate_names": list(stage.names),
        "covariate_estimates": stage.coefficients.tolist(),
        "fixed_effects": ", ".join(f.name for f in absorbed(design)),
        "weights": design.weight_name or "",
        **values,
    }
