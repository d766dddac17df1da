"""Validates objects with the schemas of Kubernetes and of Prometheus Operator."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import yaml
from kubernetes_validate import validate

from tests.support.kubernetes.programs import definitions
from tests.support.kubernetes.rendering import Object

_OPERATOR = "monitoring.coreos.com"


def check(found: Object, version: str) -> None:
    """Compare an object with its schema in a version of Kubernetes. An unknown field is an error."""
    if found["apiVersion"].startswith(_OPERATOR):
        jsonschema.validate(found, _definition(found["kind"].lower()))
    else:
        validate(dict(found), version, strict=True)


@cache
def _definition(kind: str) -> Any:
    text = (definitions() / f"{_OPERATOR}_{kind}s.yaml").read_text(encoding="utf-8")
    (version,) = yaml.safe_load(text)["spec"]["versions"]
    return _closed({**version["schema"]["openAPIV3Schema"]}, metadata=True)


def _closed(schema: Any, *, metadata: bool = False) -> Any:
    """The schema without fields that it does not name: the API server drops those in silence."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    if isinstance(closed.get("pattern"), str):
        # Python wants the flags of a regular expression first.
        closed["pattern"] = closed["pattern"].replace("^(?i)", "(?i)^")
    if "properties" in schema and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
    if metadata:
        closed["properties"]["metadata"] = {"type": "object"}
    return closed
