"""The input-output tables of a transfer analysis: read, completed, estimated, brought to common prices and into one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, listed
from hinterland.study.preparing import named_table
from hinterland.study.schema_transfer import InputOutputTable
from hinterland.study.unbuilt import Problem

if TYPE_CHECKING:
    from hinterland.data.io_table import IOTable
    from hinterland.study.workspace import Workspace


def io_tables(work: Workspace, asked: Sequence[InputOutputTable]) -> list[IOTable]:
    """One table for each that the study names, all with the regions that they have in common, in one order.

    Raises:
        InputError: files, margins or deflators that are wrong; tables without a common region.
    """

    @cache
    def read(source: Path, layout: Any, year: int | None, sectors: Any) -> IOTable:
        from hinterland.data.io_readers import read_io

        return read_io(source, layout=layout, year=year, sectors=sectors)

    given = [read(work.path(one.source), one.layout, one.year, one.sectors) for one in asked]
    completed = [
        t if one.reference is None else _completed(t, read(work.path(one.source), one.layout, one.reference, one.sectors))
        for t, one in zip(given, asked, strict=True)
    ]
    return [_ready(work, t, one) for t, one in zip(_in_one_order(completed), asked, strict=True)]


def _completed(t: IOTable, reference: IOTable) -> IOTable:
    from hinterland.transfer.regional_tables import gross_margins

    return gross_margins(t, reference)


def _in_one_order(tables: list[IOTable]) -> list[IOTable]:
    """The tables with the regions that all of them have, in the order of the last, as its sectors; what that leaves out is said."""
    from hinterland.transfer.regional_tables import in_order

    if len({(tuple(t.regions.tolist()), tuple(t.sectors.tolist())) for t in tables}) < 2:
        return tables
    known = [set(map(str, t.region_labels)) for t in tables]
    common = [str(r) for r in tables[-1].region_labels if all(str(r) in k for k in known)]
    if not common:
        what = f"tables of {listed([t.year for t in tables])} have no region in common"
        raise InputError(Finding("io-no-common-region", what, "io", "use one way of writing regions"), "io")
    return [_said(in_order(t, common, list(tables[-1].sector_labels)), sorted(k - set(common))) for t, k in zip(tables, known, strict=True)]


def _said(t: IOTable, left: list[str]) -> IOTable:
    if not left:
        return t
    what = f"{listed(left)} is left out of {t.year}, because another year has no table of it"
    remedy = "ask for years that have it, if it matters; trade with it counts as trade of unknown origin"
    return replace(t, findings=(*t.findings, Finding("io-region-left-out", what, t.source, remedy, "warning")))


def _ready(work: Workspace, t: IOTable, one: InputOutputTable) -> IOTable:
    """The table with flows between regions, at the prices asked for. Rows are deflated by where they come from, so that flows come first."""
    from hinterland.transfer.mrio import estimate_mrio

    made = estimate_mrio(t).table if one.estimate else t
    return made if one.deflators is None else made.deflate(_deflators(work, one.deflators, made), prices=str(one.prices))


def _deflators(work: Workspace, source: str, t: IOTable) -> Any:
    frame = named_table(work, source).frame
    absent = [c for c in ("region", "year", "value") if c not in frame.columns]
    if absent:
        raise InputError(
            Finding("unknown-column", f"deflators have no column {listed(absent)}", source, "name region, year and value"), source
        )
    rows = frame.filter(pl.col("year").cast(pl.Int64, strict=False) == (t.year or 0))
    known = dict(rows.select(pl.col("region").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False)).iter_rows())
    return np.array([known.get(str(r)) or np.nan for r in t.regions], dtype=np.float64)


def io_problems(asked: Sequence[InputOutputTable]) -> Iterator[Problem]:
    """Keys that need each other, and years named twice."""
    for i, one in enumerate(asked):
        where = ("transfer", "io", i)
        if one.reference is not None and not one.estimate:
            yield (
                (*where, "reference"),
                "needs-estimate",
                "a reference completes margins, and flows are not estimated",
                "set estimate = true",
            )
        if (one.deflators is None) != (one.prices is None):
            yield where, "deflators-and-prices", "deflators and prices go together", 'give both: prices = "constant 2012"'
        if one.year is not None and one.year in [other.year for other in asked[:i]]:
            yield (*where, "year"), "io-years", f"{one.year} is named twice", "give each table its own year"
