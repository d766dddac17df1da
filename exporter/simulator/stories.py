"""Defines a story: what happens to one tenant, and when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Story:
    """One thing that happens to one tenant. Unix seconds; `ends` is None for a story without an end."""

    kind: str
    tenant_id: str
    begins: float
    ends: float | None = None
