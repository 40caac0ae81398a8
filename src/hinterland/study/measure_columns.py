"""From a measure's values to a column of the panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from hinterland.data.panel import Column, Panel
from hinterland.errors import Finding, StudyError
from hinterland.measure.register import INDICATORS
from hinterland.study.measuring import key_columns, selected_values
from hinterland.study.schema_measure import MeasureTable

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace


def made_by_measures(measures: Mapping[str, MeasureTable]) -> frozenset[str]:
    """The columns of the panel that measures make."""
    return frozenset(t.column for t in measures.values() if t.column is not None)


def with_measures(work: Workspace, panel: Panel) -> Panel:
    """The panel with a column for each measure that makes one."""
    from hinterland.data.readers import join_columns

    for name, table in work.study.measure.items():
        if table.column is None:
            continue
        frame, region, time = column_values(work, name)
        if table.region is not None:
            panel.require([table.region], f"measure.{name}.region")
        keyed = panel if table.region is None else replace(panel, unit=table.region)
        joined = join_columns(keyed, frame, unit=region, time=time, columns=[table.column], name=f"measure.{name}")
        made = Column(f"measured: {table.indicator} from {table.source}", INDICATORS[table.indicator].unit_of(table.component))
        panel = replace(joined, unit=panel.unit, columns={**joined.columns, table.column: made})
    return panel


def column_values(work: Workspace, name: str) -> tuple[pl.DataFrame, str, str | None]:
    """The values that become a column, with the names of their columns of regions and periods.

    Raises:
        StudyError: nothing that was selected, or several values of one region and period.
    """
    table, frame, names = work.study.measure[name], selected_values(work, name), key_columns(work, name)
    region, time = names["region"], names.get("time")
    time = time if time in frame.columns else None
    keys = [region, *([time] if time else [])]
    if frame.select(keys).is_duplicated().any():
        others = [k for k, n in names.items() if n in frame.columns and n not in keys and k not in table.select]
        remedy = f"choose one with select = {{ {others[0]} = … }}" if others else "choose one with component"
        what = f"measure {name!r} has several values for each {' and '.join(keys)}"
        raise StudyError(Finding("several-values", what, work.loaded.where("measure", name, "column"), remedy), f"measure {name}")
    return frame.select(*keys, pl.col("value").alias(str(table.column))), region, time
