"""Against R's didimputation 0.5.0 (values and calls in ../shared/reference/imputation.json), standard errors to 1e-6.

Estimates agree to 1e-6 times the largest of the call: R finds fixed effects by iterations that stop at about that (ours are exact).

Two conventions are repeated by an option, and the default differs:

* under weights, R multiplies the columns of the model by the weights instead of their roots, so that the weights enter its projection
  squared (``influence_of="didimputation"``). The default is the formula of the paper, checked in ``test_imputation`` of the estimator;
* means of effects in the variance weigh rows, not clusters, as here by default; the authors' Stata command weighs clusters
  (``variance_means="cluster"``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from first_stage_calls import at, compare, design_of, records

from hinterland.evaluate.estimate import fit

RECORDS = records("imputation.json")


@pytest.mark.parametrize("key", RECORDS)
def test_estimates_and_standard_errors(key: str) -> None:
    record = RECORDS[key]
    values, options = record["values"], {}
    if '"wgt"' in record["call"]:
        options["influence_of"] = "didimputation"
    if values["term"] == ["treat"]:
        compare(fit(design_of(record["dataset"], record["call"]), "imputation", **options).aggregate("overall"), [0], values)
        return
    times = [int(t) for t in values["term"]]
    if "pretrends" in record["call"]:
        options["pretrends"] = 99 if "pretrends = TRUE" in record["call"] else sum(t < 0 for t in times)
    effects = fit(design_of(record["dataset"], record["call"]), "imputation", **options)
    by_time = effects if "pretrends" in options else effects.aggregate("event-time")
    compare(by_time, at(by_time, times), values)


def test_the_records_are_all_there(reference: Path) -> None:
    assert len(records(str(reference / "imputation.json"))) == 28


def test_under_weights_the_default_is_not_what_r_has() -> None:
    record = RECORDS.get("didimputation/mpdta_weights/static")
    if record is None:
        pytest.skip("needs the reference values")
    ours = fit(design_of(record["dataset"], record["call"]), "imputation").aggregate("overall")
    assert 0.04 < abs(ours.std_error[0] / record["values"]["se"][0] - 1) < 0.06
