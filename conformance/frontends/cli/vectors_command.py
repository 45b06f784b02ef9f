"""``vectors``: write test vectors for implementations in other languages."""

from __future__ import annotations

from pathlib import Path

import click

from conformance import __version__
from conformance.adapters.errors import printable
from conformance.frontends.cli.parameters import FILE, check_writable, seed_option
from conformance.report.atomic_files import write_text


@click.command()
@click.argument("file", type=FILE, callback=check_writable)
@seed_option("Selects the cases.")
@click.option(
    "--cases",
    type=click.IntRange(min=1, max=400),
    default=100,
    show_default=True,
    metavar="N",
    help="Number of vectors in each of the four classes.",
)
def vectors(file: Path, seed: int, cases: int) -> None:
    """Write test vectors for implementations in other languages.

    FILE is JSON, of at most 5 MB: configuration, state, inputs as hexadecimal floats, expected
    results with proved error bounds, and requirement ids, for the forward function, single calls,
    gradients and sequences of calls. docs/vectors.md describes it, with runners in C++ and
    JavaScript.
    """
    from conformance.report.vectors import LARGEST, as_json, vectors  # noqa: PLC0415  NumPy

    text = as_json(vectors(seed, cases, __version__))
    size = len(text.encode())
    if size > LARGEST:
        fewer = int(cases * LARGEST / size * 0.9)
        msg = f"--cases {cases}: takes {size / 1e6:.1f} MB, at most 5 are written; try {fewer}"
        raise click.UsageError(printable(msg))
    write_text(file, text)
    click.echo(f"{printable(str(file))}: {4 * cases} vectors, {size / 1e6:.1f} MB, seed {seed}")
