"""Asks pip-audit for known vulnerabilities of the pinned packages, and never takes "not checked" for "none".

pip-audit exits with 0 and says "No known vulnerabilities found" if the service knows none of the packages, as behind a
mirror of the package index. So this reads its JSON and counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.supply_chain.requirements import RUNTIME

_COMMAND = (sys.executable, "-m", "pip_audit", "--requirement", str(RUNTIME), "--require-hashes", "--disable-pip")
_OPTIONS = ("--format", "json", "--progress-spinner", "off", "--timeout", "15")
CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 2


def verdict(report: Mapping[str, Any] | None) -> tuple[int, list[str]]:
    """The exit code and the lines to print, from the JSON of pip-audit; None if there is none."""
    if report is None:
        return NOT_CHECKED, ["not checked: the vulnerability service can't be reached, or pip-audit failed (see above)"]
    packages: Sequence[Mapping[str, Any]] = report["dependencies"]
    skipped = [each for each in packages if "skip_reason" in each]
    checked = len(packages) - len(skipped)
    lines = [
        f"{each['name']} {each['version']}: {found['id']}, fixed in {' or '.join(found['fix_versions']) or 'none'}"
        for each in packages
        for found in each.get("vulns", ())
    ]
    code = VULNERABLE if lines else NOT_CHECKED if skipped or not checked else CLEAN
    lines.append(f"{checked} of {len(packages)} packages checked, {len(lines)} known vulnerabilities")
    if skipped:
        lines.append(f"not checked, because the vulnerability service does not know them: {_names(skipped)}")
    return code, lines


def _names(packages: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(each["name"]) for each in packages)


def main() -> int:
    """Run pip-audit and print its verdict; 1 for vulnerabilities, 2 if not all packages were checked."""
    done = subprocess.run([*_COMMAND, *_OPTIONS], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    report = json.loads(done.stdout) if done.stdout.startswith("{") else None
    if report is None:
        print("\n".join(done.stderr.splitlines()[-1:]))
    code, lines = verdict(report)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
