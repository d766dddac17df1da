"""Breaks the drills of the demo."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PAGE = "exporter/drills/page.py"
ORIGIN = "exporter/origin.py"
OF_PAGE = ("tests/drills/test_page.py",)
DRILLS = "tests/drills/test_drills.py::"
CLIENT = "exporter/drills/client.py"
OF_CLIENT = ("tests/drills/test_command.py",)
OF_WATCH = ("tests/drills/test_watch.py",)

MUTANTS = (
    Mutant(
        "browsers hide the origin of the page's own forms",
        PAGE,
        '"Referrer-Policy": "same-origin"',
        '"Referrer-Policy": "no-referrer"',
        ("tests/drills/test_browser.py",),
    ),
    Mutant(
        "another site's page can begin a drill",
        ORIGIN,
        'if origin not in (None, f"http://{own}") or site not in ("same-origin", "none"):',
        "if False:",
        OF_PAGE,
    ),
    Mutant(
        "a host name that an attacker points to loopback reads the drills",
        ORIGIN,
        'if _without_port(own) not in ("127.0.0.1", "localhost", "[::1]"):',
        "if False:",
        OF_PAGE,
    ),
    Mutant(
        "a form needs no token", PAGE, "if not hmac.compare_digest(", "if False and not hmac.compare_digest(", OF_PAGE
    ),
    Mutant("a form of another site can send JSON", PAGE, "if request.content_type != _JSON:", "if False:", OF_PAGE),
    Mutant("names of tenants are markup on the page", PAGE, "autoescape=True", "autoescape=False", OF_PAGE),
    Mutant(
        "the exporter has not watched the fleet before the demo",
        "exporter/drills/fleet.py",
        "_PAST = 5 * HOUR",
        "_PAST = 0 * HOUR",
        (f"{DRILLS}test_a_drill_can_be_repeated",),
    ),
    Mutant(
        "a signal while the demo prepares leaves a file",
        "exporter/demo/drilled.py",
        "stop = signalled(*stop_signals_of_terminal())",
        "stop = asyncio.Event()",
        ("tests/drills/test_start.py",),
    ),
    Mutant(
        "a drill never ends by itself",
        "exporter/drills/runs.py",
        "if self._clock.now() >= run.ends_at:",
        "if False:",
        (f"{DRILLS}test_a_drill_ends_by_itself",),
    ),
    Mutant(
        "two drills share a tenant",
        "exporter/drills/runs.py",
        "if one.id not in taken and one.id != self._fleet.idle]",
        "if one.id != self._fleet.idle]",
        (f"{DRILLS}test_a_drill_can_not_begin_twice_nor_end_before_it_begins",),
    ),
    Mutant(
        "an alert of another tenant counts for a drill",
        "exporter/drills/runs.py",
        "if not of_tenant or each.tenant_id in run.ids]",
        "]",
        (f"{DRILLS}test_an_alert_is_pending_then_fires_then_is_resolved",),
    ),
    Mutant(
        "an alert about the fleet outlasts a drill by an hour",
        "exporter/drills/pace.py",
        r'r"\1[1m]"),' + "\n    (re.compile",
        r'r"\1[1h]"),' + "\n    (re.compile",
        ("tests/drills/test_pace.py",),
    ),
    Mutant(
        "a story that began earlier begins now",
        "exporter/simulator/simulation.py",
        "story = Story(kind, tenant_id, self.now() - ago)",
        "story = Story(kind, tenant_id, self.now())",
        ("tests/simulator/test_stories.py",),
    ),
    Mutant(
        "a drill leaves its tenant in rollover mode",
        "exporter/drills/causes.py",
        "_ROLLOVER_LASTS = 20.0",
        "_ROLLOVER_LASTS = 20e9",
        (f"{DRILLS}test_a_rollover_that_started_late_is_seen_and_then_leaves_its_tenant_free",),
    ),
    Mutant(
        "a late rollover's removal ends the rollover mode of another",
        "exporter/drills/causes.py",
        "any(one.is_on for one in tenant.rollovers.all)",
        "False",
        (f"{DRILLS}test_a_rollover_that_started_late_leaves_a_later_one_alone",),
    ),
    Mutant(
        "a drill begins before the demo is ready",
        "exporter/drills/runs.py",
        "if not self.is_ready():",
        "if False:",
        OF_PAGE,
    ),
    Mutant(
        "a failure to follow drills ends the task that follows them",
        "exporter/drills/runs.py",
        "except Exception:",
        "except ArithmeticError:",
        OF_WATCH,
    ),
    Mutant(
        "deeply nested JSON is an internal error",
        PAGE,
        "except (ValueError, RecursionError):",
        "except ValueError:",
        OF_PAGE,
    ),
    Mutant(
        "an answer of Prometheus may be of any length",
        "exporter/drills/watch.py",
        "if len(body) > _MOST_BYTES:",
        "if False:",
        OF_WATCH,
    ),
    Mutant(
        "a malformed answer of Prometheus is an internal error",
        "exporter/drills/watch.py",
        "(ValueError, KeyError, TypeError, AttributeError, RecursionError)",
        "(ValueError, KeyError, TypeError)",
        OF_WATCH,
    ),
    Mutant(
        "the command waits for what can't be seen",
        CLIENT,
        'if not client.show()["prometheus"] and not run["drill"]["problem"]:',
        "if False:",
        OF_CLIENT,
    ),
    Mutant("an alert that did not fire is no error", CLIENT, "if not _is_seen(now):", "if False:", OF_CLIENT),
    Mutant("the URL of the page is no address", CLIENT, '.removeprefix("http://").rstrip("/")', "", OF_CLIENT),
    Mutant("another server with JSON is a demo", CLIENT, ' or not isinstance(answer.get("runs"), list)', "", OF_CLIENT),
    Mutant(
        "the command does not wait until the demo is ready",
        CLIENT,
        'if client.show().get("ready"):',
        "if True:",
        OF_CLIENT,
    ),
)
