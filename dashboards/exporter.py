"""Can I believe what I see? Who watches, how old the picture is, and what stands in the way of a newer one.

The one dashboard that shows replicas side by side. Facts about tenants, and lag, are the best replica's; requests and
polls are added up, because each replica makes its own.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, FieldColor
from grafana_foundation_sdk.models.common import GraphDrawStyle
from grafana_foundation_sdk.models.dashboard import FieldColorModeId

from dashboards.colours import ALERT_TEXTS, BAD, GOOD, MEANT, NOTE, REASONS, UNKNOWN, WARN
from dashboards.frame import TO_RUNBOOK, TO_TENANT, Row, dashboard, instances, shaded, shaded_alerts
from dashboards.panels import MOMENT, SECONDS, Column, Panel, Property, fixed, lines, number, query, rows, states
from dashboards.queries import ANY_JOB, JOB, alerts, named, or_said, ranked

UID = "kimono-exporter"
CHOSEN = f'{JOB},instance=~"$instance"'

BUILD = f"kimono_exporter_build_info{{{CHOSEN}}}"
LAG = f"kimono_exporter_poll_lag_seconds{{{CHOSEN}}}"
REQUESTS = f"rate(kimono_exporter_api_requests_total{{{CHOSEN}}}[$__rate_interval])"
REFUSALS = f'rate(kimono_exporter_api_requests_total{{{CHOSEN},code="429"}}[$__rate_interval])'
# Seconds waited in a second: how many requests stand in line.
WAITING = f"rate(kimono_exporter_rate_limit_wait_seconds_total{{{CHOSEN}}}[$__rate_interval])"
LIMIT = f"kimono_exporter_rate_limit_requests_per_second{{{CHOSEN}}}"
ALLOWED = f"kimono_exporter_rate_limit_allowed_requests_per_second{{{CHOSEN}}}"
# Each exporter has a budget of its own.
USED = f"sum by (job, instance) ({REQUESTS}) / on (job, instance) {LIMIT}"
BUCKETS = f"rate(kimono_exporter_api_request_duration_seconds_bucket{{{CHOSEN}}}[$__rate_interval])"
SEEN = f"max by (job, tenant_id, collector) (kimono_collector_last_success_timestamp_seconds{{{CHOSEN}}})"
FAILURES = f"kimono_tenant_failure_info{{{CHOSEN}}}"
FAILING = f"group by (job, tenant_id, collector) ({FAILURES})"

ABOUT_US = (
    "KimonoExporterDown|KimonoDiscoveryFailing|KimonoPollingBehind|KimonoApiThrottled|KimonoManyTenantsUnreachable"
)
OURS = f'{ANY_JOB},alertname=~"{ABOUT_US}"'

# Neither good nor bad: colours that mean no state, the same for a collector and for what it asks.
COLLECTORS = {
    "state": "#5794F2",
    "ingestions": "#B877D9",
    "schedules": "#6ED0E0",
    "rollovers": "#FF9CE6",
    "application": "#1F60C4",
    "scoping": "#A98F77",
    "account": "#8F8FBF",
}
ENDPOINTS = {
    "/tenant/state": COLLECTORS["state"],
    "/ingestions": COLLECTORS["ingestions"],
    "/ingestions/{id}": "#DEB6F2",
    "/tenant/schedules": COLLECTORS["schedules"],
    "/tenant/rollovers": COLLECTORS["rollovers"],
    "/tenant/application": COLLECTORS["application"],
    "/oauth/token": "#CCCCDC",
    "/tenants": "#7C7C8A",
}
# By pattern; of two that match, the later one counts. 403 and 404 are usual where there is no application.
CODES = {
    "/^2/": GOOD,
    "/^3/": NOTE,
    "/^4/": "light-purple",
    "/^401$/": "dark-purple",
    "/^403$/": "purple",
    "/^429$/": BAD,
    "/^5/": "dark-red",
    "/^cancelled$/": UNKNOWN,
} | {f"/^{reason}$/": colour for reason, colour in REASONS.items()}
REASON_TEXTS = {reason: (reason, colour) for reason, colour in REASONS.items()}
OUTCOMES = {"success": ("success", GOOD)} | REASON_TEXTS
# A row of a table that would have none.
UNSCRAPED = "No exporter is scraped"
# Stands for the age of what was never read: above all ages.
NEVER = 10**10
DISCOVERY = {"1": ("works", GOOD), "0": ("fails", BAD)}


def build() -> Dashboard:
    """The dashboard."""
    return dashboard(
        UID,
        "Exporter",
        "Can I believe what I see? Green above: yes. Below it: who watches, how old the picture is, and why.",
        [
            Row(3, watching()),
            Row(3, holding_back()),
            Row(8, [(10, firing()), (14, freshness())]),
            Row(8, [(12, behind()), (12, polled())]),
            Row(10, [(24, unread())]),
            Row(6, [(17, exporters()), (7, discovered())]),
            Row(8, [(12, by_code()), (12, by_endpoint())], "What is asked of the API"),
            Row(8, [(12, latency()), (12, latency_by_endpoint())]),
            Row(8, [(8, budget()), (8, waiting()), (8, refused())]),
            Row(8, [(6, retries()), (6, tokens()), (6, invalid()), (6, given_up())]),
            Row(8, [(8, memory()), (8, processor()), (8, event_loop())], "The processes, each by itself"),
            Row(8, [(8, files()), (8, running()), (8, scraped())]),
        ],
        variables=[instances()],
        annotations=[
            *shaded_alerts(OURS),
            shaded("Restarts", f"group by (job, instance) ({_age()} < 120)", MEANT, "{{instance}} has started"),
        ],
    )


def watching() -> list[tuple[int, Panel]]:
    """Whether anybody watches, and how old the picture is."""
    return [(6, _exporters_up()), (6, _discovery()), (6, _picture_age()), (6, _oldest_picture())]


def holding_back() -> list[tuple[int, Panel]]:
    """Who can't be read, and what makes the rest late."""
    return [(6, _cannot_be_read()), (6, _poll_lag()), (6, _refused()), (6, _budget_used())]


def _exporters_up() -> Panel:
    return number(
        "Exporters",
        "Exporters that are scraped. If there is none, nobody watches: start one, or mend the scraping.",
        f"count({BUILD}) or vector(0)",
        steps=[(None, BAD), (1, GOOD)],
    )


def _discovery() -> Panel:
    return number(
        "Discovery",
        "Whether the list of tenants can be read. If not, new ones are not watched: check the account's credentials.",
        f"min(max by (job) (kimono_up{{{CHOSEN}}}))",
        steps=[(None, BAD), (1, GOOD)],
        texts=DISCOVERY,
        nothing="No data",
    )


def _cannot_be_read() -> Panel:
    failing = f"count(max by (job, tenant_id) (kimono_tenant_up{{{CHOSEN}}}) == 0)"
    everybody = f"sum(max by (job) (kimono_tenants{{{CHOSEN}}}))"
    share = f"({failing} or 0 * {everybody}) / ({everybody} > 0)"
    return number(
        "Unreadable",
        "Share of the tenants that can't be read now, at least in part. "
        "From a fifth on it is the hub, the network or our credentials; below, see the table for single ones.",
        share,
        unit="percentunit",
        steps=[(None, GOOD), (0.0001, WARN), (0.2, BAD)],
        decimals=1,
        nothing="No data",
    )


def _picture_age() -> Panel:
    seen = f'kimono_collector_last_success_timestamp_seconds{{{CHOSEN},collector="state"}}'
    return number(
        "Picture age",
        "The state of 9 of 10 tenants was read at most so long ago. If it is more than minutes, do not trust the "
        "other dashboards; look right for what holds it back.",
        f"quantile(0.9, time() - max by (job, tenant_id) ({seen}))",
        unit=SECONDS,
        steps=[(None, GOOD), (900, WARN), (1800, BAD)],
        decimals=0,
        nothing="No data",
    )


def _oldest_picture() -> Panel:
    return number(
        "Oldest",
        "The longest time since anything was last read of a tenant. The table of tenants below says of which, and why.",
        f"max(time() - {SEEN})",
        unit=SECONDS,
        steps=[(None, GOOD), (2400, WARN)],
        nothing="No data",
    )


def _poll_lag() -> Panel:
    return number(
        "Poll lag",
        "How much longer than its interval some tenant has waited, with the replica that does best. If it stays: "
        "requests that wait mean that the budget is too small, slow ones that the API is.",
        f"max({_best(LAG)})",
        unit=SECONDS,
        steps=[(None, GOOD), (300, NOTE), (900, WARN)],
        nothing="No data",
    )


def _refused() -> Panel:
    # Of the last 20 minutes, which may be known when nobody watches any more.
    panel = number(
        "Refused",
        "Share of requests that the API has lately refused with 429. If it stays, lower api.rate_limit, or ask the "
        "vendor for more.",
        f"{_refused_share()} and on () {BUILD}",
        unit="percentunit",
        steps=[(None, GOOD), (0.01, NOTE), (0.05, WARN)],
        decimals=1,
        nothing="No data",
    )
    return panel.interval("20m")


def _budget_used() -> Panel:
    panel = number(
        "Budget used",
        "Share of api.rate_limit that was lately sent, by the exporter where it is most. All of it is bad only if the "
        "poll lag grows: then raise api.rate_limit if the vendor allows it, or lengthen intervals.",
        f"max({USED})",
        unit="percentunit",
        steps=[(None, GOOD), (0.9, NOTE)],
        decimals=0,
        nothing="No data",
    )
    return panel.interval("20m")


def _best(lag: str, by: str = "job") -> str:
    """Of the replicas that one which is least behind: what one shows late another may show in time."""
    inner = f"{by}, instance"
    return f"min by ({by}) (max by ({inner}) ({lag}))"


def _refused_share() -> str:
    return f"(sum({REFUSALS}) or 0 * sum({REQUESTS})) / (sum({REQUESTS}) > 0)"


def _own(series: str) -> str:
    """Series that other programs have too: those of exporters, one for each."""
    return f"max by (job, instance) ({series} and on (job, instance) {BUILD})"


def _age() -> str:
    return f"time() - {_own(f'process_start_time_seconds{{{CHOSEN}}}')}"


def firing() -> Panel:
    """The alerts about the exporter and the API."""
    since = f"ALERTS_FOR_STATE{{{OURS}}} and ignoring (alertstate) {alerts(OURS)}"
    return rows(
        "Alerts about the exporter and the API",
        "While one of these fires, be slow to believe the others. Click a name for its runbook.",
        [f"1000 * min by (alertname, rank) ({ranked(since)})"],
        [
            Column("rank", "Severity", width=105, texts=ALERT_TEXTS, coloured=True),
            Column("alertname", "Alert", goes_to=TO_RUNBOOK),
            Column("Value #A", "Since", unit=MOMENT, width=155),
        ],
        sort=[("Severity", False), ("Since", False)],
        nothing="No such alert is firing",
    )


def exporters() -> Panel:
    """Each exporter by itself."""
    return rows(
        "Exporters, side by side",
        "Replicas should differ in little but their age. One that is behind alone lacks processor time or network.",
        [
            or_said(f"group by (job, instance, version) ({BUILD})", "instance", UNSCRAPED),
            f"1000 * {_own(f'process_start_time_seconds{{{CHOSEN}}}')}",
            f"max by (job, instance) (kimono_up{{{CHOSEN}}})",
            f"max by (job, instance) (kimono_tenants{{{CHOSEN}}})",
            f"max by (job, instance) ({LAG})",
            f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
            _own(f"process_resident_memory_bytes{{{CHOSEN}}}"),
        ],
        [
            Column("instance", "Instance"),
            Column("version", "Version", width=70),
            Column("Value #B", "Runs since", unit=MOMENT, width=150),
            Column("Value #C", "Discovery", width=90, texts=DISCOVERY, coloured=True),
            Column("Value #D", "Tenants", width=70),
            Column("Value #E", "Poll lag", unit=SECONDS, width=75),
            Column("Value #F", "Loop lag", unit=SECONDS, width=75),
            Column("Value #G", "Memory", unit="bytes", width=80),
        ],
        dropped=["job", "Value #A"],
        sort=[("Instance", False)],
    )


def freshness() -> Panel:
    """How old the picture is, by collector."""
    ages = f"time() - {SEEN}"
    lag = f"max by (collector) ({_best(LAG, 'job, collector')})"
    old = [(None, "transparent"), (1800, WARN)]
    return rows(
        "Time since the last good poll",
        "Half and 95 % of the tenants were read at most so long ago: no more than the collector's interval if all is "
        "well. If only the oldest is old, it is single tenants: they stand below. If all are: the API or us.",
        [
            or_said(f"quantile by (collector) (0.5, {ages})", "collector", UNSCRAPED),
            f"quantile by (collector) (0.95, {ages})",
            f"max by (collector) ({ages})",
            lag,
            f"count by (collector) ({FAILING}) or 0 * {lag}",
        ],
        [
            Column("collector", "Collector"),
            Column("Value #A", "Half", unit=SECONDS, width=80, steps=old, coloured=True),
            Column("Value #B", "95 %", unit=SECONDS, width=85, steps=old, coloured=True),
            Column(
                "Value #C", "Oldest", unit=SECONDS, width=85, steps=[(None, "transparent"), (2400, WARN)], coloured=True
            ),
            Column(
                "Value #D", "Lag", unit=SECONDS, width=80, steps=[(None, "transparent"), (900, WARN)], coloured=True
            ),
            Column("Value #E", "Failing", width=75),
        ],
        sort=[("95 %", True)],
    )


def unread() -> Panel:
    """The tenants that can't be read now, the longest first; those never read stand above all."""
    reasons = f"max by (job, tenant_id, collector, reason) ({FAILURES})"
    ages = f"(time() - {SEEN} or {NEVER} * {FAILING})"
    oldest = f"max by (job, tenant_id, reason) ({reasons} * on (job, tenant_id, collector) group_left () {ages})"
    worst = f"topk by (reason) (15, {oldest})"
    return rows(
        "Tenants that can't be read now, the longest first",
        "The first 15 of each reason. Many with one: it is not them. auth: the vendor's tenant list has to bring new "
        "credentials. bug: a mistake of the exporter; its log has the line. Others pass, or the hub has to say why.",
        [
            named(worst, JOB),
            f"count by (job, tenant_id, reason) ({reasons}) and on (job, tenant_id, reason) {worst}",
        ],
        [
            Column("tenant_name", "Tenant", goes_to=TO_TENANT, wrapped=True),
            Column("account_name", "Account", width=280),
            Column("reason", "Reason", width=130, texts=REASON_TEXTS, coloured=True),
            Column("Value #B", "Collectors", width=110),
            Column("Value #A", "Last success", unit=SECONDS, width=130, texts={str(NEVER): ("never", UNKNOWN)}),
            Column("tenant_id", "tenant_id", hidden=True),
        ],
        dropped=["job", "integration"],
        sort=[("Last success", True)],
        nothing="No exporter tells of any",
    )


def behind() -> Panel:
    """How far polling is behind, by collector."""
    return lines(
        "Poll lag, by collector",
        "Of the replica that does best. All rise: too small a budget or a slow API, see below. One: its interval is "
        "too short. A peak after a restart passes by itself.",
        [query(f"max by (collector) ({_best(LAG, 'job, collector')})", "{{collector}}")],
        unit=SECONDS,
        colours=_plain(COLLECTORS),
    )


def polled() -> Panel:
    """How polls end."""
    polls = f"rate(kimono_exporter_polls_total{{{CHOSEN}}}[$__rate_interval])"
    return lines(
        "Polls a minute, by outcome",
        "Of all exporters together. A thin edge that is not green is single tenants; a broad one is the hub, the "
        "network or our credentials.",
        [query(f"60 * sum by (outcome) ({polls})", "{{outcome}}")],
        stacked=True,
        colours=OUTCOMES,
        nothing="No poll has ended",
    )


def discovered() -> Panel:
    """Whether each exporter could list the tenants; no colour where it was not scraped."""
    return states(
        "Discovery, by exporter",
        "Red: the list of tenants could not be read. Nothing: the exporter was not scraped.",
        [query(or_said(f"max by (instance) (kimono_up{{{CHOSEN}}})", "instance", value="-1"), "{{instance}}")],
        DISCOVERY,
        nothing="No exporter was scraped",
    )


def by_code() -> Panel:
    """What the API answers."""
    panel = lines(
        "Requests a second, by answer",
        "HTTP status, or why there was none. Red: 429 means that we ask too much, 5xx that the hub has trouble. "
        "403 and 404 are usual for tenants without an application.",
        [query(f"sum by (code) ({REQUESTS})", "{{code}}")],
        unit="reqps",
        stacked=True,
        nothing="No request",
    )
    for pattern, colour in CODES.items():
        panel.override_by_regexp(pattern, [fixed(colour)])
    return panel


def by_endpoint() -> Panel:
    """What is asked."""
    panel = lines(
        "Requests a second, by endpoint",
        "What uses the budget. If it is too small, lengthen the interval of the collector that asks for most.",
        [query(f"sum by (endpoint) ({REQUESTS})", "{{endpoint}}")],
        unit="reqps",
        stacked=True,
        colours=_plain(ENDPOINTS),
        nothing="No request",
    )
    return _in_shades(panel, UNKNOWN)


def latency() -> Panel:
    """How long replies take."""
    shares = {"50": "super-light-blue", "95": MEANT, "99": "dark-blue"}
    return lines(
        "Time that requests take",
        "50, 95 and 99 of 100 requests took at most so long. If it grows, the API is slow: raise api.concurrency if "
        "the poll lag grows with it.",
        [
            query(f"histogram_quantile(0.{share}, sum by (le) ({BUCKETS}))", f"{share} of 100", ref)
            for ref, share in zip("ABC", shares, strict=True)
        ],
        unit=SECONDS,
        colours={f"{share} of 100": (f"{share} of 100", colour) for share, colour in shares.items()},
        nothing="No request",
    )


def latency_by_endpoint() -> Panel:
    """Which replies take long."""
    panel = lines(
        "Time that 95 of 100 requests take at most, by endpoint",
        "One endpoint that is slow alone is the hub's; all of them, the hub's or the network's.",
        [query(f"histogram_quantile(0.95, sum by (endpoint, le) ({BUCKETS}))", "{{endpoint}}")],
        unit=SECONDS,
        colours=_plain(ENDPOINTS),
        nothing="No request",
    )
    return _in_shades(panel, UNKNOWN)


def refused() -> Panel:
    """How much of what is asked the API refuses."""
    panel = lines(
        "Requests refused with 429",
        "Their share. The exporter slows down by itself. If it goes on, somebody else uses up the same allowance, or "
        "api.rate_limit is above it.",
        [query(_refused_share(), "refused")],
        unit="percentunit",
        colours={"refused": ("refused", BAD)},
        nothing="No request",
    )
    return panel.axis_soft_max(0.1)


def budget() -> Panel:
    """How much of the budget is used, and how much of it may be."""
    # On average: it is 0 for some seconds whenever the API asks to wait.
    may = f"min(avg_over_time({ALLOWED}[$__rate_interval]) / {LIMIT})"
    panel = lines(
        "Budget used",
        "Share of api.rate_limit that each exporter sends. The yellow line is what may be sent: it falls when the API "
        "refuses with 429, is 0 while it has asked to wait, and comes back by itself.",
        [query(USED, "{{instance}}"), query(may, "may be sent", "B")],
        unit="percentunit",
        nothing="No request",
        decimals=0,
    )
    panel.override_by_name("may be sent", [fixed(NOTE), Property("custom.fillOpacity", 0)])
    return panel.axis_soft_max(1)


def waiting() -> Panel:
    """Whether the budget is used up."""
    return _each(
        "Requests that wait for the budget",
        "On average. Far below api.concurrency: there is room. About as many: all of api.rate_limit is used, or the "
        "API has asked us to wait.",
        f"max by (job, instance) ({WAITING})",
    )


def retries() -> Panel:
    """What is tried again."""
    calls = f"rate(kimono_exporter_api_retries_total{{{CHOSEN}}}[$__rate_interval])"
    return lines(
        "Calls tried again, an hour",
        "By what went wrong. Some are usual. Many: look at the answers above for what the API says.",
        [query(f"3600 * sum by (reason) ({calls})", "{{reason}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=REASON_TEXTS,
        nothing="None yet",
    )


def tokens() -> Panel:
    """How token requests end."""
    asked = f"rate(kimono_exporter_token_requests_total{{{CHOSEN}}}[$__rate_interval])"
    return lines(
        "Tokens asked for, an hour",
        "By outcome. Many of auth: credentials are rejected; the table above says whose.",
        [query(f"3600 * sum by (outcome) ({asked})", "{{outcome}}")],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours=OUTCOMES,
        nothing="None yet",
    )


def invalid() -> Panel:
    """What the exporter could not make sense of."""
    fields = f"rate(kimono_exporter_invalid_fields_total{{{CHOSEN}}}[$__rate_interval])"
    panel = lines(
        "Unreadable fields, an hour",
        "What they would say is missing. A new one, or a step up: the API has changed, and the exporter has to follow.",
        [
            query(
                f"3600 * sum by (endpoint, field) (max by (job, endpoint, field) ({fields}))", "{{endpoint}} {{field}}"
            )
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        nothing="None yet",
    )
    return _in_shades(panel, NOTE)


def given_up() -> Panel:
    """What the exporter never got to see."""
    lists = f"rate(kimono_exporter_lists_truncated_total{{{CHOSEN}}}[$__rate_interval])"
    lost = f"rate(kimono_exporter_ingestions_lost_total{{{CHOSEN}}}[$__rate_interval])"
    panel = lines(
        "Given up, an hour",
        "Lists that the server never ended: their poll fails, ask the hub. Ingestions that ended unseen: their "
        "outcome is not counted; shorten the interval of ingestions if they are many.",
        [
            query(f"3600 * sum(max by (job, endpoint) ({lists}))", "lists"),
            query(f"3600 * sum(max by (job) ({lost}))", "ingestions", "B"),
        ],
        style=GraphDrawStyle.BARS,
        interval="15m",
        colours={"lists": ("lists without an end", BAD), "ingestions": ("ingestions that ended unseen", NOTE)},
        nothing="None yet",
    )
    return panel.axis_soft_max(1)


def memory() -> Panel:
    """How much memory each takes."""
    return _each(
        "Memory",
        "Grows with the number of tenants, and then stays. If it goes on growing, restart it, and report it.",
        _own(f"process_resident_memory_bytes{{{CHOSEN}}}"),
        unit="bytes",
    )


def processor() -> Panel:
    """How much of a processor each takes."""
    return _each(
        "Processor time",
        "An exporter uses one core at most. Near 100 %, pages and polls come late: give it a faster core, or fewer "
        "tenants.",
        _own(f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"),
        unit="percentunit",
    )


def event_loop() -> Panel:
    """How late each is with its own work."""
    return _each(
        "Event loop lag",
        "The longest that it was late within a minute. Above a second: the process lacks processor time; raise its "
        "CPU limit.",
        f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
        unit=SECONDS,
    ).axis_soft_max(0.1)


def files() -> Panel:
    """How many files and connections each holds open."""
    return _each(
        "Open files and connections",
        "About api.concurrency and a few more. If it goes on growing, restart it, and report it.",
        _own(f"process_open_fds{{{CHOSEN}}}"),
        decimals=0,
    )


def running() -> Panel:
    """How long each has run: a fall is a restart."""
    return _each(
        "Time since the start",
        "Where a line falls, the exporter was restarted. If that happens again and again, read the end of its log; "
        "see whether memory ran out.",
        _age(),
        unit=SECONDS,
    )


def scraped() -> Panel:
    """How long Prometheus waits for the page."""
    return _each(
        "Time to scrape",
        "Must stay well below Prometheus' scrape_timeout, or the exporter counts as down. Raise that if it is near.",
        _own(f"scrape_duration_seconds{{{CHOSEN}}}"),
        unit=SECONDS,
    )


def _each(
    title: str, description: str, expr: str, *, unit: str = "short", decimals: int | None = None
) -> timeseries.Panel:
    """A line for each exporter, in Grafana's own colours: shades of one are too alike to tell two replicas apart."""
    return lines(title, description, [query(expr, "{{instance}}")], unit=unit, decimals=decimals)


def _in_shades(panel: timeseries.Panel, colour: str) -> timeseries.Panel:
    """What has no colour of its own is in a shade of this one: Grafana's own colours begin with green."""
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.SHADES).fixed_color(colour))


def _plain(colours: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (name, colour) for name, colour in colours.items()}
