"""What has to be said about the goods and the pairs that market segmentation was computed from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, listed
from hinterland.measure.data import Cube
from hinterland.measure.segmentation import LEAST_GOODS, LEAST_PAIRS, Pairs, Segmentation, basket_changes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOISY_GOODS = 8
"""With fewer goods than the smallest basket of the literature a variance is noisy."""


def about_goods(cube: Cube, change: Floats, pairs: Pairs, found: Segmentation, first: Bools) -> tuple[Finding, ...]:
    """Islands, pairs and goods that are too few, baskets that narrow and that change."""
    said = (
        *_islands(cube.labels[1], found),
        *_too_few(cube, change, pairs, found, first),
        *_narrowed(cube, change, pairs, found),
        *_changed(cube, found),
    )
    return tuple(said)


def _islands(regions: pl.Series, found: Segmentation) -> Iterator[Finding]:
    alone = regions.filter(pl.Series(found.possible == 0))
    if len(alone):
        what = f"{len(alone)} region(s) have no neighbour in the pair set: {listed(alone)}"
        remedy = 'add a pair for each, pass pairs="all", or accept that they have no value'
        yield Finding("no-neighbour", what, "parameter pairs", remedy, "warning")


def _too_few(cube: Cube, change: Floats, pairs: Pairs, found: Segmentation, first: Bools) -> Iterator[Finding]:
    present = np.asarray(np.isfinite(change).any(axis=2))
    active = (present[:, pairs.a] & present[:, pairs.b]).sum(axis=1)
    few = ~first & (active < LEAST_PAIRS)
    if few.any():
        what = f"fewer than {LEAST_PAIRS} pairs have prices in {_periods(cube, few)}: with one pair deviations are zero, with two they mirror each other"
        yield Finding("too-few-pairs", what, "pair set", "compare at least three pairs of regions", "warning")
    goods = found.pairs.basket.sum(axis=1)
    few = ~first & (active >= LEAST_PAIRS) & (goods < LEAST_GOODS)
    if few.any():
        counts = listed(goods[few].tolist())
        what = f"the basket has fewer than {LEAST_GOODS} goods in {_periods(cube, few)} (it has {counts})"
        remedy = 'leave out regions that lack goods, or pass basket="unbalanced"'
        yield Finding("too-few-goods", what, "goods", remedy, "warning")
    noisy = (goods >= LEAST_GOODS) & (goods < NOISY_GOODS)
    if noisy.any():
        what = f"the basket has fewer than {NOISY_GOODS} goods in {_periods(cube, noisy)}, so that each variance is noisy"
        yield Finding("few-goods", what, "goods", "use more goods, or average over years", "warning")


def _narrowed(cube: Cube, change: Floats, pairs: Pairs, found: Segmentation) -> Iterator[Finding]:
    """Goods that some regions have and that the basket leaves out because others lack them."""
    seen = np.isfinite(change)
    member = np.zeros(change.shape[1], dtype=np.bool_)
    member[pairs.a] = member[pairs.b] = True
    lost = np.asarray(seen.any(axis=1)) & ~found.pairs.basket
    lacking = lost[:, None, :] & ~seen & (np.any(seen, axis=2, keepdims=True) & member[:, None])
    if not lacking.any():
        return
    years = np.asarray(lost.any(axis=1))
    by_region = lacking.sum(axis=(0, 2))
    worst = np.argsort(-by_region, kind="stable")[: int((by_region > 0).sum())]
    regions, goods = cube.labels[1], cube.labels[2]
    cells = [f"{regions[int(p)]} lacks {listed(goods.filter(pl.Series(lacking[:, p].any(axis=0))), 3)}" for p in worst]
    what = f"goods are left out of the basket in {_periods(cube, years)} because not every pair has them: {'; '.join(cells[:3])}"
    more = f"; and {len(cells) - 3} more region(s)" if len(cells) > 3 else ""
    yield Finding(
        "basket-narrowed", what + more, "goods", 'complete the prices, leave the regions out, or pass basket="unbalanced"', "warning"
    )


def _changed(cube: Cube, found: Segmentation) -> Iterator[Finding]:
    at = basket_changes(found.pairs.basket)
    if len(at):
        flags = np.isin(np.arange(len(cube.labels[0])), at)
        what = f"the basket of goods changes in {_periods(cube, flags)}, so that levels before and after do not compare"
        yield Finding("basket-changed", what, "goods", "add period effects, or use the goods of all years only", "warning")


def _periods(cube: Cube, at: Bools) -> str:
    times = cube.labels[0].filter(pl.Series(at)).drop_nulls()
    return listed(times) if len(times) else "the table"
