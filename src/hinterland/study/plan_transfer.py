"""The step of [transfer], after the measures it builds on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hinterland.study.measuring import tables_used
from hinterland.study.schema import Study
from hinterland.study.step import Step
from hinterland.study.transferring import measures_used, sources_named


def transfer_steps(study: Study) -> Iterator[Step]:
    """One step, where the study has a transfer analysis."""
    if study.transfer is None:
        return
    settings: dict[str, Any] = {"transfer": study.transfer.model_dump(mode="json")}
    used = tables_used(study, sources_named(study.transfer))
    if used:
        settings["tables"] = {t: study.table[t].model_dump(mode="json") for t in used}
    if study.is_world:
        settings["panel"] = {k: v for k, v in study.resolved()["panel"].items() if k not in ("labels", "derive", "filter")}
    yield Step("transfer", "transfer", settings, tuple(f"measure/{m}" for m in measures_used(study.transfer)))
