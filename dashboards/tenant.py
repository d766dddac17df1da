"""What happened to this tenant? What is wrong with it now, since when, and can the picture be trusted?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard
from grafana_foundation_sdk.models.common import BigValueTextMode, GraphDrawStyle

from dashboards.colours import (
    ALERT_TEXTS,
    AUTH_STATES,
    BAD,
    FAINT,
    GOOD,
    MANY,
    MANY_TEXT,
    MEANT,
    MODES,
    NOTE,
    OUTCOMES,
    PROBLEM_TEXTS,
    PROBLEMS,
    RANK_TEXTS,
    RANKS,
    REASONS,
    UNFINISHED,
    UNKNOWN,
    UNWATCHED,
    WARN,
    WELL,
)
from dashboards.frame import KEPT, TO_RUNBOOK, Row, accounts, dashboard, integrations, shaded, shaded_alerts, tenants
from dashboards.panels import (
    MOMENT,
    SECONDS,
    Column,
    Meanings,
    Panel,
    Property,
    Steps,
    cells,
    fixed,
    instant,
    lines,
    link,
    meanings,
    number,
    query,
    rows,
    states,
)
from dashboards.queries import (
    A_RANK,
    ANY_JOB,
    NAMES,
    TENANT,
    loudest,
    many,
    or_said,
    or_state,
    or_words,
    problems,
    rank,
    ranked,
    score,
)

UID = "kimono-tenant"
TO_FLEET = link(
    "The fleet of this account", f"/d/kimono-fleet?var-account=${{__data.fields.account_name:percentencode}}&{KEPT}"
)
TO_ROLLOVERS = link(
    "Rollovers of this account", f"/d/kimono-rollovers?var-account=${{__data.fields.account_name:percentencode}}&{KEPT}"
)
TO_EXPORTER = link("Can the picture be trusted?", f"/d/kimono-exporter?{KEPT}")

# A row of a table that would have none: Grafana leaves one of several queries blank.
NONE = "None, or not read"
NO_RUN = "None was under way"
FINAL = "|".join(OUTCOMES)
ONE_SCHEDULE = "job, tenant_id, schedule_id"
ONE_ROLLOVER = "job, tenant_id, rollover_id"
# Runs that bring the whole roster; small changes come and go all day.
WHOLE = 'ingestion_type=~"collection|bulk_load"'


def build() -> Dashboard:
    """The dashboard."""
    return dashboard(
        UID,
        "Tenant",
        "What happened to this tenant? Pick it by name, or come from an alert or from Kimono / Fleet.",
        [
            Row(4, first()),
            Row(3, then()),
            Row(7, [(13, wrong()), (11, firing())]),
            Row(5, [(24, identity())]),
            Row(6, [(24, nights())], "What happened, and when"),
            Row(7, [(12, problems_over_time()), (12, flags())]),
            Row(7, [(12, running()), (12, ended())]),
            Row(6, [(24, schedules())], "Schedules and rollovers"),
            Row(6, [(24, rollovers())]),
            Row(7, [(12, collectors()), (12, failures())], "Can it be read?"),
            Row(6, [(5, access()), (5, delivers()), (5, validates()), (9, access_over_time())], "Application"),
        ],
        variables=[accounts(), integrations(), tenants()],
        annotations=regions(),
        since="now-7d",
    )


def regions() -> list[AnnotationQuery]:
    """What explains the rest: shaded in every panel that has time."""
    in_rollover = f'kimono_tenant_state{{{TENANT},flag="rollover_mode_enabled"}}'
    return [
        *shaded_alerts(TENANT),
        shaded("In rollover", f"max by (job, tenant_id) ({in_rollover}) == 1", MEANT, "In rollover"),
        shaded("Planned rollovers", _open_windows(), "light-blue", "Planned: {{rollover_name}}"),
    ]


def _open_windows() -> str:
    """Rollovers within their window, by name."""
    named = f"group by ({ONE_ROLLOVER}, rollover_name) (kimono_rollover_info{{{TENANT}}})"
    opened = f"max by ({ONE_ROLLOVER}) (kimono_rollover_start_timestamp_seconds{{{TENANT}}}) <= time()"
    not_over = f"max by ({ONE_ROLLOVER}) (kimono_rollover_end_timestamp_seconds{{{TENANT}}}) > time()"
    return f"{named} and on ({ONE_ROLLOVER}) {opened} and on ({ONE_ROLLOVER}) {not_over}"


# Now


def first() -> list[tuple[int, Panel]]:
    """Is something wrong, and can that be believed?"""
    return [(8, worst()), (6, mode()), (5, readable()), (5, picture())]


def then() -> list[tuple[int, Panel]]:
    """How old are its data, and what is next?"""
    return [(8, last_good()), (8, next_due()), (8, secret())]


def worst() -> Panel:
    """The problem to begin with, in words."""
    loudest_first = f"topk(1, {score(TENANT)})"
    # As loud as in the table: whole ranks.
    others = f"{many('problem', TENANT)} * {A_RANK}"
    return _words(
        "Worst problem now",
        "Red is what wakes somebody. The table below has all of them. Nothing is wrong here, and an alert fires: it "
        "may be about to end.",
        or_words(f"({loudest_first} or on () {others})", "problem", WELL, TENANT),
        "problem",
        {WELL: (WELL, GOOD), MANY: MANY_TEXT, **{one.name: (one.text, one.colour) for one in PROBLEMS}},
        nothing=UNWATCHED,
        steps=[(None, GOOD), *((number * A_RANK, RANKS[number][1]) for number in sorted(RANKS))],
    )


def mode() -> Panel:
    """What pauses it."""
    known = f"kimono_tenant_state{{{TENANT}}}"
    nothing = f'label_replace(group({known}), "flag", "none", "", "")'
    return _words(
        "Mode",
        "While it is paused nothing is collected by schedule, and nothing is overdue.",
        f"max by (flag) ({known}) == 1 or on () {nothing}",
        "flag",
        {"none": ("Active", GOOD), **MODES},
        nothing="Not known",
    )


def readable() -> Panel:
    """Whether it answers."""
    return number(
        "Can be read",
        "If not: 'Can it be read?' below says which part fails and why. What is shown of that part is old.",
        f"max(kimono_tenant_up{{{TENANT}}})",
        texts={"0": ("No", WARN), "1": ("Yes", GOOD)},
        steps=[(None, WARN), (1, GOOD)],
    )


def picture() -> Panel:
    """How old what is shown may be."""
    seen = f'kimono_collector_last_success_timestamp_seconds{{{TENANT},collector!="scoping"}}'
    return number(
        "Picture age",
        "The oldest part of what is shown here. Rollovers are read every 15 minutes; more than 30 is too old to trust.",
        f"max(time() - max by (job, tenant_id, collector) ({seen}))",
        unit=SECONDS,
        steps=[(None, GOOD), (1800, WARN)],
        decimals=0,
        goes_to=TO_EXPORTER,
        nothing="Never read",
    )


def last_good() -> Panel:
    """How old its data are."""
    return number(
        "Last good run",
        "So long ago the newest whole run that ended well was started. The roster is no newer than that.",
        f"time() - max(kimono:ingestion_last_success:timestamp_seconds{{{TENANT},{WHOLE}}})",
        unit=SECONDS,
        decimals=1,
        nothing="None seen",
    )


def next_due() -> Panel:
    """When it runs again."""
    due = f"kimono_schedule_next_due_timestamp_seconds{{{TENANT}}}"
    return number(
        "Next run due in",
        "When a schedule is due next. While the tenant is paused it will not run.",
        f"min(max by ({ONE_SCHEDULE}) ({due})) - time()",
        unit=SECONDS,
        decimals=1,
        nothing="Not known",
    )


def secret() -> Panel:
    """How old its credentials are."""
    return number(
        "Credentials' age",
        "When the hub last changed them. New ones and trouble at the same time are one story.",
        f"time() - max(kimono_tenant_credentials_updated_timestamp_seconds{{{TENANT}}})",
        unit=SECONDS,
        decimals=0,
        nothing="Not known",
    )


def _words(
    title: str, description: str, expr: str, label: str, texts: Meanings, *, nothing: str, steps: Steps = ()
) -> stat.Panel:
    """The values that a label has now, as words: in their colours, or in that of the step that the value reaches."""
    # Two steps at least, or the background has no colour; grey is for what nobody knows yet.
    panel = number(title, description, expr, steps=steps or [(None, UNKNOWN), (1, UNKNOWN)], nothing=nothing)
    asked = instant(or_said(expr, label, nothing)).legend_format(f"{{{{{label}}}}}")
    panel.targets([asked]).text_mode(BigValueTextMode.NAME)
    for value, (text, colour) in texts.items():
        panel.override_by_name(value, [Property("displayName", text), *([] if steps else [fixed(colour)])])
    return panel


def identity() -> table.Panel:
    """Who it is, and the ways back."""
    shown = f"{NAMES}, integration_version, cloud_name"
    who = f"group by ({shown}, tenant_id) (kimono_tenant_info{{{TENANT}}})"
    return rows(
        "Who it is",
        "Click the account for its other tenants, the product's name for its rollovers.",
        # A label that is empty is none, and would be no column to click.
        [f'label_replace({who}, "integration", "no product", "integration", "")'],
        [
            Column("tenant_name", "Tenant", wrapped=True),
            Column("account_name", "Account", goes_to=TO_FLEET, wrapped=True),
            Column("integration", "Integration", goes_to=TO_ROLLOVERS),
            Column("integration_version", "Version", width=80),
            Column("cloud_name", "Cloud", wrapped=True),
            Column("tenant_id", "Id", width=310),
        ],
        dropped=["Value"],
        nothing="No list of tenants names it",
    )


def wrong() -> Panel:
    """All that is wrong with it."""
    since = problems(where=TENANT)
    return rows(
        "What is wrong, and since when",
        "Begin with the worst. What began at the same time is mostly one story.",
        [
            or_state(rank(TENANT), "problem", TENANT),
            f"{since} * 1000",
            f"time() - {since}",
        ],
        [
            Column("Value #A", "Severity", width=105, texts=RANK_TEXTS, coloured=True),
            Column("problem", "What is wrong", texts=PROBLEM_TEXTS, wrapped=True),
            Column("Value #B", "Since", unit=MOMENT, width=160),
            Column("Value #C", "For", unit=SECONDS, width=110),
        ],
        dropped=["job", "tenant_id", *NAMES.split(", ")],
        sort=[("Severity", True), ("For", True)],
    )


def firing() -> Panel:
    """Whom somebody was told of: its own alerts, and those about everything."""
    concerned = loudest(f'{ANY_JOB},tenant_id=~"${{tenant:regex}}|"')
    about = f'label_replace({concerned}, "about", "the fleet", "tenant_id", "")'
    about = f'label_replace({about}, "about", "this tenant", "tenant_id", ".+")'
    return rows(
        "Alerts that are firing",
        "For this tenant, and for the whole fleet. Click a name for its runbook: what it means, and what to do.",
        [f"count by (alertname, rank, about) ({ranked(about)})"],
        [
            Column("rank", "Severity", width=105, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", goes_to=TO_RUNBOOK),
            Column("about", "About", width=110),
        ],
        dropped=["Value"],
        sort=[("Severity", False)],
        nothing="No alert is firing",
    )


# One cell a day. With steps of a day Grafana asks at midnights (the browser's, or UTC's for fixed times) and draws each
# cell around its midnight, with that date. So a cell looks ahead, at the day that begins there: hence the negative
# offsets. What was due in it may end in the next one.
DAY = "[1d] offset -1d"
# From the end of that day to noon of the next: when what was due in the evening ends.
NEXT_MORNING = "[12h] offset -36h"
# A run is told of with a delay, and clocks differ: as in alerts/kimono.rules.yaml.
SLACK = 300
# What a cell can say: the first that is true.
NIGHTS = {
    7: ("Ran well", GOOD),
    6: ("Ran, ended badly", WARN),
    5: ("Ran, no end seen yet", MEANT),
    4: ("Missed", BAD),
    3: ("Late", NOTE),
    2: ("Paused or changed", "light-blue"),
    1: ("To come, or not read", UNKNOWN),
    0: ("Nothing was due", FAINT),
}


def nights() -> Panel:
    """Whether each schedule ran, each day."""
    legend = "{{schedule_type}} {{hour}}:00 UTC"
    written = f"group(last_over_time(kimono_schedule_info{{{TENANT}}}[14d]))"
    panel = cells(
        "Did it run? One cell for each day and schedule",
        "Missed: it was due, nothing paused it, and two hours later it had not run; ask the hub. Ended badly, and no "
        "good run later that day: look at the ingestions below. No end seen: it still runs, or the exporter was away. "
        "Between two dates it shows those days alone: choose a week.",
        [
            query(_night('schedule_type!="mirror"', WHOLE), legend),
            query(_night('schedule_type="mirror"', 'ingestion_type="mirror"'), legend, "B"),
            query(f"0 * group(kimono:tenant:info{{{TENANT}}}) unless on () {written}", "No schedule, or not read", "C"),
        ],
        {str(value): meaning for value, meaning in NIGHTS.items()},
        interval="1d",
        nothing="No schedule, or not read",
    )
    # Two weeks up to now, so that there is the same day of the week before. Grafana leaves a range of dates as it is.
    return panel.time_from("14d")


def _night(which: str, ends: str) -> str:
    """What became of these schedules on the day that begins at the query's time; `ends` are their ingestions."""
    due = f"{_newest('kimono_schedule_last_due_timestamp_seconds', which)} >= time()"
    ran = f"{_newest('kimono_schedule_last_executed_timestamp_seconds', which)} >= time()"
    waited = f"{_newest('kimono:schedule_missed:timestamp_seconds', which='')} >= time()"
    ahead = f"{_newest('kimono_schedule_next_due_timestamp_seconds', which)} < time() + 86400"
    known = f"{_newest('kimono_schedule_enabled', which)} >= 0"
    verdicts = {
        7: _ended_since(f"({ran} or {due})", "kimono:ingestion_last_success:timestamp_seconds", ends),
        6: _ended_since(f"({ran})", "kimono:ingestion_last_failure:timestamp_seconds", ends),
        5: ran,
        4: _missed(),
        3: waited,
        2: due,
        1: ahead,
        0: known,
    }
    told = " or ".join(f"{value} * group by ({ONE_SCHEDULE}) ({so})" for value, so in verdicts.items())
    named = f"last_over_time(kimono_schedule_info{{{TENANT},{which}}}{DAY})"
    return f"group by ({ONE_SCHEDULE}, schedule_type, hour) ({named}) * on ({ONE_SCHEDULE}) group_left () ({told})"


def _newest(family: str, which: str) -> str:
    """The newest value of that day, by schedule."""
    return f"max by ({ONE_SCHEDULE}) (max_over_time({family}{{{','.join(filter(None, (TENANT, which)))}}}{DAY}))"


def _ended_since(begun: str, family: str, ends: str) -> str:
    """Those that have begun, if an ingestion has ended so that was started since, and on that day."""
    that_day = f"max by (job, tenant_id) (max_over_time({family}{{{TENANT},{ends}}}{DAY}))"
    later = f"max by (job, tenant_id) (last_over_time({family}{{{TENANT},{ends}}}{NEXT_MORNING})) < time() + 86400"
    since = f"{begun} - {SLACK} <= on (job, tenant_id) group_left ()"
    return f"{since} {that_day} or {since} ({later})"


def _missed() -> str:
    """Those that were due on that day, and after the grace of KimonoSyncOverdue still had not run."""
    grace = "scalar(max(kimono:threshold_sync_overdue:seconds))"
    still = f"kimono:schedule_missed:timestamp_seconds{{{TENANT}}} < time() - {grace}"
    return f"max by ({ONE_SCHEDULE}) (max_over_time(({still})[26h:10m] offset -26h)) >= time()"


# Over time


def problems_over_time() -> Panel:
    """A line for each problem that it had."""
    return states(
        "Problems",
        "What came first is most likely the cause. The colour is how loud it was.",
        [query(or_state(f"max by (problem) ({rank(TENANT)})", "problem", TENANT, "-1"), "{{problem}}")],
        RANK_TEXTS,
        names={**{one.name: one.text for one in PROBLEMS}, MANY: MANY_TEXT[0]},
    )


def flags() -> Panel:
    """A line for each mode, and for those that nobody knows yet."""
    panel = states(
        "Modes",
        "What paused it. A gap is a time at which it could not be read.",
        [query(or_said(f"max by (flag) (kimono_tenant_state{{{TENANT}}})", "flag", value="-1"), "{{flag}}")],
        {"1": ("On", UNKNOWN), "0": ("Off", FAINT)},
        nothing="Not known",
    )
    for flag, (text, colour) in MODES.items():
        texts = meanings({"1": ("On", colour), "0": ("Off", FAINT)})
        panel.override_by_name(
            flag, [Property("displayName", text), Property("mappings", [one.to_json() for one in texts])]
        )
    return panel


def running() -> Panel:
    """What was under way, by type."""
    unfinished = _coded("kimono_ingestions", "state", UNFINISHED, "ingestion_type", f'state!~"{FINAL}"')
    return states(
        "Ingestions under way",
        "A bar for hours, where others are short, is a stall: the hub has to end it.",
        [query(or_words(unfinished, "ingestion_type", NO_RUN, TENANT), "{{ingestion_type}}")],
        _codes({state: (state, colour) for state, colour in UNFINISHED.items()}),
        nothing=NO_RUN,
    )


def ended() -> Panel:
    """How they ended, by type."""
    increase = f"round(increase(kimono_ingestions_finished_total{{{TENANT}}}[$__rate_interval]))"
    panel = lines(
        "Ingestions that ended",
        "One bar is an hour or more. Red again and again: read the reason in the hub before you run it once more.",
        [query(f"max by (ingestion_type, state) ({increase}) > 0", "{{ingestion_type}} · {{state}}")],
        style=GraphDrawStyle.BARS,
        interval="1h",
        nothing="None has ended",
        decimals=0,
    )
    for state, colour in OUTCOMES.items():
        panel.override_by_regexp(f"/ · {state}$/", [fixed(colour)])
    return panel


# Schedules and rollovers


def schedules() -> Panel:
    """When it should run, and when it did."""
    executed = _schedule("kimono_schedule_last_executed_timestamp_seconds")
    due = _schedule("kimono_schedule_last_due_timestamp_seconds")
    following = _schedule("kimono_schedule_next_due_timestamp_seconds")
    return rows(
        "Schedules",
        "Hours and days are UTC's, so that local times move with the clocks. Started says nothing about how it ended. "
        "Due before it was last started: it ran.",
        [
            or_said(_written(), "schedule_type", NONE),
            _schedule("kimono_schedule_enabled"),
            f"{executed} * 1000",
            f"time() - {executed}",
            f"{due} * 1000",
            f"{following} * 1000",
            f"{following} - time()",
        ],
        [
            Column("schedule_type", "Type"),
            Column("hour", "Hour (UTC)", width=95),
            Column("days", "Days", wrapped=True),
            Column("Value #B", "On", width=60, texts={"1": ("yes", GOOD), "0": ("no", UNKNOWN)}, coloured=True),
            Column("Value #C", "Last started", unit=MOMENT, width=155),
            Column("Value #D", "Ago", unit=SECONDS, width=90),
            Column("Value #E", "Last due", unit=MOMENT, width=155),
            Column("Value #F", "Next due", unit=MOMENT, width=155),
            Column("Value #G", "In", unit=SECONDS, width=90),
        ],
        dropped=["schedule_id", "Value #A"],
        sort=[("Type", False)],
    )


def _written() -> str:
    """The schedules. A label that is empty is none, and would be no column."""
    info = f"group by (schedule_id, schedule_type, hour, days) (kimono_schedule_info{{{TENANT}}})"
    return f'label_replace({info}, "days", "every day", "days", "")'


def _schedule(family: str) -> str:
    return f"max by (schedule_id, schedule_type) ({family}{{{TENANT}}})"


def rollovers() -> Panel:
    """Its windows, and what came of them."""
    planned = f"group by (rollover_id, rollover_name, rollover_type) (kimono_rollover_info{{{TENANT}}})"
    start = _rollover("kimono_rollover_start_timestamp_seconds")
    end = _rollover("kimono_rollover_end_timestamp_seconds")
    return rows(
        "Rollovers",
        "Within a window it is paused, as planned. Begun and still upcoming, or over and still in rollover: ask the "
        "hub. Times in minus are past.",
        [
            or_said(planned, "rollover_name", NONE),
            f"group by (rollover_id, status) (kimono_rollover_status{{{TENANT}}})",
            f"{start} * 1000",
            f"{start} - time()",
            f"{end} * 1000",
            f"{end} - time()",
            _rollover("kimono_rollover_status_change_failures"),
            f"group by (rollover_id, reason) (kimono_rollover_failure_info{{{TENANT}}})",
        ],
        [
            Column("rollover_name", "Name"),
            Column("rollover_type", "Type", width=110),
            Column("status", "Status", width=110),
            Column("Value #C", "Start", unit=MOMENT, width=160),
            Column("Value #D", "Starts in", unit=SECONDS, width=110),
            Column("Value #E", "End", unit=MOMENT, width=160),
            Column("Value #F", "Ends in", unit=SECONDS, width=110),
            Column("Value #G", "Failures", width=80, steps=[(None, "transparent"), (1, WARN)], coloured=True),
            Column("reason", "Why it failed", width=190),
        ],
        dropped=["rollover_id", "Value #A", "Value #B", "Value #H"],
        sort=[("Start", True)],
    )


def _rollover(family: str) -> str:
    return f"max by (rollover_id) ({family}{{{TENANT}}})"


# Can it be read?


def collectors() -> Panel:
    """What the exporter last failed on."""
    seen = f"max by (collector) (kimono_collector_last_success_timestamp_seconds{{{TENANT}}})"
    fails = f"group by (collector, reason) (kimono_tenant_failure_info{{{TENANT}}})"
    well = f'label_replace(0 * {seen}, "reason", "none", "", "")'
    return rows(
        "Parts of the picture",
        "One that fails keeps its last values for three of its intervals, then they vanish. 'auth' alone is the "
        "tenant's credentials; all of them at once, and for others too, is the hub.",
        [f"{fails} or on (collector) {well}", f"{seen} * 1000", f"time() - {seen}"],
        [
            Column("collector", "Part"),
            Column(
                "reason",
                "Fails with",
                width=140,
                texts={"none": ("nothing", GOOD), **{name: (name, colour) for name, colour in REASONS.items()}},
                coloured=True,
            ),
            Column("Value #B", "Last read", unit=MOMENT, width=170),
            Column("Value #C", "Ago", unit=SECONDS, width=110),
        ],
        dropped=["Value #A"],
        sort=[("Part", False)],
        nothing="Never read",
    )


def failures() -> Panel:
    """When each part could not be read, and why."""
    failing = _coded("kimono_tenant_failure_info", "reason", REASONS, "collector")
    return states(
        "Failures to read it",
        "By part, in the colour of the reason. All parts at once: the credentials, or the hub.",
        [query(or_words(failing, "collector", "No failure", TENANT), "{{collector}}")],
        _codes({reason: (reason, colour) for reason, colour in REASONS.items()}),
        nothing="None",
    )


# Application


def access() -> Panel:
    """Whether the product behind the integration lets the hub in."""
    return _words(
        "Access to the product",
        "On error the product rejects the hub, and nothing is delivered: its owner has to renew the access.",
        f"max by (state) (kimono_application_auth_state{{{TENANT}}})",
        "state",
        AUTH_STATES,
        nothing="No product, or not read",
    )


def delivers() -> Panel:
    """Whether it is given what comes in."""
    return _yes("Tasks are delivered", "If not, the product gets nothing. Is that meant?", "deliver")


def validates() -> Panel:
    """Whether it checks what it is given."""
    return _yes("Tasks are validated", "If not, the product takes what it gets unchecked. Is that meant?", "validate")


def _yes(title: str, description: str, what: str) -> Panel:
    return number(
        title,
        description,
        f"max(kimono_application_{what}_tasks{{{TENANT}}})",
        texts={"0": ("No", UNKNOWN), "1": ("Yes", GOOD)},
        steps=[(None, UNKNOWN), (1, GOOD)],
        nothing="No product, or not read",
    )


def access_over_time() -> Panel:
    """Since when it has been so."""
    access_states = _coded("kimono_application_auth_state", "state", AUTH_STATES, "auth_type")
    return states(
        "Access to the product, over time",
        "Since when? Compare with the age of the credentials, and with the product's own changes.",
        [query(or_words(access_states, "auth_type", "No product", TENANT), "{{auth_type}}")],
        _codes(AUTH_STATES),
        nothing="No product, or not read",
    )


def _coded(family: str, label: str, values: Iterable[str], by: str, where: str = "") -> str:
    """One series for each `by`: which of the values its label has, counted from 1; the first of several.

    A value that nobody knows yet comes after the last.
    """
    chosen = ",".join(filter(None, (TENANT, where)))
    known = [f'{family}{{{chosen},{label}="{value}"}}' for value in values]
    every = [*known, f"{family}{{{chosen}}}"]
    return " or ".join(f"{code} * group by ({by}) ({series})" for code, series in enumerate(every, 1))


def _codes(texts: Mapping[str, tuple[str, str]]) -> Meanings:
    """What the values of `_coded` mean; 0 is none of them."""
    return {"0": ("none", FAINT)} | {
        str(code): text for code, text in enumerate([*texts.values(), ("other", UNKNOWN)], 1)
    }
