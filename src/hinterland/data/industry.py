"""The Chinese classification of industries, GB/T 4754, in its editions of 2002, 2011 and 2017: classes, divisions, sections.

A class (小类) has four digits, its group (中类) the first three, its division (大类) the first two; a section (门类) is a letter for a range
of divisions. Codes without their edition mean little: division 36 makes special machinery in 2002 and motor vehicles from 2011 on.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import polars as pl

from hinterland.data.geography import catalogue_table
from hinterland.errors import Finding, InputError, did_you_mean

Standard = Literal["2002", "2011", "2017"]
STANDARDS: tuple[str, ...] = get_args(Standard)
LEVELS = {"section": 1, "division": 2, "group": 3, "class": 4}
"""Characters of a code at each level."""


def fail_if_standard_unknown(standard: str, argument: str = "standard") -> None:
    """Raise ``InputError`` unless there is such an edition of GB/T 4754."""
    if standard not in STANDARDS:
        what = f"there is no edition {standard!r} of GB/T 4754 here"
        raise InputError(Finding("unknown-standard", what, f"argument {argument}", did_you_mean(str(standard), STANDARDS)))


@cache
def industry_classes() -> pl.DataFrame:
    """The concordance of classes: one row for each combination of codes ``gb2002``, ``gb2011``, ``gb2017`` that share activities.

    913, 1094 and 1381 classes in 1527 rows. A class that stands in several rows was divided or merged.
    """
    return catalogue_table("industry_classes")


@cache
def industry_sections() -> pl.DataFrame:
    """The sections of each edition: ``standard``, ``section``, ``first_division``, ``last_division``, ``name_zh``, ``name_en``."""
    return catalogue_table("industry_sections")


@cache
def known_codes(standard: str, level: str = "class") -> frozenset[str]:
    """Every code of an edition at a level. Raises ``InputError`` for editions or levels that do not exist."""
    fail_if_standard_unknown(standard)
    fail_if_level_unknown(level)
    classes = industry_classes()[f"gb{standard}"]
    return frozenset(at_level(classes, level, standard).unique())


def divisions(standard: str | None = None) -> list[str]:
    """Divisions of an edition, or of any of them, increasing. Raises ``InputError`` for editions that do not exist."""
    editions = STANDARDS if standard is None else (standard,)
    return sorted({d for s in editions for d in known_codes(s, "division")})


def fail_if_level_unknown(level: str, argument: str = "level") -> None:
    """Raise ``InputError`` unless there is such a level."""
    if level not in LEVELS:
        raise InputError(Finding("unknown-level", f"there is no level {level!r}", f"argument {argument}", did_you_mean(str(level), LEVELS)))


@cache
def _letters(standard: str) -> dict[str, str]:
    rows = industry_sections().filter(pl.col("standard") == standard).select("section", "first_division", "last_division").iter_rows()
    return {f"{d:02d}": letter for letter, first, last in rows for d in range(int(first), int(last) + 1)}


def section_of(code: pl.Expr, standard: str) -> pl.Expr:
    """The section (letter) of codes of two to four digits; null for divisions that the edition does not have."""
    fail_if_standard_unknown(standard)
    return code.str.slice(0, 2).replace_strict(_letters(standard), default=None, return_dtype=pl.String)


def at_level(codes: pl.Series, level: str, standard: str) -> pl.Series:
    """Codes of a finer level at ``level``. [n] text."""
    if level == "section":
        return pl.select(section_of(pl.lit(codes), standard)).to_series()
    return codes.str.slice(0, LEVELS[level])
