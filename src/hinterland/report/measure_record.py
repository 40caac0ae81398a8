"""One measure of a record, as its chapter reads it: what leads, its shape, and the names of its places."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import polars as pl

from hinterland.labels import LANGUAGES
from hinterland.measure.indicator import LABEL_KEYS
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Speaker, bracketed

Shape = Literal["ranked", "matrix", "lines", "curves", "listed", "clusters", "transitions", "surface"]

WHOLE = ("clusters", "transitions")
"""Shapes whose section is about all of their numbers, none of which leads."""


@dataclass(frozen=True)
class Measured:
    """A measure.

    Attributes:
        name: the study's name for it;  facts: its row of ``measure_models``.
        values: every value, rows of ``measures``.
        places: names and coordinates of its regions;  outlines: their boundaries, if the study has a file of them.
        findings: what was found about its data.
        names: labels of industries in both languages.
        excluded: rows that the study leaves out, with the reason.
    """

    name: str
    facts: Mapping[str, Any]
    values: pl.DataFrame
    places: pl.DataFrame
    outlines: pl.DataFrame
    findings: pl.DataFrame
    names: pl.DataFrame
    excluded: pl.DataFrame

    @cached_property
    def input(self) -> str:
        """The files that the values come from, by name."""
        return ", ".join(dict.fromkeys(part.rsplit("/", 1)[-1] for part in str(self.facts["input"]).split("; ")))

    @cached_property
    def selected(self) -> Mapping[str, str]:
        """The keys that the study selects."""
        return {k: str(v) for k, v in json.loads(self.facts["selected"] or "{}").items()}

    @cached_property
    def components(self) -> tuple[str, ...]:
        """Its numbers, the leading one first; one empty name where there is one number only."""
        known = tuple(json.loads(self.facts["components"] or "[]")) or ("",)
        lead = self.facts["component"] or known[0]
        return (lead, *(c for c in known if c != lead))

    @cached_property
    def main(self) -> str:
        """The number that the indicator itself is."""
        return str((*json.loads(self.facts["components"] or "[]"), "")[0])

    @cached_property
    def lead(self) -> pl.DataFrame:
        """The values of the leading component, of the keys that the study selects."""
        return self.of(self.components[0])

    def of(self, component: str) -> pl.DataFrame:
        """The values of one component, of the keys and years that the study selects."""
        rows = self.values.filter(pl.col("component").fill_null("") == component)
        if self.facts["shown_first"] is not None:
            rows = rows.filter(pl.col("time").is_between(self.facts["shown_first"], self.facts["shown_last"]))
        for key, value in self.selected.items():
            rows = rows.filter(pl.col(key) == value)
        return rows

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Keys that are labels and tell values of the leading component apart."""
        return tuple(k for k in LABEL_KEYS if self.lead[k].n_unique() > 1 and self.lead[k].null_count() < self.lead.height)

    @cached_property
    def periods(self) -> list[int]:
        """The periods of the leading component's values that are numbers, increasing."""
        return self.lead.filter(pl.col("value").is_not_null())["time"].drop_nulls().unique().sort().to_list()

    @cached_property
    def shape(self) -> Shape:
        """How its values are laid out."""
        if self.facts["indicator"] == "local-moran":
            return "clusters"
        if self.facts["indicator"] in ("markov-chain", "spatial-markov-chain"):
            return "transitions"
        if self.lead["point"].null_count() < self.lead.height:
            return "surface" if self.lead["given"].null_count() < self.lead.height else "curves"
        if not self.labels:
            return "lines" if len(self.periods) > 1 else "listed"
        return "ranked" if len(self.labels) == 1 else "matrix" if len(self.labels) == 2 else "listed"

    def last(self, frame: pl.DataFrame | None = None) -> pl.DataFrame:
        """The rows of the last period with values; all of them where there are no periods."""
        rows = self.lead if frame is None else frame
        return rows.filter(pl.col("time") == self.periods[-1]) if self.periods else rows

    def first(self) -> pl.DataFrame:
        """The rows of the first period with values."""
        return self.lead.filter(pl.col("time") == self.periods[0]) if self.periods else self.lead

    def place(self, speaker: Speaker, key: str, label: str | None) -> str:
        """A label in words: the name of a place, industry or group where the packaged tables know it."""
        if label is None:
            return ""
        if self.shape == "transitions":
            return speaker.ui("mark.class", n=label)
        if key in ("group", "other_group"):
            named = speaker.name(label, "region")
            return named if named != label.replace("_", " ") else label
        return self._named(key, speaker.language).get(label) or label

    def both(self, key: str, label: str | None) -> Both:
        """A label in words of both languages."""
        return Both(*(self.place(Speaker(language), key, label) for language in LANGUAGES))

    def _named(self, key: str, language: str) -> Mapping[str, str]:
        return self._known["region" if key in ("region", "other") else "label", "name_zh" if language == "zh" else "name_en"]

    @cached_property
    def _known(self) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """Label → name, by column of labels and of names."""
        return {
            (column, name): dict(frame.drop_nulls(name).select(column, name).iter_rows()) if frame.height else {}
            for column, frame in (("region", self.places), ("label", self.names))
            for name in ("name_en", "name_zh")
        }

    def ordered(self, key: str, labels: Sequence[str]) -> list[str]:
        """Labels in the order of their official codes where these are known, else as they sort."""
        known, column = (self.places, "region") if key in ("region", "other") else (self.names, "label")
        codes = dict(known.select(column, "code").iter_rows()) if known.height else {}
        return sorted(labels, key=lambda x: (codes.get(x) is None, codes.get(x) or "", x))

    def title(self, speaker: Speaker) -> str:
        """What it is called: the study's words, or the indicator's name."""
        own = self.facts["label_zh" if speaker.language == "zh" else "label_en"]
        return str(own) if own else speaker.labelled(f"indicator.{self.facts['indicator']}.name")

    def component_name(self, speaker: Speaker, component: str) -> str:
        """What one of its numbers is called."""
        return speaker.name(component, "component") if component else self.title(speaker)

    def heading(self, speaker: Speaker) -> str:
        """Its title, with the leading component and what the study selects."""
        parts = [self.component_name(speaker, c) for c in self.components[:1] if c and c != self.main and self.shape not in WHOLE]
        parts += [self.place(speaker, k, v) for k, v in self.selected.items()]
        return (
            bracketed(self.title(speaker), ", ".join(parts) if speaker.language == "en" else "，".join(parts), speaker.language)
            if parts
            else self.title(speaker)
        )


def measures_of(record: Record) -> Iterator[Measured]:
    """Every measure of the record, in the order of the study."""
    if not record.has("measures", "measure_models"):
        return
    parts = {
        t: record.tables.get(t, pl.DataFrame(schema={"measure": pl.String}))
        for t in ("measure_places", "measure_outlines", "measure_findings", "measure_labels", "measure_excluded")
    }
    for facts in record.tables["measure_models"].iter_rows(named=True):
        own = pl.col("measure") == facts["measure"]
        values = record.tables["measures"].filter(own)
        places, outlines, findings, names, excluded = (frame.filter(own) for frame in parts.values())
        yield Measured(facts["measure"], facts, values, places, outlines, findings, names, excluded)
