"""One proposed value with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A proposed value, why, and how sure: 0 (a blind guess) to 1 (the file says so)."""

    value: str | int | tuple[float, ...] | None
    reason: str
    confidence: float
