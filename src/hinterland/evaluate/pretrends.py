"""Joint test that the estimates before treatment are zero."""

from __future__ import annotations

from collections.abc import Mapping
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

REJECTED = 0.05
MIN_TREATED = 10
"""Event-time leads with fewer treated units behind them are left out of the joint test."""
LEAST_TREATED = 5
"""Event-time leads with fewer treated units behind them are left out of the usual test too: they have no variance to speak of."""
FITTED = ("sdid-fitted-before", "two-stage-fitted-before")
"""Notes of estimators whose effects before treatment are residuals of what was fitted there: small by construction, so no test."""
OVERSIZED = 1.1
"""A Wald statistic whose mean under the null exceeds its degrees of freedom by more than this factor rejects too often."""


@dataclass(frozen=True, slots=True)
class PretrendTest:
    """A Wald test that all pre-treatment terms are zero.

    Attributes:
        method: estimator id;  outcome: name of the outcome;  aggregation: what one term is.
        statistic: Wald statistic, on the scale of its distribution.
        df1: terms tested, or the rank of their covariance where that is smaller;  df2: denominator degrees of freedom, not
            necessarily whole (``inf`` for chi2).
        p_value: probability of a statistic at least this large when all the terms are zero.
        distribution: ``F`` or ``chi2``.
        n_leads: terms tested (rank-deficient or not);  n_thin: leads left out because too few treated units are behind them.
        p_textbook: p-value of the usual test, which takes the covariance as known (F(k, df) for regressions, chi2(k) otherwise), on
            every lead with at least ``LEAST_TREATED`` treated units behind it.
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
    n_thin: int = 0
    p_textbook: float = float("nan")
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        inside = f"{self.df1}" if self.distribution == "chi2" else f"{self.df1}, {self.df2:g}"
        return f"PretrendTest({self.method}, {self.outcome}: {self.distribution}({inside}) = {self.statistic:.5g}, p = {self.p_value:.4g})"

    def tidy(self) -> pl.DataFrame:
        """One row: ``method, outcome, statistic, df1, df2, p_value, n_leads, n_thin, p_textbook, distribution`` (``df2`` null for chi2)."""
        return pl.DataFrame(
            {
                "method": [self.method],
                "outcome": [self.outcome],
                "statistic": [self.statistic],
                "df1": [self.df1],
                "df2": [None if np.isinf(self.df2) else self.df2],
                "p_value": [self.p_value],
                "n_leads": [self.n_leads],
                "n_thin": [self.n_thin],
                "p_textbook": [self.p_textbook],
                "distribution": [self.distribution],
            },
            schema_overrides={"df2": pl.Float64},
        )


def pretrend_test(
    effects: Effects,
    leads: int | None = None,
    *,
    min_treated: int = MIN_TREATED,
    include_anticipation: bool = False,
    small_sample: bool = True,
) -> PretrendTest:
    """Test jointly that the pre-treatment terms of ``effects`` are zero (Wald).

    Event-time terms before 0, or group-time cells before the cohort's first treated period; never the reference terms and
    never a term without variance. The statistic is W = b' V⁺ b, with V⁺ the Moore–Penrose inverse on the k eigenvectors that
    carry variance, compared with

    * F(k, m - k) after multiplication by (m - k) / (k (m - 1)), for event-time effects (Hotelling 1931), with m the number of equally
      informative clusters that the covariance is worth (:func:`effective_observations`);
    * chi2(k), for group-time effects: the pre-test of Callaway & Sant'Anna (2021), as R's ``did`` computes it. Where cohorts are
      small next to their number of cells it rejects far too often, and a note says so;
    * F(k, df) after division by k for regressions and chi2(k) for the others, with ``small_sample=False``, where the covariance
      is not one-way clustered, and for moments clustered by unit. With few treated units these reject far too often too.

    Args:
        effects: event-time or group-time effects.
        leads: use only the last ``leads`` periods before treatment; all of them by default.
        min_treated: leave out event-time leads with fewer treated units behind them (or than the best lead has, where that is fewer).
            The variance of a lead that rests on two cities is not estimated but guessed, and a test that includes it rejects a true
            null almost always: 99 % in the packaged world, whose last cohort has two cities, against 3 to 6 % without such leads.
        include_anticipation: test also the periods in which the design lets units react early (R's ``did`` does). Left out by
            default: an effect there is allowed, so it is no evidence against parallel trends.
        small_sample: see above.

    Raises:
        EstimationError: effects of another aggregation, ``leads`` below 1, no pre-treatment term to test, or terms that are residuals of
            what was fitted before treatment.
    """
    _fail_if_fitted(effects)
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
    usual = chosen & ~_thin(effects, chosen, min(LEAST_TREATED, min_treated))
    textbook = _law(effects, *_wald(effects.estimate[usual], effects.vcov[np.ix_(usual, usual)]), np.inf)
    thin = _thin(effects, chosen, min_treated)
    chosen &= ~thin
    wald, rank = _wald(effects.estimate[chosen], effects.vcov[np.ix_(chosen, chosen)])
    behind = _behind(effects, chosen) if small_sample and effects.aggregation == "event-time" else np.inf
    law = _law(effects, wald, rank, behind)
    return PretrendTest(
        method=effects.method,
        outcome=effects.outcome,
        aggregation=effects.aggregation,
        statistic=law.statistic,
        df1=rank,
        df2=law.df2,
        p_value=law.p_value,
        distribution="chi2" if np.isinf(law.df2) else "F",
        n_leads=int(chosen.sum()),
        n_thin=int(thin.sum()),
        p_textbook=textbook.p_value,
        notes=(
            *_thin_notes(effects, thin, min_treated),
            *_notes(effects, chosen, law, {"rank": rank, "anticipation": 0 if include_anticipation else anticipation}),
        ),
    )


def fitted_before(effects: Effects) -> bool:
    """Whether the estimates before treatment are residuals of a fit to the same periods."""
    return any(n.code in FITTED for n in effects.notes)


def adjusted_before(effects: Effects) -> bool:
    """Whether each term is adjusted for outcomes before treatment with a coefficient of its own, as under random timing."""
    return effects.method == "efficient" and effects.meta.get("beta") != 1.0


def _fail_if_fitted(effects: Effects) -> None:
    if fitted_before(effects):
        what = "the effects before treatment are residuals of what was fitted to those periods, so they are small by construction"
        remedy = "test another estimator: event-study, callaway-santanna, or imputation with pretrends="
        raise EstimationError(Finding("no-leads", what, f"{effects.method} on {effects.outcome!r}", remedy), "pre-trend test")


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


def _thin(effects: Effects, chosen: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """[p] leads by event time with too few treated units behind them; a lead whose number is not known is kept."""
    if effects.aggregation != "event-time":
        return np.zeros(len(chosen), dtype=np.bool_)
    treated = effects.terms.n_treated
    return chosen & (treated >= 0) & (treated < min(least, int(treated[chosen].max())))


def _thin_notes(effects: Effects, thin: NDArray[np.bool_], least: int) -> list[Note]:
    if not thin.any():
        return []
    times = ", ".join(str(e) for e in effects.terms.event_time[thin].tolist())
    return [Note("pretrend-thin", {"count": int(thin.sum()), "least": least, "times": times})]


def _wald(estimate: Floats, vcov: Floats) -> tuple[float, int]:
    """Wald statistic b' V⁺ b and the rank of V, judged on the correlation scale so that units of measurement do not matter."""
    scale = np.sqrt(np.diag(vcov))
    value, vector = np.linalg.eigh((vcov + vcov.T) / 2 / np.outer(scale, scale))
    kept = value > SINGULAR * value[-1]
    projected = vector[:, kept].T @ (estimate / scale)
    return float(np.sum(projected**2 / value[kept])), int(kept.sum())


@dataclass(frozen=True, slots=True)
class _Law:
    """``poor``: fewer effective observations, or clusters, than terms, so that no distribution is right."""

    statistic: float
    df2: float
    p_value: float
    poor: bool


def effective_observations(influence: Floats) -> float:
    """How many equally informative clusters m the covariance ψ'ψ of an influence function [C, k] is worth.

    With z = ψ V^(-1/2), fourth moments are matched to those of m normal observations: m = k (k + 2) / Σ |z|⁴ - 2 (the inverse of
    Mardia's 1970 kurtosis; for k = 1 and two groups, the degrees of freedom of Welch 1938). Few treated units, unequal clusters
    and heavy tails all lower it.
    """
    left, singular, _ = np.linalg.svd(influence / np.sqrt(np.einsum("ij,ij->j", influence, influence)), full_matrices=False)
    z = left[:, singular > np.sqrt(SINGULAR) * singular[0]]
    k = z.shape[1]
    return float(k * (k + 2) / np.sum(np.einsum("ij,ij->i", z, z) ** 2) - 2)


def _behind(effects: Effects, chosen: NDArray[np.bool_]) -> float:
    """Effective observations behind the chosen terms; infinite when their covariance is not that of their influence function, and when moments
    have kept its product only.
    """
    if effects.meta.get("compressed"):
        return float("inf")
    influence = effects.influence[:, chosen]
    vcov = effects.vcov[np.ix_(chosen, chosen)]
    scale = np.sqrt(np.outer(np.diag(vcov), np.diag(vcov)))
    one_way = bool((np.abs(influence.T @ influence - vcov) <= 1e-6 * scale).all())
    return effective_observations(influence) if one_way else float("inf")


def _law(effects: Effects, wald: float, rank: int, behind: float) -> _Law:
    """The statistic on the scale of its distribution; infinite ``df2`` stands for chi2."""
    from scipy import special

    if rank < behind < np.inf:
        statistic = wald * (behind - rank) / (rank * (behind - 1))
        return _Law(statistic, behind - rank, float(special.fdtrc(rank, behind - rank, statistic)), False)
    clusters = effects.meta.get("n_clusters")
    poor = behind <= rank or (isinstance(clusters, int) and clusters - 1 <= rank)
    if np.isfinite(effects.df):
        return _Law(wald / rank, float(effects.df), float(special.fdtrc(rank, effects.df, wald / rank)), poor)
    return _Law(wald, np.inf, float(special.chdtrc(rank, wald)), poor)


def _inflation(effects: Effects, chosen: NDArray[np.bool_]) -> float:
    """Mean of the group-time Wald statistic under the null over its degrees of freedom: Σ k (m - 1) / (m - k - 2) over Σ k.

    The covariance of a cohort's k cells rests on its m units (mean of Hotelling's T²); infinite where m ≤ k + 2.
    """
    cohorts, cells = np.unique(effects.terms.cohort[chosen], return_counts=True)
    members = np.array([effects.terms.n_treated[chosen & (effects.terms.cohort == g)].max() for g in cohorts], dtype=np.float64)
    if (members <= cells + 2).any():
        return float("inf")
    return float((cells * (members - 1) / (members - cells - 2)).sum() / cells.sum())


def _notes(effects: Effects, chosen: NDArray[np.bool_], law: _Law, facts: Mapping[str, int]) -> list[Note]:
    """The caveats, then the verdict."""
    notes = []
    count = int(chosen.sum())
    if facts["rank"] < count:
        notes.append(Note("pretrend-singular", {"rank": facts["rank"], "leads": count, "clusters": len(effects.clusters)}))
    if facts["anticipation"]:
        notes.append(Note("pretrend-anticipation", {"periods": facts["anticipation"]}))
    if adjusted_before(effects):
        notes.append(Note("pretrend-random-timing"))
    oversized = law.poor or (effects.aggregation == "group-time" and _inflation(effects, chosen) > OVERSIZED)
    verdict = "pretrend-oversized" if oversized else "pretrend-rejected"
    code = verdict if law.p_value < REJECTED else "pretrend-not-proof"
    return [*notes, Note(code, {"p": law.p_value, "leads": count, "method": effects.method})]
