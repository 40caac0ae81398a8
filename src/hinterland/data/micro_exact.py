"""Sums of floats that do not depend on the order of addition: the same bits from every engine, thread count and memory limit.

After Demmel & Nguyen (2013), "Fast reproducible floating-point summation": every number is cut into pieces that are whole multiples of a
few fixed steps. The pieces of one step add up without rounding, so that their order does not matter, and the sums of the steps are added
in a fixed order. What is cut off below the last step is less than 2⁻¹⁰⁰ of the largest number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, frexp, log2
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import narwhals as nw

LEVELS = 4
_BITS = 52
"""Of a double's mantissa, less one."""

Steps = tuple[float, ...]


def steps(largest: float, rows: int) -> Steps:
    """One constant per level, M = 1.5 · 2^(52 + g): adding and subtracting it rounds a number to whole multiples of 2^g.

    Args:
        largest: absolute value of the largest number.
        rows: how many are added at most.
    """
    exponent = frexp(largest)[1] if largest > 0 else 0
    room = ceil(log2(max(rows, 1))) + 1
    out = []
    for _ in range(LEVELS):
        grid = exponent + room - _BITS
        out.append(1.5 * 2.0 ** (_BITS + grid))
        exponent = grid
    return tuple(out)


def pieces(x: nw.Expr, constants: Steps) -> list[nw.Expr]:
    """A number cut into its pieces, one per level."""
    out = []
    for constant in constants:
        piece = (x + constant) - constant
        out.append(piece)
        x = x - piece
    return out


def exact_sums(name: str, x: nw.Expr, constants: Steps) -> dict[str, nw.Expr]:
    """One sum per level, under ``name`` and the level's number."""
    return {f"{name}@{k}": piece.sum() for k, piece in enumerate(pieces(x, constants))}


def added(raw: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The sums of the levels of each name, added from the largest step to the smallest."""
    for name in names:
        levels = [f"{name}@{k}" for k in range(LEVELS)]
        total = pl.col(levels[0])
        for level in levels[1:]:
            total = total + pl.col(level)
        raw = raw.with_columns(total.alias(name)).drop(levels)
    return raw


def extent(names: Sequence[str]) -> dict[str, nw.Expr]:
    """What :func:`constants_of` must know of the rows."""
    import narwhals as nw

    return {"rows": nw.len(), **{name: nw.col(name).abs().max() for name in names}}


def constants_of(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, Steps]:
    """Constants of each name and of its squares."""
    out: dict[str, Steps] = {}
    for name in names:
        largest = float(found[name] or 0.0)
        out[name] = steps(largest, int(found["rows"]))
        out[f"{name}_squares"] = steps(largest * largest, int(found["rows"]))
    return out
