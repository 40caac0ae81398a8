"""Maps of measures: shapes where the study brings boundaries, tiles for provinces, points for cities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.report.digits import compact
from hinterland.report.measure_record import Measured
from hinterland.report.measure_shapes import bare, fill, place_points, shaped
from hinterland.report.sentences import Speaker
from hinterland.report.style import INK, MUTED, RULE, canvas, drawing

if TYPE_CHECKING:
    from matplotlib.colors import BoundaryNorm, Colormap
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_CLASSES = 5

TILES = {
    "黑龙江": (7, 0), "内蒙古": (5, 1), "吉林": (7, 1), "新疆": (0, 2), "宁夏": (3, 2), "北京": (5, 2), "天津": (6, 2), "辽宁": (7, 2),
    "青海": (1, 3), "甘肃": (2, 3), "山西": (4, 3), "河北": (5, 3), "山东": (6, 3), "西藏": (0, 4), "四川": (2, 4), "陕西": (3, 4),
    "河南": (4, 4), "安徽": (5, 4), "江苏": (6, 4), "上海": (7, 4), "云南": (1, 5), "重庆": (2, 5), "湖北": (3, 5), "湖南": (4, 5),
    "江西": (5, 5), "浙江": (6, 5), "贵州": (2, 6), "广西": (3, 6), "广东": (4, 6), "福建": (5, 6), "海南": (4, 7),
}  # fmt: skip
"""Column and row of each province in a map of equal tiles, neighbours beside neighbours where they fit."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A map and its kind: ``shapes``, ``tiles`` or ``points``."""

    figure: Figure
    kind: Literal["shapes", "tiles", "points"]


def map_of(m: Measured, speaker: Speaker) -> Drawn | None:
    """The values of the last period by place; nothing where fewer than three places are known."""
    rows = m.last().join(m.places.drop("measure"), on="region", how="inner", maintain_order="left")
    values = rows["value"].drop_nulls().to_numpy()
    if len(values) < 3 or np.ptp(values) == 0:
        return None
    if m.outlines.height:
        return Drawn(_shapes(m, rows, values, speaker), "shapes")
    if (rows["level"] == "province").sum() > rows.height / 2:
        return Drawn(_tiles(rows, values, speaker), "tiles")
    known = rows.drop_nulls(["lon", "lat"])
    return Drawn(_points(known, values, speaker), "points") if known.height >= 3 else None


def _classes(values: Floats) -> tuple[Floats, Colormap, BoundaryNorm]:
    """Limits of quantile classes, and their colours: one hue, or two around zero where values have both signs."""
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, ListedColormap

    limits = np.unique(np.quantile(values, np.linspace(0, 1, _CLASSES + 1)))
    below, above = values[values < 0], values[values > 0]
    if min(len(below), len(above)) > len(values) / 10:
        limits = np.unique([*np.quantile(below, [0, 0.5]), 0, *np.quantile(above, [0.5, 1])])
        shades = mpl.colormaps["RdBu_r"](np.linspace(0.08, 0.92, len(limits) - 1))
    else:
        shades = mpl.colormaps["Blues"](np.linspace(0.12, 0.95, len(limits) - 1))
    return limits, ListedColormap(shades), BoundaryNorm(limits, len(limits) - 1, clip=True)


def _colour(value: float | None, colours: Colormap, norm: BoundaryNorm) -> object:
    return "white" if value is None else colours(norm(value))


def _legend(figure: Figure, limits: Floats, colours: Colormap, norm: BoundaryNorm, speaker: Speaker, *, missing: bool) -> None:
    from matplotlib.patches import Patch

    middles = (limits[:-1] + limits[1:]) / 2
    handles = [
        Patch(facecolor=colours(norm(mid)), edgecolor=RULE, label=f"{compact(float(a), 3)} – {compact(float(b), 3)}")
        for mid, a, b in zip(middles, limits[:-1], limits[1:], strict=True)
    ]
    if missing:
        handles.append(Patch(facecolor="white", edgecolor=MUTED, hatch="////", label=speaker.ui("mark.no_value")))
    figure.legend(handles=handles, loc="outside right center", handlelength=1.4, labelspacing=0.5)


def _tiles(rows: pl.DataFrame, values: Floats, speaker: Speaker) -> Figure:
    from matplotlib.patches import Rectangle

    limits, colours, norm = _classes(values)
    found = {r["name_zh"]: r for r in rows.iter_rows(named=True)}
    with drawing():
        figure, (axes,) = canvas(3.6)
        for name, (x, y) in TILES.items():
            row = found.get(name)
            value = None if row is None else row["value"]
            face = _colour(value, colours, norm)
            axes.add_patch(
                Rectangle(
                    (x + 0.04, -y + 0.04),
                    0.92,
                    0.92,
                    facecolor=face,
                    edgecolor=RULE if value is not None else MUTED,
                    hatch=None if value is not None else "////",
                    linewidth=0.6,
                )
            )
            dark = value is not None and _is_dark(face)
            label = name if speaker.language == "zh" else (str(row["name_en"]) if row is not None else _ENGLISH.get(name, name))
            ink = "white" if dark else INK
            axes.annotate(_abbreviated(label), (x + 0.5, -y + 0.64), ha="center", va="center", fontsize=7, color=ink)
            if value is not None:
                axes.annotate(compact(value, 3), (x + 0.5, -y + 0.3), ha="center", va="center", fontsize=6.5, color=ink)
        axes.set_xlim(-0.1, 8.1)
        axes.set_ylim(-7.1, 1.1)
        axes.set_aspect(0.68)
        bare(axes)
        _legend(figure, limits, colours, norm, speaker, missing=any(found.get(n) is None or found[n]["value"] is None for n in TILES))
    return figure


def _is_dark(face: object) -> bool:
    red, green, blue = face[:3]  # type: ignore[index]
    return bool(0.299 * red + 0.587 * green + 0.114 * blue < 0.5)


def short_name(name_zh: str, name_en: str) -> str:
    """The English name of a province where room is short."""
    return _abbreviated(_ENGLISH.get(name_zh, name_en))


def _abbreviated(label: str) -> str:
    return label if len(label) <= 9 else f"{label[:8]}."


_ENGLISH = {
    "北京": "Beijing", "天津": "Tianjin", "河北": "Hebei", "山西": "Shanxi", "内蒙古": "Inner M.", "辽宁": "Liaoning", "吉林": "Jilin",
    "黑龙江": "Heilongj.", "上海": "Shanghai", "江苏": "Jiangsu", "浙江": "Zhejiang", "安徽": "Anhui", "福建": "Fujian", "江西": "Jiangxi",
    "山东": "Shandong", "河南": "Henan", "湖北": "Hubei", "湖南": "Hunan", "广东": "Guangdong", "广西": "Guangxi", "海南": "Hainan",
    "重庆": "Chongqing", "四川": "Sichuan", "贵州": "Guizhou", "云南": "Yunnan", "西藏": "Tibet", "陕西": "Shaanxi", "甘肃": "Gansu",
    "青海": "Qinghai", "宁夏": "Ningxia", "新疆": "Xinjiang",
}  # fmt: skip


def _points(rows: pl.DataFrame, values: Floats, speaker: Speaker) -> Figure:
    limits, colours, norm = _classes(values)
    shown, empty = rows.drop_nulls("value").sort("value"), rows.filter(pl.col("value").is_null())
    with drawing():
        figure, (axes,) = canvas(3.7)
        axes.scatter(empty["lon"], empty["lat"], s=12, facecolor="white", edgecolor=MUTED, linewidth=0.6)
        place_points(axes, shown, [_colour(v, colours, norm) for v in shown["value"]])
        _legend(figure, limits, colours, norm, speaker, missing=empty.height > 0)
    return figure


def _shapes(m: Measured, rows: pl.DataFrame, values: Floats, speaker: Speaker) -> Figure:
    limits, colours, norm = _classes(values)
    found = {r: _colour(v, colours, norm) for r, v in rows.select("region", "value").drop_nulls().iter_rows()}
    with drawing():
        figure, (axes,) = canvas(4.2)
        missing = fill(axes, shaped(m.outlines), found)
        _legend(figure, limits, colours, norm, speaker, missing=missing)
    return figure
