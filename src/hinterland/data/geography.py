"""Geography: prefecture-level units, provinces, macro-regions, adjacency, and finding a unit by its name.

Codes are GB/T 2260 as of the end of 2022 (six digits, text). Names and codes are facts; coordinates are those of the
seat of government in GeoNames (www.geonames.org, CC BY 4.0). Macro-regions are the four of the National Bureau of
Statistics (2011 division).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import polars as pl

from hinterland.data.panel import Column, Panel
from hinterland.errors import Finding, InputError, PanelError, did_you_mean, fail_if_any

RegionSet = Literal[
    "sichuan-chongqing",
    "chengdu-chongqing-circle",
    "macro-region",
    "province",
    "provincial-capitals",
    "municipalities",
    "sub-provincial-cities",
    "prefecture-level-cities",
]

_CITY_LEVELS = ("prefecture-level-city", "sub-provincial-city")
_SICHUAN_CHONGQING = ("500000", "510000")


@cache
def catalogue_table(name: str) -> pl.DataFrame:
    """The packaged table ``catalogue/<name>.csv``, every column as text, empty cells null."""
    source = files("hinterland.data").joinpath("catalogue", f"{name}.csv").read_bytes()
    return pl.read_csv(source, infer_schema=False)


@cache
def provinces() -> pl.DataFrame:
    """The 31 provincial-level units of mainland statistics.

    Columns: ``province_code``, ``name_zh``, ``short_zh``, ``abbreviation_zh``, ``name_en``, ``iso_3166_2``,
    ``macro_region`` (east, central, west, north-east), ``capital_adcode``.
    """
    return catalogue_table("provinces")


@cache
def cities() -> pl.DataFrame:
    """The 337 units of 2022: 4 municipalities and 333 prefecture-level units, one row each, by code.

    Columns: ``adcode``, ``name_zh``, ``short_zh``, ``name_en``, ``province_code``, ``province_zh``, ``province_en``,
    ``level`` (municipality, sub-provincial-city, prefecture-level-city, prefecture, autonomous-prefecture, league),
    ``macro_region``, ``sichuan_chongqing`` (either province), ``provincial_capital`` (municipalities are not counted),
    ``municipality``, ``prefecture_level_city`` (the 293 of 2022, sub-provincial cities among them, municipalities
    not), ``chengdu_chongqing`` (full or partial member of the economic circle, null otherwise), ``seat_zh``,
    ``lon``, ``lat`` (degrees, WGS84, of the seat), ``geonameid``.
    """
    return (
        catalogue_table("cities")
        .with_columns(
            province_code=pl.col("adcode").str.head(2) + "0000",
            provincial_capital=pl.col("provincial_capital") == "true",
            municipality=pl.col("level") == "municipality",
            prefecture_level_city=pl.col("level").is_in(_CITY_LEVELS),
            lon=pl.col("lon").cast(pl.Float64),
            lat=pl.col("lat").cast(pl.Float64),
        )
        .join(_province_names(), on="province_code", how="left", maintain_order="left")
        .select(
            *("adcode", "name_zh", "short_zh", "name_en", "province_code", "province_zh", "province_en", "level", "macro_region"),
            pl.col("province_code").is_in(_SICHUAN_CHONGQING).alias("sichuan_chongqing"),
            *("provincial_capital", "municipality", "prefecture_level_city", "chengdu_chongqing", "seat_zh", "lon", "lat", "geonameid"),
        )
    )


def _province_names() -> pl.DataFrame:
    return provinces().select("province_code", "macro_region", province_zh="name_zh", province_en="name_en")


@cache
def former_units() -> pl.DataFrame:
    """Units that no longer exist under their code, since 2000: ``adcode``, ``name_zh``, ``province_code``, and names of the province."""
    return (
        catalogue_table("administrative_changes")
        .filter(pl.col("former_code").is_not_null() & ~pl.col("former_code").is_in(cities()["adcode"].implode()))
        .select(adcode="former_code", name_zh="former_zh", province_code=pl.col("former_code").str.head(2) + "0000")
        .unique("adcode", maintain_order=True)
        .join(_province_names(), on="province_code", how="left", maintain_order="left")
    )


def province_adjacency(hainan_guangdong: bool = True) -> pl.DataFrame:
    """Pairs of neighbouring provinces, both ways round: ``a``, ``b`` (codes), ``rule``.

    ``rule`` is ``land-border`` for the 68 borders on land and ``strait`` for Hainan–Guangdong, which share none: the
    Qiongzhou Strait between them is crossed by convention, so that no province is without a neighbour.

    Args:
        hainan_guangdong: keep the pair across the strait.
    """
    pairs = catalogue_table("province_adjacency")
    if not hainan_guangdong:
        pairs = pairs.filter(pl.col("rule") != "strait")
    mirrored = pairs.select(a="b", b="a", rule="rule")
    return pl.concat([pairs, mirrored]).sort("a", "b")


def region_set(name: str) -> pl.DataFrame:
    """Units and the group they belong to: ``unit`` (six-digit code as text), ``group`` (an identifier or a code).

    ``macro-region`` and ``province`` divide all units; every other name lists its members only, all in one group of
    that name. Units abolished since 2000 are placed by their province, so that older panels find their region.

    Raises:
        InputError: unknown name.
    """
    if name not in get_args(RegionSet):
        raise InputError(
            Finding("unknown-region-set", f"region set {name!r} is not known", "argument name", did_you_mean(name, get_args(RegionSet))),
            "arguments",
        )
    units = pl.concat([cities(), former_units().drop("name_zh")], how="diagonal")
    match name:
        case "macro-region":
            return units.select(unit="adcode", group="macro_region")
        case "province":
            return units.select(unit="adcode", group="province_code")
    member = {
        "sichuan-chongqing": pl.col("province_code").is_in(_SICHUAN_CHONGQING),
        "chengdu-chongqing-circle": pl.col("chengdu_chongqing").is_not_null(),
        "provincial-capitals": pl.col("provincial_capital"),
        "municipalities": pl.col("municipality"),
        "sub-provincial-cities": pl.col("level") == "sub-provincial-city",
        "prefecture-level-cities": pl.col("prefecture_level_city"),
    }[name]
    return units.filter(member).select(unit="adcode", group=pl.lit(name))


def region_sets() -> tuple[str, ...]:
    """The names that :func:`region_set` knows."""
    return get_args(RegionSet)


_HOW = ("code", "former-code", "name", "short-name", "alias", "former-name", "english-name")


@cache
def _lookup() -> pl.DataFrame:
    """Every key a unit is known by: ``key`` → ``adcode``, ``how``; keys that point to several units have no adcode."""
    table, changes = catalogue_table("cities"), catalogue_table("administrative_changes")
    seats = table.filter(pl.col("level") == "municipality")
    former = changes.filter(pl.col("kind").is_in(["upgrade", "rename", "split", "merge"])).select(
        code="former_code",
        name="former_zh",
        target=pl.when(pl.col("kind").is_in(["upgrade", "rename"])).then("successor_codes").otherwise("former_code"),
    )
    gone = former.filter(~pl.col("code").is_in(table["adcode"].implode()))
    suffix = r"(地区|盟|市)$"
    keys = [
        table.select(key="adcode", adcode="adcode", how=pl.lit("code")),
        seats.select(key=pl.col("adcode").str.head(2) + "0100", adcode="adcode", how=pl.lit("code")),
        gone.select(key="code", adcode="target", how=pl.lit("former-code")),
        table.select(key="name_zh", adcode="adcode", how=pl.lit("name")),
        table.select(key="short_zh", adcode="adcode", how=pl.lit("short-name")),
        table.drop_nulls("aliases_zh").select(key=pl.col("aliases_zh").str.split(";"), adcode="adcode", how=pl.lit("alias")).explode("key"),
        former.select(key="name", adcode="target", how=pl.lit("former-name")),
        former.select(key=pl.col("name").str.replace(suffix, ""), adcode="target", how=pl.lit("former-name")),
        table.select(key=pl.col("name_en").str.to_lowercase(), adcode="adcode", how=pl.lit("english-name")),
    ]
    every = pl.concat(keys).with_columns(pl.col("how").cast(pl.Enum(_HOW))).sort("how", maintain_order=True)
    best = every.filter(pl.col("how") == pl.col("how").min().over("key"))
    return best.group_by("key", maintain_order=True).agg(
        adcode=pl.when(pl.col("adcode").n_unique() == 1).then(pl.col("adcode").first()),
        how=pl.when(pl.col("adcode").n_unique() == 1).then(pl.col("how").first().cast(pl.String)).otherwise(pl.lit("ambiguous")),
    )


def match_cities(names: pl.Series) -> pl.DataFrame:
    """The code of each unit in ``names``: ``name`` (as given), ``adcode`` (null when not found), ``how``, in the order given.

    Understood: Chinese full and short names, common aliases, former names (襄樊 → 420600), six-digit codes, four-digit
    codes (3401), codes read as numbers (340100.0), codes of prefectures that became cities, English names. ``how`` is
    one of code, former-code, name, short-name, alias, former-name, english-name, ``ambiguous`` (several units bear
    the name: Suzhou, Yulin, ...) or ``unmatched``. Units that were abolished (Chaohu 341400, Laiwu 371200) keep
    their own code.
    """
    given = names.alias("name")
    text = given.cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "").str.replace_all(r"\s+", " ")
    key = pl.DataFrame({"name": given, "text": text}).with_columns(
        key=pl.when(pl.col("text").str.contains(r"^\d{4}$")).then(pl.col("text") + "00").otherwise(pl.col("text").str.to_lowercase())
    )
    return (
        key.join(_lookup(), on="key", how="left", maintain_order="left")
        .with_columns(pl.col("how").fill_null("unmatched"))
        .select("name", "adcode", "how")
    )


def groups_of(units: pl.Series, name: str) -> pl.DataFrame:
    """``unit`` (as given) and ``group`` in the region set ``name``, for those of ``units`` [N] that are in it, by code or by name."""
    codes = match_cities(units).select(unit="name", adcode="adcode")
    groups = region_set(name).rename({"unit": "adcode"}).unique("adcode", maintain_order=True)
    return codes.join(groups, on="adcode", how="inner", maintain_order="left").select("unit", "group")


def with_regions(panel: Panel, names: Sequence[str]) -> Panel:
    """The panel with one column per region set: the unit's group, null where it has none.

    The column of ``macro-region`` is called ``macro_region``. Units are matched by code or by name.

    Raises:
        PanelError: an unknown region set, or a column of that name exists already.
    """
    findings = [
        Finding("unknown-region-set", f"there is no region set {n!r}", "argument names", did_you_mean(n, region_sets()))
        for n in names
        if n not in region_sets()
    ]
    columns = {n: n.replace("-", "_") for n in names}
    findings += [
        Finding(
            "column-taken", f"the panel has a column {c!r} already", f"region set {n!r}", "rename that column, or do without the region set"
        )
        for n, c in columns.items()
        if c in panel.frame.columns
    ]
    fail_if_any(findings, "panel", PanelError)
    units = panel.frame[panel.unit].cast(pl.String)
    for name, column in columns.items():
        groups = groups_of(units.unique(maintain_order=True), name)
        found = units.to_frame("unit").join(groups, on="unit", how="left", maintain_order="left")["group"].alias(column)
        described = {**panel.columns, column: Column("GB/T 2260 codes of the packaged geography")}
        panel = replace(panel, frame=panel.frame.with_columns(found), columns=described)
    return panel
