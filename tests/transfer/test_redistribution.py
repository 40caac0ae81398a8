"""Scale, structure and balances: the numbers of hl.measure, and identities between frames."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hinterland as hl
from hinterland.transfer.tables import TRANSFER_TABLES

ROLES = {"region": "place", "industry": "trade", "time": "year", "value": "jobs"}
GROUPS = {"i0": "labour", "i1": "labour", "i2": "capital"}


def cells(seed: int = 0, years: int = 6, regions: int = 7, industries: int = 5) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.gamma(1.5, 500, (1, regions, industries)) * np.exp(rng.normal(0, 0.2, (years, regions, industries)).cumsum(axis=0))
    t, r, i = (a.ravel() for a in np.indices(x.shape))
    labels = {"year": 2010 + t, "place": [f"r{k}" for k in r], "trade": [f"i{k}" for k in i]}
    return pl.DataFrame(labels).with_columns(jobs=pl.Series(x.ravel()), staff=pl.Series(x.ravel() / rng.uniform(1, 3, x.size)))


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return cells()


@pytest.fixture(scope="module")
def tr(frame: pl.DataFrame) -> hl.Transfer:
    return hl.transfer(frame, **ROLES, groups=GROUPS, periods=[2010, 2012, 2015], labour="staff")


def test_every_frame_has_the_columns_of_its_table(tr: hl.Transfer) -> None:
    assert {name: dict(frame.schema) for name, frame in tr.tables.items()} == {name: dict(c) for name, c in TRANSFER_TABLES.items()}


def test_a_number_or_a_reason(tr: hl.Transfer) -> None:
    for name, frame in tr.tables.items():
        number = frame["longitude" if name == "transfer_paths" else "value"]
        assert ((frame["reason"] == "") == number.is_finite().fill_null(value=False)).all(), name


@pytest.mark.parametrize(
    "measure", ["share-change", "absolute-transfer", "relative-transfer", "gross-shift", "closure-share", "concentration-shift"]
)
@pytest.mark.parametrize(("span", "years"), [("whole", (2010, 2015)), ("period", (2012, 2015))])
def test_scale_is_what_measure_gives(tr: hl.Transfer, frame: pl.DataFrame, measure: str, span: str, years: tuple[int, int]) -> None:
    want = hl.measure(measure, frame.filter(pl.col("year").is_in(years)), **ROLES).frame.rename({"trade": "industry"})
    want = want.rename({"place": "region"}) if "place" in want.columns else want
    keys = [k for k in ("region", "industry") if k in want.columns]
    rows = tr.scale.filter(measure=measure, span=span, time_from=years[0]).filter(pl.col("level").is_in(["cell", "industry"]))
    both = rows.join(want, on=keys, suffix="_want")
    assert both.height == want.height == rows.height
    np.testing.assert_allclose(both["value"].to_numpy(), both["value_want"].to_numpy(), rtol=1e-12)
    assert both["n_used"].equals(both["n_used_want"].alias("n_used"))


def test_yearly_values_are_those_of_consecutive_years(tr: hl.Transfer, frame: pl.DataFrame) -> None:
    want = hl.measure("gross-shift", frame, **ROLES, compare="previous").frame
    rows = tr.scale.filter(measure="gross-shift", span="year", level="industry").sort("time", "industry")
    np.testing.assert_allclose(rows["value"].to_numpy(), want.sort("year", "trade")["value"].to_numpy(), rtol=1e-12)
    assert (rows["time"] - rows["time_from"]).unique().to_list() == [1]


def test_shift_share_adds_up_to_the_change(tr: hl.Transfer, frame: pl.DataFrame) -> None:
    first, last = (frame.filter(year=y).sort("place", "trade")["jobs"].to_numpy() for y in (2010, 2015))
    parts = ["national-growth", "industry-mix", "regional-shift", "new-industry"]
    rows = tr.scale.filter(measure="shift-share", span="whole", level="cell").filter(pl.col("component").is_in(parts))
    total = rows.group_by("region", "industry").agg(pl.col("value").sum()).sort("region", "industry")["value"].to_numpy()
    np.testing.assert_allclose(total, last - first, rtol=1e-9, atol=1e-9)
    regions = tr.scale.filter(measure="shift-share", span="whole", level="region", component="regional-shift").sort("region")
    cell = rows.filter(component="regional-shift").group_by("region").agg(pl.col("value").sum()).sort("region")
    np.testing.assert_allclose(regions["value"].to_numpy(), cell["value"].to_numpy())


def test_regional_shift_is_absolute_transfer_and_sums_to_zero(tr: hl.Transfer) -> None:
    keys = ["region", "industry"]
    shift, moved = (
        tr.scale.filter(span="whole", level="cell").filter(pl.col("measure") == m, pl.col("component") == c).sort(keys)["value"].to_numpy()
        for m, c in (("shift-share", "regional-shift"), ("absolute-transfer", ""))
    )
    np.testing.assert_allclose(shift, moved, atol=1e-9)
    sums = tr.scale.filter(measure="absolute-transfer", span="whole", level="cell").group_by("industry").agg(pl.col("value").sum())
    np.testing.assert_allclose(sums["value"].to_numpy(), 0, atol=1e-8)


def test_gains_are_losses(tr: hl.Transfer) -> None:
    rows = tr.sources.filter(measure="net-balance", span="whole").filter(pl.col("group").is_null())
    gain, loss, net = (rows.filter(component=c)["value"].sum() for c in ("net-gain", "net-loss", "net-balance"))
    volume = tr.scale.filter(component="moved-volume", span="whole", level="all")["value"].item()
    assert gain == pytest.approx(loss) == pytest.approx(volume)
    assert net == pytest.approx(0, abs=1e-8)


def test_imputed_flows_exhaust_losses_and_are_marked(tr: hl.Transfer) -> None:
    flows = tr.flows.filter(span="whole")
    assert flows["imputed"].all() and set(flows["basis"]) == {"imputed"} and set(flows["concept"]) == {"flow"}
    out = flows.group_by("region").agg(pl.col("value").sum()).sort("region")
    loss = tr.sources.filter(component="net-loss", span="whole").filter(pl.col("group").is_null(), pl.col("value") > 0).sort("region")
    np.testing.assert_allclose(out["value"].to_numpy(), loss["value"].to_numpy())
    shares = tr.sources.filter(measure="source-share", span="whole").group_by("other").agg(pl.col("value").sum())
    np.testing.assert_allclose(shares["value"].to_numpy(), 1)


def test_no_row_of_redistribution_names_a_source(tr: hl.Transfer) -> None:
    assert "other" not in tr.scale.columns and "other" not in tr.structure.columns
    assert tr.sources.filter(concept="redistribution")["other"].null_count() == tr.sources.filter(concept="redistribution").height
    assert set(tr.scale["concept"]) == {"redistribution"}


def test_groups_divide_what_moved(tr: hl.Transfer) -> None:
    """Two of five industries have no group: parts of the groups and theirs are all."""
    parts = tr.structure.filter(component="moved-part", span="whole")
    volume = tr.structure.filter(component="moved-volume", span="whole")
    total = tr.scale.filter(component="moved-volume", span="whole", level="all")["value"].item()
    np.testing.assert_allclose(parts["value"].to_numpy(), volume["value"].to_numpy() / total)
    assert parts["value"].sum() < 1
    assert tr.scale.filter(industry="i3")["group"].null_count() == tr.scale.filter(industry="i3").height


def test_a_group_is_measured_as_one_industry(tr: hl.Transfer, frame: pl.DataFrame) -> None:
    merged = frame.with_columns(trade=pl.col("trade").replace_strict(GROUPS, default=None)).drop_nulls("trade")
    merged = merged.group_by("year", "place", "trade").agg(pl.col("jobs").sum())
    want = hl.measure("gross-shift", merged, **ROLES).frame.sort("trade")
    got = tr.structure.filter(measure="gross-shift", span="whole").sort("group")
    np.testing.assert_allclose(got["value"].to_numpy(), want["value"].to_numpy())


def test_a_gap_in_one_year_is_left_out_of_group_sums_in_every_year(frame: pl.DataFrame) -> None:
    gap = (pl.col("year") == 2012) & (pl.col("place") == "r0") & (pl.col("trade") == "i0")
    holed = frame.filter(~gap)
    without = frame.filter(~((pl.col("place") == "r0") & (pl.col("trade") == "i0")))
    a, b = (
        hl.transfer(f, **ROLES, groups=GROUPS).structure.filter(measure="share-change").sort("region", "group") for f in (holed, without)
    )
    np.testing.assert_allclose(a["value"].to_numpy(), b["value"].to_numpy())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), years=st.integers(2, 5), regions=st.integers(2, 5), industries=st.integers(1, 4))
def test_any_table_gives_every_identity(seed: int, years: int, regions: int, industries: int) -> None:
    tr = hl.transfer(cells(seed, years, regions, industries), **ROLES)
    moved = tr.scale.filter(measure="absolute-transfer", level="cell", span="whole")
    assert moved["value"].sum() == pytest.approx(0, abs=1e-6)
    gross = tr.scale.filter(measure="gross-shift", level="industry")["value"]
    assert gross.is_between(0, 1).all()
    assert tr.sources.filter(measure="source-share")["value"].is_between(0, 1 + 1e-12).all()
    share = tr.scale.filter(component="moved-share")["value"]
    assert share.is_between(0, 1).all()


def test_gradient_is_potential(tr: hl.Transfer, frame: pl.DataFrame) -> None:
    want = hl.measure(
        "gradient-coefficient", frame.filter(year=2015), region="place", industry="trade", output="jobs", labour="staff"
    ).component("gradient")
    got = tr.sources.filter(measure="gradient-coefficient", component="gradient").sort("region", "industry")
    np.testing.assert_allclose(got["value"].to_numpy(), want.sort("place", "trade")["value"].to_numpy())
    assert set(got["concept"]) == {"potential"}
    assert ((got["value"] > 1) == (got["role"] == "source")).all()


@pytest.mark.parametrize("table", sorted(TRANSFER_TABLES))
def test_no_two_rows_say_the_same_thing(table: str) -> None:
    """Whatever a row is about is in its keys, also where several kinds of flow and tables are given."""
    world = hl.simulate("demonstration-zones", seed=0)
    jobs = world.input("employment").with_columns(province=pl.col("adcode").str.head(2) + "0000")
    jobs = jobs.group_by("province", "industry", "year").agg(pl.col("persons").sum())
    flows = world.input("flows").rename({"projects": "value"}).with_columns(industry=pl.col("industry").replace({"13": "C", "26": "D"}))
    tr = hl.transfer(
        jobs,
        region="province",
        industry="industry",
        time="year",
        value="persons",
        hosts=["500000", "510000"],
        periods=[2008, 2015, 2022],
        groups={"C": "made", "D": "made", "A": "grown"},
        flows=flows,
        gravity=["ln_distance"],
        levels=pl.DataFrame({"region": jobs["province"].unique().sort()}).with_row_index("value"),
        policies={"a": 2012, "b": 2014},
        neighbours="provinces",
        places="provinces",
        complete=True,
    )
    frame = tr.tables[table]
    numbers = {"value", "std_error", "conf_low", "conf_high", "weight", "rank", "label", "n_used", "coverage", "reason"}
    numbers |= {"longitude", "latitude", "distance", "bearing"}
    keys = [c for c in frame.columns if c not in numbers]
    assert frame.select(keys).is_duplicated().sum() == 0, frame.filter(frame.select(keys).is_duplicated()).head()
