"""Counts the notifications of storms in real Alertmanagers: `python -m bench.storms --help`."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import structlog

from tests.support.backtest.engine import Firing, NoEngineError
from tests.support.storms.causes import CAUSES, fleets, known, size, storm
from tests.support.storms.playing import Played, play_in_time
from tests.support.storms.recording import RECORDED, recorded
from tests.support.storms.report import LASTS, Counted, count, table

ALERTS = Path(__file__).parents[2] / "alerts"
RULES, ALERTMANAGER = "kimono.rules.yaml", "alertmanager.example.yaml"
PROGRAMS = ("prometheus-alertmanager", "alertmanager")
# Five hours in half a minute; storms of thousands of alerts take twice as long.
FACTOR, LARGE_FACTOR, LARGE = 600.0, 300.0, 2000
# More alerts at once would keep the machine so busy that they come late.
ALERTS_AT_ONCE = 3000

Key = tuple[str, str, int]
# The alerts of each storm: the cause, the fleet, and the number of tenants in trouble.
Storms = Mapping[Key, Sequence[Firing]]


def main() -> int:
    """Play the storms and print the table; return 0 if all are within the target, 1 if not, 2 if it can't run."""
    arguments = _parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if program is None:
        print("Alertmanager is not installed. How to fix: apt-get install prometheus-alertmanager", file=sys.stderr)
        return 2
    causes = arguments.causes.split(";") if arguments.causes else list(RECORDED if arguments.recorded else CAUSES)
    tenants = arguments.tenants or ("20" if arguments.recorded else "20,300,3000")
    keys = [(cause, fleet, int(number)) for cause in causes for fleet in fleets(cause) for number in tenants.split(",")]
    columns = {"before": arguments.before, "after": arguments.alerts} if arguments.before else {"": arguments.alerts}
    folders = list(columns.values())
    try:
        storms = _recorded(keys, folders) if arguments.recorded else [_made_up(keys, folder) for folder in folders]
    except NoEngineError as error:
        print(error, file=sys.stderr)
        return 2
    counted = [_counts(program, folder, one) for folder, one in zip(folders, storms, strict=True)]
    print(table(list(columns), {key: [column[key] for column in counted] for key in keys}))
    return 0 if all(one.reached for one in counted[-1].values()) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.storms", description="Count the notifications of storms in real Alertmanagers."
    )
    parser.add_argument("--tenants", help="how many are in trouble (default 20,300,3000; with --recorded 20)")
    parser.add_argument("--causes", help="separated by semicolons (default: all)")
    parser.add_argument("--recorded", action="store_true", help="simulate the hub and evaluate the rules: slow")
    parser.add_argument("--alerts", type=Path, default=ALERTS, help=f"folder with {RULES} and {ALERTMANAGER}")
    parser.add_argument("--before", type=Path, help="another such folder, to compare with")
    return parser


def _made_up(keys: Sequence[Key], folder: Path) -> Storms:
    return {(cause, fleet, number): known(storm(cause, number, fleet), folder / RULES) for cause, fleet, number in keys}


def _recorded(keys: Sequence[Key], folders: Sequence[Path]) -> list[Storms]:
    """The alerts of the rules in each folder."""
    found: list[dict[Key, Sequence[Firing]]] = [{} for _ in folders]
    for done, key in enumerate(keys, start=1):
        cause, fleet, number = key
        alerts = recorded(cause, number, size(fleet, number), [folder / RULES for folder in folders])
        for storms, firings in zip(found, alerts, strict=True):
            storms[key] = firings
        print(f"recorded {done} of {len(keys)} storms", file=sys.stderr)
    return [*found]


def _counts(program: str, folder: Path, storms: Storms) -> dict[Key, Counted]:
    """Play the storms with the configuration in this folder."""
    config = (folder / ALERTMANAGER).read_text(encoding="utf-8")
    counted: dict[Key, Counted] = {}
    for batch in _batches(storms):
        names = {" / ".join(map(str, key)): key for key in batch}
        played = _played(program, config, {name: batch[key] for name, key in names.items()})
        counted |= {names[name]: count(sent) for name, sent in played.notifications.items()}
        print(f"played {len(counted)} of {len(storms)} storms", file=sys.stderr)
    return counted


def _batches(storms: Storms) -> Iterator[Storms]:
    batch: dict[Key, Sequence[Firing]] = {}
    for key, firings in storms.items():
        if batch and _total(batch.values()) + len(firings) > ALERTS_AT_ONCE:
            yield batch
            batch = {}
        batch[key] = firings
    yield batch


def _total(storms: Iterable[Sequence[Firing]]) -> int:
    return sum(map(len, storms))


def _played(program: str, config: str, storms: Mapping[str, Sequence[Firing]]) -> Played:
    factor = LARGE_FACTOR if _total(storms.values()) > LARGE else FACTOR
    with tempfile.TemporaryDirectory(prefix="storms-") as folder:
        return play_in_time(program, config, storms, Path(folder), lasts=LASTS, factor=factor)


if __name__ == "__main__":
    sys.exit(main())
