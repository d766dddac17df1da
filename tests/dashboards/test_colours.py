"""Tests that every value that a panel may show has a text and a colour."""

from __future__ import annotations

import re

from dashboards import colours
from dashboards.colours import PROBLEMS
from exporter.api.errors import REASONS
from exporter.api.models import FINAL_STATES, UNFINISHED_STATES
from exporter.assets.rules import problems
from tests.support.rules import FLAGS, OF_TENANTS, rules

COLOUR = re.compile(r"(super-light-|light-|semi-dark-|dark-)?(red|orange|yellow|green|blue|purple)|#[0-9a-f]{6}")


def test_every_problem_has_a_text_and_a_colour() -> None:
    assert {one.name for one in PROBLEMS} == problems.PROBLEMS.keys()


def test_every_alert_about_a_tenant_is_that_of_a_problem() -> None:
    assert {one.alert for one in PROBLEMS} == {rule["alert"] for rule in OF_TENANTS}
    assert len({one.alert for one in PROBLEMS}) == len(PROBLEMS)


def test_no_two_problems_look_alike() -> None:
    assert len({one.colour for one in PROBLEMS}) == len({one.text for one in PROBLEMS}) == len(PROBLEMS)


def test_every_severity_has_a_rank() -> None:
    severities = {rule["labels"]["severity"] for rule in rules() if "alert" in rule}
    assert colours.SEVERITIES.keys() == severities


def test_every_flag_end_state_and_reason_has_a_colour() -> None:
    assert colours.MODES.keys() == set(FLAGS)
    assert colours.OUTCOMES.keys() == set(FINAL_STATES)
    assert colours.UNFINISHED.keys() == set(UNFINISHED_STATES)
    assert colours.REASONS.keys() == set(REASONS)


def test_good_ends_alone_are_green_and_bad_ones_red() -> None:
    green = {state for state, colour in colours.OUTCOMES.items() if colour == colours.GOOD}
    red = {state for state, colour in colours.OUTCOMES.items() if colour.endswith("red")}
    assert (green, red) == ({"success"}, {"failed", "timeout"})
    assert colours.GOOD == "green"
    assert colours.BAD == "red"


def test_every_colour_is_one_that_grafana_knows() -> None:
    named = [one.colour for one in PROBLEMS]
    for texts in (colours.RANK_TEXTS, colours.MODES, colours.AUTH_STATES):
        named += [colour for _, colour in texts.values()]
    named += [*colours.OUTCOMES.values(), *colours.UNFINISHED.values(), *colours.REASONS.values()]
    assert all(COLOUR.fullmatch(colour) for colour in named)
