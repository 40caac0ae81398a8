"""Complexity and relatedness through the labelled entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.measure import relatedness
from hinterland.measure.complexity import complexity, fitness, presence

X = np.random.default_rng(4).lognormal(0, 1.5, (14, 9))
M = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], dtype=float)
DENSE = ("relatedness-density", "relative-relatedness", "complexity-outlook-gain")
IDS = (
    "diversity",
    "ubiquity",
    "economic-complexity",
    "product-complexity",
    "fitness",
    "fitness-complexity",
    "proximity",
    "complexity-outlook",
    *DENSE,
)


def cells(*years: np.ndarray) -> pl.DataFrame:
    rows = [
        {"year": 2000 + t, "place": f"r{r:02}", "sector": f"i{i:02}", "jobs": float(x[r, i])}
        for t, x in enumerate(years)
        for r in range(x.shape[0])
        for i in range(x.shape[1])
    ]
    return pl.DataFrame(rows)


def take(name: str, frame: Any, **more: Any) -> hl.Measure:
    return hl.measure(name, frame, region="place", industry="sector", value="jobs", **more)


def values(m: hl.Measure, *shape: int) -> np.ndarray:
    return m.frame["value"].fill_null(np.nan).to_numpy().reshape(shape or -1)


def test_same_numbers_as_the_formulas() -> None:
    p = presence(X)
    assert p.matrix.shape == X.shape
    c, f, phi = complexity(p.matrix), fitness(p.matrix), relatedness.proximity(p.matrix)
    omega = relatedness.density(p.matrix, phi)
    wanted = {
        "diversity": p.diversity,
        "ubiquity": p.ubiquity,
        "economic-complexity": c.eci,
        "product-complexity": c.pci,
        "fitness": f.fitness,
        "fitness-complexity": f.complexity,
        "proximity": phi,
        "complexity-outlook": relatedness.outlook_index(omega, p.matrix, c.pci),
        "relatedness-density": omega,
        "relative-relatedness": relatedness.relative_density(omega, p.matrix),
        "complexity-outlook-gain": relatedness.outlook_gain(phi, p.matrix, c.pci),
    }
    for name in IDS:
        assert np.allclose(values(take(name, cells(X))), wanted[name].ravel(), equal_nan=True), name


def test_years_are_aligned() -> None:
    """The second year is the first with its activity redistributed a little: the index must not turn round."""
    rng = np.random.default_rng(0)
    years = [X * rng.lognormal(0, 0.05, X.shape) for _ in range(6)]
    eci = values(take("economic-complexity", cells(*years), time="year"), 6, 14)
    assert all(np.corrcoef(eci[t], eci[t + 1])[0, 1] > 0 for t in range(5))


def test_sign_by_a_table() -> None:
    plain = take("economic-complexity", cells(X))
    level = plain.frame.select(region="place", value=-pl.col("value"))
    turned = take("economic-complexity", cells(X), orient=level)
    assert np.allclose(values(turned), -values(plain)) and turned.meta["sign_correlation"]["-"] == pytest.approx(1)
    gain = [values(take("complexity-outlook", cells(X), **m)) for m in ({}, {"orient": level})]
    assert np.allclose(gain[0], -gain[1])
    for bad in (level.head(1), pl.concat([level, level])):
        with pytest.raises(hl.InputError) as caught:
            take("product-complexity", cells(X), orient=bad)
        assert [f.code for f in caught.value.findings] == ["orient-regions"]


def test_what_is_left_out_has_a_reason() -> None:
    x = X.copy()
    x[3], x[:, 2] = 0.0, 0.0
    x[5] *= 1e-9
    m = take("economic-complexity", cells(x), floor=1e-3)
    reasons = dict(zip(m.frame["place"], m.frame["reason"], strict=True))
    assert reasons["r03"] == "no-advantage" and reasons["r05"] == "below-floor" and list(reasons.values()).count("") == 12
    assert m.meta["dropped_regions"] == {"-": ["r03", "r05"]} and m.meta["dropped_industries"] == {"-": ["i02"]}
    assert "complexity-dropped" in [n.code for n in m.notes]
    density = take("relatedness-density", cells(x))
    assert set(density.frame.filter(pl.col("sector") == "i02")["reason"]) == {"no-advantage"}
    missing = cells(X).with_columns(jobs=pl.when(pl.col("place") != "r01").then("jobs"))
    assert take("diversity", missing).frame["reason"][1] == "missing-input"


def test_coverage_counts_what_is_known() -> None:
    frame = cells(X).filter(~((pl.col("place") == "r01") & (pl.col("sector") == "i01")))
    m = take("economic-complexity", frame)
    assert m.frame["coverage"].to_list()[:2] == [1.0, pytest.approx(8 / 9)] and m.frame["n_used"][1] == 8


def test_disconnected_and_thin_tables() -> None:
    m = np.zeros((7, 6))
    m[:5, :4], m[5:, 4:] = M, 1
    found = take("economic-complexity", cells(m))
    assert "complexity-disconnected" in [n.code for n in found.notes]
    assert found.frame["reason"].to_list() == [""] * 5 + ["outside-component"] * 2
    thin = take("economic-complexity", cells(np.eye(3)))
    assert set(thin.frame["reason"]) == {"too-thin"}
    assert set(take("complexity-outlook", cells(np.eye(3))).frame["reason"]) == {"too-thin"}


def test_fitness_says_whether_it_converged() -> None:
    m = take("fitness", cells(X), iterations=2)
    assert [n.code for n in m.notes] == ["fitness-not-converged"] and m.meta["converged"] is False and "2 steps" in m.notes[0].text("en")
    assert take("fitness", cells(X), iterations=5000).meta["converged"] is True


def test_options_of_proximity() -> None:
    diagonal = take("proximity", cells(X), phi_diag=1)
    assert diagonal.frame.filter(pl.col("sector") == pl.col("other_industry"))["value"].unique().to_list() == [1.0]
    capped = take("proximity", cells(X), method="capped-cosine", cap=3.0)
    assert not np.allclose(values(capped), values(take("proximity", cells(X))))


def test_relative_relatedness_over_all_industries() -> None:
    options, every = take("relative-relatedness", cells(X)), take("relative-relatedness", cells(X), over="all")
    assert "industry-present" in set(options.frame["reason"]) and set(every.frame["reason"]) == {""}


def test_flow_proximity() -> None:
    frame = pl.DataFrame({"from": list("abc"), "to": list("bca"), "n": [5.0, 2.0, 1.0]})
    m = hl.measure("flow-proximity", frame, industry="from", other_industry="to", value="n")
    wanted = relatedness.flow_proximity(np.array([[0, 5.0, 0], [0, 0, 2], [1, 0, 0]]))
    assert np.allclose(values(m, 3, 3), wanted)
    alone = pl.concat([frame, pl.DataFrame({"from": ["d"], "to": ["a"], "n": [0.0]})])
    assert "no-flows" in set(hl.measure("flow-proximity", alone, industry="from", other_industry="to", value="n").frame["reason"])


def test_quadrants_and_entry() -> None:
    m = take("diversification-quadrant", cells(X))
    assert set(m.frame["value"].drop_nulls()) <= {0.0, 1.0, 2.0, 3.0} and "industry-present" in set(m.frame["reason"])
    second = np.random.default_rng(9).lognormal(0, 1.5, X.shape)
    e = take("industry-entry", cells(X, second), time="year")
    assert set(e.frame.filter(pl.col("year") == 2000)["reason"]) == {"no-year-before"}
    before, after = presence(X).matrix, presence(second).matrix
    assert np.allclose(values(e, 2, *X.shape)[1], relatedness.entry(before, after), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("diversity", {"threshold": -1}),
        ("fitness", {"iterations": 0}),
        ("proximity", {"cap": 0}),
        ("proximity", {"phi_diag": 2}),
        ("ubiquity", {"floor": "x"}),
    ],
)
def test_bad_options(name: str, more: dict[str, Any]) -> None:
    with pytest.raises(hl.InputError) as caught:
        take(name, cells(X), **more)
    assert caught.value.findings[0].code in ("out-of-range", "unknown-value")
