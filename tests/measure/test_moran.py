"""Moran, Geary, local Moran: worked examples, esda, exact permutations, size, false discoveries."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array
from scipy.stats import kstest

from hinterland.errors import InputError
from hinterland.measure.entry import measure
from hinterland.measure.lisa import conditional_moments, false_discovery, local_moran
from hinterland.measure.moran import Draws, geary, moran, permutation_p
from hinterland.measure.weights import from_pairs, nearest, row_standardised

CHAIN = from_pairs(np.array([0, 1, 2]), np.array([1, 2, 3]), 4)
LINE = np.array([1.0, 2, 3, 4])


def places(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(100, 115, n), rng.uniform(22, 38, n)])


def weights(n: int, seed: int = 0, count: int = 5) -> csr_array:
    return row_standardised(nearest(places(n, seed), count))


def test_worked_example() -> None:
    row = row_standardised(CHAIN)
    assert moran(LINE, row).value == pytest.approx(0.4, abs=1e-15)
    assert moran(LINE, CHAIN).value == pytest.approx(1 / 3, abs=1e-15)
    assert geary(LINE, row).value == pytest.approx(0.3, abs=1e-15)
    assert local_moran(LINE, row, Draws(0)).value == pytest.approx([0.45, 0.15, 0.15, 0.45], abs=1e-15)


def test_esda_agrees_on_values_and_moments() -> None:
    """esda 2.8.2 to rounding; its local moments are those of the n scaling, its local values those of n - 1, so its moments are mapped by (n-1)/n."""
    from esda.geary import Geary
    from esda.moran import Moran, Moran_Local
    from libpysal.weights import WSP

    n, w = 120, weights(120)
    y = np.asarray(w @ np.random.default_rng(1).lognormal(size=n))
    theirs_w = WSP(w).to_W(silence_warnings=True)
    ours, theirs = moran(y, w), Moran(y, theirs_w, permutations=0)
    assert [ours.value, ours.expected, ours.variance, ours.p_value] == pytest.approx(
        [theirs.I, theirs.EI, theirs.VI_rand, theirs.p_rand], abs=1e-12
    )
    c, their_c = geary(y, w), Geary(y, theirs_w, permutations=0)
    assert [c.value, c.variance] == pytest.approx([their_c.C, their_c.VC_rand], abs=1e-12)
    assert c.p_value == pytest.approx(2 * their_c.p_rand, abs=1e-12), "esda prints one tail for Geary"
    local, their_local = local_moran(y, w, Draws(0)), Moran_Local(y, theirs_w, permutations=0)
    assert np.allclose(local.value, their_local.Is, atol=1e-12) and np.array_equal(local.quadrant, their_local.q)
    assert np.allclose(local.expected, their_local.EIc * (n - 1) / n, atol=1e-12)
    assert np.allclose(local.variance, their_local.VIc * ((n - 1) / n) ** 2, atol=1e-12)
    assert local.value.sum() / n == pytest.approx(ours.value * (n - 1) / n, abs=1e-12), "local values add up to the global one"


def test_permutations_of_four_regions_are_all_orders() -> None:
    """10 000 draws of 24 orders: each value as often as its share, within 4 standard deviations; p-values against the exact ones."""
    row, z = row_standardised(CHAIN), LINE - 2.5
    exact = np.array([z[list(o)] @ (row @ z[list(o)]) * 4 / 4 / (z @ z) for o in permutations(range(4))])
    found = moran(LINE, row, Draws(10_000, 3, "greater"))
    assert abs(found.draws.mean() - exact.mean()) < 4 * exact.std() / 100
    assert exact.mean() == pytest.approx(found.expected, abs=1e-12) and exact.var() == pytest.approx(found.variance, abs=1e-12)
    share = (exact >= found.value - 1e-9).mean()
    assert found.p_permutation == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share)) / 100)
    c = geary(LINE, row, Draws(10_000, 3))
    for draw in np.unique(c.draws.round(9)):
        assert any(
            abs(draw - 3 / (2 * 4 * (z @ z)) * sum(row[i, j] * (z[o[i]] - z[o[j]]) ** 2 for i in range(4) for j in range(4))) < 1e-8
            for o in permutations(range(4))
        )


def test_alternatives() -> None:
    draws = np.arange(1.0, 100)
    for alternative, p in (("greater", 0.06), ("less", 0.96), ("two-sided", 0.12), ("directed", 0.06)):
        assert float(permutation_p(np.array(95.0), draws, alternative)) == pytest.approx(p)  # type: ignore[arg-type]


def test_p_values_are_uniform_without_dependence() -> None:
    """600 worlds of 30 regions: permutation p (99 draws, jittered over its grid) and normal p uniform by Kolmogorov-Smirnov."""
    rng, w = np.random.default_rng(5), weights(30)
    results = [moran(rng.normal(size=30), w, Draws(99, s, "greater")) for s in range(600)]
    p = np.array([r.p_permutation for r in results]) - rng.uniform(0, 0.01, 600)
    assert kstest(p, "uniform").pvalue > 0.001
    assert abs(np.mean([r.p_value < 0.05 for r in results]) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 600)


def test_conditional_draws_have_the_moments_of_theory() -> None:
    """Mean and variance of the local statistic over draws of the neighbours, for two regions, against Sokal, Oden & Thomson (1998)."""
    w, rng = weights(25), np.random.default_rng(6)
    y = rng.normal(size=25)
    z = (y - y.mean()) / y.std()
    expected, variance = conditional_moments(z, w)
    for i in (3, 11):
        others, own = np.delete(z, i), w.data[w.indptr[i] : w.indptr[i + 1]]
        drawn = np.array([own @ rng.choice(others, len(own), replace=False) for _ in range(20_000)]) * z[i] * 24 / 25
        assert abs(drawn.mean() - expected[i]) < 5 * drawn.std() / np.sqrt(20_000)
        assert drawn.var() == pytest.approx(variance[i], rel=0.05)


def test_local_p_values_are_uniform_without_dependence() -> None:
    """300 worlds of 30 regions, one region of each: uniform by Kolmogorov-Smirnov, two-sided."""
    rng, w = np.random.default_rng(7), weights(30)
    p = np.array([local_moran(rng.normal(size=30), w, Draws(99, s, "greater")).p_value[s % 30] for s in range(300)])
    assert kstest(p - rng.uniform(0, 0.01, 300), "uniform").pvalue > 0.001


def test_a_cluster_is_found_and_survives() -> None:
    coordinates, rng = places(200), np.random.default_rng(8)
    y = rng.normal(size=200)
    y[(coordinates[:, 0] > 110) & (coordinates[:, 1] > 32)] += 5
    found = local_moran(y, row_standardised(nearest(coordinates, 5)), Draws(1999))
    core = (coordinates[:, 0] > 111.5) & (coordinates[:, 1] > 33.5)
    assert (found.quadrant[core] == 1).all() and (found.q_value[core] < 0.05).mean() > 0.8
    far = (coordinates[:, 0] < 108) | (coordinates[:, 1] < 30)
    assert (found.q_value[far] < 0.05).mean() < 0.05


def test_false_discovery_is_benjamini_and_hochberg() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(9).uniform(size=50) ** 3
    assert np.allclose(false_discovery(p), false_discovery_control(p), atol=1e-15)
    with_gap = np.insert(p, 7, np.nan)
    assert np.isnan(false_discovery(with_gap)[7]) and np.allclose(np.delete(false_discovery(with_gap), 7), false_discovery(p))


def test_false_discovery_is_esdas_cutoff() -> None:
    from esda import fdr

    p = np.random.default_rng(10).uniform(size=60) ** 4
    assert np.array_equal(p <= fdr(p, 0.05), false_discovery(p) <= 0.05)


def test_esdas_engine_draws_from_the_same_distribution() -> None:
    """In a process of its own without numba, whose compilation takes 16 s: p-values of the two engines within 5 standard errors, 999 draws each."""
    script = """
import sys
sys.modules["numba"] = None
import numpy as np
from hinterland.measure.lisa import local_moran
from hinterland.measure.moran import Draws
from hinterland.measure.weights import nearest, row_standardised
rng = np.random.default_rng(0)
w = row_standardised(nearest(np.column_stack([rng.uniform(100, 115, 40), rng.uniform(22, 38, 40)]), 4))
y = w @ rng.normal(size=40)
a, b = (local_moran(y, w, Draws(999, 1, "greater"), engine).p_value for engine in ("own", "esda"))
print(np.max(np.abs(a - b) / np.sqrt(2 * np.maximum(a * (1 - a), 0.001) / 999)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5


def test_without_esda_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "esda.moran", None)
    with pytest.raises(InputError) as caught:
        local_moran(LINE, row_standardised(CHAIN), Draws(9), "esda")
    assert caught.value.findings[0].code == "missing-extra" and "hinterland[spatial]" in caught.value.findings[0].remedy


def frame(y: np.ndarray) -> pl.DataFrame:
    years, regions = np.indices(y.shape)
    return pl.DataFrame({"city": np.array(list("abcdefgh"))[regions.ravel()], "year": 2000 + years.ravel(), "gdp": y.ravel()})


PAIRS = pl.DataFrame({"a": list("abcdefg"), "b": list("bcdefgh")})
COLUMNS = {"region": "city", "value": "gdp", "time": "year"}


def test_the_entries() -> None:
    y = np.array([[1.0, 2, 3, 4, 5, 6, 7, 9], [1, 1, 1, 1, 1, 1, 1, 1], [3, np.nan, 1, 4, 1, 5, 9, 2]])
    m = measure("moran", frame(y), neighbours=PAIRS, **COLUMNS)  # type: ignore[arg-type]
    value = m.component("moran-i")
    assert value["reason"].to_list() == ["", "no-variation", ""] and value["n_used"].to_list() == [8, 8, 7]
    assert value["coverage"].to_list() == [1, 1, 7 / 8]
    seen = [0, 2, 3, 4, 5, 6, 7]
    inner = row_standardised(csr_array(from_pairs(np.arange(7), np.arange(1, 8), 8)[seen][:, seen]))
    assert value["value"][2] == pytest.approx(moran(y[2, seen], inner).value, abs=1e-15)
    c = measure("geary", frame(y[:1]), neighbours=PAIRS, style="binary", draws=0, **COLUMNS)  # type: ignore[arg-type]
    assert c.component("geary-c")["value"].item() == pytest.approx(geary(y[0], from_pairs(np.arange(7), np.arange(1, 8), 8)).value)
    assert c.component("permutation-p")["reason"].to_list() == ["no-draws"]


def test_the_entry_of_local_moran() -> None:
    y = np.array([[1.0, 2, 3, 4, 5, 6, 7, 9], [3, np.nan, 1, 4, 1, 5, 9, 2]])
    m = measure("local-moran", frame(y), neighbours=PAIRS, **COLUMNS)  # type: ignore[arg-type]
    first = m.frame.filter(pl.col("year") == 2000).pivot("component", index="city", values="value")
    assert first["lisa-quadrant"].to_list() == [3, 3, 3, 3, 1, 1, 1, 1]
    assert set(first["lisa-cluster"].to_list()) <= {0.0, 1.0, 3.0}
    assert (first["lisa-q"] >= first["lisa-p"] - 1e-12).all()
    later = m.component("local-moran-i").filter(pl.col("year") == 2001)
    assert dict(later.select("city", "reason").iter_rows())["b"] == "missing-input"
    assert dict(later.select("city", "reason").iter_rows())["a"] == "no-neighbours", "its only neighbour was not observed"
    plain = measure("local-moran", frame(y[:1]), neighbours=PAIRS, adjust="none", **COLUMNS)  # type: ignore[arg-type]
    assert plain.component("lisa-p")["value"].to_list() == plain.component("lisa-q")["value"].to_list()
    with pytest.raises(InputError):
        measure("local-moran", frame(y), neighbours=PAIRS, alpha=2, **COLUMNS)  # type: ignore[arg-type]


@given(arrays(np.float64, 20, elements=st.floats(-100, 100)), st.floats(0.001, 1e6), st.floats(-1e3, 1e3), st.permutations(range(20)))
def test_unit_origin_and_order_do_not_matter(y: np.ndarray, scale: float, shift: float, order: list[int]) -> None:
    assume(np.ptp(y) > 1e-3)
    w = weights(20)
    moved = csr_array(w[order][:, order])
    for statistic in (moran, geary):
        first = statistic(y, w, Draws(0))
        for again in (statistic(scale * (y + shift), w, Draws(0)), statistic(y[order], moved, Draws(0))):
            assert (again.value, again.variance) == pytest.approx((first.value, first.variance), rel=1e-6, abs=1e-6)
    assert local_moran(y, w, Draws(0)).value[order] == pytest.approx(local_moran(y[order], moved, Draws(0)).value, rel=1e-6, abs=1e-6)


def test_seeds_repeat() -> None:
    w, y = weights(50), np.random.default_rng(11).normal(size=50)
    assert moran(y, w, Draws(99, 4)).p_permutation == moran(y, w, Draws(99, 4)).p_permutation
    assert np.array_equal(local_moran(y, w, Draws(99, 4)).p_value, local_moran(y, w, Draws(99, 4)).p_value)
    assert not np.array_equal(moran(y, w, Draws(99, 4)).draws, moran(y, w, Draws(99, 5)).draws)


def test_few_draws_cannot_survive_many_tests() -> None:
    rng = np.random.default_rng(12)
    table = pl.DataFrame({"id": [f"r{i:03d}" for i in range(200)], "v": rng.normal(size=200)})
    where = pl.DataFrame({"id": table["id"], "lon": rng.uniform(100, 110, 200), "lat": rng.uniform(25, 35, 200)})
    options = {"region": "id", "value": "v", "nearest": 4, "coordinates": where}
    few = measure("local-moran", table, draws=99, **options)  # type: ignore[arg-type]
    assert (
        [f.code for f in few.findings] == ["few-permutations"]
        and "at least 80" in few.findings[0].what
        and "draws=1600" in few.findings[0].remedy
    )
    assert measure("local-moran", table, draws=1600, **options).findings == ()  # type: ignore[arg-type]
    assert measure("local-moran", table, draws=99, adjust="none", **options).findings == ()  # type: ignore[arg-type]


def test_draws_of_ranks_are_distinct_and_even() -> None:
    from hinterland.measure.lisa import draw_ranks

    for others, size in ((30, 4), (6, 5), (5, 5)):
        ranks = draw_ranks(others, size, Draws(20_000, 1))
        assert ranks.shape == (size, 20_000) and (np.diff(np.sort(ranks, axis=0), axis=0) > 0).all()
        share = np.bincount(ranks.ravel(), minlength=others) / 20_000
        assert np.abs(share - size / others).max() < 5 * np.sqrt(size / others * (1 - size / others) / 20_000) + 1e-12
