"""Tries rules, scrapes and queries with versions of Prometheus, and rules with vmalert and mimirtool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.compatibility.programs import first_on_path, go_program, installed
from tests.support.compatibility import NOT_TRIED
from tests.support.trial import ROOT, NotInstalledError, Trial, run, running_tests, trial

# As a Go module, Prometheus 3.16.0 has the version v0.316.0.
_MODULE, _NEWEST = "github.com/prometheus/prometheus", "v0.316.0"
# Without the clients of clouds: building these takes half an hour, and nothing here finds targets by them.
_TAGS = "remove_all_sd"
_VMALERT, _VICTORIA = "github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert", "v1.151.0"
_RULES = ROOT / "alerts" / "kimono.rules.yaml"


def installed_prometheus() -> Iterator[Trial]:
    """With Prometheus as it is installed: Debian's, for example."""
    yield from _with_programs("Prometheus", {name: installed(name) for name in ("prometheus", "promtool")})


def newest_prometheus() -> Iterator[Trial]:
    """With a version of Prometheus 3 that is built from its Go module."""
    names = ("prometheus", "promtool")
    yield from _with_programs(
        "Prometheus 3", {name: go_program(f"{_MODULE}/cmd/{name}", _NEWEST, _TAGS) for name in names}
    )


def _with_programs(name: str, programs: dict[str, Path]) -> Iterator[Trial]:
    version = _version(programs["prometheus"])
    # The tests start what they find on the path.
    path = first_on_path(f"prometheus-{version}", programs)
    trials: tuple[tuple[str, Sequence[str | Path]], ...] = (
        ("`promtool check rules`, with all lints", [programs["promtool"], "check", "rules", "--lint=all", _RULES]),
        ("`promtool test rules`: the tests of every alert", running_tests("tests/alerts", "-m", "not slow")),
        ("`promtool check metrics`: the golden pages", running_tests("tests/test_golden.py")),
        ("a server scrapes the exporter, in both formats", running_tests("tests/contract/test_prometheus.py")),
        ("a server evaluates the rules, and alerts reach Alertmanager", running_tests("tests/compose/test_chain.py")),
        ("a server answers each query of the dashboards", running_tests("tests/dashboards/test_live.py")),
    )
    for how, command in trials:
        yield trial(name, version, how, command, path)


def _version(prometheus: Path) -> str:
    """The version that the program says. If it was built without, that of its Go module: 0.316.0 is 3.16.0."""
    said = run([prometheus, "--version"], ROOT)
    known = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
    if known:
        return known[1]
    major, minor = divmod(int(_NEWEST.split(".")[1]), 100)
    return f"{major}.{minor}.{_NEWEST.split('.')[2]}"


def vmalert() -> Iterator[Trial]:
    """With the rule engine of VictoriaMetrics."""
    program = go_program(_VMALERT, _VICTORIA)
    flags = ["-dryRun", f"-rule={_RULES}", "-rule.validateExpressions=true", "-rule.validateTemplates=true"]
    how = "`vmalert -dryRun`: expressions and templates are valid"
    yield trial("vmalert", _VICTORIA.removeprefix("v"), how, [program, *flags])


def mimirtool() -> Iterator[Trial]:
    """With mimirtool, if it is installed. Its licence is no reason to install it here."""
    how = "`mimirtool rules check`"
    try:
        program = installed("mimirtool")
    except NotInstalledError:
        yield Trial("Mimir", "", f"{how}: mimirtool was not installed", NOT_TRIED)
        return
    said = run([program, "version"], ROOT).stdout
    version = re.search(r"\d+\.\d+\.\d+", said)
    yield trial("Mimir", version[0] if version else "", how, [program, "rules", "check", _RULES])
