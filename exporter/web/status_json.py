"""Writes what the status pages show as JSON. docs/json-api.md documents each member."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exporter.issues import KINDS, Issue
from exporter.status import ALERTS, HOW_TO_FIX, MEANING, PROBLEMS, FleetProblem
from exporter.tenant_details import TenantDetails
from exporter.web.groups import Group, Shares
from exporter.web.listing import PAGE_LINES, Listing
from exporter.web.query import Query
from exporter.web.snapshot import Snapshot
from exporter.web.summary import summarize

Json = dict[str, Any]


def status_json(snapshot: Snapshot, query: Query, listing: Listing) -> Json:
    """The reply of `/api/status`."""
    status, discovery = snapshot.status, snapshot.status.discovery
    return {
        "now": status.now,
        "version": status.version,
        "api_url": status.api_url,
        "started_at": status.started_at,
        "healthy": status.healthy,
        "ready": status.ready,
        "summary": asdict(summarize(snapshot)),
        "discovery": {
            "ok": discovery.ok,
            "succeeded_at": discovery.succeeded_at,
            "reason": discovery.reason or None,
            "detail": discovery.detail or None,
        },
        "shard": {
            "index": discovery.shard.index,
            "total": discovery.shard.total,
            "tenants_elsewhere": discovery.elsewhere,
        },
        "tenants": status.tenants,
        "tenants_failing": snapshot.tenants_failing,
        "tenants_with_problems": snapshot.tenants_with_problems,
        "collectors": [
            {
                "name": each.name,
                "interval_seconds": each.interval,
                "lag_seconds": each.lag,
                "tenants_failing": each.failing,
            }
            for each in status.collectors
        ],
        "fleet": [_fleet(each) for each in status.fleet],
        "groups": [_group(each) for each in snapshot.groups],
        "filters": query.filters,
        "total": listing.total,
        "page": query.page,
        "pages": listing.pages,
        "page_size": PAGE_LINES,
        "issues": [_issue(each) for each in listing.lines],
    }


def _fleet(problem: FleetProblem) -> Json:
    return {
        "problem": problem.kind,
        "meaning": PROBLEMS[problem.kind],
        "tenants": problem.tenants,
        "since": problem.since,
    }


def _group(group: Group) -> Json:
    return {
        "problem": group.first.kind,
        "meaning": group.first.meaning,
        "severity": group.severity,
        "reason": group.first.reason or None,
        "tenants": group.tenants,
        "since": group.since,
        "integrations": _shares(group.integrations),
        "accounts": _shares(group.accounts),
    }


def _shares(shares: Shares) -> list[Json]:
    return [{"name": name, "tenants": tenants} for name, tenants in shares]


def _issue(issue: Issue) -> Json:
    return {
        "tenant_id": issue.tenant.id,
        "tenant_name": issue.tenant.name,
        "account_name": issue.tenant.account_name or None,
        "integration": issue.tenant.integration or None,
        "integration_version": issue.tenant.integration_version or None,
        "problem": issue.kind or None,
        "meaning": issue.meaning or None,
        "severity": issue.severity or None,
        "since": issue.since if issue.kind else None,
        "reason": issue.reason or None,
        "detail": issue.detail or None,
        "collectors": list(issue.collectors),
    }


def tenant_json(details: TenantDetails) -> Json:
    """The reply of `/api/tenants/ID`."""
    whole = asdict(details)
    tenant = details.status
    del whole["status"]
    return {
        "id": tenant.id,
        "name": tenant.name,
        "account_name": tenant.account_name or None,
        "integration": tenant.integration or None,
        "integration_version": tenant.integration_version or None,
        "problems": [
            {**asdict(each), "meaning": KINDS[each.kind], "alert": ALERTS[each.kind]} for each in tenant.problems
        ],
        "failures": [
            {**asdict(each), "meaning": MEANING.get(each.reason), "how_to_fix": HOW_TO_FIX.get(each.reason)}
            for each in tenant.failures
        ],
        **whole,
    }
