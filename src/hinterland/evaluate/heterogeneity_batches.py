"""Effects of G groups and their covariances under many relabellings of the units at once.

A batch maps group positions [R, N] of R draws to effects [R, G] and the cluster-robust covariances [R, G, G] of them, without small-sample
factor. Every unit is in one group, so that one pass over units gives the influence functions of all groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.heterogeneity_groups import GroupFits
from hinterland.evaluate.placebo_callaway import Cells, post_cells
from hinterland.evaluate.placebo_space import batch_findings, unit_clusters
from hinterland.evaluate.regression import treatment

Index = NDArray[np.intp]
Batch = Callable[[Index], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of unit influences over clusters: ``cluster`` [N] codes, ``size`` clusters, ``groups`` G."""

    cluster: Index
    size: int
    groups: int

    def covariance(self, influence: Floats, assigned: Index) -> Floats:
        """[R, G, G] of influences [R, N] on the effect of each unit's own group ``assigned`` [R, N]."""
        out = np.zeros((len(assigned), self.groups, self.groups))
        own = [influence * (assigned == g) for g in range(self.groups)]
        if self.size == len(self.cluster):
            for g, values in enumerate(own):
                out[:, g, g] = np.einsum("rn,rn->r", values, values)
            return out
        member = np.zeros((len(self.cluster), self.size))
        member[np.arange(len(self.cluster)), self.cluster] = 1.0
        sums = np.stack([values @ member for values in own], axis=1)
        return np.asarray(np.einsum("rgc,rhc->rgh", sums, sums))


@dataclass(frozen=True, slots=True)
class PathGroups:
    """Two-way fixed effects by group, everything interacted with it, on a balanced panel.

    ``z`` [N, T, q + 1]: treatment, q − 1 covariates and outcome, net of unit means; ``products`` [N, (q + 1)²] their sums of products by unit.
    """

    z: Floats
    products: Floats
    sums: Sums

    def __call__(self, assigned: Index) -> tuple[Floats, Floats]:
        """Coefficients [R, G] and covariances [R, G, G]; NaN where a group has no treated or no comparison unit."""
        units, periods, width = self.z.shape
        draws, groups = len(assigned), self.sums.groups
        effect = np.full((draws, groups), np.nan)
        row, fitted = np.zeros((draws, groups, width)), np.zeros((draws, groups, width))
        mean = np.zeros((draws, groups, periods, width))
        for g in range(groups):
            member = (assigned == g).astype(np.float64)
            count = np.maximum(member.sum(axis=1), 1.0)
            mean[:, g] = (member @ self.z.reshape(units, -1)).reshape(draws, periods, width) / count[:, None, None]
            gram = (member @ self.products).reshape(draws, width, width)
            gram -= count[:, None, None] * np.einsum("rti,rtj->rij", mean[:, g], mean[:, g])
            theta, first = _solved(gram)
            effect[:, g], row[:, g, :-1] = theta[:, 0], first
            fitted[:, g, :-1], fitted[:, g, -1] = -theta, 1.0
        return effect, self.sums.covariance(self._influence(assigned, mean, row, fitted), assigned)

    def _influence(self, assigned: Index, mean: Floats, row: Floats, fitted: Floats) -> Floats:
        """[R, N] Σ_t (r'ẍ_it)(ÿ_it − ẍ_it'θ), r and θ being those of the unit's own group."""
        at = np.arange(len(assigned))[:, None]
        parts = []
        for weights in (row, fitted):
            centre = np.einsum("rgti,rgi->rgt", mean, weights)
            parts.append(np.einsum("nti,rni->rnt", self.z, weights[at, assigned], optimize=True) - centre[at, assigned])
        return np.asarray(np.einsum("rnt,rnt->rn", *parts))


def _solved(gram: Floats) -> tuple[Floats, Floats]:
    """[R, q] coefficients and the treatment's row of the inverse, from products [R, q + 1, q + 1]; NaN where the treatment never varies."""
    left = gram[:, :-1, :-1]
    poor = ~(left[:, 0, 0] > 1e-12 * np.abs(gram).max(axis=(1, 2)))
    left = np.where(poor[:, None, None], np.eye(left.shape[1]), left)
    inverse: Floats = np.asarray(np.linalg.inv(left) if left.shape[1] == 1 else np.linalg.pinv(left, hermitian=True), dtype=np.float64)
    theta, row = np.einsum("rij,rj->ri", inverse, gram[:, :-1, -1]), inverse[:, 0].copy()
    theta[poor], row[poor] = np.nan, np.nan
    return theta, row


def path_groups(design: Design, fits: GroupFits, sums: Sums) -> PathGroups:
    """Prepare the batch. Covariates that every group's fit keeps are used; :func:`no_batch` refuses where groups keep different ones."""
    shape = (design.n_units, design.n_periods)
    kept = [design.covariate_names.index(n) for n in kept_covariates(fits)]
    columns = [treatment(design), *(design.covariates[:, j] for j in kept), design.y]
    z = np.stack([c.reshape(shape) for c in columns], axis=2)
    z = z - z.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.einsum("ntj,ntj->j", z, z))
    scale[[0, -1]] = 1.0  # the effect keeps its unit; covariates are put on one scale, which changes no effect
    z = z / np.where(scale > 0, scale, 1.0)
    return PathGroups(z, np.einsum("nti,ntj->nij", z, z).reshape(design.n_units, -1), sums)


def kept_covariates(fits: GroupFits) -> tuple[str, ...]:
    """Covariates that the first group's regression keeps."""
    names = fits.design.covariate_names
    return tuple(n for n in (fits.groups[0].fitted_names if fits.groups else ()) if n in names)


@dataclass(frozen=True, slots=True)
class CallawayGroups:
    """Overall effects of Callaway and Sant'Anna (2021) by group, on a balanced panel without covariates.

    ``y`` [N, T]; ``members`` units of each of the K cohorts; ``cells``: P group-time cells; ``step`` [P, T] the change that a cell is about.
    """

    y: Floats
    members: tuple[Index, ...]
    cells: Cells
    step: Floats
    sums: Sums

    def __call__(self, assigned: Index) -> tuple[Floats, Floats]:
        """Effects [R, G] and covariances [R, G, G]; NaN where no cell of a group has treated and comparison units."""
        effect = np.full((len(assigned), self.sums.groups), np.nan)
        influence = np.zeros(assigned.shape)
        for g in range(self.sums.groups):
            effect[:, g], part = self._group(assigned == g)
            influence += part
        return effect, self.sums.covariance(influence, assigned)

    def _group(self, inside: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Effect [R] of the units ``inside`` [R, N], and their influence [R, N] on it."""
        own = [inside[:, m].astype(np.float64) for m in self.members]
        size = np.stack([o.sum(axis=1) for o in own], axis=1)
        total = np.stack([o @ self.y[m] for o, m in zip(own, self.members, strict=True)], axis=1)
        treated, control = size[:, self.cells.treated], size @ self.cells.control.T
        defined = (treated > 0) & (control > 0)
        count, rivals = np.where(defined, treated, 1.0), np.where(defined, control, 1.0)
        change = np.einsum("rkt,pt->rkp", total, self.step)
        rise = change[:, self.cells.treated, np.arange(len(self.step))] / count
        other = np.einsum("rkp,pk->rp", change, self.cells.control.astype(np.float64)) / rivals
        weight = np.where(defined, treated, 0.0)
        behind = weight.sum(axis=1, keepdims=True)
        weight = np.divide(weight, behind, out=np.full_like(weight, np.nan), where=behind > 0)
        effect = np.einsum("rp,rp->r", weight, rise - other)
        pieces = _Pieces(weight / count, weight / rivals, rise, other, behind[:, 0], effect, np.where(defined, rise - other, 0.0), defined)
        return effect, self._influence(own, pieces, inside)

    def _influence(self, own: list[Floats], p: _Pieces, inside: NDArray[np.bool_]) -> Floats:
        out = np.zeros(inside.shape)
        for k, m in enumerate(self.members):
            mine, against = self.cells.treated == k, self.cells.control[:, k]
            path = p.treated[:, mine] @ self.step[mine] - p.control[:, against] @ self.step[against]
            constant = np.einsum("rp,rp->r", p.control[:, against], p.other[:, against])
            constant -= np.einsum("rp,rp->r", p.treated[:, mine], p.rise[:, mine])
            # Derivative along the cohort's share: its cells' effects less their number times the average.
            constant += (p.effects[:, mine].sum(axis=1) - p.defined[:, mine].sum(axis=1) * p.average) / np.where(
                p.behind > 0, p.behind, np.nan
            )
            out[:, m] = (path @ self.y[m].T + constant[:, None]) * own[k]
        return out


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What the influence is made of, by draw and cell [R, P]: weight per treated and per comparison unit, the two mean changes; ``behind`` [R] treated
    units behind all cells; the ``average`` [R]; cell ``effects`` and whether they are ``defined``.
    """

    treated: Floats
    control: Floats
    rise: Floats
    other: Floats
    behind: Floats
    average: Floats
    effects: Floats
    defined: NDArray[np.bool_]


def callaway_groups(design: Design, sums: Sums) -> CallawayGroups:
    """Prepare the batch."""
    labels, code = np.unique(design.cohort, return_inverse=True)
    cells = post_cells(design, labels)
    step = np.zeros((len(cells.treated), design.n_periods))
    step[np.arange(len(step)), cells.time] += 1.0
    step[np.arange(len(step)), cells.base] -= 1.0
    y = design.y.reshape(design.n_units, design.n_periods)
    return CallawayGroups(y, tuple(np.flatnonzero(code == k) for k in range(len(labels))), cells, step, sums)


def no_batch(fits: GroupFits, method: str, options: dict[str, object]) -> list[Finding]:
    """Why relabelled groups cannot be estimated in one batch; empty where they can."""
    design = fits.design
    found = batch_findings(design, method)
    where = f"method {method}"
    for used, what in (
        (method not in ("twfe", "callaway-santanna"), "over groups"),
        (bool(options), "with options of its own"),
        (design.weight is not None, "with sampling weights"),
        (not design.balanced, "on an unbalanced panel"),
        (bool(design.fixed_effects), "with further fixed effects"),
        (len(design.clusters) == 1 and unit_clusters(design) is None, "with clusters that units move between"),
        (method == "twfe" and len({g.fitted_names for g in fits.groups}) > 1, "with covariates that only some groups identify"),
    ):
        if used:
            found.append(Finding("not-batched", f"{method} has no batch {what}", where, "its groups are fitted anew for each draw"))
    return found


def make_batch(fits: GroupFits, method: str, y: Floats | None = None) -> tuple[Batch, int]:
    """The batch of ``method`` on the groups' design (with another outcome ``y`` [n]), and the numbers that one draw takes.

    Raises:
        EstimationError: see :func:`no_batch`.
    """
    fail_if_any(no_batch(fits, method, {}), "permutation", EstimationError)
    design = fits.design if y is None else replace(fits.design, y=y)
    cluster = unit_clusters(design)
    owner = np.arange(design.n_units, dtype=np.intp) if cluster is None else cluster
    sums = Sums(owner, design.clusters[0].size, len(fits.groups))
    if method == "twfe":
        return path_groups(design, fits, sums), 3 * design.n_obs
    return callaway_groups(design, sums), 4 * design.n_units
