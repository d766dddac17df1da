"""Parses the command line, and prints the version and the help.

It loads nothing that takes long until the flags of a command are needed: `--version` and `--help` answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from exporter import output
from exporter.flags import all_spelled, spelled
from exporter.output import OutputError
from exporter.version import build, version_text

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

OK, FAILED, UNUSABLE = 0, 1, 2
_PORTS = 65_536
# Only what looks like the name of a flag is shown.
_FLAG = re.compile("--[a-z][a-z_.-]{0,60}")
# With the credentials and the state file, what the demo decides by itself.
_API_NOT_IN_DEMO = ("url", "allow_insecure", "proxy_url", "proxy_url_file", "ca_file")
# What is answered without loading any command.
_ANSWERED_AT_ONCE = ("-h", "--help", "--version")


def answer_at_once(argv: Sequence[str]) -> int | None:
    """Print the version or the list of commands, if that is asked for, and return the exit code; else None."""
    if not argv or argv[0] not in _ANSWERED_AT_ONCE:
        return None
    output.replace_what_can_not_be_encoded()
    try:
        parsed(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else OK
    except OutputError as error:
        if not error.reader_gone:
            output.complain(str(error))
        return FAILED
    finally:
        output.discard_unwritten()
    return OK


def _with_command(argv: Sequence[str]) -> list[str]:
    """`run` is the command where none is named."""
    if not argv or (argv[0].startswith("-") and argv[0] not in _ANSWERED_AT_ONCE):
        return ["run", *argv]
    return list(argv)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors show no value: it may be a secret in the wrong place."""

    @property
    def flags(self) -> list[str]:
        """The names of the flags that it has and shows."""
        shown = {name: action for name, action in self._option_string_actions.items() if name.startswith("--")}
        return [name for name, action in shown.items() if action.help != argparse.SUPPRESS]

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


class _Version(argparse.Action):
    """Prints the version in several lines, which argparse's own action would fold."""

    def __call__(self, *_: object) -> NoReturn:
        output.write(version_text(build()))
        raise SystemExit(OK)


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line, with the name of its command. `--help`, and what is wrong with it, raise SystemExit.

    An unknown flag is named without its value, which may be a secret.
    """
    argv = _with_command(argv)
    parser, command = parser_of(argv[0])
    arguments, unknown = parser.parse_known_args(all_spelled(argv))
    if unknown:
        parser.refuse(_unknown(unknown, argv, command), f"{parser.prog} {argv[0]}")
    return arguments


def _unknown(unknown: Sequence[str], argv: Sequence[str], command: _Parser | None) -> str:
    """What is wrong with arguments that are not known: flags as they were written, without their values."""
    names = [name for name, _, _ in (each.partition("=") for each in unknown) if _FLAG.fullmatch(name)]
    if not names:
        return "unexpected argument"
    from exporter.settings import LEAVES  # noqa: PLC0415 - see above

    written = {spelled(name): name for name, _, _ in (each.partition("=") for each in argv)}
    known = {leaf.flag: "" for leaf in LEAVES.values() if leaf.flag} | dict.fromkeys(command.flags if command else ())
    near = get_close_matches(names[0], known, n=1)
    hint = f"; did you mean {near[0]}?" if near and near[0] != names[0] else ""
    return f"no such flag: {' '.join(written.get(name, name) for name in names)}{hint}"


def parser_of(chosen: str) -> tuple[_Parser, _Parser | None]:
    """The parser, and that of the chosen command, which alone has its flags."""
    parser = _Parser(
        "kimono-exporter",
        description="Prometheus exporter for the Interop API of Elevate Data Sync (formerly Kimono Cloud).",
        epilog="Without a command, run is used. 'kimono-exporter COMMAND --help' lists the flags of a command. "
        "Every setting can be a KIMONO_... variable or a line of a YAML file, and a flag unless it is a secret. "
        "Flags may be written with hyphens or underscores.",
        allow_abbrev=False,
    )
    _add_version(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, text: str, *, settings: bool = True) -> _Parser:
        usage = f"kimono-exporter {name} [FLAG VALUE ...]" if settings else None
        added = commands.add_parser(name, help=text, description=text, usage=usage, allow_abbrev=False)
        added.set_defaults(command=name)
        if settings and name == chosen:
            _add_settings(added, name)
        return added

    _add_version(add("run", "Serve metrics (the default)."))  # after other flags, too, as in other exporters
    demo = add("demo", "Serve metrics of a simulated API: no configuration needed.")
    simulate = add("simulate", "Serve the simulated API alone, for any client.", settings=False)
    drill = add("drill", "Cause an incident in a running demo, and say what to expect where.", settings=False)
    check = add("check", "Poll every tenant once; print what works, what fails, and how to fix it.")
    add("once", "Poll every tenant once; print the metrics, for node_exporter's textfile collector.")
    add("healthcheck", "Ask the running exporter whether it is healthy, by the same settings; for containers.")
    add("metrics", "Print the metric reference as Markdown.", settings=False)
    assets = add("assets", "Write dashboards, alert rules, an Alertmanager example and runbooks.", settings=False)
    assets.add_argument("directory", metavar="DIR", help="folder to write to; it is made if it is missing")
    if chosen == "assets":
        from exporter.assets.options import add_options  # noqa: PLC0415 - see above

        add_options(assets)
    demo.add_argument(
        "--exporter-only", action="store_true", help="don't start Prometheus, Alertmanager and Grafana beside it"
    )
    check.add_argument("--all", action="store_true", help="name every tenant, instead of the first few of each kind")
    check.add_argument("--tenant", metavar="NAME", help="poll one tenant, by name, id or glob, and show every API call")
    check.add_argument("--output", choices=("text", "json"), default="text", help="json is for programs (default text)")
    for each in (demo, simulate):
        each.add_argument("--tenants", type=_positive, default=30, metavar="N", help="tenants to simulate (default 30)")
        each.add_argument("--seed", type=_whole, default=1, metavar="N", help="selects the simulated fleet (default 1)")
    _add_drills(demo, drill)
    simulate.add_argument(
        "--listen", default="127.0.0.1:10121", metavar="HOST:PORT", help="listen address (default 127.0.0.1:10121)"
    )
    return parser, commands.choices.get(chosen)


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and its build and exit")


def _add_drills(demo: argparse.ArgumentParser, drill: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--story",
        action="append",
        metavar="NAME",
        help="begin with a drill, on a fleet without incidents and with shorter thresholds; none waits for drills",
    )
    demo.add_argument(
        "--drills-port", type=_port, default=10126, metavar="N", help="port of the page of drills (default 10126)"
    )
    drill.add_argument("name", nargs="?", default="", metavar="NAME", help="the drill to begin, or to end")
    what = drill.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list all drills")
    what.add_argument("--end", action="store_true", help="end the drill, or all without NAME")
    drill.add_argument("--wait", action="store_true", help="wait until the alert fires, or with --end is resolved")
    drill.add_argument(
        "--address", default="127.0.0.1:10126", metavar="HOST:PORT", help="the demo's drills (default 127.0.0.1:10126)"
    )


def _add_settings(parser: argparse.ArgumentParser, command: str) -> None:
    from exporter.settings import CREDENTIALS, add_flags  # noqa: PLC0415 - see above

    api = (*_API_NOT_IN_DEMO, *CREDENTIALS)
    add_flags(parser, (*(f"api.{name}" for name in api), "state.file") if command == "demo" else ())
    if command == "run":
        parser.add_argument(
            "--config.check",
            dest="config_check",
            action="store_true",
            help="check settings, secrets and the web configuration as run would read them, then exit",
        )


def _positive(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it is not a whole number of at least 1")
    return number


def _port(text: str) -> int:
    number = _whole(text)
    if not 0 < number < _PORTS:
        raise argparse.ArgumentTypeError("it is not a port")
    return number


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError("it is not a whole number of at most nine digits")
    return int(text)
