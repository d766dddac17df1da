"""Prepares the process, from its first line to its end: signals, standard streams, core dumps.

It imports nothing that takes long to load, because a signal may come meanwhile. What comes before its first line, while
Python itself starts, can't be handled: SIGHUP ends the process then, and SIGINT prints Python's traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# From the signal to the end of the process, whatever hangs. A clean stop takes up to 4.2 s.
STOP_SECONDS = 4.8
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_INTERRUPTED = 130  # as shells count an end by SIGINT
_FAILED = 1
# Commands that serve until they are stopped.
_SERVING = ("run", "demo")
# That of them which a terminal that is closed stops; the other one reads its settings again at SIGHUP.
_OF_TERMINAL = ("demo",)


class _Signals:
    """Whether `prepare` has set handlers, and what has come since."""

    handled = False
    hangup = False


def prepare(arguments: Sequence[str]) -> None:
    """Make the process safe for secrets, and for signals at any moment; `arguments` are those of the command line."""
    command = arguments[0] if arguments and not arguments[0].startswith("-") else _SERVING[0]
    _handle_signals(serving=command in _SERVING, of_terminal=command in _OF_TERMINAL)
    _forbid_core_dumps()
    _open_standard_streams()


# Signals


def _handle_signals(*, serving: bool, of_terminal: bool) -> None:
    """Until the settings are loaded, nothing has to be stopped: a signal to stop ends the process at once.

    Commands that don't serve keep it so, without Python's traceback at SIGINT.
    """
    _Signals.handled = True
    signal.signal(signal.SIGINT, _end_serving if serving else _interrupt)
    if serving:
        signal.signal(signal.SIGTERM, _end_serving)
    if of_terminal and not _hangup_ignored():
        signal.signal(signal.SIGHUP, _end_serving)
    elif serving and not of_terminal:
        signal.signal(signal.SIGHUP, _note_hangup)


def stop_signals_of_terminal() -> tuple[signal.Signals, ...]:
    """The signals that stop a program which a terminal's end should stop, too, unless it was started with nohup."""
    return STOP_SIGNALS if _hangup_ignored() else (*STOP_SIGNALS, signal.SIGHUP)


def _hangup_ignored() -> bool:
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _end_serving(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if os.isatty(2):
        os.write(2, b"\x1b[?25h\n")  # a progress bar hides the cursor
    os._exit(_INTERRUPTED)


def _note_hangup(_number: int, _frame: FrameType | None) -> None:
    _Signals.hangup = True


def hangup_came() -> bool:
    """Whether SIGHUP came before it was handled."""
    return _Signals.hangup


def stop_in_time(numbers: Sequence[signal.Signals] = STOP_SIGNALS) -> None:
    """From now on, end the process 4.8 s after the first of these signals to stop, whatever hangs.

    To be called after asyncio has got handlers of its own for these signals: those are still called.
    """
    if _Signals.handled:
        signal.signal(signal.SIGALRM, _give_up)
        for number in numbers:
            # Also lets the signal interrupt a call that blocks, which asyncio prevents.
            signal.signal(number, _begin_countdown)


def _begin_countdown(_number: int, _frame: FrameType | None) -> None:
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    os._exit(_FAILED)


def hold_signals() -> None:
    """Let no signal disturb the end of the process, which has begun."""
    if _Signals.handled:
        signal.pthread_sigmask(signal.SIG_BLOCK, {*STOP_SIGNALS, signal.SIGHUP})


# Secrets


def _forbid_core_dumps() -> None:
    """Keep secrets out of core dumps. The second way also works where a program receives them instead of a file."""
    import resource  # noqa: PLC0415 - signals are handled by now

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/coredump_filter", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is slow to load
            file.write("0")
    except OSError:
        pass  # only Linux has the second one


# Standard streams


def _open_standard_streams() -> None:
    """Occupy the standard descriptors that are closed: a socket or the state file would get their numbers.

    Output to a stream that was closed still fails.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken. Read-only, so that writing fails.
            os.open(os.devnull, os.O_RDONLY if number < 2 else os.O_WRONLY)  # noqa: PLR2004 - standard error
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115 - a descriptor, open to the end
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115 - likewise
