"""What follows from a plan: what moves first, the support that each phase needs, what each restriction costs, and how a published pathway compares."""

from __future__ import annotations

from hinterland.plan.advice.frames import advice_frames

__all__ = ["advice_frames"]
