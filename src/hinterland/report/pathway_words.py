"""Names, numbers and marks in the chapter of a plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from hinterland.labels import LANGUAGES
from hinterland.plan.schema import labels_in, parameters
from hinterland.report.digits import MISSING, compact, share, signed
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Speaker

SIGN = "*"
"""Stands at every number that rests on illustrative parameters."""
ILLUSTRATIVE = "illustrative"
_DIM = {"source": "region", "host": "region", "other": "region", "lost": "region", "destination": "region", "origin": "region"}


@dataclass(frozen=True)
class PlanWords:
    """What the plan's labels are called in the speaker's language, and how its numbers are written."""

    record: Record
    speaker: Speaker

    def rows(self, table: str, **keys: object) -> pl.DataFrame:
        """Rows of ``plan_TABLE`` with these keys; empty where the record does not have it."""
        frame = self.record.tables.get(f"plan_{table}")
        if frame is None:
            return pl.DataFrame()
        for key, value in keys.items():
            frame = frame.filter(pl.col(key).eq_missing(pl.lit(value)))
        return frame

    # ---------------------------------------------------------------------------------------------------------------------- names

    @cached_property
    def names(self) -> dict[tuple[str, str], tuple[str | None, str | None]]:
        """(dimension, label) → names in English and Chinese."""
        frame = self.rows("labels")
        if not frame.height:
            return {}
        return {(d, i): (en, zh) for d, i, en, zh in frame.select("dimension", "id", "name_en", "name_zh").iter_rows()}

    def said(self, dimension: str, label: object) -> str:
        """A label in words: the case's name for it, else the packaged one, else the label itself. An industry is a group of itself."""
        if label is None:
            return ""
        dim, text = _DIM.get(dimension, dimension), str(label)
        own = self.names.get((dim, text), (None, None))[LANGUAGES.index(self.speaker.language)]
        if own:
            return own
        for key in (f"plan_{dim}.{text}", f"plan.{dim}.{text}"):
            if self.speaker.has(key):
                return self.speaker.labelled(key)
        if dim == "group" and ("industry", text) in self.names:
            return self.said("industry", text)
        return text if dim in ("region", "phase") else text.replace("-", " ").replace("_", " ")

    def both(self, dimension: str, label: object) -> Both:
        """A label in words of both languages."""
        return Both(*(PlanWords(self.record, Speaker(language)).said(dimension, label) for language in LANGUAGES))

    def parameter(self, row: Mapping[str, object]) -> str:
        """The parameter of a row in words, with the labels of it that the row speaks of (``of``)."""
        name, of = str(row["parameter"]), row.get("of")
        spec = parameters().get(name)
        words = self.said("parameter", name)
        if of is None or spec is None or spec.further is None:
            return words
        part = self.speaker.labelled("plan.said.joint").join(self.said(spec.further, label) for label in labels_in(str(of)))
        return self.speaker.labelled("plan.said.part", constraint=words, part=part)

    def parameter_both(self, row: Mapping[str, object]) -> Both:
        """The parameter of a row in words of both languages."""
        return Both(*(PlanWords(self.record, Speaker(language)).parameter(row) for language in LANGUAGES))

    def unit(self, unit: str | None) -> str:
        """A unit in words; of a ratio, one per the other."""
        if not unit:
            return ""
        if self.speaker.has(f"unit.{unit}"):
            return self.speaker.labelled(f"unit.{unit}")
        above, _, below = unit.partition("/")
        if not below:
            return unit
        return self.speaker.ui("mark.pathway_per", above=self.unit(above), below=self.unit(below))

    def unit_both(self, unit: str | None) -> Both:
        """A unit inside a sentence, in words of both languages: none that begins with a digit, which would run into the number before it."""
        return Both(*(PlanWords(self.record, Speaker(language)).spoken(unit) for language in LANGUAGES))

    def spoken(self, unit: str | None) -> str:
        """A unit inside a sentence."""
        if unit and self.speaker.has(f"plan_unit.{unit}"):
            return self.speaker.labelled(f"plan_unit.{unit}")
        above, _, below = str(unit or "").partition("/")
        if below and not self.speaker.has(f"unit.{unit}"):
            return self.speaker.ui("mark.pathway_per", above=self.spoken(above), below=self.spoken(below))
        return self.unit(unit)

    def constraint(self, name: str) -> str:
        """A block of rows in words; the part behind its colon by its own name."""
        block, _, part = name.partition(":")
        key = f"plan.constraint.{block}"
        words = self.speaker.labelled(key) if self.speaker.has(key) else block.replace("_", " ")
        if not part:
            return words
        dim = _PARTS.get(block)
        return self.speaker.labelled("plan.said.part", constraint=words, part=self.said(dim, part) if dim else part.replace("-", " "))

    def constraint_both(self, name: str, *, inside: bool = False) -> Both:
        """A block of rows in words of both languages; ``inside`` a sentence without the capital that it has on its own."""
        en, zh = (PlanWords(self.record, Speaker(language)).constraint(name) for language in LANGUAGES)
        return Both(en[:1].lower() + en[1:] if inside else en, zh)

    def where(self, row: dict[str, object]) -> str:
        """Place of a row of a constraint: the labels that it has."""
        dims = ("region", "industry", "lost", "skill", "market", "other", "kind", "instrument", "enclave", "role")
        found = [self.said(d, row[d]) for d in dims if row.get(d) is not None]
        return self.speaker.labelled("plan.said.joint").join(found) if found else self.speaker.labelled("plan.said.everywhere")

    def where_both(self, row: dict[str, object]) -> Both:
        """Place of a row in words of both languages."""
        return Both(*(PlanWords(self.record, Speaker(language)).where(row) for language in LANGUAGES))

    def span(self, row: dict[str, object]) -> str:
        """The years of a phase, said to be observed where they are."""
        first, last = row.get("first_year"), row.get("last_year")
        if first is None:
            return MISSING
        years = str(first) if first == last else f"{first}–{last}"
        return self.speaker.ui("mark.pathway_observed", years=years) if row.get("observed") else years

    # -------------------------------------------------------------------------------------------------------------------- numbers

    @cached_property
    def illustrative(self) -> list[dict[str, object]]:
        """Parameters that are illustrative and not estimated (``parameter``, ``of``); one of which only a part is, with that part."""
        frames = [self.rows(table, basis=ILLUSTRATIVE) for table in ("provenance", "calibration")]
        rows = {(r["parameter"], r.get("of")) for f in frames if f.height for r in f.iter_rows(named=True)}
        return [{"parameter": p, "of": of} for p, of in sorted(rows, key=lambda r: (r[0], r[1] or ""))]

    @property
    def sign(self) -> str:
        """The mark of numbers that rest on illustrative parameters; nothing where none is."""
        return SIGN if self.illustrative else ""

    def heading(self, key: str, **values: str) -> str:
        """The heading of a column of numbers that the plan decides, with its mark."""
        return self.speaker.ui(f"col.pathway_{key}", **values) + self.sign

    def amount(self, value: object, significant: int = 3, *, past: bool = False) -> str:
        """A number in a sentence, with its mark where the plan decides it (and it is not of ``past`` years)."""
        return compact(value, significant) + (self.sign if value is not None and not past else "")

    def percent(self, value: object, decimals: int = 0, *, past: bool = False) -> str:
        """A share in a sentence as per cent, with its mark."""
        return f"{share(value, decimals)}%{'' if past else self.sign}" if value is not None else share(value)

    def notes(self, *keys: str) -> tuple[str, ...]:
        """Notes below a table of numbers that the plan decides: its own, and what the mark means."""
        own = tuple(self.speaker.ui(f"note.{key}") for key in keys)
        return (*own, self.speaker.ui("note.pathway_illustrative", sign=SIGN)) if self.sign else own

    def measured(self, text: str) -> str:
        """A subtitle or an axis of a figure of numbers that the plan decides, with what the mark means."""
        return f"{text} {self.speaker.ui('note.pathway_illustrative', sign=SIGN)}" if self.sign else text

    # ---------------------------------------------------------------------------------------------------------------------- facts

    @cached_property
    def solver(self) -> dict[str, str]:
        """How the plan was found."""
        frame = self.rows("solver")
        return dict(frame.select("key", "value").iter_rows()) if frame.height else {}

    @cached_property
    def settings(self) -> dict[str, object]:
        """What was asked beside the tables."""
        frame = self.rows("settings")
        return {k: json.loads(v) for k, v in frame.select("key", "value").iter_rows()} if frame.height else {}

    @property
    def aim(self) -> str:
        """The objective that the plan makes best."""
        return self.solver.get("aim") or str(self.settings.get("objective") or "cost")

    def money(self) -> str:
        """The unit of money and capacity, with the prices."""
        return self.speaker.ui("subtitle.pathway_money", prices=self.prices(str(self.settings.get("prices") or "")))

    def prices(self, given: str) -> str:
        """Prices in words: those of a year where the case says ``constant YEAR``."""
        first, _, year = given.partition(" ")
        if first == "constant" and year.isdigit():
            return self.speaker.labelled("plan_prices.constant", year=year)
        return self.said("prices", given) if self.speaker.has(f"plan_prices.{given}") else given

    @cached_property
    def hosts(self) -> list[str]:
        """Hosts, in the order of the pathway."""
        frame = self.rows("pathway")
        return frame["host"].unique(maintain_order=True).to_list() if frame.height else []

    @cached_property
    def phases(self) -> pl.DataFrame:
        """``phase``, ``first_year``, ``last_year``, ``observed``, in the order of time."""
        frame = self.rows("years")
        if not frame.height:
            return pl.DataFrame(schema={"phase": pl.String, "first_year": pl.Int64, "last_year": pl.Int64, "observed": pl.Boolean})
        return (
            frame.sort("year")
            .group_by("phase", maintain_order=True)
            .agg(first_year=pl.col("year").min(), last_year=pl.col("year").max(), observed=pl.col("observed").all())
        )


_PARTS = {
    "infrastructure": "kind",
    "labour": "skill",
    "people": "skill",
    "limit": "resource",
    "national": "resource",
    "role": "role",
    "gate": "gate",
}
"""What the part behind the colon of a block is a label of."""


def change(value: object) -> str:
    """A difference in a cell: signed, three digits."""
    text = compact(value, 3)
    return text if not isinstance(value, int | float) or text == MISSING or value <= 0 or text == "0" else signed(value, _places(text))


def _places(text: str) -> int:
    return len(text.partition(".")[2])
