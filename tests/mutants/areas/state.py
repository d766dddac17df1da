"""Breaks the state file, and what is restored from it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILE = "exporter/state_file.py"
FORMAT = "exporter/state_format.py"
SAVER = "exporter/state_saver.py"
DISCOVERY = "exporter/polling/discovery.py"
OF_FILE = ("tests/state/test_state_file.py",)
OF_SAVER = ("tests/state/test_state_saver.py",)
RESTARTS = ("tests/contract/test_state.py",)
COMMANDS = "tests/contract/test_state_commands.py::"

MUTANTS = (
    Mutant(
        "a secret in the place of the state file is shown",
        FILE,
        "if self._is_shown else (HIDDEN, HIDDEN)",
        "if True else (HIDDEN, HIDDEN)",
        ("tests/settings/test_misplaced_secrets.py",),
    ),
    Mutant(
        "the state file is written in place",
        FILE,
        "descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)",
        "descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE); self._temporary = self.path",
        ("tests/state/test_killed.py",),
    ),
    Mutant("others can read the state file", FILE, "_MODE = 0o600", "_MODE = 0o640", OF_FILE),
    Mutant("the umask decides who can read the state file", FILE, "os.fchmod(descriptor, _MODE)", "pass", OF_FILE),
    Mutant(
        "a temporary file that others can read is used again",
        FILE,
        "self._temporary.unlink(missing_ok=True)",
        "pass",
        OF_FILE,
    ),
    Mutant("a full disk keeps half a file", FILE, "self._temporary.unlink()  # it", "pass  # it", OF_FILE),
    Mutant("a state file without its end is used", FORMAT, ".tenants != len(seen) or", ".tenants < 0 or", OF_FILE),
    Mutant("a tenant is in the state file twice", FORMAT, "tenant.id in seen or", "False or", OF_FILE),
    Mutant("a state file of another API is used", FORMAT, "if header.api_url != api_url:", "if False:", OF_FILE),
    Mutant("an old state file is used", FORMAT, "if now - header.saved_at > _LONGEST_ABSENCE:", "if False:", OF_FILE),
    Mutant("text is taken for a number", FORMAT, "ConfigDict(strict=True,", "ConfigDict(strict=False,", OF_FILE),
    Mutant("huge numbers are restored", FORMAT, "SchemaValidator(_bounded(_TENANT.core_schema))", "_TENANT", OF_FILE),
    Mutant(
        "a damaged state file stops the start",
        FILE,
        "except NotUsedError as error:\n            return",
        "except NotUsedError as error:\n            raise\n            return",
        OF_FILE,
    ),
    Mutant("two exporters share a state file", FILE, "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH", OF_FILE),
    Mutant("the lock is on the name, not on the file", FILE, "Path(os.path.realpath(path))", "path", OF_FILE),
    Mutant(
        "one tenant's history keeps the others from being saved",
        FORMAT,
        "if len(line) <= _LONGEST_LINE:",
        "if True:",
        OF_FILE,
    ),
    Mutant(
        "a state file that has not changed is saved",
        SAVER,
        "if snapshot.changes == self._changes and started",
        "if started",
        OF_SAVER,
    ),
    Mutant("a failure to save is logged each time", SAVER, "if not self._failing:", "if True:", OF_SAVER),
    Mutant(
        "after a failure to save, nothing is saved until something changes",
        SAVER,
        "        now = self._clock.now()\n",
        "        now, self._changes = self._clock.now(), snapshot.changes\n",
        OF_SAVER,
    ),
    Mutant(
        "the event loop writes the state file",
        SAVER,
        "await in_daemon_thread(self._file.write, snapshot.histories, snapshot.api_url, now)",
        "self._file.write(snapshot.histories, snapshot.api_url, now)",
        OF_SAVER,
    ),
    Mutant(
        "a disk that hangs delays the end",
        "exporter/threads.py",
        "daemon=True",
        "daemon=False",
        (COMMANDS + "test_it_stops_in_time_though_the_disk_hangs",),
    ),
    Mutant(
        "nothing is saved at the end",
        "exporter/assembly.py",
        "await saver.finish()",
        "pass",
        (COMMANDS + "test_run_saves_at_the_end_and_the_next_one_goes_on",),
    ),
    Mutant("nothing is restored", DISCOVERY, "= dict(histories)", "= {}", RESTARTS),
    Mutant(
        "a removed tenant is saved for ever",
        DISCOVERY,
        "for tenant in found.tenants})\n            self.restored.clear()\n",
        "for tenant in found.tenants})\n",
        RESTARTS,
    ),
    Mutant(
        "what a disabled collector knew is restored",
        DISCOVERY,
        "History()).only(self._scheduler.schedules)",
        "History())",
        RESTARTS,
    ),
    Mutant(
        "tenants that have not been found yet are not saved",
        DISCOVERY,
        ", *restored.items()]",
        "]",
        RESTARTS,
    ),
    Mutant(
        "the demo writes a state file",
        "exporter/demo/command.py",
        '"KIMONO_CONFIG", "KIMONO_STATE_FILE")',
        '"KIMONO_CONFIG")',
        (COMMANDS + "test_the_demo_has_no_state_file",),
    ),
    Mutant(
        "what can't be read again is written",
        FORMAT,
        "            _VALID_TENANT.validate_json(line)\n            return line",
        "            return line",
        ("tests/history/test_bounds.py",),
    ),
    Mutant("a lock whose file was removed is lost", FILE, "            self._keep_lock()\n", "", OF_FILE),
    Mutant(
        "a stale lock stops all saves",
        FILE,
        "        except OSError:\n            return False\n\n    def _close",
        "        except FileNotFoundError:\n            return False\n\n    def _close",
        OF_FILE,
    ),
    Mutant(
        "an error of the disk keeps a stale lock",
        FILE,
        "with contextlib.suppress(OSError):  # a stale",
        "if True:  # a stale",
        OF_FILE,
    ),
    Mutant(
        "a file is saved at any time",
        FORMAT,
        "_VALID_HEADER.validate_json(line)",
        "_HEADER.validate_json(line)",
        OF_FILE,
    ),
    Mutant(
        "an internal error stops check",
        FILE,
        "            raise self._unusable(internal_error(error)) from None",
        "            raise",
        OF_FILE,
    ),
    Mutant("a full disk stops the start", FILE, "if error.errno not in _FULL:", "if True:", OF_FILE),
    Mutant(
        "a file system without modes leaks descriptors",
        FILE,
        "        except BaseException:\n            os.close(descriptor)\n            raise\n        return open",
        "        except BaseException:\n            raise\n        return open",
        OF_FILE,
    ),
    Mutant(
        "a disk that hangs is not reported",
        SAVER,
        "call_later(_WRITE_SECONDS,",
        "call_later(1e9,",
        OF_SAVER,
    ),
    Mutant("a disk that hangs keeps the start waiting", SAVER, "timeout(seconds)", "timeout(9 * seconds)", OF_SAVER),
    Mutant("the saved time is in the future", SAVER, "min(saved_at, clock.now())", "saved_at", OF_SAVER),
    Mutant(
        "SIGTERM waits for a disk that hangs",
        "exporter/serve.py",
        "return_when=asyncio.FIRST_COMPLETED",
        "return_when=asyncio.ALL_COMPLETED",
        (COMMANDS + "test_it_stops_in_time_though_the_disk_hangs_at_the_start",),
    ),
    Mutant(
        "check is silent on a file that it can't use",
        "exporter/check/command.py",
        '        output.complain(f"state.file: ',
        '        str(f"state.file: ',
        (COMMANDS + "test_check_says_why_it_can_not_use_the_file_and_changes_nothing",),
    ),
    Mutant(
        "a clock change moves a time beyond what the state file takes",
        "exporter/history/moments.py",
        "_FIRST <= moment + seconds <= _LAST",
        "_FIRST <= moment + seconds",
        ("tests/history/test_moments.py",),
    ),
)
