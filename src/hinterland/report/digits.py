"""Numbers as text, the same in every face of the report. A minus is U+2212; a missing number is an en dash."""

from __future__ import annotations

import math
from collections.abc import Iterable

MISSING = "–"
MINUS = "\u2212"
UNBROKEN = "\u00a0"
"""A space at which no line is broken."""
ALPHA = 0.05
"""Level of every test whose outcome is put into words."""


def number(value: object, decimals: int = 3) -> str:
    """A number with fixed decimals; ``MISSING`` for null and NaN."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return MISSING
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: object, decimals: int = 3) -> str:
    """A number that always shows its sign."""
    text = number(value, decimals)
    return text if text == MISSING or text.startswith(MINUS) or float(text.replace(",", "")) == 0 else f"+{text}"


def count(value: object) -> str:
    """A whole number with thousands separators."""
    return number(value, 0)


def compact(value: object, significant: int = 4) -> str:
    """A descriptive number: about ``significant`` digits, never in scientific notation, separators from 10,000 on."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return MISSING
    if value == 0 or (float(value).is_integer() and abs(value) < 1e15):
        return number(value, 0)
    return number(value, max(0, min(6, significant - 1 - math.floor(math.log10(abs(value))))))


def in_per_cent(log_points: float) -> float:
    """100(exp(b) - 1): a difference of ``log_points`` as a percentage change."""
    return 100 * math.expm1(log_points)


def percent(log_points: object) -> str:
    """The percentage change behind a log difference, signed, with a decimal where it matters."""
    if not isinstance(log_points, int | float) or not math.isfinite(log_points):
        return MISSING
    change = in_per_cent(log_points)
    return signed(change, 1 if abs(change) < 100 else 0)


def share(value: object, decimals: int = 1) -> str:
    """A share of one as a percentage, without its sign."""
    return number(100 * value, decimals) if isinstance(value, int | float) else MISSING


def p_value(p: object) -> str:
    """A p-value with its relation, not to be broken over lines: ``p = 0.012``, ``p < 0.001``."""
    cell = p_cell(p)
    return ("p " if cell.startswith("<") else "p = ").replace(" ", UNBROKEN) + cell


def p_cell(p: object) -> str:
    """A p-value for a table cell: ``0.012``, ``< 0.001``."""
    if not isinstance(p, int | float) or not math.isfinite(p):
        return MISSING
    return f"<{UNBROKEN}0.001" if p < 0.001 else f"{p:.3f}"


def places_for(errors: Iterable[object], most: int = 6) -> int:
    """Decimals for estimates with these standard errors: as :func:`decimals_for`, but fewer than three where errors are 1 or more."""
    sizes = [float(e) for e in errors if isinstance(e, int | float) and math.isfinite(e) and e > 0]
    least = 3 if not sizes else max(0, min(3, 2 - math.floor(math.log10(min(sizes)))))
    return decimals_for(sizes, least=least, most=most)


def decimals_for(errors: Iterable[object], least: int = 3, most: int = 6, significant: int = 2) -> int:
    """Decimals that show at least two ``significant`` digits of the smallest standard error."""
    sizes = [float(e) for e in errors if isinstance(e, int | float) and math.isfinite(e) and e > 0]
    if not sizes:
        return least
    return max(least, min(most, significant - 1 - math.floor(math.log10(min(sizes)))))
