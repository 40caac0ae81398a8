"""Figures in the PDF report: a matplotlib figure drawn as vectors on a reportlab page, with text that stays text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.path import Path
from reportlab.platypus import Flowable

from hinterland.report.pdf_text import Rehearsal, register_font
from hinterland.report.style import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text
    from matplotlib.transforms import Transform
    from matplotlib.typing import ColorType

_CAPS = {"butt": 0, "round": 1, "projecting": 2}
_JOINS = {"miter": 0, "round": 1, "bevel": 2}
POINTS = 72.0


class Picture(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A figure at the width of the text, with ``after`` points of space below."""

    def __init__(self, figure: Figure, after: float) -> None:
        super().__init__()
        self.figure, self.spaceAfter = figure, after

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        """The width offered, and the height that goes with it."""
        across, down = self.figure.get_size_inches()
        self.width, self.height = width, width * float(down / across)
        return self.width, self.height

    def draw(self) -> None:
        """Draw at the origin of the canvas."""
        if isinstance(self.canv, Rehearsal):
            return
        scale = self.width / (float(self.figure.get_size_inches()[0]) * POINTS)
        self.canv.scale(scale, scale)
        before = self.figure.dpi
        try:
            with drawing():
                self.figure.dpi = POINTS
                self.figure.draw(_Pen(self.canv, self.width / scale, self.height / scale))
        finally:
            self.figure.dpi = before


class _Pen(RendererBase):
    """Matplotlib's drawing commands as reportlab's; lengths are points."""

    def __init__(self, canvas: Any, width: float, height: float) -> None:
        super().__init__()
        self.canvas, self.size = canvas, (width, height)

    def flipy(self) -> bool:
        """The page has its origin at the bottom."""
        return False

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Size of the figure, points."""
        return self.size

    def draw_path(self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: ColorType | None = None) -> None:
        """Fill and stroke one path."""
        self.canvas.saveState()
        self._clip(gc)
        filled = rgbFace is not None and self._fill(gc, tuple(rgbFace))  # type: ignore[arg-type]  # the artist resolves names
        stroked = gc.get_linewidth() > 0 and self._stroke(gc)
        if filled or stroked:
            self.canvas.drawPath(_traced(self.canvas, path, transform), stroke=int(stroked), fill=int(filled), fillMode=1)
        self.canvas.restoreState()

    def draw_text(  # noqa: PLR0917  # matplotlib's signature
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: bool | Literal["TeX"] = False,
        mtext: Text | None = None,
    ) -> None:
        """Set a line of text; formulas are drawn as outlines."""
        if ismath:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        self.canvas.saveState()
        self._clip(gc)
        self._fill(gc, gc.get_rgb())
        self.canvas.translate(x, y)
        self.canvas.rotate(angle)
        self.canvas.setFont(register_font(), prop.get_size_in_points())
        self.canvas.drawString(0, 0, s)
        self.canvas.restoreState()

    def _fill(self, gc: GraphicsContextBase, colour: tuple[float, ...]) -> bool:
        alpha = _alpha(gc, colour)
        self.canvas.setFillColorRGB(*colour[:3])
        self.canvas.setFillAlpha(alpha)
        return alpha > 0

    def _stroke(self, gc: Any) -> bool:
        colour = gc.get_rgb()
        alpha = _alpha(gc, colour)
        offset, dashes = gc.get_dashes()
        self.canvas.setStrokeColorRGB(*colour[:3])
        self.canvas.setStrokeAlpha(alpha)
        self.canvas.setLineWidth(float(gc.get_linewidth()))
        self.canvas.setLineCap(_CAPS[gc.get_capstyle()])
        self.canvas.setLineJoin(_JOINS[gc.get_joinstyle()])
        self.canvas.setDash([] if dashes is None else [float(d) for d in dashes], float(offset or 0))
        return alpha > 0

    def _clip(self, gc: Any) -> None:
        box = gc.get_clip_rectangle()
        if box is not None:
            frame = self.canvas.beginPath()
            frame.rect(*(float(v) for v in box.bounds))
            self.canvas.clipPath(frame, stroke=0, fill=0)
        path, transform = gc.get_clip_path()
        if path is not None:
            self.canvas.clipPath(_traced(self.canvas, path, transform), stroke=0, fill=0)


def _alpha(gc: Any, colour: tuple[float, ...]) -> float:
    return float(gc.get_alpha()) if gc.get_forced_alpha() or len(colour) < 4 else float(colour[3])


def _traced(canvas: Any, path: Path, transform: Transform) -> Any:
    trace, here = canvas.beginPath(), (0.0, 0.0)
    for raw, code in path.iter_segments(transform, remove_nans=True, simplify=False):
        points = [float(v) for v in raw]
        if code == Path.MOVETO:
            trace.moveTo(*points)
        elif code == Path.LINETO:
            trace.lineTo(*points)
        elif code == Path.CURVE3:
            trace.curveTo(*_cubic(here, points))
        elif code == Path.CURVE4:
            trace.curveTo(*points)
        elif code == Path.CLOSEPOLY:
            trace.close()
        if code != Path.CLOSEPOLY:
            here = (points[-2], points[-1])
    return trace


def _cubic(start: tuple[float, float], points: list[float]) -> list[float]:
    """The cubic curve equal to the quadratic one from ``start`` with these two points."""
    (x0, y0), (x1, y1, x2, y2) = start, points
    return [x0 + 2 / 3 * (x1 - x0), y0 + 2 / 3 * (y1 - y0), x2 + 2 / 3 * (x1 - x2), y2 + 2 / 3 * (y1 - y2), x2, y2]
