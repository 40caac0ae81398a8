"""Tables of a planning case from several sources, put together: rows by their keys, columns side by side, nothing given twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.errors import Finding, InputError, listed
from hinterland.plan.schema import TableSpec, tables

__all__ = ["Part", "combined", "folder_parts"]

_SUFFIXES = (".csv", ".parquet", ".xlsx")
_THEIRS = ":given"


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table of the case, and where they come from."""

    table: str
    frame: pl.DataFrame
    where: str


def folder_parts(folder: Path) -> tuple[list[Part], dict[str, Any], list[Finding]]:
    """The tables of a folder, what its ``case.toml`` says, and what is wrong with its files."""
    import tomllib

    from hinterland.data.readers import load_frame

    parts: list[Part] = []
    findings: list[Finding] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.stem in tables()):
        try:
            parts.append(Part(path.stem, load_frame(path), path.name))
        except InputError as error:
            findings += error.findings
    written = folder / "case.toml"
    if not written.exists():
        return parts, {}, findings
    try:
        return parts, tomllib.loads(written.read_text(encoding="utf-8")), findings
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return parts, {}, [*findings, Finding("bad-toml", f"case.toml cannot be read: {error}", str(written), "mend the file")]


def combined(parts: Sequence[Part]) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    """One frame for each table: rows of all its parts, those with the same keys as one row."""
    out: dict[str, pl.DataFrame] = {}
    findings: list[Finding] = []
    for name in dict.fromkeys(p.table for p in parts):
        some = [p for p in parts if p.table == name]
        frame = some[0].frame
        for part in some[1:]:
            frame, more = _joined(tables()[name], frame, part)
            findings += more
        out[name] = frame
    return out, findings


def _joined(spec: TableSpec, have: pl.DataFrame, part: Part) -> tuple[pl.DataFrame, list[Finding]]:
    """The rows of both; a finding for every value that both give and that differs."""
    keys = [k for k in (*spec.keys, *spec.optional_keys) if k in have.columns or k in part.frame.columns]
    lacking = [k for k in spec.keys if k not in have.columns or k not in part.frame.columns]
    if lacking:
        return have, [Finding("missing-column", f"table {spec.name!r} lacks its key {listed(lacking)}", part.where, "add the column")]
    left, right = _keyed(have, keys), _keyed(part.frame, keys)
    twice = [f for f in (_repeated(left, keys, spec.name, "the case"), _repeated(right, keys, spec.name, part.where)) if f]
    if twice:
        return have, twice
    left, right = _alike(left, right, keys)
    both = left.join(right, on=keys, how="full", coalesce=True, nulls_equal=True, suffix=_THEIRS, maintain_order="left_right")
    shared = [c for c in left.columns if f"{c}{_THEIRS}" in both.columns]
    findings = [f for c in shared for f in _differing(both, keys, c, part)]
    return both.with_columns(pl.coalesce(c, f"{c}{_THEIRS}").alias(c) for c in shared).drop(f"{c}{_THEIRS}" for c in shared), findings


def _alike(left: pl.DataFrame, right: pl.DataFrame, keys: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables with values that they share as text, where one of them has text."""
    mixed = [
        c for c in left.columns if c in right.columns and c not in keys and (left.schema[c] == pl.String) != (right.schema[c] == pl.String)
    ]
    return left.with_columns(pl.col(mixed).cast(pl.String)), right.with_columns(pl.col(mixed).cast(pl.String))


def _keyed(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The table with all keys, as text, blanks as null."""
    made = [_text(frame[k]) if k in frame.columns else pl.Series(k, [None] * frame.height, dtype=pl.String) for k in keys]
    return frame.with_columns(made)


def _text(values: pl.Series) -> pl.Series:
    if values.dtype.is_float() and (values.drop_nulls() == values.drop_nulls().round()).all():
        values = values.cast(pl.Int64)
    as_text = values.cast(pl.String).str.strip_chars()
    return as_text.set(as_text == "", None)


def _repeated(frame: pl.DataFrame, keys: Sequence[str], table: str, where: str) -> Finding | None:
    rows = frame.select(keys).filter(pl.struct(keys).is_duplicated()).unique(maintain_order=True)
    if not rows.height:
        return None
    shown = listed([", ".join("all" if v is None else str(v) for v in row) for row in rows.rows()])
    return Finding("duplicate-row", f"table {table!r} has several rows for {shown}", where, "keep one row for each")


def _differing(both: pl.DataFrame, keys: Sequence[str], column: str, part: Part) -> list[Finding]:
    old, new = pl.col(column), pl.col(f"{column}{_THEIRS}")
    rows = both.filter(old.is_not_null() & new.is_not_null() & (old != new))
    if not rows.height:
        return []
    shown = listed([", ".join("all" if v is None else str(v) for v in row) for row in rows.select(keys).rows()])
    what = f"{part.table}: {column} of {shown} is given twice, and differs"
    return [Finding("given-twice", what, part.where, "give it in one place")]
