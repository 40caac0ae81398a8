"""What each cluster weighs in a two-way fixed-effects coefficient (MacKinnon, Nielsen & Webb 2023, Stata Journal 23(4)).

Clustered standard errors are reliable when clusters are many and alike. Leverage says how far the regressors of one cluster are out of the
ordinary, partial leverage what share of the treatment's variation it holds, and the estimate without it what depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fail_if_not_accepted, find_method
from hinterland.evaluate.inference import Inference, coefficient_covariance, effective_clusters, lost_notes
from hinterland.evaluate.regression import TREATED, solve_least_squares, treatment
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov_leverage import adjusted_scores, projection_of
from hinterland.labels import Note

Ints = NDArray[np.int64]

_MEASURES = ("n_obs", "leverage", "partial_leverage", "estimate_without")


@dataclass(frozen=True, slots=True)
class ClusterInfluence:
    """Leverage and influence of G clusters on the coefficient of the treatment.

    Attributes:
        outcome: name of the outcome;  name: of the grouping.
        clusters: [G] labels;  n_obs, n_treated: [G] rows, and rows under treatment.
        estimate: the coefficient;  std_errors: its standard errors by ``cluster`` (CR1), ``CR2`` and ``CR3``.
        effective: G*, see :func:`hinterland.evaluate.inference.effective_clusters`.
        leverage: [G] trace of the cluster's block of the hat matrix of the regressors and of the fixed effects that are not nested in
            clusters; they add up to the number of these coefficients.
        partial_leverage: [G] share of the cluster in the variation of the treatment net of everything else; they add up to 1.
        estimate_without: [G] the coefficient when the cluster is left out, everything estimated again; NaN where it is then not identified.
        notes: clusters on which identification rests.
    """

    outcome: str
    name: str
    clusters: NDArray[np.str_]
    n_obs: Ints
    n_treated: Ints
    estimate: float
    std_errors: dict[str, float]
    effective: float
    leverage: Floats
    partial_leverage: Floats
    estimate_without: Floats
    notes: tuple[Note, ...]

    def __repr__(self) -> str:
        most = listed(self.clusters[np.argsort(-self.partial_leverage)[:1]].tolist())
        return (
            f"ClusterInfluence({self.outcome} by {self.name}: {len(self.clusters)} clusters worth {self.effective:.3g}; "
            f"largest partial leverage {self.partial_leverage.max():.3g} ({most}))"
        )

    def tidy(self) -> pl.DataFrame:
        """One row per cluster: ``cluster, n_obs, n_treated, leverage, partial_leverage, estimate_without``; the last null where the
        coefficient is not identified without it.
        """
        return pl.DataFrame(
            [
                pl.Series("cluster", self.clusters, dtype=pl.String),
                pl.Series("n_obs", self.n_obs, dtype=pl.Int64),
                pl.Series("n_treated", self.n_treated, dtype=pl.Int64),
                pl.Series("leverage", self.leverage, dtype=pl.Float64),
                pl.Series("partial_leverage", self.partial_leverage, dtype=pl.Float64),
                pl.Series("estimate_without", self.estimate_without, dtype=pl.Float64, nan_to_null=True),
            ]
        )

    def summary(self) -> pl.DataFrame:
        """``measure, minimum, quartile_1, median, mean, quartile_3, maximum, variation`` over clusters; ``variation`` is the standard
        deviation over the mean.
        """
        table = self.tidy()
        rows = []
        for measure in _MEASURES:
            values = table[measure].cast(pl.Float64).drop_nulls().to_numpy()
            points = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist() if len(values) else [None] * 5
            mean = float(values.mean()) if len(values) else None
            spread = float(values.std(ddof=1)) / mean if mean and len(values) > 1 else None
            rows.append((measure, *points[:3], mean, *points[3:], spread))
        names = ("minimum", "quartile_1", "median", "mean", "quartile_3", "maximum", "variation")
        return pl.DataFrame(rows, schema={"measure": pl.String, **dict.fromkeys(names, pl.Float64)}, orient="row")


@one_thread()
def cluster_influence(design: Design) -> ClusterInfluence:
    """Leverage, partial leverage and leave-one-cluster-out estimates of the two-way fixed-effects coefficient of ``design``.

    One regression: the estimate without cluster g is β̂ − B x_g' M_gg⁻¹ e_g, all fixed effects estimated again. A cluster without which the
    coefficient is not identified has no such estimate, and is named in the notes.

    Raises:
        EstimationError: several groupings; a design that ``twfe`` is not defined on; the treatment is collinear with the fixed effects; clusters that cut through units and are large.
    """
    if len(design.clusters) > 1:
        what = f"influence is defined for one grouping, not for {listed(c.name for c in design.clusters)}"
        raise EstimationError(Finding("not-defined", what, "argument cluster", "cluster on one column"), "options")
    fail_if_not_accepted(find_method("twfe"), design)
    cluster = design.clusters[0]
    columns = np.empty((design.n_obs, 1 + len(design.covariate_names)), order="F")
    columns[:, 0] = treated = treatment(design)
    columns[:, 1:] = design.covariates
    solved = solve_least_squares(design, columns, (TREATED, *design.covariate_names))
    moments = solved.moments
    found = adjusted_scores(projection_of(moments), cluster, 1.0)
    own = np.concatenate(([1.0], np.zeros(len(solved.names) - 1)))
    d = moments.x @ (moments.bread @ own)
    share = np.bincount(cluster.codes, weights=d * d if moments.weights is None else d * d * moments.weights, minlength=cluster.size)
    errors = {
        kind: float(np.sqrt(coefficient_covariance(design, moments, Inference.of(kind)).vcov[0, 0])) for kind in ("cluster", "CR2", "CR3")
    }
    return ClusterInfluence(
        outcome=design.outcome,
        name=cluster.name,
        clusters=np.arange(cluster.size).astype(np.str_) if cluster.labels is None else cluster.labels,
        n_obs=np.bincount(cluster.codes, minlength=cluster.size),
        n_treated=np.bincount(cluster.codes[treated > 0], minlength=cluster.size),
        estimate=float(solved.estimate[0]),
        std_errors=errors,
        effective=effective_clusters(moments, cluster, own),
        leverage=found.leverage,
        partial_leverage=share / share.sum(),
        estimate_without=np.where(found.lost[:, 0], np.nan, solved.estimate[0] - found.scores[:, 0]),
        notes=lost_notes(found, cluster),
    )
