"""Families of tests: p-values that account for how many hypotheses were tested.

Family-wise error (the chance of any false rejection): ``bonferroni``, ``holm`` (Holm 1979), and, from joint draws of all statistics, ``romano-wolf`` (Romano &
Wolf 2005, Econometrica 73(4); 2016, Statistics & Probability Letters 113) and ``westfall-young`` (Westfall & Young 1993, algorithm 2.8). False discovery rate (the share of
false among the rejected): ``benjamini-hochberg`` (1995), ``benjamini-yekutieli`` (2001) and ``sharpened`` (Benjamini, Krieger & Yekutieli 2006, as in Anderson 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.families_draws import Hypotheses, hypotheses, joint_draws
from hinterland.evaluate.placebo import Placebo
from hinterland.evaluate.randomisation import RandomisationTest
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.wild import WildTest
from hinterland.evaluate.wild_draws import Weights
from hinterland.labels import Note

Adjustment = Literal["romano-wolf", "westfall-young", "holm", "bonferroni", "benjamini-hochberg", "benjamini-yekutieli", "sharpened"]
JOINT = ("romano-wolf", "westfall-young")
Tests = (
    Effects
    | WildTest
    | Sequence[Effects]
    | Sequence[WildTest]
    | Sequence[RandomisationTest]
    | Sequence[Placebo]
    | Sequence[float]
    | Mapping[str, float]
    | Floats
)
"""What :func:`adjust` takes: results with their joint draws, or bare p-values."""

TIE = 1e-10
GRID = 1000
"""Sharpened q-values are found to one in this many, as in Anderson (2008)."""


@dataclass(frozen=True, slots=True)
class Family:
    """Adjusted p-values of m hypotheses, in the order given.

    Attributes:
        method: the adjustment;  controls: ``family-wise-error`` or ``false-discovery-rate``.
        outcomes, estimators, terms: [m] what each hypothesis is about (empty texts where only p-values were given).
        estimate, statistic: [m], NaN where only p-values were given;  p_value: [m] unadjusted;  p_adjusted: [m].
        draws: joint draws behind the adjustment, 0 where it needs none;  notes: what a reader must know;  meta: seed, weights.
    """

    method: Adjustment
    controls: str
    outcomes: tuple[str, ...]
    estimators: tuple[str, ...]
    terms: tuple[str, ...]
    estimate: Floats
    statistic: Floats
    p_value: Floats
    p_adjusted: Floats
    draws: int
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        below = int((self.p_adjusted <= 0.05).sum())
        return (
            f"Family({self.method}, {len(self.terms)} hypotheses: {below} rejected at 5%, {int((self.p_value <= 0.05).sum())} unadjusted)"
        )

    def tidy(self) -> pl.DataFrame:
        """One row per hypothesis: ``outcome, method, term, estimate, statistic, p_value, p_adjusted``."""
        numbers = {
            k: pl.Series(getattr(self, k), dtype=pl.Float64, nan_to_null=True) for k in ("estimate", "statistic", "p_value", "p_adjusted")
        }
        return pl.DataFrame({"outcome": list(self.outcomes), "method": list(self.estimators), "term": list(self.terms), **numbers})


@one_thread()
def adjust(
    tests: Tests, method: Adjustment = "romano-wolf", *, draws: int = 9999, seed: int = 0, weights: Weights = "rademacher"
) -> Family:
    """Adjust the p-values of a family of hypotheses for their number.

    Args:
        tests: results of one kind, whose every estimated term is a hypothesis: ``Effects`` on the same clusters (several outcomes, methods or terms), wild
            bootstrap tests or randomisation tests with the same draws; or p-values, by name or not.
        method: see :mod:`hinterland.evaluate.families`. ``romano-wolf`` and ``westfall-young`` use how the statistics move together, so they take results,
            not p-values.
        draws, seed, weights: of the multipliers shared by all ``Effects`` (their influence functions are lined up by cluster label); tests that were drawn already keep
            their draws.

    Raises:
        EstimationError: unknown method, p-values that are none, results on different clusters or from different draws.
    """
    _fail_if_bad(method, draws, weights)
    family = hypotheses(tests)
    if method in JOINT:
        drawn, holds_data, count = joint_draws(tests, family, draws, seed, weights)
        raw, adjusted = stepdown(np.abs(family.statistic), np.abs(drawn), holds_data=holds_data, smallest=method == "westfall-young")
    else:
        raw, adjusted, count = family.p_value, by_p_values(family.p_value, method), 0
    return Family(
        method=method,
        controls="false-discovery-rate" if method in ("benjamini-hochberg", "benjamini-yekutieli", "sharpened") else "family-wise-error",
        outcomes=family.outcomes,
        estimators=family.estimators,
        terms=family.terms,
        estimate=family.estimate,
        statistic=family.statistic,
        p_value=raw,
        p_adjusted=adjusted,
        draws=count,
        notes=(*family.notes, *_remarks(method, family, count)),
        meta={"seed": seed if count else None, "weights": weights if count else None},
    )


def stepdown(statistic: Floats, drawn: Floats, *, holds_data: bool = False, smallest: bool = False) -> tuple[Floats, Floats]:
    """Unadjusted and step-down adjusted p-values [m] from absolute statistics [m] and joint null draws [R, m] of them.

    From the most significant hypothesis on, each is compared with the largest statistic of those not yet passed (``smallest``: the smallest p-value, which
    puts statistics of different distributions on one footing), and is at least as large as the one before. Draws at least as far out count, ties
    included; the data are one more draw, unless they are among them (``holds_data``).
    """
    if smallest:
        pool = drawn if holds_data else np.concatenate([statistic[None], drawn])
        statistic, drawn = -_ranks(pool, statistic[None])[0], -_ranks(pool, drawn)
    order = np.argsort(-statistic, kind="stable")
    one = 0 if holds_data else 1
    total = one + len(drawn)
    slack = TIE * np.abs(statistic)
    raw = (one + (drawn >= statistic - slack).sum(axis=0)) / total
    largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    step = (one + (largest >= (statistic - slack)[order]).sum(axis=0)) / total
    adjusted = np.empty_like(raw)
    adjusted[order] = np.maximum.accumulate(step)
    return raw, adjusted


def _ranks(pool: Floats, values: Floats) -> Floats:
    """[R, m] share of each column of ``pool`` [P, m] that is at least as large as ``values`` [R, m]."""
    out = np.empty_like(values)
    for j in range(values.shape[1]):
        ordered = np.sort(pool[:, j])
        out[:, j] = (len(ordered) - np.searchsorted(ordered, values[:, j] * (1 - TIE), side="left")) / len(ordered)
    return out


def by_p_values(p: Floats, method: str) -> Floats:
    """[m] adjusted p-values (q-values) from p-values alone."""
    m = len(p)
    order = np.argsort(p, kind="stable")
    ranked, rank = p[order], np.arange(1, m + 1)
    if method == "bonferroni":
        step = m * ranked
    elif method == "holm":
        step = np.maximum.accumulate((m - rank + 1) * ranked)
    elif method == "sharpened":
        step = _sharpened(ranked)
    else:
        factor = float((1 / rank).sum()) if method == "benjamini-yekutieli" else 1.0
        step = np.minimum.accumulate((factor * m * ranked / rank)[::-1])[::-1]
    out = np.empty(m)
    out[order] = np.minimum(step, 1.0)
    return out


def _sharpened(ranked: Floats) -> Floats:
    """[m] two-stage q-values of sorted p-values: the smallest q on a grid at which each is rejected (Anderson 2008, section 3.2.2).

    Stage one rejects at q/(1 + q); stage two at the same, over the estimated share of true nulls.
    """
    m = len(ranked)
    rank = np.arange(1, m + 1)
    out = np.ones(m)
    for q in np.arange(GRID, 0, -1) / GRID:
        first = q / (1 + q)
        rejected = int((np.flatnonzero(ranked <= first * rank / m) + 1).max(initial=0))
        second = first * m / (m - rejected) if rejected < m else np.inf
        last = int((np.flatnonzero(ranked <= second * rank / m) + 1).max(initial=0))
        out[:last] = q
    return out


def _remarks(method: str, family: Hypotheses, count: int) -> list[Note]:
    notes = [Note("family-size", {"count": len(family.terms)})]
    if count and family.clusters and family.clusters <= 12:
        notes.append(Note("family-few-clusters", {"clusters": family.clusters}))
    if method in ("benjamini-hochberg", "sharpened"):
        notes.append(Note("family-dependence", {"method": method}))
    return notes


def _fail_if_bad(method: str, draws: int, weights: str) -> None:
    findings = []
    for name, value, known in (("method", method, get_args(Adjustment)), ("weights", weights, get_args(Weights))):
        if value not in known:
            findings.append(Finding("unknown-value", f"{name} is {value!r}", f"argument {name}", did_you_mean(str(value), known)))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 9999"))
    fail_if_any(findings, "family", EstimationError)
