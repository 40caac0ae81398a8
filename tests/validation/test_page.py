"""The page of validation: complete, in range, and what the table behind it gives."""

from __future__ import annotations

import importlib.util
import inspect
import json
import pkgutil
import re
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

import hinterland.evaluate
from hinterland.evaluate.bands import Kind as Band
from hinterland.evaluate.families import Adjustment
from hinterland.evaluate.few_treated import FewTreated
from hinterland.evaluate.inference import Vcov
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.placebo import Kind as Placebo
from hinterland.evaluate.sensitivity import Kind as Sensitivity
from hinterland.measure.register import INDICATORS

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"cluster_t", "two_samples", "sign_changes", "hypotheses", "placebo_space", "placebo_time", "bootstrap_regression"}
"""What the public procedures are made of."""
CALLED = {
    "difference": "difference to the baseline",
    **dict.fromkeys(("equality", "interaction", "permute_pair"), "group difference"),
}
"""Procedures that the page calls by what they test."""
WITHOUT_P_VALUE = {"permutation_test", "pretrend_power"}
UNCERTAIN = re.compile(r"std-error|p-value|-p$|-q$|cut-off|global-(low|high)")
"""Components of indicators that are standard errors, p-values or critical values."""
COMPARED = {
    "ellison-glaeser",
    "co-agglomeration",
    "hsieh-klenow",
    "capital-misallocation",
    "capital-stock",
    "knowledge-width",
    "generality",
}
COMPARED |= {"economic-complexity", "product-complexity", "fitness", "green-productivity", "green-inefficiency", "growth-comovement"}
"""Indicators without those that estimate what a simulation knows."""
VALID = {"estimators", "averages", "packaged world"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("validation_page", ROOT / "scripts/validation_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(script: ModuleType) -> list[dict[str, str]]:
    found: list[dict[str, str]] = script.read_table(script.TABLE)
    return found


def test_page_is_what_the_table_gives(script: ModuleType, rows: list[dict[str, str]]) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(rows), "run: python scripts/validation_page.py"
    assert all(row["reason"] in script.REASONS and row["quantity"] in script.QUANTITIES and row["study"] in script.STUDIES for row in rows)


def test_nothing_is_out_of_range(rows: list[dict[str, str]]) -> None:
    for row in rows:
        low, high = float(row["low"] or "-inf"), float(row["high"] or "inf")
        assert row["ok"] == "true", row
        assert low <= float(row["value"]) <= high, row


def test_another_range_has_a_reason(rows: list[dict[str, str]]) -> None:
    usual = {"coverage": ("0.93", "0.97"), "size": ("0.03", "0.07")}
    for row in rows:
        if not row["reason"] and row["quantity"] in usual:
            assert (row["low"], row["high"]) == usual[row["quantity"]], row
        assert (row["study"] == "failures") == (row["reason"] == "known failure"), row


@pytest.mark.parametrize("method", METHODS)
def test_every_estimator_is_right_somewhere(method: str, rows: list[dict[str, str]]) -> None:
    """Bias and coverage in the usual range, and a size, over a thousand replications."""
    own = [r for r in rows if r["subject"] == method and r["study"] in VALID and not r["reason"] and int(r["replications"]) >= 1000]
    assert {"bias", "coverage"} <= {r["quantity"] for r in own}
    assert any(r["quantity"] == "size" for r in own) or any(r["subject"] == method and r["quantity"] == "size" for r in rows)


def test_two_way_fixed_effects_fail_where_effects_differ(rows: list[dict[str, str]]) -> None:
    failures = {(r["subject"], r["quantity"]) for r in rows if r["study"] == "failures" and "effects differ" in r["design"]}
    assert {("twfe", "bias"), ("twfe", "coverage"), ("event-study", "bias"), ("event-study", "size")} <= failures


def choices() -> list[str]:
    """Subjects that the types of options name."""
    return [
        *(f"vcov, {name}" for name in get_args(Vcov)),
        *(f"few_treated, {name}" for name in get_args(FewTreated)),
        *(f"adjust, {name}" for name in get_args(Adjustment)),
        *(f"band, {name}" for name in get_args(Band)),
        *(f"sensitivity, {name}" for name in get_args(Sensitivity)),
        *(f"placebo, {name}" for name in get_args(Placebo)),
    ]


def _has_p_value(kind: Any) -> bool:
    return is_dataclass(kind) and {"p_value", "p_adjusted"} & {f.name for f in fields(kind)} != set()


def procedures() -> set[str]:
    """Public functions of the room that return a p-value, by the fields of what they return."""
    found = set()
    for module in pkgutil.iter_modules(hinterland.evaluate.__path__):
        loaded = import_module(f"hinterland.evaluate.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            returned = getattr(loaded, str(inspect.signature(function).return_annotation), None)
            if not name.startswith("_") and function.__module__ == loaded.__name__ and _has_p_value(returned):
                found.add(name)
    return found


def test_every_choice_is_there(rows: list[dict[str, str]]) -> None:
    shown = {r["subject"] for r in rows}
    assert [c for c in choices() if c not in shown] == []


def test_every_test_is_there(rows: list[dict[str, str]]) -> None:
    shown = {r["subject"].partition(",")[0] for r in rows}
    found = (procedures() - PARTS) | WITHOUT_P_VALUE
    assert {"pretrend_test", "wild_bootstrap", "few_treated", "adjust", "equivalence_test"} <= found
    assert sorted({CALLED.get(name, name) for name in found} - shown) == []


def test_every_indicator_that_estimates_or_tests_is_there(rows: list[dict[str, str]]) -> None:
    uncertain = {i for i, entry in INDICATORS.items() if any(UNCERTAIN.search(c) for c in entry.components)}
    assert {"border-effect", "beta-convergence", "local-moran", "duranton-overman", "spatial-markov-chain"} <= uncertain
    shown = {r["subject"] for r in rows if r["study"] == "measures"}
    assert sorted((uncertain | COMPARED) - shown) == []
    assert shown <= set(INDICATORS)


def test_rows_that_a_record_lacks_can_be_kept(script: ModuleType, rows: list[dict[str, str]], tmp_path: Path) -> None:
    again = {**rows[3], "value": 0.25, "low": None, "ok": True}
    record = tmp_path / "record.jsonl"
    record.write_text(json.dumps(again) + "\n", encoding="utf-8")
    found = script.read_record(record, rows)
    assert len(found) == len(rows) and [r["value"] for r in found if r not in rows] == [0.25]
    script.write_table(found, tmp_path / "table.csv")
    written = script.read_table(tmp_path / "table.csv")
    assert (written[3]["value"], written[3]["low"]) == ("0.25", "") and written[4:] == rows[4:]
    assert [r["value"] for r in script.read_record(record)] == [0.25]
