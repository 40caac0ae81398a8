"""Shadow prices: what one more unit of what a constraint limits is worth, in the money of its own year, in natural units and in words."""

from __future__ import annotations

import polars as pl

from hinterland.labels import Language, catalogue, text
from hinterland.plan.entry import unit_of
from hinterland.plan.frames import PLACES
from hinterland.plan.result import Plan
from hinterland.plan.words import said, unit_said, where
from hinterland.units import UNITS, find_unit

__all__ = ["shadow_prices"]

DISCOUNTED = ("cost", "value-added", "resilience")
"""Objectives that are sums of discounted years."""
_SENSES = {"<=": "most", ">=": "least", "=": "balance"}


def shadow_prices(plan: Plan, language: Language = "en") -> pl.DataFrame:
    """The dual of every row that binds, undiscounted to the row's own year.

    ``price`` is the size of the dual over the discount factor of the year, in the objective's unit per unit of the row; ``natural`` is the same in base
    units, such as yuan per tonne. Rows without a year, such as those of a whole phase, keep the weight of the first year (``undiscounted`` is false). Prices
    hold for small changes, one at a time; with whole variables, while these are as they are.

    Args:
        plan: with duals.
        language: of the sentences.

    Returns:
        constraint, family, sense, places, year, dual, discount, price, unit, natural, natural_unit, undiscounted, said; the dearest first within each
        constraint's unit.
    """
    weights = {int(y): float(w) for y, w in zip(plan.problem.years, plan.problem.weights.values, strict=True)}
    dated = plan.objective in DISCOUNTED
    money = unit_of(plan.model, plan.objective)
    rows = []
    for row in plan.duals.iter_rows(named=True):
        weight = weights.get(row["year"], 1.0) if dated else 1.0
        price = row["price"] / weight
        factor, natural = natural_unit(money, row["unit"])
        sense = plan.model.rows[row["constraint"]].sign
        out = {k: row[k] for k in ("constraint", "family", *PLACES, "year")}
        out |= {"sense": sense, "dual": row["value"], "discount": weight, "price": price, "unit": f"{money} per {row['unit']}"}
        out |= {"natural": price * factor, "natural_unit": natural, "undiscounted": dated and row["year"] is not None}
        rows.append(out | {"said": _sentence(row, sense, price, money, language)})
    kept: dict[str, type[pl.DataType] | pl.DataType] = {"constraint": pl.String(), "family": pl.String(), "sense": pl.String()}
    kept |= dict.fromkeys(PLACES, pl.String()) | {"year": pl.Int64(), "dual": pl.Float64(), "discount": pl.Float64(), "price": pl.Float64()}
    kept |= {"unit": pl.String(), "natural": pl.Float64(), "natural_unit": pl.String(), "undiscounted": pl.Boolean(), "said": pl.String()}
    return pl.DataFrame(rows, schema=kept).sort(["unit", "price"], descending=[False, True], maintain_order=True)


def natural_unit(above: str, below: str) -> tuple[float, str]:
    """What one ``above`` per ``below`` is in base units, and their names: 100m-yuan per 10k-tonne is 10 000 yuan per tonne."""
    (up, over), (down, under) = _base(above), _base(below)
    return up / down, f"{over} per {f'({under})' if '/' in under else under}"


def _base(unit: str) -> tuple[float, str]:
    """Factor and name of the base of a unit, part by part; a unit that is not known is its own base."""
    first, *rest = unit.split("/")
    factor, name = _one(first)
    for part in rest:
        below, under = _one(part)
        factor, name = factor / below, f"{name}/{under}"
    return factor, name


def _one(unit: str) -> tuple[float, str]:
    try:
        known = find_unit(unit)
    except ValueError:
        return 1.0, unit
    base = next(u.id for u in UNITS.values() if u.quantity == known.quantity and u.factor == 1.0)
    return known.factor, base


def _sentence(row: dict[str, object], sense: str, price: float, money: str, language: Language) -> str:
    return text(
        f"plan.price.{_SENSES[sense]}",
        language,
        constraint=said(str(row["constraint"]), language),
        where=where(row, language),
        unit=catalogue(language).get(f"unit.{row['unit']}", str(row["unit"])),
        price=f"{price:,.4g}",
        money=unit_said(money, language),
    )
