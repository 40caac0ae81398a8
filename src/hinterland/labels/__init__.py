"""Human words: every label, note and sentence template, in English and Chinese.

Texts live in ``labels/en/*.toml`` and ``labels/zh/*.toml`` under the same dotted keys; a test compares the two key
sets. Templates use ``str.format`` fields.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """All texts of one language by dotted key."""
    texts: dict[str, str] = {}
    for entry in sorted(files(__package__).joinpath(language).iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            texts.update(_flatten(tomllib.loads(entry.read_text(encoding="utf-8"))))
    return MappingProxyType(texts)


def text(key: str, language: Language = "en", **values: object) -> str:
    """The text under ``key``, with its fields filled in. Raises ``KeyError`` for an unknown key."""
    return catalogue(language)[key].format(**values)


def label(name: str, language: Language = "en", section: str = "variable") -> str:
    """The human label of a column or an identifier; the name itself where none is recorded."""
    return catalogue(language).get(f"{section}.{name}", name)


def _said(name: str, value: str | int | float, language: Language) -> str | int | float:
    """A note's value in words: a ``reason`` that is the code of a finding becomes what the finding means."""
    meaning = catalogue(language).get(f"finding.{value}") if name == "reason" else None
    return value if meaning is None else meaning.split("Remedy:")[0].split("处理：")[0].strip().rstrip(".。")


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a result, kept as a code and its values so that it can be said in either language.

    ``code`` is a key of section ``note`` in the label files; ``values`` fill its fields (JSON scalars only).
    """

    code: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        """The sentence in ``language``."""
        return text(f"note.{self.code}", language, **{k: _said(k, v, language) for k, v in self.values.items()})

    def __str__(self) -> str:
        return self.text()
