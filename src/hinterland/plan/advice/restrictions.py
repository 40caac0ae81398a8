r"""What each restriction costs: its price from the duals, and its price times what is scarce.

The dual :math:`y_m` of a row is the change of the objective per unit of its side. It is discounted to the first year; in the money of its own year a unit is
worth :math:`|y_m| / d_t`. The optimum is convex in the sides :math:`b`, so that :math:`v(b + \\Delta) \\ge v(b) + y \\cdot \\Delta` (Bertsimas & Tsitsiklis 1997,
§5.2): for a limit, as much again (:math:`\\Delta = b`) saves at most :math:`|y| b`; for a floor, doing without it (:math:`\\Delta = -b`) saves at most
:math:`|y| b`; and sums bound what several such changes save together. Where a row has no side of its own, because both of its ends are decided, the amount is
that of the plan and the product a value to first order. With whole variables the duals, and the bound, hold while those stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.advice.view import View
from hinterland.plan.frames import PLACES, labelled
from hinterland.plan.model import Model
from hinterland.plan.objectives import AIMS
from hinterland.plan.tables import shaped

Floats = NDArray[np.float64]

_DISCOUNTED = ("cost", "value-added", "resilience")
"""Objectives that are sums of discounted years."""
_SHOWN = ("region", "industry", "lost", "skill", "market")
_KEYS = ("constraint", "family", *_SHOWN, "phase", "unit", "bound", "falls_short")


@dataclass(frozen=True, slots=True)
class Scarce:
    """Whether a block of rows restricts (and is no accounting), and what of it is scarce.

    ``side``: the row's side. ``used``: what takes it up, the positive terms of the row. ``held``: the capacity behind them, each unit counted once.
    ``active``: what uses it, where anything does: an agreement that nobody made restricts nobody.
    """

    restricts: bool
    scarce: str


@cache
def catalogue() -> Mapping[str, Scarce]:
    """Every block of rows by the name before its colon."""
    text = files("hinterland.plan").joinpath("catalogue", "restrictions.csv").read_text(encoding="utf-8")
    return MappingProxyType({r["constraint"]: Scarce(r["restricts"] == "yes", r["scarce"]) for r in csv.DictReader(text.splitlines())})


def kind_of(constraint: str) -> Scarce:
    """What is known of a block; one that is not in the catalogue restricts, with its side."""
    return catalogue().get(constraint.partition(":")[0], Scarce(restricts=True, scarce="side"))


def restrictions(view: View) -> pl.DataFrame:
    """Table ``plan_restrictions``: prices by constraint, place and phase, the costliest first; those whose cost has no number last.

    Rows that are missed, or would be at the next unit, stand apart: their price is the one put on missing them. What a row forbids altogether has a price for the first unit, and no amount.
    """
    duals = view.plan.duals.filter(pl.col("price") > 0)
    names = [str(n) for n in duals["constraint"].unique(maintain_order=True) if kind_of(str(n)).restricts]
    if not names:
        return shaped("plan_restrictions", pl.DataFrame())
    amounts = pl.concat([_amounts(view.plan.model, name, view.plan.solution.x) for name in names], how="diagonal")
    places = [*PLACES, "year"]
    amounts = amounts.with_columns(
        pl.lit(None, dtype=pl.Int64 if c == "year" else pl.String).alias(c) for c in places if c not in amounts.columns
    )
    rows = (
        duals.filter(pl.col("constraint").is_in(names))
        .with_columns(bound=_BOUND)
        .join(amounts, on=["constraint", *places], how="left", nulls_equal=True)
    )
    short = view.plan.shortfalls.select("constraint", *places, falls_short=pl.lit(value=True))
    rows = rows.join(short.unique(["constraint", *places]), on=["constraint", *places], how="left", nulls_equal=True)
    rows = _dated(
        rows.with_columns(pl.col("falls_short").fill_null(value=False) | (pl.col("price") >= pl.col("penalty") * (1 - 1e-6))), view
    )
    size = pl.col("scarce").abs()
    rows = rows.with_columns(now=pl.col("price") / pl.col("weight"), scarce=pl.when(size > _LEAST).then(size))
    idle = pl.col("scarce").is_null() & pl.col("constraint").is_in([n for n in names if kind_of(n).scarce == "active"])
    known = pl.col("scarce").count() > 0
    costs = known & ~pl.col("falls_short").any()
    made = (
        rows.filter(~idle)
        .group_by(_KEYS)
        .agg(
            rows=pl.len(),
            price=_weighted("now", "scarce"),
            price_most=pl.col("now").max(),
            scarce=pl.when(known).then(pl.col("scarce").sum()),
            cost=pl.when(costs).then((pl.col("now") * pl.col("scarce")).sum()),
            cost_discounted=pl.when(costs).then((pl.col("price") * pl.col("scarce")).sum()),
        )
    )
    return _ranked(made, view)


_LEAST = 1e-9
"""Amounts below this are none."""


_BOUND = pl.when(pl.col("value") < 0).then(pl.lit("limit")).otherwise(pl.lit("floor"))
"""Whether a row is a limit or a floor: what is made small rises as a floor does, and falls as a limit does."""


def _weighted(name: str, weight: str) -> pl.Expr:
    """Mean of a column by what is scarce; the plain mean where nothing is."""
    known = pl.col(weight).sum()
    return pl.when(known > 0).then((pl.col(name) * pl.col(weight)).sum() / known).otherwise(pl.col(name).mean())


def _ranked(made: pl.DataFrame, view: View) -> pl.DataFrame:
    scarce = {name: kind_of(name).scarce for name in made["constraint"].unique()}
    aim = view.plan.objective
    unit = view.plan.objectives.filter(objective=aim)["unit"][0] if aim in AIMS else ""
    order = [pl.col("cost").is_null(), pl.col("cost"), pl.col("price"), *map(pl.col, _KEYS)]
    down = [False, True, True, *[False] * len(_KEYS)]
    made = made.sort(order, descending=down).with_row_index("rank", 1).join(view.spans, on="phase", how="left", maintain_order="left")
    return shaped(
        "plan_restrictions",
        made.with_columns(scarce_is=pl.col("constraint").replace_strict(scarce, return_dtype=pl.String), price_unit=pl.lit(unit)),
    )


def _dated(rows: pl.DataFrame, view: View) -> pl.DataFrame:
    """Rows with the phase and the discount factor of their year; of a row without year, those of the end of its phase or of its gate's."""
    gates = view.problem.text["gate"]
    of_gate = dict(gates.select("gate", "phase").iter_rows()) if {"gate", "phase"} <= set(gates.columns) else {}
    named = pl.col("constraint").str.strip_prefix("gate:").replace_strict(of_gate, default=None, return_dtype=pl.String)
    rows = rows.join(view.years.select("year", "weight", in_year="phase"), on="year", how="left", nulls_equal=False)
    rows = rows.with_columns(phase=pl.coalesce("phase", "in_year", pl.when(pl.col("constraint").str.starts_with("gate:")).then(named)))
    last = view.years.group_by("phase").agg(end_weight=pl.col("weight").last())
    rows = rows.join(last, on="phase", how="left").with_columns(weight=pl.coalesce("weight", "end_weight"))
    discounted = view.plan.objective in _DISCOUNTED
    return rows.with_columns(weight=pl.col("weight").fill_null(1.0) if discounted else pl.lit(1.0))


def _amounts(model: Model, name: str, x: Floats) -> pl.DataFrame:
    """How much of what a block's rows are about there is, with the labels of the rows."""
    program = model.program
    shape = program.rows[name][2]
    values = scarce_amounts(model, name, x).reshape(shape)
    found = labelled(model.problem, model.labels[f"row:{name}"], values) if values.shape else pl.DataFrame({"value": [float(values)]})
    keep = [pl.col(c).cast(pl.Int64 if c == "year" else pl.String) for c in found.columns if c in (*PLACES, "year")]
    prices = [program.penalty[program.columns[short][0]] for short in model.rows[name].short]
    return found.select(*keep, scarce="value").with_columns(constraint=pl.lit(name), penalty=pl.lit(min(prices, default=np.inf)))


def scarce_amounts(model: Model, name: str, x: Floats) -> Floats:
    """[rows of the block] its side, what uses it, or the capacity that fills it: see :class:`Scarce`."""
    program = model.program
    start, end, _ = program.rows[name]
    low, high = program.row_lower[start:end], program.row_upper[start:end]
    kind = kind_of(name).scarce
    if kind == "side":
        return np.where(np.isfinite(high), high, np.where(np.isfinite(low), low, 0.0))
    slack = np.zeros(program.shape[1], dtype=bool)
    for short in model.rows[name].short:
        first, last, _ = program.columns[short]
        slack[first:last] = True
    block = program.matrix[start:end].tocsr()
    block.data = np.where(slack[block.indices] | (block.data < 0), 0.0, np.ones_like(block.data) if kind == "held" else block.data)
    return np.asarray(block @ x)
