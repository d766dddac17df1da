"""Tests the settings for the proxy and the CA, and that nothing else is taken for a proxy silently."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter.api.transport import HttpTransport
from exporter.assembly import open_exporter
from exporter.clock import Clock
from exporter.settings import Settings, load
from tests.support.certificates import make_certificate
from tests.support.settings import KEY, SECRET, only_problem, problems_of, write

PROXY = "http://proxy.example:3128"


def test_without_settings_there_is_no_proxy_and_the_systems_certificates_are_trusted() -> None:
    assert (load({}, KEY).egress.proxy, load({}, KEY).egress.tls) == (None, True)
    assert Settings().egress.proxy is None


def test_a_proxy_is_used_with_the_credentials_of_its_file_which_are_never_shown(tmp_path: Path) -> None:
    assert load({"api.proxy_url": f"{PROXY}/"}, KEY).egress.proxy == PROXY
    url = f"http://me:{SECRET}@proxy.example:3128"
    settings = load({"api.proxy_url_file": write(tmp_path / "proxy", f"{url}\n")}, KEY)
    assert settings.egress.proxy == url
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json() + repr(settings.egress)


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@proxy:1",
        f"{SECRET}@proxy",
        "proxy:3128",
        "socks5://proxy:1080",
        "http://proxy/path",
        "http://",
        "7",
    ],
)
def test_what_is_no_proxy_or_has_credentials_is_refused(url: str) -> None:
    line = only_problem({"api.proxy_url": url}, KEY)
    assert line.startswith("api.proxy_url: ")
    assert ("api.proxy_url_file" in line) == ("@" in url)


def test_a_proxy_given_twice_is_refused(tmp_path: Path) -> None:
    flags = {"api.proxy_url": PROXY, "api.proxy_url_file": write(tmp_path / "proxy", PROXY)}
    assert "both api.proxy_url and api.proxy_url_file are set" in only_problem(flags, KEY)


@pytest.mark.parametrize(
    "content", ["", "\n", SECRET, f"http://me:{SECRET}@proxy\nmore", f"socks5://me:{SECRET}@proxy"]
)
def test_a_file_without_a_proxy_is_refused_and_not_shown(content: str, tmp_path: Path) -> None:
    line = only_problem({"api.proxy_url_file": write(tmp_path / "proxy", content)}, KEY)
    assert line.startswith("api.proxy_url_file: can't read ")


@pytest.mark.parametrize(
    "flags",
    [
        {"api.url": "http://127.0.0.1:8080"},
        {"api.url": "http://api.example", "api.allow_insecure": "true"},
        {"api.url": "HTTP://localhost"},
    ],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_proxy_for_an_http_address_is_refused_as_it_would_see_the_credentials(
    flags: dict[str, str],
    in_file: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
) -> None:
    file = {"api.proxy_url_file": write(tmp_path / "proxy", PROXY)}
    line = only_problem({**flags, **(file if in_file else {"api.proxy_url": PROXY})}, KEY)
    assert line.startswith("api.url: must be https if api.proxy_url is set")


def test_a_private_ca_is_trusted_alone(tmp_path: Path) -> None:
    settings = load({"api.ca_file": str(make_certificate(tmp_path, "ca"))}, KEY)
    assert not isinstance(settings.egress.tls, bool)
    assert len(settings.egress.tls.get_ca_certs()) == 1


@pytest.mark.parametrize("content", ["", SECRET, "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_without_certificates_is_refused(content: str, tmp_path: Path) -> None:
    assert "certificate" in only_problem({"api.ca_file": write(tmp_path / "ca.pem", content)}, KEY)


def test_files_that_are_missing_are_all_reported(tmp_path: Path) -> None:
    flags = {"api.ca_file": str(tmp_path / "ca"), "api.proxy_url_file": str(tmp_path / "proxy")}
    assert [line.partition(":")[0] for line in problems_of(flags, KEY)] == ["api.proxy_url_file", "api.ca_file"]
    load(flags, {}, needs_credentials=False)  # a command that sends nothing to the API


def test_the_exporter_sends_its_requests_that_way_and_after_a_reload_the_new_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        settings = load({"api.proxy_url": PROXY, "api.ca_file": str(make_certificate(tmp_path, "ca"))}, KEY)
        async with open_exporter(settings, Clock()) as exporter:
            tenant = exporter.client.api(None).transport
            assert isinstance(tenant, HttpTransport)
            assert tenant.options.egress == settings.egress
            exporter.apply(load({"api.timeout": "7s"}, KEY))
            assert (tenant.options.egress.proxy, tenant.options.egress.tls, tenant.options.timeout) == (None, True, 7.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_for_other_programs_is_not_used_and_a_warning_says_so(name: str) -> None:
    environ = {**KEY, name: f"http://me:{SECRET}@proxy:3128"}
    (warning,) = load({}, environ).warnings
    assert warning == f"{name}: not used for requests to the API; set api.proxy_url if they need a proxy"
    assert load({}, environ).egress.proxy is None
    assert load({"api.proxy_url": PROXY}, environ).warnings == ()
    assert load({}, {**KEY, name: "", "NO_PROXY": "*"}).warnings == ()
