"""Matching before the comparison: who is matched, how alike the groups are before and after, and what the headline gives on them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from hinterland.report import tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import count, decimals_for, number, signed
from hinterland.report.matching_figures import BALANCED, love, overlap
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

_BEFORE = ("unit", "cohort")
"""What is matched on covariates from before adoption."""
_SCORE = "propensity_score"
_EXACT = 5e-4
"""Largest standardised difference that is told as none."""
_PANELS = 4
"""Panels of the overlap figure at most, the one before matching included."""

Way = dict[str, object]


def matching(record: Record, speaker: Speaker, head: Fit) -> tuple[Block, ...]:
    """Words, who is matched, balance by what is matched, and both figures; nothing where the record has no table ``matching``."""
    if not record.has("matching", "matching_balance"):
        return ()
    ways = list(record.tables["matching"].iter_rows(named=True))
    kinds = list(dict.fromkeys(str(w["by"]) for w in ways))
    charts = [_love(record, speaker, ways, kinds), *_overlap(record, speaker, ways)]
    return (
        Heading(speaker.ui("heading.matching")),
        Prose(_intro(ways, kinds, charts)),
        Prose(_told(record, ways, head)),
        _counts_table(record, speaker, ways),
        *(_balance_table(record, speaker, ways, kind, key) for kind, key in _keyed(kinds)),
        *charts,
    )


def _keyed(kinds: Sequence[str]) -> list[tuple[str, str]]:
    return [(kind, "balance" if k == 0 else f"balance-{kind}") for k, kind in enumerate(kinds)]


def way_name(way: Way, section: str = "matching_said") -> Name:
    """One way of matching in words: in full, or short as in a table (``matching``)."""
    return Name(section, str(way["row"]).removeprefix("matching-"))


def _number(way: Way, key: str) -> float:
    value = way[key]
    return float(value) if isinstance(value, int | float) else float("nan")


def _named(ways: Sequence[Way]) -> Listed:
    return Listed(tuple(way_name(w) for w in ways))


def _intro(ways: Sequence[Way], kinds: Sequence[str], charts: Sequence[Chart]) -> tuple[Sentence, ...]:
    covariates = Listed(tuple(Name("variable", c) for c in str(ways[0]["covariates"]).split(" + ")))
    refs: dict[str, Value] = {"table": Ref("table", "matching"), "balance": Ref("table", "balance")}
    said = [say("matching.intro", covariates=covariates, **refs)]
    when = next((str(w["when"]) for w in ways if w["when"]), "")
    if when:
        said.append(say("matching.when", when=Name("match_when", when)))
    if any(kind not in _BEFORE for kind in kinds):
        said.append(say("matching.unsound"))
    figures: dict[str, Value] = {c.key: Ref("figure", c.key) for c in charts}
    said.append(say("matching.figures" if len(charts) > 1 else "matching.figure", **figures))
    return tuple(said)


def _told(record: Record, ways: Sequence[Way], head: Fit) -> tuple[Sentence, ...]:
    """What the counts, the balance and the estimates say."""
    said = []
    exact = [w for w in ways if _number(w, "largest_after") < _EXACT]
    if exact:
        said.append(say("matching.exact", methods=_named(exact)))
    others = [w for w in ways if w not in exact and w["by"] in _BEFORE] or [w for w in ways if w not in exact]
    if others:
        best = min(others, key=lambda w: _number(w, "largest_after"))
        values: dict[str, Value] = {"after": number(_number(best, "largest_after")), "before": number(_number(best, "largest_before"))}
        said.append(say("matching.best_other" if exact else "matching.best", method=way_name(best), **values))
    good = [w for w in ways if _EXACT <= _number(w, "largest_after") <= BALANCED]
    bad = [w for w in ways if _number(w, "largest_after") > BALANCED]
    if good:
        said.append(say("matching.balanced", methods=_named(good)))
    if bad:
        said.append(say("matching.unbalanced", methods=_named(bad), names=Listed(_unbalanced(record, bad))))
    lost = [w for w in ways if _number(w, "n_treated_matched") < _number(w, "n_treated")]
    if lost:
        said.append(say("matching.left", parts=Listed(tuple(_lost(w) for w in lost))))
    rows = {str(w["row"]) for w in ways}
    found = [f.overall.estimate for f in _fits(record, head) if f.overall is not None and f.label in rows]
    if found and head.overall is not None:
        reach: dict[str, Value] = {"low": signed(min(found)), "high": signed(max(found)), "estimate": signed(head.overall.estimate)}
        said.append(say("matching.estimates", table=Ref("table", "robustness"), **reach))
    return (*said, say("matching.given"))


def _fits(record: Record, head: Fit) -> tuple[Fit, ...]:
    found = record.chosen(outcome=head.outcome, roles=("robustness",), sample=None)
    return tuple(f for f in found if f.method == head.method and f.label.startswith("matching-"))


def _lost(way: Way) -> Sentence:
    lost = _number(way, "n_treated") - _number(way, "n_treated_matched")
    return say("matching.left_part", lost=count(int(lost)), n=count(way["n_treated"]), method=way_name(way))


def _unbalanced(record: Record, ways: Sequence[Way]) -> tuple[Name, ...]:
    frame = record.tables["matching_balance"].filter(pl.col("row").is_in([w["row"] for w in ways]) & (pl.col("variable") != _SCORE))
    over = frame.filter(pl.col("smd_after").abs() > BALANCED)["variable"].unique(maintain_order=True)
    return tuple(Name("variable", v) for v in over)


def _counts_table(record: Record, speaker: Speaker, ways: Sequence[Way]) -> Table:
    rows = []
    for w in ways:
        matched = tuple(f"{count(w[f'n_{side}_matched'])}/{count(w[f'n_{side}'])}" for side in ("treated", "comparison"))
        shares = (number(_number(w, "effective"), 1), number(_number(w, "largest_before")), number(_number(w, "largest_after")))
        rows.append(Row((speaker.value(way_name(w, "matching")), *matched, *shares)))
    names = ("treated_matched", "comparison_matched", "effective", "largest_before", "largest_after")
    headings = (Column(speaker.ui("col.matched_as"), "left"), *(Column(speaker.ui(f"col.{c}")) for c in names))
    notes = (speaker.ui("note.matching"),)
    return Table("matching", speaker.ui("title.matching"), headings, tuple(rows), tables.source_line(record, speaker), notes)


def _balance_table(record: Record, speaker: Speaker, ways: Sequence[Way], kind: str, key: str) -> Table:
    """Standardised differences of every covariate: before, and after each way of matching ``kind``."""
    shown = [w for w in ways if w["by"] == kind]
    frame = record.tables["matching_balance"]
    after = {(r["row"], r["variable"]): r for r in frame.iter_rows(named=True)}
    first = str(shown[0]["row"])
    rows = []
    for variable in frame.filter((pl.col("row") == first) & (pl.col("variable") != _SCORE))["variable"]:
        r = after[first, variable]
        places = decimals_for([abs(r["mean_treated_before"] - r["mean_comparison_before"]) or 1.0], least=2, most=5)
        means = (number(r["mean_treated_before"], places), number(r["mean_comparison_before"], places), number(r["smd_before"]))
        rows.append(Row((speaker.name(variable), *means, *(number(after[str(w["row"]), variable]["smd_after"]) for w in shown))))
    means_, differences = speaker.ui("spanner.means_before"), speaker.ui("spanner.smd")
    headings = (
        Column(speaker.ui("col.variable"), "left"),
        Column(speaker.ui("col.treated_mean"), "right", means_),
        Column(speaker.ui("col.comparison_mean"), "right", means_),
        Column(speaker.ui("col.smd_before"), "right", differences),
        *(Column(_short(speaker, w), "right", differences) for w in shown),
    )
    title = speaker.ui("title.balance") + speaker.ui(f"matched_by.{kind}")
    notes = (speaker.ui("note.balance"), speaker.ui("note.balance_more"))
    return Table(key, title, headings, tuple(rows), tables.source_line(record, speaker), notes)


def _love(record: Record, speaker: Speaker, ways: Sequence[Way], kinds: Sequence[str]) -> Chart:
    names = pl.DataFrame({"row": [w["row"] for w in ways], "by": [w["by"] for w in ways], "name": [_short(speaker, w) for w in ways]})
    frame = record.tables["matching_balance"].filter((pl.col("variable") != _SCORE) & pl.col("smd_after").is_not_null())
    data = frame.join(names, on="row", maintain_order="left").select("row", "name", "by", "variable", "smd_before", "smd_after")
    panels = [(speaker.name(kind, "matched_by"), data.filter(pl.col("by") == kind)) for kind in kinds]
    largest = {k: number(max(_number(w, f"largest_{k}") for w in ways)) for k in ("before", "after")}
    alt = speaker.ui("alt.love", n=count(data["variable"].n_unique()), **largest)
    subtitle = speaker.ui("subtitle.love") + tables.source_line(record, speaker)
    return Chart("love", speaker.ui("title.love"), subtitle, alt, love(panels, speaker), data)


def _short(speaker: Speaker, way: Way) -> str:
    return speaker.name(str(way["method"]), "matching")


def _overlap(record: Record, speaker: Speaker, ways: Sequence[Way]) -> list[Chart]:
    """Scores before matching and after the ways that use one, for what is matched first; none where no way has scores."""
    if not record.has("matching_scores"):
        return []
    scored = record.tables["matching_scores"].filter(pl.col("score").is_not_null())
    rows = [w for w in ways if w["row"] in set(scored["row"])]
    if not rows:
        return []
    shown = [w for w in rows if w["by"] == rows[0]["by"]][: _PANELS - 1]
    parts = {speaker.ui("col.smd_before"): scored.filter(pl.col("row") == shown[0]["row"]).with_columns(weight=pl.lit(1.0))}
    parts |= {_short(speaker, w): scored.filter((pl.col("row") == w["row"]) & (pl.col("weight") > 0)) for w in shown}
    data = pl.concat([f.with_columns(panel=pl.lit(t)) for t, f in parts.items()]).select("panel", "unit", "treated", "score", "weight")
    subtitle = speaker.ui("subtitle.overlap") + tables.source_line(record, speaker)
    alt = speaker.ui("alt.overlap", n=count(len(shown)))
    return [Chart("overlap", speaker.ui("title.overlap"), subtitle, alt, overlap(parts, speaker), data)]
