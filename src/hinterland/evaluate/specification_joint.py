"""Joint inference on a specification curve: is the curve as a whole more than chance would make of no effect?

Three statistics of all specifications together (Simonsohn, Simmons & Nelson 2020, Nature Human Behaviour 4, p. 1211): the median estimate, the
share of specifications that are significant in the predominant direction, and the average of the z values (Stouffer's). Each is compared with
its distribution under one of two nulls:

``permutation``: the sharp null of no effect on anybody; adoption is dealt out anew among units, the same deal for every specification.
``bootstrap``: the null that every specification's own coefficient is zero; clusters are drawn with replacement, and y − β̂_k d takes the place of
y in specification k. ``multiplier`` does the same by the influence functions, for every estimator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.families import stepdown
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.evaluate.specification import SpecificationCurve
    from hinterland.evaluate.specification_fits import Estimated

Kind = Literal["permutation", "bootstrap", "multiplier"]
STATISTICS = ("median", "significant", "stouffer")
TIE = 1e-10
_FAR = 37.0
"""Largest z value: beyond it the normal tail is zero in doubles."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Estimates and t statistics under a null, R draws of P specifications.

    Attributes:
        places: [P] of the specifications drawn, as in :class:`~hinterland.evaluate.specification_fits.Estimated`.
        estimate, statistic: [R, P], NaN where a draw does not identify a specification.
        notes: what the draws rest on.
    """

    places: NDArray[np.int64]
    estimate: Floats
    statistic: Floats
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class SpecificationInference:
    """The curve against chance.

    Attributes:
        outcome: the baseline's outcome;  kind: which null.
        frame: ``statistic`` (``median``, ``significant``, ``stouffer``), ``observed``, ``null_low, null_mid, null_high`` (2.5, 50 and 97.5 % of the
            draws), ``p_value``: (1 + draws at least as far out) / (1 + draws). All three are two-sided: the predominant direction is found anew
            in every draw.
        specifications: ``specification, estimate, p_value, p_adjusted``: from the draws of each t statistic alone, and step-down over all of them
            (Romano & Wolf 2005).
        ranks: ``rank, low, high``: where the rank-th smallest estimate lies in 95 % of the draws: a curve under the null.
        drawn: ``draw, median, significant, stouffer``.
        n_specifications, n_significant: in the test;  direction: 1 or -1, of most estimates.
        draws: that were usable;  level: of the tests counted as significant.
        notes: what a reader must know;  meta: seed, draws asked for.
    """

    outcome: str
    kind: Kind
    frame: pl.DataFrame
    specifications: pl.DataFrame
    ranks: pl.DataFrame
    drawn: pl.DataFrame
    n_specifications: int
    n_significant: int
    direction: int
    draws: int
    level: float
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        p = ", ".join(f"{s} p = {v:.4g}" for s, v in self.frame.select("statistic", "p_value").iter_rows())
        return f"SpecificationInference({self.outcome}, {self.kind}: {self.n_specifications} specifications, {self.draws} draws; {p})"

    def tidy(self) -> pl.DataFrame:
        """One row per statistic."""
        return self.frame


@one_thread()
def joint_inference(curve: SpecificationCurve, draws: int, kind: Kind, *, seed: int = 1, level: float = 0.05) -> SpecificationInference:
    """Compare the three statistics of a curve with their distribution under a null.

    Args:
        curve: the specifications.
        draws: permutations, or bootstrap samples;  seed: of them.
        kind: ``permutation`` (two-way fixed effects; ``callaway-santanna`` on balanced panels without covariates and weights), ``bootstrap``
            (two-way fixed effects) or ``multiplier`` (every estimator, specifications that cluster as the baseline does). Specifications
            that the kind has no draws for take no part, and a note counts them.
        level: of the tests that are counted as significant.

    Raises:
        EstimationError: unknown kind, bad numbers, or no specification that can be drawn.
    """
    _fail_if_bad(draws, kind, level)
    if kind == "permutation":
        from hinterland.evaluate.specification_permutation import permuted as made
    elif kind == "bootstrap":
        from hinterland.evaluate.specification_bootstrap import resampled as made
    else:
        made = multiplied
    found = made(curve, draws, seed)
    if not len(found.places):
        remedy = "use kind='multiplier', which takes every estimator" if kind != "multiplier" else "cluster the baseline on one column"
        raise EstimationError(
            Finding("no-joint-inference", f"no specification has {kind} draws", f"{curve.frame.height} specifications", remedy), "choices"
        )
    return _summarise(curve, found, kind, level, {"seed": seed, "draws": draws})


def comparable(curve: SpecificationCurve) -> list[Estimated]:
    """The specifications with the baseline's grouping, and the influence functions by it.

    Raises:
        EstimationError: the baseline's variance is not that of one grouping.
    """
    estimated = curve.fitted.estimated
    if estimated[0].influence is None:
        what = "the baseline's standard error is not that of its influence function by one grouping"
        remedy = "put first an estimator and a clustering with one grouping"
        raise EstimationError(Finding("not-from-influence", what, "baseline specification", remedy), "choices")
    same = (curve.frame["cluster"] == curve.frame["cluster"][0]).to_list()
    return [e for e, yes in zip(estimated, same, strict=True) if yes and e.influence is not None and np.isfinite(e.std_error)]


def multiplied(curve: SpecificationCurve, draws: int, seed: int) -> Draws:
    """Random signs by cluster times the influence functions, studentised in each draw (:func:`~hinterland.evaluate.families_draws.studentised`)."""
    from hinterland.evaluate.families_draws import studentised
    from hinterland.evaluate.wild_draws import weight_blocks

    chosen = comparable(curve)
    effects = curve.effects()
    present = np.column_stack([np.isin(effects.clusters, e.labels) for e in chosen])
    parts = [
        (v @ effects.influence, studentised(v, effects.influence, present))
        for v in weight_blocks(len(effects.clusters), draws, "rademacher", seed)
    ]
    estimate, statistic = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
    notes = (Note("curve-multiplier", {"clusters": len(effects.clusters), "cluster": curve.frame["cluster"][0]}),)
    return Draws(np.array([e.place for e in chosen]), estimate, statistic, notes)


def z_values(statistic: Floats, df: Floats) -> Floats:
    """[…, P] the normal quantiles of t statistics with ``df`` [P] degrees of freedom."""
    from scipy import special

    finite = np.where(np.isinf(df), 1.0, df)
    tail = special.ndtri(special.stdtr(finite, -np.abs(statistic)))
    z = np.where(np.isinf(df), -np.abs(statistic), tail)
    return np.asarray(-np.sign(statistic) * np.maximum(z, -_FAR))


def statistics_of(estimate: Floats, statistic: Floats, df: Floats, level: float) -> Floats:
    """[R, 3] median estimate, signed share of significant specifications, and Stouffer's Z of curves ``estimate``, ``statistic`` [R, P].

    The share is of those significant in the predominant direction, the sign of most estimates, and carries that sign; Z = Σ z / √P.
    """
    from scipy import special

    critical = np.where(np.isinf(df), special.ndtri(1 - level / 2), special.stdtrit(np.where(np.isinf(df), 1.0, df), 1 - level / 2))
    direction = np.where((estimate > 0).sum(axis=1) * 2 >= estimate.shape[1], 1.0, -1.0)
    significant = (statistic * direction[:, None] > critical).mean(axis=1) * direction
    z = z_values(statistic, df).sum(axis=1) / np.sqrt(estimate.shape[1])
    return np.column_stack([np.median(estimate, axis=1), significant, z])


def _summarise(curve: SpecificationCurve, found: Draws, kind: Kind, level: float, meta: Mapping[str, Any]) -> SpecificationInference:
    by_place = {e.place: e for e in curve.fitted.estimated}
    chosen = [by_place[int(k)] for k in found.places]
    estimate, error, df = (np.array([getattr(e, name) for e in chosen]) for name in ("estimate", "std_error", "df"))
    whole = np.asarray(np.isfinite(found.statistic).all(axis=1), dtype=np.bool_)
    drawn_estimate, drawn_t = found.estimate[whole], found.statistic[whole]
    _fail_if_too_few(drawn_t, found)
    t = estimate / error
    actual = statistics_of(estimate[None], t[None], df, level)[0]
    drawn = statistics_of(drawn_estimate, drawn_t, df, level)
    far = np.abs(drawn) >= np.abs(actual) * (1 - TIE)
    p = (1 + far.sum(axis=0)) / (1 + len(drawn))
    low, mid, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
    frame = pl.DataFrame({"statistic": STATISTICS, "observed": actual, "null_low": low, "null_mid": mid, "null_high": high, "p_value": p})
    raw, adjusted = stepdown(np.abs(t), np.abs(drawn_t))
    numbers = curve.numbers()
    specifications = pl.DataFrame(
        {"specification": [numbers[e.place] for e in chosen], "estimate": estimate, "p_value": raw, "p_adjusted": adjusted}
    )
    ends = np.quantile(np.sort(drawn_estimate, axis=1), [0.025, 0.975], axis=0)
    ranks = pl.DataFrame({"rank": np.arange(1, len(chosen) + 1), "low": ends[0], "high": ends[1]})
    direction = 1 if int((estimate > 0).sum()) * 2 >= len(estimate) else -1
    return SpecificationInference(
        outcome=curve.outcome,
        kind=kind,
        frame=frame,
        specifications=specifications,
        ranks=ranks,
        drawn=pl.DataFrame({"draw": np.arange(1, len(drawn) + 1), **dict(zip(STATISTICS, drawn.T, strict=True))}),
        n_specifications=len(chosen),
        n_significant=round(abs(float(actual[1])) * len(chosen)),
        direction=direction,
        draws=len(drawn),
        level=level,
        notes=(*_remarks(curve, found, kind, whole), *found.notes),
        meta=meta,
    )


def _remarks(curve: SpecificationCurve, found: Draws, kind: Kind, whole: NDArray[np.bool_]) -> list[Note]:
    notes = [Note(f"curve-null-{kind}", {"draws": int(whole.sum())})]
    without = curve.frame.height - len(found.places)
    if without:
        methods = curve.frame.filter(~pl.col("specification").is_in([curve.numbers()[int(k)] for k in found.places]))["method"]
        notes.append(Note("curve-not-drawn", {"count": without, "kind": kind, "methods": ", ".join(methods.unique(maintain_order=True))}))
    if not whole.all():
        notes.append(Note("curve-undefined-draws", {"count": int((~whole).sum()), "draws": len(whole)}))
    return notes


def _fail_if_too_few(drawn: Floats, found: Draws) -> None:
    if len(drawn):
        return
    worst = int((~np.isfinite(found.statistic)).sum(axis=0).max())
    what = f"none of {len(found.statistic)} draws gives an estimate of every specification (one of them lacks {worst})"
    remedy = "leave out samples or fixed effects in which few units are treated"
    raise EstimationError(Finding("no-joint-inference", what, f"{len(found.places)} specifications", remedy), "choices")


def _fail_if_bad(draws: int, kind: str, level: float) -> None:
    findings = []
    if kind not in get_args(Kind):
        findings.append(Finding("unknown-kind", f"kind is {kind!r}", "argument kind", did_you_mean(str(kind), get_args(Kind))))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        findings.append(Finding("bad-draws", f"draws is {draws!r}", "argument draws", "give a whole number, 1 or more (1000 is usual)"))
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a number between 0 and 1, such as 0.05"))
    fail_if_any(findings, "options", EstimationError)
