"""A store of cells by partition: an update reads only the partitions whose files changed, and leaves the bytes of a full rebuild.

The store is a folder: ``cells.json`` lists the partitions, each with the fingerprints of its files and the two Parquet files that hold
its cells and its rejected rows. The names of these files are made of the fingerprints, the list is replaced in one step at the end, and
files that it does not name are removed after that: a store is always some complete state, whatever interrupts an update.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.data.micro import reduce_firms
from hinterland.data.micro_cells import Cells, add_cells
from hinterland.data.micro_source import matching
from hinterland.data.sources import fingerprint
from hinterland.errors import Finding, InputError, RunError, fail_if_any, listed

LIST = "cells.json"
FORMAT = 1
_NAME = re.compile(r"[0-9A-Za-z一-鿿][0-9A-Za-z一-鿿._-]*")
_ROW_GROUP = 1 << 18


@dataclass(frozen=True, slots=True)
class Update:
    """What an update of a store did.

    Attributes:
        computed, kept, removed: names of the partitions that were read, left as they were, and taken out.
        folder: of the store.
    """

    computed: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    folder: Path

    def cells(self) -> Cells:
        """The cells of all partitions together."""
        return read_cells(self.folder)


def update_cells(
    folder: str | Path,
    partitions: Mapping[str, str | Path | Sequence[str | Path]],
    *,
    memory_limit: str = "2GB",
    threads: int = 2,
    **definition: Any,
) -> Update:
    """Bring a store of firms' cells up to date with its files.

    Sums are the reproducible ones of ``reduce_firms``, so that an update leaves the bytes of a full rebuild on any machine.

    Args:
        folder: of the store; made if it is not there. One store is for one definition.
        partitions: the files of each partition (a path, several or a pattern), by a name such as the year. All of them, every time:
            partitions that are not named any more are taken out.
        memory_limit, threads: of DuckDB.
        definition: the columns and options of :func:`hinterland.data.micro.reduce_firms` except ``engine`` and
            ``reproducible``. A store made with others is
            computed anew.

    Raises:
        InputError: names that make no file names, files that do not exist, and what ``reduce_firms`` raises. The store is then as before.
    """
    root = Path(folder)
    fail_if_any([*_bad_names(partitions), *_bad_options(definition)], "updating cells", InputError)
    wanted = {name: _inputs(partitions[name], definition) for name in sorted(partitions)}
    before = _listed(root)["partitions"] if (root / LIST).exists() else {}
    stale = [n for n in wanted if n not in before or before[n]["key"] != wanted[n]["key"] or not _is_whole(root, before[n])]
    root.mkdir(parents=True, exist_ok=True)
    fresh = {}
    for name in stale:
        files = list(matching(partitions[name])[0])
        cells = reduce_firms(files, **definition, reproducible=True, memory_limit=memory_limit, threads=threads)
        fresh[name] = {**wanted[name], **_written(root, name, wanted[name]["key"], cells)}
    entries = {name: fresh.get(name) or before[name] for name in wanted}
    _replace(root / LIST, json.dumps({"format": FORMAT, "partitions": entries}, ensure_ascii=False, indent=1, sort_keys=True).encode())
    _sweep(root, entries)
    return Update(tuple(stale), tuple(n for n in wanted if n not in stale), tuple(sorted(set(before) - set(wanted))), root)


def read_cells(folder: str | Path) -> Cells:
    """The cells of a store, all partitions together.

    Raises:
        RunError: the folder is no store, or a file of it is damaged or gone.
    """
    root = Path(folder)
    entries = _listed(root)["partitions"]
    broken = [name for name, entry in entries.items() if not _is_whole(root, entry)]
    if broken:
        raise RunError(f"the store {str(root)!r} has damaged or missing files for {listed(broken)}: update it again")
    if not entries:
        raise RunError(f"the store {str(root)!r} has no partition")
    return add_cells([_read(root, entry) for _, entry in sorted(entries.items())])


def _bad_names(partitions: Mapping[str, object]) -> list[Finding]:
    bad = [n for n in partitions if not _NAME.fullmatch(n)]
    remedy = "use letters, digits, '.', '-' and '_'"
    return [Finding("bad-name", f"{listed(bad)} cannot be part of a file's name", "argument partitions", remedy)] if bad else []


def _bad_options(definition: Mapping[str, object]) -> list[Finding]:
    bad = [n for n in ("engine", "reproducible") if n in definition]
    what = "a store is always computed by DuckDB, reproducibly"
    return [Finding("unknown-option", what, f"option {n}", "leave it out") for n in bad]


def _inputs(source: str | Path | Sequence[str | Path], definition: Mapping[str, Any]) -> dict[str, Any]:
    """Fingerprints of a partition's files, and the key that stands for them and the definition."""
    prints = [{"file": f.name, **asdict(fingerprint(f))} for f in matching(source)[0]]
    said = json.dumps([FORMAT, definition, [p["sha256"] for p in prints]], sort_keys=True, default=sorted)
    return {"inputs": prints, "key": hashlib.sha256(said.encode()).hexdigest()}


def _written(root: Path, name: str, key: str, cells: Cells) -> dict[str, Any]:
    """Write a partition's two files; their names and fingerprints, and what is needed to read them."""
    files = {}
    for kind, frame in (("cells", cells.frame), ("rejected", cells.rejected)):
        path = root / f"{name}-{kind}-{key[:16]}.parquet"
        temporary = path.with_suffix(".part")
        frame.write_parquet(temporary, compression="zstd", compression_level=3, statistics=True, row_group_size=_ROW_GROUP)
        temporary.replace(path)
        files[kind] = {"file": path.name, **asdict(fingerprint(path))}
    return {**files, "keys": cells.keys, "values": cells.values, "findings": [asdict(f) for f in cells.findings]}


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sweep(root: Path, entries: Mapping[str, Any]) -> None:
    """Remove files of partitions that the list no longer names, and what an interrupted update left."""
    named = {entry[kind]["file"] for entry in entries.values() for kind in ("cells", "rejected")}
    for path in root.iterdir():
        ours = re.search(r"-(cells|rejected)-[0-9a-f]{16}\.(parquet|part)$", path.name)
        if (ours and path.name not in named) or path.name == "cells.part":
            path.unlink()


def _listed(root: Path) -> dict[str, Any]:
    try:
        found = json.loads((root / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{str(root)!r} is no store of cells: {LIST} cannot be read ({error})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunError(f"{str(root / LIST)!r} was not written by this version: make the store again in an empty folder")
    return found


def _is_whole(root: Path, entry: Mapping[str, Any]) -> bool:
    """Whether both files of a partition are there with the bytes that were written."""
    for kind in ("cells", "rejected"):
        path = root / entry[kind]["file"]
        if not path.exists() or fingerprint(path).sha256 != entry[kind]["sha256"]:
            return False
    return True


def _read(root: Path, entry: Mapping[str, Any]) -> Cells:
    frames = [pl.read_parquet(root / entry[kind]["file"]) for kind in ("cells", "rejected")]
    findings = tuple(Finding(**f) for f in entry["findings"])
    return Cells(frames[0], tuple(entry["keys"]), tuple(entry["values"]), frames[1], findings, "duckdb")
