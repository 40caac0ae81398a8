"""Rules by which evidence changes a plan: from which outcome to which parameter, how strongly, and what becomes of weak evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any

__all__ = ["Rules", "Transmission", "illustrative_rules"]

Target = Literal["uptake", "productivity", "agglomeration", "operating-cost"]
Basis = Literal["estimated", "derived", "illustrative"]
Weak = Literal["leave-out", "shrink", "use"]
BASES: tuple[Basis, ...] = ("estimated", "derived", "illustrative")
WEAK: tuple[Weak, ...] = ("leave-out", "shrink", "use")


@dataclass(frozen=True, slots=True)
class Aimed:
    """What a rule acts on: a parameter, and whether it rises (1) or falls (−1) with the outcome."""

    parameter: str
    sign: int
    meaning: str


TARGETS: Mapping[str, Aimed] = MappingProxyType(
    {
        "uptake": Aimed("response", 1, "new capacity that a unit of support brings"),
        "productivity": Aimed("staff", -1, "people that a unit of output employs"),
        "agglomeration": Aimed("saving", 1, "cost saved on each unit in a step of size"),
        "operating-cost": Aimed("operating_cost", -1, "cost of a unit of output beside labour and energy"),
    }
)
"""Every target of a rule."""


@dataclass(frozen=True, slots=True)
class Transmission:
    """One rule.

    Attributes:
        target: what it acts on (:data:`TARGETS`).
        outcome: whose effect it carries.
        elasticity: per cent of the parameter for one per cent of the outcome, without sign.
        low, high: its range.
        basis: whether it was ``estimated`` itself, is ``derived`` (an identity, or follows from numbers on record), or ``illustrative``.
        source: where it is from.
        through: the mediator whose share of the effect acts; the whole effect where it is empty.
    """

    target: Target
    outcome: str
    elasticity: float
    low: float
    high: float
    basis: Basis
    source: str
    through: str = ""

    @property
    def name(self) -> str:
        """Name of the rule in provenance."""
        return f"transmission.{self.target}.{self.outcome}" + (f".{self.through}" if self.through else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a calibration.

    Attributes:
        transmissions: each rule.
        weak: what becomes of evidence that the record calls weak or unproven: it is left out, shrunk to the end of its interval that is nearest to zero, or used
            as it is, if that is insisted on.
    """

    transmissions: tuple[Transmission, ...]
    weak: Weak

    def __post_init__(self) -> None:
        out = [f for t in self.transmissions for f in _findings(t)]
        names = [t.name for t in self.transmissions]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            out.append(Finding("bad-rule", f"{', '.join(twice)} is there twice", "argument transmissions", "keep one of each"))
        if not names:
            out.append(Finding("bad-rule", "there is no rule", "argument transmissions", "give one or more"))
        if self.weak not in WEAK:
            out.append(Finding("bad-argument", f"weak is {self.weak!r}", "argument weak", did_you_mean(self.weak, WEAK)))
        fail_if_any(out, "the rules", InputError)

    @property
    def frame(self) -> pl.DataFrame:
        """One row per rule."""
        columns = ("target", "outcome", "through", "elasticity", "low", "high", "basis", "source")
        rows = [
            {"rule": t.name, "parameter": TARGETS[t.target].parameter, **{c: getattr(t, c) for c in columns}} for t in self.transmissions
        ]
        return pl.DataFrame(rows)


def _findings(t: Transmission) -> list[Finding]:
    where = f"rule {t.name!r}"
    out = []
    if t.target not in TARGETS:
        out.append(Finding("bad-rule", f"there is no target {t.target!r}", where, did_you_mean(t.target, TARGETS)))
    if t.basis not in BASES:
        out.append(Finding("bad-rule", f"there is no basis {t.basis!r}", where, did_you_mean(t.basis, BASES)))
    numbers = (t.elasticity, t.low, t.high)
    if not all(np.isfinite(v) for v in numbers) or not 0 <= t.low <= t.elasticity <= t.high:
        what = f"the elasticity is {t.elasticity:g}, its range {t.low:g} to {t.high:g}"
        out.append(Finding("bad-range", what, where, "give 0 ≤ low ≤ elasticity ≤ high"))
    if not t.source.strip():
        out.append(Finding("bad-rule", "the elasticity has no source", where, "say where it is from, or that it is assumed"))
    return out


def illustrative_rules(outcome: str, *, agglomeration: str | None, mismatch: Sequence[str], weak: Weak) -> Rules:
    """Rules with elasticities that nobody estimated, for examples and first trials; each is marked illustrative and has a wide range.

    Uptake: half a per cent more response to support for one per cent more of the outcome. Productivity: a third of a per cent. What goes through agglomeration
    adds to savings of size, and what goes through mismatch takes from operating cost, one per cent for one.

    Args:
        outcome: whose effect acts.
        agglomeration: the mediator that feeds savings of size; ``None`` for none.
        mismatch: the mediators that feed operating cost.
        weak: what becomes of weak evidence.
    """
    said = "assumption: an illustration, not an estimate"
    rules = [
        Transmission("uptake", outcome, 0.5, 0.0, 1.0, "illustrative", said),
        Transmission("productivity", outcome, 0.3, 0.0, 0.6, "illustrative", said),
    ]
    if agglomeration is not None:
        rules.append(Transmission("agglomeration", outcome, 1.0, 0.0, 2.0, "illustrative", said, agglomeration))
    rules += [Transmission("operating-cost", outcome, 1.0, 0.0, 2.0, "illustrative", said, m) for m in mismatch]
    return Rules(tuple(rules), weak)
