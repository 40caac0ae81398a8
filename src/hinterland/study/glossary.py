"""Everything that can be explained: estimators and their options, words, keys of the study file, steps, and codes of findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from hinterland.errors import Finding, InputError
from hinterland.evaluate.methods import METHODS, Method
from hinterland.labels import Language, catalogue
from hinterland.measure.indicator import Indicator
from hinterland.measure.register import INDICATORS
from hinterland.study import unbuilt
from hinterland.study.load import table_type
from hinterland.study.schema import Study

Kind = Literal["indicator", "parameter", "method", "option", "study-key", "word", "note", "finding", "not-available-yet"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be explained: its id, what kind of thing it is, the text, and what people call it (words only)."""

    id: str
    kind: Kind
    text: str
    name: str = ""


@cache
def entries(language: Language = "en") -> tuple[Entry, ...]:
    """Every entry, by kind."""
    return (*_indicators(language), *_methods(language), *_keys(Study, ""), *_labels(language), *_unbuilt())


def explain(name: str, language: Language = "en") -> tuple[Entry, ...]:
    """The entries with this id; for a method also its options, for a table of the study file also its keys.

    Raises:
        InputError: nothing of that name.
    """
    every = entries(language)
    wanted = name.strip().strip("[]")
    wanted = _called().get(wanted.lower(), wanted)
    found = tuple(
        e for e in every if e.id == wanted or (e.kind in {"option", "parameter", "study-key"} and e.id.rpartition(".")[0] == wanted)
    )
    if wanted == "study":
        found = tuple(e for e in every if e.kind == "study-key")
    if not found:
        raise InputError(
            Finding("unknown-id", f"there is nothing called {name!r} to explain", "argument ID", _nearest(wanted, [e.id for e in every])),
            "command line",
        )
    return found


@cache
def _called() -> dict[str, str]:
    """The id of each word by what it is called, in either language."""
    return {
        text.lower(): key.removeprefix("word.")
        for language in get_args(Language)
        for key, text in catalogue(language).items()
        if key.startswith("word.")
    }


def _nearest(wanted: str, ids: list[str]) -> str:
    """The closest ids; an id also counts as close by its last part, or by its beginning."""
    import difflib

    last = {i.rpartition(".")[2]: i for i in reversed(ids)}
    close = [*difflib.get_close_matches(wanted, ids, n=3), *(last[m] for m in difflib.get_close_matches(wanted, last, n=2))]
    close += [i for i in ids if len(wanted) > 2 and i.startswith(wanted)][:3]
    if close:
        return f"did you mean {' or '.join(repr(c) for c in list(dict.fromkeys(close))[:4])}?"
    return "`hinterland explain` lists everything that can be explained"


def _indicators(language: Language) -> Iterator[Entry]:
    for indicator in INDICATORS.values():
        yield Entry(indicator.id, "indicator", _indicator_text(indicator, language), indicator.name(language))
        for name, parameter in indicator.parameters.items():
            values = f"; one of {', '.join(map(repr, parameter.values))}" if parameter.values else ""
            yield Entry(f"{indicator.id}.{name}", "parameter", f"{parameter.help} (default {parameter.default!r}{values})")


def _indicator_text(indicator: Indicator, language: Language) -> str:
    words = catalogue(language)
    columns = [f"{r.name} ({r.help})" if r.required else f"[{r.name}] ({r.help})" for r in indicator.roles]
    low, high = ("" if x is None else f"{x:g}" for x in indicator.range)
    parts = [
        indicator.meaning(language),
        f"{words['indicator_said.caution']} {indicator.caution(language)}",
        f"{words['indicator_said.formula']} {indicator.formula}",
        f"{words['indicator_said.source']} {indicator.source}",
        f"{words['indicator_said.unit']} {words.get(f'unit.{indicator.unit}', indicator.unit)}, {low or '-∞'} … {high or '∞'}",
        f"{words['indicator_said.columns']} {', '.join(columns)}",
        f"{words['indicator_said.keys']} {', '.join(indicator.keys)}",
    ]
    if indicator.components:
        named = [f"{c} ({words.get(f'component.{c}', c)})" for c in indicator.components]
        parts.append(f"{words['indicator_said.components']} {', '.join(named)}")
    return "\n".join(parts)


def _methods(language: Language) -> Iterator[Entry]:
    for method in METHODS.values():
        yield Entry(method.id, "method", _method_text(method, language))
        for name, option in method.options.items():
            values = f"; one of {', '.join(map(repr, option.values))}" if option.values else ""
            yield Entry(f"{method.id}.{name}", "option", f"{option.help} (default {option.default!r}{values})")


def _method_text(method: Method, language: Language) -> str:
    said = catalogue(language).get(f"method_note.{method.id}", "")
    parts = [
        method.name,
        said,
        f"Source: {method.reference}",
        f"Outcomes: {', '.join(method.family)}",
        f"Accepts: {', '.join(sorted(method.accepts))}",
    ]
    return "\n".join(p for p in parts if p)


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Entry]:
    for name, info in model.model_fields.items():
        key = f"{prefix}{info.alias or name}"
        inner = table_type(info.annotation)
        if inner is not None and inner.__name__ not in {"Localised"}:
            yield Entry(key, "study-key", f"{info.description or (inner.__doc__ or '').strip()}")
            yield from _keys(inner, f"{key}.")
        else:
            yield Entry(key, "study-key", f"{info.description} {_default(info)}{_choices(info.annotation)}".strip())


def _default(info: Any) -> str:
    if info.is_required():
        return "(required)"
    value = info.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "(optional)"
    return f"(default {list(value) if isinstance(value, tuple) else value!r})"


def _choices(annotation: Any) -> str:
    values = [repr(v) for v in _literals(annotation)]
    return f" One of {', '.join(values)}." if values else ""


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (tuple, UnionType):
        return tuple(v for part in get_args(annotation) for v in _literals(part))
    return ()


def _labels(language: Language) -> Iterator[Entry]:
    kinds: dict[str, Kind] = {"glossary": "word", "note": "note", "finding": "finding"}
    for key, text in sorted(catalogue(language).items()):
        section, _, name = key.partition(".")
        if section in kinds:
            yield Entry(name, kinds[section], text, catalogue(language).get(f"word.{name}", "") if section == "glossary" else "")


def _unbuilt() -> Iterator[Entry]:
    for table, what in unbuilt.TABLES.items():
        yield Entry(table, "not-available-yet", f"[{table}] will ask for {what}; this version does not have it")
