"""What we want to be faster than, by how much, and whether we are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Row = Mapping[str, float | str]
Rows = Mapping[tuple[str, str, int], Row]
"""Measurements by library, task and number of units."""
OURS, FRAME = "hinterland", "hinterland, from frame"


@dataclass(frozen=True)
class Target:
    """``factor`` times as fast as the fastest peer of the same run and as ``earlier`` (CPU seconds of the fastest when the target was
    set, of ``whom``); or, without a factor, at most ``seconds`` and ``megabytes``.
    """

    task: str
    units: int
    factor: float = 0.0
    earlier: float = 0.0
    whom: str = "the fastest peer"
    seconds: float = 0.0
    megabytes: float = 0.0


def _pair(task: str, factor: float, small: float, large: float, whom: str = "the fastest peer") -> tuple[Target, Target]:
    return Target(task, 5_000, factor, small, whom), Target(task, 50_000, factor, large, whom)


TARGETS: tuple[Target, ...] = (
    *_pair("twfe, 2 covariates", 3, 0.05, 0.44),
    *_pair("twfe", 1, 0.09, 0.15, "R fixest"),
    *_pair("event study", 10, 2.1, 8.9, "the fastest in Python"),
    *_pair("event study", 1, 0.32, 1.5, "R fixest"),
    *_pair("callaway-santanna", 10, 0.40, 3.9),
    *_pair("sun-abraham", 5, 0.50, 1.9),
    *_pair("imputation", 3, 0.16, 0.97),
    *_pair("two-stage", 3, 0.17, 2.3),
    *_pair("dcdh", 2, 0.10, 0.61),
    Target("sdid", 5_000, 5, 5.2),
    Target("sdid", 50_000, seconds=60),
    Target("placebo", 293, 100),
    Target("placebo", 5_000, 100),
    Target("placebo", 50_000, 100),
    *_pair("wild bootstrap", 5, 0.62, 6.6),
    Target("sensitivity", 1, 2, 0.6),
    Target("twfe", 500_000, seconds=2, megabytes=4096),
    Target("callaway-santanna", 500_000, seconds=6, megabytes=4096),
    Target("imputation", 500_000, seconds=6, megabytes=4096),
)
BAND = 0.5
"""Share by which 999 draws of a band may lengthen Callaway and Sant'Anna's estimator."""


def fastest(rows: Rows, task: str, units: int) -> tuple[str, float] | None:
    """The fastest peer that finished, and its CPU seconds."""
    done = [
        (float(r["cpu"]), name) for (name, t, n), r in rows.items() if (t, n) == (task, units) and name not in (OURS, FRAME) and "cpu" in r
    ]
    return (min(done)[1], min(done)[0]) if done else None


def verdicts(rows: Rows) -> Iterator[tuple[str, ...]]:
    """Per target: task, units, ours, target, ratio to the fastest peer of this run, ratio to the earlier figure, verdict."""
    for t in TARGETS:
        mine = rows.get((OURS, t.task, t.units))
        if mine is None or "cpu" not in mine:
            continue
        cpu, peak = float(mine["cpu"]), float(mine["peak"])
        if not t.factor:
            limits = [f"≤ {t.seconds:g} s", *([f"≤ {t.megabytes / 1024:g} GiB"] if t.megabytes else [])]
            met = cpu <= t.seconds and (not t.megabytes or peak <= t.megabytes)
            yield t.task, f"{t.units:,}", f"{cpu:.2f} s, {peak:.0f} MB", ", ".join(limits), "", "", "met" if met else "not met"
            continue
        best = fastest(rows, t.task, t.units) if "R " not in t.whom else None
        now = best[1] / cpu if best else None
        then = t.earlier / cpu if t.earlier else None
        met = all(r >= t.factor for r in (now, then) if r is not None)
        wanted = f"≥ {t.factor:g} × {t.whom}" if t.factor > 1 else f"ahead of {t.whom}"
        known = f"{now:.1f} × ({best[0]})" if best and now else ""
        yield t.task, f"{t.units:,}", f"{cpu:.4f} s", wanted, known, f"{then:.1f} ×" if then else "", "met" if met else "not met"
    yield from _band(rows)


def _band(rows: Rows) -> Iterator[tuple[str, ...]]:
    task = "callaway-santanna"
    for units in (5_000, 50_000):
        plain, drawn = rows.get((OURS, task, units)), rows.get((OURS, f"{task} + 999 draws", units))
        if plain is None or drawn is None or "cpu" not in plain or "cpu" not in drawn:
            continue
        more = float(drawn["cpu"]) / float(plain["cpu"]) - 1
        wanted = f"draws add ≤ {BAND:.0%}"
        yield (
            f"{task} + 999 draws",
            f"{units:,}",
            f"{float(drawn['cpu']):.4f} s",
            wanted,
            f"{more:+.0%}",
            "",
            "met" if more <= BAND else "not met",
        )
