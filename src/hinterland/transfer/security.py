"""Security: linkages, losses without a region or an industry, self-sufficiency, concentration of supply, cover by the hinterland, resilience."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure import multiregional
from hinterland.measure import security as formulas
from hinterland.measure.data import positions
from hinterland.measure.extraction import Extraction, extract
from hinterland.measure.linkages import linkages
from hinterland.measure.second import table
from hinterland.transfer.chains import Chains, value_added_coefficients
from hinterland.transfer.inputs import Cells
from hinterland.transfer.rows import applied, conformed, measured_rows, number_rows, ranked

__all__ = ["security_frame"]

Floats = NDArray[np.float64]

_LINKAGES = {
    "backward-linkage": "backward",
    "forward-linkage": "forward",
    "backward-variation": "backward_variation",
    "forward-variation": "forward_variation",
}


def security_frame(cells: Cells, chains: Chains | None, threatened: tuple[str, ...], utilisation: Any) -> pl.DataFrame:
    """Rows of ``transfer_security``: what each input-output table says, and how regions held in the contractions of the main table."""
    parts = [_resilience(cells)]
    if chains is not None:
        for k, t in enumerate(chains.tables):
            supply = t.supply
            rows = [*_linkage(t), *_extractions(t), *_supply(t, supply), _self_sufficiency(chains, k, supply), *_embodied(chains, k, cells)]
            if threatened and utilisation is not None:
                rows += _cover(chains, k, supply, hosts=cells.hosts, threatened=threatened, utilisation=utilisation)
            parts += [r.with_columns(time=pl.lit(t.year, pl.Int64)) for r in rows]
    return conformed("transfer_security", parts)


def _resilience(cells: Cells) -> pl.DataFrame:
    """Martin's resilience between turning points of the total: of contractions resistance, of expansions recoverability."""
    found = applied("regional-resilience", cells.data, turning="cycle")
    starts = {b: a for a, b in found.meta["phases"]}
    rows = measured_rows("regional-resilience", found, level="region")
    return rows.with_columns(
        pl.col("time").replace_strict(starts, default=None, return_dtype=pl.Int64).alias("time_from"),
        ranked(pl.col("value"), "component", "time"),
    )


def _linkage(t: IOTable) -> Iterator[pl.DataFrame]:
    found = linkages(t.Z, t.x)
    for component, name in _LINKAGES.items():
        rows = number_rows({"region": t.regions, "industry": t.sectors}, getattr(found, name), n_used=t.n, component=component)
        yield rows.with_columns(ranked(pl.col("value")), measure=pl.lit("linkages"), level=pl.lit("cell"))


def _extractions(t: IOTable) -> Iterator[pl.DataFrame]:
    """Losses without each region, and without each industry everywhere; the block's own final demand is kept."""
    grid = np.arange(t.n).reshape(t.n_regions, t.n_sectors)
    final = t.x - t.Z.sum(axis=1)
    for level, blocks, labels in (("region", list(grid), t.region_labels), ("industry", list(grid.T), t.sector_labels)):
        found: Extraction = extract(t.Z, final, blocks)
        for component, value in (("extraction-importance", found.importance), ("extraction-outside", found.loss_outside / t.x.sum())):
            rows = number_rows({level: labels}, value, n_used=t.n, component=component)
            yield rows.with_columns(ranked(pl.col("value")), measure=pl.lit("hypothetical-extraction"), level=pl.lit(level))


def _supply(t: IOTable, supply: Floats) -> Iterator[pl.DataFrame]:
    """Concentration of the origins of each product in each region, itself among them."""
    found = formulas.supply_concentration(supply.transpose(2, 1, 0))
    keys = {"region": np.repeat(t.region_labels, t.n_sectors), "item": np.tile(t.sector_labels, t.n_regions)}
    for component, value in (("supply-hhi", found.hhi), ("effective-suppliers", found.suppliers)):
        rows = number_rows(keys, value.ravel(), n_used=t.n_regions, reasons={"no-supply": ~np.isfinite(value.ravel())}, component=component)
        yield rows.with_columns(measure=pl.lit("supply-concentration"), level=pl.lit("cell"))


def _self_sufficiency(chains: Chains, k: int, supply: Floats) -> pl.DataFrame:
    """Production over use of each product in each region; deliveries of other regions count as imports, as at the level of a province."""
    t, given = chains.tables[k], chains.given[k]
    own = np.diagonal(supply, axis1=0, axis2=2).T
    inflow, outflow = supply.sum(axis=0).T - own, supply.sum(axis=2) - own
    q, m, e = (x.reshape(own.shape) for x in (t.x, given.imports, given.exports))
    value = formulas.self_sufficiency(q, m + inflow, e + outflow).ravel()
    reasons = {"imports-unknown": np.full(value.shape, given.import_treatment == "separate"), "nothing-used": ~np.isfinite(value)}
    rows = number_rows({"region": t.regions, "item": t.sectors}, value, n_used=t.n_regions, reasons=reasons, component="self-sufficiency")
    return rows.with_columns(measure=pl.lit("self-sufficiency"), level=pl.lit("cell"))


def _embodied(chains: Chains, k: int, cells: Cells) -> Iterator[pl.DataFrame]:
    """Share of each region's final demand whose value added is made at home, and among the hosts."""
    t = chains.tables[k]
    flow = multiregional.by_region(multiregional.induced_value_added(chains.solved[k], value_added_coefficients(t)))
    hosts = np.array([r for r, name in enumerate(chains.regions) if name in cells.hosts], dtype=np.intp)
    own = np.divide(flow.diagonal(), flow.sum(axis=0), out=np.full(len(flow), np.nan), where=flow.sum(axis=0) > 0)
    parts = {"embodied-own": own, "embodied-hosts": formulas.embodied_self_sufficiency(flow, hosts)}
    for component, value in parts.items():
        reasons = {"no-final-demand": ~np.isfinite(value)}
        rows = number_rows({"region": chains.regions}, value, n_used=t.n, reasons=reasons, component=component)
        yield rows.with_columns(ranked(pl.col("value")), measure=pl.lit("embodied-self-sufficiency"), level=pl.lit("region"))


def _cover(
    chains: Chains, k: int, supply: Floats, *, hosts: tuple[str, ...], threatened: tuple[str, ...], utilisation: Any
) -> Iterator[pl.DataFrame]:
    """How far the hosts could replace, out of spare capacity, what the threatened regions supply to all others."""
    t = chains.tables[k]
    lost = np.array([name in threatened for name in chains.regions])
    demand = supply[lost][:, :, ~lost].sum(axis=(0, 2))
    use, ramp = _utilisation(utilisation, chains)
    member = np.array([name in hosts for name in chains.regions]) & ~lost
    use, ramp = use[member], ramp[member]
    known = np.isfinite(use) & np.isfinite(ramp) & (np.nan_to_num(use) > 0)
    capacity = np.divide(t.x.reshape(len(lost), -1)[member], use, out=np.zeros(use.shape), where=known)
    found = formulas.cover(capacity, np.where(known, use, 1.0), np.maximum(demand, 0.0), ramp=np.where(known, ramp, 0.0))
    used = known.sum(axis=0)
    for component, name in _COVER.items():
        value = getattr(found, name)
        reasons = {"missing-input": used == 0, "nothing-to-replace": ~(demand > 0)}
        if name == "concentration":
            reasons["no-spare-capacity"] = ~np.isfinite(value)
        rows = number_rows({"item": chains.sectors}, value, n_used=used, reasons=reasons, component=component)
        yield rows.with_columns(measure=pl.lit("supply-cover"), level=pl.lit("industry"), coverage=pl.Series(used / max(1, member.sum())))


_COVER = {"cover": "cover", "cover-penalised": "penalised", "cover-without-one": "without_one", "spare-concentration": "concentration"}


def _utilisation(source: Any, chains: Chains) -> tuple[Floats, Floats]:
    """[R, S] utilisation and ramp-up (1 where not given); NaN where the table has no row.

    Raises:
        InputError: columns missing, or shares outside 0 to 1.
    """
    where = "argument utilisation"
    frame = table(source, "utilisation")
    names = ["value", *(["ramp"] if "ramp" in frame.columns else [])]
    found = table(frame, "utilisation", ["region", "industry", *names]).with_columns(
        pl.col("region", "industry").cast(pl.String), pl.col(names).cast(pl.Float64, strict=False)
    )
    findings = [
        Finding("utilisation-share", f"shares are {listed(odd)}", f"{where}, column {name!r}", "give shares between 0 and 1, not per cent")
        for name in names
        if len(odd := found[name].filter(~found[name].is_between(0, 1)))
    ]
    fail_if_any(findings, where, InputError)
    regions, sectors = pl.Series(chains.regions), pl.Series(chains.sectors)
    inside = found.filter(pl.col("region").is_in(regions.implode()) & pl.col("industry").is_in(sectors.implode()))
    at = positions(inside["region"], regions), positions(inside["industry"], sectors)
    use = np.full((len(regions), len(sectors)), np.nan)
    ramp = np.ones(use.shape)
    use[at] = inside["value"].fill_null(np.nan).to_numpy()
    if "ramp" in names:
        ramp[at] = inside["ramp"].fill_null(np.nan).to_numpy()
    return use, ramp
