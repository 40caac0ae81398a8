"""What is wrong with the moderators of a study, found with its data before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, InputError
from hinterland.evaluate.design import Design
from hinterland.evaluate.moderation_bins import make_bins
from hinterland.evaluate.moderator import Fixing
from hinterland.study.schema import OutcomeTable
from hinterland.study.schema_moderation import ModeratorTable
from hinterland.study.step import headline_for
from hinterland.study.steps.moderation import fixing_of, grouped, leveled
from hinterland.study.workspace import Workspace

_KEY = {"unknown-value": "fixed", "moderator-varies": "fixed", "moderator-no-period": "fixed", "moderator-after-treatment": "fixed"}
"""The key that a finding is about, where it is not the column."""


def moderation_findings(work: Workspace) -> Iterator[Finding]:
    """Every problem of every moderator: its column, how it is fixed, its level, its group; and warnings about bins and clusters."""
    for name, table in work.study.moderation.items():
        outcomes = [o for o in work.study.outcome if not table.outcomes or o.name in table.outcomes]
        if not outcomes:
            continue
        try:
            fixing = fixing_of(work, outcomes[0].name, table)
        except InputError as error:
            yield from (_placed(work, name, f) for f in error.findings)
        else:
            yield from (_placed(work, name, f) for f in fixing.warnings)
            yield from (_placed(work, name, f) for f in (*_clusters(work, table), *_bins(_design(work, outcomes[0]), fixing, table)))
        try:
            grouped(work, work.panel, table.group)
        except InputError as error:
            yield from (replace(f, where=work.loaded.where("moderation", name, "group")) for f in error.findings)


def _design(work: Workspace, outcome: OutcomeTable) -> Design | None:
    """The design of the headline; ``None`` where there is none, which is a finding of its own."""
    try:
        return work.design(outcome.name, headline_for(work.study, outcome))
    except InputError:
        return None


def _placed(work: Workspace, name: str, finding: Finding) -> Finding:
    """The finding with the line of the key that it is about."""
    about = "level" if "level" in finding.what and finding.code != "moderator-varies" else _KEY.get(finding.code, "column")
    table = work.study.moderation[name]
    if about == "column" and finding.code in ("not-constant-in-unit", "moderator-within-level"):
        about = "level"
    about = {"moderation-cluster": "cluster", "empty-bin": "bins", "moderator-one-bin": "bins"}.get(finding.code, about)
    where = work.loaded.where("moderation", name, about if getattr(table, about) is not None else "column")
    return replace(finding, where=f"{where}: {finding.where}")


def _clusters(work: Workspace, table: ModeratorTable) -> Iterator[Finding]:
    """Clusters that are named and finer than the level at which the moderator varies."""
    if table.cluster is None or table.level is None or table.cluster == table.level:
        return
    frame = leveled(work, table).frame
    if table.cluster not in frame.columns:
        what = f"there is no column {table.cluster!r} to cluster on"
        yield Finding("unknown-column", what, "panel", f"name a column of the panel, such as {table.level!r}")
        return
    level = table.level.replace("-", "_") if table.level == "macro-region" else table.level
    most = frame.group_by(level).agg(pl.col(table.cluster).n_unique().alias("n"))["n"].max()
    if isinstance(most, int) and most > 1:
        what = f"the moderator varies by {table.level!r}, and inference clusters below it, on {table.cluster!r}"
        remedy = f"leave cluster out, so that it clusters on {table.level!r}: standard errors are too small otherwise"
        yield Finding("moderation-cluster", what, f"up to {most} clusters in one {table.level}", remedy, "warning")


def _bins(design: Design | None, fixing: Fixing, table: ModeratorTable) -> Iterator[Finding]:
    """Bins in which nobody is treated, or nobody is not."""
    if design is None:
        return
    units = fixing.units.cast(pl.String).to_list()
    known = dict(zip(units, fixing.value.tolist(), strict=True))
    value = np.array([known.get(str(u), np.nan) for u in design.unit_labels])
    seen = np.isfinite(value)
    if not (seen & (design.cohort != NEVER)).any():
        return
    try:
        bins = make_bins(
            design.take(seen[design.unit]), value[seen], table.bins if isinstance(table.bins, int) else tuple(map(float, table.bins))
        )
    except EstimationError as error:
        yield from error.findings
        return
    for j in range(bins.size):
        lacking = "treated" if not bins.n_treated[j] else "comparison" if not bins.n_comparison[j] else ""
        if lacking:
            what = f"no {lacking} unit is in bin {j + 1} of the moderator {fixing.column!r}"
            where = (
                f"values {bins.edges[j]:g} to {bins.edges[j + 1]:g}: {bins.n_treated[j]} treated, {bins.n_comparison[j]} comparison units"
            )
            yield Finding("empty-bin", what, where, "move the cut points, or take fewer bins: its effect is extrapolated", "warning")
