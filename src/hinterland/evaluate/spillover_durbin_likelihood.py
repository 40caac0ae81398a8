"""The likelihood of a panel with a spatial lag of its outcome, concentrated in the lag's coefficient.

Y_t = ρ W Y_t + X_t b + μ + λ_t 1 + ε_t, ε ~ (0, σ²); S(ρ) = I − ρW; Q takes off unit and period effects. With e₀ and e₁ what X leaves of
Q y and Q (I ⊗ W) y, and SSR(ρ) = ‖e₀ − ρ e₁‖² (Lee & Yu 2010, Journal of Econometrics 154(2), both effects),

    ℓ(ρ) = −m/2 (log(2π SSR(ρ)/m) + 1) + τ J(ρ)

* ``transformation``: m = (N−1)(T−1), τ = T−1, J = log|S| − log(1 − ρ): the density of what is left when both effects are taken off, which
  has no incidental parameter. Needs rows of W that add up to one, so that taking off period means leaves a lag of the same kind.
* ``direct``: m = NT, τ = T, J = log|S|: all rows, with the effects as parameters; σ² and ρ are off by terms of order 1/T and 1/N.

log|S| is that of a sparse triangular factor. Its derivative is the imaginary part at ρ + ih over h (a complex step: no difference is
taken, so no digit is lost), and tr W S⁻¹ with its sign changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Likelihood = Literal["transformation", "direct"]

_STEP = 1e-30
_END = 0.9999
_GRID = np.array([-_END, *np.linspace(-0.8, 0.8, 9), _END])
_ALIKE = 1e-12
"""Share of the spatial lag's variance that the outcome leaves, below which the two are one variable."""


@dataclass(frozen=True, slots=True)
class Pencil:
    """I − ρW for many ρ: the pattern is found once.

    ``weights`` [N, N] W;  ``row`` [z], ``starts`` [N + 1]: the pattern of I + W by columns;  ``one``, ``other`` [z]: the entries of I and W.
    """

    weights: csr_array
    row: NDArray[Any]
    starts: NDArray[Any]
    one: Floats
    other: Floats

    @classmethod
    def of(cls, weights: csr_array) -> Pencil:
        """Of ``weights`` without an entry on the diagonal, whose rows add up to one, or are empty."""
        from scipy.sparse import csc_array, eye_array

        n = weights.shape[0]
        both = csc_array(eye_array(n) + weights)
        diagonal = both.indices == np.repeat(np.arange(n), np.diff(both.indptr))
        return cls(weights, both.indices, both.indptr, diagonal.astype(np.float64), np.where(diagonal, 0.0, both.data))

    def factor(self, rho: complex) -> Any:
        """Sparse triangular factors, |ρ| < 1: rows dominate their diagonal, so that no pivot is sought, and all are positive."""
        from scipy.sparse import csc_array
        from scipy.sparse.linalg import splu

        matrix = csc_array((self.one - rho * self.other, self.row, self.starts), shape=self.weights.shape)
        return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def log_determinant(self, rho: float) -> tuple[float, float]:
        """log|I − ρW| and its derivative −tr W(I − ρW)⁻¹."""
        u = self.factor(complex(rho, _STEP)).U.diagonal()
        return float(np.log(u.real).sum()), float((u.imag / u.real).sum() / _STEP)


@dataclass(frozen=True, slots=True)
class Concentrated:
    """What the likelihood needs of the data.

    Attributes:
        pencil: I − ρW;  products: e₀'e₀, e₀'e₁ and e₁'e₁.
        size: m;  times: τ;  removed: the density is that of data without effects (``transformation``).
    """

    pencil: Pencil
    products: tuple[float, float, float]
    size: int
    times: int
    removed: bool

    @classmethod
    def of(cls, pencil: Pencil, outcome: Floats, lag: Floats, periods: int, likelihood: Likelihood) -> Concentrated:
        """From e₀ = ``outcome`` and e₁ = ``lag`` [n] in ``periods`` periods."""
        n, removed = pencil.weights.shape[0], likelihood == "transformation"
        products = (float(outcome @ outcome), float(outcome @ lag), float(lag @ lag))
        times = periods - 1 if removed else periods
        return cls(pencil, products, times * (n - 1 if removed else n), times, removed)

    def squares(self, rho: float) -> float:
        """SSR(ρ)."""
        own, cross, lag = self.products
        return own - 2 * rho * cross + rho * rho * lag

    def at(self, rho: float) -> tuple[float, float]:
        """ℓ(ρ) and its derivative."""
        _, cross, lag = self.products
        left = self.squares(rho)
        value, slope = self.pencil.log_determinant(rho)
        if self.removed:
            value, slope = value - np.log1p(-rho), slope + 1 / (1 - rho)
        likelihood = -self.size / 2 * (np.log(2 * np.pi * left / self.size) + 1) + self.times * value
        return float(likelihood), float(self.size * (cross - rho * lag) / left + self.times * slope)


def maximise(data: Concentrated) -> float:
    """The ρ in (−1, 1) at which ℓ is highest: the best of a grid, then the root of the derivative beside it.

    Raises ``EstimationError`` where ρ is not identified, or the likelihood rises towards an end.
    """
    from scipy.optimize import brentq

    _fail_if_alike(data)
    values, slopes = np.array([data.at(rho) for rho in _GRID]).T
    best = int(values.argmax())
    other = best + (1 if slopes[best] > 0 else -1)
    if not 0 <= other < len(_GRID) or slopes[best] * slopes[other] > 0:
        what = f"the likelihood still rises at ρ = {_GRID[best]:g}"
        remedy = "check for outcomes copied from neighbour to neighbour, take other neighbours, or choose estimator='twfe'"
        raise EstimationError(Finding("rho-at-bound", what, "spillover, estimator='sdm'", remedy), "design")
    low, high = sorted((_GRID[best], _GRID[other]))
    return float(brentq(lambda rho: data.at(rho)[1], low, high, xtol=1e-15, rtol=1e-14))


def _fail_if_alike(data: Concentrated) -> None:
    own, cross, lag = data.products
    if own * lag - cross * cross > _ALIKE * own * lag:
        return
    what = "the mean outcome of the neighbours is the outcome itself over again, but for unit and period effects"
    remedy = "check for outcomes copied from neighbour to neighbour, take other neighbours, or choose estimator='twfe'"
    raise EstimationError(Finding("rho-not-identified", what, "spillover, estimator='sdm'", remedy), "design")
