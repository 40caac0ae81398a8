"""Poisson pseudo-maximum likelihood with fixed effects: E[y_it] = exp(α_i + λ_t + τ D_it + x_it'β).

Correia, Guimarães & Zylkin (2020), Stata Journal 20(1). Consistent whenever the conditional mean is right, whatever the
distribution; zeros need no "+ 1" (Chen & Roth 2024, Quarterly Journal of Economics 139(2)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.design import Design, Floats
from hinterland.evaluate.design_checks import cells
from hinterland.evaluate.event_study import (
    EventWindow,
    covariate_values,
    event_columns,
    event_window,
    place_terms,
    without_always_treated,
    without_repeats,
)
from hinterland.evaluate.inference import coefficient_covariance
from hinterland.evaluate.poisson import PoissonFit, fit_poisson, log_likelihood, separated, zero_groups
from hinterland.evaluate.regression import (
    TREATED,
    Inference,
    InferenceOptions,
    absorbed,
    cluster_labels,
    describe,
    dosed,
    fail_if_nothing_left,
    headline,
    treatment,
    without_singletons,
)
from hinterland.evaluate.result import Effects, Terms, least_df
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.twfe import caveats, coefficient_terms
from hinterland.evaluate.vcov import Covariance, Moments
from hinterland.labels import Note

_LARGEST_LOG = 300.0
"""Ratios are reported up to the exponential of this."""


@dataclass(frozen=True, slots=True)
class Model:
    """The regressors [n, p] and their names; the event window when there are leads and lags."""

    design: Design
    columns: Floats
    names: tuple[str, ...]
    window: EventWindow | None


@dataclass(frozen=True, slots=True)
class Estimated:
    """A Poisson fit in the terms of the model's columns."""

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    estimate: Floats
    covariance: Covariance
    poisson: PoissonFit

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was dropped and repaired."""
        notes = [Note("collinear-dropped", {"names": ", ".join(self.dropped)})] if self.dropped else []
        if self.covariance.repaired:
            notes.append(Note("negative-variance"))
        return (*notes, *self.covariance.notes)


@one_thread()
def fit(
    design: Design,
    *,
    event_study: bool = False,
    leads: int | None = None,
    lags: int | None = None,
    reference: int = -1,
    **options: Unpack[InferenceOptions],
) -> Effects:
    """Estimate τ (or one τ_e per event time) in log points.

    Args:
        design: outcome not negative; it need not be whole.
        event_study: leads and lags instead of one effect;  leads, lags, reference: as in :mod:`hinterland.evaluate.event_study`.
        options: the covariance, see :class:`~hinterland.evaluate.regression.InferenceOptions` (``iid``: the inverse Hessian).

    Returns:
        Effects of aggregation ``coefficient`` or ``event-time``, tested against the normal (df = ∞; under CR2 against t with Satterthwaite's degrees of freedom). ``meta`` adds
        ``percent_effect`` = 100·(exp(τ) − 1) and ``percent_std_error`` (delta method) per term, the deviance, the log likelihood, the
        number of iterations and what separation removed.

    Raises:
        EstimationError: a negative outcome, the treatment collinear or separated, or no convergence.
    """
    inference = Inference.of(**options)
    fail_if_negative(design)
    rows = design.n_obs
    if event_study:
        design = without_always_treated(design)
    design = without_zero_groups(design)
    groups_dropped = rows - design.n_obs
    design = without_singletons(design, inference.ssc)
    window = event_window(design, leads, lags, reference) if event_study else None
    model = _unseparated(_model(design, window), leads, lags)
    design = model.design
    estimated = estimate_model(model, inference)
    separation = {"n_dropped": rows - design.n_obs, "n_separated_groups": groups_dropped}
    return _effects(model, estimated, inference, separation, reference)


def fail_if_negative(design: Design) -> None:
    """Raise ``EstimationError`` where the outcome is below zero."""
    bad = np.flatnonzero(design.y < 0)
    if len(bad):
        what = f"outcome {design.outcome!r} is negative in {len(bad)} row(s), as low as {design.y.min():g}"
        remedy = "give the outcome in levels (a count or an amount), not its logarithm"
        raise EstimationError(Finding("negative-outcome", what, cells(design, bad), remedy), "design")


def without_zero_groups(design: Design) -> Design:
    """The design without units, periods and levels of fixed effects in which every outcome is zero. Raises ``EstimationError`` where that is everybody treated."""
    lost, names = zero_groups(design.y, absorbed(design))
    if not lost.any():
        return design
    kept = design.take(~lost, Note("ppml-separated-groups", {"count": int(lost.sum()), "factors": ", ".join(names)}))
    if (kept.cohort == NEVER).all():
        raise _separated_treatment(design)
    return kept


def _separated_treatment(design: Design) -> EstimationError:
    return EstimationError(
        Finding(
            "treatment-separated",
            f"the zeros of {design.outcome!r} leave no treated row to learn from",
            f"{design.n_treated} treated units, {int((design.y == 0).sum())} of {design.n_obs} rows are zero",
            "aggregate units or periods, or name an outcome that is positive for some treated units after adoption",
        ),
        "design",
    )


def _model(design: Design, window: EventWindow | None) -> Model:
    if window is not None:
        return Model(design, *event_columns(design, window), window)
    columns = np.column_stack([treatment(design), design.covariates])
    return Model(design, np.asfortranarray(columns), (TREATED, *design.covariate_names), None)


def _unseparated(model: Model, leads: int | None, lags: int | None) -> Model:
    """The model without the rows that the rectifier finds separated."""
    design = model.design
    lost = separated(design.y, model.columns, absorbed(design))
    if not lost.any():
        return model
    kept = design.take(~lost, Note("ppml-separated-regressors", {"count": int(lost.sum())}))
    first = len(model.names) - len(design.covariate_names)
    if not model.columns[~lost, :first].any():
        raise _separated_treatment(design)
    if model.window is None:
        return _model(kept, None)
    return _model(kept, event_window(kept, leads, lags, model.window.reference))


def estimate_model(model: Model, inference: Inference, about: str | None = None) -> Estimated:
    """Fit the model; ``about``: the coefficient that the effective number of clusters is about, the treatment's by default."""
    design = model.design
    fitted = fit_poisson(design.y, model.columns, absorbed(design), design.weight)
    fail_if_nothing_left(design, model.names, fitted.kept)
    residual = design.y - fitted.mu
    names = tuple(n for n, keep in zip(model.names, fitted.kept, strict=True) if keep)
    contrast = headline(names) if about is None else np.array([float(n == about) for n in names])
    moments = Moments(
        x=fitted.x,
        u=residual if design.weight is None else residual * design.weight,
        bread=np.linalg.inv(fitted.gram).astype(np.float64, copy=False),
        factors=absorbed(design),
        rank=fitted.prepared.rank() if inference.ssc.k_exact else None,
        dispersion=None,
        weights=fitted.mu if design.weight is None else fitted.mu * design.weight,
    )
    return Estimated(
        names=names,
        dropped=tuple(n for n, keep in zip(model.names, fitted.kept, strict=True) if not keep),
        estimate=fitted.estimate,
        covariance=coefficient_covariance(design, moments, inference, contrast),
        poisson=fitted,
    )


def _effects(model: Model, estimated: Estimated, inference: Inference, separation: dict[str, int], reference: int) -> Effects:
    design, window = model.design, model.window
    values: dict[str, Any] = {**_quality(design, estimated.poisson), **separation}
    notes: tuple[Note, ...]
    if window is None:
        terms: Terms = coefficient_terms(design, estimated.names)
        estimate, vcov, influence = estimated.estimate, estimated.covariance.vcov, estimated.covariance.influence
        term_df, parts = estimated.covariance.term_df, estimated.covariance.parts
        notes = (*design.notes, *caveats(design), *estimated.notes)
    else:
        placed = place_terms(design, window, estimated)
        terms, estimate, vcov, influence, term_df = placed.terms, placed.estimate, placed.vcov, placed.influence, placed.term_df
        parts = placed.parts
        notes = (*design.notes, *window.notes, *placed.notes, *without_repeats(estimated.notes, placed))
        values |= {
            "reference": reference,
            "reference_event_time": reference,
            "dose": dosed(design),
            **covariate_values(estimated, len(design.covariate_names)),
        }
    ratio = np.exp(np.minimum(estimate, _LARGEST_LOG))
    values["percent_effect"] = (100 * (ratio - 1)).tolist()
    values["percent_std_error"] = (100 * ratio * np.sqrt(np.diag(vcov))).tolist()
    return Effects(
        method="ppml",
        outcome=design.outcome,
        aggregation="coefficient" if window is None else "event-time",
        terms=terms,
        estimate=estimate,
        vcov=vcov,
        influence=influence,
        clusters=cluster_labels(design),
        df=np.inf if term_df is None else least_df(term_df),
        term_df=term_df,
        parts=parts,
        family="poisson",
        notes=notes,
        meta=describe(design, inference, estimated.covariance, None, "ppml" if window is None else "ppml-event-study", **values),
    )


def _quality(design: Design, fitted: PoissonFit) -> dict[str, Any]:
    mean = np.full(design.n_obs, np.average(design.y, weights=design.weight))
    likelihood = log_likelihood(design.y, fitted.mu, design.weight)
    return {
        "deviance": fitted.deviance,
        "log_likelihood": likelihood,
        "pseudo_r2": 1 - likelihood / log_likelihood(design.y, mean, design.weight),
        "iterations": fitted.iterations,
        "n_zeros": int((design.y == 0).sum()),
    }
