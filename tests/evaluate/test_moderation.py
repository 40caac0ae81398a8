"""Moderation: against pyfixest, against regressions written out, and against simulated truth."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from recording import Recorder
from scipy import linalg, stats

sys.path.insert(0, str(Path(__file__).parent))
from moderated import COHORTS, PERIODS, Moderated, moderated

import hinterland as hl
from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, InputError
from hinterland.evaluate.bands import sup_t
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.moderation_bins import fit_bins, l_kurtosis, make_bins
from hinterland.evaluate.moderation_groups import permute_label
from hinterland.evaluate.moderation_line import Line
from hinterland.evaluate.moderation_linear import INTERACTION, fit_linear
from hinterland.evaluate.moderation_strata import fit_imputed, fit_strata
from hinterland.evaluate.moderation_work import line_of
from hinterland.evaluate.wild import Rule, bootstrap_regression
from hinterland.evaluate.wild_joint import joint_wild

Floats = NDArray[np.float64]

PYFIXEST = "0.60.0"
"""Version behind the constants below: feols("ln_inventions ~ D + DM + i(year, m, ref=2008) | adcode + year"), vcov={"CRV1": …}, on the packaged world,
seed 0; m = 1000 × segmentation_pre, DM = D (m − 0.8874019198562477); fepois with inventions. Bins cut at 0.8 and 1.0 with i(year, …) of their indicators and of
the distances from their medians. Agreement to 1e-7: both solve the same normal equations, by different projections."""
LINEAR = (0.3365541996318876, -0.1743682208193065)
ERRORS = {"province": (0.14054010171156756, 0.776629081441461), "adcode": (0.19075528813414125, 1.0904488617947776)}
COUNTS = (0.5097160364633339, -0.3634645973983014)
COUNT_ERRORS = (0.27654956379898354, 1.370208060497555)
BINNED = (0.14450708467329, 0.5453419390678307, -0.057266111974596315)
BINNED_ERRORS = (0.5767426989005587, 0.2559804097459592, 0.5705599130424921)
WALD = (0.8416608712355258, 0.49966756222434505)


@pytest.fixture(scope="module")
def world() -> tuple[hl.Panel, hl.Cohorts]:
    panel = hl.simulate("demonstration-zones", 0).panel.with_columns(m=pl.col("segmentation_pre") * 1000)
    return panel, hl.adoption(panel, "first_treat")


@pytest.fixture(scope="module")
def drawn() -> Moderated:
    return moderated()


@pytest.mark.parametrize("cluster", ["province", "adcode"])
def test_interaction_as_in_pyfixest(world: tuple[hl.Panel, hl.Cohorts], cluster: str) -> None:
    found = hl.moderation(world[0], "ln_inventions", world[1], "m", cluster=cluster, draws=99)
    assert_allclose(found.linear.estimate, LINEAR, rtol=1e-7)
    assert_allclose(found.linear.std_error, ERRORS[cluster], rtol=1e-7)
    assert found.meta["centre"] == pytest.approx(0.8874019198562477)


def test_counts_as_in_pyfixest(world: tuple[hl.Panel, hl.Cohorts]) -> None:
    found = hl.moderation(world[0], "inventions", world[1], "m", cluster="province", family="poisson", draws=99)
    assert_allclose(found.linear.estimate, COUNTS, rtol=1e-6)
    assert_allclose(found.linear.std_error, COUNT_ERRORS, rtol=1e-5)
    assert set(found.slopes["version"]) == {"linear", "strata"}
    assert found.strata is not None
    assert found.strata.method == "ppml"


def test_bins_and_linearity_as_in_pyfixest(world: tuple[hl.Panel, hl.Cohorts]) -> None:
    found = hl.moderation(world[0], "ln_inventions", world[1], "m", cluster="adcode", bins=[0.8, 1.0], draws=99)
    binned = found.bins.filter(pl.col("version") == "binning")
    assert_allclose(binned["estimate"], BINNED, rtol=1e-6)
    assert_allclose(binned["std_error"], BINNED_ERRORS, rtol=1e-6)
    assert found.linearity is not None
    assert (found.linearity.statistic, found.linearity.p_value) == pytest.approx(WALD, rel=1e-6)
    assert (found.linearity.df1, found.linearity.df2) == (4, 292)


def test_two_periods_are_the_cross_section_of_hainmueller_mummolo_and_xu() -> None:
    """With one period before and one after, everything is a regression of the change on G, G (M − m), D G and D (M − m) G (their eq. 4)."""
    rng = np.random.default_rng(3)
    n = 300
    m, d = rng.uniform(-3, 3, n), (rng.random(n) < 0.5)
    change = d * (m**2 - 2.5) + m + rng.normal(size=n)
    frame = pl.DataFrame(
        {
            "unit": np.repeat([f"u{i:03d}" for i in range(n)], 2),
            "year": np.tile([1, 2], n),
            "y": np.column_stack([np.zeros(n), change]).ravel(),
            "m": np.repeat(m, 2),
            "first": pl.Series(np.repeat(np.where(d, 2, 0), 2)),
        }
    )
    panel = hl.Panel(frame, "unit", "year")
    found = hl.moderation(panel, "y", hl.adoption(panel, "first", never=(0,)), "m", bins=[-1.0, 1.0], draws=99)
    of = np.searchsorted([-1.0, 1.0], m)
    middle = np.array([np.median(m[of == j]) for j in range(3)])
    inside = (of[:, None] == np.arange(3)).astype(float)
    within = inside * (m - middle[of])[:, None]
    x = np.hstack([inside, within, inside * d[:, None], within * d[:, None]])
    b, *_ = np.linalg.lstsq(x, change, rcond=None)
    assert_allclose(found.bins.filter(pl.col("version") == "binning")["estimate"], b[6:9], atol=1e-9)
    assert found.linearity is not None
    assert found.linearity.p_value < 1e-10
    assert found.linearity.p_wild <= 0.02
    centred = m - m[d].mean()
    b, *_ = np.linalg.lstsq(np.column_stack([np.ones(n), m, d, d * centred]), change, rcond=None)
    assert_allclose(found.linear.estimate, b[2:], atol=1e-9)


def test_variance_along_the_line_by_hand() -> None:
    """Brambor, Clark & Golder 2006, eq. 8, with numbers: V = [[4, 1], [1, 9]], m − c = 2: 4 + 2·2·1 + 4·9 = 44."""
    line = Line(1.0, 0.5, np.array([[4.0, 1.0], [1.0, 9.0]]), 3.0, np.inf)
    at = np.array([3.0, 5.0, 1.0])
    assert_allclose(line.effect(at), [1.0, 2.0, 0.0])
    assert_allclose(line.std_error(at) ** 2, [4.0, 44.0, 36.0])
    assert line.difference(5.0, 1.0) == (2.0, 12.0)


@pytest.mark.parametrize("df", [np.inf, 9.0])
def test_band_of_a_line_is_exact(df: float) -> None:
    """The closed form against the simulated largest of 200 t statistics along the line (Monte Carlo error of the quantile about 0.01)."""
    vcov = np.array([[0.04, -0.01], [-0.01, 0.02]])
    line = Line(0.0, 0.0, vcov, 0.0, df)
    a = line.weights(np.linspace(-1.0, 4.0, 200))
    assert line.band(-1.0, 4.0) == pytest.approx(sup_t(a @ vcov @ a.T, 0.95, 200_000, 1, df), abs=0.03)
    assert line.band(-1e-9, 1e-9) == pytest.approx(line.critical(), abs=1e-6)
    whole = np.sqrt(stats.chi2.ppf(0.95, 2)) if np.isinf(df) else np.sqrt(2 * stats.f.ppf(0.95, 2, df))
    assert line.band(-1e9, 1e9) == pytest.approx(whole, rel=0.02)


def test_l_kurtosis_of_known_distributions() -> None:
    """Hosking (1990): 0 for the uniform, 0.1226 for the normal distribution; quantiles in place of draws."""
    p = (np.arange(20_000) + 0.5) / 20_000
    assert l_kurtosis(p) == pytest.approx(0.0, abs=1e-3)
    assert l_kurtosis(stats.norm.ppf(p)) == pytest.approx(0.1226, abs=1e-3)
    assert np.isnan(l_kurtosis(p[:3]))


def _dummies(drawn: Moderated) -> Floats:
    n = len(drawn.m)
    unit = np.kron(np.eye(n), np.ones((PERIODS, 1)))
    period = np.kron(np.ones((n, 1)), np.eye(PERIODS)[:, 1:])
    return np.hstack([unit, period, period * np.repeat(drawn.m, PERIODS)[:, None]])


def test_imputed_slope_written_out(drawn: Moderated) -> None:
    """Untreated rows on dummies; the rest of the treated rows on M by least squares."""
    x, y = _dummies(drawn), drawn.design.y
    on = drawn.design.treated
    b, *_ = np.linalg.lstsq(x[~on], y[~on], rcond=None)
    effect = (y - x @ b)[on]
    m = np.repeat(drawn.m, PERIODS)[on] - drawn.scaling.centre
    expected, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(m)), m]), effect, rcond=None)
    found = fit_imputed(drawn.design, drawn.scaling)
    assert_allclose(found.estimate, expected, atol=1e-8)
    assert_allclose(found.vcov, found.influence.T @ found.influence)


def test_strata_are_fits_of_their_units(drawn: Moderated) -> None:
    bins = make_bins(drawn.design, drawn.m, 3)
    found = fit_strata(drawn.design, drawn.scaling, bins, "callaway-santanna", {})
    assert found is not None
    assert found.slope is not None
    for j in range(3):
        alone = fit(drawn.design.take((bins.of == j)[drawn.design.unit]), "callaway-santanna").aggregate("overall")
        factor = np.sqrt(bins.n_clusters[j] / (bins.n_clusters[j] - 1))
        assert found.effects.estimate[j] == pytest.approx(alone.estimate[0])
        assert found.effects.std_error[j] == pytest.approx(alone.std_error[0] * factor)
    weight = bins.n_treated / bins.n_treated.sum()
    centred = found.at - weight @ found.at
    direction = weight * centred / (weight @ centred**2)
    assert found.slope.estimate[0] == pytest.approx(direction @ found.effects.estimate)
    # Provinces do not cross strata of a moderator of provinces, so the strata are independent.
    assert found.slope.std_error[0] ** 2 == pytest.approx(direction**2 @ found.effects.std_error**2)


def test_centre_and_unit_of_measurement_change_what_they_should(drawn: Moderated) -> None:
    def found(panel: hl.Panel, **options: Any) -> Any:
        return hl.moderation(panel, "y", drawn.policy, "m", level="province", draws=199, **options)

    base = found(drawn.panel)
    for other, scale in ((found(drawn.panel, centre=0.0), 1.0), (found(drawn.panel.with_columns(m=pl.col("m") * 1e-4 + 7)), 1e-4)):
        assert_allclose(other.slopes["estimate"] * scale, base.slopes["estimate"], rtol=1e-6)
        assert_allclose(other.slopes["std_error"] * scale, base.slopes["std_error"], rtol=1e-6)
        assert_allclose(other.slopes["p_wild"][0], base.slopes["p_wild"][0])
        grid = pl.col("kind") == "grid"
        assert_allclose(other.effects.filter(grid)["estimate"], base.effects.filter(grid)["estimate"], rtol=1e-6)
        assert_allclose(other.effects.filter(grid)["band_high"], base.effects.filter(grid)["band_high"], rtol=1e-5)
    assert found(drawn.panel, centre=0.0).meta["centre"] == 0.0
    assert found(drawn.panel, centre="units").meta["centre"] == pytest.approx(drawn.m.mean())


def test_effects_at_named_values_and_their_differences(drawn: Moderated) -> None:
    found = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", draws=99)
    rows = {r["kind"]: r for r in found.effects.filter(pl.col("version") == "linear").iter_rows(named=True)}
    line = line_of(found.linear, found.meta["centre"])
    assert rows["p10"]["value"] == pytest.approx(np.quantile(drawn.m, 0.1))
    assert rows["p10-mean"]["estimate"] == pytest.approx(rows["p10"]["estimate"] - rows["mean"]["estimate"])
    assert rows["p10-mean"]["std_error"] == pytest.approx(abs(rows["p10"]["value"] - line.centre) * found.linear.std_error[1])
    low, high = found.meta["support_low"], found.meta["support_high"]
    assert all(r["inside"] == (low <= r["value"] <= high) for k, r in rows.items() if k in ("min", "p10", "mean", "p90", "max"))
    assert set(found.effects["version"]) == {"linear", "imputation"}
    assert found.tidy() is found.slopes
    assert found.frame is found.effects
    assert "Moderation(y by m" in repr(found)
    assert "\n" not in repr(found)


def test_own_trend_of_the_moderator_is_no_moderation(drawn: Moderated) -> None:
    """An outcome that grows faster where M is high, and an effect that does not change with it."""
    rng = np.random.default_rng(1)
    t = np.arange(1, PERIODS + 1)
    y = 2.0 * t * drawn.m[:, None] + (t >= drawn.cohort[:, None]) + 0.01 * rng.normal(size=(len(drawn.m), PERIODS))
    design = replace(drawn.design, y=y.ravel())
    assert abs(fit_linear(design, drawn.scaling, "gaussian").effects.estimate[1]) < 0.01
    assert abs(fit_imputed(design, drawn.scaling).estimate[1]) < 0.01


def test_joint_wild_is_the_bootstrap_by_rows(drawn: Moderated) -> None:
    """Draws of ±1 by cluster, refitted on rows, against the table of clusters."""
    small = moderated(60, 8, seed=5)
    fitted = fit_linear(small.design, small.scaling, "gaussian").regression
    assert fitted is not None
    names = fitted.names
    rows = np.zeros((2, len(names)))
    rows[0, names.index("treated")] = rows[1, names.index(INTERACTION)] = 1.0
    p = joint_wild(fitted, rows, draws=256, seed=1)
    codes, size = small.design.clusters[0].codes, small.design.clusters[0].size
    bread, x = fitted.bread, fitted.x
    restricted = fitted.estimate - bread @ rows.T @ np.linalg.solve(rows @ bread @ rows.T, rows @ fitted.estimate)
    residual = fitted.residuals + x @ (fitted.estimate - restricted)

    def wald(u: Floats, theta: Floats) -> float:
        scores = np.array([(x[codes == g].T @ u[codes == g]) for g in range(size)]) @ bread @ rows.T
        return float((rows @ theta) @ np.linalg.solve(scores.T @ scores, rows @ theta))

    actual = wald(fitted.residuals, fitted.estimate)
    larger, signs = 0, ((np.arange(2 ** (size - 1))[:, None] >> np.arange(size)) & 1) * -2 + 1
    for v in signs:
        outcome = fitted.prepared.column(residual * v[codes])
        theta = bread @ (x.T @ outcome)
        larger += wald(outcome - x @ theta, theta) >= actual * (1 - 1e-9)
    assert p == pytest.approx(larger / len(signs))


def test_label_test_is_every_regression_written_out() -> None:
    """Eight provinces, two in the group: all 28 labels, each by least squares on dummies."""
    small = moderated(48, 8, seed=2, share=0.5)
    label = (small.province < 2).astype(float)
    design = replace(small.design, columns={**small.design.columns, "g": np.repeat(label, PERIODS)})
    scaling = replace(small.scaling, group="g")
    found = permute_label(fit_linear(design, small.scaling, "gaussian"), scaling)
    assert found is not None
    assert found.enumerated
    base, on = _dummies(small), design.treated.astype(float)
    z = (np.repeat(small.m, PERIODS) - small.scaling.centre) / small.scaling.scale
    statistics = []
    for first in range(8):
        for second in range(first + 1, 8):
            g = np.repeat(np.isin(small.province, (first, second)), PERIODS).astype(float)
            later = np.tile(np.eye(PERIODS)[:, 1:], (len(small.m), 1)) * g[:, None]
            x = np.column_stack([base, later, on, on * z, on * g, on * z * g])
            b, *_ = np.linalg.lstsq(x, design.y, rcond=None)
            rest = design.y - x @ b
            own = x[:, -1] - x[:, :-1] @ np.linalg.lstsq(x[:, :-1], x[:, -1], rcond=None)[0]
            statistics.append(abs(b[-1]) / np.sqrt(rest @ rest / (own @ own)))
    expected = np.mean(np.array(statistics) >= statistics[0] * (1 - 1e-9))
    assert (found.draws, found.inside, found.treated) == (28, 2, 8)
    assert found.p_value == pytest.approx(expected)


def test_group_of_two_treated_clusters_has_no_stars() -> None:
    drawn = moderated(240, 40, seed=4, west=(np.sort(np.arange(240) % 40) < 2).astype(int))
    found = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", group="west", draws=99)
    rows = {r["group"]: r for r in found.slopes.filter(pl.col("version") == "linear").iter_rows(named=True)}
    assert rows["inside"]["estimate"] - rows["elsewhere"]["estimate"] == pytest.approx(rows["difference"]["estimate"])
    for group in ("inside", "difference"):
        assert [rows[group][k] for k in ("std_error", "p_value", "conf_low", "p_wild")] == [None] * 4
    assert 0 < rows["difference"]["p_exact"] <= 1
    assert {n.code for n in found.notes} >= {"moderation-exact-fit", "moderation-labels"}
    counts = hl.moderation(
        drawn.panel.with_columns(c=(pl.col("y") - pl.col("y").min()).round()),
        "c",
        drawn.policy,
        "m",
        group="west",
        family="poisson",
        draws=99,
    )
    assert counts.slopes.filter(pl.col("group") == "difference")["p_exact"][0] is not None


def test_group_with_many_treated_clusters_has_both() -> None:
    drawn = moderated(240, 40, seed=4, side=np.where(np.sort(np.arange(240) % 40) < 20, "west", "east"))
    found = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", group="side=west", draws=99)
    row = found.slopes.filter(pl.col("group") == "difference").row(0, named=True)
    assert None not in (row["std_error"], row["p_wild"], row["p_exact"])
    assert row["labels"] == 1000
    assert not row["enumerated"]


# How the moderator is fixed, and everything that is wrong with one.


def _moving(drawn: Moderated, post: float = 0.0) -> hl.Panel:
    """A moderator that changes by the same amount everywhere each year, and by ``post`` where a unit is treated."""
    first = dict(zip(drawn.design.unit_labels.tolist(), drawn.cohort.tolist(), strict=True))
    adopted = pl.col("unit").replace_strict(first, return_dtype=pl.Int64)
    return drawn.panel.with_columns(
        m=pl.col("m") + 0.5 * pl.col("year") + post * (pl.col("year") >= adopted).cast(pl.Float64) * pl.col("m"),
    )


def test_pre_is_the_mean_before_any_adoption(drawn: Moderated) -> None:
    base = hl.moderation(drawn.panel, "y", drawn.policy, "m", draws=99)
    for fixed in ("pre", 2):
        found = hl.moderation(_moving(drawn, post=3.0), "y", drawn.policy, "m", fixed=fixed, draws=99)
        assert_allclose(found.slopes["estimate"], base.slopes["estimate"], rtol=1e-8)
        assert_allclose(found.values["value"] - found.values["value"].mean(), drawn.m - drawn.m.mean(), atol=1e-9)
    own = hl.moderation(_moving(drawn, post=3.0), "y", drawn.policy, "m", fixed="own-pre", draws=99)
    late = own.values["value"].to_numpy() - drawn.m
    assert_allclose(late[drawn.cohort == COHORTS[0]], 1.0)
    assert_allclose(late[drawn.cohort == COHORTS[1]], 1.5)
    assert_allclose(late[drawn.cohort == NEVER], 1.0)


def test_anticipated_periods_do_not_count_as_before(drawn: Moderated) -> None:
    found = hl.moderation(_moving(drawn), "y", drawn.policy, "m", fixed="pre", anticipation=1, draws=99)
    assert_allclose(found.values["value"] - drawn.m, 0.75)
    with pytest.raises(EstimationError, match="moderator-after-treatment"):
        hl.moderation(_moving(drawn), "y", drawn.policy, "m", fixed=3, anticipation=1, draws=99)


def _codes(panel: hl.Panel, drawn: Moderated, moderator: str = "m", **options: Any) -> set[str]:
    with pytest.raises(InputError) as caught:
        hl.moderation(panel, "y", drawn.policy, moderator, **{"draws": 99, **options})
    return {f.code for f in caught.value.findings}


def test_what_cannot_be_a_moderator(drawn: Moderated) -> None:
    panel = drawn.panel
    assert _codes(panel, drawn, "n") == {"unknown-column"}
    assert _codes(panel, drawn, "n", level="state", fixed="later") == {"unknown-column", "unknown-value"}
    assert _codes(panel, drawn, "y") == {"moderator-is-outcome"}
    assert _codes(panel, drawn, "year") == {"moderator-is-treatment"}
    assert _codes(panel, drawn, "province") == {"not-numeric"}
    assert _codes(_moving(drawn), drawn) == {"moderator-varies"}
    assert _codes(_moving(drawn), drawn, fixed=5) == {"moderator-after-treatment"}
    assert _codes(_moving(drawn), drawn, fixed=99) == {"moderator-no-period"}
    assert _codes(panel.with_columns(m=pl.lit(2.0)), drawn) == {"moderator-constant"}
    ever = pl.col("unit").is_in(drawn.design.unit_labels[drawn.treated].tolist())
    assert _codes(panel.with_columns(m=pl.when(ever).then(1.0).otherwise(pl.col("m"))), drawn) == {"moderator-constant"}
    assert _codes(panel.with_columns(m=pl.when(~ever).then(pl.col("m"))), drawn) == {"moderator-missing"}
    assert _codes(panel.with_columns(m=pl.col("unit").rank("dense").cast(pl.Float64)), drawn, level="province") == {
        "moderator-within-level"
    }
    moved = pl.when(pl.col("year") > 4).then(pl.lit("p000")).otherwise(pl.col("province"))
    assert "not-constant-in-unit" in _codes(panel.with_columns(province=moved), drawn, level="province")
    assert _codes(_moving(drawn), drawn, fixed="pre", anticipation=3) == {"moderator-no-period"}


def test_options_that_are_none(drawn: Moderated) -> None:
    bad = {"centre": "median", "bins": 1, "family": "binomial", "draws": 5, "points": 1}
    assert _codes(drawn.panel, drawn, **bad) == {"unknown-value", "bad-bins", "few-draws", "bad-points"}
    assert _codes(drawn.panel, drawn, bins=[9.0]) == {"moderator-one-bin"}
    assert _codes(drawn.panel, drawn, group="province=p999") == {"unknown-group"}
    assert _codes(drawn.panel, drawn, group="nowhere") == {"unknown-column"}
    assert _codes(drawn.panel.with_columns(all=pl.lit(1)), drawn, group="all") == {"moderation-group"}
    assert _codes(drawn.panel, drawn, method="nothing") == {"unknown-method"}


def test_units_without_a_moderator_are_left_out_and_counted(drawn: Moderated) -> None:
    gap = drawn.panel.with_columns(m=pl.when(pl.col("unit") > "u0009").then(pl.col("m")))
    found = hl.moderation(gap, "y", drawn.policy, "m", draws=99)
    assert found.meta["n_units"] == 230
    assert any(n.code == "rows-missing" for n in found.notes)


def test_clusters_below_the_level_are_flagged(drawn: Moderated) -> None:
    named = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", cluster="unit", draws=99)
    assert any(n.code == "moderation-cluster-too-fine" for n in named.notes)
    silent = hl.moderation(drawn.panel, "y", drawn.policy, "m", draws=99)
    assert any(n.code == "moderation-shared-values" for n in silent.notes)
    right = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", draws=99)
    assert right.meta["cluster"] == "province"
    assert not {n.code for n in right.notes} & {"moderation-cluster-too-fine", "moderation-shared-values"}


def test_notes_are_said_in_both_languages(drawn: Moderated) -> None:
    found = hl.moderation(_moving(drawn), "y", drawn.policy, "m", fixed="pre", level="province", bins=[-9.0, 0.0, 1.9], draws=99)
    assert all(n.text("en") and n.text("zh") for n in found.notes)
    assert {n.code for n in found.notes} >= {"moderator-pre"}


def test_weights_of_one_change_nothing_and_gaps_are_accepted(drawn: Moderated) -> None:
    weighted = replace(drawn.panel.with_columns(w=pl.lit(1.0)), weight="w")
    base = hl.moderation(drawn.panel, "y", drawn.policy, "m", level="province", draws=99, seed=3)
    found = hl.moderation(weighted, "y", drawn.policy, "m", level="province", draws=99, seed=3)
    assert_allclose(found.slopes["estimate"], base.slopes["estimate"], rtol=1e-7)
    assert_allclose(found.slopes["std_error"], base.slopes["std_error"], rtol=1e-7)
    assert found.linearity is not None
    assert base.linearity is not None
    assert found.linearity.p_wild == base.linearity.p_wild
    gaps = drawn.panel.filter(~((pl.col("unit") == "u0003") & (pl.col("year") == 2)))
    assert hl.moderation(gaps, "y", drawn.policy, "m", level="province", draws=99).slopes["estimate"].is_finite().all()


# Simulated truth.

REPS = 1000


def _coverage(drawn: Moderated, seed: int, slope: float, **noise: float) -> dict[str, Floats]:
    """Errors and half widths by version over :data:`REPS` draws, with wild p-values of the truth."""
    bins, scaling = make_bins(drawn.design, drawn.m, 3), drawn.scaling
    rows: dict[str, list[tuple[float, float]]] = {k: [] for k in ("linear", "imputation", "strata")}
    wild = []
    for r, (design, effect) in enumerate(drawn.draws(REPS, seed, slope, **noise)):
        fitted = fit_linear(design, scaling, "gaussian")
        assert fitted.regression is not None
        at = np.array([float(n == INTERACTION) for n in fitted.regression.names])
        rule = Rule(draws=299, seed=r, null=slope * scaling.scale)
        wild.append(bootstrap_regression(fitted.regression, {INTERACTION: at}, "twfe", rule).p_value[0])
        rows["linear"].append((fitted.effects.estimate[1] - slope, fitted.effects.half_width()[1]))
        imputed = fit_imputed(design, scaling)
        on = design.treated
        m = np.repeat(drawn.m, PERIODS)[on] - scaling.centre
        true = float(np.polyfit(m, effect.ravel()[on], 1)[0])
        rows["imputation"].append((imputed.estimate[1] - true, imputed.half_width()[1]))
        strata = fit_strata(design, scaling, bins, "callaway-santanna", {})
        assert strata is not None
        assert strata.slope is not None
        rows["strata"].append((strata.slope.estimate[0] - slope, strata.slope.half_width()[0]))
    return {**{k: np.array(v) for k, v in rows.items()}, "wild": np.array(wild)}


@pytest.mark.validate
def test_slopes_are_recovered(validated: Recorder) -> None:
    """40 provinces of six cities, a moderator of provinces that moves the untreated outcome, an effect that falls by 0.4 for a unit of it."""
    drawn = moderated()
    found = _coverage(drawn, 11, -0.4)
    where = "240 units × 8, 40 provinces; moderator of provinces, effect linear in it"
    for version in ("linear", "imputation", "strata"):
        row = validated("estimators", f"moderation, {version}", where, seed=11)
        within: dict[str, Any] = {} if version == "strata" else {"within": (0.905, 0.97), "reason": "small sample"}
        row.interval(found[version][:, 0], found[version][:, 1], "slope", **within)
    validated("few clusters", "moderation, wild bootstrap", where, seed=11).size(found["wild"] <= 0.05, "slope")
    none = [fit_linear(design, drawn.scaling, "gaussian").effects.p_value[1] <= 0.05 for design, _ in drawn.draws(REPS, 12, 0.0)]
    validated("tests", "moderation, linear", where.replace("effect linear in it", "effect not"), seed=12).size(none, "slope")


@pytest.mark.validate
def test_linearity_and_label_tests_keep_their_size(validated: Recorder) -> None:
    drawn = moderated()
    bins, scaling = make_bins(drawn.design, drawn.m, 3), drawn.scaling
    west = replace(drawn.design, columns={**drawn.design.columns, "west": np.repeat((drawn.province < 3).astype(float), PERIODS)})
    usual, wild, labels = [], [], []
    for r, (design, _) in enumerate(drawn.draws(REPS, 21, -0.4)):
        test = fit_bins(design, scaling, bins, "gaussian", draws=199, seed=r).test
        assert test is not None
        usual.append(test.p_value <= 0.05)
        wild.append(test.p_wild <= 0.05)
    for r, (design, _) in enumerate(drawn.draws(REPS, 22, -0.4)):
        grouped = replace(design, columns=west.columns)
        found = permute_label(fit_linear(grouped, scaling, "gaussian"), replace(scaling, group="west"), draws=99, seed=r)
        assert found is not None
        labels.append(found.p_value <= 0.05)
    where = "240 units × 8, 40 provinces; moderator of provinces, effect linear in it"
    validated("tests", "linearity of a moderation, wild bootstrap", where, seed=21).size(wild)
    validated("failures", "linearity of a moderation, F", where, seed=21).size(usual, within=(0.1, 1.0), reason="known failure")
    validated("tests", "label of a group, permuted", f"{where}; three provinces in the group", seed=22).size(labels)


@pytest.mark.validate
def test_how_moderation_fails(validated: Recorder) -> None:
    """A moderator that is not centred, one measured after treatment, and clusters below the level of the moderator."""
    drawn = moderated()
    where = "240 units × 8, 40 provinces; moderator of provinces"
    far = replace(drawn.scaling, centre=float(drawn.m[drawn.treated].mean()) - 5.0)
    level = [fit_linear(d, far, "gaussian").effects.estimate[0] - 1.0 for d, _ in drawn.draws(200, 31, -0.4)]
    validated("failures", "moderation, not centred", f"{where}, five units above zero", seed=31).bias(
        level, "level read as the average effect", reason="known failure", least=1.0
    )
    fine = [make_design(drawn.panel, "y", drawn.policy, cluster="unit", columns=("m",)), drawn.design]
    rejected: list[list[bool]] = [[], []]
    for design, _ in drawn.draws(REPS, 32, 0.0, by_province=1.0):
        for hits, base in zip(rejected, fine, strict=True):
            hits.append(bool(fit_linear(replace(base, y=design.y), drawn.scaling, "gaussian").effects.p_value[1] <= 0.05))
    spread = f"{where}, effects that differ between provinces for other reasons"
    validated("failures", "moderation, clustered by unit", spread, seed=32).size(rejected[0], within=(0.1, 1.0), reason="known failure")
    validated("covariances", "moderation, clustered by province", spread, seed=32).size(
        rejected[1], within=(0.03, 0.09), reason="small sample"
    )
    after = []
    for design, effect in drawn.draws(500, 33, 0.0, noise=0.5):
        late = drawn.m - 0.5 * (effect[:, -1] - drawn.treated)
        changed = replace(design, columns={**design.columns, "m": np.repeat(late, PERIODS)})
        scaling = replace(drawn.scaling, centre=float(late[drawn.treated].mean()), scale=float(late.std(ddof=1)))
        after.append(bool(fit_linear(changed, scaling, "gaussian").effects.p_value[1] <= 0.05))
    validated("failures", "moderation, moderator measured after treatment", f"{where}, lowered by the effect", seed=33).size(
        after, within=(0.2, 1.0), reason="known failure"
    )


@pytest.mark.validate
def test_slope_of_the_packaged_world(validated: Recorder) -> None:
    """Truth ``moderation/ln_inventions/fitted-slope``: the least-squares slope of the effects of treated unit-years, which is the estimand of ``imputation``."""
    errors, half = [], []
    for seed in range(REPS):
        world = hl.simulate("demonstration-zones", seed, units=400, periods=10, treated_share=0.5, moderation_sichuan_chongqing=0.0)
        panel = world.panel
        design: Design = make_design(panel, "ln_inventions", world.policy, cluster="province", columns=("segmentation_pre",))
        value = design.columns["segmentation_pre"].reshape(design.n_units, -1)[:, 0]
        ever = design.cohort != NEVER
        scaling = replace(
            moderated(24, 4).scaling, column="segmentation_pre", centre=float(value[ever].mean()), scale=float(value.std(ddof=1))
        )
        found = fit_imputed(design, scaling)
        errors.append((found.estimate[1] - world.value("moderation/ln_inventions/fitted-slope")) * scaling.scale)
        half.append(found.half_width()[1] * scaling.scale)
    where = "400 cities × 10, half of them treated, in 28 provinces"
    row = validated("packaged world", "moderation, imputation", where, seed=0)
    row.bias(np.array(errors), "slope per SD", reason="small sample", within=0.25)
    row.coverage(np.abs(errors) <= np.array(half), "slope per SD")


def test_free_restrictions_are_what_no_line_gives() -> None:
    """The null space behind the test of linearity: a line through the medians satisfies every restriction."""
    middle = np.array([-1.0, 0.3, 2.0])
    line = np.vstack([np.column_stack([np.ones(3), middle]), np.column_stack([np.zeros(3), np.ones(3)])])
    free = linalg.null_space(line.T).T
    assert free.shape == (4, 6)
    assert_allclose(free @ np.concatenate([2.0 + 0.7 * middle, np.full(3, 0.7)]), 0.0, atol=1e-12)


def test_a_moderator_that_tells_who_is_treated_has_no_linearity() -> None:
    """Each unit's moderator is its place in the cycle that decides its cohort: no bin has treated and comparison units that can be told apart, and nothing is tested."""
    city, year = np.repeat(np.arange(48), 8), np.tile(np.arange(2000, 2008), 48)
    first = np.array([2003, 2005, 0])[city % 3]
    y = np.random.default_rng(1).normal(size=len(city)) + ((first > 0) & (year >= first))
    frame = pl.DataFrame({"city": city, "year": year, "first": first, "m": (city % 6) / 5.0, "y": y})
    panel = hl.read_panel(frame, unit="city", time="year")
    found = hl.moderation(panel, "y", hl.adoption(panel, "first", never=(0, None)), moderator="m", draws=99, seed=1)
    assert found.bins.filter(pl.col("version") == "binning")["estimate"].is_null().all()
    assert found.linearity is None
