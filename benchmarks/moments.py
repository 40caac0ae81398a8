"""A panel larger than memory, reduced to its moments by DuckDB: seconds, peak memory and what was spilled, beside the panel in memory.

Writes a Parquet file of ``--units`` × 15 (y, unit, year, first treated period), reduces it under ``--memory`` and fits two-way fixed
effects, the event study and group-time effects from the moments; then, where the file is to fit, reads the panel and fits the same.
Each in a process of its own; nobody else has estimators from moments, so there is no peer.

    python benchmarks/moments.py                                  # 2 000 000 units, 30 million rows
    python benchmarks/moments.py --units 10000000 --in-memory 0   # 150 million rows
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from _world import COHORTS, PERIODS

CHUNK = 500_000
"""Units written at a time."""
METHODS = ("twfe", "event-study", "callaway-santanna")


def write(path: Path, units: int, shuffled: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    t = np.arange(1, PERIODS + 1)
    schema = pa.schema([("unit", pa.int64()), ("year", pa.int64()), ("g", pa.int64()), ("y", pa.float64())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, units, CHUNK):
            n = min(CHUNK, units - start)
            rng = np.random.default_rng(start + 1)
            g = np.where(rng.random(n) < 0.6, 0, rng.choice(COHORTS, n))
            on = (g[:, None] > 0) & (t >= g[:, None])
            y = rng.normal(size=n)[:, None] + 0.1 * t + on * (0.3 + 0.1 * (t - g[:, None])) + rng.normal(size=(n, PERIODS))
            ids = np.repeat(np.arange(start, start + n), PERIODS)
            order = rng.permutation(len(ids)) if shuffled else slice(None)
            columns = [ids, np.tile(t, n), np.repeat(g, PERIODS), y.ravel()]
            writer.write_table(pa.table([pa.array(c[order]) for c in columns], schema=schema))


def from_moments(path: str, memory: str) -> list[float]:
    from hinterland.evaluate.moments import panel_moments

    kept = panel_moments(path, "y", unit="unit", time="year", adoption="g", memory=memory)
    return [float(kept.estimate(m).estimate[-1]) for m in METHODS]


def in_memory(path: str, _: str) -> list[float]:
    import hinterland as hl

    panel = hl.read_panel(path, unit="unit", time="year")
    policy = hl.adoption(panel, "g", never=(0,))
    return [float(hl.estimate(panel, "y", policy, m).estimate[-1]) for m in METHODS]


WAYS = {"moments": from_moments, "in memory": in_memory}


def one(way: str, path: str, memory: str) -> None:
    """Run one way in this process: a line of JSON."""
    wall, cpu = time.perf_counter(), time.process_time()
    answers = WAYS[way](path, memory)
    row = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "answers": answers}
    print(json.dumps(row | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run(way: str, path: Path, memory: str, folder: Path) -> None:
    """The same in a process of its own, watching what it spills."""
    spill = folder / "spill"
    spill.mkdir(exist_ok=True)
    largest, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            sizes = []
            for file in spill.rglob("*"):
                try:
                    sizes.append(file.stat().st_blocks * 512)
                except FileNotFoundError:
                    continue
            largest[0] = max(largest[0], sum(sizes))

    watcher = threading.Thread(target=watch)
    watcher.start()
    command = [sys.executable, __file__, "--one", way, str(path), "--memory", memory]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(spill)})
    done.set()
    watcher.join()
    if ran.returncode:
        print(f"{way:<12} failed: {(ran.stderr.strip().splitlines() or ['killed'])[-1][:100]}")
        return
    row = json.loads(ran.stdout.strip().splitlines()[-1])
    answers = " ".join(f"{a:.10f}" for a in row["answers"])
    print(
        f"{way:<12}{row['wall']:>8.1f} s {row['cpu']:>8.1f} CPU s {row['peak']:>8.0f} MB peak {largest[0] / 2**20:>8.0f} MB spilled   {answers}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[2_000_000])
    parser.add_argument("--memory", default="1GB", help="DuckDB's limit")
    parser.add_argument("--in-memory", type=int, default=5_000_000, help="most units to be read into memory as well")
    parser.add_argument("--shuffled", action="store_true", help="rows in random order, half a million units at a time: the worst case")
    parser.add_argument("--folder", type=Path, help="where to write the file; a temporary folder by default")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one, asked.memory)
        return
    for units in asked.units:
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            path = Path(name) / "panel.parquet"
            write(path, units, asked.shuffled)
            size = path.stat().st_size / 2**20
            print(
                f"\n{units:,} units × {PERIODS}: {units * PERIODS:,} rows in any order, {size:.0f} MB of Parquet; memory limit {asked.memory}"
            )
            for way in ("moments", *(["in memory"] if units <= asked.in_memory else [])):
                run(way, path, asked.memory, Path(name))


if __name__ == "__main__":
    main()
