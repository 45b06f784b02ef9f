"""The command line: it configures a pytest session and renders what comes back."""

from __future__ import annotations

import click

from conformance.frontends.cli.lazy_group import LazyGroup

__all__ = ["main"]

_HERE = "conformance.frontends.cli"

SECTIONS = {
    "Commands": {
        "run": ("run:run", "Judge implementations."),
        "explain": ("listing:explain", "Explain a requirement."),
        "list": ("listing:list_requirements", "List the requirements."),
        "watch": ("watch:watch", "Judge a file each time that it is saved."),
        "mutate": ("mutate:mutate", "Show which mistakes in a layer would be caught."),
        "replay": ("replay:replay", "Rerun a counterexample, or write it as a script."),
        "report": ("reporting:report", "Render a report as HTML, Markdown or a badge."),
    },
    "Setting up": {
        "config": ("config_command:config", "Show the settings of a project."),
        "implementations": (
            "listing:implementations",
            "List the registered implementations.",
        ),
        "smoke": ("smoke:smoke", "Check that an adapter works."),
        "waivers": ("waivers_command:waivers", "Maintain a file of known violations."),
    },
    "For CI, graders and other tools": {
        "combine": ("reporting:combine", "Combine the reports of shards."),
        "diff": ("reporting:diff", "Show what changed between two reports."),
        "schema": ("listing:schema", "Print the JSON Schema of reports."),
        "serve": ("serve:serve", "Judge what is asked for over a Unix socket."),
        "vectors": ("vectors_command:vectors", "Write test vectors for other languages."),
    },
    "About the suite": {
        "faults": ("faults:faults", "Show that the suite catches faulty implementations."),
    },
}
"""The sections of ``--help``: the module and the function of each command, and its line."""

COMMANDS = {name: command for section in SECTIONS.values() for name, command in section.items()}

REMOVED = {"behaviours": "conformance run IMPL --level may"}
"""What to use in the place of a command that was removed."""


@click.group(
    cls=LazyGroup,
    package=_HERE,
    sections=SECTIONS,
    removed=REMOVED,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(package_name="batchnorm-conformance", prog_name="conformance")
def main() -> None:
    """Judge Batch Normalization layers for flax NNX.

    \b
    conformance run                          the reference and flax's own layer
    conformance run my_norm.py:MyBatchNorm   a class in a file
    conformance explain BN-EMA-1             what a requirement says, and why

    \b
    The same in a file of tests, for pytest:
    from conformance import conformance_tests
    test_batchnorm = conformance_tests("my_norm.py:MyBatchNorm")
    """  # noqa: D301  click reads the backspace
