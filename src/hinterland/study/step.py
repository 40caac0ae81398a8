"""A step of a run, and what every kind of step takes from the study: its estimators, its settings, its seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hinterland.evaluate.methods import METHODS
from hinterland.study.battery import suited
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.variant import BASELINE, Variant


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work, of which the record keeps the result.

    Attributes:
        id: ``kind/…``, unique in a run.
        kind: which function does it.
        settings: its own part of the study, JSON only: what its hash covers.
        after: ids of the steps it builds on.
        outcome, method, variant, group: its arguments, where its kind has them.
    """

    id: str
    kind: str
    settings: Mapping[str, Any]
    after: tuple[str, ...] = ()
    outcome: str = ""
    method: str = ""
    variant: Variant = field(default=BASELINE)
    group: str = ""


def methods_for(study: Study, outcome: OutcomeTable) -> tuple[str, ...]:
    """The estimators that are run on ``outcome``: those of its family; counts always have ppml."""
    chosen = [m for m in study.evaluate.methods if outcome.family in METHODS[m].family]
    if outcome.family == "poisson" and "ppml" not in chosen:
        chosen.append("ppml")
    return tuple(chosen)


def headline_for(study: Study, outcome: OutcomeTable) -> str:
    """The estimator that leads for ``outcome``."""
    return study.evaluate.headline if outcome.family in METHODS[study.evaluate.headline].family else "ppml"


def settings_of(study: Study, outcome: OutcomeTable, methods: Iterable[str]) -> dict[str, Any]:
    """The part of [evaluate] that these estimators read, and the outcome's name and family."""
    evaluate = study.resolved()["evaluate"]
    shared = {k: v for k, v in evaluate.items() if k not in {"methods", "options", "headline", "family_adjust"}}
    options = {m: evaluate["options"].get(m, {}) for m in methods}
    return {
        **shared,
        "options": options,
        "name": outcome.name,
        "family": outcome.family,
        "headline": headline_for(study, outcome),
        "seed": study.study.seed,
    }


def row_methods(study: Study, outcome: OutcomeTable, variant: Variant, own: tuple[str, ...] | None) -> tuple[str, ...]:
    """The estimators of one robustness row: twfe and the headline, or the row's own; those that the change concerns."""
    if own is not None:
        return tuple(m for m in own if outcome.family in METHODS[m].family)
    base = base_methods(study, outcome)
    if variant.comparison is not None:
        return tuple(m for m in base if "not-yet-treated" in METHODS[m].accepts)
    if variant.lag_controls:
        return tuple(m for m in base if has_controls(study, m))
    return suited(base, variant, methods_for(study, outcome))


def has_controls(study: Study, method: str) -> bool:
    """Whether the study gives ``method`` covariates."""
    return bool(study.evaluate.options.get(method, {}).get("covariates", study.evaluate.covariates))


def base_methods(study: Study, outcome: OutcomeTable) -> tuple[str, ...]:
    """The estimators that a row is told by: twfe and the headline; for counts the headline alone."""
    lead = headline_for(study, outcome)
    return tuple(dict.fromkeys(["twfe", lead])) if outcome.family == "gaussian" else (lead,)


def seed_of(study: Study, step: str) -> int:
    """The seed of one step: from the study's seed and the step's id, so that adding a step changes no other."""
    import numpy as np

    words = np.frombuffer(hashlib.sha256(step.encode()).digest(), dtype="<u4")
    return int(np.random.SeedSequence([study.study.seed, *words.tolist()]).generate_state(1, np.uint32)[0])
