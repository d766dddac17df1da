"""Which metrics are there, and what do they mean? Written from the families themselves, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from exporter import telemetry
from exporter.families import FAMILIES
from exporter.metrics import Family

_INTRODUCTION = """\
# Metrics

Made from the code by `make docs`; `kimono-exporter metrics` prints the same.

A tenant's series carry `tenant_id` and what the row names, and nothing else: names stand on
`kimono_tenant_info` and are joined, for example

    (kimono_tenant_state{flag="synchronization_suspended"} == 1)
      * on (instance, tenant_id) group_left (tenant_name, account_name) kimono_tenant_info

Timestamps are Unix seconds of the event itself, never ages; `time() - x` gives the age. What the API did
not say has no sample. A tenant's rows are those of its last good poll. If its polls fail, they vanish when three
intervals of their collector have passed since then; those of a tenant that only waits for its turn stay.
"""


def metrics_markdown() -> str:
    """The whole reference."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## Elevate Data Sync\n",
            *_table(FAMILIES),
            "\n## The exporter itself\n",
            "The usual `process_*` and `python_*` of prometheus-client are there as well.\n",
            *_table(telemetry.FAMILIES),
            "",
        ]
    )


def _table(families: Iterable[Family]) -> Iterable[str]:
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.help} |"
