"""Placebo in space: permutations of adoption across units, all draws as one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, listed
from hinterland.evaluate.design import Design, switching
from hinterland.evaluate.estimate import find_method, fit
from hinterland.evaluate.paths import treatment_codes
from hinterland.evaluate.permutation import Scheme, assignment_codes, make_scheme, permutations
from hinterland.evaluate.placebo import BATCHED, FITS, SHIFTS_SCHEMA, Placebo, draws_frame, no_batch
from hinterland.evaluate.placebo_callaway import callaway_batch
from hinterland.evaluate.placebo_imputation import imputation_batch, imputation_solver
from hinterland.evaluate.placebo_ppml import poisson_batch
from hinterland.evaluate.placebo_rows import row_batch
from hinterland.evaluate.placebo_twfe import path_batch
from hinterland.evaluate.randomisation_loop import Request, looped
from hinterland.evaluate.result import Effects
from hinterland.labels import Note

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
Kernel = Callable[[Index], tuple[Floats, Floats]]
"""Assignments [R, N] → estimates [R] and their variances [R], without small-sample factor."""

NEEDS_BEFORE = ("callaway-santanna", "imputation")
"""Estimators with a batch that leave units without a period before treatment out."""

COVARIANCE = ("vcov", "cutoff_km", "lag", "kernel", "ssc")
"""Options of the covariance."""
_FREE: Mapping[str, tuple[str, ...]] = {"callaway-santanna": ("est_method", "trim", "base_period", "unbalanced", "influence_of")}
"""Options without a meaning on a balanced panel without covariates, for effects after adoption."""

MEMORY = 4_000_000
"""Numbers per temporary array: the size of a chunk of draws follows from it."""


def placebo_space(
    design: Design,
    method: str = "twfe",
    *,
    draws: int = 1000,
    seed: int = 1,
    strata: Index | None = None,
    block: Index | None = None,
    names: Mapping[str, str | None] | None = None,
    fits: int = FITS,
    options: Mapping[str, Any] | None = None,
) -> Placebo:
    """Re-estimate ``method`` under ``draws`` permutations of adoption.

    Args:
        design: the design;  method: any estimator with one number, a coefficient or an overall effect.
        draws: permutations;  seed: of their generator.
        strata: [N] stratum of each unit; adoption moves within strata only.
        block: [N] group of each unit; groups adopt as one and adoption moves across groups.
        names: names of the columns behind ``strata`` and ``level``, for the record.
        fits: most draws where no batch exists and each is a fit of its own.
        options: of the estimator; with any that is not its default, each draw is a fit of its own.

    The t statistics use the covariance clustered on the design's clusters. In a batch its small-sample factor depends on the numbers of
    rows, clusters and parameters only, so it is the same in every draw and is taken from the actual fit.

    Raises:
        EstimationError: unknown method or option, nothing to permute, or a design on which the estimator is not defined.
    """
    own = _own_options(method, options or {})
    units = np.arange(design.n_units, dtype=np.intp)
    strata = np.zeros_like(units) if strata is None else strata
    block = units if block is None else block
    if method in NEEDS_BEFORE:
        design, (strata, block) = without_always_treated(design, method, strata, block)
    scheme = make_scheme(assignment_codes(design), block, strata)
    reasons = [*own, *batch_findings(design, method), *_shape_findings(design, method, scheme)]
    if reasons:
        request = Request(method, None, options or {})
        effects, count = request(design), min(draws, fits)
        assigned = np.concatenate(list(permutations(scheme, count, seed, count)))
        found = looped(design, request, assigned, interval=False, executor=None)
        estimate, variance = found.estimate, found.variance
        extra = [Note("placebo-fits", {"method": method, "draws": count, "asked": draws, "reason": reasons[0].code})]
    else:
        scheme = make_scheme(path_codes(design, method), block, strata)
        effects, (kernel, chunk), extra = _actual(design, method), make_kernel(design, method, scheme), []
        parts = [kernel(assigned) for assigned in permutations(scheme, draws, seed, chunk)]
        estimate, variance = (np.concatenate(p) for p in zip(*parts, strict=True))
    cluster = " + ".join(c.name for c in design.clusters)
    meta = {"seed": seed, "draws": draws, "comparison": design.comparison, "cluster": cluster, **(names or {})}
    return _summarise(effects, scheme, (estimate, variance), meta, extra)


def _own_options(method: str, options: Mapping[str, Any]) -> list[Finding]:
    """The options that are not the estimator's defaults, and on which the draws of a batch depend.

    The covariance is not among them: a permutation test may be based on any standard error, and the batch has the clustered one.
    """
    known, free = find_method(method).options, (*COVARIANCE, *_FREE.get(method, ())) if method in BATCHED else ()
    given = {k: v for k, v in options.items() if k not in known or (v != known[k].default and k not in free)}
    remedy = "none is needed: each draw is a fit of its own"
    return [Finding("own-options", f"{k} is {v!r}", f"option {k} of {method}", remedy) for k, v in given.items()]


def path_codes(design: Design, method: str) -> Index:
    """[N] which treatment path (``twfe``, ``ppml``) or cohort each unit has: what a permutation deals out."""
    if method in ("twfe", "ppml"):
        return treatment_codes(design)[0]
    return np.unique(design.cohort, return_inverse=True)[1].astype(np.intp)


def make_kernel(design: Design, method: str, scheme: Scheme) -> tuple[Kernel, int]:
    """The batch of ``method`` on the design's outcome, and how many assignments it takes at a time."""
    if method == "twfe":
        return _twfe(design, *treatment_codes(design), scheme)
    if method == "ppml":
        code, table = treatment_codes(design)
        return _by_unit(design, poisson_batch(design, code, table), design.n_units * len(table))
    code, labels = path_codes(design, method), np.unique(design.cohort)
    batch = callaway_batch if method == "callaway-santanna" else imputation_batch
    return _by_unit(design, batch(design, code, labels), design.n_units * 2)


def batch_findings(design: Design, method: str) -> list[Finding]:
    """Why ``method`` has no batch on this design; empty where it has one."""
    findings = [*no_batch(method), *switching(design, f"the batch of {method}")]
    if findings or method == "twfe":
        return findings
    remedy = "leave them out, or use method='twfe', which takes them"
    return [
        Finding("not-batched", f"the placebo of {method} has no batch {what}", f"method {method}", remedy)
        for used, what in (
            (design.covariates.shape[1] > 0, "with covariates"),
            (design.weight is not None, "with sampling weights"),
            (not design.balanced, "on an unbalanced panel"),
            (bool(design.fixed_effects), "with further fixed effects"),
            (len(design.clusters) > 1, "with several groupings of clusters"),
        )
        if used
    ]


def batchable(design: Design, method: str, scheme: Scheme) -> bool:
    """Whether ``method`` has a batch for the permutations of ``scheme``."""
    return not batch_findings(design, method) and not _shape_findings(design, method, scheme)


def _shape_findings(design: Design, method: str, scheme: Scheme) -> list[Finding]:
    """What about groups and clusters keeps the draws of an estimator other than ``twfe`` from being one batch."""
    if method == "twfe" or method not in BATCHED:
        return []
    findings = []
    if not scheme.sizes_fixed:
        what = "groups of unequal size change the size of cohorts from draw to draw"
        findings.append(Finding("not-batched", what, f"{len(scheme.adoption)} groups", "permute units, or use method='twfe'"))
    if unit_clusters(design) is None:
        where, remedy = f"cluster {design.clusters[0].name!r}", "cluster on a column that is constant within units"
        findings.append(Finding("not-batched", "units move between clusters", where, remedy))
    if method == "imputation" and not findings and not design.covariates.shape[1]:
        code, labels = path_codes(design, method), np.unique(design.cohort)
        if imputation_solver(design, code, labels).connected() is not None:
            what, remedy = "some treated rows have no period in common with untreated ones", "add units that are not yet treated"
            findings.append(Finding("not-batched", what, f"{len(labels)} cohorts", remedy))
    return findings


def without_always_treated(design: Design, method: str, *labels: Index) -> tuple[Design, list[Index]]:
    """Units without a period before treatment take no part in the effects of ``method``, so they take none in their permutation."""
    early = design.cohort <= design.periods[0] + design.anticipation
    if not early.any() or early.all():
        return design, list(labels)
    values: dict[str, str | int | float] = {"count": int(early.sum()), "units": listed(design.unit_labels[early].tolist(), 8)}
    if method == "callaway-santanna":
        note = Note("cs-always-treated", {**values, "period": int(design.periods[0])})
    else:
        note = Note("always-treated-dropped", values)
    return design.take(~early[design.unit], note), [np.unique(x[~early], return_inverse=True)[1] for x in labels]


def _actual(design: Design, method: str) -> Effects:
    effects = fit(design, method)
    return effects.take(np.array([0])) if method in ("twfe", "ppml") else effects.aggregate("overall")


def unit_clusters(design: Design) -> Index | None:
    """[N] cluster of each unit, or ``None`` when units move between clusters."""
    codes = design.clusters[0].codes
    owner = np.zeros(design.n_units, dtype=np.intp)
    owner[design.unit] = codes
    return owner if (owner[design.unit] == codes).all() else None


def _by_cluster(influence: Floats, cluster: Index, size: int) -> Floats:
    """[R] sums of squared cluster sums of ``influence`` [R, N]."""
    if size == len(cluster):
        return np.asarray(np.einsum("ij,ij->i", influence, influence))
    member = np.zeros((len(cluster), size))
    member[np.arange(len(cluster)), cluster] = 1.0
    total = influence @ member
    return np.asarray(np.einsum("ij,ij->i", total, total))


def _chunk(numbers: int) -> int:
    return max(1, MEMORY // max(numbers, 1))


def _twfe(design: Design, code: Index, table: Floats, scheme: Scheme) -> tuple[Kernel, int]:
    cluster = unit_clusters(design)
    closed = design.balanced and design.weight is None and not design.fixed_effects and scheme.sizes_fixed
    if not closed or cluster is None or len(design.clusters) > 1:
        return row_batch(design, table), _chunk(2 * design.n_obs)
    batch, size = path_batch(design, code, table), design.clusters[0].size

    def kernel(assigned: Index) -> tuple[Floats, Floats]:
        estimate, influence = batch(assigned)
        return estimate, _by_cluster(influence, cluster, size)

    return kernel, _chunk(design.n_units * (1 + batch.covariate.shape[2]))


def _by_unit(design: Design, batch: Kernel, numbers: int) -> tuple[Kernel, int]:
    """The batch whose second result is the influence of each unit, with its variance by cluster; ``numbers`` of one draw's temporary arrays."""
    cluster, size = unit_clusters(design), design.clusters[0].size
    if cluster is None:
        raise ValueError("units move between clusters")  # batch_findings says so before

    def kernel(assigned: Index) -> tuple[Floats, Floats]:
        estimate, influence = batch(assigned)
        return estimate, _by_cluster(influence, cluster, size)

    return kernel, _chunk(numbers)


def _summarise(effects: Effects, scheme: Scheme, drawn: tuple[Floats, Floats], meta: dict[str, Any], extra: Sequence[Note] = ()) -> Placebo:
    (estimate, variance), error = drawn, float(effects.std_error[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = estimate / (np.sqrt(np.where(variance > 0, variance, np.nan)) * (error / np.sqrt(variance[0])))
    p_exact, p_statistic = _exact(estimate), _exact(statistic)
    return Placebo(
        method=effects.method,
        outcome=effects.outcome,
        kind="space",
        estimate=float(effects.estimate[0]),
        std_error=error,
        p_value=float(effects.p_value[0]),
        draws=draws_frame(estimate, statistic),
        shifts=pl.DataFrame(schema=SHIFTS_SCHEMA),
        p_exact=p_exact,
        p_exact_statistic=p_statistic,
        notes=(*effects.notes, *extra, *_remarks(scheme, estimate, p_exact, p_statistic, meta)),
        meta=meta,
    )


def _exact(values: Floats) -> float:
    """(1 + draws at least as far from zero as the actual one, ``values[0]``) / (1 + draws). Ties up to rounding count; NaN where that is undefined."""
    if not np.isfinite(values[0]):
        return float("nan")
    drawn = np.abs(values[1:][np.isfinite(values[1:])])
    return float((1 + np.count_nonzero(drawn >= abs(values[0]) * (1 - 1e-10))) / (1 + len(drawn)))


def _remarks(scheme: Scheme, estimate: Floats, p_exact: float, p_statistic: float, meta: Mapping[str, Any]) -> list[Note]:
    draws = len(estimate) - 1
    notes = [Note("placebo-space", {"draws": draws, "p": p_exact, "p_statistic": p_statistic})]
    undefined = int(np.count_nonzero(~np.isfinite(estimate)))
    if undefined:
        notes.append(Note("placebo-undefined", {"count": undefined, "draws": draws}))
    if scheme.distinct < 10 * draws:
        notes.append(Note("placebo-distinct", {"distinct": scheme.distinct, "draws": draws, "smallest": 1 / scheme.distinct}))
    if meta.get("strata"):
        notes.append(Note("placebo-strata", {"column": meta["strata"]}))
    if meta.get("level"):
        notes.append(Note("placebo-level", {"column": meta["level"], "groups": len(scheme.adoption)}))
    return notes
