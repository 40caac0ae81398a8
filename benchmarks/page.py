"""Put the figures of ``out/benchmarks.jsonl`` into docs/explanation/performance.md, between its marks: python benchmarks/page.py FILE."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from _ours import TASKS
from _targets import FRAME, OURS, Row, fastest, verdicts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- figures: written by benchmarks/page.py -->", "<!-- end of figures -->"
Rows = dict[tuple[str, str, int], Row]


def load(path: Path) -> Rows:
    """Of the same measurement made twice, the later."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(line["library"], line["task"], int(line["units"])): line for line in lines}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    aligned = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, aligned, *rows))


def seconds(value: float) -> str:
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def machine() -> str:
    """The machine in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, Python {platform.python_version()}; each process on one thread."


def targets(rows: Rows) -> str:
    head = ("Task", "Units", "Ours", "Wanted", "Against the fastest here", "Against the earlier figure", "Verdict")
    return table(head, verdicts(rows))


def comparison(rows: Rows, units: int) -> str:
    """Ours, read and from the frame, and each peer that was measured."""
    lines = []
    for task in TASKS:
        mine, whole = rows.get((OURS, task, units)), rows.get((FRAME, task, units))
        if mine is None or "cpu" not in mine:
            continue
        best = fastest(rows, task, units)
        others = [
            f"{name} {seconds(float(row['cpu']))}" if "cpu" in row else f"{name}: {row['error']}"
            for (name, t, n), row in rows.items()
            if (t, n) == (task, units) and name not in (OURS, FRAME)
        ]
        ratio = f"{best[1] / float(mine['cpu']):.1f} ×" if best else ""
        frame = seconds(float(whole["cpu"])) if whole and "cpu" in whole else ""
        lines.append((task, seconds(float(mine["cpu"])), frame, f"{float(mine['peak']):.0f}", ratio, "; ".join(others)))
    return table(("Task", "Panel read", "From frame", "MB", "Ratio", "Peers (CPU s)"), lines)


def growth(rows: Rows) -> str:
    """CPU seconds per million rows, and peak memory, by size."""
    linear = [task for task, made in TASKS.items() if made.linear]
    sizes = sorted({n for (name, task, n) in rows if name == OURS and task in linear})
    cells = []
    for task in linear:
        found = {n: rows.get((OURS, task, n)) for n in sizes}
        if not any(found.values()):
            continue
        each = [f"{float(r['cpu']):.3g} ({float(r['peak']):.0f})" if r and "cpu" in r else "" for r in found.values()]
        cells.append((task, *each))
    return table(("CPU s (peak MB)", *(f"{n:,} units" for n in sizes)), cells)


def figures(rows: Rows) -> str:
    sizes = sorted({n for (name, _, n) in rows if name not in (OURS, FRAME)})
    parts = [machine(), "## Targets", targets(rows)]
    for units in sizes:
        title = f"## {units:,} units × 15" if units > 1 else "## An event study with 8 leads and 6 lags"
        parts += [title, comparison(rows, units)]
    return "\n\n".join([*parts, "## Growth", growth(rows)])


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(load(Path(sys.argv[1])))}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
