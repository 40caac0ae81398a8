"""The study of provinces and cities on the real data beside the project, against computations of its numbers in another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.measure.result import Measure
from hinterland.study.check import check
from hinterland.study.load import load_study
from hinterland.study.workspace import Workspace

STUDY = Path(__file__).parents[2] / "studies" / "measure-provinces.toml"
DELTA = 0.096


@pytest.fixture(scope="module")
def work(shared_data: Path) -> Workspace:
    return Workspace(load_study(STUDY, data=shared_data))


@pytest.fixture(scope="module")
def industry(shared_data: Path) -> Path:
    return shared_data / "province_industry_2005_2016"


@pytest.fixture(scope="module")
def jobs(industry: Path) -> pl.DataFrame:
    return pl.read_parquet(industry / "urban_unit_employment.parquet").with_columns(pl.col("year").cast(pl.Int64))


@pytest.fixture(scope="module")
def cities(shared_data: Path) -> pl.DataFrame:
    """City-years that the screen leaves, screened in another way."""
    folder = shared_data / "city_panel_2000_2023"
    real, people = (pl.read_parquet(folder / f"{n}.parquet") for n in ("real_gdp_deflator", "population_density"))
    faulty = pl.read_csv(folder / "gdp_mismatch_over20pct.csv")
    both = real.join(people.select("city", "year", "adcode", n="pop_resident_interp_10k"), on=["city", "year"])
    both = both.filter(pl.col("year") <= 2022).sort("city", "year")
    change = (pl.col("n") / pl.col("n").shift(1).over("city") - 1).abs() > 0.15
    kept = both.with_columns(y=1e4 * pl.col("gdp_real_2000") / pl.col("n"), jump=change.fill_null(value=False))
    kept = kept.filter(~pl.col("jump"), ~((pl.col("city") == "焦作市") & (pl.col("year") >= 2020)))
    return kept.join(faulty, on=["city", "year"], how="anti").with_columns(pl.col("adcode").cast(pl.Int64).cast(pl.String))


def component(found: Measure, name: str) -> pl.DataFrame:
    return found.frame.filter(pl.col("component") == name)


def test_the_check_has_no_error(work: Workspace) -> None:
    found = check(work.loaded).findings
    assert [f for f in found if f.severity == "error"] == []
    assert {f.code for f in found} == {"unmatched-rows", "partial-sum"}


def test_the_screen_leaves_out_what_the_source_lists(work: Workspace) -> None:
    first, second, third = work.left_out("sigma")
    assert (first.before, first.rows.height, first.rows["city"].n_unique()) == (6808, 555, 83)
    assert {"七台河市", "天津市", "鄂尔多斯市"} <= set(first.rows["city"])
    assert (second.rows.height, second.rows["city"].n_unique()) == (34, 22)
    assert second.rows.filter(pl.col("city") == "绥化市")["year"].to_list() == [2020, 2021, 2022]
    assert (third.rows["city"].unique().to_list(), third.rows.height) == (["焦作市"], 3)


def test_location_quotients(work: Workspace, jobs: pl.DataFrame) -> None:
    share = pl.col("employment") / pl.col("employment").sum().over("province", "year")
    nation = pl.col("employment").sum().over("industry", "year") / pl.col("employment").sum().over("year")
    both = work.measured("quotients").frame.join(jobs.with_columns(lq=share / nation), on=["province", "industry", "year"])
    assert both.height == 31 * 38 * 12
    np.testing.assert_allclose(both["value"].fill_null(-1).to_numpy(), both["lq"].fill_null(-1).to_numpy(), rtol=1e-12)


def test_specialisation_and_localisation(work: Workspace, jobs: pl.DataFrame) -> None:
    last = jobs.filter(pl.col("year") == 2016).pivot(on="industry", index="province", values="employment").sort("province")
    seen = last.drop("province").to_numpy()
    x = np.nan_to_num(seen)
    own, rest = x / x.sum(axis=1, keepdims=True), np.where(np.isfinite(seen), x.sum(axis=0) - x, 0)
    gaps = np.abs(own - rest / rest.sum(axis=1, keepdims=True))  # over the industries that are known of the province
    krugman = work.measured("krugman").frame.filter(pl.col("year") == 2016).sort("province")
    np.testing.assert_allclose(krugman["value"].to_numpy(), gaps.sum(axis=1), rtol=1e-12)
    hoover = work.measured("hoover").frame.filter(pl.col("year") == 2016)
    found = dict(hoover.select("industry", "value").iter_rows())["纺织业"]
    textiles = last["纺织业"].to_numpy()
    assert found == pytest.approx(np.abs(textiles / textiles.sum() - x.sum(axis=1) / x.sum()).sum() / 2, rel=1e-12)


def test_locational_gini_of_an_industry_by_pairs(work: Workspace, jobs: pl.DataFrame) -> None:
    """Gini of location quotients, provinces weighted by their employment: half the mean difference over the mean."""
    last = jobs.filter(pl.col("year") == 2016)
    size = last.group_by("province", maintain_order=True).agg(pl.col("employment").sum())
    textiles = dict(last.filter(pl.col("industry") == "纺织业").select("province", "employment").iter_rows())
    weight = size["employment"].to_numpy() / size["employment"].sum()
    quotient = np.array([textiles[p] for p in size["province"]]) / sum(textiles.values()) / weight
    gaps = np.abs(quotient[:, None] - quotient[None, :]) * weight[:, None] * weight[None, :]
    found = work.measured("gini").frame.filter(pl.col("year") == 2016, pl.col("industry") == "纺织业")["value"][0]
    assert found == pytest.approx(gaps.sum() / 2 / (weight @ quotient), rel=1e-10)


@pytest.fixture(scope="module")
def capital(shared_data: Path) -> dict[tuple[str, int], float]:
    """Perpetual inventory by hand: (pinyin, year) → stock at prices of 2005."""
    raw = pl.read_parquet(shared_data / "province_panel" / "capital_stock_inputs_1952_2022.parquet").filter(pl.col("yr") >= 1996)
    stocks: dict[tuple[str, int], float] = {}
    for (name,), rows in raw.sort("prv", "yr").group_by("prv", maintain_order=True):
        price = dict(rows.select("yr", "InvestPrice").iter_rows())
        real = [i * price[2005] / p for i, p in rows.select("invest", "InvestPrice").iter_rows()]
        stock = real[0] / ((real[5] / real[0]) ** 0.2 - 1 + DELTA)
        for year, flow in enumerate(real, 1996):
            stock = stock if year == 1996 else (1 - DELTA) * stock + flow
            stocks[str(name), year] = stock
    return stocks


def test_capital_stock_by_hand(work: Workspace, capital: dict[tuple[str, int], float]) -> None:
    found = component(work.measured("capital"), "capital-stock")
    written = {zh: pinyin for pinyin, zh in work.study.table["investment"].recode["province"].items()}
    expected = [capital[written[p], t] for p, t in found.select("province", "year").iter_rows()]
    np.testing.assert_allclose(found["value"].to_numpy(), expected, rtol=1e-10)


def test_capital_is_of_the_order_of_published_estimates(work: Workspace, shared_data: Path) -> None:
    """Published stocks of China are about two to three times GDP in these years; provincial GDP adds up to some per cent above the nation's."""
    gdp = pl.read_parquet(shared_data / "province_panel" / "finance_gdp_2000_2023.parquet").group_by("year").agg(pl.col("gdp_100m").sum())
    total = dict(gdp.iter_rows())
    assert total[2005] == pytest.approx(187_319, rel=0.02)
    assert total[2016] == pytest.approx(746_395, rel=0.02)
    stock = component(work.measured("capital"), "capital-stock").group_by("year").agg(pl.col("value").sum())
    assert 1.8 < dict(stock.iter_rows())[2005] / total[2005] < 3


def test_revenue_is_what_the_source_says_of_the_published_total(work: Workspace) -> None:
    total = work.prepared("revenue").frame.filter(pl.col("year") == 2016)["revenue_10k_yuan"].sum() / 1e8
    assert total == pytest.approx(114.1, abs=0.05)
    assert total < 115.9


def test_mismatch_is_a_ratio_of_shares(work: Workspace, industry: Path, jobs: pl.DataFrame) -> None:
    revenue = pl.read_parquet(industry / "main_business_revenue.parquet").filter(pl.col("industry") == "合计")
    people = jobs.group_by("province", "year").agg(pl.col("employment").sum())
    both = revenue.join(people, on=["province", "year"])
    share = (pl.col("revenue_10k_yuan") / pl.col("revenue_10k_yuan").sum().over("year")) / (
        pl.col("employment") / pl.col("employment").sum().over("year")
    )
    found = component(work.measured("labour-mismatch"), "distortion").join(both.with_columns(tau=share - 1), on=["province", "year"])
    assert found.height == 347
    np.testing.assert_allclose(found["value"].to_numpy(), found["tau"].to_numpy(), rtol=1e-9)


def test_capital_mismatch_at_constant_prices(work: Workspace, shared_data: Path, capital: dict[tuple[str, int], float]) -> None:
    folder = shared_data / "province_panel"
    gdp = pl.read_parquet(folder / "finance_gdp_2000_2023.parquet").filter(pl.col("year") == 2016)
    index = pl.read_parquet(folder / "rpi_overall_1951_2022.parquet").filter(pl.col("year").is_between(2006, 2016))
    price = dict(index.group_by("province").agg((pl.col("rpi_prev_year_100") / 100).product()).iter_rows())
    written = {zh: pinyin for pinyin, zh in work.study.table["investment"].recode["province"].items()}
    output = {p: y / price[p] for p, y in gdp.select("province", "gdp_100m").iter_rows()}
    stock = {p: capital[written[p], 2016] for p in output}
    expected = {p: output[p] / sum(output.values()) / (stock[p] / sum(stock.values())) - 1 for p in output}
    found = component(work.measured("capital-mismatch"), "distortion").filter(pl.col("year") == 2016)
    np.testing.assert_allclose(found["value"].to_numpy(), [expected[p] for p in found["province"]], rtol=1e-9)


def test_wages_add_up_from_their_industries(work: Workspace, industry: Path, jobs: pl.DataFrame) -> None:
    wages = pl.read_parquet(industry / "urban_unit_avg_wage.parquet").with_columns(pl.col("year").cast(pl.Int64))
    both = jobs.join(wages, on=["province", "year", "industry"]).filter(pl.col("avg_wage_yuan") < 1e6)
    paid = both.group_by("province", "year").agg((pl.col("employment") * pl.col("avg_wage_yuan")).sum() / pl.col("employment").sum())
    found = work.prepared("wages").frame.with_columns(pl.col("year").cast(pl.Int64), wage=pl.col("paid") / pl.col("persons"))
    joined = found.join(paid, on=["province", "year"]).drop_nulls()
    assert joined.height >= 31 * 12 - 2
    np.testing.assert_allclose(joined["wage"].to_numpy(), joined["employment"].to_numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["wage-inequality", "city-inequality"])
def test_parts_of_dagum_add_up(work: Workspace, name: str) -> None:
    parts = work.measured(name).frame.pivot(on="component", index="year", values="value")
    total = parts["dagum-within"] + parts["dagum-net-between"] + parts["dagum-transvariation"]
    np.testing.assert_allclose(total.to_numpy(), parts["dagum-gini"].to_numpy(), rtol=1e-12)


def test_gini_of_cities_by_pairs(work: Workspace, cities: pl.DataFrame) -> None:
    last = cities.filter(pl.col("year") == 2022)
    y, p = last["y"].to_numpy(), last["n"].to_numpy() / last["n"].sum()
    gini = (np.abs(y[:, None] - y[None, :]) * p[:, None] * p[None, :]).sum() / 2 / (p @ y)
    found = component(work.measured("city-inequality"), "dagum-gini").filter(pl.col("year") == 2022)
    assert (found["value"][0], found["n_used"][0]) == (pytest.approx(gini, rel=1e-10), last.height)


def test_sigma_and_beta_of_cities(work: Workspace, cities: pl.DataFrame) -> None:
    found = component(work.measured("sigma"), "sd-log").sort("year")
    expected = cities.group_by("year").agg(pl.col("y").log().std(ddof=0)).sort("year")
    np.testing.assert_allclose(found["value"].to_numpy(), expected["y"].to_numpy(), rtol=1e-10)
    ends = cities.filter(pl.col("year").is_in([2000, 2022])).pivot(on="year", index="adcode", values="y").drop_nulls()
    start, growth = np.log(ends["2000"].to_numpy()), np.log(ends["2022"].to_numpy() / ends["2000"].to_numpy()) / 22
    design = np.column_stack([np.ones(len(start)), start])
    slope = np.linalg.lstsq(design, growth, rcond=None)[0][1]
    beta = dict(work.measured("beta").frame.select("component", "value").iter_rows())
    assert beta["beta-slope"] == pytest.approx(slope, rel=1e-10)
    assert beta["convergence-speed"] == pytest.approx(-np.log1p(22 * slope) / 22, rel=1e-10)
    residual = growth - design @ np.linalg.lstsq(design, growth, rcond=None)[0]
    bread = np.linalg.inv(design.T @ design)
    meat = design.T @ (design * residual[:, None] ** 2) * len(start) / (len(start) - 2)
    assert beta["beta-std-error"] == pytest.approx(np.sqrt((bread @ meat @ bread)[1, 1]), rel=1e-9)


def test_moves_between_classes_are_counted(work: Workspace, cities: pl.DataFrame) -> None:
    rows = cities.select("adcode", "year").with_columns(pl.col("year") + 1)
    pairs = rows.join(cities.select("adcode", "year"), on=["adcode", "year"]).height
    assert component(work.measured("markov"), "transition-count")["value"].sum() == pairs


def test_moran_against_esda(work: Workspace, cities: pl.DataFrame) -> None:
    """Five nearest seats of government by great circle, rows standardised."""
    pytest.importorskip("esda")
    from esda.moran import Moran
    from libpysal.weights import W

    from hinterland.data.geography import cities as packaged

    last = cities.filter(pl.col("year") == 2022).join(packaged().select("adcode", "lon", "lat"), on="adcode").sort("adcode")
    every = cities.select("adcode").unique().join(packaged().select("adcode", "lon", "lat"), on="adcode").sort("adcode")
    assert every.height == 296
    lon, lat = np.radians(every["lon"].to_numpy()), np.radians(every["lat"].to_numpy())
    half = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    np.fill_diagonal(half, np.inf)
    nearest = {a: [every["adcode"][int(k)] for k in np.argsort(half[i], kind="stable")[:5]] for i, a in enumerate(every["adcode"])}
    seen = set(last["adcode"])
    weights = W({a: [b for b in nearest[a] if b in seen] for a in last["adcode"]}, id_order=last["adcode"].to_list(), silence_warnings=True)
    peer = Moran(np.log(last["y"].to_numpy()), weights, transformation="r", permutations=0)
    found = component(work.measured("moran"), "moran-i").filter(pl.col("year") == 2022)["value"][0]
    assert found == pytest.approx(peer.I, rel=1e-8)


def test_quality_of_patents(work: Workspace, shared_data: Path) -> None:
    raw = pl.read_parquet(shared_data / "energy_patents_micro" / "energy_invention_patents.parquet")
    raw = raw.with_columns(t=pl.col("pub_date").dt.year()).filter(
        pl.col("adcode").is_not_null(), pl.col("n_claims") > 0, pl.col("t") <= 2016
    )
    found = work.prepared("patents").frame
    large = raw.filter(pl.col("adcode").is_in(found["adcode"].unique().implode()))
    assert (found.height, large.height) == (60_066, 60_066)
    scaled = large.with_columns(
        s=pl.col("n_cites_recv") / pl.col("n_cites_recv").mean().over("t"), span=pl.when(pl.col("t") <= 2013).then(2013).otherwise(2016)
    )
    expected = scaled.group_by("adcode", "span").agg(pl.col("s").mean(), pl.col("n_claims").mean())
    for name, part, column in (("citations", "scaled-citations", "s"), ("claims", None, "n_claims")):
        frame = work.measured(name).frame if part is None else component(work.measured(name), part)
        both = frame.with_columns(pl.col("adcode").cast(pl.String), pl.col("span").cast(pl.Int32)).join(expected, on=["adcode", "span"])
        assert both.height == 128
        np.testing.assert_allclose(both["value"].to_numpy(), both[column].to_numpy(), rtol=1e-10)
