from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit

Make = Callable[..., Any]


def test_every_event_time_once_with_its_reference(toy: Make) -> None:
    made = toy(starts=(2004, 2006, None))
    tidy = estimate(made.panel, "y", made.policy, "event-study").tidy()
    assert tidy["event_time"].to_list() == list(range(-5, 5))
    assert tidy["term"][0] == "event-time -5"
    reference = tidy.filter(pl.col("reference"))
    assert reference["event_time"].to_list() == [-1]
    assert reference["estimate"].to_list() == [0.0]
    assert reference["std_error"].null_count() == 1
    # 14 units start in 2004 (event times -3…4), 13 in 2006 (-5…2).
    assert tidy["n_treated"].to_list() == [13, 13, 27, 27, 27, 27, 27, 27, 14, 14]


def test_one_cohort_with_never_treated_is_period_by_period_did(toy: Make) -> None:
    made = toy(starts=(2005, None))
    effects = estimate(made.panel, "y", made.policy, "event-study")
    means = (
        made.panel.frame.with_columns(g=pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0).group_by("g", "year").agg(pl.col("y").mean())
    )
    wide = means.pivot("g", index="year", values="y").sort("year")
    gap = (wide["true"] - wide["false"]).to_numpy()
    assert_allclose(effects.estimate, gap - gap[3], atol=1e-12)


def test_noiseless_effects_are_recovered(toy: Make) -> None:
    made = toy(units=60, starts=(2003, 2005, 2007, None))
    design = make_design(made.panel, "y", made.policy)
    path = {e: 0.1 * e**2 if e >= 0 else 0.0 for e in range(-10, 10)}
    effect = np.array(
        [path.get(int(e), 0.0) if g < 9999 else 0.0 for e, g in zip(design.event_time, design.cohort[design.unit], strict=True)]
    )
    y = effect + np.sin(design.unit) + np.cos(design.period)
    frame = made.panel.frame.with_columns(y=pl.Series(y))
    effects = estimate(type(made.panel)(frame, "unit", "year"), "y", made.policy, "event-study")
    assert_allclose(effects.estimate, [path[e] for e in effects.terms.event_time.tolist()], atol=1e-10)


def test_ends_are_binned_and_said(toy: Make) -> None:
    made = toy(starts=(2004, 2006, None))
    effects = estimate(made.panel, "y", made.policy, "event-study", leads=-3, lags=2)
    assert effects.terms.event_time.tolist() == [-3, -2, -1, 0, 1, 2]
    assert effects.terms.n_treated.tolist() == [27] * 6
    values = {n.code: n.values for n in effects.notes}["event-time-binned"]
    assert values == {"leads": -3, "lags": 2, "low": 26, "high": 28}
    one_end = estimate(made.panel, "y", made.policy, "event-study", lags=2)
    assert [n.code for n in one_end.notes] == ["event-time-binned-high"]


def test_another_reference_shifts_the_path(toy: Make) -> None:
    made = toy(starts=(2005, None))
    first = estimate(made.panel, "y", made.policy, "event-study")
    second = estimate(made.panel, "y", made.policy, "event-study", reference=-2)
    at = first.terms.event_time.tolist().index(-2)
    assert_allclose(second.estimate, first.estimate - first.estimate[at], atol=1e-12)
    assert second.terms.reference.tolist().index(True) == at
    assert second.meta["reference_event_time"] == -2


def test_without_never_treated_the_earliest_lead_is_a_second_reference(toy: Make) -> None:
    made = toy(starts=(2004, 2005, 2006))
    effects = estimate(made.panel, "y", made.policy, "event-study")
    assert effects.terms.event_time[effects.terms.reference].tolist() == [-5, -1]
    assert [n.code for n in effects.notes] == ["design-no-never", "second-reference"]
    binned = estimate(made.panel, "y", made.policy, "event-study", leads=-2, lags=2)
    assert binned.terms.event_time[binned.terms.reference].tolist() == [-1]


@pytest.mark.parametrize(("starts", "code"), [((2005,), "treatment-collinear"), ((2004, 2008), "event-times-not-identified")])
def test_unidentified_paths_are_findings(toy: Make, starts: tuple[int, ...], code: str) -> None:
    made = toy(starts=starts)
    with pytest.raises(EstimationError) as caught:
        estimate(made.panel, "y", made.policy, "event-study")
    assert caught.value.findings[0].code == code


def test_always_treated_units_are_left_out_and_named(toy: Make) -> None:
    made = toy(starts=(2001, 2005, None))
    effects = estimate(made.panel, "y", made.policy, "event-study")
    values = {n.code: n.values for n in effects.notes}["always-treated-dropped"]
    assert values["count"] == 14
    assert "u000" in str(values["units"])
    assert effects.meta["n_units"] == 26
    with pytest.raises(EstimationError, match="every treated unit"):
        estimate(made.panel, "y", toy(starts=(2001, None)).policy, "event-study")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"reference": -9}, "reference-not-observed"),
        ({"leads": 0}, "bad-window"),
        ({"lags": -1}, "bad-window"),
        ({"leads": -2.5}, "not-whole"),
        ({"reference": -4, "leads": -3}, "bad-window"),
    ],
)
def test_bad_windows_are_findings(toy: Make, options: dict[str, Any], code: str) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        fit(make_design(made.panel, "y", made.policy), "event-study", **options)
    assert caught.value.findings[0].code == code


def test_unbalanced_panel_with_gaps_and_weights(toy: Make) -> None:
    made = toy(drop=0.3, weight=True)
    design = make_design(made.panel, "y", made.policy, covariates=["x"])
    effects = fit(design, "event-study")
    dummies = [(design.event_time == e) & (design.cohort[design.unit] < 9999) for e in effects.terms.event_time if e != -1]
    columns = [
        *dummies,
        design.covariates[:, 0],
        *(design.unit == i for i in range(design.n_units)),
        *(design.period == t for t in range(1, design.n_periods)),
    ]
    root = np.sqrt(design.weight)
    beta = np.linalg.lstsq(np.column_stack(columns) * root[:, None], design.y * root, rcond=None)[0]
    assert_allclose(effects.estimate[~effects.terms.reference], beta[: len(dummies)], atol=1e-9)
    assert_allclose(effects.meta["covariate_estimates"], beta[len(dummies)], atol=1e-9)
    for e, count in zip(effects.terms.event_time, effects.terms.n_treated, strict=True):
        rows = (design.event_time == e) & (design.cohort[design.unit] < 9999)
        assert count == len(np.unique(design.unit[rows]))
