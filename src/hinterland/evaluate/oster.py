"""Selection on unobservables relative to observables (Oster 2019, Journal of Business & Economic Statistics 37(2))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fail_if_not_accepted, find_method
from hinterland.evaluate.regression import (
    column_scale,
    fail_if_nothing_left,
    gram_of,
    independent_columns,
    projection,
    treatment,
)
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

__all__ = ["Moments", "Oster", "adjusted", "oster", "relative_selection"]

Floats = NDArray[np.float64]
RSquared = Literal["within", "overall"]

_FACTOR = 1.3


@dataclass(frozen=True, slots=True)
class Moments:
    """What the two regressions say, all variances net of the fixed effects.

    ``short``, ``long``: coefficients without and with covariates;  ``gained``: variance of the outcome that the covariates explain beyond
    the treatment, (R̃ - Ṙ)σ_y²;  ``missing``: variance that everything unobserved could explain, (R_max - R̃)σ_y²;
    ``treatment``: variance of the treatment, σ_x²;  ``residual``: what the covariates leave of it, τ_x.
    """

    short: float
    long: float
    gained: float
    missing: float
    treatment: float
    residual: float


def relative_selection(m: Moments, beta: float) -> float:
    """δ at which the effect would be ``beta`` (Oster 2019, proposition 3); infinite where no finite δ does."""
    gap, move, left = m.long - beta, m.short - m.long, m.residual * (m.treatment - m.residual)
    cross = m.residual * move * m.treatment
    top = gap * m.gained * m.residual + gap * m.treatment * m.residual * move**2 + 2 * gap**2 * cross + gap**3 * left
    bottom = m.missing * move * m.treatment + gap * m.missing * (m.treatment - m.residual) + gap**2 * cross + gap**3 * left
    return float(top / bottom) if bottom else float(np.copysign(np.inf, top) if top else np.nan)


def adjusted(m: Moments, delta: float) -> tuple[float, Floats, bool]:
    """The bias-adjusted effect at ``delta``: the one reported, all real solutions, and whether the direction assumption holds for it.

    The bias ν = β̃ - β* solves (δ - 1)τ(σ_x² - τ)ν³ + (δ - 2)τσ_x²(β̇ - β̃)ν² + (δ·missing(σ_x² - τ) - gained·τ - σ_x²τ(β̇ - β̃)²)ν +
    δ·missing·σ_x²(β̇ - β̃) = 0 (propositions 1 and 2). Of several, solutions whose bias has the sign of β̇ - β̃ (assumption 3) are
    kept, and the smallest bias is taken.
    """
    move = m.short - m.long
    cubic = [
        (delta - 1) * m.residual * (m.treatment - m.residual),
        (delta - 2) * m.residual * m.treatment * move,
        delta * m.missing * (m.treatment - m.residual) - m.gained * m.residual - m.treatment * m.residual * move**2,
        delta * m.missing * m.treatment * move,
    ]
    # In units of the movement of the coefficient, so that "zero" means the same for every scale.
    unit = abs(move) or 1.0
    scaled = np.array([c * unit ** (3 - i) for i, c in enumerate(cubic)])
    scaled[np.abs(scaled) < 1e-13 * np.abs(scaled).max(initial=0.0)] = 0.0
    roots = np.roots(scaled) if scaled.any() else np.zeros(1)
    real = np.sort(roots[np.abs(roots.imag) < 1e-7 * (1 + np.abs(roots.real))].real) * unit
    if not len(real):
        return float("nan"), real, False
    same = real[real * move * np.sign(delta) >= 0] if delta else np.zeros(1)
    pick = same if len(same) else real
    bias = float(pick[np.abs(pick).argmin()])
    return float(m.long - bias), m.long - real, bool(len(same))


@dataclass(frozen=True, slots=True)
class Oster:
    """How much unobserved confounders would have to matter.

    Attributes:
        outcome: name of the outcome;  covariates: whose influence is compared.
        estimate_short, estimate_long: the treatment's coefficient without and with covariates;  r2_short, r2_long: of the kind ``r2``.
        r2: ``within`` (share of the variance net of fixed effects) or ``overall``;  r_max: the R² that everything would explain.
        delta: relative selection at which the effect would be ``beta``.
        adjusted: effect were unobservables ``at_delta`` times as important as the covariates;  solutions: all of them.
        low, high: the identified set between ``estimate_long`` and ``adjusted``.
        notes: in words.
    """

    outcome: str
    covariates: tuple[str, ...]
    estimate_short: float
    estimate_long: float
    r2_short: float
    r2_long: float
    r2: RSquared
    r_max: float
    beta: float
    delta: float
    at_delta: float
    adjusted: float
    solutions: tuple[float, ...]
    low: float
    high: float
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return f"Oster({self.outcome}: {self.estimate_short:.4g} to {self.estimate_long:.4g}, delta {self.delta:.4g} for {self.beta:g}, adjusted {self.adjusted:.4g})"

    def tidy(self) -> pl.DataFrame:
        """One row with every number."""
        names = (
            "outcome", "estimate_short", "estimate_long", "r2_short", "r2_long", "r_max", "beta", "delta", "at_delta", "adjusted", "low", "high",
        )  # fmt: skip
        return pl.DataFrame({name: [getattr(self, name)] for name in names})


@one_thread()
def oster(design: Design, r_max: float | None = None, *, beta: float = 0.0, delta: float = 1.0, r2: RSquared = "within") -> Oster:
    """Compare the two-way fixed-effects coefficient without and with the design's covariates.

    Fixed effects and weights are in both regressions, so that only the covariates count as observed confounders.

    Args:
        design: with covariates.
        r_max: R² if everything unobserved were included; by default 1.3 times that of the regression with covariates, at most 1 (Oster's rule).
        beta: effect whose relative selection δ is asked for.
        delta: relative selection at which the effect is adjusted.
        r2: whether ``r_max`` is a share of the variance net of fixed effects (``within``) or of all of it (``overall``).

    Raises:
        EstimationError: no covariates, bad options, a design that ``twfe`` is not defined on, or a treatment that is collinear with the fixed effects or the covariates.
    """
    _fail_if_bad_options(design, r2, beta, delta)
    fail_if_not_accepted(find_method("twfe"), design)
    sums = _sums(design)
    moments, r_max = _moments(sums, r_max, r2)
    needed = relative_selection(moments, beta)
    effect, solutions, direction = adjusted(moments, delta)
    total = sums.within if r2 == "within" else sums.total
    return Oster(
        outcome=design.outcome,
        covariates=design.covariate_names,
        estimate_short=moments.short,
        estimate_long=moments.long,
        r2_short=1 - sums.ssr_short / total,
        r2_long=1 - sums.ssr_long / total,
        r2=r2,
        r_max=r_max,
        beta=beta,
        delta=needed,
        at_delta=delta,
        adjusted=effect,
        solutions=tuple(solutions.tolist()),
        low=min(moments.long, effect),
        high=max(moments.long, effect),
        notes=(*design.notes, *_notes(design, needed, r_max), *_root_notes(delta, solutions, direction)),
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Coefficients and sums of squares of the two regressions, over n weighted rows."""

    short: float
    long: float
    ssr_short: float
    ssr_long: float
    within: float
    total: float
    treatment: float
    residual: float
    rows: float


def _sums(design: Design) -> _Sums:
    weights = design.weight
    columns = np.column_stack([treatment(design), design.covariates])
    raw, centred = column_scale(columns, weights)
    prepared = projection(design, weights)
    x = np.column_stack([prepared.column(np.ascontiguousarray(columns[:, j])) for j in range(columns.shape[1])])
    y = prepared.column(design.y)
    gram = gram_of(x, weights)
    kept = independent_columns(gram, raw, centred)
    fail_if_nothing_left(design, ("treated", *design.covariate_names), kept)
    x, gram = x[:, kept], gram[np.ix_(kept, kept)]
    with_y = x.T @ (y if weights is None else y * weights)
    within = float(gram_of(y[:, None], weights)[0, 0])
    coefficients = np.linalg.solve(gram, with_y)
    left = gram[0, 0] - gram[0, 1:] @ np.linalg.solve(gram[1:, 1:], gram[1:, 0]) if len(gram) > 1 else gram[0, 0]
    if not left > 1e-9 * gram[0, 0]:
        what = "the covariates explain the treatment entirely"
        raise EstimationError(Finding("treatment-collinear", what, ", ".join(design.covariate_names), "leave out covariates"), "Oster")
    _, total = column_scale(design.y[:, None], weights)
    return _Sums(
        short=float(with_y[0] / gram[0, 0]),
        long=float(coefficients[0]),
        ssr_short=within - float(with_y[0] ** 2 / gram[0, 0]),
        ssr_long=within - float(with_y @ coefficients),
        within=within,
        total=float(total[0]),
        treatment=float(gram[0, 0]),
        residual=float(left),
        rows=float(len(y) if weights is None else weights.sum()),
    )


def _moments(sums: _Sums, r_max: float | None, r2: RSquared) -> tuple[Moments, float]:
    total = sums.within if r2 == "within" else sums.total
    reached = 1 - sums.ssr_long / total
    top = min(1.0, _FACTOR * reached) if r_max is None else float(r_max)
    if not reached <= top <= 1:
        what = f"r_max is {top:g}, and the R² ({r2}) with covariates is {reached:.6g}"
        raise EstimationError(Finding("bad-r-max", what, "argument r_max", "give a number from that R² up to 1"), "Oster")
    gained = max(sums.ssr_short - sums.ssr_long, 0.0)
    missing = (top - reached) * total
    n = sums.rows
    return Moments(sums.short, sums.long, gained / n, missing / n, sums.treatment / n, sums.residual / n), top


def _fail_if_bad_options(design: Design, r2: str, beta: float, delta: float) -> None:
    findings = []
    if not design.covariate_names:
        findings.append(Finding("no-covariates", "the design has no covariates", "design", "build it with covariates="))
    if r2 not in ("within", "overall"):
        findings.append(Finding("unknown-value", f"r2 is {r2!r}", "argument r2", did_you_mean(str(r2), ("within", "overall"))))
    for name, value in (("beta", beta), ("delta", delta)):
        if not np.isfinite(value):
            findings.append(Finding("not-finite", f"{name} is {value!r}", f"argument {name}", "give a finite number"))
    fail_if_any(findings, "Oster", EstimationError)


def _notes(design: Design, needed: float, r_max: float) -> list[Note]:
    notes = [Note("oster-staggered")] if len(design.cohorts) > 1 else []
    if np.isfinite(needed):
        return [Note("oster-robust", {"delta": needed, "r_max": r_max}), *notes]
    return [Note("oster-not-defined"), *notes]


def _root_notes(delta: float, solutions: Floats, direction: bool) -> list[Note]:
    notes = []
    if len(solutions) > 1:
        roots = ", ".join(f"{s:.4g}" for s in solutions)
        notes.append(Note("oster-several-roots", {"delta": delta, "count": len(solutions), "roots": roots}))
    if not direction:
        notes.append(Note("oster-direction"))
    return notes
