"""Tests that the settings, their names and their defaults are those of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from exporter.collectors import COLLECTORS, Collector
from exporter.settings import LEAVES, ApiSettings, Settings, load
from exporter.settings.tree import WebSettings
from tests.support.settings import KEY

# The collectors that the contract names: whether each is on, and its interval in seconds.
CONTRACT = {
    "state": (True, 60.0),
    "ingestions": (True, 60.0),
    "schedules": (True, 300.0),
    "rollovers": (True, 900.0),
    "application": (True, 300.0),
    "scoping": (False, 3600.0),
    "account": (False, 3600.0),
}


def test_without_anything_set_the_defaults_are_those_of_the_contract() -> None:
    settings = load({}, KEY)

    assert settings.api.url == "https://api.us2.kimonocloud.com"
    assert (settings.api.rate_limit, settings.api.concurrency, settings.api.timeout) == (20.0, 20, 30.0)
    assert settings.api.max_response_bytes == 16 * 1024 * 1024
    assert settings.discovery.interval == 300.0
    collectors = {name: (one.enabled, one.interval) for name, one in settings.collectors}
    assert collectors.items() >= CONTRACT.items()
    assert settings.web.listen() == ("0.0.0.0", 10120)  # noqa: S104 - the contract's default
    assert (settings.log.level, settings.log.format) == ("info", "logfmt")
    assert settings.warnings == ()


def test_names_follow_from_the_path() -> None:
    named = {leaf.path: leaf for leaf in LEAVES.values()}

    assert len(named) == len(LEAVES)
    assert named["collectors.state.interval"].flag == "--collectors.state.interval"
    assert named["collectors.state.interval"].env == "KIMONO_COLLECTORS_STATE_INTERVAL"
    assert named["api.rate_limit"].env == "KIMONO_API_RATE_LIMIT"
    assert len({leaf.env for leaf in LEAVES.values()}) == len(LEAVES)
    assert {leaf.path for leaf in LEAVES.values() if leaf.kind.secret} == {"api.key", "api.client_secret", "api.token"}
    assert all((leaf.flag is None) == leaf.kind.secret for leaf in LEAVES.values())


def test_every_secret_has_a_file_twin() -> None:
    paths = {leaf.path for leaf in LEAVES.values()}

    assert all(f"{leaf.path}_file" in paths for leaf in LEAVES.values() if leaf.kind.secret)


def test_every_default_as_documented_gives_the_default_itself() -> None:
    environ = {leaf.env: leaf.default for leaf in LEAVES.values() if leaf.default}

    assert load({}, environ, needs_credentials=False) == Settings()


def test_settings_made_in_code_read_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMONO_API_TIMEOUT", "7")
    monkeypatch.setenv("API", '{"timeout": 7}')

    assert Settings().api.timeout == 30.0
    assert Settings(web=WebSettings(listen_address=":0")).web.listen() == (None, 0)


def test_settings_can_not_be_changed_or_extended() -> None:
    with pytest.raises(ValidationError):
        Settings().api.url = "https://other.example"
    with pytest.raises(ValidationError):
        Settings.model_validate({"nonsense": 1})
    with pytest.raises(ValidationError):
        ApiSettings.model_validate({"nonsense": 1})


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)
def test_each_collector_brings_its_own_settings(collector: type[Collector[Any, Any, Any]]) -> None:
    section = dict(Settings().collectors)[collector.name]
    enabled, interval = (LEAVES[f"collectors.{collector.name}.{name}"] for name in ("enabled", "interval"))

    assert (section.enabled, section.interval) == (collector.enabled_by_default, collector.default_interval)
    assert enabled.description == f"Enable the {collector.name} collector. {collector.description}"
    assert enabled.default == str(collector.enabled_by_default).lower()
    assert interval.description == f"Poll interval of the {collector.name} collector"


def test_there_are_no_settings_of_other_collectors() -> None:
    assert list(dict(Settings().collectors)) == [collector.name for collector in COLLECTORS]
