"""Other tables from an input-output table: some of its regions, fewer sectors, margins of trade, constant prices, long frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from hinterland.data.io_table import Floats, IOTable, LongTable, Text, distinct
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.labels import Note

Codes = NDArray[np.intp]
ROWS = ("exports", "imports", "outflow", "inflow", "error", "x")
"""Fields with one value per row."""

__all__ = ["aggregate", "deflate", "long", "margins", "within"]


def within(t: IOTable, regions: Sequence[str]) -> IOTable:
    """The table of ``regions``: deliveries to the others are exports, and from them imported inputs and imports for final demand.

    Raises:
        InputError: no region, or one that the table lacks.
    """
    fail_if_any(_unknown(regions, t.region_labels, "region"), t.source, InputError)
    if not regions:
        raise InputError(Finding("io-no-region", "no region was named", "argument regions", "name at least one"), t.source)
    keep, columns = np.isin(t.regions, regions), np.isin(t.final_region, regions)
    if keep.all() and columns.all():
        return t
    at = np.flatnonzero(keep)
    inside: Any = slice(int(at[0]), int(at[-1]) + 1) if at[-1] - at[0] + 1 == len(at) else at
    rows, final = t.Z[inside], t.F[inside]
    Z = rows[:, inside]
    bought = t.Z[:, inside].sum(axis=0) - Z.sum(axis=0)
    others, final_others = bought[None, :], t.F[:, columns].sum(axis=0) - final[:, columns].sum(axis=0)
    some = bool(others.any())
    return replace(
        t,
        Z=np.ascontiguousarray(Z),
        F=final[:, columns],
        **{name: getattr(t, name)[keep] for name in ROWS if name != "exports"},
        exports=t.exports[keep] + rows.sum(axis=1) - Z.sum(axis=1) + final[:, ~columns].sum(axis=1),
        regions=t.regions[keep],
        sectors=t.sectors[keep],
        final_region=t.final_region[columns],
        final_kind=t.final_kind[columns],
        value_added=t.value_added[:, keep],
        imported_inputs=np.vstack([t.imported_inputs[:, keep], others]) if some else t.imported_inputs[:, keep],
        imported_kind=np.append(t.imported_kind, "other regions") if some else t.imported_kind,
        imported_final=t.imported_final[columns] + final_others,
    )


def margins(t: IOTable) -> IOTable:
    """The regions side by side, as their own tables show them: uses by product whatever their origin, with outflow and inflow as margins only.

    What an estimation of bilateral flows starts from; deliveries between regions are gone.

    Raises:
        InputError: regions with different sectors, or a table that has no deliveries between regions.
    """
    if not t.is_regular or not t.is_linked:
        what = "the regions have different sectors" if not t.is_regular else "the table has margins already"
        raise InputError(Finding("io-no-margins", what, t.source, "give a linked table of regions with the same sectors"), t.source)
    R, S = t.n_regions, t.n_sectors
    by_product, final_product = t.Z.reshape(R, S, t.n).sum(axis=0), t.F.reshape(R, S, t.F.shape[1]).sum(axis=0)
    Z, F = np.zeros_like(t.Z), np.zeros_like(t.F)
    inflow, outflow, exports = t.inflow.copy(), t.outflow + t.Z.sum(axis=1), t.exports.copy()
    foreign = ~np.isin(t.final_region, t.region_labels)
    exports += t.F[:, foreign].sum(axis=1)
    outflow += t.F[:, ~foreign].sum(axis=1)
    for k, region in enumerate(t.region_labels):
        rows, columns = slice(k * S, (k + 1) * S), np.flatnonzero(t.final_region == region)
        Z[rows, rows], F[rows, columns] = by_product[:, rows], final_product[:, columns]
        own = t.Z[rows, rows].sum(axis=1) + t.F[rows][:, columns].sum(axis=1)
        outflow[rows] -= own
        inflow[rows] += by_product[:, rows].sum(axis=1) + final_product[:, columns].sum(axis=1) - own
    kept: dict[str, Any] = {
        "final_region": t.final_region[~foreign],
        "final_kind": t.final_kind[~foreign],
        "imported_final": t.imported_final[~foreign],
    }
    return replace(
        t, Z=Z, F=F[:, ~foreign], exports=exports, outflow=outflow, inflow=inflow, **kept, notes=(*t.notes, Note("io-margins-only"))
    )


def aggregate(t: IOTable, regions: Mapping[str, str], sectors: Mapping[str, str], final: Mapping[str, str]) -> IOTable:
    """Regions, sectors and kinds of final demand merged: Z' = GZG', F' = GFH', x' = Gx with 0-1 matrices G and H.

    Raises:
        InputError: a mapping has labels that the table lacks.
    """
    found = [
        *_unknown(regions, np.union1d(t.region_labels, t.final_region), "region"),
        *_unknown(sectors, t.sector_labels, "sector"),
        *_unknown(final, t.final_kind, "kind of final demand"),
    ]
    fail_if_any(found, t.source, InputError)
    G, region, sector = _merge(_renamed(t.regions, regions), _renamed(t.sectors, sectors))
    H, final_region, final_kind = _merge(_renamed(t.final_region, regions), _renamed(t.final_kind, final))
    half = G @ t.Z
    lost = len(distinct(region)) < t.n_regions and not t.is_linked
    what = "provinces with margins of trade were merged: trade among them is still in outflow and inflow"
    warned = Finding("io-merged-margins", what, t.source, "merge regions after the flows between them are estimated", "warning")
    return replace(
        t,
        Z=(G @ half.T).T,
        F=(H @ (G @ t.F).T).T,
        **{name: G @ getattr(t, name) for name in ROWS},
        regions=region,
        sectors=sector,
        final_region=final_region,
        final_kind=final_kind,
        value_added=(G @ t.value_added.T).T,
        imported_inputs=(G @ t.imported_inputs.T).T,
        imported_final=H @ t.imported_final,
        findings=(*t.findings, warned) if lost else t.findings,
    )


def _merge(first: Text, second: Text) -> tuple[Any, Text, Text]:
    """The 0-1 matrix that sums rows with equal pairs of labels, and the pairs, in the order of first appearance, ``first`` outermost."""
    one, two = distinct(first), distinct(second)
    key = _code(first, one) * max(len(two), 1) + _code(second, two)
    keys, code = np.unique(key, return_inverse=True)
    matrix = sp.csr_array((np.ones(len(key)), (code, np.arange(len(key)))), shape=(len(keys), len(key)))
    return matrix, one[keys // max(len(two), 1)], two[keys % max(len(two), 1)]


def _code(labels: Text, of: Text) -> Codes:
    order = np.argsort(of)
    return np.asarray(order[np.searchsorted(of, labels, sorter=order)], dtype=np.intp)


def _renamed(labels: Text, names: Mapping[str, str]) -> Text:
    return np.array([names.get(str(v), str(v)) for v in labels], dtype=np.str_)


def _unknown(asked: Any, have: Text, kind: str) -> list[Finding]:
    known = {str(h) for h in have}
    missing = [str(a) for a in asked if str(a) not in known]
    if not missing:
        return []
    what = f"the table has no {kind} {listed(missing)}"
    return [Finding("io-unknown-label", what, f"argument {kind}", did_you_mean(missing[0], sorted(known)))]


def deflate(t: IOTable, deflators: Any, prices: str, imported: float) -> IOTable:
    """Double deflation (United Nations 2018, Handbook on Supply and Use Tables, ch. 9): each row by its price index, value added as what is left.

    Args:
        t: table at current prices.
        deflators: price index of each row's output, 1 in the base year: [n] numbers, a mapping by sector, or a frame with columns ``sector``,
            ``value`` and, where prices differ by region, ``region``.
        prices: what the result is at, such as ``constant 2012``.
        imported: price index of imported inputs, one number.

    Raises:
        InputError: rows without a deflator, or deflators that are not above zero.
    """
    p = _deflators(t, deflators)
    if not (np.isfinite(imported) and imported > 0):
        raise InputError(Finding("io-deflator", f"imported is {imported}", "argument imported", "give a price index above 0"), t.source)
    each = {name: getattr(t, name) / p for name in ROWS}
    Z, inputs = t.Z / p[:, None], t.imported_inputs / imported
    left = each["x"] - Z.sum(axis=0) - inputs.sum(axis=0) - t.column_residual / p
    return replace(
        t,
        Z=Z,
        F=t.F / p[:, None],
        **each,
        value_added=left[None, :],
        value_added_kind=np.array(["value added, double deflated"]),
        imported_inputs=inputs,
        imported_final=t.imported_final / imported,
        prices=prices,
        notes=(*t.notes, Note("io-double-deflated", {"prices": prices})),
    )


def _deflators(t: IOTable, given: Any) -> Floats:
    if isinstance(given, Mapping):
        values = np.array([given.get(str(s), np.nan) for s in t.sectors], dtype=np.float64)
    elif isinstance(given, np.ndarray | list | tuple):
        values = np.asarray(given, dtype=np.float64)
    else:
        values = _from_frame(t, given)
    if values.shape != t.x.shape:
        what = f"there are {values.size} deflators for {t.n} rows"
        raise InputError(Finding("io-deflator", what, "argument deflators", "give one per row, or a mapping by sector"), t.source)
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(bad):
        what = f"{len(bad)} row(s) have no deflator above 0: {listed([f'{t.regions[i]} · {t.sectors[i]}' for i in bad])}"
        raise InputError(Finding("io-deflator", what, "argument deflators", "give a price index above 0 for every sector"), t.source)
    return values


def _from_frame(t: IOTable, given: Any) -> Floats:
    from hinterland.data.readers import load_frame

    frame = load_frame(given)
    keys = [k for k in ("region", "sector") if k in frame.columns]
    if "sector" not in keys or "value" not in frame.columns:
        what = f"the deflators have columns {listed(frame.columns)}"
        raise InputError(
            Finding("io-deflator", what, "argument deflators", "name columns sector and value, and region if needed"), t.source
        )
    frame = frame.select(pl.col(keys).cast(pl.String), pl.col("value").cast(pl.Float64))
    if frame.select(keys).is_duplicated().any():
        what = f"{listed(keys)} repeat in the deflators"
        raise InputError(Finding("io-deflator", what, "argument deflators", "give one row each"), t.source)
    rows = pl.DataFrame({"region": t.regions, "sector": t.sectors}).select(keys)
    found = rows.join(frame, on=keys, how="left", maintain_order="left")["value"]
    return found.fill_null(float("nan")).to_numpy()


def long(t: IOTable) -> LongTable:
    """Deliveries and final demand as long frames; final use outside the table has ``other`` in brackets, so that rows add up to output."""
    i, j = np.nonzero((t.Z != 0) | np.eye(t.n, dtype=bool))
    cells = {"region": t.regions[i], "industry": t.sectors[i], "other": t.regions[j], "other_industry": t.sectors[j], "value": t.Z[i, j]}
    time = {} if t.year is None else {"time": t.year}
    inner = [(str(region), t.F[:, t.final_region == region].sum(axis=1)) for region in distinct(t.final_region)]
    outside = (("exports", 1), ("outflow", 1), ("imports", -1), ("inflow", -1), ("error", 1))
    outer = [(f"({name})", sign * getattr(t, name)) for name, sign in outside if getattr(t, name).any()]
    final = pl.concat(
        pl.DataFrame({"region": t.regions, "industry": t.sectors, "value": v}).with_columns(pl.lit(other).alias("other"))
        for other, v in (*inner, *outer)
    )
    years = [pl.lit(v, pl.Int64).alias(k) for k, v in time.items()]
    columns = ("region", "industry", "other", "value", *time)
    return LongTable(pl.DataFrame(cells).with_columns(years), final.with_columns(years).select(columns))
