"""The chapter of a plan: what moves first, the support each phase needs, what restrictions cost, what is robust and what is a choice."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from hinterland.plan.specks import NOTHING, Left
from hinterland.report import pathway_choice_figures, pathway_choices, pathway_conditions, pathway_figures, pathway_method, pathway_tables
from hinterland.report.blocks import Block, Bullets, Chart, Heading, Prose
from hinterland.report.digits import count
from hinterland.report.pathway_conditions import need
from hinterland.report.pathway_said import TOPICS, Said
from hinterland.report.pathway_specks import rows_without_specks, told
from hinterland.report.pathway_statements import statements
from hinterland.report.pathway_words import PlanWords
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Ref, Speaker, Value, say
from hinterland.report.table import Table
from hinterland.report.transfer_flow_figures import flow_map

Part = Callable[[PlanWords], list[Block]]


def pathway(record: Record, speaker: Speaker, _: str = "") -> tuple[Block, ...]:
    """Every part of the chapter that the record has tables for."""
    if not record.has("plan_objectives", "plan_pathway"):
        return ()
    words = PlanWords(record, speaker)
    parts: tuple[Part, ...] = (
        _aim,
        _short,
        _follows,
        _goals,
        _path,
        _support,
        _restrictions,
        _conditions,
        _choice,
        _doubt,
        _compared,
        _rests,
    )
    return tuple(block for part in parts for block in part(words))


def _part(words: PlanWords, key: str, blocks: list[Block | None]) -> list[Block]:
    """Blocks that are there, under their heading."""
    found = [b for b in blocks if b is not None]
    return [Heading(words.speaker.ui(f"heading.pathway_{key}")), *found] if found else []


def _aim(words: PlanWords) -> list[Block]:
    """What the plan aims at, and how it was found; what is past; what rests on illustrative parameters."""
    row = words.rows("objectives", objective=words.aim).row(0, named=True)
    values: dict[str, Value] = {
        "aim": words.both("objective", words.aim),
        "value": words.amount(row["value"], 4),
        "unit": words.unit_both(row["unit"]),
        "status": words.both("status", words.solver.get("status", "optimal")),
    }
    said = [say("pathway.aim", **values)]
    seen = words.rows("years").filter(pl.col("observed")) if words.rows("years").height else pl.DataFrame()
    if seen.height:
        first, last = str(seen["year"].min()), str(seen["year"].max())
        said.append(say("pathway.past_year", year=first) if first == last else say("pathway.past", first=first, last=last))
    blocks: list[Block] = [Prose(tuple(said))]
    if words.illustrative:
        named = tuple(words.parameter_both(row) for row in words.illustrative)
        table = Ref("table", "pathway-parameters")
        sentence = say("pathway.illustrative", sign=words.sign, n=count(len(named)), listed=Listed(named[:_NAMED]), table=table)
        blocks.append(Prose((sentence,), "warning"))
    return blocks


_NAMED = 8
"""Illustrative parameters that are named in the text; all of them are in the table."""


def _short(words: PlanWords) -> list[Block]:
    """What the plan falls short of, before anything else."""
    frame = words.rows("shortfalls")
    if not frame.height:
        return []
    named = tuple(words.constraint_both(c, inside=True) for c in frame["constraint"].unique(maintain_order=True))
    table = Ref("table", "pathway-shortfalls")
    warning = Prose((say("pathway.short", listed=Listed(named), table=table),), "warning")
    return _part(words, "short", [warning, pathway_tables.shortfalls(words)])


def _follows(words: PlanWords) -> list[Block]:
    """What follows, by topic; comparisons stand with their table."""
    made = statements(words)
    blocks: list[Block] = []
    for topic in TOPICS:
        chosen = [s for s in made if s.topic == topic]
        if chosen and topic != "compared":
            blocks += [Heading(words.speaker.ui(f"heading.pathway_topic_{topic}")), _bullets(chosen)]
    return blocks


def _bullets(chosen: list[Said]) -> Bullets:
    return Bullets(tuple(s.sentence for s in chosen))


def _goals(words: PlanWords) -> list[Block]:
    return _part(words, "goals", [pathway_tables.objectives(words), pathway_tables.costs(words)])


def _path(words: PlanWords) -> list[Block]:
    """Bars, maps and areas of the pathway, and its tables."""
    blocks: list[Block | None] = []
    dated = bool(words.rows("capacity").height and words.phases.height)
    data, small = pathway_figures.timeline_data(words) if dated else (pl.DataFrame(), NOTHING)
    if data.height and float((data["moved"] + data["new"]).sum()) > 0:
        blocks.append(_chart(words, "gantt", pathway_figures.gantt(data, words), data, small))
    blocks += _maps(words)
    held = pathway_figures.capacity_data(words) if dated else pl.DataFrame()
    if held.height:
        blocks.append(_chart(words, "capacity", pathway_figures.capacities(held, words), held))
    blocks += [pathway_tables.hosts(words), pathway_tables.groups(words), pathway_tables.first_moves(words)]
    return _part(words, "path", blocks)


def _maps(words: PlanWords) -> list[Block]:
    """A map of moves for each phase in which there are any."""
    flows, places = words.rows("flows"), words.rows("places")
    if not flows.height or not places.height:
        return []
    named = places.with_columns(*(pl.col(c).fill_null(pl.col("region")) for c in ("name_zh", "name_en")))
    placed = flows.join(words.rows("years").select("year", "phase"), on="year")
    made: list[Block] = []
    for number, row in enumerate(words.phases.iter_rows(named=True), 1):
        rows = placed.filter(phase=row["phase"]).group_by("source", "host").agg(pl.col("value").sum())
        rows, small = rows_without_specks(words, rows.sort("value", "source", "host", descending=[True, False, False]), "value")
        if rows.height:
            unit = words.unit("100m-yuan") + words.sign
            figure = flow_map(rows, named, words.speaker, unit=unit)
            made.append(_chart(words, "map", figure, rows, small, suffix=f"-{number}", span=words.span(row)))
    return made


def _chart(
    words: PlanWords, key: str, figure: object, data: pl.DataFrame, small: Left = NOTHING, *, suffix: str = "", **values: Value
) -> Chart:
    """A figure of the chapter: what is measured, its unit, what the mark means, and what is too small to be drawn."""
    ui = words.speaker.ui
    title, alt = (ui(f"{kind}.pathway_{key}", **values) for kind in ("title", "alt"))
    measured = words.measured(ui(f"subtitle.pathway_{key}_figure", money=words.money()))
    subtitle = " ".join((measured, *told(words, small)))
    return Chart(f"pathway-{key}{suffix}", title + words.sign, subtitle, alt, figure, data)  # type: ignore[arg-type]


def _support(words: PlanWords) -> list[Block]:
    """Money by phase and instrument."""
    data, small = pathway_figures.support_data(words)
    blocks: list[Block | None] = []
    if data.height:
        kinds = (
            data.group_by("kind", "instrument")
            .agg(pl.col("amount").sum())
            .sort("amount", "kind", "instrument", descending=[True, False, False])
        )
        named = {(k, i): need(words, k, i) for k, i, _ in kinds.iter_rows()}
        blocks.append(_chart(words, "spending", pathway_figures.support(data, words, named), data, small))
    return _part(words, "support", [*blocks, pathway_conditions.support(words)])


def _restrictions(words: PlanWords) -> list[Block]:
    """What restrictions cost."""
    data = pathway_figures.cost_data(words)
    chart = _chart(words, "costs_of_restrictions", pathway_figures.costs(data, words), data) if data.height else None
    found = pathway_conditions.restrictions(words)
    lead = Prose((say("pathway.bound"),)) if found is not None else None
    return _part(words, "restrictions", [lead, chart, found])


def _conditions(words: PlanWords) -> list[Block]:
    made = (
        pathway_conditions.security,
        pathway_conditions.limits,
        pathway_conditions.jobs,
        pathway_conditions.structure,
        pathway_conditions.gaps,
    )
    return _part(words, "conditions", [make(words) for make in made])


def _choice(words: PlanWords) -> list[Block]:
    """What is robust and what is a choice."""
    blocks: list[Block | None] = [pathway_choices.payoff(words)]
    frame = pathway_choices.active(words)
    if frame.height and frame["objective"].n_unique() > 1:
        blocks += [_chart(words, "front", pathway_choice_figures.front(frame, words), frame), pathway_choices.front(words)]
    frame = words.rows("alternatives")
    if frame.height:
        blocks += [_chart(words, "ranges", pathway_choice_figures.ranges(frame, words), frame), pathway_choices.alternatives(words)]
    return _part(words, "choice", blocks)


def _doubt(words: PlanWords) -> list[Block]:
    """What uncertain parameters, scenarios and commitment change."""
    frame = pathway_choices.swings(words)
    blocks: list[Block | None] = []
    known = frame.drop_nulls(["at_low", "at_high"]) if frame.height else frame
    base = words.rows("objectives", objective=words.aim)["value"][0]
    if known.height:
        blocks.append(_chart(words, "tornado", pathway_choice_figures.tornado(known, words, float(base)), known))
    blocks += [pathway_choices.sensitivity(words), *(pathway_choices.scenarios(words, n) for n in ("scenarios", "continuity"))]
    return _part(words, "doubt", [*blocks, pathway_choices.calibration(words), pathway_choices.draws(words)])


def _compared(words: PlanWords) -> list[Block]:
    """The published pathway beside the plan."""
    found: Table | None = pathway_method.compared(words)
    if found is None:
        return []
    chosen = [s for s in statements(words) if s.topic == "compared"]
    return _part(words, "compared", [Prose((say("pathway.source"),)), _bullets(chosen), found])


def _rests(words: PlanWords) -> list[Block]:
    """What the plan rests on."""
    made = (pathway_method.parameters, pathway_method.solver, pathway_method.settings)
    return _part(words, "rests", [make(words) for make in made])
