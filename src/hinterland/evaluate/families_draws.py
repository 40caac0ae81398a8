"""The hypotheses of a family, and joint draws of their statistics under the null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.bands import fail_if_without_clusters
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.placebo import Placebo
from hinterland.evaluate.randomisation import RandomisationTest
from hinterland.evaluate.result import Effects
from hinterland.evaluate.wild import WildTest
from hinterland.evaluate.wild_draws import Weights, weight_blocks
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """m hypotheses: ``outcomes``, ``estimators``, ``terms`` [m] name them; ``estimate``, ``statistic``, ``p_value`` [m] (NaN where not known); ``clusters``: how many there
    are (0 if not known); ``notes``.
    """

    outcomes: tuple[str, ...]
    estimators: tuple[str, ...]
    terms: tuple[str, ...]
    estimate: Floats
    statistic: Floats
    p_value: Floats
    clusters: int
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    outcome: str
    estimator: str
    term: str
    estimate: float
    statistic: float
    p_value: float


def hypotheses(tests: Any) -> Hypotheses:
    """Every estimated term of the results, or the p-values, as hypotheses.

    Raises:
        EstimationError: nothing to test, results of several kinds, or p-values that are none.
    """
    items = _items(tests)
    if isinstance(tests, Mapping) or not isinstance(items[0], (Effects, WildTest, RandomisationTest, Placebo)):
        return _from_p_values(tests)
    if any(type(i) is not type(items[0]) for i in items):
        kinds = ", ".join(sorted({type(i).__name__ for i in items}))
        raise _wrong(
            Finding("mixed-tests", f"the tests are of several kinds: {kinds}", "argument tests", "give results of one kind, or p-values")
        )
    rows = [row for item in items for row in _rows(item)]
    if not all(np.isfinite([row.statistic, row.p_value]).all() for row in rows):
        named = ", ".join(f"{row.estimator} on {row.outcome}" for row in rows if not np.isfinite([row.statistic, row.p_value]).all())
        raise _wrong(Finding("no-tests", f"there is no t statistic for {named}", "argument tests", "leave out what has no standard error"))
    if not rows:
        raise _wrong(Finding("no-tests", "none of the results has a statistic", "argument tests", "give results with standard errors"))
    clusters = max((len(i.influence) if isinstance(i, Effects) else i.n_boot_clusters if isinstance(i, WildTest) else 0) for i in items)
    missing = sum(int((~np.isfinite(i.std_error) & ~i.terms.reference).sum()) for i in items if isinstance(i, Effects))
    return Hypotheses(
        tuple(r.outcome for r in rows),
        tuple(r.estimator for r in rows),
        tuple(r.term for r in rows),
        np.array([r.estimate for r in rows]),
        np.array([r.statistic for r in rows]),
        np.array([r.p_value for r in rows]),
        clusters,
        (Note("family-left-out", {"count": missing}),) if missing else (),
    )


def _wrong(finding: Finding) -> EstimationError:
    return EstimationError(finding, "family")


def _items(tests: Any) -> list[Any]:
    items = [tests] if isinstance(tests, (Effects, WildTest, RandomisationTest, Placebo)) else list(tests)
    if not items:
        raise _wrong(Finding("no-tests", "there is no test", "argument tests", "give at least one result or p-value"))
    return items


def _from_p_values(tests: Any) -> Hypotheses:
    names = tuple(str(k) for k in tests) if isinstance(tests, Mapping) else tuple(str(i + 1) for i in range(len(tests)))
    try:
        p = np.array([float(v) for v in (tests.values() if isinstance(tests, Mapping) else tests)])
    except (TypeError, ValueError):
        raise _wrong(
            Finding("bad-p-value", "the tests are neither results nor numbers", "argument tests", "give results of one kind, or p-values")
        ) from None
    bad = [f"{n}: {v:g}" for n, v in zip(names, p, strict=True) if not 0 <= v <= 1]
    if bad:
        raise _wrong(
            Finding(
                "bad-p-value", f"not a p-value: {', '.join(bad[:8])}", "argument tests", "give numbers from 0 to 1, none of them missing"
            )
        )
    blank, missing = ("",) * len(p), np.full(len(p), np.nan)
    return Hypotheses(blank, blank, names, missing, missing, p, 0)


def _rows(item: Effects | WildTest | RandomisationTest | Placebo) -> list[_Row]:
    if isinstance(item, RandomisationTest):
        t = item.estimate / item.std_error
        return [_Row(item.outcome, item.method, item.term, item.estimate, t, item.p_statistic)]
    if isinstance(item, Placebo):
        return [_Row(item.outcome, item.method, "space", item.estimate, item.estimate / item.std_error, item.p_exact_statistic)]
    names = item.terms.name if isinstance(item, Effects) else item.terms
    live = np.flatnonzero(np.isfinite(item.statistic))
    return [
        _Row(item.outcome, item.method, names[j], float(item.estimate[j]), float(item.statistic[j]), float(item.p_value[j])) for j in live
    ]


def joint_draws(tests: Any, family: Hypotheses, draws: int, seed: int, weights: Weights) -> tuple[Floats, bool, int]:
    """[R, m] statistics of all hypotheses under the null, whether the data are one of the draws, and R.

    Raises:
        EstimationError: bare p-values, results on different clusters, or tests that were drawn differently.
    """
    items = _items(tests)
    first = items[0]
    if isinstance(first, Effects):
        return _multiplied(items, draws, seed, weights)
    if isinstance(first, WildTest):
        _fail_if_different([(i.meta.get("seed"), i.weights, i.draws, i.bootcluster, i.n_boot_clusters, i.kind) for i in items])
        drawn = np.concatenate([i.drawn[:, np.isfinite(i.statistic)] for i in items], axis=1)
        return _complete(drawn), first.enumerated and first.kind == "wcr", len(drawn)
    if isinstance(first, (RandomisationTest, Placebo)):
        _fail_if_different([(i.n_draws, *(i.meta.get(k) for k in ("seed", "strata", "block", "level"))) for i in items])
        drawn = np.stack([i.draws["statistic"].cast(float).fill_null(float("nan")).to_numpy()[1:] for i in items], axis=1)
        return _complete(drawn), False, len(drawn)
    what = f"{len(family.terms)} p-values do not say how the statistics move together"
    raise _wrong(Finding("no-joint-draws", what, "argument tests", "give results, or use 'holm' or 'benjamini-hochberg'"))


def _complete(drawn: Floats) -> Floats:
    """The draws in which every statistic is defined."""
    return np.asarray(drawn[np.isfinite(drawn).all(axis=1)])


def _fail_if_different(keys: Sequence[tuple[object, ...]]) -> None:
    if len(set(keys)) > 1:
        remedy = "draw all tests with the same seed, number of draws, groups and weights, on the same units"
        raise _wrong(Finding("different-draws", "the tests were not drawn jointly", "argument tests", remedy))


def _multiplied(items: Sequence[Effects], draws: int, seed: int, weights: Weights) -> tuple[Floats, bool, int]:
    """Studentised score bootstrap of every term, with the same multiplier for a cluster wherever it occurs (see :func:`~hinterland.evaluate.wild.score_bootstrap`)."""
    labels, columns = _lined_up(items)
    influence = np.concatenate(columns, axis=1)
    present = np.concatenate(
        [np.repeat((np.isin(labels, i.clusters))[:, None], c.shape[1], axis=1) for i, c in zip(items, columns, strict=True)], axis=1
    )
    drawn = _complete(np.concatenate([studentised(v, influence, present) for v in weight_blocks(len(labels), draws, weights, seed)]))
    return drawn, False, len(drawn)


def studentised(v: Floats, influence: Floats, present: np.ndarray[Any, np.dtype[np.bool_]]) -> Floats:
    """[R, p] sums of influence functions [C, p] times multipliers [R, C], over the standard error of each draw; ``present`` [C, p] clusters that
    an estimate has.
    """
    size = present.sum(axis=0)
    total = v @ influence
    variance = ((v * v) @ influence**2 - total**2 / size) * size / (size - 1)
    return np.asarray(total / np.sqrt(np.where(variance > 0, variance, np.nan)))


def _lined_up(items: Sequence[Effects]) -> tuple[np.ndarray[Any, np.dtype[np.str_]], list[Floats]]:
    """The union of cluster labels [C], and each result's influence functions [C, p] on it, zero for clusters that it does not have."""
    names = {str(i.meta.get("cluster")) for i in items}
    names = {n.strip("[]'\"") for n in names}
    if len(names) > 1:
        remedy = "cluster all of them on the same column"
        raise _wrong(Finding("different-clusters", f"the results are clustered on {', '.join(sorted(names))}", "argument tests", remedy))
    labels = np.unique(np.concatenate([i.clusters for i in items]))
    columns = []
    for item in items:
        live = np.flatnonzero(np.isfinite(item.std_error))
        fail_if_without_clusters(item, "the joint bootstrap", "choose holm or benjamini-hochberg, which take p-values", "family")
        own = item.influence[:, live]
        implied = np.einsum("ij,ij->j", own, own)
        if not np.allclose(implied, np.diag(item.vcov)[live], rtol=1e-6, atol=0):
            what = f"the covariance of {item.method}, {item.outcome} is not that of its influence functions"
            raise EstimationError(Finding("not-from-influence", what, f"{item.method}, {item.outcome}", "cluster one way"), "family")
        column = np.zeros((len(labels), len(live)))
        column[np.searchsorted(labels, item.clusters)] = own
        columns.append(column)
    return labels, columns
