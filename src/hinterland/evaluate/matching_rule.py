"""How rows are matched: the method, what is matched with what, and the settings of each, checked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal, get_args

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.covariates import plain_names

MatchMethod = Literal["nearest", "radius", "kernel", "entropy-balancing"]
MatchBy = Literal["unit", "cohort", "year", "pooled"]
When = Literal["mean-before", "first-period", "last-before"]
KernelShape = Literal["epanechnikov", "gaussian", "biweight", "tricube", "uniform"]
Scale = Literal["score", "logit"]
DistanceIn = Literal["sd", "raw"]
Support = Literal["treated", "both", "none"]
Order = Literal["largest", "smallest", "data"]
Ties = Literal["all", "first"]


@dataclass(frozen=True, slots=True)
class MatchRule:
    """One way of matching.

    Attributes:
        covariates: a formula, or column names.
        method: ``nearest``, ``radius``, ``kernel`` (on the propensity score), or ``entropy-balancing`` (on moments).
        by: ``unit``: units, once, on covariates from before the first adoption; ``cohort``: units, each cohort on covariates from before its
            own adoption; ``year``: rows of the same period; ``pooled``: rows of all periods together.
        when: of the periods before adoption, the ``mean-before``, the ``first-period`` or the ``last-before`` (units and cohorts).
        k: neighbours;  replacement: whether a comparison row may be used again.
        caliper: farthest neighbour; ``None``: as far as it takes.
        ties: take ``all`` comparison rows as near as the kth, or the ``first`` (with replacement);  order: who chooses first (without).
        radius: farthest comparison row;  kernel, bandwidth: weight by distance.
        scale: what nearness is measured on: the propensity ``score`` or its ``logit``.
        distance_in: caliper, radius and bandwidth are in standard deviations (``sd``) of ``scale`` within groups, or in ``raw`` units of it.
        support: rows off the common support are left out: ``treated`` ones, ``both``, or ``none``.
        moments: 1: means, 2: and variances, 3: and skewness (entropy balancing).
        weighted: comparison rows count by what they are worth; else every matched row counts once, as in much applied work.
    """

    covariates: str | tuple[str, ...]
    method: MatchMethod = "nearest"
    by: MatchBy = "unit"
    when: When = "mean-before"
    k: int = 1
    replacement: bool = True
    caliper: float | None = None
    ties: Ties = "all"
    order: Order = "largest"
    radius: float = 0.2
    kernel: KernelShape = "epanechnikov"
    bandwidth: float = 0.2
    scale: Scale = "logit"
    distance_in: DistanceIn = "sd"
    support: Support = "treated"
    moments: int = 1
    weighted: bool = True

    @property
    def key(self) -> str:
        """What its robustness row is called: ``matching-nearest``, ``matching-kernel-by-year``."""
        return f"matching-{self.method}" + ("" if self.by == "unit" else "-pooled" if self.by == "pooled" else f"-by-{self.by}")

    def settings(self) -> dict[str, Any]:
        """The settings that this way of matching uses, by name."""
        names = used_by(self.method, self.by)
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in names}

    def as_json(self) -> dict[str, Any]:
        """What is matched on what and how, without the settings that it has no use for."""
        return {"covariates": self.covariates, "method": self.method, "by": self.by, **self.settings()}


_SCORED = ("scale", "distance_in", "support", "weighted")
USES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nearest": ("k", "replacement", "caliper", "ties", "order", *_SCORED),
        "radius": ("radius", *_SCORED),
        "kernel": ("kernel", "bandwidth", *_SCORED),
        "entropy-balancing": ("moments",),
    }
)
"""The settings that each method uses, beside ``when``."""
BEFORE = ("unit", "cohort")
"""What is matched on covariates from before adoption."""

_CHOICES: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "method": get_args(MatchMethod),
        "by": get_args(MatchBy),
        "when": get_args(When),
        "kernel": get_args(KernelShape),
        "scale": get_args(Scale),
        "distance_in": get_args(DistanceIn),
        "support": get_args(Support),
        "order": get_args(Order),
        "ties": get_args(Ties),
        "moments": (1, 2, 3),
        "replacement": (True, False),
        "weighted": (True, False),
    }
)


def used_by(method: str, by: str) -> tuple[str, ...]:
    """The settings that a method uses where it matches ``by``."""
    return (*(("when",) if by in BEFORE else ()), *USES[method])


def rule_of(covariates: str | Sequence[str] | None, method: str, by: str, options: Mapping[str, Any]) -> MatchRule:
    """The rule, checked.

    Raises:
        EstimationError: no covariates, unknown names or values, and settings that the method has no use for, all at once.
    """
    findings = [*_covariates(covariates), *_unknown("method", method), *_unknown("by", by)]
    if not findings:
        findings += _options(method, by, options)
    fail_if_any(findings, "matching", EstimationError)
    named = covariates if isinstance(covariates, str) else tuple(covariates or ())
    return MatchRule(named, method, by, **options)  # type: ignore[arg-type]  # checked above


def _covariates(covariates: str | Sequence[str] | None) -> list[Finding]:
    names = plain_names(covariates)
    if names is None or names:
        return []
    return [
        Finding(
            "nothing-to-match-on",
            "there are no covariates to match on",
            "argument covariates",
            "name columns that tell who adopts and how outcomes develop, such as '~ ln_gdp_pc + share2'",
        )
    ]


def _unknown(name: str, value: object) -> list[Finding]:
    known = _CHOICES[name]
    if isinstance(value, type(known[0])) and value in known:
        return []
    if isinstance(value, str):
        return [Finding("unknown-value", f"{name} is {value!r}", f"argument {name}", did_you_mean(value, known))]
    return [Finding("unknown-value", f"{name} is {value!r}", f"argument {name}", f"choose one of: {', '.join(map(repr, known))}")]


def _options(method: str, by: str, options: Mapping[str, Any]) -> list[Finding]:
    known = {f.name for f in fields(MatchRule)} - {"covariates", "method", "by"}
    used = used_by(method, by)
    findings = []
    for name, value in options.items():
        if name not in known:
            findings.append(
                Finding("unknown-option", f"matching has no option {name!r}", f"option {name}={value!r}", did_you_mean(name, used))
            )
        elif name not in used:
            what = f"{name} has no use in matching by {method} ({by})"
            findings.append(
                Finding("match-option-unused", what, f"option {name}={value!r}", f"leave it out; {method} takes: {', '.join(used)}")
            )
        elif name in _CHOICES:
            findings += _unknown(name, value)
        else:
            findings += _number(name, value)
    if options.get("replacement") is False and "ties" in options:
        what = "ties has no use without replacement: the first of equally near rows is taken"
        findings.append(Finding("match-option-unused", what, "option ties", "leave it out"))
    if options.get("replacement", True) is True and "order" in options:
        what = "order has no use with replacement: nobody's choice takes from another's"
        findings.append(Finding("match-option-unused", what, "option order", "leave it out, or set replacement to false"))
    return findings


def _number(name: str, value: object) -> list[Finding]:
    if name == "caliper" and value is None:
        return []
    whole = name == "k"
    good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if good and isfinite(value) and value > 0:  # type: ignore[arg-type,operator]  # a number by now
        return []
    return [
        Finding(
            "bad-value", f"{name} is {value!r}", f"option {name}", "give a whole number, 1 or more" if whole else "give a number above 0"
        )
    ]
