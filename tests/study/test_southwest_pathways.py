"""The planning case of the southwest on the real data beside the project: what it holds, and whether its magnitudes are those of the country."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.plan.problem import Problem
from hinterland.plan.schema import parameters
from hinterland.study.case_tables import folder_parts
from hinterland.study.load import LoadedStudy, load_study
from hinterland.study.planning import plan_sources, problem_of
from hinterland.study.workspace import Workspace

STUDIES = Path(__file__).parents[2] / "studies"
FOLDER = STUDIES / "southwest-pathways"
HOSTS = ["四川", "重庆", "贵州", "云南", "广西", "西藏"]


@pytest.fixture(scope="module")
def loaded(shared_data: Path) -> LoadedStudy:
    return load_study(STUDIES / "southwest-pathways.toml", data=shared_data)


@pytest.fixture(scope="module")
def work(loaded: LoadedStudy) -> Workspace:
    return Workspace(loaded)


@pytest.fixture(scope="module")
def problem(work: Workspace) -> Problem:
    return problem_of(work)


def in_cells(p: Problem, name: str) -> np.ndarray:
    """[cell] a parameter in 2023."""
    array = p[name]
    return np.asarray((array.sel(year=2023) if "year" in array.dims else array).values)


def output(p: Problem) -> np.ndarray:
    return np.asarray(p["capacity"].values * p.of_cells("utilisation").values)


def by_region(p: Problem, values: np.ndarray) -> dict[str, float]:
    sums = np.bincount(p.links["cell.region"], weights=values, minlength=len(p.index["region"]))
    return dict(zip(map(str, p.index["region"]), sums.tolist(), strict=True))


def staff(p: Problem) -> np.ndarray:
    """[cell, skill] people at work in 2023, ten thousand."""
    return np.asarray(p["staffing"].sel(year=2023).transpose("cell", "skill").values * output(p)[:, None])


def test_what_is_planned(problem: Problem) -> None:
    assert (len(problem.index["region"]), len(problem.index["industry"])) == (21, 24), (
        "hosts and sources, and fourteen provinces that only trade in four groups"
    )
    assert problem.years == list(range(2023, 2036))
    assert problem.decided.tolist() == [False] * 3 + [True] * 10
    assert [problem.phase_years(f) for f in problem.phases] == [[2023, 2024, 2025], list(range(2026, 2031)), list(range(2031, 2036))]
    assert sorted(np.array(problem.index["region"])[problem["host"].values.astype(bool)]) == sorted(HOSTS)
    assert int(problem["source"].values.sum()) == 11


def test_the_problem_stays_of_a_size_that_is_solved_in_minutes(problem: Problem) -> None:
    n = {d: len(i) for d, i in problem.index.items()}
    columns = n["year"] * (n["route"] + n["arc"] + n["sale"] + 4 * n["cell"] + 6 * 24 * n["instrument"] * n["segment"])
    assert 100_000 < columns < 300_000


def test_base_year_balances(problem: Problem) -> None:
    """C4 in 2023 with the base year's output, trade, imports and exports, to 1e-9 of the industry."""
    p, x, n = problem, output(problem), len(problem.index["cell"])
    flow, used = p["trade"].values, p["coefficient"].values * x[p.links["input.user"]]
    have = x + np.bincount(p.links["route.destination"], weights=flow, minlength=n) + in_cells(p, "imports")
    need = np.bincount(p.links["input.supply"], weights=used, minlength=n) + in_cells(p, "final_demand")
    need += np.bincount(p.links["route.origin"], weights=flow, minlength=n)
    need += np.bincount(p.links["sale.cell"], weights=p["exports"].values, minlength=n)
    size = np.bincount(p.links["cell.industry"], weights=x)[p.links["cell.industry"]]
    assert np.abs((have - need) / size).max() < 1e-9


def test_output_and_value_added(problem: Problem, work: Workspace) -> None:
    """Trillions of yuan of 2017. The provinces' tables add up to 246.3 of output in 2017, the country's to 226; GDP grew by 36 % to 2023."""
    made = work.prepared("cells-2023").frame
    assert made["output"].to_numpy().sum() / 1e4 == pytest.approx(246.3, abs=0.5)
    assert output(problem).sum() / 1e4 == pytest.approx(334.4, abs=1)
    assert (in_cells(problem, "value_added") * output(problem)).sum() / 1e4 == pytest.approx(115.4, abs=1)
    gdp = work.prepared("growth").frame["real"].to_numpy().sum() / 1e4
    assert gdp == pytest.approx(112.9, abs=1), "GDP of 2023 at prices of 2017: the tables' value added of 2017 is 1.8 % above GDP's"
    assert in_cells(problem, "imports").sum() / 1e4 == pytest.approx(19.1, abs=0.3)
    assert problem["exports"].values.sum() / 1e4 == pytest.approx(22.0, abs=0.3)


def test_national_table_of_2017_beside_the_provinces(shared_data: Path) -> None:
    """Gross output of the country's own table is 226 trillion yuan; of the provinces', 9 % more."""
    national = pl.read_parquet(shared_data / "china_national_io" / "china_2017_42.parquet")
    sectors = national.filter(pl.col("Code").is_in([f"{k:02d}" for k in range(1, 43)]), pl.col("Origin") == "Domestic")
    total = sectors["GO"].to_numpy().sum() / 1e8
    assert total == pytest.approx(226, abs=1)


def test_employment(problem: Problem) -> None:
    """Ten thousand people: 740.4 million in 2023, in proportion to residents; industries within 5 % of the country's employment."""
    people = staff(problem).sum(axis=1)
    assert people.sum() / 100 == pytest.approx(740.4, abs=1)
    regions = by_region(problem, people)
    assert regions["四川"] / 100 == pytest.approx(43.9, abs=0.5)
    assert regions["广东"] / 100 == pytest.approx(66.2, abs=0.5)
    farming = problem.index["industry"].get_loc("agriculture")
    assert people[problem.links["cell.industry"] == farming].sum() / 100 == pytest.approx(206, abs=10)
    supply = problem["labour"].sel(year=2023).transpose("region", "skill").values
    needed = np.stack([np.bincount(problem.links["cell.region"], weights=s) for s in staff(problem).T], axis=1)
    assert (supply / needed) == pytest.approx(1.05, abs=1e-6), "those who can work are those who do, and 5 % more"


def test_wages(problem: Problem) -> None:
    """Wages add up to the labour compensation of the tables, grown; the southwest is cheaper than the coast."""
    wage = problem["wage"].sel(year=2023).transpose("region", "skill").values
    bill = (staff(problem) * wage[problem.links["cell.region"]]).sum()
    assert bill / 1e4 == pytest.approx(40.9 * 1.43 * 740.41 / 776.40, rel=0.01)
    of = {r: w[0] * 1e4 for r, w in zip(problem.index["region"], wage, strict=True)}
    assert 40_000 < of["贵州"] < of["四川"] < of["广东"] < of["上海"] < 120_000


def test_carbon(problem: Problem) -> None:
    """10.6 billion tonnes of production in 2023 (9.9 with households in 2017); the country's limit is just above, and falls."""
    now = problem["intensity_now"].sel(resource="carbon", year=2023).values * output(problem)
    assert now.sum() / 1e5 == pytest.approx(10.65, abs=0.15)
    regions = by_region(problem, now)
    provinces = [
        str(r) for r, s, h in zip(problem.index["region"], problem["source"].values, problem["host"].values, strict=True) if s or h
    ]
    assert max(provinces, key=lambda r: regions[r]) == "山东"
    assert 3 < regions["西藏"] / 100 < 20
    takes = problem["intensity_now"].sel(resource="carbon", year=2023)
    power = {r: float(takes.sel(cell=f"{r}/electricity")) for r in ("四川", "云南", "山东")}
    assert power["四川"] < 0.5 * power["山东"] and power["云南"] < 0.5 * power["山东"], "hydropower"


def test_limits_do_not_rise_and_start_above_what_is_emitted(work: Workspace, problem: Problem) -> None:
    total = work.prepared("carbon-total").frame
    assert total["tonnes"].item() == pytest.approx(total["as_reported"].item(), rel=0.02), (
        "bounds on intensities move the total by less than 2 %"
    )
    limit = problem["limit"].sel(resource="carbon")
    assert np.isfinite(limit.sel(region=HOSTS[:5]).values).all()
    assert (np.diff(limit.sel(region="四川").transpose("year").values) <= 1e-6).all()


def test_prices_of_land_and_place(problem: Problem) -> None:
    lon, lat = (dict(zip(problem.index["region"], problem[n].values, strict=True)) for n in ("lon", "lat"))
    assert (lon["四川"], lat["四川"]) == pytest.approx((104.9, 30.4), abs=0.3)
    assert min(lon.values()) > 73 and max(lon.values()) < 135
    assert (problem["business_environment"].values > 0).all()
    bill = (problem["transport"].values * problem["trade"].values).sum() / output(problem).sum()
    assert 0.005 < bill < 0.02, "freight between provinces is about 1 % of output"


def test_capital_is_that_of_the_perpetual_inventory(problem: Problem, shared_data: Path) -> None:
    """Capital that the case would need to build its capacity anew, against the stock of 2017 grown with output: within a fifth."""
    raw = pl.read_parquet(shared_data / "province_panel" / "capital_stock_inputs_1952_2022.parquet")
    rows = (
        raw.rename({"prv": "province", "yr": "year"})
        .with_columns(pl.col("year").cast(pl.Int64))
        .filter(pl.col("year").is_between(1996, 2017))
    )
    options: dict[str, Any] = {"price_form": "fixed", "base": 2017, "used_from": 2005}
    found = hl.measure("capital-stock", rows, region="province", time="year", investment="invest", price="InvestPrice", **options)
    stock = found.frame.filter(pl.col("component") == "capital-stock", pl.col("year") == 2017)["value"].to_numpy().sum()
    ours = (in_cells(problem, "capex") * problem["capacity"].values).sum()
    assert ours == pytest.approx(stock * 1.36, rel=0.2)


def test_what_is_made_costs_about_what_it_sells_for(problem: Problem) -> None:
    """Labour, operating cost and 8.3 % of capital are value added, so that making is not cheaper than importing at a price of 1."""
    p, x = problem, output(problem)
    wage = p["wage"].sel(year=2023).transpose("region", "skill").values[p.links["cell.region"]]
    cost = (staff(p) * wage).sum() + (in_cells(p, "operating_cost") * x).sum() + 0.083 * (in_cells(p, "capex") * p["capacity"].values).sum()
    assert cost == pytest.approx((in_cells(p, "value_added") * x).sum(), rel=0.1)


def test_every_parameter_that_is_given_says_where_it_comes_from(problem: Problem) -> None:
    have = problem.provenance
    assert set(have["basis"]) == {"observed", "derived", "estimated", "illustrative"}
    parts, _, findings = folder_parts(FOLDER)
    assert findings == []
    columns = {(part.table, c) for part in parts for c in part.frame.columns}
    made = {
        "capacity",
        "value_added",
        "coefficient",
        "demand",
        "trade",
        "transport",
        "imports",
        "exports",
        "export_cost",
        "staff",
        "labour",
        "wage",
    }
    made |= {"intensity", "limit", "stock", "budget", "levy", "job_floor", "observed_capacity", "absorption", "capacity_limit", "tax_rate"}
    made |= {
        "lon",
        "lat",
        "business_environment",
        "capex",
        "operating_cost",
        "observed_greenfield",
        "demand_growth",
        "productivity_growth",
        "improvement",
    }
    given = {s.name for s in parameters().values() if (s.table, s.column) in columns and s.kind != "text"} | made
    own = {"is_observed", "falling", "price"}
    assert sorted(given - own - set(have["parameter"])) == []
    assert sorted(set(have["parameter"]) - set(parameters())) == []


def test_carbon_is_told_from_land_and_graduates_from_others(problem: Problem) -> None:
    """What is computed from inventories and accounts is not called an assumption because another label of the parameter is one, nor the other way round."""
    basis = {(p, of): b for p, of, b in problem.provenance.select("parameter", "of", "basis").iter_rows()}
    assert (basis["intensity", "carbon"], basis["intensity", "land"]) == ("derived", "illustrative")
    assert (basis["wage", "general"], basis["wage", "graduate"]) == ("estimated", "illustrative")
    assert {of for p, of in basis if p == "limit"} == {"carbon", "land"}


def test_provenance_is_written_in_both_languages() -> None:
    with (FOLDER / "provenance.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [r["parameter"] for r in rows if not (r["source"] and r["note"] and r["note_zh"])] == []
    assert [r["parameter"] for r in rows if r["low"] and not (0 <= float(r["low"]) <= 1 <= float(r["high"]))] == []
    ranged = {r["parameter"] for r in rows if r["low"]}
    flags = {"source", "host", "backup_tested", "relocatable", "lead", "training_lag", "kind_lead", "min_term", "role_year"}
    assert sorted({r["parameter"] for r in rows if r["basis"] == "illustrative"} - ranged - flags) == []


def test_every_file_is_known_to_the_record(loaded: LoadedStudy) -> None:
    named = {source for _, source in plan_sources(loaded)}
    assert "southwest-pathways/provenance.csv" in named
    assert "province_io_tables/province_io_long.parquet" in named
    assert [s for s in named if not loaded.path(s).is_file()] == []


def test_what_was_changed_is_said(problem: Problem) -> None:
    codes = {f.code for f in problem.findings}
    assert {"economy-national-discrepancy", "economy-negative-demand", "economy-routes", "unmatched-rows"} <= codes
    assert len(problem.findings) == len(set(problem.findings))
