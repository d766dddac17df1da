"""Breaks the command line: flags, check, healthcheck, log lines, sockets of systemd."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TOOLKIT, CHECK = "tests/contract/test_toolkit.py::", "tests/contract/test_check.py::"
HEALTHCHECK = "tests/web/test_healthcheck.py::"
REPORT, CALLS, HEALTH = "exporter/check/report.py", "exporter/check/calls.py", "exporter/healthcheck.py"
ACTIVATION = "exporter/web/activation.py"

MUTANTS = (
    Mutant(
        "flags with underscores are unknown",
        "exporter/flags.py",
        'flag.replace("_", "-")',
        "flag",
        (TOOLKIT + "test_a_flag_has_one_meaning_in_either_spelling",),
    ),
    Mutant(
        "values are spelled like flags",
        "exporter/flags.py",
        "spelled(name) + equals + value",
        "spelled(name + equals + value)",
        (TOOLKIT + "test_values_keep_their_underscores_and_so_does_what_follows_two_dashes",),
    ),
    Mutant(
        "the web configuration has no name of the toolkit",
        "exporter/flags.py",
        "return _TOOLKIT.get(hyphenated, hyphenated)",
        "return hyphenated",
        (TOOLKIT + "test_the_web_configuration_has_the_name_that_the_toolkit_gives_it",),
    ),
    Mutant(
        "the check of the settings ignores the web configuration",
        "exporter/cli.py",
        "    if arguments.config_check:\n        access_rules(settings)\n",
        "    if arguments.config_check:\n",
        (TOOLKIT + "test_the_check_of_the_settings_says_what_run_would_say",),
    ),
    Mutant(
        "the metrics page may take the place of another",
        "exporter/settings/web_path.py",
        "if parts[0] in _TAKEN:",
        "if False:",
        (TOOLKIT + "test_a_path_that_is_none_or_another_pages_is_refused",),
    ),
    Mutant(
        "links to the metrics page do not follow its path",
        "exporter/web/status_page.py",
        'update(metrics=telemetry_path.lstrip("/"))',
        'update(metrics="metrics")',
        (TOOLKIT + "test_metrics_are_served_at_the_path_and_links_and_log_follow_it",),
    ),
    Mutant(
        "sockets that systemd passed to another process are used",
        ACTIVATION,
        "if of_process != str(process_id):",
        "if False:",
        (TOOLKIT + "test_what_is_no_socket_to_listen_on_ends_with_2",),
    ),
    Mutant(
        "a passed socket of another kind is used",
        ACTIVATION,
        "if passed.family not in _FAMILIES or passed.type != socket.SOCK_STREAM or not listens:",
        "if False:",
        (TOOLKIT + "test_what_is_no_socket_to_listen_on_ends_with_2",),
    ),
    Mutant(
        "passed sockets are not used",
        "exporter/web/server.py",
        "if passed is None else passed",
        "if True else passed",
        (TOOLKIT + "test_the_exporter_serves_on_the_socket_that_systemd_passes",),
    ),
    Mutant(
        "a changed checkout is built as if it were not",
        "setup.py",
        'revision += "-modified"',
        "pass",
        (TOOLKIT + "test_a_built_package_knows_what_it_was_built_from",),
    ),
    Mutant(
        "log lines have keys of their own",
        "exporter/logs.py",
        "            _with_usual_keys,\n",
        "",
        ("tests/test_logs.py::test_a_line_is_json",),
    ),
    Mutant(
        "charts' names of the health paths are unknown",
        "exporter/web/app.py",
        'web.get("/healthz", healthy), ',
        "",
        ("tests/web/test_routes.py::test_the_health_paths_say_ok_or_not_ok",),
    ),
    Mutant(
        "the health check verifies the name of the certificate",
        HEALTH,
        "    context.check_hostname = False\n    context.verify_mode = ssl.CERT_NONE\n",
        "",
        (HEALTHCHECK + "test_tls_of_any_name_and_passwords_are_no_obstacle",),
    ),
    Mutant(
        "an exporter that requires a client certificate is not healthy",
        HEALTH,
        'if needs_certificate and scheme == "https":',
        "if False:",
        (HEALTHCHECK + "test_an_exporter_that_wants_a_client_certificate_is_known_to_run",),
    ),
    Mutant(
        "any program on the port is healthy",
        HEALTH,
        'if response.headers.get("Server") != SERVER_NAME:',
        "if False:",
        (HEALTHCHECK + "test_another_program_on_the_port_is_1",),
    ),
    Mutant(
        "the health check asks with TLS only",
        HEALTH,
        '("https", "http") if config_file',
        '("https",) if config_file',
        (HEALTHCHECK + "test_a_file_that_has_changed_since_the_start_does_not_matter",),
    ),
    Mutant(
        "waits of different lengths are different failures",
        REPORT,
        'if failure.reason == "throttled" else',
        "if False else",
        (CHECK + "test_waits_of_different_lengths_are_the_same_failure",),
    ),
    Mutant(
        "check names all tenants of a group",
        REPORT,
        "for tenant in tenants[:_NAMED])",
        "for tenant in tenants)",
        (CHECK + "test_tenants_that_fail_in_the_same_way_are_one_block",),
    ),
    Mutant(
        "check folds no line",
        REPORT,
        "width = max(20, self._console.width - indent)",
        "width = 10_000",
        (CHECK + "test_long_wide_and_hostile_names_stay_within_80_columns",),
    ),
    Mutant(
        "names in check may control the terminal",
        REPORT,
        "for line in Text(printable(text)).wrap",
        "for line in Text(text).wrap",
        (CHECK + "test_long_wide_and_hostile_names_stay_within_80_columns",),
    ),
    Mutant(
        "an invalid reply with the status 200 is shown as ok",
        CALLS,
        "    if failure:\n        return failure\n",
        "",
        (CHECK + "test_calls_that_fail_are_shown_with_their_reasons_and_retries",),
    ),
    Mutant(
        "calls of other tenants are shown",
        CALLS,
        "[call for call in calls if call.tenant_id == tenant.id]",
        "list(calls)",
        (CHECK + "test_several_tenants_can_be_chosen",),
    ),
    Mutant(
        "check --tenant polls all tenants",
        "exporter/polling/discovery.py",
        "found = replace(found, tenants=self.choose(found.tenants))",
        "pass",
        (CHECK + "test_one_tenant_is_polled_with_every_call",),
    ),
    Mutant(
        "the progress bar is drawn in a pipe",
        "exporter/check/command.py",
        "off = not sys.stderr.isatty() or console.is_dumb_terminal",
        "off = console.is_dumb_terminal",
        (CHECK + "test_a_pipe_gets_plain_text_whatever_the_environment_says",),
    ),
)
