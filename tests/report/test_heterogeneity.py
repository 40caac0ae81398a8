"""What may be said of a difference between groups follows from its tests, and from nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hinterland.labels import LANGUAGES, catalogue
from hinterland.report.group_names import group_labels, pair_id
from hinterland.report.heterogeneity import difference_table, differences, interval, pair_sentences, sentences
from hinterland.report.heterogeneity_figure import groups_and_differences
from hinterland.report.record import Record
from hinterland.report.sentences import Speaker
from hinterland.study.tables_heterogeneity import HETEROGENEITY

ROW: dict[str, Any] = {
    "outcome": "y",
    "method": "callaway-santanna",
    "by": "macro-region",
    "first": "east",
    "second": "west",
    "difference": 0.3,
    "std_error": 0.2,
    "p_value": 0.14,
    "conf_low": -0.1,
    "conf_high": 0.7,
    "p_permutation": 0.2,
    "assignments": 500.0,
    "draws": 999,
    "few": False,
    "relied": "stacked",
    "p_relied": 0.14,
    "p_adjusted": 0.14,
    "adjustment": "holm",
    "period_effects": "group",
    "strata": "cohort",
}


def row(**changes: Any) -> dict[str, Any]:
    return {**dict.fromkeys(HETEROGENEITY["group_differences"]), **ROW, **changes}


def record(
    *rows: dict[str, Any], equality: tuple[dict[str, Any], ...] = (), study: dict[str, Any] | None = None, **more: pl.DataFrame
) -> Record:
    tables = {"group_differences": pl.DataFrame(list(rows), schema=dict(HETEROGENEITY["group_differences"]))}
    if equality:
        tables["group_equality"] = pl.DataFrame(list(equality), schema=dict(HETEROGENEITY["group_equality"]))
    return Record(Path(), {"study": study or {}}, {k: t for k, t in {**tables, **more}.items() if t.height})


def keys(told: dict[str, Any], pairs: int = 1, own: tuple[bool, bool] = (False, False)) -> list[str]:
    significant = {(told["first"], told["method"]): own[0], (told["second"], told["method"]): own[1]}
    return [s.key.removeprefix("het.") for s in pair_sentences(record(told), told, pairs, significant)]


def test_an_insignificant_difference_is_not_shown_and_bounded() -> None:
    assert keys(row()) == ["pair", "not_shown"]
    assert keys(row(conf_low=None, conf_high=None)) == ["pair", "not_shown_open"]


def test_one_significant_group_is_no_difference() -> None:
    assert keys(row(), own=(True, False)) == ["pair", "not_shown", "one_of_two"]
    assert keys(row(), own=(True, True)) == ["pair", "not_shown"]
    assert keys(row(p_value=0.01, p_permutation=0.02, p_relied=0.01, p_adjusted=0.01), own=(True, False)) == ["pair", "differ"]


def test_the_adjusted_p_value_decides() -> None:
    assert keys(row(p_value=0.03, p_permutation=0.02, p_relied=0.03, p_adjusted=0.09), pairs=3) == ["pair", "adjusted", "not_shown"]


def test_few_treated_clusters_rely_on_permuted_labels() -> None:
    few = row(few=True, relied="permutation", p_value=0.001, p_relied=0.2, p_adjusted=0.2, permutation_low=-2.0, permutation_high=math.inf)
    assert keys(few) == ["pair", "few", "not_shown_open", "disagree"]
    assert interval(few) == (-2.0, math.inf)
    assert keys({**few, "assignments": 6.0})[-1] == "few_labellings"
    without = row(few=True, relied=None, p_permutation=None, p_relied=None, p_adjusted=None)
    assert keys(without) == ["pair", "few_none"]


def test_equality_of_many_groups() -> None:
    equal = {"outcome": "y", "method": "callaway-santanna", "by": "macro-region", "groups": 3, "df1": 2.0}
    kept = record(row(), equality=({**equal, "route": "stacked", "p_value": 0.2}, {**equal, "route": "permutation", "p_value": 0.3}))
    assert [s.key for s in sentences(kept, differences(kept, "y")[0], {})][-1] == "het.equal_kept"
    rejected = record(row(), equality=({**equal, "route": "stacked", "p_value": 0.01},))
    found = differences(rejected, "y")[0]
    assert [s.key for s in sentences(rejected, found, {})][-1] == "het.equal_rejected"
    table = difference_table(rejected, Speaker("en"), "y", [found])
    assert table.rows[-1].cells[:2] == ("All groups equal", "Callaway–Sant'Anna")
    two = record(row(), equality=({**equal, "groups": 2, "route": "stacked", "p_value": 0.01},))
    assert [s.key for s in sentences(two, differences(two, "y")[0], {})] == ["het.pair", "het.not_shown"]


def test_many_pairs_are_told_only_where_they_differ() -> None:
    rows = [row(second=f"g{k}", p_adjusted=0.01 if k == 3 else 0.5) for k in range(10)]
    many = record(*rows)
    said = sentences(many, differences(many, "y")[0], {})
    assert [s.key for s in said if s.key == "het.pair"] == ["het.pair"]


def test_truth_beside_the_difference() -> None:
    told = row(by="sichuan-chongqing", first="sichuan-chongqing", second="sichuan-chongqing=outside")
    truth = {"parameter": ["att/y/sichuan-chongqing-difference"], "effects_id": [None], "value": [0.5]}

    def last(value: float) -> str:
        held = record(told, truth=pl.DataFrame({**truth, "value": [value]}))
        return pair_sentences(held, told, 1, {})[-1].key

    assert last(0.5) == "het.truth_inside"
    assert last(0.9) == "het.truth_outside"
    assert pair_sentences(record(told, truth=pl.DataFrame(truth)), {**told, "method": "twfe"}, 1, {})[-1].key == "het.not_shown"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_claims_that_there_is_no_difference(language: str) -> None:
    texts = [v for k, v in catalogue(language).items() if k.startswith("sentence.het.")]  # type: ignore[arg-type]
    assert not [t for t in texts if "no difference" in t or "没有差异" in t or "无差异" in t or "不存在差异" in t]


def test_groups_are_called_by_the_study_else_by_what_they_are_made_of() -> None:
    rows = (
        row(by="income", first="income=high", second="income=low"),
        row(by="club", first="club=members", second="club=outside"),
        row(by="sichuan-chongqing", first="sichuan-chongqing", second="sichuan-chongqing=outside"),
    )
    labels = {"income": {"en": "Income", "zh": "收入"}, "club=members": {"en": "Members", "zh": "成员"}}
    held = record(*rows, study={"heterogeneity": {"label": labels}})
    own = group_labels(held)
    assert own["region.income=high"].en == "Income: upper"
    assert own["region.club=members"].zh == "成员"
    assert own["region.club=outside"].en == "Outside: club"
    assert own[f"pair.{pair_id('income=high', 'income=low')}"].en == "Income: upper − lower"
    assert own[f"pair.{pair_id('income=high', 'income=low')}"].zh == "收入：较高组 − 较低组"
    assert own[f"pair.{pair_id('club=members', 'club=outside')}"].en == "Members − Outside: club"
    assert own[f"pair.{pair_id('sichuan-chongqing', 'sichuan-chongqing=outside')}"].en == "Sichuan and Chongqing − elsewhere"
    assert "region.sichuan-chongqing=outside" not in own


def test_the_figure_takes_open_and_missing_intervals() -> None:
    rows = pl.DataFrame(
        {
            "label": ["a", "b", "a − b"],
            "kind": ["group", "group", "difference"],
            "method": ["twfe"] * 3,
            "few": [True, False, True],
            "estimate": [0.2, 0.1, 0.1],
            "conf_low": [None, 0.0, -math.inf],
            "conf_high": [None, 0.2, 0.4],
        }
    )
    axes = groups_and_differences(rows, unit="log points", reference=0.15).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "a − b"]
    assert axes.get_xlim()[0] < 0
