"""Every estimator and diagnostic through a study file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small import small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.evaluate.leave_one_out import leave_one_out
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.sensitivity import sensitivity
from hinterland.evaluate.wild import wild_bootstrap
from hinterland.labels import Note
from hinterland.study.check import Checked, check
from hinterland.study.evaluation import Evaluation, evaluate_study
from hinterland.study.load import load_study, parse_study
from hinterland.study.plan import plan
from hinterland.study.summary import headlines, recommended
from hinterland.study.workspace import Workspace

HEAD = """
[study]
title = "Engine"
seed = 7
[panel]
source = "small.csv"
unit = "city"
time = "year"
COORDINATES
[policy]
column = "first"
[[outcome]]
name = "y"
"""
COUNT = '[[outcome]]\nname = "count"\nfamily = "poisson"\n'
OPTIONS = """
[evaluate.options.triple]
partition = "part"
[evaluate.options.dose]
dose = "dose"
[evaluate.options.imputation]
pretrends = 2
[evaluate.options.spillover]
rings = [20, 40]
effect = "event-study"
"""
QUIET = "[diagnostics]\nsensitivity = []\npower = false\nleave_out = []\nsmall_sample = []\n"
COORDINATES = 'coordinates = ["lon", "lat"]'
ALL_AVERAGES = {"group-time", "event-time", "overall", "cohort", "calendar"}
HAS = {
    "twfe": {"coefficient"},
    "event-study": {"event-time", "overall"},
    "dcdh": {"event-time", "overall"},
    "lp-did": {"event-time", "overall"},
    "efficient": {"event-time", "overall", "cohort", "calendar"},
    "dose": {"coefficient"},
    "spillover": {"coefficient", "event-time"},
    "ppml": {"coefficient", "event-time"},
}


def panel(units: int = 48) -> pl.DataFrame:
    number = pl.col("city").str.slice(1).cast(pl.Int64)
    dose = pl.when(pl.col("first") > 0).then((number % 5 + 1) / 5).otherwise(0.0)
    return small_panel(units).with_columns(
        part=number // 3 % 2, dose=dose, size=number + 1, lon=110 + number * 0.3, lat=30 + number % 4 * 0.01
    )


def write(folder: Path, text: str, *, coordinates: bool = True, frame: pl.DataFrame | None = None) -> Path:
    (panel() if frame is None else frame).write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(text.replace("COORDINATES", COORDINATES if coordinates else ""), encoding="utf-8")
    return path


def methods(*names: str, headline: str = "") -> str:
    return f'[evaluate]\nheadline = "{headline or names[0]}"\nmethods = {json.dumps(names)}\nbootstrap = {{ draws = 99 }}\n'


def checked(folder: Path, text: str, **more: object) -> Checked:
    return check(load_study(write(folder, text, **more)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    text = HEAD + COUNT + methods(*METHODS, headline="callaway-santanna") + OPTIONS + QUIET
    return evaluate_study(load_study(write(tmp_path_factory.mktemp("every"), text)))


def test_every_estimator_is_recorded_with_all_it_defines(every: Evaluation) -> None:
    models = every.tables["models"].filter(pl.col("outcome") == "y")
    for method in METHODS:
        if "gaussian" in METHODS[method].family:
            assert set(models.filter(pl.col("method") == method)["aggregation"]) == HAS.get(method, ALL_AVERAGES), method
    counts = every.tables["models"].filter(pl.col("outcome") == "count")
    assert set(counts["method"]) == {"ppml", "etwfe"}
    assert models["effects_id"].is_unique().all()
    assert models["estimand"].null_count() == 0
    numbers = every.frame.filter(pl.col("aggregation").is_in(["overall", "event-time"]) & ~pl.col("reference"))
    assert numbers["std_error"].null_count() == 0


def test_paths_have_bands_and_tests_follow_from_the_results(every: Evaluation) -> None:
    paths = every.frame.filter((pl.col("aggregation") == "event-time") & ~pl.col("reference"))
    assert paths["band_low"].null_count() == 0
    tested = every.tables["pretrends"].filter(pl.col("outcome") == "y")["method"].to_list()
    assert set(tested) == {
        "event-study", "sun-abraham", "etwfe", "stacked", "callaway-santanna", "imputation", "dcdh", "lp-did", "efficient", "triple", "spillover",
    }  # fmt: skip
    codes = every.tables["notes"].filter(pl.col("scope") == "y/sdid/event-time")["code"].to_list()
    assert "pretrends-fitted" in codes
    assert not every.tables["notes"]["code"].str.contains("pretrends-not-possible").any()


def test_an_estimator_that_adjusts_for_each_estimand_is_fitted_for_each(every: Evaluation) -> None:
    found = every.frame.filter((pl.col("method") == "efficient") & (pl.col("aggregation") == "overall"))
    own = hl.estimate(*_inputs(), "efficient", estimand="overall")
    assert found["estimate"][0] == pytest.approx(own.estimate[0], rel=1e-12)
    assert found["std_error"][0] == pytest.approx(own.std_error[0], rel=1e-12)


def _inputs() -> tuple[hl.Panel, str, hl.Cohorts]:
    data = hl.read_panel(panel(), unit="city", time="year", coordinates=("lon", "lat"))
    return data, "y", hl.adoption(data, "first", never=(0, None))


def test_counts_keep_their_scale(every: Evaluation) -> None:
    families = dict(every.tables["models"].filter(pl.col("outcome") == "count").select("method", "family").iter_rows())
    assert families == {"ppml": "poisson", "etwfe": "gaussian"}


@pytest.mark.parametrize("method", ["lp-did", "sdid", "dose", "spillover", "triple", "efficient", "event-study", "etwfe"])
def test_every_kind_of_result_can_lead(tmp_path: Path, method: str) -> None:
    text = HEAD + (COUNT if method == "etwfe" else "") + methods(method) + QUIET + '[heterogeneity]\ngroups = ["side"]\n'
    section = next((f"[evaluate.options.{s}" for s in OPTIONS.split("[evaluate.options.") if s.startswith(f"{method}]")), "")
    run = hl.run(write(tmp_path, text + section), tmp_path / "out", only="evaluate,recommend,subgroup")
    lines = list(headlines(run.effects))
    assert [line.rpartition("(")[2] for line in lines] == [f"{method})"] * (2 if method == "etwfe" else 1)
    chosen = {"y": method, "count": method}
    assert all(method in line for line in recommended(run.tables["recommendations"], chosen))


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (methods("twfe", "triple"), "no-partition", "evaluate.methods[2]"),
        (methods("twfe", "spillover"), "no-coordinates", "evaluate.methods[2]"),
        (methods("twfe", "dose") + '[evaluate.options.dose]\ndose = "part"\n', "dose-not-positive", "evaluate.options.dose.dose"),
        (methods("twfe", "triple") + '[evaluate.options.triple]\npartition = "dose"\n', "partition-not-binary", "options.triple.partition"),
        (methods("twfe", "efficient").replace("[evaluate]", '[evaluate]\ncluster = "side"'), "cluster-not-unit", "evaluate.methods[2]"),
        (methods("twfe", "stacked") + "[evaluate.options.stacked]\nkappa_pre = 9\n", "no-experiment", "evaluate.methods[2]"),
        (methods("twfe", "imputation") + '[evaluate.options.imputation]\npretrends = "two"\n', "bad-leads", "options.imputation.pretrends"),
        (methods("twfe") + '[evaluate.options.twfe]\nssc = { adj = "much" }\n', "", ""),
        (methods("twfe").replace("[evaluate]", '[evaluate]\nvcov = "conley"\ncutoff_km = 100'), "no-coordinates", "evaluate.methods[1]"),
    ],
)
def test_what_an_estimator_has_against_the_data_is_known_before_a_run(tmp_path: Path, text: str, code: str, line: str) -> None:
    try:
        found = checked(tmp_path, HEAD + text, coordinates=False).findings
    except StudyError as error:
        found = error.findings
    errors = [f for f in found if f.severity == "error"]
    assert errors
    assert not code or code in {f.code for f in errors}
    assert any(line in f.where for f in errors)
    assert all(", line " in f.where for f in errors)


def test_gaps_covariates_and_columns_that_do_not_exist(tmp_path: Path) -> None:
    frame = panel().filter((pl.col("city") != "C05") | (pl.col("year") != 2003))
    found = checked(tmp_path, HEAD + methods("twfe", "sdid", "efficient"), frame=frame)
    assert {f.code for f in found.findings if f.severity == "error"} == {"not-defined"}
    found = checked(tmp_path, HEAD + methods("twfe", "efficient").replace("[evaluate]", '[evaluate]\ncovariates = ["size"]'))
    assert any("efficient" in f.what and "covariates" in f.what for f in found.findings)
    found = checked(tmp_path, HEAD + methods("twfe", "dose") + '[evaluate.options.dose]\ndose = "dosis"\n')
    assert "unknown-column" in {f.code for f in found.findings}


def test_an_estimator_beside_the_headline_may_fail_on_one_outcome(tmp_path: Path) -> None:
    second = '[[outcome]]\nname = "other"\n'
    frame = panel().with_columns(
        other=pl.when(pl.col("year") % 7 == 0).then(None).otherwise("y"), first=pl.lit(2003) * (pl.col("first") > 0)
    )
    text = HEAD + second + methods("twfe", "stacked") + "[evaluate.options.stacked]\nkappa_post = 4\n" + QUIET
    path = write(tmp_path, text, frame=frame)
    found = check(load_study(path))
    assert found.ok
    assert [f.severity for f in found.findings if f.code == "no-experiment"] == ["warning"]
    run = hl.run(path, tmp_path / "out", only="evaluate,diagnostics")
    assert run.status == "complete"
    notes = run.tables["notes"].filter(pl.col("code") == "method-not-possible")
    assert notes["scope"].to_list() == ["evaluate/other/stacked"]
    assert set(run.tables["models"].filter(pl.col("method") == "stacked")["outcome"]) == {"y"}


def test_the_covariance_of_evaluate_reaches_those_that_have_it(tmp_path: Path) -> None:
    shared = methods("callaway-santanna", "twfe", "sdid").replace("[evaluate]", '[evaluate]\nvcov = "conley"\ncutoff_km = 100')
    path = write(tmp_path, HEAD + shared + QUIET)
    (warned,) = check(load_study(path)).findings
    assert (warned.code, warned.severity) == ("covariance-not-taken", "warning")
    assert "sdid" in warned.what
    found = evaluate_study(load_study(path))
    for method in ("twfe", "callaway-santanna"):
        effects = hl.estimate(*_inputs(), method, vcov="conley", cutoff_km=100)
        one = effects if method == "twfe" else effects.aggregate("overall")
        row = found.frame.filter((pl.col("method") == method) & pl.col("aggregation").is_in(["coefficient", "overall"]))
        assert row["std_error"][0] == pytest.approx(one.std_error[0], rel=1e-12)
    assert found.tables["models"].filter(pl.col("vcov") == "conley").height == 6
    assert "covariance-not-taken" in found.tables["notes"]["code"].to_list()


def test_the_headline_must_have_the_covariance(tmp_path: Path) -> None:
    found = checked(tmp_path, HEAD + methods("callaway-santanna", "twfe").replace("[evaluate]", '[evaluate]\nvcov = "CR3"'))
    (refused,) = (f for f in found.findings if f.severity == "error")
    assert refused.code == "covariance-not-taken"
    assert "line" in refused.where


def test_a_row_may_have_its_own_covariance(tmp_path: Path) -> None:
    row = '[[robustness.model]]\nname = "leverage"\nvcov = "CR3"\nmethods = ["twfe", "sdid"]\n'
    run = hl.run(write(tmp_path, HEAD + methods("twfe", "sdid") + row), tmp_path / "out", only="robustness")
    rows = run.tables["models"].filter(pl.col("label") == "model-leverage")
    assert dict(rows.select("method", "vcov").iter_rows()) == {"twfe": "CR3", "sdid": "jackknife"}
    assert "covariance-not-taken" in run.tables["notes"]["code"].to_list()


@pytest.mark.parametrize(
    ("table", "code", "line"),
    [
        ("sensitivity = ['smooth']", "unknown-value", "diagnostics.sensitivity[1]"),
        ("sensitivity_methods = ['sdid']", "method-not-run", "diagnostics.sensitivity_methods[1]"),
        ("grid = [-1.0]", "bad-value", "diagnostics.grid[1]"),
        ("leave_out = ['cohort', 'cohort']", "repeated-value", "diagnostics.leave_out[2]"),
        ("small_sample = ['CR4']", "unknown-value", "diagnostics.small_sample"),
        ("draws = 10", "bad-value", "diagnostics.draws"),
        ("oster = true", "no-covariates", "diagnostics.oster"),
        ("sensitivty = []", "unknown-key", "diagnostics.sensitivty"),
    ],
)
def test_diagnostics_are_checked_strictly(table: str, code: str, line: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(HEAD.replace("COORDINATES", "") + f"[diagnostics]\n{table}\n")
    (finding,) = caught.value.findings
    assert finding.code == code
    assert line in finding.where


def test_groups_to_leave_out_must_exist(tmp_path: Path) -> None:
    assert "unknown-group" in {f.code for f in checked(tmp_path, HEAD + '[diagnostics]\nleave_out = ["provinces"]\n').findings}
    unused = HEAD.replace("COORDINATES", "") + "[evaluate]\ncutoff_km = 100\n"
    with pytest.raises(StudyError, match="cutoff_km"):
        parse_study(unused)


DIAGNOSED = """
[diagnostics]
sensitivity = ["relative-magnitude", "smoothness"]
grid = [1.0]
leave_out = ["cohort", "side"]
small_sample = ["wild-cluster-bootstrap", "CR2", "conley-taber", "randomisation"]
draws = 999
oster = true
"""


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> hl.Run:
    folder = tmp_path_factory.mktemp("diagnosed")
    neighbours = pl.DataFrame({"unit": [f"C{i:02}" for i in range(48)], "neighbour": [f"C{(i + 7) % 48:02}" for i in range(48)]})
    neighbours.write_csv(folder / "near.csv")
    spillover = '[evaluate.options.spillover]\nexposure = "neighbours"\nneighbours = "near.csv"\non_treated = "same"\n'
    own = '[evaluate.options.twfe]\ncovariates = "~ C(year):size"\n'
    text = HEAD + methods("callaway-santanna", "twfe", "spillover") + spillover + own + DIAGNOSED
    return hl.run(write(folder, text), folder / "out", only="diagnostics")


def test_a_spatial_durbin_model_runs_from_a_study(tmp_path: Path) -> None:
    pairs = [(f"C{i:02}", f"C{(i + k) % 48:02}") for i in range(48) for k in (1, 7)]
    near = pl.DataFrame(pairs, schema=["unit", "neighbour"], orient="row")
    near.write_csv(tmp_path / "near.csv")
    own = '[evaluate.options.spillover]\nexposure = "neighbours"\nneighbours = "near.csv"\nestimator = "sdm"\naverage = "treated"\n'
    text = HEAD + methods("spillover").replace("[evaluate]", '[evaluate]\nvcov = "iid"') + own + QUIET
    run = hl.run(write(tmp_path, text), tmp_path / "out", only="evaluate,displacement")
    options: dict[str, Any] = {"exposure": "neighbours", "estimator": "sdm", "average": "treated", "vcov": "iid", "neighbours": near}
    effects = hl.estimate(*_inputs(), "spillover", **options)
    found = run.tables["displacement"].filter(pl.col("quantity") != "share")
    assert found["quantity"].to_list() == ["direct", "spillover", "total"]
    np.testing.assert_allclose(found["estimate"], effects.estimate[:3], rtol=1e-9)
    np.testing.assert_allclose(found["std_error"], effects.std_error[:3], rtol=1e-9)
    led = run.tables["models"].filter(pl.col("method") == "spillover").row(0, named=True)
    assert (led["estimand"], led["vcov"]) == ("spillover-durbin-treated", "iid")


def test_sensitivity_is_that_of_the_function(diagnosed: hl.Run) -> None:
    table = diagnosed.tables["sensitivity"]
    assert set(table["kind"]) == {"relative-magnitude", "smoothness"}
    effects = hl.estimate(*_inputs())
    found = sensitivity(effects, "smoothness", [0.0])
    rows = table.filter((pl.col("kind") == "smoothness") & (pl.col("estimand") == "first") & (pl.col("value") == 0))
    assert rows["conf_low"][0] == pytest.approx(found.frame["conf_low"][0], rel=1e-6)
    relative = table.filter((pl.col("kind") == "relative-magnitude") & (pl.col("estimand") == "average"))
    assert relative["value"].to_list() == [0.0, 1.0]
    assert relative["breakdown"].n_unique() == 1
    low, high = relative.select("original_low", "original_high").row(0)
    assert (low + high) / 2 == pytest.approx(effects.aggregate("event-time").aggregate("overall").estimate[0], rel=1e-9)
    assert relative["conf_high"].is_sorted()
    power = diagnosed.tables["pretrend_power"]
    assert set(power.select("test", "power").unique().rows()) == {(t, p) for t in ("individual", "joint") for p in (0.5, 0.8)}
    assert np.allclose(power.filter(pl.col("test") == "joint")["size"], 0.05)


def test_leaving_out_and_small_samples_are_those_of_the_functions(diagnosed: hl.Run) -> None:
    work = Workspace(load_study(diagnosed.path.parent / "study.toml"))
    left = diagnosed.tables["leave_out"]
    whole = leave_one_out(work.design("y", "twfe"), "cohort").frame
    assert left.filter((pl.col("method") == "twfe") & (pl.col("by") == "cohort"))["estimate"].to_list() == whole["estimate"].to_list()
    assert set(left.filter(pl.col("by") == "side")["dropped"]) == {"north", "south"}
    small = diagnosed.tables["small_sample"]
    wild = wild_bootstrap(work.design("y", "twfe"), draws=999)
    row = small.row(by_predicate=(pl.col("method") == "twfe") & (pl.col("procedure") == "wild-cluster-bootstrap"), named=True)
    assert row["statistic"] == pytest.approx(wild.statistic[0], rel=1e-9)
    assert (row["n_clusters"], row["n_treated_clusters"], row["draws"]) == (48, 32, 999)
    assert 1 < row["effective_clusters"] <= 48
    assert set(small.filter(pl.col("method") == "callaway-santanna")["procedure"]) == {
        "wild-cluster-bootstrap",
        "conley-taber",
        "randomisation",
    }
    notes = [Note(c, json.loads(v)).text() for c, v in diagnosed.tables["notes"].select("code", "values").iter_rows()]
    assert any("CR2 is not available for callaway-santanna" in n for n in notes)


def test_neighbours_come_from_a_file_that_the_record_hashes(diagnosed: hl.Run) -> None:
    assert [i["path"] for i in diagnosed.record["inputs"]] == ["small.csv", "near.csv"]
    table = diagnosed.tables["displacement"]
    assert table["quantity"].to_list() == ["direct", "spillover", "total", "share"]
    assert table["verdict"].n_unique() == 1
    total = table.filter(pl.col("quantity") != "share")["estimate"].to_list()
    assert total[2] == pytest.approx(total[0] + total[1])


def test_recommendations_and_selection(diagnosed: hl.Run) -> None:
    table = diagnosed.tables["recommendations"]
    assert table.filter((pl.col("kind") == "estimator") & (pl.col("role") == "headline"))["id"].to_list() == ["callaway-santanna"]
    assert all(Note(c, json.loads(v)).text("zh") for c, v in table.select("code", "values").iter_rows())
    oster = diagnosed.tables["oster"].row(0, named=True)
    assert oster["r2_short"] <= oster["r2_long"] <= oster["r_max"]


def test_diagnostics_are_kept_and_made_again_alone(diagnosed: hl.Run) -> None:
    study = diagnosed.path.parent / "study.toml"
    again = hl.run(study, diagnosed.path, only="diagnostics")
    assert {s["status"] for s in again.record["steps"]} == {"cached"}
    steps = plan(load_study(study).study)
    grid = DIAGNOSED.replace("grid = [1.0]", "grid = [2.0]")
    other = plan(parse_study(study.read_text(encoding="utf-8").replace(DIAGNOSED, grid)).study)
    changed = {a.id for a, b in zip(steps, other, strict=True) if a.settings != b.settings}
    assert changed == {"sensitivity/y/callaway-santanna"}


def test_a_switching_treatment_has_no_diagnostics_that_need_dates(tmp_path: Path) -> None:
    frame = panel().with_columns(on=((pl.col("first") > 0) & (pl.col("year") >= pl.col("first")) & (pl.col("year") < 2006)).cast(pl.Int8))
    text = HEAD.replace('column = "first"', 'treatment = "on"\nreversible = true') + methods("dcdh")
    run = hl.run(write(tmp_path, text, frame=frame), tmp_path / "out", only="evaluate,diagnostics")
    assert run.status == "complete"
    assert run.tables["recommendations"].filter(pl.col("role") == "headline")["id"].to_list() == ["dcdh"]
