"""What the estimators on moments share: cohorts inside the window, influence, small-sample factor, and the words about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.moments import PanelMoments
from hinterland.evaluate.vcov import Ssc
from hinterland.labels import Note

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Live:
    """The moments with cohorts beyond the window counted as never treated; ``early`` [K]: treated from the first period on."""

    moments: PanelMoments
    cohort: Ints
    early: NDArray[np.bool_]

    @property
    def mean(self) -> Floats:
        """[K, T] mean of z by cohort."""
        return self.moments.total / self.moments.mass[:, None]

    def n_treated(self, keep: NDArray[np.bool_]) -> int:
        """Treated units in the cohorts ``keep`` [K]."""
        return int(self.moments.n_units[keep & (self.cohort != NEVER)].sum())


def small_sample(live: Live, use: NDArray[np.bool_], k: int, ssc: Ssc) -> tuple[float, float, int, int]:
    """Small-sample factor of the covariance, degrees of freedom, K, and the number of clusters."""
    moments = live.moments
    units, periods = int(moments.n_units[use].sum()), len(moments.periods)
    mass = moments.cluster_mass
    clusters = units if mass is None else int((mass[:, use].sum(axis=1) > 0).sum())
    counted = {"none": 0, "full": units + periods - 1, "nonnested": periods}[ssc.k_fixef]
    rows = units * periods
    inflate = (rows - 1) / (rows - k - counted) if ssc.k_adj else 1.0
    groups = clusters / (clusters - 1) if ssc.g_adj and clusters > 1 else 1.0
    return inflate * groups, float(clusters - 1 if ssc.t_df == "min" else rows - k - counted), k + counted, clusters


def influence_of(live: Live, loadings: Floats) -> Floats:
    """Rows whose cross-product is the covariance: the clusters' own, or by cohort and dimension when clusters are units."""
    moments = live.moments
    if moments.cross is None:
        sums = np.concatenate([moments.cluster_total, moments.cluster_mass[..., None]], axis=2)  # type: ignore[index]  # both are there then
        return np.asarray(np.einsum("cgt,gtp->cp", sums, loadings))
    values, vectors = np.linalg.eigh(moments.cross)
    root = np.sqrt(np.maximum(values, 0.0))[:, :, None] * np.swapaxes(vectors, 1, 2)
    return np.asarray((root @ loadings).reshape(-1, loadings.shape[-1]))


def labels_of(live: Live) -> NDArray[np.str_]:
    """What each row of the influence is: a cluster, or a cohort and a dimension of its outcomes."""
    if live.moments.cross is None:
        return live.moments.labels
    return np.array([f"{g} {d}" for g in live.cohort for d in range(len(live.moments.periods) + 1)], dtype=np.str_)


def left_out(live: Live, use: NDArray[np.bool_]) -> list[Note]:
    """Notes on units with gaps and on units treated throughout."""
    moments = live.moments
    notes = (
        [Note("moments-left-out", {"units": moments.left_out.get("units", 0), "rows": moments.left_out.get("rows", 0)})]
        if moments.left_out
        else []
    )
    early = int(moments.n_units[live.early].sum())
    if early:
        code = "moments-always-treated-kept" if use[live.early].all() else "moments-always-treated-dropped"
        notes.append(Note(code, {"count": early, "first": int(moments.periods[0])}))
    return notes


def facts_of(live: Live, use: NDArray[np.bool_], clusters: int) -> dict[str, Any]:
    """Sample sizes and settings for the result's ``meta``."""
    moments = live.moments
    units = int(moments.n_units[use].sum())
    return {
        "n_obs": units * len(moments.periods),
        "n_units": units,
        "n_treated": live.n_treated(use),
        "n_never": int(moments.n_units[use & (live.cohort == NEVER)].sum()),
        "n_periods": len(moments.periods),
        "first_period": int(moments.periods[0]),
        "last_period": int(moments.periods[-1]),
        "n_clusters": clusters,
        "cluster": moments.cluster,
        "vcov": "cluster",
        "weights": moments.weight or "",
        "covariates": "",
        "engine": moments.engine,
        "compressed": moments.cross is not None,
    }
