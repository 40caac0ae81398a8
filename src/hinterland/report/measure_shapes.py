"""Places on a map: shapes of boundaries, and points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hinterland.report.style import MUTED

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.path import Path

MEAN_LATITUDE = 35.0


def bare(axes: Axes) -> None:
    """No frame and no ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _flat(axes: Axes) -> None:
    """Degrees of longitude as long as they are at the mean latitude."""
    axes.set_aspect(1 / np.cos(np.deg2rad(MEAN_LATITUDE)))
    bare(axes)


def shaped(outlines: pl.DataFrame) -> list[tuple[str | None, Path]]:
    """Region and shape, for every shape of the boundaries (``region``, ``shape``, ``part``, ``ring``, ``lon``, ``lat``)."""
    from matplotlib.path import Path

    found = []
    for (region, _), part in outlines.group_by("region", "shape", maintain_order=True):
        rings = [r.select("lon", "lat").to_numpy() for _, r in part.group_by("part", "ring", maintain_order=True)]
        found.append((region, Path.make_compound_path(*(Path(r, closed=True) for r in rings))))
    return found


def fill(axes: Axes, shapes: Sequence[tuple[str | None, Path]], colours: Mapping[str | None, Any], *, small: bool = False) -> bool:
    """Shapes in the colours of their regions, hatched (or where they are small white) where there is none; whether any is."""
    from matplotlib.collections import PathCollection

    known = [(path, colours[region]) for region, path in shapes if region in colours]
    without = [path for region, path in shapes if region not in colours]
    edge: Any = {"edgecolors": MUTED, "linewidths": 0.15 if small else 0.4}
    axes.add_collection(PathCollection([p for p, _ in known], facecolors=[c for _, c in known], **edge))
    axes.add_collection(PathCollection(without, facecolors="white", hatch=None if small else "////", **edge))
    axes.autoscale_view()
    _flat(axes)
    return bool(without)


def place_points(axes: Axes, rows: pl.DataFrame, colours: Sequence[Any], size: float = 24) -> None:
    """Points at ``lon`` and ``lat``, the last ones on top."""
    axes.scatter(rows["lon"], rows["lat"], s=size, color=colours, edgecolor=MUTED, linewidth=0.35)
    _flat(axes)
