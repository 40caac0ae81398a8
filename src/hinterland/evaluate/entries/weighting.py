"""Estimators that choose weights: efficient under random timing, synthetic difference-in-differences."""

from __future__ import annotations

from hinterland.evaluate.method import Method

ENTRIES: tuple[Method, ...] = ()
