"""Permutations of adoption across units: who adopts when is reshuffled, how many adopt when is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, lgamma

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How adoption is reshuffled.

    Attributes:
        adoption: [B] treatment path (or cohort) of each block (a block is a unit, or a group of units that adopts as one).
        block: [N] block of each unit.
        strata: [B] stratum of each block, 0 … S - 1; adoption moves within strata only.
        sizes_fixed: whether every draw has the same number of units in each cohort (always, when blocks are units).
    """

    adoption: Index
    block: Index
    strata: Index
    sizes_fixed: bool

    @property
    def distinct(self) -> float:
        """Number of different assignments, the actual one included (``inf`` beyond 10^300)."""
        log = 0.0
        for stratum in range(int(self.strata.max()) + 1):
            counts = np.unique(self.adoption[self.strata == stratum], return_counts=True)[1]
            log += lgamma(counts.sum() + 1) - sum(lgamma(c + 1) for c in counts)
        return float("inf") if log > 690 else round(exp(log))


def make_scheme(adoption: Index, block: Index | None = None, strata: Index | None = None) -> Scheme:
    """A scheme from the treatment path (or cohort) of each unit [N], its block [N] and its stratum [N].

    Raises:
        EstimationError: units of one block adopt at different times or lie in different strata, or no two blocks of any
            stratum differ in adoption (nothing to reshuffle).
    """
    units = np.arange(len(adoption), dtype=np.intp)
    block = units if block is None else block
    strata = np.zeros_like(units) if strata is None else strata
    first = np.unique(block, return_index=True)[1]
    _fail_if_blocks_mixed(adoption, block, strata, first)
    by_block, by_stratum = adoption[first], strata[first]
    mixed = any(len(np.unique(by_block[by_stratum == s])) > 1 for s in range(int(by_stratum.max()) + 1))
    if not mixed:
        raise EstimationError(
            Finding(
                "nothing-to-permute",
                "all units of each stratum adopt at the same time, so no reshuffle differs from the actual assignment",
                f"{int(by_stratum.max()) + 1} strata, {len(first)} blocks",
                "use fewer strata, or none",
            ),
            "placebo",
        )
    members = np.bincount(block)
    return Scheme(by_block, block, by_stratum, bool((members == members[0]).all()))


def _fail_if_blocks_mixed(adoption: Index, block: Index, strata: Index, first: Index) -> None:
    findings = []
    for values, what in ((adoption, "adopt at different times"), (strata, "lie in different strata")):
        bad = np.unique(block[values != values[first][block]])
        if len(bad):
            findings.append(
                Finding(
                    "mixed-block",
                    f"{len(bad)} group(s) hold units that {what}",
                    f"groups number {listed(bad.tolist())}",
                    "permute at the level of units (level=None)",
                )
            )
    fail_if_any(findings, "placebo", EstimationError)


def permutations(scheme: Scheme, draws: int, seed: int, chunk: int) -> Iterator[Index]:
    """Chunks [≤ chunk, N] of treatment paths (or cohorts): first the actual assignment, then ``draws`` permutations of it.

    The draws depend on ``seed`` only, not on ``chunk``: each stratum has its own stream.
    """
    levels = [np.flatnonzero(scheme.strata == s) for s in range(int(scheme.strata.max()) + 1)]
    streams = np.random.default_rng(seed).spawn(len(levels))
    by_unit = np.array_equal(scheme.block, np.arange(len(scheme.block)))
    yield scheme.adoption[scheme.block][None, :]
    for start in range(0, draws, chunk):
        rows = min(chunk, draws - start)
        shuffled = np.empty((rows, len(scheme.adoption)), dtype=np.intp)
        for members, stream in zip(levels, streams, strict=True):
            shuffled[:, members] = stream.permuted(np.broadcast_to(scheme.adoption[members], (rows, len(members))), axis=1)
        yield shuffled if by_unit else shuffled[:, scheme.block]


def every_assignment(scheme: Scheme) -> Index:
    """[distinct, N] every different assignment of the scheme, the actual one first. Their number is :attr:`Scheme.distinct`."""
    parts = [
        (members, _rearrangements(scheme.adoption[members]))
        for members in (np.flatnonzero(scheme.strata == s) for s in range(int(scheme.strata.max()) + 1))
    ]
    out = np.empty((1, len(scheme.adoption)), dtype=np.intp)
    for members, arrangements in parts:
        rows = np.repeat(out, len(arrangements), axis=0)
        rows[:, members] = np.tile(arrangements, (len(out), 1))
        out = rows
    return np.asarray(out[:, scheme.block])


def _rearrangements(values: Index) -> Index:
    """[distinct, B] the different orders of ``values`` [B], the given one first."""
    ordered = np.sort(values).tolist()
    found = [list(ordered)]
    while (following := _next_order(ordered)) is not None:
        ordered = following
        found.append(list(ordered))
    table = np.array(found, dtype=np.intp)
    actual = (table == values).all(axis=1)
    return np.concatenate([table[actual], table[~actual]])


def _next_order(values: list[int]) -> list[int] | None:
    """The next order in the dictionary's sense; ``None`` after the last."""
    last = len(values) - 2
    while last >= 0 and values[last] >= values[last + 1]:
        last -= 1
    if last < 0:
        return None
    swap = max(i for i in range(last + 1, len(values)) if values[i] > values[last])
    out = list(values)
    out[last], out[swap] = out[swap], out[last]
    return [*out[: last + 1], *reversed(out[last + 1 :])]


def assignment_codes(design: Design) -> Index:
    """[N] units that share their first treated period, share covered and observed treatment have the same code.

    Raises:
        EstimationError: treatment that may be switched off is observed on an unbalanced panel, so it cannot be dealt to another unit.
    """
    parts = [design.cohort[:, None].astype(np.float64), design.dose[:, None]]
    if design.treatment_level is not None:
        if not design.balanced:
            what = "treatment that may be switched off cannot be dealt out on a panel with gaps"
            raise EstimationError(Finding("not-exchangeable", what, "design", "keep units observed in every period"), "randomisation")
        parts.append(design.treatment_level.reshape(design.n_units, design.n_periods))
    return np.unique(np.concatenate(parts, axis=1), axis=0, return_inverse=True)[1].ravel().astype(np.intp)


def unit_groups(panel: Panel, design: Design, column: str, purpose: str) -> Index:
    """[N] code of ``column`` for each unit of the design, which must be constant within units and never missing."""
    panel.require([column], purpose)
    table = panel.frame.group_by(pl.col(panel.unit).cast(pl.String).alias("unit")).agg(
        pl.col(column).n_unique().alias("levels"), pl.col(column).first().alias("value")
    )
    joined = pl.DataFrame({"unit": design.unit_labels}).join(table, on="unit", how="left", maintain_order="left")
    findings = []
    for bad, what in ((pl.col("levels") > 1, "changes within"), (pl.col("value").is_null(), "is missing for")):
        units = joined.filter(bad)["unit"].to_list()
        if units:
            findings.append(
                Finding(
                    "not-constant-in-unit",
                    f"column {column!r} {what} {len(units)} unit(s)",
                    listed(units),
                    f"give each unit one value of {column!r}",
                )
            )
    fail_if_any(findings, purpose, EstimationError)
    codes: Index = joined["value"].rank("dense").to_numpy().astype(np.intp) - 1
    return codes
