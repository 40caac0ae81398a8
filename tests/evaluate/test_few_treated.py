"""Few treated clusters: the formulae written out, and sizes with one, two and five treated clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from recording import Recorder
from scipy import stats

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.few_treated import _variance, few_treated
from hinterland.evaluate.few_treated_paths import contributions
from hinterland.evaluate.regression import treatment

Make = Callable[..., Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]
PERIODS = 8


def grouped(
    cohorts: Make, sizes: list[int], first: list[int | None], seed: int = 0, *, group: float = 1.0, own: float = 1.0, **options: Any
) -> Design:
    """Clusters of ``sizes`` units that adopt in ``first``: cluster shocks of standard deviation ``group``, unit ones of ``own``; no effect."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    units = [f"u{i:05d}" for i in range(len(cluster))]
    shock = group * rng.normal(size=(len(sizes), PERIODS))
    y = shock[cluster] + own * rng.normal(size=(len(units), PERIODS)) + rng.normal(size=(len(units), 1))
    frame = pl.DataFrame(
        {
            "unit": np.repeat(units, PERIODS),
            "year": np.tile(np.arange(2001, 2001 + PERIODS), len(units)),
            "y": y.ravel(),
            "x": rng.normal(size=y.size),
            "state": np.repeat([f"s{c:03d}" for c in cluster], PERIODS),
            "people": np.repeat(np.array(sizes, dtype=float)[cluster], PERIODS),
            "half": np.repeat([f"h{i % 6}" for i in range(len(units))], PERIODS),
        }
    )
    policy = cohorts(units, [first[c] for c in cluster])
    return make_design(Panel(frame, "unit", "year"), "y", policy, **{"cluster": "state", **options})


@pytest.mark.parametrize("estimator", ["twfe", "callaway-santanna"])
def test_estimate_is_the_sum_of_cluster_shocks(cohorts: Make, estimator: str) -> None:
    """Where shocks are all there is, and common to a cluster, the contributions give the estimate itself."""
    first = [2004, 2006, *[None] * 10]
    design = grouped(cohorts, [3, 2, *[2] * 10], first, own=0.0)
    found = contributions(design, estimator, None)
    y = design.y.reshape(design.n_units, PERIODS)
    leader = np.array([np.flatnonzero(design.clusters[0].codes[::PERIODS] == c)[0] for c in range(12)])
    assert_allclose((found.kappa * y[leader]).sum(), found.estimate, rtol=1e-9)
    actual = fit(design, estimator)
    actual = actual if estimator == "twfe" else actual.aggregate("overall")
    assert_allclose(found.estimate, actual.estimate[0], rtol=1e-9)
    assert found.treated.sum() == 2
    assert_allclose(found.size, [3, 2, *[2] * 10])


def test_conley_taber_as_written_in_the_paper(cohorts: Make) -> None:
    design = grouped(cohorts, [1] * 20, [2005, 2005, *[None] * 18], seed=3)
    d = treatment(design).reshape(20, PERIODS)[0]
    weights = d - d.mean()
    n = design.n_units
    y = design.y.reshape(n, PERIODS)
    effects = fit(design, "twfe")
    rest = y - effects.estimate[0] * treatment(design).reshape(n, PERIODS)
    rest = rest - rest.mean(1, keepdims=True)
    rest -= rest.mean(0)
    one = rest[2:] @ weights / (weights @ weights)
    w = np.array([(a + b) / 2 for a, b in product(one, one)])
    test = few_treated(design, "conley-taber")
    assert test.enumerated
    assert_allclose(np.sort(test.drawn), np.sort(w), rtol=1e-9)
    assert test.p_value == (1 + np.count_nonzero(np.abs(w) >= abs(test.estimate))) / (1 + 18**2)
    reach = np.sort(np.abs(w))[::-1][int(np.floor(0.05 * (1 + len(w)))) - 1]
    assert_allclose([test.conf_low, test.conf_high], [test.estimate - reach, test.estimate + reach], rtol=1e-6)


def test_ferman_pinto_as_written_in_the_paper(cohorts: Make) -> None:
    """One date of adoption and no covariates: cluster changes, restricted, scaled by their variance, drawn for all clusters."""
    sizes = [2, *[1, 2, 3, 5, 8, 12] * 3]
    design = grouped(cohorts, sizes, [2005, *[None] * 18], seed=4)
    test = few_treated(design, "ferman-pinto", draws=499, seed=2)
    n, m = design.n_units, np.array(sizes, dtype=float)
    cluster = design.clusters[0].codes[::PERIODS]
    d = treatment(design).reshape(n, PERIODS)[0]
    y = design.y.reshape(n, PERIODS)
    y = y - y.mean(1, keepdims=True)
    y = y - y.mean(0)  # the model under the null
    means = np.stack([y[cluster == c].mean(0) for c in range(19)])
    w = means @ (d / d.sum() - (1 - d) / (1 - d).sum())
    a, b = _variance(w, m)
    variance = a + b / m
    rng = np.random.default_rng(2)
    chosen = rng.integers(0, 19, size=(499, 1))
    others = rng.integers(0, 19, size=(499, 18))
    normal = w / np.sqrt(variance)
    drawn = normal[chosen[:, 0]] * np.sqrt(variance[0]) - (normal[others] * np.sqrt(variance[1:])) @ (m[1:] / m[1:].sum())
    assert_allclose(test.drawn, drawn, rtol=1e-7, atol=1e-10)
    assert test.p_value == (1 + np.count_nonzero(np.abs(drawn) >= abs(test.estimate))) / 500
    by_column = few_treated(grouped(cohorts, sizes, [2005, *[None] * 18], seed=4, columns=["people"]), "ferman-pinto", size="people")
    assert by_column.estimate == test.estimate


@pytest.mark.parametrize("estimator", ["twfe", "callaway-santanna"])
@pytest.mark.parametrize("method", ["conley-taber", "ferman-pinto"])
def test_interval_holds_the_values_that_are_not_rejected(cohorts: Make, method: Any, estimator: str) -> None:
    design = grouped(cohorts, [1, 2, 3] * 8, [2004, 2006, *[None] * 22], seed=5)
    test = few_treated(design, method, draws=999, estimator=estimator)
    assert test.conf_low < test.estimate < test.conf_high
    for bound, inwards in ((test.conf_low, 1e-6), (test.conf_high, -1e-6)):
        p = [few_treated(design, method, draws=999, estimator=estimator, null=bound + s * inwards).p_value for s in (-1, 1)]
        assert p[0] <= 0.05 < p[1]
    repeat = few_treated(design, method, draws=999, estimator=estimator)
    assert (repeat.p_value, repeat.conf_low) == (test.p_value, test.conf_low)


def test_many_controls_are_taken_as_normal(cohorts: Make) -> None:
    design = grouped(cohorts, [1] * 1200, [2005, 2004, *[None] * 1198], seed=6)
    ferman, conley = few_treated(design, "ferman-pinto"), few_treated(design, "conley-taber")
    assert abs(ferman.drawn.std() / conley.drawn.std() - 1) < 0.05
    assert "ft-equal-sizes" in {n.code for n in ferman.notes}


def test_variance_is_never_negative() -> None:
    size = np.array([1.0, 2.0, 4.0, 8.0])
    assert_allclose(_variance(np.sqrt(1 + 2 / size), size), (1, 2))
    a, b = _variance(np.sqrt(np.array([0.1, 1.0, 2.0, 3.0])), size)
    assert b == 0
    assert_allclose(a, 6.1 / 4)
    a, b = _variance(np.sqrt(np.array([4.0, 0.1, 0.0, 0.0])), size)
    assert a == 0
    assert b > 0


def test_groups_give_a_t_test_and_sign_changes(cohorts: Make) -> None:
    design = grouped(cohorts, [1] * 48, [2005 if i % 12 < 6 else None for i in range(48)], seed=7, columns=["half"], cluster="unit")
    each = []
    for h in range(6):
        rows = np.isin(design.columns["half"], [f"h{h}"])
        each.append(float(fit(design.take(rows), "twfe").estimate[0]))
    test = few_treated(design, "ibragimov-muller", groups="half", null=0.1)
    expected = stats.ttest_1samp(each, 0.1)
    assert_allclose([test.estimate, test.p_value], [np.mean(each), expected.pvalue], rtol=1e-9)
    low, high = expected.confidence_interval(0.95)
    assert_allclose([test.conf_low, test.conf_high], [low, high], rtol=1e-9)
    signs = few_treated(design, "sign-changes", groups="half", null=0.1)
    t = [abs(stats.ttest_1samp(np.array(s) * (np.array(each) - 0.1), 0).statistic) for s in product([1, -1], repeat=6)]
    assert signs.p_value == np.mean(np.array(t) >= abs(expected.statistic) * (1 - 1e-9))
    assert few_treated(design, "sign-changes", groups="half", null=signs.conf_low + 1e-6).p_value > 0.05
    for wide in (
        few_treated(design, "ibragimov-muller", groups="half", level=0.9),
        few_treated(design, "sign-changes", groups="half", level=0.99),
    ):
        assert {n.code for n in wide.notes} & {"ft-level", "ft-few-signs", "ft-unbounded"}


def test_two_samples_of_clusters(cohorts: Make) -> None:
    design = grouped(cohorts, [2] * 12, [2005, 2005, 2005, *[None] * 9], seed=8)
    test = few_treated(design, "ibragimov-muller")
    y = design.y.reshape(12, 2, PERIODS).mean(1)
    change = y[:, 4:].mean(1) - y[:, :4].mean(1)
    error = np.sqrt(change[:3].var(ddof=1) / 3 + change[3:].var(ddof=1) / 9)
    difference = change[:3].mean() - change[3:].mean()
    assert_allclose([test.estimate, test.std_error], [difference, error], rtol=1e-9)
    assert_allclose(test.p_value, 2 * stats.t.sf(abs(difference / error), 2), rtol=1e-9)
    assert (test.n_treated, test.n_control) == (3, 9)
    with pytest.raises(EstimationError, match="several-adoptions"):
        few_treated(grouped(cohorts, [2] * 12, [2004, 2005, *[None] * 10]), "ibragimov-muller")


def test_gaps_covariates_and_weights(cohorts: Make) -> None:
    design = grouped(cohorts, [1] * 30, [2004, *[None] * 29], seed=9, covariates="~ x", fe=["half"])
    assert few_treated(design).n_control == 29
    holes = np.ones(design.n_obs, dtype=np.bool_)
    holes[[5 * PERIODS, 6 * PERIODS + 2]] = False
    partial = few_treated(design.take(holes))
    assert partial.n_control == 27
    assert "ft-gaps" in {n.code for n in partial.notes}
    assert all(n.text("zh") for n in partial.notes)
    few = few_treated(grouped(cohorts, [1] * 6, [2004, *[None] * 5]))
    assert "ft-few-controls" in {n.code for n in few.notes}
    assert np.isinf(few.conf_low)
    assert few.tidy()["conf_low"].null_count() == 1


def test_bad_requests_are_named(cohorts: Make) -> None:
    design = grouped(cohorts, [2] * 10, [2004, *[None] * 9], columns=["half", "people"])
    with pytest.raises(EstimationError) as wrong:
        few_treated(design, "conley", draws=1, level=0, null=np.nan)  # type: ignore[arg-type]
    assert [f.code for f in wrong.value.findings] == ["unknown-value", "few-draws", "bad-level", "bad-null"]
    for options, code in [
        ({"estimator": "sdid"}, "unknown-value"),
        ({"method": "ferman-pinto", "size": "inhabitants"}, "unknown-column"),
        ({"method": "ferman-pinto", "size": "half"}, "bad-cluster-size"),
        ({"method": "sign-changes"}, "few-groups"),
        ({"method": "sign-changes", "groups": "province"}, "unknown-column"),
        ({"method": "ibragimov-muller"}, "few-groups"),
    ]:
        with pytest.raises(EstimationError, match=code):
            few_treated(design, **options)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="not-batched"):
        few_treated(grouped(cohorts, [2] * 10, [2004, *[None] * 9], cluster=["state", "year"]))
    with pytest.raises(EstimationError, match="cluster-not-nested"):
        few_treated(grouped(cohorts, [2] * 10, [2004, *[None] * 9], cluster="year"))
    with pytest.raises(EstimationError, match="no-control-cluster"):
        few_treated(grouped(cohorts, [2] * 4, [2004, 2005, 2006, None]))


@pytest.mark.validate
@pytest.mark.parametrize("treated", [1, 2, 5])
def test_size_with_few_treated_clusters(treated: int, cohorts: Make, validated: Recorder) -> None:
    """Rejections of a true null at 5%, in clusters of equal size and, for the treated ones being small, of unequal size."""
    reps, clusters = 1000, 50
    first: list[int | None] = [*[2004 if j % 2 else 2006 for j in range(treated)], *[None] * (clusters - treated)]
    mixed = [*[2] * treated, *([2, 4, 10, 20] * 13)[: clusters - treated]]
    for name, sizes in (("equal sizes", [2] * clusters), ("unequal sizes, the treated small", mixed)):
        names = ("clustered", "conley-taber", "conley-taber, callaway-santanna", "ferman-pinto", "covered")
        hits: dict[str, list[bool]] = {k: [] for k in names}
        base = grouped(cohorts, sizes, first)
        cluster = base.clusters[0].codes[::PERIODS]
        rng = np.random.default_rng(treated)
        for _ in range(reps):
            y = 0.3 * rng.normal(size=(clusters, PERIODS))[cluster] + rng.normal(size=(base.n_units, PERIODS))
            design = replace(base, y=y.ravel())
            hits["clustered"].append(bool(fit(design, "twfe").p_value[0] <= 0.05))
            hits["conley-taber"].append(few_treated(design, draws=999).p_value <= 0.05)
            hits["conley-taber, callaway-santanna"].append(few_treated(design, estimator="callaway-santanna", draws=999).p_value <= 0.05)
            test = few_treated(design, "ferman-pinto", draws=999)
            hits["ferman-pinto"].append(test.p_value <= 0.05)
            hits["covered"].append(test.conf_low <= 0 <= test.conf_high)
        _record(validated, hits, f"{treated} treated of {clusters} clusters, {name}", treated, equal=name == "equal sizes")


def _record(validated: Recorder, hits: dict[str, list[bool]], where: str, seed: int, *, equal: bool) -> None:
    """Conley & Taber's paths are untreated clusters' residuals, demeaned over fifty of them and not of the size of the treated ones."""
    validated("failures", "vcov, cluster", where, seed=seed).size(hits["clustered"], within=(0.075, 1), reason="known failure")
    for name in ("conley-taber", "conley-taber, callaway-santanna"):
        method, _, variant = name.partition(", ")
        found = validated("few clusters" if equal else "failures", f"few_treated, {method}", where, variant=variant, seed=seed)
        if equal:
            found.size(hits[name], within=(0.03, 0.085), reason="small sample")
        else:
            found.size(hits[name], within=(0.075, 1), reason="known failure")
    found = validated("few clusters", "few_treated, ferman-pinto", where, seed=seed)
    found.size(hits["ferman-pinto"], within=(0.03, 0.075), reason="small sample")
    found.coverage(hits["covered"])


@pytest.mark.validate
def test_size_of_the_tests_by_group(cohorts: Make, validated: Recorder) -> None:
    """Six groups of very different variance."""
    reps = 1000
    hits: dict[str, list[bool]] = {"ibragimov-muller": [], "sign-changes": []}
    base = grouped(cohorts, [1] * 48, [2005 if i % 12 < 6 else None for i in range(48)], columns=["half"], cluster="unit")
    scale = np.array([0.2, 0.5, 1.0, 2.0, 4.0, 1.0])[[int(h[1]) for h in base.columns["half"]]]
    rng = np.random.default_rng(0)
    for _ in range(reps):
        design = replace(base, y=rng.normal(size=base.n_obs) * scale)
        for method, rejected in hits.items():
            rejected.append(few_treated(design, method, groups="half").p_value <= 0.05)  # type: ignore[arg-type]
    for method, rejected in hits.items():
        where = "six groups of very different variance"
        validated("few clusters", f"few_treated, {method}", where, seed=0).size(rejected, within=(0.005, 0.07), reason="conservative")
