"""Where regions are: positions, distances, neighbours, and the paths of industries' centres of gravity."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.geography import province_adjacency
from hinterland.measure.data import Data
from hinterland.measure.division import ratio
from hinterland.measure.neighbour_choice import coordinates_of
from hinterland.measure.redistribution import gravity_centre, gravity_shift
from hinterland.measure.second import table
from hinterland.transfer.inputs import Cells, aggregated
from hinterland.transfer.rows import conformed

__all__ = ["neighbour_table", "paths_frame", "positions_of"]

Floats = NDArray[np.float64]


def positions_of(cells: Cells, places: Any) -> Floats:
    """[R, 2] longitude and latitude of the table's regions; ``places`` has region, lon, lat, or names a packaged set.

    Raises:
        InputError: a region without a position.
    """
    return coordinates_of(cells.data.labels("region"), places)


def neighbour_table(source: Any) -> pl.DataFrame:
    """Neighbours with weights: ``region, other, value``; borders count one each where the table has no weights.

    ``provinces`` names the packaged borders, by six-digit code.
    """
    if isinstance(source, str) and source == "provinces":
        return province_adjacency().select(region="a", other="b", value=pl.lit(1.0))
    frame = table(source, "neighbours")
    found = table(frame, "neighbours", ["region", "other", *(["value"] if "value" in frame.columns else [])])
    return found if "value" in found.columns else found.with_columns(value=pl.lit(1.0))


def paths_frame(cells: Cells, at: Floats | None) -> pl.DataFrame:
    """Rows of ``transfer_paths``: the centre of each industry, group and of all in each year; none without positions."""
    if at is None:
        return conformed("transfer_paths", [])
    parts = [("industry", cells.data)]
    if cells.groups:
        parts.append(("group", aggregated(cells.data, cells.groups)))
    parts.append(("all", aggregated(cells.data, dict.fromkeys(cells.data.labels("industry"), "all"))))
    return conformed("transfer_paths", [_named(cells, _path(data, at), level) for level, data in parts])


def _named(cells: Cells, frame: pl.DataFrame, level: str) -> pl.DataFrame:
    frame = frame.with_columns(level=pl.lit(level), concept=pl.lit("redistribution"))
    if level == "industry":
        return cells.grouped(frame)
    group = pl.col("industry") if level == "group" else pl.lit(None, pl.String)
    return frame.with_columns(group=group, industry=pl.lit(None, pl.String))


def _path(data: Data, at: Floats) -> pl.DataFrame:
    """Centres from regions that are known in every year, so that gaps do not move them."""
    cube = data.cube("time", "region", "industry")
    every = cube.observed.all(axis=0)
    values = np.where(every, cube.values, np.nan)
    centre = gravity_centre(values, at[:, 0], at[:, 1])
    shift = gravity_shift(centre[:-1], centre[1:])
    first = np.full((1, centre.shape[1]), np.nan)
    distance, bearing = (np.concatenate([first, x]) for x in (shift.distance, shift.bearing))
    used = np.broadcast_to(every.sum(axis=0), distance.shape)
    t, i = (x.ravel() for x in np.indices(distance.shape))
    missing = ~np.isfinite(centre[..., 0]).ravel()
    reason = np.where(missing, np.where(used.ravel() == 0, "missing-input", "zero-industry-total"), "")
    numbers = {"longitude": centre[..., 0], "latitude": centre[..., 1], "distance": distance, "bearing": bearing}
    return pl.DataFrame(
        {
            "industry": cube.labels[2].gather(i),
            "time": cube.labels[0].gather(t),
            **{k: pl.Series(np.where(missing, np.nan, v.ravel()), nan_to_null=True) for k, v in numbers.items()},
            "n_used": used.ravel(),
            "coverage": ratio(used, len(at)).ravel(),
            "reason": reason,
        }
    )
