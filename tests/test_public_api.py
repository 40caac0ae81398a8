"""The public names: complete, loadable, typed, and cheap to import."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import hinterland as hl

HEAVY = ("numpy", "scipy", "polars", "pyarrow", "narwhals", "matplotlib", "pydantic", "formulaic", "pandas", "jinja2", "typer", "rich")


def test_all_is_the_lazy_map() -> None:
    assert set(hl.__all__) == {"__version__", *hl._PUBLIC}
    assert len(hl.__all__) == len(set(hl.__all__))


def test_imports_for_type_checkers_are_the_lazy_map() -> None:
    tree = ast.parse(Path(inspect.getfile(hl)).read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING")
    typed = {a.name: f"{n.module}" for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert typed == {name: f"hinterland.{module}" for name, module in hl._PUBLIC.items()}


@pytest.mark.parametrize("name", hl.__all__)
def test_every_name_loads(name: str) -> None:
    value = getattr(hl, name)
    if name != "__version__":
        assert value is getattr(import_module(f"hinterland.{hl._PUBLIC[name]}"), name)
        assert inspect.getdoc(value), f"{name} has no docstring"


def test_dir_lists_the_public_names() -> None:
    assert dir(hl) == sorted(hl.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'estimat'"):
        _ = hl.estimat  # type: ignore[attr-defined]


def test_public_functions_are_annotated_throughout() -> None:
    functions = [getattr(hl, n) for n in hl._PUBLIC if inspect.isfunction(getattr(hl, n))]
    bare = [f"{f.__name__}({p.name})" for f in functions for p in inspect.signature(f).parameters.values() if p.annotation is p.empty]
    assert bare == []
    assert [f.__name__ for f in functions if inspect.signature(f).return_annotation is inspect.Signature.empty] == []


def test_import_loads_nothing_heavy(record_property: pytest.FixtureRequest) -> None:
    code = (
        "import sys, time, json; before = set(sys.modules); t = time.perf_counter(); import hinterland; s = time.perf_counter() - t;"
        "print(json.dumps([s, sorted(set(sys.modules) - before)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, loaded = json.loads(done.stdout)
    record_property("import_seconds", seconds)  # type: ignore[operator]  # a fixture that is a function
    assert [m for m in HEAVY if m in loaded] == []
    assert sorted(m for m in loaded if m.startswith("hinterland.")) == []


def test_the_function_measure_wins_over_the_package_of_that_name() -> None:
    code = "import hinterland.measure.segmentation, hinterland as hl; assert hl.measure.__module__ == 'hinterland.measure.entry'"
    subprocess.run([sys.executable, "-c", code], check=True)
