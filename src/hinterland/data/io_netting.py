"""Competitive imports taken out of the uses that contain them.

Rule (import proportionality; Chenery 1953, Moses 1955; Miller & Blair 2009, section 4.5): within a region, every use of a product, intermediate
or final, holds the same share of imports, m = (imports + inflow) / uses in the region. Exports hold none, unless imports exceed the region's own
uses: then the rest is taken from exports and outflow as goods in transit, and what exceeds those too goes to the error column. Both are reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.data.io_table import Floats
from hinterland.errors import Finding, listed
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.data.io_table import IOTable

__all__ = ["Shares", "import_shares", "net_imports"]


@dataclass(frozen=True, slots=True)
class Shares:
    """How the imports of each row are met, [n] each, in the table's unit but for the share.

    Attributes:
        share: of the region's own uses that is imported or flows in, 0 to 1.
        transit: imports beyond the region's own uses, taken from exports and outflow.
        beyond: what exceeds those too, left to the error column.
    """

    share: Floats
    transit: Floats
    beyond: Floats


def import_shares(t: IOTable) -> Shares:
    """Import shares of the region's own uses, row by row (see the module's rule)."""
    own = np.zeros(t.n)
    for rows, columns in _own(t):
        own[rows] = t.Z[rows, rows].sum(axis=1) + t.F[rows][:, columns].sum(axis=1)
    own, total, out = np.maximum(own, 0.0), t.imports + t.inflow, np.maximum(t.exports + t.outflow, 0.0)
    taken = np.minimum(total, own)
    share = np.divide(taken, own, out=np.zeros(t.n), where=own > 0)
    transit = np.minimum(total - taken, out)
    return Shares(share, transit, total - taken - transit)


def net_imports(t: IOTable) -> IOTable:
    """The table of what is made in the regions: imports and inflow become rows of imported inputs and imports for final demand.

    Output, value added and both balances stay as they are. A table without competitive imports is returned as it is.
    """
    if t.import_treatment != "competitive":
        return t
    s = import_shares(t)
    abroad = np.divide(t.imports, t.imports + t.inflow, out=np.ones(t.n), where=t.imports + t.inflow != 0)
    Z, F, final = t.Z.copy(), t.F.copy(), t.imported_final.copy()
    inputs = np.zeros((2, t.n))
    for rows, columns in _own(t):
        m = s.share[rows]
        inputs[0, rows] = (m * abroad[rows]) @ t.Z[rows, rows]
        inputs[1, rows] = (m * (1 - abroad[rows])) @ t.Z[rows, rows]
        final[columns] += m @ t.F[rows][:, columns]
        Z[rows, rows] *= (1 - m)[:, None]
        F[rows, columns] *= (1 - m)[:, None]
    sold = t.exports + t.outflow
    left = 1 - np.divide(s.transit, sold, out=np.zeros(t.n), where=sold > 0)
    kinds, keep = np.array(["imports", "inflow"]), inputs.any(axis=1)
    return replace(
        t,
        Z=Z,
        F=F,
        exports=t.exports * left,
        outflow=t.outflow * left,
        imports=np.zeros(t.n),
        inflow=np.zeros(t.n),
        imported_inputs=np.vstack([t.imported_inputs, inputs[keep]]),
        imported_kind=np.concatenate([t.imported_kind, kinds[keep]]),
        imported_final=final,
        error=t.error - s.beyond,
        notes=(*t.notes, Note("io-imports-netted")),
        findings=(*t.findings, *_exceeding(t, s)),
    )


def _own(t: IOTable) -> list[tuple[slice, NDArray[np.intp]]]:
    """Rows of each region and the columns of its final demand."""
    found = []
    for region in t.region_labels:
        rows = np.flatnonzero(t.regions == region)
        found.append((slice(int(rows[0]), int(rows[-1]) + 1), np.flatnonzero(t.final_region == region)))
    return found


def _exceeding(t: IOTable, s: Shares) -> list[Finding]:
    found = []
    if over := _largest(t, s.transit):
        what = f"imports and inflow exceed own uses: the rest was taken from exports and outflow; largest: {over}"
        found.append(Finding("io-imports-exceed-use", what, t.source, "none where goods pass through", "warning"))
    if over := _largest(t, s.beyond):
        what = f"imports and inflow exceed uses, exports and outflow together: the rest is in the error column; largest: {over}"
        found.append(Finding("io-imports-exceed-supply", what, t.source, "check these rows", "warning"))
    return found


def _largest(t: IOTable, amount: Floats) -> str:
    at = np.flatnonzero(amount > 1e-9 * float(np.abs(t.x).mean()))
    return listed([f"{t.regions[i]} · {t.sectors[i]} ({amount[i]:.6g})" for i in at[np.argsort(-amount[at], kind="stable")]], 3)
