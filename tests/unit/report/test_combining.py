"""Combining the reports of shards, and refusing those that are not all of one run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.example_reports import full_run, shards

from conformance.report.combining import ShardError, combine, without_times
from conformance.report.model import Report
from conformance.requirements.verdict import Outcome, Verdict


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parts_make_the_whole(count: int):
    """In any order, shards combine to the report of a single run, except times and workers."""
    made = combine(shards(count)[::-1])
    assert without_times(made) == without_times(full_run())
    assert made.complete
    assert made.header.shard is None
    assert made.header.workers == count
    assert made.header.started == 1.7e9 + 1
    assert made.footer.seconds == 2 * count - 1  # from 1.7e9 + 1 to 1.7e9 + 2 · count


def test_equality_apart_from_times_can_fail():
    """Another verdict, or another condition, is a difference."""
    changed = full_run()
    changed.verdicts[0] = replace(changed.verdicts[0], cases=99)
    assert without_times(changed) != without_times(full_run())
    seeded = replace(full_run(), header=replace(full_run().header, seed=1))
    assert without_times(seeded) != without_times(full_run())


def combine_error(parts: list[tuple[str, Report]]) -> str:
    with pytest.raises(ShardError) as refused:
        combine(parts)
    return str(refused.value)


def with_header(part: tuple[str, Report], **changes: object) -> tuple[str, Report]:
    return part[0], replace(part[1], header=replace(part[1].header, **changes))


def test_missing_parts_are_named():
    """Parts that are not there are named by their number."""
    assert combine_error(shards(4)[1:3]).startswith("shards are missing: 1/4, 4/4. ")


def test_incomplete_parts_are_named():
    """A part that did not reach everything is named by its file."""
    first, (name, part) = shards(2)
    lost = part.verdicts.pop()
    gone = f"{lost.requirement}[{lost.implementation}]"
    cut = replace(part.footer, verdicts=len(part.verdicts), missing=[gone])
    assert combine_error([first, (name, replace(part, footer=cut))]).startswith(
        "2.json is incomplete: 1 missing."
    )


def test_a_part_twice_is_named():
    """The same part twice is refused by both files."""
    first, second = shards(2)
    assert combine_error([first, second, ("again.json", first[1])]).startswith(
        "again.json and 1.json are both shard 1/2."
    )


def test_overlapping_parts_are_named():
    """Parts that both have a pair are refused by files and pair."""
    first, second = shards(2)
    second[1].verdicts.append(first[1].verdicts[0])
    counts = replace(
        second[1].footer, expected=len(second[1].verdicts), verdicts=len(second[1].verdicts)
    )
    told = combine_error([first, (second[0], replace(second[1], footer=counts))])
    assert told.startswith("1.json and 2.json overlap: both have BN-")


def test_a_whole_run_is_no_part():
    """A report without a part is refused."""
    assert combine_error([("r.json", full_run())]).startswith(
        "r.json is not a shard but a whole run."
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 7}, "seed is 7, not 0"),
        ({"max_examples": 5}, "max_examples is 5, not 100"),
        ({"strict": True}, "strict is True, not False"),
        ({"profile": "quick"}, "profile is 'quick', not 'default'"),
        ({"implementations": ["impl"]}, "implementations is ['impl'], not ['impl', 'flax']"),
        ({"environment": {"jax": "0.1"}}, "environment is {"),
        ({"edition": "2020.1", "requirements": ["BN-EMA-1"]}, "edition is '2020.1', not ''"),
    ],
)
def test_parts_under_other_conditions_are_named(changes: dict[str, object], told: str):
    """The option that differs is named, with both values."""
    first, second = shards(2)
    said = combine_error([first, with_header(second, **changes)])
    assert said.startswith(f"2.json was configured differently from 1.json: {told}")
    assert said.endswith("Run all shards alike.")


def test_hosts_may_differ_in_their_kernel():
    """Platforms do not decide verdicts; all of them are listed."""
    first, second = shards(2)
    there = second[1].header.environment | {"platform": "Linux-99"}
    made = combine([first, with_header(second, environment=there)])
    assert made.header.environment["platform"].endswith(" and Linux-99")


def test_parts_of_another_division_are_named():
    """Parts of three and parts of two make nothing."""
    assert combine_error([shards(2)[0], shards(3)[1]]).startswith(
        "2.json is shard 2/3, but others are parts of 2."
    )


def test_a_part_with_other_pairs_is_named():
    """A part that was given another number has pairs that are not its own."""
    first, second = shards(2)
    told = combine_error([with_header(first, shard="2/2"), with_header(second, shard="1/2")])
    assert told.startswith("1.json, shard 2/2, lacks BN-")


def test_requirements_of_another_version_are_named():
    """What this version does not know it cannot put together."""
    first, (name, part) = shards(2)
    part.verdicts[0] = replace(part.verdicts[0], requirement="BN-NEW-7")
    assert combine_error([first, (name, part)]).startswith(
        "2.json has BN-NEW-7, which this version"
    )


@pytest.mark.parametrize(("verdicts", "ended"), [(0, 2), (1, 1), (5, 2)])
def test_a_complaint_about_waivers_is_not_lost(verdicts: int, ended: int):
    """A run whose waivers are not needed ends with 2, unless a violation says more."""
    made = [
        (name, replace(part, footer=replace(part.footer, exit_code=code)))
        for (name, part), code in zip(shards(2), (0, 2), strict=True)
    ]
    if verdicts != 1:
        outcome = Outcome.CONFORMS if verdicts == 0 else Outcome.UNSUPPORTED
        made = [(name, replace(part, verdicts=settled(part, outcome))) for name, part in made]
    assert combine(made).footer.exit_code == ended


def settled(part: Report, outcome: Outcome) -> list[Verdict]:
    """Return the verdicts of a part with another outcome."""
    return [replace(verdict, outcome=outcome, violation=None) for verdict in part.verdicts]
