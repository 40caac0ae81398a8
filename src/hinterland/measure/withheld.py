"""Values that are missing because an input is withheld, told apart from those whose input nobody recorded."""

from __future__ import annotations

import polars as pl

from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator
from hinterland.measure.states import SUPPRESSED

ROLE_OF = {"other": "region", "other_industry": "industry"}
"""Result keys whose labels are those of a role, where the table has no column of their own."""


def name_withheld(frame: pl.DataFrame, indicator: Indicator, data: Data) -> pl.DataFrame:
    """``frame`` with the reason ``suppressed-input`` for ``missing-input`` where a row of the table with the same keys has a withheld number.

    Of a pair, either member's rows count.
    """
    states = [pl.col(c) == SUPPRESSED for c in data.frame.columns if c.startswith("state:")]
    missing = frame["reason"] == "missing-input"
    held = data.frame.filter(pl.any_horizontal(states)) if states else data.frame.clear()
    if not missing.any() or not held.height:
        return frame
    found = pl.Series([False]).new_from_index(0, frame.height)
    for roles in _sides(indicator, data):
        keys = frame.select(pl.col(data.columns.get(k, k)).cast(held.schema[r]).alias(r) for k, r in roles.items())
        found |= _among(keys, held) if roles else True
    reason = pl.when(missing & found).then(pl.lit("suppressed-input")).otherwise("reason")
    return frame.with_columns(reason=reason)


def _sides(indicator: Indicator, data: Data) -> list[dict[str, str]]:
    """Result key → role of the table that holds its labels, for the first members of pairs and for the second."""
    own = {k: k for k in indicator.keys if data.has(k)}
    second = {k: ROLE_OF[k] for k in indicator.keys if k in ROLE_OF and k not in own and data.has(ROLE_OF[k])}
    others = {k: r for k, r in own.items() if r not in second.values()} | second
    return [own, others] if second else [own]


def _among(keys: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """[n] whether a row of ``keys`` is in ``held``."""
    marked = held.select(keys.columns).unique().with_columns(found=pl.lit(value=True))
    return keys.join(marked, on=keys.columns, how="left", maintain_order="left")["found"].fill_null(value=False)
