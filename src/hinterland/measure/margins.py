"""Margins of trade between regions, made consistent: what passes through, what returns to itself, and totals that conflict.

Single-region tables say what each region sends to and takes from all others, and were compiled apart: outflows of all need not equal inflows of all.
Each step says what it changed. Arrays are [S, R], sector by region, unless a shape is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.division import ratio

__all__ = [
    "Gross",
    "Reconciled",
    "Transit",
    "cross_hauling",
    "gross_from_net",
    "reconciled",
    "transit",
    "turned",
    "without_self_trade",
]

Floats = NDArray[np.float64]


def turned(sent: Floats, taken: Floats) -> tuple[Floats, Floats]:
    """Margins of which neither is negative: less than nothing sent (stocks called back, goods returned) is taken, and the other way round."""
    return np.maximum(sent, 0.0) + np.maximum(-taken, 0.0), np.maximum(taken, 0.0) + np.maximum(-sent, 0.0)


@dataclass(frozen=True, slots=True)
class Transit:
    """Margins without goods that only pass through a region.

    Attributes:
        outflow, inflow, exports, imports: what is left, [S, R].
        domestic: taken off outflow and inflow alike: goods from other regions that go on to other regions.
        foreign: taken off exports and imports alike: re-exports.
        beyond_use: taken off imports alone, since the region has no use for them and sends none abroad; the balance of its row shows it.
    """

    outflow: Floats
    inflow: Floats
    exports: Floats
    imports: Floats
    domestic: Floats
    foreign: Floats
    beyond_use: Floats


def transit(use: Floats, outflow: Floats, inflow: Floats, exports: Floats, imports: Floats) -> Transit:
    """Take off what a region takes in beyond its own ``use``: it cannot stay, so it goes on.

    The excess of inflow and imports over use is taken first off inflow and outflow, then off imports and exports, each pair by the same amount, so
    that no region's net trade moves. Imports that still exceed use are cut to it.
    """
    room = np.maximum(use, 0.0)
    excess = np.maximum(inflow + imports - room, 0.0)
    domestic = np.minimum(excess, np.minimum(inflow, outflow))
    foreign = np.minimum(excess - domestic, np.minimum(imports, exports))
    kept = imports - foreign
    beyond = np.maximum(kept - room, 0.0)
    return Transit(outflow - domestic, inflow - domestic, exports - foreign, kept - beyond, domestic, foreign, beyond)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Margins with one total per sector.

    Attributes:
        outflow, inflow: [S, R], Σ outflow = Σ inflow in each sector.
        total: the common total, [S].
        one_sided: sectors in which only one of the two margins had anything, [S]: both are zero now.
    """

    outflow: Floats
    inflow: Floats
    total: Floats
    one_sided: NDArray[np.bool_]


def reconciled(
    outflow: Floats,
    inflow: Floats,
    *,
    trust_outflow: Floats | float = 1.0,
    trust_inflow: Floats | float = 1.0,
    most_outflow: Floats | float = np.inf,
    most_inflow: Floats | float = np.inf,
) -> Reconciled:
    """The margins with Σ outflow = Σ inflow that lose least information: min Σ v D(o'‖o) + Σ w D(i'‖i), D(x‖y) = x ln(x/y) - x + y.

    The solution is o' = o e^{λ/v}, i' = i e^{-λ/w}, cut at the bounds, with one λ per sector. With one trust per margin and no bound in the way, the
    common total is the geometric mean of both, weighted by trust. An infinite trust keeps a margin as it is.

    Args:
        outflow, inflow: o, i, nonnegative.
        trust_outflow, trust_inflow: v, w, positive; numbers, or arrays that broadcast to [S, R].
        most_outflow, most_inflow: bounds above, of output that is left to send and of use that is left to serve.

    Raises:
        ValueError: trust is not positive, margins are negative or not finite, or totals that infinite trust keeps apart.
    """
    v, w = np.broadcast_to(trust_outflow, outflow.shape), np.broadcast_to(trust_inflow, inflow.shape)
    if not ((v > 0).all() and (w > 0).all()):
        raise ValueError("trust in a margin must be positive")
    for name, margin in (("outflow", outflow), ("inflow", inflow)):
        if not np.isfinite(margin).all() or (margin < 0).any():
            raise ValueError(f"{name} is negative or not finite: {margin[~(np.isfinite(margin) & (margin >= 0))][:5].tolist()}")
    tops = np.broadcast_to(most_outflow, outflow.shape), np.broadcast_to(most_inflow, inflow.shape)
    live = ((np.minimum(outflow, tops[0]).sum(axis=1) > 0) & (np.minimum(inflow, tops[1]).sum(axis=1) > 0))[:, None]
    o, i = np.where(live, outflow, 0.0), np.where(live, inflow, 0.0)
    reach = 60.0 * max(float(np.where(np.isfinite(a), a, 0.0).max(initial=0.0)) for a in (v, w))
    low, high = np.full((len(o), 1), -reach), np.full((len(o), 1), reach)
    for _ in range(200):
        mid = (low + high) / 2
        over = (_moved(o, mid / v, tops[0]).sum(axis=1) > _moved(i, -mid / w, tops[1]).sum(axis=1))[:, None]
        low, high = np.where(over, low, mid), np.where(over, mid, high)
    o, i = _moved(o, low / v, tops[0]), _moved(i, -low / w, tops[1])
    apart = np.abs(o.sum(axis=1) - i.sum(axis=1)) > 1e-9 * np.maximum(o.sum(axis=1), i.sum(axis=1))
    if apart.any():
        raise ValueError(
            f"totals of sectors {np.flatnonzero(apart)[:5].tolist()} cannot meet: both margins are kept, or kept above a bound"
        )
    total = np.minimum(o.sum(axis=1), i.sum(axis=1))
    one_sided = (~live[:, 0]) & ((outflow.sum(axis=1) > 0) | (inflow.sum(axis=1) > 0))
    return Reconciled(_to(o, total), _to(i, total), total, one_sided)


def _moved(margin: Floats, power: Floats, top: Floats) -> Floats:
    return np.minimum(margin * np.exp(np.clip(power, -60.0, 60.0)), top)


def _to(margin: Floats, total: Floats) -> Floats:
    """Scaled to the total that bisection has found but for rounding."""
    return margin * np.nan_to_num(ratio(total, margin.sum(axis=1)))[:, None]


def without_self_trade(outflow: Floats, inflow: Floats) -> tuple[Floats, Floats, Floats]:
    """Margins that trade between *different* regions can have, and what was taken off both, [S, R].

    No matrix with an empty diagonal has outflow + inflow of one region above the total: the excess can only return to where it came from. One region
    at most can be so in a sector. The same amount is taken off its outflow and its inflow.
    """
    total = outflow.sum(axis=1, keepdims=True)
    excess = outflow + inflow - total
    taken = np.where(excess > 1e-12 * total, np.minimum(np.maximum(excess, 0.0), np.minimum(outflow, inflow)), 0.0)
    out, back = outflow - taken, inflow - taken
    return out, _to(back, out.sum(axis=1)), taken


@dataclass(frozen=True, slots=True)
class Gross:
    """Gross margins imputed from net ones, [...]: ``outflow - inflow`` is the net outflow that was given."""

    outflow: Floats
    inflow: Floats


def cross_hauling(outflow: Floats, inflow: Floats, output: Floats, use: Floats) -> Floats:
    """H = (o + i - |o - i|)/(x + d): trade both ways in the same product, as a share of output x and use d (Kronenberg 2009); NaN if both are zero."""
    return ratio(outflow + inflow - np.abs(outflow - inflow), output + use)


def gross_from_net(net: Floats, output: Floats, use: Floats, share: Floats | float) -> Gross:
    """CHARM (Kronenberg 2009): trade both ways h(x + d) is added to net outflow o - i. ``share`` h = 0 gives the least trade that the net allows.

    Trade both ways is kept within what the region makes and uses: outflow ≤ x, inflow ≤ d.
    """
    both = np.maximum(np.nan_to_num(np.asarray(share, dtype=np.float64)) * (output + use), 0.0) / 2
    one_way_out, one_way_in = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    both = np.minimum(both, np.maximum(np.minimum(output - one_way_out, use - one_way_in), 0.0))
    return Gross(one_way_out + both, one_way_in + both)
