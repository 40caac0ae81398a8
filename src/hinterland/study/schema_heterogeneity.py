"""The table [heterogeneity] of a study file: which groups, made how, and how their differences are tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from hinterland.study.fields import Names, Table, Words

Route = Literal["interaction", "stacked", "permutation"]
PairAdjustment = Literal["holm", "bonferroni", "benjamini-hochberg", "benjamini-yekutieli", "sharpened"]


class CutTable(Table):
    """Groups by the value of a numeric column in one period before the policy."""

    column: str = Field(description="The numeric column; it may change over time, since one period counts.")
    cut: Literal["median", "terciles", "quartiles"] | tuple[float | int, ...] = Field(
        default="median", description="median, terciles or quartiles over units, or a list of increasing thresholds."
    )
    when: int | None = Field(
        default=None, description="The period whose values count, before the first adoption; by default the last one before it."
    )


class GroupFileTable(Table):
    """Groups of units from a file, such as an official list of cities."""

    source: str = Field(description="The file: relative to --data or to the study file.")
    unit: str = Field(description="Its column of units: the panel's codes, or any code or name of a prefecture-level city.")
    group: str | None = Field(default=None, description="Its column of groups; without one all units of the file are one group.")
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file (utf-8, gb18030); found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")


class HeterogeneityTable(Table):
    """For whom does it work?"""

    groups: Names = Field(
        default=(),
        description="Region sets (sichuan-chongqing, macro-region, province), columns of the panel that are constant within a unit, or names of [heterogeneity.set], [heterogeneity.cut] and [heterogeneity.file]. Where there is one group only, it is compared with all other units.",
    )
    set: Mapping[str, Mapping[str, Names]] = Field(
        default_factory=dict, description='Groups with their units listed: [heterogeneity.set.bases] old = ["130200", "210300"].'
    )
    cut: Mapping[str, CutTable] = Field(
        default_factory=dict, description='Groups by a numeric column: [heterogeneity.cut.income] column = "ln_gdp_pc", when = 2009.'
    )
    file: Mapping[str, GroupFileTable] = Field(
        default_factory=dict, description='Groups from a file: [heterogeneity.file.bases] source = "bases.csv", unit = "adcode".'
    )
    label: Mapping[str, Words] = Field(
        default_factory=dict, description='What groups are called: { income = "Income in 2009", "income=high" = "Richer half" }.'
    )
    tests: tuple[Route, ...] = Field(
        default=("interaction", "stacked", "permutation"),
        description="Tests of the differences: one interacted regression, stacked influence functions, permuted group labels; [] for none.",
    )
    period_effects: Literal["group", "common"] = Field(
        default="group",
        description="In the interacted regression: period effects and covariates by group (its estimates are those of the groups one by one), or common to all.",
    )
    strata: Literal["cohort", "status"] = Field(
        default="cohort",
        description="Labels are permuted among units first treated in the same period, or among all treated units (and among those never treated).",
    )
    refits: int = Field(
        default=0, ge=0, description="Permutations for an estimator without a batch, which is fitted anew for each; 0 for none."
    )
    adjustment: PairAdjustment = Field(default="holm", description="Adjustment of p-values for the number of pairs of groups.")
    few_treated: int = Field(
        default=10,
        ge=0,
        description="With at most this many treated clusters in a group, its p-value is exact (random re-assignment within the group), and its differences rely on permuted labels.",
    )
    draws: int = Field(default=1000, ge=1, description="Re-assignments and permutations for that.")

    @property
    def named(self) -> dict[str, Any]:
        """Every grouping that the study makes itself, as JSON, by name."""
        tables = {**self.cut, **self.file}
        return {
            **{n: {g: list(u) for g, u in s.items()} for n, s in self.set.items()},
            **{n: t.model_dump(mode="json") for n, t in tables.items()},
        }
