"""Transport margins of routes and exports: distance along the great circle times what carrying the product costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.globe import haversine_km
from hinterland.errors import Finding, InputError, did_you_mean, listed

__all__ = ["with_freight"]

Floats = NDArray[np.float64]
Place = tuple[float, float]


def with_freight(
    tables: Mapping[str, pl.DataFrame],
    places: Mapping[str, Place],
    rates: Mapping[str, float],
    gateways: Mapping[str, tuple[Place, ...]] | None = None,
) -> dict[str, pl.DataFrame]:
    """The tables with ``cost`` in ``routes`` and, to markets with gateways, in ``exports``.

    Args:
        tables: of a case, with ``routes`` and ``exports``.
        places: longitude and latitude of every region, in degrees.
        rates: cost of carrying goods worth 1 over a thousand kilometres, by industry; what is not named costs nothing.
        gateways: places where goods for a market leave the country; the nearest counts.

    Raises:
        InputError: regions without a place, rates of no industry, gateways of no market.
    """
    have = {c: set(tables["cells"][c].to_list()) for c in ("region", "industry")} | {"market": set(tables["exports"]["market"].to_list())}
    findings = [
        *_lost(have["region"], places, "regions without longitude and latitude"),
        *_lost(rates, have["industry"], "industries with a freight rate that no cell has"),
        *_lost(gateways or {}, have["market"], "markets with a gateway that nothing is exported to"),
    ]
    if findings:
        raise InputError(findings, "freight")
    routes, exports = tables["routes"], tables["exports"]
    ends = [_at([places[r] for r in routes[end]]) for end in ("origin", "destination")]
    per_route = haversine_km(ends[0], ends[1]) / 1000 * _rates(routes, rates)
    per_sale = _to_gateways(exports, places, gateways or {}) / 1000 * _rates(exports, rates)
    return {
        **tables,
        "routes": routes.with_columns(cost=pl.Series(per_route, dtype=pl.Float64)),
        "exports": exports.with_columns(cost=pl.Series(per_sale, dtype=pl.Float64)),
    }


def _lost(names: object, have: object, what: str) -> list[Finding]:
    lost = sorted(set(names) - set(have))  # type: ignore[call-overload]  # anything that can be iterated
    if not lost:
        return []
    return [Finding("freight-unknown", f"{what}: {listed(lost)}", "freight", did_you_mean(str(lost[0]), map(str, have)))]  # type: ignore[call-overload]


def _at(places: list[Place]) -> Floats:
    """[2, n] longitude and latitude in radians."""
    return np.radians(np.array(places, dtype=np.float64).reshape(-1, 2).T)


def _rates(rows: pl.DataFrame, rates: Mapping[str, float]) -> Floats:
    return np.array([rates.get(i, 0.0) for i in rows["industry"]], dtype=np.float64)


def _to_gateways(exports: pl.DataFrame, places: Mapping[str, Place], gateways: Mapping[str, tuple[Place, ...]]) -> Floats:
    """[sales] kilometres to the nearest gateway of the market; 0 where the market has none."""
    far = {
        (r, m): float(min(haversine_km(_at([places[r]]), _at([g]))[0] for g in gateways[m])) if gateways.get(m) else 0.0
        for r, m in set(exports.select("region", "market").rows())
    }
    return np.array([far[row] for row in exports.select("region", "market").iter_rows()], dtype=np.float64)
