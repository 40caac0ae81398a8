"""Where data come from: checksums of files, and the catalogue of public sources that studies here are written for."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies the bytes of a file.

    Attributes:
        sha256: hexadecimal digest.
        bytes: size in bytes.
    """

    sha256: str
    bytes: int


def fingerprint(path: str | Path) -> Fingerprint:
    """SHA-256 and size of a file, read in blocks. Raises ``OSError`` when the file cannot be read."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Fingerprint(digest, file.tell())


@cache
def _catalogue() -> tuple[dict[str, str], ...]:
    text = files("hinterland.data").joinpath("catalogue", "sources.toml").read_text(encoding="utf-8")
    return tuple({"id": key, **entry} for key, entry in tomllib.loads(text).items())


def sources() -> pl.DataFrame:
    """The catalogue of data sources: ``id, title_en, title_zh, origin, unit, level, first, last, licence, caution``.

    ``level`` is city, province, firm, document or country; ``unit`` says what the numbers are in; ``first`` and ``last`` are years.
    """
    columns = ("id", "title_en", "title_zh", "origin", "level", "unit", "first", "last", "licence", "caution")
    schema = {c: pl.Int64 if c in ("first", "last") else pl.String for c in columns}
    return pl.DataFrame([{c: entry.get(c) for c in columns} for entry in _catalogue()], schema=schema)
