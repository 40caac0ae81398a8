"""Where a plant would stand, and how old an industry is: Weber's point, sites compared by cost, and stages of the product cycle.

Weber (1909); Weiszfeld (1937); Vardi & Zhang (2000, PNAS 97); Vernon (1966); Gort & Klepper (1982); Klepper & Graddy (1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.logistic import curve, fit_logistic

__all__ = [
    "LIFE_STAGES",
    "STAGES",
    "Logistic",
    "Site",
    "WeberPoint",
    "entry_stages",
    "logistic_curves",
    "logistic_stages",
    "weber_point",
    "weber_site",
]

Floats = NDArray[np.float64]

STAGES = ("introduction", "growth", "slowing", "mature")
LIFE_STAGES = ("growth", "shake-out", "mature")


@dataclass(frozen=True, slots=True)
class WeberPoint:
    """The point of least transport cost: ``point`` [2], its ``cost`` Σ w d, the vertex it falls on (-1 for none), steps taken, and convergence."""

    point: Floats
    cost: float
    vertex: int
    iterations: int
    converged: bool


def weber_point(points: Floats, weights: Floats, *, tolerance: float = 1e-10, iterations: int = 10_000) -> WeberPoint:
    """Minimise Σ_k w_k‖p - p_k‖ in the plane by Weiszfeld's iteration, with Vardi & Zhang's step at the given points.

    A given point is optimal if the others pull on it with no more than its own weight; the majority theorem (one weight at least the sum of the others)
    is the special case that needs no geometry. Such points are tested first.

    Args:
        points: p_k in a plane projection, [K, 2], km.
        weights: w_k > 0, cost per km, [K].
        tolerance: on the step, relative to the spread of the points.
        iterations: at most.

    Raises:
        ValueError: no points, or weights that are not positive.
    """
    if not len(points) or not (weights > 0).all():
        raise ValueError("Weber's point needs at least one point, and weights above zero")
    for k in np.argsort(-weights, kind="stable"):
        if _pull(points[k], points, weights) <= weights[points_at(points[k], points)].sum() * (1 + 1e-12):
            return WeberPoint(points[k].copy(), _cost(points[k], points, weights), int(k), 0, True)
    scale = float(np.ptp(points, axis=0).max())
    here, step = weights @ points / weights.sum(), 0
    for step in range(1, iterations + 1):
        there = _weiszfeld(here, points, weights)
        moved = float(np.linalg.norm(there - here))
        here = there
        if moved <= tolerance * scale:
            return WeberPoint(here, _cost(here, points, weights), -1, step, True)
    return WeberPoint(here, _cost(here, points, weights), -1, step, False)


def points_at(place: Floats, points: Floats) -> NDArray[np.bool_]:
    """Which points coincide with ``place``, [K]."""
    return np.asarray((points == place).all(axis=1))


def _cost(place: Floats, points: Floats, weights: Floats) -> float:
    return float(weights @ np.linalg.norm(points - place, axis=1))


def _pull(place: Floats, points: Floats, weights: Floats) -> float:
    away = ~points_at(place, points)
    arms = points[away] - place
    return float(np.linalg.norm((weights[away] / np.linalg.norm(arms, axis=1)) @ arms))


def _weiszfeld(place: Floats, points: Floats, weights: Floats) -> Floats:
    away = ~points_at(place, points)
    inverse = weights[away] / np.linalg.norm(points[away] - place, axis=1)
    target = inverse @ points[away] / inverse.sum()
    if away.all():
        return np.asarray(target)
    force = np.linalg.norm(inverse @ (points[away] - place))
    hold = min(1.0, weights[~away].sum() / force) if force > 0 else 1.0
    return np.asarray((1 - hold) * target + hold * place)


@dataclass(frozen=True, slots=True)
class Site:
    """Costs of each candidate site, [H]: ``transport``, ``labour``, ``saving`` and their ``total``; ``best`` is the cheapest."""

    transport: Floats
    labour: Floats
    saving: Floats
    total: Floats
    best: int


def weber_site(
    distance: Floats, weights: Floats, *, rate: float = 1.0, wage: Floats | None = None, labour: float = 0.0, saving: Floats | None = None
) -> Site:
    """The site h that minimises c Σ_k w_k d(h, k) + wage_h·labour - saving_h.

    Args:
        distance: from each site to each input or market, [H, K], km.
        weights: tonnes moved, [K].
        rate: c, cost per tonne-km.
        wage: cost of a unit of labour at each site, [H];  labour: units needed.
        saving: agglomeration saving at each site, [H], in the unit of cost.
    """
    transport = rate * (distance @ weights)
    nothing = np.zeros_like(transport)
    pay = nothing if wage is None else wage * labour
    gain = nothing if saving is None else saving
    total = transport + pay - gain
    return Site(transport, pay, gain, total, int(total.argmin()))


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic curve K/(1 + exp(-b(t - t₀))) fitted to a series, and the stages it gives.

    Attributes:
        ceiling, rate, midpoint: K, b and t₀.
        fitted: [T].
        stage: position in :data:`STAGES` of each period, [T].
        r_squared: share of the variance that the curve explains.
        covered: greatest observed value over K: far below 1, the ceiling is a guess.
    """

    ceiling: float
    rate: float
    midpoint: float
    fitted: Floats
    stage: NDArray[np.int64]
    r_squared: float
    covered: float


def logistic_stages(time: Floats, values: Floats) -> Logistic:
    """Fit a logistic curve by least squares and cut it at t₀ ± ln(2 + √3)/b and t₀: where growth takes off, peaks and fades.

    The outer cuts are where the curve's third derivative is zero, at 21 % and 79 % of the ceiling: before is introduction, then growth up to the
    midpoint, then slowing, then mature. A grid of starts guards against a local optimum.

    Args:
        time: [T], increasing.
        values: national output or sales, [T], positive.

    Raises:
        ValueError: fewer than five periods, or values that are not positive.
    """
    return logistic_curves(time, values[None, :])[0]


def logistic_curves(time: Floats, values: Floats) -> list[Logistic]:
    """:func:`logistic_stages` of each of several series over the same periods, [N, T], fitted together.

    Raises:
        ValueError: as :func:`logistic_stages`.
    """
    if values.shape[1] < 5 or not (values > 0).all():
        raise ValueError("a logistic curve needs at least five periods with values above zero")
    centre, width = float(time.mean()), float(np.ptp(time))
    s, top = (time - centre) / width, values.max(axis=1)
    fits = fit_logistic(s, values / top[:, None])
    shapes = curve(fits, s) * top[:, None]
    return [
        _logistic(time, v, (float(np.exp(p[0]) * v.max()), float(np.exp(p[1]) / width), float(p[2] * width + centre)), f)
        for v, p, f in zip(values, fits, shapes, strict=True)
    ]


def _logistic(time: Floats, values: Floats, parameters: tuple[float, float, float], fitted: Floats) -> Logistic:
    """The curve with K, b and t₀ of ``parameters``, and its stages."""
    ceiling, rate, midpoint = parameters
    cut = np.log(2 + np.sqrt(3)) / rate
    stage = np.searchsorted([midpoint - cut, midpoint, midpoint + cut], time, side="left")
    spread = ((values - values.mean()) ** 2).sum()
    r_squared = float(1 - ((values - fitted) ** 2).sum() / spread) if spread > 0 else float("nan")
    return Logistic(ceiling, rate, midpoint, fitted, stage.astype(np.int64), r_squared, float(values.max() / ceiling))


def entry_stages(firms: Floats, *, threshold: float = 0.01, window: int = 3) -> NDArray[np.int64]:
    """Stage of the life cycle from the number of firms, [T], as positions in :data:`LIFE_STAGES`.

    Growth lasts to the year of most firms; shake-out until the mean yearly net exit over the next ``window`` years falls below ``threshold`` of the peak;
    mature from there. After the stages of Gort & Klepper (1982) as joined by Klepper & Graddy (1990).
    """
    peak = int(firms.argmax())
    stage = np.zeros(len(firms), dtype=np.int64)
    stage[peak + 1 :] = 1
    for t in range(peak + 1, len(firms) - window):
        if (firms[t] - firms[t + window]) / window < threshold * firms[peak]:
            stage[t:] = 2
            break
    return stage
