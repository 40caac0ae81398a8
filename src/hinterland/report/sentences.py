"""Sentences: a key of the label files and its values, so that the same finding is said in either language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hinterland.labels import Language, catalogue, text


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier that has a human label: a variable, an estimator, a region."""

    section: str
    id: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to a numbered table or figure. ``kind`` is ``table`` or ``figure``."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Several values, joined as the language joins them; ``clauses``, each of them a sentence of its own, by semicolons."""

    items: tuple[Value, ...]
    clauses: bool = False


@dataclass(frozen=True, slots=True)
class Both:
    """A fact that the record holds in both languages: a city, a zone, a title."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the report, or a phrase inside one: ``key`` in section ``sentence`` of the label files, and its ``values``."""

    key: str
    values: Mapping[str, Value] = field(default_factory=dict)


Value = str | int | float | Name | Both | Ref | Listed | Sentence


def say(key: str, **values: Value) -> Sentence:
    """Shorthand for :class:`Sentence`."""
    return Sentence(key, values)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says things in one language.

    ``own`` holds labels that come with the record (``variable.NAME`` → both languages) and go before the packaged ones;
    ``numbering`` maps ``table:KEY`` and ``figure:KEY`` to their numbers in the document.
    """

    language: Language
    own: Mapping[str, Both] = field(default_factory=dict)
    numbering: Mapping[str, int] = field(default_factory=dict)

    def ui(self, key: str, **values: Value) -> str:
        """A text of section ``report``."""
        return self._text(f"report.{key}", values)

    def labelled(self, key: str, **values: Value) -> str:
        """Any text of the label files by its full key."""
        return self._text(key, values)

    def sentence(self, sentence: Sentence) -> str:
        """The sentence in words."""
        values = {k: _inside(v, self) if self.language == "en" else v for k, v in sentence.values.items()}
        return self._text(f"sentence.{sentence.key}", values)

    def _text(self, key: str, values: Mapping[str, Value]) -> str:
        filled = text(key, self.language, **{k: self.value(v) for k, v in values.items()})
        return spaced(filled) if self.language == "zh" else filled

    def paragraph(self, sentences: Iterable[Sentence]) -> str:
        """Sentences one after another: with a space in English, without in Chinese."""
        return ("" if self.language == "zh" else " ").join(self.sentence(s) for s in sentences)

    def name(self, name: str, section: str = "variable") -> str:
        """The label of an identifier; the identifier itself where none is recorded."""
        own = self.own.get(f"{section}.{name}")
        if own is not None:
            return self.value(own)
        found = catalogue(self.language).get(f"{section}.{name}")
        return found if found is not None else (name if section == "variable" else name.replace("_", " "))

    def value(self, value: Value) -> str:
        """One value in words."""
        match value:
            case Name(section, name):
                return self.name(name, section)
            case Both():
                return value.zh if self.language == "zh" else value.en
            case Ref(kind, key):
                return text(f"report.{kind}_number", self.language, n=self.numbering.get(f"{kind}:{key}", "?"))
            case Listed(items, clauses):
                parts = [self.value(item) for item in items]
                return ("；" if self.language == "zh" else "; ").join(parts) if clauses else joined(parts, self.language)
            case Sentence():
                return self.sentence(value)
            case _:
                return str(value)

    def has(self, key: str) -> bool:
        """Whether the label files hold ``key``."""
        return key in catalogue(self.language)


_RING = re.compile(r"ring (\S+) km")
_DOSE = re.compile(r"(att|acrt)\((.+)\)")
_CHANNEL = re.compile(r"(.+), event time (-?\d+)")
_LAGGED = re.compile(r"neighbours' (.+)")


def term_name(speaker: Speaker, term: str) -> str:
    """A term of an estimate in words: its label, a ring by its kilometres, a dose, a channel at an event time, a neighbours' covariate; else the
    term itself.
    """
    if found := _RING.fullmatch(term):
        return speaker.labelled("term.ring", range=found[1].replace("-", "–"))
    if found := _DOSE.fullmatch(term):
        return speaker.labelled(f"term.dose_{found[1]}", dose=found[2])
    if found := _CHANNEL.fullmatch(term):
        return speaker.labelled("term.channel", channel=term_name(speaker, found[1]), e=found[2].replace("-", "\u2212"))
    if found := _LAGGED.fullmatch(term):
        return speaker.labelled("term.lagged", name=speaker.name(found[1]))
    return speaker.name(term, "term")


def own_key(section: str, method: str, estimand: object) -> str:
    """``estimand`` where it is that of a version of ``method`` with words of its own in ``section``, else ``method``."""
    own = str(estimand or "")
    return own if own.startswith(f"{method}-") and f"{section}.{own}" in catalogue("en") else method


def method_notes(speaker: Speaker, shown: Iterable[tuple[str, object]]) -> list[str]:
    """What stands below a table about each ``(method, estimand)`` that it shows, once."""
    keys = dict.fromkeys(own_key("method_note", *pair) for pair in shown)
    return [speaker.name(key, "method_note") for key in keys if speaker.has(f"method_note.{key}")]


_COMMA = re.compile("[,，、] ?(?![0-9])")
_BRACKETED = re.compile(r"\([^()]*\)|（[^（）]*）|\[[^\]]*\]")
_HAN = "\u3400-\u9fff"
_BETWEEN = re.compile(rf"(?<=[{_HAN}])(?=[A-Za-z0-9+\u2212|χ])|(?<=[A-Za-z0-9%)|])(?=[{_HAN}])")


def _inside(value: Value, speaker: Speaker) -> Value:
    """The label of a variable without the capital that it has on its own: ``Invention patents`` inside a sentence."""
    match value:
        case Name("variable", name):
            words = speaker.name(name)
            return words[:1].lower() + words[1:] if words[1:2].islower() else words
        case Listed(items, clauses):
            return Listed(tuple(_inside(item, speaker) for item in items), clauses)
        case _:
            return value


def spaced(words: str) -> str:
    """Chinese text with a space wherever a Chinese character meets a Latin letter or a number."""
    return _BETWEEN.sub(" ", words)


def joined(parts: list[str], language: Language) -> str:
    """``a, b and c``; ``a、b和c``. Where a part has a comma of its own, semicolons tell the parts from it: ``a, A; b; and c``."""
    if len(parts) < 2:
        return "".join(parts)
    comma, last = ("、", "和") if language == "zh" else (", ", " and ")
    if any(_COMMA.search(_BRACKETED.sub("", part)) for part in parts):
        comma = "；" if language == "zh" else "; "
        last = "；以及" if language == "zh" else "; and " if len(parts) > 2 else last
    return comma.join(parts[:-1]) + last + parts[-1]


def bracketed(words: str, within: str, language: Language) -> str:
    """``words (within)``; ``words（within）``."""
    return f"{words}（{within}）" if language == "zh" else f"{words} ({within})"
