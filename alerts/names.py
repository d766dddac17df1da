"""Gives each tenant one name, whatever replicas say."""

from __future__ import annotations

from alerts.facts import TENANT, Source, several_exporters
from alerts.promql import block

NAMES = "tenant_name, account_name, integration"
_MORE = "account_name, integration, cloud_name"
_NAMED, _NAMELESS = 'tenant_name!=""', 'tenant_name=""'


def info(of: Source) -> str:
    """One series for each tenant with its names, by (job, tenant_id, tenant_name, account_name, integration).

    The names under which a problem was first reported come first. A tenant without a name, or to which replicas give
    different names, goes by its id. Never are there two series for a tenant: joins would fail.
    """
    if of.recorded:
        return of("kimono:tenant:info")
    names = [*_names(of, "kimono_tenant_reported_info"), *_names(of, "kimono_tenant_info")]
    rest = f"{_several(of, 'kimono_tenant_info')} or {of('kimono_tenant_info', _NAMELESS)}"
    return block(f"\nor {TENANT} ".join([*names, _by_id(f"group by (job, tenant_id) ({rest})")]))


def _names(of: Source, metric: str) -> tuple[str, str]:
    """The one name, and what stands in for an empty one."""
    nameless = f"group by (job, tenant_id, {_MORE}) ({of(metric, _NAMELESS)})"
    several = f"count by (job, tenant_id) ({nameless}) > 1"
    return (
        f"({_name(of(metric, _NAMED))} unless {TENANT} {_several(of, metric)})",
        _by_id(f"({nameless} unless {TENANT} ({several}))"),
    )


def _name(given: str) -> str:
    return f"group by (job, tenant_id, tenant_name, {_MORE}) ({given})"


def _several(of: Source, metric: str) -> str:
    """Tenants to which replicas give different names. With one exporter, empty at once: nothing equals 0."""
    return f"(count by (job, tenant_id) ({_name(f'{of(metric, _NAMED)} == {several_exporters(of)}')}) > 1)"


def _by_id(series: str) -> str:
    return f'label_replace({series}, "tenant_name", "$1", "tenant_id", "(.+)")'


def named(of: Source, expression: str, labels: str = NAMES) -> str:
    """Add the tenants' names to an expression by (job, tenant_id)."""
    return f"{block(expression)} * {TENANT} group_left ({labels}) {info(of)}"
