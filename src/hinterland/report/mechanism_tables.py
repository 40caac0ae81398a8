"""Tables of the chapter on mechanisms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hinterland.report import tables
from hinterland.report.digits import MISSING, count, decimals_for, number, p_cell, share
from hinterland.report.record import Record
from hinterland.report.sentences import Name, Speaker, Value
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

if TYPE_CHECKING:
    from hinterland.report.mechanism import Found

Numbers = Mapping[str, Any]


def mechanism_table(record: Record, speaker: Speaker, each: Sequence[Found]) -> Table:
    """Effect on each mediator, slope, indirect effect and share with bootstrap intervals, and the correlation that undoes it; a panel per estimator."""
    outcome = each[0].outcome
    body: list[Row] = []
    for found in each:
        body.append(Row((speaker.name(found.method, "method"),), "head"))
        places = decimals_for([r["std_error"] for r in found.rows.values() if r["quantity"] != "share"])
        for name in found.mediators:
            body += _mediator(speaker, found, name, places)
        for quantity in ("indirect", "direct", "total"):
            row = found.rows[None, quantity]
            part = found.rows[None, "share"] if quantity == "indirect" else None
            cells = ("", "", number(row["estimate"], places), _interval(row, places), *_share(found, part), "")
            body.append(Row((speaker.ui(f"row.mechanism_{quantity}"), *cells)))
    columns = ("effect_on_mediator", "slope_of_outcome", "effect_on_outcome", "interval", "share_mediated", "share_interval", "rho_zero")
    headings = (Column("", "left"), *(Column(speaker.ui(f"col.{c}")) for c in columns))
    title = speaker.ui("title.mechanism", outcome=Name("variable", outcome))
    return Table(f"mechanism-{outcome}", title, headings, tuple(body), tables.source_line(record, speaker), _notes(speaker, each))


def _mediator(speaker: Speaker, found: Found, name: str, places: int) -> list[Row]:
    effect, slope, through, part = (found.rows[name, q] for q in ("effect-on-mediator", "slope", "indirect", "share"))
    first = (
        number(effect["estimate"], places),
        number(slope["estimate"], places),
        number(through["estimate"], places),
        _interval(through, places),
    )
    errors = (f"({number(effect['std_error'], places)})", f"({number(slope['std_error'], places)})")
    return [
        Row((speaker.name(name), *first, *_share(found, part), number(found.checks[name]["rho_zero"], 2))),
        Row(("", *errors, "", "", "", "", ""), "below"),
    ]


def _interval(row: Numbers, places: int) -> str:
    return f"[{number(row['conf_low'], places)}, {number(row['conf_high'], places)}]"


def _share(found: Found, row: Numbers | None) -> tuple[str, str]:
    """The share and its interval in per cent; dashes where there is no total effect to have a share of."""
    if row is None:
        return "", ""
    if not found.stable:
        return MISSING, MISSING
    return share(row["estimate"], 0), f"[{share(row['conf_low'], 0)}, {share(row['conf_high'], 0)}]"


def _notes(speaker: Speaker, each: Sequence[Found]) -> tuple[str, ...]:
    lead = each[0].facts
    facts: dict[str, Value] = {
        "clusters": count(lead["n_clusters"]),
        "cluster": Name("variable", str(lead["cluster"])),
        "draws": count(lead["draws"]),
    }
    sample: dict[str, Value] = {"n": count(lead["n_obs"]), "units": count(lead["n_units"]), "treated": count(lead["n_treated"])}
    said = [speaker.ui("note.mechanism", **facts), speaker.ui("note.mechanism_sample", **sample)]
    said += [
        speaker.ui(f"note.mechanism_{f.facts['slope']}", method=Name("method", f.method), n=count(f.facts["n_obs_slope"])) for f in each
    ]
    return tuple(said)


def check_table(record: Record, speaker: Speaker, each: Sequence[Found]) -> Table:
    """Pre-trends and adjusted p-values of the effect on each mediator, what confounding it takes, and whether slopes change under treatment."""
    outcome = each[0].outcome
    body: list[Row] = []
    for found in each:
        body.append(Row((speaker.name(found.method, "method"),), "head"))
        places = decimals_for([found.checks[m]["interaction_std_error"] for m in found.mediators])
        body += [Row((speaker.name(m), *_checked(found.checks[m], places))) for m in found.mediators]
        joint = found.checks.get(None)
        if joint is not None and len(found.mediators) > 1:
            body.append(Row((speaker.ui("row.all_slopes"), "", "", "", "", "", "", "", p_cell(joint["interaction_p"])), "fact"))
    before, after, change = (speaker.ui(f"spanner.{s}") for s in ("on_mediator", "confounder", "interaction"))
    headings = (
        Column("", "left"),
        *(Column(speaker.ui(f"col.{c}"), "right", before) for c in ("pretrend_p", "p_romano_wolf", "p_benjamini_hochberg")),
        *(Column(speaker.ui(f"col.{c}"), "right", after) for c in ("rho_zero", "rho_doubt", "robustness_value")),
        *(Column(speaker.ui(f"col.{c}"), "right", change) for c in ("change", "p")),
    )
    title = speaker.ui("title.mechanism_checks", outcome=Name("variable", outcome))
    notes = (speaker.ui("note.mechanism_checks"),)
    return Table(f"mechanism-checks-{outcome}", title, headings, tuple(body), tables.source_line(record, speaker), notes)


def _checked(row: Numbers, places: int) -> tuple[str, ...]:
    error = "" if row["interaction_std_error"] is None else f" ({number(row['interaction_std_error'], places)})"
    return (
        p_cell(row["pretrend_p"]),
        p_cell(row["p_romano_wolf"]),
        p_cell(row["p_benjamini_hochberg"]),
        number(row["rho_zero"], 2),
        number(row["rho_doubt"], 2),
        MISSING if row["robustness_value"] is None else share(row["robustness_value"], 0),
        number(row["interaction"], places) + error,
        p_cell(row["interaction_p"]),
    )
