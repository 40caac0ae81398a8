"""Which pairs of regions are compared: provinces found by name, neighbours, all pairs, distances between seats."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.geography import cities, province_adjacency, provinces
from hinterland.data.globe import great_circle
from hinterland.errors import Finding, InputError, did_you_mean, listed
from hinterland.measure.data import positions
from hinterland.measure.second import Second, table
from hinterland.measure.segmentation import Pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KINDS = ("contiguous", "all", "distance")
_NAMES = ("province_code", "name_zh", "short_zh", "abbreviation_zh", "name_en", "iso_3166_2")


@cache
def _lookup() -> dict[str, int]:
    """Every way to write a province → its position in :func:`~hinterland.data.geography.provinces`."""
    rows = provinces().select(_NAMES)
    found = {str(v).casefold(): i for i, row in enumerate(rows.iter_rows()) for v in row if v is not None}
    return found | {code[:2]: i for i, code in enumerate(rows["province_code"])}


def find_provinces(labels: pl.Series) -> Ints:
    """[n] position of each label (a code of six or two digits, a Chinese or an English name) among the 31 provinces, −1 where it is none."""
    known = _lookup()
    return np.array([known.get(str(x).strip().casefold(), -1) for x in labels], dtype=np.int64)


def seats() -> Floats:
    """[31, 2] longitude and latitude of the provinces' seats of government, degrees."""
    at = provinces().join(cities(), left_on="capital_adcode", right_on="adcode", how="left", maintain_order="left")
    return at.select("lon", "lat").to_numpy()


def pair_set(labels: pl.Series, pairs: str | Second, distances: Second | None, strait: bool) -> tuple[Pairs, tuple[Finding, ...]]:
    """The pairs of ``labels`` that are compared.

    Args:
        pairs: ``contiguous`` (the packaged borders of provinces), ``all``, ``distance`` (all, weighted by inverse distance), or a table of
            columns ``region`` and ``other``, each pair once or both ways round.
        distances: for ``distance``: a table of ``region``, ``other``, ``distance`` (positive); ``None`` takes those between provinces' seats.
        strait: count Hainan and Guangdong as neighbours.

    Raises:
        InputError: an unknown kind, labels that are no provinces where provinces are needed, distances that are not positive.
    """
    if isinstance(pairs, str) and pairs == "all":
        return Pairs.every(len(labels)), ()
    if isinstance(pairs, str) and pairs == "distance":
        return Pairs.by_distance(seat_distances(labels) if distances is None else listed_distances(labels, distances)), ()
    if isinstance(pairs, str) and pairs == "contiguous":
        return _contiguous(labels, strait), ()
    if isinstance(pairs, str) and "." not in pairs:
        raise InputError(Finding("unknown-value", f"pairs is {pairs!r}", "parameter pairs", did_you_mean(pairs, KINDS)), "parameter pairs")
    return _listed_pairs(labels, pairs)


def _contiguous(labels: pl.Series, strait: bool) -> Pairs:
    at = _fail_unless_provinces(labels, "pairs", 'give pairs as a table of columns region and other, or pass pairs="all"')
    place = np.full(provinces().height, -1)
    place[at] = np.arange(len(at))
    codes = provinces()["province_code"]
    borders = province_adjacency(hainan_guangdong=strait)
    a, b = (place[positions(borders[c], codes)] for c in "ab")
    both = (a >= 0) & (b >= 0)
    return Pairs.of(a[both], b[both])


def _fail_unless_provinces(labels: pl.Series, argument: str, remedy: str) -> Ints:
    at = find_provinces(labels)
    unknown = labels.filter(pl.Series(at < 0))
    twice = labels.filter(pl.Series(np.bincount(at[at >= 0], minlength=provinces().height)[at] > 1) & pl.Series(at >= 0))
    findings = []
    if len(unknown):
        what = f"{len(unknown)} region(s) are not known as provinces: {listed(unknown)}"
        findings.append(Finding("not-a-province", what, f"parameter {argument}", remedy))
    if len(twice):
        findings.append(Finding("duplicate-province", f"labels name one province twice: {listed(twice)}", "regions", "write each one way"))
    if findings:
        raise InputError(findings, f"parameter {argument}")
    return at


def _listed_pairs(labels: pl.Series, pairs: Second) -> tuple[Pairs, tuple[Finding, ...]]:
    frame = table(pairs, "pairs", ["region", "other"]).select(pl.col("region", "other").cast(pl.String))
    known = frame.filter(pl.all_horizontal(pl.col("region", "other").is_in(labels.implode())))
    found = Pairs.of(positions(known["region"], labels), positions(known["other"], labels))
    strangers = pl.concat([frame["region"], frame["other"]]).unique(maintain_order=True)
    strangers = strangers.filter(strangers.is_null() | ~strangers.is_in(labels.implode()))
    if not len(strangers):
        return found, ()
    what = f"{len(strangers)} region(s) of the pairs are not in the table: {listed(strangers)}; {frame.height - known.height} pair(s) are left out"
    remedy = "nothing, if the table is a part of the country; otherwise write the names alike"
    return found, (Finding("unknown-pair", what, "parameter pairs", remedy, "warning"),)


def seat_distances(labels: pl.Series) -> Floats:
    """[n, n] kilometres between the seats of government of provinces, by their labels.

    Raises:
        InputError: labels that are no provinces, or name one twice.
    """
    remedy = "give distances as a table of columns region, other and distance"
    place = seats()[_fail_unless_provinces(labels, "distances", remedy)]
    return great_circle(place, place)


def listed_distances(labels: pl.Series, distances: Second) -> Floats:
    """[n, n] distances from a table of ``region``, ``other``, ``distance``, each pair once or both ways round.

    Raises:
        InputError: distances that are not positive. A pair that is not listed is NaN.
    """
    frame = table(distances, "distances", ["region", "other", "distance"], unique=["region", "other"])
    frame = frame.with_columns(pl.col("region", "other").cast(pl.String), pl.col("distance").cast(pl.Float64, strict=False))
    apart = frame.filter(pl.col("region") != pl.col("other"), pl.all_horizontal(pl.col("region", "other").is_in(labels.implode())))
    bad = apart.filter(pl.col("distance").is_null() | ~pl.col("distance").is_finite() | (pl.col("distance") <= 0))
    if bad.height:
        what = f"{bad.height} distance(s) are missing or not positive: {listed(bad['region'] + '–' + bad['other'])}"
        raise InputError(
            Finding("bad-distance", what, "parameter distances", "give kilometres above 0 for every pair"), "parameter distances"
        )
    out = np.full((len(labels), len(labels)), np.nan)
    a, b = positions(apart["region"], labels), positions(apart["other"], labels)
    out[b, a] = apart["distance"].to_numpy()
    out[a, b] = apart["distance"].to_numpy()
    return out
