"""The base year of a study's planning case: its input-output table read or estimated, balanced, with what carrying goods costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.errors import Finding, InputError, listed
from hinterland.study.case_tables import Part
from hinterland.study.preparing import named_table
from hinterland.study.schema_plan import EconomyTable

if TYPE_CHECKING:
    from hinterland.data.io_table import IOTable
    from hinterland.plan.accounts import Estimated
    from hinterland.study.workspace import Workspace

__all__ = ["economy_parts"]


def economy_parts(work: Workspace, asked: EconomyTable, frames: Mapping[str, pl.DataFrame]) -> tuple[list[Part], tuple[Finding, ...]]:
    """Tables of the economy, and what was changed to make them balance.

    Args:
        work: the study's data.
        asked: ``[plan.economy]``.
        frames: the other tables of the case: ``utilisation`` of industries and the places of regions are theirs.

    Raises:
        InputError: tables that lack columns or rows, or an input-output table that no economy can be made from.
    """
    from hinterland.plan.economy import economy
    from hinterland.plan.freight import with_freight

    groups = _pairs(work, asked, "groups", ("sector", "industry"))
    growth = _numbers(work, asked, "growth", ("region", "value"))
    made = economy(
        _table(work, asked),
        groups=groups,
        unit=asked.unit,
        growth=growth,
        utilisation=_utilisation(frames),
        routes=asked.routes,
        keep=asked.keep,
        markets=asked.markets or None,
    )
    tables = dict(made.tables)
    if asked.freight is not None:
        rates = _numbers(work, asked, "freight", ("industry", "per_1000km"))
        tables = with_freight(tables, _places(frames), rates or {}, _gateways(work, asked))
    where = work.loaded.where("plan", "economy")
    return [Part(name, frame, where) for name, frame in tables.items()], made.findings


def _table(work: Workspace, asked: EconomyTable) -> IOTable | Estimated:
    from hinterland.data.io_readers import read_io
    from hinterland.transfer.mrio import estimate_mrio
    from hinterland.transfer.regional_tables import gross_margins

    path = work.path(asked.source)
    given = read_io(path, layout=asked.layout, year=asked.year, sectors=asked.sectors)
    if asked.reference is not None:
        given = gross_margins(given, read_io(path, layout=asked.layout, year=asked.reference, sectors=asked.sectors))
    return estimate_mrio(given) if asked.estimate else given


def _columns(work: Workspace, asked: EconomyTable, key: str, columns: tuple[str, ...]) -> pl.DataFrame | None:
    source = getattr(asked, key)
    if source is None:
        return None
    frame = named_table(work, source).frame
    lost = [c for c in columns if c not in frame.columns]
    if lost:
        where = work.loaded.where("plan", "economy", key)
        raise InputError(Finding("unknown-column", f"{source} has no column {listed(lost)}", where, f"name {', '.join(columns)}"), "plan")
    return frame.select(columns)


def _pairs(work: Workspace, asked: EconomyTable, key: str, columns: tuple[str, str]) -> dict[str, Any] | None:
    frame = _columns(work, asked, key, columns)
    if frame is None:
        return None
    frame = frame.with_columns(pl.col(columns[0]).cast(pl.String)).drop_nulls()
    twice = frame.filter(pl.col(columns[0]).is_duplicated())[columns[0]].unique(maintain_order=True).to_list()
    if twice:
        where = work.loaded.where("plan", "economy", key)
        raise InputError(Finding("duplicate-row", f"{key} has several rows for {listed(twice)}", where, "keep one row for each"), "plan")
    return dict(frame.iter_rows())


def _numbers(work: Workspace, asked: EconomyTable, key: str, columns: tuple[str, str]) -> dict[str, float] | None:
    found = _pairs(work, asked, key, columns)
    if found is None:
        return None
    bad = [k for k, v in found.items() if isinstance(v, str)]
    if bad:
        where = work.loaded.where("plan", "economy", key)
        raise InputError(Finding("not-a-number", f"{columns[1]} of {listed(bad)} is text", where, "write a number"), "plan")
    return {k: float(v) for k, v in found.items()}


def _utilisation(frames: Mapping[str, pl.DataFrame]) -> dict[str, float] | float:
    industries = frames.get("industries")
    if industries is None or "utilisation" not in industries.columns:
        return 1.0
    rows = industries.select(pl.col("industry").cast(pl.String), pl.col("utilisation").cast(pl.Float64, strict=False)).drop_nulls()
    return dict(rows.iter_rows())


def _places(frames: Mapping[str, pl.DataFrame]) -> dict[str, tuple[float, float]]:
    regions = frames.get("regions")
    if regions is None or not {"lon", "lat"} <= set(regions.columns):
        raise InputError(Finding("missing-column", "freight needs lon and lat of regions", "regions", "add the columns"), "plan")
    rows = regions.select(pl.col("region").cast(pl.String), pl.col("lon", "lat").cast(pl.Float64, strict=False)).drop_nulls()
    return {r: (x, y) for r, x, y in rows.iter_rows()}


def _gateways(work: Workspace, asked: EconomyTable) -> dict[str, tuple[tuple[float, float], ...]]:
    frame = _columns(work, asked, "gateways", ("market", "lon", "lat"))
    out: dict[str, tuple[tuple[float, float], ...]] = {}
    for market, lon, lat in [] if frame is None else frame.iter_rows():
        out[str(market)] = (*out.get(str(market), ()), (float(lon), float(lat)))
    return out
