"""The functions of the formula language, by name.

Element by element: ``log log1p exp sqrt abs asinh floor round sign min max clip where isnull coalesce``.
Within a unit, by the value of the period: ``lag lead diff growth at chain first_period``. Of dates: ``year``. Over the panel or groups: ``mean sum_by mean_by
standardise winsorise rank``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from hinterland.data.expressions import BOOLEAN, NUMBER, TEXT, Compiled, ExpressionError, Function, Guard, Scope, as_boolean, as_number

_MAX_LAG = 50


def _signature(
    name: str, needed: Sequence[str], optional: Mapping[str, float], args: Sequence[Compiled], options: Mapping[str, Compiled]
) -> list[Compiled]:
    """Bind arguments to parameters. Raises ``ExpressionError`` when they do not fit."""
    parameters = [*needed, *optional]
    usage = f"{name}({', '.join([*needed, *(f'{k}={v:g}' for k, v in optional.items())])})"
    unknown = [k for k in options if k not in parameters]
    bound = dict(zip(parameters, args, strict=False))
    if len(args) > len(parameters) or unknown or set(bound) & set(options):
        raise ExpressionError("formula-arguments", f"{name}() is given arguments it does not take", f"write {usage}")
    bound |= options
    missing = [k for k in needed if k not in bound]
    if missing:
        raise ExpressionError("formula-arguments", f"{name}() lacks {', '.join(missing)}", f"write {usage}")
    default = {k: Compiled(pl.lit(v), NUMBER, literal=v) for k, v in optional.items()}
    return [bound[k] if k in bound else default[k] for k in parameters]


def _literal(name: str, parameter: str, value: Compiled) -> float:
    if not isinstance(value.literal, float) or value.kind != NUMBER:
        raise ExpressionError("formula-arguments", f"{parameter} of {name}() must be a plain number", f"write a number for {parameter}")
    return value.literal


def _elementwise(name: str, apply: Callable[[pl.Expr], pl.Expr], guard: Callable[[pl.Expr], Guard] | None = None) -> Function:
    def function(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
        (x,) = _signature(name, ["x"], {}, args, options)
        x = as_number(x, f"{name}()")
        return Compiled(apply(x.expr), NUMBER, (*x.guards, *([guard(x.expr)] if guard else [])))

    return function


def _log_guard(x: pl.Expr) -> Guard:
    return Guard(
        x <= 0,
        "log-of-nonpositive",
        "log of zero or of a negative number (-inf or undefined)",
        'use log1p or asinh, or model the count itself (family = "poisson")',
    )


def _log1p_guard(x: pl.Expr) -> Guard:
    return Guard(x <= -1, "log-of-nonpositive", "log1p of a number ≤ -1 (-inf or undefined)", "correct the negative values, or use asinh")


def _sqrt_guard(x: pl.Expr) -> Guard:
    return Guard(x < 0, "sqrt-of-negative", "square root of a negative number", "correct the values, or write where(x < 0, None, sqrt(x))")


def _extreme(name: str, combine: Callable[[Sequence[pl.Expr]], pl.Expr]) -> Function:
    def function(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
        if len(args) < 2 or options:
            raise ExpressionError("formula-arguments", f"{name}() compares two or more values row by row", f"write {name}(a, b)")
        values = [as_number(a, f"{name}()") for a in args]
        expr = pl.when(pl.all_horizontal(v.expr.is_not_null() for v in values)).then(combine([v.expr for v in values]))
        return Compiled(expr, NUMBER, tuple(g for v in values for g in v.guards))

    return function


def _clip(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    x, lo, hi = _signature("clip", ["x", "lo", "hi"], {}, args, options)
    x = as_number(x, "clip()")
    low, high = _literal("clip", "lo", lo), _literal("clip", "hi", hi)
    if low > high:
        raise ExpressionError("formula-arguments", f"clip() is given bounds {low:g} > {high:g}", "give the lower bound first")
    return Compiled(x.expr.clip(low, high), NUMBER, x.guards)


def _winsorise(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    """Values beyond the quantiles ``lo`` and ``hi`` of the whole column (linear interpolation) are set to them."""
    x, lo, hi = _signature("winsorise", ["x"], {"lo": 0.01, "hi": 0.99}, args, options)
    x = as_number(x, "winsorise()")
    low, high = _literal("winsorise", "lo", lo), _literal("winsorise", "hi", hi)
    if not 0 <= low < high <= 1:
        raise ExpressionError(
            "formula-arguments", f"winsorise() is given shares {low:g} and {high:g}", "give two shares of the rows, such as 0.01 and 0.99"
        )
    bounds = x.expr.quantile(low, "linear"), x.expr.quantile(high, "linear")
    return Compiled(x.expr.clip(*bounds), NUMBER, x.guards)


def _where(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    cond, yes, no = _signature("where", ["condition", "yes", "no"], {}, args, options)
    cond = as_boolean(cond, "where()")
    if TEXT in (yes.kind, no.kind) and yes.kind != no.kind:
        raise ExpressionError(
            "formula-kind", "where() would give text in some rows and numbers in others", "give both values the same kind"
        )
    kind = yes.kind if yes.kind == no.kind else NUMBER
    a, b = (yes, no) if yes.kind == no.kind else (as_number(yes, "where()"), as_number(no, "where()"))
    expr = pl.when(cond.expr).then(a.expr).when(~cond.expr).then(b.expr)
    guards = [replace(g, bad=g.bad & cond.expr) for g in a.guards] + [replace(g, bad=g.bad & ~cond.expr) for g in b.guards]
    return Compiled(expr, kind, (*cond.guards, *guards))


def _isnull(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    (x,) = _signature("isnull", ["x"], {}, args, options)
    return Compiled(x.expr.is_null(), BOOLEAN, x.guards)


def _coalesce(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    if len(args) < 2 or options or len({a.kind for a in args}) > 1:
        raise ExpressionError("formula-arguments", "coalesce() takes two or more values of one kind", "write coalesce(a, b)")
    return Compiled(pl.coalesce([a.expr for a in args]), args[0].kind, tuple(g for a in args for g in a.guards))


def _shifted(x: pl.Expr, periods: int, scope: Scope) -> pl.Expr:
    """``x`` of the same unit ``periods`` earlier, by the value of the period: the rows are sorted by unit and period."""
    step = 1 if periods > 0 else -1
    found = [
        pl.when((pl.col(scope.unit).shift(j) == pl.col(scope.unit)) & (pl.col(scope.time).shift(j) == pl.col(scope.time) - periods)).then(
            x.shift(j)
        )
        for j in range(step, periods + step, step)
    ]
    return pl.coalesce(found)


def _whole(name: str, value: Compiled) -> int:
    k = _literal(name, "k", value)
    if k != int(k) or not 1 <= k <= _MAX_LAG:
        raise ExpressionError("formula-arguments", f"k of {name}() is {k:g}", f"give a whole number of periods from 1 to {_MAX_LAG}")
    return int(k)


def _moved(name: str, sign: int, combine: Callable[[pl.Expr, pl.Expr], pl.Expr], *, divides: bool = False) -> Function:
    def function(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:
        x, k = _signature(name, ["x"], {"k": 1.0}, args, options)
        if name not in ("lag", "lead"):
            x = as_number(x, f"{name}()")
        past = _shifted(x.expr, sign * _whole(name, k), scope)
        guards = x.guards
        if divides:
            guards = (*guards, Guard(past == 0, "division-by-zero", "growth from zero", "use diff(asinh(x)), or leave the rows out"))
        return Compiled(combine(x.expr, past), x.kind, guards)

    return function


def _at(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:
    """The unit's own value in one period, in all its rows: ``at(x, 2007)``."""
    x, period = _signature("at", ["x", "period"], {}, args, options)
    when = _literal("at", "period", period)
    return Compiled(x.expr.filter(pl.col(scope.time) == when).first().over(scope.unit), x.kind, x.guards)


def _chain(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:
    """The level of an index whose previous period is 100, as a multiple of the period before the unit's first; missing from a gap on."""
    (x,) = _signature("chain", ["x"], {}, args, options)
    x = as_number(x, "chain()")
    time = pl.col(scope.time)
    broken = x.expr.is_null() | ((time - time.shift(1)).over(scope.unit).fill_null(1) != 1)
    level = (x.expr.fill_null(100) / 100).cum_prod().over(scope.unit)
    return Compiled(pl.when(broken.cast(pl.UInt32).cum_sum().over(scope.unit) == 0).then(level), NUMBER, x.guards)


def _year(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
    """The year of a date, or of a text that begins with four digits: 2011-01, 2011年1月."""
    (x,) = _signature("year", ["x"], {}, args, options)
    if x.kind != TEXT:
        raise ExpressionError("formula-kind", "year() needs a date, or a text that begins with one", "name a column of dates")
    return Compiled(x.expr.cast(pl.String).str.extract(r"^\s*(\d{4})(?:\D|$|\d{4}\D*$)").cast(pl.Float64), NUMBER, x.guards)


def _first_period(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:
    """The first period in which the unit meets a condition, in all its rows; missing where it never does."""
    (condition,) = _signature("first_period", ["condition"], {}, args, options)
    condition = as_boolean(condition, "first_period()")
    return Compiled(pl.col(scope.time).filter(condition.expr).min().over(scope.unit), NUMBER, condition.guards)


def _by(name: str, apply: Callable[[pl.Expr], pl.Expr]) -> Function:
    def function(args: Sequence[Compiled], options: Mapping[str, Compiled], scope: Scope) -> Compiled:  # noqa: ARG001
        if len(args) < 2 or options:
            raise ExpressionError(
                "formula-arguments",
                f"{name}() takes a value and the columns of the groups",
                f"write {name}(x, province) or {name}(x, province, year)",
            )
        x = as_number(args[0], f"{name}()")
        return Compiled(apply(x.expr).over([g.expr for g in args[1:]]), NUMBER, tuple(g for a in args for g in a.guards))

    return function


FUNCTIONS: Mapping[str, Function] = {
    "log": _elementwise("log", lambda x: x.log(), _log_guard),
    "log1p": _elementwise("log1p", lambda x: x.log1p(), _log1p_guard),
    "exp": _elementwise("exp", lambda x: x.exp()),
    "sqrt": _elementwise("sqrt", lambda x: x.sqrt(), _sqrt_guard),
    "abs": _elementwise("abs", lambda x: x.abs()),
    "asinh": _elementwise("asinh", lambda x: x.arcsinh()),
    "floor": _elementwise("floor", lambda x: x.floor()),
    "round": _elementwise("round", lambda x: x.round(0)),
    "sign": _elementwise("sign", lambda x: x.sign()),
    "min": _extreme("min", pl.min_horizontal),
    "max": _extreme("max", pl.max_horizontal),
    "clip": _clip,
    "winsorise": _winsorise,
    "where": _where,
    "isnull": _isnull,
    "coalesce": _coalesce,
    "lag": _moved("lag", 1, lambda x, past: past),  # noqa: ARG005  # the same shape as diff
    "lead": _moved("lead", -1, lambda x, past: past),  # noqa: ARG005  # "
    "diff": _moved("diff", 1, operator.sub),
    "growth": _moved("growth", 1, lambda x, past: x / past - 1, divides=True),
    "at": _at,
    "chain": _chain,
    "year": _year,
    "first_period": _first_period,
    "mean": _elementwise("mean", lambda x: x.mean()),
    "mean_by": _by("mean_by", lambda x: x.mean()),
    "sum_by": _by("sum_by", lambda x: pl.when(x.count() > 0).then(x.sum())),
    "standardise": _elementwise("standardise", lambda x: (x - x.mean()) / x.std()),
    "rank": _elementwise("rank", lambda x: x.rank("average")),
}
"""Every function of the formula language."""
