"""Text that is not TOML: what is wrong with the line, and how to write it."""

from __future__ import annotations

import re

from hinterland.errors import Finding

_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_FOREIGN = str.maketrans(dict.fromkeys("“”‘’＝，［］｛｝＂"))
_GENERAL = "correct the line: text in quotes, key = value, one [table] per section"


def toml_problem(message: str, text: str, name: str) -> Finding:
    """The finding for a message of ``tomllib`` about ``text``, with the line as it stands and the likely cause."""
    found = _PLACE.search(message)
    lines = text.rstrip().splitlines() or [""]
    number = min(int(found.group(1)), len(lines)) if found and found.group(1) else len(lines)
    reason = message[: found.start()] if found else message
    line = lines[number - 1].strip()
    what = f"the study file is not TOML: {_in_words(reason)}, in {line[:60]!r}"
    return Finding("toml-syntax", what, f"{name}, line {number}", _remedy(reason, line))


def _in_words(reason: str) -> str:
    table = re.search(r"Cannot declare \((.*)\) twice", reason)
    if table:
        parts = re.findall(r"'([^']*)'", table.group(1))
        return f"the table [{'.'.join(parts)}] is there twice"
    if reason == "Cannot overwrite a value":
        return "a key is there twice in one table"
    return f"{reason[:1].lower()}{reason[1:]}"


def _remedy(reason: str, line: str) -> str:
    if "twice" in reason or "overwrite" in reason:
        return "keep one of the two, and put everything that belongs to it there"
    before = line.partition("=")[0].strip()
    code = line.partition("#")[0]
    if code != code.translate(_FOREIGN):
        return "write the marks of an English keyboard: straight quotes, =, comma, [ ]"
    bare = before.strip("[] ")
    if not bare.isascii() and not bare.startswith(('"', "'")):
        quoted = ".".join(part if part.isascii() else f'"{part}"' for part in bare.split("."))
        return f"put names with letters other than a–z in quotes: {before.replace(bare, quoted)}{' = …' if '=' in line else ''}"
    if ("key part" in reason or "inline table" in reason) and not code.isascii():
        return 'put names with letters other than a–z in quotes: { "城市" = "city" }'
    value = line.partition("=")[2].strip()
    if reason == "Invalid value" and value and value[0] not in "\"'[{":
        return f'put texts in quotes: {before} = "{value.split("#")[0].strip()}"'
    if "\\" in line:
        return "write / in paths, or put the text in single quotes: a backslash has a meaning of its own in double quotes"
    return _GENERAL
