"""Gives each tenant in trouble one name, whatever replicas say."""

from __future__ import annotations

from exporter.assets.rules.facts import TENANT
from exporter.assets.rules.promql import block, lines
from exporter.assets.rules.rule import Recording

INFO = "kimono:tenant:info"
_GIVEN = "kimono:tenant_names:info"
_ALL = "tenant_name, account_name, integration, cloud_name"
_ALERT = "tenant_name, account_name, integration"


def names(in_trouble: str) -> tuple[Recording, Recording]:
    """The names of tenants in trouble, which the expression has, by (job, tenant_id, tenant_name, account_name, …).

    Never are there two series for a tenant: joins would fail.
    """
    nameless = f'{_GIVEN}{{tenant_name=""}}'
    return (
        Recording(
            _GIVEN,
            lines(
                only(f"group by (job, tenant_id, {_ALL}) (kimono_tenant_reported_info)"),
                f"or {TENANT} group by (job, tenant_id, {_ALL}) (kimono_tenant_info and {TENANT} {in_trouble})",
            ),
            "Their names: those of a problem's first report come first. Without one name, a tenant goes by its id.",
        ),
        Recording(
            INFO,
            lines(
                only(f'{_GIVEN}{{tenant_name!=""}}'),
                f"or {TENANT} {_by_id(only(nameless))}",
                f"or {TENANT} {_by_id(f'group by (job, tenant_id) ({_GIVEN})')}",
            ),
        ),
    )


def only(series: str) -> str:
    """The series of tenants that have one: replicas agree."""
    return f"{series} unless {TENANT} (count by (job, tenant_id) ({series}) > 1)"


def _by_id(series: str) -> str:
    return f'label_replace({series}, "tenant_name", "$1", "tenant_id", "(.+)")'


def named(expression: str, *more: str) -> str:
    """Add the tenants' names, and `more` labels, to an expression by (job, tenant_id, …)."""
    return f"{block(expression)} * {TENANT} group_left ({', '.join((_ALERT, *more))}) {INFO}"
