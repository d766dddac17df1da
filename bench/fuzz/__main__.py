"""Runs the fuzz targets one after the other, each for the same time, and prints what they found.

First hypothesis tries more and other inputs than in `make test`. Then atheris, which is libFuzzer for Python, changes
good inputs so that they reach new code. A failing input stays in `.fuzz/`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tests.support.fuzzing.raw import TARGETS
from tests.support.fuzzing.runs import SCALE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".fuzz"
# For one input: far more than any of these takes, so that an endless loop is found.
_SECONDS_PER_INPUT, _MEGABYTES, _LONGEST_INPUT = 10, 1024, 16_384
_SUMMARY = re.compile(r"Done (\d+) runs in")
_PROGRESS = re.compile(r"#(\d+)\s.*?cov: (\d+)")


def main(arguments: list[str]) -> int:
    """Fuzz; return 1 if an input failed or atheris is missing."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default %(default)s)")
    parser.add_argument(
        "--scale", type=int, default=5, help="hypothesis: so many times the inputs of `make test`; 0: none"
    )
    parser.add_argument("--targets", default=",".join(TARGETS), help="some of %(default)s; an empty text for none")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the one target on this input and nothing else")
    chosen = parser.parse_args(arguments)
    targets = [name for name in chosen.targets.split(",") if name]
    if unknown := set(targets) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if chosen.replay:
        TARGETS[targets[0]].run(chosen.replay.read_bytes())
        return 0
    failed = [] if chosen.scale == 0 or _hypothesis(chosen.scale) else ["tests/fuzz"]
    if targets and find_spec("atheris") is None:
        print("atheris is not installed for this Python, so no coverage-guided fuzzing took place.")
        return 1
    failed += [name for name in targets if not _atheris(name, chosen.seconds)]
    print(f"failed: {', '.join(failed)}" if failed else "no input failed")
    return 1 if failed else 0


def _hypothesis(scale: int) -> bool:
    """Run tests/fuzz with more inputs, and print how many."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--no-header", "tests/fuzz"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, SCALE: str(scale)}, check=False)
    print(f"hypothesis: {scale} times the inputs of `make test`, {time.monotonic() - begun:.0f} s\n", flush=True)
    return done.returncode == 0


def _atheris(name: str, seconds: int) -> bool:
    """Fuzz one target for so many seconds, from the inputs that earlier runs found; print a line."""
    corpus, log, failing = FOLDER / name, FOLDER / f"{name}.log", FOLDER / f"{name}.failing"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in TARGETS[name].seeds:
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={_SECONDS_PER_INPUT}", f"-rss_limit_mb={_MEGABYTES}"]
    options = [*limits, f"-max_len={_LONGEST_INPUT}", f"-artifact_prefix={failing}.", str(corpus)]
    with log.open("w", encoding="utf-8", errors="replace") as output:
        command = [sys.executable, "-m", "bench.fuzz.target", name, str(failing), *options]
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
    text = log.read_text(encoding="utf-8", errors="replace")
    progress = _PROGRESS.findall(text)
    runs = summary[1] if (summary := _SUMMARY.search(text)) else progress[-1][0] if progress else "0"
    covered = progress[-1][1] if progress else "0"
    outcome = "ok" if done.returncode == 0 else f"FAILED: {failing.relative_to(ROOT)}, and why in {log.name}"
    print(f"{name:15} {int(runs):>10,} inputs  {covered:>6} places reached  {outcome}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
