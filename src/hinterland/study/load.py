"""Read a study file: TOML text to a checked :class:`Study`, with every problem and its line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any
from hinterland.study.consistency import inconsistencies
from hinterland.study.lines import KeyPath, LineMap, line_map
from hinterland.study.schema import Study
from hinterland.study.syntax import toml_problem
from hinterland.study.unbuilt import take_out_unbuilt

PACKAGED = "demonstration"

_PLAIN = {
    "int_type": "it should be a whole number",
    "int_from_float": "it should be a whole number",
    "float_type": "it should be a number",
    "string_type": "it should be a text in quotes",
    "string_pattern_mismatch": "use letters, digits, - and _ only",
    "tuple_type": "it should be a list: [ …, … ]",
    "model_type": "it should be a table: { key = value }",
    "dict_type": "it should be a table: { key = value }",
    "mapping_type": "it should be a table: { key = value }",
}


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """A study with where it came from.

    Attributes:
        study: the checked study.
        name: file name, or ``demonstration`` for the packaged one.
        folder: what relative data paths are relative to.
        lines: line of each key, for messages.
        home: folder of the study file, where data are that the data folder lacks.
    """

    study: Study
    name: str
    folder: Path
    lines: LineMap
    home: Path = Path()

    def path(self, source: str) -> Path:
        """Where a file or folder named in the study is: in the data folder, else beside the study."""
        in_data, beside = self.folder / source, self.home / source
        return beside if beside.exists() and not in_data.exists() else in_data

    def where(self, *path: str | int) -> str:
        """File, line and key, for a finding."""
        return _where(self.name, self.lines, path)


def load_study(source: str | Path | None = None, data: str | Path | None = None) -> LoadedStudy:
    """Read and check the study at ``source``; the packaged demonstration study when it is ``None``.

    Args:
        source: path of the TOML file.
        data: folder that relative data paths are resolved against; the study file's own folder by default.

    Raises:
        StudyError: no such file, not UTF-8, not TOML, or findings of the schema, all at once.
    """
    if source is None:
        text, name, home = files("hinterland.study").joinpath(f"{PACKAGED}.toml").read_text(encoding="utf-8"), PACKAGED, Path()
    else:
        path = Path(source)
        text, name, home = _read(path), path.name, path.parent
    return parse_study(text, name, home if data is None else Path(data), home)


def parse_study(text: str, name: str = "study", folder: Path | None = None, home: Path | None = None) -> LoadedStudy:
    """Check a study given as TOML text. Raises :class:`~hinterland.StudyError` with every finding."""
    tree = _parse(text, name)
    lines = line_map(text)
    findings = [Finding(code, what, _where(name, lines, path), remedy) for path, code, what, remedy in take_out_unbuilt(tree)]
    study = None
    try:
        study = Study.model_validate(_as_tuples(tree))
    except ValidationError as error:
        findings += [_translate(details, name, lines) for details in _without_echoes(error.errors())]
    if study is not None:
        findings += [Finding(code, what, _where(name, lines, path), remedy) for path, code, what, remedy in inconsistencies(study)]
    fail_if_any(sorted(findings, key=lambda f: _line_of(f.where)), name, StudyError)
    if study is None:
        raise StudyError(findings, name)
    return LoadedStudy(study, name, folder or Path(), lines, home or folder or Path())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        remedy = did_you_mean(path.name, near) if near else "check the path; without a STUDY, the packaged demonstration study is run"
        raise StudyError(Finding("missing-file", f"there is no study file {str(path)!r}", str(path), remedy), "study") from error
    except IsADirectoryError as error:
        raise StudyError(
            Finding("missing-file", f"{str(path)!r} is a folder, not a study file", str(path), "name the .toml file in it"), "study"
        ) from error
    except OSError as error:
        raise StudyError(
            Finding("unreadable-file", f"the study file cannot be read: {error.strerror}", str(path), "check its permissions"), "study"
        ) from error
    except UnicodeDecodeError as error:
        raise StudyError(
            Finding(
                "wrong-encoding",
                f"the study file is not UTF-8 (byte {error.start + 1} is 0x{error.object[error.start]:02x})",
                str(path),
                "save it as UTF-8: TOML has no other encoding",
            ),
            "study",
        ) from error


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(toml_problem(str(error), text, name), name) from error


def _as_tuples(value: Any) -> Any:
    """Lists as tuples, so that frozen fields can be checked strictly."""
    if isinstance(value, Mapping):
        return {k: _as_tuples(v) for k, v in value.items()}
    return tuple(_as_tuples(v) for v in value) if isinstance(value, list) else value


def _without_echoes(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """One error per key: a union reports once per member, and a list without its bad elements is reported as too short."""
    paths = [_real_path(details["loc"]) for details in errors]
    kept: dict[KeyPath, ErrorDetails] = {}
    for path, details in zip(paths, errors, strict=True):
        inner = any(len(p) > len(path) and p[: len(path)] == path for p in paths)
        if not (details["type"] == "too_short" and inner):
            kept.setdefault(path, details)
    return list(kept.values())


def _real_path(loc: Sequence[str | int]) -> KeyPath:
    """The location as in the file: without the names pydantic gives to the members of a union."""
    return tuple(
        part
        for part in loc
        if isinstance(part, int) or not (part in {"str", "int", "bool", "float"} or "[" in part or part.startswith("tuple"))
    )


def _translate(details: ErrorDetails, name: str, lines: LineMap) -> Finding:
    path = _real_path(details["loc"])
    key = dotted(path)
    where = _where(name, lines, path)
    kind = details["type"]
    if kind == "extra_forbidden":
        names = keys_of(path[:-1])
        table = dotted(path[:-1])
        return Finding(
            "unknown-key", f"{f'[{table}]' if table else 'a study'} has no key {str(path[-1])!r}", where, did_you_mean(str(path[-1]), names)
        )
    if kind == "missing":
        table = dotted(path[:-1])
        remedy = (
            f"add {path[-1]} = … to [{table}]"
            if table
            else f"add the table [{path[-1]}]"
            if path[-1] != "outcome"
            else "add a table [[outcome]] with its name"
        )
        return Finding("missing-key", f"{key} is missing", where, f"{remedy}: {_description(path)}".rstrip(": "))
    return _bad_value(details, key, where)


def _bad_value(details: ErrorDetails, key: str, where: str) -> Finding:
    """A key that exists with a value it cannot have."""
    kind = details["type"]
    given = _shown(details["input"])
    if kind == "tuple_type" and isinstance(details["input"], Mapping):
        return Finding("wrong-type", f"[{key}] stands in single brackets", where, f"write [[{key}]]: there may be several")
    if kind == "literal_error":
        choices = [c.strip().strip("'") for c in details["ctx"]["expected"].replace(" or ", ", ").split(",")]
        value = details["input"]
        return Finding(
            "unknown-value",
            f"{key} is {given}",
            where,
            did_you_mean(value, choices) if isinstance(value, str) else f"choose one of: {', '.join(choices)}",
        )
    if kind == "unknown_method":
        return Finding("unknown-method", f"the estimator {given} is not known", where, details["msg"])
    code = "wrong-type" if kind.endswith(("_type", "_parsing", "_from_float")) else "bad-value"
    message = (
        details["msg"]
        .removeprefix("Input ")
        .replace("valid tuple", "list")
        .replace("valid dictionary", "table")
        .replace("valid ", "")
        .replace("Tuple", "the list")
    )
    return Finding(code, f"{key} is {given}", where, _PLAIN.get(kind) or (f"it {message}" if message.startswith("should") else message))


def _shown(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def dotted(path: Sequence[str | int]) -> str:
    """``("outcome", 0, "name")`` → ``outcome[1].name`` (array elements are counted from 1 for people)."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _where(name: str, lines: LineMap, path: Sequence[str | int]) -> str:
    line = lines.line(tuple(path))
    return f"{name}, line {line} ({dotted(path)})" if line else f"{name} ({dotted(path)})" if path else name


def _line_of(where: str) -> int:
    _, _, rest = where.partition(", line ")
    digits = rest.split(" ", 1)[0]
    return int(digits) if digits.isdigit() else 0


def keys_of(path: Sequence[str | int]) -> list[str]:
    """The keys that the table at ``path`` takes."""
    model = _model_at(path)
    return [] if model is None else [f.alias or n for n, f in model.model_fields.items()]


def _description(path: Sequence[str | int]) -> str:
    model = _model_at(path[:-1])
    fields = {} if model is None else {f.alias or n: f for n, f in model.model_fields.items()}
    found = fields.get(str(path[-1]))
    return (found.description or "") if found else ""


def _model_at(path: Sequence[str | int]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Study
    named: type[BaseModel] | None = None
    for part in path:
        if named is not None:
            model, named = named, None
        elif not isinstance(part, int) and model is not None:
            fields = {f.alias or n: f.annotation for n, f in model.model_fields.items()}
            found = table_type(fields[part]) if part in fields else None
            named = found if part in fields and get_origin(fields[part]) is Mapping else None
            model = None if named is not None else found
    return model


def table_type(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds (itself, optional, or in a list), if it holds one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = table_type(inner)
        if found is not None:
            return found
    return None
