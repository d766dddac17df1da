"""Lists the calls of the API, and finds the one for a request."""

from __future__ import annotations

from exporter.simulator import account_calls, account_changes, scoping_calls, tenant_calls, tenant_changes
from exporter.simulator.calls import ACCOUNT, ACTOR, Handler, Route

_NO_CONTENT = 204
_SCHOOLS, _COURSES = "/tenant/scoping/schools", "/tenant/scoping/courses"
_VERSION = "/integrations/{id}/versions/{version}"
_INGESTIONS = "Unfinished ingestions alone, as the vendor's earlier description says."
_CREATED_SCOPES = (
    "The reply has one object, as in the vendor's client kit: the first of the list, or null. "
    "An `id` that exists is a 409. `selected` is false if it is missing."
)
_CHANGED_SCOPE = "Members that are missing stay. The id of another tenant, account or object is a 400."
_EITHER_METHOD = "The reference names no method: `PATCH` works, too."


def _get(template: str, audience: str, handler: Handler, decided: str = "") -> Route:
    return Route(("GET",), template, audience, handler, decided=decided)


def _change(call: str, audience: str, handler: Handler, decided: str = "", *, replies: bool = True) -> Route:
    """A call that changes something, such as `PUT|PATCH /tenant/application`; the first method is the usual one."""
    methods, _, template = call.partition(" ")
    return Route(tuple(methods.split("|")), template, audience, handler, 200 if replies else _NO_CONTENT, decided)


_OF_ACCOUNT = (
    _get("/actors", ACCOUNT, account_calls.list_actors),
    _get("/clouds", ACCOUNT, account_calls.list_clouds),
    _change(
        "POST /clouds",
        ACCOUNT,
        account_changes.create_cloud,
        "`name` must be there. `userdata` may be the public id of an account. The new cloud has no actors.",
    ),
    _get("/clouds/search", ACCOUNT, account_calls.search_clouds, "`name` is a part of the name, in any case."),
    _get("/clouds/{id}", ACCOUNT, account_calls.find_cloud),
    _change(
        "DELETE /clouds/{id}",
        ACCOUNT,
        account_changes.delete_cloud,
        "A cloud with tenants is a 409, like an active rollover.",
        replies=False,
    ),
    _get(
        "/clouds/{id}/actors",
        ACCOUNT,
        account_calls.list_actors_of_cloud,
        "`include_credentials` is true if it is missing, as in the published example.",
    ),
    _get("/integrations", ACCOUNT, account_calls.list_integrations, "`name` is the whole name."),
    _change(
        "POST /integrations",
        ACCOUNT,
        account_changes.create_integration,
        "`name` must be there. A name that exists is a 409. `version` creates that version, too.",
    ),
    _get("/integrations/{id}", ACCOUNT, account_calls.find_integration),
    _change(
        "PATCH /integrations/{id}",
        ACCOUNT,
        account_changes.update_integration,
        "A name that exists is a 409. `version` must be a version of the integration.",
        replies=False,
    ),
    _change(
        "DELETE /integrations/{id}",
        ACCOUNT,
        account_changes.delete_integration,
        "An integration with tenants is a 409, like an active rollover.",
        replies=False,
    ),
    _get("/integrations/{id}/versions", ACCOUNT, account_calls.list_versions),
    _change(
        "POST /integrations/{id}/versions",
        ACCOUNT,
        account_changes.create_version,
        "The format of blueprints is not published: the body is JSON with `version`. A version that exists is a 409.",
    ),
    _change(f"PATCH {_VERSION}", ACCOUNT, account_changes.update_version, "`version` can't be changed.", replies=False),
    _change(
        f"DELETE {_VERSION}",
        ACCOUNT,
        account_changes.delete_version,
        "A version with tenants, and the current version, are a 409.",
        replies=False,
    ),
    _change(
        f"PUT {_VERSION}/blueprint",
        ACCOUNT,
        account_changes.update_blueprint,
        "The format of blueprints is not published: any text that is not empty is right.",
    ),
    _get(
        "/tenants",
        ACCOUNT,
        account_calls.list_tenants,
        "`integrations`, the older name of `integration`, has no effect, as seen on a server.",
    ),
    _get("/tenants/{id}", ACCOUNT, account_calls.find_tenant),
)
_OF_ACTORS = (
    _get("/tenant", ACTOR, tenant_calls.own_tenant),
    _get("/tenant/state", ACTOR, tenant_calls.state),
    _get(_SCHOOLS, ACTOR, tenant_calls.list_schools),
    _change(f"POST {_SCHOOLS}", ACTOR, scoping_calls.create_schools, _CREATED_SCOPES),
    _change(f"DELETE {_SCHOOLS}", ACTOR, scoping_calls.delete_schools, "Courses stay.", replies=False),
    _get(f"{_SCHOOLS}/{{id}}", ACTOR, tenant_calls.find_school),
    _change(f"PUT {_SCHOOLS}/{{id}}", ACTOR, scoping_calls.update_school, _CHANGED_SCOPE),
    _change(f"DELETE {_SCHOOLS}/{{id}}", ACTOR, scoping_calls.delete_school, "Its courses stay.", replies=False),
    _get(_COURSES, ACTOR, tenant_calls.list_courses),
    _change(f"POST {_COURSES}", ACTOR, scoping_calls.create_courses, _CREATED_SCOPES),
    _change(f"DELETE {_COURSES}", ACTOR, scoping_calls.delete_courses, replies=False),
    _get(f"{_COURSES}/{{id}}", ACTOR, tenant_calls.find_course),
    _change(f"PUT {_COURSES}/{{id}}", ACTOR, scoping_calls.update_course, _CHANGED_SCOPE),
    _change(f"DELETE {_COURSES}/{{id}}", ACTOR, scoping_calls.delete_course, replies=False),
    _get("/tenant/application", ACTOR, tenant_calls.application, "A tenant without an application gets 403 or 404."),
    _change(
        "PUT|PATCH /tenant/application",
        ACTOR,
        tenant_changes.update_application,
        f"{_EITHER_METHOD} If no authentication is pending, it is a 409. Read-only members are ignored.",
    ),
    _get(
        "/tenant/rollovers",
        ACTOR,
        tenant_calls.list_rollovers,
        "`sort` is `name`, `type`, `status`, `start_date` or `end_date`; another one is a 400.",
    ),
    _change(
        "POST /tenant/rollovers",
        ACTOR,
        tenant_changes.create_rollover,
        "`type` is `new_year`, `status` is `upcoming`. A start that has passed opens the rollover at once.",
    ),
    _get("/tenant/rollovers/count", ACTOR, tenant_calls.count_rollovers),
    _get("/tenant/rollovers/{id}", ACTOR, tenant_calls.find_rollover),
    _change(
        "PUT|PATCH /tenant/rollovers/{id}",
        ACTOR,
        tenant_changes.update_rollover,
        f"{_EITHER_METHOD} A `status` that is no longer right is a concurrent modification: a 409. "
        "So is a change of one that is over, or of the start of one that is active.",
    ),
    _change(
        "DELETE /tenant/rollovers/{id}",
        ACTOR,
        tenant_changes.delete_rollover,
        "A rollover is active from its opening until it is completed.",
        replies=False,
    ),
    _get("/tenant/schedules", ACTOR, tenant_calls.list_schedules),
    _change(
        "POST /tenant/schedules",
        ACTOR,
        tenant_changes.create_schedule,
        "A schedule overlaps with one at the same hour. It runs every day: `days` is null.",
    ),
    _get("/tenant/schedules/count", ACTOR, tenant_calls.count_schedules),
    _change(
        "POST /tenant/schedules/{id}/run",
        ACTOR,
        tenant_changes.run_schedule,
        "Suspension, rollover mode and setup mode pause schedules, too: a 409.",
        replies=False,
    ),
    _get("/tenant/schedules/{id}", ACTOR, tenant_calls.find_schedule),
    _change(
        "PUT|PATCH /tenant/schedules/{id}",
        ACTOR,
        tenant_changes.update_schedule,
        f"{_EITHER_METHOD} Members other than `enabled` are ignored.",
    ),
    _change(
        "DELETE /tenant/schedules/{id}",
        ACTOR,
        tenant_changes.delete_schedule,
        "An ingestion that the schedule has started goes on.",
        replies=False,
    ),
    _get("/ingestions", ACTOR, tenant_calls.list_ingestions, _INGESTIONS),
    _get("/ingestions/count", ACTOR, tenant_calls.count_ingestions, _INGESTIONS),
    _get("/ingestions/{id}", ACTOR, tenant_calls.find_ingestion),
)
ROUTES = _OF_ACCOUNT + _OF_ACTORS

_TEMPLATES = {
    route.template: {method: one for one in ROUTES if one.template == route.template for method in one.methods}
    for route in ROUTES
}
_FIXED = frozenset(template for template in _TEMPLATES if "{" not in template)
_WITH_IDS = [(template, template.split("/")) for template in _TEMPLATES if "{" in template]


def find_template(path: str) -> tuple[str, tuple[str, ...]] | None:
    """The template for a path below the prefix, and the ids in the path; None if there is none."""
    if path in _FIXED:
        return path, ()
    parts = path.split("/")
    for template, wanted in _WITH_IDS:
        if len(parts) == len(wanted) and all(w == p or w[:1] == "{" for w, p in zip(wanted, parts, strict=True)):
            return template, tuple(p for w, p in zip(wanted, parts, strict=True) if w[:1] == "{")
    return None


def methods(template: str) -> dict[str, Route]:
    """The calls at a template, by method; KeyError if there is none."""
    return _TEMPLATES[template]
