"""Breaks the settings."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

VALUES = "exporter/settings/values.py"
LOAD = "exporter/settings/load.py"
SOURCES = "exporter/settings/sources.py"

MUTANTS = (
    Mutant(
        "an error shows the secret",
        VALUES,
        'raise ValueError("holds a line break or another control character")',
        'raise ValueError(f"{secret!r} holds a line break or another control character")',
        ("tests/settings/test_credentials.py",),
    ),
    Mutant(
        "an error shows the content of a file",
        "exporter/files.py",
        'reason = "it is not UTF-8 text"',
        "reason = repr(path.read_bytes())",
        ("tests/settings/test_sources.py",),
    ),
    Mutant(
        "the environment wins over a flag",
        SOURCES,
        "return (from_flags, from_environment, from_file), problems",
        "return (from_environment, from_flags, from_file), problems",
        ("tests/settings/test_sources.py",),
    ),
    Mutant(
        "the file wins over the environment",
        SOURCES,
        "return (from_flags, from_environment, from_file), problems",
        "return (from_flags, from_file, from_environment), problems",
        ("tests/settings/test_sources.py",),
    ),
    Mutant(
        "a secret is accepted as a flag",
        SOURCES,
        "if path in flags and secret:",
        "if False:",
        ("tests/settings/test_sources.py",),
    ),
    Mutant(
        "a misspelt setting in the file is ignored",
        SOURCES,
        "problems.append(_unknown_key(path, number))",
        "continue",
        ("tests/settings/test_sources.py",),
    ),
    Mutant(
        "credentials are sent over http to another host",
        VALUES,
        'return parts.scheme != "https" and not loopback',
        "return False",
        ("tests/settings/test_load.py",),
    ),
    Mutant(
        "only the first problem is reported",
        LOAD,
        "raise SettingsError(tuple(problems))",
        "raise SettingsError(tuple(problems[:1]))",
        ("tests/settings/test_load.py",),
    ),
    Mutant(
        "a secret and its file are accepted together",
        LOAD,
        'if f"{name}_file" in given:',
        "if False:",
        ("tests/settings/test_credentials.py",),
    ),
    Mutant(
        "a duplicate key in YAML replaces the first one silently",
        "exporter/files.py",
        "                if name in seen:\n",
        "                if False:\n",
        ("tests/test_files.py",),
    ),
    Mutant(
        "a poll interval of zero is accepted",
        VALUES,
        "    if seconds <= 0:\n",
        "    if seconds < 0:\n",
        ("tests/settings/test_values.py",),
    ),
    Mutant(
        "an entry of the tenants file may have two secrets",
        "exporter/settings/tenants_file.py",
        "if bool(secret) == bool(secret_file):",
        "if not secret and not secret_file:",
        ("tests/settings/test_tenants_file.py",),
    ),
)
