"""Runs a property on a subject and returns a verdict, in a sandbox if asked to."""
