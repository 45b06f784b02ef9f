"""How many processes judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.engine import jobs
from conformance.engine.jobs import MEMORY_OF_ONE, choose_jobs, cores, jobs_for

PLENTY = 1 << 40


@pytest.mark.parametrize(
    ("pairs", "number_of_cores", "memory", "expected"),
    [
        (106, 2, PLENTY, 2),
        (106, 16, PLENTY, 9),
        (106, 64, PLENTY, 9),
        (212, 64, PLENTY, 18),
        (106, 64, 8 << 30, 4),
        (106, 8, 2 * MEMORY_OF_ONE, 1),
        (106, 8, 1, 1),
        (106, 8, 0, 8),
        (1, 64, PLENTY, 1),
    ],
)
def test_cores_memory_and_work_limit_the_number(
    pairs: int, number_of_cores: int, memory: int, expected: int
):
    """Half of the free memory is left, and no process has too little to do."""
    assert jobs_for(pairs, number_of_cores, memory) == expected


def test_the_user_decides_but_no_process_is_idle():
    """A number is taken as it is, up to one process for each pair."""
    assert choose_jobs("7", 106) == 7
    assert choose_jobs("7", 3) == 3
    assert choose_jobs("1", 0) == 1


@pytest.mark.parametrize(("quota", "expected"), [("150000 100000", 2), ("50000 100000", 1)])
def test_a_container_may_have_fewer_cores(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its quota counts, rounded up."""
    monkeypatch.setattr(jobs.os, "sched_getaffinity", lambda _: range(64), raising=False)
    monkeypatch.setattr(jobs, "_QUOTA", tmp_path / "cpu.max")
    assert cores() == 64
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores() == 64
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores() == expected
