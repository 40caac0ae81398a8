"""Trade between regions by sector: a gravity prior, its distance decay, and the allocation of what comes in to who uses it.

Flow of sector i from r to s before balancing: o_r i_s d_rs^{-θ_i}, nothing from a region to itself. Balancing scales rows and columns, so that the masses
drop out and only the decay matters (Wilson 1967). Arrays are [S, R, R], sector by origin by destination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.balancing import ras
from hinterland.measure.division import ratio

__all__ = ["Decay", "allocated", "estimated_decay", "gravity_prior", "log_gravity", "supply_shares"]

Floats = NDArray[np.float64]


def log_gravity(distance: Floats, decay: Floats | float) -> Floats:
    """-θ ln d, [..., R, R], -inf on the diagonal: ``distance`` [R, R], ``decay`` θ a number or [...].

    Raises:
        ValueError: a distance between two regions is not positive or not finite.
    """
    apart = ~np.eye(len(distance), dtype=bool)
    bad = apart & ~(np.isfinite(distance) & (distance > 0))
    if bad.any():
        r, s = np.argwhere(bad)[0]
        raise ValueError(f"the distance from region {r} to {s} is {distance[r, s]}: it must be positive ({int(bad.sum())} such)")
    logs = np.where(apart, np.log(np.where(apart, distance, 1.0)), 0.0)
    theta = np.asarray(decay, dtype=np.float64)[..., None, None]
    return np.where(apart, -theta * logs, -np.inf)


def gravity_prior(outflow: Floats, inflow: Floats, distance: Floats, decay: Floats | float) -> Floats:
    """Gravity alone, [S, R, R]: o_r i_s d_rs^{-θ}, scaled to the sector's total; its margins are not those given. ``outflow``, ``inflow``: [S, R]."""
    raw = outflow[:, :, None] * inflow[:, None, :] * np.exp(log_gravity(distance, decay))
    return raw * np.nan_to_num(ratio(outflow.sum(axis=1), raw.sum(axis=(1, 2))))[:, None, None]


@dataclass(frozen=True, slots=True)
class Decay:
    """Distance decay from observed flows.

    Attributes:
        decay: θ.
        std_error: allowing for any variance of flows (Huber–White); too small where few regions, or few large flows, decide.
        rounds: Newton steps.
    """

    decay: float
    std_error: float
    rounds: int


def estimated_decay(flows: Floats, distance: Floats, *, start: float = 1.0, tolerance: float = 1e-9) -> Decay:
    """θ of flows [S, R, R] by Poisson pseudo-likelihood with effects of each sector's origins and destinations (Santos Silva & Tenreyro 2006).

    The fitted flows are the RAS of d^{-θ} to the margins of the data (Fally 2015), and θ is where they travel as far: Σ (x - x̂) ln d = 0. One θ for
    all sectors given; pass one sector for its own. The diagonal is left out.

    Raises:
        ValueError: distances that are not positive, or flows that do not vary enough for a decay.
    """
    logs = -log_gravity(distance, 1.0)
    logs = np.where(np.isfinite(logs), logs, 0.0)
    x = np.where(np.eye(len(distance), dtype=bool), 0.0, flows)
    theta, rounds = start, 0
    for rounds in range(1, 51):  # noqa: B007
        fitted = ras(log_gravity(distance, theta), x.sum(axis=2), x.sum(axis=1)).flows
        within = _within(fitted, logs)
        curve, gap = float((fitted * within**2).sum()), float(((x - fitted) * logs).sum())
        if not curve > 1e-12 * fitted.sum():
            raise ValueError("flows of each origin go to one destination, or all distances are alike: no decay follows from them")
        step = float(np.clip(-gap / curve, -1.0, 1.0))
        theta += step
        if abs(step) < tolerance:
            break
    meat = float((((x - fitted) * within) ** 2).sum())
    return Decay(theta, float(np.sqrt(meat)) / curve, rounds)


def _within(weights: Floats, logs: Floats) -> Floats:
    """Ln d less what effects of origin and destination explain of it, with flows as weights, [S, R, R]."""
    left = np.broadcast_to(logs, weights.shape).copy()
    rows, columns = weights.sum(axis=2), weights.sum(axis=1)
    for _ in range(1000):
        a = np.nan_to_num(ratio((weights * left).sum(axis=2), rows))
        left -= a[:, :, None]
        b = np.nan_to_num(ratio((weights * left).sum(axis=1), columns))
        left -= b[:, None, :]
        if max(np.abs(a).max(), np.abs(b).max()) < 1e-12:
            break
    return left


def supply_shares(trade: Floats, own: Floats, imports: Floats) -> tuple[Floats, Floats]:
    """Share of each region's use that each region supplies, [S, R, R], and that is imported, [S, R] (Chenery 1953; Moses 1955).

    ``trade`` between regions [S, R, R] with an empty diagonal, ``own`` [S, R] what regions supply to themselves, ``imports`` [S, R] from abroad. A
    region that uses none of a product supplies itself.
    """
    regions = np.arange(trade.shape[-1])
    supply = trade.copy()
    supply[..., regions, regions] = own
    total = supply.sum(axis=-2) + imports
    shares = np.nan_to_num(ratio(supply, total[..., None, :]))
    none = total == 0
    shares[..., regions, regions] = np.where(none, 1.0, shares[..., regions, regions])
    return shares, np.nan_to_num(ratio(imports, total))


def allocated(shares: Floats, use: Floats) -> Floats:
    """Use [S, K] of one region, product by user, split over origins by its ``shares`` [S, R]: [R·S, K], all users alike, region by region."""
    split = shares.T[:, :, None] * use[None]
    return np.asarray(split.reshape(-1, use.shape[1]), dtype=np.float64)
