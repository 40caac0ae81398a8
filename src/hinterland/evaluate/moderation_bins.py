"""The binning estimator: is the effect a line in the moderator, and is there anybody to learn from at each value?

Hainmueller, Mummolo & Xu (2019), Political Analysis 27(2), eq. 4: with bins G_j of the moderator (terciles by default) and their medians m_j,

    y = Σ_j G_j [a_j D + b_j D (M − m_j)] + controls,

a_j being the effect at the median of bin j. In a panel the bins' own main effects are in the unit effects, and their movement (G_j and G_j (M − m_j) in each
period) is controlled for. Under the linear model a_j and b_j lie on one line: the Wald test asks whether they do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.moderation_linear import Columns, Fitted, Scaling, by_period, fit_terms
from hinterland.evaluate.regression import treatment
from hinterland.evaluate.wild_joint import joint_wild

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bins:
    """J bins of a moderator.

    Attributes:
        edges: [J + 1] lowest value, cut points, highest value; a bin holds its upper edge.
        of: [N] bin of each unit;  median: [J] of the units in each.
        n_treated, n_comparison: [J] units ever and never treated in the window;  n_clusters: [J] clusters with a treated unit.
    """

    edges: Floats
    of: Ints
    median: Floats
    n_treated: Ints
    n_comparison: Ints
    n_clusters: Ints

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.median)

    @property
    def alone(self) -> NDArray[np.bool_]:
        """[J] bins with one treated cluster, or none: how its effect would vary over clusters cannot be estimated."""
        return np.asarray(self.n_clusters < 2)


def make_bins(design: Design, value: Floats, bins: int | tuple[float, ...]) -> Bins:
    """Bins of the units' moderator ``value`` [N]: so many with equal numbers of treated units, or between given cut points.

    Quantiles of the treated, where R's interflex takes those of all: where few are treated, terciles of all leave bins in which nobody is.

    Raises:
        EstimationError: fewer than two bins hold a unit.
    """
    ever = design.cohort != NEVER
    inner = np.quantile(value[ever], np.arange(1, bins) / bins) if isinstance(bins, int) else np.sort(np.asarray(bins, dtype=np.float64))
    of = np.searchsorted(inner, value, side="left")
    kept, of = np.unique(of, return_inverse=True)
    if len(kept) < 2:
        what = f"the moderator's values fall into one bin: {len(np.unique(value))} distinct value(s), cut at {', '.join(f'{c:g}' for c in inner)}"
        remedy = "give cut points inside its range, or fewer bins"
        raise EstimationError(Finding("moderator-one-bin", what, f"argument bins={bins!r}", remedy), "moderation")
    edges = np.array([value.min(), *(value[of == j].max() for j in range(len(kept)))])
    median = np.array([np.median(value[of == j]) for j in range(len(kept))])
    counts = [np.bincount(of, weights=who, minlength=len(kept)).astype(np.int64) for who in (ever, ~ever)]
    codes, rows = design.clusters[0].codes, ever[design.unit]
    clusters = np.array([len(np.unique(codes[rows & (of == j)[design.unit]])) for j in range(len(kept))], dtype=np.int64)
    return Bins(edges, of.astype(np.int64), median, counts[0], counts[1], clusters)


@dataclass(frozen=True, slots=True)
class Binned:
    """The fit: ``at`` [J] position of each bin's effect among the terms, -1 where it is not identified; ``test`` of linearity, if there is one."""

    fitted: Fitted
    at: Ints
    test: Linearity | None


@dataclass(frozen=True, slots=True)
class Linearity:
    """Wald test that the bins' effects and slopes are those of one line: F with ``df1`` restrictions and ``df2`` = clusters − 1.

    ``p_wild``: of the same statistic by the wild cluster bootstrap, NaN where there is none (counts). F rejects far too often where few clusters have
    treated units in each bin; the bootstrap does not.
    """

    statistic: float
    df1: int
    df2: float
    p_value: float
    p_wild: float


def fit_bins(design: Design, scaling: Scaling, bins: Bins, family: str, *, draws: int = 999, seed: int = 0) -> Binned:
    """Estimate every bin's effect at its median and its slope; ``draws``, ``seed``: of the test's bootstrap.

    Raises:
        EstimationError: nothing can be estimated.
    """
    z, middle = scaling.rows(design), (bins.median - scaling.centre) / scaling.scale
    of = bins.of[design.unit]
    names = [f"bin {j + 1}" for j in range(bins.size)]
    scale = dict.fromkeys(names, 1.0) | {f"{n}: slope": scaling.scale for n in names}
    carried = replace(design, columns={**design.columns, _MARKED: of.astype(np.float64), _WITHIN: z - middle[of]})
    fitted = fit_terms(carried, _columns(bins.size), scale, names[0], family)
    kept = fitted.effects.terms.name
    at = np.array([kept.index(n) if n in kept else -1 for n in names], dtype=np.int64)
    return Binned(fitted, at, _linearity(fitted, middle, scaling.scale, (draws, seed)))


_MARKED, _WITHIN = "bin of the moderator", "moderator within its bin"
"""Columns that the design carries, so that they follow its rows."""


def _columns(size: int) -> Columns:
    def make(design: Design) -> tuple[Floats, tuple[str, ...]]:
        of, within, d = design.columns[_MARKED], design.columns[_WITHIN], treatment(design)
        moving = {f"bin {j + 1}": (of == j).astype(np.float64) for j in range(1, size)}
        moving |= {f"slope {j + 1}": np.where(of == j, within, 0.0) for j in range(size)}
        columns, names = by_period(design, moving)
        effects = [np.where(of == j, d, 0.0) for j in range(size)]
        slopes = [np.where(of == j, d * within, 0.0) for j in range(size)]
        parts = [*columns, *design.covariates.T, *effects, *slopes]
        own = [f"bin {j + 1}" for j in range(size)]
        matrix = np.asfortranarray(np.column_stack(parts))
        return matrix, (*names, *design.covariate_names, *own, *(f"{n}: slope" for n in own))

    return make


def _linearity(fitted: Fitted, middle: Floats, scale: float, drawn: tuple[int, int]) -> Linearity | None:
    """R θ = 0 for the R whose rows span what no line can give; ``None`` where the terms do not exceed a line's two parameters, or where the clusters
    are too few for so many restrictions. ``middle`` [J]: medians, and ``scale``: the unit that they are in.
    """
    from scipy import linalg, special

    effects = fitted.effects
    slope = np.array([name.endswith("slope") for name in effects.terms.name], dtype=bool)
    of = np.array([int(name.removesuffix(": slope").removeprefix("bin ")) - 1 for name in effects.terms.name], dtype=np.int64)
    line = np.column_stack([~slope, np.where(slope, 1.0, middle[of])])
    if len(line) < 3 or np.linalg.matrix_rank(line) < 2:
        return None
    free = linalg.null_space(line.T).T
    scaled = free * np.where(slope, scale, 1.0)
    difference, vcov = scaled @ effects.estimate, scaled @ effects.vcov @ scaled.T
    if len(free) >= len(effects.clusters) or np.linalg.matrix_rank(vcov, tol=1e-10 * np.abs(vcov).max(), hermitian=True) < len(free):
        return None
    statistic = float(difference @ np.linalg.solve(vcov, difference)) / len(free)
    p_value = float(special.fdtrc(len(free), effects.df, statistic))
    return Linearity(statistic, len(free), effects.df, p_value, _p_wild(fitted, free, drawn))


def _p_wild(fitted: Fitted, free: Floats, drawn: tuple[int, int]) -> float:
    """The bootstrap p-value of ``free`` [q, k] on the kept terms, NaN where there is none."""
    if fitted.regression is None:
        return float("nan")
    names = fitted.regression.names
    restrictions = np.zeros((len(free), len(names)))
    restrictions[:, [names.index(name) for name in fitted.effects.terms.name]] = free
    found = joint_wild(fitted.regression, restrictions, draws=drawn[0], seed=drawn[1])
    return float("nan") if found is None else found


def l_kurtosis(value: Floats) -> float:
    """τ₄ = λ₄ / λ₂ of the sample (Hosking 1990, Journal of the Royal Statistical Society B 52(1)): 0 for a uniform, 0.123 for a normal distribution; more
    where a few values lie far from the others. NaN below four values.
    """
    x, n = np.sort(value), len(value)
    if n < 4:
        return float("nan")
    i = np.arange(n, dtype=np.float64)
    b = [x.mean()]
    weight = np.ones(n)
    for k in range(1, 4):
        weight = weight * (i - k + 1) / (n - k)
        b.append(float((weight * x).mean()))
    second, fourth = 2 * b[1] - b[0], 20 * b[3] - 30 * b[2] + 12 * b[1] - b[0]
    return float(fourth / second) if second > 0 else float("nan")
