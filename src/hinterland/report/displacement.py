"""The chapter on displacement: what treated units gained, what others lost, and what the comparison can and cannot say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from hinterland.report import displacement_channels, figures, tables
from hinterland.report.blocks import Block, Chart, Prose
from hinterland.report.digits import MISSING, decimals_for, number, p_cell, p_value, share, signed
from hinterland.report.record import Record
from hinterland.report.sentences import Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

EFFECTS = ("direct", "spillover", "total")
UNKNOWN = "no-evidence"


def displacement(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Words, figure and table on ``outcome``; nothing where the record has no table ``displacement``."""
    if displacement_channels.told(record, outcome):
        return displacement_channels.blocks(record, speaker, outcome)
    rows = rows_of(record, outcome)
    if not all(e in rows for e in EFFECTS):
        return ()
    frame = pl.DataFrame(
        [
            {
                "label": speaker.name(e, "displacement_quantity"),
                **{c: rows[e][c] for c in ("estimate", "std_error", "conf_low", "conf_high")},
            }
            for e in EFFECTS
        ]
    )
    unit = figures.unit_axis(speaker, record.scale(outcome), outcome)
    title = speaker.ui("title.displacement", outcome=Name("variable", outcome))
    subtitle = speaker.ui("subtitle.displacement") + tables.source_line(record, speaker)
    intro = say("displacement.intro", table=Ref("table", "displacement"), figure=Ref("figure", "displacement"))
    chart = Chart("displacement", title, subtitle, speaker.ui("alt.displacement"), figures.forest(frame, unit=unit), frame)
    return (
        Prose((intro, *sentences(rows))),
        Prose((say("displacement.identified"), say("displacement.not_identified"))),
        chart,
        table(record, speaker, outcome, rows),
    )


def rows_of(record: Record, outcome: str) -> dict[str, dict[str, Any]]:
    """Rows of table ``displacement`` on ``outcome`` by quantity; of the first result, where there are several: that of the estimator
    ``spillover``, if it was run. :func:`~.displacement_channels.told` has those of the channels.
    """
    if not record.has("displacement"):
        return {}
    frame = record.tables["displacement"].filter(pl.col("outcome") == outcome)
    return {} if not frame.height else {r["quantity"]: r for r in frame.filter(pl.col("effects_id") == frame["effects_id"][0]).to_dicts()}


def sentences(rows: Mapping[str, Mapping[str, Any]]) -> tuple[Sentence, ...]:
    """The verdict with its numbers, and the share with its set where others lost."""
    direct, spill, total = (rows[e] for e in EFFECTS)
    kind = str(direct["verdict"] or UNKNOWN)
    part = rows.get("share", {})
    values: dict[str, Value] = {
        "direct": signed(direct["estimate"]),
        "spillover": signed(spill["estimate"]),
        "total": signed(total["estimate"]),
        "p_spillover": p_value(spill["p_value"]),
        "p_total": p_value(total["p_value"]),
        "share": share(part.get("estimate"), 0),
    }
    said = [Sentence(f"displacement.{kind}", values)]
    if kind in ("not-told-apart", "partly-displaced", "net-loss") and part:
        low, high = part["conf_low"], part["conf_high"]
        known = low is not None and high is not None
        said.append(
            say("displacement.share", share=values["share"], low=share(low, 0), high=share(high, 0))
            if known
            else say("displacement.share_open")
        )
    return tuple(said)


def table(record: Record, speaker: Speaker, outcome: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """Direct effect, spillover, total and share with their intervals."""
    decimals = decimals_for([rows[e]["std_error"] for e in EFFECTS])
    body = [Row((speaker.name(e, "displacement_quantity"), *_cells(rows[e], decimals))) for e in EFFECTS]
    if "share" in rows:
        percent = {k: None if v is None else 100 * v for k, v in rows["share"].items() if k in _NUMBERS}
        body.append(Row((speaker.ui("row.share"), *_cells({**rows["share"], **percent}, 0))))
    headings = (
        Column(speaker.ui("col.quantity"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "interval", "p")),
    )
    title = speaker.ui("title.displacement", outcome=Name("variable", outcome))
    notes = (speaker.ui("note.displacement"),)
    return Table("displacement", title, headings, tuple(body), tables.source_line(record, speaker), notes)


_NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")


def _cells(row: Mapping[str, Any], decimals: int) -> tuple[str, str, str, str]:
    low, high = row["conf_low"], row["conf_high"]
    interval = MISSING if low is None or high is None else f"[{number(low, decimals)}, {number(high, decimals)}]"
    error = MISSING if row["std_error"] is None else f"({number(row['std_error'], decimals)})"
    return number(row["estimate"], decimals), error, interval, p_cell(row["p_value"])
