"""Knows since when an integration's own access has been in its state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from exporter.metrics import Sample, polled

STATE_SINCE = polled(
    "kimono_application_auth_state_since_timestamp_seconds",
    "Since when the integration's own access has been in this state, in Unix seconds.",
    *("tenant_id", "state"),
)
FAMILIES = (STATE_SINCE,)


@dataclass(frozen=True, slots=True)
class ApplicationHistory:
    """The last known state of the integration's own access, and since when (Unix seconds) it has been this.

    `given` is the state in the last reply, if any. The state file does not have it.
    """

    state: str | None = None
    since: float = 0.0
    given: Annotated[str | None, Field(exclude=True)] = None


def advance(before: ApplicationHistory, state: str | None, at: float) -> ApplicationHistory:
    """The history after a poll at Unix seconds `at`. An unknown state changes no time."""
    if state is None:
        return replace(before, given=None)
    return ApplicationHistory(state, min(before.since, at) if state == before.state else at, state)


def samples(history: ApplicationHistory, tenant_id: str) -> Iterator[Sample]:
    """The sample of the state, if it is known now."""
    if history.given is not None:
        yield STATE_SINCE(history.since, tenant_id=tenant_id, state=history.given)
