"""Wild cluster bootstrap: against a loop over samples written out with dummies, and its size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from recording import Recorder

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate import wild_forms
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.event_study import event_columns, event_window, without_always_treated
from hinterland.evaluate.regression import treatment
from hinterland.evaluate.vcov import resolve_ssc
from hinterland.evaluate.wild import score_bootstrap, wild_bootstrap
from hinterland.evaluate.wild_draws import Statistics, weight_blocks
from hinterland.evaluate.wild_regression import boot_factor, reduce, regression, restrictions

Make = Callable[..., Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def dummies(design: Design) -> Floats:
    """[n, K] every fixed effect written out, slopes included."""
    parts = [np.eye(design.n_units)[design.unit], np.eye(design.n_periods)[design.period]]
    for f in design.fixed_effects:
        part = np.eye(f.size)[f.codes]
        parts.append(part if f.slope is None else part * f.slope[:, None])
    return np.concatenate(parts, axis=1)


class Rows:
    """The model with every dummy, fitted by least squares on rows: as slow, and as plain, as it can be."""

    def __init__(self, design: Design, columns: Floats) -> None:
        w = np.ones(design.n_obs) if design.weight is None else design.weight
        self.root = np.sqrt(w)
        self.x = np.column_stack([columns, dummies(design)]) * self.root[:, None]
        self.y = design.y * self.root
        self.inverse = np.linalg.pinv(self.x)
        self.bread = self.inverse @ self.inverse.T
        self.design, self.columns = design, columns
        self.groupings = regression_groupings(design, columns)

    def statistic(self, y: Floats, r: Floats, null: float) -> float:
        beta = self.inverse @ y
        u = y - self.x @ beta
        variance = 0.0
        for g in self.groupings:
            scores = np.zeros((g.factor.size, self.x.shape[1]))
            np.add.at(scores, g.factor.codes, self.x * u[:, None])
            variance += g.scale * float(((scores @ self.bread @ r) ** 2).sum())
        return float((r @ beta - null) / np.sqrt(variance)) if variance > 0 else float("nan")

    def null_fit(self, r: Floats, null: float) -> tuple[Floats, Floats]:
        beta = self.inverse @ self.y
        beta = beta - self.bread @ r * (r @ beta - null) / (r @ self.bread @ r)
        return self.x @ beta, self.y - self.x @ beta


def regression_groupings(design: Design, columns: Floats) -> Any:
    return reduce(design, np.asfortranarray(columns), tuple(f"c{j}" for j in range(columns.shape[1])), resolve_ssc("fixest")).groupings()


def loop(
    design: Design, columns: Floats, weights: Floats, codes: Any, r: Floats, null: float = 0.0, *, impose: bool = True
) -> tuple[float, Floats]:
    """The statistic, and that of every bootstrap sample, the weights being [R, G]."""
    rows = Rows(design, columns)
    full = np.concatenate([r, np.zeros(rows.x.shape[1] - len(r))])
    actual = rows.statistic(rows.y, full, null)
    fitted, rest = rows.null_fit(full, null if impose else float(full @ (rows.inverse @ rows.y)))
    at = null if impose else float(full @ (rows.inverse @ rows.y))
    return actual, np.array([rows.statistic(fitted + v[codes] * rest, full, at) for v in weights])


def twfe_columns(design: Design) -> Floats:
    return np.column_stack([treatment(design), design.covariates])


SIX = np.array(list(product([1.0, -1.0], repeat=6)))
DESIGNS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"cluster": "region"}),
    ({}, {"cluster": "region", "covariates": "~ x + z"}),
    ({"weight": True}, {"cluster": "region", "covariates": "~ x"}),
    ({"drop": 0.1}, {"cluster": "region", "covariates": "~ x"}),
    ({"drop": 0.1, "weight": True}, {"cluster": "region", "fe": ["count^year"], "covariates": "~ z"}),
    ({}, {"cluster": "region", "fe": ["unit[z]", "count"]}),
    ({}, {"cluster": "region", "fe": ["region[z]"]}),
]


@pytest.mark.parametrize("impose", [True, False])
@pytest.mark.parametrize(("world", "options"), DESIGNS)
def test_enumeration_equals_a_loop_over_samples(toy: Make, world: dict[str, Any], options: dict[str, Any], impose: bool) -> None:
    made = toy(units=24, effect=0.3, **world)
    design = make_design(made.panel, "y", made.policy, **options)
    test = wild_bootstrap(design, impose_null=impose)
    columns = twfe_columns(regression(design, "twfe", resolve_ssc("fixest")).design)
    design = regression(design, "twfe", resolve_ssc("fixest")).design
    actual, drawn = loop(design, columns, SIX, design.clusters[0].codes, np.eye(columns.shape[1])[0], impose=impose)
    assert test.enumerated
    assert test.draws == 32
    assert_allclose(test.statistic, actual, rtol=1e-9)
    assert_allclose(np.sort(np.abs(np.repeat(test.drawn[:, 0], 2))), np.sort(np.abs(drawn)), rtol=1e-7, atol=1e-10)
    count = np.count_nonzero(np.abs(drawn) >= abs(actual) * (1 - 1e-9))
    assert test.p_value[0] == (count / 64 if impose else (1 + count / 2) / 33)


@pytest.mark.parametrize("weights", ["rademacher", "webb", "mammen", "normal"])
@pytest.mark.parametrize(
    ("world", "options", "boot"),
    [
        ({}, {}, None),
        ({"drop": 0.1, "weight": True}, {"covariates": "~ x"}, None),
        ({}, {"cluster": "region", "covariates": "~ x"}, "unit"),
        ({}, {"cluster": "year"}, None),
        ({}, {"cluster": ["region", "year"], "covariates": "~ x"}, None),
        ({"drop": 0.1}, {"cluster": ["region", "year"]}, "year"),
        ({}, {"cluster": ["unit", "region"]}, None),
        ({"drop": 0.05}, {"cluster": "region", "fe": ["count^year"]}, None),
    ],
)
def test_draws_equal_a_loop_over_samples(toy: Make, world: dict[str, Any], options: dict[str, Any], boot: str | None, weights: Any) -> None:
    made = toy(units=24, effect=0.3, starts=(2004, 2006, None), **world)
    design = regression(make_design(made.panel, "y", made.policy, **options), "twfe", resolve_ssc("fixest")).design
    factor = boot_factor(design, boot)
    test = wild_bootstrap(design, bootcluster=boot, weights=weights, draws=199, null=0.2, seed=4)
    v = np.concatenate(list(weight_blocks(factor.size, 199, weights, 4)))
    columns = twfe_columns(design)
    actual, drawn = loop(design, columns, v, factor.codes, np.eye(columns.shape[1])[0], 0.2)
    assert_allclose(test.statistic, actual, rtol=1e-9)
    seen = np.isfinite(test.drawn[:, 0]) & np.isfinite(drawn)
    assert seen.mean() > 0.8
    assert_allclose(test.drawn[seen, 0], drawn[seen], rtol=1e-6, atol=1e-9)


def test_event_study_terms_and_their_mean(toy: Make) -> None:
    made = toy(units=30)
    design = make_design(made.panel, "y", made.policy, cluster="region", covariates="~ x")
    effects = fit(design, "event-study", leads=-3, lags=2)
    each = wild_bootstrap(design, "event-study", leads=-3, lags=2)
    live = np.isfinite(effects.std_error)
    assert_allclose(each.estimate, effects.estimate[live], rtol=1e-9)
    assert_allclose(each.std_error, effects.std_error[live], rtol=1e-9)
    mean = wild_bootstrap(design, "event-study", "overall", leads=-3, lags=2)
    whole = effects.aggregate("overall")
    assert_allclose([mean.estimate[0], mean.std_error[0]], [whole.estimate[0], whole.std_error[0]], rtol=1e-9)
    design = without_always_treated(design)
    columns, names = event_columns(design, event_window(design, -3, 2, -1))
    r = np.array([float(n.startswith("event-time ") and int(n.split()[-1]) >= 0) for n in names])
    actual, drawn = loop(design, columns, SIX, design.clusters[0].codes, r / r.sum())
    assert mean.p_value[0] == np.mean(np.abs(drawn) >= abs(actual) * (1 - 1e-9))
    named = wild_bootstrap(design, "event-study", {"event-time 0": 1.0, "event-time 1": -1.0}, leads=-3, lags=2)
    both = wild_bootstrap(design, "event-study", ["event-time 0", "event-time 1"], leads=-3, lags=2)
    assert_allclose(named.estimate[0], both.estimate[0] - both.estimate[1], rtol=1e-9)


@pytest.mark.parametrize("tail", ["symmetric", "equal-tailed"])
@pytest.mark.parametrize("impose", [True, False])
def test_interval_holds_the_values_that_are_not_rejected(toy: Make, tail: Any, impose: bool) -> None:
    made = toy(units=50)
    design = make_design(made.panel, "y", made.policy, covariates="~ x")
    test = wild_bootstrap(design, draws=999, tail=tail, impose_null=impose)
    low, high = float(test.conf_low[0]), float(test.conf_high[0])
    assert low < test.estimate[0] < high
    for bound, inwards in ((low, 1e-6), (high, -1e-6)):
        p = [float(wild_bootstrap(design, draws=999, tail=tail, impose_null=impose, null=bound + s * inwards).p_value[0]) for s in (-1, 1)]
        assert p[0] <= 0.05 < p[1]


def test_equal_tailed_enumeration_counts_both_signs(toy: Make) -> None:
    made = toy(units=24, effect=0.3)
    design = make_design(made.panel, "y", made.policy, cluster="region")
    test = wild_bootstrap(design, tail="equal-tailed")
    actual, drawn = loop(design, twfe_columns(design), SIX, design.clusters[0].codes, np.ones(1))
    assert_allclose(test.p_value[0], 2 * min(np.mean(drawn >= actual - 1e-9), np.mean(drawn <= actual + 1e-9)))


def test_forms_agree(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = toy(units=120)
    design = make_design(made.panel, "y", made.policy, covariates="~ x", fe=["region^year"])
    fitted = regression(design, "twfe", resolve_ssc("fixest"))
    r = next(iter(restrictions(fitted, "twfe", None).values()))
    restricted = fitted.restrict(r, impose_null=True)[1]
    boot, groups = boot_factor(design, None), fitted.groupings()
    sums = fitted.products((boot, *(g.factor for g in groups)))
    monkeypatch.setattr(wild_forms, "NARROW", 0)
    multiplied = fitted.products((boot,))[0]
    monkeypatch.setattr(wild_forms, "MOMENTS", 0)
    by_rows = fitted.products((boot,))[0]
    assert by_rows.gram is None
    for other in (multiplied, by_rows):
        assert_allclose(sums[0].along(restricted), other.along(restricted), rtol=1e-9, atol=1e-12)
    v = next(weight_blocks(boot.size, 99, "webb", 0))
    low = wild_forms.form(fitted.prepared, restricted, sums, groups, signs=False)
    assert isinstance(low, wild_forms.LowRank)
    monkeypatch.setattr(wild_forms, "DENSE", 0)
    sparse = wild_forms.form(fitted.prepared, restricted, sums, groups, signs=False)
    monkeypatch.setattr(wild_forms, "_nests", lambda *_: False)
    gram = wild_forms.form(fitted.prepared, restricted, sums, groups, signs=False)
    assert isinstance(gram, wild_forms.Gram)
    monkeypatch.setattr(wild_forms, "PROJECTIONS", 119)
    with pytest.raises(EstimationError, match="wild-too-large"):
        wild_forms.form(fitted.prepared, restricted, sums, groups, signs=False)
    for other in (sparse, gram):
        for ours, theirs in zip(low(v), other(v), strict=True):
            assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)


def test_units_order_and_scale_do_not_matter(toy: Make) -> None:
    made = toy(units=30)
    base = wild_bootstrap(make_design(made.panel, "y", made.policy, cluster="region"))
    shifted = made.panel.frame.with_columns(y=3 * pl.col("y") + pl.col("year") + pl.col("unit").str.slice(1).cast(pl.Float64))
    other = wild_bootstrap(make_design(Panel(shifted, "unit", "year"), "y", made.policy, cluster="region"))
    assert_allclose(other.p_value, base.p_value)
    assert_allclose([*other.conf_low, *other.conf_high], [3 * base.conf_low[0], 3 * base.conf_high[0]], rtol=1e-7)


def test_weights_have_mean_zero_and_variance_one() -> None:
    for kind in ("rademacher", "webb", "mammen", "normal"):
        v = np.concatenate(list(weight_blocks(40, 20_000, kind, 1)))  # type: ignore[arg-type]
        assert abs(v.mean()) < 0.005
        assert abs(v.var() - 1) < 0.01
        assert v.shape == (20_000, 40)
    signs = np.concatenate(list(weight_blocks(6, 999, "rademacher", 0)))
    assert len(np.unique(np.concatenate([signs, -signs]), axis=0)) == 64


def test_ties_count() -> None:
    """A draw that repeats the data must count, whatever rounding does to it."""
    exact = Statistics(1.0, 0.25, np.array([[1.0 - 1e-15, 0.0], [0.1, 0.0]]), np.array([[0.25, 0, 0], [0.25, 0, 0]]), True, True)
    assert exact.p_value(1.0, "symmetric") == 0.5
    assert exact.p_value(1.0, "equal-tailed") == 0.5


def test_few_treated_clusters_are_noted(toy: Make, cohorts: Make) -> None:
    made = toy(units=30)
    policy = cohorts([f"u{i:03d}" for i in range(30)], [2004 if i % 6 == 0 else None for i in range(30)])
    design = make_design(made.panel, "y", policy, cluster="region")
    wcr, wcu = wild_bootstrap(design), wild_bootstrap(design, impose_null=False)
    assert {n.code for n in wcr.notes} >= {"wild-few-treated-wcr", "wild-few-clusters", "wild-enumerated"}
    assert "wild-few-treated-wcu" in {n.code for n in wcu.notes}
    wide = wild_bootstrap(design, level=0.98)  # no p-value is below 1/32
    assert np.isinf([wide.conf_low[0], wide.conf_high[0]]).all()
    assert "wild-unbounded" in {n.code for n in wide.notes}
    assert wide.tidy()["conf_high"].null_count() == 1
    assert all(n.text("zh") for n in (*wide.notes, *wcu.notes))


def test_score_form_of_aggregated_effects(toy: Make) -> None:
    made = toy(units=60)
    design = make_design(made.panel, "y", made.policy)
    effects = fit(design, "callaway-santanna")
    test = score_bootstrap(effects.aggregate("event-time"), draws=999)
    assert test.kind == "score"
    assert len(test.terms) == np.isfinite(effects.aggregate("event-time").std_error).sum()
    overall = score_bootstrap(effects.aggregate("overall"), draws=9999)
    p = float(effects.aggregate("overall").p_value[0])
    assert abs(float(overall.p_value[0]) - p) < 0.01
    psi = effects.aggregate("overall").influence[:, 0]
    v = next(weight_blocks(60, 9999, "rademacher", 0))[0]
    drawn = v @ psi / np.sqrt(60 / 59 * ((v * psi - (v * psi).mean()) ** 2).sum())
    assert_allclose(overall.drawn[0, 0], drawn, rtol=1e-9)
    few = score_bootstrap(fit(make_design(made.panel, "y", made.policy, cluster="region"), "callaway-santanna").aggregate("overall"))
    assert few.enumerated
    with pytest.raises(EstimationError, match="not-from-influence"):
        score_bootstrap(fit(make_design(made.panel, "y", made.policy, cluster=["region", "year"]), "twfe"))


def test_bad_requests_are_named(toy: Make) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy)
    with pytest.raises(EstimationError) as all_wrong:
        wild_bootstrap(design, weights="six", draws=3, level=2, tail="left", null=np.inf)  # type: ignore[arg-type]
    assert [f.code for f in all_wrong.value.findings] == ["unknown-value", "unknown-value", "few-draws", "bad-level", "bad-null"]
    for options, code in [
        ({"method": "callaway-santanna"}, "not-a-regression"),
        ({"term": "treat"}, "unknown-term"),
        ({"term": []}, "unknown-term"),
        ({"term": {"treated": 0.0}}, "bad-restriction"),
        ({"term": "overall"}, "unknown-term"),
        ({"bootcluster": "province"}, "unknown-bootcluster"),
        ({"leads": -3}, "unknown-option"),
    ]:
        with pytest.raises(EstimationError, match=code):
            wild_bootstrap(design, **options)  # type: ignore[arg-type]


@pytest.mark.validate
@pytest.mark.parametrize("clusters", [10, 20])
def test_size_with_few_clusters(clusters: int, cohorts: Make, validated: Recorder) -> None:
    """Rejections at 5% of a true null: WCR close to it, and the t test with G − 1 degrees of freedom too often."""
    reps, per, periods = 1000, 6, 8
    rng = np.random.default_rng(clusters)
    units = [f"u{i:03d}" for i in range(clusters * per)]
    group = np.repeat(np.arange(clusters), per)
    policy = cohorts(units, [2004 if g < clusters // 3 else 2006 if g < clusters // 2 else None for g in group])
    hits: dict[str, list[bool]] = {"rademacher": [], "webb": [], "t": [], "covered": [], "score": []}
    for r in range(reps):
        common = rng.normal(size=(clusters, periods)).cumsum(axis=1) * 0.5
        y = (common[group] + rng.normal(size=(len(units), periods))).ravel()
        frame = pl.DataFrame(
            {
                "unit": np.repeat(units, periods),
                "year": np.tile(np.arange(2001, 2001 + periods), len(units)),
                "y": y,
                "state": np.repeat([f"s{g:02d}" for g in group], periods),
            }
        )
        design = make_design(Panel(frame, "unit", "year"), "y", policy, cluster="state")
        test = wild_bootstrap(design, draws=999, seed=r)
        hits["rademacher"].append(bool(test.p_value[0] <= 0.05))
        hits["covered"].append(bool(test.conf_low[0] <= 0 <= test.conf_high[0]))
        hits["webb"].append(bool(wild_bootstrap(design, draws=999, seed=r, weights="webb").p_value[0] <= 0.05))
        plain = fit(design, "twfe")
        hits["t"].append(bool(plain.p_value[0] <= 0.05))
        hits["score"].append(bool(score_bootstrap(plain, draws=999, seed=r).p_value[0] <= 0.05))
    where = f"{clusters} clusters of {per} units, half of them treated, shocks that last"
    for weights in ("rademacher", "webb"):
        validated("few clusters", "wild_bootstrap", where, variant=weights, seed=clusters).size(hits[weights])
    validated("few clusters", "wild_bootstrap", where, variant="rademacher", seed=clusters).coverage(hits["covered"])
    validated("few clusters", "score_bootstrap", where, seed=clusters).size(hits["score"], within=(0.02, 0.1), reason="small sample")
    validated("few clusters", "vcov, cluster", where, seed=clusters).size(hits["t"], within=(0.03, 0.12), reason="small sample")
