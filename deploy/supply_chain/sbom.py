"""Writes the SBOM of the exporter, as CycloneDX 1.6 in JSON, from the pinned requirements.

`python -m deploy.supply_chain.sbom FILE`. The same requirements give the same file, to the byte.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from deploy.supply_chain.requirements import RUNTIME, Pinned, direct, licence, needed_by, pinned
from exporter import __version__

NAME = "kimono-exporter"


def sbom() -> str:
    """The SBOM. It has each pinned package with its licence, its hashes, and what it needs; and no address."""
    packages = pinned()
    names = [each.name for each in packages]
    components = {each.name: _component(each) for each in packages}
    exporter = _described(NAME, __version__, "Apache-2.0", ComponentType.APPLICATION)
    bom = Bom(
        components=components.values(), serial_number=uuid5(NAMESPACE_OID, __version__ + RUNTIME.read_text("utf-8"))
    )
    bom.metadata.component = exporter
    bom.register_dependency(exporter, [components[name] for name in direct()])
    for name, component in components.items():
        bom.register_dependency(component, [components[each] for each in needed_by(name, names)])
    return _without_time(JsonV1Dot6(bom).output_as_string())


def _component(package: Pinned) -> Component:
    component = _described(package.name, package.version, licence(package.name), ComponentType.LIBRARY)
    component.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in package.hashes]
    return component


def _described(name: str, version: str, expression: str, kind: ComponentType) -> Component:
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("pypi", name=name, version=version),
        licenses=[LicenseFactory().make_from_string(expression)],
    )


def _without_time(text: str) -> str:
    """The document without the time at which it was made, so that it changes only if the requirements do."""
    document: dict[str, Any] = json.loads(text)
    del document["metadata"]["timestamp"]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> None:
    """Write the file."""
    path = Path(arguments[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sbom(), encoding="utf-8")
    print(f"{path}: {len(pinned())} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
