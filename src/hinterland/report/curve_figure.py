"""The figure of a specification curve: estimates in order of size above, the choices behind each of them below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from hinterland.labels import Language
from hinterland.report.digits import ALPHA, number, share, signed
from hinterland.report.figures import unit_axis
from hinterland.report.marks import Floats, column
from hinterland.report.sentences import Name, Speaker
from hinterland.report.style import BLUE, INK, MUTED, ORANGE, PAPER, RULE, WIDTH, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hinterland.evaluate.specification import SpecificationCurve
    from hinterland.evaluate.specification_joint import SpecificationInference

CHOICES = ("measure", "method", "timing", "partial", "uncertain", "policy", "comparison", "anticipation", "sample", "window", "winsorise", "covariates", "fe", "cluster")  # fmt: skip
"""Choices that are a column of the specifications, in the order of the figure; the controls, which may be in or out each, come last."""
CONTROLS = "controls"


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of the lower panel: its words, and where [P] the specifications have the option (``None``: the name of a choice)."""

    label: str
    has: np.ndarray[tuple[int], np.dtype[np.bool_]] | None


def plot_curve(curve: SpecificationCurve, inference: SpecificationInference | None = None, *, language: Language = "en") -> Figure:
    """The curve of :func:`hinterland.specification_curve`; ``inference`` adds where curves under its null lie."""
    speaker = Speaker(language)
    frame = curve.frame.rename({"outcome": "measure"})
    if inference is not None:
        ranked = inference.specifications.sort("estimate").with_columns(null_low=inference.ranks["low"], null_high=inference.ranks["high"])
        frame = frame.join(ranked.select("specification", "null_low", "null_high"), on="specification", how="left", maintain_order="left")
    frame = frame.drop("policy") if curve.choices.facets != ("policy",) else frame.drop("timing", "partial", "uncertain")
    return curve_figure(frame, speaker, unit=unit_axis(speaker, "level", curve.outcome))


def curve_figure(frame: pl.DataFrame, speaker: Speaker, *, unit: str) -> Figure:
    """Two panels on one axis of specifications.

    Args:
        frame: one row per specification: its choices, ``estimate, conf_low, conf_high, p_value, baseline``, and where there is a joint test
            ``null_low, null_high``: where the estimate of the same rank lies under the null.
        speaker: the language.
        unit: label of the axis of estimates.
    """
    from matplotlib.figure import Figure

    ordered = frame.sort("estimate", "specification")
    strips = strips_of(ordered, speaker)
    below = 0.155 * max(len(strips), 1)
    with drawing():
        figure = Figure(figsize=(WIDTH, 3.1 + below), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, below], squeeze=True)
        _estimates(upper, ordered, speaker)
        upper.set_ylabel(unit)
        _matrix(lower, strips, ordered)
        lower.set_xlabel(speaker.ui("axis.curve_specifications", n=number(ordered.height, 0)))
        lower.margins(x=0.01)
    return figure


def varying(frame: pl.DataFrame) -> tuple[str, ...]:
    """The choices that differ over the specifications, the controls among them."""
    own = tuple(c for c in CHOICES if c in frame.columns and frame[c].n_unique() > 1)
    return (*own, CONTROLS) if frame[CONTROLS].n_unique() > 1 else own


def strips_of(frame: pl.DataFrame, speaker: Speaker) -> tuple[Strip, ...]:
    """The rows of the lower panel: the name of every choice that varies, and its options."""
    out: list[Strip] = []
    for choice in varying(frame):
        out.append(Strip(choice_name(speaker, choice), None))
        if choice == CONTROLS:
            sets = [set(v.split(" + ")) - {""} for v in frame[CONTROLS]]
            names = list(dict.fromkeys(n for v in frame.sort("specification")[CONTROLS] for n in v.split(" + ") if n))
            out += [Strip(speaker.name(n), np.array([n in s for s in sets])) for n in names]
            continue
        for option in frame.sort("specification")[choice].unique(maintain_order=True):
            out.append(Strip(option_name(speaker, choice, option), (frame[choice] == option).to_numpy()))
    return tuple(out)


def choice_name(speaker: Speaker, choice: str) -> str:
    """A choice in words, as a heading."""
    words = speaker.labelled(f"curve_choice.{choice}")
    return words[:1].upper() + words[1:]


def option_name(speaker: Speaker, choice: str, option: object) -> str:
    """An option of a choice in words."""
    words: Mapping[str, Callable[[str], str]] = {
        "measure": speaker.name,
        "method": lambda v: speaker.name(v, "method_short"),
        "comparison": lambda v: speaker.name(v, "comparison_short"),
        "fe": lambda v: _effects(speaker, v),
        "cluster": lambda v: " + ".join(speaker.name(c) for c in v.split(" + ")),
        "covariates": lambda v: " + ".join(speaker.name(c) for c in v.split(" + ")) if v else speaker.ui("row.curve_none"),
        "sample": lambda v: _sample(speaker, v),
        "window": lambda v: v or speaker.ui("row.curve_all_periods"),
        "winsorise": lambda v: (
            speaker.ui("row.curve_winsorised", share=share(float(v), 1)) if float(v) else speaker.ui("row.curve_not_winsorised")
        ),
        "anticipation": lambda v: speaker.ui("row.curve_periods_ahead", n=v),
    }
    text = str(option)
    if choice in words:
        return words[choice](text)
    key = f"curve_option.{choice}-{text}"
    return speaker.labelled(key) if speaker.has(key) else text


def _effects(speaker: Speaker, effects: str) -> str:
    if not effects:
        return speaker.ui("row.curve_unit_and_period")
    return " + ".join(" × ".join(speaker.value(Name("variable", p)) for p in e.split("^")) for e in effects.split(" + "))


def _sample(speaker: Speaker, sample: str) -> str:
    for key in (f"variation.drop-{sample}", f"curve_option.sample-{sample}"):
        if speaker.has(key):
            return speaker.labelled(key)
    own = speaker.own.get(f"variation.model-{sample}")
    return speaker.value(own) if own is not None else sample


def _estimates(axes: Axes, frame: pl.DataFrame, speaker: Speaker) -> None:
    x, y = np.arange(1, frame.height + 1, dtype=np.float64), column(frame, "estimate")
    low, high = column(frame, "conf_low"), column(frame, "conf_high")
    thin = max(0.4, min(2.2, 320 / max(frame.height, 1)))
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    _null(axes, x, frame, speaker)
    axes.plot(*_broken(x, low, high), color=BLUE, alpha=0.32, linewidth=thin, zorder=2, solid_capstyle="butt")
    clear = column(frame, "p_value") < ALPHA
    size = max(1.3, min(4.5, 520 / max(frame.height, 1)))
    for chosen, face, key in ((clear, BLUE, "mark.curve_clear"), (~clear, PAPER, "mark.curve_unclear")):
        if chosen.any():
            label = speaker.ui(key)
            axes.plot(
                x[chosen], y[chosen], "o", color=BLUE, markerfacecolor=face, markersize=size, markeredgewidth=0.6, zorder=3, label=label
            )
    base = np.flatnonzero(frame["baseline"].to_numpy())
    if len(base):
        k = int(base[0])
        axes.plot([x[k], x[k]], [low[k], high[k]], color=ORANGE, linewidth=1.4, zorder=4)
        axes.plot(
            x[k],
            y[k],
            "D",
            color=ORANGE,
            markersize=5.5,
            zorder=5,
            label=speaker.ui("mark.curve_baseline_specification", estimate=signed(y[k])),
        )
    axes.margins(x=0.01, y=0.1)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, handletextpad=0.5, columnspacing=1.4, borderaxespad=0.1)


def _null(axes: Axes, x: Floats, frame: pl.DataFrame, speaker: Speaker) -> None:
    """Where the estimates of the same ranks lie in 95 % of the draws under the null: a ribbon over the specifications that were drawn."""
    low, high = column(frame, "null_low"), column(frame, "null_high")
    known = np.isfinite(low)
    if known.any():
        axes.fill_between(
            x[known], low[known], high[known], color=RULE, alpha=0.55, linewidth=0, zorder=0, label=speaker.ui("mark.curve_under_null")
        )


def _broken(x: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    # One broken line rather than P marks: five hundred intervals stay one path of the SVG.
    gap = np.full(len(x), np.nan)
    return np.column_stack([x, x, gap]).ravel(), np.column_stack([low, high, gap]).ravel()


def _matrix(axes: Axes, strips: Sequence[Strip], frame: pl.DataFrame) -> None:
    x = np.arange(1, frame.height + 1, dtype=np.float64)
    base = frame["baseline"].to_numpy()
    wide = max(0.5, min(3.2, 420 / max(frame.height, 1)))
    for k, strip in enumerate(strips):
        if strip.has is None:
            continue
        for chosen, colour, width in ((strip.has & ~base, INK, wide), (strip.has & base, ORANGE, max(wide, 2.0))):
            if chosen.any():
                at = np.full(int(chosen.sum()), -float(k))
                axes.plot(*_broken(x[chosen], at - 0.33, at + 0.33), color=colour, linewidth=width, solid_capstyle="butt")
    axes.set_yticks([-float(k) for k in range(len(strips))], [s.label for s in strips])
    for tick, strip in zip(axes.get_yticklabels(), strips, strict=True):
        tick.set_fontsize(7.5)
        if strip.has is None:
            tick.set_color(BLUE)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-len(strips) + 0.3, 0.7)
