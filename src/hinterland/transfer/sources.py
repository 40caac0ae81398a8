"""Where industry comes from: flows from sources to hosts, of three concepts that are never added up.

``observed``: links, investments or moves of firms. ``modelled``: what a model of tables or of gravity says. ``imputed``: losses matched with gains in
proportion, an assumption. Every result carries the concept of its flows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.industry_groups import grouped
from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure.division import ratio
from hinterland.measure.flows import undertaking_intensity
from hinterland.measure.redistribution import absolute_transfer, proportional_match
from hinterland.transfer.gravity import Gravity

__all__ = [
    "CONCEPTS",
    "Flows",
    "balances",
    "group_shares",
    "imputed_flows",
    "intensity",
    "modelled_flows",
    "net_flows",
    "observed_flows",
    "relocation_flows",
    "source_structure",
    "table_flows",
    "together",
    "top_pairs",
]

Floats = NDArray[np.float64]
Concept = Literal["observed", "modelled", "imputed"]
CONCEPTS: tuple[Concept, ...] = ("observed", "modelled", "imputed")

_KEYS = ("source", "host", "industry", "time")


@dataclass(frozen=True, slots=True)
class Flows:
    """Flows of one concept.

    Attributes:
        frame: ``source``, ``host``, then ``industry`` and ``time`` where known, and ``value``, 0 or more; one row per key, by key. Rows whose source is the
            host are what a region founds at home.
        concept: one of :data:`CONCEPTS`.
        basis: what the values rest on: a column, a model.
        findings: what was left out.
    """

    frame: pl.DataFrame
    concept: Concept
    basis: str
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        between = self.between
        return f"Flows({self.concept}, {self.basis}: {between.height} rows between regions, total {between['value'].sum():g})"

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns that there are."""
        return tuple(k for k in _KEYS if k in self.frame.columns)

    @property
    def between(self) -> pl.DataFrame:
        """The rows between two different regions."""
        return self.frame.filter(pl.col("source") != pl.col("host"))

    def over(self, *keys: str) -> pl.DataFrame:
        """Sums between regions by ``keys``, with the concept.

        Raises:
            InputError: there is no such key.
        """
        absent = [k for k in keys if k not in self.keys]
        fail_if_any([_unknown_key(k, self.keys) for k in absent], "flows", InputError)
        return self.between.group_by(keys).agg(pl.col("value").sum()).sort(keys).with_columns(concept=pl.lit(self.concept))


def _unknown_key(key: str, keys: Sequence[str]) -> Finding:
    return Finding("flow-key-unknown", f"the flows have no key {key!r}", "argument by", did_you_mean(key, keys))


def observed_flows(
    table: Any, *, value: str, source: str = "source", host: str = "host", industry: str | None = None, time: str | None = None
) -> Flows:
    """Flows of links or investments: a table of cells (``source``, ``host``, …), such as :func:`hinterland.data.micro.reduce_links` makes.

    Raises:
        InputError: unknown columns; values that are negative or missing.
    """
    roles = {"source": source, "host": host, "industry": industry, "time": time, "value": value}
    return Flows(_read(table, {r: c for r, c in roles.items() if c is not None}), "observed", f"column {value}")


def _read(table: Any, roles: Mapping[str, str]) -> pl.DataFrame:
    frame = load_frame(table)
    absent = [
        Finding("unknown-column", f"the flows have no column {c!r}", f"argument {r}", did_you_mean(c, frame.columns))
        for r, c in roles.items()
        if c not in frame.columns
    ]
    fail_if_any(absent, "flows", InputError)
    named = frame.select(**{r: pl.col(c) for r, c in roles.items()}).with_columns(pl.col("value").cast(pl.Float64, strict=False))
    fail_if_any(_flow_findings(named, roles["value"]), "flows", InputError)
    keys = [k for k in _KEYS if k in named.columns]
    labels = [pl.col(k).cast(pl.String) for k in keys if k != "time"]
    return named.with_columns(labels).group_by(keys).agg(pl.col("value").sum()).sort(keys)


def _flow_findings(frame: pl.DataFrame, column: str) -> list[Finding]:
    found = []
    empty = frame.filter(pl.any_horizontal(pl.all().is_null()) | ~pl.col("value").is_finite())
    if empty.height:
        found.append(Finding("flow-missing", f"{empty.height} row(s) lack a number or a label", "flows", "fill them in, or leave them out"))
    negative = frame.filter(pl.col("value") < 0)
    if negative.height:
        what = f"{negative.height} flow(s) are negative, as low as {float(negative['value'].to_numpy().min()):g}"
        found.append(Finding("flow-negative", what, f"column {column!r}", "give gross flows, from source to host"))
    return found


def relocation_flows(
    events: Any, *, firm: str, before: str, after: str, time: str | None = None, industry: str | None = None, weight: str | None = None
) -> Flows:
    """Moves of firms as flows: one row per change of address, from the region ``before`` to the region ``after``.

    Each move counts once, or with its ``weight`` (employment, capital). Moves within a region, and those with an end that is not known, are left out and
    counted in findings.

    Raises:
        InputError: unknown columns; a firm that moves twice at a time; bad weights.
    """
    frame = load_frame(events)
    roles = {"firm": firm, "source": before, "host": after, "time": time, "industry": industry, "value": weight}
    used = {r: c for r, c in roles.items() if c is not None}
    absent = [c for c in used.values() if c not in frame.columns]
    fail_if_any(
        [Finding("unknown-column", f"the events have no column {c!r}", "events", did_you_mean(c, frame.columns)) for c in absent],
        "events",
        InputError,
    )
    named = frame.select(**{r: pl.col(c) for r, c in used.items()})
    if weight is None:
        named = named.with_columns(value=pl.lit(1.0))
    once = [c for c in ("firm", "time") if c in named.columns]
    repeated = named.filter(named.select(once).is_duplicated() & named["firm"].is_not_null())
    if time is not None and repeated.height:
        names = listed(repeated["firm"].cast(pl.String).unique().sort().to_list())
        remedy = "keep the last address of a year, or give finer times"
        raise InputError(Finding("firm-moves-twice", f"firms move more than once at a time: {names}", f"column {firm!r}", remedy), "events")
    kept, findings = _moves(named)
    frame = _read(kept.drop("firm"), {c: c for c in kept.columns if c != "firm"})
    return Flows(frame, "observed", "moves of firms" if weight is None else f"moves of firms, by {weight}", findings)


def _moves(named: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    found = []
    known = named.drop_nulls(["source", "host"])
    if known.height < named.height:
        what = f"{named.height - known.height} move(s) have an end that is not known"
        found.append(Finding("move-open", what, "events", "a founding or a closure is no move; fill in the rest", "warning"))
    moved = known.filter(pl.col("source") != pl.col("host"))
    if moved.height < known.height:
        what = f"{known.height - moved.height} move(s) stay within a region, and are no flows"
        found.append(Finding("within-region", what, "events", "nothing, unless the level is too coarse", "warning"))
    return moved, tuple(found)


def imputed_flows(start: Floats, end: Floats, regions: Sequence[str], industries: Sequence[str], *, time: int | None = None) -> Flows:
    """Losses matched with gains in proportion: T_sh,i = loss_s gain_h/Σ gain, from activity [R, I] in two years. An assumption: nobody saw a flow."""
    cube = proportional_match(absolute_transfer(start, end))
    return Flows(_long(cube, regions, industries, time), "imputed", "losses matched with gains in proportion")


def table_flows(net: Floats, regions: Sequence[str], sectors: Sequence[str], *, time: int | None = None, basis: str = "") -> Flows:
    """Net transfers of an input-output model as flows from source to host: the positive half of N [R, S, R], which says how much of a sector moved into the
    first region from the last (:func:`hinterland.measure.multiregional.net_transfer`).
    """
    cube = np.maximum(net.transpose(2, 0, 1), 0.0)
    return Flows(_long(cube, regions, sectors, time), "modelled", basis or "net transfer of an input-output model")


def modelled_flows(fitted: Gravity) -> Flows:
    """The flows that a gravity equation expects, under the names of its columns' roles."""
    columns = fitted.fitted.columns[:-2]
    roles = dict(zip(columns, fitted.roles, strict=True))
    frame = fitted.fitted.select(*(pl.col(c).alias(roles[c]) for c in columns), value="mean")
    return Flows(_read(frame, {c: c for c in frame.columns}), "modelled", "gravity equation", fitted.findings)


def _long(cube: Floats, regions: Sequence[str], industries: Sequence[str], time: int | None) -> pl.DataFrame:
    """The positive cells of [R, R, I] from source to host."""
    s, h, i = np.nonzero(cube > 0)
    labels, kinds = np.array(regions, dtype=object), np.array(industries, dtype=object)
    columns: dict[str, Any] = {"source": labels[s].tolist(), "host": labels[h].tolist(), "industry": kinds[i].tolist()}
    if time is not None:
        columns["time"] = [time] * len(s)
    kinds_of = {c: pl.Int64 if c == "time" else pl.String for c in columns}
    return pl.DataFrame(columns, schema=kinds_of).with_columns(value=pl.Series(cube[s, h, i], dtype=pl.Float64)).sort(list(columns))


def together(flows: Sequence[Flows]) -> pl.DataFrame:
    """The rows of several concepts one below the other, with ``concept`` and ``basis``: to be compared, not added up."""
    parts = [f.frame.with_columns(concept=pl.lit(f.concept), basis=pl.lit(f.basis)) for f in flows]
    return pl.concat(parts, how="diagonal")


def source_structure(flows: Flows, by: Sequence[str] = ("time",)) -> pl.DataFrame:
    """Sources of each host: ``host``, the keys ``by`` that there are, ``source``, ``value``, ``share`` of what comes from elsewhere, ``rank``, ``concept``."""
    keys = ["host", *(k for k in by if k in flows.keys)]
    out = flows.over(*keys, "source")
    total = pl.col("value").sum().over(keys)
    share = pl.when(total > 0).then(pl.col("value") / total).alias("share")
    rank = pl.col("value").rank("min", descending=True).over(keys).cast(pl.Int64).alias("rank")
    return out.with_columns(share, rank).sort(*keys, "rank", "source")


def group_shares(
    flows: Flows, groups: Mapping[str, str] | None = None, *, standard: str = "2017", by: Sequence[str] = ("host",)
) -> pl.DataFrame:
    """Shares of industry groups in what flows: the keys ``by``, ``group``, ``value``, ``share``, ``concept``; industries without a group are ``group`` null.

    Raises:
        InputError: the flows have no industry, or none that has a group.
    """
    fail_if_any([_unknown_key(k, flows.keys) for k in ("industry", *by) if k not in flows.keys], "flows", InputError)
    frame = flows.between
    group, _ = grouped(frame["industry"], groups, standard)
    out = frame.with_columns(group).group_by(*by, "group").agg(pl.col("value").sum())
    total = pl.col("value").sum().over(by) if by else pl.col("value").sum()
    share = pl.when(total > 0).then(pl.col("value") / total).alias("share")
    return out.with_columns(share, concept=pl.lit(flows.concept)).sort(*by, "group", nulls_last=True)


def net_flows(flows: Flows, by: Sequence[str] = ()) -> pl.DataFrame:
    """Per pair of regions, what goes from ``source`` to ``host`` (``value``), what comes ``back``, ``net`` and ``reciprocity`` = 1 - |net|/(value + back)."""
    keys = ["source", "host", *by]
    forth = flows.over(*keys)
    back = forth.select(pl.col("host").alias("source"), pl.col("source").alias("host"), *by, back="value")
    out = forth.join(back, on=keys, how="full", coalesce=True).with_columns(pl.col("value", "back").fill_null(0.0))
    both = pl.col("value") + pl.col("back")
    return out.with_columns(
        net=pl.col("value") - pl.col("back"),
        reciprocity=pl.when(both > 0).then(1 - (pl.col("value") - pl.col("back")).abs() / both),
        concept=pl.lit(flows.concept),
    ).sort(keys)


def balances(flows: Flows, by: Sequence[str] = ()) -> pl.DataFrame:
    """Per region: ``inflow``, ``outflow``, ``net`` = inflow - outflow, which sums to zero, and ``efficiency`` = net/(inflow + outflow)."""
    into = flows.over("host", *by).rename({"host": "region", "value": "inflow"}).drop("concept")
    out = flows.over("source", *by).rename({"source": "region", "value": "outflow"}).drop("concept")
    joined = into.join(out, on=["region", *by], how="full", coalesce=True).with_columns(pl.col("inflow", "outflow").fill_null(0.0))
    net, both = pl.col("inflow") - pl.col("outflow"), pl.col("inflow") + pl.col("outflow")
    return joined.with_columns(net=net, efficiency=pl.when(both > 0).then(net / both), concept=pl.lit(flows.concept)).sort("region", *by)


def top_pairs(flows: Flows, count: int = 10, by: Sequence[str] = ("source", "host")) -> pl.DataFrame:
    """The ``count`` largest flows by ``by`` (pairs; ``("source",)`` for sources; ``("host",)`` for hosts): ``value``, ``share`` of all, ``cumulative`` share."""
    out = flows.over(*by)
    share = out.with_columns(share=ratio(out["value"].to_numpy(), np.asarray(out["value"].sum())))
    ranked = share.sort("value", *by, descending=[True, *(False for _ in by)])
    return ranked.with_columns(cumulative=pl.col("share").cum_sum()).head(count)


def intensity(flows: Flows, by: Sequence[str] = ()) -> tuple[pl.DataFrame, tuple[Finding, ...]]:
    """Share of what settles in each host that comes from elsewhere: ``host``, ``by``, ``value``, ``outside``, ``total``, ``concept``.

    Needs the rows whose source is the host; a host without any gets no value, and a finding says so.

    Raises:
        InputError: unknown keys.
    """
    fail_if_any([_unknown_key(k, flows.keys) for k in by if k not in flows.keys], "flows", InputError)
    own = pl.col("value").filter(pl.col("source") == pl.col("host"))
    cells = flows.frame.group_by("host", *by).agg(total=pl.col("value").sum(), own=own.sum(), seen=own.len() > 0).sort("host", *by)
    square = np.stack([np.stack([cells["own"], cells["total"] - cells["own"]], axis=-1), np.zeros((cells.height, 2))], axis=-1)
    value = undertaking_intensity(square)[:, 0]
    seen = cells["seen"].to_numpy()
    out = cells.select(
        "host", *by, value=pl.Series(np.where(seen, value, np.nan)).fill_nan(None), outside=pl.col("total") - pl.col("own"), total="total"
    )
    lost = cells.filter(~pl.col("seen"))["host"].unique().sort().to_list()
    if not lost:
        return out.with_columns(concept=pl.lit(flows.concept)), ()
    what = f"hosts have no row of their own firms: {listed(lost)}"
    remedy = "add rows whose source is the host: without what is founded at home, the share from elsewhere is not known"
    return out.with_columns(concept=pl.lit(flows.concept)), (Finding("no-own-foundings", what, "flows", remedy, "warning"),)
