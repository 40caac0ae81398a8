"""A specification curve under permuted adoption: the same deal of adoption to units for every specification.

What is dealt out is a unit's whole record: the dates that each rule gives it. A deal moves records only among units that the same
specifications use, so that every specification keeps its units and its number of treated in every draw, and all that a draw changes is the
treatment: the controls net of fixed effects, and their cross products, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import project_off
from hinterland.evaluate.paths import treatment_codes
from hinterland.evaluate.permutation import make_scheme, permutations
from hinterland.evaluate.placebo_space import batch_findings, make_kernel, path_codes, without_always_treated
from hinterland.evaluate.specification_block import Block, Member, embedded_inverse, paired, products
from hinterland.evaluate.specification_fits import Group
from hinterland.evaluate.specification_joint import Draws
from hinterland.evaluate.specification_sums import MEMORY, Grouped, membership, owner_of, quadratic
from hinterland.evaluate.vcov import cluster_sums
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.evaluate.specification import SpecificationCurve

Index = NDArray[np.intp]
Kernel = Callable[[Index], tuple[Floats, Floats]]
"""Treatment paths (or cohorts) [R, N] → estimates and variances without small-sample factor [R, p]."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """Specifications on the same units: ``places`` [p]; ``units`` [N] labels and ``code`` [N] the path each is on; the batch that estimates
    them, and the numbers per draw that it needs.
    """

    places: tuple[int, ...]
    units: NDArray[np.str_]
    code: Index
    kernel: Kernel
    numbers: int


def permuted(curve: SpecificationCurve, draws: int, seed: int) -> Draws:
    """Estimates and t statistics of every specification that has a batch, under ``draws`` permutations of adoption."""
    dealt = [d for block in curve.fitted.blocks for d in _of_block(block)]
    dealt += [d for group in curve.fitted.groups for d in _of_group(group)]
    if not dealt:
        return Draws(np.empty(0, dtype=np.int64), np.empty((draws, 0)), np.empty((draws, 0)), ())
    units = np.unique(np.concatenate([d.units for d in dealt]))
    codes = np.full((len(dealt), len(units)), -1, dtype=np.intp)
    for k, d in enumerate(dealt):
        codes[k, np.searchsorted(units, d.units)] = d.code
    record, joint = np.unique(codes.T, axis=0, return_inverse=True)
    joint = joint.reshape(-1).astype(np.intp)
    strata = np.unique(codes.T >= 0, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)
    scheme = make_scheme(joint, strata=strata)
    chunk = max(1, MEMORY // max(d.numbers for d in dealt))
    estimate, variance = [], []
    for assigned in permutations(scheme, draws, seed, chunk):
        parts = []
        for k, d in enumerate(dealt):
            own = assigned[:, np.searchsorted(units, d.units)]
            parts.append(d.kernel(record[own, k]))
        estimate.append(np.concatenate([e for e, _ in parts], axis=1))
        variance.append(np.concatenate([v for _, v in parts], axis=1))
    places = np.array([p for d in dealt for p in d.places])
    found, spread = np.concatenate(estimate), np.concatenate(variance)
    error = {e.place: e.std_error for e in curve.fitted.estimated}
    factor = np.array([error[int(p)] for p in places]) / np.sqrt(spread[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = found / (np.sqrt(spread) * factor)
    sound = np.isfinite(statistic[0])
    order = np.argsort(places[sound])
    return Draws(
        places[sound][order], found[1:][:, sound][:, order], statistic[1:][:, sound][:, order], _notes(strata, scheme.distinct, draws)
    )


def _notes(strata: Index, distinct: float, draws: int) -> tuple[Note, ...]:
    notes = []
    count = int(strata.max()) + 1
    if count > 1:
        notes.append(Note("curve-strata", {"count": count}))
    if distinct < 10 * draws:
        notes.append(Note("placebo-distinct", {"distinct": distinct, "draws": draws, "smallest": 1 / distinct}))
    return tuple(notes)


def _of_group(group: Group) -> list[Dealt]:
    """The specifications of another estimator, where it has a batch."""
    found = []
    for place, cluster in zip(group.places, group.clusters, strict=True):
        clusters = (group.design.clusters[cluster],) if len(group.places) > 1 else group.design.clusters
        kernel = _other_kernel(Group(group.design, group.method, group.options, (place,), (0,)), clusters)
        if kernel is not None:
            design, code, run, numbers = kernel
            found.append(Dealt((place,), design.unit_labels, code, run, numbers))
    return found


def _other_kernel(group: Group, clusters: tuple[Factor, ...]) -> tuple[Design, Index, Kernel, int] | None:
    from dataclasses import replace

    design = replace(group.design, clusters=clusters)
    if (
        {k: v for k, v in group.options.items() if (k, v) != ("vcov", "cluster")}
        or group.method != "callaway-santanna"
        or batch_findings(design, group.method)
    ):
        return None
    design, _ = without_always_treated(design, group.method)
    code = path_codes(design, group.method)
    try:
        kernel, chunk = make_kernel(design, group.method, make_scheme(code))
    except EstimationError:  # nothing to permute, or clusters that units move between: the batch does not have it, and a note counts it
        return None

    def run(assigned: Index) -> tuple[Floats, Floats]:
        estimate, variance = kernel(assigned)
        return estimate[:, None], variance[:, None]

    return design, code, run, MEMORY // chunk


def _of_block(block: Block) -> list[Dealt]:
    """The members of a block that cluster one way."""
    members = [m for m in block.members if len(m.clusters) == 1]
    if not members or not block.design.absorbing:
        return []
    code, table = treatment_codes(block.design)
    kernel = BlockKernel.of(block, members, table)
    return [Dealt(kernel.places, block.design.unit_labels, code, kernel, kernel.numbers)]


@dataclass(frozen=True, slots=True)
class Form:
    """Members with one outcome and one grouping.

    ``fixed`` [C, q + q(q + 1)/2]: sums by cluster of x y and of the products of x, which no draw changes. ``inverse`` [P, q, q]: of the cross
    products of each member's controls, zero elsewhere; ``slope`` [P, q]: the outcome's coefficients on them; ``target`` [n]: the outcome. ``groups``: the
    rows by unit, and ``member`` [N, C] the cluster of each; where units move between clusters, the rows by cluster, and no ``member``.
    """

    outcome: int
    cluster: int
    size: int
    groups: Grouped
    member: Floats | None
    fixed: Floats
    inverse: Floats
    slope: Floats
    target: Floats


@dataclass(frozen=True, slots=True)
class BlockKernel:
    """A block's members under any treatment paths: ``table`` [K, T] the paths."""

    block: Block
    table: Floats
    forms: tuple[Form, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, block: Block, members: list[Member], table: Floats) -> BlockKernel:
        """Prepare what no draw changes."""
        forms, places = [], []
        unit = Factor("unit", block.design.unit, block.design.n_units)
        x = np.asfortranarray(block.x[:, 1:])
        for outcome, cluster in sorted({(m.outcome, m.clusters[0]) for m in members}):
            own = [m for m in members if (m.outcome, m.clusters[0]) == (outcome, cluster)]
            places += [m.place for m in own]
            grouping = block.design.clusters[cluster]
            kept = np.array([m.wanted for m in own], dtype=np.bool_)
            inverse = embedded_inverse(block.gram[1:, 1:], kept) if x.shape[1] else np.zeros((len(own), 0, 0))
            y = block.y[:, outcome]
            slope = inverse @ block.cross[1:, outcome]
            moment = cluster_sums(x, y, grouping)
            square = products(x, grouping) if x.shape[1] else np.zeros((grouping.size, 0))
            fixed = np.concatenate([moment, square], axis=1)
            owner = owner_of(unit, grouping)
            groups = Grouped.of(grouping if owner is None else unit)
            same = owner is not None and grouping.size == unit.size and bool((owner == np.arange(unit.size)).all())
            member = None if owner is None or same else membership(owner, grouping.size)
            forms.append(Form(outcome, cluster, grouping.size, groups, member, fixed, inverse, slope, y))
        return cls(block, table, tuple(forms), tuple(places))

    @property
    def numbers(self) -> int:
        """Numbers per draw in the largest temporary array."""
        n, q = self.block.design.n_obs, len(self.block.raw) - 1
        f = 2 + 2 * q + q * (q + 1) // 2
        return max([n * (q + 2), *(max(len(s.inverse), s.size) * f for s in self.forms)])

    def __call__(self, assigned: Index) -> tuple[Floats, Floats]:
        """Estimates and variances [R, p] for the paths ``assigned`` [R, N] of the block's units."""
        block, design = self.block, self.block.design
        treated = np.ascontiguousarray(self.table[assigned[:, design.unit], design.period])
        raw = np.einsum("rn,rn->r", treated, treated)
        d = project_off(block.prepared, treated.T, out=treated.T).T
        if block.root is not None:
            d *= block.root
        cross, square = d @ block.x[:, 1:], np.einsum("rn,rn->r", d, d)
        square = np.where(square > 1e-12 * raw, square, np.nan)
        sums: dict[int, Floats] = {}
        parts = []
        for form in self.forms:
            if form.cluster not in sums:
                sums[form.cluster] = _moving(form, d, [*block.y.T, *block.x[:, 1:].T])
            parts.append(self._form(form, d, cross, square, self._features(form, sums[form.cluster])))
        return np.concatenate([e for e, _ in parts], axis=1), np.concatenate([v for _, v in parts], axis=1)

    def _form(self, form: Form, d: Floats, cross: Floats, square: Floats, features: Floats) -> tuple[Floats, Floats]:
        """The coefficient τ = (d'y − c'b) / (d'd − c'A c), with A of the controls, c = x'd and b = A x'y; and its variance."""
        loading = np.einsum("pij,rj->rpi", form.inverse, cross)
        rest = square[:, None] - np.einsum("rpi,ri->rp", loading, cross)
        rest = np.where(rest > 1e-9 * square[:, None], rest, np.nan)
        estimate = ((d @ form.target)[:, None] - cross @ form.slope.T) / rest
        slope = np.broadcast_to(form.slope, loading.shape)
        # Σ (d − x a)(y − x b) − τ Σ (d − x a)², a the loading, b the slope: weights of dy, dd, xd, xy, xx in this order.
        weights = np.concatenate(
            [
                np.ones((*estimate.shape, 1)),
                -estimate[:, :, None],
                -slope + 2 * estimate[:, :, None] * loading,
                -loading,
                paired(loading, slope) - estimate[:, :, None] * paired(loading, loading),
            ],
            axis=2,
        )
        return estimate, quadratic(np.nan_to_num(weights), features @ np.swapaxes(features, 1, 2)) / rest**2

    def _features(self, form: Form, moving: Floats) -> Floats:
        """[R, f, C] sums by cluster of dy, dd, xd in each draw, beside those that no draw changes."""
        q, outcomes = len(self.block.raw) - 1, self.block.y.shape[1]
        chosen = [form.outcome, outcomes + q, *range(outcomes, outcomes + q)]
        fixed = np.broadcast_to(form.fixed.T, (moving.shape[1], *form.fixed.T.shape))
        return np.concatenate([np.swapaxes(moving[chosen], 0, 1), fixed], axis=1)


def _moving(form: Form, d: Floats, columns: Sequence[Floats]) -> Floats:
    """[p + 1, R, C] sums by cluster of d [R, n] times each of the columns [n], and of d²."""
    rows = form.groups.rows(d)
    found = [form.groups.sums(rows, form.groups.rows(c)) for c in columns]
    return (
        np.stack([*found, form.groups.sums(rows, rows)]) @ form.member
        if form.member is not None
        else np.stack([*found, form.groups.sums(rows, rows)])
    )
