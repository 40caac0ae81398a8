"""Every code of a finding that the source can raise, with its severity, read from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

CARRIERS: Mapping[str, int] = {
    "Finding": 0,
    "refuse": 0,
    "ExpressionError": 0,
    "_said": 0,
    "warned": 0,
    "Contradiction": 0,
    "Guard": 1,
    "_missing_key": 2,
    "_bad_values": 99,
}
"""Callables that are given a code, and at which position."""

BUILT: Mapping[str, tuple[str, ...]] = {
    "f'unknown-{name}'": ("unknown-timing", "unknown-partial", "unknown-uncertain", "unknown-conflict"),
    "f'bad-{name}'": ("bad-until", "bad-since"),
}
"""Codes that are put together from parts, by the expression that does it."""

PASSED_ON = ("code", "guard.code", "kind.code", "self.code", "CODE")
"""Expressions that pass on a code which is written elsewhere."""

WARNING_HELPERS = ("_said", "warned")
LOCAL = {"_said": "administrative.py"}
"""Helpers whose name means something else in other modules."""


def finding_codes(source: Path) -> dict[str, set[str]]:
    """Each code with the severities it occurs with. Raises ``ValueError`` for an expression it cannot follow."""
    found: dict[str, set[str]] = {}
    for path in sorted(source.rglob("*.py")):
        for code, severity in _codes(ast.parse(path.read_text(encoding="utf-8")), path):
            found.setdefault(code, set()).add(severity)
    return found


def _codes(tree: ast.Module, path: Path) -> Iterator[tuple[str, str]]:
    nodes = [n for n in ast.walk(tree) if not (isinstance(n, ast.Call) and LOCAL.get(_name(n), path.name) != path.name)]
    passed = {n.id for node in nodes for n in _given(node) if isinstance(n, ast.Name)}
    for node in nodes:
        warning = isinstance(node, ast.Call) and (_name(node) in WARNING_HELPERS or any(_is_warning(a) for a in _arguments(node)))
        for given in _given(node):
            yield from ((code, "warning" if warning else "error") for code in _resolve(given, f"{path.name}:{getattr(node, 'lineno', 0)}"))
        yield from ((code, "error") for code in _tabled(node, nodes, passed))
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in passed for t in node.targets):
            yield from ((code, "error") for code in _resolve(node.value, f"{path.name}:{getattr(node, 'lineno', 0)}"))


def _tabled(node: ast.AST, nodes: list[ast.AST], passed: set[str]) -> Iterator[str]:
    """Codes that a loop takes, row by row, from a table that is written out."""
    if not isinstance(node, ast.For | ast.comprehension) or not isinstance(node.target, ast.Tuple):
        return
    places = [i for i, t in enumerate(node.target.elts) if isinstance(t, ast.Name) and t.id in passed]
    table: ast.AST | None = node.iter
    if isinstance(table, ast.Name):
        wanted = table.id
        table = next(
            (n.value for n in nodes if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == wanted for t in n.targets)),
            None,
        )
    if not isinstance(table, ast.Tuple | ast.List):
        return
    for row in table.elts:
        if isinstance(row, ast.Tuple):
            yield from (str(e.value) for i in places if i < len(row.elts) and isinstance(e := row.elts[i], ast.Constant))


def _given(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that stand where a code belongs."""
    if isinstance(node, ast.Call) and _name(node) in CARRIERS:
        place = CARRIERS[_name(node)]
        yield from node.args[place : place + 1] or [k.value for k in node.keywords if k.arg == "code"]
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 4:
        yield from (e for e in node.value.elts[1:2] if isinstance(e, ast.Constant) or (isinstance(e, ast.Name) and e.id == "CODE"))


def _name(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(k.value for k in node.keywords)]


def _is_warning(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "warning"


def _resolve(node: ast.expr, where: str) -> tuple[str, ...]:
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    if isinstance(node, ast.IfExp):
        return (*_resolve(node.body, where), *_resolve(node.orelse, where))
    text = ast.unparse(node)
    if text in BUILT:
        return BUILT[text]
    if text in PASSED_ON:
        return ()
    raise ValueError(f"{where}: the code {text} cannot be followed; add it to BUILT or PASSED_ON")
