"""The paths from a policy over mediators to an outcome, and everything that is a function of them.

With τ the total effect, a_k the effect on mediator k, and b_k the slope of the outcome in it given treatment and the other mediators:

* indirect effect through k: a_k b_k;  joint: Σ a_k b_k;  direct: τ − Σ a_k b_k;  share: a_k b_k / τ.

Where the three come from one least-squares problem this is the product of coefficients, and τ − Σ a_k b_k is the coefficient of treatment beside the mediators. Where the
slopes come from a regression with intermediate confounders, or on other rows, the direct effect is the controlled direct effect of sequential g-estimation, the effect on the
demediated outcome Y − Σ b_k M_k (Acharya, Blackwell & Sen 2016, section 3.3): an estimator that is linear in the outcome gives τ − Σ a_k b_k there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.bands import fail_if_without_clusters
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.inference import Inference, coefficient_covariance
from hinterland.evaluate.regression import TREATED, Solved, cluster_labels, solve_least_squares, treatment, without_singletons
from hinterland.evaluate.result import Effects

Slope = Literal["pooled", "untreated", "saturated"]
Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Paths:
    """R values of the path coefficients of K mediators: an estimate (R = 1), bootstrap draws, leave-one-out values.

    Attributes:
        total: [R] effect of the policy on the outcome.
        effect: [R, K] effect on each mediator, a.
        slope: [R, K] outcome per unit of each mediator, b.
        spread: [R, K] standard deviation of the outcome's residual over that of the mediator's, both net of all other regressors of the slopes.
    """

    total: Floats
    effect: Floats
    slope: Floats
    spread: Floats

    @classmethod
    def of(cls, theta: Floats) -> Paths:
        """From rows [R, 1 + 3K] of total, effects, slopes and spreads."""
        k = (theta.shape[1] - 1) // 3
        return cls(theta[:, 0], theta[:, 1 : 1 + k], theta[:, 1 + k : 1 + 2 * k], theta[:, 1 + 2 * k :])

    @property
    def indirect(self) -> Floats:
        """[R, K] effect through each mediator."""
        return self.effect * self.slope

    @property
    def joint(self) -> Floats:
        """[R] effect through all of them."""
        return np.asarray(self.indirect.sum(axis=1))

    def quantities(self) -> Floats:
        """[R, 3 + 2K]: direct effect, joint indirect effect and share, then indirect effects, then shares."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.column_stack([self.joint, self.indirect]) / self.total[:, None]
        return np.column_stack([self.total - self.joint, self.joint, shares[:, 0], self.indirect, shares[:, 1:]])


@dataclass(frozen=True, slots=True)
class Slopes:
    """K slopes of the outcome in the mediators.

    Attributes:
        slope, spread: [K], as in :class:`Paths`;  std_error: [K] of the slopes, clustered (CR1).
        influence: [C, 2K] influence function of slopes, then of spreads, by cluster;  clusters: [C] labels.
        n_obs: rows of the regression;  df: degrees of freedom of their t tests.
    """

    slope: Floats
    spread: Floats
    std_error: Floats
    influence: Floats
    clusters: Labels
    n_obs: int
    df: float


@dataclass(frozen=True, slots=True)
class Stacked:
    """Every path coefficient with the joint influence function: ``theta`` [1 + 3K], ``influence`` [C, 1 + 3K], ``clusters`` [C]."""

    theta: Floats
    influence: Floats
    clusters: Labels


def untreated_rows(design: Design) -> NDArray[np.bool_]:
    """[n] rows before treatment, or its anticipation, starts."""
    return np.asarray(design.periods[design.period] < design.cohort[design.unit] - design.anticipation)


def slope_design(design: Design, source: Slope) -> Design:
    """The rows and fixed effects of the slopes' regression.

    ``pooled``: all rows. ``untreated``: rows without treatment. ``saturated``: all rows, with a fixed effect for every treated cohort and period.
    """
    if source == "pooled":
        return without_singletons(design, Inference.of().ssc)
    before = untreated_rows(design)
    if source == "untreated":
        if not before.any():
            what = "no row is untreated, and slopes from untreated rows are asked for"
            raise EstimationError(Finding("no-untreated", what, f"outcome {design.outcome!r}", "choose slope='saturated'"), "mechanism")
        return without_singletons(design.take(before), Inference.of().ssc)
    cell = np.where(before, -1, design.cohort[design.unit] * design.n_periods + design.period)
    _, codes = np.unique(cell, return_inverse=True)
    cells = Factor("cohort^period", codes.astype(np.int32), int(codes.max()) + 1)
    return without_singletons(replace(design, fixed_effects=(*design.fixed_effects, cells)), Inference.of().ssc)


def slope_columns(design: Design, mediators: Sequence[str], confounders: Sequence[str], source: Slope) -> tuple[Floats, tuple[str, ...]]:
    """[n, k] regressors of the slopes and their names: treatment (``pooled`` only), mediators, intermediate confounders, covariates."""
    own = [treatment(design)] if source == "pooled" else []
    named = (*([TREATED] if source == "pooled" else []), *mediators, *confounders, *design.covariate_names)
    carried = [design.columns[name] for name in (*mediators, *confounders)]
    return np.asfortranarray(np.column_stack([*own, *carried, design.covariates])), named


def solve_slopes(design: Design, mediators: Sequence[str], confounders: Sequence[str], source: Slope) -> tuple[Design, Solved]:
    """The regression of the outcome on the mediators, and the rows it is on.

    Raises:
        EstimationError: a mediator is collinear with the other regressors.
    """
    model = slope_design(design, source)
    columns, names = slope_columns(model, mediators, confounders, source)
    solved = solve_least_squares(model, columns, names)
    lost = [name for name in mediators if name in solved.dropped]
    if lost:
        what = f"{listed(lost)} cannot be told from the other mediators, the covariates and the fixed effects"
        remedy = "leave out mediators that say the same, or name them in turn"
        raise EstimationError(Finding("mediator-collinear", what, f"{model.n_obs} rows of the slopes ({source})", remedy), "mechanism")
    return model, solved


def slopes(design: Design, mediators: Sequence[str], confounders: Sequence[str], source: Slope) -> Slopes:
    """Slopes of the outcome in the mediators, with their clustered influence function.

    With bread B = (X'WX)⁻¹, the residual of mediator k on the other regressors is X B_k / B_kk with sum of squares 1 / B_kk, so that the spread is √(SSR · B_kk).
    """
    model, solved = solve_slopes(design, mediators, confounders, source)
    moments = solved.moments
    found = coefficient_covariance(model, moments, Inference.of())
    at = np.array([solved.names.index(name) for name in mediators])
    own = np.diag(moments.bread)[at]
    ssr = float(solved.residuals @ moments.u)
    spread = np.sqrt(ssr * own)
    cluster = model.clusters[0]
    weights = 1.0 if moments.weights is None else moments.weights
    partial = (moments.x @ (moments.bread[:, at] / own)) ** 2 * np.reshape(weights, (-1, 1))
    by_cluster = np.column_stack([np.bincount(cluster.codes, partial[:, k], cluster.size) for k in range(len(at))]) * own
    residual = np.bincount(cluster.codes, solved.residuals * moments.u, cluster.size) / ssr
    return Slopes(
        slope=solved.estimate[at],
        spread=spread,
        std_error=np.sqrt(np.diag(found.vcov)[at]),
        influence=np.column_stack([found.influence[:, at], 0.5 * spread * (residual[:, None] - by_cluster)]),
        clusters=cluster_labels(model),
        n_obs=model.n_obs,
        df=float(found.df),
    )


def one_number(effects: Effects) -> Effects:
    """The coefficient of treatment, or the overall average, as one term."""
    if effects.aggregation == "coefficient":
        return effects.take(np.array([effects.terms.name.index(TREATED) if TREATED in effects.terms.name else 0]))
    return (effects if effects.aggregation == "overall" else effects.aggregate("overall")).take(np.array([0]))


def on_mediator(design: Design, name: str) -> Design:
    """The same design with a mediator as the outcome."""
    return replace(design, outcome=name, y=np.asarray(design.columns[name], dtype=np.float64))


def stacked(total: Effects, effects: Sequence[Effects], found: Slopes) -> Stacked:
    """The path coefficients and their influence functions, lined up by cluster label.

    Raises:
        EstimationError: an estimate whose covariance is not that of an influence function by cluster.
    """
    parts = [(e.clusters, _influence_of(e)) for e in (total, *effects)]
    labels = np.unique(np.concatenate([found.clusters, *(c for c, _ in parts)]))
    columns = [_lined_up(labels, own, influence) for own, influence in (*parts, (found.clusters, found.influence))]
    theta = np.concatenate([[e.estimate[0] for e in (total, *effects)], found.slope, found.spread])
    return Stacked(theta, np.column_stack(columns), labels)


def _influence_of(effects: Effects) -> Floats:
    fail_if_without_clusters(effects, "the bootstrap of indirect effects", "estimate on the panel itself", "mechanism")
    if not effects.from_influence:
        what = f"the covariance of {effects.method} ({effects.meta.get('vcov', 'unknown')}) is not that of an influence function by cluster"
        remedy = "cluster one way, or choose another estimator, such as twfe or callaway-santanna"
        raise EstimationError(Finding("not-from-influence", what, f"{effects.method}, {effects.outcome}", remedy), "mechanism")
    return effects.influence


def _lined_up(labels: Labels, own: Labels, influence: Floats) -> Floats:
    out = np.zeros((len(labels), influence.shape[1]))
    out[np.searchsorted(labels, own)] = influence
    return out


def delta_errors(theta: Stacked, value: Callable[[Floats], Floats]) -> Floats:
    """[m] delta-method standard errors of ``value``, a function of rows of path coefficients [R, 1 + 3K] → [R, m], by central differences."""
    step = 1e-6 * np.maximum(np.abs(theta.theta), 1e-8)
    moves = np.diag(step)
    jacobian = (value(theta.theta + moves) - value(theta.theta - moves)) / (2 * step[:, None])
    return np.asarray(np.sqrt(((theta.influence @ jacobian) ** 2).sum(axis=0)))
