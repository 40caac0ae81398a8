"""Complexity: the worked example, peers, brute force, and every way in which a matrix can be awkward."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hinterland.measure.complexity import complexity, fitness, presence, presence_of, specialisation

M = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], dtype=float)


def activity(regions: int = 40, industries: int = 25, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 1.5, (regions, industries))


def peer(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def test_worked_example() -> None:
    """To the six digits printed."""
    c = complexity(M)
    assert np.allclose(c.eci, [0.418208, -0.152682, -0.854137, -1.101941, 1.690552], atol=5e-7)
    assert np.allclose(c.pci, [-1.150272, -0.775254, 0.629576, 1.295951], atol=5e-7)
    assert np.allclose(c.eigenvalues, [1, 0.456882, 0.118371], atol=5e-7)
    assert c.sign_correlation == pytest.approx(0.35, abs=0.005) and c.sign_by == "diversity" and not c.sign_doubtful
    assert c.components == 1 and c.residual < 1e-12


def test_second_eigenvector_of_the_markov_matrix() -> None:
    """Brute force: W̃ = D⁻¹MU⁻¹M' from its definition, with a general eigensolver."""
    m = presence(activity()).matrix
    walk = (m / m.sum(1)[:, None]) @ (m / m.sum(0)).T
    values, vectors = np.linalg.eig(walk)
    order = np.argsort(-values.real)
    c = complexity(m)
    assert np.allclose(c.eigenvalues, values.real[order[:3]], atol=1e-12)
    assert abs(np.corrcoef(vectors[:, order[1]].real, c.eci)[0, 1]) == pytest.approx(1, abs=1e-9)
    raw = vectors[:, order[1]].real
    assert np.allclose(walk @ raw, values.real[order[1]] * raw, atol=1e-12)
    assert c.residual < 1e-8


@pytest.mark.parametrize("shape", [(40, 25), (25, 60)])
def test_peers(shape: tuple[int, int]) -> None:
    econcomplex, pd = peer("econcomplex"), peer("pandas")
    x = activity(*shape, seed=3)
    p = presence(x)
    assert len(p.regions) == shape[0] and len(p.industries) == shape[1]
    c = complexity(p.matrix)
    eci, pci = econcomplex.eci_pci(x)
    assert np.allclose(c.eci, eci, atol=1e-9)
    # It signs the PCI on its own, against ubiquity; ours keeps the sign that makes the ECI the mean PCI of what a region has.
    assert np.allclose(c.pci, np.sign(c.pci @ pci) * pci, atol=1e-9)
    assert np.array_equal(p.matrix, econcomplex.mcp(x))
    ecomplexity = peer("ecomplexity")
    frame = pd.DataFrame({"t": 1, "r": np.repeat(range(shape[0]), shape[1]), "i": np.tile(range(shape[1]), shape[0]), "v": x.ravel()})
    names = {"time": "t", "loc": "r", "prod": "i", "val": "v"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ecomplexity.ecomplexity(frame, names, check_logsupermodularity=False, verbose=False)
    eci = theirs.groupby("r")["eci"].first().to_numpy()
    pci = theirs.groupby("i")["pci"].first().to_numpy()
    assert np.allclose(c.eci, eci, atol=1e-9)
    # It standardises the PCI with the mean and spread of the ECI; ours has mean 0 and spread 1 of its own.
    assert np.allclose(c.pci, (pci - pci.mean()) / pci.std(), atol=1e-9)


def test_regions_are_the_mean_of_their_industries() -> None:
    m = presence(activity(seed=3)).matrix
    c = complexity(m)
    mean = m @ c.pci / m.sum(1)
    assert np.allclose((mean - mean.mean()) / mean.std(), c.eci, atol=1e-9)


def test_revealed_advantage_is_the_location_quotient() -> None:
    from hinterland.measure.agglomeration import location_quotient

    x = activity()
    x[3, 4] = np.nan
    assert np.allclose(specialisation(x), location_quotient(x), equal_nan=True)


def test_rows_and_columns_of_zeros_are_dropped_until_none_is_left() -> None:
    m = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=float)
    p = presence_of(m)
    assert p.matrix.shape == (2, 2)
    assert p.dropped_regions.tolist() == [2] and p.dropped_industries.tolist() == [2, 3]
    with pytest.raises(ValueError, match="empty"):
        complexity(m)
    with pytest.raises(ValueError, match="empty"):
        fitness(m)


def test_small_regions_are_dropped_before_advantages_are_computed() -> None:
    x = activity()
    x[5] *= 1e-6
    p = presence(x, floor=0.01)
    assert p.small_regions.tolist() == [5] and 5 in p.dropped_regions
    assert np.array_equal(p.matrix, presence(np.delete(x, 5, axis=0)).matrix)
    x[7] = 0.0
    assert 7 in presence(x).dropped_regions and 7 not in presence(x).small_regions


def test_cell_not_observed_is_never_present() -> None:
    x = activity()
    was = presence(x).matrix
    r, i = np.argwhere(was > 0)[0]
    x[r, i] = np.nan
    assert presence(x).matrix[r, i] == 0


def test_disconnected_graph_uses_the_largest_component() -> None:
    m = np.zeros((7, 6))
    m[:5, :4], m[5:, 4:] = M, 1
    c = complexity(m)
    assert c.components == 2
    assert c.regions.tolist() == [True] * 5 + [False] * 2 and c.industries.tolist() == [True] * 4 + [False] * 2
    assert np.allclose(c.eci[:5], complexity(M).eci) and np.isnan(c.eci[5:]).all() and np.isnan(c.pci[4:]).all()
    with pytest.raises(ValueError, match="largest connected component"):
        complexity(np.eye(3))


def test_no_second_dimension() -> None:
    c = complexity(np.ones((4, 3)))
    assert np.isnan(c.eci).all() and np.isnan(c.pci).all() and c.sign_doubtful


def test_sign_follows_diversity_then_the_previous_year() -> None:
    m = presence(activity(seed=5)).matrix
    c = complexity(m)
    assert np.corrcoef(c.eci, m.sum(1))[0, 1] >= 0
    flipped = complexity(m, reference=-c.eci)
    assert np.allclose(flipped.eci, -c.eci) and np.allclose(flipped.pci, -c.pci) and flipped.sign_by == "reference"
    nothing = complexity(m, reference=np.full(len(m), np.nan))
    assert np.allclose(nothing.eci, c.eci) and nothing.sign_by == "diversity"


def test_doubtful_sign_is_said() -> None:
    ring = np.eye(6) + np.roll(np.eye(6), 1, axis=1)
    assert complexity(ring).sign_doubtful, "every region has two industries: diversity cannot tell the ends apart"


def test_fitness_fixed_point_and_peer() -> None:
    econcomplex = peer("econcomplex")
    m = presence(activity(seed=2)).matrix
    f = fitness(m, iterations=2000)
    assert f.converged and f.change < 1e-8 and f.iterations < 2000
    assert f.fitness.mean() == pytest.approx(1) and f.complexity.mean() == pytest.approx(1)
    theirs, complexities = econcomplex.fitness_complexity(m, use_rca=False, threshold=0.5, iterations=2000)
    # They use the new fitness within a step; the limit is the same.
    assert np.allclose(f.fitness, theirs, rtol=1e-5) and np.allclose(f.complexity, complexities, rtol=1e-5)


def test_fitness_says_when_it_has_not_converged() -> None:
    triangle = np.tril(np.ones((12, 12)))
    f = fitness(triangle)
    assert f.iterations == 200 and not f.converged and np.isfinite(f.fitness).all() and np.isfinite(f.complexity).all()


matrices = arrays(np.float64, st.tuples(st.integers(4, 12), st.integers(4, 12)), elements=st.sampled_from([0.0, 1.0, 1.0]))


@settings(max_examples=60, deadline=None)
@given(matrices, st.randoms(use_true_random=False))
def test_order_of_regions_does_not_matter(raw: np.ndarray, random: Any) -> None:
    m = presence_of(raw).matrix
    if min(m.shape, default=0) < 3:
        return
    try:
        c = complexity(m)
    except ValueError:
        return
    assert c.residual < 1e-8 or np.isnan(c.eci).all()
    gap = c.eigenvalues[1] - (c.eigenvalues[2] if len(c.eigenvalues) > 2 else 0.0)
    if np.isnan(c.eci).all() or gap < 1e-6 or c.sign_correlation < 1e-6 or np.isnan(c.sign_correlation) or c.components > 1:
        return
    order = list(range(len(m)))
    random.shuffle(order)
    assert np.allclose(complexity(m[order]).eci, c.eci[order], atol=1e-6)
    used = c.eci[c.regions]
    assert used.mean() == pytest.approx(0, abs=1e-9) and used.std() == pytest.approx(1)
