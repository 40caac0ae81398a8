"""Estimators that predict the untreated outcome: imputation, two-stage, matrix completion."""

from __future__ import annotations

from hinterland.evaluate.method import Method

ENTRIES: tuple[Method, ...] = ()
