"""Green productivity: how far the distance to a frontier with pollution has moved from one year to the next.

Shapes: inputs ``x`` [T, R, N], good outputs ``y`` [T, R, M], undesirable outputs ``b`` [T, R, J] of R regions in T years; NaN where not
known. Results are [T, R]; an index stands in the later of its two years, so that its first row is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.efficiency import Distances, Model, Observations, distances, usable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Reasons = Mapping[str, Bools]


@dataclass(frozen=True, slots=True)
class Inefficiency:
    """Distances [T, R] to a frontier, why one is missing (code → [T, R]), and how many observations span the frontier [T, R]."""

    value: Floats
    reasons: Reasons
    spanning: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GlobalIndex:
    """The global Malmquist–Luenberger index (Oh 2010) and its parts, all [T, R].

    Attributes:
        index: GML, above 1 where green productivity rose.
        efficiency_change: EC, catching up with the year's frontier.
        best_practice_change: BPC, the year's frontier coming closer to the global one; ``index`` = EC × BPC.
        level: productivity relative to the region's first measured year, which is 1; circular, so that gaps do not break it.
        within: distances to the year's own frontier.
        globally: distances to the frontier of all years.
    """

    index: Floats
    efficiency_change: Floats
    best_practice_change: Floats
    level: Floats
    within: Inefficiency
    globally: Inefficiency


@dataclass(frozen=True, slots=True)
class AdjacentIndex:
    """The Malmquist–Luenberger index between adjacent years (Chung, Färe & Grosskopf 1997), all [T, R].

    Attributes:
        index: ML.
        efficiency_change: EC, the same as in the global index.
        technical_change: TC = ML / EC.
        level: cumulative product, NaN from the first missing index on.
        within: distances to the year's own frontier.
        infeasible: where a distance to the other year's frontier has no solution, so that the index does not exist.
    """

    index: Floats
    efficiency_change: Floats
    technical_change: Floats
    level: Floats
    within: Inefficiency
    infeasible: Bools


def global_inefficiency(x: Floats, y: Floats, b: Floats, model: Model = Model()) -> Inefficiency:  # noqa: B008
    """Distances to one frontier, spanned by all years."""
    shape = x.shape[:2]
    everything = _pooled(x, y, b)
    found = distances(everything, everything, model, _mean(x, y, b))
    reasons = {code: mask.reshape(shape) for code, mask in found.reasons.items()}
    return Inefficiency(
        np.maximum(found.value, 0.0).reshape(shape), MappingProxyType(reasons), np.full(shape, int(usable(everything).sum()))
    )


def yearly_inefficiency(x: Floats, y: Floats, b: Floats, model: Model = Model(), lag: int = 0) -> Inefficiency:  # noqa: B008
    """Distances to the frontier of a year: each observation's own, or the one ``lag`` years earlier (later where negative).

    Years without a counterpart are NaN with the reason ``no-other-year``.
    """
    mean, shape = _mean(x, y, b), x.shape[:2]
    value, spanning = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    reasons: dict[str, Bools] = {"no-other-year": np.zeros(shape, dtype=np.bool_)}
    years = [Observations(x[t], y[t], b[t]) for t in range(shape[0])]
    for t, year in enumerate(years):
        if not 0 <= t - lag < len(years):
            reasons["no-other-year"][t] = True
            continue
        found: Distances = distances(year, years[t - lag], model, mean)
        value[t] = np.maximum(found.value, 0.0) if lag == 0 else found.value
        spanning[t] = usable(years[t - lag]).sum()
        for code, mask in found.reasons.items():
            reasons.setdefault(code, np.zeros(shape, dtype=np.bool_))[t] = mask
    return Inefficiency(value, MappingProxyType(reasons), spanning)


def _pooled(x: Floats, y: Floats, b: Floats) -> Observations:
    """The observations of all years, [T·R, ·]."""
    return Observations(*(a.reshape(a.shape[0] * a.shape[1], a.shape[2]) for a in (x, y, b)))


def _mean(x: Floats, y: Floats, b: Floats) -> Floats | None:
    """Means over all usable observations, the one direction that every year shares."""
    everything = _pooled(x, y, b)
    kept = everything.take(usable(everything))
    return kept.all.mean(axis=0) if len(kept.x) else None


def global_malmquist_luenberger(x: Floats, y: Floats, b: Floats, model: Model = Model()) -> GlobalIndex:  # noqa: B008
    r"""GML and its decomposition (Oh 2010).

    With :math:`D^G` the distance to the frontier of all years and :math:`D` the one to the year's own:
    :math:`GML = \frac{1+D^G_{t-1}}{1+D^G_t}`, :math:`EC = \frac{1+D_{t-1}}{1+D_t}`, :math:`BPC = GML / EC`.
    """
    within, globally = yearly_inefficiency(x, y, b, model), global_inefficiency(x, y, b, model)
    index, efficiency = _ratio_over_time(globally.value), _ratio_over_time(within.value)
    return GlobalIndex(index, efficiency, index / efficiency, level(globally.value), within, globally)


def malmquist_luenberger(x: Floats, y: Floats, b: Floats, model: Model = Model()) -> AdjacentIndex:  # noqa: B008
    r"""ML between adjacent years, and its decomposition (Chung, Färe & Grosskopf 1997, eqs. 8–10).

    :math:`ML = \sqrt{\frac{1+D^{t-1}_{t-1}}{1+D^{t-1}_t} \cdot \frac{1+D^t_{t-1}}{1+D^t_t}}`, where :math:`D^s_t` is the distance of
    year t's observation from year s's frontier. It may have no solution, and then the index has no value.
    """
    within = yearly_inefficiency(x, y, b, model)
    earlier, later = yearly_inefficiency(x, y, b, model, lag=1), yearly_inefficiency(x, y, b, model, lag=-1)
    index, infeasible = np.full(x.shape[:2], np.nan), np.zeros(x.shape[:2], dtype=np.bool_)
    old, new = 1.0 + within.value[:-1], 1.0 + within.value[1:]
    index[1:] = np.sqrt(_divided(old, 1.0 + earlier.value[1:]) * _divided(1.0 + later.value[:-1], new))
    never = np.zeros(x.shape[:2], dtype=np.bool_)
    infeasible[1:] = earlier.reasons.get("infeasible", never)[1:] | later.reasons.get("infeasible", never)[:-1]
    efficiency = _ratio_over_time(within.value)
    steps = np.concatenate([np.where(np.isnan(within.value[:1]), np.nan, 1.0), index[1:]])
    chain = np.asarray(np.cumprod(steps, axis=0), dtype=np.float64)
    return AdjacentIndex(index, efficiency, index / efficiency, chain, within, infeasible)


def level(inefficiency: Floats) -> Floats:
    """[T, R] productivity relative to the first measured year, (1 + D_first) / (1 + D_t)."""
    known = np.isfinite(inefficiency)
    first = np.take_along_axis(inefficiency, known.argmax(axis=0)[None], axis=0)
    return (1.0 + first) / (1.0 + inefficiency)


def _ratio_over_time(inefficiency: Floats) -> Floats:
    ratio = np.full(inefficiency.shape, np.nan)
    ratio[1:] = (1.0 + inefficiency[:-1]) / (1.0 + inefficiency[1:])
    return ratio


def _divided(a: Floats, b: Floats) -> Floats:
    """Ratio a / b; NaN where either is not above zero: a distance of −1 or less has no ratio."""
    fine = (a > 0) & (b > 0)
    return np.where(fine, a / np.where(fine, b, 1.0), np.nan)
