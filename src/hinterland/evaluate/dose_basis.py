"""How effects may vary with the dose: B-splines, one level per distinct dose, or steps between edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["spline", "levels", "bins"]

_LEVEL = 1e-9
"""Doses that differ by less than this share of the largest are one level."""


@dataclass(frozen=True, slots=True)
class Basis:
    """K functions of the dose that span a constant.

    ``kind``; ``marks``: knots of the spline, both ends repeated ``degree`` + 1 times; the levels; or the edges of the bins;
    ``degree`` of the spline.
    """

    kind: Kind
    marks: Floats
    degree: int = 0

    @property
    def size(self) -> int:
        """K."""
        if self.kind == "levels":
            return len(self.marks)
        return len(self.marks) - 1 - (self.degree if self.kind == "spline" else 0)

    def values(self, doses: Floats) -> Floats:
        """[m, K] the functions at ``doses`` [m]."""
        if self.kind == "spline":
            return self._spline(doses, 0)
        out = np.zeros((len(doses), self.size))
        out[np.arange(len(doses)), self.place(doses)] = 1.0
        return out

    def slopes(self, doses: Floats) -> Floats:
        """[m, K] derivatives; between levels, the change from the level below (from no dose for the first) over their distance.

        Steps have none: NaN.
        """
        if self.kind == "spline":
            return self._spline(doses, 1)
        if self.kind == "bins":
            return np.full((len(doses), self.size), np.nan)
        step = np.diff(self.marks, prepend=0.0)
        change = (np.eye(self.size) - np.eye(self.size, k=-1)) / step[:, None]
        return np.asarray(change[self.place(doses)])

    def place(self, doses: Floats) -> NDArray[np.intp]:
        """[m] the level nearest to each dose, or the bin it falls into (the last one closed on both sides)."""
        if self.kind == "levels":
            return np.asarray(np.abs(doses[:, None] - self.marks).argmin(axis=1))
        return np.clip(np.searchsorted(self.marks, doses, side="right") - 1, 0, self.size - 1)

    def _spline(self, doses: Floats, derivative: int) -> Floats:
        from scipy.interpolate import BSpline

        low, high = self.marks[0], self.marks[-1]
        inside = np.clip(doses, low, high)
        functions = BSpline(self.marks, np.eye(self.size), self.degree)
        return np.asarray(functions(inside, nu=derivative), dtype=np.float64)


def spline(doses: Floats, degree: int, knots: int | Sequence[float]) -> Basis:
    """Clamped B-splines over the range of ``doses``; a number of ``knots`` puts them at the doses' quantiles."""
    inner = (
        np.quantile(doses, np.linspace(0, 1, knots + 2)[1:-1]) if isinstance(knots, int) else np.sort(np.asarray(knots, dtype=np.float64))
    )
    marks = np.concatenate([np.repeat(doses.min(), degree + 1), inner, np.repeat(doses.max(), degree + 1)])
    return Basis("spline", marks, degree)


def levels(doses: Floats) -> Basis:
    """One level per distinct dose."""
    ordered = np.unique(doses)
    apart = np.concatenate([[True], np.diff(ordered) > _LEVEL * abs(ordered[-1])])
    return Basis("levels", ordered[apart])


def bins(doses: Floats, edges: int | Sequence[float]) -> Basis:
    """Steps between ``edges``, or between that many bins' quantiles of the doses."""
    if isinstance(edges, int):
        return Basis("bins", np.unique(np.quantile(doses, np.linspace(0, 1, edges + 1))))
    return Basis("bins", np.asarray(edges, dtype=np.float64))
