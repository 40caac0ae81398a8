"""Who neighbours whom, as callers say it: pairs, numbers of nearest regions, or a distance; and what becomes of islands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from hinterland.data.cells import normalise_codes
from hinterland.data.geography import cities, province_adjacency, provinces
from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.data import positions
from hinterland.measure.indicator import Parameter
from hinterland.measure.inequality import Floats
from hinterland.measure.second import table
from hinterland.measure.weights import attach_islands, from_pairs, islands, nearest, row_standardised, within

PARAMETERS = {
    "neighbours": Parameter(
        None,
        help="pairs of contiguous regions: a table whose first two columns are regions, or 'provinces' for the packaged borders",
        table=True,
    ),
    "nearest": Parameter(None, help="each region's neighbours are this many nearest ones by great circle"),
    "within_km": Parameter(None, help="neighbours are the regions no further away than this by great circle"),
    "coordinates": Parameter(
        None,
        help="longitude and latitude of each region in degrees: a table of region, lon, lat; or 'cities' or 'provinces' for the packaged seats of government",
        table=True,
    ),
    "islands": Parameter(
        "attach", ("attach", "refuse", "keep"), "a region without neighbours gets its nearest one, is an error, or stays alone"
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """How neighbours are chosen: the parameters of :data:`PARAMETERS`, exactly one of the first three."""

    neighbours: Any
    nearest: int | None
    within_km: float | None
    coordinates: Any
    islands: str


def neighbours_of(regions: pl.Series, choice: Choice) -> tuple[csr_array, tuple[Finding, ...]]:
    """[R, R] ones between neighbours in the order of ``regions``, and warnings: islands that were attached or stay alone.

    Raises:
        InputError: no way or several ways of choosing; a number out of range; coordinates that are needed and missing; islands that are refused
            or cannot be attached; nobody with a neighbour.
    """
    fail_if_any(_choice_findings(choice), "the neighbours", InputError)
    places = None if choice.coordinates is None else coordinates_of(regions, choice.coordinates)
    if choice.neighbours is not None:
        found = _pairs(regions, choice.neighbours)
    elif choice.nearest is not None:
        found = nearest(_needed(places), int(choice.nearest))
    else:
        found = within(_needed(places), float(_needed(choice.within_km)))
    found, findings = _islands(regions, found, places, choice.islands)
    if found.nnz == 0:
        raise InputError(
            Finding(
                "no-neighbours",
                "no region has a neighbour",
                "the neighbours",
                "check the codes of the pairs, or widen the distance; one region alone has none",
            ),
            "the neighbours",
        )
    return found, findings


def _needed(value: Any) -> Any:
    if value is None:
        what = "neighbours by distance need the regions' coordinates"
        raise InputError(
            Finding("no-places", what, "parameter coordinates", "give a table of region, lon, lat; or 'cities' or 'provinces'"),
            "the neighbours",
        )
    return value


def _choice_findings(choice: Choice) -> list[Finding]:
    given = {
        k: v for k, v in (("neighbours", choice.neighbours), ("nearest", choice.nearest), ("within_km", choice.within_km)) if v is not None
    }
    findings = []
    if len(given) != 1:
        what = f"neighbours are chosen in {len(given)} ways{': ' + ', '.join(given) if given else ''}"
        findings.append(Finding("ways-of-neighbours", what, "parameters neighbours, nearest, within_km", "give exactly one of the three"))
    for name, value in (("nearest", choice.nearest), ("within_km", choice.within_km)):
        whole = isinstance(value, int) or (name == "within_km" and isinstance(value, float))
        if value is not None and (isinstance(value, bool) or not whole or not 0 < value < np.inf):
            findings.append(Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", "give a number above 0"))
    return findings


def _pairs(regions: pl.Series, source: Any) -> csr_array:
    """Ones for the pairs of a table both of whose regions are among ``regions``."""
    pairs = province_adjacency() if isinstance(source, str) and source == "provinces" else _two_columns(source)
    both = pairs.filter(pl.all_horizontal(pl.col("a", "b").is_in(regions.implode())))
    return from_pairs(positions(both["a"], regions), positions(both["b"], regions), len(regions))


def _two_columns(source: Any) -> pl.DataFrame:
    frame = table(source, "neighbours")
    if frame.width < 2:
        what = f"the table of neighbours has {frame.width} column(s)"
        raise InputError(
            Finding("unknown-column", what, "parameter neighbours", "give two columns of regions, one pair a row"), "the neighbours"
        )
    return pl.DataFrame([normalise_codes(frame[frame.columns[i]], typed=True).cast(pl.String).alias(name) for i, name in enumerate("ab")])


def coordinates_of(regions: pl.Series, source: Any) -> Floats:
    """[R, 2] longitude and latitude of ``regions``.

    Raises:
        InputError: columns missing, coordinates outside their range, regions without.
    """
    places = _places(source)
    ordered = pl.DataFrame({"region": regions}).join(places, on="region", how="left", maintain_order="left")
    lacking = ordered.filter(pl.any_horizontal(pl.col("lon", "lat").is_null() | pl.col("lon", "lat").is_nan()))["region"]
    odd = ordered.filter((pl.col("lon").abs() > 180) | (pl.col("lat").abs() > 90))["region"]
    findings = []
    if len(lacking):
        what = f"{len(lacking)} region(s) have no coordinates: {listed(lacking)}"
        findings.append(Finding("no-places", what, "parameter coordinates", "add the rows, or leave these regions out"))
    if len(odd):
        what = f"coordinates of {listed(odd)} are outside their range"
        findings.append(Finding("coordinates-out-of-range", what, "parameter coordinates", "give degrees, longitude first"))
    fail_if_any(findings, "the coordinates", InputError)
    return ordered.select("lon", "lat").to_numpy()


def _places(source: Any) -> pl.DataFrame:
    if isinstance(source, str) and source in ("cities", "provinces"):
        seats = cities().select(pl.col("adcode").alias("region"), "lon", "lat")
        if source == "cities":
            return seats
        return provinces().select(region="province_code", seat="capital_adcode").join(seats, left_on="seat", right_on="region").drop("seat")
    frame = table(source, "coordinates")
    first = [c for c in frame.columns if c not in ("lon", "lat")][:1] or ["region"]
    found = table(frame.unique(maintain_order=True), "coordinates", [*first, "lon", "lat"], unique=first)
    code = normalise_codes(found[first[0]], typed=True).cast(pl.String).alias("region")
    return pl.DataFrame([code, found["lon"].cast(pl.Float64), found["lat"].cast(pl.Float64)])


def _islands(regions: pl.Series, found: csr_array, places: Floats | None, rule: str) -> tuple[csr_array, tuple[Finding, ...]]:
    alone = regions.filter(pl.Series(islands(found)))
    if not len(alone) or len(regions) < 2:
        return found, ()
    what = f"{len(alone)} region(s) have no neighbour: {listed(alone)}"
    if rule == "keep":
        return found, (
            Finding(
                "island", f"{what}; they stay alone", "the neighbours", "pass islands='attach' to give each its nearest region", "warning"
            ),
        )
    if rule == "refuse" or places is None:
        remedy = "add pairs for them; or give coordinates, so that each is attached to its nearest region; or pass islands='keep'"
        raise InputError(Finding("island", what, "the neighbours", remedy), "the neighbours")
    joined, who = attach_islands(found, places)
    said = listed(f"{regions[j.region]} to {regions[j.neighbour]} ({j.km:.0f} km)" for j in who)
    remedy = "nothing, if that is meant; otherwise add pairs, or pass islands='keep' or 'refuse'"
    return joined, (
        Finding(
            "island-attached",
            f"{len(who)} region(s) had no neighbour and were attached to the nearest: {said}",
            "the neighbours",
            remedy,
            "warning",
        ),
    )


def weights_of(found: csr_array, style: str = "row") -> csr_array:
    """Weights of neighbours: rows that add up to one, or ones (``binary``)."""
    return row_standardised(found) if style == "row" else found
