"""The transfer analysis of a study: its tables read, the analysis made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.industry_groups import industry_groups
from hinterland.data.industry_names import named_industries
from hinterland.errors import Finding, InputError, StudyError, did_you_mean
from hinterland.study.chains import io_problems, io_tables
from hinterland.study.outlines import drawn
from hinterland.study.places import places
from hinterland.study.preparing import LeftOut, is_file, is_source, named_table, placed, prepared, sources_of
from hinterland.study.schema import Study
from hinterland.study.schema_transfer import TABLES, TransferTable
from hinterland.study.unbuilt import Problem

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace
    from hinterland.transfer.result import Transfer

OWNER = ("transfer", "main")
_ROLES = ("region", "industry", "time", "value", "output", "labour", "capital")
_NEEDED = _ROLES[:4]


def transferred(work: Workspace) -> tuple[Transfer, tuple[LeftOut, ...]]:
    """The analysis, and the rows that were left out on purpose before it.

    Raises:
        StudyError: every problem, each with its place in the study.
    """
    from hinterland.transfer.analysis import transfer

    table = asked(work.study)
    try:
        source = prepared(work, OWNER, table)
        further = {key: _table(work, str(value)) for key in TABLES if (value := getattr(table, key)) is not None}
        further |= _places(source.frame, table) | _groups(source.frame, table)
        options: dict[str, Any] = {**table.columns, **further}
        found = transfer(
            source.frame,
            **options,
            gravity=table.gravity or None,
            same_unit=table.same_unit,
            dimensions={k: list(v) for k, v in table.dimensions.items()} or None,
            policies=dict(table.policies) or None,
            min_years=table.min_years,
            io=io_tables(work, table.io) or None,
            periods=table.periods,
            hosts=table.hosts or None,
            sources=table.sources or None,
            threatened=table.threatened,
            suppressed=table.suppressed,
            complete=table.complete,
            on_negative=table.on_negative,
        )
    except InputError as error:
        raise StudyError([placed(work, ("transfer",), f) for f in error.findings], "transfer") from error
    return replace(found, findings=(*source.findings, *found.findings)), source.left_out


def asked(study: Study) -> TransferTable:
    """The table ``[transfer]``, of a study that has it."""
    if study.transfer is None:
        raise StudyError(Finding("nothing-to-do", "the study has no transfer analysis", "study", "add a table [transfer]"), "study")
    return study.transfer


def _table(work: Workspace, value: str) -> Any:
    return named_table(work, value).frame if is_source(value) else value


def _places(frame: pl.DataFrame, table: TransferTable) -> dict[str, pl.DataFrame]:
    """Where the packaged geography has the regions, by code or name, unless the study brings its own table."""
    column = table.columns["region"]
    if column not in frame.columns or not (table.places is None or table.places in ("provinces", "cities")):
        return {}
    found = places(frame[column].cast(pl.String).drop_nulls().unique().sort())
    return {"places": found.select("region", "lon", "lat")} if found["lon"].null_count() == 0 else {}


def boundaries(work: Workspace) -> pl.DataFrame | None:
    """Boundaries of the analysis's regions, where the study names a file of them (see :func:`~hinterland.study.outlines.drawn`)."""
    return drawn(work, ("transfer",), asked(work.study), pl.Series("region", work.transferred.meta["regions"]))


def _groups(frame: pl.DataFrame, table: TransferTable) -> dict[str, pl.DataFrame]:
    """The packaged groups of industries that are written by name: each by the division that it is in the edition of 2011."""
    column = table.columns["industry"]
    if table.groups != "factor-intensity" or column not in frame.columns:
        return {}
    named = named_industries(frame[column].cast(pl.String).drop_nulls().unique().sort())
    if not named.height or named["label"].equals(named["code"]):
        return {}
    groups = industry_groups("2011").select(pl.col("division").alias("code"), "group")
    return {"groups": named.join(groups, on="code", how="inner").select(pl.col("label").alias(column), "group")}


def transfer_sources(study: Study) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every file that the analysis names, with its key."""
    if study.transfer is None:
        return
    yield from ((("transfer", *key), source) for key, source in sources_of(study.transfer) if is_file(source))
    for key in TABLES:
        value = getattr(study.transfer, key)
        if value is not None and is_source(value) and is_file(value):
            yield ("transfer", key), value
    for i, one in enumerate(study.transfer.io):
        yield ("transfer", "io", i, "source"), one.source
        if one.deflators is not None and is_file(one.deflators):
            yield ("transfer", "io", i, "deflators"), one.deflators
    if study.transfer.boundaries is not None:
        yield ("transfer", "boundaries"), study.transfer.boundaries


def transfer_problems(study: Study) -> Iterator[Problem]:
    """Roles that are missing or unknown; sources that the study does not have."""
    table = study.transfer
    if table is None:
        return
    for name in table.columns:
        if name not in _ROLES:
            yield ("transfer", "columns", name), "unknown-argument", f"a transfer analysis has no role {name!r}", did_you_mean(name, _ROLES)
    for name in _NEEDED:
        if name not in table.columns:
            yield ("transfer", "columns"), "missing-role", f"transfer needs a column for {name}", f'add {name} = "<name of the column>"'
    yield from io_problems(table.io)
    for source in sources_named(table):
        kind, _, rest = source.partition(":")
        if kind == "measure" and rest not in study.measure:
            yield (
                ("transfer",),
                "unknown-measure",
                f"transfer builds on {rest!r}, which the study does not have",
                did_you_mean(rest, study.measure),
            )
        if kind == "table" and rest not in study.table:
            yield ("transfer",), "unknown-table", f"there is no table {rest!r}", did_you_mean(rest, study.table)
        if kind == "world" and not study.is_world:
            yield ("transfer",), "world-only", "transfer asks for an input of a simulated world, and the panel is none", "name a file"


def measures_used(table: TransferTable) -> tuple[str, ...]:
    """Names of the measures that the analysis builds on."""
    return tuple(dict.fromkeys(s.removeprefix("measure:") for s in sources_named(table) if s.startswith("measure:")))


def sources_named(table: TransferTable) -> list[str]:
    """Every source that the analysis names, but for the input-output tables themselves."""
    further = [str(v) for k in TABLES if (v := getattr(table, k)) is not None]
    return [*(source for _, source in sources_of(table)), *further, *(one.deflators for one in table.io if one.deflators is not None)]
