"""The chapter on subgroups: estimates by group, and what few treated units allow to be said."""

from __future__ import annotations

import math

import polars as pl

from hinterland.report import figures, prose, tables
from hinterland.report.blocks import Block, Chart, Prose
from hinterland.report.digits import ALPHA, count, decimals_for, number, p_cell, p_value, signed
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Name, Sentence, Speaker, Value, say
from hinterland.report.table import Heading, Row, Table


def subgroups(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Estimates by group, with the permutation p-value wherever the record holds one."""
    fits = [f for f in record.chosen(outcome=outcome, roles=("subgroup",), sample=None) if f.overall is not None]
    if not fits:
        return ()
    order = {sample: k for k, sample in enumerate(dict.fromkeys(f.sample for f in fits))}
    fits.sort(key=lambda f: (order[f.sample], f.method == "twfe"))
    head = record.headline(outcome)
    unit = figures.unit_axis(speaker, record.scale(outcome), outcome)
    data = pl.DataFrame([_mark(speaker, f, f.overall) for f in fits if f.overall], infer_schema_length=None)
    reference = head.overall.estimate if head and head.overall else None
    title = speaker.ui("title.subgroups", outcome=Name("variable", outcome))
    chart = Chart(
        "subgroups",
        title,
        speaker.ui("subtitle.subgroups"),
        speaker.ui("alt.subgroups", n=data.height),
        figures.forest(data, unit=unit, reference=reference),
        data,
    )
    return (
        Prose((say("subgroups.intro"), *(s for f in _leading(fits) for s in sentences(record, f)), say("subgroups.difference"))),
        subgroup_table(record, speaker, outcome, fits),
        chart,
    )


def _mark(speaker: Speaker, fit: Fit, overall: Estimate) -> dict[str, object]:
    # A clustered interval from a handful of treated units would look precise: it is not drawn.
    n = fit.facts.get("n_treated")
    few = isinstance(n, int) and n < prose.FEW_TREATED
    ends = {"conf_low": None if few else overall.conf_low, "conf_high": None if few else overall.conf_high}
    names = {"label": row_name(speaker, fit), "sample": fit.sample, "method": fit.method}
    return {**names, "estimate": overall.estimate, **ends, "n_treated": n}


def _leading(fits: list[Fit]) -> list[Fit]:
    method = next((f.method for f in fits if f.method != "twfe"), fits[0].method)
    return [f for f in fits if f.method == method]


def row_name(speaker: Speaker, fit: Fit) -> str:
    """Group and estimator in words."""
    return f"{sample_name(speaker, fit.sample)} ({speaker.name(fit.method, 'method_short')})"


def sample_name(speaker: Speaker, sample: str) -> str:
    """The name of a subgroup."""
    return speaker.name(sample, "region")


def exact_p(record: Record, fit: Fit) -> float:
    """The permutation p-value of a group's estimate, NaN where none was computed."""
    if not record.has("placebo") or "sample" not in record.tables["placebo"].columns:
        return math.nan
    rows = record.tables["placebo"].filter(
        (pl.col("sample") == fit.sample) & (pl.col("outcome") == fit.outcome) & (pl.col("kind") == "space")
    )
    same = rows.filter(pl.col("method") == fit.method)
    values = same["p_exact"].drop_nulls()
    return float(values[0]) if len(values) else math.nan


def sentences(record: Record, fit: Fit) -> tuple[Sentence, ...]:
    """What one group's estimate says; with few treated units, only the permutation p-value is relied on."""
    if fit.overall is None:
        return ()
    n = fit.facts.get("n_treated")
    values: dict[str, Value] = {
        "group": Name("region", fit.sample),
        "method": Name("method", fit.method),
        "estimate": signed(fit.overall.estimate),
        "std_error": number(fit.overall.std_error),
        "p": p_value(fit.overall.p_value),
        "n": count(n),
    }
    said = [Sentence("subgroups.estimate", values)]
    exact = exact_p(record, fit)
    few = isinstance(n, int) and n < prose.FEW_TREATED
    if few and math.isfinite(exact):
        said.append(say("subgroups.few_exact" if exact < ALPHA else "subgroups.few_exact_null", n=count(n), p=p_value(exact)))
    elif few:
        said.append(say("subgroups.few", n=count(n)))
    elif not prose.significant(fit.overall):
        said.append(say("subgroups.null"))
    if prose.trends_rejected(fit.pretrend) and fit.pretrend is not None:
        said.append(say("subgroups.trends", p=p_value(fit.pretrend.p_value)))
    return tuple(said)


def subgroup_table(record: Record, speaker: Speaker, outcome: str, fits: list[Fit]) -> Table:
    """One row per group and estimator, with both p-values and the number of treated units."""
    decimals = decimals_for([f.overall.std_error for f in fits if f.overall])
    rows = []
    for f in fits:
        if f.overall is None:
            continue
        exact = exact_p(record, f)
        cells = (
            number(f.overall.estimate, decimals),
            f"({number(f.overall.std_error, decimals)})",
            p_cell(f.overall.p_value),
            p_cell(exact) if math.isfinite(exact) else "–",
            count(f.facts.get("n_units")),
            count(f.facts.get("n_treated")),
        )
        rows.append(Row((sample_name(speaker, f.sample), speaker.name(f.method, "method_short"), *cells)))
    headings = (
        Heading(speaker.ui("col.group"), "left"),
        Heading(speaker.ui("col.method"), "left"),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "p_cluster", "p_exact", "units", "n_treated")),
    )
    return Table(
        "subgroups",
        speaker.ui("title.subgroup_table", outcome=Name("variable", outcome)),
        headings,
        tuple(rows),
        tables.source_line(record, speaker),
        (speaker.ui("note.subgroups"), *tables.model_notes(speaker, fits)),
    )
