"""Merge regions that only trade, so that a plan keeps its detail where something is decided.

Amounts are summed; costs and coefficients are means, by output for coefficients and by capacity, trade or people for the rest. Trade among merged regions
becomes their own use of what they make. The base-year balance of each industry holds as before, since it is a sum of balances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from hinterland.errors import Finding, listed
from hinterland.plan.algebra import column
from hinterland.plan.problem import Positions, Problem
from hinterland.plan.schema import parameters

AMOUNTS = ("100m-yuan", "10k-person", "resource", "service", "count")
"""Units of what is summed; everything else is a mean."""
_WEIGHT = {"wage": "labour", "demand_growth": "demand", "import_cost": "imports"}
"""What a mean is weighted by, where it is not capacity."""
Floats = NDArray[np.float64]


def fail_if_merge_impossible(problem: Problem, into: Mapping[str, str]) -> list[Finding]:
    """Regions can be merged only if nothing is decided about them alone, and their new name is not another region's."""
    p = problem
    names = [str(r) for r in p.index["region"]]
    flags = dict(zip(names, (p["source"].values | p["host"].values | p["backup_tested"].values).astype(bool), strict=True))
    tied = {names[i] for n in ("pair.region", "pair.other", "member.region", "enclave.source", "enclave.host") for i in p.links[n]}
    pool = p.links["region.pool"]
    tied |= {n for i, n in enumerate(names) if pool[i] != i or (pool == i).sum() > 1}
    held = [r for r in into if flags[r] or r in tied]
    taken = sorted({n for n in into.values() if n in names and n not in into})
    findings = []
    if held:
        what = f"{listed(held)} are sources, hosts, tested, or named by a role, a pair, a pool or an agreement"
        findings.append(Finding("merge-decided", what, "regions, column 'merge'", "merge only regions that trade"))
    if taken:
        findings.append(
            Finding("merge-into-other", f"{listed(taken)} are regions of their own", "regions, column 'merge'", "give another name")
        )
    return findings


def merged(problem: Problem, into: Mapping[str, str], names: pl.DataFrame) -> Problem:
    """The problem with some regions merged.

    Args:
        problem: before defaults follow from its tables.
        into: name of the merged region by region.
        names: region, name_en, name_zh of merged regions.
    """
    p = problem
    old = [str(r) for r in p.index["region"]]
    region = pd.Index(sorted({into.get(r, r) for r in old}), name="region", dtype=object)
    of_region = region.get_indexer([into.get(r, r) for r in old]).astype(np.int64)
    industry = p.links["cell.industry"]
    code = of_region[p.links["cell.region"]] * len(p.index["industry"]) + industry
    kept, of_cell = np.unique(code, return_inverse=True)
    n = len(p.index["industry"])
    labels = [f"{region[k // n]}/{p.index['industry'][k % n]}" for k in kept]
    index = {**p.index, "region": region, "cell": pd.Index(labels, name="cell", dtype=object)}
    links = {**p.links, "cell.region": kept // n, "cell.industry": kept % n}
    links |= {k: of_region[v] for k, v in p.links.items() if k.endswith((".region", ".other")) and k != "cell.region"}
    links |= {"region.pool": _ends(p.links["region.pool"], of_region), "cell.pool": _ends(p.links["cell.pool"], of_cell)}
    links |= {f"enclave.{e}": of_region[p.links[f"enclave.{e}"]] for e in ("source", "host")}
    links |= {k: of_cell[p.links[k]] for k in ("arc.source", "arc.host", "step.cell", "bend.cell", "pact.cell")}
    data = dict(p.data)
    for spec in parameters().values():
        if spec.name in data and spec.kind != "text":
            data[spec.name] = _gathered(p, spec.name, spec.unit in AMOUNTS, index, of_region=of_region, of_cell=of_cell)
    out = replace(p, index=index, data=data, links=links)
    for dim, ends in (("route", ("origin", "destination")), ("input", ("supply", "user")), ("sale", ("cell", "market"))):
        out = _rows(p, out, dim, ends, of_cell)
    return replace(out, text={**p.text, "region": _texts(p, into, names)})


def _ends(pool: Positions, to: Positions) -> Positions:
    """[new] position of each new label's centre."""
    out = np.arange(int(to.max(initial=-1)) + 1)
    out[to] = to[pool]
    return out


def _gathered(
    p: Problem, name: str, amount: bool, index: Mapping[str, pd.Index[Any]], *, of_region: Positions, of_cell: Positions
) -> xr.DataArray:
    """A parameter of regions or cells on the merged ones."""
    array = p[name]
    dim = "cell" if "cell" in array.dims else "region" if "region" in array.dims else None
    if dim is None:
        return array
    to = of_cell if dim == "cell" else of_region
    rest = [str(d) for d in array.dims if d != dim]
    values = array.transpose(dim, *rest).values
    size = len(index[dim])
    if values.dtype == bool:
        merged_values: NDArray[Any] = np.zeros((size, *values.shape[1:]), dtype=bool)
        np.logical_or.at(merged_values, to, values)
    else:
        weight = np.ones_like(values) if amount else _weights(p, name, dim, values.shape, rest)
        merged_values = summed(values * weight, to, size) if amount else mean(values, weight, to, size)
    return xr.DataArray(merged_values, dims=[dim, *rest], coords={dim: index[dim], **{d: index[d] for d in rest}}).transpose(
        *map(str, array.dims)
    )


def _weights(p: Problem, name: str, dim: str, shape: tuple[int, ...], rest: Sequence[str]) -> Floats:
    """What a mean is weighted by, in the shape of the values."""
    by = _WEIGHT.get(name)
    if by is not None and set(p[by].dims) >= {dim}:
        weight = p[by].transpose(dim, ..., missing_dims="ignore")
        extra = [d for d in weight.dims if d not in (dim, *rest)]
        weight = weight.mean(extra) if extra else weight
        weight = weight.expand_dims({d: p.index[d] for d in rest if d not in weight.dims}).transpose(dim, *rest)
        return np.asarray(np.nan_to_num(weight.values))
    capacity = p["capacity"].values
    if dim == "region":
        capacity = np.bincount(p.links["cell.region"], weights=capacity, minlength=len(p.index["region"]))
    return np.broadcast_to(capacity.reshape(-1, *([1] * (len(shape) - 1))), shape).astype(float)


def summed(values: Floats, to: Positions, size: int) -> Floats:
    """Sums by group; a group with a member that has no limit has none."""
    out = np.zeros((size, *values.shape[1:]))
    np.add.at(out, to, values)
    return out


def mean(values: Floats, weight: Floats, to: Positions, size: int) -> Floats:
    """Weighted means by group, plain ones where nothing has weight; a single member keeps its value to the bit."""
    members = np.bincount(to, minlength=size)
    heavy = summed(weight, to, size)
    weighted = summed(np.where(weight > 0, values * weight, 0.0), to, size)
    plain = summed(values, to, size) / members.reshape(-1, *([1] * (values.ndim - 1)))
    out = np.where(heavy > 0, weighted / np.where(heavy > 0, heavy, 1.0), plain)
    alone = members[to] == 1
    out[to[alone]] = values[alone]
    return np.asarray(out)


def _rows(p: Problem, out: Problem, dim: str, ends: tuple[str, str], of_cell: Positions) -> Problem:
    """Relations between merged cells: trade and sales summed, costs and coefficients as means."""
    first = of_cell[p.links[f"{dim}.{ends[0]}"]]
    second = p.links[f"{dim}.{ends[1]}"] if dim == "sale" else of_cell[p.links[f"{dim}.{ends[1]}"]]
    keep = np.ones(len(first), dtype=bool) if dim != "route" else first != second
    base = int(max(second.max(initial=0), first.max(initial=0))) + 1
    code, to = np.unique(first[keep] * base + second[keep], return_inverse=True)
    index = pd.RangeIndex(len(code), name=dim)
    data, links = dict(out.data), {**out.links, f"{dim}.{ends[0]}": code // base, f"{dim}.{ends[1]}": code % base}
    weight = _row_weights(p, dim)[keep]
    for spec in parameters().values():
        if spec.dims == (dim,) and spec.kind == "number":
            values = p[spec.name].values[keep]
            got = summed(values, to, len(code)) if spec.unit in AMOUNTS else mean(values, weight, to, len(code))
            data[spec.name] = column(got if dim != "input" else _coefficients(p, values, weight, to=to, user=code % base), index)
    return replace(out, index={**out.index, dim: index}, data=data, links=links)


def _row_weights(p: Problem, dim: str) -> Floats:
    """Trade, exports, or the output that uses an input."""
    if dim == "input":
        used = p["capacity"].values * p.of_cells("utilisation").values
        return np.asarray(used[p.links["input.user"]])
    return np.asarray(p["trade" if dim == "route" else "exports"].values)


def _coefficients(p: Problem, values: Floats, weight: Floats, *, to: Positions, user: Positions) -> Floats:
    """Coefficients by output of the users, counting users that take nothing of an input; a user without output counts as any other."""
    made = np.zeros(int(user.max(initial=-1)) + 1)
    old_user = p.links["input.user"]
    used = p["capacity"].values * p.of_cells("utilisation").values
    new_of_old = np.full(len(p.index["cell"]), -1)
    new_of_old[old_user] = user[to]
    known = new_of_old >= 0
    np.add.at(made, new_of_old[known], used[known])
    total = made[user]
    weighted = summed(values * weight, to, len(user)) / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, weighted, mean(values, weight, to, len(user))))


def _texts(p: Problem, into: Mapping[str, str], names: pl.DataFrame) -> pl.DataFrame:
    """Names of the regions that remain."""
    have = p.text["region"]
    rows = have.filter(~pl.col("region").is_in(list(into)))
    new = names.select([c for c in have.columns if c in names.columns])
    return pl.concat([rows, new.cast({c: t for c, t in have.schema.items() if c in new.columns})], how="diagonal")
