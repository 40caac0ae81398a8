"""One difference-in-differences per cohort and period, with the treated units' change as a function of their dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.dose_basis import Basis
from hinterland.evaluate.drdid import Comparison, Floats, Units, is_singular


@dataclass(frozen=True, slots=True)
class Split:
    """Influence of treated [n1, m] and comparison [n0, m] units."""

    treated: Floats
    comparison: Floats


@dataclass(frozen=True, slots=True)
class DoseCells:
    """m cells on the same n1 treated and n0 comparison units.

    With Δ_i the change of a treated unit net of its prediction from the comparison units, p its weight and Ψ the basis:

    Attributes:
        weight: [n1] p;  change: [n1, m] Δ;  basis, slopes: [n1, K] Ψ and Ψ′ at the units' doses.
        inverse: [K, K] (Ψ'PΨ)⁻¹, or ``None`` where the doses are too few for the basis; of levels or bins, over those that occur.
        present: [K] functions that some unit's dose tells;  coefficient: [K, m] of the regression of Δ on Ψ, 0 for the others.
        covariates: [n1, k] X of the treated.
        lever: [n0, k] influence of the comparison units on the regression of their change on X, per unit of residual.
        residual: [n0, m] of that regression.
    """

    weight: Floats
    change: Floats
    basis: Floats
    slopes: Floats
    inverse: Floats | None
    present: NDArray[np.bool_]
    coefficient: Floats
    covariates: Floats
    lever: Floats
    residual: Floats

    @property
    def level(self) -> Floats:
        """[m] mean effect over the cohort's doses, ATT°."""
        return np.asarray(self.weight @ self.change)

    def level_influence(self) -> Split:
        """Of :attr:`level`."""
        treated = self.weight[:, None] * (self.change - self.level)
        return Split(treated, -(self.lever @ (self.weight @ self.covariates))[:, None] * self.residual)

    def told(self, at: Floats) -> NDArray[np.bool_]:
        """[q] whether ``at`` [q, K] @ coefficient rests on functions that are present only."""
        return np.asarray(~((at != 0) & ~self.present).any(axis=1))

    @property
    def slope(self) -> Floats:
        """[m] mean of the derivative over the cohort's doses, ACRT°; NaN where some dose's is not told."""
        mean = self.weight @ self.slopes
        return np.asarray(mean @ self.coefficient if self.told(self.slopes).all() else np.full(self.coefficient.shape[1], np.nan))

    def slope_influence(self) -> Split:
        """Of :attr:`slope`: the doses are drawn too, so the mean derivative varies with them (zero where there is no slope)."""
        split = self.curve_influence((self.weight @ self.slopes)[None, :])
        own = np.nan_to_num(self.weight[:, None] * (self.slopes @ self.coefficient - self.slope))
        return Split(own + split.treated[:, 0], split.comparison[:, 0])

    def curve_influence(self, at: Floats) -> Split:
        """Of ``at`` [q, K] @ coefficient: treated [n1, q, m], comparison [n0, q, m]."""
        if self.inverse is None:
            shape = (len(at), self.change.shape[1])
            return Split(np.zeros((len(self.weight), *shape)), np.zeros((len(self.residual), *shape)))
        gain = at @ self.inverse
        weighted = self.weight[:, None] * self.basis
        error = self.change - self.basis @ self.coefficient
        treated = (weighted @ gain.T)[:, :, None] * error[:, None, :]
        comparison = -(self.lever @ (gain @ (weighted.T @ self.covariates)).T)[:, :, None] * self.residual[:, None, :]
        return Split(treated, comparison)


def dose_cells(treated: Units, doses: Floats, comparison: Comparison, contrast: Floats, basis: Basis) -> DoseCells:
    """The cells of ``contrast`` [T, m] (Callaway, Goodman-Bacon & Sant'Anna 2024, section 3; weights p sum to one).

    Args:
        treated: n1 units;  doses: [n1] of them.
        comparison: n0 units with the regression of their levels on X;  basis: of the dose.
    """
    n1 = len(doses)
    weight: NDArray[np.float64] = np.full(n1, 1 / n1) if treated.w is None else treated.w / treated.w.sum()
    change = (treated.y - treated.x @ comparison.coefficients) @ contrast
    values = basis.values(doses)
    gram = (values * weight[:, None]).T @ values
    inverse: Floats | None = None
    coefficient = np.zeros((basis.size, contrast.shape[1]))
    present = np.diag(gram) > 0
    if basis.kind != "spline":
        inverse = np.diag(np.divide(1.0, np.diag(gram), out=np.zeros(basis.size), where=present))
    elif n1 >= basis.size and not is_singular(gram):
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    if inverse is not None:
        coefficient = inverse @ (values.T @ (weight[:, None] * change))
    x = comparison.units.x
    lever = x if comparison.units.w is None else x * comparison.units.w[:, None]
    return DoseCells(
        weight=weight,
        change=change,
        basis=values,
        slopes=basis.slopes(doses),
        inverse=inverse,
        present=present,
        coefficient=coefficient,
        covariates=treated.x,
        lever=lever @ np.linalg.inv(comparison.gram),
        residual=comparison.residual @ contrast,
    )
