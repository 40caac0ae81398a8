"""What a simulation found: one row per quantity, checked against its range and, if asked for, appended to a file of JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

RECORD = "HINTERLAND_VALIDATION"
"""Environment variable with the path of the record; without it nothing is written."""

Study = Literal[
    "estimators",
    "averages",
    "packaged world",
    "covariances",
    "few clusters",
    "tests",
    "sensitivity",
    "many hypotheses",
    "mechanism",
    "gravity",
    "measures",
    "failures",
]
Quantity = Literal["bias", "coverage", "size", "power", "error rate", "error", "correlation"]
Reason = Literal["", "known failure", "conservative", "small sample", "kernel"]

STANDARD = {"coverage": (0.93, 0.97), "size": (0.03, 0.07)}
"""Ranges of intervals of 95 % and tests of 5 %; another range needs a reason."""
ERRORS = 3.5
"""A bias is nothing within this many Monte Carlo errors."""


@dataclass(frozen=True)
class Row:
    """One quantity: ``value`` over ``replications``, expected from ``low`` to ``high``."""

    study: str
    subject: str
    variant: str
    design: str
    term: str
    quantity: str
    value: float
    monte_carlo_error: float
    replications: int
    low: float
    high: float
    reason: str
    seed: int

    @property
    def ok(self) -> bool:
        """Whether the value is in its range."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Simulated:
    """What is recorded of one subject (an estimator, a covariance, a test) in one design."""

    keep: Callable[[Row], None]
    study: Study
    subject: str
    variant: str
    design: str
    seed: int

    def bias(self, errors: Any, term: str = "", *, reason: Reason = "", least: float | None = None, within: float | None = None) -> float:
        """Mean of ``errors`` [R], estimates less the truth: nothing but noise, without a ``reason``.

        A known failure is at least ``least`` from zero, on the side of its sign; a bias of small samples is ``within`` so many standard deviations.
        """
        values = np.asarray(errors, dtype=np.float64)
        noise = float(values.std(ddof=1) / np.sqrt(len(values)))
        bound = ERRORS * noise if within is None else within * float(values.std(ddof=1))
        low, high = (-bound, bound) if least is None else ((least, np.inf) if least > 0 else (-np.inf, least))
        return self._keep("bias", term, float(values.mean()), noise, len(values), (low, high), reason)

    def rate(
        self, quantity: Quantity, hits: Any, term: str = "", *, within: tuple[float, float] | None = None, reason: Reason = ""
    ) -> float:
        """Share of ``hits`` [R] (or mean of proportions), expected in ``within``."""
        values = np.asarray(hits, dtype=np.float64)
        share = float(values.mean())
        noise = (
            float(np.sqrt(share * (1 - share) / len(values)))
            if np.isin(values, (0, 1)).all()
            else float(values.std() / np.sqrt(len(values)))
        )
        expected = STANDARD[quantity] if within is None else within
        if quantity in STANDARD and expected != STANDARD[quantity] and not reason:
            message = f"{self.subject}, {self.design}: another range than {STANDARD[quantity]} for {quantity} needs a reason"
            raise ValueError(message)
        return self._keep(quantity, term, share, noise, len(values), expected, reason)

    def coverage(self, hits: Any, term: str = "", **options: Any) -> float:
        """Share of replications [R] whose interval of 95 % holds the truth."""
        return self.rate("coverage", hits, term, **options)

    def size(self, rejected: Any, term: str = "", **options: Any) -> float:
        """Share of replications [R] in which a true null is rejected at 5 %."""
        return self.rate("size", rejected, term, **options)

    def power(self, rejected: Any, within: tuple[float, float], term: str = "") -> float:
        """Share of replications [R] in which a false null is rejected at 5 %."""
        return self.rate("power", rejected, term, within=within)

    def error(self, sizes: Any, most: float, term: str = "", *, least: float = 0.0, reason: Reason = "") -> float:
        """Mean of the ``sizes`` [R] of errors, from ``least`` to ``most``."""
        return self.rate("error", sizes, term, within=(least, most), reason=reason)

    def correlation(self, found: Any, least: float, term: str = "") -> float:
        """Mean of correlations [R] with the truth, at least ``least``."""
        return self.rate("correlation", found, term, within=(least, 1.0))

    def interval(self, errors: Any, half_width: Any, term: str = "", **options: Any) -> float:
        """Bias and coverage of ``errors`` [R] with intervals of ``half_width`` [R]; the coverage."""
        self.bias(errors, term)
        return self.coverage(np.abs(errors) <= half_width, term, **options)

    def _keep(self, quantity: str, term: str, value: float, noise: float, count: int, within: tuple[float, float], reason: str) -> float:
        low, high = map(float, within)
        self.keep(
            Row(self.study, self.subject, self.variant, self.design, term, quantity, value, noise, count, low, high, reason, self.seed)
        )
        return value


@dataclass
class Recorder:
    """Collects the rows of one test; :meth:`fail_if_outside` comes last, so that a row out of range hides no other."""

    say: Callable[[str], None]
    path: Path | None = None
    rows: list[Row] = field(default_factory=list)

    def __call__(self, study: Study, subject: str, design: str, *, seed: int, variant: str = "") -> Simulated:
        """Start on ``subject`` (with the options in ``variant``) in ``design``."""
        return Simulated(self._keep, study, subject, variant, design, seed)

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        mark = "" if row.ok else f"  OUTSIDE [{row.low:.4g}, {row.high:.4g}]"
        said = ", ".join(part for part in (row.subject, row.variant, row.design, row.term) if part)
        self.say(f"{said}: {row.quantity} {row.value:.4f} ({row.monte_carlo_error:.4f}; {row.replications}){mark}\n")
        if self.path is not None:
            line = json.dumps({**asdict(row), "ok": row.ok}, ensure_ascii=False).replace("-Infinity", "null").replace("Infinity", "null")
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def fail_if_outside(self) -> None:
        """Raise ``AssertionError`` with every row that is out of its range."""
        outside = [r for r in self.rows if not r.ok]
        if outside:
            lines = (
                f"{r.subject} {r.variant}, {r.design}, {r.term}: {r.quantity} {r.value:.4f} not in [{r.low:.4f}, {r.high:.4f}]"
                for r in outside
            )
            raise AssertionError("\n".join(lines))


def record_path() -> Path | None:
    """Where rows go, or ``None``."""
    given = os.environ.get(RECORD)
    return Path(given) if given else None
