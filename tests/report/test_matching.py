"""What the report says of matching: counts, balance, both figures, in either language; nothing without the tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from synthetic import write_record

from hinterland.evaluate.matching_balance import BALANCE
from hinterland.evaluate.matching_rule import MatchBy, MatchMethod
from hinterland.labels import LANGUAGES, Language, catalogue
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.chapters import document
from hinterland.report.matching import matching
from hinterland.report.matching_figures import overlap, weighted_density
from hinterland.report.record import Record, read_record
from hinterland.report.sentences import Speaker
from hinterland.report.table import Table

WAYS = (
    ("matching-nearest", "nearest", "unit", 0.16, 30),
    ("matching-kernel", "kernel", "unit", 0.04, 31),
    ("matching-entropy-balancing", "entropy-balancing", "unit", 1e-12, 31),
    ("matching-nearest-by-year", "nearest", "year", 0.08, 460),
)


def matched(folder: Path, ways: tuple[Any, ...] = WAYS) -> Record:
    """A record with the tables of matching."""
    write_record(folder)
    rng = np.random.default_rng(0)
    rows, balance, scores = [], [], []
    for row, method, by, after, kept in ways:
        n = 465 if by == "year" else 31
        counts = {"n_treated": n, "n_treated_matched": kept, "n_comparison": 262, "n_comparison_matched": 90, "effective": 55.5}
        head = {"row": row, "method": method, "by": by, "when": "mean-before" if by == "unit" else None}
        rows.append({**head, "covariates": "ln_gdp_pc + share2", **counts, "largest_before": 0.5, "largest_after": after})
        for variable in ("ln_gdp_pc", "share2"):
            numbers = dict.fromkeys(BALANCE, 1.0) | {"smd_before": -0.5, "smd_after": after if variable == "share2" else 0.0}
            balance.append({"row": row, "variable": variable, **numbers})
        if method != "entropy-balancing":
            treated = np.arange(60) < 20
            score = 1 / (1 + np.exp(1 - treated - rng.normal(size=60)))
            scores.append(
                pl.DataFrame({"row": row, "unit": [str(i) for i in range(60)], "treated": treated, "score": score, "weight": 1.0})
            )
    for name, frame in (
        ("matching", pl.DataFrame(rows, infer_schema_length=None)),
        ("matching_balance", pl.DataFrame(balance)),
        ("matching_scores", pl.concat(scores)),
    ):
        frame.write_parquet(folder / "tables" / f"{name}.parquet")
    return read_record(folder)


def blocks(record: Record, language: Language = "en") -> tuple[Block, ...]:
    head = record.headline("ln_inventions")
    assert head is not None
    return matching(record, Speaker(language), head)


def test_nothing_without_the_tables(record: Record) -> None:
    assert blocks(record) == ()


def test_blocks_in_order(tmp_path: Path) -> None:
    found = blocks(matched(tmp_path))
    assert [type(b) for b in found] == [Heading, Prose, Prose, Table, Table, Table, Chart, Chart]
    assert [b.key for b in found if isinstance(b, Table | Chart)] == ["matching", "balance", "balance-year", "love", "overlap"]


def test_what_is_said_follows_from_the_counts(tmp_path: Path) -> None:
    said = [s.key for b in blocks(matched(tmp_path)) if isinstance(b, Prose) for s in b.sentences]
    assert said == [
        "matching.intro", "matching.when", "matching.unsound", "matching.figures", "matching.exact", "matching.best_other",
        "matching.balanced", "matching.unbalanced", "matching.left", "matching.given",
    ]  # fmt: skip
    alone = [s.key for b in blocks(matched(tmp_path, WAYS[1:2])) if isinstance(b, Prose) for s in b.sentences]
    assert alone == ["matching.intro", "matching.when", "matching.figures", "matching.best", "matching.balanced", "matching.given"]


def test_the_tables_hold_the_record(tmp_path: Path) -> None:
    counts, balance = (b for b in blocks(matched(tmp_path)) if isinstance(b, Table) and b.key in ("matching", "balance"))
    assert counts.rows[0].cells == ("Nearest", "30/31", "90/262", "55.5", "0.500", "0.160")
    assert balance.rows[1].cells[-3:] == ("0.160", "0.040", "0.000")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_report_has_them(tmp_path: Path, language: Language) -> None:
    made = document(matched(tmp_path), language)
    text = made.speaker.paragraph(s for c in made.chapters for b in c.blocks if isinstance(b, Prose) for s in b.sentences)
    assert re.search(r"(Table|Figure|表|图)\s*\?", text) is None
    assert {"matching", "balance", "balance-year"} <= {t.key for t in made.tables()}
    assert {"love", "overlap"} <= {c.key for c in made.charts()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_has_its_words(language: Language) -> None:
    from typing import get_args

    known = catalogue(language)
    for method in get_args(MatchMethod):
        for by in get_args(MatchBy):
            name = method + {"unit": "", "pooled": "-pooled"}.get(by, f"-by-{by}")
            assert {f"variation.matching-{name}", f"matching.{name}", f"matching_said.{name}", f"matched_by.{by}"} <= set(known)


def test_density_integrates_to_one_and_follows_the_weights() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(size=200), rng.normal(4, 1, 200)])
    grid, height = weighted_density(values, np.concatenate([np.ones(200), np.full(200, 1e-9)]))
    assert np.trapezoid(height, grid) == pytest.approx(1.0, abs=2e-3)
    assert grid[np.argmax(height)] == pytest.approx(0.0, abs=0.5)


def test_overlap_of_one_treated_row_is_drawn_without_it() -> None:
    frame = pl.DataFrame({"treated": [True, False, False], "score": [0.5, 0.2, 1.0], "weight": [1.0, 1.0, 1.0]})
    assert len(overlap({"a": frame}, Speaker("en")).axes[0].lines) == 1
