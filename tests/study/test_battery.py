"""Every family of robustness rows equals a single fit that is built by hand, and reference fits of pyfixest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.geography import groups_of
from hinterland.data.panel import Panel
from hinterland.evaluate.differences import difference
from hinterland.study.record import Run

pytestmark = pytest.mark.filterwarnings("ignore::hinterland.errors.HinterlandWarning")

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "battery_pyfixest.json").read_text(encoding="utf-8"))["rows"]
CONTROLS = ["ln_gdp_pc", "share2"]
STUDY = """
[study]
title = "Battery"

[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
[panel.derive]
ln_citations = "log1p(citations)"
old = "where(ln_gdp_pc_base > 9.5, 2012, 0)"

[policy]
register = "industrial-transfer-zones"
partial = "treat"
uncertain = "treat"

[[outcome]]
name = "ln_inventions"

[evaluate]
headline = "callaway-santanna"
methods = ["twfe", "callaway-santanna", "imputation"]
covariates = "~ ln_gdp_pc + share2"

[robustness]
drop = ["municipalities", "provincial-capitals", "partially-covered"]
timing = ["approval_year"]
partial = ["exclude"]
comparison = ["not-yet-treated"]
winsorise = [0.01, [0.02, 0.97]]
trim = [0.01]
concurrent = ["low-carbon-pilots", { name = "own", source = "own.csv", unit = "city", first = "since" }, { name = "columned", column = "old" }]
concurrent_how = ["drop", "control"]
lag_controls = [1, 2]
fe = ["province^year", "macro-region^year"]
outcomes = ["ln_citations"]
cluster = ["province", ["adcode", "year"]]
methods = ["imputation"]

[[robustness.model]]
name = "late"
years = [2010, 2022]
"""
OWN = {"合肥市": 2012, "340200": 2014, "Wuhan": 2009, "成都": 2030}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("battery")
    pl.DataFrame({"city": list(OWN), "since": list(OWN.values())}).write_csv(folder / "own.csv")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return hl.run(folder / "study.toml", folder / "out", only="robustness")


@pytest.fixture(scope="module")
def panel() -> Panel:
    frame = hl.simulate(seed=0).panel
    low_carbon = hl.policy_register("low-carbon-pilots").cohorts(timing="approval_year", partial="treat").table
    first = dict(low_carbon.select("unit", "cohort").iter_rows())
    own = {"340100": 2012, "340200": 2014, "420100": 2009, "510100": 2030}
    unit, year = pl.col("adcode"), pl.col("year")
    return frame.with_columns(
        pl.col("citations").log1p().alias("ln_citations"),
        unit.replace_strict(first, default=None, return_dtype=pl.Int64).alias("low_carbon"),
        unit.replace_strict(own, default=None, return_dtype=pl.Int64).alias("own"),
        pl.when(pl.col("ln_gdp_pc_base") > 9.5).then(2012).alias("columned"),
    ).with_columns(
        *((year >= pl.col(c)).fill_null(value=False).cast(pl.Float64).alias(f"{c}_now") for c in ("low_carbon", "own", "columned")),
        *((pl.col(c) <= 2022).fill_null(value=False).cast(pl.Float64).alias(f"{c}_ever") for c in ("low_carbon", "own", "columned")),
        *(pl.col(c).shift(k).over("adcode").alias(f"{c}_{k}") for c in CONTROLS for k in (1, 2)),
    )


Rule = Mapping[str, Any]
ZONES: Rule = {"timing": "first_full_year", "partial": "treat", "uncertain": "treat"}


def single(panel: Panel, method: str, rule: Rule = ZONES, outcome: str = "ln_inventions", **options: Any) -> Any:
    """One fit with nothing of a study about it, as one number."""
    policy = hl.policy_register("industrial-transfer-zones").cohorts(**rule)
    effects = hl.estimate(panel, outcome, policy, method=method, **{"covariates": CONTROLS, **options})
    return effects.aggregate("overall") if effects.aggregation == "group-time" else effects


def out_of(region: str) -> Callable[[Panel], Panel]:
    def without(panel: Panel) -> Panel:
        inside = groups_of(panel.frame["adcode"].unique(), region)["unit"]
        return panel.filter(~pl.col("adcode").is_in(inside.implode()))

    return without


def tails(low: float, high: float, *, cut: bool) -> Callable[[Panel], Panel]:
    def change(panel: Panel) -> Panel:
        for name in ("ln_inventions", *CONTROLS):
            values = panel.frame[name].to_numpy()
            a, b = (np.quantile(values, q, method="averaged_inverted_cdf") for q in (low, high))
            kept = pl.when(pl.col(name).is_between(a, b)).then(pl.col(name)) if cut else pl.col(name).clip(a, b)
            panel = panel.with_columns(kept.alias(name))
        return panel

    return change


def not_in(column: str) -> Callable[[Panel], Panel]:
    return lambda panel: panel.filter(pl.col(column) == 0.0)


def same(panel: Panel) -> Panel:
    return panel


TWFE, CS, BJS = "twfe", "callaway-santanna", "imputation"
ROWS: list[tuple[str, str, Callable[[Panel], Panel], dict[str, Any]]] = [
    *((f"drop-{r}", m, out_of(r), {}) for r in ("municipalities", "provincial-capitals") for m in (TWFE, CS)),
    *(("drop-partially-covered", m, same, {"rule": {**ZONES, "partial": "exclude"}}) for m in (TWFE, CS)),
    *(("partial-exclude", m, same, {"rule": {**ZONES, "partial": "exclude"}}) for m in (TWFE, CS)),
    *(("timing-approval_year", m, same, {"rule": {**ZONES, "timing": "approval_year"}}) for m in (TWFE, CS)),
    ("comparison-not-yet-treated", CS, same, {"comparison": "not-yet-treated"}),
    *(("winsorise-0.01-0.99", m, tails(0.01, 0.99, cut=False), {}) for m in (TWFE, CS)),
    *(("winsorise-0.02-0.97", m, tails(0.02, 0.97, cut=False), {}) for m in (TWFE, CS)),
    *(("trim-0.01-0.99", m, tails(0.01, 0.99, cut=True), {}) for m in (TWFE, CS)),
    *(
        (f"concurrent-drop-{n}", m, not_in(f"{c}_ever"), {})
        for n, c in (("low-carbon-pilots", "low_carbon"), ("own", "own"), ("columned", "columned"))
        for m in (TWFE, CS)
    ),
    *(
        (f"concurrent-control-{n}", m, same, {"covariates": [*CONTROLS, f"{c}_{'now' if m == TWFE else 'ever'}"]})
        for n, c in (("low-carbon-pilots", "low_carbon"), ("own", "own"), ("columned", "columned"))
        for m in (TWFE, CS)
    ),
    *((f"lag-controls-{k}", m, same, {"covariates": [f"{c}_{k}" for c in CONTROLS]}) for k in (1, 2) for m in (TWFE, CS)),
    *(("fe-province-year", m, same, {"fe": ["province^year"]}) for m in (TWFE, BJS)),
    *(("fe-macro-region-year", m, same, {"fe": ["macro_region^year"]}) for m in (TWFE, BJS)),
    *(("outcome-ln_citations", m, same, {"outcome": "ln_citations"}) for m in (TWFE, CS)),
    *(("cluster-province", m, same, {"cluster": "province"}) for m in (TWFE, CS)),
    ("cluster-adcode-year", TWFE, same, {"cluster": ["adcode", "year"]}),
    ("method-imputation", BJS, same, {}),
    *(("model-late", m, lambda p: p.filter(pl.col("year") >= 2010), {}) for m in (TWFE, CS)),
]


@pytest.mark.parametrize(("row", "method", "change", "options"), ROWS, ids=[f"{r}-{m}" for r, m, _, _ in ROWS])
def test_a_row_is_a_single_fit(
    run: Run, panel: Panel, row: str, method: str, change: Callable[[Panel], Panel], options: dict[str, Any]
) -> None:
    table = run.tables["robustness"].row(by_predicate=(pl.col("row") == row) & (pl.col("method") == method), named=True)
    found = run.tables["effects"].filter(effects_id=table["effects_id"]).row(0, named=True)
    model = run.tables["models"].row(by_predicate=pl.col("effects_id") == table["effects_id"], named=True)
    expected = single(change(panel), method, **options)
    assert found["estimate"] == pytest.approx(float(expected.estimate[0]), rel=1e-9)
    assert found["std_error"] == pytest.approx(float(expected.std_error[0]), rel=1e-9)
    assert (model["n_obs"], model["outcome"]) == (expected.meta["n_obs"], "ln_inventions")
    if table["difference_std_error"] is not None:
        gap = difference(expected, single(panel, CS if row.startswith("method-") else method))
        assert table["difference"] == pytest.approx(gap.estimate, rel=1e-6, abs=1e-10)
        assert table["difference_std_error"] == pytest.approx(gap.std_error, rel=1e-6)
        assert table["difference_p_value"] == pytest.approx(gap.p_value, rel=1e-6)


def test_every_row_is_held_against_a_fit_by_hand(run: Run) -> None:
    """Two-way clusters by year are not possible for group-time effects, and the table says so."""
    table = run.tables["robustness"]
    lost = table.filter(pl.col("effects_id").is_null())
    assert lost.select("row", "method", "reason").rows() == [("cluster-adcode-year", CS, "cluster-not-nested")]
    made = table.filter(pl.col("effects_id").is_not_null()).select("row", "method").rows()
    assert sorted(made) == sorted((r, m) for r, m, _, _ in ROWS)


def test_reasons_for_a_difference_without_a_standard_error(run: Run) -> None:
    without = run.tables["robustness"].filter(pl.col("difference_std_error").is_null() & pl.col("effects_id").is_not_null())
    reasons = {(r, m): why for r, m, why in without.select("row", "method", "reason").iter_rows()}
    assert reasons == {
        ("outcome-ln_citations", TWFE): "other-outcome",
        ("outcome-ln_citations", CS): "other-outcome",
        ("cluster-province", TWFE): "clusters-differ",
        ("cluster-province", CS): "clusters-differ",
        ("cluster-adcode-year", TWFE): "not-from-influence",
    }
    assert run.tables["robustness"].filter(row="cluster-province")["difference"].to_list() == pytest.approx([0.0, 0.0], abs=1e-12)


def test_the_words_of_a_row_are_recorded(run: Run) -> None:
    table = run.tables["robustness"].filter(method=TWFE)
    told = {r: (code, json.loads(values)) for r, code, values in table.select("row", "code", "values").iter_rows()}
    assert told["winsorise-0.02-0.97"] == ("winsorise", {"limits": [0.02, 0.97]})
    assert told["concurrent-control-own"] == ("concurrent_control", {"programme": "own"})
    assert told["fe-macro-region-year"] == ("fe", {"effects": ["macro-region^year"]})
    assert told["cluster-adcode-year"] == ("cluster", {"clusters": ["adcode", "year"]})
    assert told["model-late"] == ("variation", {})


@pytest.mark.parametrize("row", sorted(REFERENCE))
def test_two_way_fixed_effects_are_those_of_pyfixest(run: Run, panel: Panel, row: str) -> None:
    """pyfixest 0.60.0. Both residualise iteratively or exactly: 1e-6 is pyfixest's tolerance of demeaning.

    Two-way clusters: its smallest number of clusters enters every term of the small-sample factor, as here.
    """
    known = REFERENCE[row]
    if row == "baseline":
        found = single(panel, TWFE)
        estimate, error, rows = float(found.estimate[0]), float(found.std_error[0]), found.meta["n_obs"]
    else:
        name = f"ln_inventions/twfe/coefficient@{row}"
        first = run.tables["effects"].filter(effects_id=name).row(0, named=True)
        estimate, error = first["estimate"], first["std_error"]
        rows = run.tables["models"].row(by_predicate=pl.col("effects_id") == name, named=True)["n_obs"]
    assert rows == known["n_obs"]
    assert estimate == pytest.approx(known["estimate"], rel=1e-6)
    assert error == pytest.approx(known["std_error"], rel=1e-5)
