"""What people get wrong most often: each is a finding that names its cells, and no number that is silently wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.administrative_cells import merge_cells
from hinterland.data.industry_crosswalk import convert_industry
from hinterland.errors import Finding

CELLS = {"region": "city", "industry": "sector", "value": "jobs"}
TABLE = pl.DataFrame(
    {"city": np.repeat(list("ABC"), 3), "sector": list("pqr") * 3, "jobs": [60.0, 30, 10, 20, 60, 20, 20, 10, 70], "km2": [1.0] * 9}
)
PRICES = pl.DataFrame(
    {"place": np.repeat(list("ABCD"), 4), "good": list("wxyz") * 4, "index": [102.0, 105, 100, 99, *[104.0, 103, 101, 100] * 3]}
)
PRICE_COLUMNS = {"region": "place", "item": "good", "value": "index"}
MARGINS = (
    *("location-quotient", "symmetric-location-quotient", "herfindahl-specialisation", "krugman-specialisation", "industrial-entropy"),
    *("relative-diversity", "jacobs-diversity", "hoover-localisation", "locational-gini", "theil-localisation", "herfindahl-concentration"),
)
SHARES = ("herfindahl-specialisation", "krugman-dissimilarity", "industrial-entropy", "jacobs-diversity", "variety")


def refused(name: str, frame: pl.DataFrame, **arguments: Any) -> list[Finding]:
    with pytest.raises(hl.InputError) as caught:
        hl.measure(name, frame, **arguments)
    return list(caught.value.findings)


def with_jobs(city: str, sector: str | None, number: float) -> pl.DataFrame:
    chosen = (pl.col("city") == city) & (pl.lit(value=True) if sector is None else pl.col("sector") == sector)
    return TABLE.with_columns(jobs=pl.when(chosen).then(number).otherwise("jobs"))


@pytest.mark.parametrize("name", MARGINS)
def test_negative_cells(name: str) -> None:
    (finding,) = refused(name, with_jobs("B", "q", -3), **CELLS)
    assert finding.code == "negative-value" and "-3" in finding.what and "row 5" in finding.where and "jobs" in finding.where
    m = hl.measure(name, with_jobs("B", "q", -3), on_negative="nan", **CELLS)
    assert [f.code for f in m.findings if f.code == "negative-value"] == ["negative-value"], "still said, as a warning"
    assert m.frame["coverage"].min() < 1.0


@pytest.mark.parametrize("name", MARGINS)
def test_all_zero_margins(name: str) -> None:
    for frame, dim, label in (
        (with_jobs("B", None, 0), "city", "B"),
        (TABLE.with_columns(jobs=pl.col("jobs") * (pl.col("sector") != "q")), "sector", "q"),
    ):
        m = hl.measure(name, frame, **CELLS)
        if dim not in m.frame.columns:
            continue
        own = m.frame.filter(pl.col(dim) == label)
        assert own["value"].count() == 0, "no silent zero"
        assert set(own["reason"]) == {"zero-region-total" if dim == "city" else "zero-industry-total"}
        (finding,) = [f for f in m.findings if f.code == "empty-margin"]
        assert f"{'region' if dim == 'city' else 'industry'} {label}" in finding.where


def test_islands() -> None:
    ring = pl.DataFrame({"region": list("AAB"), "other": list("BCC")})
    m = hl.measure("market-segmentation", PRICES, pairs=ring, **PRICE_COLUMNS)
    island = m.component("segmentation").filter(place="D")
    assert island["reason"].to_list() == ["no-neighbour"] and island["value"].to_list() == [None] and island["n_used"].to_list() == [0]
    assert any(f.code == "no-neighbour" and "D" in f.what for f in m.findings)
    income = pl.DataFrame({"place": list("ABCD"), "y": [1.0, 2, 3, 9]})
    (finding,) = refused("moran", income, region="place", value="y", neighbours=ring)
    assert finding.code == "island" and "D" in finding.what
    kept = hl.measure("local-moran", income, region="place", value="y", neighbours=ring, islands="keep", draws=19)
    assert kept.component("local-moran-i").filter(place="D")["reason"].to_list() == ["no-neighbours"]


def test_fewer_than_three_goods() -> None:
    m = hl.measure("market-segmentation", PRICES.filter(pl.col("good").is_in(["w", "x"])), pairs="all", **PRICE_COLUMNS)
    assert set(m.frame["reason"]) == {"too-few-goods"} and m.frame["value"].count() == 0
    (finding,) = m.findings
    assert finding.code == "too-few-goods" and "it has 2" in finding.what
    (finding,) = refused("market-segmentation", PRICES, pairs="all", least_goods=2, **PRICE_COLUMNS)
    assert finding.code == "out-of-range", "fewer than three goods cannot be asked for"


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_pairs(count: int) -> None:
    pairs = pl.DataFrame({"region": list("AB")[:count], "other": list("BC")[:count]})
    m = hl.measure("relative-price-variance", PRICES, pairs=pairs, **PRICE_COLUMNS)
    assert set(m.frame["reason"]) == {"too-few-pairs"} and m.frame["value"].count() == 0
    assert "too-few-pairs" in [f.code for f in m.findings]
    m = hl.measure("market-segmentation", PRICES, pairs=pairs, **PRICE_COLUMNS)
    assert set(m.component("segmentation").filter(pl.col("place") != "D")["reason"]) <= {"too-few-pairs", "no-neighbour"}
    assert m.frame["value"].count() == 0


def panel(elasticity: float) -> pl.DataFrame:
    """Three regions, of which A has the given elasticity of capital."""
    rng = np.random.default_rng(2)
    years, beta = np.arange(2000, 2020), np.array([elasticity, 0.4, 0.6])
    capital, labour = rng.lognormal(3, 1, (20, 3)), rng.lognormal(3, 0.1, (20, 3))
    output = capital**beta * labour ** (1 - beta)
    return pl.DataFrame(
        {"region": list("ABC") * 20, "year": np.repeat(years, 3), "y": output.ravel(), "k": capital.ravel(), "l": labour.ravel()}
    )


@pytest.mark.parametrize("elasticity", [0.02, 0.98, 1.3, -0.2])
def test_elasticities_outside_their_bounds(elasticity: float) -> None:
    columns = {"region": "region", "time": "year", "output": "y", "capital": "k", "labour": "l"}
    for name in ("output-elasticity", "capital-misallocation", "labour-misallocation"):
        m = hl.measure(name, panel(elasticity), elasticity="by-region", year_effects="common", **columns)
        bad = m.frame.filter(pl.col("reason") == "elasticity-outside-bounds")
        assert bad["region"].unique().to_list() == ["A"] and bad["value"].count() == 0
        (finding,) = [f for f in m.findings if f.code == "elasticity-outside-bounds"]
        assert "A:" in finding.what and m.meta["elasticities_outside_bounds"] == 1
    given = panel(0.4).with_columns(b=pl.lit(elasticity))
    m = hl.measure("capital-misallocation", given, region="region", time="year", output="y", capital="k", factor_elasticity="b")
    assert m.frame["value"].count() == 0 and set(m.frame["reason"]) == {"elasticity-outside-bounds"}


def test_codes_that_the_crosswalk_lacks() -> None:
    cells = pl.DataFrame({"region": ["110000"] * 3, "time": [2010] * 3, "industry": ["0111", "9999", "0112"], "v": [1.0, 2.0, 3.0]})
    with pytest.raises(hl.InputError) as caught:
        convert_industry(cells, from_="2011", to="2017", values=["v"])
    (finding,) = caught.value.findings
    assert finding.code == "industry-absent" and "9999" in finding.what + finding.where
    kept = convert_industry(cells, from_="2011", to="2017", values=["v"], unknown="report")
    assert [f.code for f in kept.findings] == ["industry-absent"] and kept.unmatched["industry"].to_list() == ["9999"]


def test_regions_that_no_division_knows() -> None:
    cells = pl.DataFrame({"region": ["110000", "998800", "522400"], "time": [2010] * 3, "industry": ["13"] * 3, "v": [1.0, 2.0, 3.0]})
    got = merge_cells(cells, values=["v"])
    (finding,) = [f for f in got.findings if f.code == "region-absent"]
    assert "998800" in finding.what and "522400" not in finding.what and "1 row(s)" in finding.where
    assert got.frame["v"].sum() == 6.0


@pytest.mark.parametrize("name", SHARES)
def test_shares_that_do_not_sum(name: str) -> None:
    parts = TABLE.with_columns(jobs=pl.col("jobs") / 100, group=pl.lit("g"))
    more = {"group": "group"} if name == "variety" else {}
    assert hl.measure(name, parts, given="shares", **CELLS, **more).frame["value"].count() > 0
    wrong = parts.with_columns(jobs=pl.when((pl.col("city") == "B") & (pl.col("sector") == "q")).then(0.9).otherwise("jobs"))
    (finding,) = refused(name, wrong, given="shares", **CELLS, **more)
    assert finding.code == "shares-do-not-sum" and "region B (1.3)" in finding.where
    (finding,) = refused(name, TABLE.with_columns(group=pl.lit("g")), given="shares", **CELLS, **more)
    assert finding.code == "shares-do-not-sum" and "100" in finding.remedy, "per cent are recognised"


def test_levels_and_shares_of_composites_outside_their_range() -> None:
    frame = pl.DataFrame({"r": ["A", "A", "B", "B"], "k": list("xyxy"), "u": [0.5, 1.2, 0.3, 0.2]})
    (finding,) = refused("coupling-coordination", frame, region="r", item="k", value="u")
    assert finding.code == "level-outside" and "1.2" in finding.what and "A" in finding.where
