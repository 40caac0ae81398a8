"""Where each key of a TOML text stands: the line numbers behind the messages about a study file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_\-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_QUOTES = ('"""', "'''", '"', "'")


@dataclass(frozen=True, slots=True)
class LineMap:
    """Line (from 1) of each key path of a TOML document; array elements count from 0."""

    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """The line of ``path``, else of its nearest ancestor; ``None`` when not even the first key is in the text."""
        for size in range(len(path), 0, -1):
            if path[:size] in self.lines:
                return self.lines[path[:size]]
        return None


def line_map(text: str) -> LineMap:
    """The line of every key of ``text``, which must be valid TOML (parse it with ``tomllib`` first)."""
    scanner = _Scanner(text)
    scanner.document()
    return LineMap(MappingProxyType(scanner.lines))


class _Scanner:
    """A reader of valid TOML that keeps positions and throws the values away."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self.position < len(self.text):
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        start = self.position
        array = self.text.startswith("[[", start)
        self.position += 2 if array else 1
        path = self._resolve(self._key())
        self._skip(_SPACE)
        self.position += 2 if array else 1
        if array:
            index = self.counts.get(path, 0)
            self.counts[path] = index + 1
            self._record(path, start)
            path = (*path, index)
        for depth in range(1, len(path) + 1):  # [a.b.c] makes a and b, where no header of their own does
            self._record(path[:depth], start)
        return path

    def _resolve(self, parts: KeyPath) -> KeyPath:
        """The path of a header, with the index of the last element of every array of tables on the way."""
        path: KeyPath = ()
        for part in parts[:-1]:
            path = (*path, part)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return (*path, parts[-1])

    def _pair(self, table: KeyPath) -> None:
        start = self.position
        path = table
        for part in self._key():
            path = (*path, part)
            self._record(path, start)
        self._skip(_SPACE)
        self.position += 1
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> KeyPath:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            parts.append(self._string() if self.text[self.position] in "\"'" else self._match(_BARE))
            self._skip(_SPACE)
            if self.text[self.position : self.position + 1] != ".":
                return tuple(parts)
            self.position += 1

    def _value(self, path: KeyPath) -> None:
        self._record(path, self.position)
        first = self.text[self.position]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        else:
            self._match(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.position += 1
        index = 0
        self._skip(_BLANK)
        while self.text[self.position] != "]":
            self._value((*path, index))
            index += 1
            self._separator()
        self.position += 1

    def _inline(self, path: KeyPath) -> None:
        self.position += 1
        self._skip(_BLANK)
        while self.text[self.position] != "}":
            self._pair(path)
            self._separator()
        self.position += 1

    def _separator(self) -> None:
        self._skip(_BLANK)
        if self.text[self.position] == ",":
            self.position += 1
            self._skip(_BLANK)

    def _string(self) -> str:
        quote = next(q for q in _QUOTES if self.text.startswith(q, self.position))
        start = self.position = self.position + len(quote)
        while not self.text.startswith(quote, self.position):
            self.position += 2 if quote[0] == '"' and self.text[self.position] == "\\" else 1
        end = self.position
        self.position += len(quote)
        while len(quote) == 3 and self.text[self.position : self.position + 1] == quote[0]:
            self.position += 1
        return self.text[start:end]

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.position)
        if found is None:
            raise ValueError(f"not TOML at character {self.position}")
        self.position = found.end()
        return found.group()

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()

    def _record(self, path: KeyPath, position: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, position) + 1)
