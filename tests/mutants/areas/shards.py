"""Breaks sharding: who has which tenant, what shards divide between them, and the alert about one that is missing."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

HASH = ("tests/test_shards.py",)
CONTRACT = "tests/contract/test_shards.py::"
SETTINGS = ("tests/settings/test_shards.py",)
ALERT = "tests/alerts/test_shards.py::"
RULES = "exporter/assets/rules/exporter_rules.py"
ASSEMBLY = "exporter/assembly.py"
SOURCES = "exporter/polling/sources.py"
DISCOVERY = "exporter/polling/discovery.py"

MUTANTS = (
    Mutant(
        "the shard of a tenant depends on the process",
        "exporter/shards.py",
        'int.from_bytes(digest, "big")',
        "hash(tenant_id) & _UINT64",
        HASH,
    ),
    Mutant(
        "most tenants move when a shard is added",
        "exporter/shards.py",
        'jump(int.from_bytes(digest, "big"), total)',
        'int.from_bytes(digest, "big") % total',
        HASH,
    ),
    Mutant(
        "each shard polls all tenants of the account",
        SOURCES,
        "if ident is not None and not self._wanted.shard.owns(ident):",
        "if ident is not None and not ident:",
        (CONTRACT + "test_each_tenant_is_polled_by_one_shard_and_each_series_of_it_is_there_once",),
    ),
    Mutant(
        "each shard polls all tenants of the tenants file",
        SOURCES,
        "own = [tenant for tenant in known_tenants if shard.owns(tenant.id)]",
        "own = list(known_tenants)",
        (CONTRACT + "test_with_a_tenants_file_a_shard_asks_for_the_tenants_of_others_once",),
    ),
    Mutant(
        "each shard asks for the tenants of others at each discovery",
        SOURCES,
        "if entry.tenant and not shard.owns(entry.tenant.id):",
        "if entry.tenant and shard.total == 0:",
        (CONTRACT + "test_with_a_tenants_file_a_shard_asks_for_the_tenants_of_others_once",),
    ),
    Mutant(
        "each shard takes the whole rate limit",
        ASSEMBLY,
        "self.client.rate_limiter.full_rate = api.rate_limit / shard.total",
        "self.client.rate_limiter.full_rate = api.rate_limit",
        (CONTRACT + "test_all_shards_together_send_as_many_requests_as_the_rate_limit_allows",),
    ),
    Mutant(
        "each shard polls the account",
        ASSEMBLY,
        "if shard.is_first or not kind.of_account",
        "if shard.is_first or kind",
        (CONTRACT + "test_the_first_shard_alone_has_the_series_of_the_account",),
    ),
    Mutant(
        "tenants that move away stay until the next discovery",
        DISCOVERY,
        "self._remove([ident for ident in self.tenants if not shard.owns(ident)])",
        "self._remove([])",
        (CONTRACT + "test_tenants_that_move_away_vanish_at_once_and_the_others_keep_their_history",),
    ),
    Mutant(
        "a shard without tenants discovers every 30 seconds",
        DISCOVERY,
        "found = self.tenants or self.status.elsewhere",
        "found = self.tenants",
        (CONTRACT + "test_a_shard_without_tenants_is_ready_and_discovers_at_its_interval",),
    ),
    Mutant(
        "an index beyond the total is accepted",
        "exporter/settings/load.py",
        "settings.shard.index >= settings.shard.total",
        "settings.shard.index > settings.shard.total",
        SETTINGS,
    ),
    Mutant(
        "a negative index is the name of a pod",
        "exporter/settings/values.py",
        '"(?:[a-z0-9][a-z0-9.-]*-)?(?P<ordinal>',
        '"(?:[a-z0-9.-]*-)?(?P<ordinal>',
        SETTINGS,
    ),
    Mutant(
        "shards without an index are the first one without a sign",
        "exporter/settings/load.py",
        'not any("shard.index" in source for source in sources)',
        "not sources",
        SETTINGS,
    ),
    Mutant(
        "replicas stand for a shard that is missing",
        RULES,
        'f"group by (job, shard) ({_SHARD})", f"group by (job, shard, shards) ({_SHARD})"',
        'f"group by (job, instance) ({_SHARD})", f"group by (job, shard, shards) ({_SHARD})"',
        (ALERT + "test_replicas_do_not_stand_for_a_shard",),
        ("-m", "alerts"),
    ),
    Mutant(
        "a rollout of an hour fires the alert about a missing shard",
        RULES,
        'counts = f"count by (job) ({any_total}) or ',
        'counts = f"count by (job) ({any_total}) > 1e9 or ',
        (ALERT + "test_a_shard_can_be_added_one_pod_after_the_other_and_each_may_take_an_hour",),
        ("-m", "alerts"),
    ),
    Mutant(
        "a restart of a shard pages on-call",
        RULES,
        '(10 * MINUTE, "a restart, or a node that fails")',
        "None",
        (ALERT + "test_a_restart_of_a_shard_is_no_alert",),
        ("-m", "alerts"),
    ),
)
