"""Tests docs/kubernetes.md and the chart's README: their commands run, and their values render."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart.values import in_camel_case
from tests.support.kubernetes.rendering import CHART, ROOT, VERSIONS, objects, run, template
from tests.support.kubernetes.validation import check
from tests.support.processes import measured

PAGE = ROOT / "docs" / "kubernetes.md"
README = CHART / "README.md"
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SECTIONS = {"image", "credentials", "serviceMonitor", "networkPolicy", "web"}


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a page in a language, without their indentation."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [re.sub(rf"(?m)^{indent}", "", text) for indent, name, text in found if name == language]


def commands(path: Path) -> list[list[str]]:
    """The commands of a page, as words. A pipe is two commands."""
    lines = "\n".join(blocks(path, "sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(part) for line in lines for part in line.split(" | ") if part.strip()]


VALUES = [text for text in blocks(PAGE, "yaml") if yaml.safe_load(text).keys() & SECTIONS]
COMMANDS = [*commands(PAGE), *commands(README)]


def named(*words: str) -> list[list[str]]:
    return [command for command in COMMANDS if command[: len(words)] == list(words)]


def test_the_page_has_values_and_commands() -> None:
    assert len(VALUES) >= 8
    assert {command[0] for command in COMMANDS} == {"make", "docker", "kubectl", "helm", "kimono-exporter"}
    assert {command[1] for command in named("helm")} == {"install", "upgrade", "test", "uninstall"}


@pytest.mark.parametrize("values", VALUES, ids=range(len(VALUES)))
def test_values_render_to_valid_objects(values: str) -> None:
    for each in template(yaml.safe_load(values)):
        if each["kind"] != "ExternalSecret":
            check(each, VERSIONS[-1])


def test_the_web_configuration_is_one() -> None:
    (text,) = [text for text in blocks(PAGE, "yaml") if "tls_server_config" in text]
    web = yaml.safe_load(text)
    assert web.keys() == {"tls_server_config", "basic_auth_users"}
    (command,) = [command for command in named("kubectl") if "kimono-web" in command]
    for name in web["tls_server_config"].values():
        assert f"--from-file={name}" in command


def test_every_yaml_block_is_read_by_a_test() -> None:
    assert len(blocks(PAGE, "yaml")) == len(VALUES) + 1


@pytest.mark.parametrize("command", named("helm", "install") + named("helm", "upgrade"), ids=" ".join)
def test_helm_commands_render(command: list[str], tmp_path: Path) -> None:
    """With `template` in the place of `install`, which asks a cluster."""
    (tmp_path / "kimono-values.yaml").write_text(next(text for text in VALUES if "persistence" in text))
    shutil.copytree(ROOT / "deploy" / "helm", tmp_path / "deploy" / "helm")
    arguments = [
        str(tmp_path / word) if word.endswith(("values.yaml", "/kimono-exporter")) else word for word in command
    ]
    arguments = [word for word in arguments[2:] if word != "--wait"]
    found = objects(run("helm", "template", *arguments, "--kube-version", f"{VERSIONS[-1]}.0"))
    names = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in found}
    assert "deployment/kimono-kimono-exporter" in names


def test_kubectl_names_objects_that_are_there() -> None:
    chart = [
        each
        for path in ("minimal", "shards")
        for each in template({}, files=[CHART / "ci" / f"{path}-values.yaml"], release="kimono")
    ]
    for path in (ROOT / "deploy" / "kustomize" / "base", ROOT / "deploy" / "kustomize" / "overlays" / "example"):
        assert path.is_dir()
    names = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in chart} | {"statefulset/kimono-exporter"}
    objects_named = {word for command in named("kubectl") for word in command if re.match(r"[a-z]+/[a-z-]+$", word)}
    assert objects_named == {
        *("deployment/kimono-kimono-exporter", "statefulset/kimono-kimono-exporter"),
        "statefulset/kimono-exporter",
    }
    assert objects_named <= names


def test_folders_of_kustomize_build() -> None:
    folders = [command[command.index("--kustomize") + 1] for command in named("kubectl") if "--kustomize" in command]
    assert folders
    for folder in folders:
        assert objects(run("kustomize", "build", str(ROOT / folder)))


@pytest.mark.parametrize("command", named("kimono-exporter"), ids=" ".join)
def test_assets_writes_what_the_page_says(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *command[1:]],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": ":".join([str(ROOT), *sys.path]), **measured()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (rule,) = objects((tmp_path / "kimono" / "alerts" / "kimono.prometheusrule.yaml").read_text())
    check(rule, VERSIONS[-1])


def test_make_has_the_targets() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for command in named("make"):
        assert command[1] in targets
    assert {"chart", "bench-resources"} <= targets


def test_the_page_says_the_thresholds_of_its_values() -> None:
    """The `assets` command beside the values has the same thresholds."""
    (values,) = [yaml.safe_load(text) for text in VALUES if "thresholds" in text]
    (command,) = [command for command in named("kimono-exporter") if "--threshold" in command]
    given = dict(word.split("=") for word in command if "=" in word)
    thresholds = {in_camel_case(name): value for name, value in given.items()}
    assert thresholds == {name: str(value) for name, value in values["prometheusRule"]["thresholds"].items()}


def test_settings_in_values_are_the_ones_that_readme_tables_have() -> None:
    """Each value that the page names in code exists."""
    text = re.sub(r"^ *```.*?^ *```$", "", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    tree = yaml.safe_load((CHART / "values.yaml").read_text())
    paths = re.findall(r"`((?:credentials|web|persistence|serviceMonitor|prometheusRule|dashboards)\.[\w.]+)`", text)
    assert len(paths) > 5
    for path in paths:
        found: Any = tree
        for name in path.split("."):
            assert name in found, path
            found = found[name]


@pytest.mark.parametrize("page", [PAGE, README], ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    assert links
    for path, anchor in links:
        target = page.parent / path if path else page
        assert target.exists(), path
        if anchor:
            titles = re.findall(r"(?m)^#+ (.*)$", target.read_text(encoding="utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, anchor
