"""Counterfactual draws of plants' sites, and the distances within every draw, counted in bins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.spatial.distance import cdist

from hinterland.measure.k_density import Floats, Points, bin_of, count_distances, count_pairs, pair_distances, pair_products

_ROWS = 256
"""Sites whose distances are taken at a time."""
_PAIR, _SITE_PAIR, _SITE_PAIR_DRAW, _SITE_BIN_DRAW = 8.0, 12.0, 0.03, 0.28
"""Nanoseconds, as measured: for plants² and a draw; for sites²; for sites² and a draw; for a site, a bin and a draw."""
_PLANTS_AT_ONCE = 2800
"""Up to so many plants the products of weights of all pairs are kept for all draws."""
_WORD, _LARGEST_BYTE, _MOVES = 8, 255, 256
_EVEN = np.uint64(0x00FF00FF00FF00FF)
_BYTE = np.uint64(8)


def draw_sites(sites: int, plants: int, draws: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """[draws, plants] sites drawn without replacement, each draw in random order."""
    drawn = np.empty((draws, plants), dtype=np.int32)
    for row in drawn:
        row[:] = rng.choice(sites, plants, replace=False)
    return drawn


def counts_by_draw(sites: Points, drawn: NDArray[np.int32], width: float, bins: int, weights: Floats | None = None) -> Floats:
    """[draws, bins] pairs by distance within every draw of sites.

    Either the distances of each draw are counted, or, where plants are more than about a tenth of the sites, every pair of sites is
    taken once for all draws (:func:`count_all_sites`). Both give the same counts.

    Args:
        sites: all active sites.
        drawn: [draws, plants] rows of ``sites``.
        width: of a bin, in the unit of distance.
        bins: how many, from 0; longer distances are left out.
        weights: [plants] employment, which the plants take along to the sites they are dealt.
    """
    draws, plants = drawn.shape
    each_draw = _PAIR * draws * plants**2
    all_sites = len(sites) * (len(sites) * (_SITE_PAIR + _SITE_PAIR_DRAW * draws) + _SITE_BIN_DRAW * bins * draws)
    if weights is None and each_draw > all_sites:
        return count_all_sites(sites, drawn, width, bins)
    if weights is not None and plants <= _PLANTS_AT_ONCE:
        product = pair_products(weights)
        return np.stack([count_distances(pair_distances(sites.take(row)), width, bins, product) for row in drawn])
    return np.stack([count_pairs(sites.take(row), width, bins, weights) for row in drawn])


def count_all_sites(sites: Points, drawn: NDArray[np.int32], width: float, bins: int) -> Floats:
    """[draws, bins] pairs by distance within every draw, from one pass over all pairs of sites.

    With s the [sites, draws] matrix of zeros and ones that tells who is drawn, and E_a the [bins, later sites] matrix that tells how
    far each later site is from site a, the counts are Σ_a s_a ∘ (E_a s). Eight draws share a machine word, a byte each, so that one
    addition serves eight; bytes move to sums of 16 bits, and these to whole numbers, before they can overflow.
    """
    chosen = _chosen(len(sites), drawn)
    counts = np.zeros((bins, chosen.shape[1]), dtype=np.int64)
    for start in range(0, len(sites) - 1, _ROWS):
        stop = min(start + _ROWS, len(sites) - 1)
        distance = sites.along(cdist(sites.at[start:stop], sites.at[start:]))
        near = bin_of(distance, width, bins).astype(np.int32)
        counts += _count_rows([row[1 + k :] for k, row in enumerate(near)], chosen[start:], bins)
    return counts.T[: len(drawn)].astype(np.float64)


def _chosen(sites: int, drawn: NDArray[np.int32]) -> NDArray[np.uint8]:
    """[sites, draws] whether a site is drawn, 1 or 0; the draws are filled up to whole machine words."""
    chosen = np.zeros((sites, -(-len(drawn) // _WORD) * _WORD), dtype=np.uint8)
    chosen[drawn, np.arange(len(drawn))[:, None]] = 1
    return chosen


def _count_rows(near: list[NDArray[np.int32]], chosen: NDArray[np.uint8], bins: int) -> NDArray[np.int64]:
    """[bins, draws] pairs of the first ``len(near)`` sites with every later site. ``near[k]``: the bins of the sites after site k."""
    words = chosen.view(np.uint64)
    counts = np.zeros((bins, chosen.shape[1]), dtype=np.int64)
    small, even, odd = (np.zeros((bins, words.shape[1]), dtype=np.uint64) for _ in range(3))
    room, moved = _LARGEST_BYTE, 0
    for k, row in enumerate(near):
        drawn = words[k] * np.uint64(_LARGEST_BYTE)
        for part, most in _parts(row, 0, bins):
            if most > room:
                _move(small, even, odd)
                room, moved = _LARGEST_BYTE, moved + 1
                if moved == _MOVES:
                    counts += _empty(even, odd)
                    moved = 0
            room -= most
            sums = _sums(row[part], words[k + 1 :][part], bins)
            sums &= drawn
            small += sums
    _move(small, even, odd)
    return counts + _empty(even, odd)


def _move(small: NDArray[np.uint64], even: NDArray[np.uint64], odd: NDArray[np.uint64]) -> None:
    """Add the bytes of ``small`` to sums of 16 bits, and set them to 0."""
    even += small & _EVEN
    small >>= _BYTE
    odd += small & _EVEN
    small[:] = 0


def _parts(row: NDArray[np.int32], start: int, bins: int) -> Iterator[tuple[slice, int]]:
    """Stretches of ``row`` with at most 255 sites in any bin, and the most in one."""
    most = int(np.bincount(row, minlength=bins + 1)[:bins].max(initial=0))
    if most <= _LARGEST_BYTE:
        yield slice(start, start + len(row)), most
        return
    half = len(row) // 2
    yield from _parts(row[:half], start, bins)
    yield from _parts(row[half:], start + half, bins)


def _sums(row: NDArray[np.int32], words: NDArray[np.uint64], bins: int) -> NDArray[np.uint64]:
    """[bins, words] sums of the words of sites by bin, byte by byte."""
    counted = row < bins
    first = np.concatenate([[0], np.cumsum(counted)], dtype=np.int32)
    indices = row[counted]
    member = csc_array((np.ones(len(indices), dtype=np.uint64), indices, first), shape=(bins, len(row)))
    return np.asarray(member @ words)


def _empty(even: NDArray[np.uint64], odd: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[bins, draws] the 16-bit sums of even and odd draws, which are set to 0."""
    counts = np.empty((len(even), even.shape[1] * 4, 2), dtype=np.int64)
    counts[:, :, 0], counts[:, :, 1] = even.view(np.uint16), odd.view(np.uint16)
    even[:], odd[:] = 0, 0
    return counts.reshape(len(even), -1)
