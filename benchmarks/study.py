"""The packaged study, every step and both languages, in a fresh process: seconds, peak memory, and the time of a second run that finds all done.

No other tool does this job from one file, so there is no peer beside it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(out: Path) -> tuple[float, float]:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "hinterland", "run", "-o", str(out)], check=True, capture_output=True)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, peak = run(Path(folder) / "out")
        again, _ = run(Path(folder) / "out")
        steps = len(list((Path(folder) / "out" / "tables").glob("*.parquet")))
    print(
        f"\nhinterland run, packaged study\n{'first run':<34}{first:>10.1f} s{peak:>10.0f} MB peak, {steps} tables\n{'again, nothing changed':<34}{again:>10.1f} s"
    )


if __name__ == "__main__":
    main()
