"""Extended two-way fixed effects with unit effects, linear only.

Without covariates, cells beside unit and period effects, by sums (:mod:`hinterland.evaluate.saturated_regression`). With covariates,
every cohort, period and cell has slopes of its own, as columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.hdfe import tally
from hinterland.evaluate.regression import Inference, fixed_effects_text, least_squares
from hinterland.evaluate.saturated import Layout, Mask
from hinterland.evaluate.saturated_regression import fit_cells
from hinterland.evaluate.vcov import Covariance


@dataclass(frozen=True, slots=True)
class UnitFit:
    """Effects ``estimate`` [p] of the cells, their covariance, and the covariates left out as collinear."""

    estimate: Floats
    covariance: Covariance
    dropped: tuple[str, ...]


def fit_with_unit_effects(layout: Layout, own: Mask, inference: Inference) -> UnitFit:
    """Regress the outcome on the cells ``own`` [K, T] net of unit, period and further effects.

    Covariates enter as deviations from their mean in each cell, so that a cell's coefficient is its average effect.

    Raises:
        EstimationError: some cell is not identified.
    """
    design = layout.design
    if not design.covariates.shape[1]:
        found = fit_cells(layout, own, np.zeros_like(own), inference)
        return UnitFit(found.estimate, found.covariance, found.dropped)
    columns, names = _columns(layout, own)
    fitted = least_squares(design, columns, names, inference)
    p = int(own.sum())
    lost = [n for n in names[:p] if n in fitted.dropped]
    if lost:
        raise EstimationError(
            Finding(
                "treatment-collinear",
                f"{len(lost)} effect(s) are not identified beside the fixed effects: {listed(lost)}",
                f"fixed effects {fixed_effects_text(design)}",
                "leave out fixed effects that move with the policy, or add units that are never treated",
            ),
            "design",
        )
    vcov, influence = fitted.covariance.vcov[:p, :p], fitted.covariance.influence[:, :p]
    # Main effects of covariates that never change within units are always absorbed: only a covariate gone everywhere is news.
    gone = [c for c in design.covariate_names if not any(n.endswith(f":{c}") for n in fitted.names)]
    by_term = None if fitted.covariance.term_df is None else fitted.covariance.term_df[:p]
    parts = None if fitted.covariance.parts is None else fitted.covariance.parts[:, :p, :p]
    covariance = replace(fitted.covariance, vcov=vcov, influence=influence, term_df=by_term, parts=parts)
    return UnitFit(fitted.estimate[:p], covariance, tuple(gone))


def _columns(layout: Layout, own: Mask) -> tuple[Floats, tuple[str, ...]]:
    """Cells, then slopes of each covariate by cell (around its mean there), period and cohort."""
    design = layout.design
    k, t = np.nonzero(own)
    codes = k * design.n_periods + t
    groups, periods, x = layout.shape[0], design.n_periods, design.covariates
    width = len(codes) + x.shape[1] * (len(codes) + groups + periods)
    out = np.zeros((design.n_obs, width), order="F")
    names: list[str] = []
    group = layout.group[design.unit]
    for j, code in enumerate(codes):
        out[:, j] = layout.cell == code
        names.append(f"({layout.cohorts[k[j]]}, {design.periods[t[j]]})")
    at = len(codes)
    weight = np.ones(design.n_obs) if design.weight is None else design.weight
    for c, name in enumerate(design.covariate_names):
        mean = tally(layout.cell, x[:, c] * weight, layout.rows.size) / np.maximum(layout.weight.reshape(-1), 1e-300)
        around = x[:, c] - mean[layout.cell]
        parts = [(group == g, x[:, c], f"cohort {g}:{name}") for g in range(groups)]
        parts += [(design.period == s, x[:, c], f"period {s}:{name}") for s in range(periods)]
        parts += [(layout.cell == code, around, f"cell {code}:{name}") for code in codes]
        for rows, values, label in parts:
            out[rows, at] = values[rows]
            names.append(label)
            at += 1
    return out, tuple(names)
