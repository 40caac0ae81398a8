"""What an indicator gives: blocks of rows from arrays, and the labelled table that users see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hinterland.errors import Finding
from hinterland.labels import Note
from hinterland.measure.data import Cube

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one component.

    Attributes:
        keys: result key → label of each row, all of the same length n.
        value: [n] numbers; NaN where ``reason`` is not empty.
        n_used: [n] how many observations entered each number.
        coverage: [n] which share of the observations that should have entered did, 0–1.
        reason: [n] why a number is missing, as a code; empty where it is not.
        component: which of the indicator's numbers this is.
    """

    keys: Mapping[str, pl.Series]
    value: Floats
    n_used: pl.Series
    coverage: Floats
    reason: pl.Series
    component: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an indicator's adapter returns: blocks, and what has to be said about them.

    ``meta`` is added to the measure's: ``resolution``, estimated elasticities, dropped regions.
    """

    blocks: Sequence[Block]
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """An indicator's values with what is needed to read and to repeat them.

    Attributes:
        id: the indicator's.
        frame: the key columns (under the caller's names), ``component`` where there are several, then ``value``, ``n_used``,
            ``coverage`` (share of what should have entered, 0–1) and ``reason`` (a code; empty where there is a value).
        meta: ``id``, ``variant`` (choices that differ from the default), ``parameters``, ``source``, ``formula``, ``unit``, ``range``,
            ``roles``, ``n_rows``, ``n_values``, ``input_hash``, and what the indicator adds.
        findings: warnings about the data.
        notes: remarks about the result.
    """

    id: str
    frame: pl.DataFrame
    meta: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        missing = self.frame["value"].null_count()
        said = f", {missing} without a value" if missing else ""
        return f"Measure({self.id}, {self.meta['variant']}: {self.frame.height} values{said}; {self.meta['n_rows']} rows read)"

    def component(self, name: str) -> pl.DataFrame:
        """The rows of one component, without the column.

        Raises:
            KeyError: the indicator has no such component.
        """
        if "component" not in self.frame.columns or name not in self.frame["component"]:
            raise KeyError(name)
        return self.frame.filter(pl.col("component") == name).drop("component")


def reasons_of(reasons: Mapping[str, ArrayLike], shape: tuple[int, ...]) -> pl.Series:
    """[n] the first reason whose mask (broadcast to ``shape``) holds, flattened; empty text where none does."""
    code = np.zeros(shape, dtype=np.uint32)
    for number, mask in reversed(list(enumerate(reasons.values(), 1))):
        code = np.where(np.broadcast_to(np.asarray(mask, dtype=np.bool_), shape), np.uint32(number), code)
    names = pl.DataFrame({"code": np.arange(len(reasons) + 1, dtype=np.uint32), "reason": ["", *reasons]})
    return pl.DataFrame({"code": code.ravel()}).join(names, on="code", how="left", maintain_order="left")["reason"]


def block(
    keys: Mapping[str, Any],
    value: ArrayLike,
    *,
    n_used: ArrayLike,
    coverage: ArrayLike = 1.0,
    reasons: Mapping[str, ArrayLike] | None = None,
    component: str = "",
) -> Block:
    """Rows with the labels in ``keys`` (each [n]); numbers are taken out where one of ``reasons`` (code → [n] mask) holds.

    A number that is not finite for no stated reason is ``undefined``.
    """
    values = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return _block({k: pl.Series(k, v) for k, v in keys.items()}, values, reasons, n_used=n_used, coverage=coverage, component=component)


def dense(
    cube: Cube,
    value: ArrayLike,
    *,
    n_used: ArrayLike,
    coverage: ArrayLike = 1.0,
    reasons: Mapping[str, ArrayLike] | None = None,
    component: str = "",
    dims: Sequence[str] | None = None,
) -> Block:
    """Rows over the product of the labels of ``dims`` (all of the cube's by default); everything is broadcast to that shape."""
    chosen = tuple(cube.dims if dims is None else dims)
    labels = [cube.labels[cube.dims.index(d)] for d in chosen]
    shape = tuple(len(x) for x in labels)
    values = np.broadcast_to(np.asarray(value, dtype=np.float64), shape)
    return _block(product_of(chosen, labels), values, reasons, n_used=n_used, coverage=coverage, component=component)


def product_of(dims: Sequence[str], labels: Sequence[pl.Series]) -> dict[str, pl.Series]:
    """Label columns of the product of ``labels``, the last axis fastest."""
    shape = [len(x) for x in labels]
    columns = {}
    for axis, (name, series) in enumerate(zip(dims, labels, strict=True)):
        inner, outer = int(np.prod(shape[axis + 1 :])), int(np.prod(shape[:axis]))
        columns[name] = series.gather(np.tile(np.repeat(np.arange(shape[axis]), inner), outer)).alias(name)
    return columns


def _block(
    keys: Mapping[str, pl.Series],
    values: Floats,
    reasons: Mapping[str, ArrayLike] | None,
    *,
    n_used: ArrayLike,
    coverage: ArrayLike,
    component: str,
) -> Block:
    shape = values.shape
    stated = dict(reasons or {})
    stated["undefined"] = ~np.isfinite(values)
    reason = reasons_of(stated, shape)
    kept = np.where((reason == "").to_numpy(), values.ravel(), np.nan)
    used = pl.Series(np.broadcast_to(np.asarray(n_used), shape).ravel().astype(np.int64))
    return Block(keys, kept, used, np.broadcast_to(np.asarray(coverage, dtype=np.float64), shape).ravel(), reason, component)
