"""[displacement]: from the study file to the record, the report and the advice, and everything that is wrong with it before anything is estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small import small_panel

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.labels import LANGUAGES
from hinterland.report import displacement_channels
from hinterland.report.advice_actions import actions
from hinterland.report.advice_rules import displaced, effects, graded
from hinterland.report.caveats import caveats
from hinterland.report.chapters import document
from hinterland.report.record import Record, read_record
from hinterland.report.sentences import Speaker
from hinterland.study.check import check
from hinterland.study.evaluation import evaluate_study
from hinterland.study.load import load_study
from hinterland.study.plan import plan

STUDY = """
[study]
title = "Displaced"
seed = 7
language = "both"
[panel]
source = "small.csv"
unit = "city"
time = "year"
COORDINATES
[policy]
column = "first"
[[outcome]]
name = "y"
[[outcome]]
name = "count"
family = "poisson"
[evaluate]
methods = ["callaway-santanna"]
bootstrap = { draws = 99 }
[diagnostics]
leave_out = []
small_sample = []
sensitivity = []
power = false
"""
CHANNELS = """
[displacement.neighbours]
nearest = 1
within_km = 40
[displacement.sources]
among = "side=south"
nearest = 2
within_km = 400
decay = 1
label = { en = "southern cities", zh = "南部城市" }
"""


def frame() -> pl.DataFrame:
    """96 cities along a line: 30 km apart, those of the south a thousand kilometres to the west of where they would be."""
    number = pl.col("city").str.slice(1).cast(pl.Int64)
    small = small_panel(96).with_columns(first=pl.when(number < 48).then("first").otherwise(0))
    return small.with_columns(
        lon=100 + number * 0.3, lat=30 + number % 5 * 0.02, side=pl.when(number % 4 == 2).then(pl.lit("south")).otherwise(pl.lit("north"))
    )


def write(folder: Path, channels: str = CHANNELS, *, coordinates: bool = True) -> Path:
    frame().write_csv(folder / "small.csv")
    path = folder / "study.toml"
    text = STUDY.replace("COORDINATES", 'coordinates = ["lon", "lat"]' if coordinates else "") + channels
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hl.Run:
    folder = tmp_path_factory.mktemp("displaced")
    return hl.run(write(folder), folder / "out")


def asked() -> dict[str, dict[str, Any]]:
    south = frame().filter(pl.col("side") == "south")["city"].unique(maintain_order=True).to_list()
    return {"neighbours": {"nearest": 1, "within_km": 40}, "sources": {"among": south, "nearest": 2, "within_km": 400, "decay": 1}}


def direct(names: tuple[str, ...]) -> hl.Effects:
    panel = hl.read_panel(frame(), unit="city", time="year", coordinates=("lon", "lat"))
    channels = {n: asked()[n] for n in names}
    return hl.estimate(panel, "y", hl.adoption(panel, "first", never=(0, None)), "spillover", channels=channels)


def test_every_channel_is_the_fit_and_the_test(run: hl.Run) -> None:
    table = run.tables["displacement"]
    assert set(table["outcome"]) == {"y"}
    for channel, names in (("neighbours", ("neighbours",)), ("sources", ("sources",)), ("all", ("neighbours", "sources"))):
        effects = direct(names)
        found = hl.displacement_test(effects)
        rows = table.filter(channel=channel)
        own = {r["quantity"]: r for r in rows.to_dicts()}
        for i, quantity in enumerate(("direct", "spillover", "total")):
            assert own[quantity]["estimate"] == pytest.approx(found.estimate[i], rel=1e-9)
            assert own[quantity]["std_error"] == pytest.approx(found.std_error[i], rel=1e-9)
        assert own["share"]["estimate"] == pytest.approx(found.share, rel=1e-9)
        assert own["direct"]["verdict"] == found.verdict
        assert own["direct"]["effects_id"] == f"y/spillover/coefficient@displacement={channel}"
        model = run.tables["models"].filter(effects_id=own["direct"]["effects_id"]).row(0, named=True)
        assert (model["role"], model["sample"]) == ("displacement", f"displacement={channel}")
        if channel == "all":
            part = hl.displacement_test(effects, channel="sources")
            np.testing.assert_allclose(own["spillover/sources"]["estimate"], part.estimate[1], rtol=1e-9)
            assert own["total/sources"]["verdict"] == part.verdict


def test_steps_and_json(tmp_path: Path) -> None:
    loaded = load_study(write(tmp_path))
    ids = [s.id for s in plan(loaded.study) if s.kind == "displacement"]
    assert ids == ["displacement/y/neighbours", "displacement/y/sources", "displacement/y/all"]
    document = evaluate_study(loaded).document()
    assert {r["channel"] for r in document["diagnostics"]["displacement"]} == {"neighbours", "sources", "all"}
    one = load_study(write(tmp_path, CHANNELS.partition("[displacement.sources]")[0]))
    assert [s.id for s in plan(one.study) if s.kind == "displacement"] == ["displacement/y/neighbours"]


def test_files_name_units_and_pairs(tmp_path: Path) -> None:
    south = asked()["sources"]["among"]
    pl.DataFrame({"unit": south}).write_csv(tmp_path / "south.csv")
    hosts = [f"C{i:02}" for i in range(48) if i % 3 != 2][:6]
    pl.DataFrame([(u, h, 1.0) for u in south for h in hosts], ["unit", "host", "weight"], orient="row").write_csv(tmp_path / "pairs.csv")
    text = '[displacement.a]\namong_file = "south.csv"\nnearest = 2\nwithin_km = 400\ndecay = 1\n[displacement.b]\nfile = "pairs.csv"\namong_file = "south.csv"\n'
    done = hl.run(write(tmp_path, text), tmp_path / "out", only="displacement")
    table = done.tables["displacement"].filter(quantity="spillover", channel="a")
    effects = direct(("sources",))
    assert table["estimate"][0] == pytest.approx(hl.displacement_test(effects).estimate[1], rel=1e-9)
    assert [i["path"] for i in done.record["inputs"]] == ["small.csv", "south.csv", "pairs.csv"]


@pytest.mark.parametrize(
    ("table", "code", "where"),
    [
        ('[displacement.a]\namong = "side=west"\n', "unknown-group", "displacement.a.among"),
        ('[displacement.a]\namong = "nowhere=west"\n', "unknown-group", "displacement.a"),
        ('[displacement.a]\namong = ["X"]\n', "nobody-among", "displacement.a.among"),
        ('[displacement.a]\namong = ["C00", "C01"]\n', "among-treated", "displacement.a.among"),
        ("[displacement.a]\nwithin_km = 0.001\n", "no-neighbours", "displacement.a"),
        ('[displacement.a]\namong = "side=south"\nwithin_km = 0.001\n', "nobody-exposed", "displacement.a"),
        ('[displacement.a]\nfile = "small.csv"\n', "unknown-column", "displacement.a.file"),
        ('[displacement.a]\nfile = "none.csv"\n', "missing-file", "displacement.a.file"),
    ],
)
def test_what_the_data_do_not_allow_is_found(tmp_path: Path, table: str, code: str, where: str) -> None:
    findings = check(load_study(write(tmp_path, table))).findings
    found = next(f for f in findings if f.code == code)
    assert where in found.where
    assert found.severity == "error"


def test_missing_coordinates_are_found(tmp_path: Path) -> None:
    findings = check(load_study(write(tmp_path, coordinates=False))).findings
    assert {f.code for f in findings} == {"no-coordinates"}


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("[displacement.all]\nnearest = 1\n", "bad-channels"),
        ("[displacement.a]\nrings = [50, 20]\n", "bad-rings"),
        ("[displacement.a]\nrings = [50]\nnearest = 2\n", "option-unused"),
        ('[displacement.a]\nfile = "x.csv"\npartners = "hosts"\n', "option-unused"),
        ("[displacement.a]\nnearest = 0\n", "no-neighbours"),
        ('[displacement.a]\namong = "side=south"\namong_file = "x.csv"\n', "option-unused"),
        ('[displacement.a]\nothers = "out"\n', "option-unused"),
        ('[displacement.a]\noutcomes = ["z"]\n', "unknown-outcome"),
        ('[displacement.a]\noutcomes = ["count"]\n', "channel-count"),
    ],
)
def test_keys_that_do_not_go_together_are_found(tmp_path: Path, table: str, code: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, table))
    assert [f.code for f in caught.value.findings] == [code]


# Report --------------------------------------------------------------------------------------------------------------


def told(run: hl.Run, verdicts: dict[str, str]) -> Record:
    """The record with other verdicts of the channels."""
    record = read_record(run.path)
    table = record.tables["displacement"]
    verdict = pl.col("channel").replace_strict(verdicts, default="no-evidence")
    return replace(record, tables={**record.tables, "displacement": table.with_columns(verdict=verdict)})


@pytest.mark.parametrize("verdict", ["not-told-apart", "partly-displaced", "net-loss", "gained", "no-evidence"])
def test_every_channel_is_told_in_both_languages(run: hl.Run, verdict: str) -> None:
    record = told(run, {"sources": verdict})
    said = displacement_channels.sentences(record, displacement_channels.told(record, "y"))
    keys = [s.key for s in said]
    assert keys[0] == "displacement.channel-no-evidence"
    assert f"displacement.channel-{verdict}" in keys
    assert keys[-1] in ("displacement.net_gain", "displacement.net_open", "displacement.net_loss")
    words = {language: Speaker(language).paragraph(said) for language in LANGUAGES}
    assert "southern cities" in words["en"]
    assert "neighbouring places" in words["en"]
    assert "南部城市" in words["zh"]
    assert all("{" not in w for w in words.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chapter_has_one_figure_one_table_and_says_what_is_declared(run: hl.Run, language: str) -> None:
    record = read_record(run.path)
    blocks = displacement_channels.blocks(record, Speaker(language), "y")  # type: ignore[arg-type]  # one of the two
    assert [type(b).__name__ for b in blocks] == ["Prose", "Prose", "Chart", "Table"]
    keys = [s.key for s in displacement_channels.assumptions(record, displacement_channels.told(record, "y"))]
    assert keys == [f"displacement.{k}" for k in ("identified", "not_identified", "declared", "one_by_one")]
    assert len(blocks[3].rows) == 4 + 4 + 5  # type: ignore[union-attr]
    assert "caveat.spillover_channels" in [s.key for s in caveats(record, "y")]
    assert [c.key for c in document(record, language).chapters if c.key == "displacement"] == ["displacement"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "rule"),
    [
        ({}, "act_keep_open"),
        ({"sources": "partly-displaced"}, "act_neighbours"),
        ({"sources": "net-loss", "neighbours": "partly-displaced"}, "act_not_widen"),
        ({"neighbours": "not-told-apart", "sources": "gained"}, "act_not_widen"),
    ],
)
def test_the_worst_loss_decides_what_is_advised(run: hl.Run, verdicts: dict[str, str], rule: str) -> None:
    record = told(run, verdicts)
    found = graded(record)
    made = [*effects(record, found), *displaced(record, found)]
    assert [s.outcome for s in made if s.topic == "displacement"] == ["y"] * 3
    lead = next(s for s in made if s.topic == "effects")
    strong = [replace(s, grade="moderate") if s is lead else s for s in made]
    advised = [s for s in actions(record, found, strong) if s.rule.startswith("advice.act_")]
    assert advised[0].rule == f"advice.{rule}"
    for language in LANGUAGES:
        said = Speaker(language).sentence(advised[0].sentence)
        assert "{" not in said


def test_records_without_the_column_are_read_as_before(run: hl.Run) -> None:
    record = read_record(run.path)
    old = record.tables["displacement"].filter(channel="neighbours").drop("channel")
    before = replace(record, tables={**record.tables, "displacement": old})
    assert displacement_channels.told(before, "y") == {}
    assert [s.sentence.values["who"].id for s in displaced(before, graded(before))] == ["nearby"]  # type: ignore[union-attr]
