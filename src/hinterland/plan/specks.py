"""Amounts too small to be told: the frames of a plan keep them, what is shown of it does not.

An interior point stops before the corner: it leaves every amount a little above nothing, and the more so the less the amount costs, since what it bounds is the
product of the two. An answer that is no vertex therefore has specks that are far above rounding, and no threshold of the solver tells them from decisions. What
tells them is whether anybody would act on them. An amount is a speck where it is

* less than :data:`AT_ALL` of the size of its place, or
* less than :data:`OF_PLACE` of the size of its place, and less than :data:`OF_LARGEST` of the largest amount beside it.

The size of a place is the most capacity that the region has in a year (100 million yuan), or the most people that it employs (10 thousand). Where no size is
known it is the largest amount. A small place's small move is so kept beside a large place's large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

AT_ALL = 1e-5
"""Of the size of a place: a hundred-thousandth, a hundred times the tolerance of the solver."""
OF_PLACE = 1e-3
"""Of the size of a place, for amounts that are small beside others too."""
OF_LARGEST = 1e-4
"""Of the largest amount of the block."""


@dataclass(frozen=True, slots=True)
class Left:
    """What was left out: how many amounts, and how much they are together, in the unit of their column."""

    n: int = 0
    amount: float = 0.0

    def __add__(self, other: Left) -> Left:
        """Both together."""
        return Left(self.n + other.n, self.amount + other.amount)


NOTHING = Left()
"""Nothing was left out."""


def specks(amount: str, size: str, within: Sequence[str] = ()) -> pl.Expr:
    """Whether an amount is a speck.

    Args:
        amount: column of amounts.
        size: column of the sizes of their places, in the same unit; null or 0 where it is not known.
        within: columns that tell blocks apart; the whole column is one block by default.
    """
    value = pl.col(amount).abs()
    largest = value.max().over(*within) if within else value.max()
    place = pl.when(pl.col(size) > 0).then(size).otherwise(largest)
    small = (value < AT_ALL * place) | ((value < OF_PLACE * place) & (value < OF_LARGEST * largest))
    return ((value > 0) & small).fill_null(value=False)


def cut(frame: pl.DataFrame, amounts: Sequence[str], size: str = "size", within: Sequence[str] = ()) -> tuple[pl.DataFrame, Left]:
    """The frame with 0 where its amounts are specks, each column a block of its own, and what was left out."""
    if not frame.height:
        return frame, NOTHING
    small = frame.select(specks(a, size, within).alias(a) for a in amounts)
    left = sum((Left(int(small[a].sum()), float(frame[a].filter(small[a]).abs().sum())) for a in amounts), start=NOTHING)
    zero = [pl.when(small[a]).then(0.0).otherwise(frame[a]).alias(a) for a in amounts]
    return frame.with_columns(zero), left


def region_sizes(capacity: pl.DataFrame) -> pl.DataFrame:
    """``region``, ``size``: the most capacity that each region has in a year, of a plan's ``capacity``."""
    return capacity.group_by("region", "year").agg(pl.col("capacity").sum()).group_by("region").agg(size=pl.col("capacity").max())
