"""Plants and distances through the labelled entry: where sizes come from, bands of random sites, and every finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl

CELLS = {"region": "city", "industry": "sector", "value": "jobs"}


def measured(name: str, frame: Any, **more: Any) -> hl.Measure:
    return hl.measure(name, frame, **(CELLS | more))


def values(m: hl.Measure, component: str | None = None) -> np.ndarray:
    frame = m.frame if component is None else m.component(component)
    return frame["value"].fill_null(np.nan).to_numpy()


def found_codes(name: str, frame: Any, **more: Any) -> list[str]:
    with pytest.raises(hl.InputError) as caught:
        hl.measure(name, frame, **more)
    return [f.code for f in caught.value.findings]


def firms() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    return pl.DataFrame(
        {"city": rng.choice(list("ABCDE"), n), "sector": rng.choice(list("pqr"), n), "jobs": rng.integers(1, 500, n).astype(float)}
    )


def test_ellison_glaeser_from_plants_from_squares_from_the_index_and_from_classes() -> None:
    frame = firms()
    from_plants = measured("ellison-glaeser", frame)
    cells = frame.group_by("city", "sector").agg(pl.col("jobs").sum(), n=pl.len(), squares=(pl.col("jobs") ** 2).sum())
    from_squares = measured("ellison-glaeser", cells, squares="squares")
    h = frame.group_by("sector").agg(h=(pl.col("jobs") ** 2).sum() / pl.col("jobs").sum() ** 2)
    from_index = measured("ellison-glaeser", cells.join(h, on="sector"), herfindahl="h")
    for other in (from_squares, from_index):
        assert np.allclose(values(other), values(from_plants), atol=1e-12)
    classes = frame.with_columns(size=pl.col("jobs") // 125).group_by("city", "sector", "size")
    from_classes = measured("ellison-glaeser", classes.agg(pl.col("jobs").sum(), n=pl.len()), plants="n")
    assert [n.code for n in from_classes.notes] == ["size-classes"] and "too low" in from_classes.notes[0].text()
    assert (values(from_classes, "plant-herfindahl") < values(from_plants, "plant-herfindahl")).all()
    assert (values(from_classes, "gamma") > values(from_plants, "gamma")).all()
    assert from_plants.meta["sizes"] == "each row is a plant" and from_classes.meta["sizes"] == "plants"
    assert from_plants.component("gamma")["n_used"].sum() == 400


def test_ellison_glaeser_by_hand_with_sizes() -> None:
    z, place = [0.3, 0.3, 0.2, 0.1, 0.1], list("AABBC")
    frame = pl.DataFrame({"city": place, "sector": ["p"] * 5, "jobs": z, "size": [40.0, 40, 35, 35, 25]})
    m = measured("ellison-glaeser", frame, size="size")
    assert values(m, "raw-concentration")[0] == pytest.approx(0.065)
    assert values(m, "gamma")[0] == pytest.approx((0.065 - 0.655 * 0.24) / (0.655 * 0.76))


def test_plants_with_problems() -> None:
    frame = pl.concat([firms(), pl.DataFrame({"city": ["A"], "sector": ["lone"], "jobs": [5.0]})])
    m = measured("ellison-glaeser", frame)
    assert m.component("gamma").filter(sector="lone")["reason"].item() == "one-plant"
    assert [f.code for f in m.findings] == ["one-plant"] and "lone" in m.findings[0].what
    alone = measured("ellison-glaeser", frame.filter(city="A"))
    assert set(alone.component("gamma")["reason"]) == {"one-sized-region"}
    gaps = frame.with_columns(jobs=pl.when(pl.int_range(pl.len()) != 0).then("jobs"))
    assert measured("ellison-glaeser", gaps).frame["coverage"].min() < 1
    twice = frame.with_columns(n=pl.lit(1), s=pl.lit(1.0))
    assert found_codes("ellison-glaeser", twice, **CELLS, plants="n", squares="s") == ["two-sizes"]
    assert found_codes("ellison-glaeser", frame.with_columns(h=pl.col("jobs")), **CELLS, herfindahl="h") == ["differs-within-industry", "out-of-range"]  # fmt: skip
    unsized = frame.with_columns(s=pl.when(pl.col("city") != "A").then(1.0))
    assert found_codes("ellison-glaeser", unsized, **CELLS, size="s") == ["missing-region-size"]
    unknown = frame.with_columns(h=pl.when(pl.col("sector") != "p").then(0.1))
    m = measured("ellison-glaeser", unknown, herfindahl="h")
    assert m.component("gamma").filter(sector="p")["reason"].item() == "missing-herfindahl"


def test_co_agglomeration_of_pairs() -> None:
    frame = pl.DataFrame({"city": list("ABCABC"), "sector": list("iiijjj"), "jobs": [6.0, 3, 1, 5, 4, 1], "x": [40.0, 35, 25] * 2})
    m = measured("co-agglomeration", frame, size="x")
    assert m.frame.columns[:3] == ["sector", "other_industry", "value"]
    assert values(m)[0] == pytest.approx(0.061069, abs=5e-7)
    assert not np.allclose(
        values(measured("co-agglomeration", firms(), weighting="mean-share")), values(measured("co-agglomeration", firms()))
    )
    zero = measured("co-agglomeration", frame.with_columns(jobs=pl.when(pl.col("sector") == "i").then(0.0).otherwise("jobs")), size="x")
    assert zero.frame["reason"].to_list() == ["zero-industry-total"]


def test_a_cell_without_a_value_is_not_a_zero() -> None:
    """An absent row is an industry without plants; a row whose value is missing is left out of both sides."""
    frame = pl.DataFrame({"city": list("ABCABC"), "sector": list("iiijjj"), "jobs": [6.0, 3, 1, 5, 4, None], "x": [40.0, 35, 25] * 2})
    m = measured("co-agglomeration", frame, size="x")
    g, h, x = np.array([6, 3]) / 9, np.array([5, 4]) / 9, np.array([40, 35]) / 75
    assert values(m)[0] == pytest.approx(((g - x) * (h - x)).sum() / (1 - (x**2).sum()))
    assert m.frame["coverage"][0] == pytest.approx(5 / 6)
    absent = measured("co-agglomeration", frame.drop_nulls(), size="x")
    h, g, x = np.array([5, 4, 0]) / 9, np.array([0.6, 0.3, 0.1]), np.array([0.4, 0.35, 0.25])
    assert values(absent)[0] == pytest.approx(((g - x) * (h - x)).sum() / (1 - (x**2).sum()))
    unknown = frame.with_columns(jobs=pl.when(pl.col("sector") == "i").then("jobs"))
    assert measured("co-agglomeration", unknown, size="x").frame["reason"].to_list() == ["missing-input"]
    eg = measured("ellison-glaeser", unknown, size="x").component("gamma")
    assert eg["reason"].to_list() == ["", "missing-input"]


def places() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    lon, lat = np.r_[rng.uniform(100, 120, 300), rng.normal(110, 0.3, 40)], np.r_[rng.uniform(25, 40, 300), rng.normal(30, 0.3, 40)]
    sector = np.r_[np.repeat(["wide", "few"], [294, 6]), np.repeat("near", 40)]
    return pl.DataFrame({"sector": sector, "lon": lon, "lat": lat, "jobs": rng.integers(1, 9, 340)})


def test_duranton_overman() -> None:
    m = hl.measure("duranton-overman", places(), industry="sector", x="lon", y="lat", draws=100, steps=20)
    index = m.component("localisation-index")
    assert index["sector"].to_list() == ["few", "near", "wide"]
    assert index["reason"].to_list() == ["too-few-plants", "", ""] and index["n_used"].to_list() == [6, 40, 294]
    assert values(m, "localisation-index")[1] > 0.3 and values(m, "dispersion-index")[1] == 0
    curve = m.component("distance-density").filter(sector="near")
    assert curve.height == 21 and curve["point"][0] == 0 and curve["point"].is_sorted()
    assert index["point"].null_count() == 3
    weighted = hl.measure("duranton-overman", places(), industry="sector", x="lon", y="lat", value="jobs", draws=100, steps=20)
    assert values(weighted, "kernel-bandwidth")[1] == values(m, "kernel-bandwidth")[1]
    assert values(weighted, "localisation-index")[1] != values(m, "localisation-index")[1]


def test_the_worked_example_of_distances_through_the_entry() -> None:
    frame = pl.DataFrame({"sector": ["p"] * 3, "x": [0.0, 1, 3], "y": [0.0] * 3})
    for reflect, expected in ((False, 0.231635), (True, 0.251154)):
        m = hl.measure("duranton-overman", frame, industry="sector", x="x", y="y", coordinates="planar", bandwidth=1.0, cutoff=1.0, steps=1, draws=20, least_plants=3, reflect=reflect)  # fmt: skip
        assert values(m, "distance-density")[1] == pytest.approx(expected, abs=5e-7)


def test_distances_with_problems() -> None:
    columns = {"industry": "sector", "x": "lon", "y": "lat"}
    swapped = {"industry": "sector", "x": "lat", "y": "lon"}
    assert found_codes("duranton-overman", places(), **swapped) == ["not-degrees"]
    assert found_codes("duranton-overman", places(), **columns, draws=5) == ["out-of-range"]
    assert found_codes("duranton-overman", places(), **columns, bandwidth=0, cutoff=-1) == ["out-of-range", "out-of-range"]
    assert found_codes("duranton-overman", places(), **columns, level=0.2) == ["out-of-range"]
    together = pl.DataFrame({"sector": ["p"] * 20 + ["q"] * 20, "lon": [100.0] * 20 + [*range(20)], "lat": [30.0] * 40})
    m = hl.measure("duranton-overman", together, **columns, draws=20)
    assert m.component("localisation-index")["reason"].to_list() == ["no-bandwidth", ""]
    one_place = pl.DataFrame({"sector": ["p"] * 100, "lon": [*np.linspace(100, 110, 12), *([120.0] * 88)], "lat": [30.0] * 100})
    m = hl.measure("duranton-overman", one_place, **columns, bandwidth=5.0, draws=20)
    assert m.frame["reason"].unique().to_list() == ["no-cut-off"]
    gone = places().with_columns(lon=pl.when(pl.int_range(pl.len()) != 320).then("lon"))
    assert hl.measure("duranton-overman", gone, **columns, draws=20).component("dispersion-index")["coverage"][1] == pytest.approx(39 / 40)
    unweighed = places().with_columns(jobs=pl.when(pl.col("sector") != "wide").then("jobs"))
    m = hl.measure("duranton-overman", unweighed, **columns, value="jobs", cutoff=500.0, draws=20)
    full = hl.measure("duranton-overman", places(), **columns, value="jobs", cutoff=500.0, draws=20)
    near = [f.filter(sector="near").drop("component") for f in (m.frame, full.frame)]
    assert near[0].equals(near[1]), "a plant without employment is still a site"
    idle = places().with_columns(jobs=pl.lit(0))
    m = hl.measure("duranton-overman", idle, **columns, value="jobs", draws=20)
    assert set(m.component("dispersion-index")["reason"]) == {"too-few-plants", "zero-industry-total"}


def test_industries_of_unknown_or_withheld_employment_are_not_empty() -> None:
    frame = pl.DataFrame({"city": list("ABABAB"), "sector": list("ppqqrr"), "jobs": ["1", "2", "D", "D", None, None]})
    for name in ("ellison-glaeser", "co-agglomeration"):
        m = measured(name, frame, suppressed=("D",))
        said = m.component("raw-concentration")["reason"].to_list() if name == "ellison-glaeser" else m.frame["reason"].to_list()
        assert said == (["", "suppressed-input", "missing-input"] if name == "ellison-glaeser" else ["suppressed-input", "missing-input", "suppressed-input"])  # fmt: skip


def test_ellison_glaeser_has_no_bound_of_one() -> None:
    rows = [("A", "p", 1.0)] * 100 + [("A", "q", 10.0)] + [("B", "q", 10.0)] * 99
    m = measured("ellison-glaeser", pl.DataFrame(rows, schema=["city", "sector", "jobs"], orient="row"))
    x = np.array([110, 990]) / 1100
    room, h = 1 - (x**2).sum(), 1 / 100
    expected = (((np.array([1, 0]) - x) ** 2).sum() - room * h) / (room * (1 - h))
    assert values(m, "gamma")[0] == pytest.approx(expected) and expected > 1


def test_the_order_of_the_table_draws_the_same_sites() -> None:
    columns = {"industry": "sector", "x": "lon", "y": "lat"}
    first = hl.measure("duranton-overman", places(), **columns, draws=20)
    again = hl.measure("duranton-overman", places().reverse(), **columns, draws=20)
    assert np.allclose(values(first, "global-high"), values(again, "global-high"), rtol=1e-9, equal_nan=True)
