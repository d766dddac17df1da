"""Asks Prometheus which alerts are pending and which fire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

_SECONDS = 5.0
# Of an answer. A demo has a few alerts.
_MOST_BYTES = 4 * 1024 * 1024
# What reading another server's JSON may raise.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


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
                answer = json.loads(await _body(reply.content))
                return [_state(each) for each in answer["data"]["alerts"]]
        except (aiohttp.ClientError, OSError, TimeoutError, *_MALFORMED):
            return None


async def _body(content: aiohttp.StreamReader) -> bytes:
    """The whole body; ValueError if it is too long, whatever length its head says."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            raise ValueError("the answer is too long")
    return bytes(body)


def _state(alert: dict[str, Any]) -> AlertState:
    """Raises one of `_MALFORMED` if it is no alert."""
    labels = alert["labels"]
    name, state = labels["alertname"], alert["state"]
    return AlertState(str(name), str(labels.get("tenant_id", "")), str(labels.get("severity", "")), str(state))
