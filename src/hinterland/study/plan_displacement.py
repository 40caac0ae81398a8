"""Steps of [displacement]: one for each outcome and channel, and one for all channels at once; and what must hold between the keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hinterland.errors import did_you_mean
from hinterland.evaluate.spillover_named import ALL
from hinterland.study.groups import definition
from hinterland.study.schema import OutcomeTable, Study
from hinterland.study.schema_displacement import ChannelTable
from hinterland.study.step import Step, settings_of
from hinterland.study.unbuilt import Problem

LINKS = ("nearest", "within_km", "decay")


def channels_for(study: Study, outcome: OutcomeTable) -> tuple[str, ...]:
    """The channels that are told for ``outcome``."""
    if outcome.family != "gaussian":
        return ()
    return tuple(name for name, table in study.displacement.items() if not table.outcomes or outcome.name in table.outcomes)


def displacement_steps(study: Study, outcome: OutcomeTable) -> Iterator[Step]:
    """The steps of one outcome: each channel alone and, where there are several, all at once."""
    names = channels_for(study, outcome)
    for channel in (*names, *([ALL] if len(names) > 1 else [])):
        own = names if channel == ALL else (channel,)
        settings = {**settings_of(study, outcome, ["spillover"]), "channels": {n: _asked(study, n) for n in own}}
        yield Step(
            f"displacement/{outcome.name}/{channel}", "displacement", settings, ("data", "policy"), outcome.name, "spillover", group=channel
        )


def _asked(study: Study, name: str) -> dict[str, Any]:
    table = study.displacement[name]
    grouped = definition(study, table.among.partition("=")[0]) if isinstance(table.among, str) else {}
    return {**table.model_dump(mode="json", exclude={"label"}), **grouped}


def displacement_problems(study: Study) -> Iterator[Problem]:
    """Channels whose keys leave each other without a meaning; outcomes that the study does not have, or that are counts."""
    for name, table in study.displacement.items():
        path = ("displacement", name)
        if name == ALL:
            yield path, "bad-channels", f"a channel is called {ALL!r}, as all of them together are", "give it another name"
        yield from _links(path, table)
        yield from _outcomes(study, path, table)


def _links(path: tuple[str, ...], table: ChannelTable) -> Iterator[Problem]:
    given = table.model_fields_set
    leading = next((k for k in ("rings", "file") if getattr(table, k) is not None), "")
    for key in ("file", *LINKS, "partners"):
        if leading and key != leading and getattr(table, key) is not None:
            yield (*path, key), "option-unused", f"{key} has no meaning beside {leading}", f"give {leading} or {key}"
    if table.rings is not None and (table.rings[0] <= 0 or any(b <= a for a, b in zip(table.rings, table.rings[1:], strict=False))):
        remedy = "give increasing distances in kilometres, such as [100, 200]"
        yield (*path, "rings"), "bad-rings", f"rings is {list(table.rings)}", remedy
    if table.nearest == 0 and table.within_km is None:
        yield (*path, "nearest"), "no-neighbours", "nearest is 0 and within_km is not given", "give one of them"
    if table.among is not None and table.among_file is not None:
        yield (*path, "among_file"), "option-unused", "among and among_file both name units", "give one of them"
    if "others" in given and table.others == "out" and table.among is None and table.among_file is None:
        yield (*path, "others"), "option-unused", "others has no meaning without among", "name the units on which an effect is allowed"


def _outcomes(study: Study, path: tuple[str, ...], table: ChannelTable) -> Iterator[Problem]:
    families = {o.name: o.family for o in study.outcome}
    what, remedy = "displacement is told for linear outcomes", 'name one of family gaussian, such as ln_y = "log1p(y)"'
    if not table.outcomes and "gaussian" not in families.values():
        yield path, "channel-count", f"every outcome is a count, and {what}", remedy
    for i, outcome in enumerate(table.outcomes):
        if outcome not in families:
            yield (*path, "outcomes", i), "unknown-outcome", f"there is no outcome {outcome!r}", did_you_mean(outcome, families)
        elif families[outcome] != "gaussian":
            yield (*path, "outcomes", i), "channel-count", f"the outcome {outcome!r} is a count, and {what}", remedy
