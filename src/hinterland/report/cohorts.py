"""Effects by cohort: which cohorts carry the average."""

from __future__ import annotations

import polars as pl

from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import ALPHA, count, decimals_for, number, p_cell, signed
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table


def by_cohort(record: Record, speaker: Speaker, head: Fit | None) -> tuple[Block, ...]:
    """Table, figure and words on the headline estimator's effects by cohort; nothing where the record has fewer than two cohorts."""
    frame = cohort_effects(record, head)
    if head is None or frame.height < 2:
        return ()
    outcome = Name("variable", head.outcome)
    unit = figures.unit_axis(speaker, record.scale(head.outcome, head.family), head.outcome)
    said = sentences(frame)
    marks = frame.select(
        pl.col("cohort").map_elements(lambda g: _label(record, speaker, g), return_dtype=pl.String).alias("label"),
        "cohort",
        pl.lit(head.method).alias("method"),
        "estimate",
        "conf_low",
        "conf_high",
        "n_treated",
    )
    reference = head.overall.estimate if head.overall else None
    return (
        Heading(speaker.ui("heading.cohorts")),
        Prose((say("cohorts.intro", table=Ref("table", "by-cohort"), figure=Ref("figure", "by-cohort")), *said)),
        Chart(
            "by-cohort",
            speaker.ui("title.by_cohort", outcome=outcome),
            speaker.ui("subtitle.by_cohort"),
            " ".join(speaker.sentence(s) for s in said),
            figures.forest(marks, unit=unit, reference=reference),
            marks,
        ),
        cohort_table(record, speaker, head, frame),
    )


def cohort_effects(record: Record, head: Fit | None) -> pl.DataFrame:
    """The rows of table ``effects`` for the headline's cohorts, in order."""
    if head is None or not record.has("effects"):
        return pl.DataFrame()
    name = f"{head.outcome}/{head.method}/cohort"
    return record.tables["effects"].filter((pl.col("effects_id") == name) & pl.col("std_error").is_not_null()).sort("cohort")


def sentences(frame: pl.DataFrame) -> tuple[Sentence, ...]:
    """How far the cohorts differ: which can be told from zero, the largest and the smallest."""
    clear = frame.filter(pl.col("p_value") < ALPHA)
    if not clear.height:
        return (say("cohorts.none", n=count(frame.height)),)
    ordered = frame.sort("estimate")
    low, high = ordered.row(0, named=True), ordered.row(-1, named=True)
    values: dict[str, Value] = {
        "n": count(frame.height),
        "clear": Listed(tuple(str(g) for g in clear["cohort"])),
        "high": signed(high["estimate"]),
        "high_cohort": str(high["cohort"]),
        "low": signed(low["estimate"]),
        "low_cohort": str(low["cohort"]),
    }
    if clear.height == frame.height:
        return (Sentence("cohorts.all", values),)
    treated, total = int(clear["n_treated"].sum()), int(frame["n_treated"].sum())
    return (Sentence("cohorts.some", {**values, "treated": count(treated), "total": count(total)}),)


def cohort_table(record: Record, speaker: Speaker, head: Fit, frame: pl.DataFrame) -> Table:
    """One row per cohort, with the zones that make it up where the policy is a register."""
    rows = []
    decimals = decimals_for(frame["std_error"].to_list())
    for row in frame.iter_rows(named=True):
        e = Estimate.of(row)
        cells = (number(e.estimate, decimals), f"({number(e.std_error, decimals)})", tables.interval(e, decimals), p_cell(e.p_value))
        rows.append(Row((str(row["cohort"]), _zones(record, speaker, row["cohort"]), *cells, count(row["n_treated"]))))
    headings = (
        Column(speaker.ui("col.first_period"), "left"),
        Column(speaker.ui("col.zone"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "pointwise", "p", "n_treated")),
    )
    if not record.has("policy_timeline", "policy_cities"):
        headings, rows = (headings[0], *headings[2:]), [Row((r.cells[0], *r.cells[2:])) for r in rows]
    title = speaker.ui("title.by_cohort_table", outcome=Name("variable", head.outcome))
    return Table("by-cohort", title, headings, tuple(rows), tables.source_line(record, speaker), tables.model_notes(speaker, [head]))


def _zones(record: Record, speaker: Speaker, cohort: int) -> str:
    """The zones whose treated cities make up a cohort."""
    if not record.has("policy_timeline", "policy_cities"):
        return ""
    cities = record.tables["policy_cities"].filter((pl.col("status") == "treated") & (pl.col("cohort") == cohort))
    zones = record.tables["policy_timeline"].filter(pl.col("zone_id").is_in(cities["zone_id"].unique().implode()))
    return ("、" if speaker.language == "zh" else "; ").join(zones[f"zone_{speaker.language}"].to_list())


def _label(record: Record, speaker: Speaker, cohort: int) -> str:
    zones = _zones(record, speaker, cohort)
    short = zones if len(zones) <= (14 if speaker.language == "zh" else 34) else ""
    return f"{cohort} {short}".strip()
