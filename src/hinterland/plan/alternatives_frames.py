"""Frames of alternatives: ranges of capacity with their classes, and what was found in each direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hinterland.plan.directions import Sites
from hinterland.plan.program import Floats
from hinterland.plan.solve import Status


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What classes rest on.

    Attributes:
        needed: part of what the best plan adds that every alternative must add.
        negligible: part of the largest addition of any host in the group below which an addition is none.
    """

    needed: float
    negligible: float


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """One alternative.

    Attributes:
        slack: part of the least cost that it may be dearer.
        weights: [s] what it was made for.
        held: [s] capacity of each site, 100m yuan a year.
        cost: 100m yuan.
        status, gap: of the solution.
    """

    slack: float
    weights: Floats
    held: Floats
    cost: float
    status: Status
    gap: float


def ranges(
    where: Sites, slacks: Sequence[float], optimum: Floats, reached: Sequence[Reached], *, thresholds: Thresholds, exact: bool
) -> pl.DataFrame:
    """Lowest and highest capacity of each site for each slack, with its class."""
    parts = []
    for slack in slacks:
        mine = [r for r in reached if r.slack <= slack]
        held = np.array([optimum, *(r.held for r in mine)])
        lowest, highest = held.min(axis=0), held.max(axis=0)
        proven = _proven(mine, slack, len(optimum)) if exact else np.zeros(len(optimum), dtype=bool)
        parts.append(
            pl.DataFrame(
                {
                    "slack": [slack] * len(optimum),
                    "host": where.host,
                    "group": where.group,
                    "year": [where.year] * len(optimum),
                    "initial": where.initial,
                    "optimum": optimum,
                    "lowest": lowest,
                    "highest": highest,
                    "class": _classes(where, optimum, lowest, highest, thresholds),
                    "proven": proven,
                    "unit": ["100m-yuan"] * len(optimum),
                }
            )
        )
    out = pl.concat(parts)
    known = pl.col("proven") if exact else pl.lit(True)
    return out.with_columns(pl.when(known).then(pl.col("class")))


def _proven(mine: Sequence[Reached], slack: float, n: int) -> Floats:
    """[s] whether both ends were solved for, at this slack and to the end."""
    done = np.zeros((2, n), dtype=bool)
    for r in mine:
        at = int(np.flatnonzero(r.weights)[0])
        done[int(r.weights[at] > 0), at] |= r.slack == slack and r.status == "optimal"
    return np.asarray(done.all(axis=0))


def _classes(where: Sites, optimum: Floats, lowest: Floats, highest: Floats, thresholds: Thresholds) -> list[str]:
    """What every alternative adds, what none adds to speak of, what is free to choose."""
    group = np.array(where.group)
    added, least, greatest = optimum - where.initial, lowest - where.initial, highest - where.initial
    most = {g: max(float(greatest[group == g].max()), 0.0) for g in set(where.group)}
    nothing = thresholds.negligible * np.array([most[g] for g in where.group])
    have = (added > nothing) & (least > np.maximum(nothing, thresholds.needed * added))
    avoid = greatest <= nothing
    return [str(c) for c in np.where(have, "must-have", np.where(avoid, "must-avoid", "free"))]


def found_frame(where: Sites, reached: Sequence[Reached], *, exact: bool) -> pl.DataFrame:
    """Capacity of each site in each alternative."""
    parts = [
        pl.DataFrame({"host": where.host, "group": where.group, "value": r.held}).with_columns(
            alternative=pl.lit(k), slack=pl.lit(r.slack), aim=pl.lit(_aim(where, r) if exact else "random"), cost=pl.lit(r.cost)
        )
        for k, r in enumerate(reached)
    ]
    schema = {"alternative": pl.Int32, "slack": pl.Float64, "aim": pl.String, "host": pl.String, "group": pl.String}
    columns = [*schema, "value", "cost"]
    return pl.concat(parts).select(columns) if parts else pl.DataFrame(schema=schema | {"value": pl.Float64, "cost": pl.Float64})


def _aim(where: Sites, r: Reached) -> str:
    at = int(np.flatnonzero(r.weights)[0])
    return f"{'most' if r.weights[at] > 0 else 'least'} {where.host[at]} {where.group[at]}"
