"""Propensity scores of the rows to be matched, and who of them is on the common support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.drdid import fit_logit
from hinterland.evaluate.regression import independent_columns

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scores:
    """``score`` [n] fitted probability of being treated, ``logit`` [n] its log odds; ``dropped``: collinear covariates."""

    score: Floats
    logit: Floats
    dropped: tuple[str, ...]


def scores(x: Floats, names: Sequence[str], treated: Mask, weight: Floats | None, *, strata: Codes, where: str) -> Scores:
    """Logit of being treated on the covariates, with an intercept for each stratum.

    Args:
        x: [n, k] covariates;  names: their k names.
        treated: [n].
        weight: [n] or ``None`` (all one).
        strata: [n] codes 0, 1, …
        where: what is being matched, for the finding.

    Raises:
        EstimationError: the covariates separate treated from comparison rows, so that there is no maximum of the likelihood.
    """
    scale = x.std(axis=0)
    columns = (x - x.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    dummies = (strata[:, None] == np.arange(1, int(strata.max(initial=0)) + 1)).astype(np.float64)
    matrix = np.concatenate([np.ones((len(x), 1)), dummies, columns], axis=1)
    kept = independent_columns(matrix.T @ matrix, (matrix**2).sum(axis=0), (matrix**2).sum(axis=0))
    first = 1 + dummies.shape[1]
    dropped = tuple(name for name, keep in zip(names, kept[first:], strict=True) if not keep)
    order = np.concatenate([np.flatnonzero(treated), np.flatnonzero(~treated)])
    fitted = fit_logit(matrix[np.ix_(order, kept)], int(treated.sum()), None if weight is None else weight[order], np.inf)
    score = np.empty(len(x))
    score[order] = fitted.score
    with np.errstate(divide="ignore"):
        logit = np.log(score) - np.log1p(-score)
    logit = np.clip(logit, -700.0, 700.0)
    if not fitted.overlap or logit[treated].min() >= logit[~treated].max():
        raise EstimationError(_separated(x, names, treated, where), "matching")
    return Scores(score, logit, dropped)


def _separated(x: Floats, names: Sequence[str], treated: Mask, where: str) -> Finding:
    """The finding, with the covariates that separate on their own."""
    high, low = x[treated], x[~treated]
    alone = (high.min(axis=0) > low.max(axis=0)) | (high.max(axis=0) < low.min(axis=0))
    by = listed([n for n, single in zip(names, alone, strict=True) if single])
    what = f"{by} alone tells" if by else "together the covariates tell"
    return Finding(
        "separated",
        f"{what} every treated row from every comparison row ({int(treated.sum())} and {int((~treated).sum())} rows): scores are 0 or 1, and nobody is like anybody",
        where,
        f"match without {by}" if by else "match on fewer covariates, or on cohorts pooled",
    )


def pooled_sd(measure: Floats, treated: Mask) -> float:
    """Standard deviation within groups, √((s₁² + s₀²)/2) (Rosenbaum & Rubin 1985); that of all rows where a group has one row."""
    sides = [measure[treated], measure[~treated]]
    if min(map(len, sides)) < 2:
        return float(measure.std())
    return float(np.sqrt(np.mean([side.var(ddof=1) for side in sides])))


def on_support(measure: Floats, treated: Mask, rule: str) -> Mask:
    """[n] rows on the common support: ``treated`` leaves out treated rows beyond the range of the comparison rows, ``both`` comparison
    rows beyond that of the treated too, ``none`` nobody.
    """
    inside = np.ones(len(measure), dtype=np.bool_)
    if rule == "none":
        return inside
    low, high = measure[~treated].min(), measure[~treated].max()
    inside[treated] = (measure[treated] >= low) & (measure[treated] <= high)
    if rule == "both":
        low, high = measure[treated].min(), measure[treated].max()
        inside[~treated] = (measure[~treated] >= low) & (measure[~treated] <= high)
    return inside
