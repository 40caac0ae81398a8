"""The first stage with any fixed effects and slopes: the projections of :mod:`hinterland.evaluate.hdfe` with weight zero on treated rows.

With such weights a column less its projection is, on treated rows, the column less its prediction from untreated rows. The transpose
of the prediction, which variances need, uses the same block and the same system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.hdfe import REFINEMENTS, Block, Eliminated, absorber, tally
from hinterland.evaluate.regression import absorbed, column_scale, gram_of, independent_columns
from hinterland.evaluate.untreated import Cells, Sample
from hinterland.evaluate.untreated_grid import MOVING, UNDETERMINED

Mask = NDArray[np.bool_]
Prepared = Block | Eliminated
EXACT = 1e-12
"""Moments of the transposed prediction below this share of where they started count as zero."""


@dataclass(frozen=True, slots=True)
class AbsorbedStage:
    """A fitted first stage, see :class:`hinterland.evaluate.untreated.FirstStage`.

    ``inside`` [n]: rows all of whose levels are seen untreated; ``prepared``, ``score`` (weights times residuals of untreated rows),
    ``x`` and ``w0`` cover those m rows only, in order. ``x`` [m, k]: covariates kept, net of the fixed effects; ``bread`` [k, k].
    """

    design: Design
    inside: Mask
    prepared: Prepared
    residual: Floats
    imputable: Mask
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    coefficients: Floats
    w0: Floats
    score: Floats
    x: Floats
    bread: Floats

    def charge(self, out: Floats, cells: Cells, omega: Floats) -> None:
        """Add the part of each cell's influence [C, p] that comes from estimating the first stage."""
        code = np.full(self.design.n_obs, -1)
        code[cells.rows] = cells.code
        code = code[self.inside]
        weight = np.zeros(self.design.n_obs)
        weight[cells.rows] = omega
        weight = weight[self.inside]
        cluster = self.design.clusters[0]
        codes = cluster.codes[self.inside]
        order = np.argsort(code, kind="stable")
        bounds = np.searchsorted(code[order], np.arange(cells.size + 1))
        for c in range(cells.size):
            rows = order[bounds[c] : bounds[c + 1]]
            target = np.zeros(len(code))
            target[rows] = weight[rows]
            fitted = transposed(self.prepared, target, self.w0)
            if self.x.shape[1]:
                fitted += self.x @ (self.bread @ (self.x[rows].T @ weight[rows]))
            out[:, c] -= tally(codes, self.score * fitted, cluster.size)

    def scored_by(self, score: Floats) -> AbsorbedStage:
        """The same projection with the residuals of another fit."""
        return replace(self, score=score)


def transposed(prepared: Prepared, target: Floats, w0: Floats) -> Floats:
    """Z (Z'W₀Z)⁻ Z'ω [m] on all rows, for target weights ω [m] and Z the columns of the fixed effects."""
    if isinstance(prepared, Block):
        return _block(prepared, target)
    block = prepared.block
    fitted = _block(block, target)
    size = 0.0
    for step in range(REFINEMENTS):
        moments = _moments(prepared, target - w0 * fitted)
        largest = float(np.abs(moments).max(initial=0.0))
        size = size if step else largest
        if largest <= EXACT * size or largest == 0:
            break
        fitted += block.column(_levels(prepared, prepared.solve(moments)))
    return fitted


def _block(block: Block, target: Floats) -> Floats:
    """Σ q (q'ω) over the block's basis."""
    groups = block.groups
    out = (groups.sum(target) / block.total)[groups.codes]
    for basis in block.basis:
        out += basis * groups.sum(basis * target)[groups.codes]
    return out


def _moments(prepared: Eliminated, target: Floats) -> Floats:
    parts = [tally(f.codes, target if f.slope is None else target * f.slope, f.size) for f in prepared.others]
    return np.concatenate(parts)


def _levels(prepared: Eliminated, coefficients: Floats) -> Floats:
    out = np.zeros(len(prepared.block.groups.codes))
    for factor, start in zip(prepared.others, prepared.starts, strict=False):
        part = coefficients[start : start + factor.size][factor.codes]
        out += part if factor.slope is None else part * factor.slope
    return out


def fit_absorbed(sample: Sample, weight: Floats | None) -> AbsorbedStage:
    """Fit the design's fixed effects, slopes and covariates on the free rows.

    Raises:
        EstimationError: every row has a level of a fixed effect that is never seen untreated.
    """
    whole = sample.design
    inside = _inside(absorbed(whole), sample.free)
    if not (inside & ~sample.free).any():
        raise EstimationError(_nothing(whole), "design")
    design = whole if inside.all() else whole.take(inside)
    free = sample.free[inside]
    w0 = free.astype(np.float64) if weight is None else free * weight[inside]
    factors = absorbed(design)
    prepared = absorber(factors, w0)
    if not isinstance(prepared, Block | Eliminated):
        raise TypeError("weights rule out the closed form")
    y = prepared.column(design.y)
    columns = design.covariates
    x = np.column_stack([prepared.column(columns[:, j]) for j in range(columns.shape[1])]) if columns.shape[1] else np.empty((len(y), 0))
    gram = gram_of(x, w0)
    kept = independent_columns(gram, *column_scale(columns, w0))
    bread: Floats = np.linalg.inv(gram[np.ix_(kept, kept)]).astype(np.float64, copy=False)
    coefficients = bread @ (x[:, kept].T @ (w0 * y))
    determined = _determined(prepared, factors)
    for j in np.flatnonzero(~kept):
        rest = x[:, j] - x[:, kept] @ (bread @ gram[kept, j])
        determined &= np.abs(rest) <= max(UNDETERMINED * float(np.abs(columns[:, j]).max()), MOVING * float(np.abs(x[:, j]).max()))
    y = y - x[:, kept] @ coefficients
    residual, imputable = np.zeros(whole.n_obs), np.zeros(whole.n_obs, dtype=np.bool_)
    residual[inside], imputable[inside] = y, determined
    return AbsorbedStage(
        design=whole,
        inside=inside,
        prepared=prepared,
        residual=residual,
        imputable=imputable,
        names=tuple(n for n, keep in zip(design.covariate_names, kept, strict=True) if keep),
        dropped=tuple(n for n, keep in zip(design.covariate_names, kept, strict=True) if not keep),
        coefficients=coefficients,
        w0=w0,
        score=w0 * y,
        x=x[:, kept],
        bread=bread,
    )


def _inside(factors: Sequence[Factor], free: Mask) -> Mask:
    """[n] rows all of whose levels (of intercepts) are seen untreated."""
    inside = np.ones(len(free), dtype=np.bool_)
    for factor in factors:
        if factor.slope is None:
            inside &= (np.bincount(factor.codes, weights=free, minlength=factor.size) > 0)[factor.codes]
    return inside


def _determined(prepared: Prepared, factors: Sequence[Factor]) -> Mask:
    """[m] rows whose prediction does not depend on which of several best fits is taken.

    An outcome made of random coefficients is predicted without error exactly there (with probability one).
    """
    rng = np.random.default_rng(0)
    made = np.zeros(len(factors[0].codes))
    for factor in factors:
        part = rng.normal(size=factor.size)[factor.codes]
        made += part if factor.slope is None else part * factor.slope
    return np.asarray(np.abs(prepared.column(made)) <= UNDETERMINED * float(np.abs(made).max()))


def _nothing(design: Design) -> Finding:
    return Finding(
        "nothing-to-impute",
        "every treated row has a level of a fixed effect in which nobody is seen without treatment",
        f"fixed effects {', '.join(f.name for f in absorbed(design))}",
        "leave out fixed effects that move with the policy",
    )
