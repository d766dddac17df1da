"""Which pages of the documentation are made from the code, and are they up to date?

`python docs/generate.py` writes them; with `--check` it only compares, names each page that is stale,
and exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # so that the script also runs from a checkout that is not installed

from exporter.reference import metrics_markdown  # noqa: E402 - the line above comes first
from exporter.settings import Leaf, Settings, leaves  # noqa: E402 - likewise

_BEFORE_TABLES = """\
# Configuration

<!-- Made by docs/generate.py from exporter/settings.py. Edit there. -->

Every setting can be given as an environment variable or in a YAML file, and all but the secrets themselves
(`api.key`, `api.client_secret`, `api.token`) as a flag. A flag wins over the environment, the environment over
the file, the file over the default. The names follow from each other:
`collectors.state.interval` is `--collectors.state.interval`, `KIMONO_COLLECTORS_STATE_INTERVAL`, and
`interval` below `state` below `collectors` in the file.

To try the exporter without any of this, run `kimono-exporter demo`: it needs no settings and no credentials.

## How values are written

- **Durations** are seconds (`90`, `0.5`) or written as Prometheus does: `30s`, `5m`, `1h30m`, `1d`, `500ms`.
  Units are `y`, `w`, `d`, `h`, `m`, `s`, `ms`, in this order, with whole numbers. They must be more than 0.
- **Sizes** are bytes (`16777216`) or have a unit: `512KiB`, `16MiB` (powers of 1024), `10MB` (powers of 1000).
- **Lists** are separated by commas (`a,b`), or are JSON (`["a", "b"]`), or a YAML list in the file.
- **Booleans** are `true` or `false`; `yes`, `no`, `on`, `off`, `1`, `0` are understood. As a flag, the name alone
  means true: `--collectors.scoping.enabled`, and `--collectors.state.enabled=false` turns off.
- **Paths** that are relative start at the working directory of the exporter.

## Mistakes

Settings that can't be used end the exporter at once with exit code 2 and a line for each problem, all of them
together. An unknown key in the file is an error. An unknown `KIMONO_…` variable is only a warning, because
Kubernetes gives every pod variables that are named after its services.

## Settings

"""

_AFTER_TABLES = """\
## Credentials and other secrets

The exporter needs exactly one kind of credentials:

| Kind | Settings |
|---|---|
| API key of an account | `api.key` or `api.key_file` |
| OAuth2 client of an account | `api.client_id` with `api.client_secret` or `api.client_secret_file` |
| Bearer token of an account | `api.token` or `api.token_file` |
| Tenants' own credentials | `api.tenants_file` |

Secrets are not accepted as flags, because others on the machine can see those. Give them as a variable, in the YAML
file, or, best, in a file of their own that the `_file` setting names. Such a file is UTF-8 text of one line; white
space at its end is ignored. A variable that is set but empty counts as not set; an empty file is an error.

**Rotation.** Secret files and `api.tenants_file` are read again at each discovery: write the new secret into the
file, and nothing needs a restart. (Under `deploy/kimono-exporter.service` the exporter reads a copy that systemd
made at the start of the service: there it needs one.) Everything else is read again on `SIGHUP`, the YAML
file and the secrets in it included. Two things can't change that way: `web.listen_address` needs a restart, and so
do environment variables and flags, which belong to the process. If the new settings can't be used, the exporter
logs why and keeps the old ones.

**Transport.** `api.url` must be `https`. `http` is accepted for this machine alone (`localhost`, `127.0.0.0/8`,
`::1`), unless `api.allow_insecure` is on.

### The tenants file

For those who hold credentials of single tenants and none of an account. The `account` collector can't be used with
it. Each entry has a `client_id`, and either a `client_secret` or a `client_secret_file`; a relative path starts at
the folder of the tenants file. `type` is `oauth2` (the default) or `basic`. `name` is for people, and shows up in
error lines.

```yaml
- name: Springfield
  client_id: 5f0c9f6e-springfield
  client_secret_file: springfield.secret
- name: Shelbyville
  type: basic
  client_id: 8a41d2b7-shelbyville
  client_secret_file: shelbyville.secret
```

## The YAML file

`--config.file kimono.yaml`, or `KIMONO_CONFIG_FILE`. What is left out keeps its default.

```yaml
api:
  url: https://api.us2.kimonocloud.com
  client_id: my-account-client
  client_secret_file: /run/secrets/kimono-client-secret
  rate_limit: 10
discovery:
  interval: 10m
  exclude:
    - "Sandbox *"
collectors:
  state:
    interval: 30s
  scoping:
    enabled: true
web:
  listen_address: ":10120"
log:
  format: json
```

## The web configuration file

`web.config_file` turns on TLS and basic auth for the exporter's own pages. Its format is that of the
[Prometheus exporter toolkit](https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md).
Passwords are bcrypt hashes. The Python that the exporter is installed in makes them, and asks for the password:

```sh
/opt/kimono-exporter/bin/python -c \\
  'import bcrypt, getpass; print(bcrypt.hashpw(getpass.getpass().encode(), bcrypt.gensalt(10)).decode())'
```

With basic auth on, `/-/healthy` and `/-/ready` stay open.

```yaml
tls_server_config:
  cert_file: /etc/kimono-exporter/tls.crt
  key_file: /etc/kimono-exporter/tls.key
basic_auth_users:
  prometheus: <bcrypt hash>
```
"""

_TABLE_HEAD = """\
| Setting | Flag | Environment | Type | Default | What |
|---|---|---|---|---|---|
"""


def configuration_markdown() -> str:
    """The page on configuration: prose, and a table for each section of the settings."""
    by_section = groupby(leaves(), key=lambda leaf: leaf.path.partition(".")[0])
    return _BEFORE_TABLES + "".join(_section(name, list(group)) for name, group in by_section) + _AFTER_TABLES


def _section(name: str, section_leaves: list[Leaf]) -> str:
    about = type(Settings.model_fields[name].default).__doc__
    return f"### `{name}`\n\n{about}\n\n{_TABLE_HEAD}" + "".join(_row(leaf) for leaf in section_leaves) + "\n"


def _row(leaf: Leaf) -> str:
    flag = f"`{leaf.flag}`" if leaf.flag else "none: a secret"
    default = f"`{leaf.default}`" if leaf.default else ""
    description = leaf.description.replace("|", "\\|")
    return f"| `{leaf.path}` | {flag} | `{leaf.env}` | {leaf.kind} | {default} | {description} |\n"


PAGES: tuple[tuple[Path, Callable[[], str]], ...] = (
    (DOCS / "configuration.md", configuration_markdown),
    (DOCS / "metrics.md", metrics_markdown),
)


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; the exit code."""
    parser = argparse.ArgumentParser(description="Makes the pages of the documentation that come from the code.")
    parser.add_argument("--check", action="store_true", help="compare only; 1 if a page is stale")
    check = parser.parse_args(arguments).check
    stale = 0
    for path, page in PAGES:
        text = page()
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"docs/{path.name} is stale: run python docs/generate.py")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
