"""Flows of firms: intensity, kinds of link, patterns of transfer."""

from __future__ import annotations

import numpy as np
import pytest

from hinterland.measure.flows import LINKS, PATTERNS, complexity_gap, link_kind, link_shares, pattern, tiers, undertaking_intensity


def test_undertaking_intensity() -> None:
    flows = np.array([[5.0, 3, 0], [5, 3, 0], [0, 0, 0]])
    found = undertaking_intensity(flows)
    assert np.allclose(found[:2], [0.5, 0.5]) and np.isnan(found[2])
    assert undertaking_intensity(np.stack([flows, flows])).shape == (2, 3)


def test_kinds_of_link_and_their_threshold() -> None:
    need = np.array([[0.1, 0.02, 0.0], [0.004, 0.0, 0.0], [0.0, 0.0, 0.0]])
    child, parent = np.array([0, 0, 1, 2]), np.array([0, 1, 0, 0])
    assert [LINKS[k] for k in link_kind(child, parent, need, 0.01)] == [
        "horizontal",
        "vertical-upstream",
        "vertical-downstream",
        "unrelated",
    ]
    # At the lowest threshold the third pair supplies its parent as well, and upstream comes first.
    assert link_kind(child, parent, need, 0.001).tolist() == [0, 1, 1, 3]
    assert link_kind(child, parent, need, 0.05).tolist() == [0, 3, 3, 3]
    found = link_shares(child, parent, np.array([4.0, 3, 2, 1]), need, [0.001, 0.01, 0.05])
    assert np.allclose(found, [[0.4, 0.5, 0, 0.1], [0.4, 0.3, 0.2, 0.1], [0.4, 0, 0, 0.6]])
    assert np.isnan(link_shares(child, parent, np.zeros(4), need, [0.01])).all()


def test_tiers_are_quartiles() -> None:
    assert tiers(np.arange(8.0)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    found = tiers(np.array([1.0, np.nan, 2, 3]), count=2)
    assert np.isnan(found[1]) and found[[0, 2, 3]].tolist() == [1, 1, 2]


def test_complexity_gap() -> None:
    gap = complexity_gap(np.array([[1.0, 1, 0], [0, 0, 0]]), np.array([-1.0, 0, 2]))
    assert np.allclose(gap[0], [-0.5, 0.5, 2.5]) and np.isnan(gap[1]).all()


def test_patterns() -> None:
    tier = np.array([4.0, 2, 1])
    gap, z = np.array([[0.0], [1], [-1]]), np.array([[0.5], [-0.5], [0.5]])
    source, host = np.array([0, 0, 2, 1, 2]), np.array([2, 1, 0, 1, 1])
    found = pattern(source, host, np.zeros(5, dtype=int), tier=tier, gap=gap, relatedness=z)
    assert [PATTERNS[k] for k in found.label] == ["gradient", "leapfrog", "reverse-gradient", "leapfrog", "leapfrog"]
    assert found.tier_gap.tolist() == [3, 2, -3, 0, -1]
    level = pattern(np.array([0]), np.array([0]), np.array([0]), tier=tier, gap=gap, relatedness=z)
    assert PATTERNS[level.label[0]] == "lateral"
    unknown = pattern(np.array([0]), np.array([1]), np.array([0]), tier=np.array([np.nan, 1, 1]), gap=gap, relatedness=z)
    assert unknown.label[0] == -1 and np.isnan(unknown.tier_gap[0])


@pytest.mark.parametrize(("threshold", "label"), [(0.0, "gradient"), (0.6, "leapfrog")])
def test_thresholds_decide(threshold: float, label: str) -> None:
    found = pattern(
        np.array([0]),
        np.array([1]),
        np.array([0]),
        tier=np.array([2.0, 1]),
        gap=np.ones((2, 1)),
        relatedness=np.full((2, 1), 0.5),
        relatedness_threshold=threshold,
    )
    assert PATTERNS[found.label[0]] == label
