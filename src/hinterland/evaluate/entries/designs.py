"""Estimators for other designs: doses, triple differences, spillovers."""

from __future__ import annotations

from hinterland.evaluate.method import Method

ENTRIES: tuple[Method, ...] = ()
