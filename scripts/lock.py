"""Pin every dependency, with hashes, for one purpose: ``python scripts/lock.py run|dev|docs|bench``.

The lock holds for every supported Python and platform, and names no package index, so that each machine uses its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"run": [], "dev": ["test", "check", "spatial", "peers"], "docs": ["docs"], "bench": ["bench", "test", "spatial", "peers"]}
BUILD = "hatchling>=1.27\neditables>=0.5\n"


def main(purpose: str) -> int:
    build = ROOT / "requirements" / "build.in"
    extras = [part for extra in EXTRAS[purpose] for part in ("--extra", extra)]
    target = ROOT / "requirements" / f"{purpose}.txt"
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
    command += ["--no-header", "--no-annotate", *extras, "pyproject.toml", "requirements/build.in", "-o", str(target.relative_to(ROOT))]
    build.write_text(BUILD)
    if purpose != "run":
        command += ["-c", "requirements/run.txt"]
    return subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in EXTRAS:
        sys.exit(f"usage: lock.py {'|'.join(EXTRAS)}")
    sys.exit(main(sys.argv[1]))
