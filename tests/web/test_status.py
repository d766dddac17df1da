"""Tests that the status snapshot explains every reason, and counts tenants without the account."""

from __future__ import annotations

from dataclasses import replace

from exporter.api.errors import REASONS
from exporter.status import HOW_TO_FIX, MEANING
from tests.web.serving import CALM, failing


def test_every_reason_has_a_meaning_and_a_fix() -> None:
    assert set(MEANING) == set(HOW_TO_FIX) == set(REASONS)


def test_what_is_said_of_a_timeout_fits_a_key_file_that_hangs_as_well() -> None:
    """Discovery fails with this reason if the file of a secret does not respond."""
    assert "file" in MEANING["timeout"]
    assert "check its disk" in HOW_TO_FIX["timeout"]
    assert "raise api.timeout" in HOW_TO_FIX["timeout"]


def test_the_account_is_not_counted_as_a_tenant() -> None:
    status = replace(CALM, failing=(failing("account", ident=""), failing("Oak"), failing("Elm")))
    assert status.tenants_failing == 2
