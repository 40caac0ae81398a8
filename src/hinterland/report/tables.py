"""The paper's tables: one function per table, record in, :class:`Table` out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from hinterland.report import uncertainty
from hinterland.report.digits import count, decimals_for, number, p_cell, percent, places_for, share, signed
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Listed, Name, Speaker, method_notes
from hinterland.report.table import Heading, Row, Table


def cohort_table(record: Record, speaker: Speaker) -> Table:
    """Units and observations by first treated period."""
    sizes = record.tables["cohort_sizes"].sort("cohort", nulls_last=True)
    units = sizes["n_units"].sum()
    rows = [
        Row((str(g) if g is not None else speaker.ui("never_treated"), count(n), share(n / units), count(obs)))
        for g, n, obs in sizes.select("cohort", "n_units", "n_obs").iter_rows()
    ]
    total = Row((speaker.ui("total"), count(units), share(1.0), count(sizes["n_obs"].sum())), "fact")
    headings = (
        Heading(speaker.ui("col.cohort"), "left"),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("units", "share_units", "observations")),
    )
    return Table(
        "cohorts", speaker.ui("title.cohorts"), headings, (*rows, total), source_line(record, speaker), (speaker.ui("note.cohorts"),)
    )


def zone_table(record: Record, speaker: Speaker) -> Table:
    """Each zone: approval, first treated period under the study's rule, cities, authority."""
    rows = [
        Row(
            (
                str(z["zone_zh"] if speaker.language == "zh" else z["zone_en"]),
                str(z["approval"] or "–"),
                speaker.ui("outside_window") if z["first_period"] is None else str(z["first_period"]),
                count(z["n_cities"]),
                count(z["n_in_panel"]),
            )
        )
        for z in record.tables["policy_timeline"].sort("approval_year", "zone_id", nulls_last=True).iter_rows(named=True)
    ]
    headings = (
        Heading(speaker.ui("col.zone"), "left"),
        Heading(speaker.ui("col.approval"), "left"),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("first_period", "cities", "cities_in_panel")),
    )
    return Table("zones", speaker.ui("title.zones"), headings, tuple(rows), speaker.ui("subtitle.zones"), (speaker.ui("note.zones"),))


def descriptive_table(record: Record, speaker: Speaker) -> Table:
    """Moments of every variable, and means of the treated and the never treated."""
    frame = record.tables["descriptives"]
    by_sample = {(r["variable"], r["sample"]): r for r in frame.iter_rows(named=True)}
    samples = [s for s in ("treated", "never") if s in frame["sample"].unique()]
    rows = []
    for name in frame.filter(pl.col("sample") == "all")["variable"].unique(maintain_order=True):
        r = by_sample[name, "all"]
        places = decimals_for([r["sd"]], least=0, most=5, significant=3)
        moments = (count(r["n"]), *(number(r[c], places) for c in ("mean", "sd", "min", "median", "max")))
        groups = tuple(number(by_sample[name, s]["mean"], places) if (name, s) in by_sample else "–" for s in samples)
        rows.append(Row((speaker.name(name), *moments, *groups)))
    everyone = speaker.ui("spanner.all")
    headings = (
        Heading(speaker.ui("col.variable"), "left"),
        *(Heading(speaker.ui(f"col.{c}"), "right", everyone) for c in ("n", "mean", "sd", "min", "median", "max")),
        *(Heading(speaker.ui(f"col.mean_{s}"), "right", speaker.ui("spanner.means")) for s in samples),
    )
    return Table(
        "descriptives",
        speaker.ui("title.descriptives"),
        headings,
        tuple(rows),
        source_line(record, speaker),
        (speaker.ui("note.descriptives"),),
    )


Fact = tuple[str, Callable[[Fit], str]]


def model_table(
    record: Record, speaker: Speaker, fits: Sequence[Fit], *, key: str, title: str, by_outcome: bool = False, notes: Sequence[str] = ()
) -> Table:
    """A table of models: columns are models, standard errors in parentheses below, facts of the fit under the rule."""
    shown = [f for f in fits if f.overall is not None]
    errors = [f.overall.std_error for f in shown if f.overall]
    places = [places_for([e] if by_outcome else errors) for e in errors]
    headings = [Heading("", "left")]
    for k, f in enumerate(shown, 1):
        heading = speaker.name(f.outcome) if by_outcome else speaker.name(f.method, "method_short")
        headings.append(Heading(f"({k})", "center", heading))
    rows = [*_effect_rows(record, speaker, shown, places), *_fact_rows(speaker, shown, by_outcome)]
    in_percent = any(record.scale(f.outcome, f.family) != "level" for f in shown)
    below = (*notes, *model_notes(speaker, shown), *((speaker.ui("note.percent"),) if in_percent else ()))
    return Table(key, title, tuple(headings), tuple(rows), source_line(record, speaker), below)


def _effect_rows(record: Record, speaker: Speaker, fits: Sequence[Fit], places: Sequence[int]) -> list[Row]:
    estimates = [f.overall for f in fits if f.overall]
    told = list(zip(estimates, places, strict=True))
    rows = [
        Row((speaker.ui("row.effect"), *(number(e.estimate, d) for e, d in told))),
        Row(("", *(f"({number(e.std_error, d)})" for e, d in told)), "below"),
        Row((speaker.ui("row.interval"), *(interval(e, d) for e, d in told)), "below"),
        Row((speaker.ui("row.p_value"), *(p_cell(e.p_value) for e in estimates)), "below"),
    ]
    if any(record.scale(f.outcome, f.family) != "level" for f in fits):
        cells = [percent(e.estimate) if record.scale(f.outcome, f.family) != "level" else "–" for f, e in zip(fits, estimates, strict=True)]
        rows.append(Row((speaker.ui("row.percent"), *cells)))
    return rows


def interval(e: Estimate, decimals: int) -> str:
    """A confidence interval as text."""
    return f"[{number(e.conf_low, decimals)}, {number(e.conf_high, decimals)}]"


def _fact_rows(speaker: Speaker, fits: Sequence[Fit], by_outcome: bool) -> list[Row]:
    yes, no = speaker.ui("yes"), speaker.ui("no")
    facts: list[Fact] = [
        ("method", lambda f: speaker.name(f.method, "method_short") if by_outcome else ""),
        ("comparison", lambda f: speaker.name(str(f.facts["comparison"]), "comparison_short") if f.facts.get("comparison") else "–"),
        ("fixed_effects", lambda f: fixed_effects(speaker, f)),
        ("covariates", lambda f: yes if f.has_covariates else no),
        ("weights", lambda f: speaker.name(str(f.facts["weights"])) if f.facts.get("weights") else no),
        ("n_obs", lambda f: count(f.facts.get("n_obs"))),
        ("n_units", lambda f: count(f.facts.get("n_units"))),
        ("n_treated", lambda f: count(f.facts.get("n_treated"))),
        ("periods", lambda f: f"{f.facts.get('first_period')}–{f.facts.get('last_period')}"),
        ("n_clusters", lambda f: count(f.facts.get("n_clusters"))),
        ("r2_within", lambda f: number(f.facts.get("r2_within"))),
    ]
    rows = []
    for name, value in facts:
        cells = [value(f) for f in fits]
        if any(c not in ("", "–") for c in cells):
            rows.append(Row((speaker.ui(f"row.{name}"), *cells), "fact"))
    return rows


def fixed_effects(speaker: Speaker, fit: Fit) -> str:
    """The fixed effects of a fit in words; an en dash for estimators that difference instead."""
    text = str(fit.facts.get("fixed_effects") or "")
    parts = [p.strip() for p in text.replace("+", ",").split(",") if p.strip()]
    crossed = [
        " × ".join(speaker.value(Name("leave_by" if p in ("cohort", "stack") else "variable", p)) for p in q.split("^")) for q in parts
    ]
    return speaker.value(Listed(tuple(crossed))) if parts else "–"


def model_notes(speaker: Speaker, fits: Sequence[Fit]) -> tuple[str, ...]:
    """What stands below a table of models: estimand, errors, clusters, controls."""
    if not fits:
        return ()
    controls = dict.fromkeys(v for f in fits for v in covariates(f))
    said = [speaker.ui("note.errors", errors=uncertainty.of_all(speaker, fits))]
    said += method_notes(speaker, ((f.method, f.facts.get("estimand")) for f in fits))
    if controls:
        said.append(speaker.ui("note.covariates", covariates=Listed(tuple(Name("variable", c) for c in controls))))
    return tuple(said)


def covariates(fit: Fit) -> list[str]:
    """The terms of a fit's covariate formula."""
    text = str(fit.facts.get("covariates") or "").replace("~", "").replace("+", ",")
    return [v.strip() for v in text.split(",") if v.strip() not in ("", "1")]


def event_table(record: Record, speaker: Speaker, fit: Fit, key: str) -> Table:
    """The event study as numbers: estimate, error, pointwise and simultaneous interval, treated units."""
    events = fit.events if fit.events is not None else pl.DataFrame()
    decimals = decimals_for(events["std_error"])
    rows = []
    for r in events.iter_rows(named=True):
        if r["reference"]:
            rows.append(Row((signed(r["event_time"], 0), speaker.ui("reference"), "–", "–", "–", count(r["n_treated"]))))
            continue
        pairs = [
            f"[{number(r[a], decimals)}, {number(r[b], decimals)}]" if r[a] is not None else "–"
            for a, b in (("conf_low", "conf_high"), ("band_low", "band_high"))
        ]
        rows.append(
            Row(
                (
                    signed(r["event_time"], 0),
                    number(r["estimate"], decimals),
                    f"({number(r['std_error'], decimals)})",
                    *pairs,
                    count(r["n_treated"]),
                )
            )
        )
    headings = (
        Heading(speaker.ui("col.event_time")),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "pointwise", "simultaneous", "n_treated")),
    )
    title = speaker.ui("title.event_table", outcome=Name("variable", fit.outcome), method=Name("method", fit.method))
    return Table(key, title, headings, tuple(rows), source_line(record, speaker), model_notes(speaker, [fit]))


def bacon_table(record: Record, speaker: Speaker, outcome: str) -> Table:
    """Weights and average estimates by type of 2×2 comparison."""
    frame = record.tables["bacon_summary"].filter(pl.col("outcome") == outcome)
    rows = [
        Row((speaker.name(kind, "bacon_type"), share(weight), number(average)))
        for kind, weight, average in frame.select("type", "weight", "average").iter_rows()
    ]
    total = float((frame["weight"] * frame["average"].fill_null(0.0)).sum())
    rows.append(Row((speaker.ui("total"), share(frame["weight"].sum()), number(total)), "fact"))
    headings = (Heading(speaker.ui("col.comparison_type"), "left"), Heading(speaker.ui("col.weight")), Heading(speaker.ui("col.average")))
    return Table(
        "bacon",
        speaker.ui("title.bacon", outcome=Name("variable", outcome)),
        headings,
        tuple(rows),
        source_line(record, speaker),
        (speaker.ui("note.bacon"),),
    )


def placebo_time_table(record: Record, speaker: Speaker, outcome: str) -> Table:
    """Adoption moved earlier, on untreated periods only."""
    frame = record.tables["placebo"].filter((pl.col("outcome") == outcome) & (pl.col("kind") == "time")).sort("method", "shift")
    decimals = decimals_for(frame["std_error"])
    rows = [
        Row(
            (
                speaker.ui("row.shift", n=count(r["shift"])),
                speaker.name(r["method"], "method_short"),
                number(r["estimate"], decimals),
                f"({number(r['std_error'], decimals)})",
                p_cell(r["p_value"]),
            )
        )
        for r in frame.iter_rows(named=True)
    ]
    headings = (
        Heading(speaker.ui("col.shift"), "left"),
        Heading(speaker.ui("col.method"), "left"),
        *(Heading(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "p")),
    )
    return Table(
        "placebo-time",
        speaker.ui("title.placebo_time", outcome=Name("variable", outcome)),
        headings,
        tuple(rows),
        source_line(record, speaker),
        (speaker.ui("note.placebo_time"),),
    )


def source_line(record: Record, speaker: Speaker) -> str:
    """Source, vintage and sample of the data, as a subtitle."""
    facts = record.run.get("facts", {})
    source = str(record.study("panel", "source", "")) or "–"
    words = (
        speaker.ui("source_world", name=source.removeprefix("world:"))
        if source.startswith("world:")
        else speaker.ui("source_file", name=source.rsplit("/", 1)[-1])
    )
    return words + speaker.ui(
        "sample_line", n=count(facts.get("n_units")), first=str(facts.get("first", "–")), last=str(facts.get("last", "–"))
    )
