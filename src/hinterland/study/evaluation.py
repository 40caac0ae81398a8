"""Evaluate a study in memory: the estimation and diagnostic steps, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from hinterland.labels import Language, Note
from hinterland.study.check import fail_if_not_ready
from hinterland.study.load import LoadedStudy
from hinterland.study.plan import GROUPS, plan
from hinterland.study.provenance import input_files
from hinterland.study.steps import STEPS
from hinterland.study.tables import TABLES, assemble
from hinterland.study.tables_heterogeneity import HETEROGENEITY
from hinterland.study.workspace import Workspace

_KINDS = ("policy", "evaluate", *GROUPS["diagnostics"], "matching", "group-difference", "moderation", "mechanism", "outcome-family")
_DIAGNOSTICS = (
    "pretrends",
    "bacon_summary",
    "bacon",
    "cohort_sizes",
    "recommendations",
    "sensitivity",
    "pretrend_power",
    "leave_out",
    "small_sample",
    "oster",
    "displacement",
    "matching",
    "matching_balance",
    *HETEROGENEITY,
    "moderation",
    "moderation_effects",
    "moderation_bins",
    "mechanism",
    "mechanism_checks",
    "mechanism_sensitivity",
    "outcome_family",
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The tables of the estimation steps, as in a run record: ``models``, ``effects``, ``pretrends``, ``bacon``, ``notes`` and others."""

    tables: Mapping[str, pl.DataFrame]

    @property
    def frame(self) -> pl.DataFrame:
        """Every term with its outcome, method and aggregation."""
        models = self.tables["models"].select("effects_id", "outcome", "method", "aggregation")
        return models.join(self.tables["effects"], on="effects_id", how="inner", maintain_order="left_right")

    def document(self, language: Language = "en") -> dict[str, Any]:
        """The same as JSON: ``effects`` (with tidy rows as ``terms``), ``diagnostics``, ``notes`` with their text."""
        terms = {
            key[0]: rows.drop("effects_id").to_dicts() for key, rows in self.tables["effects"].group_by("effects_id", maintain_order=True)
        }
        effects = [
            {
                "id": m["effects_id"],
                "method": m["method"],
                "outcome": m["outcome"],
                "aggregation": m["aggregation"],
                "model": {k: v for k, v in m.items() if k not in {"effects_id", "method", "outcome", "aggregation"}},
                "terms": terms[m["effects_id"]],
            }
            for m in self.tables["models"].iter_rows(named=True)
        ]
        diagnostics = {name: self.tables[name].to_dicts() for name in _DIAGNOSTICS if name in self.tables}
        return {
            "effects": effects,
            "diagnostics": diagnostics,
            "notes": [_said(row, language) for row in self.tables["notes"].iter_rows(named=True)],
        }

    def recommended(self) -> tuple[str, ...]:
        """What the data recommend beside what the study chose, one line per outcome."""
        from hinterland.study.summary import recommended

        if "recommendations" not in self.tables:
            return ()
        lead = self.tables["models"].filter(role="headline")
        return tuple(recommended(self.tables["recommendations"], dict(lead.select("outcome", "method").iter_rows())))


def _said(row: Mapping[str, str], language: Language) -> dict[str, Any]:
    values = json.loads(row["values"])
    return {"scope": row["scope"], "code": row["code"], "values": values, "text": Note(row["code"], values).text(language)}


def evaluate_study(loaded: LoadedStudy, watch: Callable[[str, int, int], None] | None = None) -> Evaluation:
    """Fit every estimator of ``loaded`` on every outcome, with pre-trend tests and decompositions.

    Raises:
        StudyError, PanelError, PolicyError, EstimationError: bad input, with every finding.
    """
    input_files(loaded)
    work = Workspace(loaded)
    fail_if_not_ready(work)
    steps = [s for s in plan(loaded.study) if s.kind in _KINDS]
    outputs = []
    for number, step in enumerate(steps):
        if watch is not None:
            watch(step.id, number, len(steps))
        outputs.append(STEPS[step.kind](work, step))
    return Evaluation(
        {
            name: assemble(name, [o.tables[name] for o in outputs if name in o.tables])
            for name in TABLES
            if any(name in o.tables for o in outputs)
        }
    )
