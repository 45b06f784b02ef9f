"""Names of devices, what is chosen by them, and which devices there are."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from conformance.adapters.errors import AdapterError
from conformance.engine.devices import (
    describe_device,
    is_device,
    split_device,
    use_device,
    using_device,
)
from conformance.frontends.device_check import expand_devices
from conformance.frontends.options import COMMAND_LINE, OptionError
from conformance.frontends.run_config import RunConfig


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("impl", ("impl", "")),
        ("impl@gpu", ("impl", "gpu")),
        ("norm.py:Norm@cpu:1", ("norm.py:Norm", "cpu:1")),
        ("me@host/norm.py:Norm", ("me@host/norm.py:Norm", "")),
        ("me@host/norm.py:Norm@tpu:12", ("me@host/norm.py:Norm", "tpu:12")),
        ("@cpu", ("@cpu", "")),
        ("impl@CPU", ("impl@CPU", "")),
        ("impl@cpu:", ("impl@cpu:", "")),
    ],
)
def test_a_name_may_end_with_a_device(name, expected):
    """Only what can be the name of a device is split off."""
    assert split_device(name) == expected


def test_what_can_name_a_device():
    """A platform, and a number if there are several."""
    assert all(map(is_device, ("cpu", "gpu", "cuda:0", "tpu:15")))
    assert not any(map(is_device, ("", "cpu:", ":0", "cpu:x", "CPU", "cpu:0:1", "cpu 0")))


def test_results_are_on_the_device_of_the_block():
    """The default device is that of the name, inside the block only."""
    with using_device("cpu:0"):
        assert next(iter(jnp.zeros(1).devices())) == jax.devices("cpu")[0]
    with using_device(""):
        assert jax.config.jax_default_device is None
    assert describe_device("cpu:0") == "cpu:0"
    assert describe_device("cpu") == "cpu"
    assert describe_device("") == jax.devices()[0].device_kind


@pytest.mark.parametrize("device", ["gpux", "cpu:99"])
def test_a_device_that_is_not_there_is_an_error(device):
    """The message lists those there are."""
    with pytest.raises(AdapterError, match=rf"no device '{device}'; JAX has .*cpu:0"):
        use_device(device)


def test_each_implementation_is_judged_on_each_device():
    """The names of a run are those of all pairs, in this order."""
    given = {"implementations": ("impl", "flax"), "devices": "cpu:0, cpu:1"}
    run = RunConfig.from_options(given, COMMAND_LINE)

    assert run.implementations == ("impl@cpu:0", "impl@cpu:1", "flax@cpu:0", "flax@cpu:1")
    assert expand_devices(("impl@cpu:1",), None, "--devices") == ("impl@cpu:1",)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("cpu,cpu", "expected names of JAX.*each once"),
        ("cpu:", "expected names of JAX"),
        ("", "expected names of JAX"),
        ("cpu,xpu", "there is no device 'xpu'; JAX has .*cpu:0, cpu:1, cpu:2, cpu:3"),
    ],
)
def test_bad_devices_are_refused(devices, message):
    """The message names the option, its value and the rule."""
    given = {"implementations": ("impl",), "devices": devices}
    with pytest.raises(OptionError, match=f"--devices {devices}: {message}"):
        RunConfig.from_options(given, COMMAND_LINE)


def test_a_device_is_named_once():
    """An implementation that names a device is not expanded."""
    given = {"implementations": ("impl@cpu",), "devices": "cpu"}
    with pytest.raises(OptionError, match="impl@cpu names a device already"):
        RunConfig.from_options(given, COMMAND_LINE)
