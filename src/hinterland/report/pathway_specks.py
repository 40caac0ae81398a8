"""What the chapter of a plan leaves out as too small to be told, and the note that says how much that is."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hinterland.plan.specks import NOTHING, Left, cut, region_sizes, specks
from hinterland.report.pathway_words import PlanWords


def without_specks(words: PlanWords, frame: pl.DataFrame, amounts: Sequence[str]) -> tuple[pl.DataFrame, Left]:
    """The frame with 0 where its amounts are too small beside the capacity of their host and the largest of their column, and what was left out.

    Args:
        words: the record.
        frame: amounts of money or capacity by ``host``, 100 million yuan.
        amounts: their columns.
    """
    if not frame.height:
        return frame, NOTHING
    made, left = cut(_sized(words, frame), amounts)
    return made.drop("size"), left


def rows_without_specks(words: PlanWords, frame: pl.DataFrame, amount: str, within: Sequence[str] = ()) -> tuple[pl.DataFrame, Left]:
    """The rows of a frame by host whose amount is not too small, those of 0 among them, and what was left out.

    Args:
        words: the record.
        frame: amounts of money or capacity by ``host``, 100 million yuan.
        amount: their column.
        within: columns that tell blocks apart.
    """
    if not frame.height:
        return frame, NOTHING
    sized = _sized(words, frame)
    return sized.filter(~specks(amount, "size", within)).drop("size"), cut(sized, [amount], within=within)[1]


def _sized(words: PlanWords, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the ``size`` of its hosts; null where the record does not have it."""
    capacity = words.rows("capacity")
    if not capacity.height:
        return frame.with_columns(size=pl.lit(None, dtype=pl.Float64))
    return frame.join(region_sizes(capacity).rename({"region": "host"}), on="host", how="left", maintain_order="left")


def jobs_without_specks(frame: pl.DataFrame, amounts: Sequence[str]) -> tuple[pl.DataFrame, Left]:
    """Table ``plan_jobs`` with 0 where its amounts are too small beside what the region employs and the largest of their column, and what was left out."""
    if not frame.height:
        return frame, NOTHING
    sized = frame.with_columns(size=pl.max_horizontal("employed_first", "employed_last").max().over("region"))
    made, left = cut(sized, amounts)
    return made.drop("size"), left


def decided(words: PlanWords) -> Left:
    """What is left out of moves and new plants at hosts, as the plan decides them by place, industry and year."""
    moved = without_specks(words, words.rows("flows"), ["value"])[1]
    capacity = words.rows("capacity")
    if not capacity.height:
        return moved
    built = capacity.filter(pl.col("region").is_in(words.hosts)).select("greenfield", host="region")
    return moved + without_specks(words, built, ["greenfield"])[1]


def told(words: PlanWords, left: Left) -> tuple[str, ...]:
    """The note on what was left out; none where nothing was."""
    if not left.n:
        return ()
    least = words.amount(_LEAST, 1)
    amount = words.amount(left.amount, 2) if left.amount >= _LEAST else words.speaker.ui("mark.pathway_under", value=least)
    return (words.speaker.ui("note.pathway_specks", n=f"{left.n:,}", amount=amount),)


_LEAST = 1e-6
"""The least amount that is written with digits."""
