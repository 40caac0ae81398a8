"""What pulls: costs of location, the stage of the product cycle, and positions in chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.globe import great_circle
from hinterland.measure.data import Data
from hinterland.measure.division import ratio
from hinterland.measure.location import STAGES, weber_site
from hinterland.transfer.chains import Chains, chain_rows
from hinterland.transfer.inputs import Cells, by_region, for_years
from hinterland.transfer.rows import applied, conformed, measured_rows, number_rows

__all__ = ["drivers_frame"]

Floats = NDArray[np.float64]


def drivers_frame(cells: Cells, at: Floats | None, wages: Any, chains: Chains | None, more: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Rows of ``transfer_drivers``; ``more`` are estimated coefficients."""
    parts = [_product_cycle(cells)]
    if at is not None:
        parts += _location(cells, at, wages, chains)
    if chains is not None:
        parts += [f.with_columns(concept=pl.lit("potential")) for f in chain_rows(chains)]
    return conformed("transfer_drivers", [*(cells.grouped(p) if "industry" in p.columns else p for p in parts), *more])


def national(data: Data) -> Data:
    """Sums over the regions that have the industry on record in every year."""
    cube = data.cube("time", "region", "industry")
    every = np.asarray(cube.observed.all(axis=0))
    sums = np.where(every, cube.values, 0.0).sum(axis=1)
    t, i = (x.ravel() for x in np.indices(sums.shape))
    seen = np.asarray(every.any(axis=0))[i]
    frame = pl.DataFrame(
        {
            "time": cube.labels[0].gather(t),
            "industry": cube.labels[2].gather(i),
            "value": pl.Series(np.where(seen, sums.ravel(), np.nan), nan_to_null=True),
            "state:value": pl.Series(np.where(seen, 0, 1).astype(np.uint8)),
        }
    )
    return Data(frame, {k: k for k in ("time", "industry", "value")})


def _product_cycle(cells: Cells) -> pl.DataFrame:
    """Stage of each industry in the last year, from its national total."""
    found = measured_rows("product-cycle", applied("product-cycle", national(cells.data)), level="industry", concept="potential")
    last = found.filter(pl.col("time") == cells.years[-1])
    names: Mapping[int, str] = dict(enumerate(STAGES, 1))
    stage = last.filter(pl.col("component") == "product-stage").select(
        "industry", label=pl.col("value").cast(pl.Int64).replace_strict(names, default="", return_dtype=pl.String).fill_null("")
    )
    return last.join(stage, on="industry", how="left", maintain_order="left")


def _location(cells: Cells, at: Floats, wages: Any, chains: Chains | None) -> Iterator[pl.DataFrame]:
    """``location-cost``: the parts of Weber's comparison for each industry and host, each in its own unit; no part is priced against another.

    ``location-transport``: km that a unit of inputs and sales travels on average to and from the host: markets by the regions' activity, or by deliveries and
    inputs of the industry where there is an input-output table;  ``location-labour``: wage over the regions' mean;  ``location-agglomeration``: logarithm of one
    plus the host's location quotient in the industry.
    """
    data = for_years(cells.data, cells.years[-1])
    cube = data.cube("time", "region", "industry")
    values, regions, industries = cube.values[0], cube.labels[1], cube.labels[2]
    hosts = np.array([r in cells.hosts for r in regions])
    distance = great_circle(at[hosts], at)
    weights, rule = _weights(cells, values, chains)
    transport = np.stack(
        [weber_site(distance, w).transport if np.isfinite(w).all() else np.full(len(distance), np.nan) for w in weights], axis=1
    )
    quotient = ratio(values * np.nansum(values), np.nansum(values, axis=1, keepdims=True) * np.nansum(values, axis=0, keepdims=True))
    parts = {"location-transport": transport, "location-agglomeration": np.log1p(quotient[hosts])}
    if wages is not None:
        parts["location-labour"] = np.repeat(_relative_wages(wages, regions)[hosts][:, None], len(industries), axis=1)
    h, i = (x.ravel() for x in np.indices(transport.shape))
    keys = {"region": regions.filter(pl.Series(hosts)).gather(h), "industry": industries.gather(i)}
    for component, part in parts.items():
        rows = number_rows(
            keys, part.ravel(), n_used=len(regions), reasons={"missing-input": ~np.isfinite(part.ravel())}, component=component
        )
        lowest = component != "location-agglomeration"
        rank = pl.col("value").rank("min", descending=not lowest).cast(pl.Int64).over("industry").alias("rank")
        said = {
            "measure": "location-cost",
            "level": "cell",
            "concept": "potential",
            "rule": rule if component == "location-transport" else "",
        }
        yield rows.with_columns(rank, time=pl.lit(cells.years[-1], pl.Int64), **{k: pl.lit(v) for k, v in said.items()})


def _weights(cells: Cells, values: Floats, chains: Chains | None) -> tuple[Floats, str]:
    """[I, R] shares of regions in what an industry's plant buys and sells, and the code of the rule that gave them."""
    market = np.nansum(values, axis=1)
    plain = np.broadcast_to(market / market.sum(), (values.shape[1], len(market)))
    industries = cells.data.labels("industry").to_list()
    if chains is None or not set(chains.sectors) & set(industries):
        return plain, "location-markets"
    t = chains.last
    order = [chains.regions.index(r) if r in chains.regions else -1 for r in cells.data.labels("region")]
    z = t.Z.reshape(t.n_regions, t.n_sectors, t.n_regions, t.n_sectors)
    bought = z.sum(axis=(1, 2)).T
    sold = (z.sum(axis=(0, 3)) + t.final_demand.reshape(t.n_regions, t.n_sectors, -1).sum(axis=0)).reshape(t.n_sectors, t.n_regions)
    tied = np.pad(bought + sold, ((0, 0), (0, 1)), constant_values=0.0)[:, order]
    rows = [tied[chains.sectors.index(i)] if i in chains.sectors else np.full(len(order), np.nan) for i in industries]
    total = np.array(rows)
    return ratio(total, total.sum(axis=1, keepdims=True)), "location-chains"


def _relative_wages(source: Any, regions: pl.Series) -> Floats:
    """[R] wage over the mean of the regions that have one; NaN where there is none."""
    wage = by_region(source, "wages", regions)
    return ratio(wage, np.nanmean(wage))
