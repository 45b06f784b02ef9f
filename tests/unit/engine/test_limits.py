"""How much memory one implementation may take."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from conformance.engine.sandbox import limits
from conformance.engine.sandbox.limits import GIB, LEAST_MEMORY, Limits, fair_share, resident

STATM = Path("/proc/self/statm")


@pytest.mark.skipif(not STATM.exists(), reason="this system does not report memory of processes")
def test_reserved_memory_is_not_resident():
    """Memory counts once it is written to: frameworks reserve far more than they use."""
    before = resident(os.getpid())
    reserved = np.empty(64 << 20, np.uint8)
    after = resident(os.getpid())
    reserved[:] = 1
    assert before > 0
    assert after - before < 32 << 20
    assert resident(os.getpid()) - after > 48 << 20


def test_a_process_that_is_gone_holds_nothing():
    """Nor does one on a system that does not report its memory."""
    assert resident(2**22 + 1) == 0


def test_workers_share_the_machine(monkeypatch: pytest.MonkeyPatch):
    """Half of the memory for all of them together, and enough for a correct layer for each."""
    monkeypatch.setattr(limits, "machine_memory", lambda: 64 * GIB)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    assert Limits().memory == fair_share() == 32 * GIB
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    assert fair_share() == 8 * GIB
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "64")
    assert fair_share() == LEAST_MEMORY * GIB


def test_the_limit_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The smaller memory of control group and machine; "max" means no limit."""
    machine = limits.machine_memory()
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "little").write_text("1024\n")
    monkeypatch.setattr(limits, "_CGROUP", (tmp_path / "max", tmp_path / "none"))
    assert limits.machine_memory() >= machine > 0
    monkeypatch.setattr(limits, "_CGROUP", (tmp_path / "max", tmp_path / "little"))
    assert limits.machine_memory() == 1024
