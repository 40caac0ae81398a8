"""Presence matrices of a panel, one a year, and the reasons why a region or an industry is in none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.labels import Note
from hinterland.measure.complexity import Complexity, Presence, complexity, presence
from hinterland.measure.data import Cube, Data, positions
from hinterland.measure.indicator import Parameter, Role
from hinterland.measure.second import table

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CELLS = (
    Role("region", "key", "region"),
    Role("industry", "key", "industry, product or technology, on one classification"),
    Role("value", "number", "employment, output, exports or patents, in one unit", sign="non-negative"),
    Role("time", "time", "year", required=False),
)
PRESENCE = {
    "threshold": Parameter(1.0, help="location quotient from which a region has an industry"),
    "floor": Parameter(0.0, help="regions whose total is below this are left out, in the unit of value"),
}
ORIENT = {
    "orient": Parameter(
        None,
        help="what decides the sign: diversity, or a table with columns region and value (such as GDP per head) that complexity should rise with",
        table=True,
    )
}


@dataclass(frozen=True, slots=True)
class Presences:
    """The cells of a table and each year's presence matrix."""

    cube: Cube
    years: tuple[Presence, ...]

    def full(self, year: int, values: Floats, axes: str) -> Floats:
        """Values over what a year keeps, put back among all regions and industries; NaN elsewhere. ``axes``: ``r``, ``i``, ``ri`` or ``ii``."""
        kept = {"r": self.years[year].regions, "i": self.years[year].industries}
        size = {"r": self.cube.values.shape[1], "i": self.cube.values.shape[2]}
        out = np.full([size[a] for a in axes], np.nan)
        out[np.ix_(*(kept[a] for a in axes))] = values
        return out

    def stacked(self, values: list[Floats], axes: str) -> Floats:
        """One array of :meth:`full` over the years, [T, …]."""
        return np.stack([self.full(t, v, axes) for t, v in enumerate(values)])

    def reasons(self, dims: str) -> Mapping[str, Bools]:
        """Why there is no value, for each year and label along ``dims``."""
        seen = self.cube.observed
        unseen = {"r": seen.sum(axis=2) == 0, "i": seen.sum(axis=1) == 0}
        small = self._marked([y.small_regions for y in self.years], "r")
        kept = {"r": self._marked([y.regions for y in self.years], "r"), "i": self._marked([y.industries for y in self.years], "i")}
        along = [tuple(slice(None) if k in (0, place) else np.newaxis for k in range(len(dims) + 1)) for place in range(1, len(dims) + 1)]
        reasons = {"missing-input": [unseen[d][at] for d, at in zip(dims, along, strict=True)]}
        if "r" in dims:
            reasons["below-floor"] = [small[along[dims.index("r")]]]
        reasons["no-advantage"] = [~kept[d][at] for d, at in zip(dims, along, strict=True)]
        return {code: np.logical_or.reduce(np.broadcast_arrays(*masks)) for code, masks in reasons.items()}

    def _marked(self, positions: Sequence[NDArray[np.intp]], axis: str) -> Bools:
        """[T, R] or [T, I] true at the positions of each year."""
        out = np.zeros((len(self.years), self.cube.values.shape["ri".index(axis) + 1]), dtype=bool)
        for row, at in zip(out, positions, strict=True):
            row[at] = True
        return out

    def counts(self, axes: str) -> tuple[NDArray[np.int64], Floats]:
        """Cells observed behind each value, and their share: of the region's row, the industry's column, or both; [T, …]."""
        seen = self.cube.observed
        row, column = seen.sum(axis=2), seen.sum(axis=1)
        regions, industries = seen.shape[1:]
        if axes == "r":
            return row, row / industries
        if axes == "i":
            return column, column / regions
        if axes == "ii":
            return np.minimum(column[:, :, None], column[:, None, :]), (column[:, :, None] + column[:, None, :]) / (2 * regions)
        both = row[:, :, None] + column[:, None, :]
        return both - seen, (both - seen) / (regions + industries - 1)


def presences(data: Data, threshold: float, floor: float) -> Presences:
    """Each year's presence matrix.

    Raises:
        InputError: a threshold or floor that is not a number in its range.
    """
    findings = [
        Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", "give a number of 0 or more")
        for name, value in (("threshold", threshold), ("floor", floor))
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0
    ]
    fail_if_any(findings, "complexity")
    cube = data.cube("time", "region", "industry")
    return Presences(cube, tuple(presence(x, threshold=threshold, floor=floor) for x in cube.values))


def complexities(p: Presences, orient: Any = None) -> tuple[list[Complexity | None], tuple[Note, ...], Mapping[str, Any]]:
    """Each year's complexity (``None`` where it has none), with signs aligned from year to year, and what is to be said.

    Raises:
        InputError: as :func:`orientation`.
    """
    found: list[Complexity | None] = []
    last = orientation(orient, p.cube.labels[1])
    for t, year in enumerate(p.years):
        reference = last[year.regions]
        try:
            solved: Complexity | None = complexity(year.matrix, reference=reference if np.isfinite(reference).any() else None)
        except ValueError:
            solved = None
        if solved is not None and np.isfinite(solved.eci).any():
            last = p.full(t, solved.eci, "r")
        found.append(solved)
    return found, _notes(p, found), _meta(p, found)


def orientation(source: Any, regions: pl.Series) -> Floats:
    """[R] what the first year's complexity must correlate with; NaN throughout where diversity decides.

    Raises:
        InputError: no table of regions and numbers, fewer than two regions that the data have, or regions that occur twice.
    """
    out = np.full(len(regions), np.nan)
    if source is None:
        return out
    where = "parameter orient"
    found = table(source, "orient", ["region", "value"]).with_columns(
        pl.col("region").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False)
    )
    known = found.filter(pl.col("region").is_in(regions.implode()) & pl.col("value").is_finite())
    if known["region"].n_unique() < 2 or known["region"].is_duplicated().any():
        what = f"there are {known.height} rows for {known['region'].n_unique()} regions of the table"
        raise InputError(Finding("orient-regions", what, where, "give one number for each of at least two regions"), where)
    out[positions(known["region"], regions)] = known["value"].to_numpy()
    return out


def _notes(p: Presences, found: list[Complexity | None]) -> tuple[Note, ...]:
    known = [(str(t), c) for t, c in zip(_times(p), found, strict=True) if c is not None]
    doubtful = [t for t, c in known if c.sign_doubtful and np.isfinite(c.eci).any()]
    pieces = [t for t, c in known if c.components > 1]
    dropped = max((len(y.dropped_regions) + len(y.dropped_industries) for y in p.years), default=0)
    notes = [Note("complexity-dropped", {"count": dropped})] if dropped else []
    notes += [Note("complexity-sign-doubtful", {"times": ", ".join(doubtful)})] if doubtful else []
    return (*notes, *([Note("complexity-disconnected", {"times": ", ".join(pieces)})] if pieces else []))


def _times(p: Presences) -> list[object]:
    return ["-" if t is None else t for t in p.cube.labels[0].to_list()]


def _meta(p: Presences, found: list[Complexity | None]) -> Mapping[str, Any]:
    regions, industries = p.cube.labels[1:]
    return {
        "dropped_regions": {str(t): regions.gather(y.dropped_regions).to_list() for t, y in zip(_times(p), p.years, strict=True)},
        "dropped_industries": {str(t): industries.gather(y.dropped_industries).to_list() for t, y in zip(_times(p), p.years, strict=True)},
        "eigenvalues": {str(t): [float(v) for v in c.eigenvalues] for t, c in zip(_times(p), found, strict=True) if c is not None},
        "sign_correlation": {str(t): c.sign_correlation for t, c in zip(_times(p), found, strict=True) if c is not None},
        "residual": max((c.residual for c in found if c is not None and np.isfinite(c.residual)), default=0.0),
    }
