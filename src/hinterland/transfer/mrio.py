"""An inter-regional table estimated from single-region tables and their margins of trade.

Gravity prior; margins made consistent; RAS to them, sector by sector; inflow of a product spread over its users in proportion (Chenery 1953, Moses 1955).
What the margins do not say, or say twice, is published with the table. Regions R, sectors S, rows n = RS, region by region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import polars as pl

from hinterland.data.io_readers import read_io
from hinterland.data.io_table import Floats, IOTable, Text
from hinterland.errors import Finding, InputError, did_you_mean, listed
from hinterland.labels import Note
from hinterland.measure.balancing import cross_entropy, ras
from hinterland.measure.division import ratio
from hinterland.measure.margins import Transit, reconciled, transit, turned, without_self_trade
from hinterland.measure.neighbours import listed_distances, seat_distances
from hinterland.measure.trade_matrix import allocated, gravity_prior, log_gravity, supply_shares
from hinterland.transfer.mrio_result import EstimatedMRIO, Margins, Method, Prior
from hinterland.transfer.regional_tables import INCOMPLETE, own_use, side_by_side

__all__ = ["consistent", "estimate_mrio", "linked"]

DECAY, DECAY_SD = 1.1, 0.41
"""Mean and standard deviation of distance coefficients in gravity models with effects of origin and destination (Head & Mayer 2014, table 4)."""
PAIR_NOISE, CELL_NOISE = 0.7, 1.0
"""Standard deviations of ln(flow/gravity), common to a pair's sectors and of each cell: of the size that WIOD shows, set so that intervals cover in 2011."""

DUST = 1e-8
"""Deliveries of a row without output, relative to the mean output of rows, that are rounding."""


def estimate_mrio(
    tables: IOTable | Sequence[IOTable] | Any,
    distance: Any = None,
    *,
    year: int | None = None,
    decay: float | Mapping[str, float] | Floats = DECAY,
    decay_sd: float = DECAY_SD,
    noise: tuple[float, float] = (PAIR_NOISE, CELL_NOISE),
    trust: tuple[float, float] = (1.0, 1.0),
    method: Method = "ras",
) -> EstimatedMRIO:
    """Estimate flows between regions from their own tables.

    Args:
        tables: regions side by side with margins of trade (as :func:`~hinterland.data.io_readers.read_io` reads provincial tables, or
            :meth:`IOTable.margins` of a linked table), tables of single regions, or a long file or frame, of which ``year`` is taken.
        distance: kilometres between regions: a table with columns ``region, other, distance``, or an array [R, R] in the order of the regions;
            ``None``: between provinces' seats of government.
        decay: θ of the gravity prior d^{-θ}: a number, by sector name, or [S]. Margins cannot tell it; estimate it from observed flows with
            :func:`~hinterland.measure.trade_matrix.estimated_decay` where there are any.
        decay_sd, noise: uncertainty of the prior, used by draws only (see :class:`Prior`).
        trust: in outflow and in inflow, where their totals conflict; (1, 0.001) all but keeps outflow.
        method: ``ras`` reconciles totals, then balances; ``cross-entropy`` lets the prior speak on the margins too, before that.

    Raises:
        InputError: tables without margins of trade between regions, with other sectors, or with margins that hold trade abroad; distances that are
            missing; parameters out of range.
    """
    t = _given(tables, year)
    known = _prior(t, distance, decay, decay_sd, noise)
    _fail_if_not_margins(t, method, trust)
    margins, one_sided = consistent(t, known, method, trust)
    trade = ras(log_gravity(known.distance, known.decay), margins.outflow, margins.inflow).flows
    findings = _findings(t, margins, one_sided)
    return EstimatedMRIO(linked(t, trade, margins, findings), t, trade, margins, known, method, trust, findings)


def _given(tables: Any, year: int | None) -> IOTable:
    if isinstance(tables, IOTable):
        return tables
    if isinstance(tables, Sequence) and not isinstance(tables, str) and all(isinstance(t, IOTable) for t in tables):
        return side_by_side(tables)
    return read_io(tables, layout="long", year=year)


def _prior(t: IOTable, distance: Any, decay: Any, decay_sd: float, noise: tuple[float, float]) -> Prior:
    labels = pl.Series(t.region_labels.tolist())
    if distance is None:
        km = seat_distances(labels)
    else:
        km = np.asarray(distance, dtype=np.float64) if isinstance(distance, np.ndarray) else listed_distances(labels, distance)
    if isinstance(decay, Mapping):
        theta = np.array([decay.get(str(s), np.nan) for s in t.sector_labels], dtype=np.float64)
    else:
        theta = np.asarray(decay, dtype=np.float64)
    found = []
    apart = ~np.eye(len(labels), dtype=bool)
    if km.shape != apart.shape or not (np.isfinite(km) & (km > 0))[apart].all():
        what = "distances are missing or not positive for some pairs of regions, or not one per pair"
        found.append(Finding("bad-distance", what, "argument distance", "give kilometres above 0 for every pair of regions"))
    if theta.shape not in ((), (t.n_sectors,)) or not (np.isfinite(theta) & (theta >= 0)).all():
        what = f"decay is {listed(np.ravel(theta).tolist(), 3)} for {t.n_sectors} sectors"
        found.append(Finding("mrio-parameter", what, "argument decay", "give a number of 0 or more, or one for every sector"))
    if not all(np.isfinite(v) and v >= 0 for v in (decay_sd, *noise)):
        what = f"decay_sd is {decay_sd} and noise {noise}"
        found.append(Finding("mrio-parameter", what, "arguments decay_sd, noise", "give standard deviations of 0 or more"))
    if found:
        raise InputError(found, "estimate_mrio")
    return Prior(km, np.broadcast_to(theta, t.n_sectors), decay_sd, *noise)


def _fail_if_not_margins(t: IOTable, method: str, trust: tuple[float, float]) -> None:
    found = []
    if not t.is_regular or t.n_regions < 2:
        what = f"the table has {t.n_regions} region(s)" if t.is_regular else "the regions have different sectors"
        found.append(Finding("io-tables-differ", what, t.source, "give at least two regions with the same sectors in the same order"))
    elif not t.outflow.any() and not t.inflow.any():
        what = "the table has no outflow and inflow between its regions"
        found.append(
            Finding(
                "mrio-no-margins", what, t.source, "give single-region tables with outflow and inflow, or take margins() of a linked one"
            )
        )
    if INCOMPLETE & {f.code for f in t.findings}:
        what = "outflow and inflow are net, or hold trade with abroad"
        found.append(Finding("mrio-mixed-margins", what, t.source, "complete them with gross_margins() and tables of a later year"))
    if method not in get_args(Method):
        found.append(Finding("unknown-value", f"method is {method!r}", "argument method", did_you_mean(method, get_args(Method))))
    if not all(v > 0 for v in trust):
        found.append(Finding("mrio-parameter", f"trust is {trust}", "argument trust", "give two numbers above 0"))
    if found:
        raise InputError(found, "estimate_mrio")


def _by_sector(values: Floats, regions: int) -> Floats:
    """[n] to [S, R]."""
    return np.ascontiguousarray(values.reshape(regions, -1).T)


def _weighed(left: Transit, prior: Prior) -> tuple[Floats, Floats]:
    """Margins of the flows that are nearest to the gravity prior and to the margins at once."""
    level = gravity_prior(left.outflow, left.inflow, prior.distance, prior.decay)
    logs = np.log(level, out=np.full(level.shape, -np.inf), where=level > 0)
    flows = cross_entropy(logs, left.outflow, left.inflow).flows
    return flows.sum(axis=2), flows.sum(axis=1)


def consistent(t: IOTable, prior: Prior, method: Method, trust: tuple[float, float]) -> tuple[Margins, Text]:
    """Margins that flows can have, and the sectors in which only one side had anything."""
    given = own_use(t), *turned(t.outflow, t.inflow), *turned(t.exports, t.imports)
    left = transit(*(_by_sector(v, t.n_regions) for v in given))
    wanted = _weighed(left, prior) if method == "cross-entropy" else (left.outflow, left.inflow)
    use, output, error = (_by_sector(v, t.n_regions) for v in (own_use(t), t.x, t.error))
    supply, need = output - left.exports - error, use - left.imports
    both = reconciled(
        *wanted,
        trust_outflow=trust[0],
        trust_inflow=trust[1],
        most_outflow=np.maximum(supply, 0.0),
        most_inflow=np.maximum(need, 0.0),
    )
    outflow, inflow, back = without_self_trade(both.outflow, both.inflow)
    own = np.where(use < 0, use, np.clip(supply - outflow, 0.0, np.maximum(need - inflow, 0.0)))
    margins = Margins(
        outflow=outflow,
        inflow=inflow,
        exports=left.exports,
        imports=left.imports,
        own=own,
        transit=left.domestic,
        reexports=left.foreign,
        beyond_use=left.beyond_use,
        self_trade=back,
        unplaced_outflow=supply - outflow - own,
        unplaced_inflow=need - inflow - own,
    )
    return margins, t.sector_labels[both.one_sided]


def linked(t: IOTable, trade: Floats, m: Margins, findings: tuple[Finding, ...] = ()) -> IOTable:
    """The table whose flows between regions are ``trade`` [S, R, R]; every user of a product takes from its origins in the same proportions."""
    spread, dust = _without_dust(t, _spread(t, trade, m))
    return replace(
        t,
        **spread,
        exports=m.exports.T.reshape(-1),
        imports=np.zeros(t.n),
        outflow=np.zeros(t.n),
        inflow=np.zeros(t.n),
        imported_kind=np.concatenate([t.imported_kind, ["imports", "inflow of unknown origin"]]),
        error=t.error + m.unplaced_outflow.T.reshape(-1) + dust,
        source=f"{t.source}, flows estimated",
        notes=(*t.notes, Note("mrio-flows-estimated")),
        findings=(*t.findings, *findings),
    )


def _spread(t: IOTable, trade: Floats, m: Margins) -> dict[str, Any]:
    """Deliveries, final demand and what is imported for both: each use of each region split over origins."""
    shares, abroad = supply_shares(trade, m.own, m.imports + m.unplaced_inflow)
    imported = abroad * np.nan_to_num(ratio(m.imports, m.imports + m.unplaced_inflow))
    Z, F = np.empty_like(t.Z), np.zeros_like(t.F)
    inputs, final = np.zeros((2, t.n)), t.imported_final.copy()
    S = t.n_sectors
    for s, region in enumerate(t.region_labels):
        rows, columns = slice(s * S, (s + 1) * S), np.flatnonzero(t.final_region == region)
        use, bought = t.Z[rows, rows], t.F[rows][:, columns]
        Z[:, rows], F[:, columns] = allocated(shares[:, :, s], use), allocated(shares[:, :, s], bought)
        inputs[0, rows], inputs[1, rows] = imported[:, s] @ use, (abroad - imported)[:, s] @ use
        final[columns] += abroad[:, s] @ bought
    return {"Z": Z, "F": F, "imported_inputs": np.vstack([t.imported_inputs, inputs]), "imported_final": final}


def _without_dust(t: IOTable, spread: dict[str, Any]) -> tuple[dict[str, Any], Floats]:
    """Deliveries without rows of no output that deliver what is left of rounding, and what was taken off each row, which its error column then holds.

    Published tables have uses of a few yuan of products that a region neither makes nor takes in; such a row would have no production function.
    """
    delivered = np.asarray(spread["Z"].sum(axis=1) + spread["F"].sum(axis=1), dtype=np.float64)
    size = np.abs(spread["Z"]).sum(axis=1) + np.abs(spread["F"]).sum(axis=1)
    silent = (t.x == 0) & (size > 0) & (size <= DUST * np.abs(t.x).mean())
    kept = np.where(silent, 0.0, 1.0)[:, None]
    return {**spread, "Z": spread["Z"] * kept, "F": spread["F"] * kept}, np.where(silent, delivered, 0.0)


def _findings(t: IOTable, m: Margins, one_sided: Text) -> tuple[Finding, ...]:
    total = float(max(t.outflow.sum(), t.inflow.sum()))
    said = [_negative(t, name) for name in ("outflow", "inflow", "exports", "imports") if (getattr(t, name) < 0).any()]
    for code, amount, what, remedy in (
        (
            "mrio-transit",
            m.transit,
            "outflow only passes through (inflow beyond own use)",
            "read these regions' outflow as smaller than published",
        ),
        ("mrio-conflict", m.unplaced_outflow.clip(0) + m.unplaced_inflow, "outflow and inflow conflict", "see residuals; vary trust"),
        ("mrio-self-trade", m.self_trade, "trade could only return to its own region", "see residuals"),
    ):
        share = float(amount.sum()) / total
        if share > 1e-9:
            worst = t.sector_labels[np.argsort(-amount.sum(axis=1))[:3]].tolist()
            text = f"{what}: {share:.1%} of trade between regions; most in {listed(worst)}"
            said.append(Finding(code, text, t.source, remedy, "warning"))
    if len(one_sided):
        text = f"{len(one_sided)} sector(s) have only outflow or only inflow: {listed(one_sided.tolist())}"
        said.append(Finding("mrio-one-sided", text, t.source, "none if the sector is hardly traded: its flows are zero", "warning"))
    return tuple(said)


def _negative(t: IOTable, name: str) -> Finding:
    at = np.flatnonzero(getattr(t, name) < 0)
    what = f"{name} is below zero in {listed([f'{t.regions[i]} · {t.sectors[i]}' for i in at], 3)}, and counts as its opposite"
    return Finding("mrio-negative-margin", what, t.source, "none where stocks are called back; otherwise correct the tables", "warning")
