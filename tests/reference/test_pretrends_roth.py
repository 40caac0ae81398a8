"""Power of pre-trend tests and conditional means, against other implementations.

On the Benzarti–Carloni event study of ``HonestDiD``: values of StatsPAI 1.40.2 (``pretrends_slope_for_power``, ``pretrends_power``), which
repeats the R package ``pretrends`` (Roth 2022), and truncated-normal moments by simulation.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hinterland.evaluate.honest.rectangle import rectangle


def test_power_and_slope(reference: Path) -> None:
    given = json.loads((reference / "event_study_inputs.json").read_text())["BCdata_EventStudy"]
    vcov = np.array(given["sigma"])[:4, :4]
    half = 1.959963984540054 * np.sqrt(np.diag(vcov))
    distance = np.array([-4.0, -3.0, -2.0, -1.0])
    assert 1 - rectangle(0.011610819077762225 * distance, vcov, -half, half).probability == pytest.approx(0.5, abs=3e-5)
    assert 1 - rectangle(0.01 * distance, vcov, -half, half).probability == pytest.approx(0.41927626, abs=3e-5)
    assert 1 - rectangle(0 * distance, vcov, -half, half).probability == pytest.approx(0.14870744, abs=3e-5)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_rectangles_against_scipy_and_simulation(size: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(size)
    root = rng.normal(size=(size, size)) + 2 * np.eye(size)
    vcov, mean = root @ root.T, rng.normal(size=size)
    low, high = mean - 3 * rng.random(size) * np.sqrt(np.diag(vcov)), mean + 2 * np.sqrt(np.diag(vcov))
    found = rectangle(mean, vcov, low, high)
    # SciPy integrates by a random lattice: unseeded and with 200 000 points its own spread at eight dimensions is 2.5e-4 of the value.
    exact = stats.multivariate_normal(mean, vcov, maxpts=1_000_000, abseps=1e-7, seed=size).cdf(high, lower_limit=low)
    assert found.probability == pytest.approx(exact, rel=5e-4)
    draws = mean + rng.standard_normal((200_000, size)) @ np.linalg.cholesky(vcov).T
    inside = draws[((draws >= low) & (draws <= high)).all(axis=1)]
    assert np.abs((found.mean - inside.mean(axis=0)) / (inside.std(axis=0) / np.sqrt(len(inside)))).max() < 4
