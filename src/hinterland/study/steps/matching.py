"""The matching step: who is matched with whom, and how alike the groups are before and after."""

from __future__ import annotations

import polars as pl

from hinterland.study.step import Step
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def matching(work: Workspace, step: Step) -> Output:
    """One row of ``matching``, its table of balance, the scores, and the notes that name who is left out."""
    found = work.matched(step.variant)
    rule, key = found.rule, pl.lit(step.variant.key).alias("row")
    balance = found.balance()
    names = balance.filter(pl.col("variable") != "propensity_score")["variable"].to_list()
    whole = {k: int(v) for k, v in found.counts.items() if k.startswith("n_")}
    head = {"row": step.variant.key, "method": rule.method, "by": rule.by, "covariates": " + ".join(names)}
    shares = {k: v for k, v in found.counts.items() if not k.startswith("n_")}
    row = pl.DataFrame([{**head, "when": rule.settings().get("when"), **whole, **shares}], infer_schema_length=None)
    return output(
        [
            ("matching", row),
            ("matching_balance", balance.with_columns(key)),
            ("matching_scores", found.weights.with_columns(key)),
            ("notes", notes_table(step.id, found.notes)),
        ]
    )
