"""``compare``: several results in one table, columns are models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.errors import Finding, InputError
from hinterland.labels import Language
from hinterland.report import uncertainty
from hinterland.report.digits import count, decimals_for, number, signed
from hinterland.report.sentences import Speaker, method_notes, term_name
from hinterland.report.table import Heading, Row, Table

if TYPE_CHECKING:
    from hinterland.evaluate.result import Effects


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several results side by side.

    Attributes:
        frame: one row per model and term: ``model`` (1, 2, …), ``method``, ``outcome``, ``aggregation``, then the columns of
            ``Effects.tidy()``.
        table: the same as a table for people: columns are models, standard errors in parentheses.
    """

    frame: pl.DataFrame
    table: Table

    def __repr__(self) -> str:
        return f"Comparison({self.frame['model'].n_unique()} models × {self.frame['term'].n_unique()} terms)"

    def save(self, path: str | Path) -> Path:
        """Write the table in the format of the suffix: ``.docx .html .tex .md .csv``. Raises ``InputError`` for another suffix."""
        return self.table.save(path)

    def _repr_html_(self) -> str:
        return self.table.to_html()


def compare(
    effects: Sequence[Effects], *, names: Sequence[str] | None = None, language: Language = "en", title: str | None = None
) -> Comparison:
    """Put results next to each other.

    Args:
        effects: results of any estimators, outcomes and aggregations.
        names: heading of each model; by default the outcome, and below it the estimator.
        language: of headings and notes.
        title: of the table.

    Raises:
        InputError: no result, something that is not an ``Effects``, or a number of names other than that of results.
    """
    models = list(effects) if isinstance(effects, Sequence) else [effects]
    _fail_if_not_effects(models, names)
    frames = [
        e.tidy().with_columns(
            pl.lit(k).alias("model"),
            pl.lit(e.method).alias("method"),
            pl.lit(e.outcome).alias("outcome"),
            pl.lit(e.aggregation).alias("aggregation"),
        )
        for k, e in enumerate(models, 1)
    ]
    frame = pl.concat(frames)
    front = ["model", "method", "outcome", "aggregation"]
    return Comparison(frame.select(*front, pl.exclude(front)), _table(models, frame, names, Speaker(language), title))


def _fail_if_not_effects(models: Sequence[object], names: Sequence[str] | None) -> None:
    from hinterland.evaluate.result import Effects

    findings = [
        Finding("not-effects", f"item {k} is a {type(m).__name__}", "compare(effects)", "pass results of hl.estimate")
        for k, m in enumerate(models, 1)
        if not isinstance(m, Effects)
    ]
    if not models:
        findings.append(Finding("no-effects", "there is nothing to compare", "compare(effects)", "pass at least one result of hl.estimate"))
    if names is not None and len(names) != len(models):
        findings.append(
            Finding("names-differ", f"{len(names)} names for {len(models)} results", "compare(names=)", "give one name per result")
        )
    if findings:
        raise InputError(findings, "comparison")


def _table(models: Sequence[Effects], frame: pl.DataFrame, names: Sequence[str] | None, speaker: Speaker, title: str | None) -> Table:
    decimals = decimals_for(frame["std_error"].to_list())
    headings = [Heading("", "left")]
    for k, e in enumerate(models):
        spanner = names[k] if names is not None else speaker.name(e.outcome)
        headings.append(Heading(f"({k + 1}) {speaker.name(e.method, 'method_short')}", "center", spanner))
    rows: list[Row] = []
    cells = {(r["model"], place(r)): r for r in frame.iter_rows(named=True)}
    for key in dict.fromkeys(k for _, k in sorted(cells, key=_order)):
        found = [cells.get((k, key)) for k in range(1, len(models) + 1)]
        rows.append(Row((_label(speaker, key), *(_estimate(r, decimals, speaker) for r in found))))
        rows.append(
            Row(("", *(f"({number(r['std_error'], decimals)})" if r and r["std_error"] is not None else "" for r in found)), "below")
        )
    facts = ("n_obs", "n_units", "n_treated", "n_periods", "n_clusters")
    rows += [
        Row((speaker.ui(f"row.{name}"), *(count(_fact(e.meta, name)) for e in models)), "fact")
        for name in facts
        if any(_fact(e.meta, name) is not None for e in models)
    ]
    errors = uncertainty.several(speaker, [(e.method, e.meta) for e in models])
    own = method_notes(speaker, ((e.method, e.meta.get("estimand_code")) for e in models))
    notes = (speaker.ui("note.errors_compare", errors=errors), *own)
    return Table("comparison", title or speaker.ui("title.comparison"), tuple(headings), tuple(rows), "", notes)


Place = tuple[str, int, int]
"""What a term is about: ``event_time``, ``cohort``, ``time`` or ``cell`` with its numbers, or the term's own name."""


def place(row: Mapping[str, Any]) -> Place:
    """The same for terms that mean the same, whatever each estimator calls them."""
    g, t, e = row["cohort"], row["time"], row["event_time"]
    if g is not None and t is not None:
        return "cell", int(g), int(t)
    if "," in row["term"] or (g, t, e) == (None, None, None):
        return f"={row['term']}", 0, 0
    return ("event_time", int(e), 0) if e is not None else ("cohort", int(g), 0) if g is not None else ("time", int(t), 0)


def _order(key: tuple[int, Place]) -> tuple[bool, str, int, int, int]:
    """Averages and coefficients first, in the order of the models; then event times, cohorts, periods and cells in theirs."""
    model, (kind, first, second) = key
    return (True, kind, first, second, 0) if not kind.startswith("=") else (False, "", 0, 0, model)


def _label(speaker: Speaker, key: Place) -> str:
    kind, first, second = key
    match kind:
        case "event_time":
            return speaker.labelled("term.event_time", e=signed(first, 0))
        case "cohort":
            return speaker.labelled("term.cohort", g=str(first))
        case "time":
            return speaker.labelled("term.time", t=str(first))
        case "cell":
            return speaker.labelled("term.cell", g=str(first), t=str(second))
        case _:
            return term_name(speaker, kind[1:])


def _estimate(row: Mapping[str, object] | None, decimals: int, speaker: Speaker) -> str:
    if row is None:
        return ""
    return speaker.ui("reference") if row["reference"] else number(row["estimate"], decimals)


def _fact(meta: Mapping[str, object], name: str) -> object:
    return meta.get(name)
