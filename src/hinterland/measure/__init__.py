"""Indicators: pure functions over arrays, one family per file, and one labelled entry for all of them."""
