"""Treatment paths: on absorbing adoption the whole treatment matrix is one path per cohort (and share covered).

N units, T periods, n rows. Index a of a unit is the position of its first treated period: 0 = treated throughout, T = never.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import Absorber, project_off
from hinterland.evaluate.regression import column_scale, dosed, gram_of, independent_columns, treatment

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


def adoption_index(design: Design) -> Index:
    """[N] position of each unit's first treated period, 0 … T (T = never treated in the window)."""
    return np.searchsorted(design.periods, design.cohort, side="left")


def treatment_codes(design: Design) -> tuple[Index, Floats]:
    """[N] which treatment path each unit is on, and the K distinct paths [K, T] (times the share covered, where partial)."""
    adoption = adoption_index(design)
    dose = design.dose if dosed(design) else np.ones(design.n_units)
    dose = np.where(adoption == design.n_periods, 0.0, dose)
    distinct, code = np.unique(np.column_stack([adoption, dose]), axis=0, return_inverse=True)
    path = np.arange(design.n_periods) >= distinct[:, :1]
    return code.ravel().astype(np.intp), path * distinct[:, 1:]


def covariate_basis(design: Design, prepared: Absorber) -> Floats:
    """[n, r] orthonormal basis of what the fixed effects leave of the covariates (times the root of the weights).

    Columns that ``twfe`` drops, because the fixed effects, the treatment or earlier covariates explain them, are left out.
    """
    if design.covariates.shape[1] == 0:
        return np.empty((design.n_obs, 0))
    columns = np.column_stack([treatment(design), design.covariates])
    x = project_off(prepared, columns)
    kept = independent_columns(gram_of(x, design.weight), *column_scale(columns, design.weight))[1:]
    x = x[:, 1:][:, kept]
    return np.linalg.qr(x if design.weight is None else x * np.sqrt(design.weight)[:, None])[0]
