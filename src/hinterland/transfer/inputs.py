"""What a transfer analysis is given, read once and checked together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.industry_groups import grouped
from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.complexity import complexity, presence
from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator, Role
from hinterland.measure.read import Reading, read_data
from hinterland.measure.second import table

__all__ = ["Cells", "aggregated", "by_group", "by_region", "for_years", "has_complexity", "read_cells", "region_names"]

_NUMBERS = ("output", "labour", "capital")

_CELLS = Indicator(
    id="transfer",
    family="transfer",
    unit="as-input",
    range=(None, None),
    formula="",
    source="",
    roles=(
        Role("region", "key", "region"),
        Role("industry", "key", "industry, on one classification"),
        Role("time", "time", "year"),
        Role("value", "number", "employment, output or value added, in one unit and at constant prices", sign="non-negative"),
        Role("output", "number", "value added, for the gradient", required=False, sign="non-negative"),
        Role("labour", "number", "employment", required=False, sign="non-negative"),
        Role("capital", "number", "capital stock", required=False, sign="non-negative"),
    ),
    keys=("time", "region", "industry"),
    compute="",
    unique=("time", "region", "industry"),
)
"""The columns of the main table, as :func:`hinterland.measure.read.read_data` takes them."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The main table and the choices that everything rests on.

    Attributes:
        data: cells by time, region and industry.
        years: of the table, in order;  cuts: years between which periods are compared.
        hosts: regions that are asked about as hosts; all where none are named.
        sources: regions whose shares and flows are shown as sources; all where none are named.
        groups: industry → group; empty without groups.
    """

    data: Data
    years: tuple[int, ...]
    cuts: tuple[int, ...]
    hosts: tuple[str, ...]
    sources: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """Whole span, and the periods between cuts where there are several: what, first year, last year."""
        pairs = list(zip(self.cuts, self.cuts[1:], strict=False))
        parts = [("period", a, b) for a, b in pairs] if len(pairs) > 1 else []
        return (("whole", self.years[0], self.years[-1]), *parts)

    def grouped(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the group of their industry."""
        group = pl.col("industry").replace_strict(dict(self.groups), default=None, return_dtype=pl.String) if self.groups else pl.lit(None)
        return frame.with_columns(group=group.cast(pl.String))


def read_cells(
    frame: Any,
    columns: Mapping[str, str | None],
    *,
    periods: Sequence[int] | None,
    hosts: Iterable[object] | None,
    sources: Iterable[object] | None,
    groups: Any,
    state: str | None = None,
    suppressed: Sequence[str] = (),
    complete: bool = False,
    on_negative: Any = "raise",
) -> Cells:
    """Read the main table.

    Raises:
        InputError: whatever is wrong with the table, or periods, regions and groups that do not fit it; all at once.
    """
    named = {role: column for role, column in columns.items() if column is not None}
    twice = {role: c for role, c in named.items() if role in _NUMBERS and c == named["value"]}
    data = read_data(
        frame, _CELLS, Reading({r: c for r, c in named.items() if r not in twice}, state, tuple(suppressed), complete, on_negative)
    )
    data = _also(data, twice)
    years = tuple(int(t) for t in data.labels("time"))
    findings: list[Finding] = []
    if len(years) < 2:
        what = f"the table has one period: {list(years)}"
        findings.append(Finding("change-needs-two-periods", what, "argument time", "give a table with at least two periods"))
    cuts = _cuts(periods, years, findings)
    known = set(data.labels("region"))
    chosen = [_regions(name, given, known, findings) for name, given in (("hosts", hosts), ("sources", sources))]
    mapping = _groups(groups, data.labels("industry"), named["industry"], findings)
    fail_if_any(findings, "transfer", InputError)
    warned = tuple(f for f in findings if f.severity == "warning")
    data = Data(data.frame, data.columns, data.whole, data.complete, (*data.findings, *warned))
    every = tuple(data.labels("region"))
    return Cells(data, years, cuts, hosts=chosen[0] or every, sources=chosen[1] or every, groups=mapping)


def _also(data: Data, roles: Mapping[str, str]) -> Data:
    """The data with ``value`` also under ``roles``: one column may be both the quantity analysed and the employment of the gradient."""
    more = [pl.col(a).alias(b) for role in roles for a, b in (("value", role), ("state:value", f"state:{role}"))]
    return Data(data.frame.with_columns(more), {**data.columns, **roles}, data.whole, data.complete, data.findings)


def _cuts(periods: Sequence[int] | None, years: Sequence[int], findings: list[Finding]) -> tuple[int, ...]:
    if periods is None:
        return (years[0], years[-1])
    given = [p for p in periods if isinstance(p, int) and not isinstance(p, bool)]
    absent = [p for p in periods if p not in years]
    if len(given) != len(periods) or absent or len(set(given)) < 2:
        what = f"periods are {listed(periods)}" + (f"; the table lacks {listed(absent)}" if absent else "")
        findings.append(Finding("periods-wrong", what, "argument periods", "give at least two years that the table has"))
    return tuple(sorted(set(given)))


def _regions(name: str, given: Iterable[object] | None, known: set[str], findings: list[Finding]) -> tuple[str, ...]:
    if given is None:
        return ()
    chosen = tuple(dict.fromkeys(str(g) for g in ([given] if isinstance(given, str) else given)))
    unknown = [c for c in chosen if c not in known]
    if unknown or not chosen:
        what = f"{name} has regions that the table lacks: {listed(unknown)}" if unknown else f"{name} names no region"
        findings.append(Finding("region-unknown", what, f"argument {name}", "use the labels of the table, or leave it out for all"))
    return chosen


def region_names(name: str, given: Iterable[object], known: Iterable[str]) -> tuple[str, ...]:
    """Labels of regions, each once.

    Raises:
        InputError: labels that are not ``known``.
    """
    findings: list[Finding] = []
    chosen = _regions(name, given, set(known), findings)
    fail_if_any(findings, f"argument {name}", InputError)
    return chosen


def _groups(source: Any, labels: pl.Series, column: str, findings: list[Finding]) -> dict[str, str]:
    """Industry → group, of industries that the table has."""
    if source is None:
        return {}
    if isinstance(source, str) and source == "factor-intensity":
        packaged, said = grouped(labels)
        findings += said
        return {i: g for i, g in zip(labels, packaged, strict=True) if g is not None}
    industries = set(labels)
    if isinstance(source, Mapping):
        pairs = [(str(k), str(v)) for k, v in source.items()]
    else:
        found = table(source, "groups", ["industry", "group"], {"industry": column} if _has(source, column) else None)
        pairs = list(found.select(pl.col("industry", "group").cast(pl.String)).drop_nulls().unique(maintain_order=True).iter_rows())
    names = [k for k, _ in pairs]
    twice = [n for n in dict.fromkeys(names) if names.count(n) > 1]
    if twice:
        findings.append(Finding("group-repeated", f"industries are in several groups: {listed(twice)}", "argument groups", "name one each"))
    if not industries & set(names):
        what = f"none of the groups' industries is in the table: {listed(names)}"
        findings.append(Finding("groups-unmatched", what, "argument groups", "use the industry labels of the table"))
    return {k: v for k, v in pairs if k in industries}


def _has(source: Any, column: str) -> bool:
    return column in getattr(source, "columns", ())


def for_years(data: Data, *years: int) -> Data:
    """The rows of some years, on the same regions and industries."""
    labels = {r: data.labels(r) for r in ("region", "industry")}
    return Data(data.frame.filter(pl.col("time").is_in(years)), data.columns, data.whole, data.complete, data.findings, _labels=labels)


def has_complexity(data: Data, year: int) -> bool:
    """Whether regions and industries of a year are enough, and connected enough, for the complexity of industries to exist."""
    values = for_years(data, year).cube("time", "region", "industry").values[0]
    found = presence(values)
    try:
        return bool(found.matrix.size) and bool(np.isfinite(complexity(found.matrix).pci).any())
    except ValueError:
        return False


def aggregated(data: Data, into: Mapping[str, str]) -> Data:
    """Sums of ``value`` over the industries that ``into`` puts together; those it lacks are left out.

    A sum runs over the industries that the region has on record in every year, so that gaps do not look like changes; where there are none, it
    is missing.
    """
    cube = data.cube("time", "region", "industry")
    every = np.asarray(cube.observed.all(axis=0))
    names = sorted(set(into.values()))
    at = np.array([names.index(into[i]) if i in into else -1 for i in cube.labels[2]], dtype=np.int64)
    times, regions = cube.labels[0], cube.labels[1]
    sums = np.stack([np.where(every, cube.values, 0.0)[:, :, at == k].sum(axis=2) for k in range(len(names))], axis=2)
    seen = np.stack([every[:, at == k].any(axis=1) for k in range(len(names))], axis=1)
    t, r, k = (x.ravel() for x in np.indices(sums.shape))
    state = np.where(np.broadcast_to(seen, sums.shape), np.uint8(0), np.uint8(1)).ravel()
    frame = pl.DataFrame(
        {
            "time": times.gather(t),
            "region": regions.gather(r),
            "industry": pl.Series(names, dtype=pl.String).gather(k),
            "value": pl.Series(np.where(state == 0, sums.ravel(), np.nan), nan_to_null=True),
            "state:value": pl.Series(state),
        }
    )
    columns = {r: r for r in ("time", "region", "industry", "value")}
    return Data(frame, columns, _labels={"region": regions, "industry": pl.Series("industry", names, dtype=pl.String)})


def by_group(cells: Cells) -> Data:
    """Cells by group in place of industry."""
    return aggregated(cells.data, cells.groups)


def by_region(source: Any, argument: str, regions: Iterable[str]) -> NDArray[np.float64]:
    """[R] numbers of a table of ``region`` and ``value``; NaN where it has none.

    Raises:
        InputError: columns missing.
    """
    found = table(source, argument, ["region", "value"]).with_columns(pl.col("region").cast(pl.String), pl.col("value").cast(pl.Float64))
    known = {k: v for k, v in found.iter_rows() if v is not None}
    return np.array([known.get(r, np.nan) for r in regions], dtype=np.float64)
