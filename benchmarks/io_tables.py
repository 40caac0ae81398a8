"""Reading and holding input-output tables: time and peak memory, against pymrio on the same files.

The task: a table of 49 regions × 40 sectors (n = 1960; ``--sectors`` changes it) in the layouts of EXIOBASE 3 (tab-separated, A, Y, x) and OECD ICIO (CSV),
read to Z, A and final demand; and a table of 313 regions × 42 sectors (n = 13 146) made from arrays that are in memory, for which the peak beyond the arrays
is what counts. Each contender is a process of its own. The answer is the sum of A.

    python benchmarks/io_tables.py
    python benchmarks/io_tables.py --sectors 100
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from _harness import contend, report, table

REGIONS, KINDS = 49, 5


def arrays(regions: int, sectors: int, kinds: int = KINDS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng, n = np.random.default_rng(0), regions * sectors
    Z = np.empty((n, n))
    for start in range(0, n, 1000):
        Z[start : start + 1000] = rng.random((min(1000, n - start), n))
    F = rng.random((n, regions * kinds)) * n / kinds
    return Z, F, Z.sum(axis=1) + F.sum(axis=1)


def write(folder: Path, sectors: int) -> None:
    """The files of both layouts, written with as many digits as publishers give."""
    import polars as pl

    Z, F, x = arrays(REGIONS, sectors)
    place = [f"R{r:02d}" for r in range(REGIONS)]
    rows = [(p, f"S{s:03d}") for p in place for s in range(sectors)]
    final = [(p, k) for p in place for k in ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT")]
    left = pl.DataFrame(rows, schema=["region", "sector"], orient="row")

    def tabbed(name: str, values: np.ndarray, columns: list[tuple[str, str]]) -> None:
        with (folder / name).open("w") as file:
            for level, label in enumerate(("region", "sector")):
                file.write("\t".join([label, "", *(c[level] for c in columns)]) + "\n")
            file.write("\t".join(["region", "sector", *[""] * len(columns)]) + "\n")
        body = left.hstack(pl.DataFrame(values, schema=[str(j) for j in range(values.shape[1])]))
        with (folder / name).open("ab") as file:
            body.write_csv(file, separator="\t", include_header=False, float_precision=12)

    tabbed("A.txt", Z / x, rows)
    tabbed("Y.txt", F, final)
    left.with_columns(indout=pl.Series(x)).write_csv(folder / "x.txt", separator="\t")
    left.with_columns(unit=pl.lit("M.EUR")).write_csv(folder / "unit.txt", separator="\t")
    wide = np.hstack([Z, F, x[:, None]])
    names = [f"{p}_{s}" for p, s in (*rows, *final)]
    frame = pl.DataFrame(wide, schema=[*names, "OUT"]).insert_column(0, pl.Series("V1", [f"{p}_{s}" for p, s in rows]))
    foot = np.zeros((2, wide.shape[1]))
    foot[0, : len(x)], foot[1, : len(x)] = x - Z.sum(axis=0), x
    below = pl.DataFrame(foot, schema=[*names, "OUT"]).insert_column(0, pl.Series("V1", ["VA", "OUT"]))
    pl.concat([frame, below]).write_csv(folder / "ICIO2021_2018.csv", float_precision=9)


def _ours(layout: str) -> Callable[[Path], float]:
    def call(folder: Path) -> float:
        import hinterland as hl

        source = folder if layout == "exiobase" else folder / "ICIO2021_2018.csv"
        return float(hl.read_io(source, layout=layout).A.sum())  # type: ignore[arg-type]

    return call


def _pymrio_exiobase(folder: Path) -> float:
    """What parse_exiobase3 does after it has found the files, whose metadata ours do not have."""
    import pandas as pd
    import pymrio

    A, Y = (pd.read_csv(folder / f"{n}.txt", sep="\t", index_col=[0, 1], header=[0, 1]) for n in "AY")
    x = pd.read_csv(folder / "x.txt", sep="\t", index_col=[0, 1])
    system = pymrio.IOSystem(A=A, Y=Y, x=x)
    system.Z = pymrio.calc_Z(A, x)
    return float(system.A.to_numpy().sum())


def _pymrio_icio(folder: Path) -> float:
    import pymrio

    system = pymrio.parse_oecd(folder / "ICIO2021_2018.csv")
    system.x = pymrio.calc_x(system.Z, system.Y)
    return float(pymrio.calc_A(system.Z, system.x).to_numpy().sum())


READ: dict[str, Callable[[Path], float]] = {
    "hinterland exiobase": _ours("exiobase"),
    "pymrio exiobase": _pymrio_exiobase,
    "hinterland icio": _ours("icio"),
    "pymrio icio": _pymrio_icio,
}


def held() -> None:
    """Make a table of n = 13 146 from arrays, and say what that adds to their memory."""
    import resource

    import hinterland as hl

    regions, sectors = 313, 42
    Z, F, x = arrays(regions, sectors)
    names, kinds = np.arange(regions).astype(str), np.arange(KINDS).astype(str)
    labels = np.repeat(names, sectors), np.tile(np.arange(sectors).astype(str), regions), np.repeat(names, KINDS), np.tile(kinds, regions)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    t = hl.IOTable(Z, F, x, *labels)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{t!r}: made and checked in {seconds:.2f} s; peak {before:.0f} MB before, {after:.0f} MB after")
    start = time.perf_counter()
    a = t.A
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"A of {a.nbytes / 2**20:.0f} MB in {time.perf_counter() - start:.2f} s; peak {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sectors", type=int, default=40)
    parser.add_argument("--only", choices=[*READ, "held"])
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.only == "held":
        held()
        return
    if arguments.only:
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        answer = READ[arguments.only](arguments.folder)
        report(arguments.only, time.perf_counter() - start, answer, "with imports")
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), arguments.sectors)
        found = contend(__file__, {n: n.split()[0] for n in READ}, "--folder", folder)
    for layout in ("exiobase", "icio"):
        results = [r for r in found if r.name.endswith(layout)]
        table(f"{layout}, n = {REGIONS * arguments.sectors}", results, f"hinterland {layout}")
    subprocess.run([sys.executable, __file__, "--only", "held"], check=True, env={"OMP_NUM_THREADS": "1", **os.environ})


if __name__ == "__main__":
    main()
