"""How figures look: font, colours (Okabe & Ito 2008), sizes, and how they are saved byte for byte the same."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = "Hinterland Sans SC"
FONT_FILE = "HinterlandSansSC-Regular.ttf"
INK, MUTED, RULE, PAPER = "#1c1f23", "#666b73", "#d5d8dc", "#ffffff"
BLUE, ORANGE, GREEN, YELLOW, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
WIDTH = 7.0
"""Width of every figure, inches."""

_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAPER: "paper",
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    YELLOW: "yellow",
    PURPLE: "purple",
    SKY: "sky",
}
_STACK = f"'{FONT}', 'Noto Sans SC', 'Noto Sans CJK SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', 'Helvetica Neue', Arial, sans-serif"


@cache
def _register_font() -> str:
    from matplotlib import font_manager

    with as_file(files("hinterland.report") / "fonts" / FONT_FILE) as path:
        font_manager.fontManager.addfont(str(path))
    return FONT


@contextmanager
def drawing(salt: str = "hinterland") -> Iterator[None]:
    """Matplotlib settings of the house, for the duration of the block, whatever style the session or its ``matplotlibrc`` sets."""
    from matplotlib import style

    settings = {
        "font.family": _register_font(),
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "axes.labelsize": 9,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "figure.facecolor": PAPER,
        "axes.facecolor": "none",
        "savefig.facecolor": PAPER,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "pdf.fonttype": 3,
        "mathtext.default": "regular",
        "text.hinting": "no_hinting",
    }
    with style.context(["default", settings]):
        yield


def canvas(height: float, columns: int = 1, *, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of the house's width and its axes; call inside :func:`drawing`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, sharey=sharey)
    return figure, list(axes[0])


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure in every format, drawn once: stand-alone SVG text, PDF and PNG bytes."""

    svg: str
    pdf: bytes
    png: bytes

    def save(self, stem: Path) -> list[Path]:
        """Write ``STEM.svg``, ``STEM.pdf`` and ``STEM.png``."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        written = []
        for kind, content in (("svg", self.svg.encode("utf-8")), ("pdf", self.pdf), ("png", self.png)):
            path = stem.with_name(f"{stem.name}.{kind}")
            path.write_bytes(content)
            written.append(path)
        return written


def draw(figure: Figure, salt: str, dpi: int = 160) -> Drawing:
    """Draw ``figure`` in every format, without dates, so that the same record gives the same bytes."""
    with drawing(salt):
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
        figure.set_layout_engine(None)
        pdf, png = io.BytesIO(), io.BytesIO()
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None, "ModDate": None})
        figure.savefig(png, format="png", dpi=dpi, metadata={"Software": "hinterland"})
    return Drawing(svg(figure, salt), pdf.getvalue(), png.getvalue())


def svg(figure: Figure, salt: str) -> str:
    """The figure as stand-alone SVG; text stays text, with fallbacks for the packaged font."""
    buffer = io.StringIO()
    with drawing(salt):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "hinterland"})
    return re.sub(rf"'?{FONT}'?(, sans-serif)?", _STACK, buffer.getvalue())


def embedded_font(text: str) -> str:
    """The packaged font reduced to the characters of ``text``, as a base64 data URI (WOFF): the page shows Chinese everywhere."""
    import base64

    from fontTools import subset

    options = subset.Options(hinting=False, layout_features=["kern"], flavor="woff", recalc_timestamp=False)
    with as_file(files("hinterland.report") / "fonts" / FONT_FILE) as path:
        font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text)
    subsetter.subset(font)
    buffer = io.BytesIO()
    font.flavor = "woff"
    font.save(buffer)
    font.close()
    return "data:font/woff;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def inline(drawn: str, title: str) -> str:
    """SVG to be set inside a page: colours become CSS variables, ids are made unique, an accessible title is added.

    ``drawn`` is the result of :func:`svg`.
    """
    from html import escape

    prefix = "s" + hashlib.sha256((drawn + title).encode()).hexdigest()[:8]
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\1{prefix}-", body)
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name}, {colour})")
    body = re.sub(r"font: ([\d.]+px) '" + FONT + r"'[^;\"]*", r"font-size: \1", body)
    body = re.sub(r'\swidth="[^"]+pt"|\sheight="[^"]+pt"', "", body, count=2)
    head, rest = body.split(">", 1)
    return f'{head} role="img" aria-label="{escape(title, quote=True)}">{rest}'
