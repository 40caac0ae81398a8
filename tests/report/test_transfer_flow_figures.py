"""Figures of flows: what they show, in both languages, and what they do with nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from hinterland.data.geography import cities, provinces
from hinterland.report.sentences import Speaker
from hinterland.report.style import draw
from hinterland.report.transfer_flow_figures import centre_paths, flow_map, plane, sankey

SPEAKERS = [pytest.param(Speaker("en"), id="en"), pytest.param(Speaker("zh"), id="zh")]


@pytest.fixture(scope="module")
def places() -> pl.DataFrame:
    seats = cities().group_by("province_code").agg(pl.col("lon").mean(), pl.col("lat").mean())
    named = provinces().join(seats, on="province_code")
    return named.select("lon", "lat", region="province_code", name_zh="short_zh", name_en="name_en").sort("region")


@pytest.fixture(scope="module")
def flows() -> pl.DataFrame:
    rows = [("440000", "450000", 9.0), ("310000", "340000", 4.0), ("340000", "310000", 1.0), ("510000", "510000", 50.0)]
    return pl.DataFrame(rows, schema=["source", "host", "value"], orient="row").with_columns(concept=pl.lit("observed"))


def arrows(figure: Any) -> list[Any]:
    from matplotlib.patches import FancyArrowPatch

    return [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]


def words(figure: Any) -> list[str]:
    axes = figure.axes[0]
    legend = axes.get_legend()
    return [t.get_text() for t in axes.texts] + ([t.get_text() for t in legend.get_texts()] if legend else [])


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_arcs_are_as_wide_as_flows_and_skip_home(flows: pl.DataFrame, places: pl.DataFrame, speaker: Speaker) -> None:
    figure = flow_map(flows, places, speaker, unit="projects")
    assert [round(a.get_linewidth(), 6) for a in arrows(figure)] == [round(0.3 + 3.2 * v / 9, 6) for v in (1, 4, 9)]
    said = words(figure)
    assert ("Flows: observed" if speaker.language == "en" else "流量：观测") in said
    assert ("Guangdong" if speaker.language == "en" else "广东") in said
    assert draw(figure, "flow-map").svg.startswith("<?xml")


def test_only_the_largest_are_drawn(flows: pl.DataFrame, places: pl.DataFrame) -> None:
    assert len(arrows(flow_map(flows, places, Speaker("en"), most=1))) == 1
    none = flow_map(flows.filter(pl.col("source") == pl.col("host")), places, Speaker("en"))
    assert arrows(none) == []
    assert "no flow shown" in words(none)
    assert arrows(flow_map(flows.head(0), places, Speaker("en"))) == []


def test_boundaries_and_points(flows: pl.DataFrame, places: pl.DataFrame) -> None:
    """With boundaries, shapes; for places that are no provinces, points at their coordinates."""
    corners = [(-1.0, -1.0), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    rows = [(r, r, 0, 0, x + dx, y + dy) for r, x, y in places.select("region", "lon", "lat").iter_rows() for dx, dy in corners]
    outlines = pl.DataFrame(rows, schema=["region", "shape", "part", "ring", "lon", "lat"], orient="row")
    shaped = flow_map(flows, places, Speaker("zh"), outlines=outlines)
    assert len(shaped.axes[0].collections[0].get_paths()) == 31
    cities_ = places.with_columns(name_zh=pl.col("name_zh") + "市")
    pointed = flow_map(flows, cities_, Speaker("zh"))
    assert len(pointed.axes[0].collections) == 0
    assert "广东市" in words(pointed)
    draw(shaped, "a"), draw(pointed, "b")


def test_concepts_are_not_mixed(flows: pl.DataFrame, places: pl.DataFrame) -> None:
    mixed = flows.with_columns(concept=pl.Series(["observed", "imputed", "imputed", "observed"]))
    with pytest.raises(ValueError, match="several concepts"):
        flow_map(mixed, places, Speaker("en"))


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_bands_fill_their_blocks(speaker: Speaker) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"s{s}", g, f"h{h}", float(v))
        for s in range(12)
        for h in range(12)
        for g, v in zip(("labour", "technology", None), rng.gamma(1, 1, 3), strict=True)
    ]
    flows = pl.DataFrame(rows, schema=["source", "group", "host", "value"], orient="row")
    figure = sankey(flows, {"s0": "Source nought"}, speaker, most=5, unit="projects")
    said = words(figure)
    shares = [float(w.rsplit(" ", 1)[1].rstrip("%")) for w in said if w.endswith("%")]
    assert sum(shares) == pytest.approx(300, abs=6)
    assert len(shares) == 6 + 3 + 6
    assert sum(w.startswith("others" if speaker.language == "en" else "其他") for w in said) == 2
    assert any(w.startswith("technology-intensive" if speaker.language == "en" else "技术密集型") for w in said)
    draw(figure, "sankey")


def test_nothing_flows() -> None:
    empty = pl.DataFrame(schema={"source": pl.String, "group": pl.String, "host": pl.String, "value": pl.Float64})
    draw(sankey(empty, {}, Speaker("en")), "empty")


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_plane_names_what_is_close_and_complex(speaker: Speaker) -> None:
    points = pl.DataFrame(
        {
            "industry": ["far", "close", "had", "middle", "lost"],
            "relatedness": [0.1, 0.9, 0.95, 0.5, None],
            "complexity": [-1.0, 1.0, 1.5, 0.0, 1.0],
        }
    ).with_columns(present=pl.Series([False, False, True, False, False]))
    said = words(plane(points, speaker, label=1))
    assert "close" in said
    assert "had" not in said
    assert "lost" not in said
    draw(plane(points.with_columns(size=pl.lit(2.0)).drop("present"), speaker), "plane")


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_paths_name_their_ends(speaker: Speaker) -> None:
    paths = pl.DataFrame(
        {
            "series": ["labour"] * 3 + ["x"],
            "time": [2005, 2006, 2007, 2005],
            "lon": [113.0, 112.8, 112.5, None],
            "lat": [32.0, 32.1, 32.2, None],
        }
    )
    figure = centre_paths(paths, {"labour": "labour"}, speaker)
    assert {"2005", "2007", "labour"} <= set(words(figure))
    assert "2006" not in words(figure)
    draw(figure, "paths")
