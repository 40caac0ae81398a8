"""Support and balance: who is behind each estimate, who is compared with whom, and what the clusters are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.paths import covariate_basis
from hinterland.evaluate.regression import projection, treatment

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """How much information the clusters carry.

    Attributes:
        name: the grouping;  n_clusters: its levels;  n_treated: levels with a treated row that belongs to a cohort of the window.
        effective: G* = G / (1 + Γ), Γ the squared coefficient of variation of the clusters' contributions Σ_{i∈g} d_i² to the
            variance of the treatment coefficient, d the residualised treatment (Carter, Schnepel & Steigerwald 2017, for
            errors uncorrelated within clusters; with unit effects the other bound is not defined: MacKinnon, Nielsen & Webb 2023).
    """

    name: str
    n_clusters: int
    n_treated: int
    effective: float


def clusters_report(design: Design) -> Clusters:
    """Count the clusters, the treated ones, and the effective number for the two-way fixed-effects coefficient; of several groupings, those
    of the one whose clusters are worth least.
    """
    prepared = projection(design, design.weight)
    root = np.ones(design.n_obs) if design.weight is None else np.sqrt(design.weight)
    d = prepared.column(treatment(design)) * root
    basis = covariate_basis(design, prepared)
    d = d - basis @ (basis.T @ d)
    ever = (design.cohort != NEVER)[design.unit]
    found = [Clusters(c.name, c.size, len(np.unique(c.codes[ever])), _worth(c, d * d)) for c in design.clusters]
    return min(found, key=lambda c: (c.effective, c.n_clusters))


def _worth(cluster: Factor, squares: Floats) -> float:
    """G / (1 + Γ) for the clusters' sums of ``squares`` [n]; NaN where all are zero."""
    share = np.bincount(cluster.codes, weights=squares, minlength=cluster.size)
    mean = share.mean()
    gamma = float(np.mean((share - mean) ** 2) / mean**2) if mean > 0 else float("nan")
    return cluster.size / (1 + gamma)


def support(design: Design) -> pl.DataFrame:
    """``cohort, event_time, n_units``: units observed at each event time, by cohort (treated cohorts only)."""
    treated = (design.cohort != NEVER)[design.unit]
    return (
        pl.DataFrame({"cohort": design.cohort[design.unit[treated]], "event_time": design.event_time[treated]})
        .group_by("cohort", "event_time")
        .agg(pl.len().cast(pl.Int64).alias("n_units"))
        .sort("cohort", "event_time")
    )


def comparison_counts(design: Design) -> pl.DataFrame:
    """``time, n_treated, n_anticipating, n_not_yet, n_never``: units observed in each period, by their state in it."""
    time = design.periods[design.period]
    cohort = design.cohort[design.unit]
    states = {
        "n_treated": time >= cohort,
        "n_anticipating": (time < cohort) & (cohort != NEVER) & (time >= np.where(cohort == NEVER, time + 1, cohort - design.anticipation)),
        "n_never": cohort == NEVER,
    }
    states["n_not_yet"] = ~(states["n_treated"] | states["n_anticipating"] | states["n_never"])
    columns = ("n_treated", "n_anticipating", "n_not_yet", "n_never")
    return pl.DataFrame(
        {
            "time": design.periods,
            **{c: np.bincount(design.period, weights=states[c], minlength=design.n_periods).astype(np.int64) for c in columns},
        }
    )


def balance_table(design: Design) -> pl.DataFrame:
    """Units that are treated in the window against the others, before the first adoption in it.

    ``variable, mean_treated, mean_comparison, sd_treated, sd_comparison, normalised_difference, variance_ratio``, for the outcome
    and the covariates, each unit counting once with its (weighted) mean over the periods before the first adoption. The normalised difference
    is (x̄₁ - x̄₀) / √((s₁² + s₀²)/2) (Imbens & Rubin 2015, ch. 14); null where it is not defined. Always-treated units are left out.
    """
    schema = {
        "variable": pl.String,
        **dict.fromkeys(
            ("mean_treated", "mean_comparison", "sd_treated", "sd_comparison", "normalised_difference", "variance_ratio"), pl.Float64
        ),
    }
    inside = design.cohorts[design.cohorts > design.periods[0]]
    if not len(inside):
        return pl.DataFrame(schema=schema)
    rows = (design.periods[design.period] < inside[0]) & ~design.always_treated[design.unit]
    names = (design.outcome, *design.covariate_names)
    values = np.column_stack([design.y, design.covariates])[rows]
    weight = np.ones(int(rows.sum())) if design.weight is None else design.weight[rows]
    unit = design.unit[rows]
    total = np.bincount(unit, weights=weight, minlength=design.n_units)
    seen = total > 0
    means = np.column_stack([np.bincount(unit, weights=weight * v, minlength=design.n_units)[seen] / total[seen] for v in values.T])
    treated = (design.cohort != NEVER)[seen]
    return pl.DataFrame(
        [_balance_row(n, v[treated], v[~treated]) for n, v in zip(names, means.T, strict=True)], schema=schema, orient="row"
    )


def _balance_row(name: str, treated: Floats, comparison: Floats) -> tuple[str | float | None, ...]:
    def moments(x: Floats) -> tuple[float | None, float | None]:
        return (float(x.mean()) if len(x) else None, float(x.std(ddof=1)) if len(x) > 1 else None)

    (m1, s1), (m0, s0) = moments(treated), moments(comparison)
    if m1 is None or m0 is None or s1 is None or s0 is None:
        return name, m1, m0, s1, s0, None, None
    pooled = float(np.sqrt((s1**2 + s0**2) / 2))
    return name, m1, m0, s1, s0, (m1 - m0) / pooled if pooled > 0 else None, s1**2 / s0**2 if s0 > 0 else None
