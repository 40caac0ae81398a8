"""Run a study: what is done and unchanged is kept, the rest is computed, and the record says which is which."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from hinterland import __version__
from hinterland.errors import HinterlandError, HinterlandWarning
from hinterland.study import store
from hinterland.study.check import fail_if_not_ready
from hinterland.study.load import LoadedStudy, load_study
from hinterland.study.lock import locked
from hinterland.study.plan import plan, selected, step_hashes
from hinterland.study.provenance import InputFile, code_version, input_files, versions
from hinterland.study.record import Run, fail_if_foreign, write_json, write_table
from hinterland.study.step import Step
from hinterland.study.steps import STEPS
from hinterland.study.steps.output import Output
from hinterland.study.tables import ADVICE, TABLES, assemble
from hinterland.study.workspace import Workspace

Language = Literal["en", "zh"]
Watcher = Callable[[str, int, int], None]
"""Told of each step before it starts: its id, its number from 0, how many there are."""


_MADE = (
    *("report*.html", "report*.docx", "report*.pdf", "report*.tex"),
    *(f"tables/*.{suffix}" for suffix in ("parquet", "csv", "tex", "docx")),
    *(f"figures/*.{suffix}" for suffix in ("svg", "pdf", "png")),
)
"""What a run makes in its folder, and takes away before it makes it again."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done: the steps, their hashes, those that are done already, and the languages of the report."""

    work: Workspace
    steps: tuple[Step, ...]
    hashes: Mapping[str, str]
    done: Mapping[str, store.Stored]
    languages: tuple[Language, ...]
    watch: Watcher

    @property
    def stale(self) -> bool:
        """Whether anything is left to compute."""
        return len(self.done) < len(self.steps)


@dataclass(frozen=True, slots=True)
class _Progress:
    """What ``run.json`` says while the run lasts; the two dictionaries grow step by step."""

    out: Path
    header: Mapping[str, Any]
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)

    def write(self, status: str, **extra: Any) -> None:
        facts = {k: v for o in self.outputs.values() for k, v in o.facts.items()}
        content = {**self.header, "status": status, **extra, "facts": facts, "steps": list(self.steps.values())}
        write_json(self.out / "run.json", content, passing=status == "running")

    def note(self, step: Step, status: str, seconds: float, digest: str, output: Output, **extra: Any) -> None:
        files = [*(f"tables/{t}.parquet" for t in output.tables), *output.files]
        self.steps[step.id] = {"id": step.id, "status": status, "seconds": round(seconds, 4), "hash": digest, "outputs": files, **extra}
        self.outputs[step.id] = output


def run(
    source: str | Path | LoadedStudy | None = None,
    out: str | Path = "out",
    *,
    only: str | Iterable[str] | None = None,
    force: bool = False,
    data: str | Path | None = None,
    languages: Sequence[Language] | None = None,
    watch: Watcher | None = None,
) -> Run:
    """Run a study and leave its record in ``out``.

    Steps that are finished and unchanged (same code, same part of the study, same inputs, same steps before) are not done again,
    so an interrupted run goes on where it stopped. Nothing is written before the study and its data are found in order.

    Args:
        source: path of the study file; the packaged demonstration study when it is ``None``.
        out: folder of the record; it is made when it does not exist.
        only: kinds of steps (``"evaluate"``) or step ids to do, with the steps they build on; all by default.
        force: do every step again.
        data: folder that the study's relative data paths are resolved against; the study file's own by default.
        languages: of the report, in place of the study's.
        watch: told of each step before it starts.

    Raises:
        StudyError, PanelError, PolicyError: bad input; nothing was written.
        EstimationError: a method that turns out not to be defined on the data; the record says ``failed``.
        RunError: the folder cannot be written, or another run is writing it.
    """
    loaded = source if isinstance(source, LoadedStudy) else load_study(source, data)
    folder, kinds = Path(out), _as_list(only)
    spoken = tuple(languages or loaded.study.languages)
    steps = _with_languages(selected(plan(loaded.study), kinds), spoken)
    inputs = input_files(loaded)
    hashes = step_hashes(steps, code_version(), {i.path: i.sha256 for i in inputs})
    fail_if_foreign(folder)
    with locked(folder) if folder.is_dir() else nullcontext():
        done = {} if force else _done(folder, steps, hashes)
    job = _Job(Workspace(loaded), steps, hashes, done, spoken, watch or _nobody)
    if job.stale:
        fail_if_not_ready(job.work, {(s.outcome, s.method) for s in steps if s.kind == "evaluate" and s.id not in done}, done)
    arguments = {"source": loaded.name, "only": kinds, "force": force, "languages": list(spoken)}
    with locked(folder):
        progress = _Progress(folder, _header(loaded, inputs, arguments))
        _start(progress, {s.id for s in plan(loaded.study)}, stale=job.stale)
        _perform(job, progress)
        progress.write("complete", finished=_now())
    return Run.open(folder)


def _nobody(step: str, number: int, total: int) -> None:
    """Watch nothing."""


def _done(folder: Path, steps: Iterable[Step], hashes: Mapping[str, str]) -> dict[str, store.Stored]:
    return {s.id: found for s in steps if (found := store.recall(folder, s.id, hashes[s.id])) is not None}


def _as_list(only: str | Iterable[str] | None) -> list[str]:
    if only is None:
        return []
    return [part.strip() for text in ([only] if isinstance(only, str) else only) for part in text.split(",") if part.strip()]


def _with_languages(steps: tuple[Step, ...], languages: Sequence[Language]) -> tuple[Step, ...]:
    return tuple(replace(s, settings={**s.settings, "languages": list(languages)}) if s.kind == "report" else s for s in steps)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _header(loaded: LoadedStudy, inputs: Iterable[InputFile], arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hinterland": __version__,
        "code": code_version(),
        "study": loaded.study.resolved(),
        "arguments": dict(arguments),
        "seed": loaded.study.study.seed,
        "started": _now(),
        "inputs": [i.as_json() for i in inputs],
        "versions": dict(versions()),
    }


def _start(progress: _Progress, known: set[str], *, stale: bool) -> None:
    """Say that a run is under way, and take away what an earlier one left if it will be made again."""
    out = progress.out
    progress.write("running")
    store.forget(out, known)
    if stale:
        for pattern in _MADE:
            for old in out.glob(pattern):
                old.unlink()


def _perform(job: _Job, progress: _Progress) -> None:
    """Do the steps in order; the tables are put together before the report reads them."""
    computing = [s for s in job.steps if s.kind != "report"]
    job.work.tables_so_far = lambda: _tables_so_far(progress)
    for number, step in enumerate(computing):
        job.watch(step.id, number, len(job.steps))
        _do(job, step, progress, lambda s=step: STEPS[s.kind](job.work, s))  # type: ignore[misc]  # the default binds the loop's step
    _write_tables(progress)
    report = next((s for s in job.steps if s.kind == "report"), None)
    if report is not None:
        job.watch(report.id, len(computing), len(job.steps))
        progress.write("running")
        formats = job.work.study.report.formats
        _do(job, report, progress, lambda: _reported(progress.out, job.languages, formats))
        _write_tables(progress, (ADVICE,))


def _tables_so_far(progress: _Progress) -> Mapping[str, pl.DataFrame]:
    """The tables that the steps before have made, and what follows from them: a plan may build on the study's own estimates."""
    from hinterland.report.advice import advice_table
    from hinterland.report.record import read_record

    _write_tables(progress)
    names = [name for name in TABLES if any(name in o.tables for o in progress.outputs.values())]
    made = {name: assemble(name, [o.tables[name] for o in progress.outputs.values() if name in o.tables]) for name in names}
    return {**made, ADVICE: advice_table(read_record(progress.out))}


def _reported(out: Path, languages: Sequence[Language], formats: Sequence[str]) -> Output:
    """The report, and what follows from the record as a table of it."""
    from hinterland.report.advice import advice_table
    from hinterland.report.record import read_record

    return Output(tables={ADVICE: advice_table(read_record(out))}, files=tuple(report_files(out, languages, formats)))


def _do(job: _Job, step: Step, progress: _Progress, action: Callable[[], Output]) -> None:
    """One step: taken from what is kept, or done and kept."""
    digest, found = job.hashes[step.id], job.done.get(step.id)
    if found is not None:
        progress.note(step, "cached", found.seconds, digest, found.output)
        return
    started = time.perf_counter()
    with _recorded(progress, step, digest), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", HinterlandWarning)
        output = action()
    seconds = time.perf_counter() - started
    store.keep(progress.out, step.id, digest, seconds, output)
    messages = _own_warnings(said)
    progress.note(step, "done", seconds, digest, output, **({"warnings": messages} if messages else {}))
    progress.write("running")


def _own_warnings(said: Iterable[warnings.WarningMessage]) -> list[str]:
    """The texts of this package's warnings, each once; those of other packages are passed on."""
    own = []
    for w in said:
        if issubclass(w.category, HinterlandWarning):
            own.append(str(w.message))
        else:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return list(dict.fromkeys(own))


class _recorded:  # noqa: N801  # reads as a verb where it is used: with _recorded(...)
    """Write into ``run.json`` that a step failed or was interrupted, and let the exception go on."""

    def __init__(self, progress: _Progress, step: Step, digest: str) -> None:
        self.progress, self.step, self.digest = progress, step, digest

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        reason = (
            str(error)
            if isinstance(error, HinterlandError)
            else "interrupted"
            if isinstance(error, KeyboardInterrupt)
            else f"{type(error).__name__}: {error}"
        )
        self.progress.note(self.step, "failed", 0.0, self.digest, Output(), error=reason)
        self.progress.write("failed", finished=_now())


def _write_tables(progress: _Progress, names: Iterable[str] = TABLES) -> None:
    folder = progress.out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        parts = [o.tables[name] for o in progress.outputs.values() if name in o.tables]
        if parts:
            write_table(folder, name, assemble(name, parts))


def report_files(out: Path, languages: Sequence[Language], formats: Sequence[str]) -> list[str]:
    """Write the report of the record in ``out``; paths relative to it."""
    from hinterland.report.document import write_report

    return sorted(Path(os.path.relpath(p, out)).as_posix() for p in write_report(out, languages, formats))
