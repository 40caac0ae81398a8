"""Which standard errors a result has, in words: a sentence, a phrase for a note, and what holds for several results at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hinterland.labels import catalogue
from hinterland.report.digits import compact, count
from hinterland.report.record import Fit
from hinterland.report.sentences import Listed, Name, Sentence, Speaker, Value, say

Facts = Mapping[str, Any]

_NEEDS = {"conley": "cutoff_km", "driscoll-kraay": "lag", "newey-west": "lag"}
"""What belongs to the name of a covariance, where the record holds it."""


def kind(facts: Facts) -> str:
    """The id of the covariance as the label files have it; ``""`` where the facts name none."""
    found = str(facts.get("vcov") or ("cluster" if facts.get("cluster") else ""))
    if not found:
        return ""
    if f"vcov.{found}" not in catalogue("en"):
        return "unknown"
    if found == "CR3" and len(_names(facts)) > 1:
        return "CR3_several"
    needed = _NEEDS.get(found)
    return f"{found}_open" if needed is not None and facts.get(needed) is None else found


def sentence(facts: Facts) -> Sentence | None:
    """Which standard errors these are, and what they take for granted."""
    key = kind(facts)
    return say(f"vcov.{key}", **_values(facts), n=count(facts.get("n_clusters"))) if key else None


def phrase(speaker: Speaker, facts: Facts) -> str:
    """The same in a few words."""
    key = kind(facts)
    return speaker.labelled(f"vcov.{key}", **_values(facts)) if key else "–"


def of_all(speaker: Speaker, fits: Sequence[Fit]) -> str:
    """The kinds of standard error of several fits: one phrase where all have the same, else each with the estimators it belongs to."""
    return several(speaker, [(f.method, f.facts) for f in fits])


def several(speaker: Speaker, results: Sequence[tuple[str, Facts]]) -> str:
    """As :func:`of_all`, for pairs of estimator and facts."""
    groups: dict[str, list[str]] = {}
    for method, facts in results:
        groups.setdefault(phrase(speaker, facts), []).append(method)
    if len(groups) <= 1:
        return next(iter(groups), "–")
    parts = []
    for k, (words, methods) in enumerate(sorted(groups.items(), key=lambda g: -len(g[1]))):
        names = tuple(Name("method_short", m) for m in dict.fromkeys(methods))
        parts.append(words if k == 0 else speaker.ui("note.errors_of", method=Listed(names), errors=words))
    return ("；" if speaker.language == "zh" else "; ").join(parts)


def _names(facts: Facts) -> list[str]:
    """The groupings of clusters."""
    given = facts.get("cluster") or ""
    names = given if isinstance(given, list | tuple) else str(given).split("+")
    return [name.strip() for name in names if name.strip()]


def _values(facts: Facts) -> dict[str, Value]:
    clusters = tuple(Name("variable", name) for name in _names(facts))
    return {
        "cluster": Listed(clusters) if clusters else "–",
        "cutoff": compact(facts.get("cutoff_km")),
        "lag": count(facts.get("lag")),
        "vcov": str(facts.get("vcov") or "–"),
    }
