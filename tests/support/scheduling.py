"""Orders the test files, and gives the tests of a file to one worker."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# The slowest files, which start first, so that no worker waits for another at the end.
LONGEST = (
    "backtest/test_backtest.py",
    "backtest/test_status.py",
    "dashboards/test_live.py",
    "backtest/test_strange.py",
    "kubernetes/test_chart.py",  # builds helm: some minutes
    "drills/test_drills.py",
    "drills/test_real_chain.py",
    "drills/test_tutorial.py",
    "compose/test_chain.py",
    "alerts/test_pint.py",
    "reliability/test_matrix.py",
    "alerts/test_problems.py",
    "alerts/test_syncs.py",
    "alerts/test_notifications.py",
    "contract/test_samples.py",
    "contract/test_failures.py",
    "contract/test_commands.py",
    "contract/test_state_commands.py",
    "contract/test_signals.py",
    "contract/test_prometheus.py",
    "simulator/test_stories.py",
    "alerts/test_fleet.py",
)
# These share the days of the small scenario.
SIMULATED = LONGEST[:3]


def place_of(nodeid: str) -> int:
    """The place of a test's file in the order."""
    file = file_of(nodeid)
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def file_of(nodeid: str) -> str:
    """The path of a test's file below tests/."""
    return nodeid.partition("::")[0].removeprefix("tests/")


class FileScheduling(LoadScopeScheduling):
    """Gives a file's tests to one worker, so that its fixtures are made once, and the files of SIMULATED too.

    `--dist loadgroup` does not work: pytest-xdist 3.8 appends the group to an attribute that pytest 9 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        return "simulated" if file in SIMULATED else file
