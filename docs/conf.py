"""Sphinx configuration."""

from importlib import metadata

project = "hinterland"
author = "The hinterland developers"
copyright = "2026, The hinterland developers"
release = metadata.version("hinterland")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.autosummary", "sphinx.ext.intersphinx"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "fieldlist"]
myst_heading_anchors = 3
intersphinx_mapping: dict[str, tuple[str, None]] = {}
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_attr_annotations = False  # a trailing underscore (numpy.str_) would read as a link
html_theme = "furo"
html_title = "hinterland"
html_static_path: list[str] = []
exclude_patterns = ["_build"]
suppress_warnings = ["myst.xref_missing"]
