"""The step of a transfer analysis: its frames as tables of the record."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl

from hinterland.data.industry_names import named_industries
from hinterland.study.places import places
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def transfer(work: Workspace, step: Step) -> Output:
    """Every frame that has rows, the notes, what was found, and the names of regions and industries."""
    found = work.transferred
    parts = [(name, frame) for name, frame in found.tables.items() if frame.height]
    parts.append(("notes", notes_table(step.id, found.notes)))
    if found.findings:
        parts.append(("measure_findings", pl.DataFrame([{"measure": "transfer", **asdict(f)} for f in found.findings])))
    regions, industries = (pl.Series(name, [str(x) for x in found.meta[name]]) for name in ("regions", "industries"))
    parts.append(("measure_places", places(regions.unique().sort()).with_columns(measure=pl.lit("transfer"))))
    parts.append(("measure_labels", named_industries(industries.unique().sort()).with_columns(measure=pl.lit("transfer"))))
    return output(parts)
