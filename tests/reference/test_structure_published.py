"""Upgrading of Chinese cities, 2000–2023, as a published data set computes it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland.measure.entry import measure


@pytest.fixture(scope="module")
def cities(shared_data: Path) -> pl.DataFrame:
    return pl.read_parquet(shared_data / "city_panel_2000_2023" / "gdp_structure.parquet").drop_nulls(["va1", "va2", "va3", "gdp"])


@pytest.mark.parametrize(("name", "column"), [("tertiary-secondary-ratio", "advanced_ratio"), ("structural-level", "upgrade_idx")])
def test_equals_published_columns(cities: pl.DataFrame, name: str, column: str) -> None:
    """The file keeps ratios in single precision, and levels of shares of a GDP that its sectors do not always add up to."""
    adding_up = (pl.sum_horizontal("va1", "va2", "va3") / pl.col("gdp") - 1).abs() < 1e-6
    chosen = cities if name == "tertiary-secondary-ratio" else cities.filter(adding_up)
    table = chosen.unpivot(["va1", "va2", "va3"], index=["adcode", "year"], variable_name="sector", value_name="va")
    found = measure(name, table, region="adcode", time="year", industry="sector", value="va", order=["va1", "va2", "va3"]).frame
    both = (
        found.with_columns(pl.col("adcode").cast(chosen.schema["adcode"])).join(chosen, on=["adcode", "year"]).drop_nulls(["value", column])
    )
    assert both.height > 2000
    assert (both["value"] - both[column]).abs().max() < 5e-6
