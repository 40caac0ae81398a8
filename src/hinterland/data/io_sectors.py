"""The 42 sectors of China's tables: what a code means in each vintage, and the sectors that all vintages have in common.

``sec23`` is electricity in 2002 and 2007, scrap in 2012 and repair in 2017: codes without their year mean little.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import polars as pl

from hinterland.data.geography import catalogue_table
from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, listed

__all__ = ["common_sectors", "io_sectors", "to_common"]


@cache
def io_sectors() -> pl.DataFrame:
    """The sectors of each vintage (2002, 2007, 2012, 2017): ``vintage``, ``code``, ``name_zh``, ``common``."""
    return catalogue_table("io_sectors").with_columns(pl.col("vintage").cast(pl.Int64))


@cache
def common_sectors() -> pl.DataFrame:
    """The 38 sectors in common: ``common``, ``name_zh``, ``name_en``, ``note`` (where the borders moved)."""
    return catalogue_table("io_common_sectors")


def to_common(t: IOTable) -> IOTable:
    """The table by the 38 sectors that the vintages have in common; sectors are codes (``sec16``, in the table's year) or Chinese names.

    Raises:
        InputError: sectors of no vintage.
    """
    labels = [str(s) for s in t.sector_labels]
    for vintage in _vintages(t.year, labels):
        names = _mapping(vintage)
        if all(s in names for s in labels):
            return t.aggregate(sectors={s: names[s] for s in labels})
    known = set().union(*(_mapping(v) for v in io_sectors()["vintage"].unique()))
    unknown = [s for s in labels if s not in known] or labels
    what = f"sectors of no vintage of China's tables, or of a year that is not given: {listed(unknown)}"
    raise InputError(
        Finding("io-no-concordance", what, t.source, "use sectors='as-written', and merge with aggregate(sectors=...)"), t.source
    )


def _vintages(year: int | None, labels: list[str]) -> list[int]:
    """Vintages to try: codes belong to the year's own only, names to whichever has them all."""
    every = sorted(int(v) for v in np.unique(io_sectors()["vintage"].to_numpy()))
    if any(s.startswith("sec") for s in labels):
        return [v for v in every if v == year]
    return sorted(every, key=lambda v: abs(v - (year or v)))


@cache
def _mapping(vintage: int) -> Mapping[str, str]:
    rows = io_sectors().filter(pl.col("vintage") == vintage)
    return dict(zip([*rows["code"], *rows["name_zh"]], [*rows["common"], *rows["common"]], strict=True))
