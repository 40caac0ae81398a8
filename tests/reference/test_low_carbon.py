"""Published numbers on real panels, to the printed digit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.estimate import estimate

MODELS = ["full_sample_all_controls", "full_sample_pgdp_only", "psm_all_controls"]


@pytest.mark.parametrize("name", MODELS)
def test_low_carbon_replication(shared_data: Path, name: str) -> None:
    """Two-way effects, clustered by city, every city and year effect counted: (G/(G−1))·((n−1)/(n−K))."""
    folder = shared_data / "replication_low_carbon_did"
    model = json.loads((folder / "published_results.json").read_text())["models"][name]
    frame = pl.read_parquet(folder / model["file"]).sort("city_name", "year")
    table = frame.group_by("city_name", maintain_order=True).agg(cohort=pl.col("year").filter(pl.col("did") == 1).min())
    table = table.select(unit="city_name", cohort="cohort", dose=pl.lit(1.0), excluded=pl.lit(False), reason=pl.lit(""))
    policy = Cohorts(table, closed=True, source="did", timing="column")
    controls = [c for c in model["coef"] if c != "did"]
    effects = estimate(Panel(frame, "city_name", "year"), "ln_carbon_intensity", policy, "twfe", covariates=controls, ssc="dummies")
    names = ["did" if t == "treated" else t for t in effects.terms.name]
    assert names == list(model["coef"])
    assert dict(zip(names, effects.estimate.round(6).tolist(), strict=True)) == model["coef"]
    errors = dict(zip(names, effects.std_error.round(6).tolist(), strict=True))
    assert {k: errors[k] for k in model["se"]} == model["se"]
    assert (effects.meta["n_obs"], effects.meta["n_clusters"], round(effects.meta["r2"], 4)) == (model["n"], model["clusters"], model["r2"])


def test_zones_and_city_patents(shared_data: Path) -> None:
    """ln(1 + applications) of the 257 cities observed in all of 2007–2017, independent run: 0.640175 (0.135867).

    The timing is the first full year, and cities covered in part (Chongqing, Lu'an) or uncertainly (Jingmen) count as treated. That
    run's standard error is CR1 with two parameters counted (treatment and constant) instead of fixest's treatment and eleven years.
    """
    zones = pl.read_csv(
        shared_data / "industrial_transfer_zones" / "zones_city_registry.csv", schema_overrides={"adcode_gbt2260": pl.String}
    )
    patents = pl.read_parquet(shared_data / "city_patents_2007_2017" / "city_patent_counts.parquet").rename({"pub_year": "year"})
    frame = patents.filter(pl.len().over("adcode") == 11).with_columns(y=(pl.col("n_patents") + 1).log()).sort("adcode", "year")
    first = zones.group_by("adcode_gbt2260").agg(cohort=pl.col("first_full_year").min().cast(pl.Int64))
    table = first.select(unit="adcode_gbt2260", cohort="cohort", dose=pl.lit(1.0), excluded=pl.lit(False), reason=pl.lit(""))
    policy = Cohorts(table, closed=False, source="industrial-transfer-zones", timing="first_full_year")
    effects = estimate(Panel(frame, "adcode", "year"), "y", policy, "twfe")
    assert (effects.meta["n_units"], effects.meta["n_treated"]) == (257, 26)
    assert effects.estimate[0].round(6) == 0.640175
    n, groups = effects.meta["n_obs"], effects.meta["n_clusters"]
    plain = estimate(Panel(frame, "adcode", "year"), "y", policy, "twfe", ssc="none").std_error[0]
    assert (plain * np.sqrt((n - 1) / (n - 2) * groups / (groups - 1))).round(6) == 0.135867
    assert effects.std_error[0].round(6) == 0.136108
