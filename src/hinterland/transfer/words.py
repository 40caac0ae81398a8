"""Codes of the frames in words, in either language."""

from __future__ import annotations

import json

from hinterland.labels import Language, catalogue, text

__all__ = ["code", "explanation"]

_SECTIONS = {
    "strongest": "selection_part",
    "weakest": "selection_part",
    "binding": "constraint_dimension",
    "dimension": "constraint_dimension",
    "tied": "reception_kind",
    "direction": "transfer_direction",
}
"""Fields of sentences that hold codes, and the section of the labels that says them."""


def code(name: str, section: str, language: Language = "en") -> str:
    """The words of ``name`` in a section of the labels; several, divided by commas, one by one; the name itself where none are recorded."""
    known = catalogue(language)
    between = "、" if language == "zh" else ", "
    return between.join(known.get(f"{section}.{part}", part) for part in name.split(", "))


def explanation(rule: str, values: str, language: Language = "en") -> str:
    """The sentence that explains a row, from its columns ``rule`` and ``values``; empty where it has none."""
    if not rule:
        return ""
    fields = {k: code(str(v), _SECTIONS[k], language) if k in _SECTIONS else v for k, v in json.loads(values).items()}
    return text(f"rule.{rule}", language, **fields)
