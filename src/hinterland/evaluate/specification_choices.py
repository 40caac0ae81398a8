"""The choices of a specification curve, and the specifications that they make: their cross product, less what has no meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, product
from typing import Any, Literal, get_args

import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import parse_effect
from hinterland.evaluate.covariates import covariate_columns, plain_names
from hinterland.evaluate.design import Comparison
from hinterland.evaluate.method import Method
from hinterland.evaluate.methods import METHODS

Keep = pl.Expr | pl.Series | None
"""Rows of a sample: an expression or a Boolean column that is true for them; ``None`` for all."""
Formula = str | tuple[str, ...] | None
Reason = Literal["not-defined", "no-meaning", "same-as-another", "not-estimable"]
"""Why a combination of choices is no specification: the estimator does not have it; the estimator makes nothing of the choice; it is
another specification over again; the data do not allow it."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen: the options of each dimension, the baseline's first.

    Attributes:
        outcome: columns that measure the outcome;  method: estimators;  policy: adoption dates by name.
        comparison, anticipation: as in :func:`hinterland.estimate`.
        sample: rows by name;  window: first and last period, or ``None`` for all.
        winsorise: share of the outcome's rows whose values are pulled in at either end (0: none).
        covariates: controls that are in every model: a formula, names, or ``None``.
        controls: columns each of which may be in or out, so that k of them make 2^k models.
        lead: the controls of the baseline.
        fe: fixed effects beyond unit and period;  cluster: columns to cluster on.
    """

    outcome: tuple[str, ...]
    method: tuple[str, ...]
    policy: Mapping[str, Cohorts]
    comparison: tuple[str, ...]
    anticipation: tuple[int, ...]
    sample: Mapping[str, Keep]
    window: tuple[tuple[int, int] | None, ...]
    winsorise: tuple[float, ...]
    covariates: tuple[Formula, ...]
    controls: tuple[str, ...]
    lead: tuple[str, ...]
    fe: tuple[tuple[str, ...], ...]
    cluster: tuple[tuple[str, ...], ...]

    @property
    def facets(self) -> tuple[str, ...]:
        """What tells the policies apart: their rules for timing, partial coverage and uncertain membership, else their names."""
        rules = [tuple(rules_of(c).values()) for c in self.policy.values()]
        return ("timing", "partial", "uncertain") if len(set(rules)) == len(rules) else ("policy",)


@dataclass(frozen=True, slots=True)
class Specification:
    """One option of every dimension; ``controls`` is the subset that is in."""

    outcome: str
    method: str
    policy: str
    comparison: str
    anticipation: int
    sample: str
    window: tuple[int, int] | None
    winsorise: float
    covariates: Formula
    controls: tuple[str, ...]
    fe: tuple[str, ...]
    cluster: tuple[str, ...]

    @property
    def names(self) -> Formula:
        """Everything that is controlled for: as :func:`hinterland.estimate` takes it."""
        return joined(self.covariates, self.controls)


def joined(covariates: Formula, controls: tuple[str, ...]) -> Formula:
    """A formula or names, and further names."""
    plain = plain_names(covariates)
    if plain is not None:
        return tuple(plain) + controls or None
    return " + ".join([str(covariates), *controls])


def rules_of(cohorts: Cohorts) -> dict[str, str]:
    """The rules behind the dates, as text."""
    uncertain = cohorts.options.get("uncertain")
    return {"timing": cohorts.timing, "partial": cohorts.partial, "uncertain": "" if uncertain is None else str(uncertain)}


DIMENSIONS = tuple(f.name for f in fields(Specification))


def worded(choices: Choices, chosen: Specification) -> dict[str, Any]:
    """The choices of one specification as columns of a frame: text and numbers."""
    window = chosen.window
    return {
        "outcome": chosen.outcome,
        "method": chosen.method,
        "policy": chosen.policy,
        **rules_of(choices.policy[chosen.policy]),
        "comparison": chosen.comparison,
        "anticipation": chosen.anticipation,
        "sample": chosen.sample,
        "window": "" if window is None else f"{window[0]}–{window[1]}",
        "winsorise": chosen.winsorise,
        "covariates": _text(chosen.covariates),
        "controls": " + ".join(chosen.controls),
        "fe": " + ".join(chosen.fe),
        "cluster": " + ".join(chosen.cluster),
    }


WORDED = {
    **dict.fromkeys(("outcome", "method", "policy", "timing", "partial", "uncertain", "comparison"), pl.String),
    "anticipation": pl.Int64,
    **dict.fromkeys(("sample", "window"), pl.String),
    "winsorise": pl.Float64,
    **dict.fromkeys(("covariates", "controls", "fe", "cluster"), pl.String),
}
"""Columns of the choices, with their types."""


def _text(covariates: Formula) -> str:
    plain = plain_names(covariates)
    return str(covariates).removeprefix("~").strip() if plain is None else " + ".join(plain)


def specifications(choices: Choices) -> tuple[list[Specification], list[tuple[Specification, Reason, str]]]:
    """The cross product, the baseline first: what may be estimated, and what has no meaning whatever the data, with the reason."""
    made, left = [], []
    for one in _every(choices):
        reason, detail = _inadmissible(choices, one)
        if reason is None:
            made.append(one)
        else:
            left.append((one, reason, detail))
    base = baseline(choices)
    made.sort(key=lambda one: one != base)
    return made, left


def baseline(choices: Choices) -> Specification:
    """The first option of every dimension."""
    first = next(_every(choices))
    return Specification(**{f.name: getattr(first, f.name) for f in fields(first) if f.name != "controls"}, controls=choices.lead)


def _every(choices: Choices) -> Iterator[Specification]:
    subsets = [s for size in range(len(choices.controls) + 1) for s in combinations(choices.controls, size)]
    options = (subsets if name == "controls" else tuple(getattr(choices, name)) for name in DIMENSIONS)
    return (Specification(*chosen) for chosen in product(*options))


def count(choices: Choices) -> int:
    """How many specifications are admissible whatever the data, without making the subsets of the controls."""
    one_policy, one_sample = dict(list(choices.policy.items())[:1]), dict(list(choices.sample.items())[:1])
    few = replace(choices, outcome=choices.outcome[:1], window=choices.window[:1], winsorise=choices.winsorise[:1], controls=())
    shapes = _every(replace(few, policy=one_policy, sample=one_sample))
    models = [one.method for one in shapes if _inadmissible(choices, one)[0] is None]
    total = sum(2 ** len(choices.controls) if "covariates" in METHODS[m].accepts else 1 for m in models)
    return total * len(choices.outcome) * len(choices.policy) * len(choices.sample) * len(choices.window) * len(choices.winsorise)


def _inadmissible(choices: Choices, one: Specification) -> tuple[Reason | None, str]:
    """Why the estimator cannot have these choices, with the choice that it is about."""
    method = METHODS[one.method]
    lacking = _lacking(method, one)
    if lacking:
        return "not-defined", ", ".join(lacking)
    if "not-yet-treated" not in method.accepts and one.comparison != choices.comparison[0]:
        return "no-meaning", "comparison"
    return None, ""


def _lacking(method: Method, one: Specification) -> list[str]:
    """What is asked of a method that does not accept it."""
    asked = {
        "fixed-effects": bool(one.fe),
        "anticipation": one.anticipation > 0,
        "two-way-clusters": len(one.cluster) > 1,
        "covariates": one.names is not None,
    }
    return [name for name, used in asked.items() if used and name not in method.accepts]


def columns_of(choices: Choices) -> dict[str, list[str]]:
    """The panel columns that each dimension needs."""
    factors = [parse_effect(e) for effects in choices.fe for e in effects]
    return {
        "outcome": list(choices.outcome),
        "controls": list(choices.controls),
        "fe": [c for parts, slope in factors for c in (*parts, *([slope] if slope else []))],
        "cluster": [c for columns in choices.cluster for c in columns],
    }


def fail_if_bad(panel: Panel, choices: Choices, limit: int) -> None:
    """Raise ``EstimationError`` with everything that is wrong with the choices: columns, repetitions, values, number."""
    findings = [*_unknown(panel, choices), *_repeated(choices), *_values(choices)]
    fail_if_any(findings, "choices", EstimationError)
    asked = count(choices)
    if asked > limit:
        sizes = {n: len(getattr(choices, n)) for n in DIMENSIONS if n != "controls" and len(getattr(choices, n)) > 1}
        where = " × ".join([*(f"{n} {k}" for n, k in sizes.items()), f"subsets of {len(choices.controls)} controls"])
        what = f"the choices make {asked} specifications, more than the limit of {limit}"
        remedy = "declare fewer choices (each control doubles their number), or raise limit"
        raise EstimationError(Finding("too-many-specifications", what, where, remedy), "choices")


def _unknown(panel: Panel, choices: Choices) -> Iterator[Finding]:
    have = panel.frame.columns
    needed = columns_of(choices)
    needed["covariates"] = [c for formula in choices.covariates for c in covariate_columns(formula, have)]
    for dimension, names in needed.items():
        for name in dict.fromkeys(names):
            if name not in have:
                what = f"there is no column {name!r} ({dimension} of the specification curve)"
                yield Finding("unknown-column", what, f"argument {dimension}", did_you_mean(name, have))
            elif dimension in ("outcome", "controls") and not (
                panel.frame.schema[name].is_numeric() or panel.frame.schema[name] == pl.Boolean
            ):
                what = f"column {name!r} holds {panel.frame.schema[name]}, not numbers"
                yield Finding("not-numeric", what, f"argument {dimension}", "convert it, or name another column")


def _repeated(choices: Choices) -> Iterator[Finding]:
    for dimension in ("outcome", "method", "comparison", "anticipation", "window", "winsorise", "covariates", "controls", "fe", "cluster"):
        options = tuple(getattr(choices, dimension))
        again = [o for k, o in enumerate(options) if o in options[:k]]
        if again:
            what = f"{dimension} names {listed(dict.fromkeys(map(str, again)))} more than once"
            yield Finding("repeated-choice", what, f"argument {dimension}", "name each option once: a repeated one would count twice")
    for formula in choices.covariates:
        both = [c for c in choices.controls if c in (plain_names(formula) or ())]
        if both:
            what = f"{listed(both)} is in every model through covariates, and may be in or out through controls"
            yield Finding("repeated-choice", what, "arguments covariates and controls", "name it in one of them")


def _values(choices: Choices) -> Iterator[Finding]:
    for method in choices.method:
        if method not in METHODS:
            yield Finding("unknown-method", f"method {method!r} is not known", "argument method", did_you_mean(method, METHODS))
    for comparison in choices.comparison:
        if comparison not in get_args(Comparison):
            what = f"comparison {comparison!r} is not known"
            yield Finding("unknown-comparison", what, "argument comparison", did_you_mean(comparison, get_args(Comparison)))
    for periods in choices.anticipation:
        if isinstance(periods, bool) or not isinstance(periods, int) or periods < 0:
            remedy = "give a whole number of periods, 0 or more"
            yield Finding("negative-anticipation", f"anticipation is {periods!r}", "argument anticipation", remedy)
    for share in choices.winsorise:
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 0.5:
            remedy = "give the share of rows at either end, such as 0.01; 0 for none"
            yield Finding("bad-share", f"winsorise is {share!r}", "argument winsorise", remedy)
    for window in choices.window:
        if window is not None and not (len(window) == 2 and window[0] < window[1]):
            yield Finding("empty-window", f"window is {window!r}", "argument window", "give the first period, then a later last one")
    for name in choices.lead:
        if name not in choices.controls:
            what = f"the baseline's control {name!r} is not among the controls"
            yield Finding("unknown-control", what, "argument baseline_controls", did_you_mean(name, choices.controls))


def settled(panel: Panel, choices: Choices) -> Choices:
    """The choices with the panel's own grouping, else the unit, where none is named."""
    own = (panel.cluster or panel.unit,)
    return replace(choices, cluster=tuple(c or own for c in choices.cluster))


def tupled(options: Any) -> tuple[Any, ...]:
    """One option, or several, as a tuple of options."""
    return (options,) if options is None or isinstance(options, str | int | float) else tuple(options)


def grouped(options: Any) -> tuple[tuple[str, ...], ...]:
    """Options that are names or lists of names: each as a tuple, ``None`` as none."""
    return tuple(() if o is None else (o,) if isinstance(o, str) else tuple(o) for o in tupled(options))


def formulas(options: Sequence[Any] | str | None) -> tuple[Formula, ...]:
    """Options that are formulas or lists of names."""
    return tuple(o if o is None or isinstance(o, str) else tuple(o) or None for o in tupled(options))
