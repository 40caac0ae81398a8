"""Randomisation inference for any estimator: adoption is dealt out again, as it might have been.

Fisher (1935), The Design of Experiments; for difference-in-differences MacKinnon & Webb (2020), Journal of Econometrics 218(2). The batched estimators
are those of :func:`hinterland.placebo`; every other one is fitted anew for each assignment, which an executor may spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.inversion import invert
from hinterland.evaluate.permutation import Scheme, assignment_codes, every_assignment, make_scheme, permutations
from hinterland.evaluate.placebo import draws_frame
from hinterland.evaluate.placebo_space import NEEDS_BEFORE, batchable, make_kernel, path_codes, without_always_treated
from hinterland.evaluate.randomisation_loop import Moments, Request, looped
from hinterland.evaluate.regression import treatment
from hinterland.evaluate.result import Effects
from hinterland.labels import Note

Index = NDArray[np.intp]
Statistic = Literal["t", "coefficient"]

LINEAR = ("twfe", "callaway-santanna", "imputation")
"""Estimators whose batch is linear in the outcome, as the interval needs it."""

ENUMERATED = 100_000
"""Most assignments that are listed, whatever ``draws`` says."""


@dataclass(frozen=True, slots=True)
class RandomisationTest:
    """An effect beside those of assignments that might have been.

    Attributes:
        method, outcome, term: what was estimated.
        estimate, std_error: of the actual assignment.
        statistic: which p-value is ``p_value``, and which test ``conf_low`` and ``conf_high`` invert: ``t`` or ``coefficient``.
        p_value: of the sharp null of no effect on anybody;  p_coefficient, p_statistic: from the estimate and from its t statistic.
        conf_low, conf_high: the constant effects that are not rejected; infinite where the test never rejects, NaN where not asked for or not
            defined.
        level: of the interval.
        draws: ``draw, estimate, statistic``; draw 0 is the actual assignment.
        enumerated: the draws are all assignments that exist;  n_assignments: how many exist (infinite beyond 10^300).
        notes: what a reader must know;  meta: seed, strata, block, comparison, cluster.
    """

    method: str
    outcome: str
    term: str
    estimate: float
    std_error: float
    statistic: Statistic
    p_value: float
    p_coefficient: float
    p_statistic: float
    conf_low: float
    conf_high: float
    level: float
    draws: pl.DataFrame
    enumerated: bool
    n_assignments: float
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        span = f" [{self.conf_low:.4g}, {self.conf_high:.4g}]" if not np.isnan(self.conf_low) else ""
        what = "every assignment" if self.enumerated else f"{self.n_draws} draws"
        return f"RandomisationTest({self.method}, {self.outcome}: {self.estimate:.6g}{span}, p = {self.p_value:.4g} ({self.statistic}, {what}))"

    @property
    def n_draws(self) -> int:
        """Assignments besides the actual one."""
        return self.draws.height - 1

    def tidy(self) -> pl.DataFrame:
        """One row: ``outcome, method, term, estimate, std_error, p_value, p_coefficient, p_statistic, conf_low, conf_high, draws``."""
        bounds = {k: v if np.isfinite(v) else None for k, v in (("conf_low", self.conf_low), ("conf_high", self.conf_high))}
        names = ("outcome", "method", "term", "estimate", "std_error", "p_value", "p_coefficient", "p_statistic")
        row = {**{k: getattr(self, k) for k in names}, **bounds, "draws": self.n_draws}
        return pl.DataFrame([row], schema_overrides={"conf_low": pl.Float64, "conf_high": pl.Float64})


def randomisation_test(
    design: Design,
    method: str = "twfe",
    *,
    draws: int = 1000,
    seed: int = 1,
    strata: str | NDArray[Any] | None = None,
    block: str | NDArray[Any] | None = None,
    statistic: Statistic = "t",
    term: str | None = None,
    interval: bool = True,
    level: float = 0.95,
    executor: Executor | None = None,
    **options: Any,
) -> RandomisationTest:
    """Test the sharp null of no effect on anybody by dealing adoption out again.

    Args:
        design: what is estimated on what.
        method: any estimator.
        draws: random assignments; where no more than this many exist, each is used once and the p-value is exact without a seed.
        seed: of the draws.
        strata: column that the design carries (or values [N] by unit) within whose levels adoption is dealt out.
        block: column (or values [N]) whose groups adopt as one; units by default.
        statistic: which test gives ``p_value`` and the interval: ``t``, which also holds for the null of no average effect in large samples
            when the variance differs between treated and untreated (Chung & Romano 2013; Wu & Ding 2021), or ``coefficient``.
        term: the coefficient to test, or the aggregation (``overall``, the default) for estimators that aggregate.
        interval: give the constant effects that the test does not reject. Costs no further fit where a batch exists, one further fit per draw otherwise.
        level: of the interval;  executor: spreads the fits of estimators without a batch;  options: of the method.

    The interval is that of a constant effect τ: y − τ D is what would have been without treatment, and is dealt with as y is. Linear estimators give the
    statistics of every τ at once, from those of y and of D. It is left out, with a note, for an estimator that is not linear in the outcome.

    Raises:
        EstimationError: bad options, an unknown column, nothing to deal out, or a design that ``method`` cannot estimate.
    """
    _fail_if_bad(draws, statistic, level)
    request = Request(method, term, options)
    groups = [unit_values(design, what, name) for what, name in (("strata", strata), ("block", block))]
    plan = _plan(design, request, *groups)
    exact = plan.scheme.distinct <= min(draws + 1, ENUMERATED)
    chunks = [every_assignment(plan.scheme)] if exact else None
    moments = _batched(plan, draws, seed, chunks, interval=interval) if plan.batched else None
    if moments is None:
        assignments = np.concatenate(chunks or list(permutations(plan.scheme, draws, seed, draws)))
        moments = looped(plan.design, request, assignments, interval=interval, executor=executor)
    names = {k: v if isinstance(v, str) else None for k, v in (("strata", strata), ("block", block))}
    meta = {"seed": seed, "comparison": design.comparison, "cluster": " + ".join(c.name for c in design.clusters), **names}
    return _summarise(plan, moments, statistic, level, exact=exact, meta=meta)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is dealt out: ``effects`` of the actual assignment (one term), ``scheme``, and whether ``method`` has a batch for it."""

    design: Design
    method: str
    effects: Effects
    scheme: Scheme
    batched: bool


def _plan(design: Design, request: Request, strata: Index | None, block: Index | None) -> _Plan:
    method = request.method
    batched = not request.options and request.term in (None, "overall", "treated") and method in LINEAR and len(design.clusters) == 1
    own = np.arange(design.n_units, dtype=np.intp)
    block = own if block is None else block
    strata = np.zeros_like(own) if strata is None else strata
    if method in NEEDS_BEFORE:
        design, (strata, block) = without_always_treated(design, method, strata, block)
    effects = request(design)
    scheme = make_scheme(assignment_codes(design), block, strata)
    if batched and batchable(design, method, scheme):
        scheme = make_scheme(path_codes(design, method), block, strata)
    else:
        batched = False
    return _Plan(design, method, effects, scheme, batched)


def unit_values(design: Design, purpose: str, name: str | NDArray[Any] | None) -> Index | None:
    """[N] codes of a column that the design carries, or of values given by unit; ``None`` for ``None``.

    Raises:
        EstimationError: no such column, values of the wrong length, or values that change within units.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        values = np.asarray(name)
        if values.shape != (design.n_units,):
            what = f"{purpose} has shape {values.shape}, not one value for each of {design.n_units} units"
            raise EstimationError(Finding("bad-groups", what, f"argument {purpose}", "give one value per unit, in order"), "randomisation")
        return np.unique(values, return_inverse=True)[1].astype(np.intp)
    rows = _column(design, purpose, name)
    first = np.zeros(design.n_units, dtype=rows.dtype)
    first[design.unit] = rows
    moved = np.unique(design.unit[first[design.unit] != rows])
    if len(moved):
        what = f"column {name!r} changes within {len(moved)} unit(s)"
        remedy = f"give each unit one value of {name!r}"
        raise EstimationError(Finding("not-constant-in-unit", what, listed(design.unit_labels[moved].tolist()), remedy), "randomisation")
    return np.unique(first, return_inverse=True)[1].astype(np.intp)


def _column(design: Design, purpose: str, name: str) -> NDArray[Any]:
    """[n] the values, or codes, of a column that the design carries."""
    if name in design.columns:
        return np.asarray(design.columns[name])
    factors: dict[str, Factor] = {f.name: f for f in (*design.clusters, *design.fixed_effects) if f.slope is None}
    if name in factors:
        return factors[name].codes
    known = [*design.columns, *factors]
    remedy = f"{did_you_mean(name, known)} Columns are carried by make_design(columns=[...])"
    raise EstimationError(
        Finding("unknown-column", f"the design carries no column {name!r}", f"argument {purpose}", remedy), "randomisation"
    )


def _batched(plan: _Plan, draws: int, seed: int, chunks: list[Index] | None, *, interval: bool) -> Moments:
    """Moments of every assignment from the batch, on the outcome, on the treatment and, for what they share, on their sum."""
    design = plan.design
    scale = float(design.y.std())
    treated = treatment(design) * scale
    outcomes = [design.y, treated, design.y + treated] if interval else [design.y]
    found = []
    for y in outcomes:
        kernel, chunk = make_kernel(replace(design, y=y), plan.method, plan.scheme)
        parts = (
            (chunks[0][start : start + chunk] for start in range(0, len(chunks[0]), chunk))
            if chunks is not None
            else permutations(plan.scheme, draws, seed, chunk)
        )
        estimate, variance = (np.concatenate(p) for p in zip(*(kernel(a) for a in parts), strict=True))
        found.append((estimate, variance))
    estimate, variance = found[0]
    error = float(plan.effects.std_error[0])
    factor = error**2 / variance[0]
    if not interval:
        return Moments(estimate, variance * factor, None, None, None, linear=True)
    shared = (found[2][1] - found[0][1] - found[1][1]) / 2
    own = np.maximum(found[1][1], 0.0) / scale**2
    return Moments(estimate, variance * factor, found[1][0] / scale, shared / scale * factor, own * factor, linear=True)


def _summarise(
    plan: _Plan, moments: Moments, statistic: Statistic, level: float, *, exact: bool, meta: Mapping[str, Any]
) -> RandomisationTest:
    effects = plan.effects
    error = float(effects.std_error[0])
    estimate, t = moments.at(0.0, "coefficient"), moments.at(0.0, "t")
    p_coefficient, p_statistic = p_exact(estimate), p_exact(t)
    low = high = float("nan")
    if moments.constant is not None and np.isfinite(t[0]):
        low, high = invert(lambda delta: p_exact(moments.at(float(estimate[0]) - delta, statistic)), float(estimate[0]), error, 1 - level)
    bare = int(np.count_nonzero(np.isfinite(estimate) & ~np.isfinite(t))) if np.isfinite(error) else 0
    extra = [Note("ri-no-variance", {"count": bare, "draws": len(t) - 1})] if bare else []
    if np.isinf([low, high]).any():
        extra.append(Note("ri-unbounded", {"level": level, "smallest": 1 / int(np.isfinite(t if statistic == "t" else estimate).sum())}))
    return RandomisationTest(
        method=effects.method,
        outcome=effects.outcome,
        term=effects.terms.name[0],
        estimate=float(effects.estimate[0]),
        std_error=error,
        statistic=statistic,
        p_value=p_statistic if statistic == "t" else p_coefficient,
        p_coefficient=p_coefficient,
        p_statistic=p_statistic,
        conf_low=low,
        conf_high=high,
        level=level,
        draws=draws_frame(estimate, t),
        enumerated=exact,
        n_assignments=plan.scheme.distinct,
        notes=(*effects.notes, *_remarks(plan, moments, estimate, exact=exact, meta=meta), *extra),
        meta=meta,
    )


def p_exact(values: Floats) -> float:
    """(1 + others at least as far from zero as the first)/(1 + others); ties up to rounding count, undefined ones do not.

    NaN where the actual value is undefined.
    """
    if not np.isfinite(values[0]):
        return float("nan")
    drawn = np.abs(values[1:][np.isfinite(values[1:])])
    return float((1 + np.count_nonzero(drawn >= abs(values[0]) * (1 - 1e-10))) / (1 + len(drawn)))


def _remarks(plan: _Plan, moments: Moments, estimate: Floats, *, exact: bool, meta: Mapping[str, Any]) -> list[Note]:
    draws = len(estimate) - 1
    notes = [Note("ri-enumerated" if exact else "ri-drawn", {"count": len(estimate) if exact else draws})]
    if not plan.batched:
        notes.append(Note("ri-loop", {"method": plan.method}))
    undefined = int(np.count_nonzero(~np.isfinite(estimate)))
    if undefined:
        notes.append(Note("ri-undefined", {"count": undefined, "draws": draws}))
    if not np.isfinite(float(plan.effects.std_error[0])):
        notes.append(Note("ri-no-statistic", {"method": plan.method}))
    if not moments.linear:
        notes.append(Note("ri-no-interval", {"method": plan.method}))
    if meta.get("strata"):
        notes.append(Note("placebo-strata", {"column": meta["strata"]}))
    if meta.get("block"):
        notes.append(Note("placebo-level", {"column": meta["block"], "groups": len(plan.scheme.adoption)}))
    return notes


def _fail_if_bad(draws: int, statistic: str, level: float) -> None:
    findings = []
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        findings.append(Finding("bad-draws", f"draws is {draws!r}", "argument draws", "give a whole number, 1 or more (1000 is usual)"))
    if statistic not in get_args(Statistic):
        findings.append(
            Finding("unknown-value", f"statistic is {statistic!r}", "argument statistic", did_you_mean(str(statistic), get_args(Statistic)))
        )
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    fail_if_any(findings, "randomisation", EstimationError)
