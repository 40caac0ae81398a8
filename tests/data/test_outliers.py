"""Winsorising, trimming and lagging against documented definitions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy.stats import mstats

from hinterland.data.outliers import bounds, lag, measured, quantile, trim, winsorise
from hinterland.data.panel import Panel

RNG = np.random.default_rng(5)


def panel_of(**columns: object) -> Panel:
    size = len(next(iter(columns.values())))  # type: ignore[arg-type]  # lists
    frame = pl.DataFrame({"unit": [f"u{i // 5}" for i in range(size)], "year": [2000 + i % 5 for i in range(size)], **columns})
    return Panel(frame, "unit", "year")


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.25, 3.0), (0.5, 5.5), (0.9, 9.5), (0.05, 1.0), (0.0, 1.0), (1.0, 10.0), (0.91, 10.0)],
)
def test_quantiles_of_ten_numbers_by_the_formula_of_stata(p: float, expected: float) -> None:
    """Stata Base Reference Manual, pctile: P = np; x(⌊P⌋ + 1), or the mean of x(P) and x(P + 1) where P is whole."""
    assert quantile(np.arange(1.0, 11.0)[::-1], p) == expected


@pytest.mark.parametrize("size", [7, 50, 101, 4395])
def test_quantiles_are_those_that_numpy_documents_as_the_second_definition(size: int) -> None:
    values = RNG.normal(size=size)
    for p in (0.01, 0.05, 0.29, 0.5, 0.95, 0.99):
        assert quantile(values, p) == np.quantile(values, p, method="averaged_inverted_cdf")


@pytest.mark.parametrize("size", [49, 151, 4395])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.13])
def test_winsorised_values_are_those_of_scipy_where_no_quantile_is_whole(size: int, share: float) -> None:
    values = RNG.normal(size=size)
    assert size * share != round(size * share)
    frame = pl.DataFrame({"unit": [str(i) for i in range(size)], "year": [1] * size, "x": values})
    ours = winsorise(Panel(frame, "unit", "year"), ["x"], (share, 1 - share)).frame["x"]
    assert_allclose(ours, np.asarray(mstats.winsorize(values, limits=(share, share))))


def test_missing_values_stay_missing_and_do_not_count() -> None:
    panel = panel_of(x=[None, 1.0, 2.0, 3.0, 100.0, float("nan"), 4.0, 5.0, 6.0, 7.0])
    assert bounds(panel.frame["x"], (0.2, 0.8)) == (2.0, 7.0)
    found = winsorise(panel, ["x"], (0.2, 0.8)).frame["x"].to_list()
    assert found[:5] == [None, 2.0, 2.0, 3.0, 7.0]
    assert np.isnan(found[5])
    assert trim(panel, ["x"], (0.2, 0.8)).frame["x"].fill_nan(None).to_list() == [None, None, 2.0, 3.0, None, None, 4.0, 5.0, 6.0, 7.0]
    assert bounds(pl.Series([None, None], dtype=pl.Float64), (0.1, 0.9)) is None


def test_indicators_and_text_have_no_tails() -> None:
    panel = panel_of(d=[0, 1] * 5, x=list(range(10)), s=["a"] * 10)
    assert measured(panel, ["d", "x", "s", "x"]) == ["x"]
    assert winsorise(panel, ["d", "x", "s"], (0.1, 0.9)).frame["d"].to_list() == [0, 1] * 5


def test_lags_look_up_the_period_and_not_the_row_before() -> None:
    panel = panel_of(x=[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10]).filter(~((pl.col("unit") == "u0") & (pl.col("year") == 2001)))
    moved = lag(panel, ["x", "year"], 1)
    assert moved.frame["x"].to_list() == [None, None, 3.0, 4.0, None, 6.0, 7.0, 8.0, 9.0]
    assert moved.frame.columns == panel.frame.columns
    assert moved.frame["year"].to_list() == panel.frame["year"].to_list()
    assert lag(panel, ["x"], 3).frame["x"].null_count() == 3 + 3
