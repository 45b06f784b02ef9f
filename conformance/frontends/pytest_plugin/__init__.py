"""The pytest plugin: options and markers, and nothing else until there is something to judge.

It is active in every pytest session of every project that has this package installed. Importing
it imports neither JAX nor flax, NumPy or Hypothesis, nor the tables of requirements.
"""

from __future__ import annotations

import argparse
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from conformance.frontends.options import RUN_OPTIONS, OptionError, RunOption
from conformance.frontends.pytest_plugin import waiver_files
from conformance.frontends.pytest_plugin.protocol import COLLECTOR, RUN_CONFIG

if TYPE_CHECKING:
    from conformance.frontends.pytest_plugin.collector import VerdictCollector
    from conformance.frontends.run_config import RunConfig

_MARKER = (
    "requirement(id, family, level): one requirement of the BatchNorm conformance suite; "
    "select with -m 'requirement(id=\"BN-EMA-1\")'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options in one group."""
    group = parser.getgroup(
        "conformance", "BatchNorm conformance suite: judging without a test file, for CI"
    )
    for option in RUN_OPTIONS:
        try:
            group.addoption(option.pytest_flag, **_settings_of(option))
        except ValueError:
            if option.pytest_flag.startswith("--conformance-"):
                raise
            # another plugin has --impl or --max-examples; its value is used anyway


def _settings_of(option: RunOption) -> dict[str, Any]:
    """Return the keywords of ``addoption``; paths stay text, so that xdist can serialize them."""
    shown = f" Default: {option.default}." if option.default else ""
    text = argparse.SUPPRESS if option.hidden else option.help + shown
    settings: dict[str, Any] = {"help": text, "default": option.default}
    if option.type is bool:
        return settings | {"action": "store_true"}
    if option.choices:
        return settings | {"choices": option.choices}
    if option.multiple:
        settings |= {"action": "append", "default": list(option.default)}
    number = {"type": option.type} if option.type in {int, float} else {}
    return settings | number | {"metavar": option.metavar}


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and everything else if there is something to judge."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", waiver_files.MARKER)
    config.pluginmanager.register(waiver_files.WaiverFiles(), "conformance-waiver-files")
    run = _run_config(config)
    if run is None:
        return
    from conformance.frontends.pytest_plugin.collector import VerdictCollector  # noqa: PLC0415  only when judging
    from conformance.frontends.pytest_plugin.pytest_session import Session  # noqa: PLC0415

    config.pluginmanager.register(Session(run), "conformance-session")
    if not hasattr(config, "workerinput") and _collector(config) is None:
        config.pluginmanager.register(VerdictCollector(run), COLLECTOR)


def _collector(config: pytest.Config) -> VerdictCollector | None:
    collector: VerdictCollector | None = config.pluginmanager.get_plugin(COLLECTOR)
    return collector


def _run_config(config: pytest.Config) -> RunConfig | None:
    """Return the configuration of the run, None if there is nothing to judge."""
    if collector := _collector(config):
        return collector.run
    worker: dict[str, Any] = getattr(config, "workerinput", {})
    if RUN_CONFIG in worker:
        decided: RunConfig = pickle.loads(worker[RUN_CONFIG])  # noqa: S301  pickled by our controller
        return decided
    if not config.getoption("--impl"):
        return None
    from conformance.frontends.run_config import RunConfig  # noqa: PLC0415  only when judging

    try:
        return RunConfig.from_pytest(config)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str | None:
    """Show the settings that decide the verdicts."""
    collector = _collector(config)
    if collector is None:
        return None
    chosen = collector.run.budget
    return (
        f"conformance: judging {', '.join(collector.run.implementations)}; {chosen.profile} "
        f"profile, {chosen.max_examples} cases per property, seed {chosen.seed}, "
        f"edition {collector.run.edition}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Refuse to collect this package when there is nothing to judge."""
    config = session.config
    named = any(arg.split(".")[0].split("::")[0] == "conformance" for arg in config.args)
    if named and config.getoption("--pyargs") and not config.getoption("--impl"):
        msg = (
            "conformance: no implementation to judge. Name one with --impl, such as --impl impl, "
            "--impl my_package.norm:MyBatchNorm or --impl ./my_norm.py:MyBatchNorm"
        )
        raise pytest.UsageError(msg)
