"""One run at a time in one folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hinterland.errors import RunError

if sys.platform == "win32":
    import msvcrt

    def _take(stream: IO[str]) -> None:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(stream: IO[str]) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process. The system lets go when the process ends, however it ends.

    Raises:
        RunError: another run holds it, or the folder cannot be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("w", encoding="utf-8")
    except FileExistsError as error:
        raise RunError(f"{str(folder)!r} is a file, not a folder\n    where: {folder}\n    do:    name another folder with -o") from error
    except OSError as error:
        raise RunError(
            f"the run folder cannot be written: {error.strerror}\n    where: {folder}\n    do:    name another folder with -o"
        ) from error
    with stream:
        try:
            _take(stream)
        except OSError as error:
            raise RunError(
                f"another run is writing this folder\n    where: {folder}\n    do:    wait for it, or name another folder with -o"
            ) from error
        yield
