"""Applies the inhibition rules of an Alertmanager configuration to what fired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.backtest.engine import Firing

# Alertmanager delays new groups (`group_wait`), and resolved notifications.
_GRACE = 300.0
_MATCHER = re.compile(r'\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"?([^"]*)"?\s*')

Matchers = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Inhibit:
    """One of Alertmanager's inhibition rules."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...]


def inhibits(config: Path) -> list[Inhibit]:
    """The inhibition rules of an Alertmanager configuration."""
    rules = yaml.safe_load(config.read_text()).get("inhibit_rules") or []
    return [
        Inhibit(
            matchers(rule.get("source_matchers")), matchers(rule.get("target_matchers")), tuple(rule.get("equal") or ())
        )
        for rule in rules
    ]


def matchers(texts: Any) -> Matchers:
    """Label, operator and value of each matcher. ValueError if one can't be read."""
    found = [_MATCHER.fullmatch(text) for text in texts or ()]
    if None in found:
        raise ValueError(f"a matcher that can't be read, in {texts}")
    return tuple((match[1], match[2], match[3].strip()) for match in found if match)


def labels(firing: Firing) -> Mapping[str, str]:
    """All labels of an alert, its name included."""
    return {**firing.labels, "alertname": firing.alert}


def inhibited(firing: Firing, others: Sequence[Firing], rules: Sequence[Inhibit]) -> bool:
    """Whether Alertmanager sent no notification: it was inhibited when it began, and for as long as it lasted."""
    covering = [
        other for other in others if other.since <= firing.since + _GRACE and other.until >= firing.until - _GRACE
    ]
    return muted(firing, covering, rules)


def muted(firing: Firing, others: Iterable[Firing], rules: Sequence[Inhibit]) -> bool:
    """Whether one of the others inhibits it."""
    own = labels(firing)
    concerned = [rule for rule in rules if matches(own, rule.target)]
    return bool(concerned) and any(
        other is not firing and _inhibits(labels(other), own, rule) for other in others for rule in concerned
    )


def _inhibits(theirs: Mapping[str, str], own: Mapping[str, str], rule: Inhibit) -> bool:
    return (
        matches(theirs, rule.source)
        and not matches(theirs, rule.target)
        and all(own.get(name, "") == theirs.get(name, "") for name in rule.equal)
    )


def matches(values: Mapping[str, str], wanted: Matchers) -> bool:
    """Whether labels fulfil all matchers."""
    return all(_match(values.get(name, ""), how, text) for name, how, text in wanted)


def _match(value: str, how: str, wanted: str) -> bool:
    same = bool(re.fullmatch(wanted, value)) if "~" in how else value == wanted
    return same != how.startswith("!")
