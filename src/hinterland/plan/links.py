"""Dimensions whose labels are rows: arcs, inputs, routes, sales, steps of agglomeration and congestion, pairs, pacts, members of roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from hinterland.data.globe import haversine_km
from hinterland.errors import Finding, listed
from hinterland.plan.pools import pool_positions
from hinterland.plan.schema import parameters
from hinterland.plan.typed import Typed

Index = Mapping[str, "pd.Index[Any]"]


@dataclass(slots=True)
class Relations:
    """Indices, positions and numbers of the dimensions that are rows; filled one relation at a time."""

    index: dict[str, pd.Index[Any]] = field(default_factory=dict)
    links: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    data: dict[str, xr.DataArray] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, dim: str, rows: pl.DataFrame, links: Sequence[str], table: str) -> None:
        """A dimension of these rows: ``links`` are columns of positions, the table's parameters are columns of numbers."""
        self.index[dim] = pd.RangeIndex(rows.height, name=dim)
        for link in links:
            self.links[f"{dim}.{link}"] = rows[link].fill_null(-1).to_numpy().astype(np.int64)
        for spec in parameters().values():
            if spec.table == table and spec.dims == (dim,) and spec.kind == "number":
                default = np.nan if spec.default is None else float(spec.default)
                values = rows[spec.column].fill_null(default).to_numpy() if spec.column in rows.columns else np.full(rows.height, default)
                self.data[spec.name] = xr.DataArray(values.astype(float), dims=[dim], coords={dim: self.index[dim]})


def linked(read: Mapping[str, Typed], index: Index, cells: pl.DataFrame) -> Relations:
    """Every relation of the case; ``findings`` name rows that lead to cells which are not there, and are left out."""
    out = Relations()
    positions = {d: pl.DataFrame({d: index[d].to_list(), f"_{d}": range(len(index[d]))}) for d in ("region", "industry")}
    placed = cells.join(positions["region"], on="region").join(positions["industry"], on="industry").sort("_cell")
    out.links["cell.region"] = placed["_region"].to_numpy().astype(np.int64)
    out.links["cell.industry"] = placed["_industry"].to_numpy().astype(np.int64)
    out.links["region.pool"], out.links["cell.pool"] = pool_positions(read, index["region"], cells)
    phases = read["years"].frame.sort("year")
    named = phases["phase"].to_list() if "phase" in phases.columns else ["all"] * phases.height
    out.links["year.phase"] = index["phase"].get_indexer(named).astype(np.int64)
    _arcs(out, read, index, cells)
    _pairs_of_cells(out, "input", "inputs", read, cells=cells, ends={"supply": ("region", "industry"), "user": ("region", "using")})
    _pairs_of_cells(
        out, "route", "routes", read, cells=cells, ends={"origin": ("origin", "industry"), "destination": ("destination", "industry")}
    )
    _sales(out, read, index, cells)
    for dim, table in (("step", "agglomeration"), ("bend", "congestion")):
        _steps(out, dim, table, read, cells=cells)
    _pacts(out, read, index, cells)
    _regions(out, read, index)
    _moves(out, read, index)
    return out


def _rows(read: Mapping[str, Typed], table: str) -> pl.DataFrame | None:
    return read[table].frame if table in read and read[table].frame.height else None


def _at_cell(rows: pl.DataFrame, region: str, industry: str, cells: pl.DataFrame, name: str) -> pl.DataFrame:
    have = cells.select(pl.col("region").alias(region), pl.col("industry").alias(industry), pl.col("_cell").cast(pl.Int64).alias(name))
    return rows.join(have, on=[region, industry], how="left", maintain_order="left")


def _known(out: Relations, rows: pl.DataFrame, links: Sequence[str], table: str, show: Sequence[str]) -> pl.DataFrame:
    """The rows whose cells exist; a finding names the others."""
    lost = rows.filter(pl.any_horizontal(pl.col(link).is_null() for link in links))
    if lost.height:
        shown = listed([", ".join(map(str, r)) for r in lost.select(show).rows()])
        remedy = "add the cells, with capacity 0 where there is none, or remove the rows"
        out.findings.append(Finding("unknown-cell", f"{lost.height} rows of {table} lead to no cell: {shown}", table, remedy))
    return rows.filter(pl.all_horizontal(pl.col(link).is_not_null() for link in links))


def _arcs(out: Relations, read: Mapping[str, Typed], index: Index, cells: pl.DataFrame) -> None:
    """Given arcs, or every admissible one; with the cost of the industry and the distance where none is given."""
    rows = _rows(read, "arcs")
    rows = generated_arcs(read, cells) if rows is None else rows
    if "enclave" not in rows.columns:
        rows = rows.with_columns(enclave=pl.lit(None, dtype=pl.String))
    rows = rows.sort("source", "host", "industry", "enclave", nulls_last=False)
    home = rows.filter(pl.col("source") == pl.col("host"))
    if home.height:
        out.findings.append(Finding("arc-at-home", f"{home.height} arcs lead from a region to itself", "arcs", "remove them"))
    show = ("source", "host", "industry")
    rows = _at_cell(_at_cell(rows, "source", "industry", cells, "_source"), "host", "industry", cells, "_host")
    rows = _known(out, rows, ("_source", "_host"), "arcs", show)
    enclaves = pl.DataFrame(
        {"enclave": index["enclave"].to_list(), "_enclave": range(len(index["enclave"]))},
        schema={"enclave": pl.String, "_enclave": pl.Int64},
    )
    rows = rows.join(enclaves, on="enclave", how="left", maintain_order="left")
    rows = rows.with_columns(cost=_cost(rows, read))
    out.add(
        "arc",
        rows.rename({"source": "source_name", "host": "host_name", "enclave": "enclave_name"}).rename(
            {"_source": "source", "_host": "host", "_enclave": "enclave"}
        ),
        ("source", "host", "enclave"),
        "arcs",
    )


def generated_arcs(read: Mapping[str, Typed], cells: pl.DataFrame) -> pl.DataFrame:
    """Every move from a source's cell with capacity to a host's cell of the same relocatable industry, and those of the agreements."""
    regions, industries = read["regions"].frame, read["industries"].frame
    schema = {"source": pl.String, "host": pl.String, "industry": pl.String, "enclave": pl.String}
    if "source" not in regions.columns or "host" not in regions.columns:
        return pl.DataFrame(schema=schema)
    moving = industries.filter(pl.col("relocatable"))["industry"] if "relocatable" in industries.columns else industries["industry"]
    have = read["cells"].frame.join(cells, on=["region", "industry"]).filter(pl.col("industry").is_in(moving.implode()))
    leaving = have.filter(pl.col("capacity") > 0) if "capacity" in have.columns else have
    left = leaving.filter(pl.col("region").is_in(_flagged(regions, "source"))).select("industry", source="region")
    right = have.filter(pl.col("region").is_in(_flagged(regions, "host"))).select("industry", host="region")
    plain = left.join(right, on="industry").filter(pl.col("source") != pl.col("host"))
    parts = [plain.with_columns(enclave=pl.lit(None, dtype=pl.String)).select(*schema)]
    if "enclaves" in read and "enclave_industries" in read:
        agreed = (
            read["enclaves"]
            .frame.select("enclave", "source", "host")
            .join(read["enclave_industries"].frame.select("enclave", "industry"), on="enclave")
        )
        parts.append(agreed.select(*schema))
    return pl.concat(parts)


def _flagged(regions: pl.DataFrame, flag: str) -> pl.Series:
    """The regions that carry a flag, as one list."""
    return regions.filter(pl.col(flag))["region"].implode()


def _cost(rows: pl.DataFrame, read: Mapping[str, Typed]) -> pl.Series:
    """Cost of each arc: the given one, or the industry's and the distance's; less or more under an agreement."""
    industries = read["industries"].frame
    of = {p: _industry_values(industries, p) for p in ("relocation_cost", "relocation_per_1000km")}
    base = rows["industry"].replace_strict(of["relocation_cost"], return_dtype=pl.Float64)
    far = rows["industry"].replace_strict(of["relocation_per_1000km"], return_dtype=pl.Float64)
    cost = base + far * _thousands(rows, read)
    if "enclaves" in read and "cost_factor" in read["enclaves"].frame.columns:
        factors = read["enclaves"].frame.select("enclave", pl.col("cost_factor").fill_null(1.0))
        cost = cost * rows.join(factors, on="enclave", how="left", maintain_order="left")["cost_factor"].fill_null(1.0)
    return cost if "cost" not in rows.columns else rows["cost"].zip_with(rows["cost"].is_not_null(), cost)


def _industry_values(industries: pl.DataFrame, column: str) -> dict[str, float]:
    default = parameters()[column].default
    values = industries[column].fill_null(default) if column in industries.columns else [default] * industries.height
    return dict(zip(industries["industry"], values, strict=True))


def _thousands(rows: pl.DataFrame, read: Mapping[str, Typed]) -> pl.Series:
    """Great-circle distance of each arc in thousands of kilometres; 0 where places are not known."""
    regions = read["regions"].frame
    if not {"lon", "lat"} <= set(regions.columns):
        return pl.repeat(0.0, rows.height, eager=True)
    names = regions["region"].to_list()
    at = regions.select(pl.col("lon", "lat").fill_null(float("nan"))).to_numpy()
    place = {n: i for i, n in enumerate(names)}
    a, b = (rows[c].replace_strict(place, return_dtype=pl.Int64).to_numpy() for c in ("source", "host"))
    return pl.Series(np.nan_to_num(haversine_km(np.radians(at[a]).T, np.radians(at[b]).T)) / 1000.0)


def _pairs_of_cells(
    out: Relations, dim: str, table: str, read: Mapping[str, Typed], *, cells: pl.DataFrame, ends: Mapping[str, tuple[str, str]]
) -> None:
    """Rows that lead from one cell to another; a row without region holds in every region that has both."""
    rows = _rows(read, table)
    if rows is None:
        return out.add(dim, pl.DataFrame(schema=dict.fromkeys(ends, pl.Int64)), tuple(ends), table)
    if table == "inputs":
        rows = _in_regions(rows, cells.filter(pl.Series(out.links["cell.pool"] == np.arange(cells.height))))
    for name, (region, industry) in ends.items():
        rows = _at_cell(rows, region, industry, cells, f"_{name}")
    show = tuple(dict.fromkeys(c for pair in ends.values() for c in pair))
    rows = _known(out, rows, [f"_{n}" for n in ends], table, show).sort([f"_{n}" for n in ends])
    renamed = rows.rename({c: f"{c}_label" for c in ends if c in rows.columns}).rename({f"_{n}": n for n in ends})
    return out.add(dim, renamed, tuple(ends), table)


def _in_regions(rows: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Coefficients by region: those without a region hold wherever the using industry is and no narrower row does."""
    if "region" not in rows.columns:
        rows = rows.with_columns(region=pl.lit(None, dtype=pl.String))
    wide = rows.filter(pl.col("region").is_null()).drop("region")
    narrow = rows.filter(pl.col("region").is_not_null())
    spread = wide.join(cells.select("region", using="industry"), on="using")
    spread = spread.join(narrow, on=["region", "industry", "using"], how="anti").select(narrow.columns)
    return pl.concat([narrow, spread])


def _sales(out: Relations, read: Mapping[str, Typed], index: Index, cells: pl.DataFrame) -> None:
    rows = _rows(read, "exports")
    if rows is None:
        return out.add("sale", pl.DataFrame(schema={"cell": pl.Int64, "market": pl.Int64}), ("cell", "market"), "exports")
    rows = _known(out, _at_cell(rows, "region", "industry", cells, "cell"), ("cell",), "exports", ("region", "industry"))
    at = pl.Series(index["market"].get_indexer(rows["market"].to_list()))
    return out.add("sale", rows.with_columns(market=at).sort("cell", "market"), ("cell", "market"), "exports")


def _steps(out: Relations, dim: str, table: str, read: Mapping[str, Typed], *, cells: pl.DataFrame) -> None:
    """Steps of size: of each host's cell where no region is named."""
    rows = _rows(read, table)
    if rows is None:
        return out.add(dim, pl.DataFrame(schema={"cell": pl.Int64, "segment": pl.Int64}), ("cell", "segment"), table)
    regions = read["regions"].frame
    hosts = regions.filter(pl.col("host"))["region"] if "host" in regions.columns else pl.Series("region", [], dtype=pl.String)
    if "region" not in rows.columns:
        rows = rows.with_columns(region=pl.lit(None, dtype=pl.String))
    wide = (
        rows.filter(pl.col("region").is_null())
        .drop("region")
        .join(cells.filter(pl.col("region").is_in(hosts.implode())).select("region", "industry"), on="industry")
    )
    narrow = rows.filter(pl.col("region").is_not_null())
    all_rows = pl.concat([narrow, wide.join(narrow, on=["region", "industry"], how="anti").select(narrow.columns)])
    placed = _known(out, _at_cell(all_rows, "region", "industry", cells, "cell"), ("cell",), table, ("region", "industry"))
    return out.add(dim, placed.sort("cell", "segment"), ("cell", "segment"), table)


def _pacts(out: Relations, read: Mapping[str, Typed], index: Index, cells: pl.DataFrame) -> None:
    """Agreements with their regions, and one pact for each industry of an agreement."""
    rows = _rows(read, "enclaves")
    empty = np.zeros(0, dtype=np.int64)
    if rows is None:
        out.links |= {"enclave.source": empty, "enclave.host": empty}
        return out.add("pact", pl.DataFrame(schema={"enclave": pl.Int64, "cell": pl.Int64}), ("enclave", "cell"), "")
    rows = rows.sort("enclave")
    for end in ("source", "host"):
        out.links[f"enclave.{end}"] = index["region"].get_indexer(rows[end].to_list()).astype(np.int64)
    pacts = read["enclave_industries"].frame.select("enclave", "industry").join(rows.select("enclave", "host"), on="enclave")
    pacts = _known(out, _at_cell(pacts, "host", "industry", cells, "cell"), ("cell",), "enclave_industries", ("host", "industry"))
    at = pl.Series(index["enclave"].get_indexer(pacts["enclave"].to_list()))
    return out.add("pact", pacts.with_columns(enclave=at).sort("enclave", "cell"), ("enclave", "cell"), "")


def _regions(out: Relations, read: Mapping[str, Typed], index: Index) -> None:
    """Pairs whose structures shall differ, and members of roles with what the role asks."""
    pairs = _rows(read, "similarity")
    pairs = pl.DataFrame(schema={"region": pl.String, "other": pl.String}) if pairs is None else pairs.sort("region", "other")
    at = {n: pl.Series(index["region"].get_indexer(pairs[n].to_list()), dtype=pl.Int64) for n in ("region", "other")}
    out.add("pair", pairs.with_columns(**at), ("region", "other"), "similarity")
    roles = _rows(read, "roles")
    roles = pl.DataFrame(schema={"role": pl.String, "region": pl.String}) if roles is None else roles.sort("role", "region")
    at = {n: pl.Series(index[n].get_indexer(roles[n].to_list()), dtype=pl.Int64) for n in ("role", "region")}
    for spec in ("role_share", "role_year"):
        column, default = parameters()[spec].column, parameters()[spec].default
        first = roles.group_by("role").agg(pl.col(column).drop_nulls().first()).sort("role")[column] if column in roles.columns else None
        values = (
            np.full(len(index["role"]), np.nan if default is None else float(default))
            if first is None
            else first.cast(pl.Float64).fill_null(np.nan if default is None else float(default)).to_numpy()
        )
        out.data[spec] = xr.DataArray(values, dims=["role"], coords={"role": index["role"]})
    out.add("member", roles.select(**at), ("role", "region"), "")


def _moves(out: Relations, read: Mapping[str, Typed], index: Index) -> None:
    """Observed moves by arc and year."""
    arcs, years = out.index["arc"], index["year"]
    values = np.zeros((len(arcs), len(years)))
    rows = _rows(read, "moves")
    if rows is not None:
        cells = index["cell"].to_numpy()
        source, host = (cells[out.links[f"arc.{e}"]] for e in ("source", "host"))
        have = pl.DataFrame({"source_cell": source, "host_cell": host, "_arc": range(len(arcs)), "enclave": out.links["arc.enclave"]})
        named = rows.with_columns(
            source_cell=pl.col("source") + "/" + pl.col("industry"), host_cell=pl.col("host") + "/" + pl.col("industry")
        )
        found = named.join(have.filter(pl.col("enclave") < 0), on=["source_cell", "host_cell"], how="left", maintain_order="left")
        found = _known(out, found, ("_arc",), "moves", ("source", "host", "industry"))
        values[found["_arc"].to_numpy(), years.get_indexer(found["year"].to_list())] = found["flow"].fill_null(0.0).to_numpy()
    out.data["observed_move"] = xr.DataArray(values, dims=["arc", "year"], coords={"arc": arcs, "year": years})
