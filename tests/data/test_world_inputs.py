"""Published formulas, written out here, applied to the world's raw inputs give back its panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hinterland.data import world_inputs
from hinterland.data.world import World, simulate
from hinterland.data.world_distortions import turned
from hinterland.data.world_economy import input_laws, investment
from hinterland.data.world_employment import apportioned
from hinterland.data.world_inputs import INPUTS
from hinterland.data.world_patents import WIDTHS, draw_widths, patterns
from hinterland.errors import InputError

DELTA = 0.096
WORLDS: dict[str, dict[str, Any]] = {
    "packaged": {},
    "another seed": {"seed": 11},
    "nothing happens": {"effect": 0.0},
    "much happens": {"seed": 3, "effect": 4.0},
    "small": {"units": 50, "periods": 8, "cohorts": 2},
    "tiny": {"units": 2, "periods": 2, "cohorts": 1, "treated_share": 0.5},
    "large": {"units": 900, "periods": 10, "first_year": 2011, "cohorts": 3},
}


@pytest.fixture(scope="module", params=WORLDS, ids=str)
def world(request: pytest.FixtureRequest) -> World:
    return simulate(**WORLDS[request.param])


@pytest.fixture(scope="module")
def packaged() -> World:
    return simulate()


def grid(world: World, frame: pl.DataFrame, column: str) -> Any:
    return frame[column].to_numpy().reshape(world.panel.n_units, world.panel.n_periods)


def stocks(world: World) -> Any:
    """Perpetual inventory from the published stock of the first year."""
    accounts = world.input("accounts")
    real = real_investment(world)
    stock = np.empty_like(real)
    stock[:, 0] = accounts.select("adcode").unique(maintain_order=True).join(world.input("capital_initial"), on="adcode")["capital"]
    for t in range(1, world.panel.n_periods):
        stock[:, t] = (1 - DELTA) * stock[:, t - 1] + real[:, t]
    return stock


def real_investment(world: World) -> Any:
    accounts = world.input("accounts")
    index = grid(world, accounts, "investment_price") / 100
    index[:, 0] = 1
    return grid(world, accounts, "investment") / np.cumprod(index, axis=1)


def tau(world: World, factor: Any, total: str) -> Any:
    """Chen and Hu's relative distortion, with a common elasticity and the nation's totals."""
    nation, output = world.input("accounts_national"), grid(world, world.input("accounts"), "output")
    gamma = (factor / nation[total].to_numpy()) / (output / nation["output"].to_numpy())
    return 1 / gamma - 1


def within(x: Any) -> Any:
    x = x - x.mean(axis=1, keepdims=True)
    return x - x.mean(axis=0)


def quotients(world: World) -> pl.DataFrame:
    cells = world.input("employment").with_columns(city=pl.col("persons").sum().over("adcode", "year"))
    nation = world.input("employment_national").select("year", "industry", n="persons", all=pl.col("persons").sum().over("year"))
    cells = cells.join(nation, on=["year", "industry"]).filter(pl.col("industry") == "C")
    return cells.with_columns(lq=(pl.col("persons") / pl.col("city")) / (pl.col("n") / pl.col("all")))


def widths(patents: pl.DataFrame) -> pl.DataFrame:
    """Knowledge width of each patent: 1 - Σ α² over main groups, symbols counted with multiplicity."""
    symbols = patents.unique(["patent", "ipc"]).with_columns(group=pl.col("ipc").str.extract(r"^(.*)/"))
    counts = symbols.group_by("patent", "adcode", "year", "group").agg(k=pl.len().cast(pl.Float64))
    return counts.group_by("patent", "adcode", "year").agg(width=1 - (pl.col("k") ** 2).sum() / pl.col("k").sum() ** 2)


def test_location_quotient_of_manufacturing_is_agglomeration(world: World) -> None:
    """Manufacturing is rounded to whole persons, in the city and in the nation: the error is what half a person makes."""
    found = quotients(world).sort("adcode", "year")
    wanted = world.panel.frame.sort("adcode", "year")["agglomeration"].to_numpy()
    national = (found["n"] / found["all"]).to_numpy()
    bound = 0.5 / (found["city"].to_numpy() * national) + wanted * 0.5 / found["n"].to_numpy()
    assert (np.abs(found["lq"].to_numpy() - wanted) <= bound * (1 + 1e-6)).all()
    assert bound.max() < 0.002


def test_employment_adds_up(world: World) -> None:
    cells, nation, accounts = (world.input(n) for n in ("employment", "employment_national", "accounts"))
    assert cells["persons"].min() >= 0
    assert (
        cells.group_by("adcode", "year")
        .agg(labour=pl.col("persons").sum())
        .sort("adcode", "year")["labour"]
        .equals(accounts.sort("adcode", "year")["labour"])
    )
    assert (
        nation.group_by("year")
        .agg(labour=pl.col("persons").sum())
        .sort("year")["labour"]
        .equals(world.input("accounts_national")["labour"])
    )
    both = cells.group_by("year", "industry").agg(cities=pl.col("persons").sum()).join(nation, on=["year", "industry"])
    assert both.filter(pl.col("cities") > pl.col("persons")).is_empty()


def test_perpetual_inventory_and_the_nations_totals_give_capital_mismatch(world: World) -> None:
    found = np.abs(tau(world, stocks(world), "capital"))
    assert np.allclose(found, grid(world, world.panel.frame, "capital_mismatch"), rtol=1e-9, atol=1e-11)


def test_first_stock_follows_from_the_growth_of_investment(world: World) -> None:
    """K_0 = I_0/(g + δ), g over the next five years (Hall & Jones 1999)."""
    real, span = real_investment(world), min(5, world.panel.n_periods - 1)
    growth = (real[:, span] / real[:, 0]) ** (1 / span) - 1
    assert np.allclose(real[:, 0] / (growth + DELTA), stocks(world)[:, 0], rtol=1e-9)


def test_labour_and_the_nations_totals_give_labour_mismatch(world: World) -> None:
    labour = grid(world, world.input("accounts"), "labour")
    found, wanted = np.abs(tau(world, labour, "labour")), grid(world, world.panel.frame, "labour_mismatch")
    bound = (1 + found) * 0.5 / labour
    assert (np.abs(found - wanted) <= bound * (1 + 1e-6) + 1e-12).all()
    assert bound.max() < 0.002


def test_signs_are_permanent_and_of_both_kinds(world: World) -> None:
    labour = grid(world, world.input("accounts"), "labour")
    for factor, values in (("capital", tau(world, stocks(world), "capital")), ("labour", tau(world, labour, "labour"))):
        negative = values < 0
        assert (negative == negative[:, :1]).all()
        assert (np.abs(values[negative]) <= input_laws()["misallocation"][factor]["at_most"] + 1e-3).all()
        if world.panel.n_units >= 50:
            assert 0.03 < negative.mean() < 0.6


def test_investment_is_positive(world: World) -> None:
    assert world.input("accounts")["investment"].min() > 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_elasticity_is_the_one_built_in(seed: int) -> None:
    """ln(Y/L) on ln(K/L) with effects of cities and years: over all cities, with a slope for each macro-region, and in each alone."""
    world = simulate(seed=seed)
    accounts = world.input("accounts")
    labour, output = grid(world, accounts, "labour"), grid(world, accounts, "output")
    x, y = np.log(stocks(world) / labour), np.log(output / labour)
    regions = grid(world, accounts, "macro_region")[:, 0]
    each = [within(np.where((regions == r)[:, None], x, 0.0)).ravel() for r in np.unique(regions)]
    for columns in ([within(x).ravel()], each):
        found = np.linalg.lstsq(np.column_stack(columns), within(y).ravel(), rcond=None)[0]
        assert found == pytest.approx(0.45, abs=0.004)
    for region in np.unique(regions):
        a, b = within(x[regions == region]), within(y[regions == region])
        assert float((a * b).sum() / (a * a).sum()) == pytest.approx(0.45, abs=0.002)


def test_productivity_is_what_the_distortions_imply(packaged: World) -> None:
    accounts = packaged.input("accounts")
    output, labour, capital = grid(packaged, accounts, "output"), grid(packaged, accounts, "labour"), stocks(packaged)
    tfp = np.log(output) - 0.45 * np.log(capital) - 0.55 * np.log(labour)
    implied = 0.45 * np.log1p(tau(packaged, capital, "capital")) + 0.55 * np.log1p(tau(packaged, labour, "labour"))
    assert np.allclose(tfp - tfp.mean(axis=0), implied - implied.mean(axis=0), atol=1e-9)


def test_accounts_agree_with_the_controls(world: World) -> None:
    accounts, panel = world.input("accounts"), world.panel.frame
    assert np.allclose(np.log(accounts["output"] * 1e4 / accounts["residents"]), panel["ln_gdp_pc"], rtol=1e-12)
    assert np.allclose(np.log(accounts["residents"] / accounts["area"]), panel["ln_pop_density"], atol=1e-5)
    assert (accounts["labour"] < accounts["residents"]).all()
    assert accounts["macro_region"].equals(panel["macro_region"])


def test_mean_knowledge_width_is_quality(world: World) -> None:
    mean = widths(world.input("patents")).group_by("adcode", "year").agg(width=pl.col("width").mean(), n=pl.len())
    both = world.panel.frame.select("adcode", "year", "quality", "inventions").join(mean, on=["adcode", "year"], how="left")
    assert both.filter(pl.col("width").is_null())["inventions"].to_list() == [0] * both["width"].null_count()
    assert both.filter(pl.col("inventions") > 0)["n"].equals(
        both.filter(pl.col("inventions") > 0)["inventions"].clip(0, 30).alias("n").cast(pl.UInt32)
    )
    seen = both.drop_nulls("width").filter(pl.col("quality").is_between(*WIDTHS))
    assert seen.height > 0.9 * both.height
    assert ((seen["width"] - seen["quality"]).abs() <= 0.01 / seen["n"]).all()


def test_patents_differ_within_a_city_and_year(packaged: World) -> None:
    spread = widths(packaged.input("patents")).group_by("adcode", "year").agg(pl.col("width").std(), n=pl.len())
    assert spread.filter(pl.col("n") == 30)["width"].quantile(0.01) > 0.1  # type: ignore[operator]
    assert 0.2 < spread["width"].mean() < 0.3  # type: ignore[operator]


def test_patents_look_like_patents(packaged: World) -> None:
    patents = packaged.input("patents")
    assert patents.height < 600_000
    assert patents["ipc"].str.contains(r"^[A-H]\d{2}[A-Z] \d{1,4}/\d{2}$").all()
    assert patents.select("patent", "ipc").is_duplicated().sum() == 0
    assert patents.group_by("patent").agg(pl.col("adcode", "year").n_unique()).select(pl.col("adcode", "year").max()).row(0) == (1, 1)
    assert (patents["patent"].str.head(4).cast(pl.Int64) == patents["year"]).all()
    assert patents["kind"].unique().to_list() == ["invention"]
    assert packaged.panel.frame["inventions"].min() == 0


def test_more_patents_can_be_asked_for() -> None:
    few, many = (simulate(units=50, periods=8, cohorts=2, sampled_patents=n) for n in (3, 100))
    assert few.panel.frame.equals(many.panel.frame)
    for world, n in ((few, 3), (many, 100)):
        patents = world.input("patents").select("patent", "adcode", "year").unique()
        assert patents.group_by("adcode", "year").len()["len"].max() == n
    for wrong in (0, 2.5, "all"):
        with pytest.raises(InputError):
            simulate(sampled_patents=wrong)


def test_schemas(world: World) -> None:
    cells, calendar = world.panel.n_units * world.panel.n_periods, world.panel.n_periods
    expected = {
        "prices": (["province_code", "province", "year", "good", "index"], 31 * 16 * calendar),
        "employment": (["adcode", "year", "industry", "persons"], 19 * cells),
        "employment_national": (["year", "industry", "persons"], 19 * calendar),
        "industries": (["industry", "name_zh", "name_en", "group"], 19),
        "accounts": (
            ["adcode", "province_code", "macro_region", "year", "area", "residents", "output", "investment", "investment_price", "labour"],
            cells,
        ),
        "accounts_national": (["year", "output", "capital", "labour"], calendar),
        "capital_initial": (["adcode", "year", "capital"], world.panel.n_units),
        "patents": (["patent", "adcode", "year", "kind", "ipc"], world.input("patents").height),
        "flows": (
            [
                "source",
                "host",
                "industry",
                "year",
                "projects",
                "capital",
                "distance_km",
                "ln_distance",
                "contiguous",
                "wage_gap",
                "zone",
                "relatedness",
            ],
            8 * calendar * world.panel.frame["province_code"].n_unique() ** 2,
        ),
        "links": (["child", "owner", "adcode", "class", "year", "capital", "share"], world.input("flows")["projects"].sum()),
        "owners": (["owner", "adcode"], 40 * world.panel.n_units),
    }
    assert tuple(world.inputs) == INPUTS == tuple(expected)
    for name, (columns, height) in expected.items():
        frame = world.inputs[name]
        assert (frame.columns, frame.height) == (columns, height)
        assert frame.null_count().sum_horizontal()[0] == 0
        assert all(frame[c].is_finite().all() for c, kind in frame.schema.items() if kind == pl.Float64)
        if "year" in columns:
            assert frame.schema["year"] == pl.Int64
    assert world.input("industries").filter(pl.col("group") == "producer services")["industry"].to_list() == ["G", "I", "J", "L", "M"]
    assert world.input("prices") is world.prices


def test_same_seed_same_bytes_in_any_order(packaged: World) -> None:
    again, other = simulate(), simulate(seed=1)
    for name in reversed(INPUTS):
        assert_frame_equal(again.input(name), packaged.input(name), check_exact=True)
        assert name in ("industries", "owners") or not other.input(name).equals(packaged.input(name))
    assert packaged.input("accounts") is packaged.inputs["accounts"]


def test_nothing_is_drawn_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    for maker in ("draw_economy", "draw_employment", "patents_frame", "draw_flows"):
        monkeypatch.setattr(world_inputs, maker, refuse)
    world = simulate()
    assert (len(world.inputs), "patents" in world.inputs, repr(world.inputs)[:14]) == (11, True, "Inputs(prices,")
    with pytest.raises(AssertionError):
        world.input("accounts")


def test_unknown_input_is_refused_with_a_suggestion(packaged: World) -> None:
    with pytest.raises(InputError, match="employment") as caught:
        packaged.input("employement")
    assert caught.value.findings[0].code == "unknown-input"
    with pytest.raises(KeyError):
        packaged.inputs["employement"]


def test_shrinking_cities_in_long_worlds_still_add_up() -> None:
    """Where nothing grows, the stock of a few cities falls faster than it ages, and what they publish is negative."""
    world = simulate(seed=2, units=90, periods=80, first_year=1960)
    assert (world.input("accounts")["investment"] < 0).mean() < 0.02
    assert np.allclose(np.abs(tau(world, stocks(world), "capital")), grid(world, world.panel.frame, "capital_mismatch"), rtol=1e-8)


def test_first_investment_where_later_investment_is_not_positive() -> None:
    stock = np.array([[100.0, 80.0]])
    assert investment(stock, DELTA)[0] == pytest.approx([9.6, -10.4])


def test_apportioned_persons_add_up_and_are_near_their_shares() -> None:
    rng = np.random.default_rng(0)
    total, weight = rng.integers(0, 10**6, (40, 7)), rng.gamma(1.0, 1.0, (40, 7, 18))
    whole = apportioned(total, weight)
    assert (whole.sum(axis=-1) == total).all()
    assert (np.abs(whole - total[..., None] * weight / weight.sum(axis=-1, keepdims=True)) < 1).all()


def test_some_pattern_has_every_width() -> None:
    known = np.concatenate([patterns().width, [2.0]])
    wanted = np.linspace(*WIDTHS, 5000)
    assert np.abs(wanted[:, None] - known).min(axis=1).max() < 0.01
    assert (patterns().sizes.sum(axis=1) == patterns().symbols).all()


def test_widths_outside_the_patterns_come_as_near_as_they_can() -> None:
    count, mean = np.array([4, 4, 1, 0]), np.array([0.01, 0.99, 0.99, 0.4])
    drawn = draw_widths(np.random.default_rng(0), count, mean)
    assert (np.where(drawn >= 0, 1, 0).sum(axis=1) == count).all()
    found = [patterns().width[row[row >= 0]].mean() for row in drawn[:3]]
    assert np.allclose(found, [0.01, 11 / 12, 11 / 12], atol=0.021)


def test_turning_signs_moves_the_slopes_to_the_target() -> None:
    """In one regression with dummies of cities and years, and in each group's own; groups below eight cities stay as they are."""
    rng = np.random.default_rng(5)
    states = rng.normal(size=(4, 60, 6, 2))
    states[..., 1] += 0.3 * states[..., 0]
    states -= states.mean(axis=2, keepdims=True)
    groups, none = np.repeat(["a", "b"], [25, 35]), np.zeros(60, dtype=np.int64)
    assert np.abs(slopes(states[0], groups)).min() > 0.05
    chosen = turned(states, none, np.full(60, 3), groups)
    found = states[chosen, np.arange(60)]
    assert slopes(found, groups) == pytest.approx(0.0, abs=5e-3)
    for g in ("a", "b"):
        assert slopes(found[groups == g], groups[groups == g]) == pytest.approx(0.0, abs=5e-3)
    assert (turned(states, none, np.full(60, 1), groups) & 2 == 0).all()
    assert (turned(states, none, np.full(60, 3), np.repeat(["a", "b"], [7, 53]))[:7] == 0).all()


def slopes(values: Any, groups: Any) -> Any:
    n, periods, _ = values.shape
    city, year = np.repeat(np.eye(n), periods, axis=0), np.tile(np.eye(periods)[:, 1:], (n, 1))
    x = [np.where((groups == g)[:, None], values[..., 0], 0.0).ravel() for g in np.unique(groups)]
    return np.linalg.lstsq(np.column_stack([*x, city, year]), values[..., 1].ravel(), rcond=None)[0][: len(x)]
