"""``pretrend_power``: what a pre-trend test can detect, and what passing it does to the estimates (Roth 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.honest.event_path import EventPath, event_path
from hinterland.evaluate.honest.rectangle import Rectangle, rectangle
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

__all__ = ["PretrendPower", "pretrend_power"]

Floats = NDArray[np.float64]
Test = Literal["individual", "joint"]

_FEW = 60
_NEARLY_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class PretrendPower:
    """A hypothesised deviation from parallel trends, and what a pre-trend test makes of it.

    Attributes:
        method: estimator id;  outcome: name of the outcome.
        test: ``individual`` (some estimate before treatment differs from zero) or ``joint`` (Wald);  level: of each such test.
        slope: the deviation per period, 0 at the reference; ``nan`` for a deviation that is not linear.
        power: probability that the test rejects under the deviation;  size: under parallel trends.
        bayes_factor: probability of passing under the deviation over that under parallel trends.
        likelihood_ratio: likelihood of the estimates before treatment under the deviation over that under parallel trends.
        bias: of the average effect over event times from 0 on, given that the test is passed;  bias_unconditional: without a test.
        frame: ``event_time, estimate, std_error, deviation, mean_if_passed``.
        notes: in words.
    """

    method: str
    outcome: str
    test: Test
    level: float
    slope: float
    power: float
    size: float
    bayes_factor: float
    likelihood_ratio: float
    bias: float
    bias_unconditional: float
    frame: pl.DataFrame
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return f"PretrendPower({self.method}, {self.outcome}, {self.test}: slope {self.slope:.4g}, power {self.power:.3f}, bias if passed {self.bias:.4g})"

    def tidy(self) -> pl.DataFrame:
        """One row: ``method, outcome, test, level, slope, power, size, bayes_factor, likelihood_ratio, bias, bias_unconditional``."""
        names = (
            "method",
            "outcome",
            "test",
            "level",
            "slope",
            "power",
            "size",
            "bayes_factor",
            "likelihood_ratio",
            "bias",
            "bias_unconditional",
        )
        return pl.DataFrame({name: [getattr(self, name)] for name in names}).with_columns(pl.col("slope").fill_nan(None))


@one_thread()
def pretrend_power(
    effects: Effects,
    power: float = 0.5,
    *,
    slope: float | None = None,
    deviations: Sequence[float] | Mapping[int, float] | None = None,
    test: Test = "individual",
    min_e: int | None = None,
    max_e: int | None = None,
    level: float = 0.05,
) -> PretrendPower:
    """Power of the pre-trend test, and the bias that is left when it is passed.

    Args:
        effects: event-time or group-time effects (see :func:`hinterland.evaluate.honest.event_path.event_path`).
        power: find the (positive) slope of a linear deviation that is detected this often.
        slope: or take this slope per period;  deviations: or these deviations, one per event time but the reference, or by event time
            (0 where none is named).
        test: ``individual``, as in R's ``pretrends``: reject when any estimate before treatment is significant; or ``joint``.
        min_e, max_e: leave out earlier or later event times.
        level: of each t test, or of the joint test; critical values are normal and chi-squared.

    Raises:
        EstimationError: bad options, effects without a path over event times, or a singular covariance of the leads.
    """
    path = event_path(effects, min_e, max_e)
    _fail_if_bad_options(power, test, level, slope, both=slope is not None and deviations is not None)
    _fail_if_singular(path)
    rule = _Rule(path, test, level)
    distance = (path.times - path.reference).astype(np.float64)
    if deviations is not None:
        shift, slope = _deviation_vector(path, deviations), float("nan")
    else:
        slope = _slope_for(rule, distance, power) if slope is None else float(slope)
        shift = slope * distance
    rejected, before = rule.passed(shift[: path.pre])
    size = rule.passed(np.zeros(path.pre))[0]
    if 1 - rejected < _NEARLY_SINGULAR:
        what = f"the deviation is detected with probability {rejected:.6g}, so there is nothing to say about passing"
        raise EstimationError(Finding("bad-trend", what, "argument slope", "give a smaller deviation"), "power")
    after = shift[path.pre :] + path.vcov[path.pre :, : path.pre] @ np.linalg.solve(
        path.vcov[: path.pre, : path.pre], before - shift[: path.pre]
    )
    treated = path.times[path.pre :] >= 0
    bias, trend = float(after[treated].mean()), float(shift[path.pre :][treated].mean())
    frame = pl.DataFrame(
        {
            "event_time": path.times,
            "estimate": path.estimates,
            "std_error": np.sqrt(np.diag(path.vcov)),
            "deviation": shift,
            "mean_if_passed": np.concatenate([before, after]),
        }
    )
    notes = [*path.notes]
    if np.isfinite(slope):
        notes.append(Note("power-summary", {"slope": slope, "power": rejected, "bias": bias, "trend": trend}))
    if effects.df < _FEW:
        notes.append(Note("power-not-normal", {"df": effects.df}))
    return PretrendPower(
        method=path.method,
        outcome=path.outcome,
        test=test,
        level=level,
        slope=float(slope),
        power=rejected,
        size=size,
        bayes_factor=(1 - rejected) / (1 - size),
        likelihood_ratio=_likelihood_ratio(path, shift[: path.pre]),
        bias=bias,
        bias_unconditional=trend,
        frame=frame,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pre-trend test on the estimates of ``path``."""

    path: EventPath
    test: Test
    level: float

    def passed(self, shift: Floats) -> tuple[float, Floats]:
        """Probability of rejection when the estimates before treatment have means ``shift`` [pre], and their means when it does not reject."""
        vcov = self.path.vcov[: self.path.pre, : self.path.pre]
        if self.test == "individual":
            found = self._box(shift, vcov)
            return 1 - found.probability, found.mean
        from scipy import special

        limit = float(special.chdtri(len(shift), self.level))
        far = float(shift @ np.linalg.solve(vcov, shift))
        accept = float(special.chndtr(limit, len(shift), far))
        # E[z | z'z ≤ c] for z ~ N(m, I) is m times the ratio of the next noncentral chi-squared to this one.
        return 1 - accept, shift * float(special.chndtr(limit, len(shift) + 2, far)) / max(accept, 1e-300)

    def _box(self, shift: Floats, vcov: Floats) -> Rectangle:
        from scipy import special

        half = float(special.ndtri(1 - self.level / 2)) * np.sqrt(np.diag(vcov))
        return rectangle(shift, vcov, -half, half)


def _slope_for(rule: _Rule, distance: Floats, power: float) -> float:
    """The positive slope whose rejection probability is ``power``."""
    from scipy import optimize

    before = distance[: rule.path.pre]

    def short(slope: float) -> float:
        return rule.passed(slope * before)[0] - power

    if short(0.0) >= 0:
        what = f"power is {power}, but the test rejects with probability {short(0.0) + power:.3g} when trends are parallel"
        raise EstimationError(Finding("bad-power", what, "argument power", "ask for more"), "power")
    high = float((np.sqrt(np.diag(rule.path.vcov))[: rule.path.pre] / np.abs(before)).max())
    while short(high) < 0:
        high *= 2
    return float(optimize.brentq(short, 0.0, high, xtol=1e-8 * high))


def _likelihood_ratio(path: EventPath, shift: Floats) -> float:
    estimates = path.estimates[: path.pre]
    inverse = np.linalg.inv(path.vcov[: path.pre, : path.pre])
    rest = estimates - shift
    return float(np.exp((estimates @ inverse @ estimates - rest @ inverse @ rest) / 2))


def _deviation_vector(path: EventPath, deviations: Sequence[float] | Mapping[int, float]) -> Floats:
    where = f"event times {path.times[0]} to {path.times[-1]} but {path.reference}"
    if isinstance(deviations, Mapping):
        unknown = [e for e in deviations if e not in path.times]
        values = np.array([float(deviations.get(int(e), 0.0)) for e in path.times])
        what = f"deviations name event time(s) {', '.join(map(str, unknown))}" if unknown else ""
    else:
        values = np.asarray(list(deviations), dtype=np.float64)
        what = "" if len(values) == len(path.times) else f"there are {len(values)} deviations for {len(path.times)} event times"
    if not what and not np.isfinite(values).all():
        what = "a deviation is not finite"
    if what:
        raise EstimationError(Finding("bad-trend", what, where, "give one deviation for each, or name event times"), "power")
    return values


def _fail_if_bad_options(power: float, test: str, level: float, slope: float | None, *, both: bool) -> None:
    findings = []
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability such as 0.05"))
    if not 0 < power < 1:
        findings.append(Finding("bad-power", f"power is {power!r}", "argument power", "give a probability such as 0.5 or 0.8"))
    if test not in get_args(Test):
        findings.append(Finding("unknown-value", f"test is {test!r}", "argument test", did_you_mean(str(test), get_args(Test))))
    if slope is not None and not np.isfinite(slope):
        findings.append(
            Finding("bad-trend", f"slope is {slope!r}", "argument slope", "give a finite number, in units of the outcome per period")
        )
    if both:
        findings.append(Finding("bad-trend", "both a slope and deviations are given", "arguments slope and deviations", "give one of them"))
    fail_if_any(findings, "power", EstimationError)


def _fail_if_singular(path: EventPath) -> None:
    vcov = path.vcov[: path.pre, : path.pre]
    scale = np.sqrt(np.diag(vcov))
    if np.linalg.eigvalsh(vcov / np.outer(scale, scale))[0] > _NEARLY_SINGULAR:
        return
    what = f"the covariance of the {path.pre} estimates before treatment is singular"
    remedy = "use fewer leads (min_e=…), or clusters that are more numerous"
    raise EstimationError(Finding("singular-leads", what, f"{path.method} on {path.outcome!r}", remedy), "power")
