"""How many processors there are to work on."""

from __future__ import annotations

import os
import sys


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
