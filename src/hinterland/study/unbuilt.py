"""What the study file will say one day, and cannot be asked for yet: named, so that asking for it is never ignored."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from hinterland import __version__
from hinterland.study.lines import KeyPath

TABLES = {
    "stress": "stress tests",
    "monitor": "monitoring",
}
VERBS = ("stress", "monitor", "app", "verify")

Problem = tuple[KeyPath, str, str, str]
"""Key path, code, what, remedy."""

CODE = "not-available-yet"


def take_out_unbuilt(tree: MutableMapping[str, Any]) -> Iterator[Problem]:
    """Name every part of ``tree`` that this version cannot do, and take it out so that the rest can be checked."""
    for table, what in TABLES.items():
        if tree.pop(table, None) is not None:
            yield (table,), CODE, f"[{table}] asks for {what}, which version {__version__} does not have", f"remove the table [{table}]"
