"""Who neighbours whom: pairs, nearest, distance; islands; findings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.data.geography import province_adjacency, provinces
from hinterland.data.globe import arc_km, on_sphere
from hinterland.errors import InputError
from hinterland.measure.neighbour_choice import Choice, coordinates_of, neighbours_of
from hinterland.measure.weights import attach_islands, from_pairs, nearest, row_standardised, within


def choice(**more: object) -> Choice:
    return Choice(**({"neighbours": None, "nearest": None, "within_km": None, "coordinates": None, "islands": "attach"} | more))  # type: ignore[arg-type]


def great_circle(a: np.ndarray, b: np.ndarray) -> float:
    """The haversine formula, written out."""
    (lon1, lat1), (lon2, lat2) = np.radians(a), np.radians(b)
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return float(2 * 6371.0088 * np.arcsin(np.sqrt(h)))


def places(n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(80, 130, n), rng.uniform(18, 50, n)])


def test_nearest_and_within_by_brute_force() -> None:
    xy = places()
    km = np.array([[great_circle(a, b) for b in xy] for a in xy])
    np.fill_diagonal(km, np.inf)
    k = nearest(xy, 4).toarray()
    assert all(set(np.flatnonzero(k[i])) == set(np.argsort(km[i])[:4]) for i in range(60))
    assert np.array_equal(within(xy, 600).toarray() > 0, km <= 600)
    points = on_sphere(xy)
    assert arc_km(np.array([np.linalg.norm(points[0] - points[1])]))[0] == pytest.approx(km[0, 1], rel=1e-12)


def test_libpysal_finds_the_same_nearest() -> None:
    from libpysal.weights import KNN

    xy = places()
    theirs = KNN(on_sphere(xy), k=5, silence_warnings=True)
    ours = nearest(xy, 5)
    assert all(set(theirs.neighbors[i]) == set(ours.indices[ours.indptr[i] : ours.indptr[i + 1]]) for i in range(60))


def test_regions_at_one_place_and_ties() -> None:
    xy = np.array([[100.0, 30], [100, 30], [100, 30], [101, 30], [101, 30]])
    found = nearest(xy, 2)
    assert (np.diff(found.indptr) == 2).all() and found.diagonal().sum() == 0
    assert (np.diff(nearest(xy, 9).indptr) == 4).all(), "no more neighbours than there are others"


def test_rows_add_up_to_one_and_pairs_go_both_ways() -> None:
    w = row_standardised(from_pairs(np.array([0, 1, 1, 2]), np.array([1, 0, 2, 2]), 4))
    assert w.toarray().tolist() == [[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_provinces_have_hainan_by_the_strait() -> None:
    codes = provinces()["province_code"].sort()
    found, said = neighbours_of(codes, choice(neighbours="provinces"))
    assert said == () and found.nnz == province_adjacency().height == 138


def test_hainan_is_attached_by_name() -> None:
    codes = provinces()["province_code"].sort()
    land = province_adjacency(hainan_guangdong=False).select("a", "b")
    found, said = neighbours_of(codes, choice(neighbours=land, coordinates="provinces"))
    assert [f.code for f in said] == ["island-attached"] and said[0].severity == "warning"
    assert "460000 to 450000 (374 km)" in said[0].what, "Haikou is nearer to Nanning than to Guangzhou"
    assert (np.diff(found.indptr) > 0).all() and found.nnz == 138
    for rule, places_of in (("refuse", "provinces"), ("attach", None)):
        with pytest.raises(InputError) as caught:
            neighbours_of(codes, choice(neighbours=land, coordinates=places_of, islands=rule))
        assert caught.value.findings[0].code == "island" and "460000" in caught.value.findings[0].what
    kept, said = neighbours_of(codes, choice(neighbours=land, islands="keep"))
    assert [f.code for f in said] == ["island"] and said[0].severity == "warning" and kept.nnz == 136


def test_attaching_two_islands_to_each_other() -> None:
    xy = np.array([[100.0, 30], [101, 30], [120, 40], [120.1, 40]])
    found, who = attach_islands(from_pairs(np.array([0]), np.array([1]), 4), xy)
    assert [(j.region, j.neighbour) for j in who] == [(2, 3), (3, 2)]
    assert who[0].km == pytest.approx(great_circle(xy[2], xy[3]), rel=1e-9)
    assert np.array_equal(found.toarray(), from_pairs(np.array([0, 2]), np.array([1, 3]), 4).toarray())


def test_what_is_wrong_is_named() -> None:
    regions = pl.Series(["a", "b", "c"])
    table = pl.DataFrame({"city": ["a", "b"], "lon": [100.0, 300.0], "lat": [30.0, 31.0]})
    for more, codes in (
        ({}, ["ways-of-neighbours"]),
        ({"nearest": 2, "within_km": 3}, ["ways-of-neighbours"]),
        ({"nearest": 0}, ["out-of-range"]),
        ({"within_km": float("nan")}, ["out-of-range"]),
        ({"nearest": 2}, ["no-places"]),
        ({"nearest": 2, "coordinates": table}, ["no-places", "coordinates-out-of-range"]),
        ({"neighbours": pl.DataFrame({"a": ["a"]})}, ["unknown-column"]),
        ({"neighbours": pl.DataFrame({"a": ["x"], "b": ["y"]}), "islands": "keep"}, ["no-neighbours"]),
    ):
        with pytest.raises(InputError) as caught:
            neighbours_of(regions, choice(**more))
        assert [f.code for f in caught.value.findings] == codes, more


def test_codes_as_numbers_are_codes() -> None:
    regions = pl.Series(["110000", "120000", "130000"])
    found, _ = neighbours_of(regions, choice(neighbours=pl.DataFrame({"p": [110000, 120000], "q": [120000, 130000]})))
    assert found.nnz == 4
    xy = coordinates_of(regions, pl.DataFrame({"id": [130000, 110000, 120000], "lon": [114.5, 116.4, 117.2], "lat": [38.0, 39.9, 39.1]}))
    assert xy[0].tolist() == [116.4, 39.9]
