"""Estimated inter-regional tables: by hand, against known truth, margins, conflicts, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError
from hinterland.transfer.hold_out import true_flows
from hinterland.transfer.mrio import estimate_mrio
from hinterland.transfer.mrio_result import EstimatedMRIO

Make = Callable[..., tuple[IOTable, np.ndarray]]


def codes(error: InputError) -> list[str]:
    return sorted({f.code for f in error.findings})


def largest(e: EstimatedMRIO) -> float:
    return float(e.reproduced()["largest"].max())  # type: ignore[arg-type]


def three_regions(**changes: object) -> IOTable:
    """Three regions of one sector: each uses 4 as input and 6 for final demand; trade 3 each way in all, all in balance."""
    names = np.array(["a", "b", "c"])
    base: dict[str, object] = {
        "Z": np.diag([4.0, 4, 4]),
        "F": np.diag([6.0, 6, 6]),
        "x": np.array([10.0, 10, 10]),
        "outflow": np.array([3.0, 2, 1]),
        "inflow": np.array([3.0, 2, 1]),
        "regions": names,
        "sectors": np.array(["s", "s", "s"]),
        "final_region": names,
        "final_kind": np.array(["f", "f", "f"]),
    }
    return IOTable(**(base | changes))  # type: ignore[arg-type]


KM = np.array([[0.0, 100, 200], [100, 0, 400], [200, 400, 0]])


def test_by_hand() -> None:
    """Margins (3, 2, 1) both ways leave one matrix: a trades 2 with b and 1 with c, and b and c nothing, whatever the distances."""
    e = estimate_mrio(three_regions(), KM)
    np.testing.assert_allclose(e.trade[0], [[0, 2, 1], [2, 0, 0], [1, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(e.margins.own[0], [7, 8, 9])
    np.testing.assert_allclose(e.table.Z, [[2.8, 0.8, 0.4], [0.8, 3.2, 0], [0.4, 0, 3.6]], atol=1e-9)
    np.testing.assert_allclose(e.table.F, [[4.2, 1.2, 0.6], [1.2, 4.8, 0], [0.6, 0, 5.4]], atol=1e-9)
    assert e.findings == ()
    assert largest(e) < 1e-12


def test_conflict_by_hand() -> None:
    """Inflow is reported 1.44 times as high: the common total is 1.2 times outflow, and what no region sends is of unknown origin."""
    out = np.array([3.0, 2, 1])
    table = three_regions(outflow=out, inflow=1.44 * out, x=10 - 0.44 * out)
    e = estimate_mrio(table, KM)
    np.testing.assert_allclose(e.margins.outflow[0], 1.2 * out)
    np.testing.assert_allclose(e.margins.inflow[0], 1.2 * out)
    np.testing.assert_allclose(e.margins.unplaced_inflow[0], 0.44 * out)
    np.testing.assert_allclose(e.margins.unplaced_outflow[0], 0, atol=1e-12)
    np.testing.assert_allclose(e.table.imported_inputs[-1] + e.table.imported_final, 0.44 * out)
    assert [f.code for f in e.findings] == ["mrio-conflict"]
    assert largest(e) < 1e-12
    kept = estimate_mrio(table, KM, trust=(1e6, 1.0))
    np.testing.assert_allclose(kept.margins.outflow[0], out, rtol=1e-5)


def test_known_flows_come_back(known: tuple[IOTable, np.ndarray]) -> None:
    """Where flows follow gravity and users take from origins alike, the whole table is recovered."""
    true, d = known
    e = estimate_mrio(true.margins(), d, decay=1.1)
    np.testing.assert_allclose(e.trade, true_flows(true), rtol=1e-7)
    np.testing.assert_allclose(e.table.Z, true.Z, rtol=1e-7)
    np.testing.assert_allclose(e.table.F, true.F, rtol=1e-7)
    assert e.table.is_linked
    assert [n.code for n in e.table.notes][-1] == "mrio-flows-estimated"
    assert largest(e) < 1e-10


def test_tables_of_single_regions_are_the_same_input(known: tuple[IOTable, np.ndarray]) -> None:
    true, d = known
    stacked = true.margins()
    alone = [replace(stacked, **_one(stacked, str(r))) for r in stacked.region_labels]
    np.testing.assert_allclose(estimate_mrio(alone, d).table.Z, estimate_mrio(stacked, d).table.Z, rtol=1e-12)


def _one(t: IOTable, region: str) -> dict[str, np.ndarray]:
    at, columns = t.regions == region, t.final_region == region
    flat = ("x", "regions", "sectors", "exports", "imports", "outflow", "inflow", "error")
    return {
        "Z": t.Z[np.ix_(at, at)],
        "F": t.F[np.ix_(at, columns)],
        "final_region": t.final_region[columns],
        "final_kind": t.final_kind[columns],
        "imported_final": t.imported_final[columns],
        "imported_inputs": t.imported_inputs[:, at],
        "value_added": t.value_added[:, at],
        **{name: getattr(t, name)[at] for name in flat},
    }


def perturbed(make: Make, seed: int) -> tuple[IOTable, np.ndarray]:
    """Margins with every trouble: conflicting totals, transit, imports, a published error, stocks that fall."""
    true, d = make(seed=seed)
    t, rng = true.margins(), np.random.default_rng(seed)
    scale = np.exp(rng.normal(0, 0.3, (2, t.n)))
    outflow, inflow = t.outflow * scale[0], t.inflow * scale[1]
    transit = rng.uniform(0, 40, t.n) * (rng.uniform(size=t.n) < 0.3)
    error, imports = rng.normal(0, 0.3, t.n), rng.uniform(0, 2, t.n)
    F = t.F.copy()
    F[t.F > 0] *= rng.choice([1.0, -0.1], p=[0.9, 0.1], size=(t.F > 0).sum())
    x = t.Z.sum(axis=1) + F.sum(axis=1) + t.exports + outflow - inflow - imports + error
    x = np.maximum(x, 1.1 * t.Z.sum(axis=0))
    error = x - (t.Z.sum(axis=1) + F.sum(axis=1) + t.exports + outflow - inflow - imports)
    value_added = (x - t.Z.sum(axis=0))[None]
    both = {"outflow": outflow + transit, "inflow": inflow + transit}
    return replace(t, F=F, x=x, imports=imports, error=error, value_added=value_added, **both), d


@given(seed=st.integers(0, 10_000), method=st.sampled_from(["ras", "cross-entropy"]), trust=st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_every_margin_is_reproduced(make: Make, seed: int, method: str, trust: float) -> None:
    t, d = perturbed(make, seed)
    e = estimate_mrio(t, d, method=method, trust=(trust, 1.0))  # type: ignore[arg-type]
    m = e.margins
    assert largest(e) < 1e-8
    np.testing.assert_allclose(e.trade.sum(axis=2), m.outflow, atol=1e-9 * m.outflow.sum())
    np.testing.assert_allclose(e.trade.sum(axis=1), m.inflow, atol=1e-9 * m.inflow.sum())
    assert (e.trade >= 0).all()
    assert (e.table.Z >= -1e-12).all()
    assert (np.diagonal(e.trade, axis1=1, axis2=2) == 0).all()
    assert m.unplaced_inflow.min() > -1e-9


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_conflict_is_accounted_for(make: Make, seed: int) -> None:
    """What is published adds up to what was given: net trade given less net trade kept is what is unplaced, of either kind."""
    t, d = perturbed(make, seed)
    r = estimate_mrio(t, d).residuals
    given_net = r["outflow_given"] - r["inflow_given"] + r["exports_given"] - r["imports_given"]
    kept_net = r["outflow"] - r["inflow"] + r["exports"] - r["imports"]
    np.testing.assert_allclose(given_net - kept_net, r["unplaced_outflow"] - r["unplaced_inflow"], atol=1e-9)
    np.testing.assert_allclose(
        r["outflow_given"] - r["inflow_given"] - r["outflow"] + r["inflow"] - r["beyond_use"], given_net - kept_net, atol=1e-9
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_order_and_unit_do_not_matter(make: Make, seed: int) -> None:
    t, d = perturbed(make, seed)
    e = estimate_mrio(t, d)
    names = ("Z", "F", "x", "exports", "imports", "outflow", "inflow", "error", "value_added", "imported_final")
    scaled = estimate_mrio(replace(t, **{n: getattr(t, n) * 1e4 for n in names}), d)
    np.testing.assert_allclose(scaled.trade, e.trade * 1e4, rtol=1e-6, atol=1e-4)
    order = np.random.default_rng(seed).permutation(t.n_regions)
    rows = np.concatenate([np.arange(t.n_sectors) + k * t.n_sectors for k in order])
    flat = {n: getattr(t, n)[rows] for n in (*names[2:8], "regions", "sectors")}
    moved = replace(t, Z=t.Z[np.ix_(rows, rows)], F=t.F[rows], value_added=t.value_added[:, rows], **flat)
    np.testing.assert_allclose(estimate_mrio(moved, d[np.ix_(order, order)]).trade, e.trade[:, order][:, :, order], rtol=1e-6, atol=1e-8)


def test_distance_as_a_table_and_decay_by_sector(known: tuple[IOTable, np.ndarray]) -> None:
    true, d = known
    t, names = true.margins(), true.region_labels
    listed = pl.DataFrame({"region": np.repeat(names, 5), "other": np.tile(names, 5), "distance": d.reshape(-1)})
    by_sector = {f"s{k}": 0.5 + 0.2 * k for k in range(4)}
    a = estimate_mrio(t, listed, decay=by_sector)
    b = estimate_mrio(t, d, decay=np.array(list(by_sector.values())))
    np.testing.assert_allclose(a.trade, b.trade, rtol=1e-12)
    assert not np.allclose(a.trade, estimate_mrio(t, d).trade, rtol=1e-3)


def test_a_sector_with_one_margin_only(known: tuple[IOTable, np.ndarray]) -> None:
    true, d = known
    t = true.margins()
    inflow = np.where(t.sectors == "s1", 0.0, t.inflow)
    e = estimate_mrio(replace(t, inflow=inflow, error=np.where(t.sectors == "s1", -t.inflow, 0.0)), d)
    assert "mrio-one-sided" in [f.code for f in e.findings]
    assert (e.trade[1] == 0).all()
    assert largest(e) < 1e-10


def test_frames(known: tuple[IOTable, np.ndarray]) -> None:
    e = estimate_mrio(known[0].margins(), known[1])
    assert e.residuals.columns[:3] == ["region", "sector", "outflow_given"]
    assert e.residuals.height == 20
    assert e.flows.height == 5 * 4 * 4
    assert e.flows["value"].sum() == pytest.approx(e.trade.sum())
    assert repr(e).startswith("EstimatedMRIO(5 × 4, ras, 0.0% of outflow unplaced, IOTable(")


def test_negative_margins_count_as_their_opposite() -> None:
    table = three_regions(outflow=np.array([3.0, 2, -1]), inflow=np.array([3.0, 0, 1]), x=np.array([10.0, 12, 8]))
    e = estimate_mrio(table, KM)
    assert next(f.code for f in e.findings) == "mrio-negative-margin"
    np.testing.assert_allclose(e.margins.outflow, [[2, 2, 0]])
    np.testing.assert_allclose(e.margins.self_trade, [[1, 0, 0]])
    assert largest(e) < 1e-12


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"distance": np.ones((2, 2))}, "bad-distance"),
        ({"distance": np.where(KM == 400, np.nan, KM)}, "bad-distance"),
        ({"distance": None}, "not-a-province"),
        ({"decay": -1.0}, "mrio-parameter"),
        ({"decay": {"other": 1.0}}, "mrio-parameter"),
        ({"noise": (-1.0, 0.0)}, "mrio-parameter"),
        ({"trust": (0.0, 1.0)}, "mrio-parameter"),
        ({"method": "rass"}, "unknown-value"),
    ],
)
def test_bad_arguments(options: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        estimate_mrio(three_regions(), **({"distance": KM} | options))  # type: ignore[arg-type]
    assert codes(caught.value) == [code]


def test_bad_tables(known: tuple[IOTable, np.ndarray]) -> None:
    true, d = known
    t = true.margins()
    cases = {
        "mrio-no-margins": true,
        "mrio-mixed-margins": replace(t, findings=(Finding("io-net-trade", "net only", "here", "complete it", "warning"),)),
        "io-tables-differ": replace(t, sectors=np.array([f"s{k}" for k in range(20)])),
    }
    for code, table in cases.items():
        with pytest.raises(InputError) as caught:
            estimate_mrio(table, d)
        assert code in codes(caught.value)
    with pytest.raises(InputError, match="no column of sector"):
        estimate_mrio(pl.DataFrame({"year": [2012]}), d)
    with pytest.raises(InputError, match="there is no table"):
        estimate_mrio([], d)
