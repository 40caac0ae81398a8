"""Groups of industries by what they need most: labour, capital, technology, resources.

One rule: Lall's (2000, Oxford Development Studies 28(3), table 1) classes of manufactured exports, carried over to the divisions of GB/T 4754 by their main
products. Resource-based manufactures (RB) are ``resource``; low technology (LT), whose labour costs decide, ``labour``; process industries (MT2), large and
capital-intensive, ``capital``; automotive, engineering and high technology (MT1, MT3, HT) ``technology``. Mining is ``resource``, supply of electricity,
gas and water ``capital``. Column ``basis`` says for each division what it rests on. Other studies divide otherwise: bring a table of your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from hinterland.data.geography import catalogue_table
from hinterland.data.industry import fail_if_standard_unknown
from hinterland.errors import Finding, InputError, listed

GROUPS = ("labour", "capital", "technology", "resource")


@cache
def industry_groups(standard: str = "2017") -> pl.DataFrame:
    """Divisions 06–46 of an edition of GB/T 4754: ``division`` (two digits), ``group`` (one of :data:`GROUPS`), ``basis``.

    Raises:
        InputError: no such edition.
    """
    fail_if_standard_unknown(standard)
    return catalogue_table("industry_groups").filter(pl.col("standard") == standard).drop("standard")


def grouped(
    industries: pl.Series, groups: Mapping[str, str] | None = None, standard: str = "2017"
) -> tuple[pl.Series, tuple[Finding, ...]]:
    """The group of each industry [n], null where it has none; and a finding that names those.

    Args:
        industries: codes of two to four digits, which may start with the letter of their section (``C39``).
        groups: industry → group, in the place of the packaged table; industries are then looked up as they are.
        standard: edition of the codes, without ``groups``.

    Raises:
        InputError: no such edition; no industry has a group.
    """
    text = industries.cast(pl.String)
    if groups is None:
        table = industry_groups(standard)
        known = dict(zip(table["division"], table["group"], strict=True))
        code = text.str.strip_chars().str.replace("^[A-Z]", "").str.head(2)
    else:
        known, code = dict(groups), text
    out = code.replace_strict(known, default=None, return_dtype=pl.String).alias("group")
    lost = text.filter(out.is_null()).unique().sort().to_list()
    if not lost:
        return out, ()
    what = f"{len(lost)} industr{'y has' if len(lost) == 1 else 'ies have'} no group: {listed(lost)}"
    remedy = "give codes of GB/T 4754 divisions 06–46 of the edition named, or a table of your own as groups"
    if len(lost) == text.n_unique():
        raise InputError(Finding("industry-without-group", what, "column of industries", remedy), "industry groups")
    return out, (Finding("industry-without-group", what, "column of industries", remedy, "warning"),)
