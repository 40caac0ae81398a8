"""Languages of the report side by side: the first is written here, each other one by a fresh interpreter that reads the same record.

A fresh interpreter rather than a fork, which is not safe once polars or BLAS have threads, and rather than a spawned worker, which would
run an unguarded script of the user's a second time.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from hinterland.data.processors import processors
from hinterland.report.part import Job, Part, written
from hinterland.report.record import Record, read_record

_Said = list[tuple[type[Warning], str]]


def write_parts(jobs: Sequence[Job], record: Record) -> list[Part]:
    """The parts of the report, in the order of ``jobs``; the same whether or not they are written side by side."""
    if len(jobs) < 2 or processors() < 2 or not sys.executable:
        return [written(job, record) for job in jobs]
    first, *others = jobs
    with ExitStack() as stack:
        helpers = [stack.enter_context(_started(job)) for job in others]
        own = written(first, record)
        return [own, *(_collected(helper, job, record) for helper, job in zip(helpers, others, strict=True))]


@dataclass(frozen=True, slots=True)
class _Helper:
    """An interpreter at work (``None``: none could be started), and the file that its answer will be in."""

    process: subprocess.Popen[bytes] | None
    answer: Path


@contextmanager
def _started(job: Job) -> Iterator[_Helper]:
    """An interpreter at work on ``job``; it does not outlive the block."""
    with TemporaryDirectory() as folder:
        task, answer = Path(folder) / "job", Path(folder) / "answer"
        task.write_bytes(pickle.dumps(job))
        process = _interpreter(str(task), str(answer))
        try:
            yield _Helper(process, answer)
        finally:
            if process is not None:
                process.kill()
                process.wait()


def _interpreter(*arguments: str) -> subprocess.Popen[bytes] | None:
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen([sys.executable, "-m", __name__, *arguments], stdin=quiet, stdout=quiet, stderr=quiet, env=environment)
    except OSError:
        return None


def _collected(helper: _Helper, job: Job, record: Record) -> Part:
    """What the helper made. If it failed, for whatever reason, its work is done here, where an error shows as it is."""
    if helper.process is None or helper.process.wait() != 0:
        return written(job, record)
    part, said = cast("tuple[Part, _Said]", pickle.loads(helper.answer.read_bytes()))
    for category, text in said:
        warnings.warn(text, category, stacklevel=2)
    return part


def _main(task: str, answer: str) -> None:
    """Do the job that is described in one file, and leave what came of it, and what was warned of, in another."""
    job = cast("Job", pickle.loads(Path(task).read_bytes()))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        part = written(job, read_record(job.root))
    Path(answer).write_bytes(pickle.dumps((part, [(w.category, str(w.message)) for w in said])))


if __name__ == "__main__":
    _main(*sys.argv[1:])
