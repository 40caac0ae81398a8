"""Patents of regions by year: how many, of which kind, and how often cited."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any, listed
from hinterland.measure import innovation
from hinterland.measure.data import Data
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.entries.patent_rows import CELL, ENTITY, REGION, YEAR, cells, mean_block
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense
from hinterland.measure.second import Second, table

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
_MODULE = "hinterland.measure.entries.patents"


def patents_per_capita(data: Data, *, status: str = "granted", observed_until: int | None = None, truncated: str = "flag") -> Measured:
    """Patents per head and ln(1 + patents) per time and region."""
    patents, people = data.cube("time", "region", value="patents"), data.cube("time", "region", value="population")
    cut, findings, meta = _truncation(data, status, observed_until, truncated)
    counted = {"suppressed-input": patents.suppressed, "missing-input": ~patents.observed, "grants-truncated": cut}
    per_head = {
        "suppressed-input": patents.suppressed | people.suppressed,
        "missing-input": ~(patents.observed & people.observed),
        "zero-population": people.values == 0,
        "grants-truncated": cut,
    }
    both = patents.observed & people.observed
    ratio, logs = innovation.per_capita(patents.values, people.values), innovation.log_patents(patents.values)
    blocks = [
        dense(patents, ratio, n_used=both, coverage=both, reasons=per_head, component="patents-per-head"),
        dense(patents, logs, n_used=patents.observed, coverage=patents.observed, reasons=counted, component="log-patents"),
    ]
    return Measured(blocks, findings, meta=meta)


def invention_share(data: Data, *, status: str = "granted", observed_until: int | None = None, truncated: str = "flag") -> Measured:
    """One share per time and region."""
    cubes = [data.cube("time", "region", value=r) for r in ("invention", "utility", "design")]
    cut, findings, meta = _truncation(data, status, observed_until, truncated)
    seen = np.sum([c.observed for c in cubes], axis=0)
    reasons = {
        "suppressed-input": np.any([c.suppressed for c in cubes], axis=0),
        "missing-input": seen < 3,
        "no-patents": np.sum([c.values for c in cubes], axis=0) == 0,
        "grants-truncated": cut,
    }
    value = innovation.invention_share(cubes[0].values, cubes[1].values, cubes[2].values)
    return Measured([dense(cubes[0], value, n_used=seen, coverage=seen / 3, reasons=reasons)], findings, meta=meta)


def _truncation(data: Data, status: str, observed_until: int | None, truncated: str) -> tuple[Bools, tuple[Finding, ...], dict[str, Any]]:
    """[T, 1] cells to take out, and what to say of years whose applications are still being granted."""
    years = data.labels("time")
    if status == "applied":
        return np.zeros((len(years), 1), dtype=bool), (), {"truncated_years": []}
    until = int(np.max(years.to_numpy())) if observed_until is None else observed_until
    cut = innovation.truncated(years.to_numpy(), until)
    late = years.filter(pl.Series(cut)).to_list()
    said: tuple[Finding, ...] = ()
    if late:
        what = f"applications of {listed(late)} were still being granted when grants were last observed ({until})"
        remedy = 'count applications (status="applied"), compare within years only, or pass truncated="nan"'
        said = (Finding("grants-truncated", what, f"column {data.columns['time']!r}", remedy, "warning"),)
    return (cut & (truncated == "nan"))[:, None], said, {"truncated_years": late}


def citation_weighted_patents(
    data: Data, *, cited_by: Second = None, window: int | None = 5, observed_until: int | None = None
) -> Measured:
    """Patents weighted by scaled citations, the mean of the scaled, and the mean number of citations, per time and region."""
    fail_if_any([] if window is None else out_of_range("window", window, 1, np.inf, whole=True), "citation-weighted-patents")
    counts, last, findings = _citation_counts(data, cited_by, window)
    cohorts = data.frame.select("field", "time").with_columns(pl.struct("field", "time").rank("dense").alias("cohort"))["cohort"]
    cell, keys, size = cells(data)
    scaled = innovation.cell_means(innovation.scaled_citations(counts, cohorts.to_numpy().astype(np.intp) - 1), cell, size)
    plain = innovation.cell_means(counts, cell, size)
    until = last if observed_until is None else observed_until
    opened = [] if window is None or until is None else [t for t in data.labels("time") if t + window > until]
    if opened:
        what = f"patents of {listed(opened)} have had less than {window} years to be cited by {until}"
        findings.append(
            Finding("citation-window-open", what, "parameter window", "compare within years only, or take a shorter window", "warning")
        )
    unknown = {"no-patents": plain.n == 0, "missing-input": plain.n_used == 0}
    why = {**unknown, "no-citations": scaled.n_used == 0}
    blocks = [
        mean_block(keys, scaled, why, "citation-weighted", scaled.value * scaled.n_used),
        mean_block(keys, scaled, why, "scaled-citations"),
        mean_block(keys, plain, unknown, "mean-citations"),
    ]
    return Measured(blocks, tuple(findings), meta={"open_years": opened, "window": window if cited_by is not None else "as given"})


def _citation_counts(data: Data, cited_by: Second, window: int | None) -> tuple[Array, int | None, list[Finding]]:
    """[N] citations of each patent, and the last year of citing, where single citations were given."""
    if cited_by is None:
        if not data.has("citations"):
            what = "neither numbers of citations nor single citations were given"
            fail_if_any(
                [Finding("missing-role", what, "argument citations", "name a column as citations, or pass single citations as cited_by")],
                "citation-weighted-patents",
            )
        return data.number("citations"), None, []
    events = table(cited_by, "cited_by", ["entity", "citing_year"], data.columns).with_columns(
        pl.col("entity").cast(pl.String), pl.col("citing_year").cast(pl.Int64, strict=False)
    )
    patents = data.frame.select("entity").with_row_index("position")
    known = events.join(patents, on="entity", how="inner", maintain_order="left").drop_nulls()
    counts = innovation.windowed_citations(
        known["position"].to_numpy().astype(np.intp), known["citing_year"].to_numpy(), data.frame["time"].to_numpy(), window
    )
    last = events["citing_year"].drop_nulls().to_list()
    return counts.astype(np.float64), max(last) if last else None, []


_STATUS = {
    "status": Parameter("granted", ("granted", "applied"), "what the counts are: patents granted so far, or applications"),
    "observed_until": Parameter(None, help="last year in which grants were observed; the last year of the table by default", kind="whole"),
    "truncated": Parameter("flag", ("flag", "nan"), "years whose applications are still being granted: a warning, or no value"),
}


ENTRIES = (
    Indicator(
        id="patents-per-capita",
        family="innovation",
        unit="per-10k-person",
        range=(0.0, None),
        formula=r"P_{rt}/N_{rt}, \quad \ln(1+P_{rt})",
        source="Griliches (1990)",
        roles=(
            REGION,
            YEAR,
            Role("patents", "number", "patents granted or applied for, by year of application", sign="non-negative"),
            Role("population", "number", "residents, in 10 000 people", sign="non-negative"),
        ),
        keys=CELL,
        compute=f"{_MODULE}:patents_per_capita",
        parameters=_STATUS,
        components=("patents-per-head", "log-patents"),
        units={"log-patents": "log"},
        unique=CELL,
    ),
    Indicator(
        id="invention-share",
        family="innovation",
        unit="share",
        range=(0.0, 1.0),
        formula=r"\frac{P^{inv}}{P^{inv}+P^{um}+P^{des}}",
        source="CNIPA statistics",
        roles=(
            REGION,
            YEAR,
            Role("invention", "number", "inventions", sign="non-negative"),
            Role("utility", "number", "utility models", sign="non-negative"),
            Role("design", "number", "designs", sign="non-negative"),
        ),
        keys=CELL,
        compute=f"{_MODULE}:invention_share",
        parameters=_STATUS,
        unique=CELL,
    ),
    Indicator(
        id="citation-weighted-patents",
        family="innovation",
        unit="index",
        range=(0.0, None),
        formula=r"\sum_{p \in r,t} c_p/\bar c_{f(p),t}",
        source="Trajtenberg (1990); Hall, Jaffe & Trajtenberg (2001)",
        roles=(
            ENTITY,
            REGION,
            YEAR,
            Role("field", "key", "technology field, such as the IPC section or subclass"),
            Role("citations", "number", "citations received within the window", required=False, sign="non-negative"),
        ),
        keys=CELL,
        compute=f"{_MODULE}:citation_weighted_patents",
        parameters={
            "cited_by": Parameter(
                None, help="single citations: a table of the cited patent (the column named as entity) and citing_year", table=True
            ),
            "window": Parameter(5, help="years after application within which a single citation counts: 3, 5, or None for all", kind="any"),
            "observed_until": Parameter(None, help="last year of citations; the last citing_year by default", kind="whole"),
        },
        components=("citation-weighted", "scaled-citations", "mean-citations"),
        units={"mean-citations": "count"},
        unique=("entity", "region"),
    ),
)
