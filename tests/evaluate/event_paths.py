"""Event-time effects with a given path and covariance, shared by the tests of what is built on event studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.result import Effects, Terms

Floats = NDArray[np.float64]


def make_effects(
    estimates: Sequence[float] | Floats,
    vcov: Any,
    times: Sequence[int],
    *,
    reference: int | None = -1,
    clusters: int = 200,
    seed: int = 0,
    **meta: Any,
) -> Effects:
    """Effects by event time with an influence function that gives ``vcov`` exactly; ``reference`` (``None``: no such term) is put in."""
    estimates, vcov = np.asarray(estimates, dtype=np.float64), np.asarray(vcov, dtype=np.float64)
    k = len(times)
    draws = np.random.default_rng(seed).normal(size=(clusters, k))
    orthogonal = np.linalg.qr(draws - draws.mean(axis=0))[0]
    influence = orthogonal @ np.linalg.cholesky(vcov + 1e-300 * np.eye(k)).T
    event, zero = np.array(times), np.zeros(k, dtype=bool)
    if reference is not None:
        at = int(np.searchsorted(event, reference))
        event, zero = np.insert(event, at, reference), np.insert(zero, at, True)
        estimates, influence = np.insert(estimates, at, 0.0), np.insert(influence, at, 0.0, axis=1)
    terms = Terms.make(tuple(f"event-time {e}" for e in event), event_time=event, reference=zero, n_treated=np.full(len(event), 50))
    labels = np.array([f"c{i}" for i in range(clusters)])
    facts = {"anticipation": 0, "n_clusters": clusters, "vcov": "cluster", **meta}
    return Effects("event-study", "y", "event-time", terms, estimates, influence.T @ influence, influence, labels, meta=facts)
