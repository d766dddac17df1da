"""Writes what `check` found as JSON, for programs. docs/check.md describes it; `FORMAT` grows if a member changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from exporter.check.advice import how_to_fix
from exporter.check.calls import Call, outcomes
from exporter.settings import ApiSettings
from exporter.status import PROBLEMS, Status, TenantStatus
from exporter.store import FLEET

FORMAT = 1


def as_json(status: Status, api: ApiSettings, calls: Iterable[Call] | None, *, ok: bool, history: bool) -> str:
    """The document, with a line break at its end. All that came from the API is escaped to ASCII.

    With `calls`, each tenant has those that are its own. `history` says whether the state file was read.
    """
    shown_tenants = (*status.failing, *status.working)
    noted = None if calls is None else list(calls)
    tenants = sorted((each for each in shown_tenants if each.id != FLEET), key=lambda each: (each.name, each.id))
    account = next((each for each in shown_tenants if each.id == FLEET), None)
    discovery = status.discovery
    document = {
        "format": FORMAT,
        "version": status.version,
        "api_url": status.api_url,
        "time": status.now,
        "ok": ok,
        "history": history,
        "discovery": {
            "ok": bool(discovery.ok),
            "reason": discovery.reason or None,
            "detail": discovery.detail or None,
            "how_to_fix": how_to_fix(api, of_account=True).get(discovery.reason),
            "shard": discovery.shard.index,
            "shards": discovery.shard.total,
            "elsewhere": discovery.elsewhere,
        },
        "counts": {
            "tenants": status.tenants,
            "failing": status.tenants_failing,
            "with_problems": len(status.with_problems),
        },
        "account": _tenant(account, api, noted) if account else None,
        "tenants": [_tenant(each, api, noted) for each in tenants],
    }
    return json.dumps(document, indent=2) + "\n"


def _tenant(tenant: TenantStatus, api: ApiSettings, calls: list[Call] | None) -> dict[str, Any]:
    fixes = how_to_fix(api, of_account=tenant.id == FLEET)
    shown: dict[str, Any] = {
        "id": tenant.id or None,
        "name": tenant.name,
        "account_name": tenant.account_name or None,
        "integration": tenant.integration or None,
        "integration_version": tenant.integration_version or None,
        "ok": not tenant.failures,
        "polled": list(tenant.polled),
        "failures": [
            {
                "collector": failure.collector,
                "reason": failure.reason,
                "detail": failure.detail,
                "how_to_fix": fixes[failure.reason],
            }
            for failure in sorted(tenant.failures, key=lambda each: each.collector)
        ],
        "problems": [
            {
                "kind": problem.kind,
                "severity": problem.severity,
                "description": PROBLEMS[problem.kind],
                "since": problem.since,
            }
            for problem in tenant.problems
        ],
    }
    if calls is not None:
        shown["calls"] = [
            {
                "collector": call.collector,
                "method": call.method,
                "endpoint": call.endpoint,
                "seconds": round(call.seconds, 6),
                "status": call.status,
                "error": None if call.status is not None else call.code,
                "outcome": outcome,
                "retried": call.retried,
            }
            for call, outcome in outcomes(calls, tenant)
        ]
    return shown
