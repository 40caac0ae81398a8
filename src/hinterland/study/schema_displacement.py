"""``[displacement]``: one table per channel through which others may lose what the treated gain, under a name of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt

from hinterland.study.fields import Names, Table, Words

Kilometres = Annotated[tuple[StrictInt | StrictFloat, ...], Field(min_length=1)]


class ChannelTable(Table):
    """Who may lose to the hosts (the units that are treated), and how they are linked to them."""

    label: Words | None = Field(
        default=None,
        description='What those who may lose are called in the report: one text, or { en = "…", zh = "…" }; a word for its name, by default.',
    )
    among: str | tuple[str, ...] | None = Field(
        default=None,
        description='Units on which an effect is allowed: a group ("macro-region=east", "column=value", a set of one group, groups of [heterogeneity]), or a list of units; all by default.',
    )
    among_file: str | None = Field(default=None, description="The same from a file with a column unit.")
    nearest: StrictInt | None = Field(
        default=None,
        ge=0,
        description="The exposure is the share treated of this many nearest units, 4 by default (0: of all within within_km).",
    )
    within_km: StrictInt | StrictFloat | None = Field(default=None, gt=0, description="Kilometres within which they lie.")
    decay: StrictInt | StrictFloat | None = Field(
        default=None, ge=0, description="Their weights fall with distance to this power; 0 by default."
    )
    partners: Literal["hosts", "units"] | None = Field(
        default=None,
        description="Whom the nearest are sought among: hosts, where among or among_file is given, or all units, where it is not, by default.",
    )
    rings: Kilometres | None = Field(default=None, description="Instead of the nearest: rings around hosts, by breakpoints in kilometres.")
    file: str | None = Field(
        default=None, description="Instead of the nearest: a file of pairs with columns unit, host (or neighbour) and, if wanted, weight."
    )
    others: Literal["controls", "out"] = Field(
        default="controls", description="Untreated units outside among that the link reaches: clean controls, or left out while it does."
    )
    outcomes: Names = Field(default=(), description="Outcomes that the channel is told for; all of family gaussian by default.")
