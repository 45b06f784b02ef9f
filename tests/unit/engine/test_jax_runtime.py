"""The runtime of JAX: its cache of compiled programs, and the devices that it offers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.engine import jax_runtime
from conformance.engine.jax_runtime import (
    forget_old_compilations,
    remember_compilations,
    share_lowering_contexts,
    unload_programs_if_many,
)

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory of programs of 100 bytes each, the first used longest ago."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    directory = tmp_path / "batchnorm-conformance" / "xla"
    directory.mkdir(parents=True)
    for age in range(5):
        file = directory / f"program-{age}"
        file.write_bytes(bytes(100))
        os.utime(file, (1000 + age, 1000 + age))
    return directory


def list_files(programs: Path) -> list[str]:
    return sorted(file.name for file in programs.iterdir())


def test_the_oldest_are_deleted_until_the_rest_fits(programs: Path):
    """What was used last stays."""
    assert forget_old_compilations(limit=250) == 3
    assert list_files(programs) == ["program-3", "program-4"]


def test_nothing_is_deleted_below_the_limit(programs: Path):
    """A cache that fits is left alone."""
    assert forget_old_compilations(limit=500) == 0
    assert len(list_files(programs)) == 5


def test_a_program_that_was_read_lately_stays(programs: Path):
    """Use counts, and not when it was compiled."""
    os.utime(programs / "program-0", (2000, 1000))
    forget_old_compilations(limit=100)
    assert list_files(programs) == ["program-0"]


def test_no_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before the first run there is nothing to delete."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nowhere"))
    assert forget_old_compilations() == 0


def test_the_cache_of_the_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A cache directory that is set already is neither replaced nor created."""
    monkeypatch.setenv(_VARIABLE, str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    remember_compilations()
    assert os.environ[_VARIABLE] == str(tmp_path / "mine")
    assert not (tmp_path / "other").exists()


def test_programs_are_unloaded_only_if_there_are_many():
    """Below the limit nothing is dropped; above it the memory mappings go, and calls go on."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not limit memory mappings")
    import chex  # noqa: PLC0415  jax would start before its cache is set up
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    chex.clear_trace_counter()
    doubled = jax.jit(chex.assert_max_traces(lambda x: 2 * x, n=1))
    assert doubled(jnp.ones(3)).sum() == 6
    assert not unload_programs_if_many(share=1.0, pause=0)
    assert doubled(jnp.ones(3)).sum() == 6  # the program is still there
    assert unload_programs_if_many(share=0.0, pause=0)
    with pytest.raises(AssertionError, match="traced > 1 times"):
        doubled(jnp.ones(3))
    chex.clear_trace_counter()
    assert doubled(jnp.ones(3)).sum() == 6


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


def test_programs_share_a_context(monkeypatch: pytest.MonkeyPatch):
    """Programs are lowered in one context up to a limit, and compute the same."""
    import jax  # noqa: PLC0415  jax would start before its cache is set up
    import jax.numpy as jnp  # noqa: PLC0415
    from jax._src.interpreters import mlir  # noqa: PLC0415  what is replaced

    made = [object(), object()]
    with monkeypatch.context() as patched:
        patched.setattr(mlir, "make_ir_context", iter(made).__next__)
        share_lowering_contexts()
        given = [mlir.make_ir_context() for _ in range(64)]
    assert given == [made[0]] * 63 + [made[1]]

    lowered = [jax.jit(lambda x, n=n: n * x).lower(jnp.ones(3)).as_text() for n in range(70)]
    assert len(set(lowered)) == 70
    assert all(text.count("stablehlo.multiply") == 1 for text in lowered)


def test_another_version_of_jax_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    """Without the private function there is nothing to replace."""
    from jax._src.interpreters import mlir  # noqa: PLC0415  what is replaced

    monkeypatch.delattr(mlir, "make_ir_context")
    share_lowering_contexts()
    assert not hasattr(mlir, "make_ir_context")
