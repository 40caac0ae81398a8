"""From evidence to a plan: what an estimated effect of a programme changes in the part of a host that is under it.

Parameters of a case describe places outside any programme. Where a part ``z`` of host ``h`` is under one, each rule multiplies a parameter by::

    exp(± κ · z_ht · (β + γ (m_ht − m̄)) · s)

with the effect ``β`` on an outcome in log points, its change ``γ`` with the host's market segmentation ``m``, the share ``s`` of the effect that goes through
a mediator (1 where the whole effect acts), and an elasticity ``κ`` from the outcome to the parameter. What is not estimated is an elasticity, which has a
range and is marked as what it is. Standard errors are by the delta method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.plan.changes import multiplied, where
from hinterland.plan.evidence import Evidence
from hinterland.plan.levers import Lever, effect_error, effect_of, levers_of, under
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.rules import BASES, Rules, Transmission
from hinterland.plan.usable import Usable, usable

__all__ = ["Calibration", "calibrate", "calibration"]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A problem that evidence has changed, and how.

    Attributes:
        problem: the changed problem; its provenance names every elasticity.
        frame: one row per parameter, host and span of years: parameter, host, years, rules, from (names of estimates), zone (part under a programme), estimate (effect
            in that part, log points) and its std_error, elasticity, factor with factor_error, low and high (95 %), before and after (mean of what is
            multiplied), basis.
        elasticities: target, parameter, outcome, through, elasticity, low, high, basis, source.
        evidence: the estimates, and how each is used: whole, shrunk or left-out.
        notes: what a reader must know.
    """

    problem: Problem
    frame: pl.DataFrame
    elasticities: pl.DataFrame
    evidence: pl.DataFrame
    notes: tuple[Note, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Frames by the name of their table."""
        return {"plan_calibration": self.frame, "plan_elasticities": self.elasticities, "plan_evidence": self.evidence}

    def __repr__(self) -> str:
        return f"Calibration({self.frame.height} factors of {self.frame['parameter'].n_unique()} parameters in {self.frame['host'].n_unique()} hosts)"


def calibrate(problem: Problem, evidence: Evidence, rules: Rules) -> Problem:
    """The problem with what the evidence changes; :func:`calibration` also says what that is.

    Raises:
        InputError: as in :func:`calibration`.
    """
    return calibration(problem, evidence, rules).problem


def calibration(problem: Problem, evidence: Evidence, rules: Rules) -> Calibration:
    """Change a problem by what was estimated of a programme.

    Args:
        problem: the case, with the part of each host under a programme (``zone``) and, for moderation, ``segmentation`` in the unit of the record's moderator.
        evidence: effects, slopes and shares.
        rules: which parameter each acts on, how strongly, and what becomes of weak evidence.

    Raises:
        InputError: no host under a programme, rules without an estimate, estimates in no log points.
    """
    fail_if_unfit(problem, evidence, rules)
    used = usable(evidence, rules)
    levers, notes = levers_of(problem, evidence, rules)
    theta, kappa = used.values[None, :], np.array([[t.elasticity for t in rules.transmissions]])
    logs = np.array([lever.logarithm(rules.transmissions, evidence, theta, kappa)[0] for lever in levers])
    slopes = [lever.gradient(rules.transmissions, evidence, used.values) for lever in levers]
    errors = np.sqrt(np.maximum(np.array([float(g @ used.vcov @ g) for g in slopes]), 0.0))
    changes = [replace(lever.change, factor=float(np.exp(v))) for lever, v in zip(levers, logs, strict=True)]
    frame = _frame(problem, evidence, rules, levers, logs=logs, errors=errors, used=used)
    elasticities = rules.frame
    changed = multiplied(problem, [c for c in changes if c.factor != 1.0])
    changed = replace(changed, provenance=_provenance(changed, rules), findings=(*changed.findings, *used.findings))
    every = (*evidence.notes, *used.notes, *notes, *_illustrative(rules))
    return Calibration(changed, frame, elasticities, used.frame(evidence), tuple(every))


def fail_if_unfit(problem: Problem, evidence: Evidence, rules: Rules) -> None:
    """Evidence, rules and case must fit each other."""
    out = []
    for t in rules.transmissions:
        where_ = f"rule {t.name!r}"
        at = evidence.at("effect", t.outcome)
        if at is None:
            have = [e.outcome for e in evidence.estimates if e.role == "effect"]
            out.append(Finding("no-such-estimate", f"there is no effect on {t.outcome!r}", where_, f"the evidence has {listed(have)}"))
        elif evidence.estimates[at].unit != "log-points":
            what = f"the effect on {t.outcome!r} is in {evidence.estimates[at].unit!r}"
            out.append(Finding("unit-unfit", what, where_, "take an outcome in logarithms: factors are exponents of log points"))
        if t.through and evidence.at("share", t.outcome, t.through) is None:
            have = [e.of for e in evidence.estimates if e.role == "share"]
            out.append(Finding("no-such-estimate", f"there is no share of {t.through!r}", where_, f"the evidence has {listed(have)}"))
    if not (under(problem) > 0).any():
        remedy = "give the column zone of the table regions: the part of each host under a programme"
        out.append(Finding("no-zone", "no host is under a programme", "regions, column 'zone'", remedy))
    fail_if_any(out, "the calibration", InputError)


def _illustrative(rules: Rules) -> list[Note]:
    names = [t.name for t in rules.transmissions if t.basis == "illustrative"]
    return [Note("evidence-illustrative", {"count": len(names), "rules": ", ".join(names)})] if names else []


def _provenance(problem: Problem, rules: Rules) -> pl.DataFrame:
    """The case's provenance with a row for each elasticity."""
    have = problem.provenance
    rows = [
        {"parameter": t.name, "basis": t.basis, "source": t.source, "low": t.low, "high": t.high, "note": f"elasticity {t.elasticity:g}"}
        for t in rules.transmissions
    ]
    return pl.concat([have, pl.DataFrame(rows, schema={c: have.schema[c] for c in rows[0]})], how="diagonal")


def _frame(
    problem: Problem, evidence: Evidence, rules: Rules, levers: Sequence[Lever], *, logs: Floats, errors: Floats, used: Usable
) -> pl.DataFrame:
    rows = []
    for lever, v, e in zip(levers, logs, errors, strict=True):
        mine = [rules.transmissions[r] for r in lever.rules]
        values = problem[lever.change.parameter].values[where(problem, lever.change).values]
        before = float(np.mean(values[np.isfinite(values)]))
        years = lever.change.years
        rows.append(
            {
                "parameter": lever.change.parameter,
                "host": lever.change.regions[0] if lever.change.regions else "",
                "years": "" if years is None else f"{years[0]}–{years[-1]}" if len(years) > 1 else str(years[0]),
                "rules": "; ".join(t.name for t in mine),
                "from": "; ".join(dict.fromkeys(n for t in mine for n in _names(evidence, t))),
                "zone": lever.zone,
                "estimate": float(effect_of(mine[0], evidence, used.values[None, :], lever.zone, float(lever.tilt[0]))[0]) / lever.zone,
                "std_error": effect_error(mine[0], evidence, used.vcov, lever.zone, float(lever.tilt[0])) / lever.zone,
                "elasticity": "; ".join(f"{t.elasticity:g}" for t in mine),
                "factor": float(np.exp(v)),
                "factor_error": float(np.exp(v) * e),
                "low": float(np.exp(v - 1.959963984540054 * e)),
                "high": float(np.exp(v + 1.959963984540054 * e)),
                "before": before,
                "after": before * float(np.exp(v)),
                "basis": max((t.basis for t in mine), key=BASES.index),
            }
        )
    return pl.DataFrame(rows, schema=FRAME)


FRAME = MappingProxyType(
    {
        **dict.fromkeys(("parameter", "host", "years", "rules", "from"), pl.String()),
        **dict.fromkeys(("zone", "estimate", "std_error"), pl.Float64()),
        "elasticity": pl.String(),
        **dict.fromkeys(("factor", "factor_error", "low", "high", "before", "after"), pl.Float64()),
        "basis": pl.String(),
    }
)


def _names(evidence: Evidence, t: Transmission) -> list[str]:
    """Names of the estimates that a rule rests on."""
    found = [evidence.at("effect", t.outcome), evidence.moderation_of(t.outcome)]
    found.append(evidence.at("share", t.outcome, t.through) if t.through else None)
    return [evidence.names[i] for i in found if i is not None]
