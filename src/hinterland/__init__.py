"""hinterland: measure industrial transfer, evaluate the policies that steer it, plan, stress-test and monitor it.

The public names are loaded on first use, so that ``import hinterland`` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hinterland.data.cohorts import Cohorts
    from hinterland.data.io_readers import read_io
    from hinterland.data.io_table import IOTable
    from hinterland.data.panel import Panel
    from hinterland.data.policy import PolicyRegister, adoption, adoption_from_treatment, policy_register
    from hinterland.data.readers import read_panel
    from hinterland.data.world import World, simulate
    from hinterland.errors import (
        EstimationError,
        Finding,
        HinterlandError,
        HinterlandWarning,
        InputError,
        PanelError,
        PolicyError,
        RunError,
        SolverError,
        StudyError,
    )
    from hinterland.evaluate.design import Design, make_design
    from hinterland.evaluate.diagnose import diagnose
    from hinterland.evaluate.estimate import estimate
    from hinterland.evaluate.families import adjust
    from hinterland.evaluate.few_treated import few_treated
    from hinterland.evaluate.heterogeneity import heterogeneity
    from hinterland.evaluate.leave_one_out import leave_one_out
    from hinterland.evaluate.matching import match
    from hinterland.evaluate.mechanism import Mechanism, mechanism
    from hinterland.evaluate.methods import methods
    from hinterland.evaluate.moderation import moderation
    from hinterland.evaluate.moments import panel_moments
    from hinterland.evaluate.placebo import placebo
    from hinterland.evaluate.randomisation import randomisation_test
    from hinterland.evaluate.result import Effects
    from hinterland.evaluate.sensitivity import sensitivity
    from hinterland.evaluate.specification import specification_curve
    from hinterland.evaluate.spillover_displacement import displacement_test
    from hinterland.evaluate.wild import wild_bootstrap
    from hinterland.labels import Note
    from hinterland.measure.entry import measure
    from hinterland.measure.register import indicators
    from hinterland.measure.result import Measure
    from hinterland.plan.alternatives import Alternatives, alternatives
    from hinterland.plan.case import read_problem
    from hinterland.plan.continuity_value import continuity_value
    from hinterland.plan.entry import plan
    from hinterland.plan.pareto import Pareto, pareto
    from hinterland.plan.prices import shadow_prices
    from hinterland.plan.problem import Problem
    from hinterland.plan.result import Plan
    from hinterland.plan.sensitivity import Sensitivities, sensitivities
    from hinterland.plan.solve import SolverOptions
    from hinterland.report.compare import compare
    from hinterland.report.figures import plot_data
    from hinterland.study.record import Run
    from hinterland.study.runner import run
    from hinterland.transfer.analysis import transfer
    from hinterland.transfer.mrio import estimate_mrio
    from hinterland.transfer.result import Transfer

__version__ = "0.1.0"

_PUBLIC = {
    "Alternatives": "plan.alternatives",
    "Cohorts": "data.cohorts",
    "Design": "evaluate.design",
    "Effects": "evaluate.result",
    "EstimationError": "errors",
    "Finding": "errors",
    "HinterlandError": "errors",
    "HinterlandWarning": "errors",
    "IOTable": "data.io_table",
    "InputError": "errors",
    "Measure": "measure.result",
    "Mechanism": "evaluate.mechanism",
    "Note": "labels",
    "Panel": "data.panel",
    "PanelError": "errors",
    "Pareto": "plan.pareto",
    "Plan": "plan.result",
    "PolicyError": "errors",
    "PolicyRegister": "data.policy",
    "Problem": "plan.problem",
    "Run": "study.record",
    "RunError": "errors",
    "Sensitivities": "plan.sensitivity",
    "SolverError": "errors",
    "SolverOptions": "plan.solve",
    "StudyError": "errors",
    "Transfer": "transfer.result",
    "World": "data.world",
    "adjust": "evaluate.families",
    "adoption": "data.policy",
    "adoption_from_treatment": "data.policy",
    "alternatives": "plan.alternatives",
    "compare": "report.compare",
    "continuity_value": "plan.continuity_value",
    "diagnose": "evaluate.diagnose",
    "displacement_test": "evaluate.spillover_displacement",
    "estimate": "evaluate.estimate",
    "estimate_mrio": "transfer.mrio",
    "few_treated": "evaluate.few_treated",
    "heterogeneity": "evaluate.heterogeneity",
    "indicators": "measure.register",
    "leave_one_out": "evaluate.leave_one_out",
    "make_design": "evaluate.design",
    "measure": "measure.entry",
    "mechanism": "evaluate.mechanism",
    "match": "evaluate.matching",
    "methods": "evaluate.methods",
    "moderation": "evaluate.moderation",
    "panel_moments": "evaluate.moments",
    "placebo": "evaluate.placebo",
    "pareto": "plan.pareto",
    "plan": "plan.entry",
    "plot_data": "report.figures",
    "policy_register": "data.policy",
    "randomisation_test": "evaluate.randomisation",
    "read_io": "data.io_readers",
    "read_panel": "data.readers",
    "read_problem": "plan.case",
    "run": "study.runner",
    "sensitivities": "plan.sensitivity",
    "sensitivity": "evaluate.sensitivity",
    "shadow_prices": "plan.prices",
    "simulate": "data.world",
    "specification_curve": "evaluate.specification",
    "transfer": "transfer.analysis",
    "wild_bootstrap": "evaluate.wild",
}

__all__ = [
    "Alternatives",
    "Cohorts",
    "Design",
    "Effects",
    "EstimationError",
    "Finding",
    "HinterlandError",
    "HinterlandWarning",
    "IOTable",
    "InputError",
    "Measure",
    "Mechanism",
    "Note",
    "Panel",
    "PanelError",
    "Pareto",
    "Plan",
    "PolicyError",
    "PolicyRegister",
    "Problem",
    "Run",
    "RunError",
    "Sensitivities",
    "SolverError",
    "SolverOptions",
    "StudyError",
    "Transfer",
    "World",
    "__version__",
    "adjust",
    "adoption",
    "adoption_from_treatment",
    "alternatives",
    "compare",
    "continuity_value",
    "diagnose",
    "displacement_test",
    "estimate",
    "estimate_mrio",
    "few_treated",
    "heterogeneity",
    "indicators",
    "leave_one_out",
    "make_design",
    "match",
    "measure",
    "mechanism",
    "methods",
    "moderation",
    "panel_moments",
    "pareto",
    "placebo",
    "plan",
    "plot_data",
    "policy_register",
    "randomisation_test",
    "read_io",
    "read_panel",
    "read_problem",
    "run",
    "sensitivities",
    "sensitivity",
    "shadow_prices",
    "simulate",
    "specification_curve",
    "transfer",
    "wild_bootstrap",
]


if not TYPE_CHECKING:

    class _Package(ModuleType):
        """The import system binds a sub-package to its parent; where a public function has the same name, the function wins."""

        def __setattr__(self, name: str, value: object) -> None:
            if not (name in _PUBLIC and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Package

    def __getattr__(name: str) -> object:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'hinterland' has no attribute {name!r}")
        value = getattr(import_module(f"hinterland.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return list(__all__)
