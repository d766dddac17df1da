"""When may the next request go out?

One budget for everything that is sent: pages, tokens and retries pay like the rest. Requests leave evenly
spaced, so that no second ever holds more than the rate. The libraries for this (aiolimiter, pyrate-limiter)
keep a fixed rate; this one must hold back on `Retry-After`, slow down on a bare 429, and recover.
"""

from __future__ import annotations

from exporter.clock import Clock

# A bare 429 halves the rate, at most once in this many seconds: those in flight were sent at the old rate.
_CUT_EVERY = 1.0
_CUT_TO = 1 / 64
# From a full stop back to the full rate in this many seconds, linearly.
_RECOVERY = 300.0
# A server that asks for more than this is asked again after this: a slip of its clock must not blind us for a day.
_HOLD_MOST = 900.0


class Budget:
    """Spaces requests `1 / rate` seconds apart; `rate` in requests a second, fractions and infinity allowed."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.full_rate = rate
        self.spent = 0
        self.spent_at = clock.monotonic()
        self._clock = clock
        self._next = 0.0
        self._held_until = 0.0
        self._cut_share = 1.0
        self._cut_at = -_RECOVERY

    @property
    def rate(self) -> float:
        """Requests a second at which they go out, but for a hold."""
        return self.full_rate * self._share

    @property
    def _share(self) -> float:
        return min(1.0, self._cut_share + (self._clock.monotonic() - self._cut_at) / _RECOVERY)

    @property
    def hold(self) -> float:
        """Seconds until anything may go out at all."""
        return max(0.0, self._held_until - self._clock.monotonic())

    @property
    def allowed(self) -> float:
        """Requests a second that may go out now: none while the server has asked to wait."""
        return 0.0 if self.hold else self.rate

    async def take(self) -> float:
        """Wait for a place; gives the seconds waited."""
        begun = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            place = max(now, self._next, self._held_until)
            self._next = place + 1 / self.rate
            if place > now:
                await self._clock.sleep(place - now)
            # A hold that came while this one slept counts for it too.
            if self._clock.monotonic() >= self._held_until:
                self.spent += 1
                self.spent_at = self._clock.monotonic()
                return self.spent_at - begun

    def throttled(self, retry_after: float | None) -> None:
        """The server said "too much": hold back as long as it asked for, or cut the rate where it did not say."""
        now = self._clock.monotonic()
        if retry_after is not None:
            self._held_until = max(self._held_until, now + min(retry_after, _HOLD_MOST))
        elif now - self._cut_at >= _CUT_EVERY:
            self._cut_share = max(_CUT_TO, self._share / 2)
            self._cut_at = now
