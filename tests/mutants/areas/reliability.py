"""Breaks what the fault matrix and the soak check, and the faults that they need."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WIRE_FAULTS = ("tests/simulator/test_wire_faults.py",)
ONE_CELL = ("tests/reliability/test_matrix.py::test_nothing_is_wrong_with_the_cell_that_the_next_tests_break",)
SOAK = ("tests/reliability/test_soak.py",)

MUTANTS = (
    Mutant(
        "the simulator closes the connection before the unsolicited reply",
        "exporter/simulator/wire_faults.py",
        "return not self._close",
        "return False",
        WIRE_FAULTS,
    ),
    Mutant(
        "a fault of one page applies to all pages",
        "exporter/simulator/faults.py",
        "if fault.page is not None and page != str(fault.page):",
        "if False:",
        ("tests/simulator/test_faults.py",),
    ),
    Mutant(
        "a truncated gzip is whole",
        "exporter/simulator/altered_replies.py",
        "_gzip(body)[:-10]",
        "_gzip(body)",
        WIRE_FAULTS,
    ),
    Mutant(
        "a failed request is not sent again",
        "exporter/api/client.py",
        "_ATTEMPTS = 3",
        "_ATTEMPTS = 1",
        ONE_CELL,
    ),
    Mutant(
        "samples of a failing tenant expire at once",
        "exporter/polling/recorder.py",
        "_INTERVALS_KEPT = 3",
        "_INTERVALS_KEPT = 0",
        ONE_CELL,
    ),
    Mutant(
        "a transient failure of a tenant stops its polls",
        "exporter/polling/scheduler.py",
        "            if self.repeat:",
        "            if self.repeat and not poll.state.failures:",
        ONE_CELL,
    ),
    Mutant(
        "an end that was counted counts again",
        "exporter/history/ingestions.py",
        "if ingestion.finished and ingestion.id is not None and not _seen_ended(ingestion, before):",
        "if ingestion.finished and ingestion.id is not None:",
        SOAK,
    ),
)
