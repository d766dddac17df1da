"""Tests that the simulator serves each call of the published reference, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.simulator import Simulator
from exporter.simulator.routes import ROUTES, find_template
from tests.simulator.calls import PUBLISHED, AsTenant, ManualClock, assert_published, body, call

ROOT = Path(__file__).parents[2]
REFERENCE = [
    line for line in (ROOT / "docs" / "interop_calls.txt").read_text().splitlines() if line and not line.startswith("#")
]


def test_each_call_of_the_reference_is_served_and_no_other() -> None:
    assert sorted(route.name for route in ROUTES) == sorted(REFERENCE)
    assert len(set(REFERENCE)) == len(REFERENCE) == 51


def test_no_path_leads_to_another_call() -> None:
    for route in ROUTES:
        path = route.template.replace("{id}", "a-b").replace("{version}", "1.0")
        expected = tuple({"{id}": "a-b", "{version}": "1.0"}[part] for part in route.template.split("/") if "{" in part)
        assert find_template(path) == (route.template, expected)


EXAMPLES = sorted(path.stem for path in PUBLISHED.glob("*.json"))


def test_there_is_an_example_for_each_call_that_reads() -> None:
    reads = [route.template for route in ROUTES if route.methods == ("GET",)]
    assert sorted(template[1:].replace("/", "_").replace("{id}", "ID") for template in reads) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_reply_has_the_shape_of_the_published_example(name: str) -> None:
    clock = ManualClock()
    simulator = Simulator(now=clock, stories=(), tenants=4)
    tenant = AsTenant(simulator, simulator.tenants()[1].id)
    simulator.tenant(tenant.tenant_id).rollovers.plan(clock() + 1, clock() + 2)
    simulator.start_ingestion(tenant.tenant_id, started_at=clock())
    route = next(one for one in ROUTES if one.template[1:].replace("/", "_").replace("{id}", "ID") == name)
    ask = tenant.send if route.audience == "actor" else lambda _, path: call(simulator, path)
    path = route.template
    if "{id}" in path:
        (one, *_) = (each for each in body(ask("GET", path.partition("/{id}")[0]))["data"] if each)
        # Schools and courses have no `id`: the member is named after the kind.
        path = path.replace("{id}", one.get("course_id") or one.get("school_id") or one["id"])
    reply = ask("GET", path)
    assert reply.status == 200
    assert body(reply) != {"data": []}
    assert_published(name, body(reply))
