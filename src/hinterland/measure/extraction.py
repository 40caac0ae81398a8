"""Hypothetical extraction: what an economy loses without a sector or a region (Dietzenbacher & Lahr 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.leontief import coefficients, factorised, fail_if_not_table

__all__ = ["Extraction", "extract"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is left when each block is taken out in turn.

    Attributes:
        remaining: output after extraction, x̄, [blocks, n].
        loss: Σx - Σx̄, [blocks].
        importance: loss as a share of Σx, [blocks].
        loss_outside: loss of the sectors outside the block, [blocks].
    """

    remaining: Floats
    loss: Floats
    importance: Floats
    loss_outside: Floats


def extract(
    deliveries: Floats,
    final: Floats,
    blocks: Sequence[Ints],
    *,
    mode: Literal["keep_f", "total"] = "keep_f",
    links: Literal["all", "external"] = "all",
) -> Extraction:
    """Extract each block of sectors in turn.

    Without the rows and columns of block K in A, the others produce x̄_O = (I - A_OO)⁻¹f_O = x_O - L_OK L_KK⁻¹ x_K, so that one factorisation of I - A serves
    every block: a low-rank update for each, not an inverse.

    Args:
        deliveries: Z, [n, n].
        final: f, [n].
        blocks: positions of each block.
        mode: ``keep_f``: the block still meets its own final demand, and the loss is net of it;  ``total``: that is lost too.
        links: ``all``: deliveries within the block go as well, x̄_K = f_K;  ``external``: only those across its border, x̄_K = (I - A_KK)⁻¹f_K.

    Raises:
        ValueError: an empty block, or a table that is not one.
    """
    fail_if_not_table(deliveries, final)
    if any(len(block) == 0 for block in blocks):
        raise ValueError("a block to extract is empty")
    x = deliveries.sum(axis=1) + final
    matrix = coefficients(deliveries, x)
    factor = factorised(matrix)
    remaining = np.empty((len(blocks), len(x)))
    for row, block in enumerate(blocks):
        unit = np.zeros((len(x), len(block)))
        unit[block, np.arange(len(block))] = 1.0
        column = factor.solve(unit)
        remaining[row] = x - column @ np.linalg.solve(column[block], x[block])
        remaining[row, block] = _inside(matrix, final, block, mode, links)
    loss = x.sum() - remaining.sum(axis=1)
    within = np.array([x[block].sum() - remaining[row, block].sum() for row, block in enumerate(blocks)])
    return Extraction(remaining, loss, loss / x.sum(), loss - within)


def _inside(matrix: Floats, final: Floats, block: Ints, mode: str, links: str) -> Floats:
    if mode == "total":
        return np.zeros(len(block))
    if links == "all":
        return final[block]
    return factorised(matrix[np.ix_(block, block)]).solve(final[block])
