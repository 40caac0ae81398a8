"""The specification curve through a study file: what it crosses by default, what is refused, what the record holds and the report says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from small import small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.labels import LANGUAGES, Language
from hinterland.report.blocks import Chart, Prose
from hinterland.report.chapters import document
from hinterland.report.record import Record, read_record
from hinterland.report.table import Table
from hinterland.study.check import check
from hinterland.study.curve import curve_choices, declared
from hinterland.study.load import load_study, parse_study
from hinterland.study.plan import plan, step_hashes
from hinterland.study.workspace import Workspace

HEAD = """
[study]
title = "Curve"
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
methods = ["twfe", "callaway-santanna"]
covariates = "~ x"
bootstrap = { draws = 99 }
[diagnostics]
sensitivity = []
power = false
leave_out = []
small_sample = []
[robustness]
comparison = ["not-yet-treated"]
[[robustness.model]]
name = "late"
label = { en = "from 2002 on", zh = "2002 年起" }
where = "year > 2001"
[[robustness.model]]
name = "more"
covariates = ["x", "z"]
fe = ["side^year"]
methods = ["twfe"]
"""
CURVE = """
[robustness.curve]
draws = 99
joint = ["permutation", "bootstrap", "multiplier"]
"""


def panel() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    frame = small_panel(units=30)
    x, z = rng.normal(size=(2, frame.height))
    return frame.with_columns(
        x=pl.Series(x), z=pl.Series(z), y2=pl.col("y") * 1.5 + pl.Series(z), fixed=(pl.col("city").rank("dense") % 4).cast(pl.Float64)
    )


def written(folder: Path, study: str) -> Path:
    panel().write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curve")
    hl.run(written(folder, HEAD + CURVE), out=folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def record(run: Path) -> Record:
    return read_record(run)


def findings(folder: Path, curve: str, head: str = HEAD) -> dict[str, str]:
    try:
        loaded = load_study(written(folder, head + curve))
    except StudyError as error:
        return {f.code: str(f) for f in error.findings}
    return {f.code: str(f) for f in check(loaded).findings if f.severity == "error"}


def test_options_left_out_are_those_of_the_rows(tmp_path: Path) -> None:
    loaded = load_study(written(tmp_path, HEAD + "[robustness.curve]\n"))
    wanted = declared(loaded.study)
    assert wanted is not None
    choices = curve_choices(Workspace(loaded), wanted)
    assert choices.method == ("callaway-santanna", "twfe")
    assert choices.comparison == ("never-treated", "not-yet-treated")
    assert list(choices.sample) == ["all", "late"]
    assert (choices.controls, choices.lead) == (("x", "z"), ("x",))
    assert choices.fe == ((), ("side^year",))
    assert choices.covariates == (None,)
    assert declared(load_study(written(tmp_path, HEAD)).study) is None


def test_an_empty_list_leaves_the_choice_alone(tmp_path: Path) -> None:
    own = '[robustness.curve]\nmethods = []\ncomparison = []\ncontrols = ["z"]\nfe = []\nwhere = {}\noutcomes = ["y2"]\nyears = [[2001, 2006]]\nwinsorise = [0.02]\ncluster = ["side", ["city", "year"]]\n'
    loaded = load_study(written(tmp_path, HEAD + own))
    wanted = declared(loaded.study)
    assert wanted is not None
    choices = curve_choices(Workspace(loaded), wanted)
    assert (choices.method, choices.comparison, choices.fe) == (("callaway-santanna",), ("never-treated",), ((),))
    assert list(choices.sample) == ["all"]
    assert (choices.covariates, choices.controls, choices.lead) == ((("x",),), ("z",), ()), "what is not optional stays in every model"
    assert choices.outcome == ("y", "y2")
    assert choices.window == (None, (2001, 2006))
    assert choices.cluster == ((), ("side",), ("city", "year"))


def test_the_record_holds_the_curve(record: Record) -> None:
    frame = record.tables["specifications"]
    base = frame.filter("baseline").row(0, named=True)
    head = record.headline("y")
    assert head is not None
    assert head.overall is not None
    assert_allclose([base["estimate"], base["std_error"]], [head.overall.estimate, head.overall.std_error], rtol=1e-10)
    static = record.static("y")
    assert static is not None
    assert static.overall is not None
    twin = frame.filter(method="twfe", controls="x", fe="", sample="all").row(0, named=True)
    assert_allclose([twin["estimate"], twin["std_error"]], [static.overall.estimate, static.overall.std_error], rtol=1e-10)
    tests = record.tables["specification_inference"]
    assert tests["kind"].unique(maintain_order=True).to_list() == ["permutation", "bootstrap", "multiplier"]
    assert tests.filter(kind="multiplier")["n_specifications"].to_list() == [frame.height] * 3
    assert tests["p_value"].is_between(0.01, 1).all()
    shares = record.tables["specification_shares"]
    assert_allclose(shares["share"].sum(), 1.0)
    left = record.tables["specification_left_out"]
    assert {"not-defined", "no-meaning"} <= set(left["reason"])
    drawn = frame.filter(pl.col("null_low").is_not_null())
    assert drawn.height == tests["n_specifications"][0]
    assert drawn.sort("estimate")["null_low"].is_sorted()
    assert (drawn["p_adjusted"] >= drawn["p_exact"]).all()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_shows_it(record: Record, language: Language) -> None:
    made = document(record, language)
    chapter = next(c for c in made.chapters if c.key == "robustness")
    charts = [b for b in chapter.blocks if isinstance(b, Chart) and b.key == "curve"]
    tables = {b.key: b for b in chapter.blocks if isinstance(b, Table)}
    assert len(charts) == 1
    assert {"curve", "curve-shares"} <= set(tables)
    assert len([r for r in tables["curve"].rows if r.kind == "head"]) == 3
    said = " ".join(made.speaker.paragraph(b.sentences) for b in chapter.blocks if isinstance(b, Prose))
    assert not re.search(r"\{|\bcurve[._]", said)
    frame = record.tables["specifications"]
    assert f"{frame.height}" in said
    assert ("2002 年起" if language == "zh" else "from 2002 on") in {t.get_text() for t in charts[0].figure.axes[1].get_yticklabels()}


def test_the_sentences_follow_the_numbers(record: Record) -> None:
    from hinterland.report.curve import curve, joint_sentences

    tests = record.tables["specification_inference"]
    n = record.tables["specifications"].height

    def keys(frame: pl.DataFrame) -> list[str]:
        return [s.key for part in joint_sentences(frame, n) for s in part]

    low, high = (tests.with_columns(p_value=pl.lit(p)) for p in (0.01, 0.6))
    assert keys(low).count("curve.all_clear") == 3
    assert keys(high).count("curve.none_clear") == 3
    mixed = tests.with_columns(p_value=pl.when(pl.col("statistic") == "median").then(0.01).otherwise(0.3))
    assert keys(mixed).count("curve.some_clear") == 3
    assert keys(tests).count("curve.part") == 2, "permutation and bootstrap lack some"
    from hinterland.report.sentences import Speaker

    minus = Record(
        record.folder,
        record.run,
        {
            **record.tables,
            "specifications": record.tables["specifications"].with_columns(estimate=-pl.col("estimate").abs()),
            "specification_shares": record.tables["specification_shares"].with_columns(share=pl.lit(None, dtype=pl.Float64)),
        },
    )
    said = [s.key for b in curve(minus, Speaker("en"), "y") if isinstance(b, Prose) for s in b.sentences]
    assert "curve.range_down" in said
    assert "curve.nothing_moves" in said
    assert curve(record, Speaker("en"), "count") == ()


def test_only_what_it_declares_touches_the_step() -> None:
    def hashes(text: str) -> dict[str, str]:
        return step_hashes(plan(parse_study(text).study), "code", {"small.csv": "1"})

    before = hashes(HEAD + CURVE)
    assert "curve/y" in before
    assert "curve/count" not in before
    changed = hashes(HEAD + CURVE.replace("draws = 99", "draws = 199"))
    assert {k for k in before if changed[k] != before[k]} == {"curve/y", "report"}
    placebo = hashes((HEAD + CURVE).replace("[robustness]", "[robustness]\nplacebo_space = 19", 1))
    assert placebo["curve/y"] == before["curve/y"]
    row = hashes((HEAD + CURVE).replace('where = "year > 2001"', 'where = "year > 2000"'))
    assert row["curve/y"] != before["curve/y"], "its samples are those of the rows"


@pytest.mark.parametrize(
    ("curve", "code", "words"),
    [
        ('outcomes = ["yy"]', "unknown-column", "did you mean"),
        ('controls = ["xx"]', "unknown-column", "did you mean 'x'"),
        ('controls = ["side"]', "not-numeric", "side"),
        ('fe = ["sides^year"]', "unknown-column", "did you mean 'side'"),
        ('cluster = ["sid"]', "unknown-column", "did you mean 'side'"),
        ('timing = ["approval_year"]', "register-only", "registers only"),
        ('comparison = ["never-treated"]', "same-as-baseline", "baseline's own"),
        ('comparison = ["not-yet-treated", "not-yet-treated"]', "repeated-choice", "twice"),
        ('controls = ["x", "x"]', "repeated-choice", "twice"),
        ("winsorise = [0.6]", "bad-share", "0.6"),
        ("winsorise = [0.01, 0.01]", "repeated-choice", "twice"),
        ("anticipation = [-1]", "negative-anticipation", "-1"),
        ("years = [[2006, 2003]]", "empty-window", "2006"),
        ("years = [[2000, 2001]]", "choice-leaves-nothing", "nothing to estimate"),
        ('where = { late = "year > 3000" }', "choice-leaves-nothing", "'late'"),
        ('where = { odd = "yeer > 3000" }', "unknown-column", "yeer"),
        ('outcomes = ["nothing"]', "choice-leaves-nothing", "'nothing'"),
        ('methods = ["ppml"]', "method-without-outcome", "family gaussian"),
        ("limit = 5", "too-many-specifications", "more than the limit of 5"),
        ('drop = ["municipalities"]', "no-unit-in-region", "municipalities"),
    ],
)
def test_what_is_refused_before_anything_is_estimated(tmp_path: Path, curve: str, code: str, words: str) -> None:
    head = HEAD.replace("[policy]", '[panel.derive]\nnothing = "None"\n[policy]') if "nothing" in curve and "outcomes" in curve else HEAD
    found = findings(tmp_path, f"[robustness.curve]\n{curve}\n", head)
    assert code in found
    assert words in found[code]


def test_a_curve_of_counts(tmp_path: Path) -> None:
    head = HEAD.replace('[[outcome]]\nname = "y"\n', "")
    head = head.replace('methods = ["twfe", "callaway-santanna"]', 'headline = "ppml"\nmethods = ["ppml"]').replace(
        'methods = ["twfe"]\n', ""
    )
    found = hl.run(written(tmp_path, head + CURVE), out=tmp_path / "out", only="curve")
    frame = pl.read_parquet(tmp_path / "out" / "tables" / "specifications.parquet")
    assert set(frame["method"]) == {"ppml"}
    tests = pl.read_parquet(tmp_path / "out" / "tables" / "specification_inference.parquet")
    assert set(tests["kind"]) == {"multiplier"}
    notes = pl.read_parquet(tmp_path / "out" / "tables" / "notes.parquet")
    assert (notes["code"] == "curve-joint-not-possible").sum() == 2
    assert found.status == "complete"


def test_the_packaged_study_has_one() -> None:
    loaded = load_study(None)
    wanted = declared(loaded.study)
    assert wanted is not None
    assert any(s.kind == "curve" for s in plan(loaded.study))
    choices: Any = curve_choices(Workspace(loaded), wanted)
    assert choices.facets == ("timing", "partial", "uncertain")
    assert len(choices.policy) == 2
    assert list(choices.sample) == ["all", "municipalities", "provincial-capitals", "partially-covered"]


def test_the_published_models_are_on_the_curve(shared_data: Path, tmp_path: Path) -> None:
    """Coefficients and errors of a published table, each the specification with its controls and sample (Stata's areg: every level counts)."""
    studies = Path(__file__).parents[2] / "studies"
    run = hl.run(studies / "low-carbon-replication.toml", tmp_path / "out", data=shared_data, only="curve")
    frame = run.tables["specifications"].filter(method="twfe")
    published = json.loads((shared_data / "replication_low_carbon_did" / "published_results.json").read_text(encoding="utf-8"))["models"]
    every = "ln_pgdp + ln_pop_density + industrial_advanced + ln_road_area + financial_development"
    for name, sample, controls in (
        ("full_sample_all_controls", "all", every),
        ("full_sample_pgdp_only", "all", "ln_pgdp"),
        ("psm_all_controls", "matched sample", every),
    ):
        row = frame.filter(sample=sample, controls=controls).row(0, named=True)
        assert (row["n_obs"], row["n_clusters"]) == (published[name]["n"], published[name]["clusters"])
        for printed, column in (("coef", "estimate"), ("se", "std_error")):
            value = published[name][printed]["did"]
            assert round(row[column], len(str(value).partition(".")[2])) == value
