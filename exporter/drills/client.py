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
# With `--wait`: how often it asks, before it begins a drill, whether the demo is ready.
_MOST_LOOKS = 120
_NO_DEMO = (
    "no demo with drills answers at --address; start one with 'kimono-exporter demo --story none', "
    "or set the address that it prints"
)

Json = dict[str, Any]


class DrillCommandError(Exception):
    """What was asked for failed; `str()` says why, and how to fix it."""


class DemoClient:
    """Asks the demo whose drills are at `address`, such as `127.0.0.1:10126`, or the URL of its page."""

    def __init__(self, address: str) -> None:
        self._address = address.strip().removeprefix("http://").rstrip("/")
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
        except (OSError, ValueError, RecursionError, HTTPException):
            raise DrillCommandError(_NO_DEMO) from None
        # Another server may be there, which has JSON, too.
        if not isinstance(answer, dict) or not isinstance(answer.get("runs"), list):
            raise DrillCommandError(_NO_DEMO)
        return answer


def _refusal(error: urllib.error.HTTPError) -> str:
    """What the demo says. Another server has no such answers."""
    try:
        answer = json.loads(error.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError, HTTPException):
        return _NO_DEMO
    return str(answer["error"]) if isinstance(answer, dict) and set(answer) == {"error"} else _NO_DEMO


def drill(arguments: argparse.Namespace) -> int:
    """Run the command `drill`, and return the exit code.

    It is 2 for an unknown drill and for options that don't fit, 1 if the demo does not do it, or no alert fires.
    """
    if unfit := _unfit(arguments):
        output.complain(unfit)
        return UNUSABLE
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


def _unfit(arguments: argparse.Namespace) -> str:
    """Which option would have no effect; empty if each has one."""
    if arguments.list and (arguments.name or arguments.wait):
        return "--list lists all drills: use it without NAME and without --wait"
    if arguments.wait and not (arguments.name or arguments.end):
        return "--wait needs NAME, the drill to begin, or --end"
    return ""


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
    """Begin a drill, and print what to expect where. With `wait`, print its progress until its alert fires.

    Raises DrillCommandError, also if the alert that it waits for does not fire.
    """
    if wait:
        _await_ready(client)
    run = client.begin(name)
    output.write(f"{_beginning(run)}To end it: kimono-exporter drill --end {name}\n")
    if wait and run["drill"]["alert"]:
        _await_alert(client, run)


def _await_ready(client: DemoClient) -> None:
    """Wait until drills can begin, but not for ever: then the demo refuses, and says why."""
    for _ in range(_MOST_LOOKS):
        if client.show().get("ready"):
            return
        time.sleep(_PAUSE)


def _await_alert(client: DemoClient, run: Json) -> None:
    """Print the progress until the alert fires; without Prometheus, until the status page shows the problem."""
    alert = run["drill"]["alert"]
    if not client.show()["prometheus"] and not run["drill"]["problem"]:
        raise DrillCommandError(
            f"there is nothing to wait for: without Prometheus {alert} can't fire, and the status page does not show "
            "this problem"
        )
    now = _follow(client, run, lambda one: _is_seen(one) or one["times"]["ended"] is not None)
    if not _is_seen(now):
        raise DrillCommandError(f"the drill is over, and {alert} did not fire")


def _is_seen(run: Json) -> bool:
    """Whether its alert has fired or, without Prometheus, the status page has shown the problem."""
    return run["times"]["fired" if run["prometheus"] else "shown"] is not None


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


def _follow(client: DemoClient, run: Json, is_done: Callable[[Json], bool]) -> Json:
    """Print new lines of progress until it is done; returns the run as it is then."""
    printed: set[str] = set()
    while True:
        answer = client.show()
        now = {**_run_of(answer, run), "prometheus": answer["prometheus"]}
        for line in now["progress"]:
            if line not in printed:
                output.write(f"{line}\n")
                printed.add(line)
        if is_done(now):
            return now
        time.sleep(_PAUSE)


def _run_of(answer: Mapping[str, Any], wanted: Json) -> Json:
    """The same run, as it is now."""
    for run in answer["runs"]:
        if (run["drill"]["name"], run["times"]["began"]) == (wanted["drill"]["name"], wanted["times"]["began"]):
            found: Json = run
            return found
    raise DrillCommandError(f"the demo does not know the drill {wanted['drill']['name']} any more")
