"""Runs the command that the command line names.

Exit codes: 0 fine, 1 what was asked for failed, 2 unusable settings. Each problem is one line that says how to fix it,
never a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from exporter import logs, output
from exporter.arguments import FAILED, OK, UNUSABLE, parsed
from exporter.assembly import check_state, keeping_state, open_exporter
from exporter.assets import assets, built_links, what_was_written, write
from exporter.assets.options import OptionError, choices
from exporter.check import Wanted, check
from exporter.clock import Clock
from exporter.demo import demo
from exporter.drills.client import drill
from exporter.healthcheck import healthcheck
from exporter.logs import internal_error
from exporter.output import OutputError
from exporter.reference import metrics_markdown
from exporter.serve import UnusableError, access_rules, begin_log, cause, serve, signalled
from exporter.settings import Settings, SettingsError, given_flags, load, split_address
from exporter.simulator import Simulator, how_to_change
from exporter.simulator import serve as serve_simulator
from exporter.version import build

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
        arguments = parsed(argv)
        return _COMMANDS[arguments.command](arguments, environ)
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


def _loaded(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    return load(given_flags(arguments), environ)


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded(arguments, environ)
    if arguments.config_check:
        access_rules(settings)
        asyncio.run(check_state(settings.state.file))
        for warning in settings.warnings:
            output.complain(f"warning: {warning}")
        output.write("ok: settings, secrets, the web configuration and the state file can be used\n")
        return OK
    with logs.in_thread():
        begin_log(settings)
        asyncio.run(serve(settings, lambda: _loaded(arguments, environ)))
    return OK


def _metrics(_arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    output.write(metrics_markdown())
    return OK


def _assets(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    try:
        chosen = choices(arguments, built_links(build()))
    except OptionError as error:
        raise UnusableError(str(error)) from None
    folder, files = Path(arguments.directory), assets(chosen)
    try:
        write(folder, files)
    except (OSError, ValueError) as error:  # ValueError: the path has a null character
        why = cause(error) if isinstance(error, OSError) else "it is not a path"
        raise UnusableError(f"DIR: can't write into {str(folder)!r}: {why}; name another folder") from None
    output.write(what_was_written(folder, files, chosen))
    return OK


def _healthcheck(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    health = healthcheck(load(given_flags(arguments), environ, needs_credentials=False))
    output.write(f"{'ok' if health.ok else 'unhealthy'}: {health.text}\n")
    return OK if health.ok else FAILED


# check and once


def _check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _loaded_quietly(arguments, environ)
    access_rules(settings)
    wanted = Wanted(arguments.all, arguments.tenant, arguments.output == "json")
    return OK if asyncio.run(check(settings, wanted)) else FAILED


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
    demo(arguments, environ)
    return OK


def _drill(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    return drill(arguments)


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


_COMMANDS: Mapping[str, Command] = {
    "run": _run,
    "demo": _demo,
    "drill": _drill,
    "simulate": _simulate,
    "check": _check,
    "once": _once,
    "healthcheck": _healthcheck,
    "metrics": _metrics,
    "assets": _assets,
}
