"""hinterland: measure industrial transfer, evaluate the policies that steer it, plan, stress-test and monitor it.

The public names are loaded on first use, so that ``import hinterland`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Cohorts": "data.cohorts",
    "Design": "evaluate.design",
    "Effects": "evaluate.result",
    "EstimationError": "errors",
    "Finding": "errors",
    "HinterlandError": "errors",
    "HinterlandWarning": "errors",
    "InputError": "errors",
    "Note": "labels",
    "Panel": "data.panel",
    "PanelError": "errors",
    "PolicyError": "errors",
    "PolicyRegister": "data.policy",
    "Run": "study.record",
    "RunError": "errors",
    "StudyError": "errors",
    "World": "data.world",
    "adoption": "data.policy",
    "compare": "report.compare",
    "diagnose": "evaluate.diagnose",
    "estimate": "evaluate.estimate",
    "methods": "evaluate.methods",
    "placebo": "evaluate.placebo",
    "plot_data": "report.figures",
    "policy_register": "data.policy",
    "read_panel": "data.readers",
    "run": "study.runner",
    "simulate": "data.world",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hinterland' has no attribute {name!r}")
    value = getattr(import_module(f"hinterland.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
