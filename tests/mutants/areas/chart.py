"""Breaks the Helm chart, the code that generates files of it, and the manifests of kustomize."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TEMPLATES = "deploy/helm/kimono-exporter/templates/"
MARKERS = "deploy/chart/markers.py"
GENERATE = ("-m", "deploy.chart")
CHART = "tests/kubernetes/test_chart.py::"
RULES = "tests/kubernetes/test_rules.py::"
KUSTOMIZE = "tests/kubernetes/test_kustomize.py::"

MUTANTS = (
    Mutant(
        "the lesser of two thresholds is the default's",
        "exporter/assets/rules/promql.py",
        "return value.extreme(which, float(value), *values) if isinstance(value, Deferred) else value",
        "return value",
        (RULES + "test_rules_and_dashboards_are_those_of_assets",),
        GENERATE,
    ),
    Mutant(
        "dashboards of the chart have no markers",
        MARKERS,
        "for each in (stands, json.dumps(stands)[1:-1]):",
        "for each in (stands,):",
        (RULES + "test_with_the_defaults_the_rules_are_the_same_to_the_letter",),
        GENERATE,
    ),
    Mutant(
        "the chart shows two hours as seconds",
        TEMPLATES + "_helpers.tpl",
        "{{- if and (ge $seconds (int64 (mul 2 $unit)))",
        "{{- if and (ge $seconds (int64 (mul 3 $unit)))",
        (RULES + "test_with_the_defaults_the_rules_are_the_same_to_the_letter",),
    ),
    Mutant(
        "a threshold below a minute is taken",
        TEMPLATES + "_helpers.tpl",
        "{{- if lt (int64 $seconds) 60 }}",
        "{{- if lt (int64 $seconds) 0 }}",
        (CHART + "test_wrong_values_are_refused_with_a_message",),
    ),
    Mutant(
        "a secret may stand in the ConfigMap",
        "deploy/chart/schema.py",
        'if leaf.kind.secret or path in _SET_BY_THE_CHART or path.startswith("shard."):',
        'if path in _SET_BY_THE_CHART or path.startswith("shard."):',
        (CHART + "test_all_settings_are_in_the_schema_but_secrets_and_those_that_the_chart_sets",),
        GENERATE,
    ),
    Mutant(
        "the pod of `helm test` is one of the exporters",
        TEMPLATES + "tests/healthcheck.yaml",
        'app.kubernetes.io/name: {{ include "kimono-exporter.name" . }}-test',
        'app.kubernetes.io/name: {{ include "kimono-exporter.name" . }}',
        (CHART + "test_the_test_pod_is_not_one_of_the_exporters",),
    ),
    Mutant(
        "replicas of shards share a selector",
        TEMPLATES + "statefulset.yaml",
        '(printf "replica-%d" $copy)',
        '"replica"',
        (CHART + "test_the_shard_is_the_number_of_the_pod",),
    ),
    Mutant(
        "a Deployment with a volume waits for ever for the state file",
        TEMPLATES + "deployment.yaml",
        "type: Recreate",
        "type: RollingUpdate",
        (CHART + "test_the_state_file_is_in_an_empty_volume_or_in_a_claim",),
    ),
    Mutant(
        "kustomize's pod may become root",
        "deploy/kustomize/base/statefulset.yaml",
        "            allowPrivilegeEscalation: false",
        "            allowPrivilegeEscalation: true",
        (KUSTOMIZE + "test_the_pods_are_those_of_the_chart",),
    ),
)
