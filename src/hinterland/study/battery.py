"""The battery: each row of ``[robustness]`` as a variant of the baseline, and what it changes as a code with values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hinterland.evaluate.methods import METHODS
from hinterland.study.schema_battery import ConcurrentTable
from hinterland.study.variant import Variant

AT_BASE = ("callaway-santanna", "lp-did", "etwfe", "dose", "triple")
"""Estimators that take covariates as they were before adoption, or as constant: an indicator that switches on later is none to them."""
ROBUST = ("imputation", "two-stage", "etwfe", "sun-abraham")
"""Estimators that stand in, where they are run, for a headline that a row's change is not defined for."""


@dataclass(frozen=True, slots=True)
class BatteryRow:
    """One row: its variant, its own estimators (``None``: twfe and the headline), whether it is about the first outcome only, and the part of
    the study beside the variant that it reads.
    """

    variant: Variant
    methods: tuple[str, ...] | None = None
    leading: bool = False
    reads: Mapping[str, Any] = field(default_factory=dict)


def slug(*parts: object) -> str:
    """A key from any names: letters, digits, dots and hyphens."""
    return re.sub(r"[^\w.]+", "-", "-".join(str(p) for p in parts)).strip("-")


def name_of(entry: str | ConcurrentTable) -> str:
    """The name of a concurrent programme."""
    return entry if isinstance(entry, str) else entry.name


def battery_rows(study: Any) -> Iterator[BatteryRow]:
    """The rows of the families of :class:`~hinterland.study.schema_battery.BatteryTable`, in the order of its keys."""
    table = study.robustness
    for limits in table.winsorise:
        yield BatteryRow(Variant(slug("winsorise", *limits), "robustness", winsorise=limits))
    for limits in table.trim:
        yield BatteryRow(Variant(slug("trim", *limits), "robustness", trim=limits))
    for entry in table.concurrent:
        name, reads = name_of(entry), {} if isinstance(entry, str) else {"programme": entry.model_dump(mode="json")}
        for how in table.concurrent_how:
            key, dropped = slug("concurrent", how, name), how == "drop"
            variant = Variant(key, "robustness", without=name if dropped else None, beside=None if dropped else name)
            yield BatteryRow(variant, reads=reads)
    for periods in table.lag_controls:
        yield BatteryRow(Variant(f"lag-controls-{periods}", "robustness", lag_controls=periods))
    for effects in table.fe:
        yield BatteryRow(Variant(slug("fe", *effects), "robustness", effects=effects))
    for outcome in table.outcomes:
        yield BatteryRow(Variant(slug("outcome", outcome), "robustness", outcome=outcome), leading=True)
    for cluster in table.cluster:
        yield BatteryRow(Variant(slug("cluster", *cluster), "robustness", cluster=cluster))
    for method in table.methods:
        yield BatteryRow(Variant(slug("method", method), "robustness"), (method,))


def suited(methods: tuple[str, ...], variant: Variant, run: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``methods`` that the variant's change is defined for.

    Where that leaves out an estimator robust to effects that differ, one of ``run`` that takes the change stands in for it.
    """
    need = "fixed-effects" if variant.effects else "covariates" if variant.beside is not None else None
    if need is None:
        return methods
    kept = tuple(m for m in methods if need in METHODS[m].accepts)
    lost = [m for m in methods if m not in kept]
    instead = next((m for m in ROBUST if m in run and need in METHODS[m].accepts), None)
    return kept if not lost or instead is None else tuple(dict.fromkeys((*kept, instead)))


def told(variant: Variant, method: str) -> tuple[str, dict[str, Any]]:
    """What a row changes: a code (``change.CODE`` in the label files) and its values; ``variation`` for rows that have a label of their own."""
    named: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("winsorise", variant.winsorise, {"limits": variant.winsorise}),
        ("trim", variant.trim, {"limits": variant.trim}),
        ("concurrent_drop", variant.without, {"programme": variant.without}),
        ("concurrent_control", variant.beside, {"programme": variant.beside}),
        ("lag_controls", variant.lag_controls, {"periods": variant.lag_controls}),
        ("fe", variant.effects, {"effects": variant.effects}),
        ("outcome", variant.outcome, {"outcome": variant.outcome}),
    )
    if variant.key.startswith("model-"):
        return "variation", {}
    for code, change, values in named:
        if change:
            return code, values
    if variant.key.startswith("cluster-"):
        return "cluster", {"clusters": variant.cluster}
    if variant.key == slug("method", method):
        return "method", {"method": method}
    return "variation", {}
