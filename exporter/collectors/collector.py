"""What is a collector?

One resource of the API: its families, `fetch` (I/O, no metrics) and `read` (pure, no I/O). Collectors never
catch, log, sleep or read a clock; the poller does all that for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from exporter.metrics import Family, Kind, Sample

Api = TypeVar("Api")
Facts = TypeVar("Facts")
Memory = TypeVar("Memory")


@dataclass(frozen=True)
class Reading(Generic[Memory]):
    """What one visit gave: the tenant's rows, what to hand in at its next visit, and what is new to the fleet."""

    samples: Sequence[Sample]
    memory: Memory | None = None
    news: object = None


class Collector(ABC, Generic[Api, Facts, Memory]):
    """One resource of the API. `memory` is a value for each tenant, None at its first visit."""

    name: ClassVar[str]
    families: ClassVar[tuple[Family, ...]]
    # Families without a tenant, whose rows `fleet` gives.
    fleet_families: ClassVar[tuple[Family, ...]] = ()
    # 403 and 404 mean that the tenant has no such thing, which is no failure.
    may_be_absent: ClassVar[bool] = False

    @abstractmethod
    async def fetch(self, api: Api, memory: Memory | None) -> Facts:
        """Ask the API; raises `ApiError`, and then nothing is changed."""

    @abstractmethod
    def read(self, tenant_id: str, facts: Facts, memory: Memory | None, now: float) -> Reading[Memory]:
        """Turn facts into rows; `now` in Unix seconds."""

    def take(self, news: object) -> bool:  # noqa: ARG002 - most have no news
        """Add a reading's `news` to what `fleet` shows, and tell whether that changed it.

        The poller calls it for each reading that counts.
        """
        return False

    def fleet(self) -> Iterable[Sample]:
        """The rows of `fleet_families` as they are now."""
        return ()


def polled(name: str, text: str, *labels: str, kind: Kind = "gauge") -> Family:
    """A family that is filled by polls; its help says so, as the guide "Writing exporters" asks."""
    return Family(name, kind, f"{text} Cached from the last poll.", labels)


def known(*pairs: tuple[Family, float | None], **labels: str) -> list[Sample]:
    """Samples of the facts that the API gave, with these labels; none for those that it did not."""
    return [family(value, **labels) for family, value in pairs if value is not None]
