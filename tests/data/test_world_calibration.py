"""The simulated world has the moments of the real panels, within the recorded tolerances."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from hinterland.data.world import simulate
from hinterland.data.world_moments import world_moments
from hinterland.data.world_parameters import calibration

MOMENTS = {m["id"]: m for m in calibration()["moment"]}
DRAWS = 16


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[float]]:
    draws = [world_moments(simulate(seed=s)) for s in range(DRAWS)]
    return {name: [d[name] for d in draws] for name in draws[0]}


def test_recorded_moments_are_within_tolerance() -> None:
    outside = {k: (m["real"], m["simulated"]) for k, m in MOMENTS.items() if abs(m["real"] - m["simulated"]) > m["tolerance"]}
    assert not outside


def test_simulated_moments_are_those_recorded(simulated: dict[str, list[float]]) -> None:
    off = {}
    for name, moment in MOMENTS.items():
        error = 4 * moment["sd"] / np.sqrt(DRAWS) + 1e-3 * abs(moment["simulated"])
        if abs(np.mean(simulated[name]) - moment["simulated"]) > error:
            off[name] = (np.mean(simulated[name]), moment["simulated"])
    assert not off
    assert set(simulated) == set(MOMENTS)


def test_real_moments_are_those_recorded(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "scripts"))
    import calibrate_world

    real = calibrate_world.real_moments(shared_data)
    sys.modules.pop("calibrate_world")
    assert {k: v for k, v in real.items() if v != pytest.approx(MOMENTS[k]["real"], rel=1e-3)} == {}
