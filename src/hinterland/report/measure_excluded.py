"""What a study leaves out of a raw table, and why: a sentence for every rule, and a table of the regions and years."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import polars as pl

from hinterland.report.blocks import Block, Bullets, Prose
from hinterland.report.digits import MISSING, count, share
from hinterland.report.sentences import Both, Listed, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading, Row, Table

NAMED = 3
"""Regions that a sentence names; of more there is a table."""
PAGE, PAPER = 100, 24
"""Regions that the table shows on a page, and on paper."""


class Screened(Protocol):
    """What rows were left out of: a measure or an analysis that can name its regions."""

    @property
    def excluded(self) -> pl.DataFrame:
        """Rows that the study leaves out, with the reason."""

    @property
    def input(self) -> str:
        """The raw table in words."""

    def place(self, speaker: Speaker, key: str, label: str | None) -> str:
        """A label in words."""

    def both(self, key: str, label: str | None) -> Both:
        """A label in words of both languages."""


def excluded(m: Screened, speaker: Speaker, seen: dict[str, str], table: str = "excluded") -> list[Block]:
    """The rows that were left out before this; those that ``seen`` (owner → key of its ``table``) has are only referred to."""
    blocks: list[Block] = []
    if not m.excluded.height:
        return blocks
    for (owner,), rows in m.excluded.group_by("owner", maintain_order=True):
        key = f"{table}-{str(owner).partition(':')[2]}"
        if owner in seen:
            values: dict[str, Value] = {"n": count(rows["n"].sum())}
            known = seen[str(owner)]
            blocks.append(
                Prose(
                    (
                        say("measures.excluded_too", **values, table=Ref("table", known))
                        if known
                        else say("measures.excluded_same", **values),
                    )
                )
            )
            continue
        shown = max(part["region"].drop_nulls().n_unique() for _, part in rows.group_by("rule")) > NAMED
        seen[str(owner)] = key if shown else ""
        blocks += [
            Prose((say("measures.excluded", n=count(rows["n"].sum()), of=count(rows["before"].max())),)),
            Bullets(tuple(_rules(m, rows))),
        ]
        if shown:
            blocks.append(_table(m, rows.drop_nulls("region"), key, speaker))
    return blocks


def _rules(m: Screened, rows: pl.DataFrame) -> Iterator[Sentence]:
    for _, part in rows.group_by("rule", maintain_order=True):
        first = part.row(0, named=True)
        values: dict[str, Value] = {
            "n": count(part["n"].sum()),
            "share": share(part["n"].sum() / first["before"]),
            "why": Both(first["why_en"], first["why_zh"]),
        }
        named = part["region"].drop_nulls().n_unique()
        source = str(first["source"]).rsplit("/", 1)[-1]
        if 0 < named <= NAMED:
            cells = part.drop_nulls("region").group_by("region", maintain_order=True).agg("time")
            where = tuple(
                say("measures.excluded_cell", region=m.both("region", r), years=_spans([t for t in years if t is not None]))
                for r, years in cells.iter_rows()
            )
            yield say("measures.excluded_rule_named", **values, where=Listed(where))
        elif named and source:
            yield say("measures.excluded_rule_listed", **values, regions=count(named), source=source)
        elif named:
            yield say("measures.excluded_rule", **values, regions=count(named))
        else:
            yield say("measures.excluded_rule_plain", **values)


def _table(m: Screened, rows: pl.DataFrame, key: str, speaker: Speaker) -> Table:
    """One row per region: which years each rule left out."""
    rules = rows["rule"].unique().sort().to_list()
    sizes = rows.group_by("region").agg(pl.col("n").sum()).sort(["n", "region"], descending=[True, False])
    years = {(r, k): _spans(part["time"].drop_nulls().to_list()) for (r, k), part in rows.group_by("region", "rule", maintain_order=True)}
    made = [
        Row((m.place(speaker, "region", region), count(n), *(years.get((region, rule), MISSING) for rule in rules)))
        for region, n in sizes.iter_rows()
    ]
    headings = [Heading(speaker.ui("col.key_region"), "left"), Heading(speaker.ui("col.excluded_rows"))]
    named = m.excluded.filter(pl.col("owner") == rows["owner"][0])["rule"].n_unique() > 1
    headings += [Heading(speaker.ui("col.excluded_rule", n=i) if named else speaker.ui("col.excluded_years"), "left") for i in rules]
    notes = (speaker.ui("note.excluded"),) if named else ()
    whole = Table(key, speaker.ui("title.excluded", input=m.input), tuple(headings), tuple(made), "", notes)

    def cut(most: int) -> Table:
        note = speaker.ui("note.excluded_cut", shown=count(most), of=count(len(made)))
        return replace(whole, rows=tuple(made[:most]), notes=(*notes, note))

    shown = cut(PAGE) if len(made) > PAGE + 20 else whole
    return replace(shown, paper=cut(PAPER)) if len(made) > PAPER + 8 else shown


def _spans(years: list[int]) -> str:
    """Years as spans: 2005–2016, 2022."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and year == spans[-1][1] + 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans) or MISSING
