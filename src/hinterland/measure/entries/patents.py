"""Patents of regions by year: how many, of which kind, how often cited, how long kept, and by whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.measure import innovation
from hinterland.measure.data import Data, positions
from hinterland.measure.entries.arguments import fail, out_of_range
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block, dense, product_of
from hinterland.measure.second import Second, table

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.intp]
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
    fail([] if window is None else out_of_range("window", window, 1, np.inf, whole=True), "citation-weighted-patents")
    counts, last, findings = _citation_counts(data, cited_by, window)
    cohorts = data.frame.select("field", "time").with_columns(pl.struct("field", "time").rank("dense").alias("cohort"))["cohort"]
    cell, keys, size = _cells(data)
    scaled = innovation.cell_means(innovation.scaled_citations(counts, cohorts.to_numpy().astype(np.intp) - 1), cell, size)
    plain = innovation.cell_means(counts, cell, size)
    until = last if observed_until is None else observed_until
    opened = [] if window is None or until is None else [t for t in data.labels("time") if t + window > until]
    if opened:
        what = f"patents of {listed(opened)} have had less than {window} years to be cited by {until}"
        findings.append(
            Finding("citation-window-open", what, "parameter window", "compare within years only, or take a shorter window", "warning")
        )
    why = {"no-patents": scaled.n == 0, "no-citations": scaled.n_used == 0}
    blocks = [
        _mean_block(keys, scaled, why, "citation-weighted", scaled.value * scaled.n_used),
        _mean_block(keys, scaled, why, "scaled-citations"),
        _mean_block(keys, plain, {"no-patents": plain.n == 0, "missing-input": plain.n_used == 0}, "mean-citations"),
    ]
    return Measured(blocks, tuple(findings), meta={"open_years": opened, "window": window if cited_by is not None else "as given"})


def _citation_counts(data: Data, cited_by: Second, window: int | None) -> tuple[Array, int | None, list[Finding]]:
    """[N] citations of each patent, and the last year of citing, where single citations were given."""
    if cited_by is None:
        if not data.has("citations"):
            what = "neither numbers of citations nor single citations were given"
            fail(
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
    return counts.astype(np.float64), int(np.max(events["citing_year"].drop_nulls().to_numpy())), []


def _cells(data: Data) -> tuple[Codes, dict[str, pl.Series], int]:
    """[N] each patent's cell, the keys of all cells (every time with every region), and their number."""
    labels = [data.labels("time"), data.labels("region")]
    cell = data.codes("time") * len(labels[1]) + data.codes("region")
    return cell.astype(np.intp), product_of(("time", "region"), labels), len(labels[0]) * len(labels[1])


def _mean_block(
    keys: dict[str, pl.Series], means: innovation.CellMeans, reasons: dict[str, Bools], component: str = "", value: Array | None = None
) -> Block:
    coverage = means.n_used / np.maximum(means.n, 1)
    return block(
        keys, means.value if value is None else value, n_used=means.n_used, coverage=coverage, reasons=reasons, component=component
    )


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
        fail(
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
    fail(findings, "patent-renewal")
    start = data.frame["time"].to_numpy()
    kept = innovation.maintained(data.number("maintained"), start, observed_until or 0, threshold)
    young = data.labels("time").to_numpy() > (observed_until or 0) - threshold
    return _region_means(data, kept, more={"window-open": np.repeat(young, len(data.labels("region")))})


def _region_means(data: Data, values: Array, only: tuple[str, ...] = (), more: dict[str, Bools] | None = None) -> Measured:
    kept = keep_types(data, only) if only else np.ones(len(values), dtype=bool)
    cell, keys, size = _cells(data)
    means = innovation.cell_means(values[kept], cell[kept], size)
    reasons = {"no-patents": means.n == 0, **(more or {}), "missing-input": means.n_used == 0}
    return Measured([_mean_block(keys, means, reasons)], meta={"patents_left_out": int((~kept).sum())})


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
        fail(
            [Finding("patent-type-unknown", f"patent types are {listed(odd)}", f"column {data.columns['patent_type']!r}", remedy)],
            "patent types",
        )
    return known.is_in(only).to_numpy()[positions(data.frame["patent_type"], written)]


REGION = Role("region", "key", "region or city of the applicant")
YEAR = Role("time", "time", "year of application")
ENTITY = Role("entity", "key", "number of the patent")
TYPE = Role("patent_type", "key", "invention, utility or design (发明, 实用新型, 外观设计)", required=False)
_STATUS = {
    "status": Parameter("granted", ("granted", "applied"), "what the counts are: patents granted so far, or applications"),
    "observed_until": Parameter(None, help="last year in which grants were observed; the last year of the table by default"),
    "truncated": Parameter("flag", ("flag", "nan"), "years whose applications are still being granted: a warning, or no value"),
}
_CELL = ("time", "region")


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
        keys=_CELL,
        compute=f"{_MODULE}:{name.replace('-', '_')}",
        parameters=parameters or {},
        unique=("entity", "region"),
    )


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
        keys=_CELL,
        compute=f"{_MODULE}:patents_per_capita",
        parameters=_STATUS,
        components=("patents-per-head", "log-patents"),
        unique=_CELL,
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
        keys=_CELL,
        compute=f"{_MODULE}:invention_share",
        parameters=_STATUS,
        unique=_CELL,
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
        keys=_CELL,
        compute=f"{_MODULE}:citation_weighted_patents",
        parameters={
            "cited_by": Parameter(
                None, help="single citations: a table of the cited patent (the column named as entity) and citing_year", table=True
            ),
            "window": Parameter(5, help="years after application within which a single citation counts: 3, 5, or None for all"),
            "observed_until": Parameter(None, help="last year of citations; the last citing_year by default"),
        },
        components=("citation-weighted", "scaled-citations", "mean-citations"),
        unique=("entity", "region"),
    ),
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
            "observed_until": Parameter(None, help="last year of the register"),
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
