"""Mutants of the demo: programs that are left, ports that are taken, waits without a bound."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CHILDREN = "exporter/demo/children.py"
CHAIN = "tests/demo/test_chain.py::"
PROGRAMS = "tests/demo/test_programs.py::"

MUTANTS = (
    Mutant(
        "programs outlive a demo that is killed",
        CHILDREN,
        "_PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)",
        "pass",
        (CHAIN + "test_nothing_is_left_however_the_demo_ends",),
    ),
    Mutant(
        "what does not stop is not killed",
        CHILDREN,
        "        _send(child, signal.SIGKILL)\n",
        "        pass\n",
        (PROGRAMS + "test_what_does_not_stop_is_killed_with_all_that_it_started",),
    ),
    Mutant(
        "programs get all variables",
        CHILDREN,
        'env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},',
        "env=dict(os.environ),",
        (PROGRAMS + "test_grafana_is_provisioned_for_anonymous_viewers",),
    ),
    Mutant(
        "a port in use is taken all the same",
        "exporter/demo/ports.py",
        "        return error.errno == errno.EADDRINUSE\n",
        "        return False\n",
        (PROGRAMS + "test_a_port_in_use_is_said_and_another_one_is_taken",),
    ),
    Mutant(
        "a port that was asked for is replaced",
        "exporter/demo/command.py",
        'if "listen_address" in settings.web.model_fields_set:',
        "if False:",
        (PROGRAMS + "test_the_exporter_takes_another_port_only_if_none_was_asked_for",),
    ),
    Mutant(
        "a page of another site prints what it likes",
        "exporter/demo/pages.py",
        "    check_origin(request)\n",
        "",
        ("tests/demo/test_pages.py",),
    ),
    Mutant(
        "the demo outlives its terminal",
        "exporter/demo/command.py",
        "            stop_at=stop_signals_of_terminal(),\n",
        "",
        ("tests/demo/test_terminal.py",),
    ),
    Mutant(
        "a terminal that is closed while the demo starts does not stop it",
        "exporter/process.py",
        "        signal.signal(signal.SIGHUP, _end_serving)\n",
        "        signal.signal(signal.SIGHUP, _note_hangup)\n",
        ("tests/contract/test_signals.py::test_hangup_at_any_moment_stops_the_demo",),
    ),
    Mutant(
        "rules are evaluated once a minute",
        "exporter/assets/speed.py",
        "self.evaluated_each or ",
        "",
        (CHAIN + "test_rules_are_loaded_the_exporter_is_scraped_and_notifications_arrive",),
    ),
    Mutant(
        "notifications go to the receivers of the example",
        "exporter/demo/configuration.py",
        'example.replace(_EXAMPLE_RECEIVERS, f"{watch.pages}/notify")',
        "example",
        ("tests/demo/test_configuration.py",),
    ),
    Mutant(
        "Prometheus of compose.yaml sends alerts nowhere",
        "compose.yaml",
        "      - ./deploy/compose/prometheus.yaml:/etc/prometheus/prometheus.yml:ro\n",
        "      - ./deploy/prometheus.example.yaml:/etc/prometheus/prometheus.yml:ro\n",
        ("tests/compose/test_chain.py",),
    ),
    Mutant(
        "the root file systems of compose.yaml can be written",
        "compose.yaml",
        "  read_only: true\n",
        "",
        ("tests/compose/test_compose.py::test_a_service_has_no_more_rights_than_it_needs",),
    ),
    Mutant(
        "the data source of compose.yaml has another URL than that of the demo would have",
        "exporter/demo/grafana.py",
        '        "url": url,\n',
        '        "url": "http://localhost:9090",\n',
        ("tests/compose/test_compose.py",),
    ),
    Mutant(
        "the chain goes on if the demo fails",
        "exporter/demo/command.py",
        "    task.cancel()\n",
        "",
        (CHAIN + "test_nothing_is_left_if_the_demo_fails",),
    ),
    Mutant(
        "an installation that fails counts as done",
        "Makefile",
        'END { if (tty) printf "\\r\\033[K"; exit status }\'',
        'END { if (tty) printf "\\r\\033[K" }\'',
        ("tests/test_installation.py",),
    ),
)
