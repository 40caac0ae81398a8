"""What input-output tables give: net transfer, positions in chains, security; against hl.measure and worked numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.io_table import IOTable

ROLES = {"region": "place", "industry": "trade", "time": "year", "value": "jobs"}


def table(year: int, seed: int, regions: int = 3, sectors: int = 2, **more: Any) -> IOTable:
    rng = np.random.default_rng(seed)
    n = regions * sectors
    f = rng.gamma(2, 50, (n, regions))
    a = rng.uniform(0, 1, (n, n))
    a *= 0.5 / a.sum(axis=0)
    x = np.linalg.solve(np.eye(n) - a, f.sum(axis=1))
    names = [f"r{k}" for k in range(regions)]
    return IOTable(
        a * x,
        f,
        x,
        regions=np.repeat(names, sectors),
        sectors=np.tile([f"i{k}" for k in range(sectors)], regions),
        final_region=np.array(names),
        final_kind=np.array(["final"] * regions),
        year=year,
        prices="constant",
        **more,
    )


def cells(regions: int = 3, industries: int = 2) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    t, r, i = (a.ravel() for a in np.indices((6, regions, industries)))
    return pl.DataFrame({"year": 2010 + t, "place": [f"r{k}" for k in r], "trade": [f"i{k}" for k in i], "jobs": rng.gamma(2, 100, len(t))})


TABLES = [table(2012, 1), table(2007, 2), table(2017, 3)]


@pytest.fixture(scope="module")
def tr() -> hl.Transfer:
    return hl.transfer(cells(), **ROLES, io=TABLES, hosts=["r1", "r2"])


def long(tables: list[IOTable]) -> tuple[pl.DataFrame, pl.DataFrame]:
    made = [t.long() for t in tables]
    return pl.concat([m.deliveries for m in made]), pl.concat([m.final for m in made])


CHAIN = {"region": "region", "industry": "industry", "other": "other", "other_industry": "other_industry", "value": "value", "time": "time"}


@pytest.mark.parametrize("component", ["structure", "demand", "change"])
def test_net_transfer_is_that_of_measure(tr: hl.Transfer, component: str) -> None:
    deliveries, final = long([TABLES[1], TABLES[0]])
    want = hl.measure("mrio-net-transfer", deliveries, final=final, component=component, **CHAIN).frame
    pairs = want.filter(pl.col("value") > 0).group_by("region", "other").agg(pl.col("value").sum())
    both = want.group_by("region", "other").agg(pl.col("value").sum()).filter(pl.col("value") > 0)
    got = tr.flows.filter(component=f"mrio-{component}", time_from=2007, time=2012).filter(pl.col("industry").is_null())
    # Into the region of the measure: its other region is the source.
    joined = got.join(both, left_on=["other", "region"], right_on=["region", "other"], suffix="_want")
    assert joined.height == both.height == 3 and pairs.height
    np.testing.assert_allclose(joined["value"].to_numpy(), joined["value_want"].to_numpy())
    assert set(got["basis"]) == {"modelled"} and not got["imputed"].any()


def test_structure_and_demand_add_up_to_the_change(tr: hl.Transfer) -> None:
    rows = tr.flows.filter(measure="mrio-net-transfer", span="whole").filter(pl.col("industry").is_null())
    first = pl.min_horizontal("region", "other")
    signed = rows.with_columns(
        pair=pl.concat_str(first, pl.max_horizontal("region", "other")),
        value=pl.when(pl.col("other") == first).then("value").otherwise(-pl.col("value")),
    )
    wide = signed.pivot(on="component", index="pair", values="value")
    np.testing.assert_allclose((wide["mrio-structure"] + wide["mrio-demand"]).to_numpy(), wide["mrio-change"].to_numpy())


def test_each_pair_has_one_direction(tr: hl.Transfer) -> None:
    rows = tr.flows.filter(measure="mrio-net-transfer")
    keys = ["component", "span", "time", "industry", "first", "second"]
    paired = rows.with_columns(first=pl.min_horizontal("region", "other"), second=pl.max_horizontal("region", "other"))
    assert paired.select(keys).is_duplicated().sum() == 0
    assert (rows["value"] > 0).all()
    assert rows.select("span", "time_from", "time").unique().sort("time_from", "time").rows() == [
        ("period", 2007, 2012),
        ("whole", 2007, 2017),
        ("period", 2012, 2017),
    ]


def test_worked_example() -> None:
    """Two regions of one sector: A and F of the catalogue; net transfer out of 1 into 2 of 6.343172."""

    def made(a: Any, f: Any, year: int) -> IOTable:
        a, f = np.array(a), np.array(f, dtype=float)
        x = np.linalg.solve(np.eye(2) - a, f.sum(axis=1))
        return IOTable(
            a * x, f, x, np.array(["r0", "r1"]), np.array(["i0", "i0"]), np.array(["r0", "r1"]), np.array(["f", "f"]), year=year, prices="c"
        )

    io = [made([[0.3, 0.1], [0.05, 0.25]], [[80, 20], [10, 60]], 2007), made([[0.28, 0.12], [0.08, 0.27]], [[85, 25], [20, 80]], 2012)]
    tr = hl.transfer(cells(2, 1), **ROLES, io=io)
    row = tr.flows.filter(component="mrio-change").filter(pl.col("industry").is_null()).row(0, named=True)
    assert (row["region"], row["other"]) == ("r0", "r1")
    assert row["value"] == pytest.approx(6.343172, abs=5e-7)


@pytest.mark.parametrize("measure", ["upstreamness", "value-added-export-share"])
def test_positions_in_chains_are_those_of_measure(tr: hl.Transfer, measure: str) -> None:
    deliveries, final = long(TABLES)
    want = hl.measure(measure, deliveries, final=final, **CHAIN).frame
    got = tr.drivers.filter(measure=measure)
    keys = [k for k in ("time", "region", "industry") if k in want.columns]
    both = got.join(want, on=keys, suffix="_want")
    assert both.height == want.height == got.height
    np.testing.assert_allclose(both["value"].to_numpy(), both["value_want"].to_numpy())


@pytest.mark.parametrize(
    ("measure", "by"), [("linkages", None), ("hypothetical-extraction", "region"), ("hypothetical-extraction", "industry")]
)
def test_security_is_that_of_measure(tr: hl.Transfer, measure: str, by: str | None) -> None:
    deliveries, final = long(TABLES)
    want = hl.measure(measure, deliveries, final=final, **CHAIN, **({} if by is None else {"by": by})).frame
    got = tr.security.filter(measure=measure, level=by or "cell")
    keys = [k for k in ("time", "region", "industry", "component") if k in want.columns and want[k].null_count() < want.height]
    both = got.join(want, on=keys, suffix="_want")
    assert both.height == want.height == got.height
    np.testing.assert_allclose(both["value"].to_numpy(), both["value_want"].to_numpy())


def test_embodied_self_sufficiency(tr: hl.Transfer) -> None:
    deliveries, final = long(TABLES)
    for component, more in (("embodied-own", {}), ("embodied-hosts", {"members": ["r1", "r2"]})):
        want = hl.measure("embodied-self-sufficiency", deliveries, final=final, **CHAIN, **more).frame.sort("time", "region")
        got = tr.security.filter(component=component).sort("time", "region")
        np.testing.assert_allclose(got["value"].to_numpy(), want["value"].to_numpy())


def test_supply_by_origin_and_self_sufficiency(tr: hl.Transfer) -> None:
    t = next(t for t in TABLES if t.year == 2012)
    to = np.array([(t.Z[i::2][:, :2].sum(axis=1) + t.F[i::2, 0]).tolist() for i in range(2)])  # what r0 takes of each product, by origin
    share = to / to.sum(axis=1, keepdims=True)
    got = tr.security.filter(component="supply-hhi", region="r0", time=2012).sort("item")
    np.testing.assert_allclose(got["value"].to_numpy(), (share**2).sum(axis=1))
    own = to[:, 0]
    x = t.x[:2]
    used = to.sum(axis=1)
    ratio = tr.security.filter(measure="self-sufficiency", region="r0", time=2012).sort("item")
    np.testing.assert_allclose(ratio["value"].to_numpy(), x / used)
    assert (own <= used).all()


def test_cover_of_what_a_threatened_region_supplies() -> None:
    t = TABLES[0]
    use = pl.DataFrame({"region": ["r1", "r1", "r2", "r2"], "industry": ["i0", "i1"] * 2, "value": [0.8, 0.8, 0.5, 1.0]})
    tr = hl.transfer(cells(), **ROLES, io=t, hosts=["r1", "r2"], threatened=["r0"], utilisation=use)
    lost = np.array([t.Z[i, 2:].sum() + t.F[i, 1:].sum() for i in range(2)])
    spare = np.array([t.x[2] / 0.8 * 0.2 + t.x[4], t.x[3] / 0.8 * 0.2])
    got = tr.security.filter(component="cover").sort("item")["value"].to_numpy()
    np.testing.assert_allclose(got, np.minimum(1, spare / lost))
    assert [n.code for n in tr.notes if n.code == "cover-own-index"]


def test_imports_that_are_not_known_by_product_leave_no_ratio() -> None:
    base = TABLES[0]
    foreign = np.full((1, base.n), 1.0)
    io = IOTable(
        base.Z,
        base.F,
        base.x,
        base.regions,
        base.sectors,
        base.final_region,
        base.final_kind,
        imported_inputs=foreign,
        imported_kind=np.array(["imports"]),
        year=2012,
    )
    rows = hl.transfer(cells(), **ROLES, io=io).security.filter(measure="self-sufficiency")
    assert set(rows["reason"]) == {"imports-unknown"}


def test_one_table_has_no_transfer() -> None:
    tr = hl.transfer(cells(), **ROLES, io=TABLES[0])
    assert "transfer-one-io" in {n.code for n in tr.notes}
    assert tr.flows.filter(basis="modelled").is_empty()


def test_tables_at_current_prices_are_warned_about() -> None:
    now = [table(2007, 1), table(2012, 2)]
    io = [IOTable(t.Z, t.F, t.x, t.regions, t.sectors, t.final_region, t.final_kind, year=t.year) for t in now]
    assert "io-prices" in {f.code for f in hl.transfer(cells(), **ROLES, io=io).findings}


@pytest.mark.parametrize(
    ("io", "code"),
    [
        ([], "not-io-table"),
        (["table"], "not-io-table"),
        ([table(2007, 1), table(2007, 2)], "io-years"),
        ([table(2007, 1), table(2012, 2, sectors=3)], "io-layouts"),
    ],
)
def test_tables_that_do_not_fit(io: Any, code: str) -> None:
    with pytest.raises(hl.InputError) as error:
        hl.transfer(cells(), **ROLES, io=io)
    assert code in {f.code for f in error.value.findings}


def test_costs_of_location_follow_the_industrys_own_deliveries() -> None:
    places = pl.DataFrame({"region": ["r0", "r1", "r2"], "lon": [100.0, 101.0, 110.0], "lat": [30.0] * 3})
    t = TABLES[0]
    tr = hl.transfer(cells(), **ROLES, io=t, places=places)
    rows = tr.drivers.filter(component="location-transport", industry="i0").sort("region")
    z = t.Z.reshape(3, 2, 3, 2)
    tied = z[:, :, :, 0].sum(axis=(1, 2)) + z[:, 0].sum(axis=(0, 2)) + t.F.reshape(3, 2, 3)[:, 0].sum(axis=0)
    lon = np.radians([100.0, 101.0, 110.0])
    h = np.cos(np.radians(30)) ** 2 * np.sin((lon[:, None] - lon) / 2) ** 2
    km = 2 * 6371.0088 * np.arcsin(np.sqrt(h))
    np.testing.assert_allclose(rows["value"].to_numpy(), km @ (tied / tied.sum()))
    assert set(rows["rule"]) == {"location-chains"}
    assert rows.sort("rank")["value"].is_sorted()
