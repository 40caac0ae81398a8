from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small import STUDY, small_panel, write_small

import hinterland as hl
from hinterland.errors import EstimationError, EstimationWarning, Finding, RunError, StudyError
from hinterland.study import runner
from hinterland.study.lock import locked
from hinterland.study.rebuild import rebuild_report
from hinterland.study.record import STEPS, Run
from hinterland.study.steps.output import Output
from hinterland.study.tables import TABLES

NUMBERS = "evaluate,pretrends,bacon,placebo-space,placebo-time,robustness,subgroup,describe"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    return hl.run(write_small(folder), folder / "out", only=NUMBERS)


def statuses(run: Run) -> dict[str, str]:
    return {s["id"]: s["status"] for s in run.record["steps"]}


def table_bytes(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((folder / "tables").iterdir())}


def test_the_record_is_complete(done: Run) -> None:
    record = done.record
    assert done.status == "complete"
    assert set(statuses(done).values()) == {"done"}
    assert record["seed"] == 7
    assert record["facts"]["n_units"] == 24
    assert record["inputs"][0]["path"] == "small.csv"
    assert record["study"]["outcome"][0]["name"] == "y"
    assert record["finished"] >= record["started"]
    assert not list(done.path.rglob("*.tmp"))


def test_tables_have_the_columns_that_readers_rely_on(done: Run) -> None:
    assert set(done.tables) <= set(TABLES)
    for name, frame in done.tables.items():
        assert dict(frame.schema) == dict(TABLES[name]), name
        assert_frame_equal(pl.read_csv(done.path / "tables" / f"{name}.csv", schema=frame.schema), frame)


def test_every_estimate_is_there_under_its_id(done: Run) -> None:
    ids = done.tables["models"]["effects_id"].to_list()
    assert len(ids) == len(set(ids))
    assert set(done.tables["effects"]["effects_id"]) == set(ids)
    assert {
        "y/callaway-santanna/group-time",
        "y/callaway-santanna/event-time",
        "y/callaway-santanna/overall",
        "y/callaway-santanna/cohort",
        "y/callaway-santanna/calendar",
        "y/twfe/coefficient",
        "y/event-study/event-time",
        "count/ppml/coefficient",
        "count/ppml/event-time",
        "y/twfe/coefficient@model-late",
        "y/callaway-santanna/overall@comparison-not-yet-treated",
        "y/twfe/coefficient@side=north",
    } <= set(ids)


def test_the_numbers_are_those_of_the_estimators(done: Run) -> None:
    panel = hl.read_panel(small_panel(), unit="city", time="year")
    policy = hl.adoption(panel, "first", never=(0, None))
    effects = hl.estimate(panel, "y", policy, method="callaway-santanna").aggregate("overall")
    row = done.effects.filter(pl.col("effects_id") == "y/callaway-santanna/overall")
    assert row["estimate"][0] == pytest.approx(float(effects.estimate[0]), rel=1e-12)
    assert row["std_error"][0] == pytest.approx(float(effects.std_error[0]), rel=1e-12)


def test_few_treated_clusters_get_an_exact_p_value(done: Run) -> None:
    placebo = done.tables["placebo"].filter((pl.col("sample") != "all") & (pl.col("method") == "twfe"))
    assert placebo["sample"].to_list() == ["side=north", "side=south"]
    assert placebo["p_exact"].is_between(0, 1).all()
    assert placebo["draws"].to_list() == [39, 39]


def test_event_studies_carry_a_simultaneous_band(done: Run) -> None:
    band = done.effects.filter((pl.col("aggregation") == "event-time") & (pl.col("sample") == "all") & ~pl.col("reference"))
    assert (band["band_high"] >= band["conf_high"]).mean() > 0.9  # type: ignore[operator]
    assert band["band_high"].null_count() == 0


def test_a_second_run_does_nothing_and_changes_nothing(done: Run) -> None:
    before = table_bytes(done.path)
    again = hl.run(done.path.parent / "study.toml", done.path, only=NUMBERS)
    assert set(statuses(again).values()) == {"cached"}
    assert table_bytes(done.path) == before


def test_the_same_study_and_data_give_the_same_bytes(done: Run, tmp_path: Path) -> None:
    other = hl.run(write_small(tmp_path), tmp_path / "elsewhere", only=NUMBERS)
    assert table_bytes(other.path) == table_bytes(done.path)


@pytest.mark.parametrize("stop", ["evaluate/y/callaway-santanna", "bacon/y", "subgroup/y/side"])
def test_a_run_that_is_cut_off_goes_on_where_it_stopped(done: Run, tmp_path: Path, stop: str) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"

    def cut(step: str, number: int, total: int) -> None:
        if step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hl.run(study, out, only=NUMBERS, watch=cut)
    broken = Run.open(out)
    assert broken.status == "running"
    assert not (out / "tables").exists()
    finished = set(statuses(broken))
    again = hl.run(study, out, only=NUMBERS)
    assert {k for k, v in statuses(again).items() if v == "cached"} == finished
    assert table_bytes(out) == table_bytes(done.path)


def test_half_a_step_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"
    hl.run(study, out, only="evaluate")
    for folder in (out / STEPS).iterdir():
        if folder.name.startswith("evaluate-y-twfe"):
            (folder / "effects.parquet").write_bytes(b"PAR1")
        if folder.name.startswith("evaluate-count"):
            (folder / "step.json").unlink()
    (out / STEPS / ".evaluate-y-twfe.99.tmp").mkdir()
    again = hl.run(study, out, only="evaluate")
    assert {k for k, v in statuses(again).items() if v == "done"} == {"evaluate/y/twfe", "evaluate/count/ppml"}
    assert not list((out / STEPS).glob(".*"))


def test_a_step_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"
    hl.run(study, out, only="evaluate")
    assert (out / "tables" / "effects.csv").is_file()
    (out / "report.html").write_text("old", encoding="utf-8")

    def fail(*_: object) -> Output:
        raise EstimationError(Finding("not-defined", "no", "here", "nothing"), "test")

    monkeypatch.setattr(runner, "STEPS", {**runner.STEPS, "bacon": fail})
    with pytest.raises(EstimationError):
        hl.run(study, out, only="evaluate,bacon")
    left = Run.open(out)
    assert left.status == "failed"
    assert left.record["steps"][-1]["status"] == "failed"
    assert "not-defined" in left.record["steps"][-1]["error"]
    assert not (out / "report.html").exists()
    assert not list((out / "tables").iterdir())
    monkeypatch.undo()
    assert statuses(hl.run(study, out, only="evaluate,bacon"))["evaluate/y/twfe"] == "cached"


def test_a_changed_input_or_study_is_done_again(tmp_path: Path) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"
    hl.run(study, out, only="evaluate")
    small_panel(seed=2).write_csv(tmp_path / "small.csv")
    assert set(statuses(hl.run(study, out, only="evaluate")).values()) == {"done"}
    study.write_text(STUDY + '[evaluate.options.twfe]\nssc = "reghdfe"\n', encoding="utf-8")
    again = statuses(hl.run(study, out, only="evaluate"))
    assert {k for k, v in again.items() if v == "done"} == {"evaluate/y/twfe"}


def test_force_does_everything_again(tmp_path: Path) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"
    hl.run(study, out, only="bacon")
    assert set(statuses(hl.run(study, out, only="bacon", force=True)).values()) == {"done"}


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    study, out = write_small(tmp_path), tmp_path / "out"
    with locked(out), pytest.raises(RunError, match="another run"):
        hl.run(study, out, only="bacon")
    assert not (out / "run.json").exists()


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    study = write_small(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "mine.csv").write_text("a", encoding="utf-8")
    with pytest.raises(RunError, match="other files"):
        hl.run(study, tmp_path, only="bacon")
    assert (tmp_path / "tables" / "mine.csv").is_file()


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    study = write_small(tmp_path, STUDY.replace('name = "y"', 'name = "z"'))
    with pytest.raises(StudyError, match="'z'"):
        hl.run(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_warnings_of_estimators_are_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*_: object) -> Output:
        warnings.warn("mind this", EstimationWarning, stacklevel=1)
        return Output()

    monkeypatch.setattr(runner, "STEPS", {**runner.STEPS, "bacon": warn})
    run = hl.run(write_small(tmp_path), tmp_path / "out", only="bacon")
    assert run.record["steps"][-1]["warnings"] == ["mind this"]


def test_opening_what_is_no_run(tmp_path: Path, done: Run) -> None:
    with pytest.raises(RunError, match="no run record"):
        Run.open(tmp_path)
    (tmp_path / "run.json").write_text('{"status": "done"', encoding="utf-8")
    with pytest.raises(RunError, match="not JSON"):
        Run.open(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"status": "splendid", "steps": []}), encoding="utf-8")
    with pytest.raises(RunError, match="splendid"):
        Run.open(tmp_path)
    assert "complete" in repr(Run.open(done.path))
    with pytest.raises(KeyError):
        done.tables["nothing"]


def test_a_damaged_record_is_said_and_made_again(tmp_path: Path, done: Run) -> None:
    folder = tmp_path / "out"
    shutil.copytree(done.path, folder)
    study = write_small(tmp_path)
    for broken in ('{"a":', "[]", '{"hinterland": "0.0.1", "status": "complete", "steps": []}'):
        (folder / "run.json").write_text(broken, encoding="utf-8")
        with pytest.raises(RunError, match="into this folder"):
            rebuild_report(folder)
        again = hl.run(study, folder, only=NUMBERS)
        assert set(statuses(again).values()) == {"cached"}
        assert table_bytes(folder) == table_bytes(done.path)


def test_no_report_is_written_from_half_the_tables(tmp_path: Path, done: Run) -> None:
    folder = tmp_path / "out"
    shutil.copytree(done.path, folder)
    (folder / "tables" / "effects.parquet").unlink()
    with pytest.raises(RunError, match=r"effects\.parquet"):
        rebuild_report(folder)
    assert not list(folder.glob("report*"))


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="is a file"):
        hl.run(write_small(tmp_path), tmp_path / "out", only="data")


def test_a_panel_with_gaps_has_fewer_draws_and_says_so(tmp_path: Path) -> None:
    study = write_small(tmp_path, STUDY.replace("placebo_space = 39", "placebo_space = 250"))
    small_panel().filter((pl.col("city") != "C05") | (pl.col("year") != 2003)).write_csv(tmp_path / "small.csv")
    tables = hl.run(study, tmp_path / "out", only="placebo-space,placebo-time").tables
    told = tables["notes"].filter(pl.col("code") == "placebo-fits")
    values = {scope: json.loads(v) for scope, v in told.select("scope", "values").iter_rows()}
    assert {scope: (v["draws"], v["asked"], v["reason"]) for scope, v in values.items()} == {
        "placebo-space/y/callaway-santanna": (199, 250, "not-batched"),
        "placebo-space/count/ppml": (199, 250, "not-batched"),
    }
    exact = tables["placebo"].filter(kind="space")
    assert exact.select("method", "draws").rows() == [("twfe", 250), ("callaway-santanna", 199), ("ppml", 199)]
    assert exact["p_exact"].null_count() == 0


def test_a_changed_robustness_row_is_the_only_one_done_again(tmp_path: Path) -> None:
    text = STUDY.replace("[[robustness.model]]", '[[robustness.model]]\nname = "early"\nyears = [2000, 2005]\n\n[[robustness.model]]')
    study, out = write_small(tmp_path, text + '\n[report]\nformats = ["tex"]\n'), tmp_path / "out"
    before = statuses(hl.run(study, out, languages=["en"]))
    assert {s.split("/")[2] for s in before if s.startswith("robustness/")} >= {"model-early", "model-late"}
    study.write_text(study.read_text(encoding="utf-8").replace("[2002, 2007]", "[2001, 2007]"), encoding="utf-8")
    again = statuses(hl.run(study, out, languages=["en"]))
    assert set(again) == set(before)
    assert {k for k, v in again.items() if v == "done"} == {k for k in again if "model-late" in k} | {"report"}
