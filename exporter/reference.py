"""Writes the metric reference as Markdown, from the families."""

from __future__ import annotations

from collections.abc import Iterable

from exporter import telemetry
from exporter.families import FAMILIES
from exporter.metrics import Family

_INTRODUCTION = """\
# Metrics

Made from the code by `make docs`; `kimono-exporter metrics` prints the same.

## Samples

- A timestamp is in Unix seconds and is that of the event itself. `time() - x` gives its age in seconds.
- A fact that the API does not give has no sample. It is never 0 or the current time.
- A tenant's samples are those of its last successful poll. If polls fail, they expire three poll intervals after it.
- Samples of a tenant that is merely waiting for its next poll are kept.
- A tenant has at most 1,000 samples of each metric. `kimono_exporter_samples_dropped_total` counts the others.

## Labels and joins

A tenant's series have the label `tenant_id`, and those that the tables list. Names are labels of `kimono_tenant_info`.
Join them with `group_left`:

```promql
(kimono_tenant_state{flag="synchronization_suspended"} == 1)
* on (instance, tenant_id) group_left (tenant_name, account_name) kimono_tenant_info
```

Two replicas give each series twice, with different `instance` labels. Keep `instance` in `on (…)`, and aggregate it
away at the end, with `max by` or `min by`:

```promql
min by (tenant_id, flag) (kimono_tenant_state_since_timestamp_seconds)
```

## Since when

Metrics with `since` in their name tell since when something has been so. The exporter gets this from its polls, so
queries and rules need no history:

```promql
(time() - kimono_tenant_state_since_timestamp_seconds{flag="synchronization_suspended"}) / 3600
```

- The value is the time of the event. If the API does not give it, the value is the time of the first poll that saw it.
- The series exists only while it is so. `kimono_schedule_missed_since_timestamp_seconds` disappears when the schedule
  runs.
- `kimono_tenant_last_run_timestamp_seconds` and the two about the last pause come from the history as well, but stay.
- If polls fail for a while and nothing changes in that time, the value stays the same.
- With the setting `state.file`, values outlive a restart, and so do the counts of `kimono_ingestions_finished_total`.
  Without it, they begin anew, which delays alerts, and in one case causes one ([Restarts](alerts.md#restarts)).

A tenant is paused while it is in rollover mode, suspended, in setup mode, or has a mass change pending. A paused tenant
misses no schedule.
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
