"""What of the evidence may be used: weak evidence is left out, shrunk, or used on demand, and it is said which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from hinterland.errors import Finding
from hinterland.labels import Note
from hinterland.plan.evidence import Estimate, Evidence
from hinterland.plan.program import Floats
from hinterland.plan.rules import Rules

_END = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """The estimates as they are used.

    Attributes:
        values: [k] with those left out at 0 (a share or an effect) and those shrunk nearer to 0.
        vcov: [k, k] with zeros where an estimate is left out.
        how: [k] whole, shrunk, left-out.
        notes, findings: what a reader must know.
    """

    values: Floats
    vcov: Floats
    how: tuple[str, ...]
    notes: tuple[Note, ...]
    findings: tuple[Finding, ...]

    def frame(self, evidence: Evidence) -> pl.DataFrame:
        """The table of estimates with how each is used."""
        return evidence.frame.with_columns(use=pl.Series(list(self.how)), used=pl.Series(self.values))

    def moved(self, evidence: Evidence, draws: Floats) -> Floats:
        """Draws of the estimates [n, k] as they are used: left out, or moved as far as the estimate itself was shrunk."""
        kept = np.array([h != "left-out" for h in self.how])
        return np.asarray(np.where(kept, draws + (self.values - evidence.values), 0.0))


def usable(evidence: Evidence, rules: Rules) -> Usable:
    """Apply the rule for weak evidence; a moderation goes with the effect that it moderates."""
    how = [_use(e, rules) for e in evidence.estimates]
    gone = {e.outcome for e, use in zip(evidence.estimates, how, strict=True) if e.role == "effect" and use == "left-out"}
    bare = [e.role == "moderation" and e.outcome in gone and use != "left-out" for e, use in zip(evidence.estimates, how, strict=True)]
    how = ["left-out" if b else use for use, b in zip(how, bare, strict=True)]
    values = np.array([_value(e, use) for e, use in zip(evidence.estimates, how, strict=True)])
    notes = [Note("evidence-without-effect", {"estimate": e.name}) for e, b in zip(evidence.estimates, bare, strict=True) if b]
    findings = []
    for e, use, used in zip(evidence.estimates, how, values, strict=True):
        if e.grade in WEAK:
            code = {"whole": "evidence-weak-used", "shrunk": "evidence-weak-shrunk", "left-out": "evidence-weak-left-out"}[use]
            notes.append(Note(code, {"estimate": e.name, "grade": str(e.grade), "value": e.value, "used": float(used)}))
            what = f"the evidence for {e.name} is {e.grade}: it is {'used whole' if use == 'whole' else use}"
            findings.append(Finding("weak-evidence", what, e.source or "the evidence", "read what depends on it with care", "warning"))
    ungraded = [e.name for e in evidence.estimates if e.grade is None]
    if ungraded and not any(n.code == "evidence-ungraded" for n in evidence.notes):
        notes.append(Note("evidence-not-judged", {"estimates": ", ".join(ungraded)}))
    kept = np.array([h != "left-out" for h in how], dtype=float)
    return Usable(values, evidence.vcov * np.outer(kept, kept), tuple(how), tuple(notes), tuple(findings))


WEAK = ("weak", "unproven")
"""Grades that a rule must say what becomes of."""


def _use(e: Estimate, rules: Rules) -> str:
    """How one estimate is used by its grade."""
    if e.grade not in WEAK or rules.weak == "use":
        return "whole"
    return "left-out" if rules.weak == "leave-out" else "shrunk"


def _value(e: Estimate, use: str) -> float:
    """The estimate as it is used."""
    if use == "whole":
        return e.value
    if use == "left-out":
        return 0.0
    return float(np.sign(e.value) * max(abs(e.value) - _END * e.std_error, 0.0))
