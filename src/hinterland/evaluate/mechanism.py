"""``mechanism``: through what does the policy act? The effect on each mediator, the share of the total effect that it carries, and how much confounding would undo that.

Product of coefficients and controlled direct effects: :mod:`hinterland.evaluate.mechanism_paths`. Sensitivity to unmeasured confounders of mediator and outcome:
:mod:`hinterland.evaluate.mechanism_sensitivity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import columns_of, find_method, fit
from hinterland.evaluate.families import adjust
from hinterland.evaluate.mechanism_checks import Interaction, fail_if_no_mediators, fail_if_not_columns, interaction, path_and_test
from hinterland.evaluate.mechanism_draws import Resampling, resampled
from hinterland.evaluate.mechanism_frames import Sampled, check_frame, path_frame, sensitivity_frame
from hinterland.evaluate.mechanism_paths import Slope, on_mediator, one_number, slopes, stacked
from hinterland.evaluate.pretrends import PretrendTest
from hinterland.evaluate.recommend import FEW_TREATED
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

__all__ = ["Mechanism", "mechanism", "mechanism_of"]

REJECTED = 0.05


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How much of an effect runs through K mediators.

    Attributes:
        method: estimator of the total effect and of the effects on the mediators;  outcome: its name;  mediators: [K] names.
        slope: where the outcome's slopes in the mediators come from: ``pooled``, ``untreated`` or ``saturated``.
        frame: one row per quantity: ``mediator`` (null: all of them together), ``quantity`` (``total``, ``direct``, ``indirect``, ``share``, ``effect-on-mediator``, ``slope``),
            ``estimate, std_error, p_value, conf_low, conf_high, bca_low, bca_high``.
        checks: one row per mediator, then one for all (null): correlation of errors at which its indirect effect is zero (``rho_zero``) and at which its interval holds zero
            (``rho_doubt``), ``robustness_value``, change of the slope under treatment with its p-value, the pre-trend test, and the p-values of the effect on the mediator, unadjusted and
            adjusted for their number.
        sensitivity: ``mediator, rho, estimate, conf_low, conf_high, share``: indirect effects by the correlation of errors.
        total: the total effect;  effects: [K] on the mediators, one term each;  paths: [K] by event time, ``None`` where the estimator has no path.
        pretrends: [K] tests, ``None`` where there is none.
        draws: of the bootstrap that define everything;  level: of the intervals;  notes: what a reader must know, first of all what is identified;  meta: how it was computed.
    """

    method: str
    outcome: str
    mediators: tuple[str, ...]
    slope: Slope
    frame: pl.DataFrame
    checks: pl.DataFrame
    sensitivity: pl.DataFrame
    total: Effects
    effects: tuple[Effects, ...]
    paths: tuple[Effects | None, ...]
    pretrends: tuple[PretrendTest | None, ...]
    draws: int
    level: float
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        share = self.value("share")
        return (
            f"Mechanism({self.method}, {self.outcome} through {', '.join(self.mediators)}: indirect {self.value('indirect'):.4g} of "
            f"{self.value('total'):.4g}, share {share:.3g})"
        )

    def value(self, quantity: str, mediator: str | None = None) -> float:
        """The estimate of a quantity, of all mediators together or of one.

        Raises:
            EstimationError: there is none of that name.
        """
        rows = self.frame.filter((pl.col("quantity") == quantity) & pl.col("mediator").eq_missing(pl.lit(mediator, dtype=pl.String)))
        if not rows.height:
            known = [q if m is None else f"{q} of {m}" for m, q in self.frame.select("mediator", "quantity").iter_rows()]
            asked = quantity if mediator is None else f"{quantity} of {mediator}"
            raise EstimationError(
                Finding("unknown-value", f"there is no {asked}", "Mechanism.value", did_you_mean(asked, known)), "mechanism"
            )
        return float(rows["estimate"][0])

    def tidy(self) -> pl.DataFrame:
        """One row per quantity, the same as ``frame``."""
        return self.frame


def mechanism(
    panel: Panel,
    /,
    outcome: str,
    policy: Cohorts,
    mediators: str | Sequence[str],
    method: str = "callaway-santanna",
    *,
    confounders: Sequence[str] = (),
    slope: Slope | None = None,
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    cluster: str | Sequence[str] | None = None,
    anticipation: int = 0,
    fe: Sequence[str] = (),
    draws: int = 1999,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Mechanism:
    """Estimate how much of the effect of ``policy`` on ``outcome`` runs through ``mediators``.

    The effect on a mediator is identified by the same design as the effect on the outcome. The share that it carries needs more: no unmeasured confounder of mediator and outcome, given
    unit and period effects, the covariates and ``confounders``, and a slope that treatment does not change.

    Args:
        panel: the panel.
        outcome, policy, method, covariates, comparison, cluster, anticipation, fe, options: as in :func:`hinterland.estimate`; clusters in one grouping.
        mediators: one or more columns, taken together (parallel mediators).
        confounders: columns that the policy may have changed and that move both mediator and outcome: in the regression of the slopes only.
        slope: where the outcome's slopes in the mediators come from: ``pooled`` (beside the treatment, default of ``twfe``), ``untreated`` (rows without treatment, default of every other
            estimator) or ``saturated`` (all rows, a fixed effect for every treated cohort and period).
        draws, level, seed: of the cluster bootstrap.

    Raises:
        EstimationError: a column that cannot be a mediator; an estimator without influence function by cluster; two groupings of clusters; bad options.
        PanelError: unknown columns.
    """
    named = (mediators,) if isinstance(mediators, str) else tuple(mediators)
    fail_if_not_columns(panel, outcome, named, confounders)
    columns = (*named, *confounders, *columns_of(find_method(method), options))
    design = make_design(
        panel,
        outcome,
        policy,
        covariates=covariates,
        fe=fe,
        comparison=comparison,
        anticipation=anticipation,
        cluster=cluster,
        columns=tuple(dict.fromkeys(columns)),
    )
    return mechanism_of(design, named, method, confounders=confounders, slope=slope, draws=draws, level=level, seed=seed, **options)


@one_thread()
def mechanism_of(
    design: Design,
    mediators: Sequence[str],
    method: str = "callaway-santanna",
    *,
    confounders: Sequence[str] = (),
    slope: Slope | None = None,
    draws: int = 1999,
    level: float = 0.95,
    seed: int = 0,
    **options: Any,
) -> Mechanism:
    """The same on a design whose ``columns`` hold mediators and confounders: rows that miss one of them are left out of everything."""
    source: Slope = slope if slope is not None else "pooled" if method == "twfe" else "untreated"
    _fail_if_bad(design, source, draws, level)
    named = tuple(mediators)
    fail_if_no_mediators(design, named)
    fitted = [fit(d, method, **options) for d in (design, *(on_mediator(design, m) for m in named))]
    total, *effects = [one_number(e) for e in fitted]
    found = slopes(design, named, confounders, source)
    theta = stacked(total, effects, found)
    sampled = resampled(design, named, confounders, theta, Resampling(method == "twfe" and source == "pooled", draws, seed))
    tests = [path_and_test(e, on_mediator(design, m), options) for e, m in zip(fitted[1:], named, strict=True)]
    crossed, refused = _interaction(design, named, confounders, source)
    adjusted = {name: adjust(effects, name, draws=draws, seed=seed).p_adjusted for name in ("romano-wolf", "benjamini-hochberg")}
    frame = path_frame(named, total, effects, found=found, theta=theta, sampled=sampled, level=level)
    checks = check_frame(named, effects, sampled, level, crossed=crossed, tests=tuple(t for _, t, _ in tests), adjusted=adjusted)
    notes = (*_identified(named, source, confounders), *_doubts(design, total, sampled, crossed, frame), *_untested(named, tests, refused))
    return Mechanism(
        method=method,
        outcome=design.outcome,
        mediators=named,
        slope=source,
        frame=frame,
        checks=checks,
        sensitivity=sensitivity_frame(named, sampled, level),
        total=total,
        effects=tuple(effects),
        paths=tuple(p for p, _, _ in tests),
        pretrends=tuple(t for _, t, _ in tests),
        draws=len(sampled.draws),
        level=level,
        notes=(*design.notes, *notes),
        meta={
            **_facts(design),
            "bootstrap": sampled.kind,
            "seed": seed,
            "n_obs_slope": found.n_obs,
            "confounders": " + ".join(confounders),
        },
    )


def _facts(design: Design) -> dict[str, Any]:
    cluster = design.clusters[0]
    sizes = {"n_obs": design.n_obs, "n_units": design.n_units, "n_treated": design.n_treated, "n_clusters": cluster.size}
    return {**sizes, "cluster": cluster.name, "covariates": " + ".join(design.covariate_names)}


def _untested(mediators: tuple[str, ...], tests: Sequence[tuple[object, object, str]], refused: str) -> list[Note]:
    """What could not be tested, and why."""
    notes = [Note("mechanism-no-interaction", {"reason": refused})] if refused else []
    return notes + [
        Note("mechanism-no-pretrend", {"mediator": m, "reason": why}) for m, (_, _, why) in zip(mediators, tests, strict=True) if why
    ]


def _interaction(design: Design, mediators: tuple[str, ...], confounders: Sequence[str], source: Slope) -> tuple[Interaction | None, str]:
    try:
        return interaction(design, mediators, confounders, source), ""
    except EstimationError as error:
        return None, error.findings[0].code


def _fail_if_bad(design: Design, source: str, draws: int, level: float) -> None:
    findings = []
    if source not in get_args(Slope):
        findings.append(Finding("unknown-value", f"slope is {source!r}", "argument slope", did_you_mean(str(source), get_args(Slope))))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 1999"))
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    if len(design.clusters) > 1:
        what = "the bootstrap of indirect effects draws clusters of one grouping"
        findings.append(Finding("not-defined", what, "argument cluster", "cluster on one column"))
    fail_if_any(findings, "mechanism", EstimationError)


def _identified(mediators: tuple[str, ...], source: Slope, confounders: Sequence[str]) -> list[Note]:
    """What is identified by the design, and what the share assumes beyond it."""
    notes = [Note("mechanism-identified", {"count": len(mediators)}), Note(f"mechanism-slope-{source}")]
    if confounders:
        notes.append(Note("mechanism-confounders", {"names": ", ".join(confounders)}))
    return notes


def _doubts(design: Design, total: Effects, sampled: Sampled, crossed: Interaction | None, frame: pl.DataFrame) -> list[Note]:
    """What makes shares hard to read here."""
    notes = []
    cluster = design.clusters[0].codes
    treated = len(np.unique(cluster[(design.cohort != NEVER)[design.unit]]))
    if treated <= FEW_TREATED:
        notes.append(Note("mechanism-few-treated", {"clusters": treated}))
    if not total.p_value[0] < REJECTED:
        notes.append(Note("mechanism-share-unstable", {"p": float(total.p_value[0])}))
    against = frame.filter((pl.col("quantity") == "share") & pl.col("mediator").is_not_null() & (pl.col("conf_high") < 0))[
        "mediator"
    ].to_list()
    if against:
        notes.append(Note("mechanism-against", {"mediators": ", ".join(against)}))
    if crossed is not None and crossed.p_value < REJECTED:
        notes.append(Note("mechanism-interaction", {"p": crossed.p_value}))
    if sampled.lost:
        notes.append(Note("mechanism-draws-lost", {"count": sampled.lost, "draws": sampled.lost + len(sampled.draws)}))
    return notes
