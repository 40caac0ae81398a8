"""[moderation]: from the study file to the record, and everything that is wrong with it before anything is estimated."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from small import small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.study.check import check
from hinterland.study.load import LoadedStudy, load_study
from hinterland.study.plan import plan
from hinterland.study.tables import TABLES

STUDY = """
[study]
title = "Moderated"
seed = 7
language = "both"
[panel]
source = "small.csv"
unit = "city"
time = "year"
[policy]
column = "first"
[[outcome]]
name = "y"
[[outcome]]
name = "count"
family = "poisson"
[evaluate]
methods = ["callaway-santanna", "imputation"]
bootstrap = { draws = 99 }
[diagnostics]
leave_out = []
small_sample = []
sensitivity = []
power = false
"""
TABLE = """
[moderation.openness]
column = "open"
fixed = "pre"
level = "region"
draws = 199
bins = 2
methods = ["callaway-santanna", "imputation"]
label = { en = "openness", zh = "开放度" }
"""


def write(folder: Path, table: str = TABLE) -> Path:
    """48 cities in 16 regions; openness by region, which moves over time; wet: 1 in four regions."""
    frame = small_panel(48)
    number = pl.col("city").str.slice(1).cast(pl.Int64)
    frame = frame.with_columns(region=pl.format("r{}", number % 16), number=number).with_columns(
        open=((number % 16) * 7 % 16) / 4 + 0.1 * (pl.col("year") - 2000), still=(number % 16) * 1.0, wet=(number % 16 < 4).cast(pl.Int64)
    )
    frame.drop("number").write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(STUDY + table, encoding="utf-8")
    return path


def loaded(folder: Path, table: str = TABLE) -> LoadedStudy:
    return load_study(write(folder, table))


def codes(folder: Path, table: str) -> dict[str, str]:
    """Code and place of every finding."""
    return {f.code: f.where for f in check(loaded(folder, table)).findings}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hl.Run:
    folder = tmp_path_factory.mktemp("moderated")
    table = TABLE + '\n[moderation.wetness]\ncolumn = "still"\noutcomes = ["y"]\ngroup = "wet=1"\n'
    return hl.run(write(folder, table), folder / "out")


def test_one_step_for_each_outcome_moderator_and_estimator(tmp_path: Path) -> None:
    steps = [s.id for s in plan(loaded(tmp_path).study) if s.kind == "moderation"]
    names = ["moderation/y/openness/callaway-santanna", "moderation/y/openness/imputation", "moderation/count/openness/ppml"]
    assert steps == names


def test_the_record_holds_what_python_gives(run: hl.Run) -> None:
    panel = hl.read_panel(run.path.parent / "small.csv", unit="city", time="year", numeric=["open"])
    policy = hl.adoption(panel, "first", never=(0, None))
    found = hl.moderation(panel, "y", policy, "open", fixed="pre", level="region", bins=2, draws=199)
    rows = run.tables["moderation"].filter((pl.col("outcome") == "y") & (pl.col("moderator") == "openness"))
    for column in ("estimate", "std_error", "p_value"):
        assert rows.filter(pl.col("version") == "linear")[column].to_list() == pytest.approx([found.slopes[column][0]])
    assert rows.filter(pl.col("version") == "strata")["method"].to_list() == ["callaway-santanna", "imputation"]
    assert rows["fixed"].unique().to_list() == ["pre"]
    assert rows["cluster"].unique().to_list() == ["region"]
    assert rows["n_clusters"].max() == 16
    effects = run.tables["moderation_effects"].filter((pl.col("outcome") == "y") & (pl.col("moderator") == "openness"))
    kinds = {"grid", "min", "p10", "mean", "p90", "max", "min-mean", "p10-mean", "p90-mean", "p90-p10"}
    assert set(effects["kind"]) == kinds
    assert effects.filter(pl.col("version") == "linear").height == 59
    bars = run.tables["moderation_histogram"].filter((pl.col("outcome") == "y") & (pl.col("moderator") == "openness"))
    assert (bars["n_treated"].sum(), bars["n_comparison"].sum()) == (32, 16)


def test_tables_have_their_columns(run: hl.Run) -> None:
    for name in ("moderation", "moderation_effects", "moderation_bins", "moderation_histogram"):
        assert dict(run.tables[name].schema) == dict(TABLES[name])


def test_counts_are_moderated_as_counts(run: hl.Run) -> None:
    rows = run.tables["moderation"].filter(pl.col("outcome") == "count")
    assert set(rows["method"]) == {"ppml"}
    assert set(rows["version"]) == {"linear", "strata"}


def test_group_is_in_the_record_under_its_own_name(run: hl.Run) -> None:
    rows = run.tables["moderation"].filter(pl.col("moderator") == "wetness")
    assert set(rows["group"]) == {"all", "elsewhere", "inside", "difference"}
    notes = run.tables["notes"].filter(pl.col("scope").str.starts_with("moderation/y/wetness"))
    assert notes.filter(pl.col("code") == "moderation-labels")["values"].str.contains('"group": "wet=1"').all()


def test_the_report_has_a_chapter_in_both_languages(run: hl.Run) -> None:
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for words in ("Moderation of the effect", "调节效应", "A moderator is not assigned", "调节变量并非随机分配", "开放度"):
        assert words in page
    assert "sentence." not in page
    assert (run.path / "figures" / "moderation-y-openness.zh.svg").is_file()


def test_evaluate_prints_the_moderation(tmp_path: Path) -> None:
    from hinterland.study.evaluation import evaluate_study

    document = evaluate_study(loaded(tmp_path)).document("zh")
    assert {r["version"] for r in document["diagnostics"]["moderation"]} == {"linear", "imputation", "strata"}
    assert document["diagnostics"]["moderation_effects"]


def test_only_the_changed_moderator_is_done_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    hl.run(path, tmp_path / "out", only=["moderation"])
    path.write_text(path.read_text(encoding="utf-8").replace("bins = 2", "bins = [1.5]"), encoding="utf-8")
    again = hl.run(path, tmp_path / "out", only=["moderation"])
    done = {s["id"]: s["status"] for s in again.record["steps"]}
    assert {name.partition("/")[0] for name, status in done.items() if status == "done"} == {"moderation"}
    assert {name for name, status in done.items() if status == "cached"} >= {"data", "policy"}


@pytest.mark.parametrize(
    ("table", "code", "key"),
    [
        ('column = "opn"\nfixed = "pre"', "unknown-column", "column"),
        ('column = "open"', "moderator-varies", "column"),
        ('column = "open"\nfixed = 2004', "moderator-after-treatment", "fixed"),
        ('column = "open"\nfixed = 1990', "moderator-no-period", "fixed"),
        ('column = "still"\nlevel = "state"', "unknown-column", "level"),
        ('column = "still"\nlevel = "side"', "moderator-within-level", "level"),
        ('column = "still"\nbins = [99.0]', "moderator-one-bin", "bins"),
        ('column = "still"\nbins = [0.5, 14.5]\nlevel = "region"\ncluster = "city"', "moderation-cluster", "cluster"),
        ('column = "still"\ngroup = "wet=2"', "unknown-group", "group"),
    ],
)
def test_findings_before_anything_is_estimated(tmp_path: Path, table: str, code: str, key: str) -> None:
    found = codes(tmp_path, f"\n[moderation.m]\n{table}\n")
    assert code in found
    assert f"moderation.m.{key}" in found[code]


def test_a_bin_without_treated_units_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path)
    frame = pl.read_csv(tmp_path / "small.csv")
    frame.with_columns(still=pl.when(pl.col("first") == 0).then(pl.col("still") + 30).otherwise(pl.col("still"))).write_csv(
        tmp_path / "small.csv"
    )
    path.write_text(STUDY + '\n[moderation.m]\ncolumn = "still"\nbins = [20.0]\n', encoding="utf-8")
    found = [f for f in check(load_study(path)).findings if f.code == "empty-bin"]
    assert {f.severity for f in found} == {"warning"}
    assert len(found) == 2


def test_missing_values_are_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path)
    frame = pl.read_csv(tmp_path / "small.csv")
    frame.with_columns(still=pl.when(pl.col("city") != "C01").then(pl.col("still"))).write_csv(tmp_path / "small.csv")
    path.write_text(STUDY + '\n[moderation.m]\ncolumn = "still"\n', encoding="utf-8")
    found = [f for f in check(load_study(path)).findings if f.code == "moderator-missing"]
    assert [f.severity for f in found] == ["warning"]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ('column = "y"', "moderator-is-outcome"),
        ('column = "first"', "moderator-is-treatment"),
        ('column = "still"\noutcomes = ["z"]', "unknown-outcome"),
        ('column = "still"\nbins = 1', "bad-bins"),
        ('column = "still"\nmethods = ["twfe", "twfe"]', "repeated-method"),
        ('colum = "still"', "unknown-key"),
        ('fixed = "pre"', "missing-key"),
    ],
)
def test_what_the_file_alone_shows(tmp_path: Path, table: str, code: str) -> None:
    with pytest.raises(StudyError) as caught:
        loaded(tmp_path, f"\n[moderation.m]\n{table}\n")
    found = {f.code: f for f in caught.value.findings}
    assert code in found
    if code == "unknown-key":
        assert "column" in found[code].remedy


def test_the_contracts_spelling_is_accepted(tmp_path: Path) -> None:
    study = loaded(tmp_path, '\n[moderation]\nmarket_segmentation = { column = "open", fixed = "pre", level = "region" }\n').study
    assert study.moderation["market_segmentation"].level == "region"


def test_truth_of_the_slope_stands_in_the_record(tmp_path: Path) -> None:
    text = (
        '[study]\ntitle = "World"\n[panel]\nsource = "world:demonstration-zones"\nunit = "adcode"\ntime = "year"\nyears = [2008, 2016]\n'
        "[panel.world]\nseed = 3\nunits = 150\nperiods = 9\nparameters = { treated_share = 0.4 }\n"
        '[policy]\ncolumn = "first_treat"\n[[outcome]]\nname = "ln_inventions"\n[evaluate]\nmethods = ["callaway-santanna"]\n'
        '[moderation.segmentation]\ncolumn = "segmentation"\nfixed = "pre"\nlevel = "province"\ndraws = 199\n'
    )
    (tmp_path / "world.toml").write_text(text, encoding="utf-8")
    run = hl.run(tmp_path / "world.toml", tmp_path / "out", only=["truth", "moderation"])
    world = hl.simulate("demonstration-zones", 3, units=150, periods=9, treated_share=0.4)
    true = run.tables["truth"].filter(pl.col("parameter") == "moderation/ln_inventions/fitted-slope")["value"][0]
    assert true == pytest.approx(world.value("moderation/ln_inventions/fitted-slope"))
