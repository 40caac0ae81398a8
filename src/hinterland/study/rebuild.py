"""Write the report of a finished run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from hinterland.errors import Finding, InputError, RunError, did_you_mean, fail_if_any
from hinterland.study import store
from hinterland.study.fields import Format
from hinterland.study.lock import locked
from hinterland.study.record import fail_if_lacking, fail_if_tables_missing, read_run_json, write_json
from hinterland.study.runner import Language, report_files


def rebuild_report(out: str | Path, languages: Sequence[Language] | None = None, formats: Sequence[str] | None = None) -> list[str]:
    """Write the report of the run in ``out`` from its record, in these languages and formats (the run's own by default).

    Returns the files, relative to ``out``. The next run of the study into ``out`` writes its own report again.

    Raises:
        InputError: an unknown format.
        RunError: no record there, or the run is not complete.
    """
    folder = Path(out)
    record = read_run_json(folder)
    if record["status"] != "complete":
        raise RunError(
            f"the run in {str(folder)!r} is not complete: its status is {record['status']!r}\n    where: {folder / 'run.json'}\n    do:    run the study again into this folder; it goes on where it stopped"
        )
    fail_if_lacking(folder, record, {"study": dict, "arguments": dict})
    fail_if_tables_missing(folder, record)
    spoken = tuple(languages or record["arguments"]["languages"])
    chosen = tuple(formats or record["study"]["report"]["formats"])
    known = get_args(Format)
    fail_if_any(
        [
            Finding("unknown-format", f"the format {f!r} is not known", "--formats", did_you_mean(f, known))
            for f in chosen
            if f not in known
        ],
        "options",
        InputError,
    )
    with locked(folder):
        written = report_files(folder, spoken, chosen)
        store.drop(folder, "report")
        steps = [{**s, "outputs": written} if s["id"] == "report" else s for s in record["steps"]]
        write_json(folder / "run.json", {**record, "arguments": {**record["arguments"], "languages": list(spoken)}, "steps": steps})
    return written
