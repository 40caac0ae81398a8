"""A case: a folder of tables and ``case.toml``, or the same as frames; read, checked as a whole, and made a problem."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.plan.assemble import assembled, inconsistent
from hinterland.plan.problem import Problem
from hinterland.plan.schema import parameters, tables
from hinterland.plan.settings import Settings
from hinterland.plan.typed import Typed, typed

__all__ = ["read_problem"]

_SUFFIXES = (".csv", ".parquet", ".xlsx")


def read_problem(
    case: str | Path | Mapping[str, Any],
    *,
    settings: Mapping[str, Any] | None = None,
    units: Mapping[str, str] | None = None,
) -> Problem:
    """Read a planning problem and check it, all problems at once.

    Args:
        case: a folder with one file per table (``.csv``, ``.parquet``, ``.xlsx``; see the reference of cases) and perhaps ``case.toml`` with ``[case]`` and
            ``[units]``; or frames by the name of their table.
        settings: choices over those of ``case.toml`` (see :class:`hinterland.plan.settings.Settings`).
        units: unit of columns that are not in the schema's unit, by parameter, such as ``{"capacity": "10k-yuan"}``; over those of ``case.toml``.

    Raises:
        InputError: what is wrong with the tables, every problem of all of them.
    """
    frames, broken, written, findings = _sources(case)
    chosen, more = _settings({**written.get("case", {}), **(settings or {})})
    findings += more
    tables_read: dict[str, Typed] = {}
    for name, frame in frames.items():
        got, more = typed(name, frame, {**written.get("units", {}), **(units or {})})
        findings += more
        if got is not None:
            tables_read[name] = got
    findings += _absent({*frames, *broken})
    findings += _units_unknown({**written.get("units", {}), **(units or {})})
    if all(name in tables_read for name, table in tables().items() if table.required):
        findings += inconsistent(tables_read, chosen)
    fail_if_any(findings, "the case", InputError)
    return assembled(tables_read, chosen, tuple(findings))


def _sources(case: str | Path | Mapping[str, Any]) -> tuple[dict[str, pl.DataFrame], list[str], dict[str, Any], list[Finding]]:
    """Frames by table, tables whose files could not be read, what ``case.toml`` says, and what was wrong with the files."""
    if isinstance(case, Mapping):
        unknown = [_unknown_table(str(name), "argument case") for name in case if name not in tables()]
        return {str(n): load_frame(f) for n, f in case.items() if n in tables()}, [], {}, unknown
    folder = Path(case)
    if not folder.is_dir():
        raise InputError(Finding("missing-folder", f"there is no folder {str(folder)!r}", "argument case", "check the path"), "the case")
    frames: dict[str, pl.DataFrame] = {}
    findings: list[Finding] = []
    broken: list[str] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES):
        if path.stem not in tables():
            findings.append(_unknown_table(path.stem, str(path)))
        elif path.stem in frames:
            findings.append(Finding("duplicate-table", f"table {path.stem!r} is there twice", str(path), "keep one of the files"))
        else:
            try:
                frames[path.stem] = load_frame(path)
            except InputError as error:
                findings += error.findings
                broken.append(path.stem)
    written, more = _written(folder / "case.toml")
    return frames, broken, written, findings + more


def _written(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    if not path.exists():
        return {}, []
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [Finding("bad-toml", f"case.toml cannot be read: {error}", str(path), "mend the file")]
    unknown = [k for k in tree if k not in ("case", "units")]
    return tree, [Finding("unknown-key", f"case.toml has no table [{k}]", str(path), did_you_mean(k, ("case", "units"))) for k in unknown]


def _settings(values: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    try:
        return Settings.model_validate(dict(values)), []
    except ValidationError as error:
        return Settings(), [_setting(e["loc"], e["msg"], e.get("input")) for e in error.errors()]


def _setting(at: tuple[int | str, ...], message: str, value: object) -> Finding:
    name = str(at[0])
    if name not in Settings.model_fields:
        return Finding("unknown-key", f"there is no setting {name!r}", "[case]", did_you_mean(name, Settings.model_fields))
    return Finding("bad-setting", f"{name} is {value!r}: {message}", f"[case] {name}", "give a value that is allowed")


def _absent(given: Collection[str]) -> list[Finding]:
    return [
        Finding("missing-table", f"table {t.name!r} is missing: {t.meaning}", "the case", f"add {t.name}.csv with {', '.join(t.keys)}")
        for t in tables().values()
        if t.required and t.name not in given
    ]


def _unknown_table(name: str, where: str) -> Finding:
    return Finding("unknown-table", f"a case has no table {name!r}", where, did_you_mean(name, tables()))


def _units_unknown(units: Mapping[str, str]) -> list[Finding]:
    return [
        Finding("unknown-parameter", f"units names {name!r}, which is no parameter", "[units]", did_you_mean(name, parameters()))
        for name in units
        if name not in parameters()
    ]
