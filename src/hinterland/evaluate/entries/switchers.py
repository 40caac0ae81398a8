"""Estimators that compare switchers with stayers: de Chaisemartin–D’Haultfœuille, local projections."""

from __future__ import annotations

from hinterland.evaluate.method import Method

ENTRIES: tuple[Method, ...] = ()
