"""One labelled entry to every indicator: a table in, a table of values with their reasons out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.measure.data import Data
from hinterland.measure.indicator import Indicator
from hinterland.measure.read import OnNegative, Reading, named_columns, read_data
from hinterland.measure.register import INDICATORS
from hinterland.measure.result import Block, Measure, Measured
from hinterland.measure.withheld import ROLE_OF, name_withheld


def measure(
    id: str,  # noqa: A002  # the catalogue's word
    frame: Any,
    *,
    state: str | None = None,
    suppressed: Sequence[str] = (),
    complete: bool = False,
    on_negative: OnNegative = "raise",
    min_coverage: float = 0.0,
    **columns_and_parameters: Any,
) -> Measure:
    """Measure one indicator of the catalogue.

    Cells have three states: a number (zero among them), missing, suppressed. A row that the table does not have is missing, unless the
    table is ``complete``. Sums run over the cells that are there, and ``coverage`` says which share that is.

    Args:
        id: of the indicator (see :func:`hinterland.indicators`).
        frame: any data frame that narwhals knows, or the path of a file.
        state: column that says ``observed``, ``missing`` or ``suppressed`` of each row's numbers.
        suppressed: marks in a text column of numbers that mean: withheld (``("D", "x")``).
        complete: the table lists every cell that is not zero, so that an absent row is a true zero.
        on_negative: ``nan`` counts a negative number as missing where the quantity cannot be negative; otherwise it is an error.
        min_coverage: values with less coverage than this are taken out, with the reason ``low-coverage`` (0–1).
        columns_and_parameters: the indicator's columns (``region="city"``) and parameters (``reference=…``) by name.

    Raises:
        InputError: an unknown indicator, column or parameter, or a table on which the indicator is not defined; all problems at once.
    """
    indicator = find_indicator(id)
    columns, parameters, findings = named_columns(indicator, columns_and_parameters)
    findings += _option_findings(on_negative, min_coverage, suppressed)
    fail_if_any(findings, id, InputError)
    marks = (suppressed,) if isinstance(suppressed, str) else tuple(suppressed)
    data = read_data(frame, indicator, Reading(columns, state, marks, complete, on_negative))
    chosen = {name: p.default for name, p in indicator.parameters.items()} | parameters
    measured = compute_of(indicator)(data, **chosen)
    return _assembled(indicator, data, measured, chosen, min_coverage)


def find_indicator(name: str) -> Indicator:
    """The indicator called ``name``. Raises :class:`~hinterland.InputError` where there is none."""
    found = INDICATORS.get(name)
    if found is None:
        remedy = did_you_mean(str(name), INDICATORS)
        raise InputError(Finding("unknown-indicator", f"there is no indicator {name!r}", "argument id", remedy), "measure")
    return found


def compute_of(indicator: Indicator) -> Callable[..., Measured]:
    """The adapter that computes ``indicator``."""
    module, _, name = indicator.compute.partition(":")
    found: Callable[..., Measured] = getattr(import_module(module), name)
    return found


def _option_findings(on_negative: str, min_coverage: float, suppressed: Sequence[str]) -> list[Finding]:
    findings = []
    if on_negative not in ("raise", "nan"):
        findings.append(Finding("unknown-value", f"on_negative is {on_negative!r}", "argument on_negative", "choose 'raise' or 'nan'"))
    if isinstance(min_coverage, bool) or not isinstance(min_coverage, int | float) or not 0 <= min_coverage <= 1:
        findings.append(Finding("out-of-range", f"min_coverage is {min_coverage!r}", "argument min_coverage", "give a share from 0 to 1"))
    if any(not isinstance(mark, str) for mark in suppressed):
        findings.append(Finding("bad-mark", f"suppressed is {suppressed!r}", "argument suppressed", "give marks as texts"))
    return findings


def _assembled(indicator: Indicator, data: Data, measured: Measured, chosen: Mapping[str, Any], least: float) -> Measure:
    frame = pl.concat([_rows(indicator, data, b) for b in measured.blocks]) if measured.blocks else _rows(indicator, data, None)
    frame = name_withheld(frame, indicator, data)
    low = (frame["coverage"] < least) & (frame["reason"] == "")
    if low.any():
        frame = frame.with_columns(
            value=pl.when(low).then(None).otherwise("value"), reason=pl.when(low).then(pl.lit("low-coverage")).otherwise("reason")
        )
    meta = _meta(indicator, data, chosen, frame) | {"min_coverage": least} | dict(measured.meta)
    findings = (*data.findings, *measured.findings, *_without_rows(indicator, data, frame))
    return Measure(indicator.id, frame, meta, findings, measured.notes)


def _without_rows(indicator: Indicator, data: Data, frame: pl.DataFrame) -> tuple[Finding, ...]:
    """What is said of a result without rows, such as that of pairs in a table with one region."""
    if frame.height:
        return ()
    sizes = [f"{len(data.labels(r.name))} {r.name}(s)" for r in indicator.roles if r.kind != "number" and data.has(r.name)]
    what = f"{indicator.id} has no rows: the table has {', '.join(sizes)}"
    return (Finding("empty-result", what, "the table", "complete the cells, or give at least two of what is compared", "warning"),)


def _rows(indicator: Indicator, data: Data, block: Block | None) -> pl.DataFrame:
    """A block as rows, its keys under the caller's names; no row for ``None``."""
    given = [k for k in indicator.keys if data.has(k) or indicator.role(k) is None]
    columns: dict[str, pl.Series] = {}
    for key in given:
        values = pl.Series(dtype=pl.String) if block is None else block.keys[key] if key in block.keys else _absent(key, block)
        whole = key == "time" or ROLE_OF.get(key, key) in data.whole
        columns[data.columns.get(key, key)] = values.cast(pl.Int64) if whole else values
    size = 0 if block is None else len(block.value)
    if indicator.components:
        columns["component"] = pl.repeat("" if block is None else block.component, size, eager=True)
    columns["value"] = pl.Series([] if block is None else block.value, dtype=pl.Float64).fill_nan(None)
    columns["n_used"] = pl.Series(dtype=pl.Int64) if block is None else block.n_used
    columns["coverage"] = pl.Series([] if block is None else block.coverage, dtype=pl.Float64)
    columns["reason"] = pl.Series(dtype=pl.String) if block is None else block.reason
    return pl.DataFrame({name: values.alias(name) for name, values in columns.items()})


def _absent(key: str, block: Block) -> pl.Series:
    """A key that this component does not have: null in its rows."""
    return pl.Series(key, [None] * len(block.value), dtype=pl.Int64 if key == "time" else pl.String)


def _meta(indicator: Indicator, data: Data, chosen: Mapping[str, Any], frame: pl.DataFrame) -> dict[str, Any]:
    changed = {k: v for k, v in chosen.items() if not _is_default(v, indicator.parameters[k].default)}
    return {
        "id": indicator.id,
        "variant": ", ".join(f"{k}={_written(v)}" for k, v in changed.items()) or "default",
        "parameters": {k: _plain(v) for k, v in chosen.items()},
        "source": indicator.source,
        "formula": indicator.formula,
        "unit": indicator.unit,
        "units": dict(indicator.units),
        "range": list(indicator.range),
        "roles": dict(data.columns),
        "complete": data.complete,
        "n_rows": data.frame.height,
        "n_values": int(frame["value"].count()),
        "input_hash": fingerprint_of(data.frame),
    }


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and not isinstance(value, pl.DataFrame) and bool(value == default)


def _written(value: Any) -> str:
    return str(_plain(value))


def _plain(value: Any) -> Any:
    """A parameter as JSON: a table by its size and hash."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    from hinterland.data.readers import load_frame

    try:
        frame = load_frame(value)
    except InputError:
        return str(value)
    return f"table of {frame.height} rows, {fingerprint_of(frame)}"


def fingerprint_of(frame: pl.DataFrame) -> str:
    """Sixteen hexadecimal digits of the content: names, types and values, in their order."""
    digest = hashlib.sha256(repr(list(frame.schema.items())).encode())
    for column in frame.iter_columns():
        if column.dtype.is_numeric():
            digest.update(column.is_null().to_numpy().tobytes())
            digest.update(np.ascontiguousarray(column.fill_null(0).to_numpy()).tobytes())
        else:
            digest.update(str(column.cast(pl.String).fill_null("\0").str.join("\x1f").item() if len(column) else "").encode())
    return digest.hexdigest()[:16]
