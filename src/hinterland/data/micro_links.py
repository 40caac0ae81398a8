"""Ownership links to flows: who in which region holds how much capital of what, in which other region, since when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.data.micro_cells import Cells
from hinterland.data.micro_keys import Key
from hinterland.data.micro_reduce import MAX_EXAMPLES, Engine, Reduction, opened_with, reduced
from hinterland.data.micro_source import Opened, Reader, from_arrow
from hinterland.data.micro_values import Value, number
from hinterland.errors import Finding, InputError, fail_if_any, listed


@dataclass(frozen=True, slots=True)
class Links:
    """Two tables and the columns that join them.

    Attributes:
        links: one row per link, with ``owner`` and the columns ``reads``;  parents: one row per owner, ``parent`` and its ``region``.
        joined: name of the owner's region in the joined table.
    """

    links: Any
    parents: Any
    owner: str
    parent: str
    region: str
    joined: str
    reads: tuple[str, ...]


def flows(tables: Links, keys: tuple[Key, ...], values: tuple[Value, ...], share: str | None, engine: Engine) -> Cells:
    """Links to cells of source × host × …, without those that stay within a region."""
    checks = {} if share is None else {"_share": (_outside(share), _bad_share(share))}
    cells = reduced(Reduction(lambda reader: _joined(reader, tables), keys, values, checks), engine)
    within = cells.frame.filter(pl.col("source") == pl.col("host"))
    if within.is_empty():
        return cells
    what = f"{within['n'].sum()} link(s) stay within a region, and are no flows"
    said = Finding("within-region", what, f"{within['source'].n_unique()} region(s)", "nothing, unless the level is too coarse", "warning")
    return replace(cells, frame=cells.frame.filter(pl.col("source") != pl.col("host")), findings=(*cells.findings, said))


def _outside(share: str) -> Callable[[Mapping[str, Any]], Any]:
    def check(schema: Mapping[str, Any]) -> Any:
        fraction = number(share, schema[share])[0]
        return (fraction < 0.0) | (fraction > 1.0)

    return check


def _bad_share(share: str) -> Finding:
    return Finding(
        "share-outside",
        f"{{count}} row(s) of {share!r} lie outside 0–1",
        f"column {share!r}",
        "divide percentages by 100; correct the rest",
    )


def _joined(reader: Reader, tables: Links) -> Opened:
    """Each link with the region of its owner, null where that is not known. The owners are the smaller table: Spark sends them whole."""
    import narwhals as nw

    links = opened_with(reader, tables.links, (tables.owner, *tables.reads))
    owners = opened_with(reader, tables.parents, (tables.parent, tables.region))
    fail_if_any(_two_engines(tables, links, owners), "reducing links")
    kinds = links.frame.collect_schema()[tables.owner], owners.frame.collect_schema()[tables.parent]
    left = links.frame.select(*tables.reads, _owner=_identifier(tables.owner, kinds))
    right = owners.frame.select(nw.col(tables.region).alias(tables.joined), _owner=_identifier(tables.parent, kinds))
    fail_if_any(_repeated(right, tables), "reducing links")
    if links.engine == "spark":
        right = nw.from_native(right.to_native().hint("broadcast"))
    return replace(links, frame=left.join(right, on="_owner", how="left"))


def _identifier(column: str, kinds: tuple[Any, Any]) -> Any:
    import narwhals as nw

    if kinds[0] == kinds[1] != nw.String:
        return nw.col(column)
    return nw.col(column).cast(nw.String).str.strip_chars()


def _two_engines(tables: Links, links: Opened, owners: Opened) -> list[Finding]:
    files = [isinstance(t, str | Path | list | tuple) for t in (tables.links, tables.parents)]
    if links.engine == owners.engine and files[0] == files[1]:
        return []
    what = f"links are a {links.engine} {'file' if files[0] else 'frame'}, parents a {owners.engine} {'file' if files[1] else 'frame'}"
    return [Finding("two-engines", what, "arguments links, parents", "give both as files, or both as frames of one engine")]


def _repeated(owners: Any, tables: Links) -> list[Finding]:
    """Owners with several rows, which would count their links several times."""
    import narwhals as nw

    twice = owners.group_by("_owner").agg(rows=nw.len()).filter((nw.col("rows") > 1) & ~nw.col("_owner").is_null())
    shown = from_arrow(twice.sort("_owner").head(MAX_EXAMPLES + 1))["_owner"].cast(pl.String).to_list()
    if not shown:
        return []
    names = f"{listed(shown[:MAX_EXAMPLES])}{' and more' if len(shown) > MAX_EXAMPLES else ''}"
    return [
        Finding("duplicate-owner", f"owners have several rows: {names}", f"parents, column {tables.parent!r}", "leave one row per owner")
    ]


def fail_if_reserved(region: str, reads: tuple[str, ...]) -> str:
    """Name of the joined region; raises ``InputError`` where the links have a column of that name already."""
    name = f"{region} of parents"
    if name in reads:
        raise InputError(Finding("duplicate-column", f"the links have a column {name!r}", "argument links", "rename it"))
    return name
