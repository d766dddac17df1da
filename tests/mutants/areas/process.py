"""Breaks the process: files that hang, signals, output, secrets in the wrong place, tasks that end unnoticed."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILES = "exporter/files.py"
PROCESS = "exporter/process.py"
OF_FILES = ("tests/test_files.py",)
HANGING = "tests/contract/test_hanging_files.py::"
SIGNALS = "tests/contract/test_signals.py::"
OUTPUT = "tests/contract/test_output.py::"
SECRETS = "tests/contract/test_secrets.py::"
UNWATCHED = "tests/polling/test_unwatched.py::"
MISPLACED = ("tests/settings/test_misplaced_secrets.py",)

MUTANTS = (
    Mutant(
        "each read of a file that hangs takes another thread",
        FILES,
        "if before and not before.content.done():",
        "if False:",
        OF_FILES,
    ),
    Mutant(
        "a read that is stuck is waited for for ever",
        FILES,
        "if monotonic() - before.since < before.patience:",
        "if True:",
        OF_FILES,
    ),
    Mutant("a file that hangs takes a thread each minute", FILES, "2 * before.patience", "before.patience", OF_FILES),
    Mutant("a pipe waits for a writer", FILES, " | os.O_NONBLOCK", "", OF_FILES),
    Mutant(
        "a file that hangs is an authentication error",
        "exporter/assembly.py",
        """    except FileTimeoutError as error:
        raise RequestTimeoutError(str(error)) from None
""",
        "",
        (HANGING + "test_discovery_fails_with_timeout_and_recovers",),
    ),
    Mutant(
        "every hanging file of a tenants file is waited for",
        "exporter/settings/tenants_file.py",
        "raise _unusable(error) from None  # the other entries' files may be on the same disk",
        "problems.append(Problem(setting.path, str(error)))",
        (HANGING + "test_the_start_says_which_file_hangs",),
    ),
    Mutant(
        "a pipe is a file",
        FILES,
        "if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):",
        "if stat.S_ISDIR(mode := os.fstat(descriptor).st_mode):",
        OF_FILES,
    ),
    Mutant("a file may have any size", FILES, "file.read(MAX_BYTES + 1)", "file.read(MAX_BYTES)", OF_FILES),
    Mutant("aliases count once", FILES, "sizes.get(event.anchor, 1) if", "1 if", OF_FILES),
    Mutant(
        "an unusable path is shown",
        FILES,
        "return known or path.suffix in _NAMES_OF_FILES or os.path.lexists(base / path)",
        "return True",
        OF_FILES,
    ),
    Mutant(
        "an error shows the value",
        "exporter/settings/values.py",
        'return "the value"',
        "return repr(value)",
        MISPLACED,
    ),
    Mutant(
        "an argument that can't be used is shown",
        "exporter/arguments.py",
        """self.refuse(re.split("['\\"]", message, maxsplit=1)[0].rstrip(": "), self.prog)""",
        "self.refuse(message, self.prog)",
        MISPLACED,
    ),
    Mutant(
        "an unknown key of any kind is shown",
        "exporter/settings/sources.py",
        "if not _NAME.fullmatch(name) or not get_close_matches(name, _KNOWN_NAMES, n=1):",
        "if not _NAME.fullmatch(name):",
        MISPLACED,
    ),
    Mutant(
        "a reload with an internal error ends the process",
        "exporter/serve.py",
        "except Exception as error:  # noqa: BLE001 - whatever is in the files, polling goes on",
        "except ZeroDivisionError as error:",
        ("tests/contract/test_reload.py::test_an_internal_error_at_a_reload_changes_nothing",),
    ),
    Mutant(
        "a hangup during the start is forgotten",
        "exporter/serve.py",
        "if process.hangup_came():",
        "if False:",
        (SIGNALS + "test_hangup_at_any_moment_ends_nothing_and_is_not_forgotten",),
    ),
    Mutant(
        "signals disturb the end",
        PROCESS,
        "signal.pthread_sigmask(signal.SIG_BLOCK, {*STOP_SIGNALS, signal.SIGHUP})",
        "pass",
        (SIGNALS + "test_a_signal_does_not_disturb_the_end",),
    ),
    Mutant(
        "a signal ends the process through another thread",
        "exporter/threads.py",
        "    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)\n",
        "",
        (SIGNALS + "test_a_signal_does_not_disturb_the_end",),
    ),
    Mutant(
        "what hangs delays the end",
        PROCESS,
        "signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)",
        "pass",
        (SIGNALS + "test_it_ends_within_five_seconds_whatever_hangs",),
    ),
    Mutant(
        "a reader of the log that stalls delays the pages",
        "exporter/cli.py",
        "    with logs.in_thread():\n",
        "    if True:\n",
        (SIGNALS + "test_pages_and_the_end_go_on_though_nobody_reads_its_log",),
    ),
    Mutant(
        "closed standard descriptors are given to sockets",
        PROCESS,
        "    _open_standard_streams()\n\n",
        "\n",
        (OUTPUT + "test_output_that_fails_is_a_line_and_exit_code_1",),
    ),
    Mutant(
        "everything is loaded to print the version",
        "exporter/__main__.py",
        "    code = arguments.answer_at_once(sys.argv[1:])\n",
        "    code = None\n",
        ("tests/test_start_up.py",),
    ),
    Mutant(
        "characters that can't be encoded are an error",
        "exporter/cli.py",
        "    output.replace_what_can_not_be_encoded()\n",
        "",
        (OUTPUT + "test_other_encodings_get_replacement_characters",),
    ),
    Mutant(
        "cores are dumped",
        PROCESS,
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        "pass",
        (SECRETS + "test_the_exporter_forbids_core_dumps_itself",),
    ),
    Mutant(
        "a core sent to a program has memory in it",
        PROCESS,
        'file.write("0")',
        "pass",
        (SECRETS + "test_the_exporter_forbids_core_dumps_itself",),
    ),
    Mutant(
        "the log shows credentials",
        "exporter/polling/sources.py",
        "            self._credentials, self._api = credentials, self._client.api(credentials, of_account=True)\n",
        "            self._credentials, self._api = credentials, self._client.api(credentials, of_account=True)\n"
        "            __import__('structlog').get_logger('x').debug('got', it=getattr(credentials, 'password', ''))\n",
        (SECRETS + "test_no_secret_is_in_any_place_of_a_run",),
    ),
    Mutant(
        "errors show the URL of the proxy",
        "exporter/api/transport.py",
        "except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:",
        "except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:\n"
        "            raise NetworkError(f'connection to the proxy failed: {self.options.egress.proxy}')",
        (SECRETS + "test_no_secret_is_in_any_place_of_a_run",),
    ),
    Mutant(
        "the settings show the URL of the proxy",
        "exporter/api/egress.py",
        "proxy: str | None = field(default=None, repr=False)",
        "proxy: str | None = None",
        (SECRETS + "test_no_secret_is_in_a_representation_or_a_traceback",),
    ),
    Mutant(
        "a task that is cancelled from inside ends unnoticed",
        "exporter/tasks.py",
        "        if asked_to_end():\n            raise\n",
        "        raise\n",
        (UNWATCHED + "test_run_ends_if_a_task_does",),
    ),
    Mutant(
        "a poll that is cancelled from inside is no failure",
        "exporter/polling/poller.py",
        """            if asked_to_end():
                raise
            self._recorder""",
        """            raise
            self._recorder""",
        (UNWATCHED + "test_a_poll_that_is_cancelled_from_inside_is_a_failure_of_its_tenant_alone",),
    ),
    Mutant(
        "a command waits for ever for a poll that never ends",
        "exporter/polling/poller.py",
        "if not self.healthy:",
        "if False:",
        (UNWATCHED + "test_a_poll_that_never_ends_does_not_keep_a_command_waiting_for_ever",),
    ),
    Mutant(
        "what stays is scanned by each collection",
        "exporter/garbage.py",
        "            gc.freeze()\n",
        "            pass\n",
        ("tests/test_garbage_collection.py",),
    ),
    Mutant(
        "what became garbage stays exempt from collection",
        "exporter/garbage.py",
        "            gc.unfreeze()\n        if",
        "        if",
        ("tests/test_garbage_collection.py",),
    ),
    Mutant(
        "a closed connection is garbage that refers to itself",
        "exporter/api/connections.py",
        "            self._opened._read_ready_cb = None",
        "            pass",
        ("tests/api/test_connections.py::test_a_closed_connection_leaves_no_garbage_to_collect",),
    ),
)
