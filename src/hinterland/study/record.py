"""The run record: a folder that says what was done, with what, and what came out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

from hinterland.errors import RunError, listed

RunStatus = Literal["complete", "running", "failed"]
STEPS = ".steps"


class Tables(Mapping[str, pl.DataFrame]):
    """The tables of a record by name, each read when it is asked for."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> pl.DataFrame:
        path = self._folder / f"{name}.parquet"
        if not path.is_file():
            raise KeyError(name)
        return pl.read_parquet(path)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(p.stem for p in self._folder.glob("*.parquet")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Tables({', '.join(self)})"


@dataclass(frozen=True, slots=True)
class Run:
    """A run: a folder with ``run.json``, ``tables/`` and the report.

    Attributes:
        path: the folder.
        record: ``run.json``: arguments, versions, seed, input hashes, every step with its status and seconds, facts.
    """

    path: Path
    record: Mapping[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run in folder ``path``.

        Raises:
            RunError: there is no record in it, or it cannot be read.
        """
        folder = Path(path)
        return cls(folder, MappingProxyType(read_run_json(folder)))

    def __repr__(self) -> str:
        done = sum(1 for s in self.record.get("steps", ()) if s["status"] in {"done", "cached"})
        return f"Run({self.path}: {self.status}, {done} steps, {len(self.tables)} tables)"

    @property
    def status(self) -> RunStatus:
        """``complete``, ``running`` (or interrupted) or ``failed``."""
        status: RunStatus = self.record["status"]
        return status

    @property
    def tables(self) -> Tables:
        """The tables by name."""
        return Tables(self.path / "tables")

    @property
    def effects(self) -> pl.DataFrame:
        """Every term of every estimate, with the model's outcome, method, sample, role and aggregation.

        Columns: ``effects_id, outcome, method, sample, role, aggregation``, then those of ``Effects.tidy()``.
        """
        models = self.tables["models"].select("effects_id", "outcome", "method", "sample", "role", "aggregation")
        terms = self.tables["effects"]
        return models.join(terms, on="effects_id", how="inner", maintain_order="left_right")

    @property
    def reports(self) -> tuple[Path, ...]:
        """The report files there are."""
        return tuple(sorted(self.path.glob("report*.html")))


def read_run_json(folder: Path) -> dict[str, Any]:
    """``run.json`` of a run folder. Raises :class:`~hinterland.RunError` when there is none, or it is broken."""
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(
            f"there is no run record in {str(folder)!r}\n    where: {path}\n    do:    name a folder written by `hinterland run -o FOLDER`"
        ) from error
    except ValueError as error:
        raise RunError(
            f"the run record is not JSON: {error}\n    where: {path}\n    do:    run the study again into this folder"
        ) from error
    if not isinstance(record, dict):
        raise _damaged("is not a table", path)
    fail_if_lacking(folder, record, {"status": str, "steps": list})
    if record["status"] not in {"complete", "running", "failed"}:
        raise _damaged(f"has the status {record['status']!r}", path)
    return dict(record)


def fail_if_lacking(folder: Path, record: Mapping[str, Any], needed: Mapping[str, type]) -> None:
    """Raise :class:`~hinterland.RunError` when a part of the record is not there, or not of its type."""
    lacking = [name for name, kind in needed.items() if not isinstance(record.get(name), kind)]
    if lacking:
        raise _damaged(f"has no {' and no '.join(lacking)}", folder / "run.json")


def _damaged(reason: str, path: Path) -> RunError:
    return RunError(
        f"the run record {reason}: it is damaged, or of another version\n    where: {path}\n    do:    run the study again into this folder"
    )


def fail_if_tables_missing(folder: Path, record: Mapping[str, Any]) -> None:
    """Raise :class:`~hinterland.RunError` when a table that a step wrote is not there: what is built on the rest would be incomplete."""
    named = (
        file for step in record["steps"] for file in step.get("outputs", ()) if file.startswith("tables/") and file.endswith(".parquet")
    )
    lost = [file for file in dict.fromkeys(named) if not (folder / file).is_file()]
    if lost:
        raise RunError(
            f"{len(lost)} table(s) of the run are missing: {listed(lost)}\n    where: {folder}\n    do:    run the study again into this folder"
        )


def fail_if_foreign(folder: Path) -> None:
    """Raise :class:`~hinterland.RunError` when ``folder`` holds files that are no run's: a run must not take them away."""
    if not folder.is_dir():
        return
    own = {".lock", STEPS}
    others = sorted(p.name for p in folder.iterdir() if p.name not in own)
    if not others:
        return
    try:
        ours = "hinterland" in json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours and not any((folder / STEPS).glob("*/step.json")):
        raise RunError(
            f"the folder {str(folder)!r} holds other files and no run record\n    where: {', '.join(others[:5])}\n    do:    name a new folder, or an earlier run's, with -o"
        )


def write_json(path: Path, content: Mapping[str, Any], *, passing: bool = False) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it.

    ``passing``: it will be written again soon, so on one line, for which Python has a fast encoder.
    """
    replace_file(path, (json.dumps(content, ensure_ascii=False, indent=None if passing else 1) + "\n").encode())


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path``, then move it there in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(
            f"the run record cannot be written: {error.strerror}\n    where: {path}\n    do:    check space and permissions"
        ) from error


def write_table(folder: Path, name: str, frame: pl.DataFrame) -> list[str]:
    """``frame`` as ``name.parquet`` and ``name.csv`` in ``folder``, the same bytes for the same rows."""
    import io

    for suffix, write in (("parquet", frame.write_parquet), ("csv", frame.write_csv)):
        buffer = io.BytesIO()
        write(buffer)
        replace_file(folder / f"{name}.{suffix}", buffer.getvalue())
    return [f"tables/{name}.parquet", f"tables/{name}.csv"]
