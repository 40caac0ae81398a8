"""Write docs/reference/validation.md and validation.csv from the record of `make validate`.

    HINTERLAND_VALIDATION=record.jsonl pytest -m validate
    python scripts/validation_page.py record.jsonl

With ``--keep`` rows of the table that the record lacks stay: the record of some of the studies. Without a record the page is written again from the table that is there.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hinterland

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/validation.md"
TABLE = PAGE.with_suffix(".csv")

COLUMNS = (
    "study", "subject", "variant", "design", "term", "quantity", "value", "monte_carlo_error", "replications", "low", "high", "reason", "seed", "ok", "version",
)  # fmt: skip
KEY = ("study", "subject", "variant", "design", "term", "quantity")

STUDIES: Mapping[str, tuple[str, str]] = {
    "estimators": (
        "Estimators",
        "Each estimator in designs where it is valid: bias, coverage of its 95 % intervals, size of its 5 % tests.",
    ),
    "averages": (
        "Averages and simultaneous bands",
        "Cohorts are drawn at random, so that the shares which weigh them are estimates; the truth is the population's. A band holds only if all of its terms are inside at once.",
    ),
    "packaged world": (
        "The packaged world",
        "[The simulated world](../explanation/world.md), seeds 0 to 999, against the mean effect that is true in each. Its effects are those of the cities at hand, "
        "so intervals that also allow for other cities being drawn are a little wide.",
    ),
    "covariances": ("Covariances", "Size of the t test of an effect that is zero."),
    "few clusters": (
        "Few clusters, few treated",
        "Procedures for samples in which the usual standard errors fail; how those fail is in the last table.",
    ),
    "tests": (
        "Tests",
        "Size of tests at 5 %; for the power calculation, simulated power against the formula's, in designs where nothing else is going on.",
    ),
    "sensitivity": (
        "Sensitivity to violations of parallel trends",
        "Coverage of robust intervals where trends differ by exactly as much as the restriction allows, which is the worst that they must hold against.",
    ),
    "many hypotheses": ("Many hypotheses", "Probability of any false rejection, or expected share of false ones among rejections, at 5 %."),
    "mechanism": (
        "Mechanisms",
        "Shares of an effect that runs through mediators and indirect effects, by cluster bootstrap: coverage in the packaged world and under a confounder whose strength is known; size where nothing is mediated.",
    ),
    "gravity": (
        "Gravity of flows",
        "Poisson regression with fixed effects of source, host, pair and year on flows drawn from [a known law](../explanation/world.md), a new world for each replication: clusters (CR1), whose intervals are too "
        "narrow where a few large flows carry a term, beside their jackknife (CR3).",
    ),
    "measures": (
        "Measures",
        "[Indicators](../explanation/measures/index.md) that estimate or test something, by the id that `hl.measure` takes, in worlds whose value is known. *Error* is the mean absolute error, "
        "*correlation* that of ranks with the truth.",
    ),
    "failures": (
        "Failures, shown on purpose",
        "What happens where an assumption does not hold. None of this is a defect: it is the reason why the other estimators, covariances, tests and variants of indicators exist.",
    ),
}
REASONS: Mapping[str, str] = {
    "": "",
    "known failure": "known failure, shown on purpose",
    "conservative": "conservative by construction",
    "small sample": "small sample: the approximation is asymptotic",
    "kernel": "the kernel weighs near pairs by less than their correlation",
}
ERRORS = 3.5
"""Monte Carlo errors up to which a bias is noise."""
QUANTITIES = ("bias", "coverage", "size", "power", "error rate", "error", "correlation")

HEAD = """# Validation

Every estimator, interval and test, and every indicator that estimates or tests something, against truth that is known because it was simulated. `make validate` runs all of it and
writes this page; a test checks that no estimator, no test procedure and no such indicator is missing and that nothing is out of range without a reason.

* **Bias** is the mean error of the estimate over its Monte Carlo error (the standard deviation of that mean). With several terms the largest is told. It must be below {errors} in absolute value; a
  bias that is larger, for the reason in the last column, is told by its size.
* **Coverage** is the share of 95 % intervals that hold the truth: 0.93 to 0.97. **Size** is the share of 5 % tests that reject a true null: 0.03 to 0.07. One Monte Carlo error of either is
  0.007 with 1 000 replications.
* Where another range is expected, the last column says why: *conservative by construction* (the theory promises at least the level), *small sample* (an asymptotic approximation in a small sample;
  a row with more units or clusters shows where it goes), the *kernel* of a covariance over distance or time or *known failure, shown on purpose* (an assumption does not hold).

Version {version}. {rows} quantities from {cells} simulations with at least {least} replications each; {outside} outside the expected range. Every number has its seed in
{{download}}`the table behind this page <validation.csv>`, beside Monte Carlo errors and expected ranges by term.
"""


def read_record(path: Path, kept: Iterable[Mapping[str, str]] = ()) -> list[Mapping[str, Any]]:
    """The rows of a record, the last of each kind, in the order of the page; of ``kept`` those that the record lacks."""
    rows: dict[tuple[str, ...], Mapping[str, Any]] = {tuple(row[k] for k in KEY): row for row in kept}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = {**json.loads(line), "version": hinterland.__version__}
        rows[tuple(row[k] for k in KEY)] = row
    return sorted(rows.values(), key=_place)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        list(STUDIES).index(row["study"]),
        row["subject"],
        row["variant"],
        row["design"],
        row["term"],
        QUANTITIES.index(row["quantity"]),
    )


def _plain(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if name in {"monte_carlo_error", "low", "high"} else f"{value:.5g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([[_plain(c, row[c]) for c in COLUMNS] for row in rows])


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page(rows: Sequence[Mapping[str, str]]) -> str:
    """The page, from the rows of the table."""
    cells = {tuple(r[k] for k in KEY[:4]) for r in rows}
    parts = [
        HEAD.format(
            errors=ERRORS,
            version=rows[0]["version"],
            rows=len(rows),
            cells=len(cells),
            least=min(int(r["replications"]) for r in rows if r["reason"] != "known failure"),
            outside=sum(r["ok"] != "true" for r in rows),
        )
    ]
    for study, (title, words) in STUDIES.items():
        chosen = [r for r in rows if r["study"] == study]
        if chosen:
            parts.append(f"## {title}\n\n{words}\n\n{_section(chosen)}")
    return "\n".join(parts)


def _section(rows: Sequence[Mapping[str, str]]) -> str:
    shown = [q for q in QUANTITIES if any(r["quantity"] == q for r in rows)]
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in ("subject", "variant", "design")), []).append(row)
    head = ("", "design", "terms", *shown, "replications", "")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for (subject, variant, design), members in groups.items():
        name = f"`{subject}`" + (f"<br>{variant}" if variant else "")
        terms = list(dict.fromkeys(r["term"] for r in members if r["term"]))
        said = terms[0] if len(terms) == 1 else f"{len(terms)} terms" if terms else ""
        values = [_cell([r for r in members if r["quantity"] == q]) for q in shown]
        count = " / ".join(sorted({f"{int(r['replications']):,}".replace(",", " ") for r in members}))
        reasons = list(dict.fromkeys(_why(r) for r in members if r["reason"]))
        why = "; ".join(r for r in reasons if not any(other != r and other.startswith(r) for other in reasons))
        lines.append(f"| {' | '.join((name, design, said, *values, count, why))} |")
    return "\n".join(lines) + "\n"


def _why(row: Mapping[str, str]) -> str:
    """The reason, with the range where that is not open to the side of failure."""
    if row["reason"] == "known failure":
        return REASONS["known failure"]
    if row["quantity"] == "bias":
        return REASONS[row["reason"]]
    return f"{REASONS[row['reason']]} (expected {row['quantity']}: {row['low']} to {row['high']})"


def _cell(rows: Iterable[Mapping[str, str]]) -> str:
    """One value with its Monte Carlo error, or the range over terms; bias by its Monte Carlo error, after its size where that is not noise. Bold where out of range."""
    found = list(rows)
    if not found:
        return ""
    values = [float(r["value"]) for r in found]
    mark = "" if all(r["ok"] == "true" for r in found) else "**"
    if found[0]["quantity"] == "bias":
        ratio = [v / float(r["monte_carlo_error"]) for v, r in zip(values, found, strict=True)]
        worst = max(ratio, key=abs)
        size = max(values, key=abs) if found[0]["reason"] == "known failure" else values[ratio.index(worst)]
        if found[0]["reason"] == "known failure" or abs(worst) > ERRORS:
            return f"{mark}{size:+.3f} ({worst:+.0f} errors){mark}"
        return f"{mark}{worst:+.1f}{mark}"
    low, high = min(values), max(values)
    if len(values) == 1 or math.isclose(low, high):
        return f"{mark}{low:.3f}{mark}"
    return f"{mark}{low:.3f}–{high:.3f}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", nargs="?", type=Path, help="JSON lines that `make validate` wrote")
    parser.add_argument("--keep", action="store_true", help="keep rows of the table that the record lacks")
    chosen = parser.parse_args()
    if chosen.record is not None:
        write_table(read_record(chosen.record, read_table(TABLE) if chosen.keep else ()), TABLE)
    PAGE.write_text(page(read_table(TABLE)), encoding="utf-8")


if __name__ == "__main__":
    main()
