"""Limits how often pages are asked for, as `rate_limit` of the exporter toolkit does: with a token bucket."""

from __future__ import annotations

import asyncio


class RateLimit:
    """Allows `burst` requests at once, and one more every `interval` seconds."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def allows(self) -> bool:
        """Whether a request may be answered now; it then counts. Call it on the event loop."""
        now = asyncio.get_running_loop().time()
        if self._at is not None:
            self._tokens = min(self.burst, self._tokens + (now - self._at) / self.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
