"""Relatedness: the worked example, peers with their scale traps, and outlook gains against the outlook itself."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure.complexity import complexity, presence, specialisation
from hinterland.measure.relatedness import (
    QUADRANTS,
    capped_cosine,
    density,
    entry,
    flow_proximity,
    outlook_gain,
    outlook_index,
    proximity,
    quadrant,
    relative_density,
)

M = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], dtype=float)
X = np.random.default_rng(4).lognormal(0, 1.5, (40, 25))


def peer(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def test_worked_example() -> None:
    """To the six digits printed."""
    phi = proximity(M)
    assert np.allclose(phi[np.triu_indices(4, 1)], [0.75, 0.5, 0.25, 0.666667, 0.333333, 0.666667], atol=5e-7)
    assert (phi.diagonal() == 0).all() and np.array_equal(phi, phi.T)
    omega = density(M, phi)
    assert np.allclose(omega[1], [0.833333, 0.809524, 0.636364, 1.0], atol=5e-7)
    assert np.allclose(omega[4], [0.5, 0.571429, 0.363636, 0.533333], atol=5e-7)


def test_peers_and_their_diagonals() -> None:
    econcomplex = peer("econcomplex")
    m = presence(X).matrix
    assert np.allclose(proximity(m), econcomplex.proximity(X, compute="product")["product"], atol=1e-12)
    # Theirs is in per cent.
    assert np.allclose(density(m, proximity(m)), econcomplex.relatedness_density(X) / 100, atol=1e-12)
    assert np.allclose(relative_density(density(m, proximity(m)), m), econcomplex.relative_relatedness(X), atol=1e-9, equal_nan=True)
    calc_proximity, calc_density = peer("ecomplexity.calc_proximity"), peer("ecomplexity.calc_density")
    theirs = calc_proximity.calc_discrete_proximity(m, m.sum(0))
    # ecomplexity 0.5.3 keeps φ_ii = 1, so that an industry is near to itself.
    assert np.allclose(proximity(m, diagonal=1), theirs, atol=1e-12)
    assert np.allclose(density(m, proximity(m, diagonal=1)), calc_density.calc_density(m, theirs), atol=1e-12)


def test_other_proximities() -> None:
    econcomplex = peer("econcomplex")
    m = presence(X).matrix
    conditional = proximity(m, method="conditional")
    assert conditional[0, 1] == pytest.approx((m[:, 0] * m[:, 1]).sum() / m[:, 1].sum())
    assert np.allclose(np.minimum(conditional, conditional.T), proximity(m))
    theirs = econcomplex.proximity(X, compute="product", method="sqrt")["product"]
    assert np.allclose(proximity(m, method="cosine"), theirs, atol=1e-12)
    assert np.allclose(capped_cosine(specialisation(X), cap=np.inf), econcomplex.cosine_proximity(X), atol=1e-12)
    capped = capped_cosine(specialisation(X), cap=2.0, diagonal=1)
    assert (capped <= 1 + 1e-12).all() and np.allclose(capped.diagonal(), 1)


def test_flow_proximity_of_chance_is_a_half() -> None:
    margins = np.array([1.0, 2, 3, 4])
    chance = np.outer(margins, margins)
    phi = flow_proximity(chance)
    off = ~np.eye(4, dtype=bool)
    by_hand = np.zeros((4, 4))
    between = np.where(off, chance, 0)
    for i in range(4):
        for j in range(4):
            if i != j:
                r = [between[a, b] * between.sum() / (between[a].sum() * between[:, b].sum()) for a, b in ((i, j), (j, i))]
                by_hand[i, j] = sum(x / (1 + x) for x in r) / 2
    assert np.allclose(phi, by_hand)
    uniform = flow_proximity(np.ones((60, 60)))
    assert np.allclose(uniform[~np.eye(60, dtype=bool)], 0.5, atol=0.01)
    assert (flow_proximity(np.zeros((3, 3))) == 0).all()


def test_industry_near_to_none_has_no_density() -> None:
    m = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=float)
    assert np.isnan(density(m, proximity(m))[:, 2]).all()
    assert np.isfinite(density(m, proximity(m))[:, :2]).all()


def test_outlook_and_its_peers() -> None:
    m = presence(X).matrix
    pci, phi = complexity(m).pci, proximity(m)
    omega = density(m, phi)
    econcomplex, coicog = peer("econcomplex"), peer("ecomplexity.coicog")
    assert np.allclose(outlook_index(omega, m, pci), econcomplex.complexity_outlook_index(X, pci), atol=1e-12)
    coi, cog = coicog.calc_coi_cog(SimpleNamespace(density_t=omega, mcp_t=m, pci_t=pci), phi)
    assert np.allclose(outlook_index(omega, m, pci), coi, atol=1e-12)
    assert np.allclose(outlook_gain(phi, m, pci), cog, atol=1e-12)
    # econcomplex 1.0.1 divides by the sum of the entered industry's row, not of the one whose density rises; the test below settles it.
    assert not np.allclose(outlook_gain(phi, m, pci), econcomplex.complexity_outlook_gain(X, pci), atol=1e-3)


def test_gain_is_what_entry_adds_to_the_outlook() -> None:
    """Brute force: enter one industry, compute the outlook again; the industry's own term leaves it."""
    m = presence(X).matrix
    pci, phi = complexity(m).pci, proximity(m)
    omega, gain = density(m, phi), outlook_gain(phi, m, pci)
    before = outlook_index(omega, m, pci)
    for r, i in np.argwhere(m == 0)[::37]:
        after = m.copy()
        after[r, i] = 1
        change = outlook_index(density(after, phi), after, pci)[r] - before[r]
        assert change == pytest.approx(gain[r, i] - omega[r, i] * pci[i], abs=1e-12)
    assert (gain[m > 0] == 0).all()


def test_relative_density_over_all_industries() -> None:
    m = presence(X).matrix
    z = relative_density(density(m, proximity(m)), m, over="all")
    assert np.allclose(z.mean(axis=1), 0, atol=1e-12) and np.allclose(z.std(axis=1), 1)
    assert np.isnan(relative_density(np.full((2, 3), 0.5), np.zeros((2, 3)))).all()


def test_entry_and_quadrants() -> None:
    after = M.copy()
    after[3, 1] = 1
    found = entry(M, after)
    assert found[3, 1] == 1 and found[3, 2] == 0 and np.isnan(found[0]).all()
    omega, pci = density(M, proximity(M)), complexity(M).pci
    q = quadrant(omega, pci, M)
    assert (q[M > 0] == -1).all()
    # Region d lacks x, y, z with densities (.4286, .2727, .2) and complexities rising from x to z: medians are those of y.
    assert q[3, 1:].tolist() == [1, 0, 2] and [QUADRANTS[k] for k in q[3, 1:]] == ["slow-road", "dead-end", "casino"]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.sampled_from([0.0, 1.0])))
def test_density_is_a_share(m: np.ndarray) -> None:
    omega = density(m, proximity(m))
    seen = np.isfinite(omega)
    assert ((omega[seen] >= 0) & (omega[seen] <= 1)).all()
    assert (proximity(m).diagonal() == 0).all()
