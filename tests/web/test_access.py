"""Tests that the web configuration file means what the exporter toolkit says, and that an invalid one is rejected."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from exporter.web import AccessError, AccessRules, limits, load_access_rules
from tests.web.conftest import MakeCertificate
from tests.web.serving import HASHED, serving

BAD_SALT = HASHED[:28] + "z" + HASHED[29:]
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key"


def load(tmp_path: Path, text: str) -> AccessRules:
    path = tmp_path / "web.yml"
    path.write_text(text)
    return load_access_rules(path)


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(AccessError) as caught:
        load(tmp_path, text)
    assert "\n".join(caught.value.problems) == str(caught.value)
    return caught.value.problems


def test_an_empty_file_lets_everyone_in(tmp_path: Path) -> None:
    assert load(tmp_path, "") == AccessRules()


def test_everything_that_is_supported_is_accepted_together(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")
    access = load(
        tmp_path,
        f"""
tls_server_config:
  cert_file: server.pem
  key_file: {tmp_path}/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: server.pem
  client_allowed_sans: ["prometheus.example", "0:0:0:0:0:0:0:1"]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
rate_limit: {{interval: 1m0.5s, burst: 3}}
http_server_config:
  http2: false
  headers: {{Strict-Transport-Security: max-age=60, X-Frame-Options: deny, X-XSS-Protection: ""}}
basic_auth_users:
  prometheus: {HASHED}
""",
    )
    context = access.ssl_context
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_2
    assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"] == [
        "ECDHE-ECDSA-AES256-GCM-SHA384"
    ]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert access.client_names == {"prometheus.example", "::1"}
    assert access.headers == {"Strict-Transport-Security": "max-age=60", "X-Frame-Options": "deny"}
    assert access.passwords is not None
    assert access.rate_limit is not None
    assert (access.rate_limit.interval, access.rate_limit.burst) == (60.5, 3)
    assert set(access.files) == {tmp_path / "web.yml", tmp_path / "server.pem", tmp_path / "server.key"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "the file: must be a mapping"),
        ("tls_config: {}", "tls_config: unknown setting; did you mean tls_server_config?"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: must be at least 1, or no request is ever answered"),
        (
            "rate_limit: {interval: 1, burst: 1}",
            "rate_limit.interval: must be a duration such as 1s, 500ms or 1m30s, or 0",
        ),
        ("rate_limit: {interval: 1 s, burst: 1}", None),
        ("rate_limit: {interval: -1s, burst: 1}", None),
        ("rate_limit: {interval: .s, burst: 1}", None),
        ("rate_limit: {interval: true, burst: 1}", None),
        ("rate_limit: {interval: 1s, burst: -1}", "rate_limit.burst: must be a whole number, at least 0"),
        ("rate_limit: {interval: 1s, burst: true}", "rate_limit.burst: must be a whole number, at least 0"),
        ("rate_limit: {interval: 1s, burst: 1, more: 1}", "rate_limit: key 3 in it is not the name of a setting"),
        ("basic_auth_users: [a]", "basic_auth_users: must be a mapping"),
        ("basic_auth_users: {a: 1}", "basic_auth_users.entry 1: the password must be a bcrypt hash"),
        ("basic_auth_users: {'a:b': x}", "basic_auth_users.entry 1: the user name must be a string without a colon"),
        (f"basic_auth_users: {{prometheus: '{BAD_SALT}'}}", None),
        ("tls_server_config: {cert_file: 3, key_file: [a]}", "tls_server_config.cert_file: must be a string"),
        (
            "tls_server_config: {cert_file: server.pem, key_file: gone.key}",
            None,
        ),
        (TLS + ", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}", None),
        ("http_server_config: {http2: 3}", "http_server_config.http2: must be true or false"),
        (
            "http_server_config: {headers: {X-Mine: a}}",
            "http_server_config.headers: key 1 in it is not the name of a setting",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            "http_server_config.headers.X-Frame-Options: must be one of deny, sameorigin",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "0\\r\\nSet-Cookie: a=b"}}',
            "http_server_config.headers.X-XSS-Protection: must be one line of printable characters",
        ),
        ("tls_server_config: {key_file: server.key}", "tls_server_config.cert_file: is missing"),
        (TLS + ", cert: PEM}", "tls_server_config.cert_file: must not be set together with cert"),
        (TLS + ", key: PEM}", "tls_server_config.key_file: must not be set together with key"),
        (
            "tls_server_config: {cert: PEM, key: PEM}",
            "tls_server_config.cert: can't load the certificate and key: not valid PEM",
        ),
        (
            "tls_server_config: {cert_file: server.pem, key: é}",
            "tls_server_config.cert_file: can't load the certificate and key: not valid PEM",
        ),
        ("tls_server_config: {cert: PEM}", "tls_server_config.key_file: is missing"),
        (TLS + ", cert_file: [1]}", None),
        (TLS + ", surprise: 1}", "tls_server_config: key 3 in it is not the name of a setting"),
        (
            TLS + ", client_ca_fil: 1}",
            "tls_server_config.client_ca_fil: unknown setting; did you mean client_ca_file?",
        ),
        (
            TLS + ", client_auth_type: RequireAnyClientCert}",
            (
                "tls_server_config.client_auth_type: RequireAnyClientCert is not supported, because Python always "
                "verifies certificates; use RequireAndVerifyClientCert"
            ),
        ),
        (
            TLS + ", client_auth_type: Maybe}",
            (
                "tls_server_config.client_auth_type: must be one of "
                "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
            ),
        ),
        (
            TLS + ", client_auth_type: RequireAndVerifyClientCert}",
            "tls_server_config.client_ca_file: RequireAndVerifyClientCert needs either this setting or client_ca",
        ),
        (
            TLS + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: server.key}",
            "tls_server_config.client_ca_file: contains no valid certificate",
        ),
        (
            TLS + ", client_auth_type: VerifyClientCertIfGiven, client_ca: not a certificate}",
            "tls_server_config.client_ca: contains no valid certificate",
        ),
        (
            TLS + ", client_ca_file: server.pem}",
            "tls_server_config.client_auth_type: must not be NoClientCert if a client CA is set",
        ),
        (
            TLS + ", client_allowed_sans: [a]}",
            "tls_server_config.client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
        ),
        (TLS + ", min_version: SSL3}", "tls_server_config.min_version: must be one of TLS10, TLS11, TLS12, TLS13"),
        (
            TLS + ", max_version: TLS11}",
            "tls_server_config.max_version: must be one of TLS12, TLS13; OpenSSL has no older ones",
        ),
        (
            TLS + ", min_version: TLS13, max_version: TLS12}",
            "tls_server_config.max_version: must not be lower than min_version",
        ),
        (
            TLS + ", cipher_suites: [TLS_AES_128_GCM_SHA256]}",
            "tls_server_config.cipher_suites: has no suite for TLS 1.2; add one, or set min_version: TLS13",
        ),
        (TLS + ", cipher_suites: ALL}", "tls_server_config.cipher_suites: must be a list of strings"),
        (TLS + ", cipher_suites: [1]}", "tls_server_config.cipher_suites: must be a list of strings"),
        (TLS + ", curve_preferences: [X448]}", None),
        (
            TLS + ", curve_preferences: [X25519, CurveP256]}",
            (
                "tls_server_config.curve_preferences: must have one entry, because Python can't limit TLS to several "
                "curves; remove the setting to allow all"
            ),
        ),
    ],
)
def test_each_problem_is_one_line(
    tmp_path: Path, make_certificate: MakeCertificate, text: str, expected: str | None
) -> None:
    make_certificate("server")
    found = problems(tmp_path, text)
    assert found
    assert expected is None or expected in found


@pytest.mark.parametrize(("cost", "times"), [(13, 2), (19, 128), (31, 524_288)])
def test_a_hash_that_takes_too_long_to_check_is_a_problem_that_says_how_long(
    tmp_path: Path, cost: int, times: int
) -> None:
    costly = HASHED.replace("$04$", f"${cost}$")
    assert problems(tmp_path, f"basic_auth_users: {{a: {HASHED}, b: {costly}}}") == (
        (
            f"basic_auth_users.entry 2: the bcrypt cost is {cost}, and must be at most 12: one check would take "
            f"{times} times as long; hash the password with cost 10"
        ),
    )


def test_the_highest_cost_is_accepted(tmp_path: Path) -> None:
    assert load(tmp_path, f"basic_auth_users: {{a: {HASHED.replace('$04$', '$12$')}}}").passwords is not None


def test_the_number_of_users_is_bounded(tmp_path: Path) -> None:
    users = "".join(f"  user{number}: {HASHED}\n" for number in range(limits.MAX_USERS))
    assert load(tmp_path, f"basic_auth_users:\n{users}").passwords is not None
    assert problems(tmp_path, f"basic_auth_users:\n{users}  one-more: {HASHED}\n") == (
        "basic_auth_users: must have at most 1000 entries",
    )


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "tls_server_config: {cert_file: a, key_file: b}\nbasic_auth_users: {a: b}\nx: 1\n")
    assert len(found) == 4


@pytest.mark.parametrize(
    "text",
    [
        f"basic_auth_users: {{{HASHED}: prometheus}}",
        f"basic_auth_users: {{prometheus: {HASHED}x}}",
        f"basic_auth_users:\n  a: {HASHED}\n  a: {HASHED}\n",
        f"basic_auth_users: [{HASHED}",
        f"{HASHED}: 1",
        f"tls_server_config: {{{HASHED}: 1}}",
        f"basic_auth_users: !<{HASHED}> 1",
        f'basic_auth_users: {{a: "\\q{HASHED}"}}',
    ],
)
def test_no_problem_repeats_a_hash(tmp_path: Path, text: str) -> None:
    assert HASHED[:12] not in "\n".join(problems(tmp_path, text))


@pytest.mark.parametrize("text", ["a: [", "\0", "a: &a [*b]", "? [1]\n: 2\n? [1]\n: 3\n", "a: 2024-99-99", "!!bool x"])
def test_what_is_no_yaml_is_a_problem(tmp_path: Path, text: str) -> None:
    assert "is not valid YAML" in problems(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http_server_config: {}\nhttp_server_config: {}\n", "a duplicate key at line 2, column 1"),
        ("[" * 500 + "]" * 500, "it nests too deep at line 1, column 101"),
    ],
)
def test_yaml_that_is_refused_is_a_problem(tmp_path: Path, text: str, reason: str) -> None:
    assert problems(tmp_path, text) == (f"can't read '{tmp_path / 'web.yml'}': {reason}",)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"can't read '.*web.yml': No such file or directory"):
        load_access_rules(tmp_path / "web.yml")


def test_a_certificate_and_the_key_of_another_are_a_problem(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")
    make_certificate("other")
    found = problems(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: other.key}")
    assert found == ("tls_server_config.cert_file: can't load the certificate and key_file: key values mismatch",)


def test_a_key_that_is_encrypted_is_a_problem_and_openssl_does_not_prompt_for_its_password(
    tmp_path: Path, make_certificate: MakeCertificate
) -> None:
    make_certificate("server")
    encrypt = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", f"{tmp_path}/server.key"]
    subprocess.run([*encrypt, "-out", f"{tmp_path}/locked.key"], check=True, capture_output=True)
    (found,) = problems(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: locked.key}")
    assert found.startswith("tls_server_config.cert_file: can't load the certificate and key_file: ")


def test_the_headers_of_the_file_are_on_every_answer_and_win(tmp_path: Path) -> None:
    async def scenario() -> None:
        access = load(
            tmp_path, "http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: sandbox}}"
        )
        async with serving(access=lambda: access) as (client, _):
            for path in ("/", "/metrics", "/nowhere", "/-/ready"):
                async with client.get(path) as response:
                    assert response.headers["X-Frame-Options"] == "deny"
                    assert response.headers.getall("Content-Security-Policy") == ["sandbox"]

    asyncio.run(scenario())
