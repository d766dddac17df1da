"""Asks Prometheus which alerts are pending and which fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

_SECONDS = 5.0
# Of an answer. A demo has a few alerts.
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert in Prometheus: `state` is `pending` or `firing`; `tenant_id` is empty if it is about no tenant."""

    name: str
    tenant_id: str
    severity: str
    state: str


class AlertWatch:
    """Reads the alerts of one Prometheus, whose base URL is `address`."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    async def alerts(self) -> list[AlertState] | None:
        """The alerts now; None if Prometheus does not say."""
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.get(f"{self.address}/api/v1/alerts", allow_redirects=False) as reply,
            ):
                reply.raise_for_status()
                if (reply.content_length or 0) > _MOST_BYTES:
                    return None
                return [_state(each) for each in (await reply.json())["data"]["alerts"]]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            return None


def _state(alert: dict[str, Any]) -> AlertState:
    labels = alert["labels"]
    return AlertState(labels["alertname"], labels.get("tenant_id", ""), labels.get("severity", ""), str(alert["state"]))
