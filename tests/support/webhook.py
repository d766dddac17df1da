"""Receives what Alertmanager sends to webhooks, on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """One request, which is one notification: the receiver that its path names, its body, and when it arrived.

    `at` is in seconds of `time.monotonic`.
    """

    receiver: str
    body: dict[str, Any]
    at: float

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts of the group that fire, or have resolved since the last notification."""
        alerts: list[dict[str, Any]] = self.body["alerts"]
        return alerts


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # connections stay open until Alertmanager ends

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: Alertmanager resets its open connections when it ends."""

    # Alertmanager opens hundreds of connections at once. One that is refused costs a retry, and with it seconds.
    request_queue_size = 1024


class Webhook:
    """The requests so far, and the URL for them. The path of a request is the name of the receiver."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are used again

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                requests.append(Request(self.path.strip("/"), body, time.monotonic()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def alerts(self) -> list[tuple[str, dict[str, Any]]]:
        """Each alert of each request, with its receiver."""
        return [(request.receiver, alert) for request in self.requests for alert in request.alerts]

    def names(self, status: str) -> list[tuple[str, str]]:
        """Receiver and name of each alert with this status (`firing` or `resolved`), in alphabetical order."""
        return sorted(
            (receiver, one["labels"]["alertname"]) for receiver, one in self.alerts if one["status"] == status
        )

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def listening() -> Iterator[Webhook]:
    """A webhook until the block ends."""
    webhook = Webhook()
    try:
        yield webhook
    finally:
        webhook.close()
