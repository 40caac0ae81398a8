"""Against R's bacondecomp 0.1.3 and TwoWayFEWeights 2.0.4 (values and calls in ../shared/reference), to 1e-6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from numpy.testing import assert_allclose

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.bacon import bacon
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.negative_weights import cell_weights

RTOL = 1e-6
FILES = {
    "mpdta.csv": ("countyreal", "year", "first_treat", "lemp"),
    "base_stagg.csv": ("id", "year", "year_treated", "y"),
    "sim_panel_293.csv": ("unit", "year", "g", "y"),
}
TYPES = {
    "Earlier vs Later Treated": "earlier-vs-later",
    "Later vs Earlier Treated": "later-vs-earlier",
    "Treated vs Untreated": "treated-vs-never",
    "Both Treated": "both-treated",
}


def _design(reference: Path, name: str, covariates: str | None = None) -> Design:
    unit, time, first, outcome = FILES[name]
    frame = pl.read_csv(reference / name).sort(unit, time)
    start = pl.when((pl.col(first) > 0) & (pl.col(first) <= frame[time].max())).then(pl.col(first)).cast(pl.Int64)
    table = frame.group_by(unit, maintain_order=True).agg(pl.col(first).first())
    table = table.select(unit=pl.col(unit).cast(pl.String), cohort=start, dose=pl.lit(1.0), excluded=pl.lit(False), reason=pl.lit(""))
    return make_design(Panel(frame, unit, time), outcome, Cohorts(table, True, first, "column"), covariates=covariates)


def _record(reference: Path, file: str, key: str) -> dict[str, Any]:
    return next(r for r in json.loads((reference / file).read_text()) if r["id"] == key)


@pytest.mark.parametrize(
    ("key", "covariates"),
    [
        ("bacon/mpdta/uncontrolled", None),
        ("bacon/base_stagg/uncontrolled", None),
        ("bacon/base_stagg/controlled", "~ x1"),
        ("bacon/sim_panel_293/uncontrolled", None),
    ],
)
def test_bacondecomp(reference: Path, key: str, covariates: str | None) -> None:
    record = _record(reference, "bacon.json", key)
    values, theirs = record["values"], record["values"]["two_by_twos"]
    result = bacon(_design(reference, record["dataset"], covariates))
    ours = {(r["treated"], r["control"]): r for r in result.table.filter(pl.col("type") != "within-cohort").iter_rows(named=True)}
    assert len(ours) == len(theirs["treated"])
    for treated, control, estimate, weight, kind in zip(
        *(theirs[c] for c in ("treated", "untreated", "estimate", "weight", "type")), strict=True
    ):
        row = ours[treated, control]
        assert row["type"] == TYPES[kind]
        # bacondecomp's weights sum to one without the within-cohort part.
        assert_allclose([row["estimate"], row["weight"] / (1 - result.omega)], [estimate, weight], rtol=RTOL)
    by_type = {r["type"]: r for r in result.summary().iter_rows(named=True)}
    for kind, weight, average in zip(*(values["by_type"][c] for c in ("type", "weight", "avg_estimate")), strict=True):
        assert_allclose(
            [by_type[TYPES[kind]]["weight"] / (1 - result.omega), by_type[TYPES[kind]]["average"]], [weight, average], rtol=RTOL
        )
    assert_allclose(result.estimate, values["weighted_sum"], rtol=RTOL)
    if covariates:
        assert_allclose([result.omega, result.within], [values["Omega"], values["beta_hat_w"]], rtol=RTOL)


def test_twowayfeweights(reference: Path) -> None:
    values = _record(reference, "extra.json", "TwoWayFEWeights/mpdta/feTR")["values"]
    w = cell_weights(_design(reference, "mpdta.csv"))
    assert (w.n_positive, w.n_negative, w.table.height) == (values["nr_plus"], values["nr_minus"], values["tot_cells"])
    ours = [w.sum_positive, w.sum_negative, w.estimate, w.sigma, w.sigma_all]
    assert_allclose(ours, [values[k] for k in ("sum_plus", "sum_minus", "beta", "sensibility", "sensibility2")], rtol=RTOL)
