"""Synchronization: the devices that it needs."""

from __future__ import annotations

import subprocess
import sys

from conformance.engine import jax_runtime


def test_too_few_devices_are_reported():
    """On a single device BN-SYNC-1 is not silently judged by half: it says what to set."""
    code = (
        "from conformance.engine.judge import judge_requirement as judge\n"
        "from conformance.engine.budget import budget\n"
        "from conformance.requirements import REQUIREMENTS\n"
        "from conformance.properties.support.subject import Subject\n"
        "from impl import wide\n"
        "verdict = judge(REQUIREMENTS['BN-SYNC-1'], Subject(wide()), budget(max_examples=20))\n"
        "print(verdict.outcome.value, verdict.detail)"
    )
    environment = {"JAX_NUM_CPU_DEVICES": "1", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith("errored")
    assert "JAX has 1. Set JAX_NUM_CPU_DEVICES=4 before jax starts" in done.stdout


def test_devices_are_offered_unless_the_user_has_chosen(monkeypatch):
    """The number of devices is set once, and never over one that is there."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    jax_runtime.offer_host_devices()
    assert jax_runtime.os.environ["JAX_NUM_CPU_DEVICES"] == str(jax_runtime.HOST_DEVICES)
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")
    jax_runtime.offer_host_devices()
    assert jax_runtime.os.environ["JAX_NUM_CPU_DEVICES"] == "2"
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    jax_runtime.offer_host_devices()
    assert "JAX_NUM_CPU_DEVICES" not in jax_runtime.os.environ
