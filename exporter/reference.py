"""Writes the metric reference as Markdown, from the families."""

from __future__ import annotations

from collections.abc import Iterable

from exporter import telemetry
from exporter.families import FAMILIES
from exporter.metrics import Family

_INTRODUCTION = """\
# Metrics

Made from the code by `make docs`; `kimono-exporter metrics` prints the same.

A tenant's series are labelled by `tenant_id` and by what the table lists. Names are labels of `kimono_tenant_info`;
join them, for example

    (kimono_tenant_state{flag="synchronization_suspended"} == 1)
      * on (instance, tenant_id) group_left (tenant_name, account_name) kimono_tenant_info

Timestamps are Unix seconds of the event itself, never ages; `time() - x` gives the age. A fact that the API did not
give has no sample. A tenant's samples are those of its last successful poll. If its polls fail, they expire three
intervals of their collector after that poll. Samples of a tenant that is merely waiting for its next poll are kept.
"""


def metrics_markdown() -> str:
    """The whole reference."""
    return f"""{_INTRODUCTION}
## Elevate Data Sync

{_table(FAMILIES)}
## The exporter itself

The usual `process_*` and `python_*` of prometheus-client are there as well.

{_table(telemetry.FAMILIES)}"""


def _table(families: Iterable[Family]) -> str:
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.help} |")
    return "".join(f"{line}\n" for line in lines)
