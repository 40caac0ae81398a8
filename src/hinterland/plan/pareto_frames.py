"""Frames of a front: its points, the positions that were visited, the payoff table, and what better costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hinterland.plan.augmecon import EPSILON, Grid, Visit
from hinterland.plan.dominance import dominated, first_of_same
from hinterland.plan.entry import objective_values, unit_of
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.payoff import Payoff
from hinterland.plan.program import Floats, tightened


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The positions that were visited, and which of them are points.

    Attributes:
        visits: every position, in order.
        shares: [visits, p] active objectives over their ranges, 0 the ideal; not a number where there is no answer.
        kept: positions of ``visits`` that are points: not dominated, the first of the same.
        point: for each position the point that it gave, where it did.
        dominated: positions that another one dominates.
    """

    visits: tuple[Visit, ...]
    shares: Floats
    kept: tuple[int, ...]
    point: Mapping[int, int]
    dominated: tuple[int, ...]


def collected(swept: Grid, visits: Sequence[Visit]) -> Found:
    """Order what was visited, find what is the same and what is dominated."""
    table = swept.payoff
    own = [n for n, v in enumerate(visits) if v.found]
    shares = np.full((len(visits), len(table.names)), np.nan)
    for n in own:
        shares[n] = (_values(swept, visits[n]) - table.ideal) / table.ranges
    within = shares[own]
    worse = dominated(within)
    first = first_of_same(within)
    kept = [own[i] for i in range(len(own)) if not worse[i] and first[i] == i]
    order = {n: k for k, n in enumerate(sorted(kept, key=lambda n: tuple(shares[n])))}
    point = {own[i]: order[own[first[i]]] for i in range(len(own)) if own[first[i]] in order}
    by_level = {v.level: point[n] for n, v in enumerate(visits) if n in point}
    point |= {n: by_level[v.same_as] for n, v in enumerate(visits) if v.same_as in by_level}
    return Found(tuple(visits), shares, tuple(order), point, tuple(own[i] for i in np.flatnonzero(worse)))


def _values(swept: Grid, visit: Visit) -> Floats:
    """[p] active objectives, turned round where more is better, their auxiliary variables where the others put them."""
    x = tightened(swept.program, visit.answer.x)
    return np.array([float(swept.program.objectives[n] @ x) for n in swept.payoff.names])


def points(made: Model, swept: Grid, found: Found, floors: Mapping[str, float]) -> pl.DataFrame:
    """Every objective at every point."""
    names = swept.payoff.names
    roles = {n: "limited" if k else "best" for k, n in enumerate(names)} | dict.fromkeys(floors, "floor") | {"shortfall": "kept"}
    parts = []
    for k, n in enumerate(found.kept):
        share = dict(zip(names, found.shares[n].tolist(), strict=True))
        values = objective_values(made, tightened(swept.program, found.visits[n].answer.x))
        parts.append(
            values.with_columns(
                pl.lit(k).alias("point"),
                pl.col("objective").replace_strict(roles, default="reported", return_dtype=pl.String).alias("role"),
                pl.col("objective").replace_strict(share, default=None, return_dtype=pl.Float64).alias("share"),
            )
        )
    return pl.concat(parts).select("point", "objective", "role", "value", "unit", "better", "share")


def solves(swept: Grid, found: Found) -> pl.DataFrame:
    """Every position of the grid that was visited or passed over."""
    names = swept.payoff.names[1:]
    rows = []
    for n, visit in enumerate(found.visits):
        row: dict[str, Any] = {"point": found.point.get(n)}
        row |= {f"limit:{k}": AIMS[k].sign * float(e) for k, e in zip(names, visit.limits, strict=True)}
        answer = visit.solution
        row |= {
            "status": None if answer is None else answer.status,
            "gap": None if answer is None or np.isnan(answer.gap) else answer.gap,
            "solver": None if answer is None else answer.solver,
            "seconds": None if answer is None else sum(a.seconds for a in answer.attempts),
            "bypassed": answer is None,
            "dominated": n in found.dominated,
        }
        rows.append(row)
    schema = {"point": pl.Int64, **{f"limit:{k}": pl.Float64 for k in names}, "status": pl.String, "gap": pl.Float64}
    return pl.DataFrame(
        rows, schema={**schema, "solver": pl.String, "seconds": pl.Float64, "bypassed": pl.Boolean, "dominated": pl.Boolean}
    )


def payoff_table(made: Model, table: Payoff) -> pl.DataFrame:
    """The payoff table, a row for each cell."""
    rows = [
        {"made_best": best, "objective": name, "value": AIMS[name].sign * float(table.values[i, j]), "unit": unit_of(made, name)}
        for i, best in enumerate(table.names)
        for j, name in enumerate(table.names)
    ]
    return pl.DataFrame(rows)


def trade_offs(made: Model, swept: Grid, found: Found) -> pl.DataFrame:
    """What a unit of each limited objective costs of the first one: at each point, and between neighbours where there are two objectives."""
    names = swept.payoff.names
    rows: list[dict[str, Any]] = []
    for k, n in enumerate(found.kept):
        for j in range(1, len(names)):
            price = _price(swept, found.visits[n], j)
            if price is not None:
                rows.append({**_about(made, names, j), "point": k, "other": None, "price": price, "basis": "dual"})
    if len(names) == 2:
        ranges = swept.payoff.ranges
        for k, (a, b) in enumerate(zip(found.kept, found.kept[1:], strict=False)):
            dearer, better = (found.shares[b] - found.shares[a]) * ranges
            rows.append({**_about(made, names, 1), "point": k, "other": k + 1, "price": float(-dearer / better), "basis": "difference"})
    schema = {"point": pl.Int64, "other": pl.Int64, "objective": pl.String, "against": pl.String, "price": pl.Float64, "unit": pl.String}
    return pl.DataFrame(rows, schema=schema | {"basis": pl.String})


def _price(swept: Grid, visit: Visit, k: int) -> float | None:
    """Loss of the first objective per unit of the ``k``-th, from the dual of its level: without what the augmentation adds where the level binds."""
    answer = visit.solution
    if answer is None or answer.y is None or not visit.priced:
        return None
    dual = float(answer.y[swept.row(k)])
    added = EPSILON * 0.1 ** (k - 1) * swept.payoff.ranges[0] / swept.payoff.ranges[k]
    return float(added - dual) if dual < 0 else 0.0


def _about(made: Model, names: Sequence[str], k: int) -> dict[str, str]:
    """Which objective is made better, what it is paid with, and the unit of the price."""
    return {"objective": names[k], "against": names[0], "unit": f"{unit_of(made, names[0])} per {unit_of(made, names[k])}"}
