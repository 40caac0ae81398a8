"""Patents with their IPC symbols behind a simulated panel, whose mean knowledge width is the panel's quality."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel
from hinterland.data.world_economy import cities, grid, input_laws, years
from hinterland.data.world_process import stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTHS = (0.08, 0.87)
"""Between these, some pattern of symbols has a knowledge width within 0.01 of any number."""

_SUBGROUPS = 50
_STEP = 25


@dataclass(frozen=True, slots=True)
class Patterns:
    """How the symbols of a patent may fall into main groups: L patterns, by their knowledge width.

    Attributes:
        width: [L] 1 - Σ α², ascending;  symbols: [L] how many.
        sizes: [L, 12] symbols in each main group, 0 beyond the last.
        mean: [E] mean width of the laws, which are the base law tilted by e^(η·width), η = -60 … 60.
        cumulative: [E·L] their distribution functions, the e-th shifted by e, so that they ascend end to end.
    """

    width: Floats
    symbols: Ints
    sizes: Ints
    mean: Floats
    cumulative: Floats


@cache
def patterns() -> Patterns:
    """Every pattern of up to 12 symbols, and two groups of up to 24 with at most 4 in the smaller one."""
    law = input_laws()["patents"]
    listed = [p for n in range(1, 13) for p in _partitions(n, n)] + [(n - k, k) for n in range(13, 25) for k in range(1, 5)]
    listed.sort(key=lambda p: (_width(p), len(p), p))
    width = np.array([_width(p) for p in listed])
    base = np.array([law["more"] ** sum(p) * _ewens(p, law["variety"]) for p in listed])
    tilted = base * np.exp(np.linspace(-60, 60, 961)[:, None] * width)
    tilted /= tilted.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(tilted, axis=1)
    shifted = np.arange(len(tilted))[:, None] + cumulative / cumulative[:, -1:]
    sizes = np.array([p + (0,) * (12 - len(p)) for p in listed])
    return Patterns(width, sizes.sum(axis=1), sizes, (tilted * width).sum(axis=1), shifted.ravel())


def _partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for first in range(min(total, largest), 0, -1):
        for rest in _partitions(total - first, first):
            yield (first, *rest)


def _width(sizes: tuple[int, ...]) -> float:
    return 1 - sum(s * s for s in sizes) / sum(sizes) ** 2


def _ewens(sizes: tuple[int, ...], variety: float) -> float:
    """Probability of a partition of n symbols by Ewens' sampling formula (1972)."""
    n = sum(sizes)
    log = math.lgamma(n + 1) + math.lgamma(variety) - math.lgamma(variety + n)
    return math.exp(log + sum(m * math.log(variety / size) - math.lgamma(m + 1) for size, m in Counter(sizes).items()))


def draw_widths(rng: np.random.Generator, count: Ints, mean: Floats) -> Ints:
    """[C, most] patterns of the patents of C cells, -1 beyond the cell's ``count`` [C], whose mean width is ``mean`` [C].

    One patent after the other is drawn from the law whose mean is what the rest of the cell still needs; the last one is the pattern nearest to it.
    """
    made = patterns()
    drawn = np.full((len(count), int(count.max(initial=0))), -1, dtype=np.int64)
    need = mean.copy()
    for j in range(drawn.shape[1]):
        left = count - j
        some, last = np.flatnonzero(left > 1), np.flatnonzero(left == 1)
        drawn[some, j] = _inside(_tilted(rng, need[some]), need[some], left[some])
        drawn[last, j] = _nearest(need[last])
        need[some] += (need[some] - made.width[drawn[some, j]]) / (left[some] - 1)
    return drawn


def _tilted(rng: np.random.Generator, mean: Floats) -> Ints:
    """[C] patterns drawn from laws with these means: a mixture of the two tabulated laws on either side."""
    made = patterns()
    above = np.clip(np.searchsorted(made.mean, mean), 1, len(made.mean) - 1)
    share = np.clip((mean - made.mean[above - 1]) / (made.mean[above] - made.mean[above - 1]), 0, 1)
    row = np.where(rng.random(len(mean)) < share, above, above - 1)
    found = np.searchsorted(made.cumulative, row + rng.random(len(mean)), side="right")
    return np.asarray(np.clip(found - row * len(made.width), 0, len(made.width) - 1))


def _inside(pattern: Ints, need: Floats, left: Ints) -> Ints:
    """[C] the patterns, or the nearest ones after which the remaining patents can still reach the mean."""
    width = patterns().width[pattern]
    low, high = np.minimum(WIDTHS[0], need), np.maximum(WIDTHS[1], need)
    kept = np.clip(width, left * need - (left - 1) * high, left * need - (left - 1) * low)
    return np.where(kept == width, pattern, _nearest(kept))


def _nearest(width: Floats) -> Ints:
    """[C] the pattern whose width is nearest."""
    known = patterns().width
    above = np.clip(np.searchsorted(known, width), 1, len(known) - 1)
    return np.where(width - known[above - 1] <= known[above] - width, above - 1, above)


def patents_frame(panel: Panel, seed: int, most: int) -> pl.DataFrame:
    """``patent``, ``adcode``, ``year`` (of application), ``kind`` and ``ipc``: one row per invention and symbol, at most ``most`` inventions of a city and year."""
    count = np.minimum(grid(panel, "inventions"), most)
    pattern = draw_widths(stream(seed, "inputs patents"), count.ravel(), grid(panel, "quality").ravel())
    cell, _ = np.nonzero(pattern >= 0)
    pattern = pattern[pattern >= 0]
    city, when = cell // panel.n_periods, cell % panel.n_periods
    owner, symbol = _symbols(stream(seed, "inputs ipc"), pattern, city)
    names = _patent_names(years(panel), when)
    return pl.DataFrame({"patent": names[owner]}).with_columns(
        adcode=cities(panel)["adcode"][city[owner]],
        year=pl.Series(years(panel)[when[owner]]),
        kind=pl.lit("invention"),
        ipc=_symbol_names()[symbol],
    )


def _patent_names(calendar: Ints, when: Ints) -> pl.Series:
    """Numbers in the form of applications: year, 1 for an invention, serial number within the year."""
    order = np.argsort(when, kind="stable")
    serial = np.empty_like(when)
    start = np.concatenate([[0], np.cumsum(np.bincount(when, minlength=len(calendar)))[:-1]])
    serial[order] = np.arange(len(when)) - start[when[order]] + 1
    return pl.Series((calendar[when] * 10 + 1) * 10**9 + serial).cast(pl.String)


def _symbols(rng: np.random.Generator, pattern: Ints, city: Ints) -> tuple[Ints, Ints]:
    """For each symbol its patent and its place in :func:`_symbol_names`; the symbols of a patent differ, and its parts are different main groups."""
    made, groups = patterns(), len(_main_groups())
    home = _home_groups(rng, city)
    step, first = rng.integers(1, _STEP + 1, len(pattern)), rng.integers(0, _SUBGROUPS, len(pattern))
    part = [np.repeat(np.arange(12), sizes) for sizes in made.sizes]
    place = [np.concatenate([np.arange(s) for s in sizes]) for sizes in made.sizes]
    start = np.concatenate([[0], np.cumsum(made.symbols)[:-1]])
    owner = np.repeat(np.arange(len(pattern)), made.symbols[pattern])
    within = np.arange(len(owner)) - np.repeat(np.cumsum(made.symbols[pattern]) - made.symbols[pattern], made.symbols[pattern])
    index = start[pattern[owner]] + within
    group = (home[owner] + step[owner] * np.concatenate(part)[index]) % groups
    subgroup = (first[owner] + 7 * np.concatenate(place)[index]) % _SUBGROUPS
    return owner, group * _SUBGROUPS + subgroup


def _home_groups(rng: np.random.Generator, city: Ints) -> Ints:
    """[patents] first main group: in one of the city's own subclasses for the law's share of patents, else in any, by weight."""
    law = input_laws()["patents"]
    weight = np.array([s["weight"] for s in law["subclass"]])
    size = np.array([len(s["groups"]) for s in law["subclass"]])
    chance = np.cumsum(weight / weight.sum())
    own = np.searchsorted(chance[:-1], rng.random((int(city.max(initial=0)) + 1, law["fields"])), side="right")
    anywhere = np.searchsorted(chance[:-1], rng.random(len(city)), side="right")
    field = np.where(rng.random(len(city)) < law["own"], own[city, rng.integers(0, law["fields"], len(city))], anywhere)
    return np.asarray((np.cumsum(size) - size)[field] + rng.integers(0, size[field]))


def _main_groups() -> list[str]:
    return [f"{s['symbol']} {group}" for s in input_laws()["patents"]["subclass"] for group in s["groups"]]


@cache
def _symbol_names() -> pl.Series:
    """Every symbol: a real main group, and a subgroup in the scheme's form."""
    return pl.Series([f"{group}/{2 * sub:02d}" for group in _main_groups() for sub in range(_SUBGROUPS)])
