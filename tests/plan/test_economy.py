"""The economy of a case from input-output tables: balances, aggregation, fewer routes, and what is said of what was changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import InputError
from hinterland.plan.economy import Economy, economy

REGIONS, SECTORS = ("A", "B", "C"), ("corn", "steel", "cars")


def linked(seed: int = 3, sectors: tuple[str, ...] = SECTORS) -> IOTable:
    """Three regions with flows between all of them, in balance, with trade abroad."""
    rng = np.random.default_rng(seed)
    R, S = len(REGIONS), len(sectors)
    n = R * S
    Z = rng.uniform(0.5, 2.0, (n, n))
    F = rng.uniform(5.0, 20.0, (n, R))
    exports, imports = rng.uniform(1, 3, n), rng.uniform(0.5, 1, n)
    return IOTable(
        Z=Z,
        F=F,
        x=Z.sum(axis=1) + F.sum(axis=1) + exports - imports,
        regions=np.repeat(REGIONS, S),
        sectors=np.tile(sectors, R),
        final_region=np.array(REGIONS),
        final_kind=np.array(["households"] * R),
        exports=exports,
        imports=imports,
        unit="100m-yuan",
        year=2017,
    )


def residual(tables: dict[str, pl.DataFrame], output: pl.DataFrame) -> Floats:
    """C4 from the tables alone: output + inflow + imports - inputs - demand - outflow - exports, by cell."""
    keys = ["region", "industry"]
    used = (
        tables["inputs"].join(output, left_on=["region", "using"], right_on=keys).with_columns(v=pl.col("coefficient") * pl.col("output"))
    )
    parts: list[tuple[pl.DataFrame, int]] = [
        (output.rename({"output": "v"}), 1),
        (tables["routes"].select(pl.col("destination").alias("region"), "industry", v="flow"), 1),
        (tables["imports"].select(*keys, v="flow"), 1),
        (used.select(*keys, "v"), -1),
        (tables["demand"].select(*keys, v="demand"), -1),
        (tables["routes"].select(pl.col("origin").alias("region"), "industry", v="flow"), -1),
        (tables["exports"].select(*keys, v="flow"), -1),
    ]
    every = pl.concat([frame.with_columns(pl.col("v") * sign).select(*keys, "v") for frame, sign in parts])
    return every.group_by(keys).agg(pl.col("v").sum())["v"].to_numpy()


def output_of(found: Economy) -> pl.DataFrame:
    a = found.accounts
    return pl.DataFrame(
        {
            "region": np.repeat(a.regions, len(a.industries)).tolist(),
            "industry": list(a.industries) * len(a.regions),
            "output": a.output.reshape(-1),
        }
    )


def test_a_balanced_table_stays_as_it_is() -> None:
    table = linked()
    found = economy(table, routes=8)
    assert found.findings == ()
    a = table.margins()
    assert output_of(found)["output"].to_numpy() == pytest.approx(table.x)
    demand = found.tables["demand"].sort("region", "industry")
    by_hand = pl.DataFrame({"region": a.regions, "industry": a.sectors, "demand": a.F.sum(axis=1)}).sort("region", "industry")
    assert demand["demand"].to_numpy() == pytest.approx(by_hand["demand"].to_numpy(), rel=1e-9)
    flows = found.tables["routes"].sort("industry", "origin", "destination")
    i = int(np.flatnonzero((table.regions == "A") & (table.sectors == "steel"))[0])
    columns = table.regions == "B"
    assert flows.filter(pl.col("industry") == "steel", origin="A", destination="B")["flow"].item() == pytest.approx(
        table.Z[i, columns].sum() + table.F[i, 1], rel=1e-9
    )


def test_every_cell_balances() -> None:
    found = economy(linked(), routes=1)
    assert np.abs(residual(dict(found.tables), output_of(found))).max() < 1e-9


def test_technology_is_of_all_origins() -> None:
    table = linked()
    found = economy(table)
    steel_for_cars = table.Z[table.sectors == "steel"][:, (table.regions == "B") & (table.sectors == "cars")].sum()
    asked = found.tables["inputs"].filter(region="B", industry="steel", using="cars")["coefficient"].item()
    assert asked == pytest.approx(steel_for_cars / table.x[(table.regions == "B") & (table.sectors == "cars")][0], rel=1e-9)


def test_value_added_and_inputs_exhaust_output() -> None:
    found = economy(linked(), routes=1)
    inputs = found.tables["inputs"].group_by("region", industry="using").agg(pl.col("coefficient").sum())
    both = found.tables["cells"].join(inputs, on=["region", "industry"])
    assert (both["value_added"] + both["coefficient"]).to_numpy() == pytest.approx(1.0, abs=1e-9)


def test_sectors_merge_before_anything_else() -> None:
    table = linked()
    merged = economy(table, groups={"corn": "corn", "steel": "works", "cars": "works"})
    other = economy(table.aggregate(sectors={"steel": "works", "cars": "works"}))
    for name, frame in merged.tables.items():
        keys = [c for c in frame.columns if frame.schema[c] == pl.String]
        value = next(c for c in frame.columns if c not in keys)
        left, right = (f.sort(keys)[value].to_numpy() for f in (frame, other.tables[name]))
        assert left == pytest.approx(right, rel=1e-9), name


def test_fewer_routes_keep_supply_and_need() -> None:
    table = linked()
    few, all_routes = economy(table, routes=1), economy(table, routes=8)
    assert few.tables["routes"].height < all_routes.tables["routes"].height
    for side in ("origin", "destination"):
        net = [
            f.accounts.trade.sum(axis=2 if side == "origin" else 1) for f in (few, all_routes)
        ]  # own use included: what a region delivers, and what it needs
        assert net[0] == pytest.approx(net[1], rel=1e-9)
    assert any(f.code == "economy-routes" for f in few.findings)


def test_growth_scales_regions_and_still_balances() -> None:
    found = economy(linked(), growth={"A": 1.1, "B": 1.5, "C": 1.3}, utilisation=0.8)
    plain = economy(linked())
    assert np.abs(residual(dict(found.tables), output_of(found))).max() < 1e-9
    capacity = [float(f.tables["cells"].filter(region="B")["capacity"].sum()) for f in (found, plain)]
    assert capacity[0] == pytest.approx(1.5 / 0.8 * capacity[1])


def test_negative_stocks_are_no_demand_and_said() -> None:
    table = linked()
    F = np.concatenate([table.F, np.zeros((9, 1))], axis=1)
    F[4, 3] = -3.0
    x = table.x + F[:, 3]
    run_down = replace(
        table,
        F=F,
        x=x,
        final_region=np.append(table.final_region, "B"),
        final_kind=np.append(table.final_kind, "inventories"),
        imported_final=np.zeros(4),
        value_added=np.zeros((0, 9)),
        value_added_kind=np.zeros(0, dtype=np.str_),
    )
    found = economy(run_down)
    said = [f.what for f in found.findings if f.code == "economy-negative-demand"]
    assert len(said) == 1
    assert "inventories" in said[0]
    assert "'B'" in said[0]
    assert found.tables["demand"]["demand"].to_numpy().min() >= 0
    assert np.abs(residual(dict(found.tables), output_of(found))).max() < 1e-9


def test_a_cell_without_output_has_the_technology_of_the_country() -> None:
    table = linked()
    Z, F, exports, imports = table.Z.copy(), table.F.copy(), table.exports.copy(), table.imports.copy()
    Z[8], F[8], Z[:, 8], exports[8], imports[8] = 0.0, 0.0, 0.0, 0.0, 0.0
    x = Z.sum(axis=1) + F.sum(axis=1) + exports - imports
    none = np.zeros((0, 9))
    found = economy(
        replace(table, Z=Z, F=F, x=x, exports=exports, imports=imports, value_added=none, value_added_kind=np.zeros(0, dtype=np.str_))
    )
    assert "C · cars" in next(f.what for f in found.findings if f.code == "economy-empty-cells")
    assert found.tables["cells"].filter(region="C", industry="cars")["capacity"].item() == 0
    country = found.accounts.inputs[:, 1, 2].sum() / found.accounts.output[:, 2].sum()
    assert found.tables["inputs"].filter(region="C", industry="steel", using="cars")["coefficient"].item() == pytest.approx(country)


def test_markets_share_exports() -> None:
    found = economy(linked(), markets={"asia": 0.25, "rest": 0.75})
    exports = found.tables["exports"].group_by("market").agg(pl.col("flow").sum())
    assert dict(exports.rows())["asia"] == pytest.approx(linked().exports.sum() / 4)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"groups": {"corn": "corn"}}, "sector-without-industry"),
        ({"groups": {"corn": "a", "steel": "a", "cars": "a", "tin": "a"}}, "unknown-sector"),
        ({"growth": {"A": 1.0, "B": 1.0}}, "economy-growth"),
        ({"growth": {"A": 1.0, "B": 1.0, "C": 1.0, "D": 2.0}}, "unknown-label"),
        ({"routes": 0}, "bad-argument"),
        ({"utilisation": 1.5}, "bad-argument"),
        ({"markets": {"asia": 0.5}}, "bad-argument"),
        ({"keep": ["Z"]}, "unknown-label"),
        ({"unit": "person"}, "bad-unit"),
    ],
)
def test_bad_arguments_are_findings(options: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as error:
        economy(linked(), **options)
    assert code in [f.code for f in error.value.findings]


def test_a_table_without_flows_or_unit_is_refused() -> None:
    with pytest.raises(InputError) as error:
        economy(linked().margins())
    assert error.value.findings[0].code == "economy-not-linked"
    with pytest.raises(InputError) as error:
        economy(replace(linked(), unit="as-input"))
    assert error.value.findings[0].code == "economy-without-unit"


@pytest.fixture(scope="module")
def provinces(shared_data: Path) -> Economy:
    table = hl.read_io(shared_data / "province_io_tables" / "province_io_long.parquet", layout="long", year=2017, sectors="as-written")
    groups = {str(s): str(s) if s < "sec28" else "services" for s in table.sector_labels}
    return economy(hl.estimate_mrio(table), groups=groups, unit="10k-yuan", routes=8)


def test_provinces_balance(provinces: Economy) -> None:
    size = provinces.accounts.output.sum(axis=0).max()
    assert np.abs(residual(dict(provinces.tables), output_of(provinces))).max() < 1e-9 * size


def test_magnitudes_of_provinces(provinces: Economy) -> None:
    """In trillions of yuan of 2017: provinces add up to 9 % more than the country's 226 (sum of value added 84.7 against 82.1)."""
    a = provinces.accounts
    assert a.output.sum() / 1e4 == pytest.approx(246.3, abs=0.5)
    assert a.value_added.sum() / 1e4 == pytest.approx(84.7, abs=0.2)
    assert (a.final.sum() + a.exports.sum() - a.imports.sum()) / 1e4 == pytest.approx(84.7, abs=0.2)
    assert (a.final >= 0).all()
    codes = {f.code for f in provinces.findings}
    assert {"economy-national-discrepancy", "economy-negative-demand", "economy-routes"} <= codes
