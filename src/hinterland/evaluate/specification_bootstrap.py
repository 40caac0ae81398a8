"""A specification curve under the null that every coefficient is zero, by the bootstrap of clusters.

Simonsohn, Simmons & Nelson (2020, Supplement 2) impose the null on specification k by y*_k = y − β̂_k d, draw rows with replacement (here whole
clusters) and estimate every specification on the same draw. Least squares is linear in the outcome, so what specification k gives on y*_k is
β̂_k,draw − β̂_k, with the residuals of y: the bootstrap of the pairs, recentred.

A draw weighs clusters by how often they were drawn. Fixed effects within the drawn clusters do not see the weights and are taken out once; the
others (periods) are columns z, and a draw's cross products are those of the clusters, weighted: Σ_g v_g [z d x y]'_g [z d x y]_g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import absorber, level_columns, project_off
from hinterland.evaluate.regression import absorbed, column_scale, independent_columns, treatment
from hinterland.evaluate.specification_block import Block, Member, embedded_inverse, paired, pairs
from hinterland.evaluate.specification_joint import Draws
from hinterland.evaluate.specification_sums import chunks, owner_of, quadratic, summed
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.evaluate.specification import SpecificationCurve

Ints = NDArray[np.int64]

LARGEST = 20_000_000
"""Numbers in the cross products of all clusters beyond which a block is left out: fixed effects of many levels, beyond the clusters drawn."""
_DEAD = 1e-9


def resampled(curve: SpecificationCurve, draws: int, seed: int) -> Draws:
    """Recentred estimates and their t statistics in ``draws`` samples of the baseline's clusters."""
    blocks = curve.fitted.blocks
    name = _drawn_by(curve)
    usable = [
        (b, f) for b in blocks if (f := next((c for c in b.design.clusters if c.name == name), None) or _unit_named(b, name)) is not None
    ]
    labels = np.unique(np.concatenate([_labels(f) for _, f in usable])) if usable else np.empty(0, dtype=np.str_)
    counts = (
        np.random.default_rng(seed).multinomial(len(labels), np.full(len(labels), 1 / max(len(labels), 1)), size=draws).astype(np.float64)
    )
    estimates, statistics, places, heavy = [], [], [], 0
    actual = {e.place: e for e in curve.fitted.estimated}
    for block, drawn in usable:
        sample = _Sample.of(block, drawn)
        if sample is None:
            heavy += len(block.members)
            continue
        own = counts[:, np.searchsorted(labels, _labels(drawn))]
        drawn_now, whole = sample.run(own), sample.run(np.ones((1, drawn.size)))
        for form, (estimate, variance), (base, spread) in zip(sample.forms, drawn_now, whole, strict=True):
            error = np.array([actual[m.place].std_error for m in form.members])
            with np.errstate(invalid="ignore", divide="ignore"):
                statistics.append((estimate - base) / (np.sqrt(variance / spread) * error))
            estimates.append(estimate - base)
            places += [m.place for m in form.members]
    if not places:
        return Draws(np.empty(0, dtype=np.int64), np.empty((draws, 0)), np.empty((draws, 0)), ())
    found, estimate, statistic = np.array(places), np.concatenate(estimates, axis=1), np.concatenate(statistics, axis=1)
    sound = np.array([np.isfinite(actual[p].std_error) for p in places])
    order = np.argsort(found[sound])
    notes = [Note("curve-resampled", {"clusters": len(labels), "cluster": name})]
    if heavy:
        notes.append(Note("curve-many-effects", {"count": heavy, "cluster": name}))
    return Draws(found[sound][order], estimate[:, sound][:, order], statistic[:, sound][:, order], tuple(notes))


def _drawn_by(curve: SpecificationCurve) -> str:
    """The grouping whose clusters are drawn: the baseline's first."""
    first = curve.choices.cluster[0]
    return first[0] if first else curve.meta["cluster"]


def _unit_named(block: Block, name: str) -> Factor | None:
    design = block.design
    return Factor(name, design.unit, design.n_units, design.unit_labels) if name == design.unit_name else None


def _labels(factor: Factor) -> NDArray[np.str_]:
    return factor.labels if factor.labels is not None else np.arange(factor.size).astype(np.str_)


@dataclass(frozen=True, slots=True)
class _Form:
    """Members with one outcome and one grouping. ``atom``: which sums they need; ``cluster``: the cluster that each atom lies in, of ``size``."""

    outcome: int
    members: tuple[Member, ...]
    kept: NDArray[np.bool_]
    atom: int
    cluster: Ints
    size: int


@dataclass(frozen=True, slots=True)
class _Atoms:
    """Sums by atom, the finer of a grouping and the clusters drawn: ``drawn`` [A] the cluster that each lies in; ``gram`` [A, f, f] cross products."""

    drawn: Ints
    gram: Floats


@dataclass(frozen=True, slots=True)
class _Sample:
    """A block with the fixed effects within drawn clusters taken out: columns are ``z`` levels of other effects, ``p`` treatment and controls, and
    the outcomes.
    """

    z: int
    p: int
    atoms: tuple[_Atoms, ...]
    forms: tuple[_Form, ...]

    @classmethod
    def of(cls, block: Block, drawn: Factor) -> _Sample | None:
        """``None`` where cross products would be too large."""
        design, p = block.design, block.gram.shape[0]
        inside, others = _split(absorbed(design), drawn)
        levels = sum(f.size for f in others)
        if drawn.size * (levels + p + block.y.shape[1]) ** 2 > LARGEST:
            return None
        outcomes = block.y if block.root is None else block.y / block.root[:, None]
        dummies = (
            level_columns(others, np.cumsum([0, *(f.size for f in others)]).tolist()).toarray() if others else np.empty((design.n_obs, 0))
        )
        columns = np.asfortranarray(np.concatenate([dummies, treatment(design)[:, None], design.covariates, outcomes], axis=1))
        raw, centred = column_scale(columns[:, :levels], design.weight)
        if inside:
            columns = project_off(absorber(inside, design.weight), columns, out=columns)
        columns = columns if block.root is None else columns * block.root[:, None]
        kept = independent_columns(columns[:, :levels].T @ columns[:, :levels], raw, centred)
        columns = columns[:, np.append(np.flatnonzero(kept), np.arange(levels, columns.shape[1]))]
        return cls(int(kept.sum()), p, *_forms(block, drawn, columns))

    def run(self, counts: Floats) -> list[tuple[Floats, Floats]]:
        """Of each form, estimates and variances without small-sample factor [R, P] where clusters are drawn ``counts`` [R, G] times."""
        out = [(np.empty((len(counts), len(f.members))), np.empty((len(counts), len(f.members)))) for f in self.forms]
        for k, atoms in enumerate(self.atoms):
            forms = [j for j, f in enumerate(self.forms) if f.atom == k]
            most = max(len(self.forms[j].members) for j in forms)
            width = max(len(atoms.gram) * atoms.gram.shape[1] * (atoms.gram.shape[1] - self.z), most * (self.p + 1) ** 2)
            for some in chunks(len(counts), width):
                weight = counts[some][:, atoms.drawn]
                turn, whole = self._net(atoms, weight)
                reduced, net = np.swapaxes(turn, 1, 2) @ whole @ turn, np.swapaxes(turn, 1, 2)[:, None] @ (atoms.gram[None] @ turn[:, None])
                for j in forms:
                    estimate, variance = self._form(self.forms[j], weight, reduced, net)
                    alive = estimate[1] * whole[:, None, self.z, self.z] * _DEAD < 1
                    out[j][0][some], out[j][1][some] = np.where(alive, estimate[0], np.nan), np.where(alive, variance, np.nan)
        return out

    def _net(self, atoms: _Atoms, weight: Floats) -> tuple[Floats, Floats]:
        """[R, f, f − z] what nets columns of a draw's other fixed effects, and [R, f, f] the draw's cross products."""
        z, f = self.z, atoms.gram.shape[1]
        whole = (weight @ atoms.gram.reshape(len(atoms.gram), -1)).reshape(len(weight), f, f)
        turn = np.zeros((len(weight), f, f - z))
        turn[:, z:] = np.eye(f - z)
        if z:
            turn[:, :z] = -_solved(whole[:, :z, :z], whole[:, :z, z:])
        return turn, whole

    def _form(self, form: _Form, weight: Floats, reduced: Floats, net: Floats) -> tuple[tuple[Floats, Floats], Floats]:
        """Estimates with the diagonal elements of the inverse that say how well they are identified, and variances, [R, P] each."""
        p, y = self.p, self.p + form.outcome
        inverse = embedded_inverse(reduced[:, None, :p, :p], np.broadcast_to(form.kept, (len(weight), *form.kept.shape)))
        theta = np.einsum("rpij,rj->rpi", inverse, reduced[:, :p, y])
        row = inverse[:, :, 0]
        i, j = pairs(p)
        features = np.concatenate([net[:, :, :p, y], net[:, :, i, j]], axis=2)
        drawn = features * weight[:, :, None]
        if form.size < len(form.cluster):
            joined = np.moveaxis(summed(np.moveaxis(drawn, 1, 0), form.cluster, form.size), 0, 1)
            matrix = np.swapaxes(joined, 1, 2) @ joined
        else:
            matrix = np.swapaxes(features, 1, 2) @ drawn
        return (theta[:, :, 0], row[:, :, 0]), quadratic(np.concatenate([row, -paired(row, theta)], axis=2), matrix)


def _split(factors: tuple[Factor, ...], drawn: Factor) -> tuple[list[Factor], list[Factor]]:
    """Fixed effects within the clusters drawn, and the others that none of the rest spans."""
    inside = [f for f in factors if f.slope is None and owner_of(f, drawn) is not None]
    others = [f for f in factors if not any(f is i for i in inside)]
    spanned = [
        f
        for f in others
        if f.slope is None and any(g is not f and g.slope is None and g.size > f.size and owner_of(g, f) is not None for g in others)
    ]
    return inside, [f for f in others if not any(f is s for s in spanned)]


def _solved(gram: Floats, right: Floats) -> Floats:
    """[R, z, k] solutions; of draws in which some effect has no row, or is spanned by others, those of least norm."""
    empty = np.einsum("rzz->rz", gram) <= 0
    filled = gram + empty[:, :, None] * np.eye(gram.shape[1])
    scale = np.abs(right).max(axis=(1, 2)) + np.finfo(float).tiny
    try:
        out = np.linalg.solve(filled, right)
        bad = np.abs(gram @ out - right).max(axis=(1, 2)) > 1e-9 * scale
    except np.linalg.LinAlgError:
        out, bad = np.empty_like(right), np.ones(len(gram), dtype=np.bool_)
    if bad.any():
        out[bad] = np.linalg.pinv(gram[bad], rcond=1e-10, hermitian=True) @ right[bad]
    return np.asarray(out)


def _forms(block: Block, drawn: Factor, columns: Floats) -> tuple[tuple[_Atoms, ...], tuple[_Form, ...]]:
    found: list[_Form] = []
    atoms: dict[str, _Atoms] = {}
    chosen = [m for m in block.members if len(m.clusters) == 1]
    for outcome, cluster in sorted({(m.outcome, m.clusters[0]) for m in chosen}):
        own = tuple(m for m in chosen if (m.outcome, m.clusters[0]) == (outcome, cluster))
        grouping = block.design.clusters[cluster]
        finer, coarser = owner_of(grouping, drawn), owner_of(drawn, grouping)
        if finer is None and coarser is None:
            continue
        atom, inside = (grouping, finer) if finer is not None else (drawn, np.arange(drawn.size))
        outside = np.arange(grouping.size) if finer is not None or coarser is None else coarser
        if atom.name not in atoms and inside is not None:
            atoms[atom.name] = _Atoms(inside, _gram_by(columns, atom))
        kept = np.array([np.append(True, m.wanted) for m in own], dtype=np.bool_)
        found.append(_Form(outcome, own, kept, list(atoms).index(atom.name), outside, grouping.size))
    return tuple(atoms.values()), tuple(found)


def _gram_by(columns: Floats, atom: Factor) -> Floats:
    """[A, f, f] cross products of ``columns`` [n, f] by atom."""
    order = np.argsort(atom.codes, kind="stable")
    ends = np.cumsum(np.bincount(atom.codes, minlength=atom.size))
    ordered = np.ascontiguousarray(columns[order])
    out = np.empty((atom.size, columns.shape[1], columns.shape[1]))
    for k, part in enumerate(np.split(ordered, ends[:-1])):
        out[k] = part.T @ part
    return out
