"""Static two-way fixed-effects coefficients of many permuted assignments at once.

N units, T periods, n rows, K adoption paths, r covariate directions, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.design import Design
from hinterland.evaluate.paths import covariate_basis
from hinterland.evaluate.regression import projection

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PathBatch:
    """A balanced design, reduced to what a unit contributes under each adoption path.

    A permutation keeps the number of units on each path, so the demeaned path q_k = p_k - mean(p_k) - period means + grand mean
    is the same in every draw, and a draw only picks, for each unit, one column of each of these tables.

    Attributes:
        outcome: [N, K] Σ_t y_it q_kt, with y residualised on covariates and both effects.
        square: [K] Σ_t q_kt².
        size: [K] units on each path.
        covariate: [N, K, r] Σ_t u_it q_kt over the covariate directions u;  cross: [N, r] Σ_t y_it u_it;  gram: [N, r, r] Σ_t u_it u_it'.
    """

    outcome: Floats
    square: Floats
    size: Floats
    covariate: Floats
    cross: Floats
    gram: Floats

    def __call__(self, assignments: Index) -> tuple[Floats, Floats]:
        """Coefficient [R] and influence of each unit on it [R, N] for the paths ``assignments`` [R, N].

        The influence is Σ_t d_it e_it / Σ d², with d the residualised treatment and e the residual of the draw's regression;
        its square, summed over clusters, is the sandwich variance without small-sample factor.
        """
        place = assignments + len(self.size) * np.arange(assignments.shape[1])
        contribution = self.outcome.ravel().take(place)
        own = self.square[assignments]
        total = float(self.size @ self.square)
        if self.covariate.shape[2] == 0:
            slope = contribution.sum(1) / total
            return slope, (contribution - slope[:, None] * own) / total
        direction = self.covariate.reshape(-1, self.covariate.shape[2]).take(place, axis=0)
        loading = direction.sum(1)
        rest = total - np.einsum("ij,ij->i", loading, loading)
        slope = contribution.sum(1) / rest
        fitted = np.einsum("rns,rs->rn", direction, loading)
        own = own - 2 * fitted + np.einsum("rs,nst,rt->rn", loading, self.gram, loading, optimize=True)
        return slope, (contribution - loading @ self.cross.T - slope[:, None] * own) / rest[:, None]


def path_batch(design: Design, code: Index, table: Floats) -> PathBatch:
    """Prepare the batch for a balanced design without weights and extra fixed effects.

    ``code`` [N] and ``table`` [K, T] are the units' treatment paths (:func:`~hinterland.evaluate.paths.treatment_codes`).
    """
    shape = (design.n_units, design.n_periods)
    size = np.bincount(code, minlength=len(table)).astype(np.float64)
    share = size @ table / size.sum()
    centred = table - table.mean(1, keepdims=True) - share + share.mean()
    prepared = projection(design, None)
    basis = covariate_basis(design, prepared)
    y = prepared.column(design.y)
    y = (y - basis @ (basis.T @ y)).reshape(shape)
    u = basis.reshape(*shape, -1)
    return PathBatch(
        outcome=y @ centred.T,
        square=np.einsum("ij,ij->i", centred, centred),
        size=size,
        covariate=np.einsum("ntr,kt->nkr", u, centred, optimize=True),
        cross=np.einsum("nt,ntr->nr", y, u),
        gram=np.einsum("ntr,nts->nrs", u, u),
    )
