"""The table [mechanism] of the study file: mediators of the effect."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from hinterland.study.fields import Names, SlopeSource, Table, Words


class MechanismTable(Table):
    """Through what does the policy act?"""

    mediators: Names = Field(
        min_length=1,
        description="Columns between policy and outcome, taken together: the effect on each, and the share of the total effect that it carries.",
    )
    outcomes: Names = Field(default=(), description="Outcomes that are explained, of family gaussian; the first of them by default.")
    confounders: Names = Field(
        default=(),
        description="Columns that the policy may have changed and that move both mediator and outcome: beside the mediators in the regression of the outcome.",
    )
    slope: SlopeSource = Field(
        default="untreated",
        description="Where the headline takes the outcome's slopes in the mediators from: rows without treatment, or all rows with a fixed effect for every treated cohort and period. twfe takes them beside the treatment.",
    )
    draws: int = Field(default=1999, ge=99, description="Draws of the cluster bootstrap.")
    labels: Mapping[str, Words] = Field(default_factory=dict, description='What mediators are called: { ln_m = { en = "…", zh = "…" } }.')
