"""Synthetic difference-in-differences (Arkhangelsky, Athey, Hirshberg, Imbens & Wager 2021; staggered: Clarke et al. 2023).

Each cohort is compared with a weighted average of the controls whose path before adoption runs parallel to its own, over periods
before adoption weighted to be like those after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import cluster_labels
from hinterland.evaluate.result import CohortShares, Effects, Floats
from hinterland.evaluate.sdid_covariates import Projection, project
from hinterland.evaluate.sdid_effects import Estimand, Layout, cell_effects, make_layout
from hinterland.evaluate.sdid_sample import METHOD, Sample, make_sample
from hinterland.evaluate.sdid_variance import Replicates, Spread, bootstrap, fail_if_impossible, jackknife, placebo, reasons_against, spread
from hinterland.evaluate.sdid_weights import Estimator, Problem, Solver, Synthetic, fit_weights
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note, text

Choice = Literal["auto", "jackknife", "placebo", "bootstrap", "none"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "estimator": ("sdid", "sc", "did"),
    "estimand": ("group-time", "overall", "event-time", "cohort", "calendar"),
    "solver": ("exact", "frank-wolfe"),
    "variance": ("auto", "jackknife", "placebo", "bootstrap", "none"),
}
_FEW_TREATED = 5


@one_thread()
def fit(
    design: Design,
    *,
    estimator: Estimator = "sdid",
    estimand: Estimand = "group-time",
    solver: Solver = "exact",
    variance: Choice = "auto",
    draws: int = 200,
    draw_seed: int = 0,
) -> Effects:
    """Effects of every cohort in every period against its synthetic control, or their averages.

    Args:
        design: a balanced panel; its controls are the never-treated units.
        estimator: ``sdid``; ``sc``, the synthetic control (levels are matched, no time weights); ``did``, equal weights.
        estimand: ``group-time`` effects, which can be averaged afterwards, or an average of them. Averages afterwards take the
            uncertainty of cohort sizes to first order; asked for here, each replicate is averaged by its own.
        solver: ``exact`` weights, or those where the Frank–Wolfe steps of R's ``synthdid`` stop (placebo and bootstrap draws are always exact).
        variance: ``jackknife`` with fixed weights, for at least two treated units in each cohort; ``placebo``, for more controls than
            treated units; ``bootstrap`` over clusters; ``none``. ``auto`` takes the first of these that is possible.
        draws: of placebo and bootstrap;  draw_seed: their seed.

    Returns:
        Effects with periods before adoption included (they were fitted, and test nothing). Rows of the influence function are clusters
        under the jackknife; under placebo and bootstrap they are draws.

    Raises:
        EstimationError: unknown options; nobody to compare with; a variance that cannot be computed.
    """
    _fail_if_bad_options({"estimator": estimator, "estimand": estimand, "solver": solver, "variance": variance}, draws, draw_seed)
    fitted = _fit_weights(design, estimator, solver)
    sample, weights = fitted.sample, fitted.weights
    chosen, why = _choose(sample, weights, variance)
    layout = make_layout(sample, weights, estimand)
    cells = cell_effects(sample, weights, sample.y)
    sizes = np.array([[len(b.units) for b in sample.blocks]], dtype=np.float64)
    estimate = layout.collapse(cells[None], sizes)[0]
    uncertain = _spread(fitted, layout, chosen, draws, draw_seed)
    estimate[layout.terms.reference] = 0.0
    uncertain.influence[:, layout.terms.reference] = 0.0
    labels = cluster_labels(sample.design) if chosen in ("jackknife", "none") else _draw_labels(len(uncertain.influence))
    return Effects(
        method=METHOD,
        outcome=design.outcome,
        aggregation=layout.aggregation,
        terms=layout.terms,
        estimate=estimate,
        vcov=uncertain.influence.T @ uncertain.influence,
        influence=uncertain.influence,
        clusters=labels,
        shares=_shares(sample, uncertain.shares) if estimand in ("group-time", "cohort") else None,
        notes=(*sample.design.notes, *_notes(fitted, chosen, why, estimand, uncertain.missing)),
        meta={
            **_facts(fitted, estimand),
            "estimator": estimator,
            "solver": solver,
            "vcov": chosen,
            "draws": len(uncertain.influence) if chosen in ("placebo", "bootstrap") else 0,
            "n_clusters": sample.n_clusters,
        },
    )


def _draw_labels(count: int) -> NDArray[np.str_]:
    return np.array([f"draw {i + 1}" for i in range(count)])


@dataclass(frozen=True, slots=True)
class SyntheticWeights:
    """Weights by cohort: ``units``: ``cohort, unit, weight`` of every control; ``periods``: ``cohort, period, weight`` of every period before
    adoption; ``cohorts``: ``cohort, n_treated, n_before, n_after, effective_controls`` (1 / Σω²), ``noise, zeta_omega, zeta_lambda,
    objective_omega`` (mean squared distance before adoption, ridge included).
    """

    units: pl.DataFrame
    periods: pl.DataFrame
    cohorts: pl.DataFrame

    def __repr__(self) -> str:
        return f"SyntheticWeights({len(self.cohorts)} cohorts, {self.units['unit'].n_unique()} controls)"


@one_thread()
def synthetic_weights(design: Design, *, estimator: Estimator = "sdid", solver: Solver = "exact") -> SyntheticWeights:
    """The unit and time weights behind :func:`fit`."""
    from hinterland.evaluate.sdid_simplex import objective

    _fail_if_bad_options({"estimator": estimator, "solver": solver}, 200, 0)
    fitted = _fit_weights(design, estimator, solver)
    sample = fitted.sample
    names = sample.design.unit_labels[sample.controls]
    units, periods, rows = [], [], []
    for block, w, problem in zip(sample.blocks, fitted.weights, fitted.problems, strict=True):
        units.append(pl.DataFrame({"cohort": block.cohort, "unit": names, "weight": w.omega}))
        early = sample.periods[: block.before]
        periods.append(pl.DataFrame({"cohort": block.cohort, "period": early, "weight": w.lam[: block.before]}))
        path = sample.y[block.units].mean(axis=0)[None]
        loss = objective(problem.columns, problem.target(path)[0], block.before * w.zeta_omega**2, w.omega)
        rows.append(
            {
                "cohort": block.cohort,
                "n_treated": len(block.units),
                "n_before": block.before,
                "n_after": len(sample.periods) - block.before,
                "effective_controls": 1 / float(w.omega @ w.omega),
                "noise": w.noise,
                "zeta_omega": w.zeta_omega,
                "zeta_lambda": w.zeta_lambda,
                "objective_omega": loss,
            }
        )
    return SyntheticWeights(pl.concat(units), pl.concat(periods), pl.DataFrame(rows))


@dataclass(frozen=True, slots=True)
class _Fitted:
    sample: Sample
    projection: Projection | None
    problems: tuple[Problem, ...]
    weights: tuple[Synthetic, ...]


def _fit_weights(design: Design, estimator: Estimator, solver: Solver) -> _Fitted:
    sample = make_sample(design)
    projection = project(sample)
    if projection is not None:
        sample = replace(sample, y=sample.y - projection.x @ projection.beta)
    controls = sample.y[sample.controls]
    problems = tuple(Problem.make(controls, b.before, len(b.units), estimator) for b in sample.blocks)
    weights = tuple(fit_weights(p, sample.y[b.units].mean(axis=0), solver) for p, b in zip(problems, sample.blocks, strict=True))
    return _Fitted(sample, projection, problems, weights)


def _fail_if_bad_options(given: dict[str, str], draws: object, seed: object) -> None:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of {METHOD}", did_you_mean(str(value), _CHOICES[name]))
        for name, value in given.items()
        if value not in _CHOICES[name]
    ]
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 50:
        findings.append(
            Finding("few-draws", f"draws is {draws!r}", f"option draws of {METHOD}", "give a whole number of 50 or more, such as 200")
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        findings.append(
            Finding("unknown-value", f"draw_seed is {seed!r}", f"option draw_seed of {METHOD}", "give a whole number, 0 or more")
        )
    fail_if_any(findings, "options", EstimationError)


def _choose(sample: Sample, weights: Sequence[Synthetic], variance: Choice) -> tuple[str, str]:
    """The variance to compute, and why not the jackknife (empty if it is)."""
    reasons = reasons_against(sample, weights)
    if variance != "auto":
        fail_if_impossible(variance, reasons)
        return variance, ""
    possible = [v for v in ("jackknife", "placebo", "bootstrap") if v not in reasons]
    return (possible[0] if possible else "none"), reasons.get("jackknife", "")


def _spread(fitted: _Fitted, layout: Layout, variance: str, draws: int, seed: int) -> Spread:
    sample = fitted.sample
    if variance == "none":
        size = sample.n_clusters
        return Spread(np.zeros((size, len(layout.terms.name))), np.zeros((size, len(sample.blocks))), 0)
    replicates: Replicates
    if variance == "jackknife":
        replicates = jackknife(sample, fitted.weights, fitted.projection)
    else:
        replicates = (placebo if variance == "placebo" else bootstrap)(sample, fitted.problems, draws, seed)
    return spread(layout, replicates, variance)


def _shares(sample: Sample, influence: Floats) -> CohortShares:
    size = np.array([len(b.units) for b in sample.blocks])
    return CohortShares(np.array([b.cohort for b in sample.blocks]), size / (size.sum() + len(sample.controls)), influence)


def _notes(fitted: _Fitted, variance: str, why: str, estimand: str, missing: int) -> Iterable[Note]:
    sample = fitted.sample
    yield from sample.notes
    if fitted.projection is not None:
        yield from fitted.projection.notes
        if variance in ("placebo", "bootstrap") and fitted.projection.names:
            yield Note("sdid-covariates-fixed", {"names": listed(fitted.projection.names, 12)})
    if why:
        yield Note(f"sdid-not-jackknife-{variance}", {"why": why})
    small = [b.cohort for b in sample.blocks if len(b.units) < _FEW_TREATED]
    if variance == "jackknife" and small:
        yield Note("sdid-few-treated", {"count": len(small), "cohorts": listed(small, 12), "least": _FEW_TREATED})
    if missing:
        yield Note("sdid-draws-without-cohort", {"count": missing})
    if estimand in ("group-time", "event-time"):
        yield Note("sdid-fitted-before")


def _facts(fitted: _Fitted, estimand: str) -> dict[str, Any]:
    sample, design = fitted.sample, fitted.sample.design
    treated = sum(len(b.units) for b in sample.blocks)
    weights = fitted.weights
    return {
        "estimand": text(f"estimand.sdid-{estimand}"),
        "estimand_code": f"sdid-{estimand}",
        "comparison": "never-treated" if not any(n.code == "sdid-last-cohort" for n in sample.notes) else "not-yet-treated",
        "anticipation": 0,
        "covariates": [] if fitted.projection is None else list(fitted.projection.names),
        "covariate_estimates": [] if fitted.projection is None else [float(b) for b in fitted.projection.beta],
        "fixed_effects": [],
        "weights": None,
        "cluster": design.clusters[0].name,
        "n_obs": (treated + len(sample.controls)) * len(sample.periods),
        "n_units": treated + len(sample.controls),
        "n_treated": treated,
        "n_never": len(sample.controls),
        "n_periods": len(sample.periods),
        "first_period": int(sample.periods[0]),
        "last_period": int(sample.periods[-1]),
        "cohorts": [b.cohort for b in sample.blocks],
        "effective_controls": [1 / float(w.omega @ w.omega) for w in weights],
        "zeta_omega": [w.zeta_omega for w in weights],
        "zeta_lambda": [w.zeta_lambda for w in weights],
    }
