"""Spatial Markov chains: does the wealth of the neighbours change where a region moves?

Rey, S. J. (2001), Spatial empirics for economic growth and convergence, *Geographical Analysis* 33(3), 195-214. Tests of homogeneity: Anderson & Goodman (1957), *Annals of
Mathematical Statistics* 28; Bickenbach & Bode (2003), *International Regional Science Review* 26(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import chdtrc

from hinterland.measure.inequality import Floats
from hinterland.measure.markov import Codes, Cut, classify, transition_codes, transition_counts
from hinterland.measure.weights import lag, lag_columns

Scheme = Literal["exchange", "lag-only"]


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Are the transitions alike in every stratum?

    Attributes:
        likelihood_ratio: ``2 sum n ln(p_stratum / p_all)``.
        pearson: ``sum (n - expected)^2 / expected``.
        degrees: degrees of freedom, from rows that occur and transitions that occur (Bickenbach & Bode 2003).
        p_likelihood_ratio, p_pearson: from the chi-squared distribution; NaN without degrees of freedom.
    """

    likelihood_ratio: float
    pearson: float
    degrees: int
    p_likelihood_ratio: float
    p_pearson: float


@dataclass(frozen=True, slots=True)
class Permuted:
    """Statistics under draws in which trajectories change places.

    Attributes:
        likelihood_ratio, pearson: [D] of each draw.
        p_likelihood_ratio, p_pearson: ``(1 + draws at least as large) / (1 + D)``.
    """

    likelihood_ratio: Floats
    pearson: Floats
    p_likelihood_ratio: float
    p_pearson: float


@dataclass(frozen=True, slots=True)
class Classified:
    """A panel as classes of its own values and of its neighbours' mean.

    Attributes:
        own, around: [T, R] classes, -1 where not known.
        cutoffs: of own values; [k - 1], or [T, k - 1] when set by year.
        lag_cutoffs: of the neighbours' means, likewise.
        cut: how they were made.
    """

    own: Codes
    around: Codes
    cutoffs: Floats
    lag_cutoffs: Floats
    cut: Cut

    def counts(self, step: int = 1) -> Floats:
        """[k, k, k] transitions over ``step`` periods by the neighbours' class in the first."""
        k = self.cut.classes
        return transition_counts(transition_codes(self.own, k, step), k, self.around[:-step], k)


def classified(y: Floats, weights: csr_array, cut: Cut) -> Classified:
    """Classes of values and of neighbours' means.

    Args:
        y: [T, R] values, relative to the year's mean where they trend; NaN where not observed.
        weights: [R, R] whose rows add up to one.
        cut: classes of either.
    """
    around = lag(weights, y)
    own_cut = cut.cutoffs(y)
    lag_cut = own_cut if cut.shared else cut.cutoffs(around)
    return Classified(classify(y, own_cut), classify(around, lag_cut), own_cut, lag_cut, cut)


def statistics(counts: Floats) -> tuple[Floats, Floats]:
    """Likelihood ratio and Pearson statistic of homogeneity for each of any number of tables, [..., strata, k, k] → [...]."""
    row = counts.sum(-1, keepdims=True)
    pooled = counts.sum(-3, keepdims=True)
    total = pooled.sum(-1, keepdims=True)
    expected = row * np.divide(pooled, total, out=np.zeros(pooled.shape), where=total > 0)
    seen, possible = counts > 0, expected > 0
    ratio = np.divide(counts, expected, out=np.ones(counts.shape), where=seen)
    gap = np.divide((counts - expected) ** 2, expected, out=np.zeros(counts.shape), where=possible)
    return 2 * (counts * np.log(ratio)).sum((-3, -2, -1)), gap.sum((-3, -2, -1))


def homogeneity(counts: Floats) -> Homogeneity:
    """Tests that the transition matrices [strata, k, k] are one."""
    pooled = counts.sum(axis=0)
    strata = (counts.sum(axis=2) > 0).sum(axis=0)
    ways = (pooled > 0).sum(axis=1)
    degrees = int((np.maximum(strata - 1, 0) * np.maximum(ways - 1, 0)).sum())
    ratio, pearson = (float(s) for s in statistics(counts))
    p = [float(chdtrc(degrees, s)) if degrees > 0 else float("nan") for s in (ratio, pearson)]
    return Homogeneity(ratio, pearson, degrees, p[0], p[1])


def permuted(
    y: Floats, weights: csr_array, found: Classified, *, draws: int, seed: int, scheme: Scheme = "exchange", step: int = 1
) -> Permuted:
    """Draws of the homogeneity statistics when whole trajectories are put in other places at random.

    ``exchange`` moves a region's own classes with its values and sets the neighbours' cutoffs anew in each draw, so that data and draws are treated alike: with
    exchangeable trajectories the p-value is exact. ``lag-only`` leaves own classes and the data's cutoffs where they are, and moves only what the neighbours have, as
    giddy does.

    Args:
        y, weights: as in :func:`classified`;  found: its result for them.
        draws: D, one or more;  seed: of the random numbers.
        step: periods of a transition.
    """
    rng = np.random.default_rng(seed)
    columns, k, kept = np.ascontiguousarray(y.T), found.cut.classes, scheme == "lag-only"
    moves = np.ascontiguousarray(transition_codes(found.own, k, step).T)
    counts = np.empty((draws, k, k, k))
    for d in range(draws):
        place = rng.permutation(y.shape[1])
        around = lag_columns(weights, columns[place]).T
        cutoffs = found.lag_cutoffs if kept or found.cut.shared else found.cut.cutoffs(around)
        counts[d] = transition_counts((moves if kept else moves[place]).T, k, classify(around, cutoffs)[:-step], k)
    ratio, pearson = statistics(counts)
    observed = statistics(found.counts(step))
    p = [float((1 + (s >= o * (1 - 1e-12)).sum()) / (1 + draws)) for s, o in zip((ratio, pearson), observed, strict=True)]
    return Permuted(ratio, pearson, p[0], p[1])
