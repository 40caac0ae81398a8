"""Breadth of knowledge: the worked example, symbols as files write them, aggregated forms, regions without patents."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.measure import knowledge_width as breadth
from hinterland.measure.ipc import read_symbols

EXAMPLE = ["G06F17/30", "G06F17/50", "H04L12/24", "G06N3/08"]


def patents(symbols: dict[str, list[str]], city: str = "A", year: int = 2010) -> pl.DataFrame:
    rows = [(p, city, year, s) for p, all_of_it in symbols.items() for s in all_of_it]
    return pl.DataFrame(rows, schema=["patent", "city", "year", "ipc"], orient="row")


def width(frame: pl.DataFrame, **more: object) -> hl.Measure:
    columns = {"region": "city", "time": "year", "entity": "patent", "item": "ipc"}
    return hl.measure("knowledge-width", frame, **(columns | more))  # type: ignore[arg-type]


def test_worked_example() -> None:
    """Catalogue 4, to its printed digits."""
    frame = patents({"p": EXAMPLE})
    assert width(frame).frame["value"].item() == 0.625
    assert width(frame, unbiased=True).frame["value"].item() == pytest.approx(0.833333, abs=5e-7)
    assert width(frame, count="distinct-groups").frame["value"].item() == pytest.approx(0.6667, abs=5e-5)


def test_one_symbol_has_no_width_but_a_value() -> None:
    frame = patents({"p": ["G06F17/30"]})
    assert width(frame).frame["value"].item() == 0.0
    alone = width(frame, unbiased=True).frame
    assert alone["value"].item() is None and alone["reason"].item() == "no-symbols"


def test_exact_duplicates_count_once_and_several_symbols_may_share_a_cell() -> None:
    frame = pl.DataFrame(
        {"patent": ["p", "p"], "city": "A", "year": 2010, "ipc": ["G06F17/30;G06F 17/50（2006.01）I；H04L12/24", "g06n03/08, G06F17/30"]}
    )
    assert width(frame).frame["value"].item() == 0.625


def test_levels() -> None:
    frame = patents({"p": EXAMPLE})
    assert width(frame, level="subclass").frame["value"].item() == pytest.approx(1 - (4 + 1 + 1) / 16)
    assert width(frame, level="class").frame["value"].item() == pytest.approx(1 - (9 + 1) / 16)
    assert width(frame, level="section").frame["value"].item() == pytest.approx(1 - (9 + 1) / 16)


@pytest.mark.parametrize(
    ("written", "symbol", "group"),
    [
        ("G06F17/30", "G06F17/30", "G06F17"),
        ("G06F 17/30 (2006.01)", "G06F17/30", "G06F17"),
        ("G06F 17/30(2006.01)I", "G06F17/30", "G06F17"),
        ("g06f-017/30", "G06F17/30", "G06F17"),
        ("Ｇ０６Ｆ１７／３０", None, None),
        ("G06F１７／３０", "G06F17/30", "G06F17"),
        ("G06F0017300000", "G06F17/30", "G06F17"),
        ("A61K0031047000", "A61K31/047", "A61K31"),
        ("A01B1/00", "A01B1/00", "A01B1"),
        ("A01B0001000000", "A01B1/00", "A01B1"),
        ("Y02E10/50", "Y02E10/50", "Y02E10"),
        ("G06F", None, None),
        ("G06F17", None, None),
        ("G06F17/3", None, None),
        ("I06F17/30", None, None),
        ("图形处理", None, None),
    ],
)
def test_symbols_as_files_write_them(written: str, symbol: str | None, group: str | None) -> None:
    found = read_symbols(pl.DataFrame({"ipc": [written]}), "ipc")
    if symbol is None:
        assert found.malformed.rows() == [(0, written)] and found.rows.is_empty()
    else:
        assert found.rows.select(pl.col("symbol", "group").cast(pl.String)).rows() == [(symbol, group)]


def test_malformed_symbols_are_named_with_value_and_row() -> None:
    frame = patents({"p": [*EXAMPLE, "G06F"], "q": ["A01B1/00", "§12"]})
    m = width(frame)
    assert [f.code for f in m.findings] == ["ipc-malformed"]
    assert "'G06F', '§12'" in m.findings[0].what and "2 symbol(s)" in m.findings[0].what
    assert "4, 6" in m.findings[0].where and "patent p" in m.findings[0].where
    assert m.frame["value"].item() == pytest.approx(0.625 / 2)
    assert m.meta["symbols"] == 5 and m.meta["symbols_malformed"] == 2


def test_a_patent_of_malformed_symbols_only_has_no_width() -> None:
    m = width(patents({"p": EXAMPLE, "q": ["??"]}))
    assert m.frame.select("value", "n_used", "coverage").rows() == [(0.625, 1, 0.5)]


def test_designs_are_left_out() -> None:
    frame = pl.concat([patents({"p": EXAMPLE}), patents({"d": ["06-01"], "e": ["G06F17/30"]})]).with_columns(
        kind=pl.Series(["发明"] * 4 + ["外观设计", "design"])
    )
    m = width(frame, patent_type="kind")
    assert m.frame.select("value", "n_used", "coverage").rows() == [(0.625, 1, 1.0)] and m.findings == ()
    unsaid = width(frame.filter(pl.col("patent") != "e"))
    assert unsaid.findings == () and unsaid.meta["symbols_of_designs"] == 1
    assert unsaid.frame["value"].item() == 0.625
    with pytest.raises(hl.InputError) as caught:
        width(frame.with_columns(kind=pl.lit("plant")), patent_type="kind")
    assert [f.code for f in caught.value.findings] == ["patent-type-unknown"]


def test_no_patents_is_nan_not_zero() -> None:
    frame = pl.concat([patents({"p": EXAMPLE}), patents({"q": ["A01B1/00"]}, city="B", year=2011)])
    m = width(frame).frame
    assert m.select("year", "city", "value", "reason").rows() == [
        (2010, "A", 0.625, ""),
        (2010, "B", None, "no-patents"),
        (2011, "A", None, "no-patents"),
        (2011, "B", 0.0, ""),
    ]


def test_mean_and_median_over_patents() -> None:
    frame = patents({"p": EXAMPLE, "q": ["A01B1/00"], "r": ["A01B1/00", "B02C1/00"]})
    assert width(frame).frame["value"].item() == pytest.approx((0.625 + 0 + 0.5) / 3)
    assert width(frame, aggregate="median").frame["value"].item() == pytest.approx(0.5)


def random_symbols(seed: int, rows: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    patent = rng.integers(0, 60, rows)
    symbols = [
        f"{'ABCDEFGH'[a]}{b:02d}{'BCDF'[c]}{d}/{e:02d}" for a, b, c, d, e in rng.integers([0, 1, 0, 1, 0], [8, 3, 4, 4, 30], (rows, 5))
    ]
    return pl.DataFrame(
        {
            "patent": [f"p{i}" for i in patent],
            "city": [f"c{i % 4}" for i in patent],
            "year": 2010 + patent % 3,
            "ipc": symbols,
        }
    )


def by_hand(frame: pl.DataFrame, unbiased: bool = False) -> dict[tuple[int, str], float]:
    """Plain Python over patents."""
    found: dict[tuple[int, str], list[float]] = {}
    for (_, city, year), rows in frame.group_by("patent", "city", "year"):
        groups = [s.split("/")[0] for s in set(rows["ipc"])]
        n = len(groups)
        w = 1 - sum((groups.count(g) / n) ** 2 for g in set(groups))
        if unbiased and n < 2:
            continue
        found.setdefault((year, city), []).append(w * n / (n - 1) if unbiased else w)
    return {k: float(np.mean(v)) for k, v in found.items()}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.booleans())
def test_against_plain_python(seed: int, unbiased: bool) -> None:
    frame = random_symbols(seed)
    m = width(frame, unbiased=unbiased).frame.filter(pl.col("reason") == "")
    found = {(y, c): v for y, c, v in m.select("year", "city", "value").iter_rows()}
    expected = by_hand(frame, unbiased)
    assert found.keys() == expected.keys()
    assert np.allclose([found[k] for k in expected], list(expected.values()), atol=1e-14)


def test_reduced_forms_give_the_same_numbers() -> None:
    """Symbols; k by patent and main group; Σk and Σk² by patent."""
    frame = random_symbols(1)
    whole = width(frame).frame
    groups = frame.unique().group_by("patent", "city", "year", pl.col("ipc").str.split("/").list.first().alias("group")).agg(k=pl.len())
    by_group = hl.measure("knowledge-width", groups, region="city", time="year", entity="patent", item="group", symbols="k").frame
    sums = groups.group_by("patent", "city", "year").agg(s=pl.col("k").sum(), s2=(pl.col("k") ** 2).sum())
    by_sums = hl.measure("knowledge-width", sums, region="city", time="year", symbols="s", squares="s2").frame
    assert by_group["value"].to_numpy() == pytest.approx(whole["value"].to_numpy(), abs=1e-14)
    assert by_sums["value"].to_numpy() == pytest.approx(whole["value"].to_numpy(), abs=1e-14)
    assert by_sums["n_used"].to_list() == whole["n_used"].to_list()
    distinct = hl.measure(
        "knowledge-width", groups, region="city", time="year", entity="patent", item="group", symbols="k", count="distinct-groups"
    ).frame
    assert distinct["value"].to_numpy() == pytest.approx(width(frame, count="distinct-groups").frame["value"].to_numpy(), abs=1e-14)


def test_impossible_sums_and_missing_columns() -> None:
    sums = pl.DataFrame({"city": ["A", "A"], "year": 2010, "s": [4, 3], "s2": [6, 10]})
    with pytest.raises(hl.InputError) as caught:
        hl.measure("knowledge-width", sums, region="city", time="year", symbols="s", squares="s2")
    assert [f.code for f in caught.value.findings] == ["squares-impossible"]
    with pytest.raises(hl.InputError) as caught:
        hl.measure("knowledge-width", sums, region="city", time="year", symbols="s")
    assert [f.code for f in caught.value.findings] == ["missing-role", "missing-role"]


def test_without_years() -> None:
    frame = patents({"p": EXAMPLE}).drop("year")
    m = hl.measure("knowledge-width", frame, region="city", entity="patent", item="ipc")
    assert m.frame.columns[:2] == ["city", "value"] and m.frame["value"].item() == 0.625


def test_portfolio_cumulates_and_is_not_mean_width() -> None:
    """Ten narrow patents in ten groups: the portfolio is wide, every patent is narrow."""
    narrow = {f"p{i}": [f"A0{i}B1/00"] for i in range(10)}
    frame = pl.concat([patents(narrow), patents({"q": ["A00B1/00"] * 2}, year=2012), patents({"r": ["B01B1/00"]}, city="B", year=2011)])
    found = hl.measure("portfolio-width", frame, region="city", time="year", entity="patent", item="ipc").frame.sort("city", "year")
    assert found["value"].to_list()[:3] == pytest.approx([0.9, 0.9, 1 - (9 + 4) / 121])
    assert found["reason"].to_list()[3:] == ["no-patents", "", ""] and found["value"].to_list()[4:] == [0.0, 0.0]
    assert found["n_used"].to_list() == [10, 10, 11, 0, 1, 1]
    assert width(frame).frame["value"].max() == 0.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000))
def test_portfolio_against_plain_python(seed: int) -> None:
    frame = random_symbols(seed, 150)
    found = hl.measure("portfolio-width", frame, region="city", time="year", entity="patent", item="ipc").frame
    rows = frame.unique()
    for year, city, value in found.filter(pl.col("reason") == "").select("year", "city", "value").iter_rows():
        upto = rows.filter(pl.col("city") == city, pl.col("year") <= year)["ipc"].str.split("/").list.first()
        share = upto.value_counts()["count"].to_numpy() / len(upto)
        assert value == pytest.approx(1 - np.sum(share**2), abs=1e-12)


def test_generality_and_originality() -> None:
    """Trajtenberg, Henderson & Jaffe (1997): four citing patents in classes (2, 1, 1)."""
    frame = pl.DataFrame({"patent": ["p"] * 4 + ["q"], "city": "A", "year": 2010, "field": ["x", "x", "y", "z", "x"]})
    for name in ("generality", "originality"):
        m = hl.measure(name, frame, region="city", time="year", entity="patent", item="field")
        assert m.frame["value"].item() == pytest.approx((0.625 + 0) / 2)
        m = hl.measure(name, frame, region="city", time="year", entity="patent", item="field", unbiased=True)
        assert m.frame.select("value", "n_used", "coverage").row(0) == pytest.approx((0.625 * 4 / 3, 1, 0.5))
    counted = frame.group_by("patent", "city", "year", "field").agg(n=pl.len())
    m = hl.measure("generality", counted, region="city", time="year", entity="patent", item="field", symbols="n", unbiased=True)
    assert m.frame["value"].item() == pytest.approx(0.625 * 4 / 3)
    symbols = pl.DataFrame({"patent": ["p"] * 3, "city": "A", "year": 2010, "ipc": ["G06F17/30", "G06F17/50", "H04L12/24"], "n": [1, 1, 2]})
    m = hl.measure("generality", symbols, region="city", time="year", entity="patent", item="ipc", symbols="n", level="main-group")
    assert m.frame["value"].item() == pytest.approx(0.5)


def test_unbiased_width_is_unbiased() -> None:
    """Symbols drawn from shares (.5, .3, .2): the mean of unbiased widths of 3 draws is 1 − Σp² = 0.62 (4 standard errors of 20 000 patents)."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(3, [0.5, 0.3, 0.2], 20_000)
    sums = pl.DataFrame({"s": drawn.sum(axis=1), "s2": (drawn**2).sum(axis=1)})
    found = breadth.width(sums)["width_unbiased"]
    assert abs(found.mean() - 0.62) < 4 * found.std() / np.sqrt(20_000)  # type: ignore[operator]
    assert breadth.width(sums)["width"].mean() < 0.45  # type: ignore[operator]
