"""Tests that the metrics about the exporter itself count what happened, in both formats."""

from __future__ import annotations

import asyncio

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import __version__
from exporter.clock import Clock
from exporter.telemetry import FAMILIES, Telemetry
from tests.support.virtual_time import run_virtual, virtual_clock


def after_everything() -> Telemetry:
    """Telemetry that has seen each kind of event, some of them twice."""
    telemetry = Telemetry()
    telemetry.request("/ingestions/{id}", "200", 0.2)
    telemetry.request("/ingestions/{id}", "200", 40.0)
    telemetry.request("/ingestions/{id}", "timeout", 30.0)
    telemetry.retry("throttled")
    telemetry.token("success")
    telemetry.waited(0.25)
    telemetry.waited(0.5)
    telemetry.truncated("/tenants")
    telemetry.dropped("kimono_tenant_state", 5)
    telemetry.invalid("/tenant/schedules", "metadata.created", 2)
    telemetry.polled("state", "success")
    telemetry.polled("state", "auth")
    telemetry.state_saved(1_788_220_800.0)
    telemetry.state_saved(1_788_220_860.0)
    return telemetry


def page(telemetry: Telemetry, *, openmetrics: bool = False, process: bool = True) -> bytes:
    return telemetry.page({"state": 1.5, "ingestions": 0.0}, 20.0, 2.5, openmetrics=openmetrics, process=process)


def values(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """The series of the text page: name and labels' values to value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse_text(page(telemetry).decode())
        for sample in family.samples
    }


def test_each_event_is_counted_under_its_labels() -> None:
    seen = values(after_everything())
    expected = {
        ("kimono_exporter_api_requests_total", "200", "/ingestions/{id}"): 2,
        ("kimono_exporter_api_requests_total", "timeout", "/ingestions/{id}"): 1,
        ("kimono_exporter_api_request_duration_seconds_count", "/ingestions/{id}"): 3,
        ("kimono_exporter_api_request_duration_seconds_sum", "/ingestions/{id}"): 70.2,
        ("kimono_exporter_api_request_duration_seconds_bucket", "/ingestions/{id}", "30.0"): 2,
        ("kimono_exporter_api_retries_total", "throttled"): 1,
        ("kimono_exporter_token_requests_total", "success"): 1,
        ("kimono_exporter_rate_limit_wait_seconds_total",): 0.75,
        ("kimono_exporter_rate_limit_requests_per_second",): 20,
        ("kimono_exporter_rate_limit_allowed_requests_per_second",): 2.5,
        ("kimono_exporter_lists_truncated_total", "/tenants"): 1,
        ("kimono_exporter_samples_dropped_total", "kimono_tenant_state"): 5,
        ("kimono_exporter_invalid_fields_total", "/tenant/schedules", "metadata.created"): 2,
        ("kimono_exporter_polls_total", "state", "success"): 1,
        ("kimono_exporter_polls_total", "state", "auth"): 1,
        ("kimono_exporter_poll_lag_seconds", "state"): 1.5,
        ("kimono_exporter_poll_lag_seconds", "ingestions"): 0,
        ("kimono_exporter_event_loop_lag_seconds",): 0,
        ("kimono_exporter_state_saved_timestamp_seconds",): 1_788_220_860,
    }
    assert {key: seen.get(key) for key in expected} == expected
    assert [key[2] for key in seen if key[0] == "kimono_exporter_build_info"] == [__version__]


def test_without_a_state_file_there_is_no_time_when_it_was_saved() -> None:
    assert ("kimono_exporter_state_saved_timestamp_seconds",) not in values(Telemetry())


def test_both_formats_parse_to_the_same_own_series_and_have_every_declared_family() -> None:
    telemetry = after_everything()
    text, openmetrics = (page(telemetry, openmetrics=form, process=False).decode() for form in (False, True))
    as_text, as_openmetrics = list(parse_text(text)), list(parse_openmetrics(openmetrics + "# EOF\n"))
    assert [family.samples for family in as_text] == [family.samples for family in as_openmetrics]
    declared = {(family.name.removesuffix("_total"), family.kind, family.help) for family in FAMILIES}
    assert {(family.name, family.type, family.documentation) for family in as_openmetrics} == declared


def test_no_series_has_a_tenant_or_the_time_of_its_creation() -> None:
    text = page(after_everything(), openmetrics=True).decode()
    for family in parse_openmetrics(text + "# EOF\n"):
        for sample in family.samples:
            assert not sample.name.endswith("_created")
            assert not [label for label in sample.labels if "tenant" in label]


def test_the_process_is_shown_unless_it_is_not_wanted() -> None:
    telemetry = Telemetry()
    for openmetrics in (False, True):
        whole, own = (page(telemetry, openmetrics=openmetrics, process=wanted) for wanted in (True, False))
        assert b"\nprocess_cpu_seconds_total " in whole
        assert b"\npython_info{" in whole
        assert b"process_" not in own
        assert b"python_info" not in own
        assert b"# EOF" not in whole


def test_two_instruments_do_not_share_their_counts() -> None:
    after_everything()
    assert values(Telemetry())[("kimono_exporter_rate_limit_wait_seconds_total",)] == 0


def test_the_lag_of_polls_is_asked_for_at_each_page() -> None:
    telemetry = Telemetry()
    first, second = (
        telemetry.page({"state": 1.0, "gone": 1.0}, 1, 1, openmetrics=False),
        telemetry.page({"state": 7.0}, 1, 1, openmetrics=False),
    )
    assert b'kimono_exporter_poll_lag_seconds{collector="state"} 1.0' in first
    assert b'kimono_exporter_poll_lag_seconds{collector="state"} 7.0' in second
    assert b'collector="gone"' not in second


def test_the_rate_limit_is_asked_for_at_each_page() -> None:
    telemetry = Telemetry()
    telemetry.page({}, 20.0, 20.0, openmetrics=False)
    seen = telemetry.page({}, 50.0, 0.0, openmetrics=False)
    assert b"\nkimono_exporter_rate_limit_requests_per_second 50.0" in seen
    assert b"\nkimono_exporter_rate_limit_allowed_requests_per_second 0.0" in seen


def test_the_loop_lag_is_the_longest_of_the_last_minute() -> None:
    async def late_once() -> list[float]:
        telemetry, clock, late = Telemetry(), virtual_clock(), iter([2.0])

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds + next(late, 0.0))

        watching = asyncio.create_task(telemetry.watch_loop(Clock(clock.now, clock.monotonic, sleep)))
        seen = []
        for _ in range(3):
            await asyncio.sleep(31.0)
            seen.append(values(telemetry)[("kimono_exporter_event_loop_lag_seconds",)])
        watching.cancel()
        return seen

    seen = run_virtual(late_once())
    assert seen[:2] == [2.0, 2.0]
    assert seen[2] < 0.001
