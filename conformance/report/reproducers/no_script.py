"""The exception of everything that writes scripts."""


class NoScript(Exception):
    """There is no script for a counterexample; the message says why."""
