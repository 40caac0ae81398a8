"""Frames of many draws: means and quantiles of what is kept of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan import frames
from hinterland.plan.changes import Change
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.program import Floats

MADE = 1e-6
"""A move is made where it carries more than this part of the largest move of its draw."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is kept of a draw: status, objectives, and some columns of its solution."""

    status: str
    method: str
    seconds: float
    objective: float
    bound: float
    objectives: Floats
    x: Floats


def came(made: Model, moves: Floats) -> Floats:
    """[n, cell, year] capacity decided to move to the cell by the year, from moves [n, arc, year]; 0 where it is rounding."""
    came = np.zeros((len(made.problem.index["cell"]), len(moves), moves.shape[2]))
    np.add.at(came, made.problem.links["arc.host"], moves.transpose(1, 0, 2))
    most = np.maximum(moves.max(axis=(1, 2), initial=0.0), 1.0)
    total = came.cumsum(axis=2).transpose(1, 0, 2)
    return np.asarray(np.where(total > MADE * most[:, None, None], total, 0.0))


def groups_of(made: Model, held: Floats, came: Floats, level: float) -> pl.DataFrame:
    """Capacity [n, cell, year] and what came by host, group and end of phase."""
    p = made.problem
    names = p.text["group"]["group"].unique(maintain_order=True).to_list() or list(p.index["industry"])
    ends = [p.years.index(p.phase_years(f)[-1]) for f in p.phases]
    keys, amounts, arrived = [], [], []
    for region in np.flatnonzero(p["host"].values):
        for group in names:
            inside = (p.links["cell.region"] == region) & p.members(group)[p.links["cell.industry"]]
            if inside.any():
                keys += [(str(p.index["region"][region]), str(group), p.years[t]) for t in ends]
                amounts.append(held[:, inside][:, :, ends].sum(axis=1))
                arrived.append((came[:, inside][:, :, ends].sum(axis=1) > 0).mean(axis=0))
    schema = {"region": pl.String, "group": pl.String, "year": pl.Int64}
    frame = pl.DataFrame(keys, schema=schema, orient="row")
    if not keys:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(c) for c in ("mean", "low", "high", "share_of_draws"))
    told = summary(np.concatenate(amounts, axis=1), level)
    return frame.with_columns(*(told[c] for c in ("mean", "low", "high")), share_of_draws=pl.Series(np.concatenate(arrived)))


def summary(values: Floats, level: float) -> dict[str, pl.Series]:
    """Mean, spread and quantiles over the draws [n, k] as columns [k]."""
    tail = (1 - level) / 2
    low, median, high = np.quantile(values, [tail, 0.5, 1 - tail], axis=0)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
    return {
        k: pl.Series(k, v) for k, v in (("mean", values.mean(axis=0)), ("sd", spread), ("low", low), ("median", median), ("high", high))
    }


def moves_of(made: Model, moved: Floats, level: float) -> pl.DataFrame:
    """Moves by arc [n, arcs], most often made first."""
    arcs = frames.named(made.problem, made.problem.index["arc"])
    if not moved.shape[1]:
        return pl.DataFrame({**arcs, **{c: pl.Series(c, [], dtype=pl.Float64) for c in ("share", "mean", "low", "median", "high")}})
    most = np.maximum(moved.max(axis=1, keepdims=True), 1.0)
    share = (moved > MADE * most).mean(axis=0)
    columns = {k: v for k, v in summary(moved, level).items() if k != "sd"}
    frame = pl.DataFrame({**arcs, "share": pl.Series("share", share), **columns})
    return frame.filter(pl.col("share") > 0).sort("share", "mean", descending=True, maintain_order=True)


def values_of(made: Model, answers: Sequence[Answer], good: NDArray[np.bool_]) -> pl.DataFrame:
    """One row per draw that has an answer and objective, and falling short."""
    names = [*made.program.objectives, "shortfall"]
    units = [AIMS[a].unit if a in AIMS else "100m-yuan" for a in names]
    rows: list[dict[str, Any]] = [
        {"draw": i, "objective": name, "value": float(v), "unit": unit}
        for i, a in enumerate(answers)
        if good[i]
        for name, unit, v in zip(names, units, a.objectives, strict=True)
    ]
    return pl.DataFrame(rows)


def objectives_of(values: pl.DataFrame, level: float) -> pl.DataFrame:
    """One row per objective, over the draws of ``values``."""
    names = values["objective"].unique(maintain_order=True)
    table = np.column_stack([values.filter(pl.col("objective") == n)["value"].to_numpy() for n in names])
    units = [values.filter(pl.col("objective") == n)["unit"][0] for n in names]
    return pl.DataFrame({"objective": names, "unit": pl.Series(units), **summary(table, level)})


def factors_of(scopes: Sequence[Change], factors: Floats) -> pl.DataFrame:
    """One row per draw and factor [n, K]."""
    names = [str(c).replace(" × 1", "", 1) for c in scopes]
    n, k = factors.shape
    draw = np.repeat(np.arange(n), k)
    return pl.DataFrame({"draw": draw, "factor": names * n, "value": factors.ravel()})
