"""The exported schema and the reference page say what the types say."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

from hinterland.study.glossary import entries
from hinterland.study.schema import json_schema

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_schema_file_is_fresh() -> None:
    written = json.loads((REFERENCE / "study.schema.json").read_text(encoding="utf-8"))
    assert written == json_schema(), "write it again: hinterland explain study --schema > docs/reference/study.schema.json"


def test_the_schema_accepts_the_packaged_study() -> None:
    import jsonschema

    study = tomllib.loads(files("hinterland.study").joinpath("demonstration.toml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json_schema()).validate(study)


def test_every_key_is_described_in_the_reference() -> None:
    page = (REFERENCE / "study-file.md").read_text(encoding="utf-8")
    keys = [e.id.rpartition(".")[2] for e in entries() if e.kind == "study-key"]
    assert [k for k in keys if f"`{k}`" not in page and f"{k}]" not in page] == []


def test_every_key_has_a_description() -> None:
    assert [e.id for e in entries() if e.kind == "study-key" and (not e.text or e.text.startswith("None"))] == []
