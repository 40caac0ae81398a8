"""What rows of patents share: their cells, their types, the roles of their columns."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, did_you_mean, fail_if_any, listed
from hinterland.measure import innovation
from hinterland.measure.data import Data, positions
from hinterland.measure.indicator import Role
from hinterland.measure.result import Block, block, product_of

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.intp]
CELL = ("time", "region")
REGION = Role("region", "key", "region or city of the applicant")
YEAR = Role("time", "time", "year of application")
ENTITY = Role("entity", "key", "number of the patent")
TYPE = Role("patent_type", "key", "invention, utility or design (发明, 实用新型, 外观设计)", required=False)


def cells(data: Data) -> tuple[Codes, dict[str, pl.Series], int]:
    """[N] each patent's cell, the keys of all cells (every time with every region), and their number."""
    labels = [data.labels("time"), data.labels("region")]
    cell = data.codes("time") * len(labels[1]) + data.codes("region")
    return cell.astype(np.intp), product_of(CELL, labels), len(labels[0]) * len(labels[1])


def mean_block(
    keys: dict[str, pl.Series], means: innovation.CellMeans, reasons: dict[str, Bools], component: str = "", value: Array | None = None
) -> Block:
    """Means by cell as rows, or other numbers of the same cells."""
    coverage = means.n_used / np.maximum(means.n, 1)
    return block(
        keys, means.value if value is None else value, n_used=means.n_used, coverage=coverage, reasons=reasons, component=component
    )


def keep_types(data: Data, only: tuple[str, ...]) -> Bools:
    """[N] whether a patent is of one of the types; all are where the table does not say.

    Raises:
        InputError: types that are not one of China's three.
    """
    if not data.has("patent_type"):
        return np.ones(data.frame.height, dtype=bool)
    written = data.labels("patent_type")
    known = innovation.patent_type(written)
    odd = written.filter(known.is_null())
    if len(odd):
        remedy = "write invention, utility or design (发明, 实用新型, 外观设计; 1, 2, 3); " + did_you_mean(
            odd[0], ("invention", "utility", "design")
        )
        fail_if_any(
            [Finding("patent-type-unknown", f"patent types are {listed(odd)}", f"column {data.columns['patent_type']!r}", remedy)],
            "patent types",
        )
    return known.is_in(only).to_numpy()[positions(data.frame["patent_type"], written)]
