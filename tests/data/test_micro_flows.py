"""Ownership links to flows, and patents' symbols to knowledge width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.micro import Cells, reduce_links, reduce_symbols
from hinterland.errors import InputError

Make = Callable[[pl.DataFrame], Any]
ENGINES = [pytest.param(lambda f: f.lazy(), id="polars"), pytest.param(lambda f: duckdb.from_arrow(f.to_arrow()), id="duckdb")]

LINKS = pl.DataFrame(
    {
        "owner": ["p1", "p1 ", "p2", "zz", None, "p2", "p1"],
        "county": ["340104", "110105", "310115", "310115", "310115", "340104", "340104"],
        "class": ["2614"] * 7,
        "year": [2010] * 7,
        "capital": [10.0, 20.0, 30.0, 40.0, 50.0, None, 5.0],
        "share": [1.0, 0.5, 0.1, 1.0, 1.0, 0.2, 0.4],
    }
)
PARENTS = pl.DataFrame({"id": ["p1", "p2", "p3"], "county": ["310104", "440301", "310104"]})
LINK_ROLES: dict[str, Any] = {"owner": "owner", "region": "county", "parent": "id", "parent_region": "county"}
LINK_ROLES |= {"industry": "class", "time": "year", "industry_level": "division"}
SYMBOLS = pl.DataFrame(
    {
        "patent": [1, 1, 1, 1, 1, 2, 3, 4],
        "city": ["340100"] * 7 + ["340200"],
        "year": [2015] * 8,
        "symbol": ["G06F 17/30", "G06F17/50", "H04L12/24", "G06N3/08", "g06n 3/08", "A01B1/00", "06-01", None],
    }
)
SYMBOL_ROLES: dict[str, Any] = {"patent": "patent", "symbol": "symbol", "region": "city", "time": "year"}


def codes(cells: Cells) -> list[str]:
    return [f.code for f in cells.findings]


@pytest.mark.parametrize("make", ENGINES)
def test_flows_join_children_to_the_region_of_their_owner(make: Make) -> None:
    cells = reduce_links(make(LINKS), make(PARENTS), **LINK_ROLES, capital="capital", share="share")
    assert cells.frame.select("source", "host", "industry", "time", "n", "amount", "amount_n").rows() == [
        ("310000", "110000", "26", 2010, 1, 10.0, 1),
        ("310000", "340100", "26", 2010, 2, 12.0, 2),
        ("440300", "310000", "26", 2010, 1, 3.0, 1),
        ("440300", "340100", "26", 2010, 1, None, 0),
    ]
    assert cells.rejected["n"].sum() == 2
    assert cells.rejected["amount"].sum() == 90.0
    (finding,) = cells.findings
    assert finding.what == "in 2 row(s) the source is not known: the owner is not among the parents, or has no region there"


@pytest.mark.parametrize("make", ENGINES)
def test_links_within_a_region_are_no_flows(make: Make) -> None:
    cells = reduce_links(make(LINKS), make(PARENTS.with_columns(county=pl.lit("340204"))), **LINK_ROLES, region_level="province")
    assert cells.frame.select("source", "host", "n").rows() == [("340000", "110000", 1), ("340000", "310000", 1)]
    assert codes(cells) == ["code-missing", "within-region"]
    assert cells.findings[1].what == "3 link(s) stay within a region, and are no flows"


@pytest.mark.parametrize("make", ENGINES)
def test_bad_links(make: Make) -> None:
    for links, parents, options, code in (
        (LINKS, pl.concat([PARENTS, PARENTS.head(1)]), {}, "duplicate-owner"),
        (LINKS.with_columns(share=pl.col("share") * 100), PARENTS, {"capital": "capital", "share": "share"}, "share-outside"),
        (LINKS, PARENTS, {"share": "share"}, "share-without-capital"),
        (LINKS.rename({"year": "county of parents"}), PARENTS, {"time": "county of parents"}, "duplicate-column"),
        (LINKS.drop("county"), PARENTS, {}, "unknown-column"),
        (LINKS, PARENTS.drop("county"), {}, "unknown-column"),
    ):
        with pytest.raises(InputError) as error:
            reduce_links(make(links), make(parents), **{**LINK_ROLES, **options})
        assert [f.code for f in error.value.findings] == [code]
    with pytest.raises(InputError, match="two-engines"):
        reduce_links(LINKS.lazy(), duckdb.from_arrow(PARENTS.to_arrow()), **LINK_ROLES)


def test_links_in_files(tmp_path: Path) -> None:
    LINKS.write_csv(tmp_path / "links.csv")
    PARENTS.write_csv(tmp_path / "parents.csv")
    want = reduce_links(LINKS, PARENTS, **LINK_ROLES, capital="capital", share="share")
    for engine in ("duckdb", "polars"):
        got = reduce_links(tmp_path / "links.csv", tmp_path / "parents.csv", **LINK_ROLES, capital="capital", share="share", engine=engine)  # type: ignore[arg-type]
        assert got.frame.equals(want.frame)
    owners = PARENTS.with_columns(id=pl.Series([1, 2, 3]))
    numbered = reduce_links(LINKS.with_columns(owner=pl.Series([1, 1, 2, 9, None, 2, 1])), owners, **LINK_ROLES)
    assert numbered.frame["n"].to_list() == want.frame["n"].to_list()


@pytest.mark.parametrize("make", ENGINES)
def test_width_of_the_catalogue(make: Make) -> None:
    """Symbols G06F17/30, G06F17/50, H04L12/24, G06N3/08: shares ½, ¼, ¼, width 0.625; groups once each: 0.6667. One symbol: 0."""
    cells = reduce_symbols(make(SYMBOLS), **SYMBOL_ROLES)
    assert cells.frame.select("region", "n", "width", "width_squares", "width_n").rows() == [
        ("340100", 3, 0.625, 0.390625, 2),
        ("340200", 1, None, None, 0),
    ]
    assert cells.table("width", "mean")["value"].to_list() == [0.3125, None]
    assert cells.findings[0].what == "2 symbol(s) have no main group and are left out; 2 patent(s) have no other"
    assert cells.findings[0].where.endswith("column 'symbol': '', '06-01'")
    once = reduce_symbols(make(SYMBOLS), **SYMBOL_ROLES, multiplicity="groups")
    assert once.frame["width"][0] == pytest.approx(2 / 3, abs=1e-15)


@pytest.mark.parametrize("make", ENGINES)
def test_widths_are_those_of_a_loop_over_patents(make: Make) -> None:
    rng = np.random.default_rng(3)
    n = 2000
    symbols = pl.DataFrame(
        {
            "patent": rng.integers(0, 400, n),
            "symbol": [f"{a}0{b}F{g}/{s:02d}" for a, b, g, s in zip(rng.choice(list("ABCH"), n), *rng.integers(1, 4, (3, n)), strict=True)],
        }
    ).with_columns(city=340100 + 100 * (pl.col("patent") % 7), year=2010 + pl.col("patent") % 3)
    cells = reduce_symbols(make(symbols), **SYMBOL_ROLES)
    for region, year, n_patents, total in cells.frame.select("region", "time", "n", "width").iter_rows():
        part = symbols.filter((pl.col("city") == int(region)) & (pl.col("year") == year))
        want = []
        for (_,), rows in part.group_by("patent"):
            groups = [s.split("/")[0] for s in set(rows["symbol"])]
            want.append(1 - sum((groups.count(g) / len(groups)) ** 2 for g in set(groups)))
        assert n_patents == len(want)
        assert total == pytest.approx(sum(want), rel=1e-12)
    assert cells.n == symbols["patent"].n_unique()


@pytest.mark.parametrize("make", ENGINES)
def test_symbols_as_files_write_them_and_the_indicator_of_the_same_name(make: Make) -> None:
    texts = ["G06F 17/30(2006.01)I", "g06f-017/50", "H04L 12/24 (2006.01)", "G06N3/08", "A01B1/00", "A01B 1/02", "C07D401/12"]
    frame = pl.DataFrame({"patent": ["x"] * 4 + ["y"] * 3, "city": "340100", "year": 2015, "symbol": texts})
    cells = reduce_symbols(make(frame), **SYMBOL_ROLES)
    assert cells.findings == ()
    measured = hl.measure("knowledge-width", frame, region="city", time="year", entity="patent", item="symbol")
    assert cells.table("width", "mean")["value"].item() == pytest.approx(measured.frame["value"].item(), rel=1e-14)


def test_bad_symbols() -> None:
    with pytest.raises(InputError, match="multiplicity"):
        reduce_symbols(SYMBOLS, **SYMBOL_ROLES, multiplicity="both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown-column"):
        reduce_symbols(SYMBOLS, **{**SYMBOL_ROLES, "symbol": "ipc"})
