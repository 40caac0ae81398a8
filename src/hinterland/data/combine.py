"""Cells whose labels are exchanged for others: added up where several become one, divided where one becomes several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from hinterland.errors import Finding, did_you_mean

Missing = Literal["null", "skip"]


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """Cells with other labels.

    Attributes:
        frame: the keys with the new label; the values; for each value ``v``, ``v_coverage``, the share of what was added up that is
            observed; ``split``, whether anything divided is part of it; the state, where the cells had one. Sorted by key.
        splits: the old labels that were divided: ``from``, ``to``, ``weight``.
        unmatched: cells whose label has no successor; their values are in no row of ``frame``.
        findings: what was done, warnings only.
    """

    frame: pl.DataFrame
    splits: pl.DataFrame
    unmatched: pl.DataFrame
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        divided = int(self.frame["split"].sum())
        return f"Converted({self.frame.height} cells, {divided} with a divided part; {self.unmatched.height} cells unmatched)"


@dataclass(frozen=True, slots=True)
class Plan:
    """How cells are combined.

    Attributes:
        column: of the label;  by: other keys;  values: additive numbers;  state: column of the cell's state, if there is one.
        missing: ``null`` makes a sum missing where a part of it is; ``skip`` adds what is observed.
    """

    column: str
    by: tuple[str, ...]
    values: tuple[str, ...]
    state: str | None = None
    missing: str = "null"


def plan_findings(frame: pl.DataFrame, plan: Plan) -> list[Finding]:
    """Columns that do not exist, or hold no numbers, and repeated cells."""
    have = frame.columns
    named = [plan.column, *plan.by, *plan.values, *([plan.state] if plan.state else [])]
    found = [
        Finding("unknown-column", f"there is no column {c!r}", "the cells", did_you_mean(c, have))
        for c in dict.fromkeys(named)
        if c not in have
    ]
    found += [
        Finding("not-numeric", f"column {v!r} holds {frame.schema[v]}", "the cells", "name columns of numbers as values")
        for v in plan.values
        if v in have and not frame.schema[v].is_numeric()
    ]
    if plan.missing not in get_args(Missing):
        found.append(
            Finding("unknown-value", f"missing is {plan.missing!r}", "argument missing", did_you_mean(plan.missing, get_args(Missing)))
        )
    if not found:
        twice = frame.filter(pl.struct(plan.column, *plan.by).is_duplicated())
        if twice.height:
            cell = " ".join(str(v) for v in twice.select(plan.column, *plan.by).row(0))
            what = f"{twice.height} rows repeat a cell, first {cell}"
            found.append(Finding("duplicate-cell", what, "the cells", "name every key in by, or add the rows up first"))
    return found


def combined(frame: pl.DataFrame, pairs: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Cells under their new labels.

    Args:
        frame: the cells; labels as text.
        pairs: ``from``, ``to``, ``weight`` (of a ``from``, adding up to one), ``split``.
        plan: the roles of the columns.
    """
    keys = [c for c in frame.columns if c in (plan.column, *plan.by)]
    parts = frame.join(pairs.rename({"from": plan.column}), on=plan.column, how="inner", maintain_order="left")
    parts = parts.with_columns(pl.col("to").alias(plan.column)).sort(*keys, maintain_order=True)
    weight = pl.col("weight")
    sums = []
    for value in plan.values:
        number = pl.col(value).cast(pl.Float64).fill_nan(None)
        seen = number.is_not_null()
        shown = seen.all() if plan.missing == "null" else seen.any()
        sums.append(pl.when(shown).then((number * weight).sum()).alias(value))
        sums.append(((weight * seen).sum() / weight.sum()).alias(f"{value}_coverage"))
    state = [_state(plan)] if plan.state else []
    return parts.group_by(*keys, maintain_order=True).agg(*sums, *state, pl.col("split").any())


def _state(plan: Plan) -> pl.Expr:
    """The state of a sum: of its worst part, or, where parts are skipped, of its best."""
    state = pl.col(plan.state or "")
    hidden, absent, seen = (state == s for s in ("suppressed", "missing", "observed"))
    order = [(hidden.any(), "suppressed"), (absent.any(), "missing")]
    if plan.missing == "skip":
        order = [(seen.any(), "observed"), (hidden.any(), "suppressed")]
    last = "observed" if plan.missing == "null" else "missing"
    chosen = pl.when(order[0][0]).then(pl.lit(order[0][1])).when(order[1][0]).then(pl.lit(order[1][1])).otherwise(pl.lit(last))
    return chosen.alias(plan.state or "")
