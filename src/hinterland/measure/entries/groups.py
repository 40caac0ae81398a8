"""Groups of regions: a column of the table, or the macro-regions of China by administrative code or name of province."""

from __future__ import annotations

import polars as pl

from hinterland.data.geography import provinces
from hinterland.errors import Finding, InputError, listed
from hinterland.measure.data import Data


def region_groups(data: Data) -> pl.Series:
    """[R] group of each region: its column ``group``, which must not change; else its macro-region.

    Raises:
        InputError: a region in two groups, or regions whose macro-region cannot be told.
    """
    regions = data.labels("region")
    if not data.has("group"):
        return _macro_regions(regions)
    pairs = data.frame.select("region", "group").unique()
    twice = pairs.filter(pl.col("region").is_duplicated())["region"].unique().sort()
    if len(twice):
        what = f"the group of {listed(twice)} changes"
        raise InputError(Finding("group-changes", what, f"column {data.columns['group']!r}", "give every region one group"), "groups")
    return pl.DataFrame({"region": regions}).join(pairs, on="region", how="left", maintain_order="left")["group"]


def _macro_regions(regions: pl.Series) -> pl.Series:
    known = provinces()
    by_code = dict(zip(known["province_code"], known["macro_region"], strict=True))
    by_name = {n: m for column in ("name_zh", "short_zh", "name_en") for n, m in zip(known[column], known["macro_region"], strict=True)}
    found = [by_name.get(r, by_code.get(f"{r[:2]}0000") if len(r) in (2, 6) and r.isdigit() else None) for r in regions]
    unknown = [r for r, m in zip(regions, found, strict=True) if m is None]
    if unknown:
        what = f"the macro-region of {listed(unknown)} is not known"
        remedy = 'name a column as group, use administrative codes or names of provinces, or pass elasticity="pooled"'
        raise InputError(Finding("group-unknown", what, "argument group", remedy), "groups")
    return pl.Series("group", found, dtype=pl.String)
