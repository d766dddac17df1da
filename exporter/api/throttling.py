"""Decides whether a throttled reply concerns one caller, or all.

The API's limits are not documented. A tenant's credentials may have a limit of their own, so the `Retry-After` of one
tenant holds back that tenant alone. If many tenants are throttled at the same time, the limit is a common one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from exporter.api.errors import ThrottledError, TransientError
from exporter.api.rate_limiter import LONGEST_HOLD, RateLimiter
from exporter.clock import Clock

# Throttled tenants mean a common limit if they are this many within so many seconds, and this share of all tenants
# that the API has answered in that time. A third of the tenants can have limits of their own; half is no coincidence.
SEVERAL, WITHIN, SHARE = 3, 60.0, 0.5
# In a large fleet, half takes long to reach. So nearly all of the last tenants answered are enough.
LAST, OF_LAST = 20, 16
# The longest hold for all, in seconds, that tenants' replies cause. A throttled tenant waits for its own `Retry-After`.
LONGEST_COMMON_HOLD = 60.0


@dataclass(eq=False, slots=True)
class Caller:
    """The sender of requests: the account, or one tenant.

    It waits until `held_until`, in monotonic seconds, as the API requires; `refusal` is the kind of that reply.
    """

    of_account: bool = False
    held_until: float = 0.0
    refusal: type[TransientError] = ThrottledError


class Throttling:
    """Delays the requests of one caller or of all, as the API's replies require."""

    def __init__(self, rate_limiter: RateLimiter, clock: Clock) -> None:
        self._rate_limiter = rate_limiter
        self._clock = clock
        # When tenants were last answered, and last throttled, in monotonic seconds; the oldest first.
        self._answered: dict[Caller, float] = {}
        self._throttled: dict[Caller, float] = {}

    def hold(self, caller: Caller) -> float:
        """Seconds for which this caller still has to wait; 0 if it has not."""
        return max(0.0, caller.held_until - self._clock.monotonic())

    def answered(self, caller: Caller) -> None:
        """The API has answered this caller, in whatever way."""
        if not caller.of_account:
            self._note(self._answered, caller)

    def throttled(self, caller: Caller, error: TransientError) -> None:
        """The API has throttled this caller; it has to wait for `error.retry_after` seconds, if that is not None."""
        wait = error.retry_after
        if caller.of_account:
            self._rate_limiter.throttled(wait)
            return
        if wait is not None:
            caller.held_until = max(caller.held_until, self._clock.monotonic() + min(wait, LONGEST_HOLD))
            caller.refusal = type(error)
        self._note(self._throttled, caller)
        if self._is_common():
            self._rate_limiter.throttled(None if wait is None else min(wait, LONGEST_COMMON_HOLD))

    def _is_common(self) -> bool:
        last = sum(each in self._throttled for each in islice(reversed(self._answered), LAST))
        half = len(self._throttled) >= SHARE * len(self._answered)
        return len(self._throttled) >= SEVERAL and (half or last >= OF_LAST)

    def _note(self, seen: dict[Caller, float], caller: Caller) -> None:
        """Note that the caller has been seen now, and remove those that were seen too long ago."""
        now = self._clock.monotonic()
        seen.pop(caller, None)
        seen[caller] = now
        for times in (self._answered, self._throttled):
            while times and next(iter(times.values())) <= now - WITHIN:
                del times[next(iter(times))]
