"""Wild cluster bootstrap tests and intervals.

Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3), for any linear restriction on a regression with fixed effects, computed from
sums over clusters (Roodman, MacKinnon, Nielsen & Webb 2019, Stata Journal 19(1); MacKinnon 2023, Econometrics and Statistics 28). Estimators that are no
regression have the score form (Kline & Santos 2012, Journal of Econometric Methods 1(1)) in :func:`score_bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import polars as pl

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.bands import fail_if_without_clusters
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Ssc, resolve_ssc
from hinterland.evaluate.wild_draws import Statistics, Tail, Weights, enumerable, weight_blocks
from hinterland.evaluate.wild_forms import Form, form
from hinterland.evaluate.wild_regression import Regression, Term, boot_factor, regression, restrictions
from hinterland.labels import Note

FEW = 5
"""Treated, or untreated, clusters up to which the wild bootstrap is known to fail."""
SMALL = 12
"""Clusters up to which random signs repeat themselves."""


@dataclass(frozen=True, slots=True)
class WildTest:
    """Bootstrap tests of p hypotheses, from the same draws.

    Attributes:
        method, outcome: what was estimated on what.
        terms: [p] names of the hypotheses.
        estimate, std_error, statistic: [p]; the statistic is (estimate − null) / std_error with the design's cluster-robust standard error.
        p_value, conf_low, conf_high: [p]; infinite bounds where no value on that side is rejected.
        null: the value under test;  level: of the intervals;  tail: ``symmetric`` or ``equal-tailed``.
        kind: ``wcr`` (null imposed), ``wcu`` (not imposed) or ``score`` (influence functions).
        weights: distribution of the weights;  draws: bootstrap statistics used;  enumerated: they are all there are (one of each pair ±v).
        bootcluster: the grouping that shares weights;  n_boot_clusters: its size.
        drawn: [R, p] bootstrap t statistics under the null;  notes: what a reader must know;  meta: seed, clusters, small-sample rule.
    """

    method: str
    outcome: str
    terms: tuple[str, ...]
    estimate: Floats
    std_error: Floats
    statistic: Floats
    p_value: Floats
    conf_low: Floats
    conf_high: Floats
    null: float
    level: float
    tail: Tail
    kind: str
    weights: Weights
    draws: int
    enumerated: bool
    bootcluster: str
    n_boot_clusters: int
    drawn: Floats
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        head = (
            f"WildTest({self.method}, {self.outcome}, {self.kind} {self.weights}, {self.draws} draws{' (all)' if self.enumerated else ''}"
        )
        if len(self.terms) > 1:
            return f"{head}, {len(self.terms)} terms)"
        return f"{head}: {self.estimate[0]:.6g} [{self.conf_low[0]:.4g}, {self.conf_high[0]:.4g}], p = {self.p_value[0]:.4g})"

    def tidy(self) -> pl.DataFrame:
        """``term, estimate, std_error, statistic, p_value, conf_low, conf_high``; null bounds are infinite ones."""
        columns = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        values = {c: np.where(np.isfinite(getattr(self, c)), getattr(self, c), np.nan) for c in columns}
        return pl.DataFrame({"term": list(self.terms), **{c: pl.Series(v, dtype=pl.Float64, nan_to_null=True) for c, v in values.items()}})


@one_thread()
def wild_bootstrap(
    design: Design,
    method: str = "twfe",
    term: Term = None,
    *,
    weights: Weights = "rademacher",
    impose_null: bool = True,
    null: float = 0.0,
    draws: int = 9999,
    seed: int = 0,
    level: float = 0.95,
    tail: Tail = "symmetric",
    bootcluster: str | None = None,
    ssc: str | Ssc | Mapping[str, Any] = "fixest",
    **options: Any,
) -> WildTest:
    """Test linear hypotheses on a regression's coefficients by a wild cluster bootstrap of the t statistic.

    Args:
        design: what is estimated on what; clustered as its ``clusters`` say, one way or more.
        method: ``twfe`` or ``event-study``.
        term: the coefficient(s) by name; ``"overall"`` for the mean over event times from 0 on; a mapping from names to weights for any linear
            combination; by default the treatment, or every event time.
        weights: ``rademacher`` (±1), ``webb`` (six points, for few clusters), ``mammen`` (two points, skewed) or ``normal``.
        impose_null: draw from residuals of the restricted model (WCR, recommended) or of the unrestricted one (WCU).
        null: the value under test.
        draws: bootstrap samples; where there are no more than this many vectors of signs, all of them are used instead.
        seed: of the weights;  level: of the intervals, by inversion of the test;  tail: ``symmetric`` compares absolute values,
            ``equal-tailed`` the two tails.
        bootcluster: grouping whose rows share a weight: a cluster column or the unit (subcluster bootstrap, MacKinnon & Webb 2018); by default the cluster
            grouping with the fewest clusters.
        ssc: small-sample rule of the standard error, as for the regressions;  options: ``leads``, ``lags``, ``reference`` of ``event-study``.

    Raises:
        EstimationError: bad options, a method that is no regression, unknown terms, or a design that cannot be estimated.
    """
    _fail_if_bad(weights, draws, level, tail, null)
    _fail_if_options_unknown(method, options)
    fitted = regression(design, method, resolve_ssc(ssc), **options)
    wanted = restrictions(fitted, method, term)
    rule = Rule(weights, impose_null, null, draws, seed, level, tail, bootcluster)
    return bootstrap_regression(fitted, wanted, method, rule)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a regression is bootstrapped; the arguments of :func:`wild_bootstrap`."""

    weights: Weights = "rademacher"
    impose_null: bool = True
    null: float = 0.0
    draws: int = 9999
    seed: int = 0
    level: float = 0.95
    tail: Tail = "symmetric"
    bootcluster: str | None = None


def bootstrap_regression(fitted: Regression, wanted: Mapping[str, Floats], method: str, rule: Rule) -> WildTest:
    """The same for any fitted regression and any of its restrictions R [p], by name. Raises ``EstimationError`` where no variance is positive."""
    boot = boot_factor(fitted.design, rule.bootcluster)
    groupings = fitted.groupings()
    products = fitted.products((boot, *(g.factor for g in groupings)))
    forms, estimates = [], []
    for direction in wanted.values():
        estimate, restricted = fitted.restrict(direction, impose_null=rule.impose_null)
        estimates.append(estimate)
        forms.append(form(fitted.prepared, restricted, products, groupings, signs=rule.weights == "rademacher"))
    variances = _variances(fitted, wanted)
    enumerated = enumerable(boot.size, rule.draws, rule.weights)
    samples = _sample(forms, boot.size, rule.draws, rule.weights, rule.seed)
    statistics = [
        Statistics(e, v, numerator, spread, enumerated, enumerated and rule.impose_null)
        for e, v, (numerator, spread) in zip(estimates, variances, samples, strict=True)
    ]
    design = fitted.design
    notes = (*design.notes, *_remarks(design, boot, rule.weights, enumerated=enumerated, impose_null=rule.impose_null))
    meta = {"seed": rule.seed, "ssc": str(fitted.ssc), "cluster": " + ".join(c.name for c in design.clusters), "n_obs": design.n_obs}
    kind = "wcr" if rule.impose_null else "wcu"
    head = _Head(method, design.outcome, tuple(wanted), kind, rule.weights, boot.name, boot.size, notes, meta)
    return _summarise(statistics, head, rule.null, rule.level, rule.tail)


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    outcome: str
    terms: tuple[str, ...]
    kind: str
    weights: Weights
    bootcluster: str
    size: int
    notes: tuple[Note, ...]
    meta: Mapping[str, Any]


def _variances(fitted: Regression, wanted: Mapping[str, Floats]) -> list[float]:
    """The cluster-robust variance of each combination, several groupings by inclusion and exclusion.

    Raises:
        EstimationError: a multi-way variance is not positive.
    """
    w = fitted.design.weight
    u = fitted.residuals if w is None else fitted.residuals * w
    total = np.zeros(len(wanted))
    largest = np.zeros(len(wanted))
    directions = np.stack(list(wanted.values()), axis=1)
    for grouping in fitted.groupings():
        codes, size = grouping.factor.codes, grouping.factor.size
        scores = np.stack([np.bincount(codes, weights=fitted.x[:, j] * u, minlength=size) for j in range(fitted.x.shape[1])], axis=1)
        part = grouping.scale * ((scores @ fitted.bread @ directions) ** 2).sum(axis=0)
        total += part
        largest = np.maximum(largest, np.abs(part))
    bad = [name for name, v, m in zip(wanted, total, largest, strict=True) if not v > 1e-20 * m]
    if bad:
        raise EstimationError(
            Finding(
                "no-positive-variance",
                f"the cluster-robust variance of {', '.join(bad)} is not positive",
                f"{len(fitted.design.clusters)} cluster grouping(s)",
                "cluster one way, on the coarser grouping; a perfect fit has no variance at all",
            ),
            "bootstrap",
        )
    return [float(v) for v in total]


def _sample(forms: list[Form], clusters: int, draws: int, weights: Weights, seed: int) -> list[tuple[Floats, Floats]]:
    """Numerators [R, 2] and variances [R, 3] of each hypothesis, from the same weights, in blocks."""
    parts: list[list[tuple[Floats, Floats]]] = [[] for _ in forms]
    for v in weight_blocks(clusters, draws, weights, seed):
        for part, evaluate in zip(parts, forms, strict=True):
            part.append(evaluate(v))
    out = []
    for part in parts:
        numerator, spread = (np.concatenate(p) for p in zip(*part, strict=True))
        out.append((_wide(numerator, 2), _wide(spread, 3)))
    return out


def _wide(values: Floats, width: int) -> Floats:
    return values if values.shape[1] == width else np.column_stack([values, np.zeros((len(values), width - values.shape[1]))])


def _summarise(statistics: list[Statistics], head: _Head, null: float, level: float, tail: Tail) -> WildTest:
    deltas = [s.estimate - null for s in statistics]
    drawn = np.stack([s.drawn(d) for s, d in zip(statistics, deltas, strict=True)], axis=1)
    bounds = np.array([s.interval(level, tail) for s in statistics])
    errors = np.sqrt([s.variance for s in statistics])
    notes = list(head.notes)
    undefined = int((~np.isfinite(drawn)).any(axis=1).sum())
    if undefined:
        notes.append(Note("wild-undefined", {"count": undefined, "draws": len(drawn)}))
    endless = [t for t, b in zip(head.terms, bounds, strict=True) if not np.isfinite(b).all()]
    if endless:
        notes.append(Note("wild-unbounded", {"terms": ", ".join(endless), "level": level}))
    return WildTest(
        method=head.method,
        outcome=head.outcome,
        terms=head.terms,
        estimate=np.array([s.estimate for s in statistics]),
        std_error=errors,
        statistic=np.array(deltas) / errors,
        p_value=np.array([s.p_value(d, tail) for s, d in zip(statistics, deltas, strict=True)]),
        conf_low=bounds[:, 0],
        conf_high=bounds[:, 1],
        null=null,
        level=level,
        tail=tail,
        kind=head.kind,
        weights=head.weights,
        draws=len(drawn),
        enumerated=statistics[0].enumerated,
        bootcluster=head.bootcluster,
        n_boot_clusters=head.size,
        drawn=drawn,
        notes=tuple(notes),
        meta=head.meta,
    )


def _remarks(design: Design, boot: Factor, weights: Weights, *, enumerated: bool, impose_null: bool) -> list[Note]:
    notes = []
    if enumerated:
        notes.append(Note("wild-enumerated", {"clusters": boot.size, "count": 2**boot.size}))
    if weights == "rademacher" and boot.size <= SMALL:
        notes.append(
            Note("wild-few-clusters", {"clusters": boot.size, "distinct": 2 ** (boot.size - 1), "smallest": 2.0 ** (1 - boot.size)})
        )
    factor = min(design.clusters, key=lambda c: c.size)
    touched = int(np.count_nonzero(np.bincount(factor.codes[design.treated], minlength=factor.size)))
    least = min(touched, factor.size - touched) if touched < factor.size else touched
    if least <= FEW:
        which = {"treated": touched, "clusters": factor.size}
        notes.append(Note("wild-few-treated-wcr" if impose_null else "wild-few-treated-wcu", which))
    return notes


@one_thread()
def score_bootstrap(
    effects: Effects,
    *,
    weights: Weights = "rademacher",
    null: float = 0.0,
    draws: int = 9999,
    seed: int = 0,
    level: float = 0.95,
    tail: Tail = "symmetric",
) -> WildTest:
    """Bootstrap t tests of any estimator's effects, aggregated ones included, from their influence functions.

    With ψ_c the influence of cluster c and v its weight, t* = Σ v_c ψ_c / se*, se*² = C/(C−1) Σ (v_c ψ_c − mean)²: the score bootstrap of Kline & Santos
    (2012) with unrestricted scores. The null is not imposed, so with few treated clusters it rejects too often, as WCU does.

    Args:
        effects: any :class:`Effects` whose covariance is that of its influence functions;  the others as in :func:`wild_bootstrap`.

    Raises:
        EstimationError: bad options, no term with a variance, or a covariance that is not that of the influence functions.
    """
    _fail_if_bad(weights, draws, level, tail, null)
    live = np.flatnonzero(np.isfinite(effects.std_error))
    _fail_if_not_from_influence(effects, live)
    influence = effects.influence[:, live]
    size = len(influence)
    forms: list[Form] = [_Scores(influence[:, j]) for j in range(len(live))]  # type: ignore[misc]
    enumerated = enumerable(size, draws, weights)
    samples = _sample(forms, size, draws, weights, seed)
    statistics = [
        Statistics(float(effects.estimate[j]), float(effects.vcov[j, j]), numerator, spread, enumerated, False)
        for j, (numerator, spread) in zip(live, samples, strict=True)
    ]
    notes = [*effects.notes, Note("wild-score", {"clusters": size})]
    if enumerated:
        notes.append(Note("wild-enumerated", {"clusters": size, "count": 2**size}))
    names = tuple(effects.terms.name[j] for j in live)
    cluster = effects.meta.get("cluster", "")
    grouping = cluster if isinstance(cluster, str) else " + ".join(cluster)
    head = _Head(
        effects.method, effects.outcome, names, "score", weights, grouping, size, tuple(notes), {"seed": seed, "cluster": grouping}
    )
    return _summarise(statistics, head, null, level, tail)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The studentised multiplier form of one influence function [C]."""

    influence: Floats

    def __call__(self, v: Floats) -> tuple[Floats, Floats]:
        size = len(self.influence)
        total = v @ self.influence
        squares = (v * v) @ self.influence**2
        return total[:, None], ((squares - total**2 / size) * size / (size - 1))[:, None]


def _fail_if_not_from_influence(effects: Effects, live: np.ndarray[Any, np.dtype[np.intp]]) -> None:
    where = f"{effects.method}, {effects.outcome}"
    if not len(live):
        raise EstimationError(Finding("no-variance", "no term has a standard error", where, "see the notes of the effects"), "bootstrap")
    fail_if_without_clusters(effects, "the score bootstrap", "estimate in memory, or cluster on a coarser column", "bootstrap")
    implied = np.einsum("ij,ij->j", effects.influence[:, live], effects.influence[:, live])
    if not np.allclose(implied, np.diag(effects.vcov)[live], rtol=1e-6, atol=0):
        what = f"the covariance ({effects.meta.get('vcov', 'unknown')}) is not that of the influence function by cluster"
        raise EstimationError(Finding("not-from-influence", what, where, "cluster one way"), "bootstrap")


def _fail_if_bad(weights: str, draws: int, level: float, tail: str, null: float) -> None:
    findings = []
    if weights not in get_args(Weights):
        findings.append(
            Finding("unknown-value", f"weights is {weights!r}", "argument weights", did_you_mean(str(weights), get_args(Weights)))
        )
    if tail not in get_args(Tail):
        findings.append(Finding("unknown-value", f"tail is {tail!r}", "argument tail", did_you_mean(str(tail), get_args(Tail))))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 9999"))
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    if not np.isfinite(null):
        findings.append(Finding("bad-null", f"null is {null!r}", "argument null", "give the value of the effect under test, such as 0"))
    fail_if_any(findings, "bootstrap", EstimationError)


def _fail_if_options_unknown(method: str, options: Mapping[str, Any]) -> None:
    known = ("leads", "lags", "reference") if method == "event-study" else ()
    findings = [
        Finding(
            "unknown-option", f"the bootstrap of {method} has no option {name!r}", f"option {name}={value!r}", did_you_mean(name, known)
        )
        for name, value in options.items()
        if name not in known
    ]
    fail_if_any(findings, "options", EstimationError)
