"""Did neighbours lose what the treated units gained? A test of the total effect, and the share displaced with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean
from hinterland.evaluate.result import Effects
from hinterland.evaluate.spillover_channels import DIRECT, SPILLOVER, TOTAL
from hinterland.evaluate.spillover_named import ALL
from hinterland.labels import Language, text

Floats = NDArray[np.float64]
_LEAST = 0.001
"""Smaller p-values are said to be below it."""

Shape = Literal["interval", "outside", "everything"]
Verdict = Literal["not-told-apart", "partly-displaced", "net-loss", "gained", "no-evidence"]


@dataclass(frozen=True, slots=True)
class Displacement:
    """The direct effect, what reached others, and their sum, per treated unit-period.

    Attributes:
        estimate, std_error, p_value: [3] direct effect, spillover on others, total; p-values against zero.
        share: the share of the direct effect that others lost, −spillover/direct;  share_std_error: by the delta method.
        share_low, share_high: ends of the Fieller set at ``level``;  shape: the set is the ``interval`` between them, all that is
            ``outside`` of it, or ``everything`` (the direct effect is too uncertain to divide by).
        treated, exposed: weighted unit-periods behind the direct effect and the spillover.
        verdict: of others, ``no-evidence`` (no spillover can be told from zero), ``gained`` (they moved with the treated); or they lost
            what these gained: ``partly-displaced`` (a total remains), ``net-loss`` (they lost more), ``not-told-apart`` (the total
            cannot be told from zero, so that all of it may have been displaced).
        channel: the named channel that the spillover is of, ``all`` of them, or empty where the fit names none.
    """

    estimate: Floats
    std_error: Floats
    p_value: Floats
    share: float
    share_std_error: float
    share_low: float
    share_high: float
    shape: Shape
    treated: float
    exposed: float
    level: float
    verdict: Verdict
    channel: str = ""

    def __repr__(self) -> str:
        direct, spill, total = self.estimate
        return f"Displacement(direct {direct:.4g}, spillover {spill:.4g}, total {total:.4g} (p {self.p_value[2]:.3g}); {self.verdict})"

    def tidy(self) -> pl.DataFrame:
        """One row each for the direct effect, the spillover and the total: ``term, estimate, std_error, p_value, unit_periods,
        sum``, where ``sum`` is over the treated unit-periods.
        """
        return pl.DataFrame(
            {
                "term": [DIRECT, SPILLOVER, TOTAL],
                "estimate": self.estimate,
                "std_error": self.std_error,
                "p_value": self.p_value,
                "unit_periods": [self.treated, self.exposed, self.treated],
                "sum": self.estimate * self.treated,
            }
        )

    def statement(self, language: Language = "en") -> str:
        """The answer in one sentence."""
        direct, spill, total = self.estimate
        p_spill, p_total = (f"< {_LEAST}" if p < _LEAST else f"= {p:.3f}" for p in self.p_value[1:])
        values: dict[str, Any] = {"direct": direct, "spillover": spill, "total": total, "p_total": p_total, "p_spillover": p_spill}
        section = "displacement_among" if self.channel else "displacement"
        values["who"] = text(f"{section}.who-all", language) if self.channel == ALL else self.channel
        return text(f"{section}.{self.verdict}", language, **values, share=100 * self.share)


def displacement_test(effects: Effects, level: float = 0.95, channel: str | None = None) -> Displacement:
    """Test whether the total effect on treated units and their neighbours is zero.

    Per treated unit-period, the spillover is the sum over exposed unit-periods, divided by the treated unit-periods: what the
    treatment of one unit does to all others. H0: total = 0, that is, others lost all that the treated gained (a share displaced of one).
    In a spatial Durbin model (``estimator="sdm"``) the spillover is per unit treated as it is: any unit, or those that were (``average``).

    Args:
        effects: of ``spillover`` with ``effect="channels"``.
        level: of the interval of the share (Fieller 1954), and of the verdict.
        channel: one of the named ``channels`` of the fit: its spillover alone, holding the others fixed, and the direct effect plus it.
            ``None``: of all, so that the total is what is left net of every channel.

    Raises:
        EstimationError: other effects, a level that is no probability, or a channel that the fit does not tell.
    """
    _fail_if_bad(effects, level, channel)
    place = {name: i for i, name in enumerate(effects.terms.name)}
    treated, exposed = (float(effects.meta[f"{who}_unit_periods"]) for who in ("treated", "exposed"))
    pick = np.zeros((3, len(place)))
    pick[0, place[DIRECT]] = 1.0
    pick[1, place[SPILLOVER]] = 1.0 if effects.meta.get("estimator") == "sdm" else exposed / treated
    pick[2, place[TOTAL]] = 1.0
    if channel is not None:
        exposed = float(effects.meta["channel_unit_periods"][channel])
        pick[1] = 0.0
        for term, mass in effects.meta["channel_terms"][channel].items():
            pick[1, place[term]] = mass / treated
        pick[2] = pick[0] + pick[1]
    estimate, vcov = pick @ effects.estimate, pick @ effects.vcov @ pick.T
    error = np.sqrt(np.maximum(np.diag(vcov), 0.0))
    critical = effects.critical(level)
    p_value = _p_values(estimate, error, effects.df)
    low, high, shape = fieller(estimate[:2], vcov[:2, :2], critical)
    share = -float(estimate[1] / estimate[0])
    slope = np.array([estimate[1] / estimate[0] ** 2, -1 / estimate[0]])
    return Displacement(
        estimate=estimate,
        std_error=error,
        p_value=p_value,
        share=share,
        share_std_error=float(np.sqrt(slope @ vcov[:2, :2] @ slope)),
        share_low=low,
        share_high=high,
        shape=shape,
        treated=treated,
        exposed=exposed,
        level=level,
        verdict=_verdict(estimate, p_value, 1 - level),
        channel=channel or (ALL if "channel_terms" in effects.meta else ""),
    )


def _p_values(estimate: Floats, error: Floats, df: float) -> Floats:
    from scipy import special

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(estimate / error)
    return np.asarray(2 * special.ndtr(-t) if np.isinf(df) else 2 * special.stdtr(df, -t))


def _verdict(estimate: Floats, p_value: Floats, size: float) -> Verdict:
    if not p_value[1] < size:
        return "no-evidence"
    if estimate[0] * estimate[1] > 0:
        return "gained"
    if not p_value[2] < size:
        return "not-told-apart"
    return "partly-displaced" if estimate[0] * estimate[2] > 0 else "net-loss"


def fieller(pair: Floats, vcov: Floats, critical: float) -> tuple[float, float, Shape]:
    """The set of s at which ``pair`` [2] = (d, i) does not reject i + s·d = 0 (Fieller 1954): its ends and shape."""
    (d, i), square = pair, critical**2
    a, b, c = d * d - square * vcov[0, 0], 2 * (d * i - square * vcov[0, 1]), i * i - square * vcov[1, 1]
    root = b * b - 4 * a * c
    if root < 0 or a == 0:
        return -np.inf, np.inf, "everything"
    ends = sorted(((-b - np.sqrt(root)) / (2 * a), (-b + np.sqrt(root)) / (2 * a)))
    return float(ends[0]), float(ends[1]), "interval" if a > 0 else "outside"


def _fail_if_bad(effects: Effects, level: float, channel: str | None) -> None:
    needed = {DIRECT, SPILLOVER, TOTAL}
    if not (effects.method == "spillover" and needed <= set(effects.terms.name)):
        what = f"{effects.method} effects by {effects.aggregation} have no direct effect, spillover and total"
        remedy = "estimate with method='spillover', effect='channels'"
        raise EstimationError(Finding("no-channels", what, f"{effects.method}, {effects.outcome}", remedy), "displacement")
    if not 0 < level < 1:
        raise EstimationError(
            Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"),
            "displacement",
        )
    told = {name for name, terms in effects.meta.get("channel_terms", {}).items() if terms}
    if channel is not None and channel not in told:
        remedy = did_you_mean(channel, told) if told else "name channels when estimating: channels={...}"
        what = f"the effects tell no channel {channel!r}"
        raise EstimationError(Finding("unknown-channel", what, f"{effects.method}, {effects.outcome}", remedy), "displacement")
