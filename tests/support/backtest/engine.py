"""Runs `replay`, which is Prometheus' own database and rule engine, on a recording, and reads which alerts fired."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

# Half as often as the rules say: the answer comes in half the time, and is at most a minute later.
EVERY = "2m"
SOURCE = Path(__file__).parent / "replay"
# Git ignores build/.
CACHE = Path(__file__).parents[3] / "build" / "engine"


class NoEngineError(RuntimeError):
    """The engine could not be built or run; the text says why, and how to fix it."""


@dataclass(frozen=True)
class Firing:
    """One time that an alert fired, from and to in Unix seconds; `to` is infinite if it still does."""

    alert: str
    labels: Mapping[str, str]
    since: float
    until: float

    @property
    def tenant_id(self) -> str:
        """Whom it is about; empty for the fleet."""
        return self.labels.get("tenant_id", "")

    @property
    def severity(self) -> str:
        """How loud it is."""
        return self.labels.get("severity", "")


@dataclass(frozen=True)
class Took:
    """How long evaluations of a rule group took, in seconds."""

    mean: float
    worst: float


@dataclass
class Evaluated:
    """The results of the engine: what fired, which rules failed and how, and statistics."""

    firings: list[Firing] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Took] = field(default_factory=dict)


def build() -> Path:
    """The engine's program: built, or kept from an earlier run with the same sources. NoEngineError if it can't be."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))
    built = CACHE / f"replay-{hashlib.sha256(sources).hexdigest()[:16]}"
    if built.exists():
        return built
    go = shutil.which("go")
    if go is None:
        raise NoEngineError("there is no Go to build the engine with. How to fix: apt-get install golang-go")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Several processes may build at once: each moves a whole program into its place.
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = [go, "build", "-o", f"{folder}/replay", "."]
        done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoEngineError(f"the engine could not be built:\n{done.stderr.strip()}")
        Path(folder, "replay").replace(built)
    return built


class Engine:
    """The running engine; `input` takes a recording."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        self._process = process
        self._output = output
        assert process.stdin is not None
        self.input: IO[str] = process.stdin

    def finish(self) -> Evaluated:
        """End the recording and return the results. Raises NoEngineError if the engine failed."""
        self.input.close()
        if self._process.wait():
            raise NoEngineError("the engine gave up; it said why above")
        evaluated = Evaluated()
        for line in self._output.read_text().splitlines():
            _note(json.loads(line), evaluated)
        evaluated.firings.sort(key=lambda one: one.since)
        return evaluated


def _note(line: Mapping[str, Any], evaluated: Evaluated) -> None:
    if "alert" in line:
        until = float("inf") if line["to"] is None else line["to"]
        evaluated.firings.append(Firing(line["alert"], line["labels"], line["from"], until))
    elif "error" in line:
        evaluated.errors.append(f"{line['rule']}: {line['error']}")
    elif "group" in line:
        evaluated.groups[line["group"]] = Took(line["mean"], line["worst"])
    else:
        evaluated.figures.update(line)


@contextmanager
def started(
    built: Path, rules: Path, interval: str, data: Path | None = None, *, copies: int = 1, replicas: int = 1
) -> Iterator[Engine]:
    """The engine at work on these rules.

    It evaluates them every `interval`, or as often as they say; with `data`, an empty folder, its database stays.
    Each tenant of the recording stands for so many `copies`, and its exporter for so many `replicas`.
    """
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        database = data or Path(folder) / "data"
        output = Path(folder) / "output"
        command = [str(built), "-rules", str(rules), "-data", str(database), "-interval", interval]
        command += ["-copies", str(copies), "-replicas", str(replicas), f"-keep={'false' if data is None else 'true'}"]
        with output.open("w") as out:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True)
        try:
            yield Engine(process, output)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
