"""The rows that a design uses: without excluded units and without missing values, each counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import Cohorts
from hinterland.data.order import run_starts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Floats, unit_codes
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that are used: ``starts`` [N] first row of each unit; ``cohort`` and ``dose`` [N]."""

    frame: pl.DataFrame
    starts: NDArray[np.int64]
    cohort: NDArray[np.int64]
    dose: Floats
    notes: tuple[Note, ...]


def complete_sample(panel: Panel, needed: Sequence[str], policy: Cohorts, outcome: str) -> Sample:
    """Leave out units that the policy's rule excludes, then rows with a missing value; say how many of each.

    Missing coordinates cost no row: only spatial inference needs them. Raises ``EstimationError`` when no row is left.
    """
    notes: list[Note] = []
    matter = list(dict.fromkeys([panel.unit, panel.time, *needed, *([panel.weight] if panel.weight else [])]))
    frame = panel.frame.select(list(dict.fromkeys([*matter, *(panel.coordinates or ())])))
    if frame.is_empty():
        raise _empty(outcome, notes)
    starts = run_starts(frame[panel.unit])
    cohort, dose, keep = policy.assign(frame[panel.unit][starts])
    if not keep.all():
        names = frame[panel.unit][starts[~keep]].to_list()
        notes.append(Note("units-excluded", {"count": len(names), "units": listed(names, 8)}))
        frame = frame.filter(pl.Series(keep[unit_codes(starts, frame.height)]))
        starts, cohort, dose = _restart(frame, panel.unit), cohort[keep], dose[keep]
    missing = {c: rows for c in matter if (rows := _missing(frame[c])) is not None}
    if missing:
        bad = np.logical_or.reduce(list(missing.values()))
        kept = np.zeros(len(starts), dtype=np.bool_)
        kept[unit_codes(starts, frame.height)[~bad]] = True
        notes.append(_missing_note(missing, bad, kept, cells_in_words(frame, panel, bad)))
        frame = frame.filter(pl.Series(~bad))
        starts, cohort, dose = _restart(frame, panel.unit), cohort[kept], dose[kept]
    if frame.is_empty():
        raise _empty(outcome, notes)
    return Sample(frame, starts, cohort, dose, tuple(notes))


def _missing(series: pl.Series) -> NDArray[np.bool_] | None:
    """[n] where the column is null or NaN; ``None`` when it nowhere is."""
    if series.dtype.is_float():
        rows = np.isnan(series.to_numpy())
        return rows if rows.any() else None
    return series.is_null().to_numpy() if series.null_count() else None


def cells_in_words(frame: pl.DataFrame, panel: Panel, rows: NDArray[np.bool_]) -> str:
    """The unit and period of the first rows of a selection."""
    at = np.flatnonzero(rows)
    shown = "; ".join(f"{u}, {t}" for u, t in frame.select(panel.unit, panel.time)[at[:5]].iter_rows())
    return shown + ("; …" if len(at) > 5 else "")


def _missing_note(missing: Mapping[str, NDArray[np.bool_]], bad: NDArray[np.bool_], kept: NDArray[np.bool_], cells: str) -> Note:
    counts = sorted(((int(rows.sum()), c) for c, rows in missing.items()), key=lambda pair: -pair[0])
    columns = ", ".join(f"{c} ({k})" for k, c in counts)
    values: dict[str, str | int | float] = {
        "count": int(bad.sum()),
        "total": len(bad),
        "columns": columns,
        "units": int((~kept).sum()),
        "cells": cells,
    }
    return Note("rows-missing", values)


def _restart(frame: pl.DataFrame, unit: str) -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64) if frame.is_empty() else run_starts(frame[unit])


def _empty(outcome: str, notes: Sequence[Note]) -> EstimationError:
    return EstimationError(
        Finding(
            "empty-sample",
            "no row is left after the policy's exclusions and missing values",
            f"outcome {outcome!r}",
            "; ".join(str(n) for n in notes) or "check the panel's years and columns",
        ),
        "sample",
    )


def real(frame: pl.DataFrame, name: str) -> Floats:
    """The column as floats [n], without a copy where it is one already."""
    series = frame[name]
    return (series if series.dtype == pl.Float64 else series.cast(pl.Float64)).to_numpy()
