"""The study file as types: every table and key, what it means, and what it accepts.

The models are strict (no conversion of ``"5"`` to 5), frozen, and refuse unknown keys. They check one key at a time; what
only makes sense between keys is in :mod:`hinterland.study.consistency`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from hinterland.evaluate.matching_rule import MatchMethod
from hinterland.study.fields import (
    ComparisonRule,
    FamilyAdjust,
    Format,
    Formula,
    MethodId,
    Names,
    Partial,
    Procedures,
    RegionDrop,
    RegionSetName,
    SensitivityKind,
    SpatialKernel,
    Table,
    Timing,
    Uncertain,
    Value,
    Vcov,
    Words,
)
from hinterland.study.schema_battery import BatteryTable
from hinterland.study.schema_curve import CurveTable
from hinterland.study.schema_displacement import ChannelTable
from hinterland.study.schema_heterogeneity import HeterogeneityTable
from hinterland.study.schema_matching import MatchTable
from hinterland.study.schema_measure import MeasureTable
from hinterland.study.schema_mechanism import MechanismTable
from hinterland.study.schema_moderation import ModeratorTable
from hinterland.study.schema_plan import PlanTable
from hinterland.study.schema_source import SourceTable
from hinterland.study.schema_transfer import TransferTable


class StudyTable(Table):
    """What the study is called and how it is reproduced."""

    title: Words = Field(description='Title of the report: one text, or { en = "…", zh = "…" }.')
    summary: Words | None = Field(
        default=None, description="One paragraph under the title: the question, the data, the caveats the author wants said."
    )
    language: Literal["en", "zh", "both"] = Field(default="en", description="Language of the report.")
    seed: int = Field(default=1, ge=0, description="Seed of everything random; each step derives its own from it and from the step's name.")


class WorldTable(Table):
    """Parameters of a simulated world, when ``[panel].source`` is ``world:…``."""

    seed: int = Field(default=0, ge=0, description="Seed of the simulation.")
    units: int | None = Field(default=None, ge=2, description="Number of cities; the 293 real ones by default.")
    periods: int | None = Field(default=None, ge=2, description="Number of years; 15 by default.")
    first_year: int | None = Field(default=None, ge=1, description="First year; 2008 by default.")
    cohorts: int | tuple[int, ...] | None = Field(default=None, description="How many cohorts, or their years; the register's by default.")
    parameters: Mapping[str, int | float] = Field(
        default_factory=dict, description="What the policy does and which assumptions fail: { effect = 0, pretrend = 0.02 }."
    )


class FilterTable(Table):
    """Which rows and units of the panel are used."""

    where: str | None = Field(
        default=None, description="Keep the rows for which this expression is true, in the language of [panel.derive]."
    )
    complete: Names = Field(default=(), description="Keep the units that have a value of each of these columns in every period.")
    drop_units: Names = Field(default=(), description="Leave these units out.")


class MergeTable(Table):
    """How prefectures that were abolished, divided or re-coded are made comparable over time."""

    split: Literal["group", "drop"] = Field(
        default="group", description="A unit divided among several: one territory with all of them, or left out."
    )
    rules: Mapping[str, str] = Field(
        default_factory=dict, description="How a column is combined: sum, mean, mean:<weight column>, min, max or first."
    )


class JoinTable(Table):
    """Columns of another file, joined by unit and period."""

    source: str = Field(description="File with the columns.")
    unit: str = Field(description="Its unit column.")
    time: str | None = Field(default=None, description="Its period column; leave it out for columns that do not change over time.")
    match: Literal["code", "cities"] = Field(
        default="code", description="How units meet: by code as written, or as the prefecture-level cities that codes and names stand for."
    )
    columns: Names = Field(min_length=1, description="The columns to take.")
    rename: Mapping[str, str] = Field(default_factory=dict, description='New names: { old = "new" }.')
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file (utf-8, gb18030); found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")
    missing: Names = Field(default=(), description="Further marks of a missing value, beside the usual ones.")


class PanelTable(Table):
    """Where the data are and what the columns are for."""

    source: str = Field(
        description='A file (.csv .xlsx .dta .parquet), relative to --data or to the study file; or "world:demonstration-zones".'
    )
    unit: str = Field(description="Column that identifies the unit (a city's GB/T 2260 code, for the packaged registers and regions).")
    time: str = Field(description="Period column.")
    years: tuple[int, int] | None = Field(default=None, description="First and last period used.")
    weight: str | None = Field(default=None, description="Column of sampling weights.")
    cluster: str | None = Field(default=None, description="Column that inference clusters on by default; the unit, when it is not given.")
    coordinates: tuple[str, str] | None = Field(default=None, description="Longitude and latitude columns.")
    encoding: str | None = Field(default=None, description="Text encoding of a CSV file (utf-8, gb18030); found by itself by default.")
    sheet: str | int | None = Field(default=None, description="Sheet of a workbook, by name or by number from 0.")
    rename: Mapping[str, str] = Field(default_factory=dict, description='New names: { old = "new" }.')
    missing: Names = Field(default=(), description="Further marks of a missing value, beside the usual ones.")
    text: Names = Field(default=(), description="Columns to leave as text though they look like numbers.")
    omit: Names = Field(default=(), description="Columns of the data to leave out, so that measures can take their names.")
    merge: MergeTable | None = Field(
        default=None, description="Bring abolished, divided and re-coded prefectures (Chaohu, 2011) to comparable territories."
    )
    world: WorldTable | None = Field(default=None, description="Parameters of a simulated world.")
    filter: FilterTable = Field(default_factory=FilterTable, description="Which rows and units are used.")
    derive: Mapping[str, str] = Field(default_factory=dict, description='New columns by expressions: ln_y = "log1p(y)".')
    join: tuple[JoinTable, ...] = Field(default=(), description="Columns of other files.")
    regions: tuple[RegionSetName, ...] = Field(
        default=(),
        description="Columns from the packaged geography, by the unit's code or name: province, macro-region (column macro_region).",
    )
    labels: Mapping[str, Words] = Field(
        default_factory=dict, description='What columns are called in tables and figures: { share2 = { en = "…", zh = "…" } }.'
    )


class PolicyTable(Table):
    """Who is treated, and from when."""

    register_: str | None = Field(
        default=None, alias="register", description="Packaged register of dated facts, such as industrial-transfer-zones."
    )
    column: str | None = Field(default=None, description="Panel column with each unit's first treated period.")
    treatment: str | None = Field(
        default=None,
        description="Panel column that is 1 when a unit is treated and 0 when it is not. Beside register or column it is compared with their dates, and contradictions are errors.",
    )
    reversible: bool = Field(
        default=False,
        description="The treatment column may be switched off again, or hold any number that changes with time; for methods that allow it, such as dcdh.",
    )
    never: tuple[int | str, ...] = Field(
        default=(0,), description="Values of column that mean never treated (a missing value always does)."
    )
    timing: Timing = Field(
        default="first_full_year", description="Which period counts as the first treated one, from the date of approval."
    )
    partial: Partial = Field(
        default="exclude", description="What happens to units covered in part: left out, treated, or given their share as dose."
    )
    uncertain: Uncertain = Field(default="exclude", description="What happens to entries of the register whose membership is not certain.")
    conflict: Literal["earliest", "latest"] = Field(default="earliest", description="Which date holds when a unit has two.")
    cutoff_month: int = Field(
        default=6, ge=1, le=12, description="Last month of approval that still counts for the same year, under timing = cutoff_month."
    )
    single_unit_cohorts: Literal["error", "keep"] = Field(
        default="error",
        description="A cohort of one unit has effects whose standard errors cannot be estimated: refuse it, or keep it and say so.",
    )
    since: int | None = Field(default=None, description="First year of approval that counts.")
    until: int | None = Field(default=None, description="Last year of adoption that counts.")


class OutcomeTable(Table):
    """One outcome."""

    name: str = Field(description="Its column (from the data or from [panel.derive]).")
    family: Literal["gaussian", "poisson"] = Field(
        default="gaussian", description="gaussian: a level or a logarithm; poisson: a count, modelled in levels."
    )
    label: Words | None = Field(default=None, description='What it is called in tables and figures: one text, or { en = "…", zh = "…" }.')
    unit: Words | None = Field(default=None, description="What it is measured in.")


class BootstrapTable(Table):
    """How simultaneous confidence bands are computed."""

    kind: Literal["multiplier", "analytic"] = Field(
        default="multiplier", description="Multiplier bootstrap of the influence function, or sup-t of its Gaussian limit."
    )
    draws: int = Field(default=999, ge=99, description="Draws.")
    level: float = Field(default=0.95, gt=0.5, lt=1, description="Coverage of the whole band.")


class EvaluateTable(Table):
    """The estimators and what they share."""

    headline: MethodId = Field(default="callaway-santanna", description="The estimator whose result is the study's answer.")
    methods: tuple[MethodId, ...] = Field(
        default=("twfe", "event-study", "callaway-santanna"),
        min_length=1,
        description="Every estimator to run; ppml joins them for outcomes of family poisson.",
    )
    covariates: Formula = Field(default=None, description='Controls: a formula ("~ ln_gdp + share2") or column names.')
    comparison: ComparisonRule = Field(default="never-treated", description="Whom the treated are compared with.")
    cluster: Names = Field(
        default=(), description="Column or columns that inference clusters on; the panel's cluster column, else the unit, by default."
    )
    vcov: Vcov | None = Field(
        default=None,
        description="Covariance estimator of every method that has it; the others keep their own, which check and the notes say.",
    )
    cutoff_km: float | None = Field(
        default=None, gt=0, description="With vcov = conley: kilometres within which errors of two units may be correlated."
    )
    lag: int | None = Field(default=None, ge=0, description="With vcov = newey-west, driscoll-kraay or conley: longest lag in periods.")
    kernel: SpatialKernel | None = Field(default=None, description="With vcov = conley: weight of a pair of units by distance.")
    anticipation: int = Field(default=0, ge=0, description="Periods before adoption in which units may already react.")
    fe: Names = Field(default=(), description='Fixed effects beyond unit and period: "province^year".')
    bootstrap: BootstrapTable | None = Field(default_factory=BootstrapTable, description="Simultaneous bands of event studies.")
    family_adjust: tuple[FamilyAdjust, ...] = Field(
        default=("romano-wolf", "benjamini-hochberg"),
        description="With two outcomes or more: p-values of the headline's average effects that account for their number; [] for none.",
    )
    options: Mapping[str, Mapping[str, Value]] = Field(
        default_factory=dict,
        description='Options of one method, and what it does differently: [evaluate.options.callaway-santanna] est_method = "ipw".',
    )


class ModelTable(Table):
    """A robustness row written out: what it changes, everything else as in the baseline."""

    name: str = Field(pattern=r"^[\w\-]+$", description="Short name, used in file and row names.")
    label: Words | None = Field(default=None, description="What the row is called in the report.")
    covariates: Formula = Field(default=None, description="Other controls; [] for none.")
    cluster: Names | None = Field(default=None, description="Other clusters.")
    vcov: Vcov | None = Field(default=None, description="Other covariance estimator.")
    cutoff_km: float | None = Field(default=None, gt=0, description="Its distance, with vcov = conley.")
    lag: int | None = Field(default=None, ge=0, description="Its longest lag, with vcov = newey-west, driscoll-kraay or conley.")
    kernel: SpatialKernel | None = Field(default=None, description="Its weight of a pair of units, with vcov = conley.")
    fe: Names | None = Field(default=None, description="Other fixed effects beyond unit and period.")
    years: tuple[int, int] | None = Field(default=None, description="Other first and last period.")
    where: str | None = Field(default=None, description="Only the rows for which this expression is true.")
    present: Names = Field(default=(), description="Only the rows that have a value of each of these columns.")
    timing: Timing | None = Field(default=None, description="Other timing rule (registers only).")
    partial: Partial | None = Field(default=None, description="Other rule for partial coverage (registers only).")
    uncertain: Uncertain | None = Field(default=None, description="Other rule for uncertain membership (registers only).")
    comparison: ComparisonRule | None = Field(default=None, description="Other comparison group.")
    methods: tuple[MethodId, ...] | None = Field(default=None, description="Other estimators than the headline and twfe.")


class DiagnosticsTable(Table):
    """What stands beside the estimates: how far assumptions may fail, what tests can see, who carries the result."""

    sensitivity: tuple[SensitivityKind, ...] = Field(
        default=("relative-magnitude",),
        description="Violations of parallel trends under which the headline's event study is read again (Rambachan & Roth 2023); [] for none.",
    )
    sensitivity_methods: tuple[MethodId, ...] = Field(default=(), description="Further estimators that are read again so.")
    grid: tuple[float, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0),
        min_length=1,
        description="Sizes of the violation: multiples of the largest change (smoothness: change of slope) seen before adoption.",
    )
    power: bool = Field(default=True, description="Power of the headline's pre-trend test, and what passing it leaves (Roth 2022).")
    leave_out: Names = Field(
        default=("cohort",),
        description="Groups left out one at a time: cohort, cluster, unit, zone (of the policy's register), a region set, or a column constant within units; [] for none.",
    )
    small_sample: Procedures = Field(
        default=("auto",),
        description="Further inference for the twfe coefficient and the headline; auto: what the data call for, nothing where clusters are many; [] for none.",
    )
    draws: int = Field(default=9999, ge=999, description="Draws of the wild bootstrap, of residuals, and of re-assignments.")
    oster: bool = Field(
        default=False, description="Selection on unobservables relative to the covariates, for the twfe coefficient (Oster 2019)."
    )


class RobustnessTable(BatteryTable):
    """Does the answer survive other choices?"""

    placebo_space: int = Field(default=0, ge=0, description="Random re-assignments of the adoption dates; 0 for none.")
    placebo_time: tuple[int, ...] = Field(default=(), description="Adoption moved this many periods earlier, on the untreated years only.")
    drop: tuple[RegionDrop, ...] = Field(
        default=(),
        description="Sets of cities to leave out, one row each; partially-covered: those that the policy covers in part (registers only).",
    )
    timing: tuple[Timing, ...] = Field(default=(), description="Other timing rules, one row each (registers only).")
    partial: tuple[Partial, ...] = Field(default=(), description="Other rules for partial coverage, one row each (registers only).")
    comparison: tuple[ComparisonRule, ...] = Field(default=(), description="Other comparison groups, one row each.")
    matching: tuple[MatchMethod, ...] = Field(
        default=(), description="Ways of matching units before the comparison, one row each (see [robustness.match])."
    )
    match: MatchTable = Field(default_factory=MatchTable)
    model: tuple[ModelTable, ...] = Field(default=(), description="Rows written out.")
    curve: CurveTable | None = Field(default=None, description="Every combination of choices, and a test of the curve as a whole.")


class ReportTable(Table):
    """What is written for readers."""

    formats: tuple[Format, ...] = Field(
        default=("html",),
        min_length=1,
        description="html: one self-contained file for all languages; docx, pdf and tex: the same text in Word, as PDF and as source for XeLaTeX, one file per language. Every table is also written as tex, docx and csv, every figure as svg, pdf and png, whatever is chosen here.",
    )
    title: Words | None = Field(default=None, description="Another title than the study's.")


def no_panel() -> PanelTable:
    """The panel of a study that has none."""
    return PanelTable(source="", unit="", time="")


class Study(Table):
    """A study file."""

    study: StudyTable
    table: Mapping[Annotated[str, Field(pattern=r"^[\w\-]+$")], SourceTable] = Field(
        default_factory=dict,
        description='Raw tables prepared once and read by several measures as "table:NAME", each under a name of your own: cities = { source = "…" }.',
    )
    measure: Mapping[Annotated[str, Field(pattern=r"^[\w\-]+$")], MeasureTable] = Field(
        default_factory=dict,
        description='Indicators computed from raw inputs, each under a name of your own: segmentation = { indicator = "…" }. A study may have nothing else.',
    )
    transfer: TransferTable | None = Field(default=None, description="The anatomy of industrial transfer. A study may have nothing else.")
    plan: PlanTable | None = Field(default=None, description="What is planned. A study may have nothing else.")
    panel: PanelTable = Field(default_factory=no_panel, description="The data of the evaluation; needed with an outcome.")
    policy: PolicyTable = Field(default_factory=PolicyTable, description="Who is treated, and from when; needed with an outcome.")
    outcome: tuple[OutcomeTable, ...] = Field(default=(), description="The outcomes, the first of which leads the report.")
    evaluate: EvaluateTable = Field(default_factory=EvaluateTable)
    diagnostics: DiagnosticsTable = Field(default_factory=DiagnosticsTable)
    robustness: RobustnessTable = Field(default_factory=RobustnessTable)
    heterogeneity: HeterogeneityTable = Field(default_factory=HeterogeneityTable)
    moderation: Mapping[str, ModeratorTable] = Field(
        default_factory=dict, description='Moderators of the effect, each under a name of your own: market_segmentation = { column = "…" }.'
    )
    displacement: Mapping[Annotated[str, Field(pattern=r"^[\w\-]+$")], ChannelTable] = Field(
        default_factory=dict,
        description='Channels through which others may lose what the treated gain, each under a name of your own: sources = { among = "…" }.',
    )
    mechanism: MechanismTable | None = Field(default=None, description="Through what the policy acts.")
    report: ReportTable = Field(default_factory=ReportTable)

    @property
    def evaluates(self) -> bool:
        """Whether the study evaluates a policy; otherwise it measures only."""
        return bool(self.outcome)

    @property
    def has_panel(self) -> bool:
        """Whether the study has a panel."""
        return "panel" in self.model_fields_set

    @property
    def is_world(self) -> bool:
        """Whether the data are simulated."""
        return self.panel.source.startswith("world:")

    @property
    def languages(self) -> tuple[Literal["en", "zh"], ...]:
        """The languages of the report."""
        return ("en", "zh") if self.study.language == "both" else (self.study.language,)

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, defaults included, as JSON."""
        return self.model_dump(mode="json", by_alias=True)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the study file, for editors that complete and check TOML."""
    schema = Study.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hinterland study file",
        **{k: v for k, v in schema.items() if k != "title"},
    }
