"""``hinterland check``: is the study ready to run?"""

from __future__ import annotations

from dataclasses import asdict

import typer

from hinterland.cli import options
from hinterland.cli.output import BAD_INPUT, OK, show_finding, stderr, write, write_document
from hinterland.errors import InputError


def check(study: options.MaybeStudy = None, *, data: options.Data = None, as_json: options.Json = False) -> None:
    """Load the study, its data and its policy, build every design, try every estimator on it, and report all problems."""
    from hinterland.study.check import Checked
    from hinterland.study.check import check as check_study

    try:
        found = check_study(options.load(study, data))
    except InputError as error:
        found = Checked(error.findings, ())
    if as_json:
        write_document({"ok": found.ok, "findings": [asdict(f) for f in found.findings], "designs": list(found.designs)})
    else:
        _show(found.findings, found.designs)
    raise typer.Exit(OK if found.ok else BAD_INPUT)


def _show(findings: tuple[object, ...], designs: tuple[str, ...]) -> None:
    from hinterland.errors import Finding

    console = stderr()
    errors = sum(1 for f in findings if isinstance(f, Finding) and f.severity == "error")
    for number, finding in enumerate(findings, 1):
        if isinstance(finding, Finding):
            show_finding(console, finding, number)
    write("".join(f"{line}\n" for line in designs))
    console.print(f"{errors} error(s), {len(findings) - errors} warning(s)")
