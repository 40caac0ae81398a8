"""Saturated and stacked regressions: Sun–Abraham, extended two-way fixed effects, stacked."""

from __future__ import annotations

from hinterland.evaluate.method import Method

ENTRIES: tuple[Method, ...] = ()
