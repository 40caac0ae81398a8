"""Moderation without one regression: effects by strata of the moderator, and imputed effects regressed on it.

Two-way fixed effects weigh the effects of cohorts and periods in ways that nobody chose, and so does an interaction with them. Two versions whose weights are
chosen:

* ``strata``: the average effect on the treated within each stratum, by any estimator, on the stratum's units alone, so that each has its own comparison group
  and its own untreated path; their slope is that of weighted least squares through (mean of M among the treated, effect), weighted by treated units.
* ``imputation``: the least-squares slope in M of the effects of all treated unit-periods, imputed from a model of the untreated outcome in which M moves the
  path in every period (Borusyak, Jaravel & Spiess 2024, with target weights (M − M̄)/Σ(M − M̄)²).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, HinterlandWarning
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.moderation_bins import Bins
from hinterland.evaluate.moderation_linear import INTERACTION, TREATED, Scaling, by_period
from hinterland.evaluate.regression import TREATED as COEFFICIENT
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.untreated import Cells, FirstStage, first_stage, impute, untreated_sample
from hinterland.evaluate.untreated_effects import own_influence
from hinterland.labels import Note

Ints = NDArray[np.intp]
ENOUGH = 3
"""Treated clusters from which the mean effect of an event time is estimated on its own."""
SAME = 1e-9
"""Standard deviations of the moderator within which values are one."""


@dataclass(frozen=True, slots=True)
class Strata:
    """Effects by stratum.

    Attributes:
        effects: one term per stratum that can be estimated (``stratum j``), with the influence function of all.
        of: [S] which of the bins each is;  at: [S] mean of the moderator among its treated units;  n_treated, n_comparison: [S] units.
        slope: the slope through those with two treated clusters or more (one term), ``None`` below two of them.
        notes: strata that cannot be estimated, and why.
    """

    effects: Effects
    of: tuple[int, ...]
    at: Floats
    slope: Effects | None
    notes: tuple[Note, ...]


def fit_strata(design: Design, scaling: Scaling, bins: Bins, method: str, options: Mapping[str, Any]) -> Strata | None:
    """Estimate within each bin; ``None`` where none can be."""
    value, parts, notes = scaling.units(design), [], []
    for j in range(bins.size):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HinterlandWarning)  # of strata, one by one; their notes say the same
                parts.append((j, _average(fit(design.take((bins.of == j)[design.unit]), method, **options))))
        except EstimationError as error:
            notes.append(Note("moderation-stratum-not-possible", {"stratum": j + 1, "method": method, "reason": error.findings[0].code}))
    if not parts:
        return None
    treated = design.cohort != NEVER
    at = np.array([value[(bins.of == j) & treated].mean() for j, _ in parts])
    effects = _stacked(design, bins, parts)
    sound = np.array([not bins.alone[j] for j, _ in parts])
    weight = np.array([bins.n_treated[j] for j, _ in parts], dtype=np.float64)
    slope = _slope(effects.take(sound), at[sound], weight[sound]) if sound.sum() > 1 else None
    return Strata(effects, tuple(j for j, _ in parts), at, slope, tuple(notes))


def _average(effects: Effects) -> Effects:
    """The one number of an estimator."""
    if effects.aggregation == "coefficient":
        return effects.take(np.array([effects.terms.name.index(COEFFICIENT) if COEFFICIENT in effects.terms.name else 0]))
    return effects if effects.aggregation == "overall" else effects.aggregate("overall")


def _stacked(design: Design, bins: Bins, parts: list[tuple[int, Effects]]) -> Effects:
    """The strata's effects together: clusters are lined up by label, so that one with units in two strata counts as one.

    Where the estimator has no small-sample rule of its own, the factor G/(G − 1) with the G treated clusters of each stratum; t with as many degrees of
    freedom as these have left after one mean each.
    """
    labels = cluster_labels(design)
    place = {str(label): c for c, label in enumerate(labels)}
    influence, spare = np.zeros((len(labels), len(parts))), 0
    for s, (j, effects) in enumerate(parts):
        touched = int(bins.n_clusters[j])
        factor = np.sqrt(touched / (touched - 1)) if np.isinf(effects.df) and touched > 1 else 1.0
        influence[[place[str(label)] for label in effects.clusters], s] = effects.influence[:, 0] * factor
        influence[:, s] *= touched > 1
        spare += touched - 1
    first = parts[0][1]
    clusters = int((np.abs(influence) > 0).any(axis=1).sum())
    return replace(
        first,
        aggregation="coefficient",
        terms=Terms.make(
            tuple(f"stratum {j + 1}" for j, _ in parts), n_treated=np.array([int(e.terms.n_treated[0]) for _, e in parts], dtype=np.int64)
        ),
        estimate=np.array([e.estimate[0] for _, e in parts]),
        vcov=influence.T @ influence,
        influence=influence,
        clusters=labels,
        df=float(max(spare, 1)),
        term_df=None,
        shares=None,
        band=None,
        notes=(),
        meta={
            **{k: v for k, v in first.meta.items() if k != "effective_clusters"},
            **{k: sum(int(e.meta.get(k, 0)) for _, e in parts) for k in ("n_obs", "n_units", "n_treated")},
            "n_clusters": clusters,
            "estimand": "ATT by stratum of the moderator",
        },
    )


def _slope(effects: Effects, at: Floats, weight: Floats) -> Effects:
    """Σ w (m − m̄) τ / Σ w (m − m̄)², with the values m and the weights taken as given."""
    centred = at - np.average(at, weights=weight)
    direction = weight * centred / float(weight @ centred**2)
    influence = effects.influence @ direction[:, None]
    return replace(
        effects,
        terms=Terms.make((INTERACTION,), n_treated=np.array([int(weight.sum())], dtype=np.int64)),
        estimate=np.array([direction @ effects.estimate]),
        vcov=influence.T @ influence,
        influence=influence,
        meta={**effects.meta, "estimand_code": "moderation-strata"},
    )


def fit_imputed(design: Design, scaling: Scaling) -> Effects:
    """Level (at the centre) and slope of the least-squares line through the imputed effects of all treated unit-periods.

    The variance takes an effect's distance from the mean of its event time plus a common slope in M for its error: conservative where effects differ
    otherwise. Errors of a cluster are those from means and slope of the other clusters, as in CR3, since few clusters with an unusual moderator decide a
    slope; tests use t with G − 2 degrees of freedom, G the clusters with a treated unit.

    Raises:
        EstimationError: no treated row can be imputed, or the moderator does not differ between those that can.
    """
    columns, names = by_period(design, {"moderator": scaling.rows(design)})
    moved = np.asfortranarray(np.column_stack([design.covariates, *columns]))
    sample = untreated_sample(replace(design, covariates=moved, covariate_names=(*design.covariate_names, *names)))
    stage = first_stage(sample, sample.design.weight)
    chosen, notes = impute(sample, stage)
    rows = np.flatnonzero(chosen)
    weights, error = _targets(sample.design, scaling, rows, stage.residual[rows])
    influence = _influence(sample.design, stage, rows, (weights, error))
    touched = len(np.unique(sample.design.clusters[0].codes[rows]))
    size = np.array([1.0, scaling.scale])
    influence /= size
    return Effects(
        method="imputation",
        outcome=design.outcome,
        aggregation="coefficient",
        terms=Terms.make((TREATED, INTERACTION), n_treated=np.full(2, sample.design.n_treated)),
        estimate=weights @ stage.residual[rows] / size,
        vcov=influence.T @ influence,
        influence=influence,
        clusters=cluster_labels(sample.design),
        df=float(touched - 2),
        notes=tuple(n for n in (*sample.design.notes[len(design.notes) :], *notes) if n.code != "collinear-dropped"),
        meta={
            "estimand_code": "moderation-imputation",
            "n_obs": sample.design.n_obs,
            "n_units": sample.design.n_units,
            "n_treated": sample.design.n_treated,
            "n_clusters": sample.design.clusters[0].size,
            "cluster": sample.design.clusters[0].name,
            "vcov": "cluster",
        },
    )


def _targets(design: Design, scaling: Scaling, rows: Ints, effect: Floats) -> tuple[Floats, Floats]:
    """[2, m] weights of the effects [m] in level and slope, and [m] what stands for their errors.

    Raises:
        EstimationError: the moderator does not differ between the rows, or they are of two clusters or fewer, which a line fits exactly.
    """
    z, codes = scaling.rows(design)[rows], design.clusters[0].codes[rows]
    root = np.ones(len(rows)) if design.weight is None else np.sqrt(design.weight[rows])
    touched = len(np.unique(codes))
    if float(np.ptp(z)) <= SAME or touched <= 2:
        what = f"the treated rows whose effect can be imputed have one value of the moderator, or are of two clusters or fewer ({touched})"
        where = f"{len(rows)} rows, outcome {design.outcome!r}"
        raise EstimationError(Finding("moderator-not-identified", what, where, "add treated units whose moderator differs"), "moderation")
    x = np.column_stack([np.ones(len(rows)), z]) * root[:, None]
    group = _event_groups(design.event_time[rows], codes)
    means = np.column_stack([group[:, None] == np.arange(group.max() + 1), z]) * root[:, None]
    basis = np.linalg.qr(means)[0]
    error = _without_leverage(effect * root - basis @ (basis.T @ (effect * root)), basis, codes)
    return np.asarray(np.linalg.solve(x.T @ x, (x * root[:, None]).T)), error / root


def _event_groups(event: Ints, codes: NDArray[np.int32]) -> Ints:
    """[m] group of each event time; one that rests on fewer than :data:`ENOUGH` clusters joins the one before it."""
    times, of = np.unique(event, return_inverse=True)
    enough = [len(np.unique(codes[of == k])) >= ENOUGH for k in range(len(times))]
    return np.asarray(np.maximum(np.cumsum(enough) - 1, 0)[of.ravel()])


def _without_leverage(error: Floats, basis: Floats, codes: NDArray[np.int32]) -> Floats:
    """[m] (I − H_c)⁻¹ e_c for each cluster c, H_c its block of the projection on ``basis`` [m, k]: what its errors are when it is left out of the fit."""
    out = error.copy()
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        own = basis[rows]
        # (I − Q Q')⁻¹ = I + Q (I − Q'Q)⁻¹ Q' for the cluster's rows Q of the basis.
        out[rows] += own @ np.linalg.lstsq(np.eye(own.shape[1]) - own.T @ own, own.T @ error[rows], rcond=1e-10)[0]
    return out


def _influence(design: Design, stage: FirstStage, rows: Ints, targets: tuple[Floats, Floats]) -> Floats:
    """[C, 2] influence of level and slope: the errors of treated rows, and what the first stage owes to untreated ones."""
    weights, error = targets
    zero = np.zeros(1, dtype=np.int64)
    cells = Cells(np.zeros(len(rows), dtype=np.int32), zero, zero, rows)
    parts = []
    for omega in weights:
        out = own_influence(design, cells, omega * error)
        stage.charge(out, cells, omega)
        parts.append(out[:, 0])
    return np.stack(parts, axis=1)
