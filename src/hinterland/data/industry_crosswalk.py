"""Cells from one edition of GB/T 4754 to another, and from one level to a coarser one.

The concordance says which classes share activities, not how much of each. A class that became several is divided by weights: equal ones,
or the caller's (of the shares in a year coded both ways). Every result with a divided part says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from hinterland.data.combine import Converted, Plan, combined, plan_findings
from hinterland.data.industry import (
    LEVELS,
    at_level,
    fail_if_level_unknown,
    fail_if_standard_unknown,
    industry_classes,
    known_codes,
)
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed

Unknown = Literal["error", "report"]


def convert_industry(
    frame: pl.DataFrame,
    *,
    from_: str,
    to: str,
    values: Sequence[str],
    column: str = "industry",
    by: Sequence[str] = ("region", "time"),
    level: str = "class",
    weights: pl.DataFrame | None = None,
    state: str | None = None,
    missing: str = "null",
    unknown: str = "error",
) -> Converted:
    """Cells coded by one edition of the classification, coded by another.

    Args:
        frame: one row per cell of ``column`` × ``by``. A cell that has no row adds nothing.
        from_, to: editions: ``2002``, ``2011``, ``2017``.
        values: columns that can be added up and divided (sums, counts; not rates, not sums of squares).
        column: of the codes; blanks and one lost leading zero are mended.
        by: the other keys.
        level: of the codes: ``class``, ``group``, ``division`` or ``section``. Above classes, a code is divided as its classes are, each
            class weighing the same.
        weights: ``from``, ``to``, ``weight``: shares of a code's values that go to each successor; codes that it does not name are divided
            equally.
        state: column that says ``observed``, ``missing`` or ``suppressed``; a sum has the state of its worst part.
        missing: ``null`` (a sum of some parts is not the sum) or ``skip`` (add what is observed; ``v_coverage`` says how much that is).
        unknown: what happens to codes that the edition does not have: ``error``, or ``report`` (left out, in ``unmatched``).

    Raises:
        InputError: unknown codes with their cells, columns, editions, levels; weights that are no shares; all problems at once.
    """
    for edition, argument in ((from_, "from_"), (to, "to")):
        fail_if_standard_unknown(edition, argument)
    fail_if_level_unknown(level)
    plan = Plan(column, tuple(by), tuple(values), state, missing)
    findings = [*plan_findings(frame, plan), *_unknown_rule(unknown)]
    pairs = industry_pairs(from_, to, level)
    if weights is not None:
        findings += _weight_findings(weights, pairs)
    fail_if_any(findings, "converting industries", InputError)
    if weights is not None:
        pairs = _weighted(pairs, weights)
    return _converted(mended(frame, column, level), pairs, plan, unknown, f"GB/T 4754-{from_}")


def aggregate_industry(
    frame: pl.DataFrame,
    *,
    level: str,
    standard: str,
    values: Sequence[str],
    column: str = "industry",
    from_level: str = "class",
    by: Sequence[str] = ("region", "time"),
    state: str | None = None,
    missing: str = "null",
    unknown: str = "error",
) -> Converted:
    """Cells of a finer level (``from_level``) added up to ``level``: classes 小类, groups 中类, divisions 大类, sections 门类.

    The other arguments are those of :func:`convert_industry`.

    Raises:
        InputError: unknown codes with their cells, columns, editions, levels; a level that is finer than that of the codes.
    """
    fail_if_standard_unknown(standard)
    for name, argument in ((level, "level"), (from_level, "from_level")):
        fail_if_level_unknown(name, argument)
    plan = Plan(column, tuple(by), tuple(values), state, missing)
    findings = [*plan_findings(frame, plan), *_unknown_rule(unknown)]
    if LEVELS[level] > LEVELS[from_level]:
        what = f"level {level!r} is finer than the codes, which are of level {from_level!r}"
        findings.append(Finding("unknown-level", what, "argument level", "ask for a coarser level"))
    fail_if_any(findings, "aggregating industries", InputError)
    codes = pl.Series("from", sorted(known_codes(standard, from_level)))
    upper = codes if level == from_level else at_level(codes, level, standard)
    pairs = pl.DataFrame([codes, upper.alias("to")]).with_columns(weight=pl.lit(1.0), split=pl.lit(value=False))
    return _converted(mended(frame, column, from_level), pairs, plan, unknown, f"GB/T 4754-{standard}")


def industry_pairs(from_: str, to: str, level: str = "class") -> pl.DataFrame:
    """The concordance of two editions at a level: ``from``, ``to``, ``weight`` (equal over a class's successors), ``split``.

    ``split`` marks codes with several successors. Weights of a code add up to one. Raises ``InputError`` for unknown editions or levels.
    """
    fail_if_standard_unknown(from_, "from_")
    fail_if_standard_unknown(to, "to")
    fail_if_level_unknown(level)
    classes = industry_classes().select(pl.col(f"gb{from_}").alias("a"), pl.col(f"gb{to}").alias("b")).unique().sort("a", "b")
    classes = classes.with_columns(weight=1.0 / pl.len().over("a"))
    raised = classes.with_columns(at_level(classes["a"], level, from_).alias("from"), at_level(classes["b"], level, to).alias("to"))
    pairs = raised.group_by("from", "to").agg(pl.col("weight").sum()).sort("from", "to")
    return pairs.with_columns(weight=pl.col("weight") / pl.col("weight").sum().over("from"), split=pl.len().over("from") > 1)


def mended(frame: pl.DataFrame, column: str, level: str) -> pl.DataFrame:
    """Codes as text of the level's length: without blanks and decimals, with a leading zero that was lost."""
    text = pl.col(column).cast(pl.String).str.normalize("NFKC").str.replace_all(r"\s", "").str.replace(r"^(\d+)\.0+$", "${1}")
    if level != "section":
        length = LEVELS[level]
        text = pl.when(text.str.contains(rf"^\d{{{length - 1}}}$")).then("0" + text).otherwise(text)
    return frame.with_columns(text.alias(column))


def _unknown_rule(unknown: str) -> list[Finding]:
    rules = ("error", "report")
    return (
        [] if unknown in rules else [Finding("unknown-value", f"unknown is {unknown!r}", "argument unknown", did_you_mean(unknown, rules))]
    )


def _converted(frame: pl.DataFrame, pairs: pl.DataFrame, plan: Plan, unknown: str, edition: str) -> Converted:
    known = pl.col(plan.column).is_in(pairs["from"].to_list()).fill_null(value=False)
    lost, findings = frame.filter(~known), []
    if lost.height:
        findings.append(_absent(lost, plan, unknown, edition))
        fail_if_any(findings, "converting industries", InputError)
    cells = frame.filter(known)
    used = pairs.filter(pl.col("split") & pl.col("from").is_in(cells[plan.column].unique().to_list()))
    if used.height:
        names = used["from"].unique(maintain_order=True).to_list()
        what = f"{len(names)} code(s) of {edition} have several successors, and their cells are divided"
        remedy = "read cells marked split with care, or give weights from a year that is coded both ways"
        findings.append(Finding("industry-split", what, listed(names, 10), remedy, "warning"))
    return Converted(combined(cells, pairs, plan), used.select("from", "to", "weight"), lost, tuple(findings))


def _absent(lost: pl.DataFrame, plan: Plan, unknown: str, edition: str) -> Finding:
    codes = lost[plan.column].unique().sort().to_list()
    cells = listed((" ".join(str(v) for v in row) for row in lost.select(plan.column, *plan.by).head(6).iter_rows()), 5)
    what = f"{len(codes)} code(s) are not in {edition}: {listed(codes)}; {lost.height} cell(s)"
    remedy = "correct them, name the edition that has them, or leave them out with unknown='report'"
    if unknown == "report":
        return Finding("industry-absent", what, f"cells {cells}", remedy, "warning")
    return Finding("industry-absent", what, f"cells {cells}", remedy)


def _weight_findings(weights: pl.DataFrame, pairs: pl.DataFrame) -> list[Finding]:
    """Weights that are no shares: columns, signs, sums, and pairs that the concordance does not have."""
    lacking = [c for c in ("from", "to", "weight") if c not in weights.columns]
    if lacking:
        return [Finding("unknown-column", f"weights have no column {listed(lacking)}", "argument weights", "name them from, to and weight")]
    where, found = "argument weights", []
    number = pl.col("weight").cast(pl.Float64)
    bad = weights.filter(number.is_null() | ~number.is_finite() | (number < 0))
    if bad.height:
        found.append(Finding("bad-weight", f"weights of {_pairs(bad)} are negative, infinite or missing", where, "give shares of 0 to 1"))
    strange = weights.join(pairs, on=["from", "to"], how="anti")
    if strange.height:
        found.append(
            Finding("pair-unknown", f"the concordance does not lead from {_pairs(strange)}", where, "correct the codes or the level")
        )
    sums = weights.group_by("from").agg(number.sum().alias("sum")).filter((pl.col("sum") - 1.0).abs() > 1e-6).sort("from")
    if sums.height:
        shown = listed(f"{code}: {total:.6g}" for code, total in sums.iter_rows())
        found.append(
            Finding("weights-not-one", f"weights of {sums.height} code(s) do not add up to one ({shown})", where, "make them shares")
        )
    return found


def _pairs(frame: pl.DataFrame) -> str:
    return listed(f"{a} to {b}" for a, b in frame.select("from", "to").head(6).iter_rows())


def _weighted(pairs: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """The caller's weights where there are any, normed exactly; a code that goes to one successor only is not split."""
    given = weights.select("from", "to", pl.col("weight").cast(pl.Float64)).filter(pl.col("weight") > 0)
    given = given.with_columns(weight=pl.col("weight") / pl.col("weight").sum().over("from"), split=pl.len().over("from") > 1)
    return pl.concat([pairs.join(given, on="from", how="anti"), given]).sort("from", "to")
