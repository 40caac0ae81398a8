"""What could come next: candidates of each host with the reason for each, the plane behind them, and how far hosts aim at the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from hinterland.report import transfer_flow_figures as figures
from hinterland.report.blocks import Block, Chart, Prose
from hinterland.report.digits import compact, count
from hinterland.report.sentences import Ref, say
from hinterland.report.table import Heading, Row, Table
from hinterland.report.transfer_sections import heading, rows_of
from hinterland.report.transfer_tables import tall
from hinterland.report.transfer_words import Words

MOST = 8
"""Candidates shown of each host."""
_PARTS = (
    "candidate-score",
    "candidate-relatedness",
    "candidate-complexity",
    "candidate-strategic",
    "candidate-green",
    "candidate-crowding",
)


def selection(words: Words) -> list[Block]:
    """Candidates, planes and competition, as far as the analysis has them."""
    frame = rows_of(words, "selection")
    if not frame.height:
        return []
    blocks: list[Block] = [heading(words, "selection")]
    scored = frame.filter(measure="candidate")
    if scored.height:
        blocks += [Prose((say("transfer.selection", table=Ref("table", "transfer-candidates")),)), candidates(words, scored)]
    blocks += planes(words, frame)
    pairs = frame.filter(pl.col("measure") == "homogenised-competition", pl.col("component") == "competition-index")
    if pairs.height:
        title = words.speaker.ui("title.transfer_competition")
        ranked = pairs.sort("value", descending=True, nulls_last=True)
        blocks += [Prose((say("transfer.competition"),)), tall(words, ranked, name="transfer-competition", title=title)]
    return blocks


def candidates(words: Words, scored: pl.DataFrame) -> Table:
    """The first candidates of each host: score and parts, place without regard to the others, and why."""
    speaker = words.speaker
    parts = [p for p in _PARTS if scored.filter(component=p)["value"].count()]
    value = {(r, i, c): v for r, i, c, v in scored.select("region", "industry", "component", "value").iter_rows()}
    lead = scored.filter(pl.col("component") == "candidate-score", pl.col("rank") <= MOST).sort("region", "rank", maintain_order=True)
    body, last = [], ""
    for row in lead.iter_rows(named=True):
        host = words.said("region", row["region"])
        numbers = [compact(value.get((row["region"], row["industry"], p)), 3) for p in parts]
        label = speaker.name(str(row["label"]), "transfer_label") if row["label"] else ""
        body.append(
            Row(("" if host == last else host, words.said("industry", row["industry"]), *numbers, *_why(words, row["values"]), label))
        )
        last = host
    headings = [Heading(speaker.ui("col.key_region"), "left"), Heading(speaker.ui("col.key_industry"), "left")]
    headings += [Heading(speaker.name(p, "component")) for p in parts]
    headings += [Heading(speaker.ui(f"col.transfer_{c}"), "left") for c in ("lifted", "held")]
    headings += [Heading(speaker.ui("col.transfer_alone")), Heading(speaker.ui("col.transfer_label"), "left")]
    title = speaker.ui("title.transfer_candidates")
    return Table("transfer-candidates", title, tuple(headings), tuple(body), "", (speaker.ui("note.transfer_candidates"),))


def _why(words: Words, values: str) -> tuple[str, str, str]:
    """What lifts a candidate most, what holds it down most, and its place without regard to other hosts."""
    said = json.loads(values or "{}")
    parts = [words.speaker.name(f"candidate-{said[k]}", "component") if said.get(k) else "" for k in ("strongest", "weakest")]
    return parts[0], parts[1], count(said.get("rank_alone"))


def planes(words: Words, frame: pl.DataFrame) -> Iterator[Block]:
    """Industries of each host by relatedness and complexity."""
    speaker = words.speaker
    complexity = dict(frame.filter(measure="product-complexity").select("industry", "value").iter_rows())
    quadrants = frame.filter(measure="diversification-quadrant").select("region", "industry", "label")
    absent = {(r, i) for r, i, label in quadrants.iter_rows() if label}
    density = frame.filter(measure="relatedness-density").drop_nulls("value")
    for number, ((host,), part) in enumerate(density.group_by("region", maintain_order=True), 1):
        points = part.select(
            pl.Series("industry", [words.said("industry", i) for i in part["industry"]]),
            relatedness="value",
            complexity=pl.col("industry").replace_strict(complexity, default=None, return_dtype=pl.Float64),
            present=pl.Series([(host, i) not in absent for i in part["industry"]]),
        )
        if points.drop_nulls().height > 3:
            name = words.said("region", host)
            said = (
                speaker.ui("title.transfer_plane", host=name),
                speaker.ui("subtitle.transfer_plane"),
                speaker.ui("alt.transfer_plane", host=name),
            )
            yield Chart(f"transfer-plane-{number}", *said, figures.plane(points, speaker), points)
