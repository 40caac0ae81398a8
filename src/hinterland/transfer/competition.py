"""Homogenised competition: how far hosts go for the same industries.

Similarity of structures at the finest level rises with aggregation and is led by large industries (see the page on structure), so sets of key and of planned
industries stand beside it. Arrays: hosts are rows [H], industries columns [I].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.structure import cosine_similarity, jaccard, key_industries, krugman_similarity, pairwise

__all__ = ["Competition", "competition", "crowding"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Competition:
    """How alike hosts are, each [H, H], from 0 to 1.

    Attributes:
        cosine: coefficient of structural similarity (UNIDO 1979).
        krugman: 1 - ½ Σ|a - b| of structures.
        key: Jaccard index of the industries with the highest location quotients.
        planned: Jaccard index of planned industries; NaN where none are given.
        index: mean of ``krugman``, ``key`` and ``planned``, as far as they are known; the diagonal is NaN.
        host: mean of the index over the other hosts, [H].
    """

    cosine: Floats
    krugman: Floats
    key: Floats
    planned: Floats
    index: Floats
    host: Floats

    def __repr__(self) -> str:
        return f"Competition({len(self.host)} hosts)"


def competition(activity: Floats, hosts: NDArray[np.int64], planned: Bools | None = None, *, top: int = 10) -> Competition:
    """Compare hosts at the finest level of industries that there is.

    Args:
        activity: output or employment of all regions, [R, I]: the nation against which key industries are found.
        hosts: positions of the hosts among the regions, [H].
        planned: which industries each host plans to attract, [H, I].
        top: number of key industries.
    """
    own = activity[hosts]
    krugman, cosine = pairwise(own, krugman_similarity), pairwise(own, cosine_similarity)
    key = pairwise(key_industries(activity, top)[hosts], jaccard)
    plans = np.full(key.shape, np.nan) if planned is None else pairwise(planned, jaccard)
    stack = np.stack([krugman, key, plans])
    seen = np.isfinite(stack)
    index = np.where(seen.any(axis=0), np.where(seen, stack, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan)
    np.fill_diagonal(index, np.nan)
    others = np.isfinite(index)
    host = np.where(others.any(axis=1), np.where(others, index, 0.0).sum(axis=1) / np.maximum(others.sum(axis=1), 1), np.nan)
    return Competition(cosine, krugman, key, plans, index, host)


def crowding(index: Floats, aims: Bools) -> Floats:
    """Weight of the other hosts that aim at the same industry, Σ_{k≠h} S_hk B_ki/Σ_{k≠h} S_hk, [H, I], from 0 to 1.

    Args:
        index: similarity S of hosts, [H, H]; the diagonal and NaN take no part.
        aims: B, whether a host has, plans or would choose the industry, [H, I].
    """
    weight = np.nan_to_num(index)
    np.fill_diagonal(weight, 0.0)
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray((weight @ aims) / np.where(total > 0, total, 1.0), dtype=np.float64)
