"""Conditional value at risk: the mean of the worst outcomes, as a number of draws and as rows of a programme."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from hinterland.errors import Finding, InputError
from hinterland.plan.compose import Composed
from hinterland.plan.extend import with_columns
from hinterland.plan.program import Floats

__all__ = ["CVaR", "conditional_value_at_risk"]


@dataclass(frozen=True, slots=True)
class CVaR:
    """What caution asks for.

    Attributes:
        level: part of outcomes that are not the worst, from 0 (then it is the mean) to below 1; above 1 less the least probability it is the worst case.
        weight: of it against the mean, from 0 to 1.
    """

    level: float
    weight: float

    def __post_init__(self) -> None:
        out = []
        if not 0 <= self.level < 1:
            out.append(Finding("bad-argument", f"level is {self.level:g}", "argument risk", "give 0 ≤ level < 1, such as 0.95"))
        if not 0 <= self.weight <= 1:
            out.append(Finding("bad-argument", f"weight is {self.weight:g}", "argument risk", "give 0 ≤ weight ≤ 1"))
        if out:
            raise InputError(out, "the measure of risk")


def conditional_value_at_risk(values: Floats, probabilities: Floats, level: float) -> float:
    """Mean of the worst ``1 − level`` of a distribution of costs on points (Rockafellar & Uryasev 2002, proposition 8).

    Args:
        values: [S] costs.
        probabilities: [S], which sum to 1.
        level: from 0 to below 1.
    """
    order = np.argsort(-values, kind="stable")
    left = np.maximum(1 - level - np.concatenate([[0.0], np.cumsum(probabilities[order])[:-1]]), 0.0)
    taken = np.minimum(probabilities[order], left)
    return float(taken @ values[order] / taken.sum())


def cautious(composed: Composed, risk: CVaR) -> Composed:
    """The composed programme that weighs the mean of the worst costs beside the mean of all.

    Rockafellar & Uryasev (2000, theorem 2): ``min (1 − w) Σ p_s c_s + w (η + Σ p_s u_s / (1 − α))`` with ``u_s ≥ c_s − η`` and ``u_s ≥ 0``; the further columns are
    ``η`` and ``u``.
    """
    program, p = composed.program, composed.probabilities
    n, s = program.shape[1], len(p)
    cost = np.concatenate([[risk.weight], risk.weight * p / (1 - risk.level)])
    wide = with_columns(program, cost, np.r_[-np.inf, np.zeros(s)], np.full(s + 1, np.inf), "tail")
    wide = replace(wide, cost=np.concatenate([(1 - risk.weight) * program.cost, cost]))
    tail = sp.hstack([-np.ones((s, 1)), -sp.eye_array(s)])
    rows = sp.csr_array(sp.hstack([composed.costs, tail]))
    wide = wide.with_rows(rows, np.full(s, -np.inf), np.zeros(s), "tail")
    return replace(
        composed,
        program=wide,
        costs=sp.csr_array((composed.costs.data, composed.costs.indices, composed.costs.indptr), shape=(s, n + s + 1)),
    )
