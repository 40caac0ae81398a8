"""``sensitivity``: how far parallel trends may be violated before a conclusion changes (Rambachan & Roth 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.honest.event_path import EventPath, event_path
from hinterland.evaluate.honest.intervals import Interval, Method, Problem, identified_set, interval, make_problem
from hinterland.evaluate.honest.restrictions import Bias, Kind, Monotone, Shape, second_differences
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Sensitivity", "sensitivity"]

Floats = NDArray[np.float64]
Estimand = Literal["first", "average"]

_DRAWS = 10_000
_DEFAULT_GRID = (0.5, 1.0, 1.5, 2.0)
_DOUBLINGS = 20
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Confidence intervals for one effect, by how far trends may deviate from parallel.

    Attributes:
        method: estimator id;  outcome: name of the outcome.
        kind: ``relative-magnitude``: a change in trend after treatment is at most ``bound`` times the largest change between consecutive
            periods before it; ``smoothness``: the slope changes by at most ``bound`` (in units of the outcome) from one period to the
            next; ``smoothness-relative``: by at most ``bound`` times the largest change of slope before treatment.
        interval_method: ``c-lf``, ``conditional``, ``c-f`` or ``flci``.
        bias, monotone: restrictions on the sign and the direction of the deviation.
        estimand: ``first`` or ``average`` (of the periods from adoption on), or ``weights``;  event_times, weights: what is averaged.
        estimate, std_error, level: under parallel trends;  original: that interval (normal).
        frame: one row per bound, see :meth:`tidy`.
        breakdown: the largest bound whose interval excludes zero, to a relative 1e-6; ``nan`` where the interval contains zero even at
            bound 0, ``inf`` where no bound tried makes it contain zero.
        smoothness_seen: for second differences, the upper end of a one-sided 95 % interval for the largest change of slope before treatment
            (``nan`` with one pre-period, or for relative kinds): a bound below it asks for more than the data show.
        pre, post: periods before and after the reference that were used.
        draws, seed: of the least-favourable critical values.
        notes: what a reader must know.
    """

    method: str
    outcome: str
    kind: Kind
    interval_method: Method
    bias: Bias | None
    monotone: Monotone | None
    estimand: str
    event_times: tuple[int, ...]
    weights: tuple[float, ...]
    estimate: float
    std_error: float
    level: float
    original: tuple[float, float]
    frame: pl.DataFrame
    breakdown: float
    smoothness_seen: float
    pre: int
    post: int
    draws: int
    seed: int
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Sensitivity({self.method}, {self.outcome}, {self.kind}, {self.interval_method}: {self.estimate:.4g} "
            f"[{self.original[0]:.4g}, {self.original[1]:.4g}] under parallel trends; breakdown {self.breakdown:.4g})"
        )

    def tidy(self) -> pl.DataFrame:
        """One row per bound: ``bound, conf_low, conf_high`` (null where open or empty), ``set_low, set_high`` (the identified set at the
        estimates; null where the estimates contradict the restriction), ``open_low, open_high``, ``empty``, ``excludes_zero``, ``method``.
        """
        return self.frame

    def plot(self) -> Figure:
        """The intervals by bound, the interval under parallel trends and the breakdown value, as a matplotlib figure."""
        from importlib import import_module

        # By name: drawing belongs to the report, which may import this room, never the other way round.
        figure: Figure = import_module("hinterland.report.figures").plot_sensitivity(self)
        return figure


@one_thread()
def sensitivity(
    effects: Effects,
    kind: Kind = "relative-magnitude",
    grid: Sequence[float] | None = None,
    *,
    method: Method | None = None,
    estimand: Estimand = "first",
    weights: Sequence[float] | Mapping[int, float] | None = None,
    bias: Bias | None = None,
    monotone: Monotone | None = None,
    min_e: int | None = None,
    max_e: int | None = None,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> Sensitivity:
    """Confidence intervals that hold when trends deviate from parallel by no more than each bound of ``grid``.

    Args:
        effects: effects by event time with a reference period, or group-time effects (see
            :func:`hinterland.evaluate.honest.event_path.event_path` for what is converted).
        kind: how deviations are bounded, see :class:`Sensitivity`.
        grid: the bounds, at least 0: multiples for the relative kinds (0.5, 1, 1.5, 2 by default); changes of slope in units of the
            outcome for ``smoothness`` (by default ten values up to the largest that the pre-periods admit).
        method: ``c-lf`` (the default for relative bounds and restrictions of sign or direction on them), ``flci`` (the default for
            ``smoothness``), ``c-f`` (the default for ``smoothness`` with a restriction; ``smoothness`` only) or ``conditional``.
        estimand: the effect in the ``first`` treated period, or the ``average`` of those from adoption on.
        weights: of the effects instead: one per event time from 0 on, or by event time.
        bias: the deviation after treatment is ``positive`` or ``negative``.
        monotone: the deviation is ``increasing`` or ``decreasing`` from the reference on.
        min_e, max_e: leave out earlier or later event times, such as leads that rest on few treated units.
        level: of the intervals;  draws, seed: of the least-favourable critical values of ``c-lf`` (a fifth of the draws with restrictions).

    No interval is cut off at the ends of a search grid: ends are searched for until found, and marked open where there are none.

    Raises:
        EstimationError: bad options, or effects without the path over event times that this needs.
    """
    _fail_if_bad_options(kind, method, estimand, bias=bias, monotone=monotone, level=level, draws=draws)
    path = event_path(effects, min_e, max_e)
    shape = Shape(kind, path.pre, path.post, bias, monotone)
    vector = _weight_vector(path, estimand, weights)
    chosen: Method = method or _default_method(shape)
    seen = _smoothness_seen(path, shape)
    bounds = _bounds(path, shape, grid, seen, vector)
    problem = make_problem(path.estimates, path.vcov, vector, shape, chosen, level=level, draws=draws, seed=seed)
    table = [(b, interval(problem, b), identified_set(problem, b)) for b in bounds]
    breakdown = _breakdown(problem, max(bounds))
    from scipy import special

    half = float(special.ndtri(0.5 + level / 2)) * problem.std_error
    used = vector != 0
    return Sensitivity(
        method=path.method,
        outcome=path.outcome,
        kind=kind,
        interval_method=chosen,
        bias=bias,
        monotone=monotone,
        estimand="weights" if weights is not None else estimand,
        event_times=tuple(path.times[path.pre :][used].tolist()),
        weights=tuple(vector[used].tolist()),
        estimate=problem.estimate,
        std_error=problem.std_error,
        level=level,
        original=(problem.estimate - half, problem.estimate + half),
        frame=_frame(table, chosen),
        breakdown=breakdown,
        smoothness_seen=seen,
        pre=path.pre,
        post=path.post,
        draws=len(problem.draws),
        seed=seed,
        notes=(*path.notes, *_notes(table, breakdown, chosen, shape)),
    )


_METHODS: dict[str, tuple[str, ...]] = {
    "relative-magnitude": ("c-lf", "conditional"),
    "smoothness": ("flci", "c-f", "c-lf", "conditional"),
    "smoothness-relative": ("c-lf", "conditional"),
}


def _fail_if_bad_options(
    kind: str, method: str | None, estimand: str, *, bias: str | None, monotone: str | None, level: float, draws: int
) -> None:
    findings = []
    choices = (
        ("kind", kind, get_args(Kind)),
        ("estimand", estimand, get_args(Estimand)),
        ("bias", bias, (None, *get_args(Bias))),
        ("monotone", monotone, (None, *get_args(Monotone))),
        ("method", method, (None, *_METHODS.get(kind, get_args(Method)))),
    )
    for name, value, known in choices:
        if value not in known:
            offered = did_you_mean(str(value), [k for k in known if k is not None])
            extra = f" for {kind}" if name == "method" and value in get_args(Method) else ""
            findings.append(Finding("unknown-value", f"{name} is {value!r}{extra}", f"argument {name}", offered))
    if bias is not None and monotone is not None:
        remedy = "give one of them: a deviation that is monotone from zero has a sign"
        findings.append(
            Finding("two-restrictions", f"bias is {bias!r} and monotone is {monotone!r}", "arguments bias and monotone", remedy)
        )
    if method == "flci" and (bias is not None or monotone is not None):
        what = "flci does not use restrictions of sign or direction"
        findings.append(
            Finding("restriction-unused", what, "argument method", "use c-f, c-lf or conditional, or leave the restriction out")
        )
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 999:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 999 or more, such as 10000"))
    fail_if_any(findings, "sensitivity", EstimationError)


def _default_method(shape: Shape) -> Method:
    if shape.relative:
        return "c-lf"
    return "c-f" if shape.restricted else "flci"


def _weight_vector(path: EventPath, estimand: str, weights: Sequence[float] | Mapping[int, float] | None) -> Floats:
    """[post] weights of the effects after the reference; none on periods of anticipation unless they are named."""
    after = path.times[path.pre :]
    treated = after >= 0
    if weights is None:
        return np.where(after == 0, 1.0, 0.0) if estimand == "first" else treated / treated.sum()
    vector = np.zeros(len(after))
    where = f"event times {after[0]} to {after[-1]}"
    if isinstance(weights, Mapping):
        unknown = [e for e in weights if e not in after]
        if unknown:
            what = f"weights name event time(s) {', '.join(map(str, unknown))}"
            raise EstimationError(Finding("bad-weights", what, where, "name event times that were estimated"), "sensitivity")
        vector[[int(np.flatnonzero(after == e)[0]) for e in weights]] = list(weights.values())
    elif len(weights) == treated.sum():
        vector[treated] = list(weights)
    else:
        what = f"there are {len(weights)} weights for {int(treated.sum())} event times from 0 on"
        raise EstimationError(Finding("bad-weights", what, where, "give one weight for each, or name them"), "sensitivity")
    if not np.isfinite(vector).all() or not vector.any():
        raise EstimationError(
            Finding("bad-weights", f"weights are {vector.tolist()}", where, "give finite weights, not all zero"), "sensitivity"
        )
    return vector


def _smoothness_seen(path: EventPath, shape: Shape) -> float:
    """Upper end of a one-sided 95 % interval for the largest second difference before treatment, in absolute value."""
    if shape.relative or path.pre < 2:
        return float("nan")
    rows = second_differences(path.pre, path.post)[: path.pre - 1]
    error = np.sqrt(np.einsum("ij,jk,ik->i", rows, path.vcov, rows))
    return float((np.abs(rows @ path.estimates) + 1.6448536269514722 * error).max())


def _bounds(path: EventPath, shape: Shape, grid: Sequence[float] | None, seen: float, weights: Floats) -> list[float]:
    if shape.kind == "smoothness-relative" and path.pre < 2:
        what = "there is one period before the reference, so no change of slope is seen before treatment"
        remedy = "use relative-magnitude, or start the panel earlier"
        raise EstimationError(Finding("no-curvature", what, f"{path.method} on {path.outcome!r}", remedy), "sensitivity")
    if grid is None:
        if shape.relative:
            return list(_DEFAULT_GRID)
        full = np.concatenate([np.zeros(path.pre), weights])
        top = seen if np.isfinite(seen) else float(np.sqrt(full @ path.vcov @ full))
        return [float(b) for b in np.linspace(0, top, 10)]
    try:
        bounds = sorted({float(b) for b in grid})
    except (TypeError, ValueError):
        bounds = []
    if not bounds or not all(np.isfinite(b) and b >= 0 for b in bounds):
        remedy = "give finite bounds of 0 or more, such as [0.5, 1, 1.5, 2]"
        raise EstimationError(Finding("bad-grid", f"grid is {grid!r}", "argument grid", remedy), "sensitivity")
    return bounds


def _excludes_zero(found: Interval) -> bool:
    return found.low > 0 or found.high < 0 or bool(np.isnan(found.low))


def _breakdown(problem: Problem, start: float) -> float:
    """The largest bound whose interval excludes zero: doubled until it contains zero, then the root in between (Brent 1973)."""
    from scipy import optimize

    def beyond(bound: float) -> float:
        """How far zero lies outside the interval; negative inside."""
        found = interval(problem, bound)
        if np.isnan(found.low):
            return problem.std_error
        return float(np.clip(max(found.low, -found.high), -1e3 * problem.std_error, 1e3 * problem.std_error))

    if beyond(0.0) <= 0:
        return float("nan")
    low, high = 0.0, start or problem.std_error
    for _ in range(_DOUBLINGS):
        if beyond(high) <= 0:
            return float(optimize.brentq(beyond, low, high, xtol=_TOLERANCE * high, rtol=_TOLERANCE))
        low, high = high, 2 * high
    return float("inf")


def _frame(table: list[tuple[float, Interval, Interval]], method: Method) -> pl.DataFrame:
    def column(values: list[float]) -> pl.Series:
        return pl.Series([v if np.isfinite(v) else None for v in values], dtype=pl.Float64)

    return pl.DataFrame(
        {
            "bound": pl.Series([b for b, _, _ in table], dtype=pl.Float64),
            "conf_low": column([i.low for _, i, _ in table]),
            "conf_high": column([i.high for _, i, _ in table]),
            "set_low": column([s.low for _, _, s in table]),
            "set_high": column([s.high for _, _, s in table]),
            "open_low": [bool(np.isinf(i.low)) for _, i, _ in table],
            "open_high": [bool(np.isinf(i.high)) for _, i, _ in table],
            "empty": [bool(np.isnan(i.low)) for _, i, _ in table],
            "excludes_zero": [_excludes_zero(i) and not np.isnan(i.low) for _, i, _ in table],
            "method": [method] * len(table),
        }
    )


def _notes(table: list[tuple[float, Interval, Interval]], breakdown: float, method: Method, shape: Shape) -> list[Note]:
    notes = []
    if np.isnan(breakdown):
        notes.append(Note("sensitivity-never", {"kind": shape.kind}))
    elif np.isinf(breakdown):
        notes.append(Note("sensitivity-always", {"kind": shape.kind}))
    else:
        code = "sensitivity-relative" if shape.kind == "relative-magnitude" else "sensitivity-smooth"
        code = "sensitivity-smooth-relative" if shape.kind == "smoothness-relative" else code
        notes.append(Note(code, {"breakdown": breakdown}))
    empty = [b for b, i, _ in table if np.isnan(i.low)]
    if empty:
        notes.append(Note("sensitivity-empty", {"bounds": ", ".join(f"{b:.4g}" for b in empty)}))
    if any(np.isinf(i.low) or np.isinf(i.high) for _, i, _ in table):
        notes.append(Note("sensitivity-open", {"method": method}))
    if shape.relative and shape.pre == 1:
        notes.append(Note("sensitivity-one-lead"))
    return notes
