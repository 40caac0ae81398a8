"""Against R's did2s 1.2.1 (values and calls in ../shared/reference/did2s.json), standard errors and covariances to 1e-6.

R's second stage has no constant, so that leads are means of first-stage residuals and leaving event time -1 out changes no other term.
Estimates agree to 1e-6 times the largest of the call, the tolerance of R's fixed effects.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from first_stage_calls import at, compare, design_of, records

from hinterland.evaluate.estimate import fit

RECORDS = records("did2s.json")


@pytest.mark.parametrize("key", RECORDS)
def test_estimates_and_covariances(key: str) -> None:
    record = RECORDS[key]
    values = record["values"]
    static = key.endswith("/static")
    design = design_of(record["dataset"], record["call"])
    effects = fit(design, "two-stage", second_stage="static" if static else "event-study", leads=not static)
    position = [0] if static else at(effects, [int(t.split("::")[1]) for t in values["term"]])
    compare(effects, position, values)
    vcov = np.array(values["vcov"])
    np.testing.assert_allclose(effects.vcov[np.ix_(position, position)], vcov, atol=1e-6 * float(np.diag(vcov).max()))


def test_the_records_are_all_there(reference: Path) -> None:
    assert len(records(str(reference / "did2s.json"))) == 14
