"""Pathway planning: which industry, from where to where, when, with what support."""
