"""What the chapter on moderation says follows from the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hinterland.labels import LANGUAGES
from hinterland.report import moderation
from hinterland.report.blocks import Chart, Prose
from hinterland.report.record import Record
from hinterland.report.sentences import Sentence, Speaker
from hinterland.report.table import Table

TRUTH = {"parameter": "moderation/y/fitted-slope", "value": -1.0}


def slope(version: str, estimate: float, se: float | None = 0.5, group: str = "all", **more: Any) -> dict[str, Any]:
    known = se is not None
    return {
        "outcome": "y",
        "moderator": "m",
        "version": version,
        "group": group,
        "estimate": estimate,
        "std_error": se,
        "method": {"linear": "twfe", "imputation": "imputation", "strata": "callaway-santanna"}[version],
        "conf_low": estimate - 2 * se if known else None,
        "conf_high": estimate + 2 * se if known else None,
        "p_value": 0.01 if known and abs(estimate) > 2 * se else 0.5 if known else None,
        **dict.fromkeys(("p_wild", "wild_low", "wild_high", "p_exact"), None),
        "labels": None,
        "enumerated": None,
        "n_obs": 80,
        "n_units": 20,
        "n_treated": 9,
        "n_clusters": 20,
        "n_treated_clusters": 9,
        "effective_clusters": 6.0,
        "column": "segmentation",
        "fixed": "pre",
        "level": "province",
        "cluster": "province",
        "centre": 1.0,
        "scale": 2.0,
        "support_low": 0.5,
        "support_high": 2.0,
        "l_kurtosis": 0.1,
        "linearity_p": 0.4,
        "linearity_p_wild": None,
        **more,
    }


def record(tmp_path: Path, slopes: list[dict[str, Any]], *, inside: bool = True, fixed: str = "pre") -> Record:
    point = {"outcome": "y", "moderator": "m", "version": "linear", "group": "all", "estimate": 1.0, "std_error": 0.2}
    point |= {"conf_low": 0.6, "conf_high": 1.4, "band_low": 0.5, "band_high": 1.5}
    kinds = {"mean": 1.0, "p10": 0.2, "min": 0.0, "p10-mean": -0.8, "min-mean": -1.0}
    effects = [{**point, "kind": "grid", "value": v / 4, "inside": True} for v in range(9)]
    effects += [{**point, "kind": k, "value": v, "inside": inside or k == "mean"} for k, v in kinds.items()]
    bins = [
        {"outcome": "y", "moderator": "m", "version": v, "method": "twfe", "bin": j, "low": j - 1.0, "high": 1.0 * j, "at": j - 0.5}
        | {"estimate": 1.0, "std_error": 0.2, "conf_low": 0.6, "conf_high": 1.4, "n_treated": 5 - 3 * (j == 2), "n_comparison": 5}
        for v in ("binning", "strata")
        for j in (1, 2)
    ]
    bars = [{"outcome": "y", "moderator": "m", "low": 0.0, "high": 2.0, "n_treated": 9, "n_comparison": 11}]
    tables = {
        "moderation": pl.DataFrame(slopes, infer_schema_length=None).with_columns(fixed=pl.lit(fixed)),
        "moderation_effects": pl.DataFrame(effects),
        "moderation_bins": pl.DataFrame(bins),
        "moderation_histogram": pl.DataFrame(bars),
        "truth": pl.DataFrame([TRUTH]),
    }
    return Record(tmp_path, {"study": {"moderation": {"m": {"column": "m", "group": "west"}}}}, tables)


def said(found: Record) -> set[str]:
    """Keys of every sentence of the chapter."""
    blocks = moderation.moderation(found, Speaker("en"), "y")
    sentences = [s for b in blocks if isinstance(b, Prose) for s in b.sentences]
    inner = [v for s in sentences for v in s.values.values() if isinstance(v, Sentence)]
    return {s.key.removeprefix("moderation.") for s in (*sentences, *inner)}


@pytest.mark.parametrize(
    ("estimate", "p_wild", "key"),
    [(-2.0, 0.01, "weaker"), (2.0, 0.01, "stronger"), (2.0, 0.2, "doubtful"), (0.3, 0.01, "none"), (-2.0, None, "weaker")],
)
def test_a_direction_needs_the_interval_and_the_bootstrap(tmp_path: Path, estimate: float, p_wild: float | None, key: str) -> None:
    lead = slope("linear", estimate, p_wild=p_wild, wild_low=-1.0, wild_high=1.0)
    assert said(record(tmp_path, [lead])) & {"weaker", "stronger", "doubtful", "none"} == {key}


def test_versions_of_two_signs_are_no_direction(tmp_path: Path) -> None:
    assert "disagree" in said(record(tmp_path, [slope("linear", -2.0), slope("imputation", 1.0)]))
    assert "agree" in said(record(tmp_path, [slope("linear", -2.0), slope("strata", -1.0)]))


def test_extrapolation_is_named(tmp_path: Path) -> None:
    assert "outside" in said(record(tmp_path, [slope("linear", -2.0)], inside=False))
    assert "outside" not in said(record(tmp_path, [slope("linear", -2.0)]))


def test_the_bootstrap_speaks_before_f_of_linearity(tmp_path: Path) -> None:
    assert "linear" in said(record(tmp_path, [slope("linear", -2.0, linearity_p=0.001, linearity_p_wild=0.4)]))
    assert "not_linear" in said(record(tmp_path, [slope("linear", -2.0, linearity_p=0.001)]))
    assert "untested" in said(record(tmp_path, [slope("linear", -2.0, linearity_p=None)]))


def test_a_group_of_few_treated_clusters_is_judged_by_its_label(tmp_path: Path) -> None:
    head = [slope("linear", -2.0), slope("linear", -1.0, group="elsewhere"), slope("linear", -3.0, None, "inside")]
    null = slope("linear", -2.0, None, "difference", p_exact=0.4, labels=66, enumerated=True)
    found = said(record(tmp_path, [*head, null]))
    assert found >= {"group", "group_exact", "group_null", "group_all"}
    assert "group_cluster" not in found
    assert "group_found" in said(record(tmp_path, [*head, {**null, "p_exact": 0.015}]))
    assert "group_unknown" in said(record(tmp_path, [*head, {**null, "p_exact": None}]))


def test_the_chapter_says_what_it_does_not_identify_and_what_is_true(tmp_path: Path) -> None:
    found = said(record(tmp_path, [slope("linear", -2.0), slope("imputation", -1.5)]))
    assert found >= {"not_causal", "truth", "truth_held", "thin", "few"}
    assert "truth" not in said(record(tmp_path, [{**slope("linear", -2.0), "column": "share2"}, slope("imputation", -1.5)]))
    assert "truth_missed" in said(record(tmp_path, [slope("linear", -2.0), slope("imputation", -5.0)]))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fixed", ["pre", "own-pre", "constant", "2009"])
def test_every_sentence_has_its_words(tmp_path: Path, language: Any, fixed: str) -> None:
    rows = [slope("linear", -2.0, p_wild=0.01, wild_low=-4.0, wild_high=-0.5), slope("imputation", -1.5), slope("strata", -1.0)]
    blocks = moderation.moderation(record(tmp_path, rows, fixed=fixed), Speaker(language), "y")
    speaker = Speaker(language)
    text = " ".join(speaker.paragraph(b.sentences) for b in blocks if isinstance(b, Prose))
    assert len(text) > 200
    assert "{" not in text
    assert [b.key for b in blocks if isinstance(b, Chart)] == ["moderation-y-m"]
    tables = [b for b in blocks if isinstance(b, Table)]
    assert [t.key for t in tables] == ["moderation-y-m", "moderation-effects-y-m", "moderation-bins-y-m"]
    assert all(len(r.cells) == len(t.headings) for t in tables for r in t.rows)


def test_the_chapter_has_the_moderators_name_where_there_is_one(tmp_path: Path) -> None:
    one = record(tmp_path, [slope("linear", -2.0)])
    assert moderation.chapter_title(one, Speaker("en")) == "M"
    two = record(tmp_path, [slope("linear", -2.0), {**slope("linear", -2.0), "moderator": "n"}])
    assert moderation.chapter_title(two, Speaker("zh")) == "调节效应"
