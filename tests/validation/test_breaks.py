"""Structural breaks of short series: how often each rule finds one where there is none, and how often it finds one that is there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from recording import Recorder

from hinterland.measure.breaks import breaks, regressors, shortest
from hinterland.measure.common_breaks import common_breaks

pytestmark = pytest.mark.validate

REPLICATIONS = 4000
Floats = NDArray[np.float64]


def noise(rng: np.random.Generator, count: int, periods: int, rho: float = 0.0) -> Floats:
    """[count, periods] standard normal errors, autocorrelated by ``rho``."""
    shocks = rng.standard_normal((count, periods))
    for t in range(1, periods):
        shocks[:, t] = rho * shocks[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
    return shocks


@pytest.mark.parametrize("periods", [15, 20, 25])
def test_breaks_that_are_not_there(validated: Recorder, periods: int) -> None:
    """Criteria are no tests: their false finds are rates of error. The sequential test of 5 % is oversized in short series, and all rules where errors are autocorrelated."""
    x, h = regressors(periods), shortest(periods)
    for rho, where in ((0.0, "independent errors"), (0.5, "errors autocorrelated by 0.5")):
        found = breaks(noise(np.random.default_rng(71), REPLICATIONS, periods, rho), x, h=h)
        rows = validated("failures" if rho else "measures", "structural-breaks", f"{periods} periods, {where}, no break", seed=71)
        low, high = (0.03, 0.25) if rho == 0 else (0.3, 0.8)
        reason = "" if rho == 0 else "known failure"
        rows.rate("error rate", found.by_bic > 0, "bic", within=(low, high), reason=reason)
        rows.rate("error rate", found.by_lwz > 0, "lwz", within=(low, high), reason=reason)
        within = (0.03, 0.12) if rho == 0 else (0.3, 0.8)
        rows.size(found.by_sequence > 0, "sequential", within=within, reason="small sample" if rho == 0 else "known failure")


@pytest.mark.parametrize("periods", [15, 25])
def test_a_break_that_is_there(validated: Recorder, periods: int) -> None:
    """A shift of two standard deviations in the middle: found, and dated to the year or its neighbour."""
    y = noise(np.random.default_rng(72), REPLICATIONS, periods)
    at = periods // 2
    y[:, at:] += 2.0
    found = breaks(y, regressors(periods), h=shortest(periods))
    rows = validated("measures", "structural-breaks", f"{periods} periods, one shift of 2 sd", seed=72)
    for rule in ("bic", "lwz", "sequential"):
        count = found.count(rule)  # type: ignore[arg-type]
        rows.power(count > 0, (0.8, 1.0), rule)
        once = count == 1
        dated = np.abs(found.dates(rule)[once, 0] - (at - 1)) <= 1  # type: ignore[arg-type]
        rows.rate("error rate", ~dated, f"{rule}, more than a year off", within=(0.0, 0.25))


def test_common_breaks(validated: Recorder) -> None:
    """Thirty series with shifts of one standard deviation at one date, and without any."""
    rng = np.random.default_rng(73)
    x, h, count = regressors(20), shortest(20), 400
    none = np.array([common_breaks(rng.standard_normal((30, 20)), x, h=h).by_bic for _ in range(count)])
    dates = []
    for _ in range(count):
        y = rng.standard_normal((30, 20))
        y[:, 10:] += rng.choice([-1.0, 1.0], (30, 1))
        found = common_breaks(y, x, h=h)
        dates.append(int(found.dates("bic")[0]) if found.by_bic == 1 else -1)
    rows = validated("measures", "common-breaks", "30 series, 20 periods", seed=73)
    rows.rate("error rate", none > 0, "no break", within=(0.0, 0.05))
    rows.power(np.array(dates) >= 0, (0.95, 1.0), "shifts of 1 sd of either sign")
    rows.rate("error rate", np.array(dates) != 9, "shifts of 1 sd, dated to another year", within=(0.0, 0.15))
