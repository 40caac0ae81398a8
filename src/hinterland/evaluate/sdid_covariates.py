"""Covariates of synthetic difference-in-differences, projected out of the outcome on the controls.

Clarke, Pailañir, Athey & Imbens (2023), after Kranz (2022): the outcome is regressed on the covariates with unit and
period effects among the controls, and the method runs on what is left of it. The coefficients are a regression's, and do not
depend on the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import listed
from hinterland.evaluate.sdid_sample import Sample
from hinterland.labels import Note

Floats = NDArray[np.float64]

_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class Projection:
    """``names`` of the k covariates kept;  ``x`` [N, T, k];  ``beta`` [k];  ``without`` [C, k] the coefficients without each cluster's
    controls;  notes.
    """

    names: tuple[str, ...]
    x: Floats
    beta: Floats
    without: Floats
    notes: tuple[Note, ...]


def project(sample: Sample) -> Projection | None:
    """The coefficients of the covariates; ``None`` without covariates."""
    design = sample.design
    k = design.covariates.shape[1]
    if k == 0:
        return None
    x = np.asarray(design.covariates).reshape(design.n_units, design.n_periods, k)[:, : len(sample.periods)]
    within, y = _two_way(x[sample.controls]), _two_way(sample.y[sample.controls][:, :, None])[:, :, 0]
    gram = np.einsum("itj,itk->jk", within, within)
    keep = _independent(gram, np.einsum("itj,itj->j", x[sample.controls], x[sample.controls]))
    lost = [n for n, kept in zip(design.covariate_names, keep, strict=True) if not kept]
    notes = (Note("collinear-dropped", {"names": listed(lost, 12)}),) if lost else ()
    if not keep.any():
        return Projection((), x[:, :, :0], np.empty(0), np.empty((sample.n_clusters, 0)), notes)
    x, within, gram = x[:, :, keep], within[:, :, keep], gram[np.ix_(keep, keep)]
    moment = np.einsum("itk,it->k", within, y)
    beta = np.linalg.solve(gram, moment)
    names = tuple(n for n, kept in zip(design.covariate_names, keep, strict=True) if kept)
    return Projection(names, x, beta, _leave_out(sample, within, y, gram, moment), notes)


def _two_way(values: Floats) -> Floats:
    """[n, T, k] net of unit and period means (balanced)."""
    values = values - values.mean(axis=1, keepdims=True)
    return np.asarray(values - values.mean(axis=0, keepdims=True))


def _leave_out(sample: Sample, x: Floats, y: Floats, gram: Floats, moment: Floats) -> Floats:
    """[C, k] coefficients without the controls of each cluster: sums less the cluster's, and its part in the period means."""
    cross = sample.by_cluster(np.einsum("itj,itk->ijk", x, x), sample.controls)
    right = sample.by_cluster(np.einsum("itk,it->ik", x, y), sample.controls)
    sums, total = sample.by_cluster(x, sample.controls), sample.by_cluster(y, sample.controls)
    left = len(sample.controls) - sample.count_by_cluster(sample.controls)
    share = np.where(left > 0, 1.0 / np.maximum(left, 1.0), 0.0)
    g = gram - cross - share[:, None, None] * np.einsum("ctj,ctk->cjk", sums, sums)
    m = moment - right - share[:, None] * np.einsum("ctk,ct->ck", sums, total)
    return np.asarray((np.linalg.pinv(g, rcond=1e-12, hermitian=True) @ m[:, :, None])[:, :, 0])


def _independent(gram: Floats, size: Floats) -> NDArray[np.bool_]:
    """[k] covariates that vary beside the fixed effects and are no combination of those before them."""
    scale = np.diag(gram).copy()
    keep = scale > _COLLINEAR * size
    left = gram.copy()
    for j in range(len(gram)):
        if not keep[j] or left[j, j] < _COLLINEAR * scale[j]:
            keep[j] = False
            continue
        left -= np.outer(left[:, j], left[j]) / left[j, j]
    return np.asarray(keep)
