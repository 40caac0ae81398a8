"""Sections of measures that have a form of their own: clusters, transitions, parts of a whole, densities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.geography import provinces
from hinterland.report.measure_record import Measured, measures_of
from hinterland.report.record import read_record
from hinterland.report.sentences import Speaker

COMMON = 'source = "income.csv"\ncolumns = { region = "code", time = "year", value = "y"'
STUDY = f"""
[study]
title = "Forms"
language = "both"
[measure.lisa]
indicator = "local-moran"
{COMMON} }}
parameters = {{ nearest = 4, coordinates = "provinces", draws = 999, adjust = "none" }}
[measure.moves]
indicator = "markov-chain"
{COMMON} }}
[measure.spatial]
indicator = "spatial-markov-chain"
{COMMON} }}
parameters = {{ nearest = 4, coordinates = "provinces", classes = 3, draws = 9 }}
[measure.parts]
indicator = "dagum-gini"
{COMMON}, group = "part" }}
[measure.shape]
indicator = "kernel-density"
{COMMON} }}
[measure.kernel]
indicator = "stochastic-kernel"
{COMMON} }}
[measure.pairs]
indicator = "dagum-gini-pairs"
{COMMON}, group = "part" }}
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    known, rng = provinces(), np.random.default_rng(4)
    base = {"east": 3.0, "central": 1.5, "west": 1.0, "north-east": 1.8}
    rows = [
        (code, part, 2001 + t, base[part] * 1.05**t * float(np.exp(rng.normal(0, 0.2))))
        for code, part in known.select("province_code", "macro_region").iter_rows()
        for t in range(8)
    ]
    pl.DataFrame(rows, schema=["code", "part", "year", "y"], orient="row").write_csv(folder / "income.csv")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    hl.run(folder / "study.toml", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def found(out: Path) -> dict[str, Measured]:
    return {m.name: m for m in measures_of(read_record(out))}


def test_every_measure_has_its_form(found: dict[str, Measured]) -> None:
    shapes = {name: m.shape for name, m in found.items()}
    assert shapes == {
        "lisa": "clusters",
        "moves": "transitions",
        "spatial": "transitions",
        "parts": "lines",
        "shape": "curves",
        "kernel": "surface",
        "pairs": "matrix",
    }


def test_members_of_clusters_are_named_in_both_languages(out: Path, found: dict[str, Measured]) -> None:
    last = found["lisa"].last(found["lisa"].of("lisa-cluster"))
    high = found["lisa"].ordered("region", last.filter(pl.col("value") == 1)["region"].to_list())
    assert len(high) > 2
    page = (out / "report.html").read_text(encoding="utf-8")
    for language, text in (("en", f"High among high, {len(high)}: "), ("zh", f"高–高集聚（{len(high)} 个）：")):
        assert text + found["lisa"].place(Speaker(language), "region", high[0]) in page  # type: ignore[arg-type]


def test_matrices_have_classes_and_moves(out: Path, found: dict[str, Measured]) -> None:
    moves = found["moves"].of("transition-count")["value"].sum()
    table = pl.read_csv(out / "tables" / "table-measure-moves.en.csv")
    assert [c for c in table.columns if c.startswith("To class")] == ["To class 1", "To class 2", "To class 3", "To class 4"]
    assert table["Moves"].sum() == moves == 31 * 7
    strata = pl.read_csv(out / "tables" / "table-measure-spatial.zh.csv")
    assert strata.height == 9
    assert strata[strata.columns[0]].unique(maintain_order=True).to_list() == ["第 1 等级", "第 2 等级", "第 3 等级"]


def test_groups_are_called_by_name(out: Path) -> None:
    table = pl.read_csv(out / "tables" / "table-measure-pairs.zh.csv")
    assert set(table[table.columns[0]]) <= {"东部", "中部", "西部", "东北"}


@pytest.mark.parametrize("name", ["lisa-map", "moves", "spatial", "parts", "shape", "kernel", "pairs"])
def test_every_form_has_a_figure(out: Path, name: str) -> None:
    for language in ("en", "zh"):
        assert (out / "figures" / f"measure-{name}.{language}.svg").stat().st_size > 3000
