"""The chapter on subgroups: estimates by group, and what few treated units allow to be said."""

from __future__ import annotations

import math

import polars as pl

from hinterland.report import figures, prose, tables
from hinterland.report.blocks import Block, Chart, Prose
from hinterland.report.digits import ALPHA, MISSING, count, decimals_for, number, p_cell, p_value, signed
from hinterland.report.group_names import pair_id
from hinterland.report.heterogeneity import Values, difference_blocks, differences, few_intervals, interval, pair_name
from hinterland.report.heterogeneity_figure import groups_and_differences
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Name, Sentence, Speaker, Value, bracketed, say
from hinterland.report.table import Heading, Row, Table


def subgroups(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Estimates by group, tests of their differences, and the figure of both; permutation p-values wherever the record holds one."""
    fits = [f for f in record.chosen(outcome=outcome, roles=("subgroup",), sample=None) if f.overall is not None]
    if not fits:
        return ()
    order = {sample: k for k, sample in enumerate(dict.fromkeys(f.sample for f in fits))}
    fits.sort(key=lambda f: (order[f.sample], f.method == "twfe"))
    differ = difference_blocks(record, speaker, outcome, {(f.sample, f.method): stands_out(record, f) for f in fits})
    said = [say("subgroups.intro"), *(s for f in _leading(fits) for s in sentences(record, f))]
    untested = () if differ else (say("subgroups.difference"),)
    return (
        Prose((*said, *untested)),
        subgroup_table(record, speaker, outcome, fits),
        *differ,
        _chart(record, speaker, outcome, fits),
    )


def _chart(record: Record, speaker: Speaker, outcome: str, fits: list[Fit]) -> Chart:
    head = record.headline(outcome)
    rows = [_mark(record, speaker, f, f.overall) for f in fits if f.overall]
    rows += [_difference_mark(speaker, r) for d in differences(record, outcome) for m in d.methods for r in d.of(m)]
    kinds = dict.fromkeys(("conf_low", "conf_high"), pl.Float64)
    data = pl.DataFrame(rows, infer_schema_length=None, schema_overrides=kinds)
    reference = head.overall.estimate if head and head.overall else None
    unit = figures.unit_axis(speaker, record.scale(outcome, head.family if head else "gaussian"), outcome)
    title = speaker.ui("title.subgroups", outcome=Name("variable", outcome))
    shown = "differences" if (data["kind"] == "difference").any() else "subgroups"
    subtitle = speaker.ui(f"subtitle.{shown}") + tables.source_line(record, speaker)
    return Chart(
        "subgroups",
        title,
        subtitle,
        speaker.ui(f"alt.{shown}", n=data.height),
        groups_and_differences(data, unit=unit, reference=reference),
        data,
    )


def _mark(record: Record, speaker: Speaker, fit: Fit, overall: Estimate) -> dict[str, object]:
    # A clustered interval from a handful of treated units would look precise: one that allows for it is drawn, or none.
    n = fit.facts.get("n_treated")
    few = few_treated(fit)
    ends = few_intervals(record, fit) if few else (overall.conf_low, overall.conf_high)
    low, high = ends if ends is not None else (None, None)
    names = {"label": row_name(speaker, fit), "kind": "group", "sample": fit.sample, "method": fit.method, "few": few}
    return {**names, "estimate": overall.estimate, "conf_low": low, "conf_high": high, "n_treated": n}


def _difference_mark(speaker: Speaker, row: Values) -> dict[str, object]:
    low, high = interval(row)
    label = bracketed(pair_name(speaker, row), speaker.name(row["method"], "method_short"), speaker.language)
    names = {
        "label": label,
        "kind": "difference",
        "sample": pair_id(row["first"], row["second"]),
        "method": row["method"],
        "few": row["few"],
    }
    known = row["relied"] is not None
    return {
        **names,
        "estimate": row["difference"],
        "conf_low": low if known else None,
        "conf_high": high if known else None,
        "n_treated": None,
    }


def few_treated(fit: Fit) -> bool:
    """Whether so few units of the group are treated that its standard error is not relied on."""
    n = fit.facts.get("n_treated")
    return isinstance(n, int) and n < prose.FEW_TREATED


def stands_out(record: Record, fit: Fit) -> bool:
    """Whether the group's own effect differs from zero at 5 %: by permutation where few units are treated."""
    p = exact_p(record, fit) if few_treated(fit) else fit.overall.p_value if fit.overall else math.nan
    return p < ALPHA


def _leading(fits: list[Fit]) -> list[Fit]:
    method = next((f.method for f in fits if f.method != "twfe"), fits[0].method)
    return [f for f in fits if f.method == method]


def row_name(speaker: Speaker, fit: Fit) -> str:
    """Group and estimator in words."""
    return bracketed(sample_name(speaker, fit.sample), speaker.name(fit.method, "method_short"), speaker.language)


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
    few = few_treated(fit)
    if few and math.isfinite(exact):
        said.append(say("subgroups.few_exact" if exact < ALPHA else "subgroups.few_exact_null", n=count(n), p=p_value(exact)))
    elif few:
        said.append(say("subgroups.few", n=count(n)))
    elif not prose.significant(fit.overall):
        said.append(say("subgroups.null"))
    ends = few_intervals(record, fit) if few else None
    if ends is not None and all(map(math.isfinite, ends)):
        said.append(say("subgroups.few_interval", low=signed(ends[0]), high=signed(ends[1])))
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
            _interval(record, speaker, f, decimals),
            p_cell(f.overall.p_value),
            p_cell(exact) if math.isfinite(exact) else "–",
            count(f.facts.get("n_units")),
            count(f.facts.get("n_treated")),
        )
        rows.append(Row((sample_name(speaker, f.sample), speaker.name(f.method, "method_short"), *cells)))
    headings = (
        Heading(speaker.ui("col.group"), "left"),
        Heading(speaker.ui("col.method"), "left"),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "interval", "p_cluster", "p_exact", "units", "n_treated")),
    )
    return Table(
        "subgroups",
        speaker.ui("title.subgroup_table", outcome=Name("variable", outcome)),
        headings,
        tuple(rows),
        tables.source_line(record, speaker),
        (
            speaker.ui("note.subgroups"),
            *((speaker.ui("note.subgroups_few"),) if any(map(few_treated, fits)) else ()),
            *tables.model_notes(speaker, fits),
        ),
    )


def _interval(record: Record, speaker: Speaker, fit: Fit, decimals: int) -> str:
    """The interval to read: of Ferman and Pinto where few units are treated, or none."""
    if fit.overall is None:
        return MISSING
    if not few_treated(fit):
        return tables.interval(fit.overall, decimals)
    ends = few_intervals(record, fit)
    if ends is None:
        return MISSING
    low, high = (
        speaker.ui(f"row.open_{side}") if math.isinf(e) else number(e, decimals) for e, side in zip(ends, ("low", "high"), strict=True)
    )
    return f"[{low}, {high}]"
