"""Codes of micro-data in one form: blanks and lost zeros mended, cut to a level, and every code that is none counted and named.

Codes are staged twice. The engine cuts them to the level asked for, row by row, because fewer digits mean fewer cells; it marks what it
cannot cut. Everything else happens on the few different labels that come back, so that odd ones cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.geography import provinces
from hinterland.data.industry import divisions, fail_if_standard_unknown, section_of
from hinterland.errors import Finding, InputError, did_you_mean, listed

if TYPE_CHECKING:
    import narwhals as nw

REGION_LEVELS: Mapping[str, int | None] = {"county": 6, "prefecture": 4, "province": 2, "label": None}
INDUSTRY_LEVELS: Mapping[str, int | None] = {"class": 4, "group": 3, "division": 2, "section": 2, "label": None}
_MUNICIPALITIES = ("11", "12", "31", "50")
_OUTSIDE = ("71", "81", "82")
_ODD = "!"
"""Stands before a label that the engine could not cut."""
_YEAR = r"^(\d{4})(?:\.0+|年)?$"


@dataclass(frozen=True, slots=True)
class Key:
    """A column that tells cells apart.

    Attributes:
        name: of the column in the result.
        column: of the column in the source.
        kind: ``region``, ``industry``, ``time`` or ``label``.
        digits: of a complete code in the source.
        keep: digits that the level asked for has; ``None`` for years and labels.
        level: ``prefecture``, ``division``, … ; ``label`` takes every text as it is.
        standard: edition of GB/T 4754 whose divisions are known; ``None`` knows those of all editions.
        known: labels that exist, where there is a list of them.
        absent: what a row without a label is said to lack.
    """

    name: str
    column: str
    kind: str = "label"
    digits: int = 0
    keep: int | None = None
    level: str = "label"
    standard: str | None = None
    known: frozenset[str] | None = None
    absent: str = "has no value"

    @property
    def cuts(self) -> bool:
        """Whether the level has fewer digits than the codes of the source."""
        return self.keep is not None and self.keep < self.digits


def region_key(
    name: str, column: str, level: str, digits: int, *, known: Collection[str] | None = None, absent: str = "has no value"
) -> Key:
    """A column of region codes. Raises ``InputError`` for a level that does not exist or has more digits than the codes."""
    keep = _digits_of(level, REGION_LEVELS, digits, f"{name}_level")
    known = None if known is None else frozenset(known)
    return Key(name, column, "label" if keep is None else "region", digits, keep, level, known=known, absent=absent)


def industry_key(name: str, column: str, level: str, digits: int, standard: str | None, *, known: Collection[str] | None) -> Key:
    """A column of industry codes. Raises ``InputError`` for a level or edition that does not exist."""
    keep = _digits_of(level, INDUSTRY_LEVELS, digits, f"{name}_level")
    if standard is not None:
        fail_if_standard_unknown(standard)
    elif level == "section":
        what = "sections (letters) are asked for, but not of which edition of the standard"
        raise InputError(Finding("no-standard", what, f"argument {name}_standard", "say which: '2002', '2011' or '2017'"))
    known = None if known is None else frozenset(known)
    return Key(name, column, "label" if keep is None else "industry", digits, keep, level, standard, known)


def _digits_of(level: str, levels: Mapping[str, int | None], digits: int, argument: str) -> int | None:
    if level not in levels:
        remedy = did_you_mean(str(level), levels)
        raise InputError(Finding("unknown-level", f"there is no level {level!r}", f"argument {argument}", remedy))
    keep = levels[level]
    if keep is not None and digits < keep:
        what = f"level {level!r} needs codes of at least {keep} digits, and the column is said to hold {digits}"
        raise InputError(Finding("unknown-level", what, f"argument {argument}", "ask for a coarser level, or correct the number of digits"))
    return keep


def staged(key: Key, dtype: nw.dtypes.DType) -> nw.Expr:
    """The key as the engine groups by it: as it stands where nothing is to be cut, else cut to its level, with odd codes marked."""
    import narwhals as nw

    column = nw.col(key.column)
    if key.kind == "time" and dtype in (nw.Date, nw.Datetime):
        return column.dt.year()
    if dtype == nw.String:
        text = column.str.strip_chars()
        return _year_of(text) if key.kind == "time" else _cut_text(text, key) if key.cuts else text
    if key.kind != "label" and dtype.is_float():
        column, dtype = nw.when(column % 1.0 == 0.0).then(column).cast(nw.Int64), nw.Int64()
    if dtype.is_integer():
        return _cut_integer(column.cast(nw.Int64), key) if key.cuts else column
    return column.cast(nw.String)


def _cut_integer(code: nw.Expr, key: Key) -> nw.Expr:
    """First digits; a number with too many digits, or too few, becomes −1 − |number|."""
    import narwhals as nw

    lost = 2 if key.kind == "industry" else 1
    head = (code // 10 ** (key.digits - (key.keep or 0))).cast(nw.Int64)
    return nw.when((code >= 10 ** (key.digits - lost)) & (code < 10**key.digits)).then(head).otherwise(-code.abs() - 1)


def _cut_text(text: nw.Expr, key: Key) -> nw.Expr:
    import narwhals as nw

    length = text.str.len_chars()
    odd = nw.concat_str(nw.lit(_ODD), text)
    return nw.when(length == key.digits).then(text.str.slice(0, key.keep)).otherwise(odd)


def _year_of(text: nw.Expr) -> nw.Expr:
    """The first four digits of a date."""
    import narwhals as nw

    return nw.when(text.str.contains(r"^\d{4}[-/.]\d\d?([-/.]|$)")).then(text.str.slice(0, 4)).otherwise(text)


def labels(key: Key, raw: pl.Series) -> pl.DataFrame:
    """What each different raw label means.

    Returns:
        ``raw``; ``text`` (as it stood in the source); ``label`` (null when it is no code); ``problem``: ``missing``, ``malformed``,
        ``unknown`` or empty.
    """
    frame = pl.DataFrame({"raw": raw.unique().sort()}).with_columns(_whole_text(key, raw.dtype))
    frame = frame.with_columns(_read(key).alias("label"))
    gone = pl.col("text").is_null() | (pl.col("text") == "")
    problem = (
        pl.when(gone)
        .then(pl.lit("missing"))
        .when(pl.col("label").is_null())
        .then(pl.lit("malformed"))
        .when(_unknown(key))
        .then(pl.lit("unknown"))
        .otherwise(pl.lit(""))
    )
    frame = frame.with_columns(problem=problem)
    return frame.select("raw", "text", pl.when(pl.col("problem") == "").then("label").alias("label"), "problem")


def _whole_text(key: Key, dtype: pl.DataType) -> list[pl.Expr]:
    """``text``, with full-width digits, blanks and a decimal ``.0`` mended, and ``whole``: whether it is the code of the source."""
    raw = pl.col("raw")
    if key.cuts and dtype.is_integer():
        number = raw.cast(pl.Int64)
        text = pl.when(number >= 0).then(number.cast(pl.String).str.zfill(key.keep or 0)).otherwise((-number - 1).cast(pl.String))
        return [text.alias("text"), (number < 0).alias("whole")]
    text = raw.cast(pl.String).str.normalize("NFKC")
    if key.kind == "label":
        return [text.str.strip_chars().alias("text"), pl.lit(value=True).alias("whole")]
    whole = text.str.starts_with(_ODD) if key.cuts else pl.lit(value=True)
    text = text.str.strip_prefix(_ODD) if key.cuts else text
    return [text.str.replace_all(r"\s", "").str.replace(r"^(\d+)\.0+$", "${1}").alias("text"), whole.alias("whole")]


def _read(key: Key) -> pl.Expr:
    text = pl.col("text")
    if key.kind == "label":
        return text
    if key.kind == "time":
        return text.str.extract(_YEAR, 1)
    padded = pl.when(text.str.len_chars() == key.digits - 1).then("0" + text).otherwise(text) if key.kind == "industry" else text
    whole = pl.when(padded.str.contains(rf"^[0-9]{{{key.digits}}}$")).then(padded.str.slice(0, key.keep))
    cut = pl.when(text.str.contains(rf"^[0-9]{{{key.keep}}}$")).then(text)
    head = pl.when("whole").then(whole).otherwise(cut)
    if key.kind == "region":
        return _region(head, key.level)
    return section_of(head, key.standard) if key.level == "section" and key.standard else head


def _region(head: pl.Expr, level: str) -> pl.Expr:
    """Codes of six digits; a municipality is its own prefecture."""
    province = head.str.slice(0, 2) + "0000"
    if level == "prefecture":
        return pl.when(head.str.slice(0, 2).is_in(_MUNICIPALITIES)).then(province).otherwise(head + "00")
    return province if level == "province" else head


def _unknown(key: Key) -> pl.Expr:
    """Labels that are codes in form, but stand for nothing."""
    label = pl.col("label")
    if key.known is not None:
        return ~label.is_in(list(key.known))
    if key.kind == "region":
        return ~label.str.head(2).is_in([*provinces()["province_code"].str.head(2), *_OUTSIDE])
    if key.kind == "industry" and key.level != "section":
        return ~label.str.head(2).is_in(divisions(key.standard))
    return pl.lit(value=False)


_SAID = {
    "missing": Finding("code-missing", "", "", "fill in the code, or leave these rows out before", "warning"),
    "malformed": Finding(
        "code-malformed", "is no code of its kind", "", "correct the codes, or their number of digits in the arguments", "warning"
    ),
    "unknown": Finding(
        "code-unknown", "is a code that does not exist", "", "correct it, name its edition of the standard, or list it as known", "warning"
    ),
}
"""What is said of each problem; the rest of the sentence is filled in."""


def problems(key: Key, table: pl.DataFrame, rows: pl.DataFrame) -> list[Finding]:
    """Warnings for labels that are no codes: how many rows, and which labels.

    Args:
        key: the column.
        table: of :func:`labels`.
        rows: ``raw`` and ``n``, the number of rows of each.
    """
    findings = []
    for problem, said in _SAID.items():
        bad = table.filter(pl.col("problem") == problem)
        if bad.is_empty():
            continue
        bad = bad.join(rows, on="raw", how="left", nulls_equal=True).sort("n", "text", descending=[True, False])
        shown = "" if problem == "missing" else f": {listed(bad['text'].to_list())}"
        what = f"in {bad['n'].sum()} row(s) the {key.name} {said.what or key.absent}"
        findings.append(replace(said, what=what, where=f"column {key.column!r}{shown}"))
    return findings
