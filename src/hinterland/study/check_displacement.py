"""What is wrong with the channels of [displacement], found with the data before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hinterland.errors import Finding, InputError
from hinterland.evaluate.spillover_named import channel_exposures, channels_asked
from hinterland.study.plan_displacement import channels_for
from hinterland.study.steps.displacement import asked
from hinterland.study.workspace import Workspace

_ABOUT = {
    "nobody-among": "among",
    "among-treated": "among",
    "unknown-group": "among",
    "no-unit-matches": "file",
    "bad-weight": "file",
    "bad-rings": "rings",
}
"""The key that a finding is about."""


def displacement_findings(work: Workspace) -> Iterator[Finding]:
    """Every channel that cannot be: no such group, nobody exposed, all treated, no coordinates; each once, for the first outcome that has it."""
    seen: set[tuple[str, str, str]] = set()
    for outcome in work.study.outcome:
        for name in channels_for(work.study, outcome):
            for finding in _of_channel(work, outcome.name, name):
                key = (name, finding.code, finding.what)
                if key not in seen:
                    seen.add(key)
                    yield finding


def _of_channel(work: Workspace, outcome: str, name: str) -> Iterator[Finding]:
    try:
        design = work.design(outcome, "spillover")
        channel_exposures(design, channels_asked({name: asked(work, name)}))
    except InputError as error:
        yield from (_placed(work, name, f) for f in error.findings)


def _placed(work: Workspace, name: str, finding: Finding) -> Finding:
    """The finding with the line of the key that it is about."""
    table, about = work.study.displacement[name], _ABOUT.get(finding.code, "")
    key = about if about and getattr(table, about) is not None else "among_file" if about == "among" else ""
    where = work.loaded.where("displacement", name, key) if key else work.loaded.where("displacement", name)
    return finding if finding.where.startswith(where) else replace(finding, where=f"{where}: {finding.where}")
