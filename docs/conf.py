"""Sphinx configuration."""

from importlib.metadata import version

project = "hinterland"
author = "The hinterland developers"
copyright = "2026, The hinterland developers"
release = version("hinterland")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.autosummary", "sphinx.ext.intersphinx"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "fieldlist"]
myst_heading_anchors = 3
intersphinx_mapping: dict[str, tuple[str, None]] = {}
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = "hinterland"
html_static_path: list[str] = []
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]
