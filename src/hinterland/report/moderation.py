"""The chapter on moderation: the slope by version, the effect along the moderator, who is behind it, and what lowering the moderator would be worth.

The wording rules: a direction is told only where the interval of the linear slope excludes zero and the wild bootstrap's p-value is below
:data:`~.digits.ALPHA`; an effect beyond the range that treated and comparison units share is called the model's extrapolation; a group with few treated
clusters is judged by the permutation of its label alone; and the chapter always ends with what a slope does not identify.
"""

from __future__ import annotations

import math

import polars as pl

from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import ALPHA, MISSING, compact, count, decimals_for, number, p_cell, p_value, signed
from hinterland.report.moderation_figure import moderation_figure
from hinterland.report.moderation_rows import Facts, Found, fixed_words, moderator_name
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, bracketed, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

FEW = 15
"""Equally informative clusters below which the text leads with the bootstrap."""
THIN = 3
SIMULATED = ("segmentation", "segmentation_pre")
"""The moderator of the simulated world, of which the truth is known."""
WORTH = ("p10", "min")
"""Values of the moderator whose effect is set against the mean's."""


def moderation(record: Record, speaker: Speaker, _: str) -> tuple[Block, ...]:
    """Words, tables and figure for every moderator and outcome of the record."""
    blocks: list[Block] = []
    every = findings(record)
    for found in every:
        if len(every) > 1:
            blocks.append(Heading(speaker.ui("title.moderation", **found.names)))
        blocks += [
            Prose((*introduction(found), *slopes(found))),
            slope_table(found, speaker),
            Prose(worth(found)),
            _chart(found, speaker),
            effect_table(found, speaker),
            Prose(support(found)),
            bin_table(found, speaker),
            *_grouped(found, speaker),
            *_truth(found),
        ]
    return (*blocks, Prose((say("moderation.not_causal"),))) if blocks else ()


def findings(record: Record) -> tuple[Found, ...]:
    """Every outcome and moderator with a linear slope."""
    if not record.has("moderation", "moderation_effects"):
        return ()
    pairs = dict.fromkeys(record.tables["moderation"].select("outcome", "moderator").iter_rows())
    made = (Found.of(record, outcome, moderator) for outcome, moderator in pairs)
    return tuple(found for found in made if found.lead is not None)


def chapter_title(record: Record, speaker: Speaker) -> str:
    """The moderator's name where there is one only."""
    names = record.tables["moderation"]["moderator"].unique().to_list() if record.has("moderation") else []
    if len(names) != 1:
        return speaker.ui("chapter.moderation")
    words = speaker.value(moderator_name(record, names[0]))
    return words[:1].upper() + words[1:]


def introduction(found: Found) -> tuple[Sentence, ...]:
    """The question, how the moderator is fixed, where the numbers are."""
    refs: dict[str, Value] = {"table": Ref("table", f"moderation-{found.key}"), "figure": Ref("figure", f"moderation-{found.key}")}
    return (say("moderation.intro", fixed=fixed_words(found.lead or {}), **found.names, **refs),)


def clear(row: Facts) -> bool:
    """Whether a direction may be told: the interval excludes zero, and the bootstrap, where there is one, agrees."""
    wild = row.get("p_wild")
    return _excludes(row) and (wild is None or wild < ALPHA)


def _excludes(row: Facts) -> bool:
    low, high = row.get("conf_low"), row.get("conf_high")
    return low is not None and high is not None and (low > 0 or high < 0)


def slopes(found: Found) -> tuple[Sentence, ...]:
    """The linear slope with its inference, what it says, and the other versions."""
    lead = found.lead or {}
    size = found.scale
    numbers: dict[str, Value] = {"estimate": signed(lead["estimate"] * size), "std_error": number(_times(lead["std_error"], size))}
    wild = lead.get("p_wild")
    if wild is None:
        said = [say("moderation.slope_bare", **numbers, p=p_value(lead["p_value"]), **found.names)]
    else:
        ends: dict[str, Value] = {k: number(_times(lead[k], size)) for k in ("wild_low", "wild_high")}
        said = [say("moderation.slope", **numbers, **ends, p=p_value(lead["p_value"]), p_wild=p_value(wild), **found.names)]
    if clear(lead):
        said.append(say(f"moderation.{'weaker' if lead['estimate'] < 0 else 'stronger'}", **found.names))
    elif _excludes(lead):
        said.append(say("moderation.doubtful", clusters=count(lead["n_treated_clusters"])))
    else:
        said.append(say("moderation.none", low=number(_times(lead["conf_low"], size)), high=number(_times(lead["conf_high"], size))))
    return (*said, *_others(found), *_clusters(found))


def _times(value: object, size: float) -> float | None:
    return value * size if isinstance(value, int | float) else None


def _others(found: Found) -> list[Sentence]:
    rows = [r for version in ("imputation", "strata") for r in found.slopes.filter(pl.col("version") == version).iter_rows(named=True)]
    if not rows:
        return []
    told = tuple(
        say(
            "moderation.version",
            version=Sentence(f"moderation_told.{r['version']}", {"method": Name("method_short", r["method"])}),
            estimate=signed(r["estimate"] * found.scale),
            low=number(_times(r["conf_low"], found.scale)),
            high=number(_times(r["conf_high"], found.scale)),
        )
        for r in rows
    )
    signs = {math.copysign(1, r["estimate"]) for r in (*rows, found.lead or {})}
    return [say("moderation.others", versions=Listed(told)), say("moderation.agree" if len(signs) == 1 else "moderation.disagree")]


def version_name(row: Facts) -> Sentence:
    """A version in words."""
    return Sentence(f"moderation_version.{row['version']}", {"method": Name("method_short", row["method"])})


def _clusters(found: Found) -> list[Sentence]:
    lead = found.lead or {}
    if not lead.get("level"):
        return []
    values: dict[str, Value] = {"n": count(lead["n_clusters"]), "treated": count(lead["n_treated_clusters"])}
    worth_ = lead.get("effective_clusters")
    said = say("moderation.clusters", level=Name("variable", lead["level"]), effective=number(worth_, 1), **found.names, **values)
    return [said, say("moderation.few")] if isinstance(worth_, float) and worth_ < FEW else [said]


def slope_table(found: Found, speaker: Speaker) -> Table:
    """One row per version and group: slope per standard deviation, with every p-value."""
    size = found.scale
    decimals = decimals_for([_times(r, size) for r in found.slopes["std_error"]])
    rows = [Row((_row_name(found, speaker, r), *_slope_cells(r, size, decimals))) for r in found.slopes.iter_rows(named=True)]
    headings = (
        Column(speaker.ui("col.moderation_version"), "left"),
        Column(speaker.ui("col.moderation_slope")),
        *(Column(speaker.ui(f"col.{c}")) for c in ("std_error", "interval", "p_cluster", "p_wild", "p_label")),
    )
    title, subtitle = speaker.ui("title.moderation", **found.names), speaker.ui("subtitle.moderation")
    note = speaker.ui("note.moderation", **_facts(found))
    return Table(f"moderation-{found.key}", title, headings, tuple(rows), subtitle + tables.source_line(found.record, speaker), (note,))


def _row_name(found: Found, speaker: Speaker, row: Facts) -> str:
    name = speaker.sentence(version_name(row))
    if row["group"] == "all":
        return name
    where = speaker.labelled(f"moderation_group.{row['group']}", group=found.group)
    return f"{name}{'，' if speaker.language == 'zh' else ', '}{where}"


def _slope_cells(row: Facts, size: float, decimals: int) -> tuple[str, ...]:
    low, high = _times(row["conf_low"], size), _times(row["conf_high"], size)
    error = _times(row["std_error"], size)
    return (
        number(row["estimate"] * size, decimals),
        MISSING if error is None else f"({number(error, decimals)})",
        MISSING if low is None else f"[{number(low, decimals)}, {number(high, decimals)}]",
        p_cell(row["p_value"]),
        p_cell(row["p_wild"]),
        p_cell(row["p_exact"]),
    )


def _facts(found: Found) -> dict[str, Value]:
    lead = found.lead or {}
    counts: dict[str, Value] = {k: count(lead[k]) for k in ("n_units", "n_treated", "n_obs", "n_clusters", "n_treated_clusters")}
    return {
        **counts,
        "scale": compact(lead["scale"]),
        "centre": compact(lead["centre"]),
        "fixed": fixed_words(lead),
        "cluster": Name("variable", lead["cluster"]),
        "effective": number(lead["effective_clusters"], 1),
    }


def worth(found: Found) -> tuple[Sentence, ...]:
    """What going from the mean to a low value of the moderator would be worth, and whether anybody is there."""
    base, said = found.at("mean"), []
    for kind in WORTH:
        point, difference = found.at(kind), found.at(f"{kind}-mean")
        if base is None or point is None or difference is None:
            continue
        ends: dict[str, Value] = {"low": number(difference["conf_low"]), "high": number(difference["conf_high"])}
        said.append(
            say(
                "moderation.remove",
                point=Name("moderation_kind", kind),
                reference=Name("moderation_kind", "mean"),
                effect=signed(point["estimate"]),
                base=signed(base["estimate"]),
                difference=signed(difference["estimate"]),
                **ends,
                **found.names,
            )
        )
        said.append(say("moderation.inside" if point["inside"] else "moderation.outside"))
    return tuple(said)


def _chart(found: Found, speaker: Speaker) -> Chart:
    record, outcome = found.record, found.outcome
    family = "poisson" if (found.lead or {})["method"] == "ppml" else "gaussian"
    unit = figures.unit_axis(speaker, record.scale(outcome, family), outcome)
    line = found.effects.filter((pl.col("version") == "linear") & (pl.col("group") == "all") & (pl.col("kind") == "grid"))
    lead = found.lead or {}
    method = (
        speaker.name(str(found.slopes.filter(pl.col("version") == "strata")["method"].to_list()[0]), "method_short")
        if found.row("strata")
        else ""
    )
    figure = moderation_figure(
        line,
        found.bins,
        found.histogram,
        (lead["support_low"], lead["support_high"]),
        speaker,
        names=(unit, speaker.value(found.names["moderator"]), method),
    )
    subtitle = speaker.ui("subtitle.moderation_figure") + tables.source_line(record, speaker)
    title = speaker.ui("title.moderation_figure", **found.names)
    return Chart(f"moderation-{found.key}", title, subtitle, speaker.ui("alt.moderation"), figure, line)


def effect_table(found: Found, speaker: Speaker) -> Table:
    """Effects at named values of the moderator, linear and imputed, and differences between them."""
    kinds = [k for k in found.effects["kind"].unique(maintain_order=True) if k != "grid"]
    versions = [v for v in ("linear", "imputation") if found.at("mean", v) is not None]
    decimals = decimals_for([(found.at("mean", v) or {})["std_error"] for v in versions])
    rows = []
    for kind in kinds:
        lead = found.at(kind) or {}
        cells = [c for v in versions for c in _effect_cells(found.at(kind, v) or {}, decimals)]
        held = speaker.ui("yes" if lead["inside"] else "no")
        rows.append(Row((speaker.name(kind, "moderation_kind"), compact(lead["value"], 3), *cells, held)))
    spanners = {"linear": speaker.ui("col.moderation_line_effect"), "imputation": speaker.ui("col.moderation_imputed")}
    headings = (
        Column(speaker.ui("col.moderation_at"), "left"),
        Column(speaker.ui("col.moderation_value")),
        *(Column(speaker.ui(f"col.{c}"), "right", spanners[v]) for v in versions for c in ("estimate", "interval")),
        Column(speaker.ui("col.moderation_supported"), "center"),
    )
    title = speaker.ui("title.moderation_effects", **found.names)
    notes = (speaker.ui("note.moderation_effects"),)
    return Table(f"moderation-effects-{found.key}", title, headings, tuple(rows), tables.source_line(found.record, speaker), notes)


def _effect_cells(row: Facts, decimals: int) -> tuple[str, str]:
    if not row:
        return MISSING, MISSING
    interval = MISSING if row["conf_low"] is None else f"[{number(row['conf_low'], decimals)}, {number(row['conf_high'], decimals)}]"
    return number(row["estimate"], decimals), interval


def support(found: Found) -> tuple[Sentence, ...]:
    """Whether the effects are on a line, and at which values there is anybody to learn from."""
    lead = found.lead or {}
    wild, usual = lead.get("linearity_p_wild"), lead.get("linearity_p")
    p = usual if wild is None else wild
    said = (
        [say("moderation.untested")] if p is None else [say("moderation.linear" if p >= ALPHA else "moderation.not_linear", p=p_value(p))]
    )
    said.append(say("moderation.support", low=compact(lead["support_low"], 3), high=compact(lead["support_high"], 3)))
    if lead.get("l_kurtosis") is not None:
        said.append(say("moderation.kurtosis", value=number(lead["l_kurtosis"], 2)))
    binned = found.bins.filter(pl.col("version") == "binning")
    thin = binned.filter((pl.col("n_treated") < THIN) | (pl.col("n_comparison") < THIN))["bin"].to_list()
    return (*said, *([say("moderation.thin", bins=Listed(tuple(map(str, thin))))] if thin else []))


def bin_table(found: Found, speaker: Speaker) -> Table:
    """Effects by bin: of the binning estimator at the median, and within the stratum."""
    decimals = decimals_for(found.bins["std_error"].to_list())
    binned = found.bins.filter(pl.col("version") == "binning")
    strata = found.bins.filter(pl.col("version") == "strata")
    methods = strata["method"].unique(maintain_order=True).to_list()
    rows = []
    for row in (binned if binned.height else strata.unique("bin", maintain_order=True)).iter_rows(named=True):
        cells = [*_effect_cells(row if binned.height else {}, decimals)]
        for method in methods:
            own = strata.filter((pl.col("bin") == row["bin"]) & (pl.col("method") == method))
            cells += _effect_cells(own.row(0, named=True) if own.height else {}, decimals)
        span = f"{compact(row['low'], 3)} – {compact(row['high'], 3)}"
        rows.append(Row((f"{row['bin']}: {span}", f"{count(row['n_treated'])} / {count(row['n_comparison'])}", *cells)))
    spanners = [
        speaker.ui("col.moderation_binned"),
        *(bracketed(speaker.ui("col.moderation_stratum"), speaker.name(m, "method_short"), speaker.language) for m in methods),
    ]
    headings = (
        Column(speaker.ui("col.moderation_bin"), "left"),
        Column(speaker.ui("col.treated_comparison")),
        *(Column(speaker.ui(f"col.{c}"), "right", s) for s in spanners for c in ("estimate", "interval")),
    )
    title = speaker.ui("title.moderation_bins", **found.names)
    notes = (speaker.ui("note.moderation_bins"),)
    return Table(f"moderation-bins-{found.key}", title, headings, tuple(rows), tables.source_line(found.record, speaker), notes)


def _grouped(found: Found, speaker: Speaker) -> tuple[Block, ...]:
    """The slope in the group against elsewhere, by the permutation of its label where few treated clusters are in it."""
    inside, elsewhere, difference = (found.row("linear", g) for g in ("inside", "elsewhere", "difference"))
    if inside is None or elsewhere is None or difference is None:
        return ()
    size = found.scale
    told: dict[str, Value] = {
        k: signed(r["estimate"] * size) for k, r in (("inside", inside), ("elsewhere", elsewhere), ("difference", difference))
    }
    said = [say("moderation.group", group=found.group, **told)]
    p = difference["p_exact"]
    if p is None and difference["std_error"] is None:
        said.append(say("moderation.group_unknown"))
    if difference["std_error"] is not None:
        error, wild = number(difference["std_error"] * size), p_value(difference["p_wild"])
        said.append(say("moderation.group_cluster", std_error=error, p=p_value(difference["p_value"]), p_wild=wild))
    if p is not None:
        kind = say("moderation.group_all" if difference["enumerated"] else "moderation.group_some")
        said.append(say("moderation.group_exact", labels=count(difference["labels"]), kind=kind, p=p_value(p)))
        said.append(say("moderation.group_found" if p < ALPHA else "moderation.group_null"))
    return Heading(speaker.ui("heading.moderation_group", group=found.group)), Prose(tuple(said))


def _truth(found: Found) -> tuple[Block, ...]:
    """In a simulated world: the slope that is true of the treated unit-periods, beside the version that has the same estimand."""
    imputed, record = found.row("imputation"), found.record
    aimed = (found.lead or {}).get("column") in SIMULATED
    if not record.has("truth") or not aimed or imputed is None or imputed["conf_low"] is None:
        return ()
    true = record.tables["truth"].filter(pl.col("parameter") == f"moderation/{found.outcome}/fitted-slope")["value"].to_list()
    if not true:
        return ()
    held = imputed["conf_low"] <= true[0] <= imputed["conf_high"]
    verdict = say(f"moderation.truth_{'held' if held else 'missed'}")
    return (Prose((say("moderation.truth", truth=signed(true[0] * found.scale), verdict=verdict),)),)
