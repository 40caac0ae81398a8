"""Efficient estimation when the timing of treatment is as good as random (Roth & Sant'Anna 2023, JPE Microeconomics 1(4)).

Random timing makes every comparison of cohorts before treatment zero in expectation. Comparing levels after treatment ignores them;
differences-in-differences subtracts them one for one; the efficient estimator subtracts them with the coefficient that makes the
variance least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.callaway_santanna import sum_by_cluster
from hinterland.evaluate.design import Design
from hinterland.evaluate.efficient_moments import Fit, carry, cohort_moments, fit_moments, unit_influence
from hinterland.evaluate.efficient_sample import METHOD, Sample, make_sample
from hinterland.evaluate.efficient_weights import AGGREGATION, Controls, Estimand, Weighting, make_cells, make_weighting
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import CohortShares, Effects, Floats, Terms
from hinterland.evaluate.threads import one_thread
from hinterland.labels import text

Contrasts = Literal["did", "all"]
Variance = Literal["adjusted", "neyman"]

CHOICES: dict[str, tuple[str, ...]] = {
    "estimand": tuple(AGGREGATION),
    "controls": ("not-yet-treated", "last-treated"),
    "contrasts": ("did", "all"),
    "variance": ("adjusted", "neyman"),
}


@one_thread()
def fit(
    design: Design,
    *,
    estimand: Estimand = "event-time",
    beta: float | None = None,
    controls: Controls = "not-yet-treated",
    contrasts: Contrasts = "did",
    variance: Variance = "adjusted",
) -> Effects:
    """Effects under random timing, with the adjustment for outcomes before treatment chosen for each estimand.

    Args:
        design: a balanced panel, clustered on its units.
        estimand: one adjustment coefficient is chosen for each term of it: effects by ``event-time``, ``cohort``, ``calendar`` period or
            ``group-time`` cell, or one average, ``overall`` (``simple`` in R's ``staggered``), ``cohort-average`` (there ``cohort``) or
            ``calendar-average`` (``calendar``).
        beta: the coefficient of the outcomes before treatment. ``None``: the plug-in efficient one. 1 is difference-in-differences, 0
            the difference in means after treatment.
        controls: ``not-yet-treated``, by size, or the ``last-treated`` cohort alone. With ``beta=1`` these are the estimators of
            Callaway & Sant'Anna and of Sun & Abraham.
        contrasts: ``did`` adjusts for one comparison, that of the same units in the period before adoption; ``all`` for every comparison
            of a cohort with the last one before either is treated (only where these are few next to the units).
        variance: ``neyman`` is conservative; ``adjusted`` subtracts what outcomes before the first adoption predict of the effects, and
            is conservative still.

    Returns:
        Effects whose influence function, by unit, has ``vcov`` as its product. Under ``adjusted`` that is the influence under which
        Neyman's covariance arises, carried by the linear map nearest to the identity that leads to the adjusted covariance.

    Raises:
        EstimationError: unknown options; a panel that the method is not defined on (see :func:`~hinterland.evaluate.efficient_sample.make_sample`).
    """
    fail_if_bad_options({"estimand": estimand, "controls": controls, "contrasts": contrasts, "variance": variance}, beta, contrasts)
    sample = make_sample(design, drop_always_treated=beta == 1)
    weighting = make_weighting(sample.timing, make_cells(sample.timing, controls), estimand, contrasts)
    moments = cohort_moments(sample.y, sample.group, len(sample.timing.size))
    fitted = fit_moments(sample.timing, moments, weighting, beta)
    influence = unit_influence(sample.y, sample.group, sample.timing, moments.mean, fitted.weights)
    vcov = fitted.neyman
    if variance == "adjusted":
        vcov = fitted.adjusted
        influence = carry(influence, fitted.neyman, vcov)
    everyone = np.zeros((design.n_units, len(vcov)))
    everyone[sample.units] = influence
    codes = design.clusters[0].codes[:: design.n_periods]
    return Effects(
        method=METHOD,
        outcome=design.outcome,
        aggregation=AGGREGATION[estimand],
        terms=_with_references(weighting.terms, fitted.reference),
        estimate=fitted.estimate,
        vcov=vcov,
        influence=sum_by_cluster(everyone, codes, design.n_units),
        clusters=cluster_labels(design),
        shares=_shares(design, sample) if estimand in ("group-time", "cohort") else None,
        notes=(*design.notes, *sample.notes),
        meta={
            **_facts(design, sample, estimand),
            "controls": controls,
            "comparison": "not-yet-treated",
            "contrasts": contrasts,
            "vcov": variance,
            **_adjustment_facts(fitted, beta),
        },
    )


def fail_if_bad_options(given: Mapping[str, str], beta: object, contrasts: str) -> None:
    """Raise ``EstimationError`` for values that are not known, and for a coefficient that does not go with its contrasts."""
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of {METHOD}", did_you_mean(str(value), CHOICES[name]))
        for name, value in given.items()
        if value not in CHOICES[name]
    ]
    number = isinstance(beta, int | float) and not isinstance(beta, bool) and np.isfinite(beta)
    if beta is not None and not number:
        remedy = "give a number, such as 1 (difference-in-differences) or 0 (difference in means), or leave it out"
        findings.append(Finding("unknown-value", f"beta is {beta!r}", f"option beta of {METHOD}", remedy))
    elif beta is not None and contrasts == "all" and beta != 0:
        what = f"beta is {beta!r} for every comparison before treatment"
        remedy = "use contrasts='did' with a fixed coefficient, or leave beta out"
        findings.append(Finding("beta-contrasts", what, f"options beta and contrasts of {METHOD}", remedy))
    fail_if_any(findings, "options", EstimationError)


def _with_references(terms: Terms, reference: NDArray[np.bool_]) -> Terms:
    return Terms.make(
        terms.name, cohort=terms.cohort, time=terms.time, event_time=terms.event_time, reference=reference, n_treated=terms.n_treated
    )


def _shares(design: Design, sample: Sample) -> CohortShares:
    """Sizes of the cohorts, which random timing takes as given: they add no uncertainty."""
    size = sample.timing.size[:-1]
    return CohortShares(sample.timing.cohort[:-1], size / sample.timing.size.sum(), np.zeros((design.n_units, len(size))))


def _facts(design: Design, sample: Sample, estimand: Estimand) -> dict[str, Any]:
    treated = sample.timing.cohort <= design.periods[-1]
    return {
        "estimand": text(f"estimand.efficient-{estimand}"),
        "estimand_code": f"efficient-{estimand}",
        "anticipation": 0,
        "covariates": [],
        "fixed_effects": [],
        "weights": None,
        "cluster": design.clusters[0].name,
        "n_clusters": len(sample.units),
        "n_obs": sample.y.size,
        "n_units": len(sample.units),
        "n_treated": int(sample.timing.size[treated].sum()),
        "n_never": int(sample.timing.size[~treated].sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
    }


def _adjustment_facts(fitted: Fit, beta: float | None) -> dict[str, Any]:
    """Coefficients (where each term has one), and both kinds of standard errors."""

    def errors(matrix: Floats) -> list[float]:
        return [float(v) for v in np.sqrt(np.maximum(np.diag(matrix), 0.0))]

    coefficients = [float(b) for b in fitted.beta[:, 0]] if fitted.beta.shape[1] == 1 else []
    return {
        "beta": "efficient" if beta is None else float(beta),
        "coefficients": coefficients,
        "std_error_neyman": errors(fitted.neyman),
        "std_error_adjusted": errors(fitted.adjusted),
    }


__all__ = ["CHOICES", "Contrasts", "Variance", "Weighting", "fail_if_bad_options", "fit"]
