"""Is anything wrong, and where first? One tenant, or all of them?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import GraphDrawStyle

from dashboards.colours import (
    ALERT_TEXTS,
    BAD,
    GOOD,
    MANY,
    MANY_TEXT,
    MODES,
    OUTCOMES,
    PROBLEM_TEXTS,
    PROBLEMS,
    RANK_TEXTS,
    TYPES,
    WARN,
)
from dashboards.frame import KEPT, TO_RUNBOOK, TO_TENANT, Row, accounts, dashboard, integrations
from dashboards.panels import MOMENT, SECONDS, Column, Panel, by_loudness, lines, link, number, query, rows, states
from dashboards.queries import (
    ANY_JOB,
    BLIND,
    CHOSEN,
    JOB,
    NAMES,
    count,
    loudest,
    modes,
    or_state,
    or_state_over_time,
    or_words,
    problems,
    rank,
    ranked,
    score,
    unread,
    watched,
)

UID = "kimono-fleet"
TO_EXPORTER = link("Can the picture be trusted?", f"/d/kimono-exporter?{KEPT}")
TO_ROLLOVERS = link("Who is in or near a rollover?", f"/d/kimono-rollovers?{KEPT}")
SEEN = f'kimono_collector_last_success_timestamp_seconds{{{JOB},collector="state"}}'
NOBODY = "Nobody"
# About a tenant that is chosen, or about none of them in particular.
CONCERNED = f'{ANY_JOB},account_name=~"$account|",integration=~"$integration|"'
FINISHED = f"kimono_ingestion_duration_seconds_count{{{JOB}}}"
BUCKETS = f"kimono_ingestion_duration_seconds_bucket{{{JOB}}}"


def build() -> Dashboard:
    """The dashboard."""
    return dashboard(
        UID,
        "Fleet",
        "Is anything wrong, and where first? The numbers count tenants; the table has the worst first.",
        [
            Row(4, alarming()),
            Row(3, explaining()),
            Row(13, [(24, worst())]),
            Row(9, [(10, firing()), (14, over_time())]),
            Row(16, [(24, timeline())]),
            Row(9, [(24, who_is_paused())]),
            Row(8, [(8, paused()), (8, outcomes()), (8, durations())]),
        ],
        variables=[accounts(), integrations()],
    )


def alarming() -> list[tuple[int, Panel]]:
    """The numbers that should be 0, the worst first, and whether they can be believed."""
    old = f"quantile(0.9, time() - max by (job, tenant_id) ({SEEN}))"
    age = number(
        "Picture age",
        "9 of 10 tenants of the whole fleet were read at most so long ago. If it is more than minutes, "
        "look at Kimono / Exporter before you believe the rest.",
        old,
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (1800, BAD)],
        decimals=0,
        goes_to=TO_EXPORTER,
    )
    return [
        (4, _with("Stalled", "Ingestions that don't end. The table below has the tenants.", "stalled")),
        (4, _with("Overdue", "A schedule was due, its grace is over, and it has not run.", "overdue")),
        (4, _failing()),
        (4, _unreachable()),
        (4, _mass_change()),
        (4, age),
    ]


def explaining() -> list[tuple[int, Panel]]:
    """The numbers that say how many there are, and how many are meant to be still."""
    suspended = "They collect nothing. The table has those that nothing explains."
    rollover = "As planned, mostly. Kimono / Rollovers tells which are late or stuck."
    tenants = "How many are watched. A sudden drop means that the hub no longer lists them."
    return [
        (8, _in("Suspended", suspended, "synchronization_suspended")),
        (8, _in("In rollover", rollover, "rollover_mode_enabled")),
        (8, number("Tenants", tenants, f"count(kimono:tenant:info{{{CHOSEN}}})")),
    ]


def _with(title: str, description: str, name: str) -> Panel:
    return number(title, description, count(problems(name)), steps=[(None, "transparent"), (1, BAD)])


def _failing() -> Panel:
    return by_loudness(
        "Failing",
        "The newest ingestion ended badly, and no good one has followed. Red: for a day.",
        _critical("failing"),
        _others(f"{problems('failing')} unless {rank()} == 3", "failing"),
    )


def _mass_change() -> Panel:
    waiting = f"{modes('mass_change_pending')} unless on (job, tenant_id) ({_loud('mass_change')})"
    return by_loudness(
        "Mass change",
        "The hub holds back a large change until a person approves it. Ask the district, then approve. Red: for a day.",
        _critical("mass_change"),
        _others(waiting, "mass_change"),
    )


def _unreachable() -> Panel:
    return by_loudness(
        "Unreachable",
        "The exporter can't read them, at least in part; what is shown of them is old. Red: it is so many that nothing "
        "is told of the others either. Look at Kimono / Exporter.",
        f"count({unread()} and on (job) {BLIND}) > 0",
        count(f"{unread()} unless on (job) {BLIND}"),
    )


def _loud(name: str) -> str:
    return f"{problems(name)} and {rank()} == 3"


def _critical(name: str) -> str:
    return f"count({_loud(name)}) > 0"


def _others(series: str, name: str) -> str:
    """How many; none are 0 only where none are critical either: red needs no 0 beside it."""
    return f"count({series}) or ({watched()} unless on () ({_loud(name)}))"


def _in(title: str, description: str, flag: str) -> Panel:
    goes_to = TO_ROLLOVERS if flag == "rollover_mode_enabled" else None
    steps = [(None, "transparent"), (1, MODES[flag][1])]
    return number(title, description, count(modes(flag)), steps=steps, goes_to=goes_to)


def worst() -> Panel:
    """What is wrong with whom: by rank, and within a rank the oldest first."""
    # Of each kind: at 10,000 tenants one kind that is frequent would leave no room for a worse one.
    chosen = f"topk by (problem) (10, {score()})"
    return rows(
        "What is wrong, the worst first",
        "The 10 worst of each kind. Alerts may wait a while before they tell. Click a tenant to see what happened.",
        [
            or_state(f"{rank()} and {chosen}", "problem"),
            f"{problems()} * 1000 and {chosen}",
            f"time() - {problems()} and {chosen}",
        ],
        [
            Column(
                "Value #A",
                "Severity",
                width=105,
                texts=RANK_TEXTS,
                coloured=True,
            ),
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("integration", "Integration", width=150),
            Column("problem", "What is wrong", width=190, texts=PROBLEM_TEXTS),
            Column("Value #B", "Since", unit=MOMENT, width=155),
            Column("Value #C", "For", unit=SECONDS, width=90),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job"],
        sort=[("Severity", True), ("For", True)],
    )


def firing() -> Panel:
    """The alerts, by name."""
    return rows(
        "Alerts that are firing",
        "How many of each, about these tenants or all. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank) ({ranked(loudest(CONCERNED))})"],
        [
            Column("rank", "Severity", width=95, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", goes_to=TO_RUNBOOK),
            Column("Value #A", "Count", width=85),
        ],
        sort=[("Severity", False), ("Count", True)],
        nothing="No alert is firing",
    )


def over_time() -> Panel:
    """How many have each problem."""
    return lines(
        "Tenants with a problem",
        "One line high: one tenant. A step of many at once is the hub's or the exporter's trouble, not theirs. Many "
        "can't be read: of the whole fleet, whatever account is chosen.",
        [query(f"count by (problem) ({problems()}) or {_many()}", "{{problem}}")],
        stacked=True,
        colours={**{one.name: (one.text, one.colour) for one in PROBLEMS}, MANY: MANY_TEXT},
        nothing="Nothing, or not known",
        unit="none",
        decimals=0,
    )


def _many() -> str:
    """How many can't be read while it is many: of the whole fleet, for then none of them is told of by itself."""
    tenants = f"max by (job) (kimono_tenants{{{JOB}}})"
    share = f"kimono:tenants_unreachable:ratio{{{JOB}}} and on (job) {BLIND}"
    return f'label_replace(sum(({share}) * on (job) {tenants}), "problem", "{MANY}", "", "")'


def who_is_paused() -> Panel:
    """Who is in which mode: what waits for a person first."""
    first = f"topk by (flag) (20, time() - {modes(*MODES)})"
    return rows(
        "Who is paused, and who waits",
        "The 20 of each mode that have been in it for longest, as far as anybody saw it. A mass change wants a person: "
        "ask the district, then approve. The others are mostly meant to be so.",
        [or_words(first, "flag", NOBODY), f"{modes(*MODES)} * 1000 and {first}"],
        [
            Column("flag", "Mode", width=170, texts={**MODES, NOBODY: (NOBODY, GOOD)}, coloured=True),
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", wrapped=True),
            Column("integration", "Integration", width=150),
            Column("Value #B", "Seen since", unit=MOMENT, width=155),
            Column("Value #A", "For", unit=SECONDS, width=90),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job"],
        sort=[("Mode", False), ("For", True)],
    )


def paused() -> Panel:
    """How many are in each mode."""
    return lines(
        "Tenants that are paused",
        "They collect nothing, and raise no alert about syncing. Many in rollover in summer is as it should be.",
        [query(f"count by (flag) ({modes(*MODES)})", "{{flag}}")],
        colours=MODES,
        nothing="None, or not known",
        unit="none",
        decimals=0,
    )


def timeline() -> Panel:
    """The twenty that are worst at the end of the range, over the range."""
    at_the_end = f"topk(20, max by (job, tenant_id) (topk by (problem) (5, {score(at='@ end()')})))"
    worst_of_each = f"max by (job, tenant_id, {NAMES}) ({rank()}) and on (job, tenant_id) {at_the_end}"
    panel = states(
        "The twenty worst, over time",
        "Five of each kind at most. When did it begin, and for all at once? A line has the colour of the worst that is "
        "wrong with the tenant.",
        [query(or_state_over_time(worst_of_each, "tenant_name"), "{{tenant_name}}")],
        RANK_TEXTS,
        names={MANY: MANY_TEXT[0]},
        room=400,
    )
    # A fleet of 10,000 has thousands of problems to look through at each step.
    return panel.interval("5m")


def outcomes() -> Panel:
    """How ingestions end."""
    seen = "max by (job, ingestion_type, state) (sum by (job, instance, ingestion_type, state) "
    return lines(
        "Ingestions that ended, an hour",
        "Of the whole fleet, whatever account is chosen. Red that grows for many tenants at once: ask the hub.",
        [query(f"3600 * sum by (state) ({seen}(rate({FINISHED}[$__rate_interval]))))", "{{state}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={state: (state, colour) for state, colour in OUTCOMES.items()},
        nothing="None yet",
    )


def durations() -> Panel:
    """How long they took."""
    seen = "max by (job, ingestion_type, le) (sum by (job, instance, ingestion_type, le) "
    by_type = f"sum by (ingestion_type, le) ({seen}(rate({BUCKETS}[$__rate_interval]))))"
    return lines(
        "Time that 95 % of ingestions took",
        "Of the whole fleet, whatever account is chosen. What takes far longer than it used to may be about to stall.",
        [query(f"histogram_quantile(0.95, {by_type}) >= 0", "{{ingestion_type}}")],
        unit=SECONDS,
        style=GraphDrawStyle.POINTS,
        interval="15m",
        colours={kind: (kind, colour) for kind, colour in TYPES.items()},
        nothing="None yet",
    )
