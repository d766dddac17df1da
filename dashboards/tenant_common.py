"""Shares queries and panels between the modules of the dashboard Kimono / Tenant."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.colours import FAINT, UNKNOWN
from dashboards.panels import (
    Property,
    ValueTexts,
    fixed_colour,
    instant,
    query,
    stat_panel,
    state_timeline_panel,
    value_mappings,
)
from dashboards.queries import TENANT, TENANT_HISTORY, or_text, placeholder

ONE_SCHEDULE = "job, tenant_id, schedule_id"
ONE_ROLLOVER = "job, tenant_id, rollover_id"


def text_panel(title: str, description: str, expr: str, name: str, texts: ValueTexts, *, no_value: str) -> stat.Panel:
    """The values of the label `name` as text, in their own colours."""
    # The background has a colour only with two steps; grey is for unknown values.
    panel = stat_panel(title, description, expr, steps=[(None, UNKNOWN), (1, UNKNOWN)], no_value=no_value)
    # Names are shown only of series: without any, the panel would be blank.
    target = instant(placeholder(expr, name, no_value)).legend_format(f"{{{{{name}}}}}")
    panel.targets([target]).text_mode(BigValueTextMode.NAME)
    for value, (text, colour) in texts.items():
        panel.override_by_name(value, [Property("displayName", text), fixed_colour(colour)])
    return panel


def newest(metric: str, *by: str) -> str:
    """A fact about the tenant, by these labels."""
    return f"max by ({', '.join(by)}) ({metric}{{{TENANT}}})"


def timeline(
    title: str, description: str, metric: str, labels: tuple[str, str], texts: ValueTexts, *, none: str, no_value: str
) -> statetimeline.Panel:
    """When a fact with the value 1 was there, by two labels, in the colour of the second one's value.

    `none` stands for no such fact, `no_value` for nothing known.
    """
    first, second = labels
    series = f"group by ({first}, {second}) ({metric})"
    panel = state_timeline_panel(
        title,
        description,
        [query(or_text(series, first, none, TENANT_HISTORY), f"{{{{{first}}}}} {{{{{second}}}}}")],
        {"1": ("other", UNKNOWN), "0": (none, FAINT)},
        no_value=no_value,
    )
    for value, text in texts.items():
        mappings = [each.to_json() for each in value_mappings({"1": text})]
        panel.override_by_regexp(f"/ {value}$/", [Property("mappings", mappings)])
    return panel
