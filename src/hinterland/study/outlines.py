"""Boundaries of regions from a GeoJSON file, as rows of points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.errors import Finding, InputError, StudyError, did_you_mean, listed
from hinterland.study.preparing import placed

if TYPE_CHECKING:
    from hinterland.study.schema_measure import MeasureTable
    from hinterland.study.schema_transfer import TransferTable
    from hinterland.study.workspace import Workspace

_SCHEMA = {"region": pl.String(), "shape": pl.Int64(), "part": pl.Int64(), "ring": pl.Int64(), "lon": pl.Float64(), "lat": pl.Float64()}


def drawn(work: Workspace, owner: tuple[str, ...], table: MeasureTable | TransferTable, regions: pl.Series) -> pl.DataFrame | None:
    """Boundaries of ``regions``, where ``table``, which ``owner`` is the key of in the study, names a file of them: see :func:`outlines`.

    Raises:
        StudyError: a file that is none, or has none of the regions.
    """
    if table.boundaries is None:
        return None
    try:
        return outlines(work.path(table.boundaries), table.boundary_key, regions)
    except InputError as error:
        raise StudyError([placed(work, owner, f) for f in error.findings], " ".join(owner)) from error


def outlines(path: Path, key: str, regions: pl.Series) -> pl.DataFrame:
    """Points of the boundaries: ``region`` (of a shape that is none of ``regions``: null), ``shape``, ``part`` (polygon), ``ring`` (0 outer, then
    holes), ``lon``, ``lat`` (degrees).

    Raises:
        StudyError: no GeoJSON, no such property, or a file none of whose shapes is a region of the measure.
    """
    features = _features(path)
    known = {str(r) for r in regions.cast(pl.String)}
    labels = [str(f.get("properties", {}).get(key, "")) for f in features]
    if not any(labels):
        names = sorted({n for f in features for n in f.get("properties", {})})
        raise StudyError(Finding("unknown-column", f"no shape has a property {key!r}", str(path), did_you_mean(key, names)), "boundaries")
    wanted = _regions_of(labels, known)
    if not any(wanted.values()):
        what = f"no shape is one of the regions: shapes are like {listed(labels[:3])}, regions like {listed(sorted(known)[:3])}"
        raise StudyError(Finding("no-shapes", what, str(path), "name the property that holds the regions' codes or names"), "boundaries")
    rows = [
        (wanted[label], shape, part, ring, float(x), float(y))
        for shape, (feature, label) in enumerate(zip(features, labels, strict=True))
        for part, polygon in enumerate(_polygons(feature.get("geometry") or {}))
        for ring, points in enumerate(polygon)
        for x, y, *_ in points
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _regions_of(labels: list[str], known: set[str]) -> dict[str, str | None]:
    """The region that each shape's label stands for: as written, or as another way of writing the same province or city."""
    from hinterland.study.places import places

    named = {name: region for region, name in places(pl.Series(sorted(known))).select("region", "name_zh").iter_rows() if name is not None}
    said = dict(places(pl.Series(labels)).select("region", "name_zh").iter_rows())
    return {label: label if label in known else named.get(said.get(label, "")) for label in labels}


def _features(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        features = found["features"]
    except (ValueError, KeyError, TypeError) as error:
        raise StudyError(
            Finding("corrupt-file", "the file of boundaries is no GeoJSON FeatureCollection", str(path), "give a GeoJSON file in WGS84"),
            "boundaries",
        ) from error
    return list(features)


def _polygons(geometry: dict[str, Any]) -> Iterator[Any]:
    if geometry.get("type") == "Polygon":
        yield geometry["coordinates"]
    elif geometry.get("type") == "MultiPolygon":
        yield from geometry["coordinates"]
