"""Mediators and the family of outcomes in a study: the plan, what is found before anything is estimated, the record, and what the report says of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small import STUDY, small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.report.chapters import document
from hinterland.report.record import Record, read_record
from hinterland.study.check import check
from hinterland.study.evaluation import evaluate_study
from hinterland.study.load import load_study, parse_study
from hinterland.study.plan import plan, step_hashes
from hinterland.study.record import Run

ASKED = '\n[mechanism]\nmediators = ["m", "k"]\ndraws = 199\nlabels = { m = { en = "Clustering", zh = "集聚" } }\n'
MEDIATED = STUDY + ASKED


def mediated_panel() -> pl.DataFrame:
    """The small panel with mediators m (the policy moves it by 1, and y by 0.5 with it) and k, a confounder c, and columns that are no mediators."""
    frame = small_panel(units=48)
    rng = np.random.default_rng(9)
    on = ((frame["first"] > 0) & (frame["year"] >= frame["first"])).cast(pl.Float64)
    m, k, c = on + rng.normal(scale=0.5, size=len(on)), 0.5 * on + rng.normal(size=len(on)), rng.normal(size=len(on))
    return frame.with_columns(
        m=m,
        k=k,
        c=c,
        y=pl.col("y") + 0.5 * m,
        on=on,
        flat=pl.lit(1.0),
        none=pl.lit(None, dtype=pl.Float64),
        twice=2 * (pl.col("y") + 0.5 * m) + 1,
    )


def write(folder: Path, study: str = MEDIATED) -> Path:
    mediated_panel().write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("mechanism")
    return hl.run(write(folder), folder / "out", only="evaluate,pretrends,mechanism,outcome-family,describe")


@pytest.fixture(scope="module")
def record(done: Run) -> Record:
    return read_record(done.path)


def ids(study: str) -> list[str]:
    return [s.id for s in plan(parse_study(study).study)]


def test_steps_are_planned_for_the_linear_outcome() -> None:
    assert [i for i in ids(MEDIATED) if i.startswith("mechanism")] == ["mechanism/y/callaway-santanna", "mechanism/y/twfe"]
    assert not [i for i in ids(STUDY) if i.startswith("mechanism")]
    assert "outcome-family" in ids(STUDY)
    assert "outcome-family" not in ids(STUDY.replace("bootstrap = { draws = 99 }", "family_adjust = []"))
    assert "outcome-family" not in ids(STUDY.replace('[[outcome]]\nname = "count"\nfamily = "poisson"\n', ""))


def test_a_change_touches_only_what_depends_on_it() -> None:
    def hashes(text: str) -> dict[str, str]:
        return step_hashes(plan(parse_study(text).study), "code", {"small.csv": "1"})

    before = hashes(MEDIATED)
    for text, changed in (
        (MEDIATED.replace("draws = 199", "draws = 299"), {"mechanism/y/callaway-santanna", "mechanism/y/twfe", "report"}),
        (MEDIATED.replace("Clustering", "Cluster"), {"report"}),
        (
            MEDIATED.replace("bootstrap = { draws = 99 }", 'bootstrap = { draws = 99 }\nfamily_adjust = ["romano-wolf"]'),
            {"outcome-family", "report"},
        ),
    ):
        after = hashes(text)
        assert {k for k in before if after[k] != before[k]} == changed


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        (MEDIATED.replace('"k"]', '"m"]'), "repeated-value", "once"),
        (MEDIATED.replace('"k"]', '"y"]'), "mediator-is-outcome", "between"),
        (MEDIATED.replace('"k"]', '"count"]'), "mediator-is-outcome", "between"),
        (MEDIATED.replace('"k"]', '"first"]'), "mediator-is-treatment", "policy"),
        (MEDIATED.replace('"k"]', '"year"]'), "role-shared", "policy"),
        (MEDIATED.replace("[evaluate]", '[evaluate]\ncovariates = "~ k"'), "mediator-is-covariate", "covariates"),
        (MEDIATED + 'confounders = ["k"]\n', "mediator-is-covariate", "one of them"),
        (MEDIATED + 'outcomes = ["z"]\n', "unknown-outcome", "'y'"),
        (MEDIATED + 'outcomes = ["count"]\n', "mechanism-count", "gaussian"),
        (MEDIATED.replace("labels = { m", "labels = { mm"), "unknown-column", "'m'"),
        (MEDIATED.replace('["m", "k"]', "[]"), "bad-value", "item"),
        (MEDIATED + 'slope = "pooled"\n', "unknown-value", "untreated"),
        (MEDIATED.replace("mediators", "mediator"), "unknown-key", "mediators"),
    ],
)
def test_what_a_study_file_cannot_ask_for(text: str, code: str, part: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(text)
    found = [f for f in caught.value.findings if f.code == code]
    assert found, caught.value.findings
    assert any(part in f"{f.what} {f.remedy}" for f in found)
    assert all("line" in f.where or "study" in f.where for f in found)


def test_a_count_alone_has_no_shares() -> None:
    with pytest.raises(StudyError, match="mechanism-count"):
        parse_study(MEDIATED.replace('[[outcome]]\nname = "y"\n\n', ""))


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("mm", "unknown-column"),
        ("twice", "mediator-is-outcome"),
        ("on", "mediator-is-treatment"),
        ("flat", "mediator-constant"),
        ("none", "mediator-not-observed"),
        ("side", "not-numeric"),
    ],
)
def test_what_the_data_have_against_a_mediator_is_said_before_estimating(tmp_path: Path, column: str, code: str) -> None:
    found = check(load_study(write(tmp_path, MEDIATED.replace('"k"]', f'"{column}"]'))))
    assert not found.ok
    assert code in {f.code for f in found.findings if f.severity == "error"}


def test_a_finding_names_the_line_and_the_nearest_column(tmp_path: Path) -> None:
    study = MEDIATED.replace('"k"]', '"twise"]')
    (finding,) = [f for f in check(load_study(write(tmp_path, study))).findings if f.code == "unknown-column"]
    line = next(i for i, text in enumerate(study.splitlines(), 1) if text.startswith("mediators"))
    assert f"line {line}" in finding.where
    assert "'twice'" in finding.remedy


def test_the_record_equals_the_call(done: Run) -> None:
    """What hl.mechanism gives on the same panel: point estimates to 1e-10; interval ends differ by their seed only."""
    frame = done.tables["mechanism"].filter(method="callaway-santanna")
    panel = hl.read_panel(done.path.parent / "small.csv", unit="city", time="year")
    found = hl.mechanism(panel, "y", hl.adoption(panel, "first"), ["m", "k"], draws=199)
    assert frame["estimate"].to_list() == pytest.approx(found.frame["estimate"].to_list(), rel=1e-10)
    assert frame["conf_low"].to_list() == pytest.approx(found.frame["conf_low"].to_list(), abs=0.1)
    assert set(done.tables["mechanism_checks"]["method"]) == {"callaway-santanna", "twfe"}
    assert done.tables["mechanism_sensitivity"].height == 2 * 2 * 19
    assert set(done.tables["mediator_events"]["path_method"]) == {"callaway-santanna", "event-study"}
    assert {"m", "k"} <= set(done.tables["descriptives"]["variable"])


def test_the_total_effect_is_the_headline(done: Run) -> None:
    total = done.tables["mechanism"].filter(method="callaway-santanna", quantity="total").row(0, named=True)
    overall = done.tables["effects"].filter(effects_id="y/callaway-santanna/overall").row(0, named=True)
    assert [total[c] for c in ("estimate", "std_error", "conf_low")] == pytest.approx(
        [overall[c] for c in ("estimate", "std_error", "conf_low")]
    )


def test_the_family_of_outcomes(done: Run) -> None:
    table = done.tables["outcome_family"]
    assert table["outcome"].to_list() == ["y", "count"]
    assert table["family"].to_list() == ["gaussian", "poisson"]
    for column in ("p_romano_wolf", "p_benjamini_hochberg"):
        assert table[column].null_count() == 0
    assert (table["p_benjamini_hochberg"] >= table["p_value"]).all()
    effects = done.tables["effects"]
    for row in table.iter_rows(named=True):
        own = effects.filter(pl.col("effects_id") == row["effects_id"]).row(0, named=True)
        assert row["estimate"] == pytest.approx(own["estimate"])


def test_outcomes_on_other_cities_are_lined_up_and_said(tmp_path: Path) -> None:
    frame = mediated_panel().with_columns(count=pl.when(pl.col("city") < "C06").then(None).otherwise(pl.col("count")))
    path = write(tmp_path, STUDY)
    frame.write_csv(tmp_path / "small.csv")
    tables = evaluate_study(load_study(path)).tables
    assert tables["outcome_family"]["n_clusters"].to_list() == [48, 42]
    assert tables["outcome_family"]["p_romano_wolf"].null_count() == 0
    assert "family-clusters-differ" in tables["notes"]["code"].to_list()


def test_where_no_shares_can_be_told_there_is_a_note(tmp_path: Path) -> None:
    study = MEDIATED.replace(
        "bootstrap = { draws = 99 }",
        'bootstrap = { draws = 99, kind = "analytic" }\nheadline = "twfe"\ncluster = ["city", "year"]\nmethods = ["twfe"]',
    )
    tables = evaluate_study(load_study(write(tmp_path, study.replace('comparison = ["not-yet-treated"]', "")))).tables
    assert "mechanism" not in tables
    assert {"mechanism-not-possible", "family-not-possible"} <= set(tables["notes"]["code"])
    assert tables["outcome_family"]["p_benjamini_hochberg"].null_count() == 0


@pytest.mark.parametrize(("language", "title", "name"), [("en", "Mechanism", "clustering"), ("zh", "作用机制", "集聚")])
def test_the_report_says_what_is_identified_and_what_is_not(record: Record, language: str, title: str, name: str) -> None:
    made = document(record, language)  # type: ignore[arg-type]
    chapter = next(c for c in made.chapters if c.key == "mechanism")
    assert chapter.title == title
    words = "\n".join(made.speaker.paragraph(b.sentences) for b in chapter.blocks if hasattr(b, "sentences"))
    assert name in words.lower()
    both = ("What is identified", "What is not identified") if language == "en" else ("可以识别的是", "不能识别的是")
    assert all(part in words for part in both)
    assert not re.search(r"nan|None|\{|\}|\?", words)
    keys = [b.key for b in chapter.blocks if hasattr(b, "key")]
    assert keys == ["mechanism-y", "mechanism-y", "mediator-events-y", "confounded-y", "mechanism-checks-y"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_outcomes_stand_side_by_side(record: Record, language: str) -> None:
    made = document(record, language)  # type: ignore[arg-type]
    chapter = next(c for c in made.chapters if c.key == "outcomes")
    table = next(b for b in chapter.blocks if getattr(b, "key", "") == "outcome-family")
    assert len(table.rows) == 2  # type: ignore[union-attr]
    assert "Romano–Wolf" in " ".join(h.text for h in table.headings)  # type: ignore[union-attr]


def test_shares_are_not_told_where_there_is_no_total_effect(record: Record) -> None:
    frame = record.tables["mechanism"].with_columns(p_value=pl.when(pl.col("quantity") == "total").then(0.5).otherwise(pl.col("p_value")))
    weak = Record(record.folder, record.run, {**record.tables, "mechanism": frame})
    made = document(weak, "en")
    chapter = next(c for c in made.chapters if c.key == "mechanism")
    words = "\n".join(made.speaker.paragraph(b.sentences) for b in chapter.blocks if hasattr(b, "sentences"))
    assert "a share of it would mean nothing" in words
    assert "% of the total effect" not in words


def test_truths_of_the_world_stand_beside_shares() -> None:
    text = '[study]\ntitle = "W"\n[panel]\nsource = "world:demonstration-zones"\nunit = "adcode"\ntime = "year"\n[panel.derive]\nln_agglomeration = "log(agglomeration)"\n'
    text += '[policy]\nregister = "industrial-transfer-zones"\n[[outcome]]\nname = "ln_inventions"\n[evaluate]\nmethods = ["twfe", "callaway-santanna"]\n'
    text += '[mechanism]\nmediators = ["ln_agglomeration", "labour_mismatch"]\n'
    from hinterland.study.steps.truth import truth
    from hinterland.study.workspace import Workspace

    loaded = parse_study(text)
    step = next(s for s in plan(loaded.study) if s.id == "truth")
    rows = truth(Workspace(loaded), step).tables["truth"].filter(pl.col("effects_id").str.starts_with("mechanism/"))
    assert rows.select("term", "value").rows() == [("share/ln_agglomeration", 0.25), ("share/labour_mismatch", 0.10)]
