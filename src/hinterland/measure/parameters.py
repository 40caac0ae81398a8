"""Whether the value of a parameter is of the kind that the formula takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.measure.indicator import Indicator

_SAID = {"whole": "a whole number", "number": "a number", "labels": "a label, or a list of labels"}


def value_findings(indicator: Indicator, name: str, value: Any) -> Sequence[Finding]:
    """What is wrong with ``value`` as the parameter ``name``: not among its values, of another kind, or too low."""
    parameter, where = indicator.parameters[name], f"parameter {name}"
    if parameter.values:
        if any(type(value) is type(v) and value == v for v in parameter.values):
            return []
        remedy = did_you_mean(value, parameter.values) if isinstance(value, str) else f"choose one of: {listed(parameter.values)}"  # type: ignore[arg-type]
        return [Finding("unknown-value", f"{name} is {value!r}", where, remedy)]
    if value is None and parameter.default is None:
        return []
    kind = parameter.takes
    if kind == "any" or (_is_kind(kind, value) and (parameter.low is None or value >= parameter.low)):
        return []
    least = "" if parameter.low is None else f" of at least {parameter.low:g}"
    return [Finding("out-of-range", f"{name} is {value!r}", where, f"give {_SAID[kind]}{least}")]


def _is_kind(kind: str, value: Any) -> bool:
    if kind == "labels":
        several = value if isinstance(value, list | tuple | set | frozenset) else ()
        return isinstance(value, str) or (several is value and all(isinstance(v, str | int) and not isinstance(v, bool) for v in several))
    if isinstance(value, bool) or not isinstance(value, Integral if kind == "whole" else Real):
        return False
    return kind == "whole" or math.isfinite(value)
