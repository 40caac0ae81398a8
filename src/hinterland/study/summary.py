"""A run in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl


def headlines(effects: pl.DataFrame) -> Iterator[str]:
    """One line per outcome: the headline's average effect with its interval. ``effects`` is :attr:`Run.effects`."""
    lead = effects.filter(
        (pl.col("role") == "headline") & (pl.col("sample") == "all") & pl.col("aggregation").is_in(["overall", "coefficient"])
    )
    first = lead.sort(pl.col("aggregation") != "overall", maintain_order=True).unique("outcome", keep="first", maintain_order=True)
    named = lead["outcome"].unique(maintain_order=True).to_list()
    for row in sorted(first.iter_rows(named=True), key=lambda r: named.index(r["outcome"])):
        interval = f"[{row['conf_low']:.4g}, {row['conf_high']:.4g}]" if row["conf_low"] is not None else "no interval"
        yield f"{row['outcome']}: {row['estimate']:.4g} {interval} ({row['method']})"


def recommended(recommendations: pl.DataFrame, chosen: Mapping[str, str]) -> Iterator[str]:
    """One line per outcome: the headline that its data call for beside the study's, and what else they call for.

    ``chosen``: the study's headline by outcome.
    """
    for (outcome,), rows in recommendations.group_by("outcome", maintain_order=True):
        estimators = rows.filter(pl.col("kind") == "estimator")
        lead = estimators.filter(pl.col("role") == "headline")["id"].to_list()
        own = chosen.get(str(outcome), "")
        avoided = own in estimators.filter(pl.col("role") == "avoid")["id"].to_list()
        verdict = (
            "as the study has it" if own in lead else f"the study leads with {own}" + (", which it advises against" if avoided else "")
        )
        instead = rows.filter((pl.col("kind") == "inference") & (pl.col("role") == "instead"))["id"].to_list()
        inference = f"; inference by {', '.join(instead)}" if instead else ""
        yield f"{outcome}: the data recommend {' and '.join(lead)} as headline ({verdict}){inference}"
