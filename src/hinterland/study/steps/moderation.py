"""Moderation steps: the effect as a function of a moderator, by every version."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, HinterlandWarning, StudyError, did_you_mean
from hinterland.evaluate.moderation_result import Moderation
from hinterland.evaluate.moderator import Fixing, fix_moderator
from hinterland.labels import Note
from hinterland.study.plan_moderation import strata_methods
from hinterland.study.schema_moderation import ModeratorTable
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.evaluate import outcome_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace, tolerated

BARS = 24
"""Bars of the histogram of a moderator."""
_GROUP = "group of the moderation"


def moderation(work: Workspace, step: Step) -> Output:
    """Slopes, effects along the line, bins and histogram; a note where the data do not allow them.

    Only the first estimator of the strata records what does not depend on it.
    """
    table = work.study.moderation[step.group]
    try:
        found = estimated(work, step, table)
    except EstimationError as error:
        note = Note("moderation-not-possible", {"moderator": step.group, "outcome": step.outcome, "reason": tolerated(error)})
        return output([("notes", notes_table(step.id, [note]))])
    first = strata_methods(work.study, outcome_of(work.study, step.outcome), table)[0] == step.method
    slopes = found.slopes if first else found.slopes.filter(pl.col("version") == "strata")
    bins = found.bins if first else found.bins.filter(pl.col("version") == "strata")
    parts = [("moderation", slopes.with_columns(**_facts(found))), ("moderation_bins", bins)]
    if first:
        parts += [("moderation_effects", found.effects), ("moderation_histogram", histogram(found.values))]
    head = {"outcome": pl.lit(step.outcome), "moderator": pl.lit(step.group)}
    parts = [(name, frame.with_columns(**head)) for name, frame in parts]
    policy = work.cohorts().notes
    own = [Note(n.code, {**n.values, "group": str(table.group)}) if "group" in n.values else n for n in found.notes if n not in policy]
    return output([*parts, ("notes", notes_table(step.id, own))])


def estimated(work: Workspace, step: Step, table: ModeratorTable) -> Moderation:
    """The moderation of one step. Raises ``EstimationError`` where the slope cannot be estimated."""
    from hinterland.evaluate.moderation import moderation as estimate

    settings = work.settings(step.method)
    panel, group = grouped(work, leveled(work, table), table.group)
    clusters = settings.cluster[0] if settings.cluster else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)  # the notes say the same
        return estimate(
            panel,
            step.outcome,
            work.cohorts(),
            table.column,
            fixed=table.fixed,
            level=table.level and level_column(table.level),
            cluster=table.cluster or (None if table.level else clusters),
            centre=table.centre,
            bins=table.bins if isinstance(table.bins, int) else tuple(float(c) for c in table.bins),
            group=group,
            family=outcome_of(work.study, step.outcome).family,
            method=step.method,
            covariates=settings.covariates,
            comparison=settings.comparison,
            anticipation=settings.anticipation,
            fe=settings.fe,
            draws=table.draws,
            seed=seed_of(work.study, f"moderation/{step.outcome}/{step.group}"),
            options=work.options(step.outcome, step.method),
        )


def fixing_of(work: Workspace, outcome: str, table: ModeratorTable) -> Fixing:
    """The moderator as the study fixes it. Raises ``InputError`` with every reason why it cannot be one."""
    level = table.level and level_column(table.level)
    return fix_moderator(
        leveled(work, table),
        outcome,
        work.cohorts(),
        table.column,
        fixed=table.fixed,
        level=level,
        anticipation=work.study.evaluate.anticipation,
    )


def level_column(level: str) -> str:
    """The column of a level: region sets make one with an underscore."""
    return level.replace("-", "_") if level == "macro-region" else level


def leveled(work: Workspace, table: ModeratorTable) -> Panel:
    """The panel with the level's column, from the packaged geography where it is a region set and the panel has no such column."""
    panel = work.panel
    if table.level in ("province", "macro-region") and level_column(table.level) not in panel.frame.columns:
        from hinterland.data.geography import with_regions

        return with_regions(panel, (table.level,))
    return panel


def grouped(work: Workspace, panel: Panel, group: str | None) -> tuple[Panel, str | None]:
    """The panel with a column that is 1 in the group, and how it is asked for.

    Raises:
        StudyError: a set of several groups of which none is named, or no such set, column or group.
    """
    if group is None:
        return panel, None
    name, _, wanted = group.partition("=")
    placed = work.group_of(name)
    levels = placed["group"].unique().sort().to_list()
    if wanted not in levels and not (wanted == "" and levels == [name]):
        remedy = did_you_mean(group, [f"{name}={v}" for v in levels])
        raise StudyError(Finding("unknown-group", f"{group!r} names no group of units", "moderation, group", remedy), "study")
    inside = placed.filter(pl.col("group") == (wanted or name))["unit"]
    held = pl.col(panel.unit).cast(pl.String).is_in(inside.implode())
    return replace(panel, frame=panel.frame.with_columns(held.cast(pl.Int64).alias(_GROUP))), f"{_GROUP}=1"


def _facts(found: Moderation) -> dict[str, Any]:
    meta, test = found.meta, found.linearity
    facts: dict[str, Any] = {"column": found.moderator, **{k: meta[k] for k in ("fixed", "level", "cluster")}}
    facts |= {k: meta[k] for k in ("centre", "scale", "support_low", "support_high", "l_kurtosis")}
    if test is not None:
        named = {"linearity": test.statistic, "linearity_df1": test.df1, "linearity_df2": test.df2, "linearity_p": test.p_value}
        facts |= {**named, "linearity_p_wild": test.p_wild}
    numbers = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in facts.items()}
    return {k: pl.lit(v) for k, v in numbers.items() if v is not None}


def histogram(values: pl.DataFrame) -> pl.DataFrame:
    """``low, high, n_treated, n_comparison``: units by the value of the moderator, in bars of equal width."""
    x, treated = values["value"].to_numpy(), values["treated"].to_numpy()
    edges = np.linspace(x.min(), x.max(), BARS + 1)
    counts = {name: np.histogram(x[who], edges)[0].astype(np.int64) for name, who in (("n_treated", treated), ("n_comparison", ~treated))}
    return pl.DataFrame({"low": edges[:-1], "high": edges[1:], **counts})
