"""Defines what a collector is: one resource of the API, turned into samples.

`fetch` gets the facts (I/O, no metrics). `samples` turns them into samples (pure, no I/O). A collector never catches,
logs, sleeps or reads a clock: the poller does that for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from exporter.api.client import Api
from exporter.metrics import Family, Kind, Sample

Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True)
class Poll(Generic[Facts]):
    """A successful poll: the tenant (empty for the account), the facts, and the time, in Unix seconds."""

    tenant_id: str
    facts: Facts
    at: float


@dataclass(frozen=True, slots=True)
class FleetChange:
    """What a poll adds to the series without a tenant.

    `new` are series to expose from 0 on. `observed` are increments of counters and observations of histograms.
    """

    new: Sequence[Sample] = ()
    observed: Sequence[Sample] = ()


@dataclass(frozen=True, slots=True)
class PollResult:
    """The tenant's samples, the history for its next poll, and the change to the fleet's series."""

    samples: Sequence[Sample]
    history: Any = None
    fleet: FleetChange = FleetChange()


class Collector(ABC):
    """One resource of the API. Subclass `StatelessCollector` unless samples depend on earlier polls."""

    name: ClassVar[str]
    # What it gets, for the documentation of the settings.
    description: ClassVar[str]
    # Seconds from one poll of a tenant to the next.
    default_interval: ClassVar[float]
    enabled_by_default: ClassVar[bool] = True
    families: ClassVar[tuple[Family, ...]]
    # Families without a tenant, which `PollResult.fleet` changes.
    fleet_families: ClassVar[tuple[Family, ...]] = ()
    # Polls the account and no tenant.
    of_account: ClassVar[bool] = False
    # 403 and 404 mean that the tenant has no such thing, which is no failure.
    may_be_absent: ClassVar[bool] = False

    @abstractmethod
    async def poll(self, api: Api, tenant_id: str, history: Any, now: Callable[[], float]) -> PollResult:  # noqa: ANN401 - each collector has its own type of history
        """Poll one tenant; `now` gives Unix seconds. Raises `ApiError`, and then nothing has changed.

        `history` is that of the tenant's last successful result, None at its first poll.
        """


class StatelessCollector(Collector, Generic[Facts]):
    """A collector whose samples follow from the newest poll alone."""

    @abstractmethod
    async def fetch(self, api: Api) -> Facts:
        """Get the facts from the API; raises `ApiError`."""

    @abstractmethod
    def samples(self, poll: Poll[Facts]) -> Iterable[Sample]:
        """Turn the facts into samples."""

    async def poll(self, api: Api, tenant_id: str, history: Any, now: Callable[[], float]) -> PollResult:  # noqa: ANN401 - as in `Collector`
        """Fetch, and turn into samples."""
        facts = await self.fetch(api)
        return PollResult(list(self.samples(Poll(tenant_id, facts, now()))), history)


def polled(name: str, text: str, *labels: str, kind: Kind = "gauge", buckets: Sequence[float] = ()) -> Family:
    """A family that polls fill; its help says so, as the guide "Writing exporters" asks."""
    return Family(name, kind, f"{text} Cached from the last poll.", labels, tuple(buckets))


def known(*pairs: tuple[Family, float | None], **labels: str) -> list[Sample]:
    """Samples of the facts that the API gave, with these labels; none for null or missing ones."""
    return [family(value, **labels) for family, value in pairs if value is not None]
