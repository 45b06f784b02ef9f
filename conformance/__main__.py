"""``python -m conformance``."""

from conformance.frontends.cli import main

main(prog_name="conformance")
