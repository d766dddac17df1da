"""Breaks the drills of the demo."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PAGE = "exporter/drills/page.py"
ORIGIN = "exporter/origin.py"
OF_PAGE = ("tests/drills/test_page.py",)
DRILLS = "tests/drills/test_drills.py::"

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
)
