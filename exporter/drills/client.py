"""Runs the command `drill`: speaks to a running demo on loopback."""

from __future__ import annotations

import argparse
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any

from exporter import output
from exporter.arguments import FAILED, OK, UNUSABLE
from exporter.drills.catalog import DRILLS, NOT_POSSIBLE, UnknownDrillError, find
from exporter.drills.words import expectation, shortened

_SECONDS = 10.0
_PAUSE = 1.0
_MOST_BYTES = 4 * 1024 * 1024

Json = dict[str, Any]


class DrillCommandError(Exception):
    """What was asked for failed; `str()` says why, and how to fix it."""


class DemoClient:
    """Asks the demo whose drills are at `address`, such as `127.0.0.1:10126`."""

    def __init__(self, address: str) -> None:
        self._address = address
        # No proxy: the demo is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def show(self) -> Json:
        """All drills and runs."""
        return self._send("/api/drills", None)

    def begin(self, name: str) -> Json:
        """Begin a drill; returns its run."""
        run: Json = self._send("/api/begin", {"name": name})["runs"][0]
        return run

    def end(self, name: str) -> list[Json]:
        """End a drill, or all with an empty name; returns their runs."""
        runs: list[Json] = self._send("/api/end", {"name": name})["runs"]
        return runs

    def _send(self, path: str, body: Json | None) -> Json:
        """Raises DrillCommandError without a successful reply."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self._address}{path}", data, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=_SECONDS) as reply:
                answer: Json = json.loads(reply.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            raise DrillCommandError(_refusal(error)) from None
        except (OSError, ValueError, HTTPException):
            raise DrillCommandError(
                "no demo with drills answers at --address; start one with 'kimono-exporter demo --story none', "
                "or set the address that it prints"
            ) from None
        return answer


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_MOST_BYTES))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"the demo answered with status {error.code}"


def drill(arguments: argparse.Namespace) -> int:
    """Run the command `drill`, and return the exit code: 2 for an unknown drill, 1 if the demo does not do it."""
    if arguments.list:
        _list_drills()
        return OK
    client = DemoClient(arguments.address)
    try:
        name = find(arguments.name).name if arguments.name else ""
        if arguments.end:
            _end(client, name, wait=arguments.wait)
        elif name:
            _begin(client, name, wait=arguments.wait)
        else:
            _show(client)
    except UnknownDrillError as error:
        output.complain(str(error))
        return UNUSABLE
    except DrillCommandError as error:
        output.complain(str(error))
        return FAILED
    return OK


def _list_drills() -> None:
    """Print all drills, and those that are not possible."""
    for each in DRILLS.values():
        output.write(f"{each.name}\n  {each.happens}\n  {expectation(each)}\n")
        if each.shortened:
            output.write(f"  In the demo, {shortened(each)}.\n")
    output.write("\nNot possible:\n")
    for name, reason in NOT_POSSIBLE.items():
        output.write(f"{name}: {reason}.\n")


def _begin(client: DemoClient, name: str, *, wait: bool) -> None:
    """Begin a drill, and print what to expect where. With `wait`, print its progress until its alert fires."""
    run = client.begin(name)
    output.write(_beginning(run))
    if wait and run["drill"]["alert"]:
        _follow(client, run, _has_fired)
    output.write(f"To end it: kimono-exporter drill --end {name}\n")


def _end(client: DemoClient, name: str, *, wait: bool) -> None:
    """End a drill, or all with an empty name. With `wait`, print the progress of each until its alert is resolved."""
    runs = client.end(name)
    if not runs:
        output.write("No drill is active.\n")
    for run in runs:
        output.write(f"{run['drill']['name']} has ended. {run['drill']['ends']}\n")
        if wait:
            _follow(client, run, lambda one: bool(one["settled"]))


def _show(client: DemoClient) -> None:
    """Print the drills that have begun, and how they go."""
    runs = client.show()["runs"]
    if not runs:
        output.write("No drill has begun. 'kimono-exporter drill --list' lists all.\n")
    for run in runs:
        lines = [*run["progress"], *([run["ends"]] if run["ends"] else [])]
        output.write(f"{run['drill']['name']} ({_whose(run)})\n" + "".join(f"  {line}\n" for line in lines))


def _beginning(run: Json) -> str:
    drill = run["drill"]
    lines = [
        f"{drill['name']} has begun: {_whose(run)}.",
        drill["happens"],
        drill["expect"],
        *([f"In the demo, {drill['shortened']}."] if drill["shortened"] else []),
        "Look at:",
        *(f"  {what}{f': {address}' if address else ''}" for what, address in drill["where"]),
        f"It ends by itself after {drill['lasts'] / 60:g} minutes. {drill['ends']}",
    ]
    return "\n".join(lines) + "\n"


def _whose(run: Json) -> str:
    tenants = run["tenants"]
    if not tenants:
        return "no tenant of its own"
    return f"tenant {tenants[0]}" if len(tenants) == 1 else f"{len(tenants)} tenants"


def _follow(client: DemoClient, run: Json, is_done: Callable[[Json], bool]) -> None:
    """Print new lines of progress until it is done, or the drill is over."""
    printed: set[str] = set()
    while True:
        answer = client.show()
        now = _run_of(answer, run)
        for line in now["progress"]:
            if line not in printed:
                output.write(f"{line}\n")
                printed.add(line)
        without_alert = not answer["prometheus"] and now["times"]["shown"] is not None
        if is_done(now) or now["settled"] or (without_alert and now["times"]["ended"] is None):
            return
        time.sleep(_PAUSE)


def _has_fired(run: Json) -> bool:
    return bool(run["alert"] == "firing")


def _run_of(answer: Mapping[str, Any], wanted: Json) -> Json:
    """The same run, as it is now."""
    for run in answer["runs"]:
        if (run["drill"]["name"], run["times"]["began"]) == (wanted["drill"]["name"], wanted["times"]["began"]):
            found: Json = run
            return found
    raise DrillCommandError(f"the demo does not know the drill {wanted['drill']['name']} any more")
