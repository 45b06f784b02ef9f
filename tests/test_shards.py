"""Parts of a run: which pair belongs to which, and what may be put together."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_reports import report, verdict

from conformance.report.model import Report
from conformance.report.shards import Shard, ShardError, combine, timeless
from conformance.requirements import REQUIREMENTS
from conformance.verdict import Outcome

NAMES = ("impl", "flax")


def whole() -> Report:
    """A made-up run of all requirements on two implementations."""
    made = [verdict(row, implementation=name) for name in NAMES for row in REQUIREMENTS]
    made[3] = verdict(made[3].requirement, Outcome.VIOLATES)
    full = replace(report(*made, exit_code=1), side_effects={"flax": ["signal handlers"]})
    return replace(full, header=replace(full.header, requirements=list(REQUIREMENTS)))


def shards(count: int) -> list[tuple[str, Report]]:
    """The parts that ``count`` runs with ``--shard`` would have written."""
    full, made = whole(), []
    for number in range(1, count + 1):
        shard = Shard(number, count)
        mine = [v for v in full.verdicts if shard.has(v.requirement, v.implementation)]
        footer = replace(full.footer, expected=len(mine), verdicts=len(mine), seconds=number)
        header = replace(full.header, shard=str(shard), started=1.7e9 + number, workers=number)
        part = replace(full, header=header, footer=footer, verdicts=mine)
        made.append((f"{number}.json", part))
    return made


# Which pair belongs to which part


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


# Putting parts together


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parts_make_the_whole(count: int):
    """In any order, parts give the report of the single run, apart from times and workers."""
    made = combine(shards(count)[::-1])
    assert timeless(made) == timeless(whole())
    assert made.complete
    assert made.header.shard is None
    assert made.header.workers == count
    assert made.header.started == 1.7e9 + 1
    assert made.footer.seconds == 2 * count - 1  # from 1.7e9 + 1 to 1.7e9 + 2 · count


def test_equality_apart_from_times_can_fail():
    """Another verdict, or another condition, is a difference."""
    changed = whole()
    changed.verdicts[0] = replace(changed.verdicts[0], cases=99)
    assert timeless(changed) != timeless(whole())
    seeded = replace(whole(), header=replace(whole().header, seed=1))
    assert timeless(seeded) != timeless(whole())


def refusal(parts: list[tuple[str, Report]]) -> str:
    with pytest.raises(ShardError) as refused:
        combine(parts)
    return str(refused.value)


def with_header(part: tuple[str, Report], **changes: object) -> tuple[str, Report]:
    return part[0], replace(part[1], header=replace(part[1].header, **changes))


def test_missing_parts_are_named():
    """Parts that are not there are named by their number."""
    assert refusal(shards(4)[1:3]).startswith("shards are missing: 1/4, 4/4. ")


def test_incomplete_parts_are_named():
    """A part that did not reach everything is named by its file."""
    first, (name, part) = shards(2)
    lost = part.verdicts.pop()
    gone = f"{lost.requirement}[{lost.implementation}]"
    cut = replace(part.footer, verdicts=len(part.verdicts), missing=[gone])
    assert refusal([first, (name, replace(part, footer=cut))]).startswith(
        "2.json is incomplete: 1 missing."
    )


def test_a_part_twice_is_named():
    """The same part twice is refused by both files."""
    first, second = shards(2)
    assert refusal([first, second, ("again.json", first[1])]).startswith(
        "again.json and 1.json are both shard 1/2."
    )


def test_overlapping_parts_are_named():
    """Parts that both have a pair are refused by files and pair."""
    first, second = shards(2)
    second[1].verdicts.append(first[1].verdicts[0])
    counts = replace(
        second[1].footer, expected=len(second[1].verdicts), verdicts=len(second[1].verdicts)
    )
    told = refusal([first, (second[0], replace(second[1], footer=counts))])
    assert told.startswith("1.json and 2.json overlap: both have BN-")


def test_a_whole_run_is_no_part():
    """A report without a part is refused."""
    assert refusal([("r.json", whole())]).startswith("r.json is no shard but a whole run.")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 7}, "seed is 7, not 0"),
        ({"max_examples": 5}, "max_examples is 5, not 100"),
        ({"strict": True}, "strict is True, not False"),
        ({"profile": "quick"}, "profile is 'quick', not 'default'"),
        ({"implementations": ["impl"]}, "implementations is ['impl'], not ['impl', 'flax']"),
        ({"environment": {"jax": "0.1"}}, "environment is {"),
    ],
)
def test_parts_under_other_conditions_are_named(changes: dict[str, object], told: str):
    """What differs is told, with both values."""
    first, second = shards(2)
    said = refusal([first, with_header(second, **changes)])
    assert said.startswith(f"2.json was configured differently from 1.json: {told}")
    assert said.endswith("Run all shards alike.")


def test_hosts_may_differ_in_their_kernel():
    """The platform decides no verdict; all of them are told."""
    first, second = shards(2)
    there = second[1].header.environment | {"platform": "Linux-99"}
    made = combine([first, with_header(second, environment=there)])
    assert made.header.environment["platform"].endswith(" and Linux-99")


def test_parts_of_another_division_are_named():
    """Parts of three and parts of two make nothing."""
    assert refusal([shards(2)[0], shards(3)[1]]).startswith(
        "2.json is shard 2/3, but others are parts of 2."
    )


def test_a_part_with_other_pairs_is_named():
    """A part that was given another number has pairs that are not its own."""
    first, second = shards(2)
    told = refusal([with_header(first, shard="2/2"), with_header(second, shard="1/2")])
    assert told.startswith("1.json, shard 2/2, lacks BN-")


def test_requirements_of_another_version_are_named():
    """What this version does not know it cannot put together."""
    first, (name, part) = shards(2)
    part.verdicts[0] = replace(part.verdicts[0], requirement="BN-NEW-7")
    assert refusal([first, (name, part)]).startswith("2.json has BN-NEW-7, which this version")


# Runs


NORM = """
import jax.numpy as jnp
from flax import nnx


class Swapped(nnx.BatchNorm):
    def __init__(self, num_features, momentum, epsilon, rngs):
        super().__init__(
            num_features, momentum=1 - momentum, epsilon=epsilon, use_fast_variance=False, rngs=rngs
        )
"""


def conformance(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments, "--no-color"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "80", "GITHUB_STEP_SUMMARY": str(cwd / "summary.md")},
    )


def test_shards_combine_to_the_report_of_a_single_run(tmp_path: Path):
    """Run whole and in two parts, verdicts, diagnosis, footer and exit code are the same."""
    (tmp_path / "norm.py").write_text(NORM, encoding="utf-8")
    chosen = ("norm.py:Swapped", "impl", "-k", "INIT-1,EMA-1,EMA-2,FWD-1", "--max-examples", "5")
    single = conformance("run", *chosen, "-j1", "--report", "whole.json", cwd=tmp_path)
    for part in ("1/2", "2/2"):
        files = ("--report", f"{part[0]}.json", "--shard", part)
        done = conformance("run", *chosen, *files, "-j1", cwd=tmp_path)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
    joined = conformance("combine", "2.json", "1.json", "-o", "joined.json", cwd=tmp_path)

    assert joined.returncode == single.returncode == 1, joined.stdout + joined.stderr
    assert "norm.py:Swapped: fails 2 of 3 requirements (2 MUST)." in joined.stdout
    expected, found = (Report.read(tmp_path / name) for name in ("whole.json", "joined.json"))
    assert timeless(found) == timeless(expected)
    assert expected.diagnoses["norm.py:Swapped"]["id"] == found.diagnoses["norm.py:Swapped"]["id"]
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert summary.count("### BatchNorm conformance") == 4
    assert summary.count("covers only a part: shard") == 2


def test_parts_of_a_random_run_are_refused(tmp_path: Path):
    """Parts would draw seeds of their own: the thorough profile needs one."""
    done = conformance("run", "impl", "--shard", "1/2", "--profile", "thorough", cwd=tmp_path)
    assert done.returncode == 2
    assert "Give all shards the same --seed N." in " ".join(done.stderr.split())
