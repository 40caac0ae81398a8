"""The question, the data and the policy in words, from the study and the panel's facts."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.report.digits import count, decimals_for, number
from hinterland.report.group_names import group_labels
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Listed, Name, Ref, Sentence, Speaker, Value, say


def both(value: object) -> Both:
    """A text of the study in both languages: ``{en, zh}`` or one text for both."""
    if isinstance(value, Mapping):
        en, zh = value.get("en"), value.get("zh")
        return Both(str(en or zh or ""), str(zh or en or ""))
    return Both(str(value or ""), str(value or ""))


def own_labels(record: Record) -> dict[str, Both]:
    """The labels that the study gives its outcomes, its robustness rows, the programmes they are about, its columns, its mediators and
    its groups.
    """
    study = record.run.get("study", {})
    labels = {f"variable.{o['name']}": both(o["label"]) for o in study.get("outcome", []) if isinstance(o, Mapping) and o.get("label")}
    rows = (record.study("robustness", "model") or []) if isinstance(study.get("robustness"), Mapping) else []
    labels |= {f"variation.model-{row['name']}": both(row["label"]) for row in rows if row.get("label")}
    programmes = (record.study("robustness", "concurrent") or []) if isinstance(study.get("robustness"), Mapping) else []
    labels |= {f"register.{e['name']}": both(e["label"]) for e in programmes if isinstance(e, Mapping) and e.get("label")}
    for table in ("mechanism", "panel"):
        named = record.study(table, "labels") or {}
        labels |= {f"variable.{name}": both(words) for name, words in named.items() if f"variable.{name}" not in labels}
    return labels | group_labels(record)


def title(record: Record, speaker: Speaker) -> str:
    """The title of the report."""
    chosen = record.study("report", "title") or record.study("study", "title")
    return speaker.value(both(chosen)) if chosen else speaker.ui("untitled")


def byline(record: Record, speaker: Speaker) -> str:
    """Version and date of the run."""
    return speaker.ui(
        "byline",
        version=str(record.run.get("hinterland", "")),
        date=str(record.run.get("finished") or record.run.get("started") or "")[:10],
    )


def question(record: Record, outcome: str) -> tuple[Sentence, ...]:
    """What is asked of what."""
    register, column = record.study("policy", "register"), record.study("policy", "column") or record.study("policy", "treatment")
    policy = Name("register", str(register)) if register else Name("variable", str(column))
    others = tuple(Name("variable", o) for o in record.outcomes if o != outcome)
    said = [say("question.policy" if register else "question.column", policy=policy, outcome=Name("variable", outcome))]
    if others:
        said.append(say("question.others", others=Listed(others)))
    return tuple(said)


def panel(record: Record) -> tuple[Sentence, ...]:
    """Units, periods, rows, source."""
    facts = record.run.get("facts", {})
    values = {k: count(facts.get(k)) for k in ("n_units", "n_periods", "n_obs")}
    source = str(record.study("panel", "source", ""))
    world = source.startswith("world:")
    balanced = facts.get("n_units", 0) * facts.get("n_periods", 0) == facts.get("n_obs")
    return (
        say("panel.world" if world else "panel.source", source=source.removeprefix("world:").rsplit("/", 1)[-1]),
        say("panel.size", first=str(facts.get("first", "–")), last=str(facts.get("last", "–")), **values),
        say("panel.balanced" if balanced else "panel.unbalanced"),
    )


def policy(record: Record) -> tuple[Sentence, ...]:
    """The timing rule, the rule for partial coverage, and the sizes they give."""
    said: list[Sentence] = []
    register = record.study("policy", "register")
    if register:
        said.append(
            say(f"timing.{record.study('policy', 'timing', 'first_full_year')}", month=count(record.study("policy", "cutoff_month", 6)))
        )
        said.append(say(f"partial.{record.study('policy', 'partial', 'exclude')}"))
        if record.study("policy", "until"):
            said.append(say("policy.until", year=str(record.study("policy", "until"))))
    elif record.study("policy", "column") or record.study("policy", "treatment"):
        said.append(
            say("timing.column", column=Name("variable", str(record.study("policy", "column") or record.study("policy", "treatment"))))
        )
    if record.has("cohort_sizes"):
        said += _cohorts(record.tables["cohort_sizes"])
    if record.has("policy_timeline"):
        said.append(say("policy.figures", figure=Ref("figure", "timeline"), table=Ref("table", "zones")))
    return tuple(said)


def _cohorts(sizes: pl.DataFrame) -> list[Sentence]:
    treated = sizes.filter(pl.col("cohort").is_not_null())
    never = int(sizes.filter(pl.col("cohort").is_null())["n_units"].sum())
    values: dict[str, Value] = {
        "treated": count(treated["n_units"].sum()),
        "cohorts": count(treated.height),
        "never": count(never),
        "table": Ref("table", "cohorts"),
    }
    if not treated.height:
        return []
    return [
        say(
            "policy.cohorts" if treated.height > 1 else "policy.cohort",
            first=str(treated["cohort"].min()),
            last=str(treated["cohort"].max()),
            **values,
        )
    ]


def places(cities: pl.DataFrame) -> tuple[Sentence, ...]:
    """What the map shows and what it cannot."""
    unknown = cities.filter(pl.col("lon").is_null()).height
    said = [say("map.intro", figure=Ref("figure", "map"))]
    return (*said, say("map.unknown", n=count(unknown))) if unknown else tuple(said)


def moments(record: Record, outcome: str) -> tuple[Sentence, ...]:
    """The outcome's moments, and how treated and never-treated units differ before any estimate is made."""
    frame = record.tables["descriptives"].filter(pl.col("variable") == outcome)
    rows = {r["sample"]: r for r in frame.iter_rows(named=True)}
    places = decimals_for([rows.get("all", {}).get("sd")], least=0, most=5, significant=3)
    said = [say("moments.intro", table=Ref("table", "descriptives"))]
    if "all" in rows:
        whole = rows["all"]
        mean, sd, low, high = (number(whole[c], places) for c in ("mean", "sd", "min", "max"))
        said.append(say("moments.outcome", outcome=Name("variable", outcome), mean=mean, sd=sd, low=low, high=high))
    if {"treated", "never"} <= rows.keys():
        treated, never = rows["treated"]["mean"], rows["never"]["mean"]
        said.append(
            say("moments.higher" if treated > never else "moments.lower", treated=number(treated, places), never=number(never, places))
        )
    return tuple(said)
