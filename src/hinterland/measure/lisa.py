"""Local Moran: where the clusters and the outliers are, and which survive the many tests.

Anselin, L. (1995), Local indicators of spatial association - LISA, *Geographical Analysis* 27(2), 93-115. False discovery rate: Benjamini & Hochberg (1995); Caldas de Castro &
Singer (2006), *Geographical Analysis* 38(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hinterland.errors import Finding, InputError
from hinterland.measure.inequality import Floats
from hinterland.measure.moran import DRAWS, Draws, deviations, flat, permutation_p

QUADRANTS = ("high-high", "low-high", "low-low", "high-low")
"""Own value and that of the neighbours, above or below the mean; numbered from 1 in this order, as in PySAL."""
_BLOCK = 50_000


@dataclass(frozen=True, slots=True)
class LocalMoran:
    """Local statistics of R regions.

    Attributes:
        value: [R] ``(n-1) z_i (Wz)_i / z'z``: esda's scaling; spdep's default has n in place of n - 1.
        lag: [R] neighbours' mean of the standardised values.
        quadrant: [R] 1 high-high, 2 low-high, 3 low-low, 4 high-low; 0 without neighbours.
        p_value: [R] from conditional permutation; NaN without draws or neighbours.
        q_value: [R] the same adjusted for the false discovery rate (Benjamini & Hochberg).
        expected, variance: [R] under conditional randomisation (Sokal, Oden & Thomson 1998, eqs. A7-A8).
    """

    value: Floats
    lag: Floats
    quadrant: NDArray[np.int64]
    p_value: Floats
    q_value: Floats
    expected: Floats
    variance: Floats


def local_moran(y: Floats, weights: csr_array, draws: Draws = DRAWS, engine: str = "own") -> LocalMoran:
    """Local Moran with the region's own value held in place and the others permuted.

    Args:
        y: [R] values, finite.
        weights: [R, R] whose rows add up to one, or are empty.
        draws: conditional permutations; esda's ``p_sim`` has the alternative ``directed``.
        engine: ``own``, or ``esda`` for that package's permutations (the extra ``spatial``).

    Returns:
        All NaN when y does not vary.

    Raises:
        InputError: ``missing-extra``, when ``esda`` is asked for and is not installed.
    """
    n = len(y)
    if flat(y):
        nothing = np.full(n, np.nan)
        return LocalMoran(nothing, nothing, np.zeros(n, dtype=np.int64), nothing, nothing, nothing, nothing)
    z = deviations(y)
    z = z / np.sqrt(float(z @ z) / n)
    alone = np.diff(weights.indptr) == 0
    around = np.asarray(weights @ z)
    value = np.where(alone, np.nan, (n - 1) / n * z * around)
    p = np.full(n, np.nan)
    if draws.count:
        sampler = esda_draws if engine == "esda" else conditional_draws
        p = np.where(alone, np.nan, sampler(z, weights, value, draws))
    expected, variance = conditional_moments(z, weights)
    quadrant = np.where(alone, 0, np.where(z > 0, np.where(around > 0, 1, 4), np.where(around > 0, 2, 3)))
    return LocalMoran(value, np.where(alone, np.nan, around), quadrant, p, false_discovery(p), expected, variance)


def conditional_draws(z: Floats, weights: csr_array, value: Floats, draws: Draws) -> Floats:
    """[R] p-values of ``value`` [R]: each region's neighbours are drawn from all others without replacement, the same draws of ranks serving every region.

    Args:
        z: [R] values with mean 0 and variance 1.
    """
    n = len(z)
    cards = np.diff(weights.indptr)
    ranks = draw_ranks(n - 1, int(cards.max()), draws)
    low, high = z[ranks], z[ranks + 1]
    p = np.full(n, np.nan)
    size = max(_BLOCK // draws.count, 1)
    for start in range(0, n, size):
        i = np.arange(start, min(start + size, n))
        drawn = np.zeros((len(i), draws.count))
        for k in range(int(cards[i].max())):
            more = cards[i] > k
            held = slice(None) if more.all() else np.flatnonzero(more)
            w = weights.data[weights.indptr[i[held]] + k, None]
            # The others of region i are the ranks below i, and those from i on one place further up.
            drawn[held] += w * np.where(ranks[k] < i[held, None], low[k], high[k])
        p[i] = permutation_p(value[i], (n - 1) / n * z[i, None] * drawn, draws.alternative)
    return p


def draw_ranks(others: int, size: int, draws: Draws) -> NDArray[np.int64]:
    """[size, D] numbers from 0 to ``others`` - 1, no two alike in one draw."""
    rng = np.random.default_rng(draws.seed)
    if size * size > others:
        return np.ascontiguousarray(rng.permuted(np.tile(np.arange(others), (draws.count, 1)), axis=1)[:, :size].T)
    ranks = rng.integers(0, others, (size, draws.count))
    while True:
        ordered = np.sort(ranks, axis=0)
        twice = np.flatnonzero((ordered[1:] == ordered[:-1]).any(axis=0))
        if len(twice) == 0:
            return ranks
        ranks[:, twice] = rng.integers(0, others, (size, len(twice)))


def esda_draws(z: Floats, weights: csr_array, value: Floats, draws: Draws) -> Floats:
    """[R] p-values from the conditional permutations of :class:`esda.Moran_Local`; arguments as in :func:`conditional_draws`."""
    import warnings

    try:
        from esda.moran import Moran_Local
        from libpysal.weights import WSP
    except ImportError as error:
        raise InputError(missing_extra(), "parameter engine") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Moran_Local(z, WSP(weights).to_W(silence_warnings=True), permutations=draws.count, seed=draws.seed, keep_simulations=True)
    return permutation_p(value, np.asarray(found.rlisas), draws.alternative)


def missing_extra() -> Finding:
    """What to do without esda."""
    return Finding(
        "missing-extra",
        "the packages esda and libpysal are not installed",
        "parameter engine='esda'",
        "pip install 'hinterland[spatial]', or leave engine='own', which needs nothing more",
    )


def conditional_moments(z: Floats, weights: csr_array) -> tuple[Floats, Floats]:
    """[R] mean and variance of the local statistic, scaled by n - 1, with own value held in place (Sokal, Oden & Thomson 1998, eqs. A7, A8).

    Args:
        z: [R] values with mean 0 and variance 1.
    """
    n = len(z)
    total = np.asarray(weights.sum(axis=1)).reshape(-1)
    square = np.asarray(weights.multiply(weights).sum(axis=1)).reshape(-1)
    spread = z**2 * (square - total**2 / (n - 1)) * (1 - z**2 / (n - 1))
    return -(z**2) * total / n, spread * (n - 1) ** 2 / (n * (n - 2)) if n > 2 else np.full(n, np.nan)


def false_discovery(p: Floats) -> Floats:
    """[R] p-values adjusted by Benjamini & Hochberg: those below alpha are the discoveries at that rate; NaN stays NaN."""
    held = np.flatnonzero(np.isfinite(p))
    order = held[np.argsort(p[held], kind="stable")]
    m = len(order)
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1], 1.0)
    return out
