"""Where finished steps are kept: one folder per step, moved into place whole, so that half a step is never seen."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.errors import RunError
from hinterland.study.record import STEPS
from hinterland.study.steps.output import Output


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished step: its hash, how long it took, what it left."""

    hash: str
    seconds: float
    output: Output


def step_folder(out: Path, step: str) -> Path:
    """The folder of a step: a readable name and a digest, since ids hold slashes and any letters."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", step)[:60]
    return out / STEPS / f"{readable}-{hashlib.sha256(step.encode()).hexdigest()[:10]}"


def keep(out: Path, step: str, digest: str, seconds: float, output: Output) -> None:
    """Keep a finished step. Raises :class:`~hinterland.RunError` when it cannot be written."""
    final = step_folder(out, step)
    draft = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    content = {
        "step": step,
        "hash": digest,
        "seconds": seconds,
        "tables": sorted(output.tables),
        "facts": output.facts,
        "files": list(output.files),
    }
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, frame in output.tables.items():
            frame.write_parquet(draft / f"{name}.parquet")
        (draft / "step.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        draft.replace(final)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise RunError(
            f"step {step!r} cannot be kept: {error.strerror}\n    where: {final}\n    do:    check space and permissions"
        ) from error


def recall(out: Path, step: str, digest: str) -> Stored | None:
    """The step as it was kept, if its hash is still ``digest`` and all it left is there."""
    folder = step_folder(out, step)
    try:
        content: dict[str, Any] = json.loads((folder / "step.json").read_text(encoding="utf-8"))
        if content["hash"] != digest or not all((out / f).is_file() for f in content["files"]):
            return None
        tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in content["tables"]}
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return None
    return Stored(digest, float(content["seconds"]), Output(tables, content["facts"], tuple(content["files"])))


def forget(out: Path, keep_only: set[str]) -> None:
    """Remove what is kept of steps that the study no longer has, and drafts of interrupted ones."""
    root = out / STEPS
    names = {step_folder(out, s).name for s in keep_only}
    for entry in root.iterdir() if root.is_dir() else ():
        if entry.name not in names:
            shutil.rmtree(entry, ignore_errors=True)


def drop(out: Path, step: str) -> None:
    """Remove what is kept of one step, so that the next run does it again."""
    shutil.rmtree(step_folder(out, step), ignore_errors=True)
