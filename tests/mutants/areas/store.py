"""Breaks the store, the totals and the exposition."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

METRICS = "exporter/metrics.py"
STORE = "exporter/store.py"
TOTALS = "exporter/totals.py"
INGESTIONS = ("tests/collectors/test_ingestions.py",)
FORMAT = ("tests/test_metrics.py",)
STORED = ("tests/test_store.py",)

MUTANTS = (
    Mutant(
        "a quote in a label value is not escaped",
        METRICS,
        r"""return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")""",
        r"""return value.replace("\\", r"\\").replace("\n", r"\n")""",
        FORMAT,
    ),
    Mutant(
        "OpenMetrics names the family of a counter with its _total",
        METRICS,
        'name.removesuffix("_total")',
        "name",
        FORMAT,
    ),
    Mutant(
        "of two samples of one series the first one is rendered",
        METRICS,
        'lines.setdefault(sample.family.name, {})[series] = f"{series} {number(sample.value)}\\n"',
        'lines.setdefault(sample.family.name, {}).setdefault(series, f"{series} {number(sample.value)}\\n")',
        FORMAT,
    ),
    Mutant(
        "a sample may lack a declared label",
        METRICS,
        "values = tuple([labels[name] for name in self.labels])",
        'values = tuple([labels.get(name, "") for name in self.labels])',
        FORMAT,
    ),
    Mutant(
        "expired samples stay on the page",
        STORE,
        "for owner, at in expires.items() if at < now]",
        "for owner, at in expires.items() if at < 0]",
        STORED,
    ),
    Mutant(
        "samples that a new poll does not give stay",
        STORE,
        "            else:\n                self._lines[family.name].pop(owner, None)\n",
        "",
        STORED,
    ),
    Mutant(
        "the fleet's samples are removed with those of a tenant",
        STORE,
        "if owner != FLEET and owner not in owners]",
        "if owner not in owners]",
        STORED,
    ),
    Mutant(
        "a page that is being read changes with the next poll",
        STORE,
        "(family, list(lines.values()))",
        "(family, lines.values())",
        STORED,
    ),
    Mutant(
        "a removed tenant stays in the store",
        STORE,
        "        for families, expires in self._expires.items():\n"
        "            for owner in [owner for owner in expires if owner != FLEET",
        "        for families, expires in ():\n            for owner in [owner for owner in expires if owner != FLEET",
        STORED,
    ),
    Mutant(
        "the sum of a histogram is its last observation",
        TOTALS,
        "total.sum += sample.value",
        "total.sum = sample.value",
        INGESTIONS,
    ),
    Mutant(
        "the buckets of a histogram are not cumulative",
        TOTALS,
        "below += count",
        "below = count",
        INGESTIONS,
    ),
    Mutant(
        "a server that invents types fills the page with zeros",
        TOTALS,
        "or len(series) >= most:",
        "or (most != _MAX_ZEROS and len(series) >= most):",
        INGESTIONS,
    ),
    Mutant(
        "servers that invent types fill the page with histograms",
        TOTALS,
        "self._add_series(sample, _MAX_SERIES)",
        "self._add_series(sample, 10**9)",
        ("tests/collectors/test_bounds.py",),
    ),
)
