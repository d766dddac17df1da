"""Defines the records of one tenant: ingestions, schedules, rollovers, application and scoping.

The records are mutable. All times are Unix seconds. `Truth` is a copy for tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INGESTION_FINAL_STATES = ("success", "failed", "cancelled", "timeout")
STATE_FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
# While one of these is on, the schedules are paused.
PAUSING_FLAGS = STATE_FLAGS[:3]


@dataclass(slots=True)
class Ingestion:
    """One run. `started_at` may be None until it executes; `ended_at` is None while it is unfinished."""

    id: str
    type: str
    state: str
    started_at: float | None
    created_at: float
    updated_at: float
    ended_at: float | None = None
    has_pending_task: bool = False
    external_import_ids: list[str] | None = None
    scheduled_at: float | None = None
    # A stuck run stays unfinished until a caller finishes it.
    stuck: bool = False
    # It is over for the hub, which lists it all the same.
    lingers: bool = False


@dataclass(slots=True)
class Schedule:
    """One schedule.

    `days` is the text that the API sends. `days_of_week` is its meaning (Monday is 0), or None if the text has no
    known meaning. `actual_days` are the days on which the hub runs it. `due_at` is the next time (Unix seconds) that it
    is due. While `misses_as` is set, the hub does not run it, which is an incident of that kind; `missed` says whether
    that incident has begun. While it is `blocked`, the hub waits with it for another run.
    """

    id: str
    type: str
    enabled: bool
    hour: int
    days: str | None
    days_of_week: frozenset[int] | None
    actual_days: frozenset[int]
    created_at: float
    last_executed_at: float | None = None
    shows_metadata: bool = True
    due_at: float | None = None
    misses_as: str | None = None
    missed: str | None = None
    blocked: bool = False
    # When a client changed it last.
    edited_at: float | None = None
    # A client or a story has removed it. A story that knows it still may not bring it back.
    removed: bool = False


@dataclass(slots=True)
class Rollover:
    """One planned window.

    `starts_by_itself` and `ends_by_itself` are False if the hub fails to do so. `is_on` says whether it has set the
    rollover mode. `status_when_on` is the hub's word for that.
    """

    id: str
    name: str
    type: str
    start: float
    end: float
    created_at: float
    updated_at: float
    status: str = "upcoming"
    failures: int = 0
    reason: str | None = None
    starts_by_itself: bool = True
    ends_by_itself: bool = True
    is_on: bool = False
    status_when_on: str = "ongoing"
    is_from_client: bool = False
    # When a client changed it last.
    edited_at: float | None = None


@dataclass(slots=True)
class Application:
    """The connection to the product behind an integration. `props` holds made-up secrets.

    `props_pending` are those that a client has sent; None if it has sent none.
    """

    deliver_tasks: bool
    validate_tasks: bool
    auth_type: str
    auth_state: str
    auth_message: str | None
    auth_state_pending: str
    updated_at: float
    props: dict[str, str] = field(repr=False, default_factory=dict)
    props_pending: dict[str, str] | None = field(repr=False, default=None)


@dataclass(slots=True)
class School:
    """One school, and whether the tenant syncs it."""

    id: str
    ref_id: str | None
    name: str | None
    local_id: str | None
    keywords: str | None
    selected: bool


@dataclass(slots=True)
class Course:
    """One course at one school, and whether the tenant syncs it."""

    id: str
    ref_id: str | None
    school_id: str | None
    school_ref_id: str | None
    name: str | None
    local_id: str | None
    keywords: str | None
    selected: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """The true state of one tenant at one moment; a copy that does not change later."""

    tenant_id: str
    flags: dict[str, bool]
    ingestions: list[Ingestion]
    schedules: list[Schedule]
    rollovers: list[Rollover]
    application: Application | None
    schools_selected: int
    schools_unselected: int
    courses_selected: int
    courses_unselected: int
    stories: list[str]
