"""What a result depends on besides the study: the code, the libraries, the input files."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from hinterland import __version__
from hinterland.data.sources import fingerprint
from hinterland.errors import Finding, StudyError, did_you_mean, fail_if_any
from hinterland.study.load import LoadedStudy
from hinterland.study.measuring import measure_sources
from hinterland.study.planning import plan_sources
from hinterland.study.transferring import transfer_sources

_LIBRARIES = ("numpy", "scipy", "polars", "pyarrow", "narwhals", "formulaic", "matplotlib")
_CODE = (".py", ".toml", ".csv", ".json", ".html", ".css", ".jinja", ".j2", ".parquet")


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input: ``path`` as the study names it, SHA-256 of its bytes, size in bytes."""

    path: str
    sha256: str
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {"path": self.path, "sha256": self.sha256, "bytes": self.bytes}


@cache
def versions() -> Mapping[str, str]:
    """Versions of Python, of this package and of the libraries that compute the numbers."""
    found = {"python": platform.python_version(), "hinterland": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


@cache
def code_version() -> str:
    """Hash of the package's own code and facts, and of the versions it runs on: when it changes, nothing old is reused."""
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    _add(files("hinterland"), "", digest)
    return digest.hexdigest()


def _add(folder: Traversable, prefix: str, digest: Any) -> None:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            _add(entry, f"{prefix}{entry.name}/", digest)
        elif entry.name.endswith(_CODE):
            digest.update(f"{prefix}{entry.name}\0".encode())
            digest.update(entry.read_bytes())


def input_files(loaded: LoadedStudy) -> tuple[InputFile, ...]:
    """Every data file of the study, hashed. Raises :class:`~hinterland.StudyError` naming each that is not there."""
    panel = loaded.study.panel
    named = [] if loaded.study.is_world or not loaded.study.has_panel else [(("panel", "source"), panel.source)]
    named += transfer_sources(loaded.study)  # type: ignore[arg-type]
    named += plan_sources(loaded)  # type: ignore[arg-type]
    named += measure_sources(loaded.study)  # type: ignore[arg-type]  # key paths of all shapes
    named += [(("panel", "join", i, "source"), j.source) for i, j in enumerate(panel.join)]  # type: ignore[misc]  # key paths of both shapes
    named += [(("heterogeneity", "file", n, "source"), t.source) for n, t in loaded.study.heterogeneity.file.items()]  # type: ignore[misc]
    neighbours = loaded.study.evaluate.options.get("spillover", {}).get("neighbours")
    if isinstance(neighbours, str):
        named.append((("evaluate", "options", "spillover", "neighbours"), neighbours))  # type: ignore[arg-type]
    channels = loaded.study.displacement.items()
    named += [(("displacement", n, k), v) for n, t in channels for k in ("file", "among_file") if (v := getattr(t, k)) is not None]  # type: ignore[misc]
    programmes = ((i, e.source) for i, e in enumerate(loaded.study.robustness.concurrent) if not isinstance(e, str))
    named += [(("robustness", "concurrent", i, "source"), source) for i, source in programmes if source is not None]  # type: ignore[misc]
    findings = [_missing(loaded, key, source) for key, source in named if not loaded.path(source).is_file()]
    fail_if_any(findings, loaded.name, StudyError)
    hashed: dict[str, InputFile] = {}
    closed = []
    for key, source in named:
        if source in hashed:
            continue
        try:
            mark = fingerprint(loaded.path(source))
            hashed[source] = InputFile(source, mark.sha256, mark.bytes)
        except OSError as error:
            what = f"the data file {source!r} cannot be read: {error.strerror}"
            closed.append(Finding("unreadable-file", what, loaded.where(*key), "check its permissions"))
    fail_if_any(closed, loaded.name, StudyError)
    return tuple(hashed.values())


def _missing(loaded: LoadedStudy, key: tuple[str | int, ...], source: str) -> Finding:
    path = loaded.path(source)
    if path.is_dir():
        return Finding("missing-file", f"{source!r} is a folder, not a data file", loaded.where(*key), f"name a file in it ({path})")
    near = sorted(p.name for p in path.parent.iterdir() if p.is_file()) if path.parent.is_dir() else []
    hint = did_you_mean(path.name, near) if near else "check the path"
    return Finding(
        "missing-file", f"there is no data file {source!r}", loaded.where(*key), f"{hint} (looked for {path}; --data DIR sets the folder)"
    )
