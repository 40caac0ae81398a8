"""Resampling where treatment is switched off again: what is dealt out is the treatment that was estimated on."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.placebo_space import placebo_space
from hinterland.evaluate.placebo_time import placebo_time
from hinterland.evaluate.randomisation import randomisation_test


@cache
def switching() -> Design:
    """40 units of which half are treated from 2003, and a random third of their later rows is not."""
    rng = np.random.default_rng(5)
    unit, year = np.repeat(np.arange(40), 8), np.tile(np.arange(2000, 2008), 40)
    d = ((unit % 2 == 1) & (year >= 2003) & (rng.random(320) > 0.3)).astype(float)
    frame = pl.DataFrame({"unit": [f"u{i:02d}" for i in unit], "year": year, "d": d, "y": d + rng.normal(size=320)})
    panel = Panel(frame, "unit", "year")
    return make_design(panel, "y", hl.adoption_from_treatment(panel, "d", reversible=True))


def test_randomisation_deals_out_the_treatment_as_observed() -> None:
    found = randomisation_test(switching(), draws=39)
    assert found.draws["estimate"][0] == pytest.approx(fit(switching(), "twfe").estimate[0])
    assert found.conf_low < found.estimate < found.conf_high
    assert "ri-loop" in {n.code for n in found.notes}


def test_a_placebo_in_space_deals_out_the_treatment_as_observed() -> None:
    found, same = placebo_space(switching(), draws=39, seed=1), randomisation_test(switching(), draws=39, seed=1)
    assert next(n for n in found.notes if n.code == "placebo-fits").values["reason"] == "treatment-reversal"
    assert found.draws["estimate"].to_list() == pytest.approx(same.draws["estimate"].to_list())
    assert found.p_exact == pytest.approx(same.p_coefficient)


def test_a_placebo_in_time_takes_treatment_as_lasting_and_says_so() -> None:
    with pytest.raises(EstimationError, match="takes treatment as 0 until adoption") as raised:
        placebo_time(switching())
    assert raised.value.findings[0].code == "treatment-reversal"
