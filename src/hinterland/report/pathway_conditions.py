"""Tables of what a plan needs and what holds it back: support, restrictions, security, resources, jobs, structure, gaps."""

from __future__ import annotations

import polars as pl

from hinterland.report.digits import MISSING, compact, number, share
from hinterland.report.pathway_specks import jobs_without_specks, rows_without_specks
from hinterland.report.pathway_tables import fresh, left, numbers, table
from hinterland.report.pathway_words import PlanWords, change
from hinterland.report.table import Heading, Row, Table

_KINDS = {"support": "instrument", "infrastructure": "kind", "training": "skill", "agreements": "enclave", "revenue-sharing": "enclave"}
"""What the instrument of a need is a label of."""


def need(words: PlanWords, kind: str, instrument: str | None) -> str:
    """A need, or a source of money, in words."""
    said = words.said("need", kind)
    if instrument is None:
        return said
    return words.speaker.ui("mark.pathway_of", whole=said, part=words.said(_KINDS.get(kind, "instrument"), instrument))


def support(words: PlanWords) -> Table | None:
    """Money by host, phase and instrument; then where public money comes from."""
    frame = words.rows("support_needed")
    if not frame.height:
        return None
    amounts, small = rows_without_specks(words, frame, "amount", within=["side", "kind"])
    rows, before = [], ("", "")
    for (host, _), part in amounts.group_by("host", "phase", maintain_order=True):
        for row in part.sort("side", maintain_order=True).iter_rows(named=True):
            name, span = words.said("host", host), words.span(row)
            asked = row["side"] == "need"
            cells = (
                fresh(name, before[0]),
                fresh(span, before[1] if before[0] == name else ""),
                need(words, row["kind"], row["instrument"]),
                compact(row["amount"], 3) if asked else MISSING,
                compact(row["public"], 3) if asked else MISSING,
                MISSING if asked else compact(row["amount"], 3),
                compact(row["per_unit"], 3),
            )
            rows.append(Row(cells))
            before = (name, span)
    headings = [*left(words, "host", "phase", "need"), *numbers(words, "amount", "public", "there", "per_unit")]
    return table(words, "support", headings, rows, "pathway_support", left_out=small)


def restrictions(words: PlanWords) -> Table | None:
    """What each restriction costs, the costliest first; those that forbid, and those that are missed, below."""
    frame = words.rows("restrictions")
    if not frame.height:
        return None
    parts = (
        ("costs", frame.filter(~pl.col("falls_short") & pl.col("cost").is_not_null())),
        ("forbids", frame.filter(~pl.col("falls_short") & pl.col("cost").is_null())),
        ("missed", frame.filter(pl.col("falls_short"))),
    )
    rows: list[Row] = []
    for key, part in parts:
        if part.height and key != "costs":
            rows.append(Row((words.speaker.ui(f"row.pathway_{key}"),), "head"))
        rows += [_restriction(words, r) for r in part.head(_SHOWN).iter_rows(named=True)]
    headings = [
        *left(words, "constraint", "where", "phase"),
        *numbers(words, "price"),
        *left(words, "per"),
        *numbers(words, "scarce", "cost"),
    ]
    worth = words.speaker.ui("subtitle.pathway_restrictions", unit=words.unit(frame["price_unit"][0]))
    return table(words, "restrictions", headings, rows, "pathway_restrictions", "pathway_undiscounted", subtitle=worth)


_SHOWN = 25


def _restriction(words: PlanWords, row: dict[str, object]) -> Row:
    cells = (
        words.constraint(str(row["constraint"])),
        words.where(row),
        words.span(row),
        compact(row["price"], 3),
        words.unit(str(row["unit"])),
    )
    return Row((*cells, compact(row["scarce"], 3), compact(row["cost"], 3)))


def security(words: PlanWords) -> Table | None:
    """Hinterland's share of critical industries at phase ends, and the worst loss."""
    frame = _at_ends(words, words.rows("security"))
    if not frame.height:
        return None
    rows, before = [], ""
    for row in frame.iter_rows(named=True):
        name = words.said("industry", row["industry"])
        cells = (
            fresh(name, before),
            _year(words, row),
            share(row["share"]),
            share(row["required"] or None),
            words.said("lost", row["lost"]) or MISSING,
        )
        rows.append(Row((*cells, share(row["fails_share"]), share(row["tolerated"]))))
        before = name
    headings = [*left(words, "industry", "year"), *numbers(words, "made_share"), Heading(words.speaker.ui("col.pathway_required"))]
    headings += [*left(words, "lost"), *numbers(words, "fails_share"), Heading(words.speaker.ui("col.pathway_tolerated"))]
    return table(words, "security", headings, rows, "pathway_security", subtitle=words.speaker.ui("subtitle.pathway_percent"))


def _year(words: PlanWords, row: dict[str, object]) -> str:
    year = str(row["year"])
    return words.speaker.ui("mark.pathway_observed", years=year) if row.get("observed") else year


def _at_ends(words: PlanWords, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of the last year of each phase."""
    return frame.filter(pl.col("year").is_in(words.phases["last_year"].implode())) if frame.height else frame


def limits(words: PlanWords) -> Table | None:
    """Use of resources as a part of the limit at phase ends, regions as rows."""
    frame = _at_ends(words, words.rows("limits"))
    frame = frame.drop_nulls("limit") if frame.height else frame
    if not frame.height:
        return None
    years = frame["year"].unique().sort().to_list()
    rows, last = [], ""
    for (resource, region), part in frame.group_by("resource", "region", maintain_order=True):
        by = {r["year"]: r for r in part.iter_rows(named=True)}
        name = words.said("resource", resource)
        name = words.speaker.ui("mark.pathway_part_text", name=name, part=words.unit(part["unit"][0]))
        place = words.said("region", region) or words.speaker.ui("mark.pathway_nation")
        cells = [c for y in years for c in (compact(by[y]["used"] if y in by else None, 3), share(by[y]["share"] if y in by else None, 0))]
        rows.append(Row((fresh(name, last), place, *cells)))
        last = name
    headings = left(words, "resource", "region")
    for year in years:
        headings += [Heading(words.speaker.ui(f"col.pathway_{k}"), "right", _when(words, year)) for k in ("used", "of_limit")]
    return table(words, "limits", headings, rows, "pathway_limits", subtitle="")


def jobs(words: PlanWords) -> Table | None:
    """Employment by region and phase; regions that neither send nor receive are left out."""
    frame = words.rows("jobs")
    frame = frame.filter(pl.col("role") != "other").sort("role", maintain_order=True) if frame.height else frame
    if not frame.height:
        return None
    counts = ["displaced", "brought", "created", "trained"]
    frame, small = jobs_without_specks(frame, counts)
    rows, before = [], ""
    for row in frame.iter_rows(named=True):
        name = words.speaker.ui("mark.pathway_part_text", name=words.said("region", row["region"]), part=words.said("part", row["role"]))
        plain = [compact(row[c], 3) for c in ("employed_first", "employed_last")]
        moved = [compact(row[c], 3) for c in counts]
        rows.append(Row((fresh(name, before), words.span(row), *plain, change(row["change"]), *moved)))
        before = name
    headings = left(words, "region", "phase")
    headings += numbers(words, "employed_first", "employed_last", "change", *counts)
    return table(words, "jobs", headings, rows, "pathway_jobs", subtitle=words.speaker.ui("subtitle.pathway_people"), left_out=small)


def structure(words: PlanWords) -> Table | None:
    """Concentration, distance and likeness of hosts at the start and at phase ends."""
    frame = words.rows("specialisation")
    if not frame.height:
        return None
    years = frame["year"].unique().sort().to_list()
    rows = []
    for measure in ("hhi", "krugman", "finger-kreinin"):
        part = frame.filter(measure=measure)
        if part.height:
            rows.append(Row((words.said("structure", measure),), "head"))
        for (host, other), own in part.group_by("host", "other", maintain_order=True):
            by = dict(own.select("year", "value").iter_rows())
            name = words.said("host", host)
            name = name if other is None else words.speaker.ui("mark.pathway_pair", one=name, two=words.said("host", other))
            rows.append(Row((name, *(number(by.get(y), 3) for y in years))))
    headings = [*left(words, "host"), *(Heading(_when(words, y)) for y in years)]
    return table(words, "structure", headings, rows, "pathway_structure", subtitle=words.speaker.ui("subtitle.pathway_structure"))


def _when(words: PlanWords, year: int) -> str:
    """A year as a heading: the start is data, a decided year is marked."""
    seen = words.rows("years").filter(pl.col("observed"))["year"].to_list() if words.rows("years").height else []
    first = int(words.phases["first_year"].min()) if words.phases.height else year  # type: ignore[arg-type]
    if year < first:
        return words.speaker.ui("mark.pathway_start")
    return words.speaker.ui("mark.pathway_observed", years=str(year)) if year in seen else f"{year}{words.sign}"


def gaps(words: PlanWords) -> Table | None:
    """Value added per head of each host, and how far hosts are apart, at phase ends."""
    frame = _at_ends(words, words.rows("equity"))
    if not frame.height:
        return None
    years = frame["year"].unique().sort().to_list()
    rows = []
    for measure in ("per-head", "of-mean", "range", "theil", "gini"):
        part = frame.filter(measure=measure)
        if part.height and measure in ("per-head", "of-mean"):
            rows.append(Row((words.said("gap", measure),), "head"))
        for (region,), own in part.group_by("region", maintain_order=True):
            by = dict(own.select("year", "value").iter_rows())
            name = words.said("gap", measure) if region is None else words.said("region", region)
            values = [share(by.get(y)) if measure == "of-mean" else compact(by.get(y), 3) for y in years]
            rows.append(Row((name, *values), "fact" if region is None else "body"))
    headings = [*left(words, "host"), *(Heading(_when(words, y)) for y in years)]
    return table(words, "gaps", headings, rows, "pathway_gaps", subtitle=words.speaker.ui("subtitle.pathway_gaps"))
