"""Tests every configuration and command in the documentation: each is run, or parsed by the program that reads it.

Alloy's own parser is not in any registry that the tests reach. So its blocks are only checked for structure: balanced
brackets, known components, and references to components that exist. Commands of some other programs are
only parsed by a shell (OTHERS).
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from docs.command_reference import COMMANDS
from exporter.arguments import parsed
from exporter.assets import assets, write
from exporter.assets.options import choices
from exporter.settings import load, read_tenants_file
from exporter.simulator.routes import ROUTES
from tests.site.pages import PAGES, ROOT, Block, blocks
from tests.support.certificates import make_certificate
from tests.support.processes import needed

ETC = "/etc/kimono-exporter"
YAML, SHELL = blocks("yaml"), blocks("sh")
# Programs whose arguments no test checks. `bash -n` parses their commands.
OTHERS = {
    *("alloy", "apt-get", "cat", "cd", "chown", "cp", "curl", "cut", "date", "diff", "docker", "export"),
    *(
        "git",
        "grep",
        "head",
        "helm",
        "install",
        "journalctl",
        "jq",
        "kubectl",
        "mimirtool",
        "ln",
        "mkdir",
        "mv",
        "pip",
        "python",
    ),
    *("python3", "sed", "sha256sum", "systemctl", "thanos", "victoria-metrics", "vmalert"),
}
PATHS = ("/", "/metrics", "/-/healthy", "/-/ready", "/api/status")


# Configurations


def settings(block: Block, folder: Path) -> None:
    """Settings of the exporter, with files where the block has them."""
    (folder / "proxy-url").write_text("http://user:pass%40word@proxy.example.net:3128\n")
    make_certificate(folder, "ca")
    (folder / "kimono.yaml").write_text(block.text.replace(ETC, str(folder)))
    load({"config.file": str(folder / "kimono.yaml")}, {}, needs_credentials=False)


def prometheus(block: Block, folder: Path) -> None:
    (folder / "prometheus.yml").write_text(block.text)
    run(needed("promtool"), "check", "config", "--syntax-only", str(folder / "prometheus.yml"))


def alertmanager(block: Block, folder: Path) -> None:
    (folder / "alertmanager.yml").write_text(block.text)
    run(needed("amtool"), "check-config", str(folder / "alertmanager.yml"))


def tenants_file(block: Block, folder: Path) -> None:
    content = yaml.safe_load(block.text)
    for entry in content:
        (folder / entry["client_secret_file"]).write_text("S3CR3T")
    (folder / "tenants.yaml").write_text(block.text)
    assert len(read_tenants_file(folder / "tenants.yaml")) == len(content)


def service_monitor(block: Block, _: Path) -> None:
    """Its endpoint and selector are those of the shipped one."""
    content = yaml.safe_load(block.text)
    shipped = yaml.safe_load(
        (ROOT / "deploy/kustomize/components/operator/servicemonitor.yaml").read_text(encoding="utf-8")
    )
    assert content["kind"] == shipped["kind"]
    assert content["spec"]["endpoints"] == shipped["spec"]["endpoints"]
    assert content["spec"]["selector"] == shipped["spec"]["selector"]


def web_configuration(block: Block, _: Path) -> None:
    assert set(yaml.safe_load(block.text)) <= {"tls_server_config", "http_server_config", "basic_auth_users"}


def environment_of_a_pod(block: Block, _: Path) -> None:
    names = [each["name"] for each in yaml.safe_load(block.text)["env"]]
    assert {*names} == {"KIMONO_SHARD_INDEX", "KIMONO_SHARD_TOTAL"}
    load({}, {"KIMONO_SHARD_INDEX": "kimono-exporter-2", "KIMONO_SHARD_TOTAL": "3"}, needs_credentials=False)


def helm_values(block: Block, _: Path) -> None:
    """Values of the chart, by its own schema."""
    schema = json.loads((ROOT / "deploy/helm/kimono-exporter/values.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(block.text), schema)


def of_others(block: Block, _: Path) -> None:
    """Of Mimir and of Grafana's chart: no program that checks them is at hand, so it must only be a mapping."""
    assert isinstance(yaml.safe_load(block.text), dict)


KINDS: dict[str, Callable[[Block, Path], None]] = {
    **dict.fromkeys(("api", "discovery", "collectors", "state", "web", "log", "polling"), settings),
    **dict.fromkeys(("rule_files", "scrape_configs", "remote_write", "global"), prometheus),
    **dict.fromkeys(("route",), alertmanager),
    **dict.fromkeys(("limits", "sidecar"), of_others),
    "apiVersion": service_monitor,
    "tls_server_config": web_configuration,
    "env": environment_of_a_pod,
}


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("block", YAML, ids=str)
def test_a_configuration_is_accepted_by_what_reads_it(block: Block, tmp_path: Path) -> None:
    content: Any = yaml.safe_load(block.text)
    kind = tenants_file if isinstance(content, list) else KINDS.get(next(iter(content)), helm_values)
    kind(block, tmp_path)


def test_the_limit_of_rules_is_enough_for_the_largest_group() -> None:
    groups = yaml.safe_load((ROOT / "alerts" / "kimono.rules.yaml").read_text(encoding="utf-8"))["groups"]
    largest = max(len(group["rules"]) for group in groups)
    (limits,) = (yaml.safe_load(block.text)["limits"] for block in YAML if block.text.startswith("limits:"))
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert f"a group here has up to {largest}." in page
    assert limits["ruler_max_rules_per_rule_group"] > largest


# Alloy

COMPONENTS = {"prometheus.scrape", "prometheus.remote_write", "prometheus.operator.servicemonitors"}
COMPONENTS |= {"mimir.rules.kubernetes"}


def test_alloy_has_the_right_structure() -> None:
    text = "\n".join(block.text for block in blocks("alloy"))
    without_strings = re.sub(r'"[^"\n]*"', '""', text)
    assert '"' not in without_strings.replace('""', "")
    for opening, closing in ("{}", "[]", "()"):
        assert without_strings.count(opening) == without_strings.count(closing)
    declared = re.findall(r'^([\w.]+) "(\w+)" \{$', text, re.MULTILINE)
    assert {component for component, _ in declared} == COMPONENTS
    names = {f"{component}.{name}" for component, name in declared}
    used = re.findall(r"\[([\w.]+)\.receiver\]", text)
    assert used
    assert {*used} <= names


def test_alloy_scrapes_as_prometheus_does() -> None:
    text = next(block.text for block in blocks("alloy"))
    (job,) = yaml.safe_load((ROOT / "deploy" / "prometheus.example.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    for name in ("job_name", "scrape_interval", "scrape_timeout"):
        assert re.search(rf'{name}\s+= "{job[name]}"', text)
    assert job["static_configs"][0]["targets"][0] in text


# Commands


def commands(block: Block) -> Iterator[list[str]]:
    """The simple commands of a block, without assignments, redirections and comments."""
    text = re.sub(r"(^| )#.*$", "", block.text.replace("\\\n", " "), flags=re.MULTILINE)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;()<>\n")
    lexer.whitespace_split, lexer.whitespace, lexer.commenters = True, " \t", ""
    command: list[str] = []
    for token in [*lexer, "\n"]:
        if not set(token) <= set("|&;()\n"):
            command += [token]
            continue
        end = next((at for at, word in enumerate(command) if set(word) <= set("<>")), len(command))
        words = list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), command[:end]))
        if words and not words[0].startswith("$"):
            yield words
        command = []


def kimono(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        return
    options = parsed(arguments)
    if options.command == "assets":
        choices(options)


def make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [argument for argument in arguments if "=" not in argument]
    given = dict(argument.partition("=")[::2] for argument in arguments if "=" in argument)
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    if targets == ["demo"]:
        kimono(["demo", *shlex.split(given.get("ARGS", ""))])


def curl(arguments: list[str]) -> None:
    """What it gets from the exporter or from the API exists."""
    for url in arguments:
        own = re.match(r"http://(?:localhost|127\.0\.0\.1):10120(/[^?]*)", url)
        assert own is None or own[1] in PATHS, url
        of_api = re.match(r"\$API/v2/interop(/[^?]*)", url)
        if of_api:
            path = of_api[1].replace("$SCHEDULE", "{id}")
            assert path in {route.template for route in ROUTES}, path


def files_of_the_repository(arguments: list[str]) -> None:
    for argument in arguments:
        if re.match(r"(deploy|alerts|dashboards|docs)/|requirements\S*\.txt", argument):
            assert list(ROOT.glob(argument)), argument


def amtool(arguments: list[str]) -> None:
    """It accepts all arguments, because it then fails to connect: nothing listens on the port."""
    nowhere = [re.sub(r"(?<=^--alertmanager\.url=).*", "http://127.0.0.1:1", argument) for argument in arguments]
    assert nowhere != arguments
    done = subprocess.run([needed("amtool"), *nowhere], capture_output=True, text=True, check=False, timeout=60)
    assert "127.0.0.1:1: connect: connection refused" in done.stderr, done.stderr


CHECKS = {"amtool": amtool, "kimono-exporter": kimono, "make": make, "curl": curl}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_is_one_that_exists(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found = list(commands(block))
    assert found or "=$(" in block.text
    for program, *arguments in found:
        name = program.rpartition("/")[2]
        assert name in OTHERS | CHECKS.keys() | {"promtool"}, program
        CHECKS.get(name, files_of_the_repository)(arguments)


INLINE = {
    (page.relative_to(ROOT), command)
    for page in PAGES
    for command in re.findall(r"`((?:kimono-exporter|make) [^`\n…]+)`", page.read_text(encoding="utf-8"))
    if "COMMAND" not in command
}


@pytest.mark.parametrize(("page", "command"), sorted(INLINE), ids=str)
def test_a_command_in_a_sentence_is_one_that_exists(page: Path, command: str) -> None:
    del page
    program, *arguments = shlex.split(command)
    names_a_command = program == "kimono-exporter" and arguments[0] in COMMANDS and len(arguments) == 1
    if "--help" not in arguments and not names_a_command:
        CHECKS[program](arguments)


@pytest.mark.parametrize(("right", "wrong"), [("=2h", "=2x"), ("--comment", "--coment"), ("silence add", "silence ad")])
def test_a_mistake_in_a_command_of_amtool_is_seen(right: str, wrong: str) -> None:
    text = next(block.text for block in SHELL if block.text.startswith("amtool silence add"))
    assert right in text
    ((_, *arguments),) = commands(Block(ROOT, 1, "sh", text.replace(right, wrong)))
    with pytest.raises(AssertionError):
        amtool(arguments)


def test_the_page_of_other_systems_names_the_commands_that_no_test_checks() -> None:
    page = ROOT / "docs" / "backends.md"
    (named,) = re.findall(r"Tests do not run the commands[^(]*\(([^)]*)\)", page.read_text(encoding="utf-8"))
    used = {words[0] for block in SHELL if block.page == page for words in commands(block)}
    assert {*re.findall("`([^`]+)`", named)} == used & OTHERS


def test_commands_of_promtool_pass_on_the_written_assets(tmp_path: Path) -> None:
    write(tmp_path, assets())
    found = [words for block in SHELL for words in commands(block) if words[0] == "promtool"]
    assert found
    for words in found:
        run(needed("promtool"), *(word.replace("/etc/kimono/", f"{tmp_path}/") for word in words[1:]))


def test_commands_are_told_apart() -> None:
    text = "A=1 x --y 'a b' > f &&\n  z | curl \\\n    -s # no\nB=$(p q | r)\n"
    assert list(commands(Block(ROOT, 1, "sh", text)))[:3] == [["x", "--y", "a b"], ["z"], ["curl", "-s"]]
