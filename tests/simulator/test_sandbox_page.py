"""Tests the page of the sandbox: runs its examples with curl, as they are, and looks at the exporter's page."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import Clock
from exporter.simulator import Simulator, Story
from exporter.simulator.sandbox import calm_tenant, shell_variables
from tests.simulator.calls import ManualClock
from tests.support.processes import needed, served
from tests.support.simulated_exporter import Page, running_exporter

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "sandbox.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### (.*?)\n\n```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
FLAGS = {"collectors.scoping.enabled": "true", "api.rate_limit": "1000"}


class Example:
    """The exporter's page before and after an example, and what the example has printed."""

    def __init__(self, tenant_id: str, before: Page, after: Page, printed: str) -> None:
        self.tenant_id = tenant_id
        self.before, self.after, self.printed = before, after, printed

    def values(self, name: str, **labels: str) -> tuple[list[float], list[float]]:
        """The values of a tenant's series, before and after."""
        pages = (self.before, self.after)
        first, second = (sorted(page.all(name, tenant_id=self.tenant_id, **labels).values()) for page in pages)
        return first, second


def run(example: str) -> Example:
    """Run the code of an example in a shell, on a simulator that is served over HTTP."""
    simulator = Simulator(tenants=30)
    tenant = calm_tenant(simulator)
    assert tenant is not None
    before = poll_once(simulator)
    with served(simulator) as base_url:
        script = f"{shell_variables(simulator, base_url)}\n{EXAMPLES[example]}"
        environ = {"PATH": os.environ["PATH"], "no_proxy": "127.0.0.1"}
        printed = subprocess.run(["sh", "-eu", "-c", script], env=environ, capture_output=True, text=True, check=True)
    return Example(tenant.id, before, poll_once(simulator), printed.stdout)


def poll_once(simulator: Simulator) -> Page:
    """The exporter's page after one poll of all."""

    async def inside() -> Page:
        async with running_exporter(FLAGS, hub=simulator, clock=Clock(), begin=False) as exporter:
            await exporter.exporter.poller.once()
            return exporter.page()

    return asyncio.run(inside())


def _ran(example: Example) -> None:
    assert "204 No Content" in example.printed
    runs = example.values("kimono_ingestions", ingestion_type="collection")
    assert [sum(each) for each in runs] == [0, 1]
    before, after = example.values("kimono_schedule_last_executed_timestamp_seconds")
    assert max(after) > max(before, default=0)


def _created(example: Example) -> None:
    assert "200 OK" in example.printed
    before, after = example.values("kimono_schedule_next_due_timestamp_seconds")
    (due,) = set(after) - set(before)
    assert (len(after) - len(before), due % 86_400) == (1, 7200)


def _disabled(example: Example) -> None:
    assert "200 OK" in example.printed
    assert example.values("kimono_schedule_enabled") == ([1], [0])


def _selected(example: Example) -> None:
    assert "200 OK" in example.printed
    assert example.values("kimono_scoping_schools", selected="true")[1] == [1]
    assert example.values("kimono_scoping_schools", selected="false")[1] == [2]


def _opened(example: Example) -> None:
    assert "200 OK" in example.printed
    assert example.values("kimono_tenant_state", flag="rollover_mode_enabled") == ([0], [1])
    assert example.values("kimono_rollover_status", status="ongoing") == ([], [1])


SHOWN: dict[str, Callable[[Example], None]] = {
    "Run a schedule": _ran,
    "Create a schedule": _created,
    "Disable a schedule": _disabled,
    "Select schools": _selected,
    "Open a rollover": _opened,
}


def test_each_example_is_run() -> None:
    assert EXAMPLES.keys() == SHOWN.keys()


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_has_the_effect_that_the_page_says(name: str) -> None:
    needed("curl")
    SHOWN[name](run(name))


def test_the_variables_are_those_of_a_tenant_for_which_all_is_well() -> None:
    clock = ManualClock()
    simulator = Simulator(now=clock)
    tenant = calm_tenant(simulator)
    assert tenant is not None
    truth = simulator.truth(tenant.id)
    assert (truth.stories, truth.rollovers, any(truth.flags.values())) == ([], [], False)
    variables = dict(each.split("=") for each in shlex.split(shell_variables(simulator, "http://x"))[1:])
    assert variables == {
        "API": "http://x",
        "ACCOUNT": f"{simulator.api_key}:{simulator.api_key}",
        "TENANT": f"{tenant.credentials.client_id}:{tenant.credentials.client_secret}",
    }
    simulator.begin_story("suspended", tenant.id)
    assert calm_tenant(simulator) != tenant


def test_without_such_a_tenant_only_the_account_has_a_variable() -> None:
    tenants: dict[str, Any] = {"tenants": 4, "now": ManualClock()}
    ids = [one.id for one in Simulator(**tenants).tenants()]
    simulator = Simulator(**tenants, stories=[Story("suspended", ids[3], ManualClock().at - 1)])
    assert "TENANT" not in shell_variables(simulator, "http://x")
    assert "TENANT" in shell_variables(Simulator(**tenants, stories=()), "http://x")
