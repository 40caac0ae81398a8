"""The three states of a cell, which no step may confuse: a number (zero among them), missing, suppressed."""

from __future__ import annotations

from typing import Final

OBSERVED: Final = 0
"""The cell has a value; a true zero is a value."""
MISSING: Final = 1
"""Nobody recorded a value, or the table has no row for the cell."""
SUPPRESSED: Final = 2
"""A value exists and is withheld (confidential), or the question does not apply."""

STATES: Final = ("observed", "missing", "suppressed")
"""Names of the states, by number, as a table writes them."""
