"""One thread for linear algebra on tall, thin matrices, where more cost time and change the last digits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions of numpy's OpenBLAS that read and set its number of threads; ``None`` where numpy uses another library."""
    file = import_module("numpy._core._multiarray_umath").__file__
    try:
        library = ctypes.CDLL(file)
    except OSError:
        return None
    for name in _NAMES:
        if hasattr(library, name.format("set")) and hasattr(library, name.format("get")):
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Run the block with one thread in numpy's linear algebra (no effect where numpy is not built on OpenBLAS).

    Products of n × k with small k are bound by memory: a second thread mostly waits, at full load. And sums split over threads
    differ in their last bits between machines, while the same study and data should give the same bytes.
    """
    functions = _openblas()
    if functions is None:
        yield
        return
    read, write = functions
    before = read()
    write(1)
    try:
        yield
    finally:
        write(before)
