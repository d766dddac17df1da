"""What does the simulated hub know about one tenant?

Plain, live records. All times are Unix seconds. `Truth` is a copy of them for tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INGESTION_FINAL_STATES = ("success", "failed", "cancelled", "timeout")
STATE_FLAGS = ("rollover_mode_enabled", "synchronization_suspended", "setup_mode_enabled", "mass_change_pending")
# While one of these is on, schedules do not run.
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
    # A stuck run stays unfinished until it is released, whatever else happens.
    stuck: bool = False


@dataclass(slots=True)
class Schedule:
    """When a tenant collects.

    `days` is what the API says, in any form; `days_of_week` is what it means (Monday is 0), None if nobody
    could read it; `works_on` is what the hub really does, which it knows even then.
    """

    id: str
    type: str
    enabled: bool
    hour: int
    days: str | None
    days_of_week: frozenset[int] | None
    works_on: frozenset[int]
    created_at: float
    last_executed_at: float | None = None
    shows_metadata: bool = True


@dataclass(slots=True)
class Rollover:
    """One planned window. `obeyed` is False when the hub fails to open or close it by itself."""

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
    opens: bool = True
    closes: bool = True


@dataclass(slots=True)
class Application:
    """The connection to the product behind an integration. `props` holds made-up secrets."""

    deliver_tasks: bool
    validate_tasks: bool
    auth_type: str
    auth_state: str
    auth_message: str | None
    auth_state_pending: str
    updated_at: float
    props: dict[str, str] = field(repr=False, default_factory=dict)


@dataclass(slots=True)
class School:
    """One school that a tenant may take or leave."""

    id: str
    ref_id: str
    name: str
    local_id: str
    selected: bool


@dataclass(slots=True)
class Course:
    """One course at one school that a tenant may take or leave."""

    id: str
    ref_id: str
    school: School
    name: str
    local_id: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that is so about one tenant at one moment; a copy that later life does not change."""

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
