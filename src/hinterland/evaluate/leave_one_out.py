"""``leave_one_out``: does one unit, zone, cohort or cluster carry the estimate?

For two-way fixed effects all leave-outs are computed from sums over clusters: unit effects are removed within units, so the normal equations
of the treatment, the covariates and the period effects add up over units, and leaving units out is a subtraction. Other estimators are fitted
again without each group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, listed
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.regression import TREATED, Inference, treatment, without_singletons
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

__all__ = ["LeaveOneOut", "leave_one_out"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROWS = 20_000
_COLLINEAR = 1e-9


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """The estimate without each group.

    Attributes:
        method: estimator id;  outcome: name of the outcome;  by: what was left out.
        estimate, std_error: on all rows.
        frame: ``group, n_units, estimate, std_error, change`` (null where nothing is left to compare with).
        notes: in words.
    """

    method: str
    outcome: str
    by: str
    estimate: float
    std_error: float
    frame: pl.DataFrame
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        values = self.frame["estimate"].drop_nulls().to_numpy()
        low, high = (values.min(), values.max()) if len(values) else (float("nan"), float("nan"))
        return f"LeaveOneOut({self.method}, {self.outcome}: {self.estimate:.4g}, without each {self.by} between {low:.4g} and {high:.4g})"

    def tidy(self) -> pl.DataFrame:
        """One row per group left out."""
        return self.frame


@dataclass(frozen=True, slots=True)
class _Groups:
    """``of`` [N] group of each unit (-1: never left out); ``labels`` [L]."""

    of: Ints
    labels: tuple[str, ...]


@one_thread()
def leave_one_out(design: Design, by: str = "cluster", method: str = "twfe", **options: Any) -> LeaveOneOut:
    """Estimate without each group of units in turn.

    Args:
        design: N units.
        by: ``cluster``, ``unit``, ``cohort`` (treated cohorts), the name of one of the design's groupings, or a column of ``design.columns``,
            constant within units; units whose value is an empty text are in no group, and stay.
        method: estimator id; effects by cohort and period are averaged to one overall effect.
        options: of the estimator. Without any, ``twfe`` with unit and period effects is computed by subtraction, without another fit.

    Raises:
        EstimationError: unknown groups, fewer than two, or an estimator that is not defined on the design.
    """
    if method == "twfe" and not options:
        design = without_singletons(design, Inference.of().ssc)
    groups = _groups_of(design, by)
    whole = fit(design, method, **options)
    estimate, error = _headline(whole)
    if method == "twfe" and not options and not design.fixed_effects and len(design.clusters) == 1 and _nested(design):
        estimates, errors = _downdated(design, groups, whole)
    else:
        estimates, errors = _refitted(design, groups, method, options)
    counts = np.bincount(groups.of[groups.of >= 0], minlength=len(groups.labels))
    frame = pl.DataFrame(
        {
            "group": list(groups.labels),
            "n_units": counts,
            "estimate": pl.Series(estimates, nan_to_null=True),
            "std_error": pl.Series(errors, nan_to_null=True),
            "change": pl.Series(estimates - estimate, nan_to_null=True),
        }
    )
    notes = _notes(groups, (estimate, error), estimates, errors)
    return LeaveOneOut(method, design.outcome, by, estimate, error, frame, (*design.notes, *notes))


def _headline(effects: Effects) -> tuple[float, float]:
    """The one number: the treatment's coefficient, or the overall average."""
    if effects.aggregation != "coefficient":
        effects = effects if effects.aggregation == "overall" else effects.aggregate("overall")
        return float(effects.estimate[0]), float(effects.std_error[0])
    at = effects.terms.name.index(TREATED) if TREATED in effects.terms.name else 0
    return float(effects.estimate[at]), float(effects.std_error[at])


def _groups_of(design: Design, by: str) -> _Groups:
    starts = np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))
    factors = {c.name: c for c in design.clusters}
    if by == "unit":
        return _Groups(np.arange(design.n_units), tuple(design.unit_labels.tolist()))
    if by == "cohort":
        cohorts = design.cohorts
        of = np.where(design.cohort == NEVER, -1, np.searchsorted(cohorts, design.cohort))
        found = _Groups(of, tuple(str(c) for c in cohorts))
    elif by == "cluster" or by in design.columns or by in factors:
        cluster = _grouping(design) if by == "cluster" else None if by in design.columns else factors[by]
        values = design.columns[by] if cluster is None else cluster.codes
        if not (values == values[starts][design.unit]).all():
            what = f"{by!r} is not constant within units"
            raise EstimationError(Finding("not-a-group", what, "argument by", "name a column that is"), "leave-one-out")
        levels, of = np.unique(values[starts], return_inverse=True)
        labels = None if cluster is None else cluster.labels
        names = [str(v if labels is None else labels[v]) for v in levels]
        nowhere = int(names[:1] == [""])
        found = _Groups(of - nowhere, tuple(names[nowhere:]))
    else:
        known = ["cluster", "unit", "cohort", *factors, *design.columns]
        what = f"there are no groups {by!r}"
        raise EstimationError(Finding("not-a-group", what, "argument by", did_you_mean(by, known)), "leave-one-out")
    if len(found.labels) < 2:
        what = f"{by!r} has {len(found.labels)} group(s)"
        raise EstimationError(Finding("nothing-to-leave-out", what, "argument by", "name groups that are more"), "leave-one-out")
    return found


def _grouping(design: Design) -> Factor:
    """The design's one grouping. Raises ``EstimationError`` where there are several, so that none is taken silently."""
    if len(design.clusters) == 1:
        return design.clusters[0]
    named = listed(c.name for c in design.clusters)
    what = f"there are several groupings of clusters: {named}"
    raise EstimationError(
        Finding("not-a-group", what, "argument by", f"name one of them, such as {design.clusters[0].name!r}"), "leave-one-out"
    )


def _nested(design: Design) -> bool:
    codes = design.clusters[0].codes
    starts = np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))
    return bool((codes == codes[starts][design.unit]).all())


def _refitted(design: Design, groups: _Groups, method: str, options: dict[str, Any]) -> tuple[Floats, Floats]:
    """Fit again without each group."""
    estimates, errors = np.full(len(groups.labels), np.nan), np.full(len(groups.labels), np.nan)
    for g in range(len(groups.labels)):
        try:
            estimates[g], errors[g] = _headline(fit(design.take((groups.of != g)[design.unit]), method, **options))
        except EstimationError:
            continue
    return estimates, errors


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums within units, added up over cells: ``gram`` [A, q, q] and ``moment`` [A, q] of treatment, covariates and periods with the outcome,
    ``rows`` [A] and ``seen`` [A, T] rows by period.
    """

    gram: Floats
    moment: Floats
    rows: Ints
    seen: Ints


def _downdated(design: Design, groups: _Groups, whole: Effects) -> tuple[Floats, Floats]:
    """Estimates and clustered standard errors without each group, by subtraction."""
    starts = np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))
    cluster: Factor = design.clusters[0]
    codes = cluster.codes[starts].astype(np.int64)
    pairs, atom = np.unique(np.stack([groups.of, codes]), axis=1, return_inverse=True)
    kept = [design.covariate_names.index(n) for n in whole.terms.name if n != TREATED]
    sums = _sums_by(design, atom.reshape(-1), pairs.shape[1], kept)
    left = pairs[0] >= 0
    count = len(groups.labels)
    gone = _Sums(*(_add(part[left], pairs[0][left], count) for part in (sums.gram, sums.moment, sums.rows, sums.seen)))
    gram = sums.gram.sum(axis=0) - gone.gram
    theta, row, defined = _solved(gram, sums.moment.sum(axis=0) - gone.moment)
    scores = _Scores.make(sums, pairs, cluster.size)
    square, remaining = scores.without(theta, row, count)
    n = sums.rows.sum() - gone.rows
    periods = ((sums.seen.sum(axis=0) - gone.seen) > 0).sum(axis=1)
    parameters = int(whole.meta["n_parameters"]) - (design.n_periods - periods)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = remaining / (remaining - 1) * (n - 1) / (n - parameters)
        errors = np.sqrt(square * factor)
    defined &= (n > parameters) & (remaining > 1)
    return np.where(defined, theta[:, 0], np.nan), np.where(defined, errors, np.nan)


def _add(values: NDArray[Any], codes: Ints, size: int) -> NDArray[Any]:
    out = np.zeros((size, *values.shape[1:]), dtype=values.dtype)
    np.add.at(out, codes, values)
    return out


def _blocks(design: Design) -> Iterator[tuple[int, int, Ints]]:
    """First and last row of some thousand rows at a time, whole units, with the first row of each unit among them."""
    starts = np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))
    first = 0
    while first < len(starts):
        last = int(np.searchsorted(starts, starts[first] + _ROWS, side="right")) - 1
        last = max(last, first + 1) if last < len(starts) - 1 else len(starts)
        end = design.n_obs if last == len(starts) else int(starts[last])
        yield int(starts[first]), end, starts[first:last] - starts[first]
        first = last


def _sums_by(design: Design, cell: Ints, cells: int, kept: list[int]) -> _Sums:
    """Sums of products, net of unit means, by ``cell`` [N] of the units."""
    d = treatment(design)
    q = 1 + len(kept) + design.n_periods - 1
    gram, moment = np.zeros((cells, q, q)), np.zeros((cells, q))
    scale = np.array([np.std(design.covariates[:, j]) or 1.0 for j in kept])
    for start, end, units in _blocks(design):
        size = np.diff(np.append(units, end - start))
        z = np.zeros((end - start, q + 1))
        z[:, 0], z[:, 1 : 1 + len(kept)], z[:, q] = d[start:end], design.covariates[start:end][:, kept] / scale, design.y[start:end]
        period = design.period[start:end].astype(np.int64)
        later = np.flatnonzero(period > 0)
        z[later, len(kept) + period[later]] = 1.0
        w = np.ones(end - start) if design.weight is None else design.weight[start:end]
        mean = np.add.reduceat(z * w[:, None], units) / np.add.reduceat(w, units)[:, None]
        z -= np.repeat(mean, size, axis=0)
        owner = cell[design.unit[start] : design.unit[start] + len(units)]
        product = np.add.reduceat(np.einsum("ni,nj->nij", z[:, :q] * w[:, None], z), units)
        np.add.at(gram, owner, product[:, :, :q])
        np.add.at(moment, owner, product[:, :, q])
    seen = np.zeros((cells, design.n_periods), dtype=np.int64)
    np.add.at(seen, (cell[design.unit], design.period), 1)
    return _Sums(gram, moment, seen.sum(axis=1), seen)


def _solved(gram: Floats, moment: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """[L, q] coefficients, the treatment's row of the inverse, and whether the treatment is identified."""
    q = gram.shape[1]
    empty = np.einsum("lii->li", gram) <= 1e-12 * np.abs(gram).max(axis=(1, 2))[:, None]
    gram = gram + np.einsum("li,ij->lij", empty.astype(np.float64), np.eye(q))
    try:
        inverse = np.linalg.inv(gram)
    except np.linalg.LinAlgError:
        inverse = np.stack([np.linalg.pinv(g, hermitian=True) for g in gram])
    theta = np.einsum("lij,lj->li", inverse, moment)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 / (inverse[:, 0, 0] * gram[:, 0, 0])
    check = np.abs(np.einsum("lij,lj->li", gram, inverse[:, :, 0]) - np.eye(1, q)).max(axis=1)
    defined: NDArray[np.bool_] = (share > _COLLINEAR) & (share < 1 + 1e-6) & (check < 1e-6) & ~empty[:, 0]
    return np.asarray(theta), np.asarray(inverse[:, 0]), defined


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores of clusters as linear functions of (row of the inverse, its products with the coefficients).

    The score of a cluster is r's - r'Gθ for its moment s and gram G: ``cluster`` [C, f] and ``atom`` [A, f] hold s and the
    distinct elements of G; ``of`` [2, A] group and cluster of each atom; ``parts`` [C] atoms in each cluster.
    """

    cluster: Floats
    atom: Floats
    of: Ints
    parts: Ints

    @classmethod
    def make(cls, sums: _Sums, pairs: Ints, clusters: int) -> _Scores:
        """From sums by (group, cluster)."""
        upper = np.triu_indices(sums.gram.shape[1])
        atom = np.hstack([sums.moment, sums.gram[:, upper[0], upper[1]]])
        return cls(_add(atom, pairs[1], clusters), atom, pairs, np.bincount(pairs[1], minlength=clusters))

    def without(self, theta: Floats, row: Floats, groups: int) -> tuple[Floats, Ints]:
        """[L] sum of squared cluster scores without each group, and the number of clusters left."""
        upper = np.triu_indices(theta.shape[1])
        product = row[:, :, None] * theta[:, None, :]
        product = product + np.swapaxes(product, 1, 2)
        product[:, np.arange(theta.shape[1]), np.arange(theta.shape[1])] /= 2
        weights = np.hstack([row, -product[:, upper[0], upper[1]]])
        total = np.einsum("lf,fg,lg->l", weights, self.cluster.T @ self.cluster, weights, optimize=True)
        out = self.of[0] >= 0
        own = weights[self.of[0][out]]
        full = np.einsum("af,af->a", self.cluster[self.of[1][out]], own)
        part = np.einsum("af,af->a", self.atom[out], own)
        change = np.bincount(self.of[0][out], weights=(full - part) ** 2 - full**2, minlength=groups)
        lost = np.bincount(self.of[0][out], weights=self.parts[self.of[1][out]] == 1, minlength=groups)
        return np.maximum(total + change, 0.0), len(self.parts) - lost.astype(np.int64)


def _notes(groups: _Groups, whole: tuple[float, float], estimates: Floats, errors: Floats) -> list[Note]:
    notes = []
    estimate, error = whole
    known = np.isfinite(estimates)
    if known.any():
        at = int(np.nanargmax(np.abs(estimates - estimate)))
        notes.append(Note("leave-out-largest", {"group": groups.labels[at], "estimate": estimate, "left": float(estimates[at])}))
    reversed_ = known & (np.sign(estimates) != np.sign(estimate))
    if reversed_.any():
        notes.append(Note("leave-out-sign", {"groups": listed([groups.labels[i] for i in np.flatnonzero(reversed_)], 8)}))
    with np.errstate(invalid="ignore"):
        flipped = known & ((np.abs(estimates / errors) > 1.96) != (abs(estimate / error) > 1.96)) & np.isfinite(errors)
    if flipped.any():
        notes.append(Note("leave-out-significance", {"groups": listed([groups.labels[i] for i in np.flatnonzero(flipped)], 8)}))
    if not known.all():
        lost = [groups.labels[i] for i in np.flatnonzero(~known)]
        notes.append(Note("leave-out-undefined", {"count": len(lost), "groups": listed(lost, 8)}))
    return notes
