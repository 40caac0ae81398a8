"""Static two-way fixed effects: y_it = α_i + λ_t + τ D_it + x_it'β + ε_it.

Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, ch. 10. With staggered adoption and effects that
differ, τ is not an average of effects with positive weights (Goodman-Bacon 2021; de Chaisemartin & D'Haultfœuille 2020).
"""

from __future__ import annotations

from typing import Unpack

import numpy as np

from hinterland.errors import listed
from hinterland.evaluate.cell_regression import CellRegressors, are_cells_enough, cell_least_squares
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import (
    TREATED,
    Fit,
    Inference,
    InferenceOptions,
    cluster_labels,
    describe,
    dosed,
    fit_quality,
    least_squares,
    treatment,
    without_singletons,
)
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note


@one_thread()
def fit(design: Design, **options: Unpack[InferenceOptions]) -> Effects:
    """Estimate τ and the covariates' coefficients by least squares net of the fixed effects.

    Args:
        design: N units, T periods, n rows, k covariates.
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions`.

    Returns:
        Effects of aggregation ``coefficient``: ``treated``, then the covariates that were not dropped.

    Raises:
        EstimationError: the treatment is collinear with the fixed effects, or no degrees of freedom are left.
    """
    inference = Inference.of(**options)
    design = without_singletons(design, inference.ssc)
    fitted = _fitted(design, inference)
    estimand = "twfe-dose" if dosed(design) else "twfe"
    return Effects(
        method="twfe",
        outcome=design.outcome,
        aggregation="coefficient",
        terms=coefficient_terms(design, fitted.names),
        estimate=fitted.estimate,
        vcov=fitted.covariance.vcov,
        influence=fitted.covariance.influence,
        clusters=cluster_labels(design),
        df=fitted.covariance.df,
        term_df=fitted.covariance.term_df,
        parts=fitted.covariance.parts,
        notes=(*design.notes, *caveats(design), *fitted.notes),
        meta=describe(design, inference, fitted.covariance, fitted.covariance.df, estimand, **fit_quality(fitted)),
    )


def _fitted(design: Design, inference: Inference) -> Fit:
    """The regression, on a table of cohort and period where that is enough."""
    names = (TREATED, *design.covariate_names)
    if are_cells_enough(design, inference):
        cells = CellRegressors.of(design, 1)
        cells.values[:, :, 0] = design.periods >= cells.cohorts[:, None]
        return cell_least_squares(design, cells, names, inference)
    columns = np.empty((design.n_obs, len(names)), order="F")
    columns[:, 0] = treatment(design)
    columns[:, 1:] = design.covariates
    return least_squares(design, columns, names, inference)


def coefficient_terms(design: Design, names: tuple[str, ...]) -> Terms:
    """``treated`` with its number of treated units, then the covariates."""
    behind = np.array([design.n_treated if n == TREATED else -1 for n in names])
    return Terms.make(names, n_treated=behind)


def caveats(design: Design) -> list[Note]:
    """What the design implies for how one coefficient may be read."""
    notes = []
    early = design.always_treated
    if early.any():
        notes.append(Note("always-treated-kept", {"count": int(early.sum()), "units": listed(design.unit_labels[early].tolist(), 8)}))
    times = len(design.cohorts)
    if times > 1:
        notes.append(Note("twfe-staggered", {"cohorts": times}))
    if dosed(design):
        notes.append(Note("twfe-dose"))
    if not design.absorbing:
        notes.append(Note("twfe-switching"))
    return notes
