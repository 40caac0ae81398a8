"""A run in a few lines."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl


def headlines(effects: pl.DataFrame) -> Iterator[str]:
    """One line per outcome: the headline's average effect with its interval. ``effects`` is :attr:`Run.effects`."""
    lead = effects.filter(
        (pl.col("role") == "headline") & (pl.col("sample") == "all") & pl.col("aggregation").is_in(["overall", "coefficient"])
    )
    for row in lead.unique("effects_id", keep="first", maintain_order=True).iter_rows(named=True):
        interval = f"[{row['conf_low']:.4g}, {row['conf_high']:.4g}]" if row["conf_low"] is not None else "no interval"
        yield f"{row['outcome']}: {row['estimate']:.4g} {interval} ({row['method']})"
