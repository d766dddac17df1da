"""Makes the JSON schema of the chart's values: Helm compares the values with it before it renders anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from deploy.chart.values import IN_RULES, in_camel_case
from exporter.settings import LEAVES
from exporter.thresholds import THRESHOLDS, threshold_text

Schema = dict[str, Any]
# The chart sets these itself, by environment variables, which win over the file.
_SET_BY_THE_CHART = ("config.file", "web.config_file", "web.listen_address", "web.systemd_socket", "state.file")
_TEXT: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object"}
_LIST: Schema = {"type": "array"}
_LABELS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(y|w|d|h|m|s|ms))+$"}
_QUANTITY: Schema = {"type": ["string", "integer"], "pattern": "^[0-9]+(\\.[0-9]+)?([KMGT]i?|k)?$"}
_URL: Schema = {"type": "string", "pattern": "^(https?://[^\"'\\\\\\s{}<>]+)?$"}
_STRINGS: Schema = {"type": "array", "items": _TEXT}
_COUNT_OR_SHARE: Schema = {"type": ["integer", "string", "null"], "pattern": "^[0-9]+%?$"}
# Types of the exporter's settings, as the exporter reads them in its YAML file.
_SETTINGS: Mapping[str, Schema] = {
    "boolean": {"type": ["boolean", "string"]},
    "duration": {"type": ["string", "number"]},
    "list": {"type": ["array", "string"]},
    "number": {"type": ["number", "string"]},
    "path": _TEXT,
    "size": {"type": ["string", "integer"]},
    "text": _TEXT,
}


def schema() -> str:
    """The schema as JSON. An unknown value is an error, except below values that Kubernetes defines."""
    root = _object(_values())
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **root}, indent=2) + "\n"


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _at_least(least: int) -> Schema:
    return {"type": "integer", "minimum": least}


def _values() -> Mapping[str, Schema]:
    return {
        **dict.fromkeys(("nameOverride", "fullnameOverride", "namespaceOverride", "priorityClassName"), _TEXT),
        **dict.fromkeys(("commonLabels", "annotations", "podLabels", "podAnnotations", "nodeSelector"), _LABELS),
        **dict.fromkeys(("podSecurityContext", "securityContext", "resources", "affinity", "dnsConfig"), _ANY),
        **dict.fromkeys(("livenessProbe", "readinessProbe"), _ANY),
        **dict.fromkeys(("extraEnv", "extraEnvFrom", "extraVolumes", "extraVolumeMounts", "extraContainers"), _LIST),
        **dict.fromkeys(("initContainers", "tolerations", "topologySpreadConstraints", "hostAliases"), _LIST),
        "extraManifests": {"type": "array", "items": {"type": ["object", "string"]}},
        "extraArgs": _STRINGS,
        # Helm gives these to a chart that is part of another.
        "global": {"type": "object", "properties": {"imageRegistry": _TEXT}},
        "image": _object(
            {
                **dict.fromkeys(("registry", "tag"), _TEXT),
                "repository": {"type": "string", "minLength": 1},
                "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
                "pullPolicy": _one_of("Always", "IfNotPresent", "Never"),
                "pullSecrets": _STRINGS,
            }
        ),
        "credentials": _object(
            {
                "type": _one_of("apiKey", "client", "token", "tenants", "none"),
                **dict.fromkeys(("existingSecret", "secretKey", "clientId", "value"), _TEXT),
            }
        ),
        "config": _config(),
        "web": _object({"existingSecret": _TEXT, "secretKey": {"type": "string", "minLength": 1}, "tls": _BOOLEAN}),
        "containerPort": _PORT,
        "kind": _one_of("Deployment", "StatefulSet"),
        "replicas": _at_least(0),
        "shards": _at_least(1),
        "revisionHistoryLimit": _at_least(0),
        "terminationGracePeriodSeconds": _at_least(0),
        "persistence": _object(
            {
                "enabled": _BOOLEAN,
                "existingClaim": _TEXT,
                "storageClass": _TEXT,
                "accessModes": _STRINGS,
                "size": _QUANTITY,
                "annotations": _LABELS,
            }
        ),
        "serviceAccount": _object(
            {"create": _BOOLEAN, "name": _TEXT, "automountServiceAccountToken": _BOOLEAN, "annotations": _LABELS}
        ),
        **_network(),
        **_operator(),
        "dashboards": _object({"enabled": _BOOLEAN, "namespace": _TEXT, "labels": _LABELS, "annotations": _LABELS}),
    }


def _network() -> Mapping[str, Schema]:
    return {
        "service": _object(
            {
                "type": _one_of("ClusterIP", "NodePort", "LoadBalancer"),
                "port": _PORT,
                "labels": _LABELS,
                "annotations": _LABELS,
            }
        ),
        "networkPolicy": _object(
            {
                "enabled": _BOOLEAN,
                "ingress": _object({"from": _LIST}),
                "egress": _object({"enabled": _BOOLEAN, "rules": _LIST}),
            }
        ),
        "podDisruptionBudget": _object(
            {"enabled": _BOOLEAN, "maxUnavailable": _COUNT_OR_SHARE, "minAvailable": _COUNT_OR_SHARE}
        ),
    }


def _operator() -> Mapping[str, Schema]:
    of_both = {"enabled": _BOOLEAN, "namespace": _TEXT, "labels": _LABELS, "annotations": _LABELS}
    return {
        "serviceMonitor": _object(
            {
                **of_both,
                **dict.fromkeys(("interval", "scrapeTimeout"), _DURATION),
                "jobLabel": _TEXT,
                **dict.fromkeys(("tlsConfig", "basicAuth", "authorization"), _ANY),
                "honorLabels": _BOOLEAN,
                **dict.fromkeys(("targetLabels", "podTargetLabels"), _STRINGS),
                "sampleLimit": _at_least(0),
                **dict.fromkeys(("relabelings", "metricRelabelings"), _LIST),
            }
        ),
        "prometheusRule": _object(
            {
                **of_both,
                "runbookUrl": _URL,
                "dashboardUrl": _URL,
                "thresholds": _object({in_camel_case(name): _threshold(name) for name in IN_RULES}),
            }
        ),
    }


def _threshold(name: str) -> Schema:
    """`--set` gives texts for numbers with a point, and Helm compares the range of those itself."""
    one = THRESHOLDS[name]
    described = {"description": f"{one.reason} Default: {threshold_text(name, one.value)}."}
    if one.unit == "count":
        return described | _at_least(1)
    if one.unit == "ratio":
        ratio = {"exclusiveMinimum": 0, "exclusiveMaximum": 1, "pattern": "^0?\\.[0-9]*[1-9][0-9]*$"}
        return described | {"type": ["number", "string"]} | ratio
    return described | {"type": ["string", "integer"]}


def _config() -> Schema:
    """The settings of the exporter. Those that the chart sets are not there, nor secrets: they are in a ConfigMap."""
    root = _object({})
    for path, leaf in LEAVES.items():
        if leaf.kind.secret or path in _SET_BY_THE_CHART or path.startswith("shard."):
            continue
        *sections, name = path.split(".")
        section = root
        for each in sections:
            section = section["properties"].setdefault(each, _object({}))
        section["properties"][name] = {**_SETTINGS[leaf.kind.name], "description": leaf.description}
    return root
