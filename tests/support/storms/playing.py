"""Plays alerts into a real Alertmanager whose durations are scaled down, and records each notification.

Five hours pass in half a minute. All durations of the configuration are divided by one factor, and so is the time
between the alerts. What Alertmanager does not let anyone configure keeps its length. Of that, one thing shows: a group
whose last alert has resolved is removed within 30 s of real time. An alert that fires again in such a group waits for
`group_interval`, and not for `group_wait`.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.support.backtest.engine import Firing
from tests.support.backtest.scenario import seconds
from tests.support.processes import answers, eventually, free_port, running
from tests.support.webhook import Request, listening

MINUTE = 60.0
# Prometheus sends a firing alert every minute, and lets it end after four. Fewer requests leave the machine time.
RESENT = 10 * MINUTE
_LASTING = 4 * RESENT
# So late may an alert be: less than the group of a tenant's alert waits.
LATE = 4 * MINUTE
_DURATIONS = ("group_wait", "group_interval", "repeat_interval", "resolve_timeout")
_EXAMPLE_URL = "http://127.0.0.1:9095"

# Alerts, by the name of the storm. Their times are Unix seconds; a storm begins with its first alert.
Storms = Mapping[str, Sequence[Firing]]


@dataclass(frozen=True)
class Notification:
    """One notification: `at` is in seconds of the storm since its first alert fired."""

    at: float
    receiver: str
    alert: str
    firing: int
    resolved: int


@dataclass(frozen=True)
class Played:
    """What was notified, by storm, and by how many seconds of the storm the alerts were late at worst."""

    notifications: Mapping[str, Sequence[Notification]]
    behind: float


def scaled(config: str, factor: float, url: str) -> str:
    """The configuration with all durations divided by `factor`, and with its example receivers at `url`."""
    return json.dumps(_scaled(yaml.safe_load(config.replace(_EXAMPLE_URL, url)), factor))


def _scaled(part: Any, factor: float) -> Any:
    if isinstance(part, list):
        return [_scaled(one, factor) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: f"{max(1, round(seconds(value) / factor * 1000))}ms" if key in _DURATIONS else _scaled(value, factor)
        for key, value in part.items()
    }


def play(program: str, config: str, storms: Storms, folder: Path, *, lasts: float, factor: float) -> Played:
    """Play the first `lasts` seconds of all storms at once, `factor` times as fast.

    Each storm has its name for the label `job`, so that storms share neither groups nor inhibitions. `folder` takes
    Alertmanager's data and log. OSError if Alertmanager can't be reached.
    """
    with listening() as webhook, _alertmanager(program, scaled(config, factor, webhook.url), folder) as port:
        player = _Player(storms, factor, port)
        begun = player.play(lasts)
        requests = list(webhook.requests)
    notifications: dict[str, list[Notification]] = {name: [] for name in storms}
    for request in requests:
        notifications[request.body["commonLabels"]["job"]].append(_notification(request, begun, factor))
    return Played(notifications, player.behind)


def play_in_time(program: str, config: str, storms: Storms, folder: Path, *, lasts: float, factor: float) -> Played:
    """Play; if the machine is so slow that alerts come late, play again at half the speed."""
    while True:
        played = play(program, config, storms, folder / f"{factor:g}", lasts=lasts, factor=factor)
        if played.behind <= LATE:
            return played
        factor /= 2


def _notification(request: Request, begun: float, factor: float) -> Notification:
    states = [alert["status"] for alert in request.alerts]
    return Notification(
        (request.at - begun) * factor,
        request.receiver,
        request.alerts[0]["labels"]["alertname"],
        states.count("firing"),
        states.count("resolved"),
    )


@contextmanager
def _alertmanager(program: str, config: str, folder: Path) -> Iterator[int]:
    """A running Alertmanager; yields its port."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "alertmanager.yaml"
    file.write_text(config)
    port = free_port()
    command = [
        program,
        f"--config.file={file}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running(command, {}, folder):
        eventually(lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
        yield port


@dataclass(frozen=True)
class _Change:
    """An alert begins or ends, in seconds since the storm's first."""

    at: float
    key: int
    labels: Mapping[str, str]
    ends: bool = False


class _Player:
    """Sends alerts as Prometheus does: when they begin and end, and again and again while they fire."""

    def __init__(self, storms: Storms, factor: float, port: int) -> None:
        self.behind = 0.0
        self._factor = factor
        self._changes = sorted(_changes(storms), key=lambda one: (one.at, not one.ends))
        self._active: dict[int, dict[str, Any]] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def play(self, lasts: float) -> float:
        """Play so many seconds of the storms; returns the moment of their beginning, by `time.monotonic`."""
        begun, waiting = time.monotonic(), threading.Event()
        changes = iter([*self._changes, None])
        change = next(changes)
        for minute in range(int(lasts / MINUTE) + 1):
            now = minute * MINUTE
            waiting.wait(max(0.0, begun + now / self._factor - time.monotonic()))
            sent: list[dict[str, Any]] = []
            while change is not None and change.at <= now:
                sent.append(self._changed(change))
                change = next(changes)
            if now % RESENT == 0:
                sent += [{**alert, "endsAt": self._later(_LASTING)} for alert in self._active.values()]
            self._send(sent)
            self.behind = max(self.behind, (time.monotonic() - begun) * self._factor - now)
        self._connection.close()
        return begun

    def _changed(self, change: _Change) -> dict[str, Any]:
        if change.ends:
            return {**self._active.pop(change.key), "endsAt": self._later(0.0)}
        alert = {"labels": change.labels, "startsAt": self._later(0.0)}
        self._active[change.key] = alert
        return {**alert, "endsAt": self._later(_LASTING)}

    def _later(self, lasts: float) -> str:
        return (datetime.now(UTC) + timedelta(seconds=lasts / self._factor)).isoformat()

    def _send(self, alerts: list[dict[str, Any]]) -> None:
        if not alerts:
            return
        body = json.dumps(alerts)
        self._connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"Alertmanager refused alerts: {response.status} {answer!r}")


def _changes(storms: Storms) -> Iterable[_Change]:
    key = 0
    for name, firings in storms.items():
        first = min((one.since for one in firings), default=0.0)
        for one in firings:
            key += 1
            labels = {**one.labels, "alertname": one.alert, "job": name}
            yield _Change(one.since - first, key, labels)
            if one.until != float("inf"):
                yield _Change(one.until - first, key, labels, ends=True)
