"""Derived columns: formulas in a small, safe language, every problem of all of them reported at once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

import polars as pl

from hinterland.data.expressions import (
    BOOLEAN,
    NUMBER,
    TEXT,
    Compiled,
    ExpressionError,
    Guard,
    Scope,
    compile_tree,
    match_name,
    names_in,
    parse,
)
from hinterland.data.functions import FUNCTIONS
from hinterland.data.panel import Column, Panel
from hinterland.data.table import some
from hinterland.errors import Finding, PanelError, did_you_mean, fail_if_any

__all__ = ["FUNCTIONS", "derive"]


@dataclass(frozen=True, slots=True)
class _Formula:
    name: str
    text: str
    tree: ast.expr
    quoted: Mapping[str, str]
    uses: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.name} = {self.text!r}"


def derive(panel: Panel, formulas: Mapping[str, str]) -> Panel:
    """Add a column per formula, such as ``{"ln_inventions": "log1p(inventions)"}``.

    Formulas may use columns of the panel and one another, in any order. :mod:`hinterland.data.expressions` describes the
    language and :data:`FUNCTIONS` its functions; ``lag``, ``lead``, ``diff`` and ``growth`` look up the period by its
    value, so that a gap gives a missing value and not the row before. Comparisons give 1 and 0. A missing value in any
    operand makes the result missing.

    Raises:
        PanelError: names already taken, unknown names and functions, syntax, formulas that refer to one another in a
            circle, and rows in which a formula has no finite value (logarithm of 0, division by 0).
    """
    findings = _fail_if_taken(panel, formulas)
    parsed, said = _parse_all(formulas)
    order, cyclic = _in_order(parsed, panel.frame.columns)
    findings += [*said, *cyclic]
    broken = set(formulas) - set(parsed)
    frame, columns = panel.frame, dict(panel.columns)
    for name in order:
        formula = parsed[name]
        if any(match_name(used, list(broken)) for used in formula.uses if used not in panel.frame.columns):
            broken.add(name)
            continue
        series, problems = _evaluate(formula, panel, frame, tuple(formulas))
        findings += problems
        if series is None:
            broken.add(name)
            continue
        frame = frame.with_columns(series)
        columns[name] = Column(f"derived: {formula.text}")
    fail_if_any(findings, "derived columns", PanelError)
    return replace(panel, frame=frame, columns=columns)


def _fail_if_taken(panel: Panel, formulas: Mapping[str, str]) -> list[Finding]:
    return [
        Finding(
            "column-taken",
            f"the panel already has a column {name!r}",
            f"{name} = {formulas[name]!r}",
            "give the derived column a name of its own",
        )
        for name in formulas
        if name in panel.frame.columns
    ]


def _parse_all(formulas: Mapping[str, object]) -> tuple[dict[str, _Formula], list[Finding]]:
    parsed, findings = {}, []
    for name, text in formulas.items():
        if not isinstance(text, str):
            findings.append(
                Finding("formula-syntax", f"the formula of {name!r} is {text!r}, not text", name, 'write it in quotes: "log1p(x)"')
            )
            continue
        try:
            tree, quoted = parse(text)
        except ExpressionError as error:
            findings.append(error.finding(f"{name} = {text!r}"))
            continue
        parsed[name] = _Formula(name, text, tree, quoted, names_in(tree, quoted))
    return parsed, findings


def _in_order(parsed: Mapping[str, _Formula], have: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """Names in an order in which each comes after what it uses; those in a circle are left out and reported."""
    taken = set(have)
    waiting = {name: {u for u in f.uses if u in parsed and u not in taken} for name, f in parsed.items() if name not in taken}
    findings: list[Finding] = []
    while True:
        try:
            return list(TopologicalSorter(waiting).static_order()), findings
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]
            remedy = "write one of them with columns of the panel only"
            findings.append(
                Finding(
                    "formula-circle", f"formulas refer to one another in a circle: {' → '.join(circle)}", parsed[circle[0]].where, remedy
                )
            )
            lost = set(circle)
            while more := {n for n, uses in waiting.items() if uses & lost} - lost:
                lost |= more
            waiting = {n: uses for n, uses in waiting.items() if n not in lost}


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return NUMBER
    return BOOLEAN if dtype == pl.Boolean else TEXT


def _evaluate(formula: _Formula, panel: Panel, frame: pl.DataFrame, derived: Sequence[str]) -> tuple[pl.Series | None, list[Finding]]:
    scope = Scope({n: _kind(t) for n, t in frame.schema.items()}, panel.unit, panel.time)
    unknown = [n for n in formula.uses if match_name(n, scope.kinds) is None]
    if unknown:
        choices = dict.fromkeys([*scope.kinds, *derived])
        return None, [Finding("unknown-column", f"there is no column {n!r}", formula.where, did_you_mean(n, choices)) for n in unknown]
    try:
        compiled = compile_tree(formula.tree, formula.quoted, scope, FUNCTIONS)
    except ExpressionError as error:
        return None, [error.finding(formula.where)]
    guards = [f for f in (_guarded(g, formula, panel, frame) for g in compiled.guards) if f is not None]
    if guards:
        return None, guards
    series = frame.select(_stored(compiled).alias(formula.name)).to_series()
    series = series if len(series) == frame.height else series.new_from_index(0, frame.height)
    return series, _not_finite(series, formula, panel, frame)


def _stored(compiled: Compiled) -> pl.Expr:
    return compiled.expr.cast(pl.Int8) if compiled.kind == BOOLEAN else compiled.expr


def _guarded(guard: Guard, formula: _Formula, panel: Panel, frame: pl.DataFrame) -> Finding | None:
    bad = frame.select(guard.bad.fill_null(value=False).alias("bad")).to_series()
    if not bad.any():
        return None
    at = (bad if len(bad) == frame.height else bad.new_from_index(0, frame.height)).arg_true()
    return Finding(guard.code, f"{guard.what} in {len(at)} row(s): {_cells(panel, frame, at)}", formula.where, guard.remedy)


def _not_finite(series: pl.Series, formula: _Formula, panel: Panel, frame: pl.DataFrame) -> list[Finding]:
    if not series.dtype.is_float():
        return []
    at = (~series.is_finite()).fill_null(value=False).arg_true()
    if not len(at):
        return []
    what = f"the result is not a finite number in {len(at)} row(s): {_cells(panel, frame, at)}"
    return [
        Finding("not-finite", what, formula.where, "check the values of these rows; exp and ** overflow, a constant cannot be standardised")
    ]


def _cells(panel: Panel, frame: pl.DataFrame, at: pl.Series) -> str:
    labels = frame.select(pl.format("{} {}", panel.unit, panel.time)).to_series()
    return some(labels, at).replace("'", "")
