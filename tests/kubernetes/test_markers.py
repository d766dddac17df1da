"""Tests the generator of the chart's files, without helm."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from deploy.chart import __main__ as chart
from deploy.chart.markers import filled
from deploy.chart.values import IN_RULES, commented, in_camel_case, sections, with_thresholds
from exporter.assets.rules.deferred import Deferred, Form
from exporter.assets.rules.promql import greatest, least, number, rounded, seconds
from tests.support.kubernetes.rendering import CHART, ROOT

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")


def show(value: Deferred, form: Form) -> str:
    return f"[{value.formula} {form}]"


def deferred(name: str, value: float) -> Deferred:
    return Deferred(value, name, show)


def test_a_deferred_number_is_shown_by_its_formula() -> None:
    one, other = deferred("a", 7200.0), deferred("b", 60.0)
    assert number(one) == "[a number]"
    assert seconds(one) == "[a units]"
    assert seconds(one + other) == "[('add', 'a', 'b') units]"
    assert number(rounded(14.4 * (1 - one))) == "[('round', ('multiply', 14.4, ('subtract', 1.0, 'a')), 6.0) number]"
    assert seconds(least(one, other)) == "[('min', 'a', 'b') units]"
    assert number(greatest(one, other)) == "[('max', 'a', 'b') number]"


def test_a_deferred_number_has_the_value_of_the_defaults() -> None:
    one, other = deferred("a", 7200.0), deferred("b", 60.0)
    assert float(one + other) == 7260
    assert float(rounded(14.4 * (1 - deferred("c", 0.95)))) == 0.72
    assert (float(least(one, other)), float(greatest(one, other))) == (60, 7200)


def test_plain_numbers_are_as_before() -> None:
    assert (least(2, 1, 3), greatest(2, 1, 3), rounded(0.1234567)) == (1, 3, 0.123457)


def test_every_marker_has_a_value_and_every_value_a_marker() -> None:
    made = filled()
    in_files = {marker for text in made.files.values() for marker in re.findall("<<.*?>>", text)}
    in_template = set(re.findall("(?m)^'(<<.*?>>)':", made.template))
    assert in_files == in_template | {"<<https://runbookUrl>>", "<<dashboardUrl>>"}
    assert len(in_template) > len(IN_RULES)
    for name in IN_RULES:
        assert any(re.search(rf"\b{name}\b", marker) for marker in in_template), name


def test_no_place_holder_is_left_and_the_files_are_valid() -> None:
    made = filled()
    for path, text in made.files.items():
        assert not re.search(r"[\ue000-\uf8ff]|\\u[ef]", text), path
        assert json.loads(text) if path.endswith(".json") else yaml.safe_load(text)


def test_files_in_the_repository_are_those_that_are_made() -> None:
    for path, text in chart.files().items():
        assert (CHART / path).read_text(encoding="utf-8") == text, path


def test_each_value_has_a_comment_and_the_readme_has_each() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    for value in commented(VALUES):
        assert value.comment
        assert f"| `{value.path}` | " in readme
    assert list(sections(VALUES))[:3] == ["Names", "Image", "Credentials"]


def test_a_value_without_a_comment_is_an_error() -> None:
    with pytest.raises(ValueError, match="b has no comment"):
        list(commented("# -- A\na: 1\nb: 2\n"))


def test_values_are_found_with_their_comment_and_section() -> None:
    text = "## One\n\na:\n  # -- First\n  # line\n  b: 1\n# -- All\nc:\n  d: 2\n"
    found = [(each.path, each.default, each.comment, each.section) for each in commented(text)]
    assert found == [("a.b", 1, "First line", "One"), ("c", {"d": 2}, "All", "One")]


def test_thresholds_are_written_anew() -> None:
    changed = VALUES.replace("    syncOverdue: 2h\n", "    syncOverdue: 3h\n")
    assert changed != VALUES
    assert with_thresholds(changed) == VALUES
    names = yaml.safe_load(VALUES)["prometheusRule"]["thresholds"].keys()
    assert names == {in_camel_case(name) for name in IN_RULES}


def test_make_check_compares() -> None:
    check = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    assert "-m deploy.chart --check" in check
