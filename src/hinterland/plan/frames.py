"""From vectors of a solution to frames: one row per label, with region, industry and whatever else a block has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.constraints.security import tested
from hinterland.plan.constraints.specialisation import pairs_of_cells
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.tables import PLACES

__all__ = ["PLACES", "block", "emergencies", "joined", "labelled", "named"]

Floats = NDArray[np.float64]


def block(model: Model, name: str, x: Floats) -> pl.DataFrame:
    """The values of a block of variables: its labels and ``value``; empty where the model has no such block."""
    if name not in model.program.columns:
        return pl.DataFrame(schema={"value": pl.Float64})
    return labelled(model.problem, model.labels[name], model.program.column(name, x))


def labelled(problem: Problem, index: Sequence[pd.Index[Any]], values: Floats) -> pl.DataFrame:
    """A frame of an array: a column per dimension, cells as region and industry, arcs, routes and sales by where they lead."""
    shape = values.shape
    columns: dict[str, pl.Series] = {}
    for axis, labels in enumerate(index):
        at = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        position = np.broadcast_to(at, shape).ravel()
        for name, series in named(problem, labels).items():
            columns[name] = series.gather(position)
    return pl.DataFrame({**columns, "value": pl.Series(values.ravel().astype(float))})


def named(problem: Problem, labels: pd.Index[Any]) -> dict[str, pl.Series]:
    """The columns that labels of one dimension become."""
    dim = str(labels.name)
    if dim == "cell":
        return _cells(problem, problem.index["cell"].get_indexer(labels))
    at = labels.to_numpy()
    if dim == "arc":
        source, host = (_cells(problem, problem.links[f"arc.{end}"][at]) for end in ("source", "host"))
        enclave = problem.links["arc.enclave"][at]
        names = [None if e < 0 else str(problem.index["enclave"][e]) for e in enclave]
        return {
            "source": source["region"],
            "host": host["region"],
            "industry": host["industry"],
            "enclave": pl.Series(names, dtype=pl.String),
        }
    if dim == "route":
        origin, destination = (_cells(problem, problem.links[f"route.{end}"][at]) for end in ("origin", "destination"))
        return {"origin": origin["region"], "destination": destination["region"], "industry": origin["industry"]}
    if dim == "sale":
        market = problem.index["market"].to_numpy()[problem.links["sale.market"][at]]
        return {**_cells(problem, problem.links["sale.cell"][at]), "market": pl.Series([str(m) for m in market])}
    if dim in ("step", "bend"):
        where = _cells(problem, problem.links[f"{dim}.cell"][at])
        return {**where, "segment": pl.Series(problem.links[f"{dim}.segment"][at])}
    if dim == "pact":
        enclave = problem.index["enclave"].to_numpy()[problem.links["pact.enclave"][at]]
        return {"enclave": pl.Series([str(e) for e in enclave]), **_cells(problem, problem.links["pact.cell"][at])}
    if dim == "pair":
        regions = problem.index["region"].to_numpy()
        ends = {n: regions[problem.links[f"pair.{n}"][at]] for n in ("region", "other")}
        return {n: pl.Series([str(v) for v in values]) for n, values in ends.items()}
    if dim == "likeness":
        _, one, two = (positions[at] for positions in pairs_of_cells(problem))
        return {**_cells(problem, one), "other": _cells(problem, two)["region"]}
    if dim == "case":
        lost, industry = emergencies(problem)
        return {"lost": pl.Series([str(r) for r in lost[at]]), "industry": pl.Series([str(i) for i in industry[at]])}
    if dim == "year":
        return {"year": pl.Series([int(y) for y in labels], dtype=pl.Int64)}
    return {dim: pl.Series([str(v) for v in labels])}


def emergencies(problem: Problem) -> tuple[NDArray[Any], NDArray[Any]]:
    """[case] the region lost and the industry asked about."""
    lost, industry = tested(problem)
    return np.repeat(lost, len(industry)), np.tile(industry, len(lost))


def _cells(problem: Problem, at: NDArray[Any]) -> dict[str, pl.Series]:
    regions = problem.index["region"].to_numpy()[problem.links["cell.region"][at]]
    industries = problem.index["industry"].to_numpy()[problem.links["cell.industry"][at]]
    return {
        "region": pl.Series([str(r) for r in regions], dtype=pl.String),
        "industry": pl.Series([str(i) for i in industries], dtype=pl.String),
    }


def joined(parts: dict[str, pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """Blocks with the same keys side by side, each under its name; 0 where a block has no such label."""
    have = {name: f for name, f in parts.items() if f.height}
    if not have:
        return pl.DataFrame(schema=dict.fromkeys(keys, pl.String) | dict.fromkeys(parts, pl.Float64))
    first, *rest = have
    out = have[first].rename({"value": first})
    for name in rest:
        out = out.join(have[name].rename({"value": name}), on=list(keys), how="full", coalesce=True)
    out = out.with_columns(pl.lit(0.0).alias(n) for n in parts if n not in out.columns)
    return out.with_columns(pl.col(list(parts)).fill_null(0.0)).select(*keys, *parts).sort(*keys)
