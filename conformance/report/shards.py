"""Splitting a run into shards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from conformance.requirements.verdict import item_name


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` of ``count``, counted from 1.

    A digest of both names decides to which part a pair of requirement and implementation
    belongs, so adding an implementation moves no other pair.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard written as ``2/3``.

        Raises:
            ValueError: The text has another form, or not 1 ≤ number ≤ count ≤ 10000.
        """
        match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 10_000:
            msg = (
                f"shard {text!r}: expected i/n with 1 ≤ i ≤ n ≤ 10000; "
                "--shard 2/3 is the second of three"
            )
            raise ValueError(msg)
        return cls(int(match[1]), int(match[2]))

    def has(self, requirement: str, implementation: str) -> bool:
        """Whether a pair belongs to this part."""
        digest = hashlib.sha256(f"{requirement}\0{implementation}".encode()).digest()
        return int.from_bytes(digest[:8]) % self.count == self.number - 1

    def of(
        self,
        requirements: Iterable[str],
        implementations: Iterable[str],
        among: frozenset[str] | None = None,
    ) -> frozenset[str]:
        """Return the pairs of this part.

        Args:
            requirements: The ids of requirements.
            implementations: The names of implementations.
            among: Restrict the result to these pairs, such as ``BN-EMA-1[impl]``.
        """
        mine = frozenset(
            item_name(requirement, name)
            for requirement, name in product(requirements, implementations)
            if self.has(requirement, name)
        )
        return mine if among is None else mine & among

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
