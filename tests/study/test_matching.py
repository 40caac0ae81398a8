"""Matched samples in a study: rows equal to single fits, balance in the record, findings before anything is estimated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small import STUDY, small_panel

import hinterland as hl
from hinterland.study.check import Checked, check
from hinterland.study.evaluation import evaluate_study
from hinterland.study.load import load_study
from hinterland.study.plan import plan, step_hashes
from hinterland.study.record import Run

MATCH = """
[robustness.match]
covariates = "~ x + z"
by = ["unit", "cohort", "year", "pooled"]
when = "first-period"
k = 2
caliper = 1.5
bandwidth = 0.8
"""
WHOLE = (
    STUDY.replace("placebo_space = 39\nplacebo_time = [1]\n", "")
    .replace('[heterogeneity]\ngroups = ["side"]\ndraws = 39\n', "")
    .replace("[robustness]\n", '[robustness]\nmatching = ["nearest", "radius", "kernel", "entropy-balancing"]\n')
    .replace("[[robustness.model]]", MATCH.lstrip() + "\n[[robustness.model]]")
)
ONE = WHOLE.replace('by = ["unit", "cohort", "year", "pooled"]', 'by = ["unit"]')


def panel(units: int = 60) -> pl.DataFrame:
    """The small panel with ``x``, of which adoption depends, ``z``, ``moving`` (with treatment) and a text."""
    rng = np.random.default_rng(3)
    frame = small_panel(units)
    city = frame["city"].rank("dense").to_numpy().astype(int) - 1
    treated = np.array([1, 1, 0])[city % 3]
    x, z = rng.normal(size=units)[city] + 0.5 * treated, rng.normal(size=units)[city]
    on = (frame["first"] > 0) & (frame["year"] >= frame["first"])
    return frame.with_columns(x=x, z=z, moving=pl.Series(x) + on.cast(pl.Float64), word=pl.lit("a"))


def write(folder: Path, study: str = WHOLE, frame: pl.DataFrame | None = None) -> Path:
    (panel() if frame is None else frame).write_csv(folder / "small.csv")
    path = folder / "study.toml"
    path.write_text(study, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("matched")
    return hl.run(write(folder), folder / "out", only="matching,robustness")


def test_every_row_is_there(done: Run) -> None:
    rows = [
        f"matching-{m}{by}"
        for by in ("", "-by-cohort", "-by-year", "-pooled")
        for m in ("nearest", "radius", "kernel", "entropy-balancing")
    ]
    assert done.tables["matching"]["row"].to_list() == rows
    models = done.tables["models"].filter(pl.col("label").str.starts_with("matching"))
    assert set(models["label"]) == set(rows)
    assert set(models["weights"]) == {"match_weight"}
    assert done.tables["matching_balance"].filter(pl.col("row") == "matching-kernel")["variable"].to_list() == [
        "propensity_score",
        "x",
        "z",
    ]


@pytest.mark.parametrize("by", ["unit", "cohort", "year", "pooled"])
@pytest.mark.parametrize("method", ["nearest", "radius", "kernel", "entropy-balancing"])
def test_each_row_is_a_single_fit(done: Run, method: str, by: str) -> None:
    read = hl.read_panel(done.path.parent / "small.csv", unit="city", time="year")
    policy = hl.adoption(read, "first", never=(0, None))
    options = {"nearest": {"k": 2, "caliper": 1.5}, "radius": {}, "kernel": {"bandwidth": 0.8}, "entropy-balancing": {}}[method]
    when = {"when": "first-period"} if by in ("unit", "cohort") else {}
    matched = hl.match(read, policy, "~ x + z", method, by=by, **options, **when)
    key = f"matching-{method}" + {"unit": "", "pooled": "-pooled"}.get(by, f"-by-{by}")
    effects = done.tables["effects"]
    for estimator in ("twfe", "callaway-santanna"):
        alone = hl.estimate(matched.panel, "y", policy, estimator)
        alone = alone if estimator == "twfe" else alone.aggregate("overall")
        row = effects.filter(pl.col("effects_id") == f"y/{estimator}/{alone.aggregation}@{key}").row(0, named=True)
        assert row["estimate"] == pytest.approx(float(alone.estimate[0]), rel=1e-12)
        assert row["std_error"] == pytest.approx(float(alone.std_error[0]), rel=1e-12)
    counts = done.tables["matching"].filter(pl.col("row") == key).row(0, named=True)
    assert {k: counts[k] for k in matched.counts} == pytest.approx(dict(matched.counts))
    if method == "entropy-balancing":
        assert counts["largest_after"] < 1e-9


def test_notes_say_who_is_matched(done: Run) -> None:
    notes = done.tables["notes"].filter(pl.col("scope") == "matching/nearest")["code"].to_list()
    assert {"match-counts-units", "match-given"} <= set(notes)


def test_a_changed_radius_redoes_its_row_only(tmp_path: Path) -> None:
    def hashes(study: str) -> dict[str, str]:
        steps = plan(load_study(write(tmp_path, study)).study)
        return step_hashes(steps, "code", {})

    before, after = hashes(WHOLE), hashes(WHOLE.replace("bandwidth = 0.8", "bandwidth = 0.8\nradius = 0.4"))
    changed = {k for k in before if before[k] != after[k]}
    assert changed
    assert all("radius" in k for k in changed - {"report"})


def test_evaluate_gives_balance(tmp_path: Path) -> None:
    found = evaluate_study(load_study(write(tmp_path, ONE))).document()
    assert {r["row"] for r in found["diagnostics"]["matching_balance"]} == {r["row"] for r in found["diagnostics"]["matching"]}


def test_covariates_of_evaluate_are_the_default(tmp_path: Path) -> None:
    study = ONE.replace('covariates = "~ x + z"\n', "").replace("[evaluate]\n", '[evaluate]\ncovariates = ["x"]\n')
    steps = [s for s in plan(load_study(write(tmp_path, study)).study) if s.kind == "matching"]
    assert {s.settings["change"]["match"]["covariates"] for s in steps} == {("x",)}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('covariates = "~ x + z"\n', "", "nothing-to-match-on"),
        ('"entropy-balancing"]', '"entropy-balancing", "nearest"]', "repeated-value"),
        ('by = ["unit"]', 'by = ["unit", "unit"]', "repeated-value"),
        ('matching = ["nearest", "radius", "kernel", "entropy-balancing"]', 'matching = ["nearest"]', "match-option-unused"),
        ('matching = ["nearest", "radius", "kernel", "entropy-balancing"]\n', "", "match-option-unused"),
        ("k = 2\n", 'k = 2\norder = "data"\n', "match-option-unused"),
        ("k = 2\n", 'k = 2\nreplacement = false\nties = "first"\n', "match-option-unused"),
        ('by = ["unit"]', 'by = ["year"]', "match-option-unused"),
        ("k = 2\n", "k = 0\n", "bad-value"),
        ("k = 2\n", "neighbours = 2\n", "unknown-key"),
        ('matching = ["nearest"', 'matching = ["nearst"', "unknown-value"),
    ],
)
def test_what_makes_no_sense_in_the_file(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in ONE
    with pytest.raises(hl.StudyError) as raised:
        load_study(write(tmp_path, ONE.replace(old, new)))
    assert code in {f.code for f in raised.value.findings}
    assert all("line" in f.where for f in raised.value.findings)


def found_in(folder: Path, study: str, frame: pl.DataFrame | None = None) -> Checked:
    return check(load_study(write(folder, study, frame)))


def test_a_matched_study_in_order(tmp_path: Path) -> None:
    assert found_in(tmp_path, ONE).findings == ()


def test_what_the_data_make_impossible(tmp_path: Path) -> None:
    frame = panel()
    apart = frame.with_columns(x=pl.when(pl.col("first") > 0).then(pl.col("x") + 50).otherwise("x"))
    cases = [
        (ONE.replace("~ x + z", "~ xx + z"), frame, {"unknown-column"}),
        (ONE, apart, {"separated", "moment-out-of-reach"}),
        (ONE.replace("caliper = 1.5", "caliper = 1e-9"), frame, {"no-common-support"}),
        (ONE.replace('"~ x + z"', '["word"]'), frame, {"not-numeric"}),
    ]
    for study, data, codes in cases:
        found = found_in(tmp_path, study, data)
        assert {f.code for f in found.findings if f.severity == "error"} == codes
        assert all("robustness row 'matching-" in f.where and "line " in f.where for f in found.findings)
    misspelt = found_in(tmp_path, cases[0][0]).findings
    assert len(misspelt) == 1
    assert "'x'" in misspelt[0].remedy


def test_what_is_legal_and_unwise_is_a_warning(tmp_path: Path) -> None:
    study = ONE.replace("~ x + z", "~ moving + y").replace('by = ["unit"]', 'by = ["unit", "year"]').replace(', "entropy-balancing"', "")
    found = found_in(tmp_path, study)
    assert found.ok
    assert {f.code for f in found.findings} == {"covariate-after-treatment", "matched-on-outcome"}
