"""Observed flows, gravity, patterns, drivers, similarity, phases; what is absent; and what bad input finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure.flows import PATTERNS
from hinterland.measure.location import logistic_curves, logistic_stages

ROLES = {"region": "place", "industry": "trade", "time": "year", "value": "jobs"}


def cells(years: int = 6, regions: int = 6, industries: int = 5, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.gamma(0.8, 500, (1, regions, industries)) * np.exp(rng.normal(0, 0.2, (years, regions, industries)).cumsum(axis=0))
    t, r, i = (a.ravel() for a in np.indices(x.shape))
    return pl.DataFrame({"year": 2010 + t, "place": [f"r{k}" for k in r], "trade": [f"i{k}" for k in i], "jobs": x.ravel()})


FLOWS = pl.DataFrame(
    {
        "source": ["r0", "r0", "r1", "r0", "r2", "r0"],
        "host": ["r1", "r1", "r2", "r2", "r2", "r1"],
        "trade": ["i0", "i0", "i1", "i0", "i0", "i1"],
        "year": [2010, 2011, 2013, 2015, 2015, 2015],
        "value": [5.0, 2.0, 3.0, 4.0, 12.0, None],
    }
)
PLACES = pl.DataFrame({"region": [f"r{k}" for k in range(6)], "lon": np.linspace(100, 115, 6), "lat": np.linspace(25, 35, 6)})
LEVELS = pl.DataFrame({"region": [f"r{k}" for k in range(6)], "value": [6.0, 5, 4, 3, 2, 1]})


def test_flows_of_a_span_are_those_after_its_first_year() -> None:
    rows = hl.transfer(cells(), **ROLES, flows=FLOWS).flows.filter(measure="observed-flow")
    whole = rows.filter(span="whole").select("region", "other", "industry", "value", "reason").rows()
    assert whole == [
        ("r0", "r1", "i0", 2.0, ""),
        ("r0", "r1", "i1", None, "missing-input"),
        ("r0", "r2", "i0", 4.0, ""),
        ("r1", "r2", "i1", 3.0, ""),
    ]
    yearly = rows.filter(span="year").sort("time").select("time_from", "time", "value").rows()
    assert yearly == [(2009, 2010, 5.0), (2010, 2011, 2.0), (2012, 2013, 3.0), (2014, 2015, None), (2014, 2015, 4.0)]
    assert set(rows["basis"]) == {"observed"} and not rows["imputed"].any()


def test_sums_and_shares_of_observed_flows_leave_out_what_stays_at_home() -> None:
    rows = hl.transfer(cells(), **ROLES, flows=FLOWS).sources.filter(basis="observed", span="whole")
    inflow = rows.filter(measure="flow-sum", role="host").sort("region").select("region", "value", "component").rows()
    assert inflow == [("r1", 2.0, "observed-flow"), ("r2", 7.0, "observed-flow")]
    shares = rows.filter(measure="source-share", other="r2").sort("region").select("region", "value", "rank").rows()
    assert shares == [("r0", pytest.approx(4 / 7), 1), ("r1", pytest.approx(3 / 7), 2)]


def test_sources_asked_about_keep_their_share_of_all() -> None:
    asked = hl.transfer(cells(), **ROLES, flows=FLOWS, sources=["r1"], levels=LEVELS)
    rows = asked.sources.filter(measure="source-share", basis="observed", span="whole")
    assert rows.select("region", "other", "value", "rank").rows() == [("r1", "r2", pytest.approx(3 / 7), 2)]
    assert set(asked.pattern["region"].drop_nulls()) == set(asked.reception["region"].drop_nulls()) == {"r1"}


def test_undertaking_intensity_is_that_of_measure() -> None:
    known = FLOWS.drop_nulls("value")
    want = hl.measure("undertaking-intensity", known, region="source", other="host", industry="trade", time="year", value="value").frame
    got = hl.transfer(cells(), **ROLES, flows=known).sources.filter(measure="undertaking-intensity")
    both = got.join(want, left_on=["time", "industry", "region"], right_on=["year", "trade", "host"], suffix="_want")
    assert both.height == want.height
    assert both["value"].equals(both["value_want"].alias("value"))
    at = got.filter(time=2015, industry="i0", region="r2")["value"].item()
    assert at == pytest.approx(4 / 16)


def test_without_foundings_at_home_there_is_no_intensity() -> None:
    tr = hl.transfer(cells(), **ROLES, flows=FLOWS.filter(pl.col("source") != pl.col("host")))
    assert tr.sources.filter(measure="undertaking-intensity").is_empty()
    assert "transfer-no-own" in {n.code for n in tr.notes}


def test_flows_without_year_and_industry_are_one_sum() -> None:
    tr = hl.transfer(cells(), **ROLES, flows=FLOWS.select("source", "host", "value"))
    rows = tr.flows.filter(measure="observed-flow")
    assert rows.select("region", "other", "value", "span", "time").rows() == [
        ("r0", "r1", 7.0, None, None),
        ("r0", "r2", 4.0, None, None),
        ("r1", "r2", 3.0, None, None),
    ]


@pytest.fixture(scope="module")
def world() -> hl.Transfer:
    w = hl.simulate("demonstration-zones", seed=0)
    jobs = w.input("employment").with_columns(province=pl.col("adcode").str.head(2) + "0000")
    jobs = jobs.group_by("province", "industry", "year").agg(pl.col("persons").sum())
    flows = w.input("flows").rename({"projects": "value"}).filter(pl.col("industry").is_in(["13", "26"]))
    return hl.transfer(
        jobs,
        region="province",
        industry="industry",
        time="year",
        value="persons",
        hosts=["500000", "510000", "520000"],
        flows=flows,
        gravity=["ln_distance", "contiguous", "relatedness", "zone"],
        policies={"zones": 2010, "others": 2014},
        complete=True,
    )


def test_gravity_finds_the_law_behind_the_flows(world: hl.Transfer) -> None:
    rows = world.drivers.filter(measure="gravity")
    for term, true in {"ln_distance": -0.9, "contiguous": 0.4, "relatedness": 1.5}.items():
        row = rows.filter(component=term).row(0, named=True)
        assert abs(row["value"] - true) < 4 * row["std_error"] < 1
        assert row["conf_low"] < row["value"] < row["conf_high"]
    assert rows.filter(component="zone")["reason"].item() == "not-identified"
    assert "term-absorbed" in {f.code for f in world.findings}


def test_fitted_flows_are_a_model_and_add_up_to_the_observed(world: hl.Transfer) -> None:
    fitted = world.flows.filter(measure="gravity-flow")
    observed = world.flows.filter(measure="observed-flow", span="whole")
    assert set(fitted["basis"]) == {"modelled"}
    # A sum over all hosts of one source by year, and so over years, is fitted exactly by the effects.
    both = [f.group_by("region").agg(pl.col("value").sum()).sort("region")["value"].to_numpy() for f in (fitted, observed)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-6)


def test_phases_lie_between_breaks_and_beside_policies(world: hl.Transfer) -> None:
    p = world.phases
    found = p.filter(pl.col("component").str.contains(r"^break-\d$"), measure="structural-breaks").drop_nulls("value")
    starts = p.filter(measure="phase", component="phase-mean")
    for row in found.iter_rows(named=True):
        same = starts.filter(pl.col("series") == row["series"], pl.col("region").eq_missing(pl.lit(row["region"])))
        assert row["value"] in same["time"].to_list() and row["value"] + 1 in same["time_from"].to_list()
    beside = p.filter(measure="policy-distance")
    assert (beside["value"] == (beside["time"] - beside["time_from"]).cast(pl.Float64)).all()
    assert set(beside["policy"]) == {"zones", "others"}
    assert p.filter(series="moved-share")["reason"].str.contains("short-series").all()


def test_pattern_is_that_of_measure() -> None:
    frame = cells()
    tr = hl.transfer(frame, **ROLES, flows=FLOWS, levels=LEVELS)
    rows = tr.pattern.filter(basis="observed", measure="transfer-pattern")
    flows = rows.select(source="region", host="other", trade="industry").unique(maintain_order=True)
    activity = frame.filter(year=2010).select(region="place", industry="trade", value="jobs")
    want = hl.measure(
        "transfer-pattern", flows, region="source", other="host", industry="trade", levels=LEVELS, activity=activity, orient=LEVELS
    )
    for component in ("tier-gap", "complexity-gap", "relatedness-in-host"):
        got = rows.filter(component=component).join(
            want.component(component), left_on=["region", "other", "industry"], right_on=["source", "host", "trade"]
        )
        assert got.height == 3
        assert got["value"].equals(got["value_right"].alias("value"))
    labels = want.component("transfer-pattern")["value"].drop_nulls().to_list()
    assert set(rows["label"]) - {""} == {PATTERNS[int(k) - 1] for k in labels}
    shares = tr.pattern.filter(measure="pattern-share").filter(pl.col("other").is_null()).group_by("basis").agg(pl.col("value").sum())
    np.testing.assert_allclose(shares["value"].to_numpy(), 1)
    assert tr.pattern.filter(basis="imputed")["imputed"].all()


def test_levels_may_come_from_gradients() -> None:
    frame = cells().with_columns(staff=pl.col("jobs") * pl.col("trade").str.slice(1).cast(pl.Float64).add(1))
    tr = hl.transfer(frame, **ROLES, labour="staff")
    assert tr.pattern.height and "transfer-levels-from-gradient" in {n.code for n in tr.notes}


def test_selection_and_similarity_are_those_of_measure() -> None:
    frame = cells()
    planned = pl.DataFrame({"region": ["r1", "r1", "r2", "r2"], "industry": ["i0", "i1", "i1", "i7"]})
    tr = hl.transfer(frame, **ROLES, hosts=["r1", "r2"], planned=planned)
    last = frame.filter(year=2015)
    want = hl.measure("relatedness-density", last, region="place", industry="trade", value="jobs").frame.filter(
        pl.col("place").is_in(["r1", "r2"])
    )
    got = tr.selection.filter(measure="relatedness-density").sort("region", "industry")
    assert got["value"].equals(want.sort("place", "trade")["value"])


def test_costs_of_location_without_tables_rest_on_markets() -> None:
    wages = pl.DataFrame({"region": [f"r{k}" for k in range(6)], "value": [1.0, 2, 3, 4, 5, 6]})
    rows = hl.transfer(cells(), **ROLES, places=PLACES, wages=wages, hosts=["r0", "r5"]).drivers.filter(measure="location-cost")
    assert set(rows.filter(component="location-transport")["rule"]) == {"location-markets"}
    pay = rows.filter(component="location-labour", industry="i0").sort("region")
    assert pay["value"].to_list() == pytest.approx([1 / 3.5, 6 / 3.5]) and pay["rank"].to_list() == [1, 2]


def test_paths_are_those_of_measure() -> None:
    frame = cells().join(PLACES, left_on="place", right_on="region")
    tr = hl.transfer(frame, **ROLES, places=PLACES)
    want = hl.measure("gravity-centre", frame, **ROLES, x="lon", y="lat").component("centre-longitude").sort("year", "trade")
    got = tr.paths.filter(level="industry").sort("time", "industry")
    np.testing.assert_allclose(got["longitude"].to_numpy(), want["value"].to_numpy())
    moved = hl.measure("gravity-shift", frame, **ROLES, x="lon", y="lat", compare="previous").frame.sort("year", "trade")
    np.testing.assert_allclose(got.drop_nulls("distance")["distance"].to_numpy(), moved["value"].to_numpy())


def test_stages_of_all_industries_are_fitted_together() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(2000.0, 2016)
    series = (
        100 / (1 + np.exp(-rng.uniform(0.2, 0.8, (8, 1)) * (time - rng.uniform(2003, 2012, (8, 1))))) * np.exp(rng.normal(0, 0.02, (8, 16)))
    )
    together = logistic_curves(time, series)
    alone = [logistic_stages(time, s) for s in series]
    assert [f.ceiling for f in together] == pytest.approx([f.ceiling for f in alone], rel=1e-8)
    from scipy.optimize import least_squares

    for y, fit in zip(series, together, strict=True):
        start = (fit.ceiling * 1.1, fit.rate * 0.9, fit.midpoint + 0.5)
        best = least_squares(lambda p: p[0] / (1 + np.exp(-p[1] * (time - p[2]))) - y, start, x_scale=(100, 1, 10), xtol=1e-14, ftol=1e-14)  # noqa: B023
        assert ((fit.fitted - y) ** 2).sum() <= 2 * best.cost * (1 + 1e-9)


def test_bare_tables_say_what_is_missing() -> None:
    tr = hl.transfer(cells(2), **ROLES)
    absent = {n for n, f in tr.tables.items() if f.is_empty()}
    assert {"transfer_structure", "transfer_pattern", "transfer_paths"} <= absent
    assert {f"transfer-no-{x}" for x in ("groups", "flows", "io", "labour", "levels", "places", "neighbours", "planned", "policies")} <= {
        n.code for n in tr.notes
    }
    for note in tr.notes:
        assert note.text("en") and note.text("zh")
    assert repr(tr).startswith("Transfer(6 regions × 5 industries, 2010–2011: scale, sources")


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({"periods": [2010, 1990]}, {"periods-wrong"}),
        ({"periods": [2010]}, {"periods-wrong"}),
        ({"hosts": ["r1", "x"], "sources": []}, {"region-unknown"}),
        ({"groups": {"zz": "labour"}}, {"groups-unmatched"}),
        ({"labour": "jobs"}, {"output-is-labour"}),
        ({"threatened": ["x"], "policies": {"zone": "2010"}}, {"region-unknown", "bad-dates"}),
        ({"flows": FLOWS.with_columns(pl.col("value") * -1), "places": PLACES.head(2)}, {"negative-value", "no-places"}),
        ({"flows": FLOWS.with_columns(source=pl.lit("x"), host=pl.lit("y"))}, {"flow-regions"}),
        ({"gravity": ["distance"]}, {"gravity-needs-flows"}),
        ({"planned": pl.DataFrame({"region": ["x"], "industry": ["i0"]})}, {"planned-regions"}),
        ({"region": "county"}, {"unknown-column"}),
    ],
)
def test_bad_input_is_found(more: dict[str, Any], codes: set[str]) -> None:
    with pytest.raises(hl.InputError) as error:
        hl.transfer(cells(), **(ROLES | more))
    assert {f.code for f in error.value.findings} == codes


def test_one_year_is_no_change() -> None:
    with pytest.raises(hl.InputError, match="change-needs-two-periods"):
        hl.transfer(cells(1), **ROLES)


def test_it_is_frozen_and_its_tables_are_named() -> None:
    tr = hl.transfer(cells(2), **ROLES)
    with pytest.raises(AttributeError):
        tr.scale = tr.sources  # type: ignore[misc]
    assert next(iter(tr.tables)) == "transfer_scale" and tr.tables["transfer_paths"] is tr.paths
