"""Tables of regions side by side: margins of each vintage completed, tables stacked and ordered; and the real provinces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.data.io_readers import read_io
from hinterland.data.io_table import IOTable
from hinterland.errors import InputError
from hinterland.transfer.mrio import estimate_mrio
from hinterland.transfer.regional_tables import gross_margins, in_order, side_by_side

FINAL = {"FU101": 10.0, "FU102": 5.0, "FU103": 4.0, "FU201": 3.0, "FU202": -1.0}


def long_frame(year: int = 2012, trade: dict[str, float] | None = None) -> pl.DataFrame:
    """Two provinces of two sectors, each row 9 of inputs and 21 of final use."""
    trade = {"EX": 2.0, "IM": 1.0, "OF": 3.0, "IF": 3.0} if trade is None else trade
    signs = {"IM": -1, "IF": -1, "FU304": -1}
    go = 9 + sum(FINAL.values()) + sum(signs.get(k, 1) * v for k, v in trade.items())
    rows = []
    for province in ("四川", "北京"):
        for row in ("sec01", "sec02"):
            cells = {"sec01": 4.0, "sec02": 5.0, **FINAL, **trade, "ERR": 0.0, "GO": go}
            rows += [(year, province, row, c, v) for c, v in cells.items()]
        rows += [
            (year, province, v, c, (go - 2 * k) / 4) for c, k in (("sec01", 4), ("sec02", 5)) for v in ("VA001", "VA002", "VA003", "VA004")
        ]
    return pl.DataFrame(rows, schema=["year", "province", "row", "col", "value"], orient="row")


def read(frame: pl.DataFrame, year: int) -> IOTable:
    return read_io(frame, layout="long", year=year, unit="10k-yuan")


def test_older_vintages_say_what_their_margins_are() -> None:
    mixed = read(long_frame(2007, {"FU302": 5.0, "FU304": 4.0}), 2007)
    net = read(long_frame(2002, {"NOF": -2.0}), 2002)
    assert (net.outflow[0], net.inflow[0]) == (0.0, 2.0)
    for table in (mixed, net):
        with pytest.raises(InputError, match="gross_margins"):
            estimate_mrio(table)


def test_margins_are_completed_by_hand() -> None:
    """Reference: of 5 sold outside 2 are exports, of 4 bought 1 is imports; trade both ways (5 + 4 - 1)/(31 + 30) = 8/61 of output and use.

    2007: 40 % of outflow is exports, a quarter of inflow imports. 2002: net -2 with output 28 and use 30: both ways 58 · 8/61, half each way.
    """
    reference = read(long_frame(), 2012)
    mixed = gross_margins(read(long_frame(2007, {"FU302": 5.0, "FU304": 4.0}), 2007), reference)
    np.testing.assert_allclose([mixed.exports[0], mixed.outflow[0], mixed.imports[0], mixed.inflow[0]], [2, 3, 1, 3])
    net = gross_margins(read(long_frame(2002, {"NOF": -2.0}), 2002), reference)
    half = 58 * 8 / 61 / 2
    np.testing.assert_allclose([net.exports[0], net.outflow[0]], [0.4 * half, 0.6 * half])
    np.testing.assert_allclose([net.imports[0], net.inflow[0]], [0.25 * (2 + half), 0.75 * (2 + half)])
    np.testing.assert_allclose(net.row_residual, 0, atol=1e-12)
    assert [n.code for n in net.notes] == ["mrio-imputed-margins"]
    assert net.findings[0].code == "mrio-imputed-margins"
    assert gross_margins(reference, reference) is reference
    with pytest.raises(InputError, match="no exports and imports apart"):
        gross_margins(read(long_frame(2002, {"NOF": -2.0}), 2002), read(long_frame(2002, {"NOF": -2.0}), 2002))


def test_side_by_side_needs_one_classification() -> None:
    t = read(long_frame(), 2012)
    with pytest.raises(InputError, match="different 'sectors', 'years'"):
        side_by_side([t, replace(t, year=2017, sectors=np.array(["a", "b"] * 2))])


def test_in_order(known: tuple[IOTable, np.ndarray]) -> None:
    t = known[0].margins()
    moved = in_order(t, ["r3", "r0"])
    assert moved.region_labels.tolist() == ["r3", "r0"]
    np.testing.assert_array_equal(moved.Z[:4, :4], t.Z[12:16, 12:16])
    np.testing.assert_array_equal(moved.outflow[4:], t.outflow[:4])
    again = in_order(t, t.region_labels[::-1].tolist())
    np.testing.assert_array_equal(in_order(again, t.region_labels.tolist()).F, t.F)
    with pytest.raises(InputError, match="no region 'r9'"):
        in_order(t, ["r1", "r9"])
    with pytest.raises(InputError, match="named twice"):
        in_order(t, ["r1", "r1"])


@pytest.fixture(scope="module")
def frame(shared_data: Path) -> pl.DataFrame:
    return pl.read_parquet(shared_data / "province_io_tables" / "province_io_long.parquet")


TOTALS = {
    2002: (5.35, 5.29, 5.12, 0.00, 2.37, 1.21, 1.16),
    2007: (16.33, 16.64, 15.25, 0.37, 6.90, 3.29, 3.61),
    2012: (40.34, 41.84, 33.95, 3.46, 18.95, 8.32, 10.95),
    2017: (71.98, 78.86, 59.33, 9.71, 34.60, 13.67, 21.60),
}
"""Outflow, inflow, kept, transit, conflict of sectors' totals, without destination, without origin: trillion yuan, as the page prints them."""


@pytest.mark.parametrize("year", TOTALS)
def test_provinces_of_every_year(frame: pl.DataFrame, year: int) -> None:
    """Every margin to 1e-8 of average output; nothing negative between provinces; what is published, to the digits of the page."""
    t = read_io(frame, layout="long", year=year, sectors="common")
    t = gross_margins(t, read_io(frame, layout="long", year=2012, sectors="common"))
    e = estimate_mrio(t)
    R, m = (30 if year < 2012 else 31), e.margins
    assert (e.table.n_regions, e.table.n_sectors) == (R, 38)
    assert e.reproduced()["largest"].max() < 1e-8  # type: ignore[operator]
    assert e.trade.min() >= 0
    assert m.unplaced_inflow.min() > -1e-6
    assert m.own.min() > -1e-3
    conflict = np.abs((t.outflow - t.inflow).reshape(R, -1).sum(axis=0)).sum()
    parts = (m.outflow, m.transit, conflict, m.unplaced_outflow, m.unplaced_inflow)
    assert tuple(round(float(v.sum()) / 1e8, 2) for v in (t.outflow, t.inflow, *parts)) == TOTALS[year]


def test_trade_with_abroad_is_near_what_customs_counted(frame: pl.DataFrame) -> None:
    """Imputed for 2002 and 2007 from shares of 2012; customs (goods, trillion yuan): exports 2.69 and 9.36, imports 2.44 and 7.33."""
    reference = read_io(frame, layout="long", year=2012, sectors="common")
    for year, exports, imports in ((2002, 2.69, 2.44), (2007, 9.36, 7.33)):
        t = gross_margins(read_io(frame, layout="long", year=year, sectors="common"), reference)
        assert float(t.exports.sum()) / 1e8 == pytest.approx(exports, rel=0.1)
        assert float(t.imports.sum()) / 1e8 == pytest.approx(imports, rel=0.1)


def test_national_outflow_and_inflow_differ(frame: pl.DataFrame) -> None:
    t = read(frame, 2017)
    assert float(t.outflow.sum()) / 1e8 == pytest.approx(71.98, abs=0.005)
    assert float(t.inflow.sum()) / 1e8 == pytest.approx(78.86, abs=0.005)
    assert isinstance(estimate_mrio(frame, year=2017).table, IOTable)
