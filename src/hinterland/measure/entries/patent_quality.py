"""Quality of patents besides citations and breadth: claims, renewal, family size, transfer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any, listed
from hinterland.measure import innovation
from hinterland.measure.data import Data
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.entries.patent_rows import CELL, ENTITY, REGION, TYPE, YEAR, cells, keep_types, mean_block
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


def patent_claims(data: Data) -> Measured:
    """Mean claims per time and region, of inventions where the table says which patents are."""
    return _region_means(data, data.number("claims"), only=("invention",))


def patent_family_size(data: Data) -> Measured:
    """Mean family size per time and region."""
    return _region_means(data, data.number("family"))


def patent_transfer(data: Data) -> Measured:
    """Share of patents assigned, per time and region."""
    moved = data.number("assigned")
    bad = np.flatnonzero(np.isfinite(moved) & (moved != 0) & (moved != 1))
    if len(bad):
        what = f"{len(bad)} value(s) are neither 0 nor 1: {listed(moved[bad])}"
        fail_if_any(
            [Finding("not-an-indicator", what, data.where(bad, "assigned"), "write 1 for an assigned patent and 0 for any other")],
            "patent-transfer",
        )
    return _region_means(data, moved)


def patent_renewal(data: Data, *, observed_until: int | None = None, threshold: int = 5) -> Measured:
    """Share of patents maintained for ``threshold`` years, among those old enough, per time and region."""
    findings = out_of_range("threshold", threshold, 1, np.inf, whole=True)
    if observed_until is None:
        what = "patent-renewal needs the last year of the register: younger patents cannot be judged"
        findings.append(Finding("missing-parameter", what, "parameter observed_until", "give the year"))
    fail_if_any(findings, "patent-renewal")
    start = data.frame["time"].to_numpy()
    kept = innovation.maintained(data.number("maintained"), start, observed_until or 0, threshold)
    young = data.labels("time").to_numpy() > (observed_until or 0) - threshold
    return _region_means(data, kept, more={"window-open": np.repeat(young, len(data.labels("region")))})


def _region_means(data: Data, values: Array, only: tuple[str, ...] = (), more: dict[str, Bools] | None = None) -> Measured:
    kept = keep_types(data, only) if only else np.ones(len(values), dtype=bool)
    cell, keys, size = cells(data)
    means = innovation.cell_means(values[kept], cell[kept], size)
    reasons = {"no-patents": means.n == 0, **(more or {}), "missing-input": means.n_used == 0}
    return Measured([mean_block(keys, means, reasons)], meta={"patents_left_out": int((~kept).sum())})


def _mean(
    name: str,
    role: Role,
    *,
    unit: str,
    top: float | None,
    formula: str,
    source: str,
    parameters: dict[str, Parameter] | None = None,
    more: tuple[Role, ...] = (),
) -> Indicator:
    """An indicator that is a mean over the patents of a region and year."""
    return Indicator(
        id=name,
        family="innovation",
        unit=unit,
        range=(0.0, top),
        formula=formula,
        source=source,
        roles=(ENTITY, REGION, YEAR, role, *more),
        keys=CELL,
        compute=f"hinterland.measure.entries.patent_quality:{name.replace('-', '_')}",
        parameters=parameters or {},
        unique=("entity", "region"),
    )


ENTRIES = (
    _mean(
        "patent-claims",
        Role("claims", "number", "claims of the granted patent", sign="positive"),
        unit="count",
        top=None,
        formula=r"\bar c_{rt}",
        source="Lanjouw & Schankerman (2004)",
        more=(TYPE,),
    ),
    _mean(
        "patent-renewal",
        Role("maintained", "number", "years in force so far, from the year of application", sign="non-negative"),
        unit="share",
        top=1.0,
        formula=r"\frac{1}{n}\sum_p 1\{m_p \ge 5\}",
        source="Schankerman & Pakes (1986)",
        parameters={
            "observed_until": Parameter(None, help="last year of the register", kind="whole"),
            "threshold": Parameter(5, help="years that a patent must have been kept"),
        },
    ),
    _mean(
        "patent-family-size",
        Role("family", "number", "offices in which the invention is protected", sign="positive"),
        unit="count",
        top=None,
        formula=r"\bar f_{rt}",
        source="Putnam (1996); Lanjouw & Schankerman (2004)",
    ),
    _mean(
        "patent-transfer",
        Role("assigned", "number", "1 where the patent was assigned to another owner, 0 where not"),
        unit="share",
        top=1.0,
        formula=r"\frac{1}{n}\sum_p 1\{\text{assigned}\}",
        source="Serrano (2010)",
    ),
)
