"""Steps of [measure]: one for each measure, after those it builds on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hinterland.study.measuring import measures_used, sources_named, tables_used
from hinterland.study.schema import Study
from hinterland.study.step import Step


def measure_steps(study: Study) -> Iterator[Step]:
    """The steps, in the order of the study file."""
    panel = study.resolved()["panel"]
    for name, table in study.measure.items():
        settings: dict[str, Any] = {"measure": table.model_dump(mode="json")}
        used = tables_used(study, sources_named(table))
        if used:
            settings["tables"] = {t: study.table[t].model_dump(mode="json") for t in used}
        if table.source == "panel" or study.is_world:
            settings["panel"] = {k: v for k, v in panel.items() if k not in ("labels", "derive", "filter")}
        yield Step(f"measure/{name}", "measure", settings, tuple(f"measure/{m}" for m in measures_used(table)), group=name)
