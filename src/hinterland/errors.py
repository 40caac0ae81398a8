"""Every exception and warning of hinterland, and the finding that each carries.

::

    HinterlandError
    ├── InputError            bad input; ``.findings`` lists every problem at once
    │   ├── PanelError        the panel's rows, columns or roles
    │   ├── PolicyError       a register or an adoption column
    │   ├── StudyError        the study file
    │   └── EstimationError   the data are legal, but this method is not defined on them
    ├── RunError              a run could not be written, read or resumed
    └── SolverError           a solver did not do what it was asked for

    HinterlandWarning (UserWarning)
    ├── DataWarning           something about the data that changes what is estimated
    └── EstimationWarning     something about the fit that changes how it may be read
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of an input: what is wrong, where, and what to do.

    ``code`` is a stable kebab-case identifier (``duplicate-unit-period``); ``what`` names the offending value;
    ``where`` is a file, column, row or unit; ``remedy`` is an instruction.
    """

    code: str
    what: str
    where: str
    remedy: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.what}\n    where: {self.where}\n    do:    {self.remedy}"


class HinterlandError(Exception):
    """Base of every error raised on purpose by hinterland."""


class InputError(HinterlandError):
    """Bad input. ``findings`` holds every problem found, not the first only."""

    def __init__(self, findings: Finding | Iterable[Finding], subject: str = "input") -> None:
        self.findings: tuple[Finding, ...] = (findings,) if isinstance(findings, Finding) else tuple(findings)
        self.subject = subject
        count = len(self.findings)
        head = f"{count} problem{'s' if count != 1 else ''} in {subject}:"
        super().__init__("\n".join([head, *(f"  {i}. [{f.code}] {f}" for i, f in enumerate(self.findings, 1))]))


class PanelError(InputError):
    """The panel's rows, columns or roles are wrong."""


class PolicyError(InputError):
    """A policy register or an adoption column is wrong."""


class StudyError(InputError):
    """The study file is wrong."""


class EstimationError(InputError):
    """The data are legal, but the method asked for is not defined on them."""


class RunError(HinterlandError):
    """A run record could not be written, read or resumed."""


class SolverError(HinterlandError):
    """A solver did not do what it was asked for."""


class HinterlandWarning(UserWarning):
    """Base of every warning issued by hinterland."""


class DataWarning(HinterlandWarning):
    """Something about the data that changes what is estimated."""


class EstimationWarning(HinterlandWarning):
    """Something about the fit that changes how it may be read."""


def fail_if_any(findings: Sequence[Finding], subject: str, error: type[InputError] = InputError) -> None:
    """Raise ``error`` with the findings of severity ``error``, if there are any."""
    fatal = tuple(f for f in findings if f.severity == "error")
    if fatal:
        raise error(fatal, subject)


def listed(values: Iterable[object], most: int = 5) -> str:
    """Up to ``most`` values in words, with a count of the rest: ``'a', 'b' and 3 more``."""
    items = [repr(str(v)) if isinstance(v, str) else str(v) for v in values]
    shown, rest = items[:most], len(items) - most
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A sentence that offers the closest of ``choices``, or lists them when none is close."""
    import difflib

    options = [str(c) for c in choices]
    close = difflib.get_close_matches(name, options, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(c) for c in close)}?"
    return f"choose one of: {listed(options, 40)}" if options else "there is nothing to choose from"
