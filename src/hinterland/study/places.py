"""What the packaged geography knows of a measure's regions: names in both languages, level, and where they are."""

from __future__ import annotations

import polars as pl

from hinterland.data.geography import cities, match_cities, provinces


def places(regions: pl.Series) -> pl.DataFrame:
    """One row per region: ``region``, ``code``, ``name_zh``, ``name_en``, ``level`` (province, city, or null where it is not known), ``lon``, ``lat``.

    Provinces are known by code, by name in either language, or by abbreviation, and lie at their capital; cities by code or name.
    """
    frame = pl.DataFrame({"region": regions.cast(pl.String)})
    found = frame.join(_province_names(), left_on=pl.col("region").str.to_lowercase(), right_on="key", how="left", maintain_order="left")
    if found["level"].null_count() <= found.height / 2:
        return found.select("region", "code", "name_zh", "name_en", "level", "lon", "lat")
    matched = match_cities(frame["region"])["adcode"]
    known = cities().select("adcode", "name_zh", "name_en", "lon", "lat", code="adcode", level=pl.lit("city"))
    as_city = frame.with_columns(adcode=matched).join(known, on="adcode", how="left", maintain_order="left")
    return as_city.select("region", "code", "name_zh", "name_en", "level", "lon", "lat")


def _province_names() -> pl.DataFrame:
    """Every way in which a province is written, in lower case, with what is known of it."""
    seats = cities().select(pl.col("adcode").alias("capital_adcode"), "lon", "lat")
    known = provinces().join(seats, on="capital_adcode", how="left", maintain_order="left")
    shown = known.select(
        *("province_code", "name_zh", "short_zh", "abbreviation_zh", "name_en", "lon", "lat"), level=pl.lit("province")
    ).with_columns(
        code=pl.col("province_code"), code2=pl.col("province_code").str.head(2), plain=pl.col("name_en").str.replace_all(r"[^A-Za-z]", "")
    )
    ways = ("province_code", "code2", "name_zh", "short_zh", "name_en", "plain")
    rows = [
        shown.select(
            pl.col(way).str.to_lowercase().alias("key"), pl.col("short_zh").alias("name_zh"), "code", "name_en", "level", "lon", "lat"
        )
        for way in ways
    ]
    return pl.concat(rows).drop_nulls("key").unique("key", keep="first", maintain_order=True)
