"""The thread limit holds inside the block, ends with it, and survives an error."""

from __future__ import annotations

import pytest

from hinterland.evaluate.threads import _openblas, one_thread


def test_limit_holds_and_ends() -> None:
    functions = _openblas()
    if functions is None:
        pytest.skip("numpy is not built on OpenBLAS here")
    read, write = functions
    before = read()
    write(2)
    try:
        with pytest.raises(RuntimeError), one_thread():
            assert read() == 1
            raise RuntimeError
        assert read() == 2
    finally:
        write(before)
