"""What a variant changes about the panel: its rows, its values, and the columns that a row needs beside those of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.geography import region_sets, with_regions
from hinterland.data.outliers import lag, trim, winsorise
from hinterland.data.panel import Panel
from hinterland.errors import Finding, StudyError
from hinterland.evaluate.coding import parse_effect
from hinterland.evaluate.covariates import covariate_columns
from hinterland.study.battery import AT_BASE
from hinterland.study.programmes import indicator_columns
from hinterland.study.samples import between, units_where, where
from hinterland.study.variant import BASELINE, Variant

if TYPE_CHECKING:
    from hinterland.study.schema import Study
    from hinterland.study.workspace import Workspace

PARTIAL = "partially-covered"
"""The set of units that the policy's register covers in part."""
_PANEL = ("drop", "keep", "years", "where", "present", "winsorise", "trim", "without", "beside", "lag_controls", "effects", "fe", "cluster")
"""What a variant says about the panel; the rest is about the policy, the model and its name."""


def panel_change(variant: Variant) -> Variant:
    """The part of ``variant`` that its panel depends on."""
    return replace(BASELINE, **{f.name: getattr(variant, f.name) for f in fields(variant) if f.name in _PANEL})


def changed_panel(work: Workspace, variant: Variant) -> Panel:
    """The study's panel as ``variant`` has it.

    Raises:
        StudyError, PanelError: an unknown set, column or programme, or no row that is left.
    """
    panel = _values(work, _rows(work, work.panel, variant), variant)
    named = (*(variant.fe or ()), *variant.effects, *(variant.cluster or ()))
    return _with_region_columns(panel, [part for name in named for part in _parts(name)])


def _rows(work: Workspace, panel: Panel, variant: Variant) -> Panel:
    if variant.drop is not None:
        panel = units_where(panel, work.group_of(variant.drop), keep=False)
    if variant.keep is not None:
        panel = units_where(panel, work.groups_compared(variant.keep[0]).filter(pl.col("group") == variant.keep[1]), keep=True)
    if variant.without is not None:
        panel = units_where(panel, work.programme(variant.without).entered, keep=False)
    if variant.years is not None:
        panel = between(panel, variant.years)
    if variant.where is not None:
        panel = where(panel, variant.where)
    if variant.present:
        panel.require(variant.present, "robustness.model.present")
        panel = panel.filter(pl.all_horizontal(pl.col(c).is_not_null() for c in variant.present))
    if panel.frame.is_empty():
        what = "no row of the panel is left"
        raise StudyError(Finding("empty-row", what, "robustness", "leave fewer units or rows out, or remove the row"), "study")
    return panel


def _values(work: Workspace, panel: Panel, variant: Variant) -> Panel:
    controls = study_controls(work.study, panel)
    outcomes = [o.name for o in work.study.outcome]
    if variant.winsorise is not None:
        panel = winsorise(panel, [*outcomes, *controls], variant.winsorise)
    if variant.trim is not None:
        panel = trim(panel, [*outcomes, *controls], variant.trim)
    if variant.lag_controls:
        panel = lag(panel, controls, variant.lag_controls)
    if variant.beside is not None:
        panel = work.programme(variant.beside).added_to(panel)
    return panel


def study_controls(study: Study, panel: Panel) -> list[str]:
    """The panel's columns among the covariates of [evaluate] and of single estimators."""
    have = panel.frame.columns
    own = (options.get("covariates") for options in study.evaluate.options.values())
    asked = (study.evaluate.covariates, *(c for c in own if isinstance(c, str | tuple)))
    return [n for n in dict.fromkeys(n for c in asked for n in covariate_columns(c, have)) if n in have]  # type: ignore[arg-type]  # names or a formula


def _parts(name: str) -> tuple[str, ...]:
    """The columns of an effect such as ``province^year``."""
    columns, slope = parse_effect(name)
    return (*columns, *([slope] if slope else []))


def _with_region_columns(panel: Panel, names: Sequence[str]) -> Panel:
    """The panel with a column for each region set among ``names`` that it has no column for."""
    have = panel.frame.columns
    wanted = [n for n in dict.fromkeys(names) if n not in have and n in region_sets() and n.replace("-", "_") not in have]
    return with_regions(panel, wanted) if wanted else panel


def in_columns(names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """``names`` of clusters or effects with region sets under the names of their columns: ``macro-region^year`` → ``macro_region^year``."""
    return tuple("^".join(_column(part, columns) for part in name.split("^")) for name in names)


def _column(part: str, columns: Sequence[str]) -> str:
    other = part.replace("-", "_")
    return other if part not in columns and part in region_sets() and other in columns else part


def with_indicator(covariates: str | tuple[str, ...] | None, programme: str, method: str) -> str | tuple[str, ...]:
    """The covariates with the indicator of a programme that ``method`` can use."""
    staggered, ever = indicator_columns(programme)
    name = ever if method in AT_BASE else staggered
    if isinstance(covariates, str):
        return f"{covariates} + {name}"
    return (*(covariates or ()), name)


def partly_covered(work: Workspace) -> pl.DataFrame:
    """``unit`` and ``group`` of the panel's units that the register covers in part.

    Raises:
        StudyError: there is no register, or it covers none of them in part.
    """
    panel, register = work.panel, work.register
    units = panel.frame[panel.unit].unique(maintain_order=True).cast(pl.String)
    codes = [] if register is None else register.members.filter(coverage="partial")["adcode"].to_list()
    found = units.filter(units.is_in(codes))
    if found.is_empty():
        what = f"no unit of the panel is in the set {PARTIAL!r}: the policy covers none of them in part"
        raise StudyError(Finding("no-unit-in-region", what, "robustness.drop", "leave the set out"), "study")
    return pl.DataFrame({"unit": found, "group": [PARTIAL] * len(found)})
