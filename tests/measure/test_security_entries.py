"""Input-output measures, security and resilience through the labelled entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure import multiregional
from hinterland.measure.turning import turning_points

Z, F = np.array([[150.0, 500], [200, 100]]), np.array([350.0, 1700])
A0, F0 = np.array([[0.3, 0.1], [0.05, 0.25]]), np.array([[80.0, 20], [10, 60]])
A1, F1 = np.array([[0.28, 0.12], [0.08, 0.27]]), np.array([[85.0, 25], [20, 80]])


def one_region() -> tuple[pl.DataFrame, pl.DataFrame]:
    z = pl.DataFrame({"from": list("aabb"), "to": list("abab"), "money": Z.ravel()})
    return z, pl.DataFrame({"from": list("ab"), "money": F})


def two_years() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The worked table of two regions and one sector, in years 2012 and 2017."""
    rows, final = [], []
    for year, a, f in ((2012, A0, F0), (2017, A1, F1)):
        x = np.linalg.solve(np.eye(2) - a, f.sum(1))
        for r in range(2):
            for s in range(2):
                key = {"year": year, "origin": "NE"[r], "user": "NE"[s], "from": "all"}
                rows.append({**key, "to": "all", "money": a[r, s] * x[s]})
                final.append({**key, "money": f[r, s]})
    return pl.DataFrame(rows), pl.DataFrame(final)


SINGLE = {"industry": "from", "other_industry": "to", "value": "money"}
MULTI = {**SINGLE, "region": "origin", "other": "user", "time": "year"}


def by_labels(m: hl.Measure, component: str | None = None) -> dict[tuple[str, str], float]:
    frame = m.frame if component is None else m.component(component)
    return {(r["origin"], r["user"]): r["value"] for r in frame.filter(pl.col("year") == 2017).iter_rows(named=True)}


def test_transfer_example() -> None:
    z, final = two_years()
    m = hl.measure("mrio-transfer", z, final=final, **MULTI)
    assert by_labels(m, "mrio-structure")["N", "E"] == pytest.approx(2.197004, abs=5e-7)
    assert by_labels(m, "mrio-demand")["E", "N"] == pytest.approx(14.335495, abs=5e-7)
    assert m.meta["compared"] == [[2012, 2017]] and [n.code for n in m.notes] == ["demand-driven"]
    net = hl.measure("mrio-net-transfer", z, final=final, component="change", **MULTI)
    assert by_labels(net)["N", "E"] == pytest.approx(-6.343172, abs=5e-7) and by_labels(net)["N", "N"] == 0
    structure = hl.measure("mrio-net-transfer", z, final=final, **MULTI)
    assert by_labels(structure)["N", "E"] == pytest.approx(2.197004 - 5.595930, abs=1e-6)


def test_induced_output_and_value_added() -> None:
    z, final = two_years()
    m = hl.measure("induced-output", z, final=final, **MULTI)
    first = m.frame.filter(pl.col("year") == 2012)["value"].to_numpy().reshape(2, 2)
    order = [1, 0]  # labels are sorted: E before N
    wanted = np.array([[117.307692, 40.384615], [21.153846, 82.692308]])[np.ix_(order, order)]
    assert np.allclose(first, wanted, atol=5e-7)
    va = hl.measure("induced-output", z, final=final, quantity="value-added", **MULTI).frame.filter(pl.col("year") == 2012)["value"]
    assert va.sum() == pytest.approx(170)
    share = hl.measure("value-added-export-share", z, final=final, **MULTI).frame
    assert share.filter(pl.col("origin") == "N", pl.col("year") == 2012)["value"].item() == pytest.approx(26.25 / 102.5)
    own = hl.measure("embodied-self-sufficiency", z, final=final, **MULTI).frame
    assert own.filter(pl.col("origin") == "N", pl.col("year") == 2012)["value"].item() == pytest.approx(76.25 / 90)
    everyone = hl.measure("embodied-self-sufficiency", z, final=final, members=["N", "E"], **MULTI).frame
    assert np.allclose(everyone["value"], 1)


def test_exports_count_in_output_but_are_nobodys_demand() -> None:
    z, final = two_years()
    abroad = pl.DataFrame({"year": [2012], "origin": ["N"], "user": ["abroad"], "from": ["all"], "money": [50.0]})
    m = hl.measure("induced-output", z, final=pl.concat([final, abroad]), **MULTI)
    assert set(m.frame["user"]) == {"N", "E"}
    t = hl.measure("upstreamness", z, final=pl.concat([final, abroad]), **MULTI).frame
    assert (
        t.filter(pl.col("year") == 2012, pl.col("origin") == "N")["value"].item()
        < hl.measure("upstreamness", z, final=final, **MULTI).frame.filter(pl.col("year") == 2012, pl.col("origin") == "N")["value"].item()
    )


def test_single_region_examples() -> None:
    z, final = one_region()
    links = hl.measure("linkages", z, final=final, **SINGLE)
    assert links.component("backward-linkage")["value"].to_list() == pytest.approx([1.022222, 0.977778], abs=5e-7)
    assert links.component("forward-linkage")["value"].to_list() == pytest.approx([1.208333, 0.791667], abs=5e-7)
    leontief = hl.measure("linkages", z, final=final, forward="leontief", **SINGLE)
    assert leontief.component("forward-linkage")["value"].to_list() == pytest.approx([1.066667, 0.933333], abs=5e-7)
    taken = hl.measure("hypothetical-extraction", z, final=final, by="industry", **SINGLE)
    assert taken.component("extraction-importance")["value"][0] == pytest.approx(860.526316 / 3000)
    total = hl.measure("hypothetical-extraction", z, final=final, by="industry", mode="total", **SINGLE)
    assert total.component("extraction-importance")["value"][0] == pytest.approx(1210.526316 / 3000)
    shock = pl.DataFrame({"from": ["a"], "money": [0.1]})
    assert hl.measure("inoperability", z, final=final, shock=shock, **SINGLE).frame["value"].to_list() == pytest.approx(
        [0.125413, 0.013201], abs=5e-7
    )
    assert hl.measure("upstreamness", z, final=final, **SINGLE).frame["value"].to_list() == pytest.approx([1.914191, 1.254125], abs=5e-7)


def test_extraction_of_regions_and_cells() -> None:
    z, final = two_years()
    m = hl.measure("hypothetical-extraction", z, final=final, **MULTI)
    assert m.component("extraction-importance").columns[:2] == ["year", "origin"] and m.frame.height == 8
    cell = hl.measure("hypothetical-extraction", z, final=final, by="cell", **MULTI).component("extraction-importance")
    assert np.allclose(cell["value"], m.component("extraction-importance")["value"]), "one sector: a region is a cell"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda z, f: (z, None), "missing-final-demand"),
        (lambda z, f: (z.with_columns(money=None), f), "io-gap"),
        (lambda z, f: (z, f.with_columns(money=None)), "final-demand-gap"),
        (lambda z, f: (z, f.with_columns(pl.col("from").replace("a", "z"))), "final-demand-label"),
        (lambda z, f: (z, f.with_columns(money=-pl.col("money"))), "io-not-defined"),
    ],
)
def test_bad_tables(change: Any, code: str) -> None:
    z, final = change(*one_region())
    z = z.with_columns(pl.col("money").cast(pl.Float64))
    with pytest.raises(hl.InputError) as caught:
        hl.measure("linkages", z, final=final, **SINGLE)
    assert [f.code for f in caught.value.findings] == [code]


def test_other_bad_input() -> None:
    z, final = one_region()
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("inoperability", {}, "missing-shock"),
        ("inoperability", {"shock": pl.DataFrame({"from": ["x"], "money": [0.1]})}, "shock-label"),
        ("inoperability", {"shock": pl.DataFrame({"from": ["a"], "money": [10.0]})}, "shock-share"),
    ]
    for name, more, code in cases:
        with pytest.raises(hl.InputError) as caught:
            hl.measure(name, z, final=final, **SINGLE, **more)
        assert [f.code for f in caught.value.findings] == [code]
    z, final = two_years()
    with pytest.raises(hl.InputError) as caught:
        hl.measure("linkages", z, final=final, **{k: v for k, v in MULTI.items() if k != "other"})
    assert {f.code for f in caught.value.findings} <= {"io-one-region", "duplicate-cell"}
    with pytest.raises(hl.InputError) as caught:
        hl.measure("embodied-self-sufficiency", z, final=final, members=["Q"], **MULTI)
    assert [f.code for f in caught.value.findings] == ["member-unknown"]
    with pytest.raises(hl.InputError) as caught:
        hl.measure("mrio-transfer", z.filter(pl.col("year") == 2012), final=final.filter(pl.col("year") == 2012), **MULTI)
    assert [f.code for f in caught.value.findings] == ["change-needs-two-periods"]


def test_supply_concentration() -> None:
    frame = pl.DataFrame({"to": ["R"] * 4 + ["S"], "good": list("ppppq"), "from": list("xyzwx"), "t": [50, 30, 20, None, 0]})
    m = hl.measure("supply-concentration", frame, region="to", other="from", item="good", value="t")
    found = {(r["to"], r["good"]): r for r in m.component("supply-hhi").iter_rows(named=True)}
    assert found["R", "p"]["value"] == pytest.approx(0.38) and found["R", "p"]["coverage"] == 0.75
    assert found["S", "q"]["reason"] == "no-supply" and found["R", "q"]["reason"] == "missing-input"
    assert m.component("effective-suppliers")["value"].max() == pytest.approx(2.6316, abs=5e-5)


def test_self_sufficiency() -> None:
    frame = pl.DataFrame({"r": list("AB"), "q": [80.0, 10], "m": [30.0, 0], "e": [10.0, 10], "in_": [5.0, 0], "out": [15.0, 0]})
    roles = {"region": "r", "output": "q", "imports": "m", "exports": "e"}
    m = hl.measure("self-sufficiency", frame, **roles)
    assert m.frame["value"].to_list() == [pytest.approx(0.8), None] and m.frame["reason"].to_list() == ["", "nothing-used"]
    both = hl.measure("self-sufficiency", frame, inflow="in_", outflow="out", **roles)
    assert both.component("self-sufficiency")["value"][0] == pytest.approx(80 / 90)
    assert both.component("domestic-self-sufficiency")["value"][0] == pytest.approx(70 / 90)


def jobs(*years: np.ndarray) -> pl.DataFrame:
    rows = [
        {"t": 2000 + t, "r": "AB"[r], "i": "pq"[i], "n": float(x[r, i])}
        for t, x in enumerate(years)
        for r in range(x.shape[0])
        for i in range(2)
    ]
    return pl.DataFrame(rows)


ROLES = {"region": "r", "industry": "i", "time": "t", "value": "n"}


def test_resilience() -> None:
    nation = pl.DataFrame({"t": [2000, 2000, 2001, 2001], "i": list("pqpq"), "n": [1000, 1000, 900, 960]})
    m = hl.measure("regional-resilience", jobs(np.array([[100.0, 200]]), np.array([[95.0, 196]])), reference=nation, **ROLES)
    found = {r["component"]: r["value"] for r in m.frame.iter_rows(named=True)}
    assert (found["resilience"], found["actual-change"], found["expected-change"]) == pytest.approx((0.5, -9, -18))
    x = np.array([[100.0, 200], [50, 60]])
    path = jobs(x, 1.2 * x, 0.9 * x, 1.1 * x)
    cycle = hl.measure("regional-resilience", path, turning="cycle", **ROLES)
    assert cycle.meta["phases"] == [[2000, 2001], [2001, 2002], [2002, 2003]]
    assert np.allclose(cycle.component("resilience")["value"], 0, atol=1e-12), "everybody moves as the nation does"
    own = hl.measure("regional-resilience", path, turning="regional-cycle", **ROLES)
    assert own.frame.height == cycle.frame.height and np.allclose(own.component("resilience")["value"], 0, atol=1e-12)
    late = jobs(np.array([[100.0, 100], [50, 50]]), np.array([[110.0, 100], [50, 50]]), np.array([[100.0, 90], [60, 50]]))
    phases = hl.measure("regional-resilience", late, turning="regional-cycle", **ROLES).component("resilience")
    assert phases.select("t", "r").rows() == [(2001, "A"), (2002, "A"), (2002, "B")]
    chosen = hl.measure("regional-resilience", path, turning=[2003, 2001], **ROLES)
    assert chosen.meta["phases"] == [[2001, 2003]]
    flat = hl.measure("regional-resilience", jobs(x, x), **ROLES)
    assert set(flat.component("resilience")["reason"]) == {"no-expected-change"}


@pytest.mark.parametrize(("turning", "code"), [("peak", "unknown-value"), ([1990, 2000], "turning-points"), ([2000], "turning-points")])
def test_bad_turning_points(turning: Any, code: str) -> None:
    x = np.array([[100.0, 200], [50, 60]])
    with pytest.raises(hl.InputError) as caught:
        hl.measure("regional-resilience", jobs(x, x), turning=turning, **ROLES)
    assert [f.code for f in caught.value.findings] == [code]


def test_turning_points_alternate() -> None:
    assert turning_points(np.array([1.0, 2, 3, 2, 1, 2])) == [0, 2, 4, 5]
    assert turning_points(np.array([1.0, 2, 2, 1])) == [0, 1, 3], "a level stretch turns at its first period"
    assert turning_points(np.array([1.0, 2, 2, 3])) == [0, 3] and turning_points(np.array([1.0, 1])) == [0, 1]


def test_supply_cover() -> None:
    frame = pl.DataFrame({"h": list("AABB"), "good": list("pqpq"), "cap": [100.0, 60, 20, 40], "use": [0.8, 0.5, 0.5, 1.0], "k": 0.5})
    need = pl.DataFrame({"item": ["p", "q", "z"], "value": [20.0, 10, 5]})
    roles = {"region": "h", "item": "good", "capacity": "cap", "utilisation": "use"}
    m = hl.measure("supply-cover", frame, ramp="k", demand=need, **roles)
    assert m.component("cover")["value"].to_list() == pytest.approx([0.75, 1]) and m.component("cover-without-one")[
        "value"
    ].to_list() == pytest.approx([0.25, 0])
    assert [f.code for f in m.findings] == ["demand-without-hinterland"] and [n.code for n in m.notes] == ["cover-own-index"]
    partly = hl.measure("supply-cover", frame, demand=need.head(1), **roles)
    assert partly.component("cover")["reason"].to_list() == ["", "nothing-to-replace"]
    for more, code in (({}, "missing-demand"), ({"demand": need.with_columns(value=-1.0)}, "demand-wrong")):
        with pytest.raises(hl.InputError) as caught:
            hl.measure("supply-cover", frame, **roles, **more)
        assert [f.code for f in caught.value.findings] == [code]
    with pytest.raises(hl.InputError) as caught:
        hl.measure("supply-cover", frame.with_columns(use=80.0), demand=need, **roles)
    assert [f.code for f in caught.value.findings] == ["share-above-one"]


def test_many_sectors_in_long_form() -> None:
    rng = np.random.default_rng(0)
    n, regions, sectors = 6, 2, 3
    a = rng.dirichlet(np.ones(n), size=n).T * 0.5
    final = rng.uniform(1, 5, (n, regions))
    x = np.linalg.solve(np.eye(n) - a, final.sum(1))
    z, names = a * x, [(r, s) for r in "NE"[:regions] for s in "abc"[:sectors]]
    table = pl.DataFrame(
        [
            {"origin": names[i][0], "from": names[i][1], "user": names[j][0], "to": names[j][1], "money": z[i, j]}
            for i in range(n)
            for j in range(n)
        ]
    )
    demand = pl.DataFrame(
        [{"origin": names[i][0], "from": names[i][1], "user": "NE"[s], "money": final[i, s]} for i in range(n) for s in range(2)]
    )
    m = hl.measure("induced-output", table, final=demand, **{k: v for k, v in MULTI.items() if k != "time"})
    wanted = multiregional.induced_output(multiregional.table(z, final))
    found = {(r["origin"], r["from"], r["user"]): r["value"] for r in m.frame.iter_rows(named=True)}
    assert all(found[*names[i], "NE"[s]] == pytest.approx(wanted[i, s]) for i in range(n) for s in range(2))


def test_a_gap_in_the_records_does_not_turn_the_cycle() -> None:
    x = np.array([[100.0, 200], [50, 60]])
    path = jobs(x, 1.1 * x, 1.2 * x, 1.3 * x)
    gap = path.with_columns(n=pl.when((pl.col("t") != 2002) | (pl.col("i") != "q") | (pl.col("r") != "A")).then("n"))
    for turning in ("cycle", "regional-cycle"):
        assert hl.measure("regional-resilience", gap, turning=turning, **ROLES).meta["phases"] == [[2000, 2003]]
