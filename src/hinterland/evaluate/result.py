"""Effects: what every estimator returns, and everything that follows from an influence function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.labels import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Aggregation = Literal["coefficient", "group-time", "event-time", "overall", "cohort", "calendar"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLANK: int = int(np.iinfo(np.int64).min)
"""Stands for "does not apply" in the integer term columns; null in :meth:`Effects.tidy`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What each of the p estimates is about.

    ``name`` [p]; ``cohort``, ``time``, ``event_time`` [p] (``BLANK`` where it does not apply); ``reference`` [p]: normalised to
    zero, not estimated; ``n_treated`` [p]: treated units behind the estimate (-1 where that has no meaning).
    """

    name: tuple[str, ...]
    cohort: Ints
    time: Ints
    event_time: Ints
    reference: NDArray[np.bool_]
    n_treated: Ints

    @classmethod
    def make(
        cls,
        name: tuple[str, ...],
        *,
        cohort: Ints | None = None,
        time: Ints | None = None,
        event_time: Ints | None = None,
        reference: NDArray[np.bool_] | None = None,
        n_treated: Ints | None = None,
    ) -> Terms:
        """Terms whose columns not given do not apply."""
        p = len(name)

        def blank(values: Ints | None, fill: int) -> Ints:
            return np.full(p, fill, dtype=np.int64) if values is None else np.asarray(values, dtype=np.int64)

        return cls(
            name,
            blank(cohort, BLANK),
            blank(time, BLANK),
            blank(event_time, BLANK),
            np.zeros(p, dtype=np.bool_) if reference is None else np.asarray(reference, dtype=np.bool_),
            blank(n_treated, -1),
        )

    def take(self, index: NDArray[Any]) -> Terms:
        """The terms at ``index`` (positions or mask)."""
        positions = np.arange(len(self.name))[index]
        return Terms(
            tuple(self.name[i] for i in positions),
            self.cohort[index],
            self.time[index],
            self.event_time[index],
            self.reference[index],
            self.n_treated[index],
        )


@dataclass(frozen=True, slots=True)
class CohortShares:
    """Cohort sizes as estimates: needed to aggregate group-time effects with the right standard errors.

    Attributes:
        cohort: [K] first treated periods, increasing.
        share: [K] P(G = g), the weighted share of units in each cohort among all units of the design.
        influence: [C, K] influence function of ``share`` by cluster, on the scale of :attr:`Effects.influence`.
        joint: [p + K, p + K] covariance of the estimates and the shares, as it was computed (it need not be positive semi-definite),
            where it is not the product of the influence functions (several groupings, distance); ``None`` where it is.
        time: [K] the period that a share is of, where the observations behind a cohort differ from period to period: cells then weigh
            what their cohort and period does, in means over one cohort's periods too. ``BLANK``: the cohort's own share, as a whole.
            ``None``: all of them are.
    """

    cohort: Ints
    share: Floats
    influence: Floats
    joint: Floats | None = None
    time: Ints | None = None

    def place(self, cohort: Ints, time: Ints | None = None) -> Ints:
        """[p] position of the share of each ``cohort`` [p], or of each cohort in each ``time`` [p] where shares have a period.

        Raises ``EstimationError`` where there is none.
        """
        if self.time is None:
            return np.searchsorted(self.cohort, cohort)
        wanted = np.full(len(cohort), BLANK) if time is None else time
        same = (self.cohort == cohort[:, None]) & (self.time == wanted[:, None])
        if len(lost := np.flatnonzero(~same.any(axis=1))):
            what = f"there is no share of cohort(s) {listed(np.unique(cohort[lost]).tolist(), 8)}"
            raise EstimationError(Finding("no-shares", what, "cohort shares", "average the group-time effects directly"), "aggregation")
        return np.asarray(np.argmax(same, axis=1), dtype=np.int64)


def least_df(by_term: Floats) -> float:
    """The least degrees of freedom of some terms, those without any left out; infinite when none is left."""
    known = by_term[np.isfinite(by_term)]
    return float(known.min()) if len(known) else float("inf")


@dataclass(frozen=True, slots=True)
class Band:
    """A simultaneous confidence band: ``estimate ± critical · std_error`` covers all terms at once.

    ``kind``: ``multiplier`` (bootstrap of the influence function) or ``analytic`` (sup-t of the Gaussian limit).
    ``std_error`` [p] is the bootstrap standard error when the kind is ``multiplier``; ``draws``, ``seed`` and ``multiplier`` make
    the band again.
    """

    critical: float
    level: float
    kind: Literal["multiplier", "analytic"]
    draws: int
    std_error: Floats | None = None
    seed: int = 0
    multiplier: Literal["rademacher", "mammen", "webb"] = "rademacher"


@dataclass(frozen=True, slots=True)
class Effects:
    """Estimates with their covariance and their influence function by cluster.

    p terms, C clusters.

    Attributes:
        method: estimator id (see :func:`hinterland.methods`).
        outcome: name of the outcome.
        aggregation: what one term is: a ``coefficient``, a ``group-time`` cell, an ``event-time``, ``overall``, a ``cohort``
            or a ``calendar`` period.
        terms: what each estimate is about.
        estimate: [p], on the scale of the outcome (log points for a log outcome and for Poisson).
        vcov: [p, p] covariance of the estimates.
        influence: [C, p] influence function summed within clusters, scaled so that ``influence.T @ influence`` equals ``vcov``
            under one-way clustering (small-sample factor included). Under other covariances (two-way, iid, spatial) ``vcov`` differs
            from that product, :attr:`from_influence` is false and ``meta["vcov"]`` says why.
        clusters: [C] labels of the clusters, to line up two results.
        df: degrees of freedom of the t distribution used for tests; ``inf`` is the normal. Where they differ between terms, the
            least of them.
        term_df: [p] degrees of freedom by term, where they differ (Satterthwaite's, under CR2); ``None``: ``df`` for all.
        parts: [2^q − 1, p, p] covariances by sets of q groupings under CR3 with several of them, in the order of
            :func:`hinterland.evaluate.vcov_several.subsets`; ``vcov`` and that of averages are combined from them. ``None`` elsewhere.
        family: ``gaussian`` or ``poisson``.
        shares: cohort shares, for estimators whose terms can be aggregated further.
        band: the simultaneous band, once asked for.
        notes: what a reader must know, in order.
        meta: estimand, comparison, sample sizes, options; JSON scalars and lists only.
    """

    method: str
    outcome: str
    aggregation: Aggregation
    terms: Terms
    estimate: Floats
    vcov: Floats
    influence: Floats
    clusters: NDArray[np.str_]
    df: float = np.inf
    family: Literal["gaussian", "poisson"] = "gaussian"
    shares: CohortShares | None = None
    band: Band | None = None
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    term_df: Floats | None = None
    parts: Floats | None = None

    def __repr__(self) -> str:
        head = f"Effects({self.method}, {self.outcome}, {self.aggregation}, {len(self.estimate)} terms"
        if len(self.estimate) == 1:
            head += f": {self.estimate[0]:.6g} (SE {self.std_error[0]:.6g})"
        return head + ")"

    @property
    def std_error(self) -> Floats:
        """[p] standard errors; NaN for reference terms and for terms without variance."""
        variance = np.diag(self.vcov)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(variance)
        return np.where(self.terms.reference | ~(error > 0), np.nan, error)

    @property
    def statistic(self) -> Floats:
        """[p] t or z statistics."""
        return self.estimate / self.std_error

    @property
    def from_influence(self) -> bool:
        """Whether ``vcov`` is the product of the influence function, as under one-way clustering.

        Judged by the variance of one fixed combination of all the terms, which costs one pass over ``influence``.
        """
        scale = np.sqrt(np.maximum(np.diag(self.vcov), 0.0))
        mix = np.divide(np.cos(np.arange(len(scale)) ** 2), scale, out=np.zeros_like(scale), where=scale > 0)
        implied = self.influence @ mix
        variance = float(mix @ np.where(np.isfinite(self.vcov), self.vcov, 0.0) @ mix)
        return bool(np.isclose(float(implied @ implied), variance, rtol=1e-9, atol=1e-12 * len(mix)))

    @property
    def p_value(self) -> Floats:
        """[p] two-sided p-values against zero."""
        from scipy import special

        t = np.abs(self.statistic)
        if self.term_df is not None:
            return np.asarray(2 * special.stdtr(self.term_df, -t))
        if np.isinf(self.df):
            return np.asarray(2 * special.ndtr(-t))
        return np.asarray(2 * special.stdtr(self.df, -t))

    def critical(self, level: float = 0.95) -> float:
        """The pointwise two-sided critical value; the largest, where the degrees of freedom differ between terms."""
        from scipy import special

        tail = 0.5 + level / 2
        return float(special.ndtri(tail) if np.isinf(self.df) else special.stdtrit(self.df, tail))

    def half_width(self, level: float = 0.95) -> Floats:
        """[p] half of each pointwise confidence interval."""
        from scipy import special

        if self.term_df is None:
            return self.critical(level) * self.std_error
        return np.asarray(special.stdtrit(self.term_df, 0.5 + level / 2) * self.std_error)

    def tidy(self, level: float = 0.95) -> pl.DataFrame:
        """One row per term: ``term, cohort, time, event_time, estimate, std_error, statistic, p_value, conf_low, conf_high``,
        then ``band_low, band_high`` (simultaneous; null without a band), ``reference`` and ``n_treated``.
        """
        error = self.std_error
        half = self.half_width(level)
        wide = np.full_like(error, np.nan)
        if self.band is not None:
            wide = self.band.critical * (error if self.band.std_error is None else self.band.std_error)

        def whole(name: str, values: Ints, blank: int = BLANK) -> pl.Series:
            return pl.Series(name, values, dtype=pl.Int64).replace(blank, None)

        def real(name: str, values: Floats) -> pl.Series:
            return pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)

        return pl.DataFrame(
            [
                pl.Series("term", self.terms.name, dtype=pl.String),
                whole("cohort", self.terms.cohort),
                whole("time", self.terms.time),
                whole("event_time", self.terms.event_time),
                real("estimate", self.estimate),
                real("std_error", error),
                real("statistic", self.statistic),
                real("p_value", self.p_value),
                real("conf_low", self.estimate - half),
                real("conf_high", self.estimate + half),
                real("band_low", self.estimate - wide),
                real("band_high", self.estimate + wide),
                pl.Series("reference", self.terms.reference, dtype=pl.Boolean),
                whole("n_treated", self.terms.n_treated, -1),
            ]
        )

    def take(self, index: NDArray[Any]) -> Effects:
        """The terms at ``index`` (positions or mask); a band is dropped, since it covered all of them."""
        shares, by_term = self.shares, None if self.term_df is None else self.term_df[index]
        if shares is not None and shares.joint is not None:
            positions = np.concatenate([np.arange(len(self.estimate))[index], np.arange(len(self.estimate), len(shares.joint))])
            shares = replace(shares, joint=shares.joint[np.ix_(positions, positions)])
        return replace(
            self,
            terms=self.terms.take(index),
            estimate=self.estimate[index],
            vcov=self.vcov[index][:, index],
            influence=self.influence[:, index],
            shares=shares,
            band=None,
            term_df=by_term,
            df=self.df if by_term is None else least_df(by_term),
            parts=None if self.parts is None else self.parts[:, index][:, :, index],
        )

    def aggregate(
        self,
        kind: Aggregation,
        *,
        balance_e: int | None = None,
        min_e: int | None = None,
        max_e: int | None = None,
    ) -> Effects:
        """Average the terms: see :func:`hinterland.evaluate.aggregate.aggregate`.

        Where these effects have a band, so do the averages: drawn anew for their terms, with the same kind, level, draws and seed.
        """
        from hinterland.evaluate.aggregate import aggregate
        from hinterland.evaluate.bands import add_band

        averaged = aggregate(self, kind, balance_e=balance_e, min_e=min_e, max_e=max_e)
        band = self.band
        if band is None or not np.isfinite(averaged.std_error).any():
            return averaged
        return add_band(averaged, band.level, kind=band.kind, draws=band.draws, seed=band.seed, multiplier=band.multiplier)

    def with_band(
        self, level: float = 0.95, *, kind: Literal["multiplier", "analytic"] = "multiplier", draws: int = 999, seed: int = 0
    ) -> Effects:
        """The same effects with a simultaneous band: see :func:`hinterland.evaluate.bands.add_band`."""
        from hinterland.evaluate.bands import add_band

        return add_band(self, level, kind=kind, draws=draws, seed=seed)

    def plot(self) -> Figure:
        """The event-study (or term) plot as a matplotlib figure; its data is :func:`hinterland.plot_data`."""
        from importlib import import_module

        # By name: drawing belongs to the report, which may import this room, never the other way round.
        figure: Figure = import_module("hinterland.report.figures").plot_effects(self)
        return figure
