"""Tables of what is made of several plans: the front between objectives, what is fixed and what is a choice, and what uncertain parameters change."""

from __future__ import annotations

import polars as pl

from hinterland.report.digits import MISSING, compact, share
from hinterland.report.pathway_tables import fresh, left, numbers, table
from hinterland.report.pathway_words import PlanWords
from hinterland.report.table import Heading, Row, Table

COMMITMENT = ("withdrawal", "commitment", "continuity-value", "continuity-objective", "continuity-shortfall")
"""Measures of commitment; what knowing is worth stands with the scenarios."""
VERDICTS = ("must-have", "must-avoid", "free")


def payoff(words: PlanWords) -> Table | None:
    """Every objective where each of them is best."""
    frame = words.rows("payoff")
    if not frame.height:
        return None
    aims = frame["other"].unique(maintain_order=True).to_list()
    rows = []
    for (objective,), part in frame.group_by("objective", maintain_order=True):
        by = dict(part.select("other", "value").iter_rows())
        rows.append(Row((words.said("objective", objective), words.unit(part["unit"][0]), *(compact(by.get(a)) for a in aims))))
    headings = left(words, "objective", "unit")
    headings += [Heading(words.said("objective", a) + words.sign, "right", words.speaker.ui("spanner.pathway_best")) for a in aims]
    return table(words, "payoff", headings, rows, "pathway_payoff", subtitle="")


def active(words: PlanWords) -> pl.DataFrame:
    """Points of the front in the objectives that were traded against each other; the others are only reported at each point."""
    frame = words.rows("pareto")
    return frame.drop_nulls("share") if frame.height else frame


ACROSS = 8
"""Points of a front up to which they are columns, with the names of objectives at full length beside their numbers."""


def front(words: PlanWords) -> Table | None:
    """Points of the front: every objective, and which part of the way from its best end it is; what is only reported has no part."""
    frame = words.rows("pareto")
    if not frame.height:
        return None
    traded = active(words)["objective"].unique().to_list()
    aims = frame.unique("objective", maintain_order=True).sort(~pl.col("objective").is_in(traded), maintain_order=True)
    lay = _points_across if frame["point"].n_unique() <= ACROSS else _points_down
    headings, rows = lay(words, frame, aims, traded)
    return table(words, "front", headings, rows, "pathway_front", subtitle="")


def _points_across(words: PlanWords, frame: pl.DataFrame, aims: pl.DataFrame, traded: list[str]) -> tuple[list[Heading], list[Row]]:
    """A column for each point; a row for each objective, and one for its part of the way."""
    points = frame["point"].unique(maintain_order=True).to_list()
    by = {(r["objective"], r["point"]): r for r in frame.iter_rows(named=True)}
    rows = []
    for objective, unit in aims.select("objective", "unit").iter_rows():
        cells = [_at_point(by.get((objective, p)), traded=True) for p in points]
        rows.append(Row((words.said("objective", objective), words.unit(unit), *(value for value, _ in cells))))
        if objective in traded:
            rows.append(Row(("", words.speaker.ui("col.pathway_of_range"), *(part for _, part in cells))))
    same = ["" if _distinct(frame, p) else words.speaker.ui("mark.pathway_same_point") for p in points]
    if any(same):
        rows.append(Row(("", "", *same)))
    spanner = words.speaker.ui("col.pathway_point") + words.sign
    return [*left(words, "objective", "unit"), *(Heading(str(p), "right", spanner) for p in points)], rows


def _points_down(words: PlanWords, frame: pl.DataFrame, aims: pl.DataFrame, traded: list[str]) -> tuple[list[Heading], list[Row]]:
    """A row for each point, where there are too many for columns."""
    rows = []
    for (point,), part in frame.group_by("point", maintain_order=True):
        by = {r["objective"]: r for r in part.iter_rows(named=True)}
        same = "" if _distinct(frame, point) else words.speaker.ui("mark.pathway_same_point")
        cells = [c for a in aims["objective"] for c in _at_point(by.get(a), traded=a in traded)]
        rows.append(Row((str(point), *cells, same)))
    headings = [Heading(words.speaker.ui("col.pathway_point"))]
    for objective, unit in aims.select("objective", "unit").iter_rows():
        spanner = words.speaker.ui("mark.pathway_with_unit", name=words.said("objective", objective), unit=words.unit(unit))
        headings += [Heading(words.heading(k), "right", spanner) for k in ("value", "of_range")[: 1 + (objective in traded)]]
    return [*headings, Heading("", "left")], rows


def _distinct(frame: pl.DataFrame, point: object) -> bool:
    """Whether a point differs from those before it."""
    return not frame.filter((pl.col("point") == point) & pl.col("distinct").eq_missing(pl.lit(False))).height


def _at_point(row: dict[str, object] | None, *, traded: bool) -> tuple[str, ...]:
    value, part = (None, None) if row is None else (row["value"], row["share"])
    return (compact(value), share(part, 0)) if traded else (compact(value),)


def alternatives(words: PlanWords) -> Table | None:
    """For each host and group the range that is left where the objective may be a little worse; the widest slack."""
    frame = widest(words)
    if not frame.height:
        return None
    rows = []
    for verdict in (*VERDICTS, None):
        part = frame.filter(pl.col("verdict").eq_missing(pl.lit(verdict)))
        if part.height:
            rows.append(Row((words.said("verdict", verdict or "not-proven"),), "head"))
        before = ""
        for row in part.iter_rows(named=True):
            name = words.said("host", row["host"])
            numbers_of = [compact(row[c], 3) for c in ("optimum", "low", "high")]
            rows.append(Row((fresh(name, before), words.said("group", row["group"]), str(row["year"]), *numbers_of)))
            before = name
    headings = [*left(words, "host", "group", "year"), *numbers(words, "optimum", "low", "high")]
    return table(words, "alternatives", headings, rows, "pathway_alternatives")


def widest(words: PlanWords) -> pl.DataFrame:
    """Ranges at the widest slack."""
    frame = words.rows("alternatives")
    return frame.filter(pl.col("slack") == pl.col("slack").max()).sort("host", "group", "year") if frame.height else frame


def sensitivity(words: PlanWords) -> Table | None:
    """The objective at both ends of each parameter's range: plans made again, and by prices."""
    frame = swings(words)
    if not frame.height:
        return None
    rows = []
    for row in frame.iter_rows(named=True):
        cells = [
            words.parameter(row),
            words.said("basis", row["basis"]),
            compact(row["low"], 3),
            compact(row["high"], 3),
        ]
        cells += [compact(row[c]) for c in ("exact_low", "exact_high", "first_low", "first_high")]
        rows.append(Row((*cells, words.unit(row["unit"]))))
    again, prices = (words.speaker.ui(f"spanner.pathway_{k}") for k in ("again", "prices"))
    headings = [*left(words, "parameter", "basis"), *(Heading(words.speaker.ui(f"col.pathway_{k}")) for k in ("low", "high"))]
    headings += [Heading(words.heading(k), "right", s) for s in (again, prices) for k in ("at_low", "at_high")]
    headings += left(words, "unit")
    return table(words, "sensitivity", headings, rows, "pathway_sensitivity", subtitle=words.said("objective", words.aim))


def swings(words: PlanWords) -> pl.DataFrame:
    """Parameters by how far the objective goes over their range, with the ends that are known (plans made again, else by prices)."""
    frame = words.rows("sensitivity")
    if not frame.height:
        return frame
    frame = frame.with_columns(
        at_low=pl.coalesce("exact_low", "first_low"),
        at_high=pl.coalesce("exact_high", "first_high"),
        again=pl.col("exact_low").is_not_null(),
    )
    swing = (pl.col("at_high") - pl.col("at_low")).abs()
    return frame.with_columns(swing=swing).sort("swing", "parameter", descending=[True, False], nulls_last=True, maintain_order=True)


def scenarios(words: PlanWords, name: str) -> Table | None:
    """Measures of plans under scenarios, or of commitment, within the bounds of the solver."""
    frame = words.rows(name)
    if name == "continuity" and frame.height:
        frame = frame.filter(pl.col("measure").is_in(COMMITMENT))
    if not frame.height:
        return None
    rows = []
    for row in frame.iter_rows(named=True):
        bounds = [compact(row[c]) for c in ("value", "low", "high")]
        rows.append(Row((words.said("measure", row["measure"]), *bounds, words.unit(row["unit"]), share(row["share"]))))
    headings = [
        *left(words, "measure"),
        *numbers(words, "value", "bound_low", "bound_high"),
        *left(words, "unit"),
        *numbers(words, "of_first"),
    ]
    return table(words, name, headings, rows, f"pathway_{name}", subtitle="")


def calibration(words: PlanWords) -> Table | None:
    """Parameters that were set from estimates."""
    frame = words.rows("calibration")
    if not frame.height:
        return None
    rows = []
    for row in frame.iter_rows(named=True):
        cells = [words.said("parameter", row["parameter"]), words.said("host", row["host"]) or MISSING]
        cells += [compact(row[c]) for c in ("before", "after", "estimate", "std_error")]
        rows.append(Row((*cells, words.said("basis", row["basis"]))))
    headings = [
        *left(words, "parameter", "host"),
        *(Heading(words.speaker.ui(f"col.pathway_{k}")) for k in ("before", "after", "estimate", "std_error")),
    ]
    return table(words, "calibration", [*headings, *left(words, "basis")], rows, subtitle="", decided=False)


def draws(words: PlanWords) -> Table | None:
    """Capacity over draws of the estimates behind the plan."""
    frame = words.rows("draws")
    if not frame.height:
        return None
    rows, before = [], ""
    for row in frame.iter_rows(named=True):
        name = words.said("region", row["region"])
        cells = [fresh(name, before), words.said("group", row["group"]), str(row["year"])]
        rows.append(Row((*cells, *(compact(row[c], 3) for c in ("mean", "low", "high")), share(row["share_of_draws"], 0))))
        before = name
    headings = [*left(words, "region", "group", "year"), *numbers(words, "mean", "low", "high", "share_of_draws")]
    return table(words, "draws", headings, rows, "pathway_draws")
