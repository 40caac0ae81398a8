"""Designs at the edge of what can be estimated: a finding or a note, never a traceback, a silent gap or a numerical warning."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, HinterlandError, HinterlandWarning
from hinterland.evaluate.design import make_design
from hinterland.evaluate.group_time import LEFT_OUT
from hinterland.evaluate.group_time_sample import make_scope

METHODS = ("callaway-santanna", "twfe", "event-study", "ppml")
SIZES: dict[str, tuple[int, int, list[int]]] = {
    "two units, two periods": (2, 2, [2001, 0]),
    "two periods": (30, 2, [2001, 0]),
    "all treated at once": (30, 5, [2002]),
    "all treated in the end": (30, 5, [2002, 2004]),
    "all treated from the start": (30, 5, [2000]),
    "one treated unit": (30, 5, [2003, *[0] * 29]),
    "one never-treated unit": (30, 5, [*[2003] * 29, 0]),
    "adoption after the window": (30, 5, [2009, 2003, 0]),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one cluster": {"cluster": "one"},
    "one cluster and the year": {"cluster": ["one", "year"]},
    "constant covariate": {"covariates": "~ const"},
    "outcome as covariate": {"covariates": "~ y"},
    "treatment as covariate": {"covariates": "~ treated"},
    "group as covariate": {"covariates": "~ ever"},
    "a dummy per unit": {"covariates": "~ C(unit)"},
    "an effect per row": {"fe": ["row"]},
    "an effect per state and year": {"fe": ["state^year"]},
    "huge weights": {"weight": "wild"},
    "large covariate": {"covariates": "~ large"},
    "log of zero": {"covariates": "~ np.log(const - 1)"},
    "cross-sections": {"panel": False, "covariates": "~ x"},
    "small-sample rule none": {"ssc": "none"},
}


CASES = [
    *itertools.product(SIZES, ["plain", "one cluster", "cross-sections"]),
    *itertools.product(
        ["two units, two periods", "one treated unit"], [o for o in OPTIONS if o not in {"plain", "one cluster", "cross-sections"}]
    ),
]


def _frame(units: int, periods: int, starts: list[int]) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    unit, year = np.repeat(np.arange(units), periods), np.tile(2000 + np.arange(periods), units)
    g = np.array([starts[i % len(starts)] for i in range(units)])[unit]
    on = ((g > 0) & (year >= g)).astype(float)
    x = rng.normal(size=len(unit))
    return pl.DataFrame(
        {
            "unit": unit,
            "year": year,
            "g": g,
            "x": x,
            "y": rng.normal(size=len(unit)) + on,
            "n": rng.poisson(3, len(unit)),
            "one": 0 * unit,
            "const": np.ones(len(unit)),
            "treated": on,
            "ever": (g > 0) * 1.0,
            "large": x * 1e150,
            "wild": 10.0 ** rng.integers(-150, 150, len(unit)),
            "state": unit // 4,
            "row": np.arange(len(unit)),
        }
    )


@pytest.mark.parametrize(("size", "option"), CASES)
def test_a_finding_or_a_note(size: str, option: str) -> None:
    frame, options = _frame(*SIZES[size]), dict(OPTIONS[option])
    weight = options.pop("weight", None)
    for method in METHODS:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", HinterlandWarning)
            try:
                panel = hl.read_panel(frame, unit="unit", time="year", weight=weight)
                effects = hl.estimate(panel, "n" if method == "ppml" else "y", hl.adoption(panel, "g"), method, **options)
                effects.tidy()
            except HinterlandError as error:
                assert error.findings  # type: ignore[attr-defined]
                continue
        codes = {n.code for n in effects.notes}
        given = np.isfinite(effects.estimate) & ~effects.terms.reference
        assert given.any()
        assert np.isfinite(effects.std_error[given]).all() or "no-std-error" in codes
        assert np.isfinite(effects.estimate).all() or codes & {"cs-no-overlap", "cs-few-comparison", "cs-few-treated", "cs-no-comparison"}


@pytest.mark.parametrize(("column", "code"), [("wild", "weight-range"), ("large", "scale"), ("np.log(const - 1)", "infinite-covariate")])
def test_numbers_out_of_range_are_named(column: str, code: str) -> None:
    frame = _frame(30, 5, [2003, 0])
    weight, covariates = (column, None) if code == "weight-range" else (None, f"~ {column}")
    panel = hl.read_panel(frame, unit="unit", time="year", weight=weight)
    with pytest.raises(EstimationError) as caught:
        hl.estimate(panel, "y", hl.adoption(panel, "g"), "twfe", covariates=covariates)
    assert [f.code for f in caught.value.findings] == [code]


def test_singletons_leave_as_many_rows_as_the_small_sample_factor_counts() -> None:
    """fixest 0.13 and later leave them out one after another: the fit is that of the sample without them."""
    frame = _frame(30, 6, [2003, 2004, 0])
    holes = frame.filter((pl.col("unit") > 3) | (pl.col("year") == 2002 + pl.col("unit") % 2))
    clean = frame.filter(pl.col("unit") > 3)
    ours, theirs = (
        hl.estimate(p, "y", hl.adoption(p, "g"), "twfe", covariates="~ x")
        for p in (hl.read_panel(f, unit="unit", time="year") for f in (holes, clean))
    )
    assert ours.meta["n_obs"] == theirs.meta["n_obs"] == 156
    assert_allclose(ours.vcov, theirs.vcov, rtol=1e-10)
    assert_allclose(ours.meta["r2"], theirs.meta["r2"], rtol=1e-12)


def test_every_row_alone_is_an_error() -> None:
    panel = hl.read_panel(_frame(30, 5, [2003, 0]), unit="unit", time="year")
    with pytest.raises(EstimationError) as caught:
        hl.estimate(panel, "y", hl.adoption(panel, "g"), "twfe", fe=["row"])
    assert [f.code for f in caught.value.findings] == ["only-singletons"]


def test_shares_are_those_of_the_units_in_the_first_period() -> None:
    """Always-treated units with gaps take no part, so they must not change how the others are weighed (R's did: first period)."""
    rng = np.random.default_rng(4)
    frame = _frame(60, 5, [2002, 2003, 0, 2000]).with_columns(w=pl.Series(rng.uniform(0.5, 2, 300)))
    hole = frame.filter(~((pl.col("g") == 2000) & (pl.col("year") == 2003)))
    results = []
    for data in (frame, hole):
        panel = hl.read_panel(data, unit="unit", time="year", weight="w")
        with pytest.warns(HinterlandWarning):
            results.append(hl.estimate(panel, "y", hl.adoption(panel, "g"), unbalanced="balance").aggregate("overall"))
    assert_allclose(results[1].estimate, results[0].estimate, rtol=1e-12)
    assert_allclose(results[1].std_error, results[0].std_error, rtol=1e-12)


def test_balancing_keeps_the_last_cohort_as_comparison() -> None:
    frame = _frame(30, 6, [2003, 2005]).filter((pl.col("unit") != 4) | (pl.col("year") != 2001))
    panel = hl.read_panel(frame, unit="unit", time="year")
    design = make_design(panel, "y", hl.adoption(panel, "g"), comparison="not-yet-treated")
    scope = make_scope(design, True)
    assert scope.treated.tolist() == [2003]
    assert (scope.cohort == LEFT_OUT).sum() == 1
    assert not (scope.cohort == NEVER).any()


def test_rows_of_dropped_periods_do_not_count_as_units() -> None:
    """Cross-sections without a never-treated cohort: shares come from the rows that are used."""
    frame = _frame(40, 6, [2002, 2003, 2005]).with_columns(unit=pl.col("row"))
    panel, cut = (hl.read_panel(f, unit="unit", time="year") for f in (frame, frame.filter(pl.col("year") < 2005)))
    results = []
    for p in (panel, cut):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HinterlandWarning)
            policy = hl.adoption(panel, "g")
            results.append(hl.estimate(p, "y", policy, comparison="not-yet-treated", panel=False).aggregate("overall"))
    assert_allclose(results[0].std_error[0], results[1].std_error[0], rtol=1e-10)
    assert results[0].meta["n_units"] == frame.filter(pl.col("year") < 2005).height
