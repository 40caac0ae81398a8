"""Pools: regions whose goods are counted in one balance, such as the cities of a province.

The column ``pool`` of the table ``regions`` names the region in whose balance a region's goods are counted, its own where it is empty. That region, the centre
of the pool, speaks for it: technical coefficients are the centre's, and routes lead from centre to centre. Final demand, imports and exports may be given where
they are, and are summed. Within a pool goods travel free of charge, so that a pool should be small enough for that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.typed import Typed

Positions = NDArray[np.int64]


def centre_of(read: Mapping[str, Typed]) -> dict[str, str]:
    """The centre of each region's pool; the region itself where none is named."""
    frame = read["regions"].frame
    if "pool" not in frame.columns:
        return {r: r for r in frame["region"]}
    return {r: p or r for r, p in frame.select("region", "pool").rows()}


def wrong_pools(read: Mapping[str, Typed]) -> list[Finding]:
    """What is wrong with pools: centres that are no regions or are in another pool, industries that a centre lacks, tables that speak of members."""
    centre = centre_of(read)
    if all(r == c for r, c in centre.items()):
        return []
    where = "regions, column 'pool'"
    lost = sorted({c for c in centre.values() if c not in centre})
    if lost:
        return [Finding("unknown-label", f"pool {listed(lost)} is not in table 'regions'", where, did_you_mean(lost[0], centre))]
    findings = []
    chained = sorted({c for c in centre.values() if centre[c] != c})
    if chained:
        findings.append(Finding("pool-in-pool", f"{listed(chained)} have members and are in another pool", where, "name the centre itself"))
    cells = set(read["cells"].frame.select("region", "industry").drop_nulls().rows())
    bare = sorted({f"{centre[r]}/{i}" for r, i in cells if r in centre and (centre[r], i) not in cells})
    if bare:
        what = f"members of a pool make what its centre has no cell for: {listed(bare)}"
        findings.append(Finding("pool-without-cell", what, "cells", "add the cells of the centre, with capacity 0"))
    return findings + _speak_of_members(read, {r for r, c in centre.items() if r != c})


def _speak_of_members(read: Mapping[str, Typed], members: set[str]) -> list[Finding]:
    findings = []
    for table, columns in (("inputs", ("region",)), ("routes", ("origin", "destination"))):
        frame = read[table].frame if table in read else pl.DataFrame()
        for column in columns:
            named = sorted(set(frame[column].drop_nulls()) & members) if column in frame.columns else []
            if named:
                what = f"{column} {listed(named)} is a member of a pool"
                findings.append(Finding("pool-member", what, f"{table}, column {column!r}", "name the centre of the pool"))
    return findings


def pool_positions(read: Mapping[str, Typed], regions: pd.Index, cells: pl.DataFrame) -> tuple[Positions, Positions]:
    """Positions of the centre of each region among regions, and of each cell's centre among cells."""
    centre = centre_of(read)
    region = regions.get_indexer([centre[r] for r in regions]).astype(np.int64)
    at = pl.DataFrame({"region": list(centre), "centre": list(centre.values())}, schema={"region": pl.String, "centre": pl.String})
    named = cells.join(at, on="region", how="left", maintain_order="left")
    own = cells.select("industry", centre="region", _centre=pl.col("_cell").cast(pl.Int64))
    return region, named.join(own, on=["centre", "industry"], how="left", maintain_order="left")["_centre"].to_numpy().astype(np.int64)
