"""Inequality between regions: Theil T and its decomposition, Gini, coefficient of variation.

Arrays are [..., R]: a last axis of regions, any number of axes before it (years). ``y`` is a quantity per head, or any other that is not negative; ``weight`` is
population. A region whose ``y`` or ``weight`` is NaN is left out of its own year only. Results are NaN where the total is zero or nothing was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, listed
from hinterland.measure.division import quotient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TheilParts:
    """Theil T and its exact decomposition over G groups: ``total = between + within``.

    Attributes:
        total, between, within: [...] in nats.
        group_theil: [..., G] Theil T inside each group.
        income_share: [..., G] share of the group in the total of y.
        weight_share: [..., G] share of the group in the weights.
        group_between: [..., G] the group's term of ``between``; of either sign.
    """

    total: Floats
    between: Floats
    within: Floats
    group_theil: Floats
    income_share: Floats
    weight_share: Floats
    group_between: Floats


def fail_if_negative(y: Floats, weight: Floats | None = None) -> None:
    """Inequality measures of this module are defined for values and weights that are not negative.

    Raises:
        InputError: ``negative-value``, with the positions of the cells.
    """
    findings = [
        Finding(
            "negative-value",
            f"{(array < 0).sum()} {name} below zero, the smallest {np.nanmin(array):g}",
            f"positions {listed(tuple(map(int, p)) for p in np.argwhere(array < 0))}",
            "use a quantity that cannot be negative, or leave these cells out",
        )
        for name, array in (("values", y), ("weights", weight))
        if array is not None and bool((array < 0).any())
    ]
    if findings:
        raise InputError(findings, "the values")


def shares(y: Floats, weight: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Weights [..., R] that add up to one, values [..., R] and their mean [..., 1]; cells not observed have weight and value 0.

    Raises:
        InputError: ``negative-value``.
    """
    y = np.asarray(y, float)
    w = np.ones_like(y) if weight is None else np.broadcast_to(np.asarray(weight, float), y.shape)
    fail_if_negative(y, w)
    seen = np.isfinite(y) & np.isfinite(w)
    p = quotient(np.where(seen, w, 0.0), np.where(seen, w, 0.0).sum(-1, keepdims=True))
    values = np.where(seen, y, 0.0)
    return p, values, (p * values).sum(-1, keepdims=True)


def _x_log_x(x: Floats) -> Floats:
    return x * np.log(np.where(x > 0, x, 1.0))


def theil(y: Floats, weight: Floats | None = None) -> Floats:
    r"""Theil T, :math:`\sum_i p_i (y_i/\bar y)\ln(y_i/\bar y)`, in nats; a zero contributes 0 (Theil 1967, ch. 4).

    Args:
        y: [..., R] values, none negative.
        weight: [..., R] weights such as population; equal by default.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, mean = shares(y, weight)
    return np.asarray((p * _x_log_x(quotient(values, mean))).sum(-1))


def theil_decomposition(y: Floats, group: Ints, count: int, weight: Floats | None = None) -> TheilParts:
    r"""Theil T between and within groups (Shorrocks 1980): :math:`B=\sum_g s_g\ln(\bar y_g/\bar y)`, :math:`W=\sum_g s_g T_g`.

    Args:
        y: [..., R] values, none negative.
        group: [R] number of each region's group, from 0.
        count: G.
        weight: [..., R] weights; equal by default.

    Returns:
        ``group_theil`` is NaN for a group without any total; it adds 0 to ``within``, as it does to ``total``.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, mean = shares(y, weight)
    member = np.eye(count)[group]
    weight_share = p @ member
    income = (p * values) @ member
    income_share = quotient(income, mean)
    ratio = quotient(income_share, weight_share)
    own = quotient(values, np.where(weight_share > 0, quotient(income, weight_share), 0.0)[..., group])
    group_theil = quotient(p, weight_share[..., group]) * _x_log_x(own)
    group_theil = np.where(income > 0, np.nan_to_num(group_theil) @ member, np.nan)
    group_between = income_share * np.log(np.where(ratio > 0, ratio, 1.0))
    total = np.asarray((p * _x_log_x(quotient(values, mean))).sum(-1))
    within = (income_share * np.where(income > 0, group_theil, 0.0)).sum(-1)
    return TheilParts(total, group_between.sum(-1), within, group_theil, income_share, weight_share, group_between)


def gini(y: Floats, weight: Floats | None = None, ddof: int = 0) -> Floats:
    r"""Gini coefficient, :math:`\sum_i\sum_j p_i p_j|y_i-y_j| / (2\bar y)`, by sorting (Gini 1914; Lerman & Yitzhaki 1989 for weights).

    Args:
        y: [..., R] values, none negative.
        weight: [..., R] weights; equal by default.
        ddof: 0 for the population; 1 multiplies by n/(n-1), n the regions of positive weight.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, mean = shares(y, weight)
    order = np.argsort(np.where(p > 0, values, np.inf), axis=-1, kind="stable")
    p, values = np.take_along_axis(p, order, -1), np.take_along_axis(values, order, -1)
    rank = np.cumsum(p, axis=-1) - p / 2
    g = quotient((p * (values - mean) * (2 * rank - 1)).sum(-1), mean[..., 0])
    return np.where(np.isnan(g), g, np.maximum(g, 0.0)) * small_sample((p > 0).sum(-1), ddof)


def coefficient_of_variation(y: Floats, weight: Floats | None = None, ddof: int = 0) -> Floats:
    r"""Standard deviation over mean, :math:`\sqrt{\sum_i p_i(y_i-\bar y)^2}/\bar y`; with population weights Williamson's (1965) coefficient.

    Args:
        y: [..., R] values, none negative.
        weight: [..., R] weights; equal by default.
        ddof: 0 for the population; 1 multiplies the variance by n/(n-1), n the regions of positive weight.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, mean = shares(y, weight)
    relative = quotient(values, mean) - 1
    return np.asarray(np.sqrt((p * relative**2).sum(-1) * small_sample((p > 0).sum(-1), ddof)))


def small_sample(n: NDArray[np.int64], ddof: int) -> Floats:
    """The factor n / (n - ddof); NaN where n does not exceed ddof."""
    count = np.asarray(n, float)
    return quotient(count, np.maximum(count - ddof, 0.0))
