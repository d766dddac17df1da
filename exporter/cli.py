"""Parses the command line and runs the command that it names.

Exit codes: 0 fine, 1 what was asked for failed, 2 unusable settings. Each problem is one line that says how to fix it,
never a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from pydantic import SecretStr

from exporter import __version__, logs, output
from exporter.api.egress import Egress
from exporter.assembly import keeping_state, open_exporter
from exporter.check import check
from exporter.clock import Clock
from exporter.logs import internal_error
from exporter.output import OutputError
from exporter.reference import metrics_markdown
from exporter.serve import UnusableError, access_rules, begin_log, cause, serve, signalled
from exporter.settings import CREDENTIALS, LEAVES, Settings, SettingsError, add_flags, given_flags, load, split_address
from exporter.simulator import Fault, Simulator, how_to_change
from exporter.simulator import serve as serve_simulator

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

OK, FAILED, UNUSABLE = 0, 1, 2
# Only what looks like the name of a flag is shown.
_FLAG = re.compile("--[a-z][a-z_.-]{0,60}")

# The demo's API is simulated: it can be polled often, and a person is watching.
_DEMO_DEFAULTS = {
    "api.rate_limit": "200",
    "collectors.state.interval": "15s",
    "collectors.ingestions.interval": "15s",
    "log.level": "error",
    "web.listen_address": "127.0.0.1:10120",
}
# What the demo decides by itself.
_NOT_IN_DEMO = (
    *(f"api.{name}" for name in ("url", "allow_insecure", "proxy_url", "proxy_url_file", "ca_file", *CREDENTIALS)),
    "state.file",
)
_REAL = ("KIMONO_API_", "KIMONO_CONFIG", "KIMONO_STATE_FILE")
_DEMO_END_AFTER = 10.0

Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command line, and return the exit code, also for `--help` and a command line that can't be used."""
    try:
        return run_command(argv, environ)
    except SystemExit as end:  # argparse's, after it has printed why
        return end.code if isinstance(end.code, int) else OK
    finally:
        output.discard_unwritten()


def run_command(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command line, and return the exit code."""
    output.replace_what_can_not_be_encoded()
    try:
        arguments = _arguments(_with_command(argv))
        return int(arguments.command(arguments, environ))
    except (SettingsError, UnusableError) as error:
        output.complain(str(error))
        return UNUSABLE
    except OutputError as error:
        if not error.reader_gone:  # a reader such as `head` has seen enough
            output.complain(str(error))
        return FAILED
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - never a traceback, which may quote a secret
        output.complain(internal_error(error))
        return FAILED


def _with_command(argv: Sequence[str]) -> list[str]:
    """`run` is the command where none is named."""
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        return ["run", *argv]
    return list(argv)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors show no value: it may be a secret in the wrong place."""

    def error(self, message: str) -> NoReturn:
        """Print the message up to the value that argparse quotes, and exit."""
        # Each of argparse's messages quotes the value after its name.
        self.refuse(re.split("['\"]", message, maxsplit=1)[0].rstrip(": "), self.prog)

    def refuse(self, message: str, command: str) -> NoReturn:
        """Print the message, and which command has help, and exit."""
        self.print_usage(sys.stderr)
        self.exit(UNUSABLE, f"{self.prog}: error: {message} ('{command} --help' lists all)\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stdout:
            output.write(message)
        else:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(message)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line. An unknown flag is named without its value, which may be a secret."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        names = [name for name, _, _ in (each.partition("=") for each in unknown) if _FLAG.fullmatch(name)]
        known_flags = [leaf.flag for leaf in LEAVES.values() if leaf.flag]
        near = get_close_matches(names[0], known_flags, n=1) if names else []
        hint = f"; did you mean {near[0]}?" if near and near[0] != names[0] else ""
        what = f"no such flag: {' '.join(names)}{hint}" if names else "unexpected argument"
        parser.refuse(what, f"{parser.prog} {argv[0]}")
    return arguments


def _parser() -> _Parser:
    parser = _Parser(
        "kimono-exporter",
        description="Prometheus exporter for the Interop API of Elevate Data Sync (formerly Kimono Cloud).",
        epilog="Without a command, run is used. 'kimono-exporter COMMAND --help' lists the flags of a command. "
        "Every setting can be a KIMONO_… variable or a line of a YAML file, and a flag unless it is a secret.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kimono-exporter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, command: Command, text: str, *, settings: bool = True, without: Sequence[str] = ()
    ) -> argparse.ArgumentParser:
        usage = f"kimono-exporter {name} [FLAG VALUE ...]" if settings else None
        added = commands.add_parser(name, help=text, description=text, usage=usage, allow_abbrev=False)
        added.set_defaults(command=command)
        if settings:
            add_flags(added, without)
        return added

    add("run", _run, "Serve metrics (the default).")
    demo = add("demo", _demo, "Serve metrics of a simulated API: no configuration needed.", without=_NOT_IN_DEMO)
    simulate = add("simulate", _simulate, "Serve the simulated API alone, for any client.", settings=False)
    add("check", _check, "Poll every tenant once; print what works, what fails, and how to fix it.")
    add("once", _once, "Poll every tenant once; print the metrics, for node_exporter's textfile collector.")
    add("metrics", _metrics, "Print the metric reference as Markdown.", settings=False)
    for each in (demo, simulate):
        each.add_argument("--tenants", type=_positive, default=30, metavar="N", help="tenants to simulate (default 30)")
        each.add_argument("--seed", type=_whole, default=1, metavar="N", help="selects the simulated fleet (default 1)")
    simulate.add_argument(
        "--listen", default="127.0.0.1:10121", metavar="HOST:PORT", help="listen address (default 127.0.0.1:10121)"
    )
    return parser


def _positive(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it is not a whole number of at least 1")
    return number


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("it is not a whole number of at most nine digits")
    return int(text)


def _loaded(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    return load(given_flags(arguments), environ)


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded(arguments, environ)
    with logs.in_thread():
        begin_log(settings)
        asyncio.run(serve(settings, lambda: _loaded(arguments, environ)))
    return OK


def _metrics(_arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    output.write(metrics_markdown())
    return OK


# check and once


def _check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded_quietly(arguments, environ)
    access_rules(settings)
    return OK if asyncio.run(check(settings)) else FAILED


def _once(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded_quietly(arguments, environ)
    logs.show("exporter.state_saver", "warning")  # nothing else prints what is wrong with the state file
    return asyncio.run(_print_page(settings))


def _loaded_quietly(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The settings of commands that print what they find; log messages beside it would say it twice."""
    settings = _loaded(arguments, environ)
    begin_log(settings)
    if "log.level" not in given_flags(arguments):
        logs.configure("critical", settings.log.format)
    return settings


async def _print_page(settings: Settings) -> int:
    """Without `process_*` and `python_*`: node_exporter, which reads the file, has its own."""
    async with open_exporter(settings, Clock()) as exporter, keeping_state(exporter, settings.state.file):
        await exporter.poller.once()
        output.write_bytes(exporter.page(openmetrics=False, process=False))
        status = exporter.status()
    if not status.discovery.ok:
        output.complain(f"discovery of tenants fails: {status.discovery.detail}")
        return FAILED
    if status.tenants_failing:
        counts = f"{status.tenants_failing} of {status.tenants} tenants{status.discovery.shard.suffix}"
        output.complain(f"{counts} are failing; kimono_tenant_failure_info has the reasons")
    return OK


# demo and simulate


def _demo(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Settings for the real API stay out of the demo.
    environ = {name: value for name, value in environ.items() if not name.startswith(_REAL)}
    settings = load({**_DEMO_DEFAULTS, **given_flags(arguments)}, environ, needs_credentials=False)
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(_serve_demo(settings, Simulator(tenants=arguments.tenants, seed=arguments.seed)))
    return OK


async def _serve_demo(settings: Settings, simulator: Simulator) -> None:
    _enliven(simulator)
    async with serve_simulator(simulator) as base_url:
        credentials = {**dict.fromkeys(CREDENTIALS), "key": SecretStr(simulator.api_key)}
        api = settings.api.model_copy(update={**credentials, "url": base_url})
        # No proxy: the simulator is on this machine.
        settings = settings.model_copy(update={"api": api, "egress": Egress()})

        def announce(addresses: list[str]) -> None:
            home = addresses[0].replace("0.0.0.0", "127.0.0.1").replace("[::]", "127.0.0.1")  # noqa: S104 - only shown
            output.write(
                f"Serving metrics of a simulated API with {len(simulator.tenants())} tenants. No request leaves this "
                "machine.\n"
                f"Status page: {home}/   Metrics: {home}/metrics\n"
                f"{how_to_change(simulator, base_url)}Stop it with Ctrl-C.\n"
            )

        await serve(settings, lambda: settings, announce)


def _enliven(simulator: Simulator) -> None:
    """Let the first minute show what happens now and then: an ingestion ends, and a tenant denies access."""
    *others, last = simulator.tenants()
    ingestion = simulator.start_ingestion(last.id, started_at=simulator.now() - 1200)
    asyncio.get_running_loop().call_later(_DEMO_END_AFTER, simulator.finish_ingestion, last.id, ingestion)
    if others:
        simulator.faults.add(Fault("forbidden", tenant_id=others[-1].id))


def _simulate(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    try:
        host, port = split_address(arguments.listen)
    except ValueError as error:
        raise UnusableError(f"--listen: {error}") from None
    simulator = Simulator(tenants=arguments.tenants, seed=arguments.seed)
    try:
        asyncio.run(_serve_simulator(simulator, host or "0.0.0.0", port))  # noqa: S104 - as asked for
    except OSError as error:
        raise UnusableError(
            f"--listen: can't listen on {arguments.listen}: {cause(error)}; set a free one, such as 127.0.0.1:10131"
        ) from None
    return OK


async def _serve_simulator(simulator: Simulator, host: str, port: int) -> None:
    stop = signalled(signal.SIGTERM, signal.SIGINT)
    async with serve_simulator(simulator, host, port) as base_url:
        output.write(
            f"A simulated API with {len(simulator.tenants())} tenants at {base_url}; its credentials are made up.\n"
            f"Try: KIMONO_API_URL={base_url} KIMONO_API_KEY={simulator.api_key} kimono-exporter check\n"
            f"{how_to_change(simulator, base_url)}Stop it with Ctrl-C.\n"
        )
        await stop.wait()
