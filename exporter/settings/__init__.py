"""Loads the settings from flags, environment variables and a YAML file into one typed tree."""

from __future__ import annotations

from exporter.settings.errors import SettingsError, SettingsTimeoutError
from exporter.settings.load import load
from exporter.settings.sources import add_flags, given_flags
from exporter.settings.tenants_file import read_tenants_file
from exporter.settings.tree import CREDENTIALS, LEAVES, ApiSettings, Settings
from exporter.settings.values import split_address

__all__ = [
    "CREDENTIALS",
    "LEAVES",
    "ApiSettings",
    "Settings",
    "SettingsError",
    "SettingsTimeoutError",
    "add_flags",
    "given_flags",
    "load",
    "read_tenants_file",
    "split_address",
]
