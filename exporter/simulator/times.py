"""Time units and rounding. All times in the simulator are Unix seconds."""

from __future__ import annotations

HOUR = 3600.0
DAY = 86_400.0


def round_to_ms(moment: float) -> float:
    """Round to the millisecond, as the API does, so that `Truth` and replies agree."""
    return round(moment * 1000) / 1000
