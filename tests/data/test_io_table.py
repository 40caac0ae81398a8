"""The input-output table as a noun: its checks, and every table that is made from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.io_netting import import_shares

REGIONS, SECTORS, KINDS = ("east", "west", "north"), ("farming", "steel", "services"), ("consumption", "investment")


def world(seed: int = 0, regions: tuple[str, ...] = REGIONS, exports: bool = True, **more: Any) -> hl.IOTable:
    """A table that balances to rounding error, with exports, imported inputs and two rows of value added."""
    rng = np.random.default_rng(seed)
    R, S, K = len(regions), len(SECTORS), len(KINDS)
    n = R * S
    Z, F = rng.uniform(0, 10, (n, n)), rng.uniform(5, 50, (n, R * K))
    out = rng.uniform(1, 20, n) * exports
    x = Z.sum(axis=1) + F.sum(axis=1) + out
    inputs = 0.1 * (x - Z.sum(axis=0)) * exports
    rest = x - Z.sum(axis=0) - inputs
    given = {
        "Z": Z,
        "F": F,
        "x": x,
        "regions": np.repeat(regions, S),
        "sectors": np.tile(SECTORS, R),
        "final_region": np.repeat(regions, K),
        "final_kind": np.tile(KINDS, R),
        "value_added": np.stack([0.6 * rest, 0.4 * rest]),
        "value_added_kind": np.array(["wages", "surplus"]),
        "exports": out,
        "imported_inputs": inputs[None, :],
        "imported_kind": np.array(["imports"]),
        "unit": "10k-yuan",
        "year": 2017,
    }
    return hl.IOTable(**(given | more))


def competitive(seed: int = 0, regions: tuple[str, ...] = REGIONS) -> hl.IOTable:
    """Regions side by side, with imports and inflow inside their uses."""
    t = world(seed, regions, exports=False).margins()
    rng = np.random.default_rng(seed + 1)
    imports = rng.uniform(0, 2, t.n)
    return replace(t, imports=imports, exports=imports + t.x * 0, error=np.zeros(t.n), findings=())


def codes(error: hl.InputError) -> list[str]:
    return [f.code for f in error.findings]


def test_repr_says_size_unit_and_year() -> None:
    t = world()
    assert repr(t) == "IOTable(table 2017: 3 regions of 3 sectors, n = 9, 6 columns of final demand, 10k-yuan)"
    assert (t.n, t.n_regions, t.n_sectors, t.is_regular, t.is_linked) == (9, 3, 3, True, True)
    assert t.import_treatment == "separate"


def test_coefficients_of_the_worked_example() -> None:
    t = hl.IOTable(
        Z=np.array([[150.0, 500], [200, 100]]),
        F=np.array([[350.0], [1700]]),
        x=np.array([1000.0, 2000]),
        regions=["r", "r"],
        sectors=["1", "2"],
        final_region=["r"],
        final_kind=["final"],
    )
    assert_allclose(t.A, [[0.15, 0.25], [0.2, 0.05]], rtol=1e-15)
    assert_allclose(t.value_added, [[650, 1400]])
    assert t.findings == ()
    assert t.import_treatment == "within"


def test_arrays_are_not_copied_and_cannot_be_written() -> None:
    t = world()
    again = hl.IOTable(t.Z, t.F, t.x, t.regions, t.sectors, t.final_region, t.final_kind, exports=t.exports)
    assert np.shares_memory(again.Z, t.Z)
    with pytest.raises(ValueError, match="read-only"):
        again.Z[0, 0] = 1.0
    Z = t.Z.copy()
    hl.IOTable(Z, t.F, t.x, t.regions, t.sectors, t.final_region, t.final_kind, exports=t.exports)
    Z[0, 0] += 1  # the caller's own array stays free


def test_every_shape_that_does_not_fit_is_named() -> None:
    t = world()
    with pytest.raises(hl.InputError) as caught:
        hl.IOTable(t.Z[:-1], t.F, t.x, t.regions, t.sectors[1:], t.final_region, t.final_kind[1:])
    assert [f.what for f in caught.value.findings] == [
        "Z has shape (8, 9), not (9, 9)",
        "sectors has shape (8,), not (9,)",
        "final_kind has shape (5,), not (6,)",
    ]


def test_gaps_repeats_and_scattered_regions_are_found_together() -> None:
    t = world()
    Z = t.Z.copy()
    Z[2, 3] = np.nan
    regions = t.regions.copy()
    regions[-1] = "east"
    with pytest.raises(hl.InputError) as caught:
        replace(t, Z=Z, regions=regions)
    assert codes(caught.value) == ["io-gap", "io-duplicate-label", "io-region-order"]
    assert "east · services" in caught.value.findings[0].where


def test_a_lost_column_is_an_error_and_rounding_a_warning() -> None:
    t = world()
    with pytest.raises(hl.InputError) as caught:
        replace(t, F=t.F[:, 1:], final_region=t.final_region[1:], final_kind=t.final_kind[1:], imported_final=t.imported_final[1:])
    assert codes(caught.value) == ["io-unbalanced"]
    assert "rows miss output" in str(caught.value)
    rounded = replace(t, x=t.x.round(2))
    assert [f.code for f in rounded.findings] == ["io-row-balance", "io-column-balance"]
    assert_allclose(rounded.balance()["row_residual"], rounded.x - t.x, atol=1e-12)


def test_negative_entries_and_the_error_column_are_named() -> None:
    t = world()
    F, error = t.F.copy(), np.zeros(t.n)
    F[0, 1], error[0] = -3.0, t.F[0, 1] + 3
    changed = replace(t, F=F, error=error)
    assert [f.code for f in changed.findings] == ["io-error-column", "io-negative"]
    assert "'investment'" in changed.findings[1].what
    assert changed.balance().row(0, named=True)["error"] == error[0]


def test_a_sector_without_output_that_uses_inputs() -> None:
    t = world()
    x = t.x.copy()
    x[0] = 0.0
    with pytest.raises(hl.InputError):
        replace(t, x=x)
    silent = replace(t, x=x, error=x - t.x, value_added=t.value_added * (x / t.x), imported_inputs=t.imported_inputs * (x / t.x))
    assert "io-no-output" in [f.code for f in silent.findings]
    assert not silent.A[:, 0].any()


def test_final_demand_by_region() -> None:
    t = world()
    assert_allclose(t.final_demand, t.F.reshape(9, 3, 2).sum(axis=2))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_aggregation_adds_up(seed: int) -> None:
    t = world(seed)
    a = t.aggregate(
        regions={"east": "coast", "north": "coast"}, sectors={"farming": "goods", "steel": "goods"}, final={"investment": "all"}
    )
    assert list(zip(a.regions, a.sectors, strict=True)) == [(r, s) for r in ("coast", "west") for s in ("goods", "services")]
    assert list(a.final_kind) == ["consumption", "all"] * 2
    for name in ("Z", "F", "x", "exports", "value_added", "imported_inputs"):
        assert_allclose(getattr(a, name).sum(), getattr(t, name).sum())
    goods = np.isin(t.sectors, ["farming", "steel"]) & np.isin(t.regions, ["east", "north"])
    assert_allclose(a.Z[0, 0], t.Z[np.ix_(goods, goods)].sum())
    assert_allclose(a.A * a.x, a.Z)
    assert a.findings == ()


def test_aggregation_to_nothing_new_is_the_table() -> None:
    t = world()
    a = t.aggregate()
    assert_allclose(a.Z, t.Z)
    assert_allclose(a.F, t.F)
    assert list(a.regions) == list(t.regions)


def test_unknown_labels_of_a_mapping() -> None:
    with pytest.raises(hl.InputError) as caught:
        world().aggregate(regions={"eest": "x"}, sectors={"iron": "y"})
    assert codes(caught.value) == ["io-unknown-label"] * 2
    assert "'east'" in caught.value.findings[0].remedy


def test_some_regions_keep_their_balance() -> None:
    t = world()
    own = t.within("west")
    assert_allclose(own.Z, t.Z[3:6, 3:6])
    assert_allclose(
        own.exports, t.exports[3:6] + np.delete(t.Z[3:6], [3, 4, 5], axis=1).sum(axis=1) + t.F[3:6][:, [0, 1, 4, 5]].sum(axis=1)
    )
    assert list(own.imported_kind) == ["imports", "other regions"]
    assert_allclose(own.imported_final, t.F[[0, 1, 2, 6, 7, 8]][:, 2:4].sum(axis=0))
    assert own.findings == ()
    two = t.within("north", "east")
    assert list(two.region_labels) == ["east", "north"]
    assert_allclose(two.row_residual, 0, atol=1e-10)
    assert t.within(*REGIONS) is t
    assert list(t.by_region()) == list(REGIONS)
    with pytest.raises(hl.InputError, match="io-unknown-label"):
        t.within("south")
    with pytest.raises(hl.InputError, match="io-no-region"):
        t.within()


def test_margins_hold_all_uses_and_all_trade() -> None:
    t = world()
    m = t.margins()
    S = 3
    assert_allclose(m.x, t.x)
    assert not m.is_linked
    assert m.import_treatment == "competitive"
    assert_allclose(m.row_residual, 0, atol=1e-10)
    assert_allclose(m.column_residual, 0, atol=1e-10)
    assert_allclose(m.Z[:S, :S], sum(t.Z[k * S : (k + 1) * S, :S] for k in range(3)))
    assert_allclose(m.outflow.reshape(3, S).sum(axis=0), m.inflow.reshape(3, S).sum(axis=0))
    assert m.notes[0].text("en").startswith("Deliveries between regions")
    with pytest.raises(hl.InputError, match="io-no-margins"):
        m.margins()


def test_margins_add_to_trade_with_regions_outside() -> None:
    """A table of some provinces also trades with provinces that it does not have."""
    t = world()
    away = np.full(t.n, 2.0)
    open_ = replace(t, outflow=away, inflow=away)
    assert open_.is_linked
    m, without = open_.margins(), t.margins()
    assert_allclose(m.outflow, without.outflow + 2)
    assert_allclose(m.inflow, without.inflow + 2)
    assert not m.is_linked


def test_one_region_of_a_stack_keeps_its_margins() -> None:
    m = world().margins()
    own = m.by_region()["west"]
    assert_allclose(own.outflow, m.outflow[3:6])
    assert_allclose(own.inflow, m.inflow[3:6])
    assert own.findings == ()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_netting_keeps_both_balances(seed: int) -> None:
    t = competitive(seed)
    d = t.domestic()
    assert d.import_treatment == "separate"
    assert not d.imports.any()
    assert not d.inflow.any()
    for name in ("row_residual", "column_residual"):
        assert_allclose(getattr(d, name), getattr(t, name), atol=1e-9)
    assert_allclose(d.x, t.x)
    assert_allclose(d.value_added, t.value_added)
    s = import_shares(t)
    assert ((s.share >= 0) & (s.share <= 1)).all()
    taken = d.imported_inputs.sum() - t.imported_inputs.sum() + d.imported_final.sum() + s.transit.sum() + s.beyond.sum()
    assert_allclose(taken, (t.imports + t.inflow).sum())
    assert d.domestic() is d


def test_netting_by_hand() -> None:
    """Uses 100 of which 20 imported: every use loses a fifth; exports lose nothing."""
    t = hl.IOTable(
        Z=np.array([[40.0]]),
        F=np.array([[50.0, 10.0]]),
        x=np.array([110.0]),
        regions=["r"],
        sectors=["s"],
        final_region=["r", "r"],
        final_kind=["consumption", "investment"],
        exports=np.array([30.0]),
        imports=np.array([5.0]),
        inflow=np.array([15.0]),
    )
    d = t.domestic()
    assert_allclose([*d.Z[0], *d.F[0], d.exports[0]], [32, 40, 8, 30])
    assert_allclose(d.imported_inputs, [[2], [6]])
    assert list(d.imported_kind) == ["imports", "inflow"]
    assert_allclose(d.imported_final, [10, 2])
    assert_allclose(d.A, [[32 / 110]])


def test_imports_beyond_use_come_out_of_exports() -> None:
    t = hl.IOTable(
        Z=np.array([[4.0]]),
        F=np.array([[6.0]]),
        x=np.array([12.0]),
        regions=["r"],
        sectors=["s"],
        final_region=["r"],
        final_kind=["consumption"],
        exports=np.array([20.0]),
        imports=np.array([18.0]),
    )
    d = t.domestic()
    assert_allclose([d.Z[0, 0], d.F[0, 0], d.exports[0]], [0, 0, 12])
    assert "io-imports-exceed-use" in [f.code for f in d.findings]
    beyond = replace(t, exports=np.array([5.0]), error=np.array([15.0])).domestic()
    assert_allclose([beyond.exports[0], beyond.error[0]], [0, 12])
    assert {"io-imports-exceed-use", "io-imports-exceed-supply"} <= {f.code for f in beyond.findings}


def test_double_deflation() -> None:
    t = world()
    p = {"farming": 1.25, "steel": 0.8, "services": 1.1}
    d = t.deflate(p, prices="constant 2012", imported=1.05)
    by_row = np.array([p[str(s)] for s in t.sectors])
    assert_allclose(d.Z, t.Z / by_row[:, None])
    assert_allclose(d.x, t.x / by_row)
    assert_allclose(d.value_added[0], d.x - d.Z.sum(axis=0) - t.imported_inputs[0] / 1.05)
    assert (d.prices, d.findings) == ("constant 2012", ())
    frame = pl.DataFrame({"region": t.regions, "sector": t.sectors, "value": by_row})
    for given_as in (by_row, frame, frame.drop("region").unique()):
        assert_allclose(t.deflate(given_as, prices="constant 2012", imported=1.05).Z, d.Z)
    assert_allclose(t.deflate(dict.fromkeys(SECTORS, 1.0), prices="p").value_added[0], t.value_added.sum(axis=0))


@pytest.mark.parametrize(
    "given_as",
    [
        {"farming": 1.0},
        [1.0, 2.0],
        np.zeros(9),
        pl.DataFrame({"sector": ["steel"], "price": [1.0]}),
        pl.DataFrame({"sector": ["steel"] * 2, "value": [1.0, 2]}),
    ],
)
def test_deflators_that_do_not_fit(given_as: Any) -> None:
    with pytest.raises(hl.InputError, match="io-deflator"):
        world().deflate(given_as, prices="p")


def test_imported_deflator_must_be_above_zero() -> None:
    with pytest.raises(hl.InputError, match="io-deflator"):
        world().deflate(np.ones(9), prices="p", imported=0.0)


def test_long_frames_feed_the_measures() -> None:
    """The measures see the same table as the arrays give."""
    from hinterland.measure.multiregional import induced_output, table

    first, second = world(0), world(1, year=2020)
    a, b = first.long(), second.long()
    roles = {
        "region": "region",
        "industry": "industry",
        "other": "other",
        "other_industry": "other_industry",
        "value": "value",
        "time": "time",
    }
    got = hl.measure("mrio-transfer", pl.concat([a.deliveries, b.deliveries]), final=pl.concat([a.final, b.final]), **roles)
    change = got.component("mrio-change").sort("region", "industry", "other")["value"].to_numpy()
    solved = [induced_output(table(t.Z, t.final_demand, x=t.x)) for t in (first, second)]
    order = np.lexsort((first.sectors, first.regions))
    by_label = np.argsort(first.region_labels)
    assert_allclose(change.reshape(9, 3), (solved[1] - solved[0])[order][:, by_label], rtol=1e-10)


def test_long_frames_add_up_to_output() -> None:
    t = competitive(3)
    long = t.long()
    rows = pl.concat([long.deliveries.select("region", "industry", "value"), long.final.select("region", "industry", "value")])
    total = rows.group_by("region", "industry", maintain_order=True).agg(pl.col("value").sum())
    named = pl.DataFrame({"region": t.regions, "industry": t.sectors, "x": t.x})
    joined = named.join(total, on=["region", "industry"])
    assert_allclose(joined["value"], joined["x"])
    assert {"(exports)", "(imports)", "(outflow)", "(inflow)"} <= set(long.final["other"])


def test_extraction_takes_long_frames() -> None:
    t = world()
    long = t.long()
    roles = {
        "region": "region",
        "industry": "industry",
        "other": "other",
        "other_industry": "other_industry",
        "value": "value",
        "time": "time",
    }
    got = hl.measure("hypothetical-extraction", long.deliveries, final=long.final, by="region", **roles)
    assert (got.component("extraction-importance")["value"] > 0).all()
