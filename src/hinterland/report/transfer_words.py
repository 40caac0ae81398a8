"""Names of regions, industries and measures in the chapter of transfer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from hinterland.labels import LANGUAGES
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Speaker

TABLE = "transfer"
_CODES = {"group": "industry_group", "series": "transfer_series", "basis": "transfer_basis", "role": "transfer_role"}
_SECTIONS = ("reception_kind", "transfer_label")


@dataclass(frozen=True)
class Words:
    """What the record's labels are called in the speaker's language."""

    record: Record
    speaker: Speaker

    @cached_property
    def places(self) -> pl.DataFrame:
        """Regions with their names and coordinates."""
        return self._own("measure_places")

    @cached_property
    def outlines(self) -> pl.DataFrame | None:
        """Boundaries of regions, where the study names a file of them."""
        found = self._own("measure_outlines")
        return found if found.height else None

    @cached_property
    def regions(self) -> dict[str, str]:
        """Region → its name; itself where the packaged geography does not know it."""
        column = "name_zh" if self.speaker.language == "zh" else "name_en"
        return dict(self.places.drop_nulls(column).select("region", column).iter_rows()) if self.places.height else {}

    @cached_property
    def industries(self) -> dict[str, str]:
        """Industry → its name."""
        frame = self._own("measure_labels")
        column = "name_zh" if self.speaker.language == "zh" else "name_en"
        return dict(frame.drop_nulls(column).select("label", column).iter_rows()) if frame.height else {}

    def _own(self, table: str) -> pl.DataFrame:
        frame = self.record.tables.get(table, pl.DataFrame())
        return frame.filter(pl.col("measure") == TABLE) if "measure" in frame.columns else pl.DataFrame()

    @cached_property
    def excluded(self) -> pl.DataFrame:
        """Rows that the study leaves out, with the reason."""
        return self._own("measure_excluded")

    @property
    def input(self) -> str:
        """The raw tables from which rows were left out, by name."""
        return ", ".join(str(owner).partition(":")[2] for owner in self.excluded["owner"].unique(maintain_order=True))

    @cached_property
    def findings(self) -> pl.DataFrame:
        """What was found about the data."""
        return self._own("measure_findings")

    def place(self, speaker: Speaker, key: str, label: str | None) -> str:
        """A label in words of the speaker's language."""
        return Words(self.record, speaker).said(key, label)

    def both(self, key: str, label: str | None) -> Both:
        """A label in words of both languages."""
        return Both(*(self.place(Speaker(language), key, label) for language in LANGUAGES))

    def said(self, key: str, value: object) -> str:
        """A key's label in words."""
        text = "" if value is None else str(value)
        if key in ("region", "other", "source", "host"):
            return self.regions.get(text, text)
        if key == "industry":
            return self.industries.get(text, text)
        if key in _CODES:
            return self.speaker.name(text, _CODES[key]) if text else self.whole(key)
        return text

    def whole(self, key: str) -> str:
        """What a key is called where the number is of all its labels together."""
        return self.speaker.ui("mark.all_hosts") if key == "host" else ""

    def across(self, key: str, value: str) -> str:
        """The heading of a column that holds one label of a key."""
        if key == "component":
            return self.measure("", value)
        if key in _SECTIONS:
            return self.speaker.name(value, key)
        return self.measure(value) if key == "measure" else self.said(key, value)

    def measure(self, name: str, component: str = "") -> str:
        """An indicator's or a part's name, with its component where it has one."""
        speaker = self.speaker
        if component:
            known = [s for s in ("component", "reception_kind", "transfer_label") if speaker.has(f"{s}.{component}")]
            return speaker.name(component, known[0] if known else "component")
        for key in (f"indicator.{name}.name", f"transfer_measure.{name}"):
            if speaker.has(key):
                return speaker.labelled(key)
        return name
