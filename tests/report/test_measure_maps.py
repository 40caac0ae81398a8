"""Maps of measures: what stands beside them stays on the page; tables name the input of every measure."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.data.geography import provinces
from hinterland.report.measure_maps import _points, _tiles
from hinterland.report.measure_record import Measured
from hinterland.report.measure_tables import overview
from hinterland.report.sentences import Speaker


def measured(source: str) -> Measured:
    facts = {
        **dict.fromkeys(("selected", "shown_first", "shown_last", "label_en", "label_zh"), None),
        "indicator": "location-quotient",
        "components": "[]",
        "component": "",
        "n_values": 1,
        "n_results": 1,
        "coverage": 1.0,
        "input": source,
    }
    values = pl.DataFrame({"component": [""], "time": [2010], "value": [1.0], "region": ["a"]})
    rows = values.with_columns(
        pl.lit(None).alias(k) for k in ("industry", "other", "other_industry", "point", "given", "group", "other_group")
    )
    return Measured("lq", facts, rows, *[pl.DataFrame()] * 5)


@pytest.mark.parametrize("draw", [_tiles, _points])
def test_the_legend_is_on_the_page(draw: object) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    values = np.linspace(0.000054, 0.000506, 31)
    rows = (
        provinces()
        .select(region="province_code", name_zh="short_zh", name_en="name_en")
        .with_columns(pl.Series("value", values), pl.Series("lon", np.linspace(80, 130, 31)), pl.Series("lat", np.linspace(20, 50, 31)))
    )
    figure = draw(rows, values, Speaker("en"))  # type: ignore[operator]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    assert len(legends) == 1
    box = legends[0].get_window_extent(canvas.get_renderer())
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, "longer labels than the margin allows are cut off"


@pytest.mark.parametrize(
    ("source", "said"),
    [("world:prices", "world:prices"), ("data/income.2005.csv", "income.2005"), ("world:accounts; jobs.csv", "world:accounts +1")],
)
def test_every_measure_names_its_input(source: str, said: str) -> None:
    assert overview([measured(source)], Speaker("en")).rows[0].cells[-1] == said
