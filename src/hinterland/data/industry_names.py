"""Names of industries: the divisions 06–46 of GB/T 4754-2011 (mining, manufacturing, utilities) in both languages, found by name or code."""

from __future__ import annotations

from functools import cache

import polars as pl

from hinterland.data.geography import catalogue_table


@cache
def industry_divisions() -> pl.DataFrame:
    """The 41 divisions of industry.

    Columns: ``code`` (two digits), ``name_zh`` (as in the edition of 2011), ``name_en`` (short), ``aliases_zh`` (names of other editions,
    separated by ``;``; some of them cover somewhat more or less).
    """
    return catalogue_table("industry_divisions")


@cache
def _by_label() -> pl.DataFrame:
    known = industry_divisions()
    aliases = pl.col("aliases_zh").fill_null("").str.split(";")
    ways = pl.concat_list(pl.col("name_zh", "code"), pl.concat_str(pl.lit("C"), "code"), aliases)
    return (
        known.select("code", "name_zh", "name_en", label=ways).explode("label").filter(pl.col("label") != "").unique("label", keep="first")
    )


def named_industries(labels: pl.Series) -> pl.DataFrame:
    """``label``, ``code``, ``name_zh``, ``name_en`` of those labels that are a division by its name in any edition or by its code (``39``, ``C39``)."""
    frame = pl.DataFrame({"label": labels.cast(pl.String)})
    return frame.join(_by_label(), on="label", how="inner", maintain_order="left").select("label", "code", "name_zh", "name_en")
