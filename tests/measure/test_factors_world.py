"""From the raw inputs of the packaged world to its mediators and its quality: what it was made with comes back."""

from __future__ import annotations

import polars as pl
import pytest

import hinterland as hl


@pytest.fixture(scope="module")
def world() -> hl.World:
    return hl.simulate("demonstration-zones", seed=0)


@pytest.fixture(scope="module")
def accounts(world: hl.World) -> pl.DataFrame:
    frame = world.inputs["accounts"]
    columns = {"region": "adcode", "time": "year", "investment": "investment", "price": "investment_price"}
    stock = hl.measure("capital-stock", frame, **columns).component("capital-stock")  # type: ignore[arg-type]
    return frame.join(stock.select("adcode", "year", capital="value"), on=["adcode", "year"])


def panel(world: hl.World, column: str) -> pl.DataFrame:
    return world.panel.frame.select(pl.col("adcode").cast(pl.String), pl.col("year").cast(pl.Int64), truth=column)


@pytest.mark.parametrize(("factor", "close"), [("capital", 1e-12), ("labour", 2e-4)])
def test_misallocation_is_the_mediator(world: hl.World, accounts: pl.DataFrame, factor: str, close: float) -> None:
    """Capital to rounding; labour to half a person, which is below 2e-4 in the smallest city."""
    columns = {"region": "adcode", "time": "year", "output": "output", factor: factor}
    m = hl.measure(f"{factor}-misallocation", accounts, **columns, elasticity=0.5, reference=world.inputs["accounts_national"])  # type: ignore[arg-type]
    both = m.component("absolute-distortion").join(panel(world, f"{factor}_mismatch"), on=["adcode", "year"])
    assert both.height == 4395
    assert (both["value"] - both["truth"]).abs().max() < close  # type: ignore[operator]


def test_elasticity_is_that_of_the_accounts(accounts: pl.DataFrame) -> None:
    """0.45 in every city, to two standard errors of the pooled slope."""
    columns = {"region": "adcode", "time": "year", "output": "output", "capital": "capital", "labour": "labour"}
    found = hl.measure("output-elasticity", accounts, **columns, elasticity="pooled").meta["elasticities"]["all"]  # type: ignore[arg-type]
    assert abs(found["capital"] - 0.45) < 2 * found["std_error"] < 0.06


def test_knowledge_width_is_quality(world: hl.World) -> None:
    """At most a few hundred patents of a city and year are written out, in patterns within 0.01 of what they stand for."""
    m = hl.measure(
        "knowledge-width", world.inputs["patents"], region="adcode", time="year", entity="patent", item="ipc", patent_type="kind"
    )
    both = m.frame.join(panel(world, "quality"), on=["adcode", "year"])
    assert m.findings == ()
    assert (both["value"] - both["truth"]).abs().max() < 0.01  # type: ignore[operator]
