"""The packaged study, every step and both languages, in a fresh process: wall and processor seconds, peak memory; again with nothing changed, and
with one robustness row changed, which does that row and the report again.

No other tool does this job from one file, so there is no peer beside it.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

ROW, CHANGED = "winsorise = [0.01]", "winsorise = [0.02]"


def run(study: Path, out: Path) -> str:
    """Wall and processor seconds of one run, and how many of its steps were done."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "hinterland", "run", str(study), "-o", str(out)], check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    steps = json.loads((out / "run.json").read_text(encoding="utf-8"))["steps"]
    done = sum(step["status"] == "done" for step in steps)
    return f"{wall:>9.1f} s{worked:>9.1f} s{done:>7} of {len(steps)}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study, out = folder / "study.toml", folder / "out"
        shutil.copy(str(files("hinterland.study") / "demonstration.toml"), study)
        print(f"\nhinterland run, packaged study\n{'':<28}{'wall':>11}{'processor':>11}{'steps done':>14}")
        print(f"{'first run':<28}{run(study, out)}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{'again, nothing changed':<28}{run(study, out)}")
        text = study.read_text(encoding="utf-8")
        assert ROW in text
        study.write_text(text.replace(ROW, CHANGED), encoding="utf-8")
        print(f"{'again, one row changed':<28}{run(study, out)}")
        print(f"peak memory of the largest process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
