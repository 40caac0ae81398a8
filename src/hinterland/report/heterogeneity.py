"""Whether groups differ: differences with the p-values of every test, what may be said of them, and the figure they are drawn in.

The wording rules: a difference that is not significant is "not shown to differ", never "no difference", and is given with the differences that remain possible; one
significant group beside one that is not is no difference (Gelman & Stern 2006); where few clusters are treated only permuted labels are relied on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hinterland.report import tables
from hinterland.report.blocks import Block, Heading, Prose
from hinterland.report.digits import ALPHA, MISSING, count, decimals_for, number, p_cell, p_value, signed
from hinterland.report.group_names import pair_id
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

TOLD = 6
"""Pairs of one grouping up to which each is put into words; of more, those that differ."""
_TESTS = (("interaction", "p_interaction"), ("stacked", "p_value"), ("permutation", "p_permutation"))

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences of one grouping by every estimator, the leading one first: rows of ``group_differences`` and of ``group_equality``."""

    by: str
    methods: tuple[str, ...]
    rows: tuple[Values, ...]
    equality: tuple[Values, ...]

    def of(self, method: str) -> tuple[Values, ...]:
        """The pairs by one estimator."""
        return tuple(r for r in self.rows if r["method"] == method)

    def equal(self, method: str) -> dict[str, float]:
        """p-values of the hypothesis that all groups are the same, by route; empty for two groups, whose difference says it."""
        found = [r for r in self.equality if r["method"] == method and (r["groups"] or 0) > 2]
        return {str(r["route"]): float(r["p_value"]) for r in found if r["p_value"] is not None}


def differences(record: Record, outcome: str) -> tuple[Differences, ...]:
    """What the record holds on ``outcome``, by grouping in its order."""
    if not record.has("group_differences") and not record.has("group_equality"):
        return ()
    head = record.headline(outcome)
    lead = "" if head is None else head.method
    pairs, joint = (_rows(record, name, outcome) for name in ("group_differences", "group_equality"))
    found = []
    for by in dict.fromkeys(r["by"] for r in (*pairs, *joint)):
        own, equal = (tuple(r for r in rows if r["by"] == by) for rows in (pairs, joint))
        methods = sorted(dict.fromkeys(r["method"] for r in (*own, *equal)), key=lambda m: m != lead)
        found.append(Differences(by, tuple(methods), own, equal))
    return tuple(found)


def _rows(record: Record, name: str, outcome: str) -> list[Values]:
    return list(record.tables[name].filter(pl.col("outcome") == outcome).iter_rows(named=True)) if record.has(name) else []


def difference_blocks(record: Record, speaker: Speaker, outcome: str, significant: Mapping[tuple[str, str], bool]) -> tuple[Block, ...]:
    """Words and table on every difference; ``significant`` says of each group and estimator whether its own effect stands out."""
    found = differences(record, outcome)
    if not found:
        return ()
    intro = say("het.intro", table=Ref("table", "differences"), figure=Ref("figure", "subgroups"))
    said = [Prose(told) for d in found if (told := sentences(record, d, significant))]
    return Heading(speaker.ui("heading.differences")), Prose((intro,)), *said, difference_table(record, speaker, outcome, found)


def sentences(record: Record, found: Differences, significant: Mapping[tuple[str, str], bool]) -> tuple[Sentence, ...]:
    """What the leading estimator says of every pair, and of all groups together."""
    method = found.methods[0]
    rows = found.of(method)
    shown = rows if len(rows) <= TOLD else [r for r in rows if differs(r)]
    said = [s for r in shown for s in pair_sentences(record, r, len(rows), significant)]
    equal = found.equal(method)
    if equal:
        rejected = min(equal.values()) < ALPHA
        tests = Listed(tuple(say(f"het.p_{route}", p=p_value(p)) for route, p in equal.items()))
        groups = max(int(r["groups"]) for r in found.equality if r["method"] == method)
        said.append(say("het.equal_rejected" if rejected else "het.equal_kept", n=count(groups), by=Name("region", found.by), tests=tests))
    return tuple(said)


def differs(row: Values) -> bool:
    """Whether the difference stands out at 5 %, by the p-value that is relied on, adjusted for the number of pairs."""
    p = row["p_adjusted"] if row["p_adjusted"] is not None else row["p_relied"]
    return p is not None and p < ALPHA


def pair_sentences(record: Record, row: Values, pairs: int, significant: Mapping[tuple[str, str], bool]) -> tuple[Sentence, ...]:
    """One difference: its size, its tests, and what may be concluded."""
    names: dict[str, Value] = {"pair": pair_of(row)}
    tests = Listed(tuple(say(f"het.p_{route}", p=p_value(row[c])) for route, c in _TESTS if row[c] is not None))
    numbers: dict[str, Value] = {
        "difference": signed(row["difference"]),
        "std_error": number(row["std_error"]),
        "method": Name("method", row["method"]),
    }
    said = [say("het.pair" if tests.items else "het.pair_untested", **names, **numbers, tests=tests)]
    if row["few"]:
        said.append(say("het.few" if row["relied"] else "het.few_none"))
    if row["relied"] is None:
        return tuple(said)
    if pairs > 1:
        said.append(say("het.adjusted", n=count(pairs), p=p_value(row["p_adjusted"])))
    said.append(_conclusion(row))
    own = [significant.get((row[c], row["method"])) for c in ("first", "second")]
    if not differs(row) and None not in own and own[0] != own[1]:
        said.append(say("het.one_of_two"))
    return (*said, *_remarks(row), *_truth(record, row))


def interval(row: Values) -> tuple[float, float]:
    """The differences that remain possible: by permuted labels where these are relied on, else by the stacked standard error. NaN where not known."""
    ends = ("permutation_low", "permutation_high") if row["relied"] == "permutation" and row["few"] else ("conf_low", "conf_high")
    low, high = (math.nan if row[e] is None else float(row[e]) for e in ends)
    return low, high


def _conclusion(row: Values) -> Sentence:
    if differs(row):
        return say("het.differ")
    low, high = interval(row)
    if math.isfinite(low) and math.isfinite(high):
        return say("het.not_shown", low=signed(low), high=signed(high))
    return say("het.not_shown_open")


def _remarks(row: Values) -> tuple[Sentence, ...]:
    """Tests that point different ways, and labels that can hardly move."""
    said = []
    known = [row[c] for _, c in _TESTS if row[c] is not None]
    if len({p < ALPHA for p in known}) > 1:
        said.append(say("het.disagree", route=Name("het_route", row["relied"])))
    if row["assignments"] is not None and row["assignments"] < 1 / ALPHA:
        said.append(say("het.few_labellings", n=count(int(row["assignments"]))))
    return tuple(said)


def _truth(record: Record, row: Values) -> tuple[Sentence, ...]:
    """The true difference, in a simulated world that has one."""
    value = true_difference(record, row)
    if value is None:
        return ()
    low, high = interval(row)
    known = math.isfinite(low) or math.isfinite(high)
    holds = not (value < low or value > high)
    key = "het.truth" if not known else "het.truth_inside" if holds else "het.truth_outside"
    return (say(key, truth=signed(value)),)


def true_difference(record: Record, row: Values) -> float | None:
    """The truth about Sichuan–Chongqing less elsewhere, where the record has it and the estimator aims at it."""
    if not record.has("truth") or row["by"] != "sichuan-chongqing" or row["method"] in ("twfe", "event-study", "ppml"):
        return None
    wanted = f"att/{row['outcome']}/sichuan-chongqing-difference"
    found = record.tables["truth"].filter(pl.col("parameter") == wanted)["value"].drop_nulls()
    return float(found[0]) if len(found) else None


def difference_table(record: Record, speaker: Speaker, outcome: str, found: Sequence[Differences]) -> Table:
    """One row per pair and estimator, with the p-values of every test; the equality of all groups below."""
    places = decimals_for([r["std_error"] for d in found for r in d.rows])
    body: list[Row] = []
    for d in found:
        body.append(Row((speaker.name(d.by, "region"),), "head"))
        for method in d.methods:
            body += [_pair_row(speaker, r, places) for r in d.of(method)]
            equal = d.equal(method)
            if equal:
                p = [p_cell(equal.get(route)) for route, _ in _TESTS]
                body.append(Row((speaker.ui("row.all_equal"), speaker.name(method, "method_short"), "", "", "", *p, "")))
    headings = (
        Column(speaker.ui("col.difference_of"), "left"),
        Column(speaker.ui("col.method"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("difference", "std_error", "interval")),
        *(Column(speaker.ui(f"col.p_{route}"), "right", speaker.ui("spanner.p_difference")) for route, _ in _TESTS),
        Column(speaker.ui("col.p_adjusted")),
    )
    title = speaker.ui("title.differences", outcome=Name("variable", outcome))
    return Table("differences", title, headings, tuple(body), tables.source_line(record, speaker), _notes(speaker, found))


def _pair_row(speaker: Speaker, row: Values, places: int) -> Row:
    low, high = interval(row)
    ends = (
        MISSING if math.isnan(low) and math.isnan(high) else f"[{_end(speaker, low, 'low', places)}, {_end(speaker, high, 'high', places)}]"
    )
    error = MISSING if row["std_error"] is None else f"({number(row['std_error'], places)})"
    p = [p_cell(row[c]) for _, c in _TESTS]
    cells = (number(row["difference"], places), error, ends, *p, p_cell(row["p_adjusted"]))
    return Row((pair_name(speaker, row), speaker.name(row["method"], "method_short"), *cells))


def _end(speaker: Speaker, value: float, side: str, places: int) -> str:
    return speaker.ui(f"row.open_{side}") if math.isinf(value) else number(value, places)


def pair_name(speaker: Speaker, row: Values) -> str:
    """The pair in words."""
    return speaker.value(pair_of(row))


def pair_of(row: Values) -> Name:
    """The pair, to be said in either language."""
    return Name("pair", pair_id(row["first"], row["second"]))


def _notes(speaker: Speaker, found: Sequence[Differences]) -> tuple[str, ...]:
    rows = [r for d in found for r in d.rows]
    said = [speaker.ui("note.differences")]
    if rows:
        first = rows[0]
        said.append(speaker.ui(f"note.differences_{first['period_effects']}"))
        said.append(speaker.ui(f"note.differences_{first['strata']}", draws=count(max((r["draws"] or 0) for r in rows))))
        said.append(speaker.ui("note.differences_adjusted", adjustment=Name("adjustment", str(first["adjustment"]))))
    if any(r["few"] for r in rows):
        said.append(speaker.ui("note.differences_few"))
    return tuple(said)


def few_intervals(record: Record, fit: Fit) -> tuple[float, float] | None:
    """The interval of Ferman and Pinto for a group in which few clusters are treated, where the record has one."""
    if not record.has("group_few_treated"):
        return None
    rows = record.tables["group_few_treated"].filter(
        (pl.col("outcome") == fit.outcome) & (pl.col("method") == fit.method) & (pl.col("sample") == fit.sample)
    )
    if not rows.height:
        return None
    low, high = rows.row(0, named=True)["conf_low"], rows.row(0, named=True)["conf_high"]
    return float(-math.inf if low is None else low), float(math.inf if high is None else high)
