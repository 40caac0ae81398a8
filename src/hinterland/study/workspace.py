"""The data of one run: each part is loaded when it is first needed, and kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import Finding, HinterlandWarning, InputError, StudyError, did_you_mean, fail_if_any
from hinterland.evaluate.covariates import plain_names
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import columns_of, fit
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.result import Effects
from hinterland.study.changes import PARTIAL, changed_panel, in_columns, panel_change, partly_covered, with_indicator
from hinterland.study.columns import made_columns, with_made_roles
from hinterland.study.estimators import DESIGN_OPTIONS, fit_options, path_options
from hinterland.study.load import LoadedStudy
from hinterland.study.programmes import Programme, read_programme
from hinterland.study.samples import between, complete, where, without_columns
from hinterland.study.schema import Study
from hinterland.study.variant import BASELINE, Variant

if TYPE_CHECKING:
    from hinterland.data.policy import PolicyRegister
    from hinterland.data.world import World
    from hinterland.evaluate.diagnose import Diagnosis
    from hinterland.evaluate.matching import Matched
    from hinterland.evaluate.matching_rule import MatchRule
    from hinterland.measure.result import Measure
    from hinterland.plan.calibration import Calibration
    from hinterland.plan.problem import Problem
    from hinterland.plan.result import Plan
    from hinterland.study.preparing import LeftOut, Prepared
    from hinterland.transfer.result import Transfer


@dataclass(frozen=True, slots=True)
class Settings:
    """What a design is made of, after options and variants: the same settings share one design."""

    covariates: str | tuple[str, ...] | None
    comparison: str
    cluster: tuple[str, ...]
    anticipation: int
    fe: tuple[str, ...]
    columns: tuple[str, ...] = ()


class Workspace:
    """Panel, policy, designs and fits of one study, each made once."""

    def __init__(self, loaded: LoadedStudy) -> None:
        self.loaded = loaded
        self.tables_so_far: Callable[[], Mapping[str, pl.DataFrame]] = dict
        """The tables of the record that the steps before have made; the runner says which."""
        self._measured: dict[str, tuple[Measure, tuple[LeftOut, ...]]] = {}
        self._prepared: dict[str, Prepared] = {}
        self._cohorts: dict[tuple[str, str, str], Cohorts] = {}
        self._panels: dict[Variant, Panel] = {}
        self._programmes: dict[str, Programme] = {}
        self._grouped: dict[str, pl.DataFrame] = {}
        self._designs: dict[tuple[str, Settings, Variant], Design] = {}
        self._fits: dict[tuple[str, str, Variant, str], Effects] = {}
        self._matched: dict[Variant, Matched] = {}
        self._diagnoses: dict[tuple[str, Settings], Diagnosis] = {}
        self._said: dict[tuple[str, str, Variant, str], list[warnings.WarningMessage]] = {}

    @property
    def study(self) -> Study:
        """The study."""
        return self.loaded.study

    def path(self, source: str) -> Path:
        """Where a data file named in the study is."""
        return self.loaded.path(source)

    @cached_property
    def world(self) -> World | None:
        """The simulated world, when the study runs on one."""
        if not self.study.is_world:
            return None
        from hinterland.data.world import simulate

        table = self.study.panel.world
        options = {} if table is None else table.model_dump(exclude_none=True)
        parameters = options.pop("parameters", {})
        return simulate(self.study.panel.source.removeprefix("world:"), **options, **parameters)

    def measured(self, name: str) -> Measure:
        """The values of the measure called ``name``."""
        return self._measure(name)[0]

    def left_out(self, name: str) -> tuple[LeftOut, ...]:
        """The rows that were left out on purpose before the measure called ``name``."""
        return self._measure(name)[1]

    def _measure(self, name: str) -> tuple[Measure, tuple[LeftOut, ...]]:
        if name not in self._measured:
            from hinterland.study.measuring import measured

            self._measured[name] = measured(self, name)
        return self._measured[name]

    def prepared(self, name: str) -> Prepared:
        """The prepared table called ``name``."""
        if name not in self._prepared:
            from hinterland.study.preparing import prepared

            self._prepared[name] = prepared(self, ("table", name), self.study.table[name])
        return self._prepared[name]

    @cached_property
    def problem(self) -> Problem:
        """The planning problem."""
        from hinterland.study.planning import problem_of

        return problem_of(self)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What evidence makes of the planning problem, where the study gives any."""
        from hinterland.study.pathway import calibrated

        return calibrated(self)

    @cached_property
    def pathway(self) -> Plan:
        """The plan."""
        from hinterland.study.pathway import planned

        return planned(self)

    @cached_property
    def pathway_without_roles(self) -> Plan | None:
        """The plan without spatial roles, where the study asks for it and there are any."""
        from hinterland.study.pathway import planned_without_roles

        return planned_without_roles(self)

    @property
    def transferred(self) -> Transfer:
        """The transfer analysis."""
        return self._transfer[0]

    @property
    def left_out_of_transfer(self) -> tuple[LeftOut, ...]:
        """The rows that were left out on purpose before the transfer analysis."""
        return self._transfer[1]

    @cached_property
    def _transfer(self) -> tuple[Transfer, tuple[LeftOut, ...]]:
        from hinterland.study.transferring import transferred

        return transferred(self)

    @cached_property
    def raw_panel(self) -> Panel:
        """The panel as measures read it: read, merged, joined, with regions; nothing measured or derived yet."""
        table = self.study.panel
        panel = self._read() if self.world is None else self._of_world(self.world)
        if table.omit:
            panel = without_columns(panel, table.omit, self.loaded.where("panel", "omit"))
        if table.merge is not None:
            from hinterland.data.administrative import merge_administrative

            panel = merge_administrative(panel, table.merge.rules, split=table.merge.split)
        panel = self._joined(panel)
        if table.regions:
            from hinterland.data.geography import with_regions

            panel = with_regions(panel, table.regions)
        return panel

    @cached_property
    def panel(self) -> Panel:
        """The panel: read, merged, joined, measured, derived, filtered."""
        from hinterland.study.measure_columns import with_measures

        table = self.study.panel
        panel = with_measures(self, self.raw_panel)
        if table.derive:
            from hinterland.data.derive import derive

            panel = derive(panel, table.derive)
        return self._filtered(with_made_roles(panel, self.study))

    def _read(self) -> Panel:
        from hinterland.data.readers import read_panel

        table, made = self.study.panel, made_columns(self.study)
        return read_panel(
            self.path(table.source),
            unit=table.unit,
            time=table.time,
            weight=None if table.weight in made else table.weight,
            cluster=None if table.cluster in made else table.cluster,
            coordinates=None if made.intersection(table.coordinates or ()) else table.coordinates,
            years=table.years,
            encoding=table.encoding,
            sheet=table.sheet,
            treatment=None if self.study.policy.treatment in made or self.study.policy.reversible else self.study.policy.treatment,
            rename=table.rename or None,
            missing=table.missing,
            text=table.text,
            numeric=self._own_numbers(),
        )

    def _own_numbers(self) -> list[str]:
        """Outcomes and covariates that must be in the data file itself: neither derived nor joined."""
        table, study = self.study.panel, self.study
        made = made_columns(study)
        named = [o.name for o in study.outcome] + (plain_names(study.evaluate.covariates) or [])
        level = study.policy.treatment if study.policy.reversible else None
        taken = {table.unit, table.time, table.weight, study.policy.treatment} - {level}
        return [n for n in dict.fromkeys([*named, *([level] if level else [])]) if n not in made and n not in taken]

    def _of_world(self, world: World) -> Panel:
        table, panel, made = self.study.panel, world.panel, made_columns(self.study)
        coordinates = None if made.intersection(table.coordinates or ()) else table.coordinates
        weight, cluster = (None if n in made else n for n in (table.weight, table.cluster))
        policy = self.study.policy
        treatment = None if policy.reversible or policy.treatment in made else policy.treatment
        panel.require([c for c in (table.unit, table.time, weight, cluster, treatment, *(coordinates or ())) if c], "a role in [panel]")
        panel = replace(
            panel,
            unit=table.unit,
            time=table.time,
            weight=weight,
            cluster=cluster,
            coordinates=coordinates or panel.coordinates,
            treatment=treatment,
        )
        return panel if table.years is None else between(panel, table.years)

    def _joined(self, panel: Panel) -> Panel:
        from hinterland.data.readers import join_columns

        for join in self.study.panel.join:
            columns = {c: join.rename.get(c, c) for c in join.columns} if join.rename else list(join.columns)
            panel = join_columns(
                panel,
                self.path(join.source),
                unit=join.unit,
                time=join.time,
                columns=columns,
                encoding=join.encoding,
                sheet=join.sheet,
                name=join.source,
                missing=join.missing,
                match=join.match,
            )
        return panel

    def _filtered(self, panel: Panel) -> Panel:
        wanted = self.study.panel.filter
        fail_if_any([*self._no_such_units(panel), *self._no_such_columns(panel)], "panel", StudyError)
        if wanted.drop_units:
            units = panel.frame[panel.unit].cast(pl.String)
            panel = panel.filter(~units.is_in(list(wanted.drop_units)))  # type: ignore[arg-type]  # polars takes a Boolean series too
        if wanted.where is not None:
            panel = where(panel, wanted.where)
        if wanted.complete:
            panel = complete(panel, wanted.complete)
        if panel.frame.is_empty():
            raise StudyError(
                Finding(
                    "empty-panel",
                    "no row is left after [panel].years and [panel.filter]",
                    self.loaded.where("panel", "filter"),
                    "widen the years or the filter",
                ),
                "panel",
            )
        return panel

    def _no_such_units(self, panel: Panel) -> list[Finding]:
        have = set(panel.frame[panel.unit].cast(pl.String))
        where, most = self.loaded.where("panel", "filter", "drop_units"), 12
        return [
            Finding("unknown-unit", f"there is no unit {u!r} to leave out", where, did_you_mean(u, sorted(have)))
            if get_close_matches(u, have) or len(have) <= most
            else Finding("unknown-unit", f"there is no unit {u!r} to leave out", where, "leave it out of the list, or correct the code")
            for u in self.study.panel.filter.drop_units
            if u not in have
        ]

    def _no_such_columns(self, panel: Panel) -> list[Finding]:
        have, where = panel.frame.columns, self.loaded.where("panel", "filter", "complete")
        return [
            Finding("unknown-column", f"there is no column {c!r} to be complete in", where, did_you_mean(c, have))
            for c in self.study.panel.filter.complete
            if c not in have
        ]

    @cached_property
    def register(self) -> PolicyRegister | None:
        """The register, when the policy comes from one; the world's own, when it has it under that name."""
        name = self.study.policy.register_
        if name is None:
            return None
        if self.world is not None and self.world.zones.id == name:
            return self.world.zones
        from hinterland.data.policy import policy_register

        return policy_register(name)

    def cohorts(self, variant: Variant = BASELINE) -> Cohorts:
        """First treated periods by the study's rule, with the variant's timing and partial rule."""
        policy = self.study.policy
        key = (variant.timing or policy.timing, variant.partial or policy.partial, variant.uncertain or policy.uncertain)
        if key not in self._cohorts:
            self._cohorts[key] = self._make_cohorts(*key)
        return self._cohorts[key]

    def _make_cohorts(self, timing: str, partial: str, uncertain: str) -> Cohorts:
        policy = self.study.policy
        if self.register is not None:
            return self.register.cohorts(
                timing=timing,
                partial=partial,
                until=policy.until,
                since=policy.since,
                cutoff_month=policy.cutoff_month,
                uncertain=uncertain,
                conflict=policy.conflict,
            )
        from hinterland.data.policy import adoption, adoption_from_treatment

        if policy.column is not None:
            return adoption(self.panel, policy.column, never=(*policy.never, None))
        return adoption_from_treatment(self.panel, str(policy.treatment), reversible=policy.reversible)

    def variant_panel(self, variant: Variant) -> Panel:
        """The panel with the variant's rows, values and columns."""
        if variant.match is not None:
            return self.matched(variant).panel
        key = panel_change(variant)
        if key not in self._panels:
            self._panels[key] = changed_panel(self, key)
        return self._panels[key]

    def programme(self, name: str) -> Programme:
        """Who entered another programme when, among the units of the panel."""
        if name not in self._programmes:
            self._programmes[name] = read_programme(self, name)
        return self._programmes[name]

    def matched(self, variant: Variant) -> Matched:
        """The variant's rows, matched by its rule under its policy. Raises ``EstimationError`` where they cannot be."""
        if variant not in self._matched:
            from hinterland.evaluate.matching import match_by

            panel = self.variant_panel(replace(variant, match=None))
            self._matched[variant] = match_by(
                panel, self.cohorts(variant), cast("MatchRule", variant.match), self.study.evaluate.anticipation
            )
        return self._matched[variant]

    def group_of(self, name: str) -> pl.DataFrame:
        """``unit`` (the panel's own codes, as text) and ``group`` for a region set, a column constant within units, or groups of [heterogeneity]."""
        from hinterland.study.groups import groups_named

        if name == PARTIAL:
            return partly_covered(self)
        if name not in self._grouped:
            self._grouped[name] = groups_named(self, name)
        return self._grouped[name]

    def groups_compared(self, name: str) -> pl.DataFrame:
        """The same, with all other units as a group of their own where there is one group only."""
        from hinterland.data.grouping import with_rest

        return with_rest(self.panel, self.group_of(name))

    def settings(self, method: str, variant: Variant = BASELINE) -> Settings:
        """The design settings of ``method``: [evaluate], overridden by its options, overridden by the variant."""
        evaluate = self.study.evaluate
        own: dict[str, Any] = {k: v for k, v in evaluate.options.get(method, {}).items() if k in DESIGN_OPTIONS}

        def chosen(name: str) -> Any:
            return own.get(name, getattr(evaluate, name))

        def names(value: Any) -> tuple[str, ...]:
            return (value,) if isinstance(value, str) else tuple(value)

        covariates = (variant.covariates or None) if variant.covariates is not None else chosen("covariates") or None
        columns = self.variant_panel(variant).frame.columns
        effects = (*names(chosen("fe") if variant.fe is None else variant.fe), *variant.effects)
        return Settings(
            covariates=covariates if variant.beside is None else with_indicator(covariates, variant.beside, method),
            comparison=variant.comparison or chosen("comparison"),
            cluster=in_columns(names(chosen("cluster") if variant.cluster is None else variant.cluster), columns),
            anticipation=chosen("anticipation"),
            fe=in_columns(effects, columns),
            columns=columns_of(METHODS[method], evaluate.options.get(method, {})),
        )

    def design(self, outcome: str, method: str, variant: Variant = BASELINE) -> Design:
        """The design of ``method`` on ``outcome``; methods with the same settings share it."""
        settings = self.settings(method, variant)
        key = (outcome, settings, replace(variant.change, vcov=None, cutoff_km=None, lag=None, kernel=None))
        if key not in self._designs:
            self._designs[key] = make_design(
                self.variant_panel(variant),
                variant.outcome or outcome,
                self.cohorts(variant),
                covariates=settings.covariates,
                fe=settings.fe,
                comparison=settings.comparison,
                anticipation=settings.anticipation,
                cluster=settings.cluster or None,
                columns=settings.columns,
            )
        return self._designs[key]

    def options(self, outcome: str, method: str, variant: Variant = BASELINE) -> dict[str, Any]:
        """The options of the leading fit, files that they name read."""
        options = fit_options(self.study, outcome, method, variant)
        if method == "spillover" and isinstance(options.get("neighbours"), str):
            options["neighbours"] = self._neighbours(options["neighbours"])
        return options

    def _neighbours(self, source: str) -> pl.DataFrame:
        """The table of neighbours that a study names."""
        from hinterland.data.readers import read_table

        return read_table(self.path(source))

    def effects(self, outcome: str, method: str, variant: Variant = BASELINE, **changes: Any) -> Effects:
        """The fit, without aggregation or band, with ``changes`` of its options. Each is made once."""
        key = (outcome, method, variant.change, repr(sorted(changes.items())))
        if key not in self._fits:
            self._fits[key] = fit(self.design(outcome, method, variant), method, **{**self.options(outcome, method, variant), **changes})
        for said in self._said.pop(key, ()):
            warnings.warn_explicit(said.message, said.category, said.filename, said.lineno)
        return self._fits[key]

    def diagnosis(self, outcome: str, method: str) -> Diagnosis:
        """What the data allow and call for, on the design of ``method``. Its warnings are those of the estimators, which say them."""
        from hinterland.evaluate.diagnose import diagnose_design

        key = (outcome, self.settings(method))
        if key not in self._diagnoses:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", HinterlandWarning)
                self._diagnoses[key] = diagnose_design(self.design(outcome, method))
        return self._diagnoses[key]

    def tried(self, outcome: str, method: str) -> tuple[Finding, ...]:
        """What the leading fit, or an option of its path, has against these data. The fit is kept, and its warnings, for the step."""
        path = path_options(self.study, method)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                self.effects(outcome, method)
            except InputError as error:
                return error.findings
            try:
                if path is not None:
                    self.effects(outcome, method, **path)
            except InputError as error:
                if error.subject == "options":
                    return error.findings
        self._said[outcome, method, BASELINE, "[]"] = list(said)
        return ()


def tolerated(error: InputError) -> str:
    """The code that a note about an estimation that is not possible carries."""
    return error.findings[0].code if error.findings else "not-defined"


def treated_clusters(design: Design) -> int:
    """How many clusters have a treated unit."""
    import numpy as np

    rows = design.cohort[design.unit] != NEVER
    return len(np.unique(design.clusters[0].codes[rows]))
