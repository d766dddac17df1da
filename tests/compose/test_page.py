"""Tests that the commands, variables and settings in docs/compose.md are those of compose.yaml and the exporter."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap

import pytest

from exporter.arguments import parsed
from exporter.settings import LEAVES
from tests.compose.project import ROOT, command, project, variables

PAGE = (ROOT / "docs" / "compose.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^( *)```(sh|ini)\n(.*?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)
SCRIPTS = [textwrap.dedent(text) for _, kind, text in BLOCKS if kind == "sh"]
LINES = [line for text in SCRIPTS for line in text.splitlines()]
SETTINGS = [line.strip() for _, kind, text in BLOCKS if kind == "ini" for line in text.splitlines()]
LINES += re.findall(r"`(docker compose [^`]+)`", PAGE)
# What is used of https://docs.docker.com/reference/cli/docker/compose/: options, and whether services follow.
DOCKER = {
    "up": {"--detach", "--build"},
    "ps": set[str](),
    "logs": set[str](),
    "down": {"--volumes"},
    "run": {"--rm"},
    "kill": {"--signal", "SIGHUP"},
}
SERVICES = project()["services"]
GIVEN = re.compile(r"[A-Z_]+=\S+")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_block_is_a_script(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=20)


@pytest.mark.parametrize("line", LINES)
def test_a_command_exists(line: str) -> None:
    words = shlex.split(line)
    while GIVEN.fullmatch(words[0]):
        assert words.pop(0).partition("=")[0] in variables()
    if words[:2] == ["docker", "compose"]:
        _, _, name, *arguments = words
        services = [each for each in arguments if each not in DOCKER[name]]
        if name == "run":
            service, *own = services
            parsed([*own])
            services = [service]
        assert set(services) <= SERVICES.keys()
    elif words[0] == "kimono-exporter":
        parsed(words[1:])
    else:
        assert words[0] in {"install", "chown", "${EDITOR:-vi}"}


@pytest.mark.parametrize("line", SETTINGS)
def test_a_variable_exists(line: str) -> None:
    name, _, value = line.partition("=")
    assert name in variables() or name in {leaf.env for leaf in LEAVES.values()}
    if name == "KIMONO_COMMAND":
        assert parsed(command(project({name: value})["services"]["exporter"])).command == "run"


def test_the_table_has_every_variable_and_the_ports_are_those_of_the_services() -> None:
    assert set(re.findall(r"^\| `(KIMONO_\w+)` \|", PAGE, re.MULTILINE)) == variables().keys()
    ports = {port.rpartition(":")[0] for service in SERVICES.values() for port in service["ports"]}
    assert ports == set(re.findall(r"^\|.*`http://(127\.0\.0\.1:\d+)/", PAGE, re.MULTILINE))


def test_git_ignores_the_files_with_settings() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/.env", "/kimono.env", "/assets/", "/compose.override.yaml"} <= set(ignored)
    (settings,) = SERVICES["exporter"]["env_file"]
    assert settings == {"path": "kimono.env", "required": False}


def test_data_of_the_demo_are_removed_before_the_real_api_is_polled() -> None:
    """Series of the simulated tenants have the same job."""
    first = re.search(r"```sh\n *(.+)", PAGE.partition("\n## Use the real API\n")[2])
    assert first
    assert first[1] == "docker compose down --volumes"
