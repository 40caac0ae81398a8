"""Where the rules of a plan are written down: what exceeds what, by how much, less what the plan itself reports as falling short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.plan.result import Plan
from hinterland.plan.validation.amounts import Floats, labels

NOISE = 1e-6
"""Amounts below this part of the largest of their block are not in a plan's frames, and are no violation."""
SCHEMA: Mapping[str, Any] = {
    "family": pl.String,
    "constraint": pl.String,
    "where": pl.String,
    "year": pl.Int64,
    "violation": pl.Float64,
    "unit": pl.String,
    "relative": pl.Float64,
}
Axis = str | Mapping[str, NDArray[Any]]
"""A dimension of the problem, or the columns of labels of another one."""


@dataclass(eq=False)
class Sheet:
    """The rules that were checked, and the rows that do not hold.

    A side that is infinite or not a number is no rule: its row is skipped.
    """

    plan: Plan
    tolerance: float
    found: list[pl.DataFrame] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    def most(self, family: str, name: str, left: Floats, right: Any, axes: Sequence[Axis], *, unit: str) -> None:
        """``left ≤ right``, or over by what is reported."""
        self._write(family, name, left, right, axes, unit=unit, side="over")

    def least(self, family: str, name: str, left: Floats, right: Any, axes: Sequence[Axis], *, unit: str) -> None:
        """``left ≥ right``, or short by what is reported."""
        self._write(family, name, left, right, axes, unit=unit, side="short")

    def equal(self, family: str, name: str, left: Floats, right: Any, axes: Sequence[Axis], *, unit: str) -> None:
        """``left = right``, or beside it by what is reported."""
        self._write(family, name, left, right, axes, unit=unit, side="over")
        self._write(family, name, left, right, axes, unit=unit, side="short", count=False)

    def _write(
        self, family: str, name: str, left: Floats, right: Any, axes: Sequence[Axis], *, unit: str, side: str, count: bool = True
    ) -> None:
        left, right = np.broadcast_arrays(np.atleast_1d(left).astype(float), np.atleast_1d(right).astype(float))
        there = np.isfinite(left) & np.isfinite(right)
        self.checked[family] = self.checked.get(family, 0) + int(there.sum()) * count
        excess = np.where(there, (left - right) if side == "over" else (right - left), 0.0)
        size = np.where(there, np.maximum(np.abs(left), np.abs(right)), 0.0)
        hit = np.nonzero(excess > 0)
        if not hit[0].size:
            return
        frame = pl.DataFrame({**self._labels(axes, hit), "violation": excess[hit], "size": size[hit]})
        frame = self._less_reported(frame, name, side)
        floor = NOISE * max(1.0, float(size.max(initial=0.0)))
        relative = pl.col("violation") / (1 + pl.col("size"))
        keys = [c for c in frame.columns if c not in ("violation", "size", "year")]
        where = pl.concat_str(keys, separator=", ") if keys else pl.lit("")
        year = pl.col("year") if "year" in frame.columns else pl.lit(None, dtype=pl.Int64)
        self.found.append(
            frame.filter((relative > self.tolerance) & (pl.col("violation") > floor)).select(
                family=pl.lit(family),
                constraint=pl.lit(name),
                where=where,
                year=year,
                violation="violation",
                unit=pl.lit(unit),
                relative=relative,
            )
        )

    def _labels(self, axes: Sequence[Axis], hit: tuple[NDArray[np.intp], ...]) -> dict[str, pl.Series]:
        out = {}
        for axis, at in zip(axes, hit, strict=False):
            columns = labels(self.plan.problem, axis) if isinstance(axis, str) else axis
            for column, values in columns.items():
                kind = pl.Int64 if column == "year" else pl.String
                out[column] = pl.Series(column, np.asarray(values)[at].tolist(), dtype=kind)
        return out

    def _less_reported(self, frame: pl.DataFrame, name: str, side: str) -> pl.DataFrame:
        """Violations less what the plan says that it falls short by, on the same labels."""
        reported = self.plan.shortfalls.filter((pl.col("constraint") == name) & (pl.col("side") == side))
        if not reported.height:
            return frame
        keys = [c for c in frame.columns if c in reported.columns]
        if not keys:
            return frame.with_columns(pl.col("violation") - float(reported["value"].sum()))
        known = reported.group_by(keys).agg(pl.col("value").sum())
        joined = frame.join(known, on=keys, how="left", nulls_equal=True)
        return joined.with_columns(pl.col("violation") - pl.col("value").fill_null(0.0)).drop("value")

    def stray(self, family: str, amount: str, where: str, year: int | None, value: float) -> None:
        """An amount for labels that the problem does not have: all of it is a violation."""
        row = {
            "family": family,
            "constraint": f"{amount}_without_place",
            "where": where,
            "year": year,
            "violation": abs(value),
            "unit": "1",
        }
        self.found.append(pl.DataFrame([{**row, "relative": abs(value) / (1 + abs(value))}], schema=SCHEMA))

    def result(self) -> pl.DataFrame:
        """Every row that does not hold, largest relative violation first."""
        empty = pl.DataFrame(schema=SCHEMA)
        return pl.concat([empty, *self.found]).sort("relative", descending=True, maintain_order=True)
