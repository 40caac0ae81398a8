"""Markov and spatial Markov chains: worked examples, giddy, hand-made chains, size of the permutation test, findings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array
from scipy.stats import kstest

from hinterland.errors import InputError
from hinterland.measure.entry import measure
from hinterland.measure.markov import (
    Cut,
    classify,
    mobility,
    probabilities,
    quantile_cutoffs,
    steady_state,
    transition_codes,
    transition_counts,
)
from hinterland.measure.spatial_markov import classified, homogeneity, permuted, statistics
from hinterland.measure.weights import from_pairs, lag, nearest, row_standardised

CHAINS = np.array([[0, 0, 1], [1, 1, 1], [0, 1, 2], [2, 2, 1]], dtype=np.int8).T


def weights(n: int, seed: int = 0, count: int = 4) -> csr_array:
    rng = np.random.default_rng(seed)
    return row_standardised(nearest(np.column_stack([rng.uniform(100, 115, n), rng.uniform(22, 38, n)]), count))


def trajectories(n: int, years: int, seed: int) -> np.ndarray:
    y = np.exp(np.random.default_rng(seed).normal(size=(years, n)).cumsum(axis=0) / 10)
    return np.asarray(y / y.mean(axis=1, keepdims=True))


def test_worked_example() -> None:
    counts = transition_counts(transition_codes(CHAINS, 3), 3)[0]
    assert counts.tolist() == [[1, 2, 0], [0, 2, 1], [0, 1, 1]]
    assert steady_state(probabilities(counts)) == pytest.approx([0, 0.6, 0.4], abs=1e-12)


def test_giddy_counts_and_tests_alike() -> None:
    """giddy 2.3.8, pooled and annual quartiles: the same counts, statistics, degrees of freedom and p-values."""
    from giddy.markov import Markov, Spatial_Markov
    from libpysal.weights import WSP

    w, y = weights(150), trajectories(150, 9, 1)
    theirs_w = WSP(w).to_W(silence_warnings=True)
    for pooled in (True, False):
        theirs = Spatial_Markov(y.T, theirs_w, fixed=pooled)
        ours = classified(y, w, Cut(4, pooled))
        test = homogeneity(ours.counts())
        assert np.array_equal(theirs.T, ours.counts())
        assert np.array_equal(theirs.class_ids.T, ours.own)
        assert (test.likelihood_ratio, test.pearson) == pytest.approx((theirs.LR, theirs.Q), abs=1e-9)
        assert test.pearson == pytest.approx(theirs.x2, abs=1e-9), "Rey's statistic is Pearson's"
        assert test.degrees == theirs.dof_hom
        assert (test.p_likelihood_ratio, test.p_pearson) == pytest.approx((theirs.LR_p_value, theirs.Q_p_value), abs=1e-12)
    alone = Markov(ours.own.T, summary=False)
    p = probabilities(transition_counts(transition_codes(ours.own, 4), 4)[0])
    assert np.allclose(alone.p, p, atol=1e-15) and np.allclose(alone.steady_state, steady_state(p), atol=1e-12)


def test_giddy_permutes_alike() -> None:
    """With the scheme lag-only each draw of the statistic comes from giddy's distribution; the two do not share random numbers, so: means within 4 standard errors."""
    from giddy.markov import Spatial_Markov
    from libpysal.weights import WSP

    w, y = weights(120), trajectories(120, 6, 2)
    np.random.seed(1)  # noqa: NPY002  # giddy draws from the global state
    theirs = Spatial_Markov(y.T, WSP(w).to_W(silence_warnings=True), permutations=199).x2_realizations.ravel()
    ours = permuted(y, w, classified(y, w, Cut(4)), draws=999, seed=1, scheme="lag-only").pearson
    error = np.sqrt(theirs.var() / 199 + ours.var() / 999)
    assert abs(theirs.mean() - ours.mean()) < 4 * error
    assert 0.7 < theirs.std() / ours.std() < 1.4


def test_giddy_mobility_indices() -> None:
    from giddy.mobility import markov_mobility

    p = np.array([[0.91, 0.08, 0.01], [0.1, 0.79, 0.11], [0.0, 0.1, 0.9]])
    start = np.array([0.2, 0.5, 0.3])
    ours = mobility(p, start)
    theirs = [markov_mobility(p, measure=m, ini=start) for m in ("P", "D", "L2", "B2")]
    assert [ours.shorrocks, ours.determinant, ours.eigenvalue, ours.bartholomew] == pytest.approx(theirs, abs=1e-12)
    still, mixed = mobility(np.eye(3), start), mobility(np.full((3, 3), 1 / 3), start)
    assert (still.shorrocks, still.determinant, still.bartholomew) == (0, 0, 0) and mixed.shorrocks == pytest.approx(1)


def test_an_empty_row_costs_no_degree_of_freedom() -> None:
    """giddy 2.3.8 counts (0 - 1)(0 - 1) = 1 degree for a class that nobody was in."""
    from giddy.markov import Homogeneity_Results

    counts = np.zeros((2, 3, 3))
    counts[0, :2, :2], counts[1, :2, :2] = [[8, 2], [3, 7]], [[6, 4], [5, 5]]
    assert homogeneity(counts).degrees == 2
    assert Homogeneity_Results(counts).dof == 3


def test_statistics_of_a_batch_are_those_of_each() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(2, (5, 4, 3, 3)).astype(float)
    ratio, pearson = statistics(counts)
    one = [homogeneity(c) for c in counts]
    assert ratio == pytest.approx([h.likelihood_ratio for h in one], abs=1e-12)
    assert pearson == pytest.approx([h.pearson for h in one], abs=1e-12)
    assert (ratio >= -1e-12).all() and statistics(np.stack([counts[0, 0]] * 2))[0] == pytest.approx(0, abs=1e-12)


def test_neighbours_may_have_the_cutoffs_of_own_values() -> None:
    w, y = weights(60), trajectories(60, 5, 3)
    found = classified(y, w, Cut(4, shared=True))
    assert np.array_equal(found.around, classify(lag(w, y), found.cutoffs))
    assert 0 < permuted(y, w, found, draws=9, seed=0).p_pearson <= 1


def test_the_permutation_p_value_is_exact_without_dependence() -> None:
    """400 worlds of 40 exchangeable trajectories, 39 draws: p-values uniform (Kolmogorov-Smirnov on p jittered over its grid), 5 % size within 3 sd."""
    rng, w = np.random.default_rng(4), weights(40)
    p = []
    for world in range(400):
        y = trajectories(40, 5, 1000 + world)
        p.append(permuted(y, w, classified(y, w, Cut(3)), draws=39, seed=world).p_likelihood_ratio)
    assert kstest(np.array(p) - rng.uniform(0, 1 / 40, 400), "uniform").pvalue > 0.001
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)


def test_dependence_is_found() -> None:
    w, rng = weights(200), np.random.default_rng(5)
    y = [np.exp(rng.normal(size=200))]
    for _ in range(9):
        around = np.asarray(w @ np.log(y[-1]))
        y.append(np.exp(0.7 * np.log(y[-1]) + 0.9 * around + 0.3 * rng.normal(size=200)))
    panel = np.array(y) / np.mean(y, axis=1, keepdims=True)
    assert permuted(panel, w, classified(panel, w, Cut(4)), draws=99, seed=0).p_pearson == 0.01


def test_lags_leave_out_what_was_not_observed() -> None:
    w = row_standardised(from_pairs(np.array([0, 0, 1]), np.array([1, 2, 2]), 4))
    y = np.array([[1.0, np.nan, 3, 9], [1, 2, 3, 9]])
    assert np.array_equal(lag(w, y), [[3, 2, 1, np.nan], [2.5, 2, 1.5, np.nan]], equal_nan=True)
    assert classified(y, w, Cut(2)).around[0].tolist()[3] == -1


def test_classes_are_closed_above_as_in_mapclassify() -> None:
    from mapclassify import Quantiles

    y = np.random.default_rng(6).integers(0, 40, 300).astype(float)
    theirs = Quantiles(y, k=5)
    cut = quantile_cutoffs(y, 5)
    assert np.allclose(cut, theirs.bins[:-1], atol=1e-12)
    assert np.array_equal(classify(y, cut), theirs.yb)


def test_cutoffs_are_quantiles_of_what_was_observed() -> None:
    y = np.random.default_rng(7).lognormal(size=(6, 50))
    y[1, ::3], y[2] = np.nan, np.nan
    for k in (2, 4, 7):
        ours = quantile_cutoffs(y, k)
        for t in (0, 1, 3):
            assert np.allclose(ours[t], np.quantile(y[t][~np.isnan(y[t])], np.arange(1, k) / k), atol=1e-14)
        assert np.isnan(ours[2]).all()
    assert quantile_cutoffs(np.array([3.0]), 4).tolist() == [3, 3, 3]


def test_missing_classes_make_no_transition() -> None:
    own = np.array([[0, 1, -1, 1], [1, -1, 0, 1], [1, 0, 0, -1]], dtype=np.int8)
    given = np.array([[0, 0, 0, -1], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=np.int8)
    counts = transition_counts(transition_codes(own, 2), 2, given[:-1], 2)
    assert counts.tolist() == [[[0, 1], [0, 0]], [[1, 0], [0, 1]]]
    assert transition_counts(transition_codes(own, 2, 2), 2)[0].tolist() == [[0, 1], [1, 0]]


def test_steady_states_that_do_not_exist() -> None:
    two = np.array([[1.0, 0, 0], [0, 1, 0], [0.3, 0.3, 0.4]])
    assert np.isnan(steady_state(two)).all(), "two classes that are never left"
    trap = np.array([[0.5, 0.5, 0.0], [0, 0.2, 0.8], [np.nan] * 3])
    assert np.isnan(steady_state(trap)).all(), "what follows the last class was never seen"
    apart = np.array([[0.5, 0.5, 0.0], [0.4, 0.6, 0.0], [np.nan] * 3])
    assert steady_state(apart) == pytest.approx([4 / 9, 5 / 9, 0], abs=1e-12)
    assert steady_state(np.array([[0.0, 1], [1, 0]])) == pytest.approx([0.5, 0.5], abs=1e-12), "periodic, yet one distribution"


def frame(y: np.ndarray, first: int = 2000) -> pl.DataFrame:
    years, regions = np.indices(y.shape)
    return pl.DataFrame({"city": [f"c{r:03d}" for r in regions.ravel()], "year": first + years.ravel(), "gdp": y.ravel()})


COLUMNS = {"region": "city", "value": "gdp", "time": "year"}


def test_the_entry_of_the_chain() -> None:
    m = measure("markov-chain", frame(trajectories(80, 8, 7)), **COLUMNS)  # type: ignore[arg-type]
    p = m.component("transition-probability")
    assert p.height == 16 and p.group_by("group").agg(pl.col("value").sum())["value"].to_list() == pytest.approx([1] * 4)
    assert m.component("transition-count")["value"].sum() == 80 * 7
    assert m.component("steady-state")["other_group"].null_count() == 4
    assert m.component("shorrocks-mobility").height == 1
    assert len(m.meta["cutoffs"][0]) == 3


def test_fixed_cutoffs_gaps_and_steps() -> None:
    y = np.array([[1.0, 2, 3], [1, 2, 3], [2, 2, 1], [3, 1, 1]])
    whole = frame(y)
    m = measure("markov-chain", whole, classes=(1.5, 2.5), relative=False, **COLUMNS)  # type: ignore[arg-type]
    assert m.component("transition-count")["value"].sum() == 9
    gap = whole.filter(pl.col("year") != 2001)
    assert measure("markov-chain", gap, classes=(1.5, 2.5), relative=False, **COLUMNS).component("transition-count")["value"].sum() == 3  # type: ignore[arg-type]
    two = measure("markov-chain", gap, classes=(1.5, 2.5), relative=False, step=2, **COLUMNS)  # type: ignore[arg-type]
    assert two.component("transition-count")["value"].sum() == 3


def test_sparse_rows_and_ties_are_said() -> None:
    m = measure("markov-chain", frame(np.ones((3, 6))), relative=False, **COLUMNS)  # type: ignore[arg-type]
    codes = [f.code for f in m.findings]
    assert codes == ["tied-cutoffs", "sparse-rows"]
    assert "class 4 (0)" in m.findings[1].what
    assert m.component("transition-probability").filter(pl.col("group") == "4")["reason"].to_list() == ["no-transitions"] * 4
    assert m.component("shorrocks-mobility")["reason"].to_list() == ["no-transitions"]


def test_bad_parameters() -> None:
    good = frame(trajectories(10, 4, 8))
    for more, code in (
        ({"classes": 1}, "out-of-range"),
        ({"classes": (2, 1)}, "out-of-range"),
        ({"step": 0}, "out-of-range"),
        ({"step": 9}, "single-period"),
    ):
        with pytest.raises(InputError) as caught:
            measure("markov-chain", good, **COLUMNS, **more)  # type: ignore[arg-type]
        assert caught.value.findings[0].code == code
    with pytest.raises(InputError) as caught:
        measure("spatial-markov-chain", good, draws=-1, nearest=2, **COLUMNS)  # type: ignore[arg-type]
    assert caught.value.findings[0].code == "out-of-range"


def test_the_entry_of_the_spatial_chain() -> None:
    places = pl.DataFrame(
        {"city": [f"c{i:03d}" for i in range(90)], "lon": np.linspace(100, 110, 90), "lat": np.linspace(25, 35, 90) ** 1.01}
    )
    m = measure("spatial-markov-chain", frame(trajectories(90, 8, 9)), nearest=4, coordinates=places, draws=19, **COLUMNS)  # type: ignore[arg-type]
    counts = m.component("transition-count")
    assert counts.height == 64 and counts["value"].sum() == 90 * 7
    values = {k: m.component(k)["value"].item() for k in ("likelihood-ratio", "pearson", "degrees-of-freedom", "pearson-permutation-p")}
    assert values["degrees-of-freedom"] > 0 and 0.05 <= values["pearson-permutation-p"] <= 1
    none = measure("spatial-markov-chain", frame(trajectories(90, 8, 9)), nearest=4, coordinates=places, draws=0, **COLUMNS)  # type: ignore[arg-type]
    assert none.component("pearson-permutation-p")["reason"].to_list() == ["no-draws"]
