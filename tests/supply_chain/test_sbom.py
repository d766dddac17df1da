"""Tests that the SBOM is valid CycloneDX, and lists exactly what is pinned."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.supply_chain.requirements import RUNTIME, direct, pinned
from deploy.supply_chain.sbom import main, sbom
from exporter import __version__


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(json.loads(sbom()))


def test_it_is_valid(document: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps(document | {"bomFormat": "other"})) is not None


def test_it_has_every_pinned_package_with_its_hashes_and_nothing_else(document: dict[str, Any]) -> None:
    lines = RUNTIME.read_text(encoding="utf-8")
    components = {each["name"]: each for each in document["components"]}
    assert sorted(components) == sorted(re.findall(r"(?m)^([a-z0-9-]+)==", lines))
    assert sum(len(each["hashes"]) for each in components.values()) == lines.count("--hash=sha256:") > 100
    for each in pinned():
        one = components[each.name]
        assert (one["version"], one["purl"]) == (each.version, f"pkg:pypi/{each.name}@{each.version}")
        assert {hashed["content"] for hashed in one["hashes"]} == set(each.hashes)
        assert one["licenses"]


def test_everything_is_needed_by_the_exporter_or_by_what_it_needs(document: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    reached, left = set[str](), [f"kimono-exporter@{__version__}"]
    while left:
        ref = left.pop()
        left += [each for each in needs[ref] if each not in reached]
        reached |= {ref}
    assert len(reached) == len(document["components"]) + 1
    assert len(needs[f"kimono-exporter@{__version__}"]) == len(direct()) == 9


def test_it_names_no_address_of_a_package_index_and_is_the_same_each_time(document: dict[str, Any]) -> None:
    assert re.findall(r"https?://[^\"]*", sbom()) == ["http://cyclonedx.org/schema/bom-1.6.schema.json"]
    assert json.loads(sbom()) == document


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "new" / "sbom.json")])
    assert (tmp_path / "new" / "sbom.json").read_text(encoding="utf-8") == sbom()
    assert "27 packages" in capsys.readouterr().out.replace(str(len(pinned())), "27")
