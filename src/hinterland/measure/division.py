"""Division that leaves nothing infinite."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ratio(top: ArrayLike, bottom: ArrayLike) -> Floats:
    """Broadcast ``top``/``bottom`` where ``bottom`` is above zero; NaN elsewhere."""
    above, below = np.broadcast_arrays(np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64))
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def quotient(top: ArrayLike, bottom: ArrayLike) -> Floats:
    """Broadcast ``top``/``bottom`` where ``bottom`` is not zero, of either sign; NaN elsewhere."""
    above, below = np.broadcast_arrays(np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64))
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below != 0)
    return out
