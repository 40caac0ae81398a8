"""``specification_curve``: the estimate under every combination of the choices that a study could have made.

Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4; Steegen, Tuerlinckx, Gelman & Vanpaemel (2016), Perspectives on Psychological
Science 11(5). Whether the curve as a whole could have come from chance is :meth:`SpecificationCurve.joint`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate import specification_choices as choosing
from hinterland.evaluate.method import Option
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.specification_choices import WORDED, Choices, Formula, Keep, Specification, worded
from hinterland.evaluate.specification_fits import Estimated, Fitted, fit_all
from hinterland.evaluate.specification_rows import Rows
from hinterland.evaluate.specification_shares import INTERACTION, variance_shares
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hinterland.evaluate.specification_joint import Kind, SpecificationInference

LEVEL = 0.05
"""Level of the tests that are counted."""


@dataclass(frozen=True, slots=True)
class SpecificationCurve:
    """The estimates of all specifications.

    Attributes:
        outcome: the baseline's outcome.
        frame: one row per specification, the baseline first: ``specification`` (its number), the choices (``outcome, method, policy, timing,
            partial, uncertain, comparison, anticipation, sample, window, winsorise, covariates, controls, fe, cluster``), ``estimate, std_error,
            statistic, p_value, conf_low, conf_high, df, n_obs, n_units, n_treated, n_clusters, baseline``.
        left_out: combinations of choices that are no specification: the choices, ``reason`` (``not-defined``: the estimator has no such
            option; ``no-meaning``: it makes nothing of the choice; ``same-as-another``; ``not-estimable``) and ``detail`` (what is not defined,
            the number of the specification that it repeats, the code of the finding).
        shares: what part of the variance of the estimates each choice explains: see :func:`~hinterland.evaluate.specification_shares.variance_shares`.
        choices: the options that were crossed;  fitted: what joint inference draws from.
        notes: what a reader must know;  meta: numbers of specifications, JSON scalars.
    """

    outcome: str
    frame: pl.DataFrame
    left_out: pl.DataFrame
    shares: pl.DataFrame
    choices: Choices = field(repr=False)
    fitted: Fitted = field(repr=False)
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        low, high = float(self.estimates.min()), float(self.estimates.max())
        return (
            f"SpecificationCurve({self.outcome}: {self.frame.height} specifications, median {float(np.median(self.estimates)):.4g}, "
            f"{low:.4g} to {high:.4g}; {self.left_out.height} combinations left out)"
        )

    @property
    def estimates(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """[P] the estimates, in the order of ``frame``."""
        return self.frame["estimate"].to_numpy()

    def tidy(self) -> pl.DataFrame:
        """One row per specification: ``frame``."""
        return self.frame

    def effects(self) -> Effects:
        """The specifications that cluster as the baseline does as one result, so that :func:`hinterland.adjust` and ``with_band`` see how their
        estimates move together. Raises ``EstimationError`` where the baseline's standard error is not that of one grouping.
        """
        from hinterland.evaluate.specification_joint import comparable

        chosen = comparable(self)
        labels = np.unique(np.concatenate([e.labels for e in chosen]))
        influence = np.zeros((len(labels), len(chosen)))
        for j, e in enumerate(chosen):
            if e.influence is not None:
                influence[np.searchsorted(labels, e.labels), j] = e.influence
        df = np.array([e.df for e in chosen])
        numbers = self.numbers()
        return Effects(
            method="specification-curve",
            outcome=self.outcome,
            aggregation="coefficient",
            terms=Terms.make(tuple(str(numbers[e.place]) for e in chosen)),
            estimate=np.array([e.estimate for e in chosen]),
            vcov=influence.T @ influence,
            influence=influence,
            clusters=labels,
            df=float(df.min()),
            term_df=df if np.isfinite(df).all() and np.ptp(df) > 0 else None,
            meta={"cluster": self.frame["cluster"][0], "n_clusters": len(labels), "vcov": "cluster"},
        )

    def numbers(self) -> dict[int, int]:
        """Number of the specification by its place among the combinations tried."""
        return {e.place: k for k, e in enumerate(self.fitted.estimated, 1)}

    def joint(self, draws: int = 1000, kind: Kind = "permutation", *, seed: int = 1, level: float = LEVEL) -> SpecificationInference:
        """Whether the curve as a whole is more than chance: see :func:`hinterland.evaluate.specification_joint.joint_inference`."""
        from hinterland.evaluate.specification_joint import joint_inference

        return joint_inference(self, draws, kind, seed=seed, level=level)

    def plot(self, inference: SpecificationInference | None = None) -> Figure:
        """The curve above, the choices below, as a matplotlib figure; ``inference`` adds the range of curves under its null."""
        from importlib import import_module

        # By name: drawing belongs to the report, which may import this room, never the other way round.
        figure: Figure = import_module("hinterland.report.curve_figure").plot_curve(self, inference)
        return figure


@one_thread()
def specification_curve(
    panel: Panel,
    outcome: str | Sequence[str],
    policy: Cohorts | Mapping[str, Cohorts],
    method: str | Sequence[str] = "twfe",
    *,
    controls: Sequence[str] = (),
    baseline_controls: Sequence[str] = (),
    covariates: Formula | Sequence[Formula | Sequence[str]] = None,
    fe: Sequence[str | Sequence[str] | None] = (None,),
    cluster: str | Sequence[str | Sequence[str] | None] | None = None,
    comparison: str | Sequence[str] = "never-treated",
    anticipation: int | Sequence[int] = 0,
    samples: Mapping[str, Keep] | None = None,
    windows: Sequence[tuple[int, int] | None] = (None,),
    winsorise: float | Sequence[float] = 0.0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    limit: int = 5000,
) -> SpecificationCurve:
    """Estimate every admissible combination of the choices. The first option of each is the baseline's.

    Args:
        panel: the panel.
        outcome: column, or columns that measure the same thing in several ways.
        policy: adoption dates, or several by name (other rules for timing or partial coverage).
        method: estimator, or several; of estimators with many effects, the overall average.
        controls: columns each of which may be in or out: k of them make 2^k models;  baseline_controls: those of the baseline.
        covariates: what is controlled for in every model: a formula; or a list of alternatives (formulas, lists of names, ``None``).
        fe: alternatives beyond unit and period effects: ``[None, "province^year"]``.
        cluster: alternatives to cluster on: ``["adcode", "province"]``; ``None``: the panel's cluster, else the unit.
        comparison, anticipation: alternatives, for estimators that have them.
        samples: which rows to keep, by name: ``{"all": None, "no capitals": ~pl.col("capital")}``.
        windows: first and last periods;  winsorise: shares of the outcome's rows pulled in at either end, in the sample and window.
        options: options of an estimator, by its id.
        limit: most specifications that are estimated.

    Two-way fixed effects with clustered standard errors are solved from cross products that all specifications on the same rows and fixed
    effects share (:mod:`hinterland.evaluate.specification_block`); the numbers are those of :func:`hinterland.estimate`. Combinations that an
    estimator does not have, makes nothing of, or that are another one over again, are in ``left_out`` with the reason.

    Raises:
        EstimationError: unknown columns, repeated choices, bad values, more than ``limit`` specifications (the message says how many), or
            nothing that can be estimated.
    """
    named = samples if samples is not None else {"all": None}
    choices = Choices(
        outcome=choosing.tupled(outcome),
        method=choosing.tupled(method),
        policy={"policy": policy} if isinstance(policy, Cohorts) else dict(policy),
        comparison=choosing.tupled(comparison),
        anticipation=choosing.tupled(anticipation),
        sample=dict(named),
        window=tuple(windows),
        winsorise=choosing.tupled(winsorise),
        covariates=choosing.formulas(covariates),
        controls=tuple(controls),
        lead=tuple(baseline_controls),
        fe=choosing.grouped(fe),
        cluster=choosing.grouped(cluster),
    )
    return curve(panel, choices, options or {}, limit)


def curve(panel: Panel, choices: Choices, options: Mapping[str, Mapping[str, Any]], limit: int) -> SpecificationCurve:
    """The curve of choices that are written out."""
    choices = choosing.settled(panel, choices)
    choosing.fail_if_bad(panel, choices, limit)
    _fail_if_options_unknown(choices, options)
    chosen, without = choosing.specifications(choices)
    fitted = fit_all(Rows(panel, choices), chosen, options)
    _fail_if_nothing(chosen, fitted)
    frame = _frame(choices, chosen, fitted.estimated)
    left_out = _left_out(choices, chosen, without, fitted)
    shares = _shares(choices, [chosen[e.place] for e in fitted.estimated], frame["estimate"].to_numpy())
    meta = {"specifications": frame.height, "left_out": left_out.height, "combinations": frame.height + left_out.height}
    return SpecificationCurve(choices.outcome[0], frame, left_out, shares, choices, fitted, _notes(frame, left_out, shares), meta)


def _fail_if_options_unknown(choices: Choices, options: Mapping[str, Mapping[str, Any]]) -> None:
    findings = []
    for method, own in options.items():
        if method not in choices.method:
            remedy = did_you_mean(method, choices.method)
            findings.append(
                Finding(
                    "unused-options", f"there are options for {method!r}, which is not among the estimators", "argument options", remedy
                )
            )
            continue
        known: Mapping[str, Option] = METHODS[method].options
        findings += [
            Finding("unknown-option", f"{method} has no option {name!r}", f"option {name}={value!r}", did_you_mean(name, known))
            for name, value in own.items()
            if name not in known
        ]
    fail_if_any(findings, "options", EstimationError)


def _fail_if_nothing(chosen: Sequence[Specification], fitted: Fitted) -> None:
    """Raise where nothing could be estimated, or the baseline could not."""
    codes = Counter(code for _, reason, code in fitted.lost if reason == "not-estimable")
    where = listed([f"{code} ({n})" for code, n in codes.most_common()], 8) if codes else f"{len(chosen)} specifications"
    if not fitted.estimated:
        what = f"none of {len(chosen)} specifications can be estimated"
        raise EstimationError(
            Finding("no-specification", what, where, "see what each finding says of the data, or declare other choices"), "choices"
        )
    if fitted.estimated[0].place != 0:
        code = next((c for place, _, c in fitted.lost if place == 0), "")
        what = f"the baseline, the first option of every choice, cannot be estimated ({code})"
        raise EstimationError(
            Finding("no-baseline", what, str(chosen[0]), "put first the options of a specification that can be"), "choices"
        )


def _frame(choices: Choices, chosen: Sequence[Specification], found: Sequence[Estimated]) -> pl.DataFrame:
    from scipy import special

    estimate, error, df = (np.array([getattr(e, name) for e in found]) for name in ("estimate", "std_error", "df"))
    half = error * np.where(np.isinf(df), special.ndtri(1 - LEVEL / 2), special.stdtrit(np.where(np.isinf(df), 1e6, df), 1 - LEVEL / 2))

    def real(values: np.ndarray[Any, np.dtype[np.float64]]) -> pl.Series:
        return pl.Series(values, dtype=pl.Float64, nan_to_null=True)

    return (
        pl.DataFrame([worded(choices, chosen[e.place]) for e in found], schema=WORDED)
        .with_columns(
            estimate=real(estimate),
            std_error=real(error),
            statistic=real(estimate / error),
            p_value=real(np.array([e.p_value for e in found])),
            conf_low=real(estimate - half),
            conf_high=real(estimate + half),
            df=real(np.where(np.isinf(df), np.nan, df)),
            **{n: pl.Series([getattr(e, n) for e in found], dtype=pl.Int64) for n in ("n_obs", "n_units", "n_treated", "n_clusters")},
            baseline=pl.Series([e.place == 0 for e in found]),
        )
        .select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("specification"), pl.all())
    )


def _left_out(
    choices: Choices, chosen: Sequence[Specification], without: Sequence[tuple[Specification, str, str]], fitted: Fitted
) -> pl.DataFrame:
    number = {e.place: k for k, e in enumerate(fitted.estimated, 1)}
    repeated = {place: int(code) for place, reason, code in fitted.lost if reason == "same-as-another"}

    def original(place: int) -> str:
        """The number of the specification that this one repeats, or a repeat of it does."""
        while place in repeated:
            place = repeated[place]
        return str(number.get(place, ""))

    rows: list[dict[str, Any]] = [{**worded(choices, one), "reason": reason, "detail": detail} for one, reason, detail in without]
    rows += [
        {**worded(choices, chosen[place]), "reason": reason, "detail": original(place) if reason == "same-as-another" else code}
        for place, reason, code in sorted(fitted.lost)
    ]
    return pl.DataFrame(rows, schema={**WORDED, "reason": pl.String, "detail": pl.String})


def _shares(choices: Choices, found: Sequence[Specification], estimate: np.ndarray[Any, np.dtype[np.float64]]) -> pl.DataFrame:
    texts = [worded(choices, one) for one in found]
    names = [n for n in WORDED if n not in ("controls", "cluster", "policy", "timing", "partial", "uncertain")]
    options = {n: [t[n] for t in texts] for n in (*choices.facets, *names)}
    return variance_shares(estimate, options, {c: [c in one.controls for one in found] for c in choices.controls})


def _notes(frame: pl.DataFrame, left_out: pl.DataFrame, shares: pl.DataFrame) -> tuple[Note, ...]:
    notes = [Note("curve-count", {"count": frame.height, "left_out": left_out.height})]
    for reason, count in left_out["reason"].value_counts().sort("reason").iter_rows():
        codes = left_out.filter(pl.col("reason") == reason)["detail"].unique().sort().to_list() if reason != "same-as-another" else []
        notes.append(Note(f"curve-left-out-{reason}", {"count": count, "what": ", ".join(codes[:8])}))
    if frame["outcome"].n_unique() > 1:
        notes.append(Note("curve-several-outcomes", {"outcomes": ", ".join(frame["outcome"].unique(maintain_order=True))}))
    if frame["std_error"].null_count():
        notes.append(Note("curve-no-error", {"count": frame["std_error"].null_count()}))
    moving = shares.filter((pl.col("choice") != INTERACTION) & pl.col("share").is_not_null())
    if moving.height:
        first = moving.row(0, named=True)
        notes.append(
            Note("curve-moves-most", {"choice": first["control"] or first["choice"], "share": first["share"], "range": first["range"]})
        )
    return tuple(notes)
