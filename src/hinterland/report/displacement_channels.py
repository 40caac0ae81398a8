"""Displacement by channel: what treated units gained, what each kind of other places lost, and what is left net of all of them.

The wording rules: a loss is told of a channel only where the test of its spillover rejects; a channel whose units the study names itself is always
said to rest on that declaration; and a net effect is told with its interval from the fit that holds every channel at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Prose
from hinterland.report.digits import MISSING, count, decimals_for, number, p_cell, p_value, share, signed
from hinterland.report.record import Record
from hinterland.report.sentences import Both, Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

ALL = "all"
EFFECTS = ("direct", "spillover", "total")
LOST = ("not-told-apart", "partly-displaced", "net-loss")
_NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")

Rows = Mapping[str, Mapping[str, Any]]


def told(record: Record, outcome: str) -> dict[str, Rows]:
    """Rows of table ``displacement`` on ``outcome`` by channel (``all`` last, where there are several) and quantity; nothing where no channel is asked for."""
    if not record.has("displacement") or "channel" not in record.tables["displacement"].columns:
        return {}
    frame = record.tables["displacement"].filter((pl.col("outcome") == outcome) & pl.col("channel").is_not_null())
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in frame.to_dicts():
        found.setdefault(row["channel"], {})[row["quantity"]] = row
    return {name: rows for name, rows in sorted(found.items(), key=lambda item: item[0] == ALL) if set(EFFECTS) <= rows.keys()}


def who(record: Record, channel: str) -> Value:
    """What those who may lose are called: the study's own words, or the packaged ones for the name."""
    asked = record.study("displacement", channel)
    label = asked.get("label") if isinstance(asked, Mapping) else None
    return Both(str(label["en"]), str(label["zh"])) if label else Name("displacement_channel", channel)


def declared(record: Record, channel: str) -> bool:
    """Whether the study itself names the units of the channel, or their links."""
    asked = record.study("displacement", channel)
    return isinstance(asked, Mapping) and any(asked.get(k) for k in ("among", "among_file", "file"))


def blocks(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Words, figure and table on the channels of ``outcome``."""
    every = told(record, outcome)
    if not every:
        return ()
    body = list(_lines(record, speaker, every))
    frame = pl.DataFrame(
        [
            {"label": speaker.ui("mark.channel", who=channel, quantity=quantity), **{c: row[c] for c in _NUMBERS}}
            for channel, quantity, row in body
            if "share" not in row["quantity"]
        ]
    )
    named = [who(record, c) for c in every if c != ALL]
    intro = say(
        "displacement.channels_intro", who=Listed(tuple(named)), table=Ref("table", "displacement"), figure=Ref("figure", "displacement")
    )
    title = speaker.ui("title.displacement_channels", outcome=Name("variable", outcome))
    subtitle = speaker.ui("subtitle.displacement") + tables.source_line(record, speaker)
    unit = figures.unit_axis(speaker, record.scale(outcome), outcome)
    return (
        Prose((intro, *sentences(record, every))),
        Prose(assumptions(record, every)),
        Chart("displacement", title, subtitle, speaker.ui("alt.displacement_channels"), figures.forest(frame, unit=unit), frame),
        _table(record, speaker, title, every, body),
    )


def sentences(record: Record, every: Mapping[str, Rows]) -> tuple[Sentence, ...]:
    """The verdict on each channel, the share where others lost, and the net effect."""
    said: list[Sentence] = []
    for channel, rows in every.items():
        if channel == ALL:
            continue
        kind, values = str(rows["direct"]["verdict"] or "no-evidence"), values_of(record, channel, rows)
        said.append(Sentence(f"displacement.channel-{kind}", values))
        part = rows.get("share", {})
        if kind in LOST and part:
            low, high = part["conf_low"], part["conf_high"]
            if low is None or high is None or part["shape"] == "outside":
                said.append(say("displacement.share_open"))
            else:
                said.append(say("displacement.share", share=values["share"], low=share(low, 0), high=share(high, 0)))
    if ALL in every:
        said.append(_net(record, every))
    return tuple(said)


def values_of(record: Record, channel: str, rows: Rows) -> dict[str, Value]:
    """The numbers of one channel, as sentences take them."""
    direct, spill, total = (rows[e] for e in EFFECTS)
    return {
        "who": who(record, channel),
        "direct": signed(direct["estimate"]),
        "spillover": signed(spill["estimate"]),
        "total": signed(total["estimate"]),
        "low": number(total["conf_low"]),
        "high": number(total["conf_high"]),
        "p_spillover": p_value(spill["p_value"]),
        "p_total": p_value(total["p_value"]),
        "share": share(rows.get("share", {}).get("estimate"), 0),
    }


def _net(record: Record, every: Mapping[str, Rows]) -> Sentence:
    rows = every[ALL]
    named = [who(record, c) for c in every if c != ALL]
    low, high = rows["total"]["conf_low"], rows["total"]["conf_high"]
    key = "net_open" if low is None or high is None or low <= 0 <= high else "net_gain" if low > 0 else "net_loss"
    return Sentence(f"displacement.{key}", {**values_of(record, ALL, rows), "who": Listed(tuple(named))})


def assumptions(record: Record, every: Mapping[str, Rows]) -> tuple[Sentence, ...]:
    """What is identified, what is not, and what rests on the study's own word."""
    own = [who(record, c) for c in every if c != ALL and declared(record, c)]
    out = [c for c in every if c != ALL and _asked(record, c, "others") == "out"]
    said = [say("displacement.identified"), say("displacement.not_identified")]
    if own:
        said.append(say("displacement.declared", who=Listed(tuple(own))))
    if len(every) > 1:
        said.append(say("displacement.one_by_one_out" if out else "displacement.one_by_one"))
    return tuple(said)


def _asked(record: Record, channel: str, key: str) -> Any:
    asked = record.study("displacement", channel)
    return asked.get(key) if isinstance(asked, Mapping) else None


def _lines(record: Record, speaker: Speaker, every: Mapping[str, Rows]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Channel, quantity and row, as figure and table show them: of all at once, each channel's own spillover in the place of its share."""
    for channel, rows in every.items():
        head = speaker.ui("row.all_channels") if channel == ALL else speaker.value(who(record, channel))
        for quantity in (*EFFECTS, "share"):
            if quantity == "spillover" and channel == ALL:
                for name in (c for c in every if f"spillover/{c}" in rows):
                    words = speaker.ui("row.spillover_on", who=who(record, name))
                    yield head, words, rows[f"spillover/{name}"]
            elif quantity in rows:
                yield head, speaker.name("net" if quantity == "total" else quantity, "displacement_quantity"), rows[quantity]


def _table(
    record: Record, speaker: Speaker, title: str, every: Mapping[str, Rows], body: list[tuple[str, str, Mapping[str, Any]]]
) -> Table:
    decimals = decimals_for([row["std_error"] for _, _, row in body if row["quantity"] in EFFECTS])
    rows, last = [], ""
    for channel, quantity, row in body:
        part = row["quantity"] == "share"
        shown = {k: None if row[k] is None else 100 * row[k] for k in _NUMBERS} if part else row
        words = speaker.ui("row.share") if part else quantity
        rows.append(Row(("" if channel == last else channel, words, *cells({**row, **shown}, 0 if part else decimals))))
        last = channel
    headings = (
        Column(speaker.ui("col.channel"), "left"),
        Column(speaker.ui("col.quantity"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "std_error", "interval", "p")),
    )
    return Table("displacement", title, headings, tuple(rows), tables.source_line(record, speaker), _notes(record, speaker, every))


def _notes(record: Record, speaker: Speaker, every: Mapping[str, Rows]) -> tuple[str, ...]:
    """What the numbers are, and of which fits."""
    found = [speaker.ui("note.displacement"), speaker.ui("note.displacement_channels")]
    first = next(iter(every.values()))["direct"]["effects_id"]
    models = record.tables["models"].filter(effects_id=first) if record.has("models") else pl.DataFrame()
    if models.height:
        facts = models.row(0, named=True)
        options = record.study("evaluate", "options", {}).get("spillover", {})
        found.append(
            speaker.ui(
                "note.displacement_fit",
                estimator=say("displacement.one_regression" if options.get("estimator") == "twfe" else "displacement.two_stages"),
                outcome=Name("variable", facts["outcome"]),
                errors=speaker.name(str(facts["vcov"]), "procedure"),
                cluster=str(facts["cluster"]),
                n=count(facts["n_units"]),
                treated=count(facts["n_treated"]),
                first=str(facts["first_period"]),
                last=str(facts["last_period"]),
            )
        )
    return tuple(found)


def cells(row: Mapping[str, Any], decimals: int) -> tuple[str, str, str, str]:
    """Estimate, standard error, interval and p-value; of a set that is all outside its ends, no interval."""
    low, high = row["conf_low"], row["conf_high"]
    open_set = low is None or high is None or row.get("shape") == "outside"
    interval = MISSING if open_set else f"[{number(low, decimals)}, {number(high, decimals)}]"
    error = MISSING if row["std_error"] is None else f"({number(row['std_error'], decimals)})"
    return number(row["estimate"], decimals), error, interval, p_cell(row["p_value"])
