"""Placebo in space: permutations of adoption across units, all draws as one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design, switching
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.paths import treatment_codes
from hinterland.evaluate.permutation import Scheme, make_scheme, permutations
from hinterland.evaluate.placebo import SHIFTS_SCHEMA, Placebo, draws_frame, no_batch
from hinterland.evaluate.placebo_callaway import callaway_batch
from hinterland.evaluate.placebo_rows import row_batch
from hinterland.evaluate.placebo_twfe import path_batch
from hinterland.evaluate.result import Effects
from hinterland.labels import Note

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
Kernel = Callable[[Index], tuple[Floats, Floats]]
"""Assignments [R, N] → estimates [R] and their variances [R], without small-sample factor."""

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
) -> Placebo:
    """Re-estimate ``method`` under ``draws`` permutations of adoption.

    Args:
        design: the design;  method: ``twfe`` or ``callaway-santanna``.
        draws: permutations;  seed: of their generator.
        strata: [N] stratum of each unit; adoption moves within strata only.
        block: [N] group of each unit; groups adopt as one and adoption moves across groups.
        names: names of the columns behind ``strata`` and ``level``, for the record.

    The t statistics use the covariance clustered on the design's cluster. Its small-sample factor depends on the numbers of
    rows, clusters and parameters only, so it is the same in every draw and is taken from the actual fit.
    """
    fail_if_any(batch_findings(design, method), "placebo", EstimationError)
    strata = np.zeros(design.n_units, dtype=np.intp) if strata is None else strata
    block = np.arange(design.n_units, dtype=np.intp) if block is None else block
    if method == "callaway-santanna":
        design, (strata, block) = without_always_treated(design, strata, block)
    effects = _actual(design, method)
    scheme = make_scheme(path_codes(design, method), block, strata)
    kernel, chunk = make_kernel(design, method, scheme)
    parts = [kernel(assigned) for assigned in permutations(scheme, draws, seed, chunk)]
    estimate, variance = (np.concatenate(p) for p in zip(*parts, strict=True))
    meta = {"seed": seed, "draws": draws, "comparison": design.comparison, "cluster": design.clusters[0].name, **(names or {})}
    return _summarise(effects, scheme, estimate, variance, meta)


def path_codes(design: Design, method: str) -> Index:
    """[N] which treatment path (``twfe``) or cohort each unit has: what a permutation deals out."""
    if method == "twfe":
        return treatment_codes(design)[0]
    return np.unique(design.cohort, return_inverse=True)[1].astype(np.intp)


def make_kernel(design: Design, method: str, scheme: Scheme) -> tuple[Kernel, int]:
    """The batch of ``method`` on the design's outcome, and how many assignments it takes at a time."""
    if method == "twfe":
        return _twfe(design, *treatment_codes(design), scheme)
    return _callaway(design, path_codes(design, method), scheme)


def batch_findings(design: Design, method: str) -> list[Finding]:
    """Why ``method`` has no batch on this design; empty where it has one."""
    findings = [*no_batch(method), *switching(design, f"the batch of {method}")]
    if len(design.clusters) > 1:
        findings.append(
            Finding(
                "not-batched",
                "the placebo's t statistics are defined for one-way clusters",
                f"cluster = {', '.join(c.name for c in design.clusters)}",
                "cluster on one column",
            )
        )
    if method == "callaway-santanna":
        where, remedy = "method callaway-santanna", "leave them out, or use method='twfe', which takes them"
        for used, what in (
            (design.covariates.shape[1] > 0, "with covariates"),
            (design.weight is not None, "with sampling weights"),
            (not design.balanced, "on an unbalanced panel"),
        ):
            if used:
                findings.append(Finding("not-batched", f"the placebo of callaway-santanna has no batch {what}", where, remedy))
    return findings


def without_always_treated(design: Design, *labels: Index) -> tuple[Design, list[Index]]:
    """Units without a period before treatment take no part in group-time effects, so they take none in their permutation."""
    early = design.cohort <= design.periods[0] + design.anticipation
    if not early.any():
        return design, list(labels)
    named = listed(design.unit_labels[early].tolist(), 8)
    note = Note("cs-always-treated", {"count": int(early.sum()), "units": named, "period": int(design.periods[0])})
    return design.take(~early[design.unit], note), [np.unique(x[~early], return_inverse=True)[1] for x in labels]


def _actual(design: Design, method: str) -> Effects:
    effects = fit(design, method)
    return effects.take(np.array([0])) if method == "twfe" else effects.aggregate("overall")


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
    if not closed or cluster is None:
        return row_batch(design, table), _chunk(2 * design.n_obs)
    batch, size = path_batch(design, code, table), design.clusters[0].size

    def kernel(assigned: Index) -> tuple[Floats, Floats]:
        estimate, influence = batch(assigned)
        return estimate, _by_cluster(influence, cluster, size)

    return kernel, _chunk(design.n_units * (1 + batch.covariate.shape[2]))


def _callaway(design: Design, code: Index, scheme: Scheme) -> tuple[Kernel, int]:
    if not scheme.sizes_fixed:
        raise EstimationError(
            Finding(
                "not-batched",
                "groups of unequal size change the size of cohorts from draw to draw",
                f"{len(scheme.adoption)} groups",
                "permute units, or use method='twfe'",
            ),
            "placebo",
        )
    cluster = unit_clusters(design)
    if cluster is None:
        raise EstimationError(
            Finding(
                "not-batched",
                "units move between clusters",
                f"cluster {design.clusters[0].name!r}",
                "cluster on a column that is constant within units",
            ),
            "placebo",
        )
    batch, size = callaway_batch(design, code, np.unique(design.cohort)), design.clusters[0].size

    def kernel(assigned: Index) -> tuple[Floats, Floats]:
        estimate, influence = batch(assigned)
        return estimate, _by_cluster(influence, cluster, size)

    return kernel, _chunk(design.n_units * 2)


def _summarise(effects: Effects, scheme: Scheme, estimate: Floats, variance: Floats, meta: dict[str, Any]) -> Placebo:
    error = float(effects.std_error[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = estimate / (np.sqrt(variance) * (error / np.sqrt(variance[0])))
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
        notes=(*effects.notes, *_remarks(scheme, estimate, p_exact, p_statistic, meta)),
        meta=meta,
    )


def _exact(values: Floats) -> float:
    """(1 + draws at least as far from zero as the actual one, ``values[0]``) / (1 + draws). Ties up to rounding count."""
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
