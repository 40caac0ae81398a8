"""What the difference in trends may be: Δ as a union of polyhedra {δ: Aδ ≤ d} (Rambachan & Roth 2023, section 2.4).

δ [pre + post] are deviations from parallel trends by event time, the reference (δ = 0) between the two parts left out. Rows that
involve pre-periods only do not bear on the effect and are left out, as in the authors' software.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["relative-magnitude", "smoothness", "smoothness-relative"]
Bias = Literal["positive", "negative"]
Monotone = Literal["increasing", "decreasing"]


@dataclass(frozen=True, slots=True)
class Shape:
    """``pre`` and ``post`` periods, the kind of bound, and restrictions on the sign and the direction of δ."""

    kind: Kind
    pre: int
    post: int
    bias: Bias | None = None
    monotone: Monotone | None = None

    @property
    def relative(self) -> bool:
        """Whether the bound is relative to what is seen before treatment."""
        return self.kind != "smoothness"

    @property
    def restricted(self) -> bool:
        """Whether the sign or the direction of δ is restricted."""
        return self.bias is not None or self.monotone is not None


@dataclass(frozen=True, slots=True)
class Polyhedron:
    """{δ: Aδ ≤ d}: ``a`` [m, pre + post], ``d`` [m]. The first 2 · post rows are a bound and its mirror image."""

    a: Floats
    d: Floats


def first_differences(pre: int, post: int) -> Floats:
    """[pre + post, pre + post] rows δ_t - δ_{t-1}, from the second-earliest pre-period to the last period."""
    total = pre + post
    full = np.eye(total, total + 1, 1) - np.eye(total, total + 1)
    return np.delete(full, pre, axis=1)


def second_differences(pre: int, post: int) -> Floats:
    """[pre + post - 1, pre + post] rows δ_{t+1} - 2δ_t + δ_{t-1}."""
    rows, total = pre + post - 1, pre + post + 1
    full = np.eye(rows, total) - 2 * np.eye(rows, total, 1) + np.eye(rows, total, 2)
    return np.delete(full, pre, axis=1)


def polyhedra(shape: Shape, bound: float) -> list[Polyhedron]:
    """The polyhedra whose union is Δ at ``bound``.

    Relative bounds take one pair of polyhedra per pre-period s: the change in s is the largest, and positive or negative. The
    second of a pair mirrors the first: their critical values are the same where there is no further restriction.
    """
    second = shape.kind != "relative-magnitude"
    rows = second_differences(shape.pre, shape.post) if second else first_differences(shape.pre, shape.post)
    before, after = rows[: len(rows) - shape.post], rows[-shape.post :]
    extra = _restrictions(shape)
    zeros = np.zeros(2 * shape.post + len(extra))
    if not shape.relative:
        d = zeros.copy()
        d[: 2 * shape.post] = bound
        return [Polyhedron(np.vstack([after, -after, extra]), d)]
    out = []
    for largest in before:
        for sign in (1.0, -1.0):
            most = bound * sign * largest
            out.append(Polyhedron(np.vstack([after - most, -after - most, extra]), zeros))
    return out


def _restrictions(shape: Shape) -> Floats:
    """[·, pre + post] rows a with a'δ ≤ 0 for the sign and the direction of δ after the reference."""
    found = [np.zeros((0, shape.pre + shape.post))]
    if shape.bias is not None:
        positive = -np.eye(shape.pre + shape.post)[shape.pre :]
        found.append(positive if shape.bias == "positive" else -positive)
    if shape.monotone is not None:
        increasing = -first_differences(shape.pre, shape.post)[-shape.post :]
        found.append(increasing if shape.monotone == "increasing" else -increasing)
    return np.vstack(found)
