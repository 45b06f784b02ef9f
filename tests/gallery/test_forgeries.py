"""A submission gets the verdict of what it computes, whatever it does to whoever judges it."""

from __future__ import annotations

import pytest
from support.forgeries import KINDS, SUBMISSIONS, End, all_submissions
from support.forgeries.layers import MUST_VIOLATE
from support.forgeries.runs import complaint, judge
from support.sampling import exhaustive, sample_names

LISTED = {found.id: found for found in all_submissions()}
FORGERIES = [
    found
    for found in LISTED.values()
    if found.layer != "Right" and not (found.limit or found.on_word)
]
NEIGHBOURS = [found for found in LISTED.values() if found.layer == "Right"]
ON_WORD = [found for found in LISTED.values() if found.on_word]
LIMITS = [found for found in LISTED.values() if found.limit]
SAMPLE = sample_names(LISTED, group=lambda name: name.partition(":")[0], every=len(LISTED))


def parameters(found):
    """Return a parameter for each submission; those outside the sample are ``exhaustive``."""
    return [
        pytest.param(each, id=each.id, marks=() if each.id in SAMPLE else exhaustive)
        for each in found
    ]


@pytest.mark.parametrize("found", parameters(FORGERIES))
def test_a_forgery_is_found_to_violate(found, tmp_path):
    """What its layer violates is violated, and the exit code says whether that is a MUST."""
    run = judge(found, tmp_path)
    assert not complaint(found, run), run.said


@pytest.mark.parametrize("found", parameters(NEIGHBOURS))
def test_a_right_neighbour_conforms(found, tmp_path):
    """A right layer that does much the same harmlessly conforms, exit code 0."""
    run = judge(found, tmp_path)
    assert not complaint(found, run), run.said


@pytest.mark.parametrize("found", parameters(LIMITS))
def test_what_is_right_whenever_it_is_judged_conforms(found, tmp_path):
    """What no judge of this design can find is not found: the documentation says so."""
    run = judge(found, tmp_path)
    assert not complaint(found, run), run.said


@pytest.mark.parametrize("found", parameters(ON_WORD))
def test_what_rests_on_the_word_of_the_process(found, tmp_path):
    """A lie about a fact may pass, and does no harm to anything else."""
    run = judge(found, tmp_path)
    assert not complaint(found, run), run.said


def test_every_kind_has_forgeries_and_neighbours():
    """Forty submissions at least are wrong, and each kind has one that is right."""
    assert len(FORGERIES) >= 40
    assert {found.kind for found in NEIGHBOURS} == set(KINDS)
    assert {found.kind for found in FORGERIES} == set(KINDS)
    assert len(LISTED) == len(SUBMISSIONS)


def test_every_wrong_layer_must_violate_what_is_judged():
    """No submission is wrong in a way that its run does not look at."""
    for found in FORGERIES:
        assert MUST_VIOLATE[found.layer]
        assert MUST_VIOLATE[found.layer] <= set(found.judged)
        assert found.end in End
