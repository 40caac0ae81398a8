"""[measure]: from raw tables to the record, to columns of the panel, and everything that is wrong with it before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small import small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.report.document import write_report
from hinterland.study.check import check
from hinterland.study.load import load_study
from hinterland.study.plan import plan
from hinterland.study.tables import TABLES

LQ = """
[measure.lq]
indicator = "location-quotient"
source = "jobs.csv"
columns = { region = "province", industry = "sector", value = "jobs", time = "year" }
"""
ALONE = f"""
[study]
title = "Measures alone"
language = "both"
{LQ}
[measure.cars]
indicator = "location-quotient"
source = "jobs.csv"
columns = {{ region = "province", industry = "sector", value = "jobs", time = "year" }}
select = {{ industry = "cars" }}
label = {{ en = "Cars", zh = "汽车" }}
"""
EVALUATED = """
[study]
title = "Measured, then evaluated"
seed = 3
[measure.lq]
indicator = "location-quotient"
source = "city_jobs.csv"
columns = { region = "city", industry = "sector", value = "jobs", time = "year" }
select = { industry = "cars" }
column = "cars"
[measure.wide]
indicator = "location-quotient"
source = "side_jobs.csv"
columns = { region = "side", industry = "sector", value = "jobs" }
select = { industry = "cars" }
column = "side_cars"
region = "side"
[panel]
source = "small.csv"
unit = "city"
time = "year"
[panel.derive]
ln_cars = "log(cars)"
[policy]
column = "first"
[[outcome]]
name = "ln_cars"
[evaluate]
methods = ["twfe", "callaway-santanna"]
covariates = "~ side_cars"
bootstrap = { draws = 99 }
[diagnostics]
leave_out = []
small_sample = []
sensitivity = []
power = false
"""


def jobs(regions: list[str], years: list[int], column: str, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(r, s, t, int(rng.integers(50, 500))) for r in regions for s in ("cars", "food", "steel") for t in years]
    return pl.DataFrame(rows, schema=[column, "sector", "year", "jobs"], orient="row")


def write(folder: Path, text: str) -> Path:
    panel = small_panel()
    panel.write_csv(folder / "small.csv")
    cities, years = panel["city"].unique().sort().to_list(), panel["year"].unique().sort().to_list()
    jobs(["四川", "重庆", "贵州", "云南"], [2010, 2011, 2012], "province").write_csv(folder / "jobs.csv")
    jobs(cities, years, "city", 1).write_csv(folder / "city_jobs.csv")
    jobs(["north", "south"], [2000], "side", 2).drop("year").write_csv(folder / "side_jobs.csv")
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def found(folder: Path, text: str) -> dict[str, str]:
    """Codes of the findings of a study, each with where it is."""
    try:
        findings = check(load_study(write(folder, text))).findings
    except StudyError as error:
        findings = error.findings
    return {f.code: f.where for f in findings}


def test_a_study_may_measure_only(tmp_path: Path) -> None:
    run = hl.run(write(tmp_path, ALONE), out=tmp_path / "out")
    assert [s["kind"] if "kind" in s else s["id"].split("/")[0] for s in run.record["steps"]] == ["measure", "measure", "report"]
    values = run.tables["measures"]
    assert values.columns == list(TABLES["measures"])
    direct = hl.measure("location-quotient", tmp_path / "jobs.csv", region="province", industry="sector", value="jobs", time="year")
    assert values.filter(measure="lq")["value"].to_list() == direct.frame["value"].to_list()
    models = run.tables["measure_models"].filter(measure="lq").row(0, named=True)
    assert (
        models["input_hash"] == direct.meta["input_hash"] and models["n_rows"] == 36 and (models["first"], models["last"]) == (2010, 2012)
    )
    places = run.tables["measure_places"].filter(measure="lq")
    assert set(places["name_en"]) == {"Sichuan", "Chongqing", "Guizhou", "Yunnan"} and places["lon"].null_count() == 0


def test_the_report_shows_each_measure_in_both_languages(tmp_path: Path) -> None:
    run = hl.run(write(tmp_path, ALONE), out=tmp_path / "out")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for text in ("Cars", "汽车", "Location quotient", "区位商", "Sichuan", "四川", "Florence (1939)", "one plant makes a large quotient"):
        assert text in page, text
    files = {p.name for p in (run.path / "figures").iterdir()}
    assert {"measure-cars.en.svg", "measure-cars-map.zh.png", "measure-lq.en.pdf"} <= files
    table = (run.path / "tables" / "table-measure-cars.en.csv").read_text(encoding="utf-8")
    last = run.tables["measures"].filter(measure="cars", industry="cars", time=2012).sort("value", descending=True)
    assert [line.split(",")[1] for line in table.splitlines()[1:]] == [
        dict(run.tables["measure_places"].filter(measure="cars").select("region", "name_en").iter_rows())[r] for r in last["region"]
    ]
    again = write_report(run.path, ["en", "zh"], ["html", "docx", "pdf", "tex"])
    assert {p.suffix for p in again if p.parent == run.path} == {".html", ".docx", ".pdf", ".tex"}


def test_measured_columns_are_what_is_evaluated(tmp_path: Path) -> None:
    run = hl.run(write(tmp_path, EVALUATED), out=tmp_path / "out", only="evaluate")
    lq = hl.measure("location-quotient", tmp_path / "city_jobs.csv", region="city", industry="sector", value="jobs", time="year").frame
    cars = lq.filter(sector="cars").select("city", "year", ln_cars=pl.col("value").log())
    frame = small_panel().join(cars, on=["city", "year"], how="left")
    panel = hl.read_panel(frame, unit="city", time="year")
    by_hand = hl.estimate(panel, "ln_cars", hl.adoption(panel, "first", never=(0, None)), method="twfe")
    row = run.effects.filter(method="twfe", aggregation="coefficient").row(0, named=True)
    assert row["estimate"] == pytest.approx(by_hand.tidy()["estimate"][0], abs=1e-12)
    facts = run.record["facts"]["columns"]
    assert facts["cars"]["source"] == "measured: location-quotient from city_jobs.csv"
    assert facts["side_cars"]["unit"] == "index"


def test_values_of_provinces_reach_every_unit(tmp_path: Path) -> None:
    from hinterland.study.workspace import Workspace

    work = Workspace(load_study(write(tmp_path, EVALUATED)))
    by_side = work.panel.frame.group_by("side").agg(pl.col("side_cars").n_unique(), pl.col("side_cars").null_count().alias("none"))
    assert by_side["side_cars"].to_list() == [1, 1] and by_side["none"].sum() == 0
    assert "cars" not in work.raw_panel.frame.columns


def test_measures_build_on_measures_and_are_done_once(tmp_path: Path) -> None:
    text = (
        ALONE
        + """
[measure.again]
indicator = "location-quotient"
source = "measure:lq"
columns = { region = "province", industry = "sector", value = "value", time = "year" }
where = "sector != 'steel'"
[measure.joined]
indicator = "location-quotient"
source = "jobs.csv"
columns = { region = "province", industry = "sector", value = "both", time = "year" }
derive = { both = "jobs * first" }
[[measure.joined.join]]
source = "measure:lq"
on = ["province", "sector", "year"]
columns = { value = "first" }
"""
    )
    path = write(tmp_path, text)
    steps = {s.id: s for s in plan(load_study(path).study)}
    assert steps["measure/again"].after == ("measure/lq",) and steps["measure/joined"].after == ("measure/lq",)
    run = hl.run(path, out=tmp_path / "out")
    assert set(run.tables["measures"].filter(measure="again")["industry"]) == {"cars", "food"}
    path.write_text(text.replace("jobs * first", "jobs + first"), encoding="utf-8")
    second = hl.run(path, out=tmp_path / "out")
    assert [s["id"] for s in second.record["steps"] if s["status"] == "done"] == ["measure/joined", "report"]


def test_omitted_columns_make_room(tmp_path: Path) -> None:
    taken = EVALUATED.replace('column = "cars"', 'column = "y"').replace("log(cars)", "log(y)")
    assert "column-taken" in found(tmp_path, taken)
    run = hl.run(
        write(tmp_path, taken.replace('time = "year"\n[panel.derive]', 'time = "year"\nomit = ["y"]\n[panel.derive]')),
        out=tmp_path / "out",
        only="data",
    )
    assert run.record["facts"]["columns"]["y"]["source"].startswith("measured:")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('indicator = "location-quotient"', 'indicator = "location-quotent"', "bad-value"),
        ('industry = "sector", ', "", "missing-role"),
        ('region = "city"', 'place = "city"', "unknown-argument"),
        ('select = { industry = "cars" }\ncolumn = "cars"', 'column = "cars"', "several-values"),
        ('select = { industry = "cars" }\ncolumn = "cars"', 'select = { industry = "boats" }\ncolumn = "cars"', "nothing-selected"),
        ('select = { industry = "cars" }\ncolumn = "cars"', 'select = { good = "cars" }\ncolumn = "cars"', "unknown-value"),
        ('column = "cars"', 'column = "cars"\ncomponent = "value"', "unknown-value"),
        ('source = "city_jobs.csv"', 'source = "town_jobs.csv"', "missing-file"),
        ('source = "city_jobs.csv"', 'source = "measure:wide"', "unknown-measure"),
        ('source = "city_jobs.csv"', 'source = "world:employment"', "world-only"),
        ('value = "jobs", time = "year" }', 'value = "jbs", time = "year" }', "unknown-column"),
        ('column = "side_cars"\nregion = "side"', 'region = "side"', "column-only"),
        ('region = "side"\n[panel]', 'region = "sides"\n[panel]', "unknown-column"),
        ('column = "cars"', 'column = "cars"\nwhere = "jobs > 1000"', "empty-table"),
        ('column = "cars"', 'column = "cars"\nboundaries = "small.csv"', "corrupt-file"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in EVALUATED
    codes = found(tmp_path, EVALUATED.replace(old, new, 1))
    assert code in codes
    assert "study.toml, line" in codes[code] or code in ("missing-file", "unknown-column")
    with pytest.raises(hl.InputError):
        hl.run(tmp_path / "study.toml", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ('[study]\ntitle = "t"\n', {"missing-key"}),
        (ALONE + '[policy]\ncolumn = "first"\n', {"no-outcome"}),
        (ALONE + '[[outcome]]\nname = "y"\n', {"missing-key"}),
        (ALONE.replace('source = "jobs.csv"', 'source = "panel"', 1), {"missing-key"}),
        (ALONE.replace("label = { en", 'column = "x"\nlabel = { en'), {"missing-key"}),
    ],
)
def test_what_a_study_needs_at_least(tmp_path: Path, text: str, codes: set[str]) -> None:
    assert set(found(tmp_path, text)) == codes


def test_boundaries_are_drawn_and_shapes_without_a_region_kept(tmp_path: Path) -> None:
    square = [[[100, 30], [101, 30], [101, 31], [100, 30]]]
    names = ("四川省", "重庆市", "贵州省", "云南省", "台湾省")
    shapes = [{"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Polygon", "coordinates": square}} for n in names]
    (tmp_path / "map.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": shapes}), encoding="utf-8")
    text = ALONE.replace("label = { en", 'boundaries = "map.geojson"\nboundary_key = "name"\nlabel = { en')
    run = hl.run(write(tmp_path, text), out=tmp_path / "out")
    outlines = run.tables["measure_outlines"]
    assert (
        set(outlines["region"].drop_nulls()) == {"四川", "重庆", "贵州", "云南"} and outlines.filter(pl.col("region").is_null()).height == 4
    )
    assert "Boundaries from the file" in (run.path / "report.html").read_text(encoding="utf-8")
    assert found(tmp_path, text.replace('boundary_key = "name"', 'boundary_key = "nome"')) == {
        "unknown-column": f"study.toml, line 11 (measure.cars): {tmp_path / 'map.geojson'}"
    }


BOUNDS = {"segmentation": 1e-10, "agglomeration": 5e-4, "capital_mismatch": 1e-9, "labour_mismatch": 5e-4, "quality": 0.01}
"""Whole persons bound employment, whole symbols patents (see docs/explanation/world.md); the rest is rounding of floats."""


def test_the_demonstration_recovers_the_world_from_raw_tables() -> None:
    from hinterland.study.workspace import Workspace

    work = Workspace(load_study())
    truth = hl.simulate(seed=0).panel.frame
    frame = work.panel.frame.join(truth.select("adcode", "year", *BOUNDS), on=["adcode", "year"], suffix=":truth", maintain_order="left")
    assert frame.height == 4395
    for name, bound in BOUNDS.items():
        away = (frame[name] - frame[f"{name}:truth"]).abs()
        assert away.max() <= bound, name  # type: ignore[operator]
        assert frame[name].std() > 50 * bound or name == "quality", "the bound would be met by anything"  # type: ignore[operator]
    without = frame.filter(pl.col("quality").is_null())
    assert (without["inventions"] == 0).all() and without.height == frame.filter(pl.col("inventions") == 0).height
