from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

sys.path.insert(0, str(Path(__file__).parents[1]))

import hinterland as hl
import spark_cluster
from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, InputError, PanelError
from hinterland.evaluate.moments import PanelMoments, panel_moments
from hinterland.evaluate.wild import score_bootstrap

T = 8


def frame(n: int = 150, seed: int = 0, *, never: bool = True, level: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    options = np.array([2001, 2004, 2005, 2007, 2012, *([0] * 4 if never else [])])
    g = options[rng.integers(len(options), size=n)]
    year = 2001 + np.arange(T)
    y = level + rng.normal(size=(n, 1)) + 0.3 * np.arange(T) + rng.normal(size=(n, T)).cumsum(axis=1) * 0.3
    y += ((g[:, None] > 0) & (year >= g[:, None])) * (1 + 0.2 * (year - g[:, None]))
    unit = np.repeat(np.arange(n), T)
    return pl.DataFrame(
        {
            "unit": unit,
            "year": np.tile(year, n),
            "y": y.ravel(),
            "g": pl.Series(g[unit], dtype=pl.Int64),
            "w": rng.integers(1, 5, size=n)[unit].astype(float),
            "province": [f"p{i % 11:02d}" for i in unit],
        }
    )


def both(data: pl.DataFrame, tmp_path: Path, method: str, *, cluster: str | None = None, weight: str | None = None, **options: Any) -> Any:
    path = tmp_path / "panel.parquet"
    data.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)
    moments = panel_moments(path, "y", unit="unit", time="year", adoption="g", cluster=cluster, weight=weight)
    panel = Panel(data.sort("unit", "year"), "unit", "year", weight=weight)
    policy = adoption(panel, "g", never=(0, None))
    memory = hl.estimate(panel, "y", policy, method, cluster=cluster, **options)
    design = ("comparison", "anticipation")
    return moments.estimate(method, **{k: v for k, v in options.items() if k not in design or method == "callaway-santanna"}), memory


def assert_same(got: hl.Effects, want: hl.Effects) -> None:
    assert got.terms.name == want.terms.name
    assert_allclose(got.estimate, want.estimate, rtol=1e-9, atol=1e-11)
    assert_allclose(got.vcov, want.vcov, rtol=1e-9, atol=1e-9 * np.abs(want.vcov).max())
    assert got.df == want.df
    assert (got.terms.n_treated == want.terms.n_treated).all()
    for fact in ("n_obs", "n_units", "n_treated", "n_periods", "n_clusters"):
        assert got.meta[fact] == want.meta[fact], fact


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
@pytest.mark.parametrize("cluster", [None, "province"])
@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("twfe", {}),
        ("twfe", {"ssc": "dummies"}),
        ("event-study", {}),
        ("event-study", {"leads": -3, "lags": 2, "reference": -2}),
        ("callaway-santanna", {}),
        ("callaway-santanna", {"comparison": "not-yet-treated", "base_period": "universal", "anticipation": 1}),
    ],
)
def test_the_same_as_in_memory(tmp_path: Path, method: str, options: dict[str, Any], cluster: str | None, weight: str | None) -> None:
    got, want = both(frame(), tmp_path, method, cluster=cluster, weight=weight, **options)
    assert_same(got, want)
    if method == "callaway-santanna":
        for kind in ("overall", "event-time", "cohort", "calendar"):
            assert_same(got.aggregate(kind), want.aggregate(kind))


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
@pytest.mark.parametrize("method", ["twfe", "event-study"])
def test_without_never_treated_units(tmp_path: Path, method: str) -> None:
    data = frame(never=False).filter(pl.col("g").is_in([2004, 2005, 2007]))
    assert_same(*both(data, tmp_path, method))


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
def test_group_time_effects_without_never_treated_units(tmp_path: Path) -> None:
    data = frame(never=False).filter(pl.col("g").is_in([2004, 2005, 2007]))
    got, want = both(data, tmp_path, "callaway-santanna", comparison="not-yet-treated")
    assert_same(got, want)
    assert_same(got.aggregate("event-time"), want.aggregate("event-time"))


def test_a_large_level_costs_no_digits(tmp_path: Path) -> None:
    data = frame(seed=3)
    small, _ = both(data, tmp_path, "twfe")
    large, _ = both(data.with_columns(pl.col("y") + 1e6), tmp_path, "twfe")
    assert_allclose(large.std_error, small.std_error, rtol=1e-9)


def test_a_relation_and_a_csv_give_the_same(tmp_path: Path) -> None:
    data = frame(60)
    path = tmp_path / "panel.csv"
    data.write_csv(path)
    roles = {"unit": "unit", "time": "year", "adoption": "g"}
    with duckdb.connect() as connection:
        arrow = data.to_arrow()
        relation = connection.from_arrow(arrow)
        one = panel_moments(relation, "y", **roles)
    two = panel_moments(path, "y", **roles, periods=range(2001, 2009))
    assert (one.engine, two.engine) == ("duckdb", "duckdb")
    assert_allclose(one.total, two.total, rtol=1e-12)
    assert_allclose(one.estimate("twfe").std_error, two.estimate("twfe").std_error, rtol=1e-12)
    assert "60 units × 8 periods" in repr(one)


def reduce(data: pl.DataFrame, tmp_path: Path, **options: Any) -> PanelMoments:
    path = tmp_path / "panel.parquet"
    data.write_parquet(path)
    return panel_moments(path, "y", unit="unit", time="year", adoption="g", **options)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    data = frame(60)
    bad = pl.concat(
        [
            data.filter(~((pl.col("unit") == 3) & (pl.col("year") == 2004))).with_columns(
                g=pl.when((pl.col("unit") == 5) & (pl.col("year") == 2003)).then(2003).otherwise("g"),
                w=pl.when(pl.col("unit") == 7).then(-1.0).otherwise("w"),
                province=pl.when((pl.col("unit") == 9) & (pl.col("year") == 2003)).then(pl.lit("x")).otherwise("province"),
            ),
            data.filter((pl.col("unit") == 11) & (pl.col("year") == 2004)),
        ]
    )
    with pytest.raises(PanelError) as caught:
        reduce(bad, tmp_path, weight="w", cluster="province")
    found = {f.code: f.where for f in caught.value.findings}
    assert set(found) == {"gaps", "varying-adoption", "bad-weight", "cluster-not-nested", "duplicate-unit-period"}
    assert "'3'" in found["gaps"]
    assert "'11'" in found["duplicate-unit-period"]


@pytest.mark.parametrize(
    ("column", "value", "rows", "code"),
    [
        ("w", None, pl.col("unit") == 7, "bad-weight"),
        ("w", None, (pl.col("unit") == 7) & (pl.col("year") < 2004), "bad-weight"),
        ("w", float("inf"), pl.col("unit") == 7, "bad-weight"),
        ("w", float("nan"), pl.col("unit") == 7, "bad-weight"),
        ("province", None, pl.col("unit") == 7, "cluster-not-nested"),
        ("province", None, (pl.col("unit") == 7) & (pl.col("year") < 2004), "cluster-not-nested"),
        ("unit", None, pl.col("unit") == 7, "unit-missing"),
        ("year", None, (pl.col("unit") == 7) & (pl.col("year") == 2004), "years-outside"),
        ("g", 2004.5, pl.col("unit") == 7, "not-a-period"),
    ],
)
def test_what_is_missing_or_no_number_is_named(tmp_path: Path, column: str, value: Any, rows: pl.Expr, code: str) -> None:
    data = frame(60).with_columns(pl.col("g").cast(pl.Float64))
    bad = data.with_columns(pl.when(rows).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
    with pytest.raises(PanelError) as caught:
        reduce(bad, tmp_path, weight="w", cluster="province")
    found = {f.code: f.where for f in caught.value.findings}
    assert code in found
    assert ("7" if column != "unit" else "None") in found[code]


def test_a_second_row_without_an_outcome_is_a_repeated_row(tmp_path: Path) -> None:
    data = frame(60)
    again = data.filter((pl.col("unit") == 11) & (pl.col("year") == 2004)).with_columns(y=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(PanelError, match="more than one row for a period"):
        reduce(pl.concat([data, again]), tmp_path)


def test_periods_given_are_all_periods(tmp_path: Path) -> None:
    years = frame(60)["year"].unique().to_list()
    assert_allclose(reduce(frame(60), tmp_path, periods=[*years, years[0]]).total, reduce(frame(60), tmp_path).total)
    with pytest.raises(PanelError, match="not among the periods given"):
        reduce(frame(60), tmp_path, periods=years[:-1])


def test_units_with_gaps_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    data = frame(60).with_columns(y=pl.when((pl.col("unit") == 3) & (pl.col("year") == 2004)).then(float("nan")).otherwise("y"))
    moments = reduce(data, tmp_path, gaps="drop")
    assert dict(moments.left_out) == {"units": 1, "rows": 1}
    want = reduce(data.filter(pl.col("unit") != 3), tmp_path)
    assert_allclose(moments.estimate("twfe").estimate, want.estimate("twfe").estimate, rtol=1e-12)
    assert any(n.code == "moments-left-out" for n in moments.estimate("twfe").notes)


def test_a_date_that_is_not_a_number_means_never(tmp_path: Path) -> None:
    data = frame(60).with_columns(pl.col("g").cast(pl.Float64))
    want = reduce(data, tmp_path)
    for mark in (float("nan"), float("inf"), None):
        got = reduce(data.with_columns(g=pl.when(pl.col("g") == 0).then(mark).otherwise("g")), tmp_path)
        assert (got.n_units == want.n_units).all()


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv"])
def test_a_file_that_cannot_be_read_and_a_limit_that_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"PAR1\xff\xfe\x00broken")
    with pytest.raises(PanelError) as caught:
        panel_moments(path, "y", unit="u", time="t", adoption="g")
    assert next(f.code for f in caught.value.findings) in ("corrupt-file", "unknown-column")
    with pytest.raises(InputError, match="memory_limit 'lots' is not understood"):
        panel_moments(path, "y", unit="u", time="t", adoption="g", memory="lots")


def test_bad_options_and_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelError, match=r"neither \.parquet nor \.csv"):
        panel_moments(tmp_path / "x.dta", "y", unit="unit", time="year", adoption="g")
    with pytest.raises(PanelError, match="no file matches"):
        panel_moments(tmp_path / "x.parquet", "y", unit="unit", time="year", adoption="g")
    with pytest.raises(PanelError, match="no column 'province2'"):
        reduce(frame(30), tmp_path, cluster="province2")
    moments = reduce(frame(60), tmp_path)
    with pytest.raises(EstimationError, match="not defined on moments"):
        moments.estimate("imputation")
    with pytest.raises(EstimationError, match="no option 'leads'"):
        moments.estimate("twfe", leads=-2)
    with pytest.raises(EstimationError, match="never-treated unit to compare"):
        reduce(frame(60, never=False).filter(pl.col("g") < 2008), tmp_path).estimate("callaway-santanna")
    with pytest.raises(EstimationError, match="multiplier"):
        moments.estimate("callaway-santanna").aggregate("event-time").with_band(draws=99)
    dynamic = moments.estimate("callaway-santanna").aggregate("event-time")
    assert dynamic.with_band(kind="analytic").band is not None
    with pytest.raises(EstimationError, match="draws over clusters"):
        score_bootstrap(dynamic, draws=99)
    with pytest.raises(EstimationError, match="draws over clusters"):
        hl.adjust([dynamic], "romano-wolf", draws=99)
    with pytest.raises(EstimationError, match="needs the rows themselves"):
        moments.estimate("twfe", covariates=["x"])


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_cluster_gives_the_same_moments_and_effects(tmp_path: Path) -> None:
    if reason := spark_cluster.missing():
        pytest.skip(reason)
    path = tmp_path / "panel.parquet"
    frame(200).filter(pl.col("year") < 2006).write_parquet(path)
    roles = {"unit": "unit", "time": "year", "adoption": "g", "weight": "w", "periods": range(2001, 2006)}
    here = [panel_moments(path, "y", **roles, cluster=c) for c in (None, "province")]  # type: ignore[arg-type]  # all are texts
    with spark_cluster.cluster(tmp_path) as session:
        data = session.read.parquet(str(path))
        assert session.sparkContext.master.startswith("spark://")
        there = [panel_moments(data, "y", **roles, cluster=c) for c in (None, "province")]
        assert len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) == 3, "the driver and two workers"
    for one, two in zip(here, there, strict=True):
        assert (one.engine, two.engine) == ("duckdb", "pyspark")
        assert (one.n_units == two.n_units).all()
        assert_allclose(two.total, one.total, rtol=1e-9, atol=1e-9)
        for method in ("twfe", "event-study", "callaway-santanna"):
            a, b = one.estimate(method), two.estimate(method)
            assert_allclose(b.estimate, a.estimate, rtol=1e-9, atol=1e-12)
            assert_allclose(b.vcov, a.vcov, rtol=1e-9, atol=1e-9 * np.abs(a.vcov).max())


def test_the_joint_test_is_the_textbook_one_where_units_were_not_kept(tmp_path: Path) -> None:
    """The corrected test needs each unit's influence: the rows of the moments' influence are no units, and say nothing of their number."""
    from hinterland.evaluate.pretrends import pretrend_test

    got, want = both(frame(400), tmp_path, "event-study")
    assert_allclose(pretrend_test(got).p_value, pretrend_test(want, small_sample=False).p_value, rtol=1e-8)
    by_province, memory = both(frame(400), tmp_path, "event-study", cluster="province")
    assert_allclose(pretrend_test(by_province, leads=3).p_value, pretrend_test(memory, leads=3).p_value, rtol=1e-8)
