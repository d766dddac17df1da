"""Says how to fix a failure, with the settings that are in use."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.settings import ApiSettings
from exporter.status import HOW_TO_FIX

# What to do if credentials are refused, by the setting that they come from.
_CREDENTIALS_FIX = {
    "key": "the API key in KIMONO_API_KEY or api.key",
    "key_file": "the API key in the file of api.key_file",
    "client_secret": "api.client_id, and its secret in KIMONO_API_CLIENT_SECRET or api.client_secret",
    "client_secret_file": "api.client_id, and its secret in the file of api.client_secret_file",
    "token": "a bearer token that has not expired, in KIMONO_API_TOKEN or api.token",
    "token_file": "a bearer token that has not expired, in the file of api.token_file",
}


def how_to_fix(api: ApiSettings, *, of_account: bool) -> Mapping[str, str]:
    """What to do about a failure of the account or of a tenant, by its reason."""
    fixes = dict(HOW_TO_FIX)
    if api.tenants_file is not None:
        of_file = f"api.tenants_file, which is {api.tenants_file}"
        fixes["auth"] = f"The secret was changed or revoked: update it in {of_file}."
        fixes["forbidden"] = f"Ask the hub's administrator to grant the tenant's credentials in {of_file}, access."
    elif of_account:
        used = next((fix for name, fix in _CREDENTIALS_FIX.items() if getattr(api, name) is not None), "")
        fixes["auth"] = f"Give the account's current credentials: {used}."
    else:
        fixes["auth"] = "The secret was changed or revoked: update it in the hub, which gives it in the tenant list."
    if api.proxy_url or api.proxy_url_file:
        name = "api.proxy_url_file" if api.proxy_url_file else "api.proxy_url"
        fixes["network"] = f"Check api.url, {name}, the proxy itself, and the server's certificate."
    return fixes
