"""The weights that a static two-way fixed-effects coefficient gives to the effect in each treated cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.design import Design
from hinterland.evaluate.paths import covariate_basis
from hinterland.evaluate.regression import projection, treatment
from hinterland.labels import Note

Floats = NDArray[np.float64]

ZERO = 1e-10
"""Weights closer to zero than this count as zero, as in ``TwoWayFEWeights``."""


@dataclass(frozen=True, slots=True)
class CellWeights:
    """τ = Σ over treated cells of weight × effect (de Chaisemartin & D'Haultfœuille 2020, Theorem 1).

    Attributes:
        table: one row per treated cell: ``unit, time, cohort, event_time, weight`` (they sum to 1).
        estimate: the coefficient τ.
        n_positive, n_negative: treated cells with a positive, and with a negative, weight.
        sum_positive, sum_negative: sums of these weights.
        sigma: smallest standard deviation of the effects across treated cells at which τ and the average effect on the treated
            may have opposite signs (their Corollary 1, i); NaN with one treated cell.
        sigma_all: the same for all effects to have the opposite sign of τ (Corollary 1, ii); NaN without negative weights.
    """

    table: pl.DataFrame
    estimate: float
    n_positive: int
    n_negative: int
    sum_positive: float
    sum_negative: float
    sigma: float
    sigma_all: float

    def __repr__(self) -> str:
        return f"CellWeights({self.n_negative} of {self.table.height} treated cells negative, sum {self.sum_negative:.4g}; sigma {self.sigma:.4g})"

    @property
    def note(self) -> Note:
        """What the weights say about the coefficient."""
        if not self.n_negative:
            return Note("no-negative-weights")
        return Note(
            "negative-weights", {"count": self.n_negative, "total": self.table.height, "sum": self.sum_negative, "sigma": self.sigma_all}
        )


def cell_weights(design: Design) -> CellWeights:
    """Weights of the treated cells (unit × period) in the static two-way fixed-effects coefficient of ``design``.

    With ε the treatment residualised on the fixed effects and covariates, a cell's weight is w_it N_it / Σ N_it with
    w_it = ε_it / (mean of ε over treated cells), N the sampling weight. Treatment may be switched off again, and where it has levels
    cells count by theirs: the effects are then those of one unit of it.

    Raises:
        EstimationError: the treatment is collinear with the fixed effects.
    """
    d = treatment(design)
    prepared = projection(design, design.weight)
    root = np.ones(design.n_obs) if design.weight is None else np.sqrt(design.weight)
    scaled = prepared.column(d) * root
    basis = covariate_basis(design, prepared)
    scaled = scaled - basis @ (basis.T @ scaled)
    variation = float(scaled @ scaled)
    if variation <= 1e-12 * float(d @ d):
        raise EstimationError(
            Finding(
                "treatment-collinear",
                "the treatment is collinear with the fixed effects and covariates",
                repr(design),
                "leave out what moves with the policy",
            ),
            "weights",
        )
    cells = d > 0
    share = (root**2 * d)[cells]
    share = share / share.sum()
    relative = (scaled / root)[cells]
    relative = relative / float(share @ relative)
    estimate = float(scaled @ (design.y * root)) / variation
    weight = np.where(np.abs(share * relative) < ZERO, 0.0, share * relative)
    return CellWeights(
        table=_cells(design, cells, weight),
        estimate=estimate,
        n_positive=int((weight > 0).sum()),
        n_negative=int((weight < 0).sum()),
        sum_positive=float(weight[weight > 0].sum()),
        sum_negative=float(weight[weight < 0].sum()),
        sigma=_sigma(estimate, relative, share),
        sigma_all=_sigma_all(estimate, relative, share, weight),
    )


def _cells(design: Design, cells: NDArray[np.bool_], weight: Floats) -> pl.DataFrame:
    unit = design.unit[cells]
    return pl.DataFrame(
        {
            "unit": design.unit_labels[unit],
            "time": design.periods[design.period[cells]],
            "cohort": design.cohort[unit],
            "event_time": design.event_time[cells],
            "weight": weight,
        }
    )


def _sigma(estimate: float, relative: Floats, share: Floats) -> float:
    """|τ| / sd(w), with the degrees-of-freedom correction of ``TwoWayFEWeights`` 2.0.4."""
    count = len(relative)
    if count < 2:
        return float("nan")
    spread = float(np.sqrt(share @ (relative - share @ relative) ** 2 * count / (count - 1)))
    return abs(estimate) / spread if spread > ZERO else float("inf")


def _sigma_all(estimate: float, relative: Floats, share: Floats, weight: Floats) -> float:
    """|τ| / √(T_s + S_s² / (1 - P_s)), s the first cell in decreasing order of w with w_s < -S_s / (1 - P_s), where P, S and T sum
    share, share·w and share·w² over the cells from s on.
    """
    if not (weight < 0).any():
        return float("nan")
    used = weight != 0
    order = np.argsort(-relative[used], kind="stable")
    w, n = relative[used][order], share[used][order]
    tail = [np.cumsum(x[::-1])[::-1] for x in (n, n * w, n * w**2)]
    p, s, t = (x[1:] for x in tail)
    below = w[1:] < -s / (1 - p)
    first = int(np.argmax(below))
    return float(abs(estimate) / np.sqrt(t[first] + s[first] ** 2 / (1 - p[first])))
