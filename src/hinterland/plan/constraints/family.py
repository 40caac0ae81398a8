"""A family of constraints: its identifier, and the functions that add its rows, each of which says in its docstring what it requires."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from hinterland.plan.building import Building

Rows = Callable[[Building], None]


@dataclass(frozen=True, slots=True)
class Family:
    """One family.

    Attributes:
        id: ``C1`` to ``C22``.
        name: in a few words, with hyphens.
        rows: what adds its rows; each docstring has a sentence, and fields ``Rows``, ``Unit``, ``Formula`` and ``Gives way``.
        kept: the family is accounting, without which the model has no meaning: it cannot be switched off.
    """

    id: str
    name: str
    rows: tuple[Rows, ...]
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What the docstring of a block of rows says."""

    block: str
    sentence: str
    rows: str
    unit: str
    formula: str
    gives_way: str
    more: str


_FIELDS = ("Rows", "Unit", "Formula", "Gives way")


def described(function: Rows) -> Description:
    """The fields of a docstring.

    Raises:
        ValueError: a field is missing.
    """
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    found: dict[str, str] = {}
    prose: list[str] = []
    for line in lines[1:]:
        name, _, rest = line.strip().partition(": ")
        if name in _FIELDS:
            found[name] = rest
        elif line.strip():
            prose.append(line.strip())
    missing = [f for f in _FIELDS if f not in found]
    if missing:
        raise ValueError(f"{function.__name__} does not say its {', '.join(missing)}")
    rows, unit, formula, gives_way = (found[f] for f in _FIELDS)
    return Description(function.__name__, lines[0], rows, unit, formula, gives_way, " ".join(prose))
