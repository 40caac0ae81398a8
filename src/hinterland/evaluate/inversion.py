"""Intervals by inverting a test: the values that it does not reject."""

from __future__ import annotations

from collections.abc import Callable

STEP, NEAR, FURTHEST = 0.25, 6.0, 1e4
"""Standard errors: the first steps, how far they are kept, and where an interval has no end."""


def invert(p_value: Callable[[float], float], estimate: float, error: float, alpha: float) -> tuple[float, float]:
    """The interval of null values around ``estimate`` whose p-value is above ``alpha``.

    Args:
        p_value: of the null value ``estimate`` − δ, given δ;  error: the scale of the search, such as the standard error.

    Returns:
        Its ends: the first null values, going outwards in steps of a quarter of ``error`` (longer ones beyond six), that are rejected, refined by
        halving; infinite where none within 10 000 times ``error`` is.
    """
    return estimate - _reach(p_value, error, alpha), estimate + _reach(lambda delta: p_value(-delta), error, alpha)


def _reach(p_value: Callable[[float], float], error: float, alpha: float) -> float:
    kept, far = 0.0, STEP
    while p_value(far * error) > alpha:
        kept = far
        far = kept + (STEP if kept < NEAR else kept / 4)
        if kept > FURTHEST:
            return float("inf")
    while far - kept > 1e-10 * far:
        middle = (far + kept) / 2
        if p_value(middle * error) <= alpha:
            far = middle
        else:
            kept = middle
    return (far + kept) / 2 * error
