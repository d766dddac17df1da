"""Breaks the store, the totals and the exposition."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

METRICS = "exporter/metrics.py"
STORE = "exporter/store.py"
TABLE = "exporter/table.py"
BLOCKS = "exporter/blocks.py"
TOTALS = "exporter/totals.py"
INGESTIONS = ("tests/collectors/test_ingestions.py",)
FORMAT = ("tests/test_metrics.py",)
STORED = ("tests/test_store.py",)
CHANGING = ("tests/test_changing_page.py",)
OF_BLOCKS = ("tests/test_blocks.py",)

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
        'self._tables[family].put(place, lines.get(family.name, b""))',
        "self._tables[family].put(place, lines[family.name]) if family.name in lines else None",
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
        "a removed tenant stays in the store",
        STORE,
        "        gone = [owner for owner in self._places if owner != FLEET",
        "        gone = [owner for owner in () if owner != FLEET",
        STORED,
    ),
    Mutant(
        "the place of a removed tenant is never used again",
        STORE,
        "heapq.heappush(self._free, self._places.pop(owner))",
        "self._places.pop(owner)",
        CHANGING,
    ),
    Mutant(
        "blocks stay sparse after many tenants have gone",
        STORE,
        "                table.move(before, place)\n",
        "                table.move(place, place)\n",
        CHANGING,
    ),
    Mutant(
        "a put leaves the old block on the page",
        TABLE,
        "        lengths[index] = len(samples)\n        self._section = None\n",
        "        lengths[index] = len(samples)\n",
        CHANGING,
    ),
    Mutant(
        "equal samples are a change",
        TABLE,
        "if before == len(samples) and plain.startswith(samples, start):",
        "if before == len(samples) == 0:",
        CHANGING,
    ),
    Mutant(
        "samples that begin as the old ones are no change",
        TABLE,
        "if before == len(samples) and plain.startswith(samples, start):",
        "if plain.startswith(samples, start):",
        CHANGING,
    ),
    Mutant(
        "large samples share a block with others",
        TABLE,
        "large = len(samples) > LARGE_BYTES",
        "large = len(samples) > 10**9",
        CHANGING,
    ),
    Mutant(
        "many removals join all blocks at once",
        TABLE,
        "self._blocks[number] = Block(partial(_without, block, before, lengths)) if any(lengths) else _EMPTY",
        "self._blocks[number] = Block(_without(block, before, lengths)) if any(lengths) else _EMPTY",
        CHANGING,
    ),
    Mutant(
        "blocks that no page has read keep all that was before",
        TABLE,
        "                _ = block.plain  # so",
        "                # so",
        CHANGING,
    ),
    Mutant(
        "compressed blocks refer to the ones before",
        BLOCKS,
        "compressor.flush(isal_zlib.Z_FULL_FLUSH)",
        "compressor.flush(isal_zlib.Z_SYNC_FLUSH)",
        OF_BLOCKS,
    ),
    Mutant(
        "the checksum of a page is that of its last section",
        BLOCKS,
        "crc = isal_zlib.crc32_combine(crc, deflated.crc, deflated.size)",
        "crc = deflated.crc",
        OF_BLOCKS,
    ),
    Mutant(
        "blocks are compressed for each page",
        BLOCKS,
        "[block for block in self.blocks if not block.deflated]",
        "list(self.blocks)",
        OF_BLOCKS,
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
