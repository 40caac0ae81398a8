"""The step of a transfer analysis: its frames as tables of the record."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl

from hinterland.data.industry_names import named_industries
from hinterland.data.io_sectors import common_sectors
from hinterland.study.places import places
from hinterland.study.step import Step
from hinterland.study.steps.measure import excluded
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.transferring import asked, boundaries
from hinterland.study.workspace import Workspace


def transfer(work: Workspace, step: Step) -> Output:
    """Every frame that has rows, the notes, what was found, what was left out, and the names of regions and industries."""
    found = work.transferred
    parts = [(name, frame) for name, frame in found.tables.items() if frame.height]
    parts.append(("notes", notes_table(step.id, found.notes)))
    if found.findings:
        parts.append(("measure_findings", pl.DataFrame([{"measure": "transfer", **asdict(f)} for f in found.findings])))
    left_out = [excluded("transfer", asked(work.study), out) for out in work.left_out_of_transfer]
    parts += [("measure_excluded", rows) for rows in left_out]
    regions, industries = (pl.Series(name, [str(x) for x in found.meta[name]]) for name in ("regions", "industries"))
    regions = pl.concat([regions, *(rows["region"].drop_nulls() for rows in left_out)])
    parts.append(("measure_places", places(regions.unique().sort()).with_columns(measure=pl.lit("transfer"))))
    named = named_industries(industries.unique().sort())
    if any(one.sectors == "common" for one in asked(work.study).io):
        common = common_sectors().select("name_zh", "name_en", label="common", code="common")
        named = pl.concat([named, common.filter(~pl.col("label").is_in(named["label"].implode()))], how="diagonal")
    parts.append(("measure_labels", named.with_columns(measure=pl.lit("transfer"))))
    drawn = boundaries(work)
    if drawn is not None:
        parts.append(("measure_outlines", drawn.with_columns(measure=pl.lit("transfer"))))
    return output(parts)
