"""Dagum's decomposition of the Gini coefficient, exact and weighted, from one sort.

Dagum, C. (1997), A new approach to the decomposition of the Gini income inequality ratio, *Empirical Economics* 22, 515-531.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hinterland.measure.inequality import Floats, Ints, shares


@dataclass(frozen=True, slots=True)
class Dagum:
    """The Gini coefficient of R regions in G groups: ``gini = within + net_between + transvariation``.

    Attributes:
        gini: of all regions.
        within: sum of ``G_jj p_j s_j``.
        net_between: gap between groups net of overlap, ``G_jh (p_j s_h + p_h s_j) D_jh`` over pairs.
        transvariation: the intensity of overlap, with ``1 - D_jh`` in place of ``D_jh``.
        pair_gini: [G, G] Gini between two groups, ``E|y_j - y_h| / (mean_j + mean_h)``; inside a group on the diagonal.
        affluence: [G, G] relative economic affluence ``D_jh`` in [0, 1]; NaN on the diagonal and where two groups are all alike.
        pair_net, pair_transvariation: [G, G] symmetric, what each pair of groups adds to ``net_between`` and ``transvariation``; 0 on the diagonal.
        weight_share, income_share: [G] ``p_j`` and ``s_j``.
        mean: [G] weighted mean of each group, NaN for a group without weight.
    """

    gini: float
    within: float
    net_between: float
    transvariation: float
    pair_gini: Floats
    affluence: Floats
    pair_net: Floats
    pair_transvariation: Floats
    weight_share: Floats
    income_share: Floats
    mean: Floats


def excess(y: Floats, p: Floats, group: Ints, count: int) -> Floats:
    """[G, G] sums of ``p_i p_r (y_i - y_r)`` over i in j, r in h with ``y_i > y_r``.

    One sort, then running sums of weights and values of each group: the cost is n log n + n G, not n squared.

    Args:
        y: [R] values.
        p: [R] weights, 0 for a region left out.
        group: [R] numbers of groups from 0.
        count: G.
    """
    order = np.argsort(y, kind="stable")
    centred = y[order] - y[order[len(y) // 2]]
    member = np.zeros((len(y), count))
    member[np.arange(len(y)), group[order]] = p[order]
    below = np.cumsum(member, axis=0)
    below_value = np.cumsum(member * centred[:, None], axis=0)
    return np.asarray(np.maximum(member.T @ (centred[:, None] * below - below_value), 0.0))


def dagum(y: Floats, group: Ints, count: int, weight: Floats | None = None) -> Dagum:
    r"""The decomposition of Dagum (1997): :math:`D_{jh}=(d_{jh}-p_{jh})/(d_{jh}+p_{jh})` with
    :math:`d=E(y_j-y_h)^+`, :math:`p=E(y_h-y_j)^+` for :math:`\bar y_j>\bar y_h`.

    Args:
        y: [R] values, none negative; NaN leaves a region out.
        group: [R] numbers of groups from 0.
        count: G.
        weight: [R] weights such as population; equal by default.

    Returns:
        Everything NaN when the total is zero. A group without weight or without total has NaN in its own rows and adds nothing.

    Raises:
        InputError: ``negative-value``.
    """
    p, values, mean = shares(np.asarray(y, float), weight)
    share: Floats = np.bincount(group, p, count).astype(np.float64)
    income = np.bincount(group, p * values, count)
    up = excess(values, np.nan_to_num(p), group, count)
    gap, net = up + up.T, np.abs(up - up.T)
    scale = share[:, None] * income + share * income[:, None]
    total = np.where(mean > 0, mean, np.nan)
    apart = 1 - np.eye(count)
    pair_net, pair_rest = net / total, (gap * apart - net) / total
    return Dagum(
        gini=float((gap / total).sum() / 2),
        within=float((np.diag(gap) / total).sum() / 2),
        net_between=float(pair_net.sum() / 2),
        transvariation=float(pair_rest.sum() / 2),
        pair_gini=gap / np.where(scale > 0, scale, np.nan),
        affluence=net / np.where((gap > 0) & (apart > 0), gap, np.nan),
        pair_net=pair_net,
        pair_transvariation=pair_rest,
        weight_share=share,
        income_share=income / total,
        mean=income / np.where(share > 0, share, np.nan),
    )
