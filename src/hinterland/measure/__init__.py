"""Indicators: pure functions over arrays, one family per file, and one labelled entry for all of them.

Importing anything from here binds ``hinterland.measure`` to this package; the package is callable so that it still is the entry.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Entry(ModuleType):
    """A package that can be called: :func:`hinterland.measure.entry.measure`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from hinterland.measure.entry import measure

        return measure(*args, **kwargs)


sys.modules[__name__].__class__ = _Entry
