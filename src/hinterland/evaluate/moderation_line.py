"""What follows from a fitted line β + γ (m − c): effects along it, pointwise and for all values of the moderator at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hinterland.evaluate.coding import Floats


@dataclass(frozen=True, slots=True)
class Line:
    """β and γ with their covariance [2, 2], the value at which β is the effect, and the degrees of freedom."""

    level: float
    slope: float
    vcov: Floats
    centre: float
    df: float

    def weights(self, at: Floats) -> Floats:
        """[m, 2] what the effect at each value is made of."""
        return np.column_stack([np.ones_like(at), at - self.centre])

    def effect(self, at: Floats) -> Floats:
        """[m] effects at the values ``at`` [m]."""
        return np.asarray(self.level + self.slope * (at - self.centre))

    def std_error(self, at: Floats) -> Floats:
        """[m] Var = V_ββ + 2 (m − c) V_βγ + (m − c)² V_γγ (Brambor, Clark & Golder 2006, eq. 8)."""
        a = self.weights(at)
        return np.asarray(np.sqrt(np.maximum(np.einsum("mi,ij,mj->m", a, self.vcov, a), 0.0)))

    def difference(self, high: float, low: float) -> tuple[float, float]:
        """Effect at ``high`` less that at ``low``, with its standard error."""
        return self.slope * (high - low), float(np.sqrt(self.vcov[1, 1])) * abs(high - low)

    def critical(self, level: float = 0.95) -> float:
        """The pointwise two-sided critical value."""
        from scipy import special

        tail = 0.5 + level / 2
        return float(special.ndtri(tail) if np.isinf(self.df) else special.stdtrit(self.df, tail))

    def band(self, low: float, high: float, level: float = 0.95) -> float:
        """The critical value with which intervals cover the line at every value from ``low`` to ``high`` at once.

        The estimate at a value, over its standard error, is the projection of a standard normal vector of two dimensions on a direction that turns with
        the value, by an angle Δ between the two ends. With R its length and θ its direction, the largest absolute projection is R where θ falls on the
        arc, and R cos η where it misses the arc by η:

            P(sup ≤ c) = Δ/π F(c) + 2/π ∫₀^((π−Δ)/2) F(c / cos η) dη,   F(r) = P(R ≤ r)

        (Wynn & Bloomfield 1971, Journal of the Royal Statistical Society B 33(2)). Nothing is simulated. F is Rayleigh's, or with finite degrees of
        freedom ν that of √(2 F_{2,ν}).
        """
        from scipy import optimize

        arc = self._arc(low, high)
        nodes, weights = np.polynomial.legendre.leggauss(200)
        half = (np.pi - arc) / 4
        cosine = np.cos(half * (nodes + 1))

        def short(c: float) -> float:
            return arc / np.pi * float(self._within(np.array(c))) + 2 / np.pi * half * float(weights @ self._within(c / cosine)) - level

        return float(optimize.brentq(short, self.critical(level) * 0.999, 4 * self.critical(level) + 10, xtol=1e-10))

    def _within(self, r: Floats) -> Floats:
        """P(R ≤ r)."""
        if np.isinf(self.df):
            return np.asarray(-np.expm1(-(r**2) / 2))
        return np.asarray(1 - (1 + r**2 / self.df) ** (-self.df / 2))

    def _arc(self, low: float, high: float) -> float:
        """The angle between the directions at two values, in the metric of the covariance."""
        a, b = self.weights(np.array([low, high]))
        cosine = float(a @ self.vcov @ b) / np.sqrt(float(a @ self.vcov @ a) * float(b @ self.vcov @ b))
        return float(np.arccos(np.clip(cosine, -1.0, 1.0)))
