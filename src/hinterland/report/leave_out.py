"""Leaving out one group at a time: how far the estimate moves, and which groups it rests on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import polars as pl

from hinterland.labels import catalogue
from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import count, decimals_for, number, signed
from hinterland.report.panels import ranked
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Both, Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

MOST = 34
"""Groups that are drawn and tabled one by one; of more, the record holds all and the table those that move the estimate most."""
TABLED = 12
"""Rows of the table where there are more than ``MOST`` groups."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The estimates of one estimator without each group of one kind.

    ``rows``: ``dropped, n_units_dropped, estimate, std_error, conf_low, conf_high, change``; ``undefined``: groups that cannot be left out.
    """

    outcome: str
    method: str
    by: str
    whole: Estimate
    rows: pl.DataFrame
    undefined: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the table and the figure."""
        return f"leave-out-{re.sub(r'[^A-Za-z0-9]+', '-', self.by).strip('-').lower() or 'group'}"


def leave_out(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Figure, table and words for every kind of group of the headline; nothing where the record has no table ``leave_out``."""
    blocks: list[Block] = []
    for found in groups(record, outcome):
        blocks += [Prose(_told(record, found)), _chart(record, speaker, found), table(record, speaker, found)]
    return (Heading(speaker.ui("heading.leave_out")), *blocks) if blocks else ()


def groups(record: Record, outcome: str) -> tuple[LeftOut, ...]:
    """What the record holds on ``outcome``, for the headline where it has it, else for the first estimator."""
    head = record.headline(outcome)
    if not record.has("leave_out") or head is None:
        return ()
    frame = record.tables["leave_out"].filter(pl.col("outcome") == outcome)
    if not frame.height:
        return ()
    method = head.method if head.method in frame["method"] else str(frame["method"][0])
    fit = next((f for f in record.chosen(outcome=outcome, roles=("headline", "baseline", "alternative")) if f.method == method), None)
    if fit is None or fit.overall is None:
        return ()
    chosen = frame.filter(pl.col("method") == method)
    return tuple(_left_out(fit, fit.overall, str(key[0]), part) for key, part in chosen.group_by("by", maintain_order=True))


def _left_out(fit: Fit, whole: Estimate, by: str, part: pl.DataFrame) -> LeftOut:
    wide = (whole.conf_high - whole.estimate) / whole.std_error if whole.std_error > 0 else math.nan
    known = part.filter(pl.col("estimate").is_not_null())
    rows = known.with_columns(
        (pl.col("estimate") - wide * pl.col("std_error")).alias("conf_low"),
        (pl.col("estimate") + wide * pl.col("std_error")).alias("conf_high"),
        (pl.col("estimate") - whole.estimate).alias("change"),
    )
    undefined = tuple(part.filter(pl.col("estimate").is_null())["dropped"].to_list())
    return LeftOut(fit.outcome, fit.method, by, whole, rows, undefined)


def decisive(found: LeftOut) -> dict[str, list[str]]:
    """Groups without which the sign is reversed (``sign``), or the interval comes to include zero (``lost``) or to exclude it (``gained``)."""
    clear = found.whole.conf_low > 0 or found.whole.conf_high < 0
    out: dict[str, list[str]] = {"sign": [], "lost": [], "gained": []}
    for row in found.rows.iter_rows(named=True):
        excludes = row["conf_low"] is not None and (row["conf_low"] > 0 or row["conf_high"] < 0)
        if row["estimate"] * found.whole.estimate < 0:
            out["sign"].append(row["dropped"])
        elif row["conf_low"] is not None and clear and not excludes:
            out["lost"].append(row["dropped"])
        elif row["conf_low"] is not None and not clear and excludes:
            out["gained"].append(row["dropped"])
    return out


def sentences(record: Record, found: LeftOut) -> tuple[Sentence, ...]:
    """The range, and the groups on which sign or significance rests."""
    if not found.rows.height:
        return ()
    ordered = found.rows.sort("estimate")
    low, high = ordered.row(0, named=True), ordered.row(-1, named=True)
    by = by_name(found.by)
    said = [
        say(
            "leave_out.range",
            by=by,
            n=count(found.rows.height),
            low=signed(low["estimate"]),
            low_group=group_name(record, low["dropped"]),
            high=signed(high["estimate"]),
            high_group=group_name(record, high["dropped"]),
            estimate=signed(found.whole.estimate),
        )
    ]
    decided = decisive(found)
    said += [say(f"leave_out.{kind}", groups=several(record, names)) for kind, names in decided.items() if names]
    if not any(decided.values()):
        said.append(say("leave_out.stable", by=by))
    if found.undefined:
        said.append(say("leave_out.undefined", groups=several(record, list(found.undefined))))
    return tuple(said)


def _told(record: Record, found: LeftOut) -> tuple[Sentence, ...]:
    refs: dict[str, Value] = {"figure": Ref("figure", found.key), "table": Ref("table", found.key)}
    return (say("leave_out.intro", method=Name("method", found.method), by=by_name(found.by), **refs), *sentences(record, found))


def by_name(by: str) -> Name:
    """The kind of group in words: one that the label files know, else the label of a column."""
    return Name("leave_by" if f"leave_by.{by}" in catalogue("en") else "variable", by)


def group_name(record: Record, dropped: str) -> Both:
    """A group in words: the name of a city, a province or a zone where the record knows its code, else the label as recorded."""
    if record.has("policy_cities"):
        cities = record.tables["policy_cities"]
        for column, en, zh in (("unit", "name_en", "name_zh"), ("province", "province_en", "province")):
            rows = cities.filter(pl.col(column).cast(pl.String) == dropped)
            if rows.height:
                return Both(str(rows[en][0] or dropped), str(rows[zh][0] or dropped))
        if re.fullmatch(r"\d{2}0000", dropped):  # a province by its code, of which a city's own is made
            inside = cities.filter(pl.col("unit").cast(pl.String).str.starts_with(dropped[:2]))
            if inside.height:
                return Both(str(inside["province_en"][0] or dropped), str(inside["province"][0] or dropped))
    if record.has("policy_timeline"):
        zones = record.tables["policy_timeline"].filter(pl.col("zone_id") == dropped)
        if zones.height:
            return Both(str(zones["zone_en"][0]), str(zones["zone_zh"][0]))
    return Both(dropped, dropped)


def several(record: Record, names: list[str], most: int = 6) -> Listed:
    """Up to ``most`` groups in words, and how many more there are."""
    shown: tuple[Value, ...] = tuple(group_name(record, n) for n in names[:most])
    rest = len(names) - most
    return Listed((*shown, Both(f"{rest} more", f"另外 {rest} 个")) if rest > 0 else shown)


def _chart(record: Record, speaker: Speaker, found: LeftOut) -> Chart:
    head = record.headline(found.outcome)
    unit = figures.unit_axis(speaker, record.scale(found.outcome, head.family if head else "gaussian"), found.outcome)
    few = found.rows.height <= MOST
    if few:
        labels = pl.Series("label", [speaker.value(group_name(record, d)) for d in found.rows["dropped"]])
        figure = figures.forest(found.rows.with_columns(labels), unit=unit, reference=found.whole.estimate)
    else:
        ends = found.rows.sort("estimate")["dropped"]
        names = {d: speaker.value(group_name(record, d)) for d in (ends[0], ends[-1])}
        figure = ranked(found.rows, names, speaker, unit=unit, reference=found.whole.estimate)
    names_: dict[str, Value] = {"outcome": Name("variable", found.outcome), "by": by_name(found.by)}
    subtitle = speaker.ui("subtitle.leave_out" if few else "subtitle.leave_out_ranked") + tables.source_line(record, speaker)
    alt = speaker.ui("alt.leave_out", n=found.rows.height, by=by_name(found.by))
    return Chart(found.key, speaker.ui("title.leave_out", **names_), subtitle, alt, figure, found.rows)


def table(record: Record, speaker: Speaker, found: LeftOut) -> Table:
    """One row per group left out, or the groups that move the estimate most where there are many."""
    few = found.rows.height <= MOST
    rows = found.rows if few else found.rows.sort(pl.col("change").abs(), descending=True).head(TABLED)
    decimals = decimals_for([found.whole.std_error])
    e = found.whole
    body = [
        Row(
            (
                speaker.ui("row.everybody"),
                "",
                number(e.estimate, decimals),
                f"({number(e.std_error, decimals)})",
                tables.interval(e, decimals),
                "",
            )
        )
    ]
    for r in rows.iter_rows(named=True):
        interval = f"[{number(r['conf_low'], decimals)}, {number(r['conf_high'], decimals)}]"
        cells = (number(r["estimate"], decimals), f"({number(r['std_error'], decimals)})", interval, signed(r["change"], decimals))
        body.append(Row((speaker.value(group_name(record, r["dropped"])), count(r["n_units_dropped"]), *cells)))
    headings = (
        Column(speaker.ui("col.left_out"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("units", "estimate", "std_error", "interval", "change")),
    )
    notes = [speaker.ui("note.leave_out")]
    if not few:
        notes.append(speaker.ui("note.leave_out_most", most=TABLED, n=count(found.rows.height)))
    names: dict[str, Value] = {"outcome": Name("variable", found.outcome), "by": by_name(found.by)}
    return Table(
        found.key, speaker.ui("title.leave_out", **names), headings, tuple(body), tables.source_line(record, speaker), tuple(notes)
    )
