"""The shipped studies, on the real data beside the project."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import hinterland as hl

STUDIES = Path(__file__).parents[2] / "studies"


def terms(run: hl.Run, effects_id: str) -> dict[str, tuple[float, float]]:
    rows = run.tables["effects"].filter(pl.col("effects_id") == effects_id)
    return {r["term"]: (r["estimate"], r["std_error"]) for r in rows.iter_rows(named=True)}


def test_the_low_carbon_study_reproduces_the_published_table(shared_data: Path, tmp_path: Path) -> None:
    run = hl.run(STUDIES / "low-carbon-replication.toml", tmp_path / "out", data=shared_data, only=["evaluate", "robustness"])
    published = json.loads((shared_data / "replication_low_carbon_did" / "published_results.json").read_text(encoding="utf-8"))["models"]
    where = {
        "full_sample_all_controls": "ln_carbon_intensity/twfe/coefficient",
        "full_sample_pgdp_only": "ln_carbon_intensity/twfe/coefficient@model-pgdp-only",
        "psm_all_controls": "ln_carbon_intensity/twfe/coefficient@model-psm",
    }
    models = run.tables["models"]
    for name, effects_id in where.items():
        found = terms(run, effects_id)
        model = models.row(by_predicate=pl.col("effects_id") == effects_id, named=True)
        assert (model["n_obs"], model["n_clusters"]) == (published[name]["n"], published[name]["clusters"])
        for place, printed in enumerate(("coef", "se")):
            for term, value in published[name][printed].items():
                decimals = len(str(value).partition(".")[2])
                assert round(found["treated" if term == "did" else term][place], decimals) == value, (name, term, printed)


def test_the_zones_study_has_the_known_coefficient(shared_data: Path, tmp_path: Path) -> None:
    """Known from an independent run: all zones, 257 cities seen in 2007-2017, first full year: 0.640175.

    Its standard error, 0.135867, is CR1 with G/(G - 1) alone; the study's has (n - 1)/(n - k) too, k = 11 without the nested city effects.
    """
    run = hl.run(STUDIES / "zones-innovation.toml", tmp_path / "out", data=shared_data, only="robustness")
    name = "ln_inventions/twfe/coefficient@model-all-zones"
    estimate, error = terms(run, name)["treated"]
    model = run.tables["models"].row(by_predicate=pl.col("effects_id") == name, named=True)
    assert model["n_units"] == 257
    assert estimate == pytest.approx(0.640175, abs=5e-7)
    n = model["n_obs"]
    assert error * ((n - 11) / (n - 1)) ** 0.5 == pytest.approx(0.135867, abs=5e-7)
