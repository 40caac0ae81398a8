"""Where parameters come from: rows of the table ``provenance``, each of a whole parameter or of some labels of its further dimension.

The further dimension of a parameter is the one beside region, industry, year and step, such as the resource of intensities. The column ``of`` names labels of
it, joined by ``;``. A row without labels speaks of all that no other row of its parameter names, as everywhere in a case a narrower row wins over a wider one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.plan.problem import Problem
from hinterland.plan.schema import labels_in, parameters
from hinterland.plan.typed import Typed

__all__ = ["SCHEMA", "documented", "illustrative", "named", "scope", "wrong_provenance"]

Scope = Mapping[str, tuple[str, ...]]
SCHEMA: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("parameter", "of", "basis", "source"), pl.String()),
    **dict.fromkeys(("low", "high"), pl.Float64()),
    **dict.fromkeys(("note", "note_zh"), pl.String()),
}
"""Columns of a problem's provenance."""
BASES = ("observed", "estimated", "derived", "illustrative")
"""What a parameter can rest on."""
_INTRODUCED = {
    "resource": ("resources", "resource"),
    "skill": ("skills", "skill"),
    "kind": ("infrastructure", "kind"),
    "instrument": ("instruments", "instrument"),
    "enclave": ("enclaves", "enclave"),
    "gate": ("gates", "gate"),
    "role": ("roles", "role"),
    "market": ("exports", "market"),
    "phase": ("years", "phase"),
}
"""Table and column that introduce the labels of each further dimension."""


def documented(read: Mapping[str, Typed]) -> pl.DataFrame:
    """The provenance of a case, with the columns of :data:`SCHEMA`; without rows where the case has no such table."""
    if "provenance" not in read:
        return pl.DataFrame(schema=SCHEMA)
    have = read["provenance"].frame
    return have.select([pl.col(c) if c in have.columns else pl.lit(None, dtype=t).alias(c) for c, t in SCHEMA.items()])


def named(parameter: str, of: str | None) -> str:
    """A row in one word, as analyses take it: ``intensity:carbon``, or the parameter alone."""
    return f"{parameter}:{';'.join(labels_in(of))}" if labels_in(of) else parameter


def illustrative(provenance: pl.DataFrame) -> list[str]:
    """What is illustrative, one word for each row: a parameter of which only a part is has that part behind a colon."""
    rows = provenance.filter(pl.col("basis") == "illustrative").select("parameter", "of").unique()
    return sorted(named(p, of) for p, of in rows.iter_rows())


def scope(problem: Problem, parameter: str, of: str | None) -> Scope:
    """Labels that a row speaks of, by their dimension, as :class:`hinterland.plan.changes.Change` takes them; empty where it is the whole parameter."""
    spec = parameters().get(parameter)
    dim = None if spec is None else spec.further
    if dim is None:
        return {}
    if labels_in(of):
        return {dim: labels_in(of)}
    rows = problem.provenance.filter(pl.col("parameter") == parameter)
    others = {label for written in rows["of"] for label in labels_in(written)}
    return {dim: tuple(str(k) for k in problem.index[dim] if str(k) not in others)} if others else {}


def wrong_provenance(read: Mapping[str, Typed]) -> Iterator[Finding]:
    """Rows of what is no parameter, of labels that are not there, of one label twice; what is no basis, and ranges that are none."""
    rows = documented(read)
    yield from _wrong_bases(rows)
    yield from _wrong_ranges(rows)
    names = rows["parameter"].drop_nulls().unique(maintain_order=True).to_list()
    lost = [n for n in names if n not in parameters()]
    if lost:
        remedy = did_you_mean(str(lost[0]), parameters())
        yield Finding("unknown-parameter", f"provenance documents {listed(lost)}, which is no parameter", "provenance", remedy, "warning")
    for name in names:
        of = rows.filter(pl.col("parameter") == name)["of"].to_list()
        if name in parameters() and any(labels_in(x) for x in of):
            yield from _wrong_labels(read, name, of)


def _wrong_bases(rows: pl.DataFrame) -> Iterator[Finding]:
    """A basis that is none would lose the mark of what is illustrative."""
    for written in rows["basis"].drop_nulls().unique(maintain_order=True):
        if written not in BASES:
            who = listed(rows.filter(pl.col("basis") == written)["parameter"].to_list())
            yield Finding(
                "unknown-basis", f"{who}: there is no basis {written!r}", "provenance, column 'basis'", did_you_mean(written, BASES)
            )


def _wrong_ranges(rows: pl.DataFrame) -> Iterator[Finding]:
    """Ranges are factors around 1: none is negative, and the parameter as it is lies between them."""
    wrong = rows.filter(
        (pl.col("low") < 0) | (pl.col("low") > 1) | (pl.col("high") < 1) | ~pl.col("low").is_finite() | ~pl.col("high").is_finite()
    )
    for name, of, low, high in wrong.select("parameter", "of", "low", "high").iter_rows():
        what = f"{named(name or '', of)} reaches from {_factor(low)} to {_factor(high)} of itself"
        remedy = "give factors: low from 0 to 1, high 1 or more; 0.8 and 1.2 are 20 % to either side"
        yield Finding("bad-range", what, "provenance, columns 'low' and 'high'", remedy)


def _factor(value: float | None) -> str:
    return "1" if value is None else f"{value:g}"


def _wrong_labels(read: Mapping[str, Typed], name: str, of: Sequence[str | None]) -> Iterator[Finding]:
    """What is wrong with the labels of one parameter's rows."""
    where, dim = f"provenance, parameter {name!r}, column 'of'", parameters()[name].further
    labels = [label for written in of for label in labels_in(written)]
    if dim is None:
        has = listed(parameters()[name].dims)
        what = f"{name} has no labels to speak of, such as {listed(labels)}: it varies by {has}"
        yield Finding("key-too-many", what, where, "leave the column empty")
        return
    known = _known(read, dim)
    lost = [x for x in dict.fromkeys(labels) if x not in known]
    if lost:
        yield Finding("unknown-label", f"there is no {dim} {listed(lost)}", where, did_you_mean(lost[0], known))
    twice = [x for x in dict.fromkeys(labels) if labels.count(x) > 1]
    if twice:
        what = f"table 'provenance' has several rows for {name} of {listed(twice)}"
        yield Finding("duplicate-row", what, where, "name each label in one row")
    if not lost and not all(labels_in(x) for x in of) and set(known) == set(labels):
        what = f"every {dim} of {name} has a row of its own, and the row without labels speaks of nothing"
        yield Finding("row-of-nothing", what, where, "remove that row")


def _known(read: Mapping[str, Typed], dim: str) -> list[str]:
    """Labels of a dimension, in the order of the table that introduces them."""
    table, column = _INTRODUCED[dim]
    if table == "years" and column not in read[table].frame.columns:
        return ["all"]
    return [] if table not in read else [str(x) for x in read[table].frame[column].drop_nulls().unique(maintain_order=True)]
