"""The options of a run, declared once for the command line and for pytest.

Neither click nor pytest is imported here, nor anything heavier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.engine.budget import PROFILES
from conformance.engine.devices import is_device, parse_devices
from conformance.engine.sandbox.limits import CALL_LIMIT, LEAST_MEMORY
from conformance.requirements import Level

_DAY = 86_400.0
_MOST_MEMORY = 1e6


class OptionError(ValueError):
    """An option cannot be used; the message names it, its value and the rule."""


def _accept(value: Any) -> str:
    del value
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOption:
    """One option of a run.

    Attributes:
        name: The key of its value in ``RunConfig.from_options``.
        help: One sentence for ``--help``.
        type: The type of a value; ``bool`` makes it a flag.
        default: The value if the option is absent.
        metavar: The name of the value in ``--help``.
        choices: The permitted values, if they are few.
        multiple: Whether the option may be repeated.
        check: Returns what is wrong with a value, or an empty string.
        flags: The flags on the command line; empty if it has none.
        pytest: The flag in pytest; empty for ``--conformance-`` and the name.
        hidden: Whether pytest's ``--help`` leaves it out, because the suite alone uses it.
    """

    name: str
    help: str
    type: type = str
    default: Any = None
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    multiple: bool = False
    check: Callable[[Any], str] = _accept
    flags: tuple[str, ...] = ()
    pytest: str = ""
    hidden: bool = False

    @property
    def pytest_flag(self) -> str:
        """The flag in pytest, where all projects share one namespace."""
        return self.pytest or f"--conformance-{self.name.replace('_', '-')}"


def _check_names(names: tuple[str, ...]) -> str:
    broken = [name for name in names if any("\ud800" <= letter <= "\udfff" for letter in name)]
    return "not valid UTF-8: rename the file or the module" if broken else ""


def _check_devices(text: str) -> str:
    devices = parse_devices(text)
    rule = "expected names of JAX, such as cpu, gpu or cpu:1, separated by commas, each once"
    return "" if all(map(is_device, devices)) and len(set(devices)) == len(devices) else rule


def _check_edition(name: str) -> str:
    from conformance.requirements.editions import why_unknown  # noqa: PLC0415  reads the tables

    return why_unknown(name)


def _check_seed(seed: int) -> str:
    return "" if seed >= 0 else "expected an integer of at least 0"


def _check_examples(count: int) -> str:
    return "" if count >= 1 else "expected at least 1: without a case nothing is judged"


def _check_max_time(seconds: float) -> str:
    return "" if 0 < seconds < float("inf") else "expected a number of seconds greater than 0"


def _check_call_timeout(seconds: float) -> str:
    rule = f"expected a number of seconds greater than 0 and at most {_DAY:.0f}"
    return "" if 0 < seconds <= _DAY else rule


def _check_memory(gib: float) -> str:
    rule = f"expected a number of GiB between {LEAST_MEMORY:g} and {_MOST_MEMORY:.0f}; with less, "
    rule += "not even a correct layer can be compiled"
    return "" if LEAST_MEMORY <= gib <= _MOST_MEMORY else rule


RUN_OPTIONS = (
    RunOption(
        name="implementations",
        pytest="--impl",
        multiple=True,
        default=(),
        metavar="IMPL",
        check=_check_names,
        help="Judge this implementation: a registered name, module:attribute or "
        "path/to/file.py:attribute. May be repeated.",
    ),
    RunOption(
        name="requirements",
        flags=("-k", "--filter"),
        pytest="--conformance-select",
        multiple=True,
        default=(),
        metavar="PATTERN",
        help="Judge only these requirements: ids, families or globs. May be repeated.",
    ),
    RunOption(
        name="python",
        flags=("--python",),
        multiple=True,
        default=(),
        metavar="PATH",
        help="Judge in this virtual environment: its folder or interpreter. May be repeated.",
    ),
    RunOption(
        name="devices",
        flags=("--devices",),
        metavar="DEVICE,...",
        check=_check_devices,
        help="Judge on each of these devices, such as cpu,gpu or cpu:0,cpu:1, and compare. "
        "Default: JAX's default device.",
    ),
    RunOption(
        name="level",
        flags=("--level",),
        choices=tuple(level.value for level in Level),
        help="Judge only requirements of this level; of may, observe what is left open.",
    ),
    RunOption(
        name="edition",
        flags=("--edition",),
        metavar="EDITION",
        check=_check_edition,
        help="Judge by this edition of the requirements, such as 2026.1, or by the draft of the "
        "next. Default: the newest, with what was added since as a SHOULD.",
    ),
    RunOption(
        name="profile",
        flags=("--profile",),
        choices=PROFILES,
        default="default",
        help="How many cases to generate; thorough also draws a random seed.",
    ),
    RunOption(
        name="max_examples",
        flags=("--max-examples",),
        pytest="--max-examples",
        type=int,
        metavar="N",
        check=_check_examples,
        help="Cases per property, at least 1; overrides the profile.",
    ),
    RunOption(
        name="seed",
        flags=("--seed",),
        type=int,
        metavar="N",
        check=_check_seed,
        help="Seed of the cases. Default: 0, or random in the thorough profile.",
    ),
    RunOption(
        name="max_time",
        flags=("--max-time",),
        type=float,
        metavar="SECONDS",
        check=_check_max_time,
        help="Stop generating cases after about this many seconds; the report says where.",
    ),
    RunOption(
        name="shard",
        flags=("--shard",),
        metavar="I/N",
        help="Judge only this part, such as 2/3; `conformance combine` joins the reports.",
    ),
    RunOption(
        name="strict",
        flags=("--strict",),
        type=bool,
        default=False,
        help="A violated SHOULD fails the run, too.",
    ),
    RunOption(
        name="ignore_declarations",
        flags=("--ignore-declarations",),
        type=bool,
        default=False,
        help="Ignore declared deviations: judge by the strict requirements.",
    ),
    RunOption(
        name="explain_recognition",
        flags=("--explain-recognition",),
        type=bool,
        default=False,
        help="Show why a class or function without an adapter was read as it was.",
    ),
    RunOption(
        name="waivers",
        flags=("--waivers",),
        type=Path,
        metavar="FILE",
        help="Known violations, as TOML: each with a reason and an issue.",
    ),
    RunOption(
        name="call_timeout",
        flags=("--call-timeout",),
        type=float,
        default=round(CALL_LIMIT),
        metavar="SECONDS",
        check=_check_call_timeout,
        help="A call that takes longer is a violation, and its process is killed.",
    ),
    RunOption(
        name="memory_limit",
        flags=("--memory-limit",),
        type=float,
        metavar="GIB",
        check=_check_memory,
        help="Kill an implementation that uses more than this, at least 2. Default: half of RAM "
        "divided by the number of workers.",
    ),
    RunOption(
        name="report",
        flags=("--report",),
        type=Path,
        metavar="FILE",
        help="Write the report as JSON.",
    ),
    RunOption(
        name="pairs",
        type=Path,
        metavar="FILE",
        hidden=True,
        help="Judge only the pairs in this file, one per line, such as BN-EMA-1[impl].",
    ),
    RunOption(
        name="first_violation",
        type=bool,
        default=False,
        hidden=True,
        help="Report the first counterexample found, without minimizing it.",
    ),
    RunOption(
        name="in_process",
        type=bool,
        default=False,
        help="Judge in pytest's own process: for debuggers, and for implementations you trust.",
    ),
)
"""Every option of a run, in the order of ``--help``."""

COMMAND_LINE = {option.name: option.flags[-1] for option in RUN_OPTIONS if option.flags} | {
    "implementations": "IMPL"
}
"""How error messages of the command line name an option."""

PYTEST = {option.name: option.pytest_flag for option in RUN_OPTIONS}
"""How error messages of the pytest plugin name an option."""


def check_values(values: Mapping[str, Any], flags: Mapping[str, str]) -> None:
    """Check every value by the rule of its option.

    Args:
        values: Values by the name of the option; None where it is absent.
        flags: How messages name the options: ``COMMAND_LINE`` or ``PYTEST``.

    Raises:
        OptionError: A value breaks the rule; the message names option, value and rule.
    """
    for option in RUN_OPTIONS:
        value = values.get(option.name)
        if value is not None and (rule := option.check(value)):
            shown = ", ".join(value) if isinstance(value, tuple) else value
            msg = f"{flags[option.name]} {shown}: {rule}"
            raise OptionError(msg)
