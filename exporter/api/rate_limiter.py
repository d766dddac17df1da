"""Limits the rate of all requests: pages, tokens and retries share one limit.

Requests are evenly spaced, so that no second has more than the rate. Libraries for this (aiolimiter,
pyrate-limiter) keep a fixed rate. This one also waits on `Retry-After`, slows down on a 429 without it, and recovers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from exporter.clock import Clock

# Called in the caller's context for each request that may be sent, so that a poll can count its requests.
on_request: ContextVar[Callable[[], None]] = ContextVar("on_request", default=lambda: None)

# A 429 without `Retry-After` halves the rate, but the 429s of this many seconds count once: they share a cause.
_CUT_EVERY = 1.0
_CUT_TO = 1 / 64
# The rate rises linearly, from zero to the full rate in this many seconds.
_RECOVERY = 300.0
# The longest wait on `Retry-After`, in seconds: a wrong clock of the server must not stop all polls for a day.
LONGEST_HOLD = 900.0


class RateLimiter:
    """Spaces requests `1 / rate` seconds apart; `rate` in requests a second, fractions and infinity allowed."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.full_rate = rate
        self.acquired = 0
        self.acquired_at = clock.monotonic()
        self._clock = clock
        self._next = 0.0
        self._held_until = 0.0
        self._cut_share = 1.0
        self._cut_at = -_RECOVERY

    @property
    def rate(self) -> float:
        """The current rate in requests a second, if no hold is active."""
        return self.full_rate * self._share

    @property
    def _share(self) -> float:
        return min(1.0, self._cut_share + (self._clock.monotonic() - self._cut_at) / _RECOVERY)

    @property
    def hold(self) -> float:
        """Seconds for which all requests still have to wait; 0 if they have not."""
        return max(0.0, self._held_until - self._clock.monotonic())

    @property
    def allowed(self) -> float:
        """Requests a second that are allowed now: 0 while all requests have to wait."""
        return 0.0 if self.hold else self.rate

    async def acquire(self) -> float:
        """Wait until the next request may be sent. Returns the seconds waited."""
        begun = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            send_at = max(now, self._next, self._held_until)
            self._next = send_at + 1 / self.rate
            if send_at > now:
                await self._clock.sleep(send_at - now)
            # A hold may have begun during the sleep.
            if self._clock.monotonic() >= self._held_until:
                self.acquired += 1
                on_request.get()()
                self.acquired_at = self._clock.monotonic()
                return self.acquired_at - begun

    def throttled(self, retry_after: float | None) -> None:
        """The server answered "too many requests": wait for `retry_after` seconds, or halve the rate if it is None."""
        now = self._clock.monotonic()
        if retry_after is not None:
            self._held_until = max(self._held_until, now + min(retry_after, LONGEST_HOLD))
        elif now - self._cut_at >= _CUT_EVERY:
            self._cut_share = max(_CUT_TO, self._share / 2)
            self._cut_at = now
