"""Axes of results whose cells are not those of one column of the table."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.measure.data import Cube, Data, positions

Ints = NDArray[np.int64]


def axes(**labels: pl.Series) -> Cube:
    """A cube without values over the product of ``labels``, for :func:`hinterland.measure.result.dense`."""
    shape = tuple(len(x) for x in labels.values())
    nothing = np.broadcast_to(np.float64(np.nan), shape)
    return Cube(nothing, np.broadcast_to(np.uint8(0), shape), tuple(labels), tuple(labels.values()))


def union(data: Data, *roles: str) -> pl.Series:
    """The distinct labels of several roles, sorted; those not given are passed over."""
    given = [data.labels(r) for r in roles if data.has(r)]
    return pl.concat([s.alias(roles[0]) for s in given]).unique().sort() if given else data.labels(roles[0])


def codes(data: Data, role: str, labels: pl.Series) -> Ints:
    """[n] position of each row's label of ``role`` in ``labels``; zeros where the role was not given."""
    return positions(data.frame[role], labels) if data.has(role) else np.zeros(data.frame.height, dtype=np.int64)
