"""Runs each drill in a demo with a real Prometheus, and prints when its alert was pending, fired and was resolved."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.drills import DRILLS, Drill, UnknownDrillError, find
from exporter.drills.client import DemoClient, DrillCommandError

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "drills.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# What is waited for beyond what a drill says, the time in which nothing may fire, and that for the end, in seconds.
LATE, SILENCE, ENDS = 90.0, 90.0, 240.0
START = 120.0
PAUSE = 1.0

Json = dict[str, Any]


def main() -> int:
    """Run the drills and print the table; 1 if an alert did not fire, or one that should not, 2 if it can't run."""
    arguments = _parser().parse_args()
    if shutil.which("prometheus") is None:
        print("Prometheus is not installed. How to fix: apt-get install prometheus", file=sys.stderr)
        return 2
    try:
        chosen = [find(name) for name in arguments.names] or list(DRILLS.values())
    except UnknownDrillError as error:
        print(error, file=sys.stderr)
        return 2
    runs: dict[str, Json] = {}
    with _demo() as client:
        for wave in _waves(chosen):
            print(f"running {', '.join(drill.name for drill in wave)}", file=sys.stderr)
            runs |= _play(client, wave)
    table = _table(chosen, runs)
    print(table)
    if arguments.write:
        _write(table)
    return 0 if all(_is_right(drill, runs[drill.name]) for drill in chosen) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.drills",
        description="Run each drill in a demo with a real Prometheus, and print when its alert fired: 20 minutes.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="drills (default: all)")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    return parser


def _waves(drills: Sequence[Drill]) -> Iterator[list[Drill]]:
    """Drills that don't disturb each other: those of single tenants have a tenant each."""
    single = [drill for drill in drills if drill.whose == "tenant"]
    if single:
        yield single
    yield from ([drill] for drill in drills if drill.whose != "tenant")


@contextmanager
def _demo() -> Iterator[DemoClient]:
    """A demo, once its exporter and Prometheus are ready."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            command = [sys.executable, "-m", "exporter", "demo", "--story", "none", "--web.listen_address=127.0.0.1:0"]
            process = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder
            )
        try:
            _wait(lambda: "\nPrometheus: " in output.read_text() or process.poll() is not None, START)
            found = re.search(r"^Drills: http://(\S+)/ ", output.read_text(), re.MULTILINE)
            if not found:
                raise SystemExit(f"the demo has not started: {output.read_text()}")
            client = DemoClient(found[1])
            # The alert that no exporter can be scraped is over.
            time.sleep(2 * LATE / 3)
            yield client
        finally:
            process.terminate()
            process.wait(20)


def _play(client: DemoClient, drills: Sequence[Drill]) -> Mapping[str, Json]:
    """Run drills at the same time, and return their runs once their alerts are resolved."""
    for drill in drills:
        client.begin(drill.name)
    longest = max(max(drill.after, drill.later[1] if drill.later else 0.0) for drill in drills) + LATE
    silent = any(not drill.alert for drill in drills)
    begun = time.monotonic()

    def have_fired() -> bool:
        runs = _runs(client)
        waited = not silent or time.monotonic() - begun > SILENCE
        return waited and all(_has_fired(drill, runs[drill.name]) for drill in drills if drill.alert)

    _wait(have_fired, longest)
    client.end("")
    _wait(lambda: all(_runs(client)[drill.name]["settled"] for drill in drills), ENDS)
    runs = _runs(client)
    return {drill.name: runs[drill.name] for drill in drills}


def _runs(client: DemoClient) -> dict[str, Json]:
    try:
        return {run["drill"]["name"]: run for run in client.show()["runs"]}
    except DrillCommandError as error:
        raise SystemExit(str(error)) from None


def _has_fired(drill: Drill, run: Json) -> bool:
    times = run["times"]
    is_shown = not drill.problem or times["shown"] is not None
    return is_shown and times["fired"] is not None and (drill.later is None or times["later"] is not None)


def _is_right(drill: Drill, run: Json) -> bool:
    if run["others"]:
        return False
    return (_has_fired(drill, run) and run["alert"] == "resolved") if drill.alert else run["alert"] == "none"


def _wait(until: Callable[[], bool], seconds: float) -> None:
    """Wait for other processes, in real time."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(PAUSE)


def _table(drills: Sequence[Drill], runs: Mapping[str, Json]) -> str:
    head = "| drill | alert | status page | pending | fires | critical | off the page | resolved |"
    rows = [head, "|---|---|---|---|---|---|---|---|"]
    for drill in drills:
        run = runs[drill.name]
        times = run["times"]
        began, ended = times["began"], times["ended"]
        pending = times["pending"] if times["pending"] != times["fired"] else None
        later = times["later"]
        cells = [
            *(_since(times["shown"], began), _since(pending, began), _since(times["fired"], began)),
            *(_since(later, began), _since(times["gone"], ended), _since(times["resolved"], ended)),
        ]
        alert = drill.alert or "none"
        others = f", and {', '.join(run['others'])}" if run["others"] else ""
        rows.append(f"| `{drill.name}` | {alert}{others} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _since(at: float | None, begin: float | None) -> str:
    return "-" if at is None or begin is None else f"{at - begin:.0f} s"


def _write(table: str) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
