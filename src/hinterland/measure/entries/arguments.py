"""Parameters that are numbers, checked."""

from __future__ import annotations

import math
from typing import Any

from hinterland.errors import Finding


def out_of_range(name: str, value: Any, low: float, high: float, *, open_ends: bool = False, whole: bool = False) -> list[Finding]:
    """A finding unless ``value`` is a number (whole, where asked) from ``low`` to ``high``, the ends left out where ``open_ends``."""
    number = isinstance(value, int) if whole else isinstance(value, int | float)
    if number and not isinstance(value, bool) and math.isfinite(value):
        inside = low < value < high if open_ends else low <= value <= high
        if inside:
            return []
    kind, ends = "whole number" if whole else "number", "between" if open_ends else "from"
    joined = (
        f"{ends} {low:g} {'and' if open_ends else 'to'} {high:g}"
        if math.isfinite(high)
        else f"{'above' if open_ends else 'of at least'} {low:g}"
    )
    return [Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", f"give a {kind} {joined}")]
