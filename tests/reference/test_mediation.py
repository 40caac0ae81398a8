"""Mediation against R's mediation and sensemakr, pingouin and statsmodels: published or computed there, with where and how."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.evaluate.mechanism import Mechanism, mechanism
from hinterland.evaluate.mechanism_pairs import ClusterSums
from hinterland.evaluate.mechanism_paths import Paths
from hinterland.evaluate.mechanism_sensitivity import rho_at_zero, robustness_value

JOBS = np.array(
    [
        [600.0, 1813.2999987602234, 310.0, 22613.12056159973, 600.0, 2439.4666650295258, 1032.1999995708466],
        [
            1813.2999987602234,
            9095.52860143795,
            1431.6299985647202,
            102128.83337398835,
            2718.699999332428,
            11039.2183238856,
            4850.241048037053,
        ],
        [310.0, 1431.6299985647202, 482.0, 18236.824684143066, 482.0, 1945.6333303451538, 860.7090913057327],
        [
            22613.12056159973,
            102128.83337398835,
            18236.824684143066,
            1366700.1805957095,
            33770.99182128906,
            137001.5463361832,
            58774.6774808985,
        ],
        [600.0, 2718.699999332428, 482.0, 33770.99182128906, 899.0, 3634.966663002968, 1565.5202013254166],
        [
            2439.4666650295258,
            11039.2183238856,
            1945.6333303451538,
            137001.5463361832,
            3634.966663002968,
            15173.912192428365,
            6221.924572155733,
        ],
        [
            1032.1999995708466,
            4850.241048037053,
            860.7090913057327,
            58774.6774808985,
            1565.5202013254166,
            6221.924572155733,
            3107.626719278163,
        ],
    ]
)
"""Cross-products of treat, econ_hard, sex, age, 1, job_seek and depress2 in ``jobs`` of R's mediation (JOBS II, 899 rows)."""


def jobs() -> Paths:
    upper = np.triu_indices(7)
    sums = ClusterSums(JOBS[upper][None], width=7, base=5, mediators=1, confounders=0)
    return Paths.of(sums.paths(np.ones((1, 1))))


def test_jobs_of_r_mediation() -> None:
    """lm(job_seek ~ treat + econ_hard + sex + age), lm(depress2 ~ treat + job_seek + econ_hard + sex + age): the example of ``mediate``. R's values are printed to eight digits at
    https://inductivestep.github.io/Random-bits-and-pieces/mediator_effects.nb.html.
    """
    paths = jobs()
    assert paths.indirect[0, 0] == pytest.approx(-0.01574465, abs=5e-9)
    assert float(paths.total[0] - paths.joint[0]) == pytest.approx(-0.0402647, abs=5e-8)
    assert paths.total[0] == pytest.approx(-0.05600935, abs=5e-9)
    assert paths.joint[0] / paths.total[0] == pytest.approx(0.2811075, abs=5e-8)


def test_rho_of_jobs() -> None:
    """``medsens`` takes the correlation of the residuals of job_seek and depress2 without the mediator as the ρ at which the effect is zero (R/medsens.R, ``err.cr``): numpy on the data gives this."""
    assert rho_at_zero(jobs())[0, 0] == pytest.approx(-0.27346970464143855, rel=1e-7)


def test_darfur_of_sensemakr() -> None:
    """directlyharmed on peacefactor (Cinelli & Hazlett 2020, table 1: robustness value 13.9 %), t and df from PySensemakr 0.0.8, whose rv_q to all digits is the reference."""
    t, df = 4.184449984808398, 783.0
    assert robustness_value(np.array([t / np.sqrt(df)]))[0] == pytest.approx(0.13877635389359338, rel=1e-12)


def cross_section() -> tuple[Panel, pl.DataFrame]:
    """400 rows as units of two periods, the first of them zero throughout: two-way fixed effects are then least squares with an intercept."""
    rng = np.random.default_rng(20240501)
    n = 400
    t = (np.arange(n) % 2).astype(float)
    x = rng.normal(size=n)
    m1 = 0.5 * t + 0.3 * x + rng.normal(size=n)
    m2 = -0.4 * t + rng.normal(size=n)
    y = 0.3 * t + 0.6 * m1 - 0.5 * m2 + 0.2 * x + rng.normal(size=n)
    later = pl.DataFrame({"x": x, "m1": m1, "m2": m2, "y": y}).with_columns(
        unit=pl.Series([f"u{i:03}" for i in range(n)]), year=2, first=pl.Series(2 * t).cast(pl.Int64)
    )
    both = pl.concat([later, later.with_columns(*(pl.lit(0.0).alias(c) for c in ("x", "m1", "m2", "y")), year=1)]).sort("unit", "year")
    return Panel(both, "unit", "year"), both


def explained(*mediators: str, draws: int = 99) -> Mechanism:
    panel, _ = cross_section()
    return mechanism(panel, "y", adoption(panel, "first"), mediators, "twfe", covariates=["x"], draws=draws, seed=1)


def test_two_mediators_of_pingouin() -> None:
    """pingouin 0.7.0, mediation_analysis(x="t", m=["m1", "m2"], y="y", covar="x"): its rows “Y ~ m” are regressions without treatment, so that slopes are compared by the indirect effects."""
    found = explained("m1", "m2")
    theirs = {
        ("effect-on-mediator", "m1"): 0.4508708626434993,
        ("effect-on-mediator", "m2"): -0.17194568474160088,
        ("total", None): 0.7341317287326922,
        ("direct", None): 0.3954917270905232,
        ("indirect", "m1"): 0.2528581976234551,
        ("indirect", "m2"): 0.08578180401871408,
    }
    assert {key: found.value(*key) for key in theirs} == pytest.approx(theirs, rel=1e-9)


def test_bootstrap_of_pingouin_and_statsmodels() -> None:
    """Intervals of the indirect effect through m1 alone. Percentile ends by statsmodels 0.15 (Mediation.fit, bootstrap, 2 000 draws of residual-based counterfactuals: 0.108 to 0.403, with simulation noise) are
    wider; bias-corrected ends by pingouin (5 000 draws of rows): 0.137466 to 0.388774. Draws of both have their own seed: ends agree to 0.02, a sixth of a standard error of the ends themselves.
    """
    found = explained("m1", draws=4999)
    assert found.value("indirect", "m1") == pytest.approx(0.24760437605088959, rel=1e-9)
    row = found.frame.filter((pl.col("quantity") == "indirect") & (pl.col("mediator") == "m1")).row(0, named=True)
    assert [row["bca_low"], row["bca_high"]] == pytest.approx([0.137466, 0.388774], abs=0.02)
    assert 0.108435 < row["conf_low"] < row["conf_high"] < 0.403277
