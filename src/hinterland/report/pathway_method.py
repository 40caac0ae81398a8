"""Tables of what a plan rests on: a published pathway beside it, its parameters, its solver, its settings."""

from __future__ import annotations

import json

import polars as pl

from hinterland.report.digits import MISSING, compact, count
from hinterland.report.pathway_tables import left, numbers, table
from hinterland.report.pathway_words import ILLUSTRATIVE, SIGN, PlanWords
from hinterland.report.table import Heading, Row, Table

VERDICTS = ("disagrees", "agrees", "imposed", "cannot")


def compared(words: PlanWords) -> Table | None:
    """Each recommendation of the published pathway with the plan's number; with and without spatial roles where both plans were made."""
    frame = words.rows("compared")
    if not frame.height:
        return None
    second = frame["verdict_without"].null_count() < frame.height
    rows = []
    for verdict in VERDICTS:
        part = frame.filter(verdict=verdict)
        if part.height:
            rows.append(
                Row((words.speaker.ui("row.pathway_verdict", verdict=words.said("verdict", verdict), n=count(part.height)),), "head")
            )
        rows += [Row(_recommended(words, row, second)) for row in part.iter_rows(named=True)]
    headings = [*left(words, "recommendation", "claim", "years"), *numbers(words, "value", "against")]
    headings += [*left(words, "without"), *numbers(words, "value")] if second else []
    notes = ("pathway_compared", "pathway_without") if second else ("pathway_compared",)
    return table(words, "compared", headings, rows, *notes, subtitle=words.speaker.ui("subtitle.pathway_compared"))


def _recommended(words: PlanWords, row: dict[str, object], second: bool) -> tuple[str, ...]:
    """Statement with its section, claim with its unit and what imposes it, years, number and what it is held against; the same without roles."""
    zh, known = words.speaker.language == "zh", row["verdict"] != "cannot"
    said = words.speaker.ui(
        "mark.pathway_section", statement=str(row["statement_zh" if zh else "statement_en"]), section=str(row["section"])
    )
    cells = (said, _claim(words, row), words.span(row) if known else MISSING, *(compact(row[c], 3) for c in ("value", "threshold")))
    return (*cells, words.said("verdict", row["verdict_without"]), compact(row["value_without"], 3)) if second else cells


def _claim(words: PlanWords, row: dict[str, object]) -> str:
    if row["verdict"] == "cannot":
        return words.said("reason", row["reason"])
    claim = words.speaker.ui("mark.pathway_with_unit", name=words.said("claim", row["test"]), unit=words.spoken(str(row["unit"])))
    if row["verdict"] != "imposed":
        return claim
    told = words.speaker.labelled("plan.said.joint").join(words.constraint(c) for c in str(row["imposed_by"]).split(";"))
    return words.speaker.ui("mark.pathway_imposed", claim=claim, by=told)


def parameters(words: PlanWords) -> Table | None:
    """Where parameters come from and how far they may be off; illustrative ones first."""
    frame = words.rows("provenance")
    if not frame.height:
        return None
    zh = words.speaker.language == "zh"
    rows = []
    for row in frame.sort(pl.col("basis") != ILLUSTRATIVE, "parameter", maintain_order=True).iter_rows(named=True):
        sign = SIGN if row["basis"] == ILLUSTRATIVE else ""
        note = row["note_zh"] if zh else row["note"]
        reach = MISSING if row["low"] is None and row["high"] is None else f"{compact(row['low'], 3)} – {compact(row['high'], 3)}"
        source = " ".join(str(x) for x in (row["source"], note) if x) or MISSING
        rows.append(Row((words.parameter(row) + sign, words.said("basis", row["basis"]), reach, source)))
    notes = ("pathway_parameters",)
    return table(words, "parameters", left(words, "parameter", "basis", "reach", "source_note"), rows, *notes, subtitle="", decided=False)


_SOLVER = ("status", "solver", "answered", "gap", "objective", "bound", "primal_residual", "dual_residual", "duality_gap", "integrality")
_PRICED = ("complete", "minimum", "tolerance")
_SIZE = ("arcs", "excluded", "arc_years", "rounds", "columns", "rows", "nonzeros", "binaries")


def solver(words: PlanWords) -> Table | None:
    """Who answered, how far the answer is from the best bound, and what a check without the solver found."""
    facts = words.solver
    if not facts:
        return None
    rows = [Row((words.said("solver", k), _fact(words, k, facts[k]))) for k in (*_SOLVER, *_PRICED) if k in facts]
    tried = json.loads(facts.get("attempts", "[]"))
    if tried:
        said = words.speaker.labelled("plan.said.joint").join(
            words.speaker.ui("mark.pathway_attempt", method=a["method"], status=words.said("status", a["status"]), n=count(a["iterations"]))
            for a in tried
        )
        rows.append(Row((words.said("solver", "attempts"), said)))
    rows += [Row((words.said("solver", k), count(float(facts[k])))) for k in _SIZE if k in facts]
    return table(
        words, "solver", [*left(words, "fact"), Heading(words.speaker.ui("col.value"))], rows, "pathway_solver", subtitle="", decided=False
    )


def _fact(words: PlanWords, key: str, value: str) -> str:
    if key == "status":
        return words.said("status", value)
    if key == "complete":
        return words.speaker.ui("yes" if value == "True" else "no")
    try:
        found = float(value)
    except ValueError:
        return value
    if found != found:  # noqa: PLR0124  not a number
        return words.speaker.ui("mark.pathway_no_number")
    return compact(found, 5) if key in ("objective", "bound") else "0" if found == 0 else f"{found:.1e}".replace("e-0", "e-")


def settings(words: PlanWords) -> Table | None:
    """What was asked beside the tables of the case."""
    if not words.settings:
        return None
    rows = [Row((words.said("setting", k), _plain(words, k, v))) for k, v in words.settings.items()]
    return table(words, "settings", left(words, "setting", "chosen"), rows, subtitle="", decided=False)


def _plain(words: PlanWords, key: str, value: object) -> str:
    if isinstance(value, bool):
        return words.speaker.ui("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(words.said("role", v) if key == "roles" else str(v) for v in value) or MISSING
    if key == "prices":
        return words.prices(str(value))
    said = {"emissions": "resource", "objective": "objective", "similarity": "similarity"}.get(key)
    return f"{value:g}" if isinstance(value, int | float) else words.said(said, value) if said else str(value)
