"""Economic complexity of regions and industries: presence, diversity, ubiquity, ECI, PCI and fitness.

Hidalgo & Hausmann (2009, PNAS 106); Hausmann et al. (2014, The Atlas of Economic Complexity); Tacchella et al. (2012, Scientific Reports 2).
Regions are rows and industries columns of the presence matrix M; diversity d = M1 and ubiquity u = M'1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from hinterland.measure.division import ratio

__all__ = ["Complexity", "Fitness", "Presence", "complexity", "fitness", "presence", "presence_of", "specialisation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

NEAR_TIE = 0.1
"""Correlation of ECI with diversity below which its sign is doubtful."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Which region has which industry, after regions and industries without any are dropped.

    Attributes:
        matrix: M, 0 or 1, [R', I'] float64, regions and industries kept.
        regions, industries: positions kept, in the original order.
        dropped_regions, dropped_industries: positions dropped, in the original order.
        small_regions: positions dropped because their total is below the floor; a subset of ``dropped_regions``.
    """

    matrix: Floats
    regions: Ints
    industries: Ints
    dropped_regions: Ints
    dropped_industries: Ints
    small_regions: Ints

    @property
    def diversity(self) -> Floats:
        """Industries of each region kept, [R']."""
        return np.asarray(self.matrix.sum(axis=1), dtype=np.float64)

    @property
    def ubiquity(self) -> Floats:
        """Regions of each industry kept, [I']."""
        return np.asarray(self.matrix.sum(axis=0), dtype=np.float64)


def specialisation(values: Floats) -> Floats:
    """Revealed comparative advantage (Balassa 1965), equal to the location quotient: (X_ri/X_r.)/(X_.i/X_..), [R, I].

    Totals are over observed cells; NaN where the cell is not observed or a total is zero.
    """
    region, industry = np.nansum(values, axis=1), np.nansum(values, axis=0)
    return ratio(values * industry.sum(), region[:, None] * industry[None, :])


def presence(values: Floats, *, threshold: float = 1.0, floor: float = 0.0) -> Presence:
    """M_ri = 1 where the revealed comparative advantage of ``values`` [R, I] is at least ``threshold``.

    Regions whose total is below ``floor`` (in the unit of ``values``) are dropped before advantages are computed: with few activities
    the quotient is unstable. A cell that is not observed (NaN) is never present.
    """
    total = np.nansum(values, axis=1)
    large = np.flatnonzero((total >= floor) & (total > 0))
    advantage = specialisation(values[large])
    found = presence_of(np.nan_to_num(advantage, nan=-np.inf) >= threshold)
    dropped = np.setdiff1d(np.arange(len(values)), large[found.regions])
    small = np.flatnonzero((total < floor) & (total > 0))
    return Presence(found.matrix, large[found.regions], found.industries, dropped, found.dropped_industries, small)


def presence_of(present: NDArray[np.bool_] | Floats) -> Presence:
    """The presence matrix [R, I] given as zeros and ones, without rows and columns of zeros; dropping is repeated until none is left."""
    matrix = np.asarray(present, dtype=np.float64)
    rows, columns = np.arange(matrix.shape[0]), np.arange(matrix.shape[1])
    while True:
        inner = matrix[np.ix_(rows, columns)]
        keep_row, keep_column = inner.any(axis=1), inner.any(axis=0)
        if keep_row.all() and keep_column.all():
            break
        rows, columns = rows[keep_row], columns[keep_column]
    gone = np.setdiff1d(np.arange(matrix.shape[0]), rows), np.setdiff1d(np.arange(matrix.shape[1]), columns)
    return Presence(inner, rows, columns, gone[0], gone[1], np.array([], dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Complexity:
    """Complexity of regions and industries.

    Attributes:
        eci: of each region [R], standardised (ddof = 0) over the regions used; NaN outside the largest component.
        pci: of each industry [I], standardised over the industries used.
        regions, industries: whether each is in the largest connected component, [R] and [I].
        components: number of connected components of the graph of regions and industries.
        eigenvalues: the three largest of W̃ = D⁻¹MU⁻¹M' (the first is 1); fewer if the matrix is smaller.
        residual: greatest of |Sb - σa| and |S'a - σb| over the second singular vectors of S = D^-½ M U^-½.
        sign_correlation: of ECI with diversity, or with the reference that fixed the sign; NaN when undefined.
        sign_by: ``diversity`` or ``reference``.
    """

    eci: Floats
    pci: Floats
    regions: Bools
    industries: Bools
    components: int
    eigenvalues: Floats
    residual: float
    sign_correlation: float
    sign_by: str

    @property
    def sign_doubtful(self) -> bool:
        """Whether the correlation that fixed the sign is below 0.1 or undefined."""
        return not self.sign_correlation >= NEAR_TIE


def complexity(matrix: Floats, *, reference: Floats | None = None) -> Complexity:
    """ECI and PCI of a presence matrix [R, I] without rows or columns of zeros.

    With D = diag(d), U = diag(u) and S = D^-½ M U^-½, ECI = D^-½ a and PCI = U^-½ b for the second singular vectors a, b of S: the second
    eigenvectors of W̃ = D⁻¹MU⁻¹M' and of its counterpart for industries (Hausmann et al. 2014, eq. 3 to 5). The first pair is known
    (√d, √u) and taken out. A graph in several pieces has the second eigenvalue 1, and ECI would be a label of pieces: only the largest
    is used. A matrix whose rows are all alike has no second dimension: both are NaN.

    Args:
        matrix: zeros and ones, [R, I].
        reference: ECI of the previous year [R], NaN where there is none; it fixes the sign in place of diversity.

    Raises:
        ValueError: a row or column of zeros, or fewer than two regions or industries in the largest component.
    """
    d, u = matrix.sum(axis=1), matrix.sum(axis=0)
    if not (d.all() and u.all()):
        raise ValueError("a region or an industry of the presence matrix is empty: drop it first (presence_of does)")
    pieces, rows, columns = _largest_component(matrix)
    if min(rows.sum(), columns.sum()) < 2:
        raise ValueError("the largest connected component has fewer than two regions or two industries")
    inner = matrix if pieces == 1 else matrix[np.ix_(rows, columns)]
    a, b, values, residual = _second_singular(inner)
    eci, pci = _spread(_standardised(a), rows), _spread(_standardised(b), columns)
    sign, correlation, by = _sign(eci, d, reference)
    return Complexity(sign * eci, sign * pci, rows, columns, pieces, values, residual, correlation, by)


def _largest_component(matrix: Floats) -> tuple[int, Bools, Bools]:
    """How many components the bipartite graph has, and which rows and columns the largest holds (the first of equals)."""
    count = matrix.shape[0]
    links = sp.csr_array(matrix)
    pieces, label = connected_components(sp.block_array([[None, links], [links.T, None]], format="csr"), directed=False)
    if pieces == 1:
        return 1, np.ones(count, dtype=bool), np.ones(matrix.shape[1], dtype=bool)
    member = label == np.bincount(label).argmax()
    return int(pieces), member[:count], member[count:]


def _second_singular(matrix: Floats) -> tuple[Floats, Floats, Floats, float]:
    """D^-½a and U^-½b for the second singular vectors, the leading squared singular values, and the greatest residual."""
    d, u = matrix.sum(axis=1), matrix.sum(axis=0)
    scaled = matrix / np.sqrt(d)[:, None] / np.sqrt(u)[None, :]
    wide = scaled.shape[0] < scaled.shape[1]
    side = scaled.T if wide else scaled
    gram, n = side.T @ side, min(scaled.shape)
    trivial = np.sqrt(d if wide else u)
    trivial /= np.linalg.norm(trivial)
    gram -= np.outer(trivial, trivial)
    top = min(2, n - 1)
    values, vectors = sl.eigh(gram, subset_by_index=[n - top, n - 1], overwrite_a=True, check_finite=False)
    order = np.argsort(values)[::-1]
    short = vectors[:, order[0]] if values[order[0]] > 1e-12 else np.full(n, np.nan)
    sigma = np.sqrt(max(values[order[0]], 0.0))
    long = side @ short
    long = long / np.linalg.norm(long)
    residual = max(np.abs(side @ short - sigma * long).max(), np.abs(side.T @ long - sigma * short).max())
    a, b = (short, long) if wide else (long, short)
    return a / np.sqrt(d), b / np.sqrt(u), np.concatenate([[1.0], values[order]]), float(residual)


def _standardised(values: Floats) -> Floats:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-12 else np.full_like(values, np.nan)


def _spread(values: Floats, where: Bools) -> Floats:
    if where.all():
        return values
    out = np.full(len(where), np.nan)
    out[where] = values
    return out


def _sign(eci: Floats, diversity: Floats, reference: Floats | None) -> tuple[float, float, str]:
    """1 or -1, the correlation that says so (after the sign), and with what."""
    by, target = ("diversity", diversity) if reference is None else ("reference", reference)
    if reference is not None and not np.isfinite(_correlation(eci, target)):
        by, target = "diversity", diversity
    found = _correlation(eci, target)
    return (-1.0 if found < 0 else 1.0), abs(found), by


def _correlation(x: Floats, y: Floats) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2 or x[both].std() == 0 or y[both].std() == 0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])


@dataclass(frozen=True, slots=True)
class Fitness:
    """Fitness of regions [R] and complexity of industries [I], each with mean 1.

    ``change``: greatest relative change of the last step;  ``converged``: whether it is below the tolerance;  ``iterations``: steps done.
    """

    fitness: Floats
    complexity: Floats
    iterations: int
    change: float
    converged: bool


def fitness(matrix: Floats, *, iterations: int = 200, tolerance: float = 1e-8) -> Fitness:
    """Fitness and complexity (Tacchella et al. 2012, eq. 1): F = MQ and Q = 1/(M'(1/F)), both from the previous step, each divided by its mean.

    ``matrix`` [R, I] holds zeros and ones, without rows or columns of zeros. Fitness of some regions tends to zero on many matrices
    (Pugliese, Zaccaria & Pietronero 2016): values then never settle in relative terms, which ``converged`` says.

    Raises:
        ValueError: a row or column of zeros.
    """
    if not (matrix.any(axis=1).all() and matrix.any(axis=0).all()):
        raise ValueError("a region or an industry of the presence matrix is empty: drop it first (presence_of does)")
    f, q = np.ones(matrix.shape[0]), np.ones(matrix.shape[1])
    change, done = np.inf, 0
    while done < iterations and change >= tolerance:
        new_f, new_q = matrix @ q, 1 / (matrix.T @ (1 / f))
        # The floor keeps 1/F finite where fitness fades to nothing.
        new_f, new_q = np.maximum(new_f / new_f.mean(), 1e-200), np.maximum(new_q / new_q.mean(), 1e-200)
        change, done = max(np.abs(new_f / f - 1).max(), np.abs(new_q / q - 1).max()), done + 1
        f, q = new_f, new_q
    return Fitness(f, q, done, float(change), bool(change < tolerance))
