"""Divides tenants between exporters: each tenant belongs to one shard, by a hash of its id.

Jump consistent hashing: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014,
https://arxiv.org/abs/1406.2294. If shard n is added, about 1/n of the tenants move, all of them to the new shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_UINT64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `total` exporters that divide the tenants, by its `index` from 0. By default the only one."""

    index: int = 0
    total: int = 1

    def owns(self, tenant_id: str) -> bool:
        """Whether the tenant belongs to this shard."""
        return self.total == 1 or shard_of(tenant_id, self.total) == self.index

    @property
    def is_first(self) -> bool:
        """Whether it is the one that polls the account."""
        return self.index == 0

    @property
    def suffix(self) -> str:
        """The words after a number of tenants: empty without sharding."""
        return "" if self.total == 1 else f" of {self}"

    def __str__(self) -> str:
        return f"shard {self.index} of {self.total}"


def shard_of(tenant_id: str, total: int) -> int:
    """The index of the tenant's shard, from 0 to `total` less 1: the same in every process and version."""
    # JSON may hold half of a surrogate pair, which UTF-8 proper can't encode.
    digest = blake2b(tenant_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return jump(int.from_bytes(digest, "big"), total)


def jump(key: int, buckets: int) -> int:
    """The bucket of a 64-bit key, as in figure 1 of the paper."""
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        key = key * 2862933555777941757 + 1 & _UINT64
        following = int((bucket + 1) * (2**31 / ((key >> 33) + 1)))
    return bucket
