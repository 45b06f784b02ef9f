"""Requirements on several devices, in a process that has one."""

from __future__ import annotations

import subprocess
import sys


def test_too_few_devices_are_reported():
    """On a single device BN-SYNC-1 is not silently judged by half: it says what to set."""
    code = (
        "from conformance.engine.judge import judge_requirement as judge\n"
        "from conformance.engine.budget import budget\n"
        "from conformance.requirements import REQUIREMENTS\n"
        "from conformance.properties.support.subject import Subject\n"
        "from impl.variants import VARIANTS\n"
        "few = budget(max_examples=20)\n"
        "verdict = judge(REQUIREMENTS['BN-SYNC-1'], Subject(VARIANTS['wide']), few)\n"
        "print(verdict.outcome.value, verdict.detail)"
    )
    environment = {"JAX_NUM_CPU_DEVICES": "1", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith("errored")
    assert "JAX has 1. Set JAX_NUM_CPU_DEVICES=4 before jax starts" in done.stdout
