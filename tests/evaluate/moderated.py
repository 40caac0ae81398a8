"""Panels in which the effect is a line in a moderator of provinces, coded once and drawn many times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.moderation_linear import Scaling

Floats = NDArray[np.float64]
PERIODS = 8
COHORTS = (4, 6)


@dataclass(frozen=True)
class Moderated:
    """``panel`` with outcome y; ``m`` [N] the moderator, ``province`` and ``cohort`` [N]; ``slope``: of the effect; 1 is its level at the treated's mean."""

    panel: Panel
    policy: Cohorts
    design: Design
    m: Floats
    province: NDArray[np.int64]
    cohort: NDArray[np.int64]

    @property
    def treated(self) -> NDArray[np.bool_]:
        return self.cohort != NEVER

    @property
    def scaling(self) -> Scaling:
        return Scaling("m", float(self.m[self.treated].mean()), float(self.m.std(ddof=1)))

    def draws(
        self, count: int, seed: int, slope: float, *, by_province: float = 0.0, noise: float = 0.0, trend: float = 0.1
    ) -> Iterator[tuple[Design, Floats]]:
        """Designs with new outcomes, and the effect [N, T] of each; ``by_province``, ``noise``: standard deviation of further differences in the effect."""
        rng = np.random.default_rng(seed)
        n, t = len(self.m), np.arange(1, PERIODS + 1)
        on = t >= self.cohort[:, None]
        for _ in range(count):
            level = 1 + slope * (self.m - self.m[self.treated].mean())
            level = level + by_province * rng.normal(size=self.province.max() + 1)[self.province] + noise * rng.normal(size=n)
            effect = on * level[:, None]
            error = rng.normal(size=(n, PERIODS))
            error[:, 1:] += 0.5 * error[:, :-1]
            y = rng.normal(size=(n, 1)) + 0.2 * t + trend * t * self.m[:, None] + effect + error
            yield replace(self.design, y=y.ravel()), effect


def moderated(units: int = 240, provinces: int = 40, seed: int = 0, share: float = 0.4, **columns: Any) -> Moderated:
    """``units`` in ``provinces``, the moderator of which is drawn; a ``share`` of the units of each province adopts, in 4 or 6."""
    rng = np.random.default_rng(seed)
    province = np.sort(np.arange(units) % provinces)
    m = rng.normal(size=provinces)[province]
    cohort = np.where(rng.random(units) < share, rng.choice(COHORTS, units), NEVER).astype(np.int64)
    names = np.array([f"u{i:04d}" for i in range(units)])
    data = {
        "unit": np.repeat(names, PERIODS),
        "year": np.tile(np.arange(1, PERIODS + 1), units),
        "y": rng.normal(size=units * PERIODS),
        "m": np.repeat(m, PERIODS),
        "province": np.repeat(np.array([f"p{p:03d}" for p in province]), PERIODS),
        **{name: np.repeat(np.asarray(value), PERIODS) for name, value in columns.items()},
    }
    first = pl.Series([None if c == NEVER else int(c) for c in cohort], dtype=pl.Int64)
    policy = Cohorts(
        pl.DataFrame({"unit": names, "cohort": first, "dose": 1.0, "excluded": False, "reason": ""}), True, source="drawn", timing="column"
    )
    panel = Panel(pl.DataFrame(data), "unit", "year")
    design = make_design(panel, "y", policy, cluster="province", columns=("m", *columns))
    out = Moderated(panel, policy, design, m, province, cohort)
    y = next(out.draws(1, seed + 1, -0.4))[0].y
    return replace(out, panel=panel.with_columns(pl.Series("y", y)), design=replace(design, y=y))
