"""What was estimated of a policy, as a plan needs it: effects, how a moderator changes them, what part goes through a channel, with their covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.labels import Note
from hinterland.plan.program import Floats

__all__ = ["Estimate", "Evidence", "evidence_draws"]

Role = Literal["effect", "moderation", "share"]
Grade = Literal["strong", "moderate", "weak", "unproven"]
ROLES: tuple[Role, ...] = ("effect", "moderation", "share")
GRADES: tuple[Grade, ...] = ("strong", "moderate", "weak", "unproven")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number that was estimated.

    Attributes:
        name: unique in its evidence.
        role: ``effect`` of the policy on the outcome; ``moderation``: its change for one unit more of a moderator; ``share`` of it that goes through a mediator.
        outcome: what the policy acts on.
        of: the moderator, or the mediator; empty for effects.
        value, std_error: of the estimate.
        unit: of the value; effects of a plan are in ``log-points``.
        grade: how good the evidence is, by the record's own rules; ``None`` where nobody judged it.
        source: where it stands.
        centre: value of the moderator at which the effect is the mean one.
        low, high: range of the moderator in which treated and untreated places lie.
    """

    name: str
    role: Role
    outcome: str
    of: str
    value: float
    std_error: float
    unit: str = "log-points"
    grade: Grade | None = None
    source: str = ""
    centre: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Estimates and their covariance.

    Attributes:
        estimates: [k].
        vcov: [k, k].
        notes: what a reader must know.
    """

    estimates: tuple[Estimate, ...]
    vcov: Floats
    notes: tuple[Note, ...] = field(default=())

    def __post_init__(self) -> None:
        _fail_if_bad(self.estimates, self.vcov)

    @classmethod
    def from_record(
        cls,
        record: str | Path | Mapping[str, pl.DataFrame],
        outcome: str,
        *,
        moderator: str | None = None,
        mediators: Sequence[str] = (),
        unit: str | None = None,
        level: Literal["headline", "line"] = "headline",
    ) -> Evidence:
        """The evidence of a run record on one outcome; see :func:`hinterland.plan.evidence_record.read_evidence`."""
        from hinterland.plan.evidence_record import read_evidence

        return read_evidence(record, outcome, moderator=moderator, mediators=mediators, unit=unit, level=level)

    @classmethod
    def from_frames(cls, estimates: pl.DataFrame, vcov: Floats | None = None) -> Evidence:
        """Evidence from a table.

        Args:
            estimates: columns ``role, outcome, value, std_error``, and where they apply ``name, of, unit, grade, source, centre, low, high``.
            vcov: [k, k] covariance; estimates are independent without it, which is noted where there are several.

        Raises:
            InputError: columns that are missing, roles or grades that do not exist, a covariance that is none.
        """
        needed = ("role", "outcome", "value", "std_error")
        missing = [c for c in needed if c not in estimates.columns]
        if missing:
            what = f"the table lacks {', '.join(missing)}"
            raise InputError(Finding("missing-column", what, "argument estimates", f"give {', '.join(needed)}"), "the evidence")
        rows = tuple(_estimate(r) for r in estimates.iter_rows(named=True))
        if vcov is not None:
            return cls(rows, np.asarray(vcov, dtype=float))
        return cls(rows, np.diag([e.std_error**2 for e in rows]), independent(rows))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the estimates."""
        return tuple(e.name for e in self.estimates)

    @property
    def values(self) -> Floats:
        """[k] the estimates."""
        return np.array([e.value for e in self.estimates], dtype=float)

    @property
    def frame(self) -> pl.DataFrame:
        """One row per estimate."""
        columns = ("name", "role", "outcome", "of", "value", "std_error", "unit", "grade", "source", "centre", "low", "high")
        types = {c: pl.Float64() if c in ("value", "std_error", "centre", "low", "high") else pl.String() for c in columns}
        return pl.DataFrame([{c: getattr(e, c) for c in columns} for e in self.estimates], schema=types)

    def at(self, role: Role, outcome: str, of: str = "") -> int | None:
        """Position of an estimate; ``None`` where there is none."""
        found = [i for i, e in enumerate(self.estimates) if (e.role, e.outcome, e.of) == (role, outcome, of)]
        return found[0] if found else None

    def moderation_of(self, outcome: str) -> int | None:
        """Position of the moderation of an outcome's effect; ``None`` where there is none."""
        found = [i for i, e in enumerate(self.estimates) if e.role == "moderation" and e.outcome == outcome]
        return found[0] if found else None

    def __repr__(self) -> str:
        return f"Evidence({', '.join(f'{e.name} {e.value:.4g} ({e.std_error:.2g})' for e in self.estimates)})"


def independent(rows: Sequence[Estimate]) -> tuple[Note, ...]:
    """The note that covariances between estimates are not known; none where there is one estimate only."""
    return (Note("evidence-independent", {"count": len(rows)}),) if len(rows) > 1 else ()


def evidence_draws(evidence: Evidence, n: int, *, seed: int) -> Floats:
    """[n, k] draws of the estimates from the normal distribution with their covariance.

    Raises:
        InputError: fewer than one draw.
    """
    if n < 1:
        raise InputError(Finding("bad-argument", f"n is {n}", "argument n", "give 1 or more draws"), "the draws")
    size, vectors = np.linalg.eigh(evidence.vcov)
    root = vectors * np.sqrt(np.maximum(size, 0.0))
    return np.asarray(evidence.values + np.random.default_rng(seed).standard_normal((n, len(size))) @ root.T)


def _estimate(row: Mapping[str, Any]) -> Estimate:
    of = row.get("of") or ""
    name = row.get("name") or "/".join(p for p in (row["outcome"], row["role"], of) if p)
    rest = {c: row[c] for c in ("centre", "low", "high") if row.get(c) is not None}
    unit, source = row.get("unit") or "log-points", row.get("source") or ""
    role, grade = cast(Role, row["role"]), cast("Grade | None", row.get("grade"))
    return Estimate(name, role, row["outcome"], of, float(row["value"]), float(row["std_error"]), unit, grade, source, **rest)


def _fail_if_bad(estimates: Sequence[Estimate], vcov: Floats) -> None:
    """Every problem of the evidence at once."""
    out = [f for e in estimates for f in _of_estimate(e)]
    names = [(e.role, e.outcome, e.of) for e in estimates]
    twice = sorted({"/".join(n) for n in names if names.count(n) > 1})
    if twice:
        out.append(Finding("bad-estimate", f"{', '.join(twice)} is there twice", "the estimates", "keep one of each"))
    if not estimates:
        out.append(Finding("bad-estimate", "there is no estimate", "the estimates", "give one or more"))
    k = len(estimates)
    if vcov.shape != (k, k):
        out.append(Finding("bad-covariance", f"the covariance is {vcov.shape}", "argument vcov", f"give {k} × {k} numbers"))
    elif k and not out:
        out += _of_covariance(estimates, vcov)
    fail_if_any(out, "the evidence", InputError)


def _of_estimate(e: Estimate) -> list[Finding]:
    where = f"estimate {e.name!r}"
    out = []
    if e.role not in ROLES:
        out.append(Finding("bad-estimate", f"there is no role {e.role!r}", where, did_you_mean(e.role, ROLES)))
    if e.grade is not None and e.grade not in GRADES:
        out.append(Finding("bad-estimate", f"there is no grade {e.grade!r}", where, did_you_mean(e.grade, GRADES)))
    if e.role in ("moderation", "share") and not e.of:
        out.append(Finding("bad-estimate", f"a {e.role} does not say of what", where, "name the moderator or the mediator in `of`"))
    if not (np.isfinite(e.value) and np.isfinite(e.std_error) and e.std_error >= 0):
        out.append(Finding("not-finite", f"the estimate is {e.value:g} ({e.std_error:g})", where, "give numbers, or leave it out"))
    if e.role == "moderation" and (e.centre is None or not np.isfinite(e.centre)):
        out.append(Finding("bad-estimate", "a moderation does not say where the effect is the mean one", where, "give centre"))
    return out


def _of_covariance(estimates: Sequence[Estimate], vcov: Floats) -> list[Finding]:
    where = "argument vcov"
    size = float(np.abs(vcov).max()) or 1.0
    if not np.isfinite(vcov).all() or np.abs(vcov - vcov.T).max() > 1e-9 * size:
        return [Finding("bad-covariance", "the covariance is not symmetric, or has no numbers", where, "give a covariance matrix")]
    if float(np.linalg.eigvalsh(vcov).min()) < -1e-9 * size:
        return [Finding("bad-covariance", "the covariance has a negative eigenvalue", where, "give a covariance matrix")]
    errors = np.array([e.std_error for e in estimates])
    if (np.abs(np.sqrt(np.diag(vcov)) - errors) > 1e-6 * (1e-12 + errors)).any():
        return [Finding("bad-covariance", "its diagonal is not the squares of the standard errors", where, "give both from one fit")]
    return []
