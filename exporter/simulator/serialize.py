"""Converts records to the JSON of replies, as in the published reference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from exporter.simulator.inventory import Actor, Cloud, Credentials, Integration, Tenant, Version
from exporter.simulator.records import Application, Course, Ingestion, Rollover, Schedule, School

Json = dict[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(moment: float | None) -> str | None:
    """Unix seconds as `2025-08-15T12:58:46.280Z`; None stays None."""
    if moment is None:
        return None
    return (_EPOCH + timedelta(milliseconds=round(moment * 1000))).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def tenant_info(tenant: Tenant) -> Json:
    """The `TenantInfo` of a tenant."""
    return {
        "id": tenant.id,
        "account_id": tenant.account.id if tenant.account else None,
        "tenant_id": tenant.id,
        "created_at": iso(tenant.created_at),
        "updated_at": iso(tenant.updated_at),
        "name": tenant.name,
        "actor_id": tenant.actor_id,
        "account": _account(tenant),
        "cloud": _cloud(tenant),
        "integration": _integration(tenant),
        "auth": auth(tenant.credentials),
        "app_auth": tenant.app_auth,
        "lti_developer_id": tenant.lti_developer_id,
    }


def auth(credentials: Credentials) -> Json:
    """The `auth` member of tenants and actors."""
    return {
        "type": credentials.type,
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "updated_at": iso(credentials.updated_at),
    }


def application(one: Application, tenant: Tenant) -> Json:
    """The application of a tenant, with its secrets."""
    return {
        "account_id": _account_id(tenant),
        "tenant_id": tenant.id,
        "created_at": iso(tenant.created_at),
        "updated_at": iso(one.updated_at),
        "deliver_tasks": one.deliver_tasks,
        "validate_tasks": one.validate_tasks,
        "auth_type": one.auth_type,
        "auth_state": one.auth_state,
        "options": {"grade_passback": "enabled"},
        "auth_props": one.props,
        "auth_session_id_pending": None,
        "auth_message": one.auth_message,
        "auth_props_pending": _pending_props(one),
        "auth_state_pending": one.auth_state_pending,
    }


def _pending_props(one: Application) -> Json:
    if one.props_pending is not None:
        return dict(one.props_pending)
    return dict(one.props) if one.auth_state_pending == "updating" else {}


def ingestion(one: Ingestion, tenant: Tenant) -> Json:
    """An ingestion."""
    return {
        **_common(one.id, tenant, one.created_at, one.updated_at),
        "type": one.type,
        "state": one.state,
        "started_at": iso(one.started_at),
        "external_import_ids": one.external_import_ids,
        "has_pending_task": one.has_pending_task,
        "metadata": None if one.type == "mirror" else {"scheduled": iso(one.scheduled_at)},
    }


def schedule(one: Schedule, tenant: Tenant) -> Json:
    """A schedule."""
    metadata = {"created": iso(one.created_at), "updated": iso(one.edited_at)} if one.shows_metadata else None
    updated = max(one.created_at, one.last_executed_at or 0.0, one.edited_at or 0.0)
    return {
        **_common(one.id, tenant, one.created_at, updated),
        "type": one.type,
        "last_executed_at": iso(one.last_executed_at),
        "enabled": one.enabled,
        "hour": one.hour,
        "days": one.days,
        "metadata": metadata,
    }


def rollover(one: Rollover, tenant: Tenant) -> Json:
    """A rollover."""
    updated = one.updated_at if one.failures else one.edited_at
    metadata = {"created": iso(one.created_at), "updated": iso(updated)}
    return {
        **_common(one.id, tenant, one.created_at, one.updated_at),
        "name": one.name,
        "type": one.type,
        "start_date": iso(one.start),
        "end_date": iso(one.end),
        "metadata": None if tenant.index % 5 == 1 else metadata,
        "status": one.status,
        "status_change_failure_count": one.failures,
        "failure_reason": one.reason,
    }


def school(one: School, tenant: Tenant) -> Json:
    """A school in scoping."""
    return {
        "account_id": _account_id(tenant),
        "tenant_id": tenant.id,
        "school_id": one.id,
        "school_ref_id": one.ref_id,
        "name": one.name,
        "local_id": one.local_id,
        "keywords": one.keywords,
        "selected": one.selected,
    }


def course(one: Course, tenant: Tenant) -> Json:
    """A course in scoping."""
    return {
        "account_id": _account_id(tenant),
        "tenant_id": tenant.id,
        "course_id": one.id,
        "course_ref_id": one.ref_id,
        "school_id": one.school_id,
        "school_ref_id": one.school_ref_id,
        "name": one.name,
        "local_id": one.local_id,
        "keywords": one.keywords,
        "selected": one.selected,
    }


def actor(one: Actor | Tenant) -> Json:
    """An actor. A tenant is one too."""
    if isinstance(one, Tenant):
        return {
            **_common(one.actor_id, one, one.created_at, one.updated_at),
            "name": one.name,
            "type": "integration",
            "connector_type": None,
            "auth": auth(one.credentials),
        }
    return {
        "id": one.id,
        "account_id": one.cloud.account.id,
        "tenant_id": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "name": one.name,
        "type": one.type,
        "connector_type": one.connector_type,
        "auth": auth(one.auth),
    }


def cloud(one: Cloud) -> Json:
    """A cloud."""
    return {
        "id": one.id,
        "account_id": one.account.id,
        "tenant_id": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "name": one.name,
        "userdata": one.userdata,
        "generation": one.generation,
    }


def integration(one: Integration) -> Json:
    """An integration."""
    return {
        "id": one.id,
        "account_id": None,
        "tenant_id": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "name": one.name,
        "title": one.title,
        "version": one.version,
    }


def version(one: Version) -> Json:
    """A version of an integration."""
    return {
        "id": one.id,
        "account_id": None,
        "tenant_id": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "version": one.version,
        "title": one.title,
        "release_state": one.release_state,
    }


def without_id(resource: Mapping[str, object]) -> Json:
    """The resource without its `id`, for a server that sends no ids."""
    return {name: value for name, value in resource.items() if name != "id"}


def _common(resource_id: str, tenant: Tenant, created: float, updated: float) -> Json:
    return {
        "id": resource_id,
        "account_id": _account_id(tenant),
        "tenant_id": tenant.id,
        "created_at": iso(created),
        "updated_at": iso(updated),
    }


def _account_id(tenant: Tenant) -> str | None:
    return tenant.account.id if tenant.account else None


def _account(tenant: Tenant) -> Json | None:
    one = tenant.account
    if one is None:
        return None
    return {
        "id": one.id,
        "name": one.name,
        "public_id": one.public_id,
        "timezone": one.timezone,
        "userdata": None,
    }


def _cloud(tenant: Tenant) -> Json | None:
    one = tenant.cloud
    if one is None:
        return None
    env = {"id": one.env_id, "name": one.env_name}
    return {"id": one.id, "name": one.name, "generation": one.generation, "env": env}


def _integration(tenant: Tenant) -> Json | None:
    one = tenant.integration
    if one is None:
        return None
    return {"id": one.id, "name": one.name, "version": tenant.version}
