"""Effects by dose: the curve, its mean, and what it takes to read a difference between doses as the effect of a dose."""

from __future__ import annotations

import polars as pl

from hinterland.report import tables, uncertainty
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import MISSING, decimals_for, number, p_value, signed
from hinterland.report.figures import dose_panels, with_doses
from hinterland.report.panels import dose_curves
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table


def doses(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Figure, table and words on the curve of ``outcome``; nothing where the record has none."""
    fit = next((f for f in record.chosen(outcome=outcome, roles=("headline", "baseline", "alternative")) if f.method == "dose"), None)
    if fit is None or not record.has("effects"):
        return ()
    rows = record.tables["effects"].filter(pl.col("effects_id") == f"{outcome}/dose/coefficient")
    frame = with_doses(rows) if rows.height else rows
    if "dose" not in frame.columns:
        return ()
    curves = dose_panels(frame)
    names: dict[str, Value] = {"outcome": Name("variable", outcome)}
    subtitle = speaker.ui("subtitle.dose") + tables.source_line(record, speaker)
    data = frame.filter(pl.col("dose").is_not_null())
    figure = dose_curves(curves, speaker, outcome=speaker.name(outcome))
    alt = speaker.ui("alt.dose", n=data["dose"].n_unique())
    return (
        Heading(speaker.ui("heading.dose")),
        Prose(sentences(frame)),
        Chart("dose", speaker.ui("title.dose", **names), subtitle, alt, figure, data),
        table(record, speaker, fit, data),
    )


def sentences(frame: pl.DataFrame) -> tuple[Sentence, ...]:
    """The mean over doses, the ends of the curve, and the assumption behind a comparison of doses."""
    said = [say("doses.intro", figure=Ref("figure", "dose"), table=Ref("table", "dose"))]
    mean = frame.filter(pl.col("term") == "att")
    if mean.height:
        row = mean.row(0, named=True)
        values: dict[str, Value] = {"std_error": number(row["std_error"]), "p": p_value(row["p_value"])}
        said.append(say("doses.mean", estimate=signed(row["estimate"]), **values))
    level = frame.filter((pl.col("curve") == "att") & pl.col("estimate").is_not_null()).sort("dose")
    if level.height > 1:
        low, high = level.row(0, named=True), level.row(-1, named=True)
        said.append(
            say(
                "doses.ends",
                low=signed(low["estimate"]),
                low_dose=_dose(low["dose"]),
                high=signed(high["estimate"]),
                high_dose=_dose(high["dose"]),
            )
        )
    return (*said, say("doses.strong"))


def _dose(dose: float) -> str:
    return f"{dose:.4g}"


def table(record: Record, speaker: Speaker, fit: Fit, data: pl.DataFrame) -> Table:
    """One row per dose: effect of the dose and of a further unit, with standard errors."""
    curves = [c for c in ("att", "acrt") if (data["curve"] == c).any()]
    decimals = decimals_for(data["std_error"].to_list())
    cells = {(r["curve"], r["dose"]): r for r in data.iter_rows(named=True)}
    rows = []
    for dose in sorted(data["dose"].unique()):
        shown = [cells.get((c, dose)) for c in curves]
        values = [
            v for r in shown for v in ((number(r["estimate"], decimals), f"({number(r['std_error'], decimals)})") if r else (MISSING, ""))
        ]
        rows.append(Row((_dose(dose), *values)))
    headings = [Column(speaker.ui("col.dose"))]
    for c in curves:
        headings += [
            Column(speaker.ui("col.estimate"), "right", speaker.ui(f"col.{c}")),
            Column(speaker.ui("col.std_error"), "right", speaker.ui(f"col.{c}")),
        ]
    notes = (speaker.ui("note.errors_compare", errors=uncertainty.phrase(speaker, fit.facts)), speaker.name("dose", "method_note"))
    title = speaker.ui("title.dose", outcome=Name("variable", fit.outcome))
    return Table("dose", title, tuple(headings), tuple(rows), tables.source_line(record, speaker), notes)
