"""What the regression estimators share: absorbing, dropping collinear columns, least squares, and the words about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.design_checks import cells
from hinterland.evaluate.hdfe import Absorber, absorber, project_off, singletons
from hinterland.evaluate.inference import Inference, InferenceOptions, coefficient_covariance
from hinterland.evaluate.vcov import Covariance, Moments, Ssc
from hinterland.labels import Note, text

__all__ = [
    "TREATED",
    "Fit",
    "Inference",
    "InferenceOptions",
    "Solved",
    "absorbed",
    "cluster_labels",
    "column_scale",
    "describe",
    "dosed",
    "fail_if_nothing_left",
    "fit_quality",
    "fixed_effects_text",
    "gram_of",
    "headline",
    "independent_columns",
    "least_squares",
    "projection",
    "solve_least_squares",
    "treatment",
    "without_singletons",
]

TREATED = "treated"
"""Name of the treatment's term."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted linear (or locally linear) regression on p kept columns.

    Attributes:
        names: the p columns kept;  dropped: the collinear ones.
        estimate: [p];  covariance: of the estimates.
        ssr: weighted sum of squared residuals;  ss_within: of the outcome net of fixed effects;  ss_total: around its mean.
        residuals: [n], unweighted.
    """

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    estimate: Floats
    covariance: Covariance
    ssr: float
    ss_within: float
    ss_total: float
    residuals: Floats

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was dropped and repaired."""
        notes = [Note("collinear-dropped", {"names": ", ".join(self.dropped)})] if self.dropped else []
        if self.covariance.repaired:
            notes.append(Note("negative-variance"))
        return (*notes, *self.covariance.notes)


def absorbed(design: Design) -> tuple[Factor, ...]:
    """Unit, period and the extra fixed effects, in that order."""
    unit = Factor(design.unit_name, design.unit, design.n_units, design.unit_labels)
    period = Factor(design.time_name, design.period, design.n_periods)
    return (unit, period, *design.fixed_effects)


def without_singletons(design: Design, ssc: Ssc) -> Design:
    """The design with its singletons counted in a note, or left out where ``ssc`` says so."""
    if design.balanced and not design.fixed_effects and min(design.n_units, design.n_periods) > 1:
        return design
    alone = singletons(absorbed(design))
    count = int(alone.sum())
    if not count:
        return design
    if ssc.singletons == "drop":
        _fail_if_only_singletons(design, alone)
        return design.take(~alone, Note("singletons-dropped", {"count": count, "cells": cells(design, np.flatnonzero(alone))}))
    return replace(design, notes=(*design.notes, Note("singletons-kept", {"count": count, "cells": cells(design, np.flatnonzero(alone))})))


def _fail_if_only_singletons(design: Design, alone: NDArray[np.bool_]) -> None:
    treated = design.cohort[design.unit] != NEVER
    if (treated & ~alone).any():
        return
    what = "every row" if alone.all() else "every row of a treated unit"
    remedy = "leave out fixed effects that identify single rows, or widen the years"
    where = f"{int(alone.sum())} of {design.n_obs} rows; fixed effects {fixed_effects_text(design)}"
    raise EstimationError(Finding("only-singletons", f"{what} is alone in a level of a fixed effect", where, remedy), "design")


def projection(design: Design, weights: Floats | None) -> Absorber:
    """The projection off the design's fixed effects in the metric of ``weights``."""
    grid = (design.n_units, design.n_periods) if design.balanced else None
    return absorber(absorbed(design), weights, grid=grid)


def treatment(design: Design) -> Floats:
    """[n] D_it = 1[t ≥ g_i], times the share covered when the policy's rule is ``dose``; treatment as observed where it may switch off."""
    if design.treatment_level is not None:
        return design.treatment_level.copy()
    switched = (design.periods >= design.cohort[:, None]).reshape(-1) if design.balanced else design.treated
    if design.policy.partial == "dose":
        return switched * design.dose[design.unit]
    return switched.astype(np.float64)


def dosed(design: Design) -> bool:
    """Whether some treated unit is covered in part and enters with its share."""
    return design.policy.partial == "dose" and bool(((design.dose > 0) & (design.dose < 1)).any())


def independent_columns(gram: Floats, raw: Floats, centred: Floats) -> NDArray[np.bool_]:
    """[p] columns kept: a column is dropped when the fixed effects and the kept columns before it explain it.

    Args:
        gram: [p, p] cross products of the residualised columns.
        raw: [p] sums of squares of the columns before residualising;  centred: the same around their means.

    Cholesky in the order given, as in R's ``fixest``; a pivot counts as zero at 1e-9 of the residualised, or 1e-12 of the
    centred, sum of squares.
    """
    p = len(raw)
    floor = np.maximum(np.maximum(1e-12 * centred, 1e-26 * raw), 1e-9 * np.diag(gram))
    lower = np.zeros((p, p))
    kept = np.zeros(p, dtype=np.bool_)
    for j in range(p):
        before = lower[:j]
        pivot = gram[j, j] - lower[j] @ lower[j]
        if not pivot > floor[j]:
            continue
        kept[j] = True
        lower[j, j] = np.sqrt(pivot)
        after = slice(j + 1, p)
        lower[after, j] = (gram[after, j] - lower[after, : len(before)] @ lower[j, : len(before)]) / lower[j, j]
    return kept


def column_scale(columns: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Sums of squares [p] of the columns [n, p], raw and around the mean."""
    p = columns.shape[1]
    raw, centred = np.empty(p), np.empty(p)
    for j in range(p):
        x = columns[:, j]
        weighted = x if weights is None else x * weights
        total = len(x) if weights is None else float(weights.sum())
        raw[j] = x @ weighted
        centred[j] = max(raw[j] - weighted.sum() ** 2 / total, 0.0)
    return raw, centred


def gram_of(x: Floats, weights: Floats | None) -> Floats:
    """X'WX [p, p]."""
    return np.asarray(x.T @ (x if weights is None else x * weights[:, None]))


@dataclass(frozen=True, slots=True)
class Solved:
    """A least-squares fit before its covariance: ``y`` [n] the outcome net of fixed effects; the rest as in :class:`Fit`."""

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    estimate: Floats
    y: Floats
    residuals: Floats
    moments: Moments


def solve_least_squares(design: Design, columns: Floats, names: Sequence[str], *, rank: bool = False) -> Solved:
    """The coefficients of ``columns`` [n, p], which are overwritten, and what their covariance is made from; ``rank``: that of the
    fixed effects too. Raises ``EstimationError`` where no column is left.
    """
    weights = design.weight
    prepared = projection(design, weights)
    raw, centred = column_scale(columns, weights)
    x = project_off(prepared, columns, out=columns)
    y = prepared.column(design.y)
    gram = gram_of(x, weights)
    kept = independent_columns(gram, raw, centred)
    fail_if_nothing_left(design, names, kept)
    if not kept.all():
        x, gram = np.asfortranarray(x[:, kept]), gram[np.ix_(kept, kept)]
    bread: Floats = np.linalg.inv(gram).astype(np.float64, copy=False)
    estimate: Floats = bread @ (x.T @ (y if weights is None else y * weights))
    residuals = y - x @ estimate
    u = residuals if weights is None else residuals * weights
    moments = Moments(x, u, bread, absorbed(design), prepared.rank() if rank else None, float(residuals @ u), weights)
    left, lost = (tuple(n for n, keep in zip(names, kept, strict=True) if bool(keep) is want) for want in (True, False))
    return Solved(left, lost, estimate, y, residuals, moments)


def least_squares(design: Design, columns: Floats, names: Sequence[str], inference: Inference) -> Fit:
    """Regress the outcome on ``columns`` [n, p] net of the design's fixed effects, weighted by the design's weights.

    ``columns`` is overwritten: at a million rows a copy would be the largest array there is.

    Raises:
        EstimationError: no column is left, or no degrees of freedom.
    """
    solved = solve_least_squares(design, columns, names, rank=inference.ssc.k_exact)
    weights, y, ssr = design.weight, solved.y, solved.moments.dispersion
    _, total = column_scale(design.y[:, None], weights)
    return Fit(
        names=solved.names,
        dropped=solved.dropped,
        estimate=solved.estimate,
        covariance=coefficient_covariance(design, solved.moments, inference, headline(solved.names)),
        ssr=0.0 if ssr is None else ssr,
        ss_within=float(y @ (y if weights is None else y * weights)),
        ss_total=float(total[0]),
        residuals=solved.residuals,
    )


def headline(names: Sequence[str]) -> Floats | None:
    """[p] weights of the coefficient that a regression is about: the treatment's, or the mean over event times from 0 on."""
    if names[0] == TREATED:
        return np.concatenate(([1.0], np.zeros(len(names) - 1)))
    after = np.array([name.startswith("event-time ") and not name.startswith("event-time -") for name in names])
    return after / after.sum() if after.any() else None


def fail_if_nothing_left(design: Design, names: Sequence[str], kept: NDArray[np.bool_]) -> None:
    """Raise when the treatment, or every regressor, is collinear with the fixed effects."""
    lost = names[0] == TREATED and not kept[0]
    if kept.any() and not lost:
        return
    raise EstimationError(
        Finding(
            "treatment-collinear",
            f"{'the treatment' if lost else f'every one of the regressors {listed(names)}'} is collinear with the fixed effects: no comparison is left within their levels",
            f"{design.n_treated} treated of {design.n_units} units × {design.n_periods} periods; fixed effects {fixed_effects_text(design)}",
            "leave out fixed effects that move with the policy, or add units that are never treated",
        ),
        "design",
    )


def fixed_effects_text(design: Design) -> str:
    """The fixed effects as the user would write them."""
    return ", ".join(f.name for f in absorbed(design))


def describe(
    design: Design, inference: Inference, covariance_: Covariance, df: float | None, estimand: str, **values: Any
) -> dict[str, Any]:
    """The ``meta`` of a regression's :class:`~hinterland.evaluate.result.Effects`: JSON scalars and lists."""
    extra = {k: v for k, v in values.items() if k != "reference"}
    return {
        "estimand": text(f"estimand.{estimand}", **({"reference": values["reference"]} if "reference" in values else {})),
        "estimand_code": estimand,
        "comparison": "all-rows",
        "anticipation": design.anticipation,
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": design.n_treated,
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": min(covariance_.n_clusters),
        "cluster_sizes": list(covariance_.n_clusters),
        "cluster": " + ".join(c.name for c in design.clusters),
        "vcov": inference.vcov,
        "ssc": str(inference.ssc),
        "df": df,
        "n_parameters": covariance_.n_parameters,
        **covariance_.facts,
        "covariates": " + ".join(design.covariate_names),
        "fixed_effects": fixed_effects_text(design),
        "weights": design.weight_name or "",
        **extra,
    }


def fit_quality(fit: Fit) -> dict[str, float]:
    """R² and within-R², with the sums of squares behind them."""
    return {
        "r2": 1 - fit.ssr / fit.ss_total,
        "r2_within": 1 - fit.ssr / fit.ss_within if fit.ss_within > 0 else 0.0,
        "ssr": fit.ssr,
    }


def cluster_labels(design: Design) -> NDArray[np.str_]:
    """Labels of the first grouping's clusters."""
    cluster = design.clusters[0]
    return cluster.labels if cluster.labels is not None else np.arange(cluster.size).astype(np.str_)
