"""A small, safe expression language, parsed with :mod:`ast` and compiled to polars expressions.

Numbers, ``"text"``, column names (Chinese ones too; odd ones in backticks), ``+ - * / ** %``, comparisons (chained too),
``in (…)``, ``and or not`` or ``& | ~``, and the functions of :mod:`hinterland.data.functions`. Nothing else is accepted:
no attributes, no indexing, no calls of anything else. A missing value in any operand makes the result missing.
"""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from hinterland.errors import Finding, did_you_mean

NUMBER, BOOLEAN, TEXT = "number", "truth value", "text"
_MARK = "ˑ"


class ExpressionError(Exception):
    """What is wrong with one formula; :func:`hinterland.data.derive.derive` turns it into a finding."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.code, self.what, self.remedy = code, what, remedy

    def finding(self, where: str) -> Finding:
        """The finding, at ``where``."""
        return Finding(self.code, self.what, where, self.remedy)


@dataclass(frozen=True, slots=True)
class Guard:
    """Rows where a part of a formula has no finite value: ``bad`` is true there."""

    bad: pl.Expr
    code: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A polars expression, the kind of its values, and the rows it is not defined on."""

    expr: pl.Expr
    kind: str
    guards: tuple[Guard, ...] = ()
    literal: float | str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean: the kind of each column, and the columns of unit and period that lags need."""

    kinds: Mapping[str, str]
    unit: str
    time: str


Function = Callable[[Sequence[Compiled], Mapping[str, Compiled], Scope], Compiled]


def parse(formula: str) -> tuple[ast.expr, Mapping[str, str]]:
    """The syntax tree of ``formula``, and the column behind each placeholder of a backticked name.

    Raises:
        ExpressionError: the formula is not an expression.
    """
    quoted: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        if match["name"] is None:
            return match[0]
        key = f"{_MARK}{len(quoted)}"
        quoted[key] = match["name"]
        return key

    code = re.sub(r"\"[^\"]*\"|'[^']*'|`(?P<name>[^`]*)`", placeholder, formula).strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return ast.parse(code, mode="eval").body, quoted
    except SyntaxError as error:
        at = f" near character {error.offset}" if error.offset and not quoted else ""
        remedy = "write an expression such as log1p(inventions) or gdp / population; put odd column names in `backticks`"
        raise ExpressionError("formula-syntax", f"{formula!r} cannot be read{at}: {error.msg}", remedy) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(
            "formula-syntax", f"{formula[:60]!r} cannot be read: {error}", "write a shorter expression without odd characters"
        ) from error


def names_in(tree: ast.expr, quoted: Mapping[str, str]) -> tuple[str, ...]:
    """The column names that a formula uses, in order, names of functions left out."""
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions]
    return tuple(dict.fromkeys(quoted.get(n.id, n.id) for n in nodes))


def match_name(name: str, choices: Sequence[str] | Mapping[str, str]) -> str | None:
    """The column called ``name``; Python reads full-width letters as plain ones, so equality is after NFKC."""
    if name in choices:
        return name
    plain = unicodedata.normalize("NFKC", name)
    return next((c for c in choices if unicodedata.normalize("NFKC", c) == plain), None)


def compile_tree(tree: ast.expr, quoted: Mapping[str, str], scope: Scope, functions: Mapping[str, Function]) -> Compiled:
    """The polars expression of a syntax tree.

    Raises:
        ExpressionError: unknown name or function, a construct outside the language, operands of the wrong kind.
    """
    try:
        return _Compiler(quoted, scope, functions).visit(tree)
    except RecursionError as error:
        raise ExpressionError("formula-syntax", "the formula is nested too deeply", "split it into several derived columns") from error


@dataclass(frozen=True, slots=True)
class _Compiler:
    quoted: Mapping[str, str]
    scope: Scope
    functions: Mapping[str, Function]

    def visit(self, node: ast.expr) -> Compiled:
        match node:
            case ast.Constant():
                return _constant(node.value)
            case ast.Name():
                return self.name(self.quoted.get(node.id, node.id))
            case ast.UnaryOp():
                return _unary(node.op, self.visit(node.operand))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return self.bitwise(node)
            case ast.BinOp():
                return _arithmetic(node.op, self.visit(node.left), self.visit(node.right))
            case ast.BoolOp():
                parts = [as_boolean(self.visit(v), "and / or") for v in node.values]
                return _logical(isinstance(node.op, ast.And), parts)
            case ast.Compare():
                return self.compare(node)
            case ast.Call(func=ast.Name()):
                return self.call(node)
        construct = type(node).__name__
        raise ExpressionError(
            "formula-construct",
            f"{ast.unparse(node)!r} ({construct}) is not part of the formula language",
            "use names, numbers, operators and the listed functions",
        )

    def name(self, name: str) -> Compiled:
        found = match_name(name, self.scope.kinds)
        if found is None:
            raise ExpressionError("unknown-column", f"there is no column {name!r}", did_you_mean(name, self.scope.kinds))
        kind = self.scope.kinds[found]
        return Compiled(pl.col(found).cast(pl.Float64) if kind == NUMBER else pl.col(found), kind)

    def bitwise(self, node: ast.BinOp) -> Compiled:
        sides = [self.visit(node.left), self.visit(node.right)]
        sign = "&" if isinstance(node.op, ast.BitAnd) else "|"
        if any(s.kind != BOOLEAN and s.literal is not None for s in sides):
            raise ExpressionError(
                "formula-kind",
                f"{sign} binds more tightly than a comparison in {ast.unparse(node)!r}",
                f"put the comparisons in parentheses: (a > 1) {sign} (b < 2)",
            )
        return _logical(sign == "&", [as_boolean(s, sign) for s in sides])

    def compare(self, node: ast.Compare) -> Compiled:
        parts, left = [], node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                parts.append(self.member(self.visit(left), right, negate=isinstance(op, ast.NotIn)))
            else:
                parts.append(_comparison(op, self.visit(left), self.visit(right)))
            left = right
        return parts[0] if len(parts) == 1 else _logical(all_of=True, parts=parts)

    def member(self, left: Compiled, right: ast.expr, *, negate: bool) -> Compiled:
        if not isinstance(right, ast.Tuple | ast.List):
            raise ExpressionError("formula-construct", "'in' needs a list of values in parentheses", 'write x in ("a", "b")')
        values = [self.visit(v) for v in right.elts]
        if any(v.literal is None or v.kind != left.kind for v in values):
            raise ExpressionError(
                "formula-kind",
                f"'in' compares {left.kind} with other things in {ast.unparse(right)!r}",
                "list plain values of the same kind as the column",
            )
        expr = left.expr.is_in([v.literal for v in values])
        return Compiled(~expr if negate else expr, BOOLEAN, left.guards)

    def call(self, node: ast.Call) -> Compiled:
        name = node.func.id  # type: ignore[attr-defined]  # matched as ast.Name
        if name not in self.functions:
            what = f"there is no function {name!r}"
            raise ExpressionError("unknown-function", what, did_you_mean(name, self.functions))
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise ExpressionError("formula-construct", f"{name}() does not take starred arguments", "write out each argument")
        args = [self.visit(a) for a in node.args]
        options = {str(k.arg): self.visit(k.value) for k in node.keywords}
        return self.functions[name](args, options, self.scope)


def _constant(value: object) -> Compiled:
    if isinstance(value, bool):
        return Compiled(pl.lit(value), BOOLEAN, literal=float(value))
    if isinstance(value, int | float) and abs(value) < 1e300:
        return Compiled(pl.lit(float(value)), NUMBER, literal=float(value))
    if isinstance(value, str):
        return Compiled(pl.lit(value), TEXT, literal=value)
    if value is None:
        return Compiled(pl.lit(None, dtype=pl.Float64), NUMBER)
    raise ExpressionError("formula-construct", f"the constant {value!r} is not part of the formula language", "use numbers and text")


def as_number(value: Compiled, what: str) -> Compiled:
    """``value`` as numbers: truth values become 0 and 1. Raises ``ExpressionError`` for text."""
    if value.kind == BOOLEAN:
        return Compiled(value.expr.cast(pl.Float64), NUMBER, value.guards, value.literal)
    if value.kind == TEXT:
        raise ExpressionError(
            "formula-kind", f"{what} needs numbers, but is given text", "name a numeric column, or list the column in numeric when reading"
        )
    return value


def as_boolean(value: Compiled, what: str) -> Compiled:
    """``value`` as truth values: numbers are true unless 0. Raises ``ExpressionError`` for text."""
    if value.kind == NUMBER:
        return Compiled(value.expr != 0, BOOLEAN, value.guards)
    if value.kind == TEXT:
        raise ExpressionError(
            "formula-kind", f"{what} needs conditions, but is given text", 'write a comparison, such as province == "安徽省"'
        )
    return value


def _unary(op: ast.unaryop, value: Compiled) -> Compiled:
    if isinstance(op, ast.Not | ast.Invert):
        return Compiled(~as_boolean(value, "not").expr, BOOLEAN, value.guards)
    number = as_number(value, "a sign")
    if isinstance(op, ast.UAdd):
        return number
    return Compiled(-number.expr, NUMBER, number.guards, None if not isinstance(number.literal, float) else -number.literal)


def _logical(all_of: bool, parts: Sequence[Compiled]) -> Compiled:  # and / or
    expr = reduce((lambda a, b: a & b) if all_of else (lambda a, b: a | b), [p.expr for p in parts])
    return Compiled(expr, BOOLEAN, tuple(g for p in parts for g in p.guards))


def _comparison(op: ast.cmpop, left: Compiled, right: Compiled) -> Compiled:
    if (left.kind == TEXT) != (right.kind == TEXT):
        number = left if right.kind == TEXT else right
        shown = f"{number.literal:g}" if isinstance(number.literal, float) else "the number"
        raise ExpressionError(
            "formula-kind", "a comparison sets text beside a number", f'write both as text ("{shown}") or both as numbers'
        )
    a, b = (left.expr, right.expr) if TEXT in (left.kind, right.kind) else (as_number(left, "").expr, as_number(right, "").expr)
    table: dict[type[ast.cmpop], Callable[[], pl.Expr]] = {
        ast.Eq: lambda: a == b,
        ast.NotEq: lambda: a != b,
        ast.Lt: lambda: a < b,
        ast.LtE: lambda: a <= b,
        ast.Gt: lambda: a > b,
        ast.GtE: lambda: a >= b,
    }
    if type(op) not in table:
        raise ExpressionError("formula-construct", "'is' is not part of the formula language", "write == or isnull(x)")
    return Compiled(table[type(op)](), BOOLEAN, (*left.guards, *right.guards))


def _arithmetic(op: ast.operator, left: Compiled, right: Compiled) -> Compiled:
    if isinstance(op, ast.BitXor):
        raise ExpressionError("formula-construct", "^ is not a power here", "write ** for a power")
    a, b = as_number(left, "arithmetic"), as_number(right, "arithmetic")
    guards = (*a.guards, *b.guards)
    match op:
        case ast.Add():
            expr = a.expr + b.expr
        case ast.Sub():
            expr = a.expr - b.expr
        case ast.Mult():
            expr = a.expr * b.expr
        case ast.Div() | ast.Mod() | ast.FloorDiv():
            guards = (
                *guards,
                Guard(b.expr == 0, "division-by-zero", "division by zero", "write where(x == 0, None, y / x), or leave the rows out"),
            )
            expr = a.expr / b.expr if isinstance(op, ast.Div) else a.expr % b.expr if isinstance(op, ast.Mod) else a.expr // b.expr
        case ast.Pow():
            expr = a.expr.pow(b.expr)
        case _:
            raise ExpressionError(
                "formula-construct", f"operator {type(op).__name__} is not part of the formula language", "use + - * / ** %"
            )
    return Compiled(expr, NUMBER, guards)
