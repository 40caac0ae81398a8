"""Each verb through the program itself, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGKILL

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small import STUDY, write_small

import hinterland
from hinterland.cli.main import invoke
from hinterland.data.world import simulate
from hinterland.study.record import STEPS


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program as its own process: slow, so only where that is the point."""
    command = [sys.executable, "-m", "hinterland", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """The same entry point in this process, with its two streams."""

    def run(*arguments: str | Path, folder: Path | None = None, **environment: str) -> Done:
        with monkeypatch.context() as patch:
            if folder is not None:
                patch.chdir(folder)
            for name, value in environment.items():
                patch.setenv(name, value)
            capfd.readouterr()
            given = [str(a) for a in arguments]
            code = invoke([a for a in given if a != "--debug"], debug="--debug" in given)
        said = capfd.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("cli"))


def test_run_then_report_again(small: Path, call: Call) -> None:
    out = small.parent / "out"
    made = call("run", small, "-o", out)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == str(out / "report.html")
    assert "y: 1.0" in made.stderr
    assert (out / "report.html").stat().st_size > 10_000
    for option, says in ((("--language", "fr"), "unknown-language"), (("--formats", "htm"), "'html'"), (("--formats", "svg"), "'svg'")):
        refused = call("report", out, *option)
        assert refused.returncode == 2
        assert says in refused.stderr
    again = call("report", out, "--language", "zh", "--formats", "html,pdf")
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == [str(out / "report.html"), str(out / "report.pdf")]
    assert 'lang="zh' in (out / "report.html").read_text(encoding="utf-8")
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["arguments"]["languages"] == ["zh"]
    document = json.loads(call("run", small, "-o", out, "--only", "evaluate", "--json").stdout)
    assert document["status"] == "complete"
    assert document["path"] == str(out)
    assert {s["status"] for s in document["steps"]} == {"cached"}


def test_report_of_no_run_and_of_an_unfinished_one(tmp_path: Path, call: Call) -> None:
    assert call("report", tmp_path).returncode == 1
    (tmp_path / "run.json").write_text('{"status": "running", "steps": []}', encoding="utf-8")
    made = call("report", tmp_path)
    assert made.returncode == 1
    assert "not complete" in made.stderr


def test_evaluate_prints_one_json_document(small: Path) -> None:
    done = program("evaluate", small, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert set(document) == {"effects", "diagnostics", "notes"}
    first = document["effects"][0]
    assert {"method", "outcome", "aggregation", "terms"} <= set(first)
    assert {"term", "cohort", "time", "event_time", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"} <= set(
        first["terms"][0]
    )
    assert {(e["method"], e["outcome"]) for e in document["effects"]} == {
        ("twfe", "y"),
        ("event-study", "y"),
        ("callaway-santanna", "y"),
        ("ppml", "count"),
    }
    assert document["diagnostics"]["pretrends"][0]["p_value"] > 0
    assert all(note["text"] for note in document["notes"])


def test_evaluate_as_csv_and_as_files(small: Path, tmp_path: Path, call: Call) -> None:
    done = call("evaluate", small, "--csv", "--language", "zh")
    table = pl.read_csv(done.stdout.encode())
    assert table.filter(pl.col("method") == "twfe")["estimate"][0] == pytest.approx(1.0, abs=0.2)
    assert "平行趋势" in done.stderr or "处理" in done.stderr
    for name in ("e.csv", "e.parquet", "e.json"):
        written = call("evaluate", small, "-o", tmp_path / name)
        assert written.returncode == 0, written.stderr
        assert written.stdout == ""
        assert (tmp_path / name).stat().st_size > 100
    assert pl.read_parquet(tmp_path / "e.parquet").shape == table.shape


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--json", "--csv"), "two-formats"), (("-o", "x.doc"), "unknown-format"), (("-o", "no/x.csv"), "missing-folder")],
)
def test_evaluate_refuses_formats_it_cannot_write(small: Path, arguments: tuple[str, ...], says: str, call: Call) -> None:
    done = call("evaluate", small, *arguments, folder=small.parent)
    assert done.returncode == 2
    assert says in done.stderr


def test_check_says_what_can_be_estimated(small: Path, call: Call) -> None:
    done = call("check", small)
    assert done.returncode == 0
    assert done.stdout.count("24 units × 8 periods") == 4
    assert "0 error(s)" in done.stderr
    document = json.loads(call("check", small, "--json").stdout)
    assert document["ok"] is True


def test_check_reports_every_problem_of_a_study(tmp_path: Path, call: Call) -> None:
    path = write_small(tmp_path, STUDY.replace("seed = 7", 'seed = "x"').replace('unit = "city"', 'unti = "city"'))
    done = call("check", path, "--json")
    assert done.returncode == 2
    assert [f["code"] for f in json.loads(done.stdout)["findings"]] == ["wrong-type", "missing-key", "unknown-key"]


def test_explain(tmp_path: Path, call: Call) -> None:
    for name in (
        "callaway-santanna",
        "callaway-santanna.trim",
        "panel.years",
        "[robustness]",
        "parallel-trends",
        "duplicate-unit-period",
        "sdid",
        "mechanism",
    ):
        done = call("explain", name)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > 1
    missed = call("explain", "paralel-trends")
    assert missed.returncode == 2
    assert "'parallel-trends'" in missed.stderr
    index = call("explain")
    assert "Estimators" in index.stdout
    assert "parallel-trends  平行趋势" in call("explain", "--language", "zh").stdout
    assert call("explain", "平行趋势", "--language", "zh").stdout == call("explain", "parallel-trends", "--language", "zh").stdout
    assert json.loads(call("explain", "twfe", "--json", "--language", "zh").stdout)[0]["id"] == "twfe"
    assert json.loads(call("explain", "study", "--schema").stdout)["title"] == "hinterland study file"
    assert call("explain", "twfe", "--schema").returncode == 2


def test_data(tmp_path: Path, call: Call) -> None:
    names = [row["name"] for row in json.loads(call("data", "--json").stdout)]
    assert {"industrial-transfer-zones", "cities", "macro-region", "demonstration-zones"} <= set(names)
    shown = call("data", "show", "industrial-transfer-zones", "--csv")
    assert pl.read_csv(shown.stdout.encode(), infer_schema=False).height == 38
    for name in names:
        done = call("data", "show", name, "-o", tmp_path / "t.parquet")
        assert done.returncode == (2 if name == "demonstration-zones" else 0), done.stderr
    assert "'cities'" in call("data", "show", "citys").stderr


def test_simulate_writes_the_raw_inputs(tmp_path: Path, call: Call) -> None:
    file, folder = tmp_path / "w.parquet", tmp_path / "new" / "inputs"
    sizes = ("--units", "60", "--periods", "6", "--set", "sampled_patents=5")
    done = call("data", "simulate", "demonstration-zones", *sizes, "-o", file, "--inputs", folder)
    assert done.returncode == 0, done.stderr
    assert f"wrote 11 tables to {folder}" in done.stderr
    world = simulate(units=60, periods=6, sampled_patents=5)
    assert {path.stem for path in folder.iterdir()} == set(world.inputs)
    for name, frame in world.inputs.items():
        assert_frame_equal(pl.read_parquet(folder / f"{name}.parquet"), frame)
    refused = call("data", "simulate", "demonstration-zones", *sizes, "-o", file, "--inputs", file)
    assert (refused.returncode, "not-a-folder" in refused.stderr) == (2, True)


def test_simulate(tmp_path: Path, call: Call) -> None:
    file, truth = tmp_path / "w.parquet", tmp_path / "t.csv"
    done = call(
        "data", "simulate", "demonstration-zones", "--units", "80", "--periods", "6", "--set", "effect=0", "-o", file, "--truth", truth
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(file).height == 480
    assert truth.is_file()
    for bad in (
        ("moon",),
        ("demonstration-zones", "--set", "efect=0"),
        ("demonstration-zones", "--set", "effect=x"),
        ("demonstration-zones", "--units", "1"),
    ):
        assert call("data", "simulate", *bad).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("stress", "s.toml"), "not-available-yet"),
        (("verify",), "not-available-yet"),
        (("rn",), "did you mean 'run'"),
        (("run", "--bad"), "No such option"),
        (("run", "nowhere.toml"), "missing-file"),
        (("run", "--data", "nowhere"), "missing-folder"),
        (("run", "--only", "evalute"), "did you mean 'evaluate'"),
        (("data", "shw"), "No such command"),
        ((), "Usage"),
    ],
)
def test_usage_errors_leave_with_2(arguments: tuple[str, ...], says: str, tmp_path: Path, call: Call) -> None:
    done = call(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_version_and_help(small: Path, call: Call) -> None:
    assert program("--version").stdout == f"hinterland {hinterland.__version__}\n"
    for verb in ("run", "check", "measure", "evaluate", "report", "explain", "data"):
        assert call(verb, "--help").returncode == 0


def test_no_colour_where_it_is_not_wanted(tmp_path: Path, call: Call) -> None:
    path = write_small(tmp_path, STUDY.replace("seed", "sed"))
    assert "\x1b[" not in call("run", path, NO_COLOR="1", FORCE_COLOR="1").stderr
    assert "\x1b[" not in call("run", path).stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    path = write_small(tmp_path, STUDY.replace("seed", "sed"))
    done = program("run", path, "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_data_folder_by_option_and_by_environment(tmp_path: Path, call: Call) -> None:
    (tmp_path / "data").mkdir()
    path = write_small(tmp_path / "data").rename(tmp_path / "study.toml")
    assert call("check", path).returncode == 2
    assert call("check", path, "--data", tmp_path / "data").returncode == 0
    assert call("check", path, HINTERLAND_DATA=str(tmp_path / "data")).returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
@pytest.mark.parametrize(("signal", "code"), [(SIGINT, 130), (SIGKILL, 137)])
def test_an_interrupted_run_goes_on(tmp_path: Path, signal: int, code: int) -> None:
    study, out = write_small(tmp_path, STUDY.replace("placebo_space = 39", "placebo_space = 300000")), tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "hinterland", "run", str(study), "-o", str(out), "--only", "placebo-space"],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(out.glob(f"{STEPS}/policy-*/step.json")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal)
    _, said = process.communicate(timeout=60)
    # As a shell counts: Python ends itself by the signal, instead of leaving with 130, when the interrupt fell into code it compiled at run time.
    assert (process.returncode if process.returncode >= 0 else 128 - process.returncode) == code
    assert "Traceback" not in said
    status = json.loads((out / "run.json").read_text(encoding="utf-8"))["status"]
    assert status in {"running", "failed"}
    assert not (out / "tables").exists()
    study.write_text(STUDY, encoding="utf-8")
    again = program("run", study, "-o", out, "--only", "placebo-space", "--json")
    steps = {s["id"]: s["status"] for s in json.loads(again.stdout)["steps"]}
    assert steps["policy"] == "cached"
    assert steps["placebo-space/y/twfe"] == "done"
