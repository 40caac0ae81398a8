"""The steps of [plan]: the plan, and what is asked about it beyond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hinterland.study.measuring import tables_used
from hinterland.study.planning import sources_named
from hinterland.study.schema import Study
from hinterland.study.step import Step


def pathway_steps(study: Study) -> Iterator[Step]:
    """One step for the plan, where the study has one."""
    if study.plan is None:
        return
    named = [source for _, source in sources_named(study.plan)]
    settings: dict[str, Any] = {"plan": study.plan.model_dump(mode="json")}
    used = tables_used(study, named)
    if used:
        settings["tables"] = {t: study.table[t].model_dump(mode="json") for t in used}
    if study.is_world:
        settings["panel"] = {k: v for k, v in study.resolved()["panel"].items() if k not in ("labels", "derive", "filter")}
    measures = (s.removeprefix("measure:") for s in named if s.startswith("measure:"))
    yield Step("plan", "plan", settings, tuple(dict.fromkeys(f"measure/{m}" for m in measures)))
