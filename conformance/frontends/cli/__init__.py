"""The command line: it builds arguments for pytest and renders what comes back."""

from __future__ import annotations

import click

from conformance.frontends.cli.behaviours_command import behaviours
from conformance.frontends.cli.faults import faults
from conformance.frontends.cli.listing import explain, implementations, list_requirements
from conformance.frontends.cli.replay import replay
from conformance.frontends.cli.reporting import combine, diff, report, schema
from conformance.frontends.cli.run import run
from conformance.frontends.cli.smoke import smoke
from conformance.frontends.cli.waivers_command import waivers

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88})
@click.version_option(package_name="batchnorm-conformance", prog_name="conformance")
def main() -> None:
    """Judge Batch Normalization layers for flax NNX.

    \b
    conformance run                          the reference and flax's own layers
    conformance run my_norm.py:MyBatchNorm   a class in a file
    conformance explain BN-EMA-1             what a requirement wants, and why
    """  # noqa: D301  click reads the backspace


for command in (run, smoke, list_requirements, explain, implementations, faults):
    main.add_command(command)
for command in (replay, waivers, behaviours, report, combine, diff, schema):
    main.add_command(command)
