"""The Effects noun: columns, tests, restriction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from hinterland.evaluate.result import BLANK, Effects, Terms

COLUMNS = [
    "term", "cohort", "time", "event_time", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
    "band_low", "band_high", "reference", "n_treated",
]  # fmt: skip


@pytest.fixture
def effects() -> Effects:
    terms = Terms.make(
        ("a", "b", "c"),
        event_time=np.array([-1, 0, 1]),
        reference=np.array([True, False, False]),
        n_treated=np.array([5, 5, 3]),
    )
    influence = np.array([[0.0, 1.0, 1.0], [0.0, -1.0, 0.5], [0.0, 0.5, -2.0]])
    return Effects(
        "m", "y", "event-time", terms, np.array([0.0, 2.0, np.nan]), influence.T @ influence, influence, np.array(list("pqr")), df=9
    )


def test_tidy(effects: Effects) -> None:
    tidy = effects.tidy()
    assert tidy.columns == COLUMNS
    assert tidy["cohort"].null_count() == 3 and tidy["event_time"].to_list() == [-1, 0, 1]
    row = tidy.row(1, named=True)
    assert row["std_error"] == pytest.approx(1.5)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(2 / 1.5, 9))
    assert row["conf_high"] == pytest.approx(2 + stats.t.ppf(0.975, 9) * 1.5)
    assert row["band_low"] is None
    assert tidy.row(0, named=True)["p_value"] is None
    assert tidy.row(2, named=True)["estimate"] is None
    assert effects.tidy(0.9).row(1, named=True)["conf_high"] < row["conf_high"]
    assert tidy.schema["time"] == pl.Int64


def test_take_drops_the_band(effects: Effects) -> None:
    banded = effects.with_band(draws=99)
    assert banded.band is not None
    some = banded.take(np.array([False, True, False]))
    assert some.band is None and some.terms.name == ("b",)
    assert some.vcov.shape == (1, 1) and some.influence.shape == (3, 1)
    assert "1 terms: 2 (SE 1.5)" in repr(some)


def test_blank_columns() -> None:
    terms = Terms.make(("x",))
    assert terms.cohort.tolist() == [BLANK] and terms.n_treated.tolist() == [-1] and not terms.reference.any()


def test_degrees_of_freedom_by_term(effects: Effects) -> None:
    own = replace(effects, estimate=np.array([0.0, 2.0, 1.0]), df=3.0, term_df=np.array([np.nan, 3.0, 7.0]))
    tidy = own.tidy()
    error = own.std_error
    for i, df in ((1, 3.0), (2, 7.0)):
        row = tidy.row(i, named=True)
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(own.estimate[i] / error[i], df))
        assert row["conf_high"] == pytest.approx(own.estimate[i] + stats.t.ppf(0.975, df) * error[i])
    assert tidy["p_value"][0] is None
    alone = own.take(np.array([2]))
    assert alone.df == 7.0
    assert own.critical() == pytest.approx(stats.t.ppf(0.975, 3))
