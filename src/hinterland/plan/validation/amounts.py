"""Amounts of a plan as arrays, read from its frames by their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.problem import Positions, Problem
from hinterland.plan.result import Plan

Floats = NDArray[np.float64]
Labels = Mapping[str, NDArray[Any]]

CELL_YEAR = ("cell", "year")
AMOUNTS: Mapping[str, tuple[str, str, tuple[str, ...], str]] = {
    **{n: ("capacity", n, CELL_YEAR, "C2") for n in ("capacity", "greenfield", "arrivals", "departures", "unexplained")},
    "output": ("capacity", "output", CELL_YEAR, "C3"),
    "move": ("flows", "value", ("arc", "year"), "C2"),
    "trade": ("trade", "value", ("route", "year"), "C4"),
    "imports": ("abroad", "imports", CELL_YEAR, "C4"),
    "exports": ("abroad", "exports", ("sale", "year"), "C4"),
    "support": ("support", "value", ("cell", "instrument", "segment", "year"), "C10"),
    **{n: ("infrastructure", n, ("region", "kind", "year"), "C5") for n in ("investment", "service")},
    **{n: ("people", n, ("region", "skill", "year"), "C6") for n in ("people", "migrants", "trained")},
    **{n: ("resources", n, ("region", "resource", "year"), "C7") for n in ("used", "banked")},
    **{n: ("money", n, ("region", "year"), "C9") for n in ("levy", "compensation")},
    **{n: ("enclaves", n, ("enclave", "year"), "C11") for n in ("active", "started")},
    "shared": ("enclaves", "shared", ("enclave", "year"), "C12"),
    **{n: ("sizes", n, ("step", "year"), "C13") for n in ("filled", "reached")},
}
"""Every amount: its frame, its column, its dimensions, and the family under which it is reported where it is impossible."""


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """What a plan does.

    Attributes:
        problem: the data.
        values: arrays by name, 0 where the frames say nothing.
        lost: rows of frames that speak of something that the problem does not have: family, amount, where, year, value.
    """

    problem: Problem
    values: Mapping[str, Floats]
    lost: pl.DataFrame

    def __getitem__(self, name: str) -> Floats:
        return self.values[name]

    @property
    def decided(self) -> NDArray[np.bool_]:
        """[year] whether the year's decisions are free."""
        return self.problem.decided

    def region(self, values: Floats) -> Floats:
        """[region, …] the sum of [cell, …] by region."""
        return grouped(values, self.problem.links["cell.region"], len(self.problem.index["region"]))

    def industry(self, values: Floats) -> Floats:
        """[industry, …] the sum of [cell, …] by industry."""
        return grouped(values, self.problem.links["cell.industry"], len(self.problem.index["industry"]))

    @property
    def region_pool(self) -> Positions:
        """[region] position of the region in whose balance the region's goods are counted, by the names of the table of regions; its own by default."""
        table, regions = self.problem.text["region"], [str(r) for r in self.problem.index["region"]]
        centre = dict(table.select("region", "pool").iter_rows()) if "pool" in table.columns else {}
        place = {r: n for n, r in enumerate(regions)}
        return np.array([place[centre.get(r) or r] for r in regions], dtype=np.int64)

    @property
    def cell_pool(self) -> Positions:
        """[cell] position of the centre's cell of the same industry."""
        p = self.problem
        regions = p.index["region"][self.region_pool[p.links["cell.region"]]]
        industries = p.index["industry"][p.links["cell.industry"]]
        return np.asarray(p.index["cell"].get_indexer([f"{r}/{i}" for r, i in zip(regions, industries, strict=True)]), dtype=np.int64)


def amounts(plan: Plan) -> Amounts:
    """The amounts of a plan, from its frames."""
    values: dict[str, Floats] = {}
    lost = [pl.DataFrame(schema={"family": pl.String, "amount": pl.String, "where": pl.String, "year": pl.Int64, "value": pl.Float64})]
    for name, (table, column, dims, family) in AMOUNTS.items():
        frame: pl.DataFrame = getattr(plan, table)
        if name in ("imports", "exports"):
            frame = frame.filter(pl.col("market").is_null() if name == "imports" else pl.col("market").is_not_null())
        values[name], strange = _array(plan.problem, frame, column, dims)
        lost.append(strange.with_columns(pl.lit(family).alias("family"), pl.lit(name).alias("amount")).select(lost[0].columns))
    return Amounts(plan.problem, values, pl.concat(lost))


def _array(problem: Problem, frame: pl.DataFrame, column: str, dims: tuple[str, ...]) -> tuple[Floats, pl.DataFrame]:
    """A column as an array, and the rows whose labels the problem does not have."""
    out = np.zeros(tuple(len(problem.index[d]) for d in dims))
    empty = pl.DataFrame(schema={"where": pl.String, "year": pl.Int64, "value": pl.Float64})
    if column not in frame.columns or not frame.height:
        return out, empty
    frame = frame.with_columns(
        pl.col(c).cast(pl.String).fill_null("") for c in frame.columns if c != "year" and not frame[c].dtype.is_float()
    )
    for dim in dims:
        names = labels(problem, dim)
        have = pl.DataFrame({c: pl.Series(v.tolist()) for c, v in names.items()}, schema=_schema(names)).with_row_index(f"_{dim}")
        frame = frame.join(have, on=list(names), how="left", maintain_order="left")
    places = [f"_{d}" for d in dims]
    known = frame.filter(pl.all_horizontal(pl.col(p).is_not_null() for p in places) & pl.col(column).is_not_null())
    np.add.at(out, tuple(known[p].to_numpy() for p in places), known[column].to_numpy())
    strange = frame.filter(pl.any_horizontal(pl.col(p).is_null() for p in places) & (pl.col(column).fill_null(0.0) != 0))
    keys = [k for d in dims for k in labels(problem, d) if k != "year"]
    where = pl.concat_str(keys, separator=", ") if keys else pl.lit("")
    return out, strange.select(where.alias("where"), pl.col("year").cast(pl.Int64), pl.col(column).alias("value"))


def _schema(names: Labels) -> dict[str, Any]:
    return {c: pl.Int64 if c == "year" else pl.String for c in names}


def labels(problem: Problem, dim: str) -> dict[str, NDArray[Any]]:
    """The columns that say which label of a dimension is meant: text, and whole numbers for years."""
    p = problem
    region, industry = (p.index[d].to_numpy().astype(str) for d in ("region", "industry"))

    def cells(at: NDArray[np.int64], name: str = "region") -> dict[str, NDArray[Any]]:
        return {name: region[p.links["cell.region"][at]], "industry": industry[p.links["cell.industry"][at]]}

    if dim == "year":
        return {"year": np.asarray(p.years, dtype=np.int64)}
    if dim == "cell":
        return cells(np.arange(len(p.index["cell"])))
    if dim == "arc":
        names = np.array(["", *p.index["enclave"]], dtype=object).astype(str)
        ends = {**cells(p.links["arc.source"], "source"), "host": region[p.links["cell.region"][p.links["arc.host"]]]}
        return {**ends, "enclave": names[p.links["arc.enclave"] + 1]}
    if dim == "route":
        return {**cells(p.links["route.origin"], "origin"), "destination": region[p.links["cell.region"][p.links["route.destination"]]]}
    if dim == "sale":
        return {**cells(p.links["sale.cell"]), "market": p.index["market"].to_numpy()[p.links["sale.market"]].astype(str)}
    if dim in ("step", "bend"):
        return {**cells(p.links[f"{dim}.cell"]), "segment": p.links[f"{dim}.segment"].astype(str)}
    if dim == "pact":
        return {"enclave": p.index["enclave"].to_numpy()[p.links["pact.enclave"]].astype(str), **cells(p.links["pact.cell"])}
    if dim == "pair":
        return {n: region[p.links[f"pair.{n}"]] for n in ("region", "other")}
    return {dim: p.index[dim].to_numpy().astype(str)}


def grouped(values: Floats, at: NDArray[np.int64], size: int) -> Floats:
    """[size, …] sums of the rows of ``values`` by position; −1 leaves a row out."""
    out = np.zeros((size, *values.shape[1:]))
    np.add.at(out, at[at >= 0], values[at >= 0])
    return out


def earlier(values: Floats, steps: NDArray[np.int64]) -> Floats:
    """[n, year] what each row was ``steps`` years before; 0 in the first years."""
    out = np.zeros_like(values)
    for n in np.unique(steps):
        rows = steps == n
        if n < values.shape[1]:
            out[rows, n:] = values[rows, : values.shape[1] - n]
    return out
