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
from hinterland.evaluate.specification_block import Block, Member, embedded_inverse, paired
from hinterland.evaluate.specification_joint import Draws
from hinterland.evaluate.specification_sums import Grouped, chunks, membership, owner_of, quadratic
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.evaluate.specification import SpecificationCurve

Ints = NDArray[np.int64]

LARGEST = 20_000_000
"""Numbers in the cross products of all clusters beyond which a block is left out: fixed effects of many levels, beyond the clusters drawn."""
CACHED = 8
"""Arrays of rows and draws are kept this much smaller than others: they are read once for every pair of columns, and should stay in the cache."""
_DEAD = 1e-9


def resampled(curve: SpecificationCurve, draws: int, seed: int) -> Draws:
    """Recentred estimates and their t statistics in ``draws`` samples of the baseline's clusters."""
    blocks = curve.fitted.blocks
    name = curve.choices.cluster[0][0]
    usable = [
        (b, f) for b in blocks if (f := next((c for c in b.design.clusters if c.name == name), None) or _unit_named(b, name)) is not None
    ]
    if not usable:
        return Draws(np.empty(0, dtype=np.int64), np.empty((draws, 0)), np.empty((draws, 0)), ())
    labels = np.unique(np.concatenate([_labels(f) for _, f in usable]))
    counts = np.random.default_rng(seed).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=draws).astype(np.float64)
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
    """The finer of a grouping and the clusters drawn.

    ``drawn`` [A]: the cluster drawn that each atom lies in;  ``groups``: the rows by atom;  ``crossed`` [A, z, z + k]: cross products of the other effects
    with themselves and with the rest;  ``rest`` [A, k, k]: of the rest.
    """

    drawn: Ints
    groups: Grouped
    crossed: Floats
    rest: Floats


@dataclass(frozen=True, slots=True)
class _Sample:
    """A block with the fixed effects within drawn clusters taken out of ``z`` [n, z], the levels of the other effects, and of ``rest`` [n, k]: ``p``
    columns of treatment and controls, then the outcomes.
    """

    z: Floats
    rest: Floats
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
        z = columns[:, :levels]
        z, rest = np.ascontiguousarray(z[:, independent_columns(z.T @ z, raw, centred)]), np.ascontiguousarray(columns[:, levels:])
        return cls(z, rest, p, *_forms(block, drawn, z, rest))

    def run(self, counts: Floats) -> list[tuple[Floats, Floats]]:
        """Of each form, estimates and variances without small-sample factor [R, P] where clusters are drawn ``counts`` [R, G] times."""
        out = [(np.empty((len(counts), len(f.members))), np.empty((len(counts), len(f.members)))) for f in self.forms]
        for k, atoms in enumerate(self.atoms):
            forms = [j for j, f in enumerate(self.forms) if f.atom == k]
            most = max(len(self.forms[j].members) for j in forms)
            for some in chunks(len(counts), max(CACHED * self.rest.size, most * (self.p + 1) ** 2)):
                weight = counts[some][:, atoms.drawn]
                reduced, net, alone = self._net(atoms, weight)
                for j in forms:
                    found, sound, variance = self._form(self.forms[j], atoms, weight, reduced, net)
                    alive = sound * alone[:, None] * _DEAD < 1
                    out[j][0][some], out[j][1][some] = np.where(alive, found, np.nan), np.where(alive, variance, np.nan)
        return out

    def _net(self, atoms: _Atoms, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Of each draw: cross products [R, k, k] net of its other effects, the columns themselves [k, R, n] by atom, and the treatment's sum of
        squares before that.
        """
        k, z = self.rest.shape[1], self.z.shape[1]
        whole = (weight @ atoms.rest.reshape(len(atoms.rest), -1)).reshape(len(weight), k, k)
        alone = whole[:, 0, 0].copy()
        rest = atoms.groups.rows(self.rest.T)[:, None]
        if not z:
            return whole, np.broadcast_to(rest, (k, len(weight), rest.shape[2])), alone
        crossed = (weight @ atoms.crossed.reshape(len(atoms.crossed), -1)).reshape(len(weight), z, z + k)
        slope = _solved(crossed[:, :, :z], crossed[:, :, z:])
        fitted = np.moveaxis(slope, 2, 0).reshape(-1, z) @ atoms.groups.rows(self.z.T)
        return whole - np.swapaxes(crossed[:, :, z:], 1, 2) @ slope, rest - fitted.reshape(k, len(weight), -1), alone

    def _form(self, form: _Form, atoms: _Atoms, weight: Floats, reduced: Floats, net: Floats) -> tuple[Floats, Floats, Floats]:
        """Estimates, the diagonal elements of the inverse that say how well they are identified, and variances, [R, P] each."""
        p, y = self.p, self.p + form.outcome
        inverse = embedded_inverse(reduced[:, None, :p, :p], np.broadcast_to(form.kept, (len(weight), *form.kept.shape)))
        theta = np.einsum("rpij,rj->rpi", inverse, reduced[:, :p, y])
        row = inverse[:, :, 0]
        columns = [net[i] for i in range(p)]
        products = [(c, net[y]) for c in columns] + [(c, other) for i, c in enumerate(columns) for other in columns[i:]]
        features = np.stack([atoms.groups.sums(left, right) for left, right in products], axis=1)
        drawn = features * weight[:, None]
        if form.size < len(form.cluster):
            joined = drawn @ membership(form.cluster, form.size)
            matrix = joined @ np.swapaxes(joined, 1, 2)
        else:
            matrix = features @ np.swapaxes(drawn, 1, 2)
        return theta[:, :, 0], row[:, :, 0], quadratic(np.concatenate([row, -paired(row, theta)], axis=2), matrix)


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


def _forms(block: Block, drawn: Factor, z: Floats, rest: Floats) -> tuple[tuple[_Atoms, ...], tuple[_Form, ...]]:
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
            atoms[atom.name] = _atoms(atom, inside, z, rest)
        kept = np.array([np.append(True, m.wanted) for m in own], dtype=np.bool_)
        found.append(_Form(outcome, own, kept, list(atoms).index(atom.name), outside, grouping.size))
    return tuple(atoms.values()), tuple(found)


def _atoms(atom: Factor, drawn: Ints, z: Floats, rest: Floats) -> _Atoms:
    groups = Grouped.of(atom)
    both = np.ascontiguousarray(groups.rows(np.concatenate([z, rest], axis=1).T).T)
    crossed, square = np.empty((atom.size, z.shape[1], both.shape[1])), np.empty((atom.size, rest.shape[1], rest.shape[1]))
    for k, part in enumerate(np.split(both, groups.starts[1:])):
        crossed[k] = part[:, : z.shape[1]].T @ part
        square[k] = part[:, z.shape[1] :].T @ part[:, z.shape[1] :]
    return _Atoms(drawn, groups, crossed, square)
