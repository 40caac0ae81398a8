"""The rows of a gravity regression: keys, regressors and fixed effects, what is wrong with them, and which rows can tell nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.readers import load_frame
from hinterland.errors import EstimationError, Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.hdfe import residualise, singletons
from hinterland.evaluate.poisson import separated, zero_groups
from hinterland.evaluate.regression import column_scale, gram_of, independent_columns

Flags = NDArray[np.bool_]

PAIR = "pair"
"""Stands for source^host."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of columns: the flow, its two ends, and what else tells rows apart."""

    value: str
    source: str
    host: str
    time: str | None
    industry: str | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return tuple(c for c in (self.source, self.host, self.industry, self.time) if c is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The roles of :attr:`keys`."""
        return tuple(r for r in ("source", "host", "industry", "time") if getattr(self, r) is not None)

    def parts(self, effect: str) -> tuple[str, ...]:
        """Columns of an effect: ``source^time`` in the caller's names; roles stand for their columns."""
        listed_parts = [p.strip() for p in effect.split("^")]
        words = [w for p in listed_parts for w in (("source", "host") if p == PAIR else (p,))]
        named = {"source": self.source, "host": self.host, "time": self.time, "industry": self.industry}
        return tuple(named.get(w) or w for w in words)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is regressed on what.

    Attributes:
        keys: n rows: the key columns;  y: [n];  columns: [n, p] regressors;  names: [p].
        factors: the fixed effects;  clusters: groupings of the rows.
        findings: what was left out, and why.
    """

    keys: pl.DataFrame
    y: Floats
    columns: Floats
    names: tuple[str, ...]
    factors: tuple[Factor, ...]
    clusters: tuple[Factor, ...]
    findings: tuple[Finding, ...]

    def take(self, keep: Flags, *said: Finding) -> Sample:
        """The rows ``keep`` [n], levels renumbered."""
        return replace(
            self,
            keys=self.keys.filter(keep),
            y=self.y[keep],
            columns=np.asfortranarray(self.columns[keep]),
            factors=tuple(_renumbered(f, keep) for f in self.factors),
            clusters=tuple(_renumbered(f, keep) for f in self.clusters),
            findings=(*self.findings, *said),
        )


def read_sample(source: Any, roles: Roles, terms: Sequence[str], effects: Sequence[str], cluster: Sequence[str]) -> Sample:
    """The sample of a table; everything wrong with it is reported at once.

    Raises:
        InputError: unknown columns, flows that are repeated, negative or nowhere positive, regressors that are infinite.
    """
    frame = load_frame(source)
    fail_if_any(_column_findings(frame, roles, terms, (*effects, *cluster)), "flows", InputError)
    products = {t: _product(t) for t in terms}
    frame = frame.with_columns(pl.col(roles.value).cast(pl.Float64, strict=False)).with_columns(**{f"·{t}": x for t, x in products.items()})
    within = frame.filter(pl.col(roles.source) == pl.col(roles.host)).height
    frame = frame.filter(pl.col(roles.source) != pl.col(roles.host))
    fail_if_any(_value_findings(frame, roles, terms), "flows", InputError)
    used = [roles.value, *(f"·{t}" for t in terms)]
    complete = frame.drop_nulls([*used, *{c for e in (*effects, *cluster) for c in roles.parts(e)}]).filter(
        pl.all_horizontal(pl.col(used).is_not_nan())
    )
    fail_if_any(_nothing_flows(complete, roles), "flows", InputError)
    return Sample(
        keys=complete.select(roles.keys),
        y=complete[roles.value].to_numpy().astype(np.float64),
        columns=np.asfortranarray(
            complete.select(f"·{t}" for t in terms).to_numpy().astype(np.float64).reshape(complete.height, len(terms))
        ),
        names=tuple(terms),
        factors=tuple(_factor(complete, e, roles.parts(e)) for e in effects),
        clusters=tuple(_factor(complete, c, roles.parts(c)) for c in cluster),
        findings=_read_findings(frame, complete, roles, within),
    )


def _product(term: str) -> pl.Expr:
    out = pl.lit(1.0)
    for part in term.split(":"):
        out = out * pl.col(part.strip()).cast(pl.Float64, strict=False)
    return out


def _column_findings(frame: pl.DataFrame, roles: Roles, terms: Sequence[str], effects: Sequence[str]) -> list[Finding]:
    wanted = {roles.value: "value", **dict.fromkeys(roles.keys, "a key")}
    wanted |= {part.strip(): f"term {t!r}" for t in terms for part in t.split(":")}
    wanted |= {part: f"effect {e!r}" for e in effects for part in roles.parts(e)}
    return [
        Finding("unknown-column", f"the flows have no column {name!r}", use, did_you_mean(name, frame.columns))
        for name, use in wanted.items()
        if name not in frame.columns
    ]


def _value_findings(frame: pl.DataFrame, roles: Roles, terms: Sequence[str]) -> list[Finding]:
    found = []
    twice = frame.filter(frame.select(roles.keys).is_duplicated())
    if twice.height:
        remedy = "add the rows up, or name the column that tells them apart (industry=, time=)"
        found.append(Finding("flow-repeated", f"{twice.height} rows share their keys", shown(twice, roles), remedy))
    negative = frame.filter(pl.col(roles.value) < 0)
    if negative.height:
        what = f"{negative.height} flow(s) are negative, as low as {float(negative[roles.value].to_numpy().min()):g}"
        found.append(Finding("flow-negative", what, shown(negative, roles), "give gross flows, not net ones or logarithms"))
    for term in terms:
        bad = frame.filter(pl.col(f"·{term}").is_infinite())
        if bad.height:
            remedy = "the logarithm of 0 is infinite: give a distance above 0, or leave these rows out"
            found.append(Finding("regressor-infinite", f"{term!r} is infinite in {bad.height} row(s)", shown(bad, roles), remedy))
    return found


def _nothing_flows(frame: pl.DataFrame, roles: Roles) -> list[Finding]:
    if frame.height and frame[roles.value].max() > 0:  # type: ignore[operator]  # numbers
        return []
    remedy = "look at the columns and their gaps: only rows between two regions that have every regressor count"
    return [Finding("no-flow", f"no flow is positive in {frame.height} complete row(s)", f"column {roles.value!r}", remedy)]


def _read_findings(frame: pl.DataFrame, complete: pl.DataFrame, roles: Roles, within: int) -> tuple[Finding, ...]:
    found = []
    if within:
        what = f"{within} row(s) stay within a region, and are no flows"
        found.append(Finding("within-region", what, f"column {roles.host!r}", "nothing, unless the level is too coarse", "warning"))
    lost = frame.height - complete.height
    if lost:
        what = f"{lost} row(s) lack the flow, a regressor or a label, and are left out"
        where = ", ".join(f"{c.removeprefix('·')} {n}" for c, n in frame.null_count().row(0, named=True).items() if n)
        found.append(Finding("gravity-gap", what, where or f"column {roles.value!r}", "fill them in", "warning"))
    possible = int(np.prod([complete[c].n_unique() for c in roles.keys[2:]])) * _pairs(complete, roles)
    if complete[roles.value].min() > 0 and complete.height < possible:  # type: ignore[operator]  # numbers
        what = f"no flow is zero, and {possible - complete.height} of {possible} possible rows are absent"
        remedy = "where absent means none, add them with with_zeros(): pairs without flows are information"
        found.append(Finding("zeros-absent", what, f"column {roles.value!r}", remedy, "warning"))
    return tuple(found)


def _pairs(frame: pl.DataFrame, roles: Roles) -> int:
    sources, hosts = set(frame[roles.source].unique()), set(frame[roles.host].unique())
    return len(sources) * len(hosts) - len(sources & hosts)


def shown(rows: pl.DataFrame, roles: Roles) -> str:
    """The first few rows in words: ``340000 → 510000, 26, 2010``."""
    keys = rows.select(roles.keys).head(_SHOWN + 1).rows()
    return said_rows(keys, rows.height)


def said_rows(keys: Sequence[tuple[object, ...]], height: int) -> str:
    """Keys in words, and how many more there are."""
    words = [", ".join([f"{k[0]} → {k[1]}", *(str(x) for x in k[2:])]) for k in keys[:_SHOWN]]
    return "; ".join(words) + (f" and {height - _SHOWN} more" if height > _SHOWN else "")


def _factor(frame: pl.DataFrame, name: str, parts: Sequence[str]) -> Factor:
    text = frame.select(pl.concat_str([pl.col(p).cast(pl.String) for p in parts], separator=", "))
    column = text.to_series()
    codes = (column.rank("dense").to_numpy() - 1).astype(np.int32)
    return Factor(name, codes, int(codes.max()) + 1, column.unique().sort().to_numpy().astype(np.str_))


def _renumbered(factor: Factor, keep: Flags) -> Factor:
    present, codes = np.unique(factor.codes[keep], return_inverse=True)
    labels = None if factor.labels is None else factor.labels[present]
    return Factor(factor.name, codes.astype(np.int32), len(present), labels)


def informative(sample: Sample, *, drop_singletons: bool) -> Sample:
    """The sample without rows that tell nothing: levels where nothing flows, rows alone in a level, zeros that regressors predict perfectly.

    One kind of row can make another, so the search goes on until nothing changes; each kind is a finding.

    Raises:
        EstimationError: nothing is left.
    """
    while True:
        before = len(sample.y)
        sample = _without_empty_levels(sample)
        if drop_singletons:
            sample = _without_singletons(sample)
        sample = _without_separated(sample)
        if len(sample.y) == before:
            return replace(sample, findings=_merged(sample.findings))


def _merged(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings without the exact repetitions that a second round makes."""
    return tuple(dict.fromkeys(findings))


def _without_empty_levels(sample: Sample) -> Sample:
    lost, _ = zero_groups(sample.y, sample.factors)
    if not lost.any():
        return sample
    found = []
    positive = sample.y > 0
    for f in sample.factors:
        empty = np.bincount(f.codes[positive], minlength=f.size) == 0
        if empty.any():
            names = f.labels[empty] if f.labels is not None else np.flatnonzero(empty)
            found.append(f"{f.name}: {listed(names.tolist())}")
    what = f"{int(lost.sum())} row(s) are in levels where nothing flows, and are left out: their effect would be minus infinity"
    remedy = "nothing: they say nothing of the other coefficients; aggregate where they are many"
    return sample.take(~lost, Finding("flow-empty-levels", what, "; ".join(found), remedy, "warning"))


def _without_singletons(sample: Sample) -> Sample:
    alone = singletons(sample.factors)
    if not alone.any():
        return sample
    if alone.all():
        remedy = "leave out fixed effects that identify single rows, such as pair and time together in one cross-section"
        names = ", ".join(f.name for f in sample.factors)
        raise EstimationError(Finding("only-singletons", "every row is alone in a level of a fixed effect", names, remedy), "flows")
    what = f"{int(alone.sum())} row(s) are alone in a level of a fixed effect, and are left out"
    remedy = "nothing: the effect fits them exactly"
    return sample.take(~alone, Finding("flow-singletons", what, _named_rows(sample, alone), remedy, "warning"))


def _without_separated(sample: Sample) -> Sample:
    lost = separated(sample.y, sample.columns, sample.factors)
    if not lost.any():
        return sample
    what = f"{int(lost.sum())} zero flow(s) are predicted perfectly by regressors and fixed effects together, and are left out"
    remedy = (
        "nothing: other coefficients are as they would be with them; a regressor that is not zero for these rows only is not identified"
    )
    return sample.take(~lost, Finding("flow-separated", what, _named_rows(sample, lost), remedy, "warning"))


def _named_rows(sample: Sample, rows: Flags) -> str:
    return said_rows(sample.keys.filter(rows).head(_SHOWN).rows(), int(rows.sum()))


def identified(sample: Sample) -> tuple[Sample, tuple[str, ...]]:
    """The sample with those regressors that the fixed effects leave, and the names of the others, each of them a finding.

    Raises:
        EstimationError: no regressor is left.
    """
    inside = residualise(sample.columns, sample.factors)
    kept = independent_columns(gram_of(inside, None), *column_scale(sample.columns, None))
    if kept.all():
        return sample, ()
    alone = np.diag(gram_of(inside, None)) <= 1e-12 * column_scale(sample.columns, None)[1]
    found = tuple(_lost_term(sample, int(j), bool(alone[j])) for j in np.flatnonzero(~kept))
    if not kept.any():
        raise EstimationError([replace(f, severity="error") for f in found], "gravity")
    names = tuple(n for n, k in zip(sample.names, kept, strict=True) if k)
    left = replace(sample, columns=np.asfortranarray(sample.columns[:, kept]), names=names, findings=(*sample.findings, *found))
    return left, tuple(n for n, k in zip(sample.names, kept, strict=True) if not k)


def _lost_term(sample: Sample, j: int, absorbed: bool) -> Finding:
    name, x = sample.names[j], sample.columns[:, j]
    holder = next((f.name for f in sample.factors if _constant_within(x, f)), None)
    if not absorbed:
        what = f"{name!r} is a combination of the terms before it and the fixed effects, and is left out"
        return Finding("term-collinear", what, f"term {name!r}", "leave out one of the terms that move together", "warning")
    if holder is None:
        what = f"{name!r} is a sum of what {', '.join(f.name for f in sample.factors)} absorb, and is left out"
        remedy = "a gap between the values of a source and a host is known once both have effects: leave one of the two out, or interact it"
        return Finding("term-absorbed", what, f"term {name!r}", f"{remedy} ('{name}:…')", "warning")
    what = f"{name!r} is constant within {holder}, which absorbs it, and is left out"
    remedy = f"put effects that vary less in the place of {holder} (host for host^time), or let the term vary over sources: '{name}:…'"
    return Finding("term-absorbed", what, f"term {name!r}", remedy, "warning")


def _constant_within(x: Floats, factor: Factor) -> bool:
    order = np.argsort(factor.codes, kind="stable")
    bounds = np.searchsorted(factor.codes[order], np.arange(factor.size + 1))
    sorted_x = x[order]
    low = np.array([sorted_x[a:b].min() for a, b in pairwise(bounds)])
    high = np.array([sorted_x[a:b].max() for a, b in pairwise(bounds)])
    return bool((high - low <= 1e-12 * max(1.0, float(np.abs(x).max()))).all())
