"""Input-output measures: the worked tables, pymrio, brute force by inverses, and identities on random tables."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.measure.extraction import extract
from hinterland.measure.inoperability import inoperability
from hinterland.measure.leontief import allocation, coefficients, factorised, output
from hinterland.measure.linkages import linkages
from hinterland.measure.multiregional import (
    by_region,
    induced_output,
    induced_value_added,
    net_transfer,
    table,
    table_of,
    transfer,
    upstreamness,
    value_added_coefficients,
    value_added_export_share,
)
from hinterland.measure.security import embodied_self_sufficiency

Z, F = np.array([[150.0, 500], [200, 100]]), np.array([350.0, 1700])
A0, F0 = np.array([[0.3, 0.1], [0.05, 0.25]]), np.array([[80.0, 20], [10, 60]])
A1, F1 = np.array([[0.28, 0.12], [0.08, 0.27]]), np.array([[85.0, 25], [20, 80]])


def random_table(regions: int = 3, sectors: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Deliveries [n, n] and final demand [n, R], with value added of at least a third of output."""
    rng = np.random.default_rng(seed)
    n = regions * sectors
    a = rng.dirichlet(np.ones(n), size=n).T * rng.uniform(0.2, 0.66, n)
    final = rng.uniform(1, 20, (n, regions))
    x = np.linalg.solve(np.eye(n) - a, final.sum(1))
    return a * x, final


def pymrio() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("pymrio")


def test_transfer_example() -> None:
    """To the six digits printed."""
    t = transfer(table_of(A0, F0), table_of(A1, F1))
    assert np.allclose(t.start, [[117.307692, 40.384615], [21.153846, 82.692308]], atol=5e-7)
    assert np.allclose(t.end, [[124.903101, 53.972868], [41.085271, 115.503876]], atol=5e-7)
    assert np.allclose(t.change, [[7.595408, 13.588253], [19.931425, 32.811568]], atol=5e-7)
    assert net_transfer(t.change)[0, 0, 1] == pytest.approx(-6.343172, abs=5e-7)
    assert np.allclose(t.structure, [[-1.671512, 2.197004], [5.595930, 4.768560]], atol=5e-7)
    assert np.allclose(t.demand, [[9.266920, 11.391249], [14.335495, 28.043008]], atol=5e-7)


def test_value_added_example() -> None:
    t = table_of(A0, F0)
    va = induced_value_added(t)
    assert np.allclose(va, [[76.25, 26.25], [13.75, 53.75]])
    assert va.sum() == pytest.approx(170) and np.allclose(va.sum(axis=0), F0.sum(axis=0))
    assert np.allclose(value_added_export_share(va), [26.25 / 102.5, 13.75 / 67.5])
    assert np.allclose(embodied_self_sufficiency(by_region(va), np.array([0])), [76.25 / 90, 26.25 / 80])
    assert np.allclose(value_added_coefficients(t, np.array([0.05, 0])), [0.6, 0.65])


def test_linkages_example() -> None:
    x = output(Z, F)
    assert x.tolist() == [1000, 2000]
    assert np.allclose(coefficients(Z, x), [[0.15, 0.25], [0.2, 0.05]])
    assert np.allclose(allocation(Z, x), [[0.15, 0.5], [0.1, 0.05]])
    one = np.eye(2)
    assert np.allclose(factorised(coefficients(Z, x)).solve(one), [[1.254125, 0.330033], [0.264026, 1.122112]], atol=5e-7)
    assert np.allclose(factorised(allocation(Z, x)).solve(one), [[1.254125, 0.660066], [0.132013, 1.122112]], atol=5e-7)
    found = linkages(Z, x)
    assert np.allclose(found.backward, [1.022222, 0.977778], atol=5e-7)
    assert np.allclose(found.forward, [1.208333, 0.791667], atol=5e-7)
    assert np.allclose(linkages(Z, x, forward="leontief").forward, [1.066667, 0.933333], atol=5e-7)
    column = np.array([1.254125, 0.264026])
    assert found.backward_variation[0] == pytest.approx(column.std(ddof=1) / column.mean(), abs=1e-5)


def test_pymrio_has_the_same_inverses() -> None:
    mrio, (z, final) = pymrio(), random_table()
    x = output(z, final)
    a, b = mrio.calc_A(z, x), mrio.calc_B(z, x)
    assert np.allclose(a, coefficients(z, x)) and np.allclose(b, allocation(z, x))
    leontief, ghosh = mrio.calc_L(a), mrio.calc_G(b)
    found = linkages(z, x)
    assert np.allclose(found.backward_total, leontief.sum(axis=0)) and np.allclose(found.forward_total, ghosh.sum(axis=1))
    assert np.allclose(induced_output(table(z, final)), leontief @ final)


def test_upstreamness_is_the_row_sum_of_ghosh() -> None:
    z, final = random_table(seed=2)
    x = output(z, final)
    u = upstreamness(z, x)
    assert np.allclose(u, linkages(z, x).forward_total) and (u >= 1).all()
    assert np.allclose(upstreamness(np.zeros((2, 2)), np.ones(2)), 1), "everything goes to final use"
    exports = 0.1 * x
    assert (upstreamness(z, x, net_exports=exports) > u).all()


def test_extraction_example() -> None:
    total = extract(Z, F, [np.array([0])], mode="total")
    assert np.allclose(total.remaining, [[0, 1789.473684]], atol=5e-7) and total.loss[0] == pytest.approx(1210.526316, abs=5e-7)
    kept = extract(Z, F, [np.array([0])])
    assert np.allclose(kept.remaining, [[350, 1789.473684]], atol=5e-7) and kept.loss[0] == pytest.approx(860.526316, abs=5e-7)
    assert kept.importance[0] == pytest.approx(860.526316 / 3000) and kept.loss_outside[0] == pytest.approx(210.526316, abs=5e-7)


@pytest.mark.parametrize("mode", ["keep_f", "total"])
@pytest.mark.parametrize("links", ["all", "external"])
def test_extraction_by_brute_force(mode: Any, links: Any) -> None:
    """Zero the rows and columns in A and solve the whole system again, for every region."""
    z, final = random_table(seed=3)
    f = final.sum(axis=1)
    n, a = len(f), coefficients(z, output(z, final))
    blocks = np.arange(n).reshape(3, 4)
    found = extract(z, f, list(blocks), mode=mode, links=links)
    for row, block in enumerate(blocks):
        cut, left = a.copy(), f.copy()
        inner = a[np.ix_(block, block)]
        cut[block], cut[:, block] = 0, 0
        if links == "external":
            cut[np.ix_(block, block)] = inner
        if mode == "total":
            left[block] = 0
        assert np.allclose(found.remaining[row], np.linalg.solve(np.eye(n) - cut, left))


def test_inoperability_example() -> None:
    x = output(Z, F)
    found = inoperability(Z, x, np.array([0.1, 0]))
    assert np.allclose(found.inoperability, [0.125413, 0.013201], atol=5e-7)
    a = coefficients(Z, x)
    interdependency = a * x[None, :] / x[:, None]
    assert np.allclose(found.inoperability, np.linalg.solve(np.eye(2) - interdependency, [0.1, 0]))
    # The loss of output is the Leontief response to the demand that is lost.
    assert np.allclose(found.loss, np.linalg.solve(np.eye(2) - a, [100, 0]))
    several = inoperability(Z, x, np.array([[0.1, 0], [0, 0.1]]))
    assert several.loss.shape == (2, 2) and np.allclose(several.inoperability[:, 0], found.inoperability)
    with pytest.raises(ValueError, match="between 0 and 1"):
        inoperability(Z, x, np.array([-0.1, 0]))


def test_tables_that_are_none() -> None:
    with pytest.raises(ValueError, match="square"):
        table(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="rows"):
        table(Z, np.ones((3, 1)))
    with pytest.raises(ValueError, match="gaps"):
        table(np.array([[np.nan, 1], [1, 1]]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="multiple"):
        table_of(np.zeros((3, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="not productive"):
        factorised(np.array([[0.6, 0.6], [0.6, 0.6]]))
    with pytest.raises(ValueError, match="singular"):
        factorised(np.eye(2))
    with pytest.raises(ValueError, match="use inputs"):
        coefficients(np.array([[0.0, 1], [0, 0]]), np.array([1.0, 0]))
    with pytest.raises(ValueError, match="deliver"):
        allocation(np.array([[0.0, 0], [1, 0]]), np.array([1.0, 0]))
    with pytest.raises(ValueError, match="same"):
        transfer(table_of(A0, F0), table_of(np.zeros((4, 4)), np.ones((4, 2))))
    with pytest.raises(ValueError, match="both"):
        transfer(table_of(A0, F0), table_of(A1, F1), start_weights=np.ones(2))
    with pytest.raises(ValueError, match="empty"):
        extract(Z, F, [np.array([], dtype=int)])


def test_sector_without_output_changes_nothing() -> None:
    z, f = np.zeros((3, 3)), np.append(F, 0.0)
    z[:2, :2] = Z
    assert np.allclose(extract(z, f, [np.array([0])]).loss, extract(Z, F, [np.array([0])]).loss)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 4))
def test_identities(seed: int, regions: int, sectors: int) -> None:
    (z0, f0), (z1, f1) = random_table(regions, sectors, seed), random_table(regions, sectors, seed + 1)
    start, end = table(z0, f0), table(z1, f1)
    x = output(z0, f0)
    t = transfer(start, end)
    assert np.allclose(t.start.sum(axis=1), x), "induced output sums to output"
    assert np.allclose(t.structure + t.demand, t.change, atol=1e-9 * x.sum()), "the decomposition is exact"
    assert np.allclose(induced_value_added(start).sum(axis=0), f0.sum(axis=0)), "value added sums to final demand"
    net = net_transfer(t.change)
    assert np.allclose(net, -net.transpose(2, 1, 0)), "antisymmetric"
    v = x - z0.sum(axis=0)
    ghosh = factorised(allocation(z0, x))
    assert np.allclose(ghosh.solve_transposed(v), x), "v'G = x'"
    inverse = np.linalg.inv(np.eye(len(x)) - start.coefficients)
    structure = 0.5 * (np.linalg.inv(np.eye(len(x)) - end.coefficients) - inverse) @ (f0 + f1)
    assert np.allclose(t.structure, structure, atol=1e-8 * x.sum())
    v0, v1 = value_added_coefficients(start), value_added_coefficients(end)
    weighted = transfer(start, end, start_weights=v0, end_weights=v1)
    assert np.allclose(weighted.change, induced_value_added(end) - induced_value_added(start))
    links = linkages(z0, x)
    assert links.backward.mean() == pytest.approx(1) and links.forward.mean() == pytest.approx(1)
