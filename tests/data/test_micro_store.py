"""The store of cells: updates read what changed, and leave the bytes of a full rebuild."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hinterland.data import micro_store
from hinterland.data.micro import reduce_firms
from hinterland.data.micro_store import read_cells, update_cells
from hinterland.errors import InputError, RunError

ROLES: dict[str, Any] = {"region": "county", "industry": "class", "time": "year", "values": ["staff", "capital"]}


def write_year(folder: Path, year: int, seed: int, n: int = 30_000) -> Path:
    rng = np.random.default_rng((year, seed))
    frame = pl.DataFrame(
        {
            "county": rng.choice([110105, 340104, 340203, 510107, 99], n),
            "class": rng.choice([111, 1311, 2614, 3612], n),
            "year": np.full(n, year),
            "staff": rng.integers(0, 500, n),
            "capital": np.exp(rng.normal(3, 1.5, n)),
        }
    )
    path = folder / f"firms-{year}.parquet"
    frame.write_parquet(path, row_group_size=5_000)
    return path


@pytest.fixture
def years(tmp_path: Path) -> dict[str, Path]:
    return {str(year): write_year(tmp_path, year, 0) for year in range(2008, 2012)}


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_an_update_leaves_the_bytes_of_a_full_rebuild(years: dict[str, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = update_cells(store, years, **ROLES)
    assert (first.computed, first.kept, first.removed) == (tuple(years), (), ())
    before = contents(store)
    assert update_cells(store, years, **ROLES).computed == ()
    assert contents(store) == before
    write_year(tmp_path, 2010, seed=1)
    years["2012"] = write_year(tmp_path, 2012, 0)
    del years["2008"]
    second = update_cells(store, years, **ROLES)
    assert (second.computed, second.kept, second.removed) == (("2010", "2012"), ("2009", "2011"), ("2008",))
    update_cells(tmp_path / "rebuilt", years, **ROLES)
    assert contents(store) == contents(tmp_path / "rebuilt")
    update_cells(tmp_path / "one at a time", years, **ROLES, memory_limit="1GB", threads=1)
    assert contents(store) == contents(tmp_path / "one at a time")


def test_the_store_holds_the_cells_of_all_files(years: dict[str, Path], tmp_path: Path) -> None:
    parts = {"a": [years["2008"], years["2009"]], "b": years["2010"], "c": str(tmp_path / "firms-2011*.parquet")}
    cells = update_cells(tmp_path / "store", parts, **ROLES).cells()
    whole = reduce_firms(list(years.values()), **ROLES)
    assert_frame_equal(cells.frame, whole.frame, rel_tol=1e-9, abs_tol=0)
    assert_frame_equal(cells.rejected, whole.rejected, rel_tol=1e-9, abs_tol=0)
    assert {f.code for f in cells.findings} == {"code-malformed"}
    assert cells.keys == whole.keys
    again = update_cells(tmp_path / "store", {"x": years["2008"], "y": years["2008"]}, **ROLES).cells()
    once = reduce_firms(years["2008"], **ROLES).frame
    assert_frame_equal(again.frame.select("n", "staff"), once.select(pl.col("n", "staff") * 2), check_exact=True)


def test_another_definition_is_computed_anew(years: dict[str, Path], tmp_path: Path) -> None:
    update_cells(tmp_path / "store", years, **ROLES)
    coarser = update_cells(tmp_path / "store", years, **ROLES, industry_level="division")
    assert coarser.computed == tuple(years)
    assert len(contents(tmp_path / "store")) == 2 * len(years) + 1
    assert coarser.cells().frame["industry"].unique().sort().to_list() == ["01", "13", "26", "36"]


def test_an_interrupted_update_leaves_the_store_as_it_was(years: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    update_cells(store, years, **ROLES)
    before = read_cells(store).frame
    write_year(tmp_path, 2010, seed=1)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(micro_store, "_replace", interrupted)
        update_cells(store, years, **ROLES)
    assert read_cells(store).frame.equals(before)
    (store / "2011-cells-0123456789abcdef.part").write_bytes(b"half")
    update_cells(store, years, **ROLES)
    update_cells(tmp_path / "rebuilt", years, **ROLES)
    assert contents(store) == contents(tmp_path / "rebuilt")


def test_a_first_update_that_is_interrupted_is_no_store(years: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(micro_store, "_replace", interrupted)
        update_cells(tmp_path / "store", years, **ROLES)
    with pytest.raises(RunError, match="no store"):
        read_cells(tmp_path / "store")


def test_damage_is_seen_and_mended(years: dict[str, Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    update_cells(store, years, **ROLES)
    before = contents(store)
    victims = sorted(store.glob("*-cells-*.parquet"))
    victims[0].write_bytes(b"")
    victims[1].unlink()
    with pytest.raises(RunError, match="'2008', '2009'"):
        read_cells(store)
    assert update_cells(store, years, **ROLES).computed == ("2008", "2009")
    assert contents(store) == before


def test_bad_stores(years: dict[str, Path], tmp_path: Path) -> None:
    for options, code in (
        ({"partitions": {"a/b": years["2008"]}}, "bad-name"),
        ({"engine": "spark"}, "unknown-option"),
        ({"partitions": {"x": tmp_path / "none.parquet"}}, "missing-file"),
        ({"memory_limit": "much"}, "unknown-value"),
    ):
        with pytest.raises(InputError) as error:
            update_cells(tmp_path / "store", **{"partitions": years, **ROLES, **options})
        assert [f.code for f in error.value.findings] == [code]
    with pytest.raises(RunError, match="no partition"):
        update_cells(tmp_path / "store", {}, **ROLES).cells()
    (tmp_path / "store" / "cells.json").write_text('{"format": 0}')
    with pytest.raises(RunError, match="this version"):
        read_cells(tmp_path / "store")
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(InputError):
        update_cells(tmp_path / "store", years, **{**ROLES, "values": ["nothing"]})
    with pytest.raises(RunError):
        read_cells(tmp_path / "store")
