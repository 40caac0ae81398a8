"""Symbols of the International Patent Classification (IPC 分类号) as patent files write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

IPC_LEVELS = ("section", "class", "subclass", "main-group")
IpcLevel = Literal["section", "class", "subclass", "main-group"]

SEPARATORS = r"[;；,，、|\n]+"
_SYMBOL = r"^([A-HY])(\d{2})([A-Z])0*(\d{1,4})/(\d{2,6})$"
_FIXED_WIDTH = r"^([A-HY]\d{2}[A-Z])(\d{4})(\d{6})$"
_LOCARNO = r"^(?:LOC(?:\(\d+\))?(?:CL\.?)?)?\d{2}-\d{2}$"
_FULL_WIDTH = "（）／－．０１２３４５６７８９"
_HALF_WIDTH = "()/-.0123456789"


@dataclass(frozen=True, slots=True)
class Symbols:
    """Rows of symbols, read.

    Attributes:
        rows: the input's columns with ``symbol`` (normal form, ``G06F17/30``) and ``group`` (at the level asked for), both categorical; malformed and Locarno rows are left out.
        malformed: ``row`` (position in the input, from 0) and ``text`` of cells that are no symbol.
        locarno: how many cells are Locarno classes of designs (``06-01``).
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame
    locarno: int


def read_symbols(frame: pl.DataFrame, column: str, level: IpcLevel = "main-group") -> Symbols:
    """Split, normalise and check the symbols of a column.

    A cell may hold several symbols between ``; , 、 |``. Spaces, hyphens, lower case, full-width digits, the edition (``(2006.01)``), its ``I``/``N`` mark,
    leading zeros of the main group, and the fixed-width form ``G06F0017300000`` are understood. Empty cells are no symbol and no error.

    Args:
        frame: one row per patent and symbol, or per patent with several symbols in a cell.
        column: its text column of symbols.
        level: what ``group`` holds; ``main-group`` (大组) is the text before the slash.
    """
    cells = pl.DataFrame({"cell": frame[column].cast(pl.String).drop_nulls().unique()})
    parts = (
        cells.with_columns(text=pl.col("cell").str.replace_all(SEPARATORS, ";").str.split(";"))
        .explode("text", empty_as_null=True, keep_nulls=True)
        .with_columns(pl.col("text").str.strip_chars())
        .filter(pl.col("text") != "")
    )
    known = parts.join(_normal_forms(parts["text"].unique(), level), on="text", how="left").with_columns(
        pl.col("symbol", "group").cast(pl.Categorical)
    )
    numbered = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64), cell=pl.col(column).cast(pl.String))
    read = numbered.join(known, on="cell", how="inner", maintain_order="left_right").drop("cell")
    malformed = read.filter(pl.col("symbol").is_null() & ~pl.col("is_locarno")).select("row", "text")
    rows = read.filter(pl.col("symbol").is_not_null()).drop("row", "text", "is_locarno")
    return Symbols(rows, malformed, int(read["is_locarno"].sum()))


def _normal_forms(texts: pl.Series, level: IpcLevel) -> pl.DataFrame:
    """``text``, ``symbol`` and ``group`` (null where malformed), ``is_locarno`` of each distinct text."""
    plain = pl.col("text").str.to_uppercase().str.replace_many(list(_FULL_WIDTH), list(_HALF_WIDTH)).str.replace_all(r"\s", "")
    bare = plain.str.replace(r"\(\d{4}\.\d{2}\)[IN]?.*$", "").str.replace(r"^([A-HY]\d{2}[A-Z])-", "$1")
    slashed = bare.str.replace(_FIXED_WIDTH, "$1$2/$3")
    wide = bare.str.contains(_FIXED_WIDTH)
    section, klass, letter, main, sub = (slashed.str.extract(_SYMBOL, i) for i in range(1, 6))
    short = pl.when(wide).then(sub.str.replace(r"^(\d{2,}?)0*$", "$1")).otherwise(sub)
    subclass = pl.concat_str([section, klass, letter])
    groups = {
        "section": section,
        "class": pl.concat_str([section, klass]),
        "subclass": subclass,
        "main-group": pl.concat_str([subclass, main]),
    }
    return pl.DataFrame({"text": texts}).select(
        "text",
        symbol=pl.concat_str([subclass, main, pl.lit("/"), short]),
        group=groups[level],
        is_locarno=plain.str.contains(_LOCARNO),
    )
