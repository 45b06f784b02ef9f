"""Parts of a run: which pair belongs to which."""

from __future__ import annotations

import pytest
from support.example_reports import NAMES

from conformance.report.shards import Shard
from conformance.requirements import REQUIREMENTS


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_every_pair_is_in_exactly_one_part(count: int):
    """However many parts there are, together they have each pair once."""
    parts = [Shard(number, count).of(REQUIREMENTS, NAMES) for number in range(1, count + 1)]
    pairs = [pair for part in parts for pair in part]
    assert len(pairs) == len(set(pairs)) == 2 * len(REQUIREMENTS)


def test_parts_are_about_equal():
    """No one of four parts has more than twice the share of another."""
    sizes = [len(Shard(number, 4).of(REQUIREMENTS, NAMES)) for number in range(1, 5)]
    assert max(sizes) < 2 * min(sizes)


def test_the_partition_is_pinned():
    """It is a digest of both names: the same on every machine, and in every version."""
    found = [
        next(i for i in range(1, 11) if Shard(i, 10).has(row, "impl"))
        for row in ("BN-INIT-1", "BN-EMA-1", "BN-GRAD-1")
    ]
    assert found == [4, 9, 10]


def test_another_implementation_moves_no_pair():
    """Pairs stay where they were when something is added to a run."""
    before, after = (Shard(2, 3).of(REQUIREMENTS, names) for names in (NAMES, (*NAMES, "third")))
    assert before == {pair for pair in after if "third" not in pair}


def test_parts_of_named_pairs():
    """Where only some pairs are wanted, a part has those of them that are its own."""
    among = frozenset({"BN-EMA-1[impl]", "BN-EMA-2[impl]"})
    parts = [Shard(number, 2).of(REQUIREMENTS, NAMES, among) for number in (1, 2)]
    assert parts[0] | parts[1] == among
    assert not parts[0] & parts[1]


@pytest.mark.parametrize(
    "text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", " 1/3", "1/99999", "\u0661/3"]
)
def test_other_parts_are_refused(text: str):
    """What is not i/n with 1 ≤ i ≤ n is refused with an example."""
    with pytest.raises(ValueError, match=r"expected i/n with 1 ≤ i ≤ n ≤ 10000; --shard 2/3 is"):
        Shard.parse(text)
