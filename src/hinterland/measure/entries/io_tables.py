"""Input-output tables from long frames: deliveries in the main table, final demand in a second one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.data import Data, positions
from hinterland.measure.entries.axes import codes, union
from hinterland.measure.indicator import Parameter, Role
from hinterland.measure.second import table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROLES = (
    Role("region", "key", "region that delivers", required=False),
    Role("industry", "key", "industry that delivers"),
    Role("other", "key", "region that uses", required=False),
    Role("other_industry", "key", "industry that uses"),
    Role("value", "number", "deliveries, one money unit at constant prices"),
    Role("time", "time", "year of the table", required=False),
)
UNIQUE = ("time", "region", "industry", "other", "other_industry")
FINAL = Parameter(
    None,
    help="final demand: a table with the columns of region, industry, other (region of demand; others than the table's are exports abroad), value and time",
    table=True,
)


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of R regions and S industries, one a year, ordered region by region; n = RS.

    Attributes:
        times, regions, industries: labels.
        deliveries: Z, [T, n, n].
        final: F by region of demand, [T, n, R].
        exports: final use abroad, [T, n].
    """

    times: pl.Series
    regions: pl.Series
    industries: pl.Series
    deliveries: Floats
    final: Floats
    exports: Floats

    @property
    def output(self) -> Floats:
        """Gross output, [T, n]."""
        return np.asarray(self.deliveries.sum(axis=2) + self.final.sum(axis=2) + self.exports, dtype=np.float64)

    @property
    def demand(self) -> Floats:
        """All final use, [T, n]."""
        return np.asarray(self.final.sum(axis=2) + self.exports, dtype=np.float64)

    def split(self, values: Floats) -> Floats:
        """[T, n, …] to [T, R, S, …]."""
        return values.reshape(len(self.times), len(self.regions), len(self.industries), *values.shape[2:])

    def node(self, frame: pl.DataFrame) -> Ints:
        """Position among n of each row's region and industry."""
        region = positions(frame["region"], self.regions) if "region" in frame.columns else np.zeros(frame.height, dtype=np.int64)
        return region * len(self.industries) + positions(frame["industry"], self.industries)


def io_tables(data: Data, final: Any) -> Tables:
    """The tables in ``data`` with their final demand.

    Cells that the frame does not have are zeros, as tables are written; a cell that is there without a number is a finding, since no row or
    column of a table may have gaps.

    Raises:
        InputError: no final demand, cells without a number, or labels of final demand that the table lacks.
    """
    regions, industries = union(data, "region", "other"), union(data, "industry", "other_industry")
    times, n = data.labels("time"), len(regions) * len(industries)
    gaps = np.flatnonzero(~np.isfinite(data.number()))
    findings = []
    if len(gaps):
        what = f"{len(gaps)} deliver(ies) have no number"
        findings.append(Finding("io-gap", what, data.where(gaps, "value"), "fill them in: a table has no gaps"))
    if data.has("region") != data.has("other"):
        what = "a table of several regions needs both the region that delivers and the one that uses"
        findings.append(Finding("io-one-region", what, "arguments region and other", "name both columns, or neither"))
    fail_if_any(findings, "input-output table", InputError)
    deliveries = np.zeros((len(times), n, n))
    row = codes(data, "region", regions) * len(industries) + codes(data, "industry", industries)
    column = codes(data, "other", regions) * len(industries) + codes(data, "other_industry", industries)
    deliveries[data.codes("time"), row, column] = data.number()
    empty = Tables(times, regions, industries, deliveries, np.zeros((len(times), n, len(regions))), np.zeros((len(times), n)))
    return _with_final(data, empty, final)


def _with_final(data: Data, t: Tables, final: Any) -> Tables:
    where = "parameter final"
    if final is None:
        raise InputError(Finding("missing-final-demand", "final demand was not given", where, "give a table of it"), where)
    roles = [r for r in ("region", "industry", "other", "time") if data.has(r)]
    found = table(final, "final", [*roles, "value"], data.columns)
    found = found.with_columns(
        pl.col([r for r in roles if r != "time"]).cast(pl.String),
        *([pl.col("time").cast(pl.Int64)] if "time" in roles else []),
        pl.col("value").cast(pl.Float64, strict=False),
    )
    _fail_if_final_wrong(found, t, where)
    year = positions(found["time"], t.times) if "time" in roles else np.zeros(found.height, dtype=np.int64)
    at, value = t.node(found), found["value"].to_numpy()
    inner = found["other"].is_in(t.regions.implode()).to_numpy() if "other" in roles else np.ones(found.height, dtype=bool)
    user = positions(found["other"].filter(pl.Series(inner)), t.regions) if "other" in roles else np.zeros(int(inner.sum()), dtype=np.int64)
    # Several kinds of final demand (consumption, investment) of one region are several rows, and add up.
    np.add.at(t.final, (year[inner], at[inner], user), value[inner])
    np.add.at(t.exports, (year[~inner], at[~inner]), value[~inner])
    return t


def _fail_if_final_wrong(found: pl.DataFrame, t: Tables, where: str) -> None:
    findings = []
    bad = found.filter(pl.col("value").is_null() | ~pl.col("value").is_finite())
    if bad.height:
        findings.append(Finding("final-demand-gap", f"{bad.height} row(s) of final demand have no number", where, "fill them in"))
    for role, labels in (("region", t.regions), ("industry", t.industries), ("time", t.times)):
        if role in found.columns:
            extra = found.filter(~pl.col(role).is_in(labels.implode()))[role].unique(maintain_order=True)
            if len(extra):
                what = f"final demand has {role} labels that the table lacks: {listed(extra)}"
                findings.append(Finding("final-demand-label", what, where, "use the labels of the table"))
    fail_if_any(findings, where, InputError)


@contextmanager
def said_as_findings(subject: str) -> Iterator[None]:
    """Turn what a formula refuses into a finding.

    Raises:
        InputError: the formula is not defined on the table.
    """
    try:
        yield
    except ValueError as error:
        raise InputError(
            Finding("io-not-defined", str(error), subject, "correct the table: rows, columns and value added"), subject
        ) from error


def by_year(t: Tables, compute: Callable[[int], Floats], subject: str) -> Floats:
    """``compute`` for each year, stacked."""
    with said_as_findings(subject):
        return np.stack([compute(year) for year in range(len(t.times))])
