"""What every estimator does with input that is wrong or odd: a clear error, or numbers with a note that names the rows.

The cases are those in which the libraries of the field were seen to end in a traceback or, worse, in silence. ``error``: refused, whatever
the method. ``note``: estimated, with a note that names what is concerned. ``same``: nothing is wrong, and the numbers are those of the
plain panel.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.adoption import adoption, adoption_from_treatment
from hinterland.errors import InputError

UNITS, YEARS = 144, tuple(range(2001, 2011))


def plain() -> pl.DataFrame:
    """144 places × 2 industries is what triple differences need; others use the first industry alone."""
    rng = np.random.default_rng(11)
    rows = []
    for i in range(UNITS):
        g = (2005, 2007, 0)[i % 3] if i % 12 < 6 else 0
        level = rng.normal()
        for year in YEARS:
            for part in (0, 1):
                effect = (1.0 + 0.1 * (year - g)) * part if g and year >= g else 0.0
                y = level + 0.1 * (year - 2001) + effect + rng.normal(scale=0.5)
                rows.append((i, year, part, g, float(g > 0 and year >= g), y, rng.normal()))
    names = ["place", "year", "part", "g", "d", "y", "x"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        lon=100 + (pl.col("place") % 12) * 1.2, lat=24 + (pl.col("place") // 12) * 1.2, exposure=pl.col("part").cast(pl.Float64)
    )
    return frame.with_columns(
        unit=pl.col("place") * 10 + pl.col("part"), share=pl.when(pl.col("g") > 0).then(0.2 + 0.1 * (pl.col("place") % 8)).otherwise(0.0)
    )


PLAIN = plain()
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "dose": {"dose": "share", "basis": "spline", "degree": 1},
    "triple": {"partition": "exposure"},
    "spillover": {"rings": [130.0]},
    "matrix-completion": {"replicates": 20, "penalties": 4},
    "sdid": {"variance": "jackknife"},
}
METHODS = [m for m in hl.methods()["id"] if m != "ppml"]


def panel_of(frame: pl.DataFrame, method: str) -> hl.Panel:
    used = frame if method == "triple" else frame.filter(pl.col("part") == 1)
    return hl.read_panel(used, unit="unit", time="year", coordinates=("lon", "lat"))


def run(method: str, frame: pl.DataFrame, *, reversible: bool = False, **more: Any) -> hl.Effects:
    panel = panel_of(frame, method)
    policy = adoption_from_treatment(panel, "d", reversible=True) if reversible else adoption(panel, "g", never=(0, None))
    comparison = "not-yet-treated" if "not-yet-treated" in accepts(method) else "never-treated"
    return hl.estimate(panel, "y", policy, method, comparison=more.pop("comparison", comparison), **{**OPTIONS.get(method, {}), **more})


def accepts(method: str) -> list[str]:
    return hl.methods().filter(pl.col("id") == method)["accepts"].item().to_list()


def said(effects: hl.Effects) -> str:
    return " ".join(str(n) for n in effects.notes)


def outcome(method: str, frame: pl.DataFrame, **more: Any) -> hl.Effects | InputError:
    """Effects, or the error; a warning of ours is no failure, anything else is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hl.HinterlandWarning)
        try:
            return run(method, frame, **more)
        except InputError as error:
            return error


def assert_clear(error: InputError) -> None:
    assert error.findings
    assert all(f.what and f.where and f.remedy for f in error.findings)


def where_place(place: int, year: int | None = None) -> pl.Expr:
    here = pl.col("place") == place
    return here if year is None else here & (pl.col("year") == year)


def change(column: str, value: Any, rows: pl.Expr) -> pl.DataFrame:
    return PLAIN.with_columns(pl.when(rows).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


REFUSED: Mapping[str, tuple[Callable[[], pl.DataFrame], str]] = {
    "duplicate unit-period": (lambda: pl.concat([PLAIN, PLAIN.filter(where_place(3, 2004))]), "duplicate-unit-period"),
    "date varies in a unit": (lambda: change("g", 2006, where_place(3, 2004)), "varying-adoption"),
    "constant outcome": (lambda: PLAIN.with_columns(y=pl.lit(1.0)), "constant-outcome"),
    "infinite outcome": (lambda: change("y", float("-inf"), where_place(3, 2004)), "infinite"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_for_everyone_is_refused(case: str, method: str) -> None:
    make, code = REFUSED[case]
    found = outcome(method, make())
    assert isinstance(found, InputError), found
    assert_clear(found)
    assert code in {f.code for f in found.findings}


def test_local_projections_allow_a_reversal_once_told_how_long_effects_take() -> None:
    frame = change("d", 0.0, where_place(3) & (pl.col("year") > 2008))
    found = outcome("lp-did", frame, reversible=True, nonabsorbing=2)
    assert isinstance(found, hl.Effects), found
    assert np.isfinite(found.estimate[~found.terms.reference]).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_reversal_is_refused_with_its_units_or_estimated_by_methods_that_allow_it(method: str) -> None:
    frame = change("d", 0.0, where_place(3) & (pl.col("year") > 2008))
    with pytest.raises(InputError, match="switched off again"):
        adoption_from_treatment(panel_of(frame, method), "d")
    found = outcome(method, frame, reversible=True)
    if "non-absorbing" in accepts(method) and method != "lp-did":
        assert isinstance(found, hl.Effects), found
        assert np.isfinite(found.estimate[~found.terms.reference]).any()
        return
    assert isinstance(found, InputError)
    assert "treatment-reversal" in {f.code for f in found.findings}
    assert "31" in str(found)


NOTED: Mapping[str, tuple[Callable[[], pl.DataFrame], str]] = {
    "missing outcome": (lambda: change("y", None, where_place(3, 2004)), "31"),
    "outcome not a number": (lambda: change("y", float("nan"), where_place(3, 2004)), "31"),
    "single row of a unit": (lambda: PLAIN.filter(~where_place(3) | (pl.col("year") == 2004)), "31"),
    "always treated": (lambda: change("g", 2001, where_place(3)), "31"),
    "a tenth missing": (lambda: PLAIN.filter((pl.col("place") * 7 + pl.col("year") * 3) % 10 > 0), ""),
    "cohort of one unit": (lambda: change("g", 2009, where_place(3)), "2009"),
    "missing date for never": (lambda: PLAIN.with_columns(g=pl.col("g").replace(0, None)), "never treated"),
    "date not a number for never": (lambda: PLAIN.with_columns(g=pl.col("g").cast(pl.Float64).replace(0.0, float("nan"))), "never treated"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", NOTED)
def test_what_is_odd_is_estimated_with_a_note_or_refused(case: str, method: str) -> None:
    make, named = NOTED[case]
    found = outcome(method, make())
    if isinstance(found, InputError):
        assert_clear(found)
        return
    assert np.isfinite(found.estimate[~found.terms.reference]).any()
    assert found.notes, "never silent"
    if named:
        assert named in said(found), said(found)


@pytest.mark.parametrize("method", METHODS)
def test_a_collinear_covariate_is_named(method: str) -> None:
    if "covariates" not in accepts(method):
        pytest.skip(f"{method} takes no covariates")
    frame = PLAIN.with_columns(twice=2 * pl.col("x") + 1)
    found = outcome(method, frame, covariates=["x", "twice"])
    if isinstance(found, InputError):
        assert_clear(found)
        return
    assert "twice" in said(found), said(found)


@pytest.mark.parametrize("method", METHODS)
def test_without_never_treated_units_there_is_an_estimate_with_a_note_or_a_clear_error(method: str) -> None:
    found = outcome(method, PLAIN.filter(pl.col("g") > 0))
    if isinstance(found, InputError):
        assert_clear(found)
        return
    assert np.isfinite(found.estimate[~found.terms.reference]).any()
    assert found.notes


SAME: Mapping[str, Callable[[], pl.DataFrame]] = {
    "text units": lambda: PLAIN.with_columns(unit=pl.format("u{}", pl.col("unit").cast(pl.String).str.zfill(6))),
    "infinite date for never": lambda: PLAIN.with_columns(g=pl.col("g").cast(pl.Float64).replace(0.0, float("inf"))),
    "shuffled rows": lambda: PLAIN.sample(fraction=1.0, shuffle=True, seed=1),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", SAME)
def test_what_is_only_written_differently_gives_the_same(case: str, method: str) -> None:
    want, got = outcome(method, PLAIN), outcome(method, SAME[case]())
    assert isinstance(want, hl.Effects), want
    assert isinstance(got, hl.Effects), got
    assert_allclose(got.estimate, want.estimate, rtol=1e-7, atol=1e-9)
    assert_allclose(got.vcov, want.vcov, rtol=1e-6, atol=1e-9 * max(np.nanmax(np.abs(want.vcov)), 1e-30))
