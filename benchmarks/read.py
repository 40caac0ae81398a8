"""Read and check a panel of a million rows: ours against pandas and polars, which do not check. Run: python benchmarks/read.py."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _harness import contend, median_time, report, table

FILE = Path(tempfile.gettempdir()) / "hinterland-benchmark-panel.csv"
CONTENDERS = {"hinterland": "hinterland", "polars (no checks)": "polars", "pandas (no checks)": "pandas"}


def write() -> None:
    import polars as pl

    rng = np.random.default_rng(0)
    n, t = 50_000, 20
    frame = {"unit": np.repeat(np.arange(n), t), "year": np.tile(np.arange(2000, 2000 + t), n)}
    pl.DataFrame({**frame, **{f"x{k}": rng.normal(size=n * t) for k in range(6)}}).write_csv(FILE)


def reader(name: str) -> Callable[[], float]:
    if name == "hinterland":
        import hinterland as hl

        return lambda: float(hl.read_panel(FILE, unit="unit", time="year").frame["x0"].sum())
    if name.startswith("polars"):
        import polars as pl

        return lambda: float(pl.read_csv(FILE)["x0"].sum())
    import pandas as pd

    return lambda: float(pd.read_csv(FILE)["x0"].sum())


def main() -> None:
    if "--only" in sys.argv:
        name = sys.argv[sys.argv.index("--only") + 1]
        seconds, answer = median_time(reader(name), 3)
        report(name, seconds, answer)
        return
    write()
    try:
        table("CSV of 10^6 rows × 8 columns (answer: a column's sum)", contend(__file__, CONTENDERS), "hinterland")
    finally:
        FILE.unlink()


if __name__ == "__main__":
    main()
