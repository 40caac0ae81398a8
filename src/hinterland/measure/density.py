"""Densities of a cross-section and of its moves: Gaussian kernels, Silverman's bandwidth, reflection for data that are positive.

Silverman, B. W. (1986), *Density Estimation for Statistics and Data Analysis*, sections 2.10 and 3.4. Quah, D. T. (1997), Empirics for growth and distribution,
*Journal of Economic Growth* 2, 27-59, for the stochastic kernel.
"""

from __future__ import annotations

import numpy as np

from hinterland.measure.inequality import Floats


def silverman(y: Floats) -> float:
    r"""Silverman's (1986, eq. 3.31) bandwidth, :math:`0.9\min(s, \mathrm{IQR}/1.34)\,n^{-1/5}`, s with n-1; NaN when the values are all alike or fewer than 2.

    Where the quartiles coincide and the values do not, the standard deviation alone is used.
    """
    if len(y) < 2:
        return float("nan")
    sd = float(np.std(y, ddof=1))
    spread = float(np.subtract(*np.quantile(y, [0.75, 0.25]))) / 1.34
    scale = min(sd, spread) if spread > 0 else sd
    return 0.9 * scale * len(y) ** -0.2 if np.ptp(y) > 0 else float("nan")


def _normal(u: Floats) -> Floats:
    return np.asarray(np.exp(-u * u / 2) / np.sqrt(2 * np.pi))


def kernel(points: Floats, y: Floats, bandwidth: float, reflect: bool = False) -> Floats:
    """[P, R] kernel of each observation at each point; with ``reflect`` its mirror image at zero is added, and nothing lies below zero."""
    k = _normal((points[:, None] - y) / bandwidth) / bandwidth
    if not reflect:
        return k
    return np.where(points[:, None] < 0, 0.0, k + _normal((points[:, None] + y) / bandwidth) / bandwidth)


def kernel_density(points: Floats, y: Floats, bandwidth: float, weight: Floats | None = None, reflect: bool = False) -> Floats:
    """[P] density of ``y`` [R] at ``points`` [P]; integrates to one over the line, or with ``reflect`` over the half-line from zero.

    Args:
        bandwidth: of the Gaussian kernel, in units of y.
        weight: [R] weights; equal by default.
    """
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    return np.asarray(kernel(points, y, bandwidth, reflect) @ share)


def stochastic_kernel(
    to: Floats, given: Floats, *, x: Floats, y: Floats, bandwidth: tuple[float, float], reflect: bool = False, floor: float = 1e-6
) -> Floats:
    """[P, Q] density of ``y`` at ``to`` [Q] given ``x`` at ``given`` [P]: the joint kernel density over the marginal one.

    With x the value of a region and y its value s years later this is the law of motion of a distribution in Quah's sense; with x the mean of its neighbours it is the
    spatial stochastic kernel.

    Args:
        x, y: [N] pairs.
        bandwidth: for x and for y.
        reflect: data are positive: reflect both at zero.
        floor: where the density of x is below this share of its largest value, the row is NaN: nothing was observed near it.
    """
    near = kernel(given, x, bandwidth[0], reflect)
    mass = near.sum(axis=1)
    held = mass > floor * mass.max()
    share = near / np.where(held, mass, np.nan)[:, None]
    return np.asarray(share @ kernel(to, y, bandwidth[1], reflect).T)
