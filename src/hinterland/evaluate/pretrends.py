"""Joint test that the estimates before treatment are zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.result import BLANK, Effects
from hinterland.labels import Note

Floats = NDArray[np.float64]

SINGULAR = 1e-10
"""Eigenvalues of the correlation matrix below this share of the largest count as zero."""


@dataclass(frozen=True, slots=True)
class PretrendTest:
    """A Wald test that all pre-treatment terms are zero.

    Attributes:
        method: estimator id;  outcome: name of the outcome;  aggregation: what one term is.
        statistic: Wald statistic; divided by ``df1`` where the distribution is F.
        df1: terms tested, or the rank of their covariance where that is smaller;  df2: denominator degrees of freedom (``inf``
            for chi2).
        p_value: probability of a statistic at least this large when all the terms are zero.
        distribution: ``F`` for regressions, ``chi2`` for estimators that use the normal distribution.
        n_leads: terms tested (rank-deficient or not).
        notes: what a reader must know, first of all that not rejecting is no proof.
    """

    method: str
    outcome: str
    aggregation: str
    statistic: float
    df1: int
    df2: float
    p_value: float
    distribution: Literal["F", "chi2"]
    n_leads: int
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        inside = f"{self.df1}" if self.distribution == "chi2" else f"{self.df1}, {self.df2:g}"
        return f"PretrendTest({self.method}, {self.outcome}: {self.distribution}({inside}) = {self.statistic:.5g}, p = {self.p_value:.4g})"

    def tidy(self) -> pl.DataFrame:
        """One row: ``method, outcome, statistic, df1, df2, p_value, n_leads, distribution`` (``df2`` null for chi2)."""
        return pl.DataFrame(
            {
                "method": [self.method],
                "outcome": [self.outcome],
                "statistic": [self.statistic],
                "df1": [self.df1],
                "df2": [None if np.isinf(self.df2) else self.df2],
                "p_value": [self.p_value],
                "n_leads": [self.n_leads],
                "distribution": [self.distribution],
            },
            schema_overrides={"df2": pl.Float64},
        )


def pretrend_test(effects: Effects, leads: int | None = None, *, include_anticipation: bool = False) -> PretrendTest:
    """Test jointly that the pre-treatment terms of ``effects`` are zero (Wald).

    Event-time terms before 0, or group-time cells before the cohort's first treated period; never the reference terms and
    never a term without variance. The statistic is b' V⁺ b, with V⁺ the Moore–Penrose inverse on the eigenvectors that carry
    variance; F(rank, df) = W / rank for regressions, chi2(rank) otherwise (as the pre-test of Callaway & Sant'Anna 2021).

    Args:
        effects: event-time or group-time effects.
        leads: use only the last ``leads`` periods before treatment; all of them by default.
        include_anticipation: test also the periods in which the design lets units react early (R's ``did`` does). Left out by
            default: an effect there is allowed, so it is no evidence against parallel trends.

    Raises:
        EstimationError: effects of another aggregation, ``leads`` below 1, or no pre-treatment term to test.
    """
    relative = _event_time(effects)
    anticipation = int(effects.meta.get("anticipation", 0) or 0)
    last = -1 if include_anticipation else -1 - anticipation
    _fail_if_bad_leads(leads)
    chosen = (relative <= last) & np.isfinite(effects.std_error)
    if leads is not None:
        chosen &= relative > last - leads
    if not chosen.any():
        raise EstimationError(
            Finding(
                "no-leads",
                "there is no pre-treatment term to test",
                f"{effects.method} on {effects.outcome!r}, {effects.aggregation} terms",
                "start the panel at least two periods before the first adoption, or ask for more leads",
            ),
            "pre-trend test",
        )
    wald, rank = _wald(effects.estimate[chosen], effects.vcov[np.ix_(chosen, chosen)])
    count = int(chosen.sum())
    return _result(effects, wald, rank, count, _notes(effects, rank, count, anticipation if not include_anticipation else 0))


def _event_time(effects: Effects) -> NDArray[np.int64]:
    """[p] periods since first treatment; 0 for terms that have none."""
    terms = effects.terms
    if effects.aggregation not in {"event-time", "group-time"}:
        raise EstimationError(
            Finding(
                "no-event-time",
                f"{effects.aggregation} effects have no pre-treatment terms",
                f"{effects.method} on {effects.outcome!r}",
                "estimate an event study, or aggregate to 'event-time'",
            ),
            "pre-trend test",
        )
    derived = (terms.cohort != BLANK) & (terms.time != BLANK)
    relative = np.where(terms.event_time != BLANK, terms.event_time, 0)
    with np.errstate(over="ignore"):
        relative = np.where((terms.event_time == BLANK) & derived, terms.time - terms.cohort, relative)
    return np.where(terms.reference, 0, relative)


def _fail_if_bad_leads(leads: int | None) -> None:
    if leads is not None and (not isinstance(leads, int) or leads < 1):
        raise EstimationError(
            Finding("bad-leads", f"leads is {leads!r}", "argument leads", "give a whole number of periods, 1 or more"), "pre-trend test"
        )


def _wald(estimate: Floats, vcov: Floats) -> tuple[float, int]:
    """Wald statistic b' V⁺ b and the rank of V, judged on the correlation scale so that units of measurement do not matter."""
    scale = np.sqrt(np.diag(vcov))
    value, vector = np.linalg.eigh((vcov + vcov.T) / 2 / np.outer(scale, scale))
    kept = value > SINGULAR * value[-1]
    projected = vector[:, kept].T @ (estimate / scale)
    return float(np.sum(projected**2 / value[kept])), int(kept.sum())


def _result(effects: Effects, wald: float, rank: int, count: int, notes: tuple[Note, ...]) -> PretrendTest:
    from scipy import special

    normal = bool(np.isinf(effects.df))
    statistic = wald if normal else wald / rank
    p_value = special.chdtrc(rank, wald) if normal else special.fdtrc(rank, effects.df, statistic)
    return PretrendTest(
        method=effects.method,
        outcome=effects.outcome,
        aggregation=effects.aggregation,
        statistic=statistic,
        df1=rank,
        df2=float(effects.df),
        p_value=float(p_value),
        distribution="chi2" if normal else "F",
        n_leads=count,
        notes=(*notes, Note("pretrend-rejected" if p_value < 0.05 else "pretrend-not-proof", {"p": float(p_value), "leads": count})),
    )


def _notes(effects: Effects, rank: int, count: int, anticipation: int) -> tuple[Note, ...]:
    notes = []
    clusters = len(effects.clusters)
    if rank < count:
        notes.append(Note("pretrend-singular", {"rank": rank, "leads": count, "clusters": clusters}))
    elif clusters < 2 * count:
        notes.append(Note("pretrend-few-clusters", {"clusters": clusters, "leads": count}))
    if anticipation:
        notes.append(Note("pretrend-anticipation", {"periods": anticipation}))
    return tuple(notes)
