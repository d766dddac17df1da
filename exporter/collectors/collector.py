"""Defines what a collector is: one resource of the API, turned into samples.

`fetch` gets the facts (I/O, no metrics). `advance` adds them to the tenant's history, and `samples` turns both into
samples (pure, no I/O). A collector never catches, logs, sleeps or reads a clock: the poller does that for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, Generic, TypeVar

from exporter.api.client import Api
from exporter.history import History
from exporter.history.bounds import MOST_KEPT
from exporter.metrics import Family, Sample

Facts = TypeVar("Facts")

# Of one family and tenant. As many as the history keeps of what a list can have.
MOST_SAMPLES = MOST_KEPT


@dataclass(frozen=True, slots=True)
class Poll(Generic[Facts]):
    """A successful poll of a tenant, or of the account, whose id is empty. `at` is in Unix seconds.

    `history` has the tenant's history after this poll, of all collectors.
    """

    tenant_id: str
    facts: Facts
    at: float
    history: History = History()


@dataclass(frozen=True, slots=True)
class FleetChange:
    """What a poll adds to the series without a tenant.

    `new` are series to expose from 0 on. `observed` are increments of counters and observations of histograms.
    """

    new: Sequence[Sample] = ()
    observed: Sequence[Sample] = ()


@dataclass(frozen=True, slots=True)
class PollResult:
    """The tenant's samples, its history after the poll, and the change to the fleet's series.

    `dropped` is how many samples of a family were too many, by the family's name; those that the history would have if
    it were not bounded are among them.
    """

    samples: Sequence[Sample]
    history: History = History()
    fleet: FleetChange = FleetChange()
    dropped: Mapping[str, int] = field(default_factory=dict)


class Collector(ABC, Generic[Facts]):
    """One resource of the API."""

    name: ClassVar[str]
    # What it gets, for the documentation of the settings.
    description: ClassVar[str]
    # Seconds from one poll of a tenant to the next.
    default_interval: ClassVar[float]
    enabled_by_default: ClassVar[bool] = True
    families: ClassVar[tuple[Family, ...]]
    # Families without a tenant, which `fleet_change` changes.
    fleet_families: ClassVar[tuple[Family, ...]] = ()
    # Polls the account and no tenant.
    of_account: ClassVar[bool] = False
    # 403 and 404 mean that the tenant has no such thing, which is no failure.
    may_be_absent: ClassVar[bool] = False

    @abstractmethod
    async def fetch(self, api: Api, history: History, /) -> Facts:
        """Get the facts from the API; raises `ApiError`. Most collectors need no history to know what to ask for."""

    def advance(self, history: History, facts: Facts, at: float, /) -> History:  # noqa: ARG002 - for those that do
        """Return the tenant's history after a poll at Unix seconds `at`. Without an own part, nothing changes."""
        return history

    def size(self, facts: Facts, /) -> int:  # noqa: ARG002 - for those whose facts may be many
        """How many objects the facts have. Many take long to be turned into samples."""
        return 1

    @abstractmethod
    def samples(self, poll: Poll[Facts], /) -> Iterable[Sample]:
        """Turn the facts, and what is known of the time before, into samples.

        A tenant keeps the first `MOST_SAMPLES` of a family, so their order must not depend on that of the reply.
        """

    def omitted(self, poll: Poll[Facts], /) -> Mapping[Family, int]:  # noqa: ARG002 - for those whose history is bounded
        """How many objects may lack a sample because the history keeps a limited number of them, by family."""
        return {}

    def fleet_change(self, before: History, poll: Poll[Facts], /) -> FleetChange:  # noqa: ARG002 - for those that do
        """Return the change to the series without a tenant; `before` is the history before the poll."""
        return FleetChange()

    def result(self, tenant_id: str, history: History, facts: Facts, at: float) -> PollResult:
        """Return what a poll gives that ended at Unix seconds `at` with these facts; `history` is that before it."""
        poll = Poll(tenant_id, facts, at, self.advance(history, facts, at))
        samples, dropped = _bounded(self.samples(poll))
        dropped.update({family.name: count for family, count in self.omitted(poll).items() if count})
        return PollResult(samples, poll.history, self.fleet_change(history, poll), dropped)


def _bounded(samples: Iterable[Sample]) -> tuple[list[Sample], Counter[str]]:
    """The first 1,000 samples of each family, and how many more there are: one tenant must not fill the page."""
    rest = iter(samples)
    kept = list(islice(rest, MOST_SAMPLES))  # nearly always all
    if len(kept) < MOST_SAMPLES:
        return kept, Counter()
    counts = Counter([sample.family.name for sample in kept])
    for sample in rest:
        counts[sample.family.name] += 1
        if counts[sample.family.name] <= MOST_SAMPLES:
            kept.append(sample)
    return kept, Counter({name: count - MOST_SAMPLES for name, count in counts.items() if count > MOST_SAMPLES})
