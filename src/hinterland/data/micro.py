"""Micro-data to cells: firms, ownership links and patents' symbols of any number, reduced where they lie.

Each reduction is a ``group_by`` of sums, sums of squares and counts, written once as narwhals expressions, so that it runs on DuckDB, on
Polars and on Spark, and gives the same cells: counts exactly, sums of floats to 1e-9 (their order differs). Such sums can be added up, so
that the cells of several files are those of their union.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

from hinterland.data.micro_cells import Cells, add_cells
from hinterland.data.micro_keys import Key, industry_key, region_key
from hinterland.data.micro_links import Links, fail_if_reserved, flows
from hinterland.data.micro_reduce import Engine, Reduction, fail_if_names_collide, opened_with, reduced
from hinterland.data.micro_source import EngineName
from hinterland.data.micro_symbols import Symbols, widths
from hinterland.data.micro_values import Value, values_of
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any

__all__ = ["Cells", "add_cells", "reduce_firms", "reduce_links", "reduce_symbols"]

Multiplicity = Literal["symbols", "groups"]


def reduce_firms(
    source: Any,
    *,
    region: str | None = None,
    industry: str | None = None,
    time: str | None = None,
    by: Sequence[str] = (),
    values: Sequence[str] = (),
    suppressed: Mapping[str, object] | None = None,
    region_level: str = "county",
    region_digits: int = 6,
    industry_level: str = "class",
    industry_digits: int = 4,
    industry_standard: str | None = None,
    known: Mapping[str, Collection[str]] | None = None,
    reproducible: bool = False,
    engine: EngineName = "duckdb",
    memory_limit: str = "2GB",
    threads: int = 2,
) -> Cells:
    """Firms (or plants, projects, patents: one row each) to cells of region × industry × year.

    Args:
        source: Parquet or CSV files (a path, several, or a pattern with ``*``), or a lazy frame: a DuckDB relation, a Polars lazy frame, a
            Spark data frame. CSV files are read as text, so that codes keep their zeros; a frame is reduced by its own engine.
        region, industry, time: columns of GB/T 2260 codes, GB/T 4754 codes and years (or dates).
        by: further keys, taken as they are (``["ownership"]``). At least one key is needed.
        values: numbers to be summed; of each, sum, sum of squares and how many rows have it are kept.
        suppressed: for a value, the column that is true where it is withheld, or the marks in it that mean so (``{"staff": [-99, "*"]}``).
        region_level: ``county`` (six digits), ``prefecture``, ``province``; ``label`` takes any text.
        region_digits: of a code in the source (12 for statistical codes).
        industry_level: ``class``, ``group``, ``division``, ``section``; ``label`` takes any text.
        industry_digits: of a code in the source. A code with one digit fewer has lost a leading zero.
        industry_standard: ``2002``, ``2011`` or ``2017``: whose divisions exist. Without it, those of any edition do.
        known: labels that exist, by key (``{"region": [...]}``), where a list is at hand.
        reproducible: sums of floats have the same bits whatever the engine, the order of rows and the number of threads; the rows are read
            twice, and it takes three to four times as long. Otherwise their last digits may differ.
        engine: what reads files: ``duckdb``, ``polars``, or ``spark`` (the active session).
        memory_limit, threads: of DuckDB, which goes on in temporary files beyond the limit.

    Returns:
        The cells. Rows whose keys are no codes are in ``rejected`` and named in ``findings``.

    Raises:
        InputError: unknown columns, levels or engines; no keys; texts among numbers.
    """
    listing = known or {}
    keys = (
        *([region_key("region", region, region_level, region_digits, known=listing.get("region"))] if region else []),
        *_industry(industry, industry_level, industry_digits, industry_standard, listing.get("industry")),
        *([Key("time", time, "time")] if time else []),
        *(Key(c, c) for c in by),
    )
    numbers, findings = values_of(values, suppressed or {})
    fail_if_any([*findings, *fail_if_names_collide(keys, numbers)], "reducing firms")
    reads = [*(k.column for k in keys), *(c for v in numbers for c in v.reads)]
    reduction = Reduction(lambda reader: opened_with(reader, source, reads), keys, tuple(numbers), exact=reproducible and bool(numbers))
    return reduced(reduction, Engine(engine, memory_limit, threads))


def _industry(column: str | None, level: str, digits: int, standard: str | None, known: Collection[str] | None) -> list[Key]:
    return [] if column is None else [industry_key("industry", column, level, digits, standard, known=known)]


def reduce_links(
    links: Any,
    parents: Any,
    *,
    owner: str,
    region: str,
    parent: str,
    parent_region: str,
    industry: str | None = None,
    time: str | None = None,
    capital: str | None = None,
    share: str | None = None,
    region_level: str = "prefecture",
    region_digits: int = 6,
    industry_level: str = "class",
    industry_digits: int = 4,
    industry_standard: str | None = None,
    engine: EngineName = "duckdb",
    memory_limit: str = "2GB",
    threads: int = 2,
) -> Cells:
    """Ownership links to flows between regions: cells of source × host × industry × year.

    Each link counts once; with ``capital``, ``amount`` is the sum of capital × share. Links within a region are no flows and are left out,
    counted in a finding. Registered capital is not paid-in capital (since 2014 it is a promise): counts are the sturdier series.

    Args:
        links: one row per child and owner; files or a lazy frame, as in :func:`reduce_firms`.
        parents: one row per owner; of the same kind as ``links``.
        owner: column of ``links`` that names the owner;  region: the child's region;  industry, time: of the child, and of the link.
        parent: column of ``parents`` that names the owner;  parent_region: the owner's region.
        capital: column of the child's capital;  share: of the owner's part in it (0–1; 1 without it).
        region_level, region_digits, industry_level, industry_digits, industry_standard, engine, memory_limit, threads: see
            :func:`reduce_firms`.

    Returns:
        Cells with keys ``source``, ``host`` and those of ``industry`` and ``time``. Links whose owner has no known region are in
        ``rejected``.

    Raises:
        InputError: unknown columns; owners with several rows; shares outside 0–1; two tables on different engines.
    """
    reads = tuple(c for c in (region, industry, time, capital, share) if c is not None)
    joined = fail_if_reserved(parent_region, reads)
    absent = "is not known: the owner is not among the parents, or has no region there"
    source = region_key("source", joined, region_level, region_digits, absent=absent)
    host = region_key("host", region, region_level, region_digits)
    further = [
        *_industry(industry, industry_level, industry_digits, industry_standard, None),
        *([Key("time", time, "time")] if time else []),
    ]
    if share is not None and capital is None:
        raise InputError(
            Finding("share-without-capital", "a share is given, but no capital", "argument share", "name the column of capital too")
        )
    values = () if capital is None else (Value("amount", (capital, *([share] if share else []))),)
    tables = Links(links, parents, owner, parent, parent_region, joined, reads)
    return flows(tables, (source, host, *further), values, share, Engine(engine, memory_limit, threads))


def reduce_symbols(
    source: Any,
    *,
    patent: str,
    symbol: str,
    region: str,
    time: str | None = None,
    multiplicity: Multiplicity = "symbols",
    region_level: str = "prefecture",
    region_digits: int = 6,
    engine: EngineName = "duckdb",
    memory_limit: str = "2GB",
    threads: int = 2,
) -> Cells:
    """Symbols of the International Patent Classification to knowledge width: cells of region × year.

    A patent's width is 1 − Σ_g α_g², α_g the share of its different symbols in main group g (what stands before the stroke). One symbol
    gives 0. ``cells.table("width", "mean")`` is a region's mean; region-years without patents have no row: their width is missing,
    not zero. A patent of several regions counts in each.

    Args:
        source: one row per patent and symbol; files or a lazy frame, as in :func:`reduce_firms`.
        patent, symbol: columns of the patent's number and of the symbol (``G06F 17/30``).
        region, time: columns of the region's code and of the year (of application).
        multiplicity: ``symbols`` weighs a group by its symbols; ``groups`` counts each group once (Zhang & Zheng 2018 leave it open).
        region_level, region_digits, engine, memory_limit, threads: see :func:`reduce_firms`.

    Returns:
        Cells with the value ``width``; ``width_n`` counts the patents that have a width, ``n`` all.

    Raises:
        InputError: unknown columns, levels or engines.
    """
    if multiplicity not in get_args(Multiplicity):
        remedy = did_you_mean(str(multiplicity), get_args(Multiplicity))
        raise InputError(Finding("unknown-value", f"multiplicity is {multiplicity!r}", "argument multiplicity", remedy))
    keys = (region_key("region", region, region_level, region_digits), *([Key("time", time, "time")] if time else []))
    return widths(Symbols(source, patent, symbol, keys, multiplicity), Engine(engine, memory_limit, threads))
