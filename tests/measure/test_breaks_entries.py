"""Breaks through the catalogue: rows, reasons, rules on short series, notes, bad input, batches."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.errors import InputError
from hinterland.labels import catalogue

WORKED = np.array([1, 1.2, 0.9, 1.1, 3, 3.2, 2.9, 3.1, 5, 5.2, 4.9, 5.1, 5])
NILE = np.loadtxt(Path(__file__).parent / "series" / "nile.txt")


def table(y: np.ndarray, first: int = 2000) -> pl.DataFrame:
    rows, years = np.indices(y.shape)
    return pl.DataFrame({"city": [f"c{r:02d}" for r in rows.ravel()], "year": first + years.ravel(), "v": y.ravel()})


def measured(
    frame: pl.DataFrame, name: str = "structural-breaks", **more: object
) -> tuple[dict[tuple[str, str], tuple[object, str]], hl.Measure]:
    m = hl.measure(name, frame, region="city", time="year", value="v", **more)
    return {(c, k): (v, r) for c, k, v, r in m.frame.select("city", "component", "value", "reason").iter_rows()}, m


def test_worked_example_needs_leave_for_thirteen_years() -> None:
    said, m = measured(table(WORKED[None]))
    assert said["c00", "break-count"] == (None, "short-series")
    assert [f.code for f in m.findings] == ["short-series"] and m.findings[0].severity == "warning"
    said, m = measured(table(WORKED[None]), min_years=13, regime=3)
    assert [said["c00", k][0] for k in ("break-count", "break-1", "break-2")] == [2, 2003, 2007]
    assert said["c00", "break-3"] == (None, "no-break") and said["c00", "break-1-low"] == (None, "short-for-interval")
    assert [n.code for n in m.notes] == ["breaks-short"] and "13" in m.notes[0].text("zh")
    assert said["c00", "explained-by-breaks"][0] == pytest.approx(1 - 0.152 / 35.66)


def test_the_nile_breaks_in_1898() -> None:
    said, m = measured(table(NILE[None], 1871), criterion="bic", dates=(1902,))
    assert [said["c00", f"break-1{k}"][0] for k in ("", "-low", "-high")] == [1898, 1895, 1902]
    # The first year of the new regime is 1899; 1902 is three years later.
    assert said["c00", "break-date-distance"][0] == 3 and said["c00", "break-date-p"][0] == pytest.approx(7 / 71)
    assert said["c00", "sup-f"][0] == pytest.approx(75.93, abs=0.005) and said["c00", "sup-f-p"][0] < 1e-10
    assert not m.notes and m.meta["shortest_regime"] == [15]


def test_gaps_withheld_cells_and_spans() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(5, 20)) + 8.0 * (np.arange(20) > 11)
    y[1, 5] = np.nan
    y[2, :4] = np.nan
    y[3] = 7.0
    frame = table(y).with_columns(state=pl.when((pl.col("city") == "c04") & (pl.col("year") == 2007)).then(pl.lit("suppressed")))
    said, m = measured(frame, state="state")
    assert said["c00", "break-1"][0] == said["c02", "break-1"][0] == 2011
    assert said["c01", "break-count"][1] == "missing-input" and said["c04", "break-count"][1] == "suppressed-input"
    assert said["c03", "break-count"] == (0, "") and said["c03", "sup-f"][1] == said["c03", "explained-by-breaks"][1] == "no-variation"
    used = dict(m.frame.filter(pl.col("component") == "break-count").select("city", "n_used").iter_rows())
    assert used["c02"] == 16 and used["c01"] == 19
    bad = m.frame.filter(pl.col("value").is_null() != (pl.col("reason") != ""))
    assert not bad.height and not m.frame["value"].is_infinite().any()


def test_every_code_has_words() -> None:
    for language in ("en", "zh"):
        words = catalogue(language)  # type: ignore[arg-type]
        for code in ("short-series", "no-break", "short-for-interval", "no-critical-values", "exact-fit", "no-variation", "too-few"):
            assert words[f"reason.{code}"]
        for name in ("structural-breaks", "common-breaks"):
            indicator = hl.measure(name, table(NILE[None]), region="city", time="year", value="v").id
            components = hl.indicators().filter(pl.col("id") == indicator)["components"][0]
            assert all(words[f"component.{c}"] for c in components)


def test_series_of_regions_and_industries() -> None:
    rng = np.random.default_rng(2)
    frame = pl.concat(
        [table(rng.normal(size=(3, 16)) + 4.0 * (np.arange(16) > 6)).with_columns(industry=pl.lit(i)) for i in ("steel", "toys")]
    ).filter(~((pl.col("city") == "c02") & (pl.col("industry") == "toys")))
    m = hl.measure("structural-breaks", frame, region="city", industry="industry", time="year", value="v")
    count = m.frame.filter(pl.col("component") == "break-1")
    assert count.height == 5 and count["value"].to_list() == [2006.0] * 5
    alone = hl.measure("structural-breaks", frame.filter(pl.col("city") == "c00", pl.col("industry") == "toys"), time="year", value="v")
    assert alone.frame.filter(pl.col("component") == "break-1")["value"].to_list() == [2006.0]


def test_every_wrong_option_at_once() -> None:
    with pytest.raises(InputError) as error:
        hl.measure(
            "structural-breaks",
            table(NILE[None]),
            region="city",
            time="year",
            value="v",
            regime=2,
            model="trend",
            criterion="sequential",
            trimming=0.6,
            max_breaks=9,
            min_years=3,
            dates="x",
        )
    codes = [f.code for f in error.value.findings]
    assert sorted(codes) == sorted(["out-of-range"] * 3 + ["short-regime", "no-critical-values", "bad-dates"])
    with pytest.raises(InputError, match="tolerance"):
        measured(table(NILE[None]), "common-breaks", tolerance=-1)


def test_trends_and_tests() -> None:
    said, _ = measured(table(NILE[None]), model="trend")
    assert said["c00", "count-sequential"] == said["c00", "sup-f-p"] == (None, "no-critical-values")
    assert said["c00", "break-count"][1] == ""
    said, _ = measured(table(NILE[None]), criterion="sequential", level=0.01)
    assert said["c00", "break-count"][0] == 1


def test_common_breaks_and_agreement() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(30, 18)) + 2.0 * (np.arange(18) > 8)
    y[4, 2] = np.nan
    said, m = measured(table(y), "common-breaks", dates=[2009])
    row = {k: v for (_, k), v in said.items()}
    assert row["break-count"][0] == 1 and row["break-1"][0] == 2008
    assert row["agreement-1"][0] > 0.7 and row["agreement-by-chance-1"][0] < 0.4
    assert row["break-date-distance"][0] == 0 and row["break-date-p"][0] == pytest.approx(1 / 13)
    assert row["agreement-2"] == (None, "no-break")
    assert [f.code for f in m.findings] == ["incomplete-series"] and m.frame["coverage"][0] == pytest.approx(29 / 30)


def test_common_breaks_within_groups() -> None:
    rng = np.random.default_rng(4)
    early, late = (rng.normal(size=(8, 18)) + 3.0 * (np.arange(18) > k) for k in (6, 11))
    frame = pl.concat(
        [
            table(early).with_columns(industry=pl.lit("a")),
            table(late).with_columns(industry=pl.lit("b")),
            table(late[:1]).with_columns(industry=pl.lit("c")),
            table(late[:, :10]).with_columns(industry=pl.lit("d")),
            table(np.ones((3, 18))).with_columns(industry=pl.lit("e")),
        ]
    )
    m = hl.measure("common-breaks", frame, region="city", industry="industry", time="year", value="v", within="industry")
    first = {i: (v, r) for i, v, r in m.frame.filter(pl.col("component") == "break-1").select("industry", "value", "reason").iter_rows()}
    assert first == {"a": (2006, ""), "b": (2011, ""), "c": (None, "too-few"), "d": (None, "short-series"), "e": (None, "too-few")}
    assert m.frame["city"].is_null().all()
    assert {f.code for f in m.findings} == {"incomplete-series", "short-series"}


def test_a_trend_cut_into_stairs_is_said() -> None:
    rng = np.random.default_rng(6)
    trend = np.arange(18) * 0.5 + rng.normal(size=(12, 18)) * 0.3
    for name in ("structural-breaks", "common-breaks"):
        _, m = measured(table(trend), name)
        better = m.frame.filter(pl.col("component") == "line-fits-better")["value"]
        assert (better == 1).all() and [f.code for f in m.findings] == ["stairs"]
        said, m = measured(table(trend), name, model="trend")
        assert {r for (_, k), (_, r) in said.items() if k == "line-fits-better"} == {"trend-in-model"} and not m.findings
        _, m = measured(table(rng.normal(size=(12, 18)) + 3.0 * (np.arange(18) > 8)), name)
        assert m.frame.filter(pl.col("component") == "line-fits-better")["value"].mean() < 0.3


def test_exact_lines_are_left_out_of_trends() -> None:
    lines = np.outer(np.arange(1.0, 5), np.arange(20.0))
    said, _ = measured(table(lines), "common-breaks", model="trend")
    assert {r for _, r in said.values()} == {"too-few"}
    said, _ = measured(table(lines), model="trend")
    assert said["c00", "break-count"] == (0, "")


@pytest.mark.parametrize("years", [12, 20, 25])
def test_all_provinces_and_industries_at_once(years: int) -> None:
    """31 regions by 38 industries through the numerics: the batch gives what one series gives, in a moment (loose bound, no benchmark)."""
    from hinterland.measure.breaks import breaks, regressors

    y = np.random.default_rng(5).normal(size=(31 * 38, years))
    began = time.perf_counter()
    found = breaks(y, regressors(years), h=3)
    assert time.perf_counter() - began < 20
    for i in (0, 500, 1177):
        one = breaks(y[i : i + 1], regressors(years), h=3)
        assert (one.partitions.last[0] == found.partitions.last[i]).all() and one.lwz[0] == pytest.approx(found.lwz[i])
