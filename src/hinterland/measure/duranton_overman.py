"""Localisation and dispersion of an industry against random sites (Duranton & Overman 2005)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.measure.k_density import (
    Floats,
    Points,
    binned_k_density,
    count_pairs,
    k_density,
    pair_distances,
    pair_products,
    pair_weight,
    silverman_bandwidth,
)
from hinterland.measure.k_density_draws import counts_by_draw, draw_sites

Hold = Literal["both", "each"]

_EXACT_PLANTS = 1000
"""Up to so many plants the density observed is summed over pairs, of more over bins."""
_BINS_PER_BANDWIDTH = 10
_KERNEL_REACH = 6
"""Bandwidths beyond which a pair does not count: the kernel has fallen to 2e-8 of its height."""
_MEDIAN_SITES = 2000
_MEDIAN_PAIRS = 2_000_000


@dataclass(frozen=True, slots=True)
class Bands:
    """What random sites give at each distance: [points] arrays.

    Attributes:
        local_low: quantile (1 − level) of the draws at each distance.
        local_high: quantile ``level``.
        global_low: no more than a share 1 − level of the draws reaches the global bands anywhere.
        global_high: the same, above.
    """

    local_low: Floats
    local_high: Floats
    global_low: Floats
    global_high: Floats


@dataclass(frozen=True, slots=True)
class KDensity:
    """The density of distances of an industry beside that of random sites.

    Attributes:
        distance: [points] from 0 to the cut-off, in km or the unit of the coordinates.
        density: [points] per unit of distance.
        bands: of the draws.
        localisation: [points] how far the density is above the upper global band.
        dispersion: [points] how far it is below the lower one; 0 everywhere if the industry is localised anywhere.
        localisation_index: the sum of ``localisation`` times the step: Γ of the paper, which has steps of 1 km.
        dispersion_index: the same of ``dispersion``: Ψ.
        bandwidth: h, the same for the industry and the draws.
        plants: of the industry.
        sites: from which was drawn.
    """

    distance: Floats
    density: Floats
    bands: Bands
    localisation: Floats
    dispersion: Floats
    localisation_index: float
    dispersion_index: float
    bandwidth: float
    plants: int
    sites: int


def median_distance(sites: Points, seed: int = 0) -> float:
    """Median distance between two sites: exact up to 2000 sites, else of two million random pairs."""
    n = len(sites)
    if n <= _MEDIAN_SITES:
        return float(np.median(pair_distances(sites))) if n > 1 else float("nan")
    rng = np.random.default_rng(seed)
    first = rng.integers(n, size=_MEDIAN_PAIRS)
    second = (first + rng.integers(1, n, size=_MEDIAN_PAIRS)) % n
    straight = np.linalg.norm(sites.at[first] - sites.at[second], axis=1)
    return float(np.median(sites.along(straight)))


def global_bands(draws: Floats, level: float = 0.95, hold: Hold = "both") -> tuple[Floats, Floats]:
    """Bands of one rank at every distance, as narrow as lets no more than a share 1 − ``level`` of the draws reach them anywhere.

    The lower band is the k-th smallest draw at each distance, the upper the k-th largest, with the same k everywhere: identical local
    confidence at all distances (Duranton & Overman 2005, section 4). Draws on a band count, since one more random industry would leave it as
    often as a draw is on it or outside. With few draws more than that share touches even the outermost bands, which are then taken.

    Args:
        draws: [draws, points] densities of random sites.
        level: share of draws that stays between the bands.
        hold: ``both``: between the two bands at once. ``each``: above the lower, and apart from that below the upper band.
    """
    ordered = np.sort(draws, axis=0)
    from scipy.stats import rankdata

    from_below = rankdata(draws, "max", axis=0).min(axis=1)
    from_above = rankdata(-draws, "max", axis=0).min(axis=1)
    if hold == "both":
        low = high = _largest_rank(np.minimum(from_below, from_above), level)
    else:
        low, high = _largest_rank(from_below, level), _largest_rank(from_above, level)
    return ordered[low - 1], ordered[-high]


def _largest_rank(extreme: Floats, level: float) -> int:
    """The largest k such that no more than a share 1 − ``level`` has an extreme rank of k or less, at least 1. ``extreme``: [draws] from 1."""
    outside = int((1 - level) * len(extreme) + 1e-9)
    return max(int(np.sort(extreme)[outside]) - 1, 1)


def bands_of(draws: Floats, level: float = 0.95, hold: Hold = "both") -> Bands:
    """Local and global bands of [draws, points] densities of random sites."""
    low, high = np.quantile(draws, [1 - level, level], axis=0)
    return Bands(low, high, *global_bands(draws, level, hold))


def departures(density: Floats, bands: Bands) -> tuple[Floats, Floats]:
    """[points] localisation Γ(d) = max(K̂(d) − K̄(d), 0), and dispersion Ψ(d), which a localised industry does not have.

    An industry that is localised at some distance must lack pairs at another, since the density
    sums to 1; so only an industry that is nowhere localised can be dispersed.
    """
    localisation = np.maximum(density - bands.global_high, 0)
    dispersion = np.zeros_like(density) if localisation.any() else np.maximum(bands.global_low - density, 0)
    return localisation, dispersion


def duranton_overman(
    plants: Points,
    sites: Points,
    *,
    weights: Floats | None = None,
    draws: int = 1000,
    seed: int = 0,
    bandwidth: float | None = None,
    cutoff: float | None = None,
    steps: int = 100,
    level: float = 0.95,
    hold: Hold = "both",
    reflect: bool = True,
) -> KDensity:
    """Density of distances between plants of an industry, and what it would be if they were dealt to sites at random.

    Draws are smoothed with the industry's bandwidth, so that the industry and its bands differ in their sites only. Distances are counted in
    bins of a tenth of the bandwidth (:func:`~hinterland.measure.k_density.binned_k_density`); the density observed of up to 1000 plants is
    summed over pairs.

    Args:
        plants: [n] where the industry is, n ≥ 3.
        sites: [N] every active site, the industry's own among them, N ≥ n.
        weights: [n] employment: pairs count with the product, and plants take theirs along to the sites dealt to them.
        draws: of n sites without replacement.
        seed: of the draws.
        bandwidth: h; Silverman's rule by default.
        cutoff: largest distance; the median distance between sites by default.
        steps: between 0 and the cut-off.
        level: of the bands.
        hold: of the global bands, see :func:`global_bands`.
        reflect: whether the kernel is reflected at 0.

    Raises:
        InputError: fewer than three plants, fewer sites than plants, no bandwidth (all plants in one place), or bad options.
    """
    h = silverman_bandwidth(plants) if bandwidth is None else bandwidth
    reach = median_distance(sites) if cutoff is None else cutoff
    fail_if_any(_problems(plants, sites, weights, (h, reach), (draws, steps, level)), "Duranton-Overman density", InputError)
    at = np.linspace(0, reach, steps + 1)
    width = h / _BINS_PER_BANDWIDTH
    bins = int(np.ceil((reach + _KERNEL_REACH * h) / width))
    drawn = draw_sites(len(sites), len(plants), draws, np.random.default_rng(seed))
    total = pair_weight(len(plants), weights)
    counts = counts_by_draw(sites, drawn, width, bins, weights)
    bands = bands_of(binned_k_density(counts, width, total, at, h, reflect=reflect), level, hold)
    density = _observed(plants, weights, at, h, (width, bins, total), reflect=reflect)
    above, below = departures(density, bands)
    step = reach / steps
    return KDensity(at, density, bands, above, below, float(above.sum() * step), float(below.sum() * step), h, len(plants), len(sites))


def _observed(plants: Points, weights: Floats | None, at: Floats, h: float, binned: tuple[float, int, float], *, reflect: bool) -> Floats:
    width, bins, total = binned
    if len(plants) > _EXACT_PLANTS:
        return binned_k_density(count_pairs(plants, width, bins, weights), width, total, at, h, reflect=reflect)
    return k_density(pair_distances(plants), at, h, None if weights is None else pair_products(weights), reflect=reflect)


def _problems(
    plants: Points, sites: Points, weights: Floats | None, lengths: tuple[float, float], options: tuple[int, int, float]
) -> list[Finding]:
    (h, reach), (draws, steps, level) = lengths, options
    n, where = len(plants), "duranton_overman"
    wrong = (
        (n < 3, "too-few-plants", f"there are {n} plants", "give an industry with at least three, better ten"),
        (
            len(sites) < n,
            "fewer-sites-than-plants",
            f"{n} plants, {len(sites)} sites",
            "give every active site, the industry's own among them",
        ),
        (n >= 3 and not h > 0, "no-bandwidth", f"the bandwidth is {h:g}", "give one above 0: plants in one place have no spread"),
        (not reach > 0, "out-of-range", f"the cut-off is {reach:g}", "give a distance above 0"),
        (
            draws < 20 or steps < 1,
            "out-of-range",
            f"{draws} draws, {steps} steps",
            "take at least 20 draws and 1 step; 1000 draws are usual",
        ),
        (not 0.5 < level < 1, "out-of-range", f"the level is {level:g}", "give a share between 0.5 and 1"),
        (
            weights is not None and not (len(weights) == n and bool(np.all(weights >= 0)) and pair_weight(n, weights) > 0),
            "plant-weights",
            "weights do not fit the plants, or are negative or zero",
            "give each plant its employment, positive for at least two",
        ),
    )
    return [Finding(code, what, where, remedy) for bad, code, what, remedy in wrong if bad]
