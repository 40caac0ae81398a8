"""Units, provinces, adjacency, region sets and the finding of units by name."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hinterland.data.geography import cities, match_cities, province_adjacency, provinces, region_set, region_sets, with_regions
from hinterland.data.policy import policy_register
from hinterland.data.readers import read_panel
from hinterland.errors import InputError, PanelError
from hinterland.labels import LANGUAGES, catalogue

LEVELS = {
    "municipality": 4,
    "sub-provincial-city": 15,
    "prefecture-level-city": 278,
    "prefecture": 7,
    "autonomous-prefecture": 30,
    "league": 3,
}


def group(name: str) -> set[str]:
    return set(region_set(name)["unit"])


def test_units_of_2022() -> None:
    table = cities()
    assert table.height == table["adcode"].n_unique() == table["name_zh"].n_unique() == 337
    assert dict(table["level"].value_counts().iter_rows()) == LEVELS
    assert table["adcode"].str.contains(r"^\d{6}$").all()
    assert table.drop("chengdu_chongqing").null_count().sum_horizontal().item() == 0
    assert table["lon"].is_between(73, 136).all()
    assert table["lat"].is_between(16, 54).all()


def test_the_293_cities_hold_35_of_the_38_units_of_the_register() -> None:
    listed = group("prefecture-level-cities")
    assert len(listed) == 293
    assert set(policy_register().members["adcode"]) - listed == {"341400", "433100", "500000"}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("610100", "Xi'an"),
        ("341500", "Lu'an"),
        ("230100", "Harbin"),
        ("150100", "Hohhot"),
        ("650100", "Ürümqi"),
        ("140400", "Changzhi"),
        ("141100", "Lüliang"),
        ("411100", "Luohe"),
        ("211300", "Chaoyang"),
        ("350200", "Xiamen"),
    ],
)
def test_romanisation(code: str, name: str) -> None:
    assert cities().filter(pl.col("adcode") == code)["name_en"].item() == name


def test_provinces_and_macro_regions() -> None:
    table = provinces()
    assert table.height == 31
    assert dict(table["macro_region"].value_counts().iter_rows()) == {"east": 10, "central": 6, "west": 12, "north-east": 3}
    capitals = cities().filter(pl.col("provincial_capital") | pl.col("municipality"))
    assert set(capitals["adcode"]) == set(table["capital_adcode"])


def test_region_sets() -> None:
    sizes = {"chengdu-chongqing-circle": 16, "provincial-capitals": 27, "municipalities": 4, "sub-provincial-cities": 15}
    assert {name: len(group(name)) for name in sizes} == sizes
    assert len(group("sichuan-chongqing") & set(cities()["adcode"])) == 22
    assert group("chengdu-chongqing-circle") < group("sichuan-chongqing")
    for name in ("macro-region", "province"):
        table = region_set(name)
        assert table["unit"].n_unique() == table.height
        assert dict(table.iter_rows())["341400"] in {"central", "340000"}
    with pytest.raises(InputError, match="did you mean 'municipalities'"):
        region_set("municipality")


def test_region_sets_have_names_in_both_languages() -> None:
    names = {*region_sets(), *region_set("macro-region")["group"]}
    for language in LANGUAGES:
        assert {f"region.{n}" for n in names} <= set(catalogue(language))


def test_adjacency_is_symmetric_and_complete() -> None:
    table = province_adjacency()
    pairs = set(table.select("a", "b").iter_rows())
    assert len(pairs) == table.height == 2 * 69
    assert pairs == {(b, a) for a, b in pairs}
    assert all(a != b for a, b in pairs)
    assert {a for a, _ in pairs} == set(provinces()["province_code"])
    assert table.filter(pl.col("rule") == "strait").select("a", "b").rows() == [("440000", "460000"), ("460000", "440000")]
    assert "460000" not in set(province_adjacency(hainan_guangdong=False)["a"])


def _rings(geometry: dict[str, Any]) -> list[list[list[float]]]:
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [ring for part in parts for ring in part]


def test_land_borders_are_those_of_the_province_polygons(shared_data: Path) -> None:
    features = json.loads((shared_data / "prefecture_geometry" / "province_2020.geojson").read_text(encoding="utf-8"))["features"]
    owners: dict[tuple[float, float], set[str]] = {}
    for feature in features:
        for ring in _rings(feature["geometry"]):
            for x, y in ring:
                owners.setdefault((round(x, 4), round(y, 4)), set()).add(feature["properties"]["source_code"])
    known = set(provinces()["province_code"])
    shared = {p for o in owners.values() for p in combinations(sorted(o & known), 2)}
    ours = province_adjacency(hainan_guangdong=False).filter(pl.col("a") < pl.col("b")).select("a", "b")
    assert shared == set(ours.iter_rows())


def _inside(x: float, y: float, ring: list[list[float]]) -> bool:
    crossings = 0
    for (x1, y1), (x2, y2) in zip(ring, [ring[-1], *ring[:-1]], strict=True):
        if (y1 > y) != (y2 > y):
            crossings += x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
    return crossings % 2 == 1


def test_seats_lie_inside_their_prefecture(shared_data: Path) -> None:
    features = json.loads((shared_data / "prefecture_geometry" / "prefecture_2022.geojson").read_text(encoding="utf-8"))["features"]
    shapes: dict[str, list[list[list[float]]]] = {}
    for feature in features:
        shapes.setdefault(feature["properties"]["source_code"], []).extend(_rings(feature["geometry"]))
    outside = [
        code
        for code, lon, lat in cities().select("adcode", "lon", "lat").iter_rows()
        if sum(_inside(lon, lat, ring) for ring in shapes[code]) % 2 == 0
    ]
    assert outside == ["232700"]  # Da Hinggan Ling is governed from Jagdaqi, which lies in Inner Mongolia


@pytest.mark.parametrize(
    ("name", "code", "how"),
    [
        ("合肥市", "340100", "name"),
        ("合肥", "340100", "short-name"),
        (" 合肥市 ", "340100", "name"),
        ("340100", "340100", "code"),
        ("3401", "340100", "code"),
        ("340100.0", "340100", "code"),
        ("110100", "110000", "code"),
        ("522400", "520500", "former-code"),
        ("341400", "341400", "former-code"),
        ("巢湖市", "341400", "former-name"),
        ("巢湖", "341400", "former-name"),
        ("襄樊", "420600", "former-name"),
        ("思茅地区", "530800", "former-name"),
        ("湘西州", "433100", "alias"),
        ("恩施", "422800", "short-name"),
        ("吉林", "220200", "short-name"),
        ("xi'an", "610100", "english-name"),
        ("Suzhou", None, "ambiguous"),
        ("某市", None, "unmatched"),
        ("海南", None, "unmatched"),
        (None, None, "unmatched"),
    ],
)
def test_match_cities(name: str | None, code: str | None, how: str) -> None:
    assert match_cities(pl.Series([name], dtype=pl.String)).row(0) == (name, code, how)


def test_match_cities_keeps_order_and_takes_numbers() -> None:
    table = match_cities(pl.Series("code", [650100, 3401, 650100]))
    assert table["name"].to_list() == [650100, 3401, 650100]
    assert table["adcode"].to_list() == ["650100", "340100", "650100"]
    every = cities()
    assert match_cities(every["name_zh"])["adcode"].to_list() == every["adcode"].to_list()
    assert match_cities(every["short_zh"])["adcode"].to_list() == every["adcode"].to_list()


def test_match_cities_finds_the_names_of_a_real_panel(shared_data: Path) -> None:
    table = pl.read_parquet(shared_data / "city_panel_2000_2023" / "real_gdp_deflator.parquet")
    found = match_cities(table["city"].unique())
    assert found.filter(pl.col("adcode").is_null())["name"].to_list() == []


def test_regions_become_columns_by_code_or_name() -> None:
    frame = pl.DataFrame({"city": ["合肥市", "合肥市", "重庆市", "nowhere"], "year": [2010, 2011, 2010, 2010], "y": [1.0, 2.0, 3.0, 4.0]})
    panel = with_regions(read_panel(frame, unit="city", time="year"), ["province", "macro-region"])
    found = dict(panel.frame.select("city", "macro_region").unique().iter_rows())
    assert found == {"合肥市": "central", "重庆市": "west", "nowhere": None}
    assert panel.frame["province"].n_unique() == 3
    with pytest.raises(PanelError) as caught:
        with_regions(panel, ["province", "macro-regoin"])
    assert [f.code for f in caught.value.findings] == ["unknown-region-set", "column-taken"]
