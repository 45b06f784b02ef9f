"""Runs a property on a subject and returns a verdict; worker processes are in ``sandbox``."""
