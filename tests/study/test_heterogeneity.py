"""Groups of a study: made as data, checked before anything is estimated, and their differences in the record and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from numpy.testing import assert_allclose
from small import STUDY, small_panel, write_small

import hinterland as hl
from hinterland.errors import StudyError
from hinterland.report.blocks import Prose
from hinterland.report.chapters import document
from hinterland.report.record import read_record
from hinterland.study.check import check
from hinterland.study.evaluation import evaluate_study
from hinterland.study.load import load_study, parse_study
from hinterland.study.plan import plan

BARE = STUDY[: STUDY.index("[heterogeneity]")]
OWN = """
[heterogeneity]
groups = ["side", "club", "size", "listed"]
draws = 39
few_treated = 6
label = { club = { en = "The club", zh = "俱乐部" } }

[heterogeneity.set.club]
members = ["C00", "C01", "C02", "C03", "C04", "C05", "C06", "C07", "C08", "C09", "C10", "C11"]

[heterogeneity.cut.size]
column = "count"
cut = "median"
when = 2002

[heterogeneity.file.listed]
source = "list.csv"
unit = "code"
group = "kind"
"""


def study(folder: Path, text: str = OWN, head: str = BARE) -> Path:
    units = [f"C{i:02}" for i in range(24)]
    pl.DataFrame({"code": [*units, "C99"], "kind": [["old", "new"][i // 3 % 2] for i in range(25)]}).write_csv(folder / "list.csv")
    return write_small(folder, head + text)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    hl.run(study(folder), folder / "out", only="evaluate,subgroup,group-difference")
    return folder / "out"


def read(run: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(run / "tables" / f"{name}.parquet")


def test_every_grouping_is_estimated_and_tested(run: Path) -> None:
    pairs = read(run, "group_differences").filter(outcome="y", method="twfe")
    assert pairs.select("by", "first", "second").rows() == [
        ("side", "side=north", "side=south"),
        ("club", "club=members", "club=outside"),
        ("size", "size=high", "size=low"),
        ("listed", "listed=new", "listed=old"),
    ]
    assert pairs["p_interaction"].null_count() == 0
    assert pairs["p_permutation"].null_count() == 0
    assert set(pairs["relied"]) <= {"permutation", "stacked"}
    samples = set(read(run, "models").filter(role="subgroup")["sample"])
    assert samples == set(pairs["first"]) | set(pairs["second"])


def test_a_difference_is_that_of_the_estimates_by_group(run: Path) -> None:
    """Groups are fitted on samples of their own in one step and on parts of one design in the other."""
    effects = dict(read(run, "effects").filter(pl.col("term").is_in(["treated", "overall"])).select("effects_id", "estimate").iter_rows())
    for r in read(run, "group_differences").iter_rows(named=True):
        kind = "overall" if r["method"] == "callaway-santanna" else "coefficient"
        first, second = (effects[f"{r['outcome']}/{r['method']}/{kind}@{r[c]}"] for c in ("first", "second"))
        assert_allclose(r["difference"], first - second, rtol=1e-6, atol=1e-9)


def test_few_treated_clusters_have_intervals_made_for_few(run: Path) -> None:
    few = read(run, "group_few_treated")
    assert set(few["procedure"]) == {"ferman-pinto"}
    assert (few["n_treated_clusters"] <= 6).all()


def test_counts_are_compared_without_a_batch(run: Path) -> None:
    counts = read(run, "group_differences").filter(outcome="count")
    assert set(counts["method"]) == {"ppml"}
    assert counts["p_permutation"].null_count() == counts.height
    notes = read(run, "notes").filter(pl.col("scope").str.starts_with("group-difference/count"))
    reasons = [json.loads(v) for v in notes.filter(code="het-route-not-possible")["values"]]
    assert {(r["route"], r["reason"]) for r in reasons} == {("permutation", "not-batched")}


def test_refits_permute_what_has_no_batch(tmp_path: Path) -> None:
    text = BARE.replace("[robustness]\nplacebo_space = 39", "[robustness]\nplacebo_space = 0")
    hl.run(
        study(tmp_path, '[heterogeneity]\ngroups = ["side"]\nrefits = 7\n', text), tmp_path / "out", only="group-difference/count/side/ppml"
    )
    assert read(tmp_path / "out", "group_differences")["draws"].to_list() == [7]


def test_no_tests_no_steps() -> None:
    none = parse_study(BARE + '[heterogeneity]\ngroups = ["side"]\ntests = []\n')
    assert [s.kind for s in plan(none.study) if s.group == "side"] == ["subgroup", "subgroup"]


def test_a_step_covers_what_makes_its_groups() -> None:
    def settings(text: str) -> dict[str, Any]:
        return {s.id: dict(s.settings) for s in plan(parse_study(BARE + text).study) if s.kind in ("subgroup", "group-difference")}

    before, after = settings(OWN), settings(OWN.replace("when = 2002", "when = 2001"))
    assert {k.split("/")[2] for k in before if before[k] != after[k]} == {"size"}


def test_the_report_says_it_in_both_languages(run: Path) -> None:
    record = read_record(run)
    english, chinese = document(record, "en"), document(record, "zh")
    assert len(english.tables()) == len(chinese.tables())
    table = next(t for t in english.tables() if t.key == "differences")
    assert [r.cells[0] for r in table.rows if r.kind == "head"] == ["side", "The club", "size", "listed"]
    assert "The club: members − elsewhere" in [r.cells[0] for r in table.rows]
    chapter = next(c for c in english.chapters if c.key == "subgroups")
    said = " ".join(english.speaker.paragraph(b.sentences) for b in chapter.blocks if isinstance(b, Prose))
    assert "no difference" not in said
    assert "which is not in this record" not in said
    chart = next(c for c in english.charts() if c.key == "subgroups")
    assert chart.data["kind"].to_list().count("difference") == 8
    zh = next(t for t in chinese.tables() if t.key == "differences")
    assert "俱乐部：members − 其他地区" in [r.cells[0] for r in zh.rows]


def test_evaluation_in_memory_has_the_differences(tmp_path: Path) -> None:
    found = evaluate_study(load_study(study(tmp_path)))
    assert found.tables["group_differences"].height == 12
    assert "group_differences" in found.document()["diagnostics"]


def change(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


BAD = [
    (change('"side", ', '"side", "side", '), "repeated-value"),
    (change('"side", "club"', '"side"'), "unused-group"),
    (change("[heterogeneity.set.club]", "[heterogeneity.set.macro-region]"), "group-name-taken"),
    (change("[heterogeneity.set.club]", "[heterogeneity.set.size]"), "group-name-taken"),
    (change('members = ["C00", ', 'empty = []\nmembers = ["C00", '), "empty-group"),
    (change('cut = "median"', 'cut = "mode"'), "unknown-value"),
    (change("few_treated = 6", 'adjustment = "romano-wolf"'), "unknown-value"),
    (change("few_treated = 6", 'period_effects = "year"'), "unknown-value"),
    (change("few_treated = 6", "few = 6"), "unknown-key"),
]


@pytest.mark.parametrize(("changed", "code"), BAD)
def test_bad_keys_are_named(changed: Callable[[str], str], code: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(BARE + changed(OWN))
    assert code in {f.code for f in caught.value.findings}


CHECKED = [
    (change('"C00", ', '"C98", '), "unknown-unit"),
    (change('members = ["C00", ', 'others = ["C98"]\nmembers = ["C00", '), "empty-group"),
    (change('members = ["C00", ', 'others = ["C01"]\nmembers = ["C00", '), "unit-in-two-groups"),
    (change("when = 2002", "when = 2003"), "cut-after-adoption"),
    (change("when = 2002", "when = 1990"), "unknown-period"),
    (change('column = "count"', 'column = "counts"'), "unknown-column"),
    (change('column = "count"', 'column = "side"'), "not-numeric"),
    (change('cut = "median"', "cut = [1000.0]"), "empty-group"),
    (change('cut = "median"', "cut = [3.0, 2.0]"), "bad-cut"),
    (change('unit = "code"', 'unit = "city"'), "unknown-column"),
    (change('source = "list.csv"', 'source = "lists.csv"'), "missing-file"),
    (change('"side"', '"sides"'), "unknown-group"),
    (change('"side"', '"year"'), "varying-group"),
]


@pytest.mark.parametrize(("changed", "code"), CHECKED)
def test_bad_groups_are_found_before_anything_is_estimated(changed: Callable[[str], str], code: str, tmp_path: Path) -> None:
    found = check(load_study(study(tmp_path, changed(OWN))))
    assert code in {f.code for f in found.findings if f.severity == "error"}


def test_groups_without_an_effect_are_warned_of(tmp_path: Path) -> None:
    frame = small_panel()
    kind = pl.when(pl.col("first") == 0).then(pl.lit("never")).when(pl.col("first") == 2003).then(pl.lit("early")).otherwise(pl.col("side"))
    path = study(tmp_path, '[heterogeneity]\ngroups = ["kind"]\n')
    frame.with_columns(kind=kind).write_csv(tmp_path / "small.csv")
    found = {f.code: f for f in check(load_study(path)).findings}
    assert {found[c].severity for c in ("group-without-treated", "group-without-comparison", "nothing-to-compare")} == {"warning"}
    assert "'never'" in found["group-without-treated"].what
    assert "'early'" in found["group-without-comparison"].what
    hl.run(path, tmp_path / "out", only="group-difference/y/kind/twfe")
    notes = read(tmp_path / "out", "notes").filter(code="differences-not-possible")
    assert json.loads(notes["values"][0])["reason"] == "nothing-to-compare"


def test_the_truth_stands_beside_sichuan_chongqing_and_elsewhere(tmp_path: Path) -> None:
    text = """
[study]
title = "World"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
[policy]
register = "industrial-transfer-zones"
partial = "treat"
uncertain = "treat"
[[outcome]]
name = "ln_inventions"
[evaluate]
methods = ["twfe", "callaway-santanna"]
[heterogeneity]
groups = ["sichuan-chongqing"]
draws = 99
"""
    path = tmp_path / "world.toml"
    path.write_text(text, encoding="utf-8")
    hl.run(path, tmp_path / "out", only="truth,evaluate,subgroup,group-difference")
    truth = dict(read(tmp_path / "out", "truth").select("parameter", "effects_id").iter_rows())
    head = "ln_inventions/callaway-santanna/overall@sichuan-chongqing"
    assert truth["att/ln_inventions/sichuan-chongqing"] == head
    assert truth["att/ln_inventions/elsewhere"] == f"{head}=outside"
    assert truth["att/ln_inventions/sichuan-chongqing-difference"] is None
    record = read_record(tmp_path / "out")
    chapter = next(c for c in document(record, "en").chapters if c.key == "subgroups")
    keys = [s.key for b in chapter.blocks if isinstance(b, Prose) for s in b.sentences]
    assert "het.truth_inside" in keys or "het.truth_outside" in keys
    assert {"het.pair", "het.few", "subgroups.few_exact_null"} <= set(keys) or "subgroups.few_exact" in keys
