"""Row and column effects: the projection against a regression on dummies, with cells, rows and columns that are not there."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from hinterland.measure.two_way import TwoWay


def test_the_projection_is_the_weighted_regression_on_dummies() -> None:
    rng = np.random.default_rng(0)
    weight = rng.uniform(0, 2, (2, 4, 5)) * (rng.uniform(size=(2, 4, 5)) > 0.3)
    weight[0, 2] = weight[1, :, 3] = 0.0
    x = rng.standard_normal((2, 4, 5))
    prepared = TwoWay.of(weight)
    off, rank = prepared.off(x), 0
    for g in range(2):
        p, q = np.nonzero(weight[g])
        dummies = np.column_stack([np.eye(4)[p], np.eye(5)[q]])
        root = np.sqrt(weight[g, p, q])
        fit, _, r, _ = np.linalg.lstsq(dummies * root[:, None], x[g, p, q] * root, rcond=None)
        assert_allclose(off[g, p, q], x[g, p, q] - dummies @ fit, atol=1e-12)
        rank += int(r)
        q_factor = np.linalg.svd(dummies * root[:, None], full_matrices=False)[0][:, : int(r)]
        assert_allclose(prepared.leverage()[g, p, q], (q_factor**2).sum(axis=1), atol=1e-12)
    assert prepared.rank.sum() == rank


def test_effects_of_an_additive_table_are_its_effects() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((3, 5))
    weight = (rng.uniform(size=(3, 4, 5)) > 0.2).astype(float)
    left, right = TwoWay.of(weight).effects(a[:, :, None] + b[:, None, :])
    assert_allclose(left[:, :, None] + right[:, None, :], a[:, :, None] + b[:, None, :], atol=1e-12)
