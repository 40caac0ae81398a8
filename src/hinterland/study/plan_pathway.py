"""The steps of [plan]: the plan, and what is asked about it beyond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hinterland.study.measuring import tables_used
from hinterland.study.planning import sources_named
from hinterland.study.schema import Study
from hinterland.study.step import Step, seed_of

ANALYSES = ("pareto", "alternatives", "sensitivity", "scenario", "evidence")
"""Keys of ``[plan]`` that are steps of their own."""
KINDS = ("plan", "plan-pareto", "plan-alternatives", "plan-sensitivity", "plan-scenarios", "plan-continuity", "plan-draws")
"""Kinds of steps, in order."""


def pathway_steps(study: Study, before: Sequence[str]) -> Iterator[Step]:
    """The plan, after ``before`` where its evidence is of the same study; then fronts, alternatives, sensitivity, scenarios and draws, each on its own."""
    table = study.plan
    if table is None:
        return
    settings = _settings(study)
    named = [source for _, source in sources_named(table)]
    needed = dict.fromkeys(f"measure/{s.removeprefix('measure:')}" for s in named if s.startswith("measure:"))
    if table.evidence is not None:
        settings["evidence"] = table.evidence.model_dump(mode="json", exclude={"draws", "elasticities"})
        if table.evidence.record == "this":
            needed |= dict.fromkeys(before)
    yield Step("plan", "plan", settings, tuple(needed))
    for kind, chosen in _asked(study):
        yield Step(kind, kind, {**settings, "asked": chosen, "seed": seed_of(study, kind)}, ("plan", *needed))


def _settings(study: Study) -> dict[str, Any]:
    """The part of the study that the plan itself is made from."""
    table = study.plan
    if table is None:
        return {}
    settings: dict[str, Any] = {"plan": table.model_dump(mode="json", exclude={*ANALYSES, "label"})}
    used = tables_used(study, [source for _, source in sources_named(table)])
    if used:
        settings["tables"] = {t: study.table[t].model_dump(mode="json") for t in used}
    if study.is_world:
        settings["panel"] = {k: v for k, v in study.resolved()["panel"].items() if k not in ("labels", "derive", "filter")}
    return settings


def _asked(study: Study) -> Iterator[tuple[str, Any]]:
    """Kinds of further steps, and what the study says of each."""
    table = study.plan
    if table is None:
        return
    for name in ("pareto", "alternatives", "sensitivity"):
        chosen = getattr(table, name)
        if chosen is not None:
            yield f"plan-{name}", chosen.model_dump(mode="json")
    if table.scenario:
        each = [s.model_dump(mode="json") for s in table.scenario]
        yield "plan-scenarios", each
        if any(s.withdrawal is not None for s in table.scenario):
            yield "plan-continuity", each
    if table.evidence is not None and table.evidence.draws:
        yield "plan-draws", table.evidence.model_dump(mode="json")
