"""Second inputs of indicators: national vectors, pairs of neighbours, other tables given beside the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure.data import Cube, Data, positions

Floats = NDArray[np.float64]
Second = Any
"""A data frame of any kind that narwhals knows, the path of a file, or the name of a packaged table."""
Reference = Second | None


_KEYS = ("region", "other", "industry", "other_industry", "item", "time", "city", "province")
_NUMBERS = ("value", "alpha", "theta", "distance", "lon", "lat", "output", "capital", "labour", "factor_elasticity")


def table(
    source: Second,
    argument: str,
    columns: Sequence[str] | None = None,
    named: Mapping[str, str] | None = None,
    unique: Sequence[str] = (),
) -> pl.DataFrame:
    """A second input as a table that has ``columns`` (under the caller's names in ``named``), renamed to them; all it has where none are named.

    Raises:
        InputError: not a table, or columns that it lacks; keys that are missing, numbers that are text or infinite, rows that repeat ``unique``.
    """
    frame = _frame(source, argument)
    if columns is None:
        return frame
    wanted = {(named or {}).get(c, c): c for c in columns}
    missing = [n for n in wanted if n not in frame.columns]
    if missing:
        findings = [
            Finding("unknown-column", f"the table has no column {n!r}", f"parameter {argument}", did_you_mean(n, frame.columns))
            for n in missing
        ]
        raise InputError(findings, f"parameter {argument}")
    found = frame.select(pl.col(n).alias(c) for n, c in wanted.items())
    fail_if_any(_cell_findings(found, f"parameter {argument}", unique), f"parameter {argument}", InputError)
    return found


def _cell_findings(found: pl.DataFrame, where: str, unique: Sequence[str]) -> list[Finding]:
    findings = []
    for key in (c for c in _KEYS if c in found.columns and found[c].has_nulls()):
        what = f"{found[key].null_count()} row(s) of the table have no {key}"
        findings.append(Finding("missing-key", what, where, "complete the rows, or leave them out"))
    for name in (c for c in _NUMBERS if c in found.columns):
        raw = found[name]
        text = raw.filter(raw.is_not_null() & raw.cast(pl.Float64, strict=False).is_null())
        if len(text):
            findings.append(Finding("not-a-number", f"{name} holds text, such as {listed(text.head(3))}", where, "give numbers"))
        elif raw.dtype.is_float() and raw.is_infinite().any():
            findings.append(Finding("infinite", f"{name} holds infinite values", where, "correct the cells, or empty them"))
    if unique and found.select(unique).is_duplicated().any():
        twice = found.filter(found.select(unique).is_duplicated()).select(unique).unique(maintain_order=True)
        shown = listed([", ".join(map(str, row)) for row in twice.iter_rows()])
        findings.append(Finding("duplicate-cell", f"rows occur twice: {shown}", where, "give each one row"))
    return findings


def _frame(source: Second, argument: str) -> pl.DataFrame:
    """The table behind ``source``, with what is wrong with it said of ``argument``."""
    try:
        return load_frame(source)
    except InputError as error:
        said = [replace(f, where=f"parameter {argument}: {f.where}") for f in error.findings]
        raise InputError(said, f"parameter {argument}") from error


def reference_vector(data: Data, cube: Cube, reference: Reference, value: str = "value") -> tuple[Floats | None, tuple[Finding, ...]]:
    """[T, I] national activity on the axes ``time`` and ``industry`` of ``cube``; ``None`` where none was given.

    The table has the caller's columns of industry and value, and of time where the national figures change. Industries that it has and no
    region has are left out of the national total, with a warning.

    Raises:
        InputError: columns missing, a number that is negative or repeated, or an industry (year) of the regions that it lacks.
    """
    if reference is None:
        return None, ()
    timed = data.has("time") and data.columns["time"] in _frame(reference, "reference").columns
    roles = ["industry", value, *(["time"] if timed else [])]
    found = table(reference, "reference", roles, data.columns)
    found = found.with_columns(pl.col("industry").cast(pl.String), pl.col(value).cast(pl.Float64, strict=False))
    times, industries = cube.labels[cube.dims.index("time")], cube.labels[cube.dims.index("industry")]
    _fail_if_wrong(found, value, industries, times if timed else None)
    out = np.full((len(times), len(industries)), np.nan)
    known = found.filter(pl.col("industry").is_in(industries.implode()))
    at = positions(known["industry"], industries)
    if timed:
        known_time = known["time"].cast(pl.Int64)
        inside = known_time.is_in(times.implode()).to_numpy()
        out[positions(known_time.filter(pl.Series(inside)), times), at[inside]] = known[value].to_numpy()[inside]
    else:
        out[:, at] = known[value].to_numpy()
    return out, _extra(found, industries)


def _fail_if_wrong(found: pl.DataFrame, value: str, industries: pl.Series, times: pl.Series | None) -> None:
    where, findings = "parameter reference", []
    bad = found.filter(pl.col(value).is_null() | ~pl.col(value).is_finite() | (pl.col(value) < 0))
    if bad.height:
        what = f"{bad.height} national figure(s) are missing, negative or not finite: {listed(bad['industry'])}"
        findings.append(Finding("bad-reference", what, where, "give a number, 0 or more, for every industry"))
    keys = ["industry", *([] if times is None else ["time"])]
    twice = found.filter(found.select(keys).is_duplicated())["industry"].unique(maintain_order=True)
    if len(twice):
        findings.append(Finding("duplicate-cell", f"industries occur twice: {listed(twice)}", where, "give one row each"))
    absent = [i for i in industries if i not in set(found["industry"])]
    if absent:
        findings.append(Finding("reference-lacks-industry", f"there is no national figure for {listed(absent)}", where, "add the rows"))
    if times is not None:
        years = set(found["time"].cast(pl.Int64))
        lacking = [t for t in times if t not in years]
        if lacking:
            findings.append(Finding("reference-lacks-time", f"there is no national figure for {listed(lacking)}", where, "add the rows"))
    if findings:
        raise InputError(findings, where)


def _extra(found: pl.DataFrame, industries: pl.Series) -> tuple[Finding, ...]:
    extra = [i for i in found["industry"].unique(maintain_order=True) if i not in set(industries)]
    if not extra:
        return ()
    what = f"the national table has industries that no region has, which are left out of the national total: {listed(extra)}"
    return (
        Finding(
            "reference-has-more", what, "parameter reference", "give the regions' rows, or zeros, if they are part of the nation", "warning"
        ),
    )
