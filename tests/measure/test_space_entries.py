"""Every indicator of inequality, convergence and spatial dependence on tables that are short, empty, constant or full of gaps: a value or a reason, and no warning."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.errors import InputError
from hinterland.labels import catalogue
from hinterland.measure.entry import measure
from hinterland.measure.indicator import Indicator
from hinterland.measure.register import INDICATORS

OURS = [
    i for i in INDICATORS.values() if i.compute.split(".")[3].split(":")[0] in ("inequality", "convergence", "density", "markov", "spatial")
]
N, T = 7, 4
PLACES = pl.DataFrame({"r": [f"r{i}" for i in range(N)], "lon": np.linspace(100, 106, N), "lat": [30.0, 31, 30, 32, 30, 31, 30]})


def grid(values: np.ndarray) -> pl.DataFrame:
    years, regions = np.indices(values.shape)
    return pl.DataFrame(
        {
            "r": [f"r{i}" for i in regions.ravel()],
            "t": 2000 + years.ravel(),
            "v": pl.Series(values.ravel()).fill_nan(None),
            "w": 1.0 + regions.ravel(),
            "g": np.where(regions.ravel() < 3, "a", "b"),
        }
    )


def tables() -> dict[str, pl.DataFrame]:
    y = np.random.default_rng(0).lognormal(size=(T, N))
    gaps = np.where(np.random.default_rng(1).uniform(size=(T, N)) < 0.4, np.nan, y)
    lost = y.copy()
    lost[1], lost[2, 1:] = np.nan, np.nan
    return {
        "whole": grid(y),
        "gaps": grid(gaps),
        "a year lost": grid(lost),
        "a year absent": grid(y).filter(pl.col("t") != 2001),
        "nothing": grid(np.full((T, N), np.nan)),
        "constant": grid(np.full((T, N), 3.0)),
        "zeros": grid(np.zeros((T, N))),
        "some zeros": grid(np.where(y < 0.7, 0.0, y)),
        "one region": grid(y).filter(pl.col("r") == "r0"),
        "two regions": grid(y).filter(pl.col("r").is_in(["r0", "r5"])),
        "one year": grid(y[:1]),
        "ragged": grid(y).filter(~((pl.col("t") == 2000) & (pl.col("r") == "r3"))),
        "no weight": grid(y).with_columns(w=0.0),
        "huge": grid(y * 1e140),
        "tiny": grid(y * 1e-140),
    }


TABLES = tables()


def call(indicator: Indicator, frame: pl.DataFrame) -> pl.DataFrame:
    columns = {"region": "r", "value": "v", "time": "t", "weight": "w", "group": "g"}
    names = {r.name for r in indicator.roles}
    options = {k: v for k, v in (("nearest", 2), ("coordinates", PLACES), ("draws", 9), ("points", 9)) if k in indicator.parameters}
    return measure(indicator.id, frame, **{k: v for k, v in columns.items() if k in names}, **options).frame


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("indicator", OURS, ids=lambda i: i.id)
def test_a_value_or_a_reason(indicator: Indicator, table: str) -> None:
    try:
        found = call(indicator, TABLES[table])
    except InputError as error:
        known = catalogue("en")
        assert all(f"finding.{f.code}" in known for f in error.findings)
        assert {f.code for f in error.findings} <= {"single-period", "zero-value", "no-neighbours"}
        return
    assert ((found["value"].is_null()) == (found["reason"] != "")).all()
    assert found["value"].drop_nulls().is_finite().all()
    assert set(found["reason"]) - {""} <= {k.removeprefix("reason.") for k in catalogue("en") if k.startswith("reason.")}
    assert "undefined" not in set(found["reason"]), found.filter(pl.col("reason") == "undefined")
    assert found["coverage"].is_between(0, 1).all() and (found["n_used"] >= 0).all()
    low, high = indicator.range
    numbers = found["value"].drop_nulls()
    assert (low is None or (numbers >= low - 1e-12).all()) and (high is None or (numbers <= high + 1e-12).all())


@pytest.mark.parametrize("indicator", OURS, ids=lambda i: i.id)
def test_every_component_is_named_and_occurs(indicator: Indicator) -> None:
    found = call(indicator, TABLES["whole"])
    if not indicator.components:
        assert "component" not in found.columns
        return
    assert found["component"].unique(maintain_order=True).to_list() == list(indicator.components)
    for language in ("en", "zh"):
        assert all(catalogue(language)[f"component.{c}"] for c in indicator.components)  # type: ignore[arg-type]


@pytest.mark.parametrize("indicator", OURS, ids=lambda i: i.id)
def test_the_order_of_rows_does_not_matter(indicator: Indicator) -> None:
    frame = TABLES["gaps"]
    assert call(indicator, frame).equals(call(indicator, frame.sample(fraction=1, shuffle=True, seed=1)))
