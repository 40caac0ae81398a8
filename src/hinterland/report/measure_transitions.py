"""Transition matrices of a Markov chain: as shades with their numbers, as a table, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.report.blocks import Block, Chart
from hinterland.report.digits import MISSING, compact, count, number, p_cell
from hinterland.report.measure_record import Measured
from hinterland.report.measure_tables import remarks
from hinterland.report.sentences import Speaker
from hinterland.report.style import INK, canvas, drawing
from hinterland.report.table import Heading, Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROBABILITY, MOVES, STEADY, START = "transition-probability", "transition-count", "steady-state", "initial-class-share"
_KEYED = (PROBABILITY, MOVES, STEADY, START)


def transitions(m: Measured, speaker: Speaker, subtitle: str) -> list[Block]:
    """Every block of the section after its text."""
    title, alt = m.title(speaker), speaker.ui("alt.measure_transitions", measure=m.title(speaker))
    chart = Chart(
        f"measure-{m.name}", title, f"{subtitle} {speaker.ui('subtitle.measure_transitions')}", alt, _figure(m, speaker), m.of(PROBABILITY)
    )
    return [chart, _matrix(m, speaker), *_others(m, speaker)]


def _strata(m: Measured) -> list[str | None]:
    """Classes of the neighbours, or one stratum of all."""
    return m.of(PROBABILITY)["item"].unique().sort().to_list()


def _cells(m: Measured, component: str, stratum: str | None) -> dict[tuple[str, str], float | None]:
    rows = m.of(component).filter(pl.col("item").eq_missing(pl.lit(stratum)))
    return {(a, b): v for a, b, v in rows.select("group", "other_group", "value").iter_rows()}


def _classes(m: Measured) -> list[str]:
    return m.of(PROBABILITY)["group"].drop_nulls().unique().sort().to_list()


def _figure(m: Measured, speaker: Speaker) -> Figure:
    """Probabilities as shades, one panel for each class of the neighbours."""
    strata, classes = _strata(m), _classes(m)
    with drawing():
        columns = min(len(strata), 4)
        figure, panels = canvas(0.9 + 0.42 * len(classes) * (1 if columns < 2 else 0.8), max(columns, 2) if columns == 1 else columns)
        for axes in panels[columns:]:
            axes.set_visible(False)
        for axes, stratum in zip(panels, strata, strict=False):
            _shades(axes, m, stratum, speaker, named=axes is panels[0])
    return figure


def _shades(axes: Axes, m: Measured, stratum: str | None, speaker: Speaker, *, named: bool) -> None:
    classes, cells = _classes(m), _cells(m, PROBABILITY, stratum)
    grid = np.array([[np.nan if (v := cells.get((a, b))) is None else v for b in classes] for a in classes])
    axes.pcolormesh(np.ma.masked_invalid(grid), cmap="Blues", vmin=0, vmax=1)
    axes.invert_yaxis()
    at = np.arange(len(classes)) + 0.5
    for (i, j), value in np.ndenumerate(grid):
        ink = "white" if value > 0.55 else INK
        axes.annotate(
            MISSING if np.isnan(value) else number(float(value), 2), (at[j], at[i]), ha="center", va="center", fontsize=8, color=ink
        )
    axes.set_yticks(at, [m.place(speaker, "group", c) for c in classes] if named else [""] * len(classes))
    axes.set_xticks(at, [m.place(speaker, "group", c) for c in classes], fontsize=7.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if stratum is not None:
        axes.set_title(speaker.ui("mark.neighbour_class", n=stratum), fontsize=8.5)


def _matrix(m: Measured, speaker: Speaker) -> Table:
    """Probabilities in rows of the class at the start, with the number of moves, and where the chain settles."""
    classes, rows = _classes(m), []
    steady, start = (_by_class(m, c) for c in (STEADY, START))
    strata = _strata(m)
    for stratum in strata:
        cells, moves = _cells(m, PROBABILITY, stratum), _cells(m, MOVES, stratum)
        for a in classes:
            total = sum(moves.get((a, b)) or 0 for b in classes)
            labels = ([m.place(speaker, "group", stratum)] if stratum is not None else []) + [m.place(speaker, "group", a)]
            shares = [number(found.get((stratum, a)), 3) for found in (start, steady) if found]
            rows.append(Row((*labels, *(number(cells.get((a, b)), 3) for b in classes), count(total), *shares)))
    headings = [Heading(speaker.ui("col.neighbour_class"), "left")] if strata != [None] else []
    headings += [
        Heading(speaker.ui("col.from_class"), "left"),
        *(Heading(speaker.ui("col.to_class", n=c)) for c in classes),
        Heading(speaker.ui("col.moves")),
    ]
    headings += [Heading(m.component_name(speaker, c)) for c, found in ((START, start), (STEADY, steady)) if found]
    return Table(f"measure-{m.name}", m.title(speaker), tuple(headings), tuple(rows), "", remarks(m, speaker))


def _by_class(m: Measured, component: str) -> dict[tuple[str | None, str], float | None]:
    return {(s, a): v for s, a, v in m.of(component).select("item", "group", "value").iter_rows()}


def _others(m: Measured, speaker: Speaker) -> list[Block]:
    """Indices of mobility and tests: numbers of the whole chain."""
    rows = []
    for component in (c for c in m.components if c not in _KEYED):
        for row in m.of(component).iter_rows(named=True):
            value = row["value"]
            shown = (
                speaker.name(row["reason"], "reason") if value is None else p_cell(value) if component.endswith("-p") else compact(value)
            )
            rows.append(Row((m.component_name(speaker, component), shown)))
    if not rows:
        return []
    headings = (Heading(speaker.ui("col.component"), "left"), Heading(speaker.ui("col.value")))
    return [
        Table(f"measure-{m.name}-numbers", speaker.ui("title.measure_numbers", measure=m.title(speaker)), headings, tuple(rows), "", ())
    ]
