"""``[moderation]``: one table per moderator, under a name of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from hinterland.study.fields import MethodId, Names, Table, Words

Cuts = Annotated[tuple[StrictInt | StrictFloat, ...], Field(min_length=1)]


class ModeratorTable(Table):
    """A characteristic, fixed before treatment, with which the effect may change."""

    column: str = Field(description="Its column (from the data or from [panel.derive]).")
    label: Words | None = Field(
        default=None, description='What it is called in the report: one text, or { en = "…", zh = "…" }; its name\'s, by default.'
    )
    unit: Words | None = Field(default=None, description="What it is measured in.")
    fixed: Literal["pre", "own-pre"] | StrictInt | None = Field(
        default=None,
        description="How it is fixed before treatment: pre (mean before the first adoption of any unit), own-pre (before the unit's own), or a period; left out only for a column that does not change within units.",
    )
    level: str | None = Field(
        default=None, description="Column by whose groups it varies, or the region set province or macro-region: inference clusters on it."
    )
    cluster: str | None = Field(default=None, description="Column to cluster on instead.")
    centre: Literal["treated", "units"] | StrictInt | StrictFloat = Field(
        default="treated", description="Where the effect's level is told: at the mean over treated units, over all units, or at a value."
    )
    bins: StrictInt | Cuts = Field(default=3, description="Bins with equal numbers of treated units, or the cut points between bins.")
    group: str | None = Field(
        default=None,
        description='Group in which the slope may differ: a region set of one group (sichuan-chongqing), or "set=group", or "column=value".',
    )
    methods: tuple[MethodId, ...] = Field(default=(), description="Estimators of the effect within each bin; the headline by default.")
    outcomes: Names = Field(default=(), description="Outcomes whose effect it may moderate; all by default.")
    draws: int = Field(default=9999, ge=99, description="Draws of the wild cluster bootstrap.")
