"""Shares queries and panels between the modules of the dashboard Kimono / Tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.colours import FAINT, UNKNOWN
from dashboards.panels import Property, Steps, ValueTexts, fixed_colour, instant, stat_panel
from dashboards.queries import TENANT, or_placeholder

# Shown in an empty table of several queries, which Grafana would leave blank.
NONE = "None, or not read"
ONE_SCHEDULE = "job, tenant_id, schedule_id"
ONE_ROLLOVER = "job, tenant_id, rollover_id"
# Runs that bring the whole roster, unlike the small changes of the day.
FULL_RUN = 'ingestion_type=~"collection|bulk_load"'


def text_panel(
    title: str, description: str, expr: str, label: str, texts: ValueTexts, *, no_value: str, steps: Steps = ()
) -> stat.Panel:
    """The values of a label as text, in their own colours or in those of `steps` of the series' value."""
    # The background has a colour only with two steps; grey is for unknown values.
    panel = stat_panel(title, description, expr, steps=steps or [(None, UNKNOWN), (1, UNKNOWN)], no_value=no_value)
    target = instant(or_placeholder(expr, label, no_value)).legend_format(f"{{{{{label}}}}}")
    panel.targets([target]).text_mode(BigValueTextMode.NAME)
    for value, (text, colour) in texts.items():
        panel.override_by_name(value, [Property("displayName", text), *([] if steps else [fixed_colour(colour)])])
    return panel


def numbered(metric: str, label: str, values: Iterable[str], by: str, where: str = "") -> str:
    """A series for each `by`, whose value is the number of its label's value, from 1; of several the first.

    An unknown value has the number after the last.
    """
    chosen = ",".join(filter(None, (TENANT, where)))
    known = [f'{metric}{{{chosen},{label}="{value}"}}' for value in values]
    every = [*known, f"{metric}{{{chosen}}}"]
    return " or ".join(f"{code} * group by ({by}) ({series})" for code, series in enumerate(every, 1))


def numbered_texts(texts: Mapping[str, tuple[str, str]]) -> ValueTexts:
    """The texts of the numbers that `numbered` returns; 0 is none."""
    return {"0": ("none", FAINT)} | {
        str(code): text for code, text in enumerate([*texts.values(), ("other", UNKNOWN)], 1)
    }
