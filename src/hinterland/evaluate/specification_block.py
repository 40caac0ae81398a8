"""Two-way fixed effects for many specifications on the same rows and fixed effects, from one matrix of cross products.

By the theorem of Frisch & Waugh (1933) and Lovell (1963), everything about a regression on the treatment and a subset S of the controls
follows from the cross products of the columns net of the fixed effects. So the treatment d, the outcomes y and all q controls x are made
net of them once. With G = [d x]'[d x] and its rows and columns in S, θ = G_S⁻¹ [d x]_S'y; the score of cluster g is linear in the cluster's
own cross products, s_g = m_g − G_g θ; and the treatment's share of it is a's_g, with a the treatment's row of G_S⁻¹. The influences of P
specifications on C clusters are one product [C, f] × [f, P], f = (1 + q) + (1 + q)(2 + q)/2, and no specification passes over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import Absorber, project_off
from hinterland.evaluate.inference import ROUNDING
from hinterland.evaluate.regression import absorbed, column_scale, independent_columns, projection, treatment
from hinterland.evaluate.saturated import Counted
from hinterland.evaluate.vcov import Ssc, cluster_sums, count_parameters, group_factor, inflation, intersect, nearest_positive

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Member:
    """One specification of a block: ``place`` in the curve; ``outcome`` and ``clusters`` by position in the block; ``wanted`` [q] the
    controls that are in.
    """

    place: int
    outcome: int
    wanted: Mask
    clusters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows, treatment and fixed effects that specifications share.

    n rows, q controls, m outcomes, p = 1 + q.

    Attributes:
        design: the rows;  its ``clusters`` are all groupings that a member clusters on.
        prepared: the projection off the fixed effects;  root: [n] square root of the weights, or ``None``.
        x: [n, p] treatment and controls, y: [n, m] outcomes, net of the fixed effects, times the root of the weights.
        raw, centred: [p] sums of squares before that, which say when a column counts as explained.
        gram: [p, p], cross: [p, m], square: [m] their cross products.
        counted: the fixed effects, for the number of parameters;  ssc: the small-sample rule.
        members: the specifications.
    """

    design: Design
    prepared: Absorber
    root: Floats | None
    x: Floats
    y: Floats
    raw: Floats
    centred: Floats
    gram: Floats
    cross: Floats
    square: Floats
    counted: Counted
    ssc: Ssc
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class BlockFit:
    """What the members of a block estimate, P specifications.

    Attributes:
        member: the members that could be estimated, in order;  kept: [P, q] controls that the fixed effects do not explain.
        estimate, std_error, df: [P];  influence: of each specification, [C] by its first grouping, its square the one-way variance.
        parameters: [P];  failed: place and code of those that could not be.
    """

    member: tuple[Member, ...]
    kept: Mask
    estimate: Floats
    std_error: Floats
    df: Floats
    influence: tuple[Floats, ...]
    failed: tuple[tuple[int, str], ...]


def make_block(design: Design, outcomes: Floats, members: Sequence[Member], ssc: Ssc, controls: Floats | None = None) -> Block:
    """Net everything of the fixed effects.

    Args:
        design: singletons are out already;  its covariates are the q controls.
        outcomes: [n, m].
        members: the specifications on it;  ssc: the small-sample rule.
        controls: [n, q] the covariates net of the fixed effects, where another block on the same rows has them.
    """
    root = None if design.weight is None else np.sqrt(design.weight)
    prepared = projection(design, design.weight)
    columns = np.empty((design.n_obs, 1 + design.covariates.shape[1]), order="F")
    columns[:, 0] = treatment(design)
    columns[:, 1:] = design.covariates
    raw, centred = column_scale(columns, design.weight)
    x = np.empty_like(columns, order="F")
    x[:, 0] = prepared.column(columns[:, 0])
    x[:, 1:] = project_off(prepared, design.covariates) if controls is None else controls
    y = project_off(prepared, outcomes)
    if root is not None:
        x, y = x * root[:, None], y * root[:, None]
    x, y = np.asfortranarray(x), np.asfortranarray(y)
    rank = prepared.rank() if ssc.k_exact else None
    return Block(
        design=design,
        prepared=prepared,
        root=root,
        x=x,
        y=y,
        raw=raw,
        centred=centred,
        gram=x.T @ x,
        cross=x.T @ y,
        square=np.einsum("nm,nm->m", y, y),
        counted=Counted(absorbed(design), rank),
        ssc=ssc,
        members=tuple(members),
    )


def with_members(block: Block, members: Sequence[Member]) -> Block:
    """The block of ``members`` alone, without the controls that none of them has."""
    used = np.any([m.wanted for m in members], axis=0) if members else np.zeros(len(block.raw) - 1, dtype=np.bool_)
    at = np.append(0, 1 + np.flatnonzero(used))
    names = tuple(n for n, yes in zip(block.design.covariate_names, used, strict=True) if yes)
    return replace(
        block,
        design=replace(block.design, covariates=np.asfortranarray(block.design.covariates[:, used]), covariate_names=names),
        x=np.asfortranarray(block.x[:, at]),
        raw=block.raw[at],
        centred=block.centred[at],
        gram=block.gram[np.ix_(at, at)],
        cross=block.cross[at],
        members=tuple(replace(m, wanted=m.wanted[used]) for m in members),
    )


def kept_columns(block: Block) -> Mask:
    """[P, p] the columns of each member that the fixed effects, and the columns before them, do not explain.

    A pivot is the larger the fewer columns come before: where none is lost with all controls, none is with any subset.
    """
    wanted = np.array([np.append(True, m.wanted) for m in block.members], dtype=np.bool_)
    if independent_columns(block.gram, block.raw, block.centred).all():
        return wanted
    found: dict[bytes, Mask] = {}
    out = np.zeros_like(wanted)
    for k, row in enumerate(wanted):
        key = row.tobytes()
        if key not in found:
            at = np.flatnonzero(row)
            kept = np.zeros_like(row)
            kept[at] = independent_columns(block.gram[np.ix_(at, at)], block.raw[at], block.centred[at])
            found[key] = kept
        out[k] = found[key]
    return out


def embedded_inverse(gram: Floats, kept: Mask) -> Floats:
    """[P, p, p] inverse of the rows and columns ``kept`` [P, p] of ``gram`` ([p, p], or one per specification), zero elsewhere."""
    scale = 1 / np.sqrt(np.maximum(np.einsum("...jj->...j", gram), np.finfo(float).tiny))
    both = kept[..., :, None] & kept[..., None, :]
    unit = np.where(both, gram * scale[..., :, None] * scale[..., None, :], np.eye(gram.shape[-1]))
    inverse = np.linalg.inv(unit) * scale[..., :, None] * scale[..., None, :]
    return np.asarray(np.where(both, inverse, 0.0))


def fit_block(block: Block) -> BlockFit:
    """Estimates and clustered standard errors of every member."""
    kept = kept_columns(block)
    lost = ~kept[:, 0]
    failed = [(m.place, "treatment-collinear") for m, gone in zip(block.members, lost, strict=True) if gone]
    alive = [m for m, gone in zip(block.members, lost, strict=True) if not gone]
    kept = kept[~lost]
    if not alive:
        return BlockFit((), kept[:, 1:], np.empty(0), np.empty(0), np.empty(0), (), tuple(failed))
    inverse = embedded_inverse(block.gram, kept)
    outcome = np.array([m.outcome for m in alive])
    theta = np.einsum("pij,jp->pi", inverse, block.cross[:, outcome])
    row = np.ascontiguousarray(inverse[:, 0])
    influence = _influences(block, alive, theta, row)
    dispersion = np.maximum(block.square[outcome] - np.einsum("pi,ip->p", theta, block.cross[:, outcome]), 0.0)
    variance, df = np.full(len(alive), np.nan), np.full(len(alive), np.nan)
    rules: dict[tuple[tuple[int, ...], int], Rule | str] = {}
    for k, one in enumerate(alive):
        key = (one.clusters, int(kept[k].sum()))
        rule = rules[key] if key in rules else rules.setdefault(key, _rule(block, *key))
        if isinstance(rule, str):
            failed.append((one.place, rule))
            continue
        variance[k] = rule.factor * float(influence[k] @ influence[k])
        if len(one.clusters) > 1:
            variance[k] = _several(block, one, kept[k], (theta[k], inverse[k]), rule)
        influence[k], df[k] = influence[k] * np.sqrt(rule.factor), rule.df
    dead = variance < ROUNDING * dispersion / block.design.n_obs * row[:, 0]
    error = np.sqrt(np.where((variance > 0) & ~dead, variance, np.nan))
    lost_place = {place for place, _ in failed}
    stay = np.array([m.place not in lost_place for m in alive])
    return BlockFit(
        tuple(m for m, yes in zip(alive, stay, strict=True) if yes),
        kept[stay, 1:],
        theta[stay, 0],
        error[stay],
        df[stay],
        tuple(i for i, yes in zip(influence, stay, strict=True) if yes),
        tuple(failed),
    )


def pairs(p: int) -> tuple[Ints, Ints]:
    """Positions of the distinct elements of a symmetric [p, p]."""
    upper = np.triu_indices(p)
    return upper[0], upper[1]


def paired(left: Floats, right: Floats) -> Floats:
    """[..., p(p + 1)/2] what multiplies each distinct element of a symmetric matrix in left'M right."""
    product = left[..., :, None] * right[..., None, :]
    product = product + np.swapaxes(product, -1, -2)
    i, j = pairs(left.shape[-1])
    return np.asarray(np.where(i == j, 0.5, 1.0) * product[..., i, j])


def products(x: Floats, cluster: Factor) -> Floats:
    """[C, p(p + 1)/2] sums by cluster of the products of the columns x [n, p], in the order of :func:`pairs`."""
    return np.concatenate([cluster_sums(x[:, i:], x[:, i], cluster) for i in range(x.shape[1])], axis=1)


def _influences(block: Block, members: Sequence[Member], theta: Floats, row: Floats) -> list[Floats]:
    """[C] of each member, without small-sample factor, by its first grouping."""
    found: list[Floats] = [np.empty(0)] * len(members)
    for cluster in sorted({m.clusters[0] for m in members}):
        grouping = block.design.clusters[cluster]
        own = products(block.x, grouping)
        for outcome in sorted({m.outcome for m in members if m.clusters[0] == cluster}):
            at = [k for k, m in enumerate(members) if m.clusters[0] == cluster and m.outcome == outcome]
            moment = cluster_sums(block.x, block.y[:, outcome], grouping)
            influence = moment @ row[at].T - own @ paired(row[at], theta[at]).T
            for k, column in zip(at, influence.T, strict=True):
                found[k] = column
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """The small-sample rule at work: ``inflate`` (n − 1)/(n − K), ``least`` the fewest clusters, ``factor`` of the one-way covariance, ``df``."""

    inflate: float
    least: int
    factor: float
    df: float


def _rule(block: Block, clusters: tuple[int, ...], columns: int) -> Rule | str:
    """The rule for ``columns`` regressors, or the code of what is against it."""
    groups = [block.design.clusters[c] for c in clusters]
    ssc, n = block.ssc, block.design.n_obs
    parameters = count_parameters(columns, block.counted, groups, ssc)  # type: ignore[arg-type]  # reads factors and rank only
    try:
        inflate = inflation(n, parameters, ssc)
    except EstimationError as error:
        return error.findings[0].code
    least = min(g.size for g in groups)
    df = float(least - 1) if ssc.t_df == "min" else float(n - parameters)
    return Rule(inflate, least, inflate * group_factor(least if ssc.g_df == "min" else groups[0].size, ssc), df)


def _several(block: Block, one: Member, kept: Mask, solved: tuple[Floats, Floats], rule: Rule) -> float:
    """The variance under several groupings: inclusion and exclusion over their intersections (Cameron, Gelbach & Miller 2011)."""
    theta, inverse = solved
    groups, at = [block.design.clusters[c] for c in one.clusters], np.flatnonzero(kept)
    residual = block.y[:, one.outcome] - block.x[:, at] @ theta[at]
    total = np.zeros((len(at), len(at)))
    for size in range(1, len(groups) + 1):
        for chosen in combinations(groups, size):
            group = chosen[0] if size == 1 else intersect(chosen)
            half = cluster_sums(np.asfortranarray(block.x[:, at]), residual, group) @ inverse[np.ix_(at, at)]
            factor = rule.inflate * group_factor(rule.least if block.ssc.g_df == "min" else group.size, block.ssc)
            total += (-1) ** (size + 1) * factor * (half.T @ half)
    return float(nearest_positive(total)[0][0, 0])
