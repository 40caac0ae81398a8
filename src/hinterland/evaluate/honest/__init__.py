"""Inference on an effect when parallel trends are bounded rather than assumed (Rambachan & Roth 2023)."""
