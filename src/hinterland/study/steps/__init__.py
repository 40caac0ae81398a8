"""The steps of a run: each kind is one function from workspace and step to what is added to the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hinterland.study.step import Step
from hinterland.study.steps import (
    assess,
    curve,
    data,
    diagnostics,
    displacement,
    evaluate,
    heterogeneity,
    matching,
    measure,
    mechanism,
    moderation,
    pathway,
    placebo,
    rows,
    sensitivity,
    small_sample,
    transfer,
    truth,
)
from hinterland.study.steps.output import Output
from hinterland.study.workspace import Workspace

Work = Callable[[Workspace, Step], Output]

STEPS: Mapping[str, Work] = MappingProxyType(
    {
        "measure": measure.measure,
        "transfer": transfer.transfer,
        "plan": pathway.pathway,
        "plan-pareto": pathway.pareto,
        "plan-alternatives": pathway.alternatives,
        "plan-sensitivity": pathway.sensitivity,
        "plan-scenarios": pathway.scenarios,
        "plan-continuity": pathway.continuity,
        "plan-draws": pathway.draws,
        "data": data.describe_panel,
        "policy": data.policy,
        "describe": data.descriptives,
        "truth": truth.truth,
        "evaluate": evaluate.evaluate,
        "pretrends": diagnostics.pretrends,
        "bacon": diagnostics.bacon,
        "recommend": assess.recommend,
        "sensitivity": sensitivity.sensitivity,
        "power": sensitivity.power,
        "leave-out": assess.leave_out,
        "small-sample": small_sample.small_sample,
        "oster": assess.oster,
        "displacement": displacement.displacement,
        "placebo-space": placebo.space,
        "placebo-time": placebo.time,
        "matching": matching.matching,
        "robustness": rows.robustness,
        "curve": curve.curve,
        "subgroup": rows.subgroup,
        "moderation": moderation.moderation,
        "mechanism": mechanism.mechanism,
        "outcome-family": mechanism.outcome_family,
        "group-difference": heterogeneity.group_difference,
    }
)
"""Every kind but ``report``, which reads the record instead of the data."""
