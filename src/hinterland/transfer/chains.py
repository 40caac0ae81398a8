"""What input-output tables say: transfer between regions from two tables, positions in chains, and security of supply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure import multiregional
from hinterland.measure.multiregional import Table
from hinterland.transfer.rows import number_rows

__all__ = ["Chains", "chain_rows", "net_transfer_rows", "read_chains", "value_added_coefficients"]

Floats = NDArray[np.float64]

PARTS: Mapping[str, str] = {"mrio-structure": "structure", "mrio-demand": "demand", "mrio-change": "change"}
"""Components of a change between two tables, by their name in :class:`hinterland.measure.multiregional.Transfer`."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Tables of one layout, by year: as ``given``, with competitive imports netted out (``tables``), and factorised (``solved``).

    ``regions`` [R], ``sectors`` [S]: labels;  ``findings``: warnings about the tables.
    """

    given: tuple[IOTable, ...]
    tables: tuple[IOTable, ...]
    solved: tuple[Table, ...]
    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def years(self) -> tuple[int | None, ...]:
        """Year of each table."""
        return tuple(t.year for t in self.tables)

    @property
    def last(self) -> IOTable:
        """The latest table."""
        return self.tables[-1]


def read_chains(source: IOTable | Iterable[IOTable], regions: Sequence[str]) -> Chains:
    """Tables ready to be solved, in order of their years.

    Raises:
        InputError: no table, tables that are not of one layout or lack years, deliveries between regions that are not known, or a table that
            cannot be solved; all at once.
    """
    given = [source] if isinstance(source, IOTable) else list(source)
    findings = _layout_findings(given)
    fail_if_any(findings, "argument io", InputError)
    given = sorted(given, key=lambda t: t.year or 0)
    tables = tuple(t.domestic() for t in given)
    solved = []
    for t in tables:
        try:
            solved.append(multiregional.table(t.Z, t.final_demand, x=t.x))
        except ValueError as error:
            findings.append(Finding("io-not-defined", f"{t!r}: {error}", "argument io", "correct the table: rows, columns and value added"))
    fail_if_any(findings, "argument io", InputError)
    labels, sectors = tuple(map(str, tables[0].region_labels)), tuple(map(str, tables[0].sector_labels))
    absent = [r for r in labels if r not in set(regions)]
    if absent:
        what = f"regions of the input-output tables are not in the main table: {listed(absent)}"
        findings.append(
            Finding("io-regions", what, "argument io", "nothing, if they lie outside the study; otherwise use its labels", "warning")
        )
    if len({t.prices for t in tables}) > 1 or (len(tables) > 1 and tables[0].prices == "current"):
        what = f"input-output tables are at prices {listed(dict.fromkeys(t.prices for t in tables))}"
        findings.append(Finding("io-prices", what, "argument io", "deflate them to common prices (IOTable.deflate)", "warning"))
    return Chains(tuple(given), tables, tuple(solved), labels, sectors, tuple(findings))


def _layout_findings(given: Sequence[Any]) -> list[Finding]:
    where, findings = "argument io", []
    odd = [type(t).__name__ for t in given if not isinstance(t, IOTable)]
    if odd or not given:
        what = f"io holds {listed(odd)}" if odd else "io holds no table"
        return [Finding("not-io-table", what, where, "give an IOTable, or several (hl.read_io)")]
    first = given[0]
    if any(not t.is_regular for t in given):
        findings.append(Finding("io-irregular", "regions have different sectors", where, "merge sectors (IOTable.aggregate)"))
    if any(not t.is_linked for t in given):
        what = "deliveries between regions are known as margins only"
        findings.append(Finding("io-unlinked", what, where, "estimate them first (hl.estimate_mrio)"))
    same = [(list(t.regions), list(t.sectors)) == (list(first.regions), list(first.sectors)) for t in given]
    if not all(same):
        findings.append(Finding("io-layouts", "tables have different regions or sectors", where, "bring them to one classification"))
    years = [t.year for t in given]
    if len(given) > 1 and (None in years or len(set(years)) < len(years)):
        findings.append(Finding("io-years", f"years of the tables are {listed(years)}", where, "give each table its own year"))
    return findings


def net_transfer_rows(chains: Chains) -> Iterator[pl.DataFrame]:
    """Net transfer between every two regions, source to host: of all sectors each component, by sector the structure part.

    N^rs > 0 means that production moved into r from s, so that s is the source; each pair has one row per number.
    """
    count = len(chains.tables)
    spans = [("whole", 0, count - 1), *([("period", a, b) for a, b in pairwise(range(count))] if count > 2 else [])]
    for span, a, b in spans if count > 1 else []:
        found = multiregional.transfer(chains.solved[a], chains.solved[b])
        said = {"span": span, "concept": "flow", "basis": "modelled", "measure": "mrio-net-transfer"}
        when = {k: pl.lit(v, pl.Int64) for k, v in (("time_from", chains.years[a]), ("time", chains.years[b]))}
        for component, name in PARTS.items():
            net = multiregional.net_transfer(getattr(found, name))
            yield (
                _directed(chains, net.sum(axis=1)[:, None, :], component)
                .with_columns(industry=pl.lit(None, pl.String), **when)
                .with_columns(**{k: pl.lit(v) for k, v in said.items()})
            )
            if name == "structure":
                yield _directed(chains, net, component).with_columns(**when, **{k: pl.lit(v) for k, v in said.items()})


def _directed(chains: Chains, net: Floats, component: str) -> pl.DataFrame:
    """[R, S, R] as rows from source to host, one for each pair and sector."""
    pairs = np.array(list(combinations(range(len(chains.regions)), 2)), dtype=np.int64).reshape(-1, 2)
    values = net[pairs[:, 0], :, pairs[:, 1]]
    p, s = np.nonzero(values)
    into_first = values[p, s] > 0
    host, source = np.where(into_first, pairs[p].T, pairs[p].T[::-1])
    regions, sectors = pl.Series(chains.regions, dtype=pl.String), pl.Series(chains.sectors, dtype=pl.String)
    keys = {"region": regions.gather(source), "other": regions.gather(host), "industry": sectors.gather(s)}
    return number_rows(keys, np.abs(values[p, s]), n_used=chains.last.n, component=component)


def chain_rows(chains: Chains) -> Iterator[pl.DataFrame]:
    """Rows of drivers: upstreamness of each region and sector, and the share of value added that others' demand induces, for each table."""
    for t, solved in zip(chains.tables, chains.solved, strict=True):
        when = pl.lit(t.year, pl.Int64)
        keys = {"region": t.regions, "industry": t.sectors}
        up = multiregional.upstreamness(t.Z, t.x)
        yield number_rows(keys, up, n_used=t.n, reasons={"no-output": t.x <= 0}, measure="upstreamness", level="cell").with_columns(
            time=when
        )
        share = multiregional.value_added_export_share(multiregional.induced_value_added(solved, value_added_coefficients(t)))
        rows = number_rows({"region": chains.regions}, share, n_used=t.n, reasons={"no-output": ~np.isfinite(share)})
        yield rows.with_columns(measure=pl.lit("value-added-export-share"), level=pl.lit("region"), time=when)


def value_added_coefficients(t: IOTable) -> Floats:
    """Value added of the table per unit of output, [n]; 0 where there is no output."""
    return np.asarray(np.divide(t.value_added.sum(axis=0), t.x, out=np.zeros(t.n), where=t.x > 0), dtype=np.float64)
